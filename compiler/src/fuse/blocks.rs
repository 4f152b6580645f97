//! Scans in blocks of positions: which recurrences run so, and what is computed with them.
//!
//! ```text
//! a = exp(-delta * rate)    kernel of rows       h, a, b and y are one scan: in each block of positions first
//! b = outer(delta * x, in)  kernel of rows   →   a and b for all of them, then h from position to position,
//! h = a * h[t-1] + b        scan                 then y for all of them
//! y = dot(h, out)           kernel of rows
//! ```
//!
//! A recurrence of one value that is affine in itself, element by element, runs in blocks. What follows from the state at its
//! own row joins it; what leads to it does if nothing else reads it and it is larger than what it is made of, so that it need
//! not be written to memory and read again. All of them work on one entry of the state's first axis by itself: along it the
//! work is shared out over threads, which leaves every sum in one order.

use super::cluster::{Cluster, ClusterKind, Parts, reads_here};
use crate::check::recurrence::{Scan, reads};
use crate::graph::Graph;
use crate::recurrence::{Kind, kind};
use crate::term::{Axis, IndexId, Subscript, Term, ValueId};
use std::collections::HashMap;

/// How a scan in blocks can be shared out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// The state's first axis, if it has one.
    pub slices: Option<Axis>,
}

/// Whether a recurrence runs in blocks.
pub(super) fn blocks(graph: &Graph, scan: &Scan) -> Option<Blocks> {
    let Kind::Elementwise { state } = kind(&graph.model, scan) else { return None };
    let one_value = scan.values == [state] && graph.is_pointwise(state);
    one_value.then(|| Blocks { slices: graph.value(state).axes.iter().find(|axis| axis.time().is_none()).cloned() })
}

/// Whether a value can be computed in a scan in blocks: it is no product, has one time axis, and works on each entry of the
/// shared axis by itself.
pub(super) fn can_join(found: Parts, cluster: &Cluster, blocks: &Blocks, id: ValueId) -> bool {
    let graph = found.graph;
    let axes = &graph.value(id).axes;
    let times = axes.iter().filter(|axis| axis.time().is_some()).count();
    if found.products.contains_key(&id) || found.attention.contains_key(&id) || times != 1 {
        return false;
    }
    let Some(slices) = &blocks.slices else { return true };
    let mut own = (0u32..).zip(axes).filter(|(_, axis)| *axis == slices);
    let (Some((place, _)), None) = (own.next(), own.next()) else { return false };
    cluster.values.iter().all(|member| reads_entry(graph, id, *member, slices, IndexId(place)))
}

/// Whether a value reads another at one entry of an axis alone, that of an index (or does not read it).
fn reads_entry(graph: &Graph, reader: ValueId, source: ValueId, axis: &Axis, index: IndexId) -> bool {
    let Some(equation) = graph.equation(reader) else { return true };
    let place = graph.value(source).axes.iter().position(|own| own == axis);
    let mut alone = true;
    let mut look = |value: ValueId, subscripts: &[Subscript]| {
        if value == source {
            alone &= place.is_some_and(|place| subscripts[place].as_index() == Some(index));
        }
    };
    equation.term.for_each_read(&mut look);
    for condition in &equation.domain {
        condition.left.for_each_read(&mut look);
        condition.right.for_each_read(&mut look);
    }
    alone
}

/// Moves into each scan in blocks what leads to it and is larger than what it is made of.
pub(super) fn take_in(found: Parts, clusters: &mut Vec<Cluster>) {
    let graph = found.graph;
    let uses = graph.uses();
    let mut place_of: HashMap<ValueId, usize> = HashMap::new();
    for (place, cluster) in clusters.iter().enumerate() {
        place_of.extend(cluster.values.iter().map(|id| (*id, place)));
    }
    for place in 0..clusters.len() {
        let ClusterKind::Scan { blocks: Some(blocks), .. } = clusters[place].kind.clone() else { continue };
        for state in clusters[place].values.clone() {
            for source in reads(&graph.value(state).kind) {
                let Some(from) = place_of.get(&source).copied().filter(|from| *from < place) else { continue };
                let taken = clusters[from].kind == ClusterKind::Rows
                    && clusters[from].rows == clusters[place].rows
                    && uses[source.0 as usize] == 1
                    && graph.is_pointwise(source)
                    && reads_here(graph, state, source)
                    && is_larger_than_its_sources(graph, source)
                    && can_join(found, &clusters[place], &blocks, source)
                    && stays_apart(graph, state, source, &blocks);
                if taken {
                    clusters[from].values.retain(|value| *value != source);
                    clusters[place].values.insert(0, source);
                }
            }
        }
    }
    clusters.retain(|cluster| !cluster.values.is_empty());
}

/// Whether the state reads a value at its own entry of the shared axis.
fn stays_apart(graph: &Graph, state: ValueId, source: ValueId, blocks: &Blocks) -> bool {
    let Some(slices) = &blocks.slices else { return true };
    let place = graph.value(state).axes.iter().position(|axis| axis == slices);
    place.is_some_and(|place| reads_entry(graph, state, source, slices, IndexId(place as u32)))
}

/// Whether a value has more numbers at a position than all that it reads there.
fn is_larger_than_its_sources(graph: &Graph, id: ValueId) -> bool {
    let numbers = |id: ValueId| -> usize { graph.value(id).axes.iter().filter_map(Axis::size).product() };
    let varies = |id: &ValueId| graph.value(*id).axes.iter().any(|axis| axis.time().is_some());
    let sources: usize = reads(&graph.value(id).kind).into_iter().filter(varies).map(numbers).sum();
    let is_reduction = graph.equation(id).is_some_and(|equation| matches!(equation.term, Term::Reduce { .. }));
    !is_reduction && numbers(id) > sources
}
