//! A program for a device: pipelines and weights are made once, and stay as they are.

use super::buffers::{Buffers, Use, create};
use super::clock::Clock;
use super::{Device, GpuError};
use crate::execute::{Observer, RunError};
use crate::fingerprint::fingerprint;
use crate::matrix::packed_elements;
use crate::tiles::Precision;
use crate::weights::{Given, Numbers};
use half::f16;
use seqwright_compiler::kernel::{BufferId, Kernel, Program, Role};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::ValueId;
use seqwright_compiler::wgsl::{self, Layout, Shader};
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A program ready to run.
pub struct Executable {
    pub(super) device: Device,
    pub(super) program: Program,
    pub(super) kernels: Vec<Compiled>,
    /// How each buffer that does not change lies on the device.
    pub(super) layouts: Vec<Layout>,
    /// For each buffer that does not change: where it is, in one part or several. None for others.
    pub(super) fixed: Vec<Vec<wgpu::Buffer>>,
    /// For each call, its small weights one after the other, where its shader has them so.
    pub(super) parameters: Vec<Option<wgpu::Buffer>>,
    pub(super) buffers: Mutex<Buffers>,
    pub(super) counts: Mutex<Counts>,
    pub(super) clock: OnceLock<Clock>,
    fingerprint: u64,
}

/// A kernel's shader and what is made of it.
pub(super) struct Compiled {
    pub(super) shader: Shader,
    pub(super) layout: wgpu::BindGroupLayout,
    /// For each phase, a pipeline for each entry.
    pub(super) pipelines: Vec<Vec<wgpu::ComputePipeline>>,
}

/// What was done on the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pipelines compiled, since the program was.
    pub pipelines: usize,
    /// Bind groups made by all runs together: a run makes none where its buffers are those of the run before.
    pub bind_groups: usize,
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

/// Bytes of a run in the buffer of all runs.
pub(super) const RUN: u64 = 16;

impl Executable {
    /// Compiles a program for a device, with these weights (row-major in their axes' order).
    ///
    /// # Errors
    /// A weight that is not given; what the device does not allow.
    pub async fn new(
        device: Device,
        program: Program,
        model: &Model,
        weights: &BTreeMap<ValueId, &Numbers>,
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
                    let sources = parts.iter().map(|part| Ok(&**weight(&part.weight)?));
                    let sources = sources.collect::<Result<Vec<&[f32]>, RunError>>()?;
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
            if let Role::Packed(_) = &buffer.role
                && device.target.cooperative.is_some_and(|own| own.half)
            {
                fits_half(&buffer.name, numbers)?;
            }
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
            clock: OnceLock::new(),
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Has every call of a kernel observed from now on, each in a pass of its own; false where the device has no clock. There
    /// is one observer at most: a later one is not told anything.
    pub fn observe(&self, observer: Observer) -> bool {
        match Clock::new(&self.device, self.program.calls.len(), observer) {
            Some(clock) => {
                let _ = self.clock.set(clock);
                true
            }
            None => false,
        }
    }

    /// By the number of a buffer, how many bytes fewer its weights take than in 32-bit floats.
    pub fn fewer_bytes(&self) -> BTreeMap<u32, usize> {
        let halves = self.layouts.iter().enumerate().filter(|(_, layout)| layout.half);
        halves.map(|(number, _)| (number as u32, 2 * self.program.buffers[number].row)).collect()
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

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Lets go of bind groups, and so of buffers that were lent to runs.
    pub(super) fn forget_groups(&self) {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).forget_groups();
    }
}

/// Whether f16 has room for all numbers.
fn fits_half(name: &str, numbers: &[f32]) -> Result<(), GpuError> {
    let too_large = |number: &&f32| number.is_finite() && f16::from_f32(**number).is_infinite();
    match numbers.iter().find(too_large) {
        None => Ok(()),
        Some(number) => Err(GpuError::Range { what: name.to_string(), number: number.to_string() }),
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
    if layout.half {
        fits_half(name, numbers)?;
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
pub(super) fn parts(parts: &[wgpu::Buffer], layout: Layout, bytes: u64) -> impl Iterator<Item = (&wgpu::Buffer, u64)> {
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
