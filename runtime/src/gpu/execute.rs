//! Runs of a program on a device: what is dispatched, and buffers filled from here; all of it is one submission.

use super::GpuError;
use super::buffers::{Buffers, Use};
use super::compile::{Executable, RUN};
use crate::batch::Batch;
use crate::execute::{RunError, When, input_of, rows_of};
use crate::rows::Rows;
use seqwright_compiler::kernel::{Body, BufferId, Call, Part, Role};
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// One dispatch.
pub(super) struct Dispatch {
    pub call: usize,
    pub phase: usize,
    pub entry: usize,
    pub groups: [u32; 3],
    /// Which of the runs.
    pub run: usize,
}

/// Which rows, which step, and infinity, for which WGSL has no literal.
type Run = (usize, usize, usize);

/// What one submission does.
pub(super) struct Order<'o> {
    /// The rows of all sequences.
    pub rows: &'o Rows,
    /// Sequences that begin: what is computed once is computed for them.
    pub fresh: Vec<(usize, usize)>,
    /// Numbers for buffers, and where the first of them goes.
    pub given: Vec<(BufferId, usize, &'o [f32])>,
    /// Buffers that outlive the run.
    pub lent: BTreeMap<BufferId, wgpu::Buffer>,
    /// What is copied before everything else.
    pub first: Vec<Copy>,
    /// What is copied around calls that write a buffer.
    pub around: BTreeMap<(BufferId, When), Vec<Copy>>,
    /// What is copied at the end.
    pub after: Vec<Copy>,
}

impl<'o> Order<'o> {
    pub fn new(rows: &'o Rows, fresh: Vec<(usize, usize)>) -> Order<'o> {
        let (given, first, after) = Default::default();
        Order { rows, fresh, given, lent: BTreeMap::new(), first, around: BTreeMap::new(), after }
    }
}

/// Numbers that are copied from a place to another.
#[derive(Clone)]
pub(super) struct Copy {
    /// From where, and the first number.
    pub from: (CopyPlace, usize),
    /// Where to.
    pub to: (CopyPlace, usize),
    /// How many.
    pub count: usize,
}

#[derive(Clone)]
pub(super) enum CopyPlace {
    /// A buffer of the program.
    Of(BufferId),
    /// One that is none of its own.
    Apart(wgpu::Buffer),
}

impl Executable {
    /// Runs a batch; gives the rows of each output, in the program's order.
    ///
    /// # Errors
    /// As on the CPU, and what the device does not allow.
    pub async fn run(&self, batch: &Batch<&[f32]>) -> Result<Vec<Vec<f32>>, RunError> {
        let rows = rows_of(&self.program, batch)?;
        let mut order = Order::new(&rows, vec![(0, rows.sequences)]);
        for (number, buffer) in self.program.buffers.iter().enumerate() {
            if let Role::Input(_) = &buffer.role {
                order.given.push((BufferId(number as u32), 0, input_of(buffer, batch, &rows)?));
            }
        }
        self.execute(&order).await
    }

    /// Does what an order says, in one submission; gives the new rows of each output.
    ///
    /// # Errors
    /// What the device does not allow.
    pub(super) async fn execute(&self, order: &Order<'_>) -> Result<Vec<Vec<f32>>, RunError> {
        let rows = order.rows;
        let (dispatches, runs) = self.dispatches(rows, &order.fresh)?;
        let memory = self.device.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let (results, bytes, timed) = {
            let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = self.fill(&mut buffers, order, &runs)?;
            let groups = self.groups(&mut buffers, order);
            let (commands, timed) = self.record(&buffers, &groups, order, &dispatches);
            let (results, bytes, commands) = self.read_back(&mut buffers, order, commands)?;
            self.device.queue.submit([commands.finish()]);
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.dispatches = dispatches.len();
            counts.submissions = 1;
            counts.bind_groups = buffers.groups_made();
            (counts.sent, counts.read, counts.buffers) = (sent, bytes, buffers.bytes());
            (results, bytes, timed)
        };
        if memory.pop().await.is_some() {
            self.buffers.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let counts = self.counts();
            let needed = counts.weights + counts.buffers;
            return Err(GpuError::Memory { needed, adapter: self.device.name.clone() }.into());
        }
        let numbers: Vec<f32> = self.device.read(&results, bytes.max(4)).await?;
        if let Some(clock) = self.clock.get() {
            clock.tell(&self.device, &timed).await?;
        }
        let mut next = 0;
        let mut outputs = Vec::new();
        for output in &self.program.outputs {
            let count = self.numbers_of(output.buffer, rows);
            outputs.push(numbers[next..next + count].to_vec());
            next += count;
        }
        Ok(outputs)
    }

