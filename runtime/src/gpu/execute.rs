//! A program on a GPU: pipelines and weights are made once; a run writes its inputs, records every dispatch into one
//! command buffer, submits it, and reads back what was asked for.

use super::buffers::{Buffers, Use, create};
use super::{Device, GpuError};
use crate::batch::Batch;
use crate::execute::{RunError, When, fingerprint, input_of, rows_of};
use crate::matrix::packed_elements;
use crate::rows::Rows;
use crate::tiles::Precision;
use crate::weights::Given;
use half::f16;
use seqwright_compiler::kernel::{Body, BufferId, Call, Kernel, Part, Program, Role};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::ValueId;
use seqwright_compiler::wgsl::{self, Layout, Shader};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A program ready to run.
pub struct Executable {
    device: Device,
    program: Program,
    kernels: Vec<Compiled>,
    /// How each buffer that does not change lies on the device.
    layouts: Vec<Layout>,
    /// For each buffer that does not change: where it is, in one part or several. None for others.
    fixed: Vec<Vec<wgpu::Buffer>>,
    /// For each call, its small weights one after the other, where its shader has them so.
    parameters: Vec<Option<wgpu::Buffer>>,
    buffers: Mutex<Buffers>,
    counts: Mutex<Counts>,
    fingerprint: u64,
}

/// A kernel's shader and what is made of it.
struct Compiled {
    shader: Shader,
    layout: wgpu::BindGroupLayout,
    /// For each phase, a pipeline for each entry.
    pipelines: Vec<Vec<wgpu::ComputePipeline>>,
}

/// What was done on the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pipelines compiled, since the program was.
    pub pipelines: usize,
    /// Bytes of weights on the device.
    pub weights: u64,
    /// Bytes of buffers that runs use.
    pub buffers: u64,
    /// Dispatches of the last run.
    pub dispatches: usize,
    /// Submissions of the last run.
    pub submissions: usize,
    /// Bytes that the last run sent to the device.
    pub sent: u64,
    /// Bytes that it read back.
    pub read: u64,
}

/// One dispatch.
struct Dispatch {
    call: usize,
    phase: usize,
    entry: usize,
    groups: [u32; 3],
    /// Which of the runs.
    run: usize,
}

/// Which rows, which step, and infinity, for which WGSL has no literal.
type Run = (usize, usize, usize);

