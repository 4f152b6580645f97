//! Memory: buffers that do not live at the same time share a slot.
//!
//! Calls are gone through in order, and a slot is added only where all that have such rows are in use: so there are as many as
//! live at once, however deep a stack is. Of those that are free a buffer takes the one that wastes least.
//!
//! That is done twice: for calls that are run one by one, and for [chains](crate::kernel::Chain), whose calls are run at the same
//! time. There a buffer lives from the first call of a chain to the last, and one that lives within a chain alone has no slot.

use crate::kernel::{BufferId, Program, Role, Space};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Gives buffers whose lives do not overlap the same memory.
pub(super) fn share_memory(program: &mut Program) {
    let alone: Vec<Range<usize>> = (0..program.calls.len()).map(|place| place..place + 1).collect();
    let one_by_one = slots(program, &alone, &|_| true);
    let chains: Vec<Range<usize>> = program.chains.iter().map(|chain| chain.calls.clone()).collect();
    let inner: HashSet<BufferId> = program.chains.iter().flat_map(|chain| chain.inner.keys().copied()).collect();
    let beside_chains = slots(program, &chains, &|id| !inner.contains(&id));
    for (number, buffer) in (0..).map(BufferId).zip(&mut program.buffers) {
        if let Role::Computed { slot, chained } = &mut buffer.role {
            *slot = one_by_one.get(&number).copied().unwrap_or(0);
            *chained = beside_chains.get(&number).copied();
        }
    }
}

/// For each buffer that takes part its slot, where the calls of a range are run at the same time.
fn slots(
    program: &Program,
    ranges: &[Range<usize>],
    takes_part: &dyn Fn(BufferId) -> bool,
) -> HashMap<BufferId, usize> {
    let mut last_use: HashMap<BufferId, usize> = HashMap::new();
    for (place, range) in ranges.iter().enumerate() {
        let arguments = program.calls[range.clone()].iter().flat_map(|call| &call.arguments);
        arguments.for_each(|argument| _ = last_use.insert(*argument, place));
    }
    for output in &program.outputs {
        last_use.insert(output.buffer, ranges.len());
    }
    let mut slots: Vec<Slot> = Vec::new();
    let mut chosen: HashMap<BufferId, usize> = HashMap::new();
    for (place, range) in ranges.iter().enumerate() {
        for argument in program.calls[range.clone()].iter().flat_map(|call| &call.arguments) {
            let buffer = program.buffer(*argument);
            let is_computed = matches!(buffer.role, Role::Computed { .. });
            if !is_computed || chosen.contains_key(argument) || !takes_part(*argument) {
                continue;
            }
            let free = |slot: &Slot| slot.space == buffer.space && slot.until < place;
            let slot = (0..slots.len()).filter(|slot| free(&slots[*slot])).min_by_key(|slot| {
                let has = slots[*slot].row;
                // Room for it with the least to spare, or else the least to grow.
                (has < buffer.row, has.abs_diff(buffer.row))
            });
            let slot = slot.unwrap_or_else(|| {
                slots.push(Slot { space: buffer.space.clone(), row: 0, until: 0 });
                slots.len() - 1
            });
            slots[slot].until = last_use[argument];
            slots[slot].row = slots[slot].row.max(buffer.row);
            chosen.insert(*argument, slot);
        }
    }
    chosen
}

/// Memory that buffers share.
struct Slot {
    /// The rows of all of them.
    space: Space,
    /// The most numbers that one of them has in a row.
    row: usize,
    /// The last range of calls that needs it.
    until: usize,
}
