//! A keeper in this machine's memory: chunk programs as machine code.

use super::NewRows;
use super::keeper::{Piece, Turn, copied_track};
use super::layout::Move;
use crate::execute::{Executable, RunError, When};
use crate::memory::{Memory, require};
use crate::tiles::AlignedFloats;
use seqwright_compiler::kernel::{Buffer, BufferId, Keep, Role, Space};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is kept of all sequences, and the program that goes on with them.
pub(super) struct InMemory {
    executable: Rc<Executable>,
    /// Buffers whose rows stay.
    regions: BTreeMap<BufferId, AlignedFloats>,
    /// By the sequences' places: rows that are copied before and after a run or a call, for each buffer that has any.
    copied: Copied,
}

type Copied = Vec<BTreeMap<BufferId, Vec<f32>>>;

impl InMemory {
    pub fn new(executable: Rc<Executable>) -> InMemory {
        InMemory { executable, regions: BTreeMap::new(), copied: Vec::new() }
    }

    pub fn relocate(&mut self, moves: &[Move]) -> Result<(), RunError> {
        require(moves.iter().fold(0, |all, change| all.saturating_add(change.numbers)))?;
        for Move { buffer, numbers, runs } in moves {
            let mut moved = AlignedFloats::zeroed((*numbers).max(1));
            if let Some(old) = self.regions.get(buffer) {
                runs.iter()
                    .for_each(|(from, to, count)| moved[*to..to + count].copy_from_slice(&old[*from..from + count]));
            }
            self.regions.insert(*buffer, moved);
        }
        Ok(())
    }

    pub fn run(&mut self, turn: &Turn) -> Result<Vec<NewRows>, RunError> {
        let executable = Rc::clone(&self.executable);
        let program = executable.program();
        let mut memory = executable.memory(turn.rows)?;
        executable.look_up(turn.inputs);
        let most = turn.places.iter().max().map_or(0, |place| place + 1);
        if self.copied.len() < most {
            self.copied.resize(most, BTreeMap::new());
        }
        for (number, buffer) in program.buffers.iter().enumerate() {
            let id = BufferId(number as u32);
            match &buffer.role {
                Role::Input(value) => {
                    let given = turn.inputs.get(value).copied().unwrap_or_default();
                    self.give_input(&mut memory, turn, (id, buffer), given);
                }
                Role::Kept => self.give_kept(&mut memory, turn, (id, buffer)),
                Role::Computed { .. } | Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => {}
            }
        }
        let copied = &mut self.copied;
        executable.calls(turn.rows, &mut memory, &turn.fresh(), &mut |when, id, memory| {
            copy_rows(when, id, &executable, memory, turn, copied);
        });
        let read = executable.outputs(&mut memory, turn.rows);
        let outputs = program.outputs.iter().zip(read).map(|(output, numbers)| NewRows {
            numbers,
            counts: turn.rows.new_rows(&program.buffer(output.buffer).space).iter().map(|(_, count)| *count).collect(),
        });
        let outputs = outputs.collect();
        self.take_back(&mut memory, turn);
        executable.spare().keep(memory);
        Ok(outputs)
    }

    pub fn read(&self, piece: Piece) -> Vec<f32> {
        match piece {
            Piece::Copied(place, id) => self.kept(place, id).to_vec(),
            Piece::Region(id, first, count) => {
                self.regions.get(&id).map_or_else(Vec::new, |all| all[first..first + count].to_vec())
            }
        }
    }

    pub fn write(&mut self, piece: Piece, numbers: &[f32]) {
        match piece {
            Piece::Copied(place, id) => {
                if self.copied.len() <= place {
                    self.copied.resize(place + 1, BTreeMap::new());
                }
                self.copied[place].insert(id, numbers.to_vec());
            }
            Piece::Region(id, first, count) => {
                if let Some(all) = self.regions.get_mut(&id) {
                    all[first..first + count].copy_from_slice(numbers);
                }
            }
        }
    }

    pub fn forget(&mut self, place: usize) {
        if let Some(copied) = self.copied.get_mut(place) {
            copied.clear();
        }
    }

    pub fn bytes(&self) -> usize {
        let copied = self.copied.iter().flat_map(|place| place.values()).map(Vec::len).sum::<usize>();
        4 * (copied + self.regions.values().map(|numbers| numbers.len()).sum::<usize>())
    }

    /// What is copied of a sequence.
    fn kept(&self, place: usize, id: BufferId) -> &[f32] {
        self.copied.get(place).and_then(|copied| copied.get(&id)).map_or(&[], Vec::as_slice)
    }

    /// A buffer's regions, for a run; they are given back after it.
    fn lend(&mut self, id: BufferId) -> AlignedFloats {
        self.regions.remove(&id).unwrap_or_else(|| AlignedFloats::zeroed(1))
    }

