//! Functions apart: a function of fewer indices than its equation has is computed once for all entries of the others.
//!
//! `turned[t, heads, k] = q[t, heads, k] * cos(angle[t, k])` becomes `turned'alike[t, k] = cos(angle[t, k])`, computed once for all
//! heads, and `turned[t, heads, k] = q[t, heads, k] * turned'alike[t, k]`. What several equations, or all layers of a stack, so
//! have in common becomes one by the pass that merges equal equations.
//!
//! Only functions that are computed on whole runs are worth a value of their own, and only at positions: one of weights alone
//! would have to be kept with each sequence. One that reads the state of the equation's own recurrence stays in it.

use super::inline::is_on_runs;
use super::parts::Parts;
use crate::graph::{Event, Graph};
use crate::model::Equation;
use crate::term::{Axis, IndexId, Subscript, Term, ValueId};

/// Takes such functions out of all pointwise equations.
pub fn run(mut graph: Graph) -> Graph {
    for id in graph.order() {
        if graph.is_pointwise(id)
            && let Some(equation) = graph.equation(id).cloned()
        {
            let mut parts = Parts::default();
            let term = split(&equation.term, id, &equation, &graph, &mut parts);
            parts.leave(&mut graph, id, &term, "alike", |part, of| Event::TakenOut { part, of });
        }
    }
    graph.reorder();
    graph
}

/// The same term with its largest parts that are worth it replaced by reads of values to be made.
fn split(term: &Term, id: ValueId, equation: &Equation, graph: &Graph, parts: &mut Parts) -> Term {
    // A whole equation is a value already.
    if *term != equation.term && is_on_runs(term) && is_alike(term, equation) && is_in_place(term, id, equation, graph)
    {
        return parts.take_out(term, equation);
    }
    term.map_children(&mut |index| index, &mut |child| split(child, id, equation, graph, parts))
}

/// Whether it is the same for several entries of the equation, at each position.
fn is_alike(term: &Term, equation: &Equation) -> bool {
    let mut indices = equation.indices.iter().enumerate();
    let mentioned = |place: usize| term.mentions(IndexId(place as u32));
    let at_positions = indices.clone().any(|(place, index)| index.axis.time().is_some() && mentioned(place));
    at_positions && indices.any(|(place, index)| index.axis.size() != Some(1) && !mentioned(place))
}

/// Whether it reads other values at its own indices alone, which are theirs, so that it may be computed where the equation does
/// not ask for it; and none of the equation's own recurrence.
fn is_in_place(term: &Term, id: ValueId, equation: &Equation, graph: &Graph) -> bool {
    let own = graph.scan_of(id);
    let mut fits = true;
    term.for_each_read(&mut |value, subscripts| {
        let axes = &graph.value(value).axes;
        let at_own = |(subscript, axis): (&Subscript, &Axis)| {
            subscript.as_index().is_some_and(|index| equation.indices[index.0 as usize].axis == *axis)
        };
        fits &= subscripts.iter().zip(axes).all(at_own);
        fits &= own.is_none() || graph.scan_of(value) != own;
    });
    fits
}
