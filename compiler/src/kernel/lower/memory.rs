//! Memory: buffers that do not live at the same time share a slot.
//!
//! Calls are gone through in order, and a slot is added only where all that have such rows are in use: so there are as many as
//! live at once, however deep a stack is. Of those that are free a buffer takes the one that wastes least.

use crate::kernel::{Program, Role, Space};

/// Gives buffers whose lives do not overlap the same memory.
pub(super) fn share_memory(program: &mut Program) {
    let count = program.buffers.len();
    let mut last_use: Vec<Option<usize>> = vec![None; count];
    for (place, call) in program.calls.iter().enumerate() {
        for argument in &call.arguments {
            last_use[argument.0 as usize] = Some(place);
        }
    }
    for output in &program.outputs {
        last_use[output.buffer.0 as usize] = Some(program.calls.len());
    }
    let mut slots: Vec<Slot> = Vec::new();
    let mut placed = vec![false; count];
    for place in 0..program.calls.len() {
        for argument in program.calls[place].arguments.clone() {
            let buffer = &mut program.buffers[argument.0 as usize];
            let Role::Computed { slot } = &mut buffer.role else { continue };
            if std::mem::replace(&mut placed[argument.0 as usize], true) {
                continue;
            }
            let free = |slot: &Slot| slot.space == buffer.space && slot.until.is_none_or(|until| until < place);
            let chosen = (0..slots.len()).filter(|slot| free(&slots[*slot])).min_by_key(|slot| {
                let has = slots[*slot].row;
                // Room for it with the least to spare, or else the least to grow.
                (has < buffer.row, has.abs_diff(buffer.row))
            });
            let chosen = chosen.unwrap_or_else(|| {
                slots.push(Slot { space: buffer.space.clone(), row: 0, until: None });
                slots.len() - 1
            });
            slots[chosen].until = last_use[argument.0 as usize];
            slots[chosen].row = slots[chosen].row.max(buffer.row);
            *slot = chosen;
        }
    }
}

/// Memory that buffers share.
struct Slot {
    /// The rows of all of them.
    space: Space,
    /// The most numbers that one of them has in a row.
    row: usize,
    /// The last call that needs it.
    until: Option<usize>,
}
