//! Rows that stay where they are from chunk to chunk: for each sequence a region of every buffer along the same track.
//!
//! A region has room for more positions than there are; when it is full it becomes twice as large, so that a position is
//! copied a fixed number of times however long its sequence becomes. Where only the last positions are kept, those before
//! them are given up when the region is full.

use crate::execute::RunError;
use crate::memory::require;
use crate::tiles::AlignedFloats;
use seqwright_compiler::kernel::{BufferId, Keep, Program, Role, Space, TrackId};
use std::collections::BTreeMap;

/// Positions that a region has room for at least.
const LEAST: usize = 64;

/// The regions of all sequences.
#[derive(Default)]
pub(super) struct Regions {
    tracks: BTreeMap<TrackId, Layout>,
    /// For each buffer, the numbers of a row, and its rows.
    buffers: BTreeMap<BufferId, (TrackId, usize, AlignedFloats)>,
}

/// Where the regions of a track lie, in rows.
#[derive(Clone, Debug, Default)]
struct Layout {
    /// By the sequences' places.
    regions: Vec<Region>,
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

impl Regions {
    pub fn new(program: &Program) -> Regions {
        let mut regions = Regions::default();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let Space::Tracks(tracks) = &buffer.space else { continue };
            let Some(first) = tracks.first().filter(|first| program.track(**first).stays()) else { continue };
            if matches!(buffer.role, Role::Input(_) | Role::Kept) {
                let id = BufferId(number as u32);
                regions.buffers.insert(id, (*first, buffer.row, AlignedFloats::zeroed(1)));
                regions.tracks.entry(*first).or_default();
            }
        }
        regions
    }

    /// The row of a position.
    pub fn row(&self, track: TrackId, place: usize, position: usize) -> usize {
        let region = self.tracks.get(&track).and_then(|layout| layout.regions.get(place));
        region.map_or(0, |region| region.first + position - region.from)
    }

    /// Makes room for positions of sequences: for each its track, place, the first position that is still read and one past
    /// the last.
    ///
    /// # Errors
    /// More memory than the system can give; nothing has moved then.
    pub fn reserve(&mut self, program: &Program, needed: &[(TrackId, usize, usize, usize)]) -> Result<(), RunError> {
        let mut changed: BTreeMap<TrackId, Layout> = BTreeMap::new();
        for (track, place, from, end) in needed {
            let Some(known) = self.tracks.get(track) else { continue };
            let layout = changed.entry(*track).or_insert_with(|| known.clone());
            if layout.regions.len() <= *place {
                layout.regions.resize(place + 1, Region::default());
            }
            let region = &mut layout.regions[*place];
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
        changed.retain(|track, layout| self.tracks.get(track).map(|known| &known.regions) != Some(&layout.regions));
        if changed.is_empty() {
            return Ok(());
        }
        let mut floats = 0usize;
        for (track, layout) in &mut changed {
            let mut next = 0;
            for region in &mut layout.regions {
                region.first = next;
                next += region.room;
            }
            let rows: usize = self.buffers.values().filter(|(own, _, _)| own == track).map(|(_, row, _)| row).sum();
            floats = floats.saturating_add(next.saturating_mul(rows));
        }
        require(floats)?;
        for (track, layout) in changed {
            let old = self.tracks.insert(track, layout.clone()).unwrap_or_default();
            let rows = layout.regions.iter().map(|region| region.first + region.room).max().unwrap_or(0);
            for (own, row, numbers) in self.buffers.values_mut().filter(|(own, _, _)| *own == track) {
                debug_assert_eq!(*own, track);
                let mut moved = AlignedFloats::zeroed((rows * *row).max(1));
                for (before, after) in old.regions.iter().zip(&layout.regions) {
                    let given_up = after.from - before.from;
                    let count = before.room.saturating_sub(given_up).min(after.room) * *row;
                    let (from, to) = ((before.first + given_up) * *row, after.first * *row);
                    if count > 0 {
                        moved[to..to + count].copy_from_slice(&numbers[from..from + count]);
                    }
                }
                *numbers = moved;
            }
        }
        Ok(())
    }

    /// Gives a sequence's rows up.
    pub fn clear(&mut self, place: usize) {
        for layout in self.tracks.values_mut() {
            if let Some(region) = layout.regions.get_mut(place) {
                // The room stays; positions begin at 0 again.
                region.from = 0;
            }
        }
    }

    /// A buffer's memory, for a run; it is given back with [`take_back`](Regions::take_back).
    pub fn lend(&mut self, id: BufferId) -> AlignedFloats {
        let (_, _, numbers) = self.buffers.get_mut(&id).expect("a buffer that stays has regions");
        std::mem::replace(numbers, AlignedFloats::zeroed(0))
    }

    pub fn take_back(&mut self, id: BufferId, numbers: AlignedFloats) {
        let (_, _, own) = self.buffers.get_mut(&id).expect("a buffer that stays has regions");
        *own = numbers;
    }

    /// So many rows of a sequence, from a position on.
    pub fn rows(&self, id: BufferId, track: TrackId, place: usize, from: usize, count: usize, row: usize) -> Vec<f32> {
        if count == 0 {
            return Vec::new();
        }
        let first = self.row(track, place, from);
        self.buffers.get(&id).map_or_else(Vec::new, |(_, _, all)| all[first * row..(first + count) * row].to_vec())
    }

    /// Writes rows of a sequence, from a position on. There is room for them.
    pub fn write(&mut self, id: BufferId, track: TrackId, place: usize, from: usize, row: usize, numbers: &[f32]) {
        let first = self.row(track, place, from) * row;
        if let Some((_, _, all)) = self.buffers.get_mut(&id) {
            all[first..first + numbers.len()].copy_from_slice(numbers);
        }
    }

    /// Bytes of all regions.
    pub fn bytes(&self) -> usize {
        4 * self.buffers.values().map(|(_, _, numbers)| numbers.len()).sum::<usize>()
    }
}