/// Bytes of a run in the buffer of all runs.
const RUN: u64 = 16;

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
    /// Compiles a program for a device, with these weights (row-major in their axes' order).
    ///
    /// # Errors
    /// A weight that is not given; what the device does not allow.
    pub async fn new(
        device: Device,
        program: Program,
        model: &Model,
        weights: &BTreeMap<ValueId, &[f32]>,
    ) -> Result<Executable, RunError> {
        let given = weights.iter().map(|(id, numbers)| (*id, Given::Numbers(numbers))).collect();
        let mut counts = Counts::default();
        let memory = device.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let weight = |id: &ValueId| {
            let missing = || RunError::Batch(format!("the weight `{}` is not given", model.value(*id).path));
            weights.get(id).copied().ok_or_else(missing)
        };
        let layouts = wgsl::layouts(&program, &device.target);
        let mut fixed = Vec::new();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let made;
            let numbers: &[f32] = match &buffer.role {
                Role::Input(_) | Role::Computed { .. } | Role::Kept => {
                    fixed.push(Vec::new());
                    continue;
                }
                Role::Weight(id) => weight(id)?,
                Role::Packed(parts) => {
                    let sources = parts.iter().map(|part| weight(&part.weight)).collect::<Result<Vec<_>, _>>()?;
                    let (columns, depth, element) = packed_elements(parts, &sources);
                    let places = (0..depth).flat_map(|row| (0..columns).map(move |column| (column, row)));
                    made = places.map(|(column, row)| element(column, row)).collect::<Vec<f32>>();
                    &made
                }
                Role::Constant(id) => match &model.value(*id).kind {
                    ValueKind::Constant(numbers) => {
                        made = numbers.iter().map(|number| *number as f32).collect::<Vec<f32>>();
                        &made
                    }
                    ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Equation(_) => &[],
                },
            };
            let layout = layouts[number];
            fixed.push(upload(&device, number, &buffer.name, numbers, layout)?);
            counts.weights += (numbers.len() * layout.bytes()) as u64;
        }
        let mut kernels = Vec::new();
        for (number, kernel) in program.kernels.iter().enumerate() {
            let compiled = Compiled::new(&device, &program, number, kernel)?;
            counts.pipelines += compiled.pipelines.iter().map(Vec::len).sum::<usize>();
            kernels.push(compiled);
        }
        let mut parameters = Vec::new();
        let mut copies =
            device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("parameters") });
        for (number, call) in program.calls.iter().enumerate() {
            let own: Vec<BufferId> =
                kernels[call.kernel].shader.parameters.iter().map(|place| call.arguments[*place]).collect();
            if own.is_empty() {
                parameters.push(None);
                continue;
            }
            let bytes = |id: &BufferId| program.buffer(*id).row as u64 * 4;
            let all = create(&device, Use::Own(number), own.iter().map(bytes).sum(), "parameters")?;
            let mut next = 0;
            for id in &own {
                for (from, bytes) in parts(&fixed[id.0 as usize], layouts[id.0 as usize], bytes(id)) {
                    copies.copy_buffer_to_buffer(from, 0, &all, next, bytes);
                    next += bytes;
                }
            }
            counts.weights += next;
            parameters.push(Some(all));
        }
        device.queue.submit([copies.finish()]);
        if memory.pop().await.is_some() {
            return Err(GpuError::Memory { needed: counts.weights, adapter: device.name.clone() }.into());
        }
        device.check()?;
        Ok(Executable {
            fingerprint: fingerprint(&program, &given, Precision::F32),
            device,
            program,
            kernels,
            layouts,
            fixed,
            parameters,
            buffers: Mutex::new(Buffers::default()),
            counts: Mutex::new(counts),
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The adapter's name.
    pub fn adapter(&self) -> &str {
        &self.device.name
    }

    /// What was done on the device.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that tells this program with these weights from others, as on the CPU.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Runs a batch; gives the rows of each output, in the program's order.
    ///
    /// # Errors
    /// As on the CPU, and what the device does not allow.
    pub async fn run(&self, batch: &Batch) -> Result<Vec<Vec<f32>>, RunError> {
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
        let (results, bytes) = {
            let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = self.fill(&mut buffers, order, &runs)?;
            let commands = self.record(&buffers, order, &dispatches);
            let (results, bytes, commands) = self.read_back(&mut buffers, order, commands)?;
            self.device.queue.submit([commands.finish()]);
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.dispatches = dispatches.len();
            counts.submissions = 1;
            (counts.sent, counts.read, counts.buffers) = (sent, bytes, buffers.bytes());
            (results, bytes)
        };
        if memory.pop().await.is_some() {
            self.buffers.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let counts = self.counts();
            let needed = counts.weights + counts.buffers;
            return Err(GpuError::Memory { needed, adapter: self.device.name.clone() }.into());
        }
        let numbers = self.device.read(&results, bytes.max(4)).await?;
        let mut next = 0;
        let mut outputs = Vec::new();
        for output in &self.program.outputs {
            let count = self.numbers_of(output.buffer, rows);
            outputs.push(numbers[next..next + count].to_vec());
            next += count;
        }
        Ok(outputs)
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Everything that is dispatched, and the runs it is dispatched for.
    fn dispatches(&self, rows: &Rows, fresh: &[(usize, usize)]) -> Result<(Vec<Dispatch>, Vec<Run>), RunError> {
        let mut dispatches = Vec::new();
        let mut runs: Vec<Run> = Vec::new();
        let most = self.device.limits.max_compute_workgroups_per_dimension as usize;
        for (number, call) in self.program.calls.iter().enumerate() {
            let kernel = &self.program.kernels[call.kernel];
            let shader = &self.kernels[call.kernel].shader;
            let (steps, each) = match (shader.steps, kernel.rows) {
                (Some(each), Some(track)) => (rows.longest(track), each),
                (Some(_), None) | (None, _) => (1, 1),
            };
            for (begin, end) in self.ranges(call, rows, fresh) {
                for step in (0..steps).step_by(each) {
                    let run = (begin, end, step);
                    let place = runs.iter().rposition(|known| *known == run).unwrap_or_else(|| {
                        runs.push(run);
                        runs.len() - 1
                    });
                    for (phase, ways) in shader.phases.iter().enumerate() {
                        let entry = ways.entry(end - begin);
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
                Role::Computed { slot } => buffers.require(device, Use::Slot(*slot), bytes, &buffer.name)?,
                Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => {}
            }
        }
        for call in &self.program.calls {
            let end = self.ranges(call, rows, &order.fresh).iter().map(|(_, end)| *end).max().unwrap_or(0) as u64;
            for (place, scratch) in self.kernels[call.kernel].shader.scratch.iter().enumerate() {
                let bytes = end.saturating_mul(scratch.row as u64 * 4);
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
    fn run_bytes(&self) -> u64 {
        RUN.max(u64::from(self.device.limits.min_uniform_buffer_offset_alignment))
    }

    /// Records every dispatch.
    fn record(&self, buffers: &Buffers, order: &Order, dispatches: &[Dispatch]) -> wgpu::CommandEncoder {
        let device = &self.device.device;
        let groups: Vec<wgpu::BindGroup> = self
            .program
            .calls
            .iter()
            .enumerate()
            .map(|(number, call)| {
                let compiled = &self.kernels[call.kernel];
                let runs = wgpu::BufferBinding {
                    buffer: buffers.get(Use::Runs),
                    offset: 0,
                    size: std::num::NonZeroU64::new(RUN),
                };
                let mut resources = vec![wgpu::BindingResource::Buffer(runs)];
                resources.push(buffers.get(Use::Tables).as_entire_binding());
                let apart =
                    call.arguments.iter().enumerate().filter(|(place, _)| !compiled.shader.parameters.contains(place));
                let bound = apart.flat_map(|(_, id)| self.bound(buffers, order, *id));
                resources.extend(bound.map(wgpu::Buffer::as_entire_binding));
                resources.extend(self.parameters[number].iter().map(wgpu::Buffer::as_entire_binding));
                let scratch = (0..compiled.shader.scratch.len()).map(|place| buffers.get(Use::Scratch(place)));
                resources.extend(scratch.map(wgpu::Buffer::as_entire_binding));
                let entries: Vec<wgpu::BindGroupEntry> = resources
                    .into_iter()
                    .enumerate()
                    .map(|(binding, resource)| wgpu::BindGroupEntry { binding: binding as u32, resource })
                    .collect();
                device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some(&call.name),
                    layout: &compiled.layout,
                    entries: &entries,
                })
            })
            .collect();
        let mut commands = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("run") });
        order.first.iter().for_each(|copy| self.copy(&mut commands, buffers, order, copy));
        // Dispatches go on in one pass until something is copied. What was kept goes in front of a call's new rows even where
        // it has none: others may read it.
        let (mut rest, mut waiting) = (dispatches, 0);
        for call in 0..self.program.calls.len() {
            let [before, after] = [When::Before, When::After].map(|when| self.copies_of(order, call, when));
            if !before.is_empty() {
                self.pass(&mut commands, &groups, &mut rest, std::mem::take(&mut waiting));
                before.iter().for_each(|copy| self.copy(&mut commands, buffers, order, copy));
            }
            waiting += rest[waiting..].iter().take_while(|dispatch| dispatch.call == call).count();
            if !after.is_empty() {
                self.pass(&mut commands, &groups, &mut rest, std::mem::take(&mut waiting));
                after.iter().for_each(|copy| self.copy(&mut commands, buffers, order, copy));
            }
        }
        self.pass(&mut commands, &groups, &mut rest, waiting);
        order.after.iter().for_each(|copy| self.copy(&mut commands, buffers, order, copy));
        commands
    }

    /// Records the first of some dispatches, and leaves the others.
    fn pass(
        &self,
        commands: &mut wgpu::CommandEncoder,
        groups: &[wgpu::BindGroup],
        rest: &mut &[Dispatch],
        count: usize,
    ) {
        let (own, others) = rest.split_at(count);
        *rest = others;
        if own.is_empty() {
            return;
        }
        let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
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
    fn read_back(
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

    /// How many numbers an output has.
    fn numbers_of(&self, id: BufferId, rows: &Rows) -> usize {
        let buffer = self.program.buffer(id);
        rows.new_rows(&buffer.space).iter().map(|(_, count)| count * buffer.row).sum()
    }

    /// Where a value is: in several parts where it does not change and is large.
    fn bound<'b>(&'b self, buffers: &'b Buffers, order: &'b Order, id: BufferId) -> &'b [wgpu::Buffer] {
        if let Some(lent) = order.lent.get(&id) {
            return std::slice::from_ref(lent);
        }
        match (self.fixed[id.0 as usize].as_slice(), &self.program.buffer(id).role) {
            ([], Role::Computed { slot }) => std::slice::from_ref(buffers.get(Use::Slot(*slot))),
            ([], _) => std::slice::from_ref(buffers.get(Use::Own(id.0 as usize))),
            (fixed, _) => fixed,
        }
    }
}

/// Sends numbers that do not change, in as many parts and as wide as they lie there.
fn upload(
    device: &Device,
    number: usize,
    name: &str,
    numbers: &[f32],
    layout: Layout,
) -> Result<Vec<wgpu::Buffer>, GpuError> {
    let too_large = |number: &&f32| number.is_finite() && f16::from_f32(**number).is_infinite();
    if let Some(number) = numbers.iter().find(too_large).filter(|_| layout.half) {
        return Err(GpuError::Range { what: name.to_string(), number: number.to_string() });
    }
    let send = |part: &[f32]| {
        let buffer = create(device, Use::Own(number), (part.len() * layout.bytes()) as u64, name)?;
        if layout.half {
            let mut halves: Vec<u16> = part.iter().map(|number| f16::from_f32(*number).to_bits()).collect();
            // Whole words are sent.
            halves.resize(halves.len().next_multiple_of(2), 0);
            device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&halves));
        } else {
            device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(part));
        }
        Ok(buffer)
    };
    match numbers {
        [] => Ok(vec![send(numbers)?]),
        _ => numbers.chunks(layout.part).map(send).collect(),
    }
}