    /// Everything that is dispatched, and the runs it is dispatched for.
    fn dispatches(&self, rows: &Rows, fresh: &[(usize, usize)]) -> Result<(Vec<Dispatch>, Vec<Run>), RunError> {
        let mut dispatches = Vec::new();
        let mut runs: Vec<Run> = Vec::new();
        let most = self.device.limits.max_compute_workgroups_per_dimension as usize;
        for (number, call) in self.program.calls.iter().enumerate() {
            let kernel = &self.program.kernels[call.kernel];
            let shader = &self.kernels[call.kernel].shader;
            let longest = kernel.rows.map_or(1, |track| rows.longest(track));
            for (begin, end) in self.ranges(call, rows, fresh) {
                let of_scan = shader.phases.first().and_then(|ways| ways.entry(end - begin, longest).steps);
                let (steps, each) = of_scan.map_or((1, 1), |own| (longest, own.each));
                for step in (0..steps).step_by(each) {
                    let run = (begin, end, step);
                    let place = runs.iter().rposition(|known| *known == run).unwrap_or_else(|| {
                        runs.push(run);
                        runs.len() - 1
                    });
                    for (phase, ways) in shader.phases.iter().enumerate() {
                        let entry = ways.entry(end - begin, longest);
                        let groups = entry.grid.workgroups(end - begin);
                        if let Some(needed) = groups.iter().copied().find(|groups| *groups > most) {
                            return Err(GpuError::Limit {
                                what: format!("`{}`", call.name),
                                needed: needed as u64,
                                most: most as u64,
                                unit: "workgroups along one axis",
                                help: "run fewer or shorter sequences at once, or run with `--backend cpu`",
                            }
                            .into());
                        }
                        let entry = ways.entries.iter().position(|known| known == entry).unwrap_or(0);
                        let groups = groups.map(|groups| groups as u32);
                        dispatches.push(Dispatch { call: number, phase, entry, groups, run: place });
                    }
                }
            }
        }
        Ok((dispatches, runs))
    }

    /// The rows of a call's kernel, or sequences of its scan, in ranges.
    fn ranges(&self, call: &Call, rows: &Rows, fresh: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let kernel = &self.program.kernels[call.kernel];
        let ranges = match (kernel.rows, &kernel.body, call.part) {
            (Some(track), Body::Rows { .. } | Body::Attention(_), _) => vec![(0, rows.count(track))],
            (None, _, Part::Once) => fresh.to_vec(),
            (Some(_), Body::Scan { .. }, _) | (None, _, Part::New | Part::SoFar) => vec![(0, rows.sequences)],
        };
        ranges.into_iter().filter(|(begin, end)| begin < end).collect()
    }

    /// Makes sure of all buffers and fills those that come from here; gives the bytes that were sent.
    fn fill(&self, buffers: &mut Buffers, order: &Order, runs: &[Run]) -> Result<u64, RunError> {
        let (device, rows) = (&self.device, order.rows);
        for (number, buffer) in self.program.buffers.iter().enumerate() {
            let bytes = (rows.of(&buffer.space) as u64).saturating_mul(buffer.row as u64 * 4);
            match &buffer.role {
                _ if order.lent.contains_key(&BufferId(number as u32)) => {}
                Role::Input(_) | Role::Kept => buffers.require(device, Use::Own(number), bytes, &buffer.name)?,
                Role::Computed { slot, .. } => buffers.require(device, Use::Slot(*slot), bytes, &buffer.name)?,
                Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => {}
            }
        }
        for call in &self.program.calls {
            let end = self.ranges(call, rows, &order.fresh).iter().map(|(_, end)| *end).max().unwrap_or(0) as u64;
            let shader = &self.kernels[call.kernel].shader;
            let longest = self.program.kernels[call.kernel].rows.map_or(1, |track| rows.longest(track));
            let slots = shader.phases.iter().map(|ways| ways.entry(end as usize, longest).slots).max().unwrap_or(1);
            for (place, scratch) in shader.scratch.iter().enumerate() {
                let bytes = end.saturating_mul((slots * scratch.row) as u64 * 4);
                buffers.require(device, Use::Scratch(place), bytes, &scratch.name)?;
            }
        }
        let mut sent = 0;
        let mut send = |buffer: &wgpu::Buffer, first: usize, bytes: &[u8]| {
            sent += bytes.len() as u64;
            device.queue.write_buffer(buffer, first as u64 * 4, bytes);
        };
        for (id, first, numbers) in order.given.iter().filter(|(_, _, numbers)| !numbers.is_empty()) {
            send(&self.bound(buffers, order, *id)[0], *first, bytemuck::cast_slice(numbers));
        }
        let tables = rows.flat();
        buffers.require(device, Use::Tables, tables.len() as u64 * 4, "tables of positions")?;
        send(buffers.get(Use::Tables), 0, bytemuck::cast_slice(&tables));
        let apart = self.run_bytes() as usize;
        let mut bytes = vec![0u8; runs.len() * apart];
        for ((begin, end, step), place) in runs.iter().zip(bytes.chunks_exact_mut(apart)) {
            let words = [*begin as u32, *end as u32, *step as u32, f32::INFINITY.to_bits()];
            place[..RUN as usize].copy_from_slice(bytemuck::cast_slice(&words));
        }
        buffers.require(device, Use::Runs, bytes.len() as u64, "runs")?;
        send(buffers.get(Use::Runs), 0, &bytes);
        Ok(sent)
    }

    /// Bytes from one run to the next.
    pub(super) fn run_bytes(&self) -> u64 {
        RUN.max(u64::from(self.device.limits.min_uniform_buffer_offset_alignment))
    }

    /// How many numbers an output has.
    pub(super) fn numbers_of(&self, id: BufferId, rows: &Rows) -> usize {
        let buffer = self.program.buffer(id);
        rows.new_rows(&buffer.space).iter().map(|(_, count)| count * buffer.row).sum()
    }

    /// Where a value is: in several parts where it does not change and is large.
    pub(super) fn bound<'b>(&'b self, buffers: &'b Buffers, order: &'b Order, id: BufferId) -> &'b [wgpu::Buffer] {
        if let Some(lent) = order.lent.get(&id) {
            return std::slice::from_ref(lent);
        }
        match (self.fixed[id.0 as usize].as_slice(), &self.program.buffer(id).role) {
            ([], Role::Computed { slot, .. }) => std::slice::from_ref(buffers.get(Use::Slot(*slot))),
            ([], _) => std::slice::from_ref(buffers.get(Use::Own(id.0 as usize))),
            (fixed, _) => fixed,
        }
    }
}
