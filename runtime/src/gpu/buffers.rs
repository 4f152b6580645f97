//! The buffers of runs: made when a run first needs them or more of them, and used again by the next; and the bind groups
//! that calls reach them by, which stay as long as their buffers do.

use super::{Device, GpuError};
use std::collections::HashMap;

/// What a buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// Values whose lives do not overlap.
    Slot(usize),
    /// An input: the buffer's number.
    Own(usize),
    /// A short-lived array of a kernel: which of them. Kernels run one after the other, so they share these.
    Scratch(usize),
    /// The run's tables.
    Tables,
    /// Which rows and steps dispatches are for.
    Runs,
    /// Results on their way back.
    Results,
}

/// Buffers by use.
#[derive(Default)]
pub(super) struct Buffers {
    all: HashMap<Use, wgpu::Buffer>,
    /// By the calls' numbers.
    groups: HashMap<usize, Group>,
    /// Bind groups that were made, all in all.
    groups_made: usize,
}

/// A bind group, and the buffers in it.
struct Group {
    buffers: Vec<wgpu::Buffer>,
    group: wgpu::BindGroup,
}

impl Buffers {
    /// Makes sure of a buffer of so many bytes at least.
    ///
    /// # Errors
    /// It would be larger than the device allows.
    pub fn require(&mut self, device: &Device, purpose: Use, bytes: u64, what: &str) -> Result<(), GpuError> {
        let bytes = bytes.max(16).next_multiple_of(4);
        if self.all.get(&purpose).is_some_and(|buffer| buffer.size() >= bytes) {
            return Ok(());
        }
        // Groups hold on to their buffers: the old one goes before the new one comes.
        if self.all.remove(&purpose).is_some() && purpose != Use::Results {
            self.forget_groups();
        }
        self.all.insert(purpose, create(device, purpose, bytes, what)?);
        Ok(())
    }

    /// A buffer that was made sure of.
    pub fn get(&self, purpose: Use) -> &wgpu::Buffer {
        self.all.get(&purpose).expect("a run makes sure of its buffers first")
    }

    /// The bind group of a call for these buffers: the one that there is, or a new one.
    pub fn group(
        &mut self,
        call: usize,
        buffers: Vec<wgpu::Buffer>,
        make: impl FnOnce(&[wgpu::Buffer]) -> wgpu::BindGroup,
    ) -> wgpu::BindGroup {
        if let Some(known) = self.groups.get(&call).filter(|known| known.buffers == buffers) {
            return known.group.clone();
        }
        let group = make(&buffers);
        self.groups_made += 1;
        self.groups.insert(call, Group { buffers, group: group.clone() });
        group
    }

    /// Lets go of bind groups, and so of buffers that nothing else has.
    pub fn forget_groups(&mut self) {
        self.groups.clear();
    }

    /// Bind groups that were made, all in all.
    pub fn groups_made(&self) -> usize {
        self.groups_made
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> u64 {
        self.all.values().map(wgpu::Buffer::size).sum()
    }

    /// Lets all of them go.
    pub fn clear(&mut self) {
        self.forget_groups();
        self.all.clear();
    }
}

/// A buffer of its own.
///
/// # Errors
/// It would be larger than the device allows.
pub(super) fn create(device: &Device, purpose: Use, bytes: u64, what: &str) -> Result<wgpu::Buffer, GpuError> {
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
    let (usage, most) = match purpose {
        Use::Slot(_) | Use::Own(_) | Use::Scratch(_) | Use::Tables => {
            (storage, device.limits.max_storage_buffer_binding_size.min(device.limits.max_buffer_size))
        }
        Use::Runs => (wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST, device.limits.max_buffer_size),
        Use::Results => (wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST, device.limits.max_buffer_size),
    };
    let bytes = bytes.max(16).next_multiple_of(4);
    // Places in a buffer are 32-bit numbers in shaders.
    let most = most.min(i32::MAX as u64 * 4);
    if bytes > most {
        return Err(GpuError::Limit {
            what: format!("`{what}`"),
            needed: bytes,
            most,
            unit: "bytes in one buffer",
            help: "run fewer or shorter sequences at once, choose an adapter that allows more (`seqc devices`), or run \
                   with `--backend cpu`",
        });
    }
    Ok(device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(what),
        size: bytes,
        usage,
        mapped_at_creation: false,
    }))
}
