//! What is kept of sequences that come chunk by chunk, on the device: a chunk goes on without a number of it being read back.
//!
//! Rows that stay lie in buffers that kernels use as they are. The last positions of other values, and what is computed once,
//! are copied to a buffer of the sequence's own, by commands of the same submission as the kernels.

use super::buffers::{Use, create};
use super::execute::{Copy, CopyPlace, Order};
use super::{Executable, GpuError};
use crate::execute::{RunError, When};
use crate::stream::{Move, NewRows, Piece, Turn, copied_track};
use seqwright_compiler::kernel::{BufferId, Keep, Role, Space};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is kept of all sequences, and the program that goes on with them.
pub(crate) struct Keeper {
    executable: Rc<Executable>,
    /// Buffers whose rows stay.
    regions: BTreeMap<BufferId, wgpu::Buffer>,
    /// By the sequences' places: what is copied of each buffer that has any.
    copied: Vec<BTreeMap<BufferId, Copied>>,
}

/// Numbers of a sequence.
#[derive(Clone)]
struct Copied {
    buffer: wgpu::Buffer,
    /// How many there are.
    count: usize,
}

impl Keeper {
    pub fn new(executable: Rc<Executable>) -> Keeper {
        Keeper { executable, regions: BTreeMap::new(), copied: Vec::new() }
    }

    /// Moves regions to where they are from now on.
    ///
    /// # Errors
    /// More than the device allows; nothing has moved then.
    pub fn relocate(&mut self, moves: &[Move]) -> Result<(), RunError> {
        let executable = Rc::clone(&self.executable);
        if !moves.is_empty() {
            executable.forget_groups();
        }
        let mut made = Vec::new();
        for change in moves {
            let name = &executable.program().buffer(change.buffer).name;
            made.push(create(executable.device(), Use::Own(0), change.numbers as u64 * 4, name)?);
        }
        // In a submission of its own, as what is sent for the next run goes to where the rows are then. Regions grow by
        // half or more, so that there are few of these.
        let device = executable.device();
        let label = wgpu::CommandEncoderDescriptor { label: Some("regions") };
        let mut commands = device.device.create_command_encoder(&label);
        for (Move { buffer, runs, .. }, new) in moves.iter().zip(made) {
            if let Some(old) = self.regions.insert(*buffer, new.clone()) {
                for (from, to, count) in runs {
                    let [from, to, count] = [from, to, count].map(|numbers| *numbers as u64 * 4);
                    commands.copy_buffer_to_buffer(&old, from, &new, to, count);
                }
            }
        }
        device.queue.submit([commands.finish()]);
        Ok(())
    }

