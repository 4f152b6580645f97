//! What a chunk program keeps of a sequence, as it lies in memory.

use super::fate::Lineage;
use super::formula::{Formula, Length};
use crate::check::recurrence::{Group, reads};
use crate::fuse::Fused;
use crate::graph::Graph;
use crate::kernel::{Buffer, Keep, Part, Program, Role, Space};
use crate::model::ValueKind;
use crate::stream::{Look, Plan, View, looks};
use crate::term::{Axis, IndexId, Subscript, TimeId, ValueId};
use std::collections::{BTreeSet, HashMap, HashSet};

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
    let (Some(plan), Some(time)) = (&fused.plan, program.chunks) else { return Vec::new() };
    let known = Known::new(fused, plan, time);
    program.buffers.iter().filter_map(|buffer| known.kept(lineage, program, buffer)).collect()
}

/// What is known of a chunk program's values.
struct Known<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    time: TimeId,
    /// Inputs and equations, whose paths no two share.
    by_path: HashMap<&'a str, ValueId>,
    /// Reads of each value by others.
    looks: HashMap<ValueId, Vec<Look<'a>>>,
    /// What recurrences compute.
    recurrent: HashSet<ValueId>,
    /// For what is computed once, who reads it later.
    later: HashMap<ValueId, Vec<ValueId>>,
}

impl<'a> Known<'a> {
    fn new(fused: &'a Fused, plan: &'a Plan, time: TimeId) -> Known<'a> {
        let graph = &fused.graph;
        let has_rows = |kind: &ValueKind| matches!(kind, ValueKind::Equation(_) | ValueKind::Input { .. });
        let by_path = graph.model.ids().filter(|(_, value)| has_rows(&value.kind));
        let by_path = by_path.map(|(id, value)| (value.path.as_str(), id)).collect();
        let mut by_read: HashMap<ValueId, Vec<Look>> = HashMap::new();
        for look in looks(graph, time).into_iter().filter(|look| look.read != look.reader) {
            by_read.entry(look.read).or_default().push(look);
        }
        let recurrent = graph.groups.iter().flat_map(|group| match group {
            Group::One(_) => &[],
            Group::Scan(scan) => scan.values.as_slice(),
        });
        let mut later: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
        for reader in graph.order().into_iter().filter(|reader| plan.part(*reader) != Part::Once) {
            for read in reads(&graph.value(reader).kind) {
                later.entry(read).or_default().push(reader);
            }
        }
        Known { graph, plan, time, by_path, looks: by_read, recurrent: recurrent.copied().collect(), later }
    }

    /// What is kept of a buffer, if anything is.
    fn kept(&self, lineage: &Lineage, program: &Program, buffer: &Buffer) -> Option<Kept> {
        let Space::Tracks(tracks) = &buffer.space else { return None };
        let stays = match &buffer.role {
            Role::Input(_) | Role::Kept => true,
            Role::Computed { .. } => !tracks.is_empty(),
            Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => false,
        };
        let keep = tracks.first().map(|first| program.track(*first).keep);
        let id = self.by_path.get(buffer.name.as_str()).copied().filter(|_| stays && keep != Some(Keep::New))?;
        let none = Vec::new();
        let own = self.looks.get(&id).unwrap_or(&none);
        let is_input = matches!(self.graph.value(id).kind, ValueKind::Input { .. });
        let windowed = || own.iter().any(|look| self.runs_along(look));
        let what = match (self.plan.part(id), keep) {
            (Part::Once, _) if is_input => What::Given,
            (Part::Once, _) => What::Once,
            (Part::New | Part::SoFar, Some(Keep::Last(count))) if self.recurrent.contains(&id) => {
                What::Recurrent(count)
            }
            (Part::New | Part::SoFar, Some(Keep::Last(count))) if windowed() => {
                What::Ring { positions: count, seen: seen(own, count) }
            }
            (Part::New | Part::SoFar, Some(Keep::Last(count))) => What::Last(count),
            (Part::New | Part::SoFar, Some(Keep::All)) => What::Grows,
            (Part::New | Part::SoFar, Some(Keep::New) | None) => return None,
        };
        let (count, lengths) = match keep {
            Some(Keep::Last(count)) => (count, Vec::new()),
            Some(Keep::All) => (1, tracks.iter().map(|track| Length::Positions(program.track(*track).time)).collect()),
            Some(Keep::New) | None => (1, Vec::new()),
        };
        let mut bytes = Formula::product(BYTES, [count, buffer.row], lengths).known(&self.graph.model.lengths);
        // What lags behind has not come to the last positions yet.
        bytes.at_most = tracks.first().is_some_and(|first| program.track(*first).lag > 0) && keep == Some(Keep::All);
        let readers: BTreeSet<String> = match self.plan.part(id) {
            Part::New | Part::SoFar => {
                own.iter().filter(|look| self.is_earlier(look)).map(|look| look.reader).collect::<Vec<_>>()
            }
            Part::Once => self.later.get(&id).cloned().unwrap_or_default(),
        }
        .into_iter()
        .map(|reader| lineage.root(&self.graph.value(reader).path))
        .collect();
        Some(Kept {
            path: buffer.name.clone(),
            equation: lineage.root(&buffer.name),
            what,
            numbers: buffer.row,
            bytes,
            readers: readers.into_iter().collect(),
        })
    }

    /// Whether a read is one of positions that came in earlier chunks.
    fn is_earlier(&self, look: &Look) -> bool {
        match look.view {
            View::FromLast(_) => true,
            View::Around(window) => {
                let late = self.plan.lag(look.reader) as i64 - self.plan.lag(look.read) as i64;
                window.low.is_none_or(|low| low < late)
            }
        }
    }

    /// Whether a read runs along the time axis by an index of its own.
    fn runs_along(&self, look: &Look) -> bool {
        let Some(equation) = self.graph.equation(look.reader) else { return false };
        let is_time = |axis: &Axis| axis.time() == Some(self.time);
        let row = self.graph.value(look.reader).axes.iter().position(is_time).map(|place| IndexId(place as u32));
        let other = |index: &IndexId| Some(*index) != row && is_time(&equation.indices[index.0 as usize].axis);
        look.subscripts.iter().any(|subscript| match subscript {
            Subscript::Affine { terms, .. } => terms.iter().any(|(index, _)| other(index)),
            Subscript::Computed(_) => false,
        })
    }
}

/// How many earlier positions are read, of so many that are kept.
fn seen(looks: &[Look], kept: usize) -> usize {
    let back = looks.iter().map(|look| match look.view {
        View::Around(window) => window.back().unwrap_or(kept),
        View::FromLast(back) => back.map_or(kept, |back| back + 1),
    });
    back.max().unwrap_or(0).min(kept)
}
