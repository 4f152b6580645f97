//! The memory of one run: a place for each buffer that is not the model's own.
//!
//! What kernels compute lies in slots, which the next run uses again ([`Spare`]): the system hands out pages of zeros one by
//! one, which takes longer than many a kernel that writes them. What a run is given is read where it lies, and what it gives is
//! written where it is handed out.

use crate::execute::RunError;
use crate::rows::Rows;
use crate::tiles::AlignedFloats;
use seqwright_compiler::kernel::{Buffer, BufferId, Keep, Program, Role, Space, Track};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Bytes of memory that a run may take where the system does not say how many there are.
const MEMORY_WHERE_UNKNOWN: usize = 1 << 36;

/// Bytes of memory that the system can still give.
fn available() -> usize {
    let lines = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = lines.lines().find_map(|line| {
        let kilobytes = line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB")?.trim();
        kilobytes.parse::<usize>().ok()?.checked_mul(1024)
    });
    available.unwrap_or(MEMORY_WHERE_UNKNOWN)
}

/// Bytes that nobody is asked for: asking takes longer than one token of a small model.
const UNASKED: usize = 1 << 24;

/// Whether the system can give memory for so many numbers.
///
/// # Errors
/// That it can't.
pub fn require(floats: usize) -> Result<(), RunError> {
    let needed = floats.saturating_mul(4);
    if needed <= UNASKED {
        return Ok(());
    }
    let available = available();
    if needed > available { Err(RunError::Memory { needed, available }) } else { Ok(()) }
}

/// Numbers of slots that are kept for the next run: 256 MiB. What a larger run took goes back to the system.
const MOST_SPARE: usize = 1 << 26;

/// Results whose memory was given back that are kept.
const MOST_RESULTS: usize = 16;

/// Memory of runs that have ended.
#[derive(Default)]
pub struct Spare {
    /// Their slots: of as many as were under way at once.
    slots: Mutex<Vec<Vec<AlignedFloats>>>,
    /// Results that were given back.
    results: Mutex<Vec<Vec<f32>>>,
}

impl Spare {
    fn take(&self) -> Vec<AlignedFloats> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps results for the next run to write its own there.
    pub fn give_back(&self, results: Vec<Vec<f32>>) {
        let mut kept = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(results);
        let too_many = kept.len().saturating_sub(MOST_RESULTS);
        kept.drain(..too_many);
    }

    /// Room for so many numbers: that of a result that was given back, where one is as large, or new one.
    pub fn room(&self, count: usize) -> Vec<f32> {
        let mut kept = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |result: &Vec<f32>| (count..=count.saturating_mul(2)).contains(&result.capacity());
        let mut numbers = match kept.iter().position(fits) {
            Some(place) => kept.swap_remove(place),
            None => Vec::with_capacity(count),
        };
        numbers.clear();
        // As in slots: what no kernel has written would not go unseen.
        if cfg!(debug_assertions) {
            numbers.resize(count, f32::NAN);
            numbers.clear();
        }
        numbers
    }

    /// Keeps a run's slots for the next one.
    pub fn keep(&self, memory: Memory) {
        let floats = |slots: &[AlignedFloats]| slots.iter().map(|slot| slot.len()).sum::<usize>();
        let mut kept = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = kept.iter().map(|slots| floats(slots)).sum();
        if all + floats(&memory.slots) <= MOST_SPARE {
            kept.push(memory.slots);
        }
    }
}

/// The buffers of one run.
pub struct Memory<'g> {
    /// What buffers share whose lives do not overlap.
    slots: Vec<AlignedFloats>,
    /// Memory of its own, for those that share none.
    own: Vec<Own<'g>>,
    /// For each buffer, its slot if it shares one.
    slot_of: Vec<Option<usize>>,
}

/// The results that are written where they are handed out: those whose buffers have a row for each new position, one after the
/// other, and no others. One that is given twice is there once.
pub fn handed_out(program: &Program) -> Vec<BufferId> {
    let is_new = |track: Track| track.keep == Keep::New && track.turns.is_none();
    let has_new_rows_alone = |space: &Space| match space {
        Space::Tracks(tracks) => tracks.iter().all(|track| is_new(program.track(*track))),
        Space::Global => false,
    };
    let outputs = program.outputs.iter().map(|output| output.buffer);
    let is_written_there = |id: &BufferId| {
        let buffer = program.buffer(*id);
        matches!(buffer.role, Role::Computed { .. }) && has_new_rows_alone(&buffer.space)
    };
    outputs.filter(is_written_there).collect::<BTreeSet<BufferId>>().into_iter().collect()
}

/// Where a run's results are written that are handed out.
pub enum Results<'r> {
    /// In memory of the run's own.
    Own(&'r [BufferId]),
    /// In somebody else's, which has room for them.
    At(Vec<(BufferId, *mut f32)>),
}

/// The memory of a buffer that shares none.
enum Own<'g> {
    None,
    Floats(AlignedFloats),
    /// Somebody else's, which kernels only read.
    Given(&'g [f32]),
    /// A result's, which has room for so many numbers and none yet.
    Result(Vec<f32>, usize),
    /// Somebody else's, which kernels write.
    At(*mut f32),
}

