//! Memory: buffers that do not live at the same time share a slot.
//!
//! A chain's calls may be run at the same time, so that a buffer lives from its chain's first call to the last of the chain that
//! reads it; one that lives within a chain alone is not in its slot when they are. Calls are gone through in order, and a slot is added only where all that have such rows are in use: so there are as many as
//! live at once, however deep a stack is. Of those that are free a buffer takes the one that wastes least.

use crate::kernel::{BufferId, Program, Role, Space};
use std::collections::HashSet;

/// Gives buffers whose lives do not overlap the same memory.
pub(super) fn share_memory(program: &mut Program) {
    let count = program.buffers.len();
    let mut last_use: Vec<Option<usize>> = vec![None; count];
    // For each call the first of its chain.
    let mut first: Vec<usize> = Vec::new();
    for chain in &program.chains {
        for place in chain.calls.clone() {
            first.push(chain.calls.start);
            for argument in &program.calls[place].arguments {
                let inner = chain.inner.contains_key(argument);
                last_use[argument.0 as usize] = Some(if inner { place } else { chain.calls.end - 1 });
            }
        }
    }
    let is_inner: HashSet<BufferId> = program.chains.iter().flat_map(|chain| chain.inner.keys().copied()).collect();
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
            let from = if is_inner.contains(&argument) { place } else { first[place] };
            let free = |slot: &Slot| slot.space == buffer.space && slot.until.is_none_or(|until| until < from);
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