    /// Runs the program; gives each output's new rows.
    ///
    /// # Errors
    /// What the device does not allow.
    pub async fn run(&mut self, turn: &Turn<'_>) -> Result<Vec<NewRows>, RunError> {
        let executable = Rc::clone(&self.executable);
        let program = executable.program();
        let most = turn.places.iter().max().map_or(0, |place| place + 1);
        if self.copied.len() < most {
            self.copied.resize(most, BTreeMap::new());
        }
        let mut order = Order::new(turn.rows, turn.fresh());
        let mut counts = Vec::new();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let id = BufferId(number as u32);
            let Space::Tracks(tracks) = &buffer.space else { continue };
            let given = match &buffer.role {
                Role::Input(value) => turn.inputs.get(value).copied().unwrap_or_default(),
                Role::Kept | Role::Computed { .. } => &[],
                Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => continue,
            };
            let is_computed = matches!(buffer.role, Role::Computed { .. });
            let Some(first) = tracks.first() else {
                if !is_computed {
                    self.once(&mut order, turn, id, buffer.row, given, &mut counts)?;
                }
                continue;
            };
            let track = program.track(*first);
            if let (true, false, Some(region)) = (track.stays(), is_computed, self.regions.get(&id)) {
                order.lent.insert(id, region.clone());
            }
            let mut next = 0;
            for extent in turn.rows.extents(*first).iter().filter(|_| !given.is_empty() && tracks.len() == 1) {
                let count = extent.new * buffer.row;
                let start = (extent.first + extent.kept) * buffer.row;
                order.given.push((id, start, &given[next..next + count]));
                next += count;
            }
            if tracks.len() > 1 {
                order.given.push((id, 0, given));
            }
            if copied_track(program, buffer).is_some() {
                self.around(&mut order, turn, id, is_computed, &mut counts)?;
            }
        }
        let results = executable.execute(&order).await?;
        for (place, id, count) in counts {
            if let Some(copied) = self.copied[place].get_mut(&id) {
                copied.count = count;
            }
        }
        let outputs = program.outputs.iter().zip(results).map(|(output, numbers)| {
            let rows = turn.rows.new_rows(&program.buffer(output.buffer).space);
            NewRows { numbers, counts: rows.iter().map(|(_, count)| *count).collect() }
        });
        Ok(outputs.collect())
    }

    /// A buffer with one row for each sequence: what was kept is put there first, and what is there is kept at the end.
    fn once<'t>(
        &mut self,
        order: &mut Order<'t>,
        turn: &Turn,
        id: BufferId,
        row: usize,
        given: &'t [f32],
        counts: &mut Vec<(usize, BufferId, usize)>,
    ) -> Result<(), GpuError> {
        let mut next = 0;
        for (sequence, place) in turn.places.iter().enumerate() {
            let own = (CopyPlace::Of(id), sequence * row);
            let copied = self.room(*place, id, row)?;
            let kept = (CopyPlace::Apart(copied.buffer), 0);
            if turn.begins[sequence] {
                let count = row.min(given.len() - next);
                order.given.push((id, sequence * row, &given[next..next + count]));
                next += count;
            } else if copied.count > 0 {
                order.first.push(Copy { from: kept.clone(), to: own.clone(), count: row });
            }
            order.after.push(Copy { from: own, to: kept, count: row });
            counts.push((*place, id, row));
        }
        Ok(())
    }

    /// A buffer whose last positions are kept: before the new rows are written, those that were kept are put in front of them,
    /// and afterwards the last are kept.
    fn around(
        &mut self,
        order: &mut Order,
        turn: &Turn,
        id: BufferId,
        is_computed: bool,
        counts: &mut Vec<(usize, BufferId, usize)>,
    ) -> Result<(), GpuError> {
        let executable = Rc::clone(&self.executable);
        let program = executable.program();
        let row = program.buffer(id).row;
        let Some((track_id, track)) = copied_track(program, program.buffer(id)) else { return Ok(()) };
        let Keep::Last(most) = track.keep else { return Ok(()) };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (extent, place) in turn.rows.extents(track_id).iter().zip(turn.places) {
            let copied = self.room(*place, id, most * row)?;
            let kept = |number: usize| (CopyPlace::Apart(copied.buffer.clone()), number);
            let count = extent.kept * row;
            if count > 0 {
                before.push(Copy {
                    from: kept(copied.count - count),
                    to: (CopyPlace::Of(id), extent.first * row),
                    count,
                });
            }
            let all = extent.kept + extent.new;
            let first = all - all.min(most);
            // Rows that take turns need not lie one after the other.
            let mut runs: Vec<(usize, usize)> = Vec::new();
            for place in first..all {
                let at = extent.first + track.row(place);
                match runs.last_mut() {
                    Some((start, count)) if *start + *count == at => *count += 1,
                    _ => runs.push((at, 1)),
                }
            }
            let mut next = 0;
            for (start, count) in runs {
                let count = count * row;
                after.push(Copy { from: (CopyPlace::Of(id), start * row), to: kept(next), count });
                next += count;
            }
            counts.push((*place, id, next));
        }
        if is_computed {
            order.around.insert((id, When::Before), before);
            order.around.insert((id, When::After), after);
        } else {
            order.first.extend(before);
            order.after.extend(after);
        }
        Ok(())
    }

    /// What is copied of a sequence, and room for so many numbers.
    fn room(&mut self, place: usize, id: BufferId, numbers: usize) -> Result<Copied, GpuError> {
        let bytes = numbers as u64 * 4;
        match self.copied[place].get(&id) {
            Some(known) if known.buffer.size() >= bytes => Ok(known.clone()),
            _ => {
                let name = &self.executable.program().buffer(id).name;
                let made = Copied { buffer: create(self.executable.device(), Use::Own(0), bytes, name)?, count: 0 };
                self.copied[place].insert(id, made.clone());
                Ok(made)
            }
        }
    }

    /// The numbers of some pieces; none of what is not there.
    ///
    /// # Errors
    /// The device failed.
    pub async fn read(&self, pieces: &[Piece]) -> Result<Vec<Vec<f32>>, GpuError> {
        let mut wanted = Vec::new();
        for piece in pieces {
            wanted.push(match piece {
                Piece::Copied(place, id) => {
                    let copied = self.copied.get(*place).and_then(|copied| copied.get(id));
                    copied.map(|copied| (copied.buffer.clone(), 0, copied.count))
                }
                Piece::Region(id, first, count) => self.regions.get(id).map(|region| (region.clone(), *first, *count)),
            });
        }
        let device = self.executable.device();
        let all: usize = wanted.iter().flatten().map(|(_, _, count)| count).sum();
        let results = create(device, Use::Results, all as u64 * 4, "state")?;
        let mut commands =
            device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("state") });
        let mut next = 0;
        for (buffer, first, count) in wanted.iter().flatten() {
            if *count > 0 {
                let [first, start, bytes] = [*first, next, *count].map(|numbers| numbers as u64 * 4);
                commands.copy_buffer_to_buffer(buffer, first, &results, start, bytes);
            }
            next += count;
        }
        device.queue.submit([commands.finish()]);
        let numbers = device.read(&results, (all as u64 * 4).max(4)).await?;
        let mut next = 0;
        let cut = wanted.iter().map(|piece| {
            let count = piece.as_ref().map_or(0, |(_, _, count)| *count);
            next += count;
            numbers[next - count..next].to_vec()
        });
        Ok(cut.collect())
    }

    /// Writes a piece. There is room for it in its region.
    ///
    /// # Errors
    /// More than the device allows.
    pub fn write(&mut self, piece: Piece, numbers: &[f32]) -> Result<(), GpuError> {
        let executable = Rc::clone(&self.executable);
        let queue = &executable.device().queue;
        match piece {
            Piece::Copied(place, id) => {
                if self.copied.len() <= place {
                    self.copied.resize(place + 1, BTreeMap::new());
                }
                let copied = self.room(place, id, numbers.len())?;
                queue.write_buffer(&copied.buffer, 0, bytemuck::cast_slice(numbers));
                self.copied[place].insert(id, Copied { count: numbers.len(), ..copied });
            }
            Piece::Region(id, first, _) => {
                if let (Some(region), false) = (self.regions.get(&id), numbers.is_empty()) {
                    queue.write_buffer(region, first as u64 * 4, bytemuck::cast_slice(numbers));
                }
            }
        }
        Ok(())
    }

    /// Forgets what is copied of a sequence.
    pub fn forget(&mut self, place: usize) {
        if let Some(copied) = self.copied.get_mut(place) {
            copied.clear();
        }
    }

    /// Bytes that all sequences take.
    pub fn bytes(&self) -> usize {
        let copied = self.copied.iter().flat_map(|place| place.values()).map(|copied| copied.buffer.size());
        (copied.sum::<u64>() + self.regions.values().map(wgpu::Buffer::size).sum::<u64>()) as usize
    }
}

impl Drop for Keeper {
    /// What was kept goes with its keeper.
    fn drop(&mut self) {
        self.executable.forget_groups();
    }
}