impl<'g> Memory<'g> {
    /// Memory for what kernels compute, of an earlier run as far as there is some. What it holds is anything.
    ///
    /// # Errors
    /// More than the system can give.
    pub fn new(program: &Program, rows: &Rows, spare: &Spare, results: Results) -> Result<Memory<'g>, RunError> {
        let slot = |buffer: &Buffer| match buffer.role {
            // What lives within a chain alone lies in memory of the chain's.
            Role::Computed { chained, .. } => chained,
            Role::Input(_) | Role::Weight(_) | Role::Packed(_) | Role::Constant(_) | Role::Kept => None,
        };
        let slot_of: Vec<Option<usize>> = program.buffers.iter().map(slot).collect();
        let mut sizes = vec![0; slot_of.iter().flatten().max().map_or(0, |last| last + 1)];
        let mut own: Vec<Own<'g>> = program.buffers.iter().map(|_| Own::None).collect();
        let numbers = |id: BufferId| rows.of(&program.buffer(id).space).saturating_mul(program.buffer(id).row);
        let mut more = 0usize;
        match results {
            Results::Own(handed_out) => {
                for id in handed_out {
                    own[id.0 as usize] = Own::Result(Vec::new(), numbers(*id));
                    more = more.saturating_add(numbers(*id));
                }
            }
            Results::At(places) => {
                places.into_iter().for_each(|(id, address)| own[id.0 as usize] = Own::At(address));
            }
        }
        for ((buffer, own), slot) in program.buffers.iter().zip(&own).zip(&slot_of) {
            if let (Own::None, Some(slot)) = (own, *slot) {
                sizes[slot] = sizes[slot].max(rows.of(&buffer.space).saturating_mul(buffer.row));
            }
        }
        let mut slots = spare.take();
        slots.truncate(sizes.len());
        // A slot that is too small goes before a larger one is asked for.
        for (slot, size) in slots.iter_mut().zip(&sizes) {
            if slot.len() < *size {
                *slot = AlignedFloats::zeroed(0);
            }
        }
        let missing = |(place, size): (usize, &usize)| match slots.get(place) {
            Some(slot) if slot.len() >= *size => 0,
            Some(_) | None => *size,
        };
        require(sizes.iter().enumerate().map(missing).fold(more, usize::saturating_add))?;
        slots.resize_with(sizes.len(), || AlignedFloats::zeroed(0));
        for (slot, size) in slots.iter_mut().zip(sizes) {
            if slot.len() < size.max(1) {
                *slot = AlignedFloats::zeroed(size.max(1));
            }
            // A kernel reads nothing that none has written: in tests it would not go unseen.
            if cfg!(debug_assertions) {
                slot.fill(f32::NAN);
            }
        }
        for own in &mut own {
            if let Own::Result(numbers, count) = own {
                *numbers = spare.room(*count);
            }
        }
        Ok(Memory { slots, own, slot_of })
    }

    /// Gives a buffer memory of its own.
    pub fn give(&mut self, id: BufferId, numbers: AlignedFloats) {
        self.own[id.0 as usize] = Own::Floats(numbers);
    }

    /// Has a buffer that kernels only read lie where its numbers are.
    pub fn lend(&mut self, id: BufferId, numbers: &'g [f32]) {
        self.own[id.0 as usize] = Own::Given(numbers);
    }

    /// Takes back what was given.
    pub fn take(&mut self, id: BufferId) -> Option<AlignedFloats> {
        match std::mem::replace(&mut self.own[id.0 as usize], Own::None) {
            Own::Floats(numbers) => Some(numbers),
            Own::None | Own::Given(_) | Own::Result(..) | Own::At(_) => None,
        }
    }

    /// Hands out a result that was written where it is handed out; none where it lies elsewhere, or was handed out.
    ///
    /// # Safety
    /// The kernels that compute it have run.
    pub unsafe fn hand_out(&mut self, id: BufferId) -> Option<Vec<f32>> {
        match std::mem::replace(&mut self.own[id.0 as usize], Own::None) {
            Own::Result(mut numbers, count) => {
                // SAFETY: there is room for so many, and its kernels have written every row of the buffer.
                unsafe { numbers.set_len(count) };
                Some(numbers)
            }
            other => {
                self.own[id.0 as usize] = other;
                None
            }
        }
    }

    /// Where a buffer begins. Nothing is ever written to what was lent.
    pub fn address(&mut self, id: BufferId) -> *mut f32 {
        match (&mut self.own[id.0 as usize], self.slot_of[id.0 as usize]) {
            (Own::Floats(own), _) => own.as_mut_ptr(),
            (Own::Given(given), _) => given.as_ptr().cast_mut(),
            (Own::Result(numbers, _), _) => numbers.as_mut_ptr(),
            (Own::At(address), _) => *address,
            (Own::None, Some(slot)) => self.slots[slot].as_mut_ptr(),
            (Own::None, None) => std::ptr::NonNull::dangling().as_ptr(),
        }
    }

    /// A buffer's numbers, and more where its slot is larger.
    pub fn numbers(&self, id: BufferId) -> &[f32] {
        match (&self.own[id.0 as usize], self.slot_of[id.0 as usize]) {
            (Own::Floats(own), _) => own,
            (Own::Given(given), _) => given,
            // It has none before it is handed out.
            (Own::Result(numbers, _), _) => numbers,
            (Own::None, Some(slot)) => &self.slots[slot],
            (Own::At(_), _) | (Own::None, None) => &[],
        }
    }

    /// The same, to be written; nothing where it was lent.
    pub fn numbers_mut(&mut self, id: BufferId) -> &mut [f32] {
        match (&mut self.own[id.0 as usize], self.slot_of[id.0 as usize]) {
            (Own::Floats(own), _) => own,
            (Own::Result(numbers, _), _) => numbers,
            (Own::None, Some(slot)) => &mut self.slots[slot],
            (Own::Given(_) | Own::At(_), _) | (Own::None, None) => &mut [],
        }
    }
}
