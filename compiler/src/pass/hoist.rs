//! Hoisting: what a recurrence's equations compute without its state moves out of the time loop.
//!
//! `i[t] = sigmoid(norm(a[t]) + p[t])`, of which only `p` depends on the state, becomes `i'[t] = norm(a[t])`, computed for all
//! positions at once, and `i[t] = sigmoid(i'[t] + p[t])`. The matrix products that are free of the state were taken out of
//! their equations when the graph was built, and stand outside already: a recurrence has only what depends on itself.
//!
//! Sums are regrouped for this: floating-point addition is not associative, so results may differ in the last bits from the
//! equation as written. The interpreter's meaning holds to the tolerance of a sum.

use super::parts::Parts;
use crate::check::recurrence::Group;
use crate::graph::{Event, Graph};
use crate::model::Equation;
use crate::term::{Binary, Term, ValueId};
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
    let mut parts = Parts::default();
    let term = split(&equation.term, &equation, graph, inside, &mut parts);
    parts.leave(graph, id, &term, "free", |part, of| Event::Hoisted { part, of });
}

/// The same term with its parts that are free of the state replaced by reads of values to be made.
fn split(term: &Term, equation: &Equation, graph: &Graph, inside: &HashSet<ValueId>, parts: &mut Parts) -> Term {
    if is_free(term, inside) {
        return if worth_it(term, graph) { parts.take_out(term, equation) } else { term.clone() };
    }
    if let Term::Binary(Binary::Add, ..) = term {
        let mut addends = Vec::new();
        flatten_sum(term, &mut addends);
        let (free, bound): (Vec<&Term>, Vec<&Term>) = addends.into_iter().partition(|part| is_free(part, inside));
        let sum = |parts: Vec<Term>| parts.into_iter().reduce(|left, right| Term::binary(Binary::Add, left, right));
        let bound = sum(bound.into_iter().map(|part| split(part, equation, graph, inside, parts)).collect());
        let free = sum(free.into_iter().cloned().collect());
        return match (free, bound) {
            (Some(free), Some(bound)) => {
                let free = if worth_it(&free, graph) { parts.take_out(&free, equation) } else { free };
                Term::binary(Binary::Add, free, bound)
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => term.clone(),
        };
    }
    term.map_children(&mut |index| index, &mut |child| split(child, equation, graph, inside, parts))
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
/// that are not all weights, and more than a value that is there with weights added, a bias. What lies in the cache is added
/// there for nothing, and a product whose sums nothing is added to goes at once to where the loop reads it.
fn worth_it(term: &Term, graph: &Graph) -> bool {
    let computes = !matches!(term, Term::Read(..) | Term::Number(_) | Term::Index(_) | Term::Length(_));
    let mut addends = Vec::new();
    flatten_sum(term, &mut addends);
    let are_read = addends.iter().all(|addend| matches!(addend, Term::Read(..)));
    let mut varying = 0;
    term.for_each_read(&mut |value, _| varying += usize::from(graph.equation(value).is_some()));
    computes && varying > usize::from(are_read)
}
