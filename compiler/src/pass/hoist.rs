//! Hoisting: what a recurrence's equations compute without its state moves out of the time loop.
//!
//! `i[t] = sigmoid(a[t] + b + p[t])`, of which only `p` depends on the state, becomes `i'[t] = a[t] + b`, computed for all
//! positions at once, and `i[t] = sigmoid(i'[t] + p[t])`. The matrix products that are free of the state were taken out of
//! their equations when the graph was built, and stand outside already: a recurrence has only what depends on itself.
//!
//! Sums are regrouped for this: floating-point addition is not associative, so results may differ in the last bits from the
//! equation as written. The interpreter's meaning holds to the tolerance of a sum.

use crate::check::recurrence::Group;
use crate::graph::{Event, Graph};
use crate::model::{Equation, Value, ValueKind};
use crate::term::{Binary, Index, IndexId, Subscript, Term, ValueId};
use std::collections::HashSet;

/// Hoists out of every recurrence.
pub fn run(mut graph: Graph) -> Graph {
    let scans: Vec<Vec<ValueId>> = graph
        .groups
        .iter()
        .filter_map(|group| match group {
            Group::One(_) => None,
            Group::Scan(scan) => Some(scan.values.clone()),
        })
        .collect();
    for members in scans {
        let inside: HashSet<ValueId> = members.iter().copied().collect();
        for value in members {
            if graph.is_pointwise(value) {
                hoist(&mut graph, value, &inside);
            }
        }
    }
    graph.reorder();
    graph
}

fn hoist(graph: &mut Graph, id: ValueId, inside: &HashSet<ValueId>) {
    let Some(equation) = graph.equation(id).cloned() else { return };
    let mut made = Vec::new();
    let term = split(&equation.term, &equation, graph, inside, &mut made);
    if made.is_empty() {
        return;
    }
    let (path, span) = (graph.value(id).path.clone(), graph.value(id).span);
    let first = graph.model.values.len() as u32;
    for (place, (indices, term)) in made.into_iter().enumerate() {
        let suffix = if place == 0 { String::new() } else { format!("{}", place + 1) };
        let axes = indices.iter().map(|index: &Index| index.axis.clone()).collect();
        let equation = Equation { indices, term, domain: Vec::new(), before: None, is_state: false };
        let kind = ValueKind::Equation(equation);
        let part = format!("{path}'free{suffix}");
        graph.history.push(Event::Hoisted { part: part.clone(), of: path.clone() });
        graph.model.values.push(Value { path: part, span, axes, kind });
    }
    // The placeholders count from the first new value.
    let term = place_holders(&term, first);
    if let ValueKind::Equation(equation) = &mut graph.model.values[id.0 as usize].kind {
        equation.term = term;
    }
}

/// Stands for the hoisted part of that number until its value exists.
const PLACEHOLDER: u32 = u32::MAX / 2;

fn place_holders(term: &Term, first: u32) -> Term {
    match term {
        Term::Read(value, subscripts) if value.0 >= PLACEHOLDER => {
            Term::Read(ValueId(value.0 - PLACEHOLDER + first), subscripts.clone())
        }
        other => other.map_children(&mut |index| index, &mut |child| place_holders(child, first)),
    }
}

/// The same term with its parts that are free of the state replaced by reads of values to be made.
fn split(
    term: &Term,
    equation: &Equation,
    graph: &Graph,
    inside: &HashSet<ValueId>,
    made: &mut Vec<(Vec<Index>, Term)>,
) -> Term {
    if is_free(term, inside) {
        return if worth_it(term, graph) { take_out(term, equation, made) } else { term.clone() };
    }
    if let Term::Binary(Binary::Add, ..) = term {
        let mut addends = Vec::new();
        flatten_sum(term, &mut addends);
        let (free, bound): (Vec<&Term>, Vec<&Term>) = addends.into_iter().partition(|part| is_free(part, inside));
        let sum = |parts: Vec<Term>| parts.into_iter().reduce(|left, right| Term::binary(Binary::Add, left, right));
        let bound = sum(bound.into_iter().map(|part| split(part, equation, graph, inside, made)).collect());
        let free = sum(free.into_iter().cloned().collect());
        return match (free, bound) {
            (Some(free), Some(bound)) => {
                let free = if worth_it(&free, graph) { take_out(&free, equation, made) } else { free };
                Term::binary(Binary::Add, free, bound)
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => term.clone(),
        };
    }
    term.map_children(&mut |index| index, &mut |child| split(child, equation, graph, inside, made))
}

fn flatten_sum<'t>(term: &'t Term, addends: &mut Vec<&'t Term>) {
    match term {
        Term::Binary(Binary::Add, left, right) => {
            flatten_sum(left, addends);
            flatten_sum(right, addends);
        }
        other => addends.push(other),
    }
}

fn is_free(term: &Term, inside: &HashSet<ValueId>) -> bool {
    let mut free = true;
    term.for_each_read(&mut |value, _| free &= !inside.contains(&value));
    free
}

/// Whether computing a part once and reading it is better than computing it in the loop: it computes something, of values
/// that are not all weights (a product with a weight's bias is as quick as reading the outcome).
fn worth_it(term: &Term, graph: &Graph) -> bool {
    let computes = !matches!(term, Term::Read(..) | Term::Number(_) | Term::Index(_) | Term::Length(_));
    let mut varies = false;
    term.for_each_read(&mut |value, _| varies |= graph.equation(value).is_some());
    computes && varies
}

fn take_out(term: &Term, equation: &Equation, made: &mut Vec<(Vec<Index>, Term)>) -> Term {
    let free: Vec<IndexId> =
        (0..equation.indices.len() as u32).map(IndexId).filter(|index| term.mentions(*index)).collect();
    let number = |index: IndexId| {
        let place = free.iter().position(|known| *known == index).unwrap_or(0);
        IndexId(place as u32)
    };
    let renamed = term.rename(&mut { number });
    let indices = free.iter().map(|index| equation.indices[index.0 as usize].clone()).collect();
    let placeholder = ValueId(PLACEHOLDER + made.len() as u32);
    made.push((indices, renamed));
    Term::Read(placeholder, free.into_iter().map(Subscript::index).collect())
}
