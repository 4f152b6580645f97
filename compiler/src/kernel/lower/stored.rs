//! Which values get a buffer, and which kernels read them.

use crate::fuse::{ClusterKind, Fused};
use crate::term::ValueId;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The values that need a buffer.
pub(super) fn stored(fused: &Fused) -> HashSet<ValueId> {
    let graph = &fused.graph;
    let mut stored: HashSet<ValueId> = graph.outputs.iter().map(|(_, value)| *value).collect();
    let mut place_of: HashMap<ValueId, usize> = HashMap::new();
    for (place, cluster) in fused.clusters.iter().enumerate() {
        place_of.extend(cluster.values.iter().map(|value| (*value, place)));
    }
    let mut look = |reader: ValueId, place: usize| {
        for read in crate::check::recurrence::reads(&graph.value(reader).kind) {
            let elsewhere = place_of.get(&read) != Some(&place);
            if elsewhere || !crate::fuse::reads_here(graph, reader, read) {
                stored.insert(read);
            }
        }
    };
    for (place, cluster) in fused.clusters.iter().enumerate() {
        for value in &cluster.values {
            look(*value, place);
            if let Some(parts) = fused.attention.get(value) {
                look(parts.weight, usize::MAX);
                look(parts.dot, usize::MAX);
            }
        }
    }
    for cluster in fused.clusters.iter().filter(|cluster| cluster.kind == ClusterKind::Attention) {
        stored.extend(&cluster.values);
    }
    // Rows of unknown length can't be short-lived arrays.
    let pairs = |id: &ValueId| graph.value(*id).axes.iter().filter(|axis| axis.time().is_some()).count() > 1;
    stored.extend(fused.clusters.iter().flat_map(|cluster| cluster.values.iter().copied()).filter(pairs));
    stored
}

/// The kernels that read each value, its own too.
pub(super) fn readers(fused: &Fused) -> HashMap<ValueId, BTreeSet<usize>> {
    let mut readers: HashMap<ValueId, BTreeSet<usize>> = HashMap::new();
    for (place, cluster) in fused.clusters.iter().enumerate() {
        let inner =
            cluster.values.iter().filter_map(|id| fused.attention.get(id)).flat_map(|parts| [parts.weight, parts.dot]);
        for reader in cluster.values.iter().copied().chain(inner) {
            for read in crate::check::recurrence::reads(&fused.graph.value(reader).kind) {
                readers.entry(read).or_default().insert(place);
            }
        }
    }
    readers
}
