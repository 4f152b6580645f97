//! What a chunk program keeps of a sequence, as it lies in memory.

use super::fate::Lineage;
use super::formula::{Formula, Length};
use crate::check::recurrence::{Group, reads};
use crate::fuse::Fused;
use crate::kernel::{Keep, Part, Program, Role, Space};
use crate::model::ValueKind;
use crate::stream::{Look, View, looks};
use crate::term::{IndexId, Subscript, TimeId, ValueId};
use std::collections::BTreeSet;

/// Bytes of a number.
pub const BYTES: u64 = 4;
/// Bytes of a count of positions.
pub const COUNT_BYTES: u64 = 8;

/// A value that is kept between chunks.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its path.
    pub path: String,
    /// The equation that it belongs to, or its path where it is an input.
    pub equation: String,
    /// What it is.
    pub what: What,
    /// Numbers at a position; for what has no positions, in all.
    pub numbers: usize,
    /// Bytes of a sequence, when as many positions have come as are kept.
    pub bytes: Formula,
    /// The equations that read it: at earlier positions, or at each, where it is computed once.
    pub readers: Vec<String>,
}

/// What a kept value is to the chunks that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A recurrent value: its last positions.
    Recurrent(usize),
    /// Every position so far.
    Grows,
    /// The last positions, because a window bounds how far equations look back.
    Ring {
        /// How many are kept.
        positions: usize,
        /// How many of them a position sees; the others fill the blocks in which an attention visits its keys.
        seen: usize,
    },
    /// The last positions, which equations read at fixed distances.
    Last(usize),
    /// All of it, computed once.
    Once,
    /// An input that a sequence has once.
    Given,
}

/// What is kept, in the order of the program's buffers.
pub(super) fn kept(lineage: &Lineage, fused: &Fused, program: &Program) -> Vec<Kept> {
    let graph = &fused.graph;
    let (Some(plan), Some(time)) = (&fused.plan, program.chunks) else { return Vec::new() };
    let looks = looks(graph, time);
    let recurrent: BTreeSet<ValueId> = graph
        .groups
        .iter()
        .flat_map(|group| match group {
            Group::One(_) => &[],
            Group::Scan(scan) => scan.values.as_slice(),
        })
        .copied()
        .collect();
    let mut all = Vec::new();
    for buffer in &program.buffers {
        let Space::Tracks(tracks) = &buffer.space else { continue };
        let stays = match &buffer.role {
            Role::Input(_) | Role::Kept => true,
            Role::Computed { .. } => !tracks.is_empty(),
            Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => false,
        };
        let keep = tracks.first().map(|first| program.track(*first).keep);
        if !stays || keep == Some(Keep::New) {
            continue;
        }
        let id = value_of(fused, &buffer.name);
        let own: Vec<_> = looks.iter().filter(|look| look.read == id && look.reader != id).collect();
        let windowed = own.iter().any(|look| along(fused, look.reader, look.subscripts, time));
        let what = match keep {
            _ if plan.part(id) == Part::Once && matches!(graph.value(id).kind, ValueKind::Input { .. }) => What::Given,
            _ if plan.part(id) == Part::Once => What::Once,
            Some(Keep::Last(count)) if recurrent.contains(&id) => What::Recurrent(count),
            Some(Keep::Last(count)) if windowed => What::Ring { positions: count, seen: seen(&own, count) },
            Some(Keep::Last(count)) => What::Last(count),
            Some(Keep::All) => What::Grows,
            Some(Keep::New) | None => continue,
        };
        let lengths: Vec<Length> = match keep {
            Some(Keep::All) => tracks.iter().map(|track| Length::Positions(program.track(*track).time)).collect(),
            Some(Keep::Last(_) | Keep::New) | None => Vec::new(),
        };
        let count = match keep {
            Some(Keep::Last(count)) => count,
            Some(Keep::All | Keep::New) | None => 1,
        };
        let mut bytes = Formula::product(BYTES, [count, buffer.row], lengths).known(&graph.model.lengths);
        // What lags behind has not come to the last positions yet.
        bytes.at_most = tracks.first().is_some_and(|first| program.track(*first).lag > 0) && keep == Some(Keep::All);
        let root = |id: ValueId| lineage.root(&graph.value(id).path);
        let readers: BTreeSet<String> = match plan.part(id) {
            Part::New | Part::SoFar => {
                let earlier = |look: &&&Look| match look.view {
                    View::FromLast(_) => true,
                    View::Around(window) => {
                        let late = plan.lag(look.reader) as i64 - plan.lag(id) as i64;
                        window.low.is_none_or(|low| low < late)
                    }
                };
                own.iter().filter(earlier).map(|look| root(look.reader)).collect()
            }
            Part::Once => {
                let later = graph.order().into_iter().filter(|reader| plan.part(*reader) != Part::Once);
                later.filter(|reader| reads(&graph.value(*reader).kind).contains(&id)).map(root).collect()
            }
        };
        all.push(Kept {
            path: buffer.name.clone(),
            equation: lineage.root(&buffer.name),
            what,
            numbers: buffer.row,
            bytes,
            readers: readers.into_iter().collect(),
        });
    }
    all
}

/// How many earlier positions are read, of so many that are kept.
fn seen(looks: &[&Look], kept: usize) -> usize {
    let back = looks.iter().map(|look| match look.view {
        View::Around(window) => window.back().unwrap_or(kept),
        View::FromLast(back) => back.map_or(kept, |back| back + 1),
    });
    back.max().unwrap_or(0).min(kept)
}

/// The value that a buffer has: an input or an equation, whose paths no two share.
fn value_of(fused: &Fused, name: &str) -> ValueId {
    let computed = |kind: &ValueKind| matches!(kind, ValueKind::Equation(_) | ValueKind::Input { .. });
    let mut all = fused.graph.model.ids().filter(|(_, value)| value.path == name && computed(&value.kind));
    all.next().map(|(id, _)| id).expect("a kept buffer has a value of the graph")
}

/// Whether a read runs along the time axis by an index of its own.
fn along(fused: &Fused, reader: ValueId, subscripts: &[Subscript], time: TimeId) -> bool {
    let Some(equation) = fused.graph.equation(reader) else { return false };
    let row = fused.graph.value(reader).axes.iter().position(|axis| axis.time() == Some(time));
    let row = row.map(|place| IndexId(place as u32));
    subscripts.iter().any(|subscript| match subscript {
        Subscript::Affine { terms, .. } => terms
            .iter()
            .any(|(index, _)| Some(*index) != row && equation.indices[index.0 as usize].axis.time() == Some(time)),
        Subscript::Computed(_) => false,
    })
}
