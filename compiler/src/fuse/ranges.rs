//! Sums run over no more positions than can count.
//!
//! `mix[i] = sum over j (weight[i, j] * v[j])` says nothing of `j`, but `weight` is 0 where `j <= i` does not hold: the sum
//! becomes `sum over j (weight[i, j] * v[j] where j <= i)`, which reads half as much, and runs over the same positions
//! whatever comes after `i`.

use super::AttentionParts;
use crate::graph::Graph;
use crate::model::ValueKind;
use crate::stream::{Window, sums};
use crate::syntax::tree::Comparator;
use crate::term::{Binary, Condition, IndexId, Term, TimeId, ValueId};
use std::collections::HashMap;

/// Restricts the sums of a graph; those of an attention are restricted by its softmax.
pub fn restrict(mut graph: Graph, attention: &HashMap<ValueId, AttentionParts>) -> Graph {
    for time in 0..graph.model.times.len() {
        for (id, index, window) in sums(&graph, TimeId(time as u32)) {
            let row = graph.value(id).axes.iter().position(|axis| axis.time() == Some(TimeId(time as u32)));
            let (Some(row), false) = (row, attention.contains_key(&id)) else { continue };
            if let ValueKind::Equation(equation) = &mut graph.model.values[id.0 as usize].kind
                && let Term::Reduce { domain, .. } = &mut equation.term
            {
                domain.extend(conditions(window, IndexId(row as u32), index));
            }
        }
    }
    graph
}

/// `row + low <= index` and `index <= row + high`.
fn conditions(window: Window, row: IndexId, index: IndexId) -> Vec<Condition> {
    let moved = |by: i64| match by {
        0 => Term::Index(row),
        _ => Term::binary(Binary::Add, Term::Index(row), Term::Number(by as f64)),
    };
    let low = window.low.map(|low| Condition {
        left: moved(low),
        comparator: Comparator::LessEqual,
        right: Term::Index(index),
    });
    let high = window.high.map(|high| Condition {
        left: Term::Index(index),
        comparator: Comparator::LessEqual,
        right: moved(high),
    });
    low.into_iter().chain(high).collect()
}
