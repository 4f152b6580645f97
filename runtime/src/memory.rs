//! The memory of one run: a place for each buffer that is not the model's own.

use crate::execute::RunError;
use crate::rows::Rows;
use crate::tiles::AlignedFloats;
use seqwright_compiler::kernel::{BufferId, Program, Role};

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

/// The buffers of one run.
pub struct Memory {
    /// What buffers share whose lives do not overlap.
    slots: Vec<AlignedFloats>,
    /// Memory of its own, for those that share none.
    own: Vec<Option<AlignedFloats>>,
    /// For each buffer, its slot if it shares one.
    slot_of: Vec<Option<usize>>,
}

impl Memory {
    /// Memory for what kernels compute.
    ///
    /// # Errors
    /// More than the system can give.
    pub fn new(program: &Program, rows: &Rows) -> Result<Memory, RunError> {
        let mut sizes: Vec<usize> = Vec::new();
        let mut slot_of = Vec::new();
        for buffer in &program.buffers {
            slot_of.push(match buffer.role {
                Role::Computed { slot } => {
                    if sizes.len() <= slot {
                        sizes.resize(slot + 1, 0);
                    }
                    sizes[slot] = sizes[slot].max(rows.of(&buffer.space).saturating_mul(buffer.row));
                    Some(slot)
                }
                Role::Input(_) | Role::Weight(_) | Role::Packed(_) | Role::Constant(_) | Role::Kept => None,
            });
        }
        require(sizes.iter().fold(0, |all, floats| all.saturating_add(*floats)))?;
        let slots = sizes.into_iter().map(|size| AlignedFloats::zeroed(size.max(1))).collect();
        let own = program.buffers.iter().map(|_| None).collect();
        Ok(Memory { slots, own, slot_of })
    }

    /// Gives a buffer memory of its own.
    pub fn give(&mut self, id: BufferId, numbers: AlignedFloats) {
        self.own[id.0 as usize] = Some(numbers);
    }

    /// Takes it back.
    pub fn take(&mut self, id: BufferId) -> Option<AlignedFloats> {
        self.own[id.0 as usize].take()
    }

    /// Where a buffer begins.
    pub fn address(&mut self, id: BufferId) -> *mut f32 {
        self.numbers_mut(id).as_mut_ptr()
    }

    /// A buffer's numbers.
    pub fn numbers(&self, id: BufferId) -> &[f32] {
        match (&self.own[id.0 as usize], self.slot_of[id.0 as usize]) {
            (Some(own), _) => own,
            (None, Some(slot)) => &self.slots[slot],
            (None, None) => &[],
        }
    }

    /// The same, to be written.
    pub fn numbers_mut(&mut self, id: BufferId) -> &mut [f32] {
        match (&mut self.own[id.0 as usize], self.slot_of[id.0 as usize]) {
            (Some(own), _) => own,
            (None, Some(slot)) => &mut self.slots[slot],
            (None, None) => &mut [],
        }
    }
}