    /// An input's memory: what is kept of it, and what is new.
    fn give_input<'g>(
        &mut self,
        memory: &mut Memory<'g>,
        turn: &Turn,
        (id, buffer): (BufferId, &Buffer),
        given: &'g [f32],
    ) {
        let row = buffer.row;
        let Space::Tracks(tracks) = &buffer.space else { return };
        let Some(first) = tracks.first() else {
            let mut numbers = AlignedFloats::zeroed((turn.places.len() * row).max(1));
            let mut next = 0;
            for (sequence, place) in turn.places.iter().enumerate() {
                let to = &mut numbers[sequence * row..(sequence + 1) * row];
                if turn.begins[sequence] {
                    to.copy_from_slice(&given[next..next + row]);
                    next += row;
                } else if let Some(kept) = self.copied[*place].get(&id) {
                    to.copy_from_slice(kept);
                }
            }
            return memory.give(id, numbers);
        };
        let track = self.executable.program().track(*first);
        if track.stays() {
            let mut numbers = self.lend(id);
            let mut next = 0;
            for extent in turn.rows.extents(*first) {
                let to = (extent.first + extent.kept) * row;
                let count = extent.new * row;
                numbers[to..to + count].copy_from_slice(&given[next..next + count]);
                next += count;
            }
            return memory.give(id, numbers);
        }
        if track.keep == Keep::New {
            return memory.lend(id, given);
        }
        let mut numbers = AlignedFloats::zeroed((turn.rows.count(*first) * row).max(1));
        let mut next = 0;
        for (extent, place) in turn.rows.extents(*first).iter().zip(turn.places) {
            let kept = self.kept(*place, id);
            let (start, count) = (extent.first * row, extent.kept * row);
            numbers[start..start + count].copy_from_slice(&kept[kept.len() - count..]);
            let (start, count) = (start + count, extent.new * row);
            numbers[start..start + count].copy_from_slice(&given[next..next + count]);
            next += count;
        }
        memory.give(id, numbers);
    }

    /// The memory of what kernels compute and a sequence keeps where it is.
    fn give_kept(&mut self, memory: &mut Memory, turn: &Turn, (id, buffer): (BufferId, &Buffer)) {
        match &buffer.space {
            Space::Tracks(tracks) if !tracks.is_empty() => memory.give(id, self.lend(id)),
            Space::Tracks(_) | Space::Global => {
                let mut numbers = AlignedFloats::zeroed((turn.rows.sequences * buffer.row).max(1));
                for (sequence, place) in turn.places.iter().enumerate() {
                    if let Some(kept) = self.copied[*place].get(&id) {
                        numbers[sequence * buffer.row..(sequence + 1) * buffer.row].copy_from_slice(kept);
                    }
                }
                memory.give(id, numbers);
            }
        }
    }

    /// Keeps what outlives the run.
    fn take_back(&mut self, memory: &mut Memory, turn: &Turn) {
        let executable = Rc::clone(&self.executable);
        let program = executable.program();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let id = BufferId(number as u32);
            let (Role::Input(_) | Role::Kept, Space::Tracks(tracks)) = (&buffer.role, &buffer.space) else { continue };
            match tracks.first().map(|first| program.track(*first)) {
                None => {
                    for (sequence, place) in turn.places.iter().enumerate() {
                        let own = &memory.numbers(id)[sequence * buffer.row..(sequence + 1) * buffer.row];
                        self.copied[*place].insert(id, own.to_vec());
                    }
                }
                Some(track) if track.stays() => {
                    if let Some(numbers) = memory.take(id) {
                        self.regions.insert(id, numbers);
                    }
                }
                Some(_) => copy_rows(When::After, id, &executable, memory, turn, &mut self.copied),
            }
        }
    }
}

/// Before a call copies what is kept of a buffer in front of its new rows; after it keeps the last.
fn copy_rows(when: When, id: BufferId, executable: &Executable, memory: &mut Memory, turn: &Turn, copied: &mut Copied) {
    let program = executable.program();
    let buffer = program.buffer(id);
    let Some((track_id, track)) = copied_track(program, buffer) else { return };
    let Keep::Last(most) = track.keep else { return };
    let row = buffer.row;
    for (extent, place) in turn.rows.extents(track_id).iter().zip(turn.places) {
        let kept = copied[*place].entry(id).or_default();
        match when {
            // Kept positions are no more than take turns: each has a row.
            When::Before => {
                let (start, count) = (extent.first * row, extent.kept * row);
                memory.numbers_mut(id)[start..start + count].copy_from_slice(&kept[kept.len() - count..]);
            }
            When::After => {
                let all = extent.kept + extent.new;
                kept.clear();
                for place in all - all.min(most)..all {
                    let start = (extent.first + track.row(place)) * row;
                    kept.extend_from_slice(&memory.numbers(id)[start..start + row]);
                }
            }
        }
    }
}
