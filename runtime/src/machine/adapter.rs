//! Measures what an adapter can do: multiply-adds that stay in registers, and sums over buffers of several sizes.
//!
//! Nobody says how large a GPU's caches are. So reads are timed for buffers from small to large, and what fits a size is taken
//! to be read as fast as that; what is larger than all of them is read as fast as the largest. Each dispatch takes as many turns
//! as make it long enough to be timed, and of several the best counts. Times are the device's own where it has timestamps, else
//! those of a submission until it is done.

use super::{Level, Limits};
use crate::gpu::{Adapter, Choice, Clock, Device, GpuError};
use std::time::{Duration, Instant};

/// How long a dispatch takes at least. Drivers end those of some seconds.
const TRIAL: Duration = Duration::from_millis(12);
/// How many trials there are.
const TRIALS: usize = 6;
/// The most turns of a dispatch.
const MOST_TURNS: u32 = 1 << 22;

/// Invocations of a workgroup.
const INVOCATIONS: u32 = 256;
/// Workgroups: enough for the largest GPUs.
const WORKGROUPS: u32 = 1024;
/// Vectors of four sums that an invocation has.
const SUMS: u32 = 8;
/// Bytes of a vector of four.
const VECTOR: u64 = 16;

/// The sizes of buffers that are read, smallest first: powers of two.
const SIZES: [u64; 3] = [1 << 20, 16 << 20, 256 << 20];

/// By name, smallest first: how many bytes are read as fast as what.
pub(super) fn rooms(adapter: &Adapter) -> Vec<(String, f64)> {
    let sizes = sizes(adapter);
    let named = |(place, size): (usize, &u64)| match place + 1 == sizes.len() {
        true => ("memory".to_string(), f64::INFINITY),
        false => (format!("{} MiB", size >> 20), *size as f64),
    };
    sizes.iter().enumerate().map(named).collect()
}

/// Those sizes that the adapter has room for, and at least the largest that it has.
fn sizes(adapter: &Adapter) -> Vec<u64> {
    let most = adapter.largest_binding().min(adapter.largest_buffer()).max(1);
    let largest = 1 << most.ilog2();
    let mut sizes: Vec<u64> = SIZES.into_iter().map(|size| size.min(largest)).collect();
    sizes.dedup();
    sizes
}

/// Measures all limits of an adapter.
///
/// # Errors
/// It gives no device, or less memory than it says, or is lost.
pub(super) async fn limits(adapter: &Adapter) -> Result<Limits, GpuError> {
    let device = Device::open(adapter, Choice::default()).await?;
    let operations = f64::from(2 * 4 * SUMS) * f64::from(INVOCATIONS * WORKGROUPS);
    let arithmetic = Work::new(&device, "multiply_adds", VECTOR)?.best(operations).await?;
    let mut levels = Vec::new();
    for ((name, room), size) in rooms(adapter).into_iter().zip(sizes(adapter)) {
        let read = (VECTOR * u64::from(INVOCATIONS * WORKGROUPS)) as f64;
        levels.push(Level { name, room, reads: Work::new(&device, "reads", size)?.best(read).await? });
    }
    Ok(Limits { arithmetic, levels })
}

/// What is timed: so many turns of a loop, in every invocation.
struct Work<'d> {
    device: &'d Device,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    turns: wgpu::Buffer,
    clock: Option<Clock>,
}

/// The loops. Their results are written, so that no compiler leaves the loops out.
const SHADER: &str = include_str!("adapter.wgsl");

impl<'d> Work<'d> {
    /// An entry point of the shader, over a buffer of so many bytes.
    fn new(device: &'d Device, entry: &str, bytes: u64) -> Result<Work<'d>, GpuError> {
        let own = &device.device;
        let constants =
            [("vectors", (bytes / VECTOR) as f64), ("stride", f64::from(INVOCATIONS * WORKGROUPS)), ("factor", 0.999)];
        let module = own.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("measure"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let pipeline = own.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        });
        let buffer = |label, size, usage| {
            let usage = usage | wgpu::BufferUsages::COPY_DST;
            own.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        let turns = buffer("turns", 16, wgpu::BufferUsages::UNIFORM);
        let numbers = buffer("numbers", bytes, wgpu::BufferUsages::STORAGE);
        let sums = buffer("sums", u64::from(INVOCATIONS * WORKGROUPS) * 4, wgpu::BufferUsages::STORAGE);
        let bound = [&turns, &numbers, &sums].into_iter().enumerate();
        let entries: Vec<wgpu::BindGroupEntry> = bound
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = own.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(entry),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        device.check()?;
        let clock = Clock::new(device, 1, Box::new(|_, _| ()));
        Ok(Work { device, pipeline, group, turns, clock })
    }

    /// In 10⁹ a second, the most that a dispatch did, where a turn does so much.
    async fn best(&self, of_a_turn: f64) -> Result<f64, GpuError> {
        let mut turns = 1;
        while turns < MOST_TURNS && self.time(turns).await? < TRIAL {
            turns *= 2;
        }
        let mut best = 0f64;
        for _ in 0..TRIALS {
            let seconds = self.time(turns).await?.as_secs_f64();
            best = best.max(of_a_turn * f64::from(turns) / seconds.max(1e-9) / 1e9);
        }
        Ok(best)
    }

    /// How long a dispatch of so many turns takes.
    async fn time(&self, turns: u32) -> Result<Duration, GpuError> {
        let Device { device, queue, .. } = self.device;
        queue.write_buffer(&self.turns, 0, &turns.to_le_bytes());
        let mut commands = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let timestamp_writes = self.clock.as_ref().map(|clock| clock.around(0));
            let mut pass =
                commands.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("measure"), timestamp_writes });
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.group, &[]);
            pass.dispatch_workgroups(WORKGROUPS, 1, 1);
        }
        if let Some(clock) = &self.clock {
            clock.resolve(&mut commands, 1);
        }
        let start = Instant::now();
        queue.submit([commands.finish()]);
        match &self.clock {
            Some(clock) => Ok(clock.read(self.device, 1).await?[0]),
            None => {
                self.device.wait()?;
                Ok(start.elapsed())
            }
        }
    }
}
