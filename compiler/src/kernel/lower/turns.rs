//! Values of a scan that need no row for each position: what only the steps that follow read, and who asks for the last ones.
//!
//! ```text
//! c = forget * c[t-1] + input * candidate    a row for each position of h; two of c, which take turns
//! h = output * tanh(c)                   →
//! y = affine(h; size)
//! ```
//!
//! Such a value's positions take turns in a few rows, a power of two of them: enough for as far as anyone looks back, and for
//! a block of positions in a scan in blocks, whose stages go through all of it one after the other.

use super::super::{COPIED, SCAN_BLOCK};
use crate::fuse::{ClusterKind, Fused};
use crate::term::{IndexId, Subscript, ValueId};
use std::collections::{HashMap, HashSet};

/// For each value whose positions take turns, in how many rows.
pub(super) fn turns(fused: &Fused) -> HashMap<ValueId, usize> {
    let graph = &fused.graph;
    let mut scan_of: HashMap<ValueId, usize> = HashMap::new();
    for (place, cluster) in fused.clusters.iter().enumerate() {
        if matches!(cluster.kind, ClusterKind::Scan { .. }) {
            scan_of.extend(cluster.values.iter().map(|value| (*value, place)));
        }
    }
    // How far back each is read; values that are read otherwise are taken out.
    let mut back: HashMap<ValueId, usize> = scan_of.keys().map(|id| (*id, 0)).collect();
    let mut others: HashSet<ValueId> = graph.outputs.iter().map(|(_, id)| *id).collect();
    for id in scan_of.keys() {
        if graph.value(*id).axes.iter().filter(|axis| axis.time().is_some()).count() != 1 {
            others.insert(*id);
        }
    }
    for (reader, value) in graph.model.ids() {
        let Some(equation) = graph.equation(reader) else { continue };
        others.extend(equation.before);
        let row = value.axes.iter().position(|axis| axis.time().is_some()).map(|place| IndexId(place as u32));
        let mut look = |read: ValueId, subscripts: &[Subscript]| {
            let Some(place) = scan_of.get(&read) else { return };
            let ClusterKind::Scan { backward, .. } = fused.clusters[*place].kind else { return };
            let along = graph.value(read).axes.iter().position(|axis| axis.time().is_some());
            let within = scan_of.get(&reader) == Some(place);
            let found = along.and_then(|along| looks_back(&subscripts[along], row.filter(|_| within), backward));
            match found {
                Some(found) => {
                    let known = back.entry(read).or_insert(0);
                    *known = (*known).max(found);
                }
                None => {
                    others.insert(read);
                }
            }
        };
        equation.term.for_each_read(&mut look);
        for condition in &equation.domain {
            condition.left.for_each_read(&mut look);
            condition.right.for_each_read(&mut look);
        }
    }
    let rows = |(id, back): (ValueId, usize)| {
        let at_once = match &fused.clusters[scan_of[&id]].kind {
            ClusterKind::Scan { blocks: Some(_), .. } => SCAN_BLOCK,
            ClusterKind::Scan { blocks: None, .. } | ClusterKind::Rows | ClusterKind::Attention => 1,
        };
        let rows = (back + 1).max(at_once).next_power_of_two();
        (back < COPIED && !others.contains(&id)).then_some((id, rows))
    };
    back.into_iter().filter_map(rows).collect()
}

/// How many positions before the one that was computed last a read looks: at the row's own position and earlier ones from
/// within the scan, which is given that row; from outside, near the last that the scan comes to.
fn looks_back(subscript: &Subscript, row: Option<IndexId>, backward: bool) -> Option<usize> {
    let Subscript::Affine { terms, constant, from_last } = subscript else { return None };
    let back = match (row, terms.as_slice(), from_last) {
        (Some(row), [(index, 1)], None) if *index == row => {
            if backward {
                *constant
            } else {
                -*constant
            }
        }
        (None, [], Some(_)) if !backward => -*constant,
        (None, [], None) if backward => *constant,
        _ => return None,
    };
    usize::try_from(back).ok()
}
