//! An open device: what it allows, whether it is still there, and how to wait for it.

use super::{Adapter, GpuError};
use seqwright_compiler::wgsl::Target;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// How weights are stored on a device. What is computed with them is f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// As they are computed with.
    #[default]
    F32,
    /// Those of products and tables in half the memory, rounded to 11 bits.
    F16,
}

/// What cooperative matrices multiply. Their sums are f32 either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factors {
    /// Numbers as they are.
    F32,
    /// Numbers rounded to 11 bits, those of inputs too; the largest is 65504.
    F16,
}

/// An adapter, and how it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Its number among [`adapters`](super::adapters()).
    pub adapter: usize,
    /// How weights are stored.
    pub weights: Storage,
    /// What products of many rows multiply by cooperative matrices; none where invocations multiply alone.
    pub cooperative: Option<Factors>,
}

/// A device.
pub struct Device {
    /// The adapter's name.
    pub name: String,
    /// What shaders are emitted for: all that the device has, unless someone makes do with less.
    pub target: Target,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    /// Whether it has a clock of its own.
    pub(super) has_timestamps: bool,
    pub(super) limits: wgpu::Limits,
    failed: Arc<Mutex<Option<String>>>,
}

/// Whether mapping a buffer is done, and who waits for it.
#[derive(Default)]
struct Mapping {
    done: Option<Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

impl Device {
    /// Opens an adapter's device, with all that the adapter allows; of a choice, what is not the adapter's number.
    ///
    /// # Errors
    /// The adapter gives none, or has no 16-bit numbers or cooperative matrices where they are asked for.
    pub async fn open(adapter: &Adapter, choice: Choice) -> Result<Device, GpuError> {
        let limits = adapter.inner.limits();
        let has = adapter.inner.features();
        let subgroups = has & wgpu::Features::SUBGROUP;
        let timestamps = has & wgpu::Features::TIMESTAMP_QUERY;
        let mut f16 = match choice.weights {
            Storage::F32 => wgpu::Features::empty(),
            Storage::F16 if has.contains(wgpu::Features::SHADER_F16) => wgpu::Features::SHADER_F16,
            Storage::F16 => return Err(GpuError::NoHalf { adapter: adapter.name.clone() }),
        };
        let cooperative = choice.cooperative.map(|factors| adapter.cooperative(factors)).transpose()?;
        let stored_f16 = !f16.is_empty();
        let (mut matrices, mut experiments) = (wgpu::Features::empty(), wgpu::ExperimentalFeatures::disabled());
        if let Some(own) = cooperative {
            matrices = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
            f16.set(wgpu::Features::SHADER_F16, stored_f16 || own.half);
            // SAFETY: wgpu's experiments may have undefined behaviour where they are used wrongly. They are used where
            // someone asked for them alone, in shaders that naga validated, whose matrices lie within workgroup memory.
            experiments = unsafe { wgpu::ExperimentalFeatures::enabled() };
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("seqwright"),
            required_features: subgroups | timestamps | f16 | matrices,
            required_limits: limits.clone(),
            experimental_features: experiments,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = adapter
            .inner
            .request_device(&descriptor)
            .await
            .map_err(|why| GpuError::NoDevice { adapter: adapter.name.clone(), why: why.to_string() })?;
        let failed = Arc::new(Mutex::new(None));
        let (of_loss, of_error) = (Arc::clone(&failed), Arc::clone(&failed));
        device.set_device_lost_callback(move |_, why| {
            of_loss.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        });
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            of_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.to_string());
        }));
        let target = Target {
            workgroup_bytes: limits.max_compute_workgroup_storage_size as usize,
            invocations: (limits.max_compute_invocations_per_workgroup as usize).min(Target::default().invocations),
            buffers: limits.max_storage_buffers_per_shader_stage as usize,
            subgroups: !subgroups.is_empty(),
            f16: stored_f16,
            cooperative,
            largest_binding: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size) as usize,
        };
        let (name, has_timestamps) = (adapter.name.clone(), !timestamps.is_empty());
        Ok(Device { name, target, device, queue, has_timestamps, limits, failed })
    }

    /// What went wrong since the device was opened.
    ///
    /// # Errors
    /// The device is lost, or refused something.
    pub(crate) fn check(&self) -> Result<(), GpuError> {
        match &*self.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(why) => Err(GpuError::Lost { adapter: self.name.clone(), why: why.clone() }),
        }
    }

    /// Waits until all that was submitted is done. In a browser this does nothing: futures are woken there.
    ///
    /// # Errors
    /// The device is lost.
    pub(crate) fn wait(&self) -> Result<(), GpuError> {
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        self.check()?;
        polled.map_err(|why| self.lost(&why)).map(|_| ())
    }

    fn lost(&self, why: &dyn std::fmt::Display) -> GpuError {
        GpuError::Lost { adapter: self.name.clone(), why: why.to_string() }
    }

    /// The numbers in a buffer's first bytes, once all that was submitted is done.
    ///
    /// # Errors
    /// The device is lost.
    pub(super) async fn read<N: bytemuck::AnyBitPattern>(
        &self,
        buffer: &wgpu::Buffer,
        bytes: u64,
    ) -> Result<Vec<N>, GpuError> {
        let mapping = Arc::new(Mutex::new(Mapping::default()));
        let of_callback = Arc::clone(&mapping);
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            let mut mapping = of_callback.lock().unwrap_or_else(PoisonError::into_inner);
            mapping.done = Some(result);
            if let Some(waker) = mapping.waker.take() {
                waker.wake();
            }
        });
        self.wait()?;
        std::future::poll_fn(|context| {
            let mut mapping = mapping.lock().unwrap_or_else(PoisonError::into_inner);
            match mapping.done.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    mapping.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
        .map_err(|why| self.lost(&why))?;
        let view = buffer.get_mapped_range(..bytes).map_err(|why| self.lost(&why))?;
        let numbers = view.chunks_exact(size_of::<N>()).map(bytemuck::pod_read_unaligned).collect();
        drop(view);
        buffer.unmap();
        Ok(numbers)
    }
}