/// The parts of something that does not change, with the bytes of each, where its numbers are f32.
fn parts(parts: &[wgpu::Buffer], layout: Layout, bytes: u64) -> impl Iterator<Item = (&wgpu::Buffer, u64)> {
    let each = (layout.part as u64).saturating_mul(4);
    parts.iter().enumerate().map(move |(part, buffer)| (buffer, each.min(bytes - part as u64 * each.min(bytes))))
}

impl Compiled {
    fn new(device: &Device, program: &Program, number: usize, kernel: &Kernel) -> Result<Compiled, GpuError> {
        let shader = wgsl::emit(program, number, &device.target);
        let merged = &shader.parameters;
        let apart = || (0..kernel.arguments.len()).filter(|place| !merged.contains(place));
        let bound: usize = apart().map(|place| shader.parts[place]).sum();
        let storage = 1 + bound + usize::from(!merged.is_empty()) + shader.scratch.len();
        let most = device.limits.max_storage_buffers_per_shader_stage;
        if storage > most as usize {
            return Err(GpuError::Limit {
                what: format!("the kernel of `{}`", kernel.name),
                needed: storage as u64,
                most: u64::from(most),
                unit: "buffers in one shader",
                help: "choose an adapter that allows more (`seqc devices`), or run with `--backend cpu`",
            });
        }
        let written =
            apart().flat_map(|place| std::iter::repeat_n(kernel.arguments[place].written, shader.parts[place]));
        let merged = (!merged.is_empty()).then_some(false);
        let kinds = [false].into_iter().chain(written).chain(merged).chain(shader.scratch.iter().map(|_| true));
        let storage = kinds.map(|written| wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: !written },
            has_dynamic_offset: false,
            min_binding_size: None,
        });
        let run = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: true,
            min_binding_size: std::num::NonZeroU64::new(RUN),
        };
        let entries: Vec<wgpu::BindGroupLayoutEntry> = [run]
            .into_iter()
            .chain(storage)
            .enumerate()
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty,
                count: None,
            })
            .collect();
        let layout = device.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&kernel.name),
            entries: &entries,
        });
        let module = device.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&kernel.name),
            source: wgpu::ShaderSource::Wgsl(shader.text.as_str().into()),
        });
        let pipeline_layout = device.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&kernel.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = |entry: &wgsl::Entry| {
            device.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&entry.name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(&entry.name),
                // Every array is written before it is read.
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..wgpu::PipelineCompilationOptions::default()
                },
                cache: None,
            })
        };
        let pipelines = shader.phases.iter().map(|phase| phase.entries.iter().map(pipeline).collect()).collect();
        Ok(Compiled { shader, layout, pipelines })
    }
}
