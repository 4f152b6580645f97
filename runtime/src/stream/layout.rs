//! Where rows lie that stay in their place from chunk to chunk: for each sequence a region of every buffer along the same
//! track.
//!
//! A region has room for more positions than there are; when it is full it becomes twice as large, so that a position is
//! copied a fixed number of times however long its sequence becomes. Where only the last positions are kept, those before
//! them are given up when the region is full. Here are rows alone; the numbers are a keeper's.

use seqwright_compiler::kernel::{BufferId, Keep, Program, Role, Space, TrackId};
use std::collections::BTreeMap;

/// Positions that a region has room for at least.
const LEAST: usize = 64;

/// The regions of all sequences.
#[derive(Default)]
pub(super) struct Layout {
    /// For each track whose rows stay, those of the sequences by their places.
    tracks: BTreeMap<TrackId, Vec<Region>>,
    /// Buffers along a track: the numbers of their rows.
    buffers: BTreeMap<BufferId, (TrackId, usize)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Region {
    /// The first row.
    first: usize,
    /// Its position.
    from: usize,
    /// How many rows there are.
    room: usize,
}

/// The positions of a sequence for which there must be room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needed {
    pub track: TrackId,
    /// The sequence's place.
    pub place: usize,
    /// The first position that is still read.
    pub from: usize,
    /// One past the last.
    pub end: usize,
}

/// Regions that changed, before they hold.
pub(super) struct Change {
    tracks: BTreeMap<TrackId, Vec<Region>>,
    /// What becomes of each buffer.
    pub moves: Vec<Move>,
}

/// A buffer whose regions changed.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    /// Which.
    pub buffer: BufferId,
    /// Numbers that it must have now.
    pub numbers: usize,
    /// What goes where: numbers from, numbers to, and how many.
    pub runs: Vec<(usize, usize, usize)>,
}

impl Layout {
    pub fn new(program: &Program) -> Layout {
        let mut layout = Layout::default();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let Space::Tracks(tracks) = &buffer.space else { continue };
            let Some(first) = tracks.first().filter(|first| program.track(**first).stays()) else { continue };
            if matches!(buffer.role, Role::Input(_) | Role::Kept) {
                layout.buffers.insert(BufferId(number as u32), (*first, buffer.row));
                layout.tracks.entry(*first).or_default();
            }
        }
        layout
    }

    /// The row of a position.
    pub fn row(&self, track: TrackId, place: usize, position: usize) -> usize {
        let region = self.tracks.get(&track).and_then(|regions| regions.get(place));
        region.map_or(0, |region| region.first + position - region.from)
    }

    /// What must change so that there is room; nothing where there is.
    pub fn change(&self, program: &Program, needed: &[Needed]) -> Option<Change> {
        let mut changed: BTreeMap<TrackId, Vec<Region>> = BTreeMap::new();
        for Needed { track, place, from, end } in needed {
            let Some(known) = self.tracks.get(track) else { continue };
            let regions = changed.entry(*track).or_insert_with(|| known.clone());
            if regions.len() <= *place {
                regions.resize(place + 1, Region::default());
            }
            let region = &mut regions[*place];
            if region.room == 0 {
                region.from = *from;
            }
            if end - region.from <= region.room {
                continue;
            }
            if let Keep::Last(_) = program.track(*track).keep {
                region.from = *from;
            }
            let wanted = end - region.from;
            // Room for as many again, so that a region moves seldom.
            if 2 * wanted > region.room {
                region.room = (2 * wanted).max(LEAST);
            }
        }
        changed.retain(|track, regions| self.tracks.get(track) != Some(regions));
        if changed.is_empty() {
            return None;
        }
        let mut moves = Vec::new();
        for (track, regions) in &mut changed {
            let mut next = 0;
            for region in regions.iter_mut() {
                region.first = next;
                next += region.room;
            }
            let old = self.tracks.get(track).map_or(&[][..], Vec::as_slice);
            for (buffer, (_, row)) in self.buffers.iter().filter(|(_, (own, _))| own == track) {
                let run = |(before, after): (&Region, &Region)| {
                    let given_up = after.from - before.from;
                    let count = before.room.saturating_sub(given_up).min(after.room) * row;
                    ((before.first + given_up) * row, after.first * row, count)
                };
                let runs = old.iter().zip(regions.iter()).map(run).filter(|(_, _, count)| *count > 0).collect();
                moves.push(Move { buffer: *buffer, numbers: next.saturating_mul(*row), runs });
            }
        }
        Some(Change { tracks: changed, moves })
    }

    /// Lets a change hold.
    pub fn apply(&mut self, change: Change) {
        self.tracks.extend(change.tracks);
    }

    /// Gives a sequence's rows up.
    pub fn clear(&mut self, place: usize) {
        for regions in self.tracks.values_mut() {
            if let Some(region) = regions.get_mut(place) {
                // The room stays; positions begin at 0 again.
                region.from = 0;
            }
        }
    }
}
