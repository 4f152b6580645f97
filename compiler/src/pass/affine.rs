//! Recurrences that are affine in their state, element by element, in their normal form.
//!
//! ```text
//! scan { kept = keep * h[t-1]; h = kept + x }   →   h = keep * h[t-1] + x
//! h = (h[t-1] + x) * scale                      →   h = scale * h[t-1] + x * scale
//! ```
//!
//! What stood between the state and itself is put into its equation, so that the recurrence is one value; hoisting then
//! takes factor and addend out of it. A value that is read outside as well is computed there from the state, outside the
//! recurrence. An equation that would become larger than [`LARGEST`] stays as it is, a loop.

use super::inline::term_size;
use super::rewrite_reads;
use crate::check::recurrence::{Group, Scan};
use crate::graph::{Event, Graph};
use crate::model::{Equation, ValueKind};
use crate::recurrence::{Kind, affine_form, kind};
use crate::term::{Binary, IndexId, Subscript, Term, ValueId};

/// A term with more operations and reads than this is not put together.
const LARGEST: usize = 400;

/// Brings every such recurrence into its normal form.
pub fn run(mut graph: Graph) -> Graph {
    let scans: Vec<Scan> = graph
        .groups
        .iter()
        .filter_map(|group| match group {
            Group::One(_) => None,
            Group::Scan(scan) => Some(scan.clone()),
        })
        .collect();
    for scan in scans {
        let Kind::Elementwise { state } = kind(&graph.model, &scan) else { continue };
        let pointwise = |id: &ValueId| *id == state || graph.is_pointwise(*id);
        if !scan.values.iter().all(pointwise) {
            continue;
        }
        if let Some(equation) = normal(&graph, &scan, state)
            && let ValueKind::Equation(own) = &mut graph.model.values[state.0 as usize].kind
        {
            *own = equation;
            let path = |id: ValueId| graph.model.value(id).path.clone();
            let others = scan.values.iter().filter(|member| **member != state);
            let events = others.map(|member| Event::Inlined { value: path(*member), into: path(state) });
            graph.history.extend(events);
        }
    }
    graph.reorder();
    graph
}

/// The state's equation in its normal form, if it is not too large.
fn normal(graph: &Graph, scan: &Scan, state: ValueId) -> Option<Equation> {
    let mut equation = graph.equation(state)?.clone();
    // Members in the reverse of the order in which they are computed: what is put in reads earlier ones alone.
    for member in scan.values.iter().rev().filter(|member| **member != state) {
        let source = graph.equation(*member)?;
        let whole = match source.domain.as_slice() {
            [] => source.term.clone(),
            domain => Term::Select(domain.to_vec(), Box::new(source.term.clone()), Box::new(Term::Number(0.0))),
        };
        rewrite_reads(&mut equation, &mut |value, subscripts| {
            if value == *member {
                whole.at(&|index| subscripts.get(index.0 as usize).cloned())
            } else {
                Term::Read(value, subscripts)
            }
        });
        if term_size(&equation.term) > LARGEST {
            return None;
        }
    }
    let form = affine_form(&graph.model, state, scan.time, &equation)?;
    let axes = &graph.value(state).axes;
    let step = if scan.backward { 1 } else { -1 };
    let subscripts = (0u32..).zip(axes).map(|(place, axis)| match axis.time() == Some(scan.time) {
        true => Subscript::shifted(IndexId(place), step),
        false => Subscript::index(IndexId(place)),
    });
    let before = Term::Read(state, subscripts.collect());
    let term = Term::binary(Binary::Add, Term::binary(Binary::Multiply, form.factor, before), form.addend);
    (term_size(&term) <= LARGEST).then_some(Equation { term, domain: Vec::new(), ..equation })
}
