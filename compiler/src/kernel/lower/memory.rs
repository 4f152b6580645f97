//! Memory: buffers that do not live at the same time share a slot.

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
    let mut slots: Vec<(Space, Option<usize>)> = Vec::new();
    let mut placed = vec![false; count];
    for place in 0..program.calls.len() {
        for argument in program.calls[place].arguments.clone() {
            let buffer = &mut program.buffers[argument.0 as usize];
            if let (Role::Computed { slot }, false) = (&mut buffer.role, placed[argument.0 as usize]) {
                placed[argument.0 as usize] = true;
                let free = slots
                    .iter()
                    .position(|(space, until)| *space == buffer.space && until.is_none_or(|until| until < place));
                let chosen = free.unwrap_or_else(|| {
                    slots.push((buffer.space.clone(), None));
                    slots.len() - 1
                });
                slots[chosen].1 = last_use[argument.0 as usize];
                *slot = chosen;
            }
        }
    }
}
