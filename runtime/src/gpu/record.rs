//! A run as commands: dispatches one after the other, what is copied around them, and results on their way back.

use super::buffers::{Buffers, Use};
use super::compile::{Compiled, Executable, RUN, parts};
use super::execute::{Copy, CopyPlace, Dispatch, Order};
use crate::execute::{RunError, When};
use seqwright_compiler::kernel::Call;

impl Executable {
    /// Each call's bind group for these buffers: that of the run before where they are the same.
    pub(super) fn groups(&self, buffers: &mut Buffers, order: &Order) -> Vec<wgpu::BindGroup> {
        let group = |(number, call): (usize, &Call)| {
            let compiled = &self.kernels[call.kernel];
            let apart =
                call.arguments.iter().enumerate().filter(|(place, _)| !compiled.shader.parameters.contains(place));
            let mut bound = vec![buffers.get(Use::Runs).clone(), buffers.get(Use::Tables).clone()];
            bound.extend(apart.flat_map(|(_, id)| self.bound(buffers, order, *id)).cloned());
            bound.extend(self.parameters[number].clone());
            bound.extend((0..compiled.shader.scratch.len()).map(|place| buffers.get(Use::Scratch(place)).clone()));
            buffers.group(number, bound, |bound| self.bind(compiled, &call.name, bound))
        };
        self.program.calls.iter().enumerate().map(group).collect()
    }

    /// A bind group: a window of the first buffer, which has all runs, and the others whole.
    fn bind(&self, compiled: &Compiled, name: &str, bound: &[wgpu::Buffer]) -> wgpu::BindGroup {
        let entry = |binding: usize, resource| wgpu::BindGroupEntry { binding: binding as u32, resource };
        let mut entries = Vec::new();
        for (binding, buffer) in bound.iter().enumerate() {
            let window = wgpu::BufferBinding { buffer, offset: 0, size: std::num::NonZeroU64::new(RUN) };
            entries.push(entry(
                binding,
                match binding {
                    0 => wgpu::BindingResource::Buffer(window),
                    _ => buffer.as_entire_binding(),
                },
            ));
        }
        self.device.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(name),
            layout: &compiled.layout,
            entries: &entries,
        })
    }

    /// Records every dispatch. Where calls are timed, each is a pass of its own: whose passes there are then, in order.
    pub(super) fn record(
        &self,
        buffers: &Buffers,
        groups: &[wgpu::BindGroup],
        order: &Order,
        dispatches: &[Dispatch],
    ) -> (wgpu::CommandEncoder, Vec<usize>) {
        let device = &self.device.device;
        let mut commands = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("run") });
        order.first.iter().for_each(|copy| self.copy(&mut commands, buffers, order, copy));
        // Dispatches go on in one pass until something is copied. What was kept goes in front of a call's new rows even where
        // it has none: others may read it.
        let (mut rest, mut waiting) = (dispatches, 0);
        let (clock, mut timed) = (self.clock.get(), Vec::new());
        for call in 0..self.program.calls.len() {
            let [before, after] = [When::Before, When::After].map(|when| self.copies_of(order, call, when));
            if !before.is_empty() {
                self.pass(&mut commands, groups, &mut rest, std::mem::take(&mut waiting), None);
                before.iter().for_each(|copy| self.copy(&mut commands, buffers, order, copy));
            }
            waiting += rest[waiting..].iter().take_while(|dispatch| dispatch.call == call).count();
            if let (Some(clock), true) = (clock, waiting > 0) {
                let around = clock.around(timed.len());
                self.pass(&mut commands, groups, &mut rest, std::mem::take(&mut waiting), Some(around));
                timed.push(call);
            }
            if !after.is_empty() {
                self.pass(&mut commands, groups, &mut rest, std::mem::take(&mut waiting), None);
                after.iter().for_each(|copy| self.copy(&mut commands, buffers, order, copy));
            }
        }
        self.pass(&mut commands, groups, &mut rest, waiting, None);
        order.after.iter().for_each(|copy| self.copy(&mut commands, buffers, order, copy));
        if let Some(clock) = clock {
            clock.resolve(&mut commands, timed.len());
        }
        (commands, timed)
    }

    /// Records the first of some dispatches, and leaves the others.
    fn pass(
        &self,
        commands: &mut wgpu::CommandEncoder,
        groups: &[wgpu::BindGroup],
        rest: &mut &[Dispatch],
        count: usize,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites>,
    ) {
        let (own, others) = rest.split_at(count);
        *rest = others;
        if own.is_empty() {
            return;
        }
        let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
        for dispatch in own {
            let kernel = self.program.calls[dispatch.call].kernel;
            pass.set_pipeline(&self.kernels[kernel].pipelines[dispatch.phase][dispatch.entry]);
            let offset = dispatch.run as u64 * self.run_bytes();
            pass.set_bind_group(0, &groups[dispatch.call], &[offset as u32]);
            let [x, y, z] = dispatch.groups;
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// What is copied around a call: of the buffers that it writes.
    fn copies_of<'o>(&self, order: &'o Order, call: usize, when: When) -> Vec<&'o Copy> {
        if order.around.is_empty() {
            return Vec::new();
        }
        let call = &self.program.calls[call];
        let kernel = &self.program.kernels[call.kernel];
        let written = call.arguments.iter().zip(&kernel.arguments).filter(|(_, argument)| argument.written);
        written.flat_map(|(id, _)| order.around.get(&(*id, when)).into_iter().flatten()).collect()
    }

    /// Records a copy.
    fn copy(&self, commands: &mut wgpu::CommandEncoder, buffers: &Buffers, order: &Order, copy: &Copy) {
        let place = |place: &CopyPlace| match place {
            CopyPlace::Of(id) => self.bound(buffers, order, *id)[0].clone(),
            CopyPlace::Apart(buffer) => buffer.clone(),
        };
        let ((from, first), (to, start)) = (&copy.from, &copy.to);
        let bytes = |numbers: usize| numbers as u64 * 4;
        commands.copy_buffer_to_buffer(&place(from), bytes(*first), &place(to), bytes(*start), bytes(copy.count));
    }

    /// Records copies of the outputs: where to, and how many bytes.
    pub(super) fn read_back(
        &self,
        buffers: &mut Buffers,
        order: &Order,
        mut commands: wgpu::CommandEncoder,
    ) -> Result<(wgpu::Buffer, u64, wgpu::CommandEncoder), RunError> {
        let rows = order.rows;
        let count = |id| self.numbers_of(id, rows) as u64 * 4;
        let bytes: u64 = self.program.outputs.iter().map(|output| count(output.buffer)).sum();
        buffers.require(&self.device, Use::Results, bytes, "results")?;
        let results = buffers.get(Use::Results).clone();
        let mut next = 0;
        for output in &self.program.outputs {
            let buffer = self.program.buffer(output.buffer);
            let from = self.bound(buffers, order, output.buffer);
            for (first, count) in rows.new_rows(&buffer.space) {
                let (first, count) = ((first * buffer.row) as u64 * 4, (count * buffer.row) as u64 * 4);
                match from {
                    // What lies in several parts is one row.
                    [_, _, ..] => {
                        for (from, bytes) in parts(from, self.layouts[output.buffer.0 as usize], count) {
                            commands.copy_buffer_to_buffer(from, 0, &results, next, bytes);
                            next += bytes;
                        }
                    }
                    [from] if count > 0 => {
                        commands.copy_buffer_to_buffer(from, first, &results, next, count);
                        next += count;
                    }
                    [_] | [] => {}
                }
            }
        }
        Ok((results, bytes, commands))
    }
}
