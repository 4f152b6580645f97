//! Adapters: all that the system has, the likeliest first, and the one that is meant.

use super::GpuError;

/// An adapter.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its name, as its driver says it.
    pub name: String,
    /// What it is: `discrete GPU`, `software`, ….
    pub kind: &'static str,
    /// How it is reached: `vulkan`, `metal`, ….
    pub interface: String,
    /// Its driver and the driver's version.
    pub driver: String,
    pub(super) inner: wgpu::Adapter,
}

/// All adapters: discrete GPUs first, software last.
pub async fn adapters() -> Vec<Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    // Shaders are validated where they are emitted; a driver's own layers are left to whoever looks for its mistakes.
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let mut found: Vec<wgpu::Adapter> = instance.enumerate_adapters(wgpu::Backends::all()).await;
    found.sort_by_key(|adapter| order(adapter.get_info().device_type));
    let adapter = |inner: wgpu::Adapter| {
        let info = inner.get_info();
        Adapter {
            kind: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => "discrete GPU",
                wgpu::DeviceType::IntegratedGpu => "integrated GPU",
                wgpu::DeviceType::VirtualGpu => "virtual GPU",
                wgpu::DeviceType::Cpu => "software",
                wgpu::DeviceType::Other => "unknown kind",
            },
            interface: info.backend.to_string(),
            driver: [info.driver, info.driver_info].join(" ").trim().to_string(),
            name: info.name,
            inner,
        }
    };
    found.into_iter().map(adapter).collect()
}

fn order(kind: wgpu::DeviceType) -> usize {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

/// The place of the adapter that is meant by a number or a part of its name, or of the first.
///
/// # Errors
/// There is none, or there are several.
pub fn choose(adapters: &[Adapter], wanted: Option<&str>) -> Result<usize, GpuError> {
    let found = || adapters.iter().enumerate().map(|(number, adapter)| format!("{number}: {}", adapter.name)).collect();
    let refused = || GpuError::NoAdapter { wanted: wanted.map(str::to_string), found: found() };
    let Some(wanted) = wanted else {
        return if adapters.is_empty() { Err(refused()) } else { Ok(0) };
    };
    if let Ok(number) = wanted.parse::<usize>() {
        return if number < adapters.len() { Ok(number) } else { Err(refused()) };
    }
    let like = |adapter: &Adapter| adapter.name.to_lowercase().contains(&wanted.to_lowercase());
    let fits: Vec<usize> = (0..adapters.len()).filter(|place| like(&adapters[*place])).collect();
    match fits.as_slice() {
        [only] => Ok(*only),
        _ => Err(refused()),
    }
}

impl Adapter {
    /// Bytes of the largest buffer that a shader can read.
    pub fn largest_binding(&self) -> u64 {
        self.inner.limits().max_storage_buffer_binding_size
    }

    /// Bytes of the largest buffer.
    pub fn largest_buffer(&self) -> u64 {
        self.inner.limits().max_buffer_size
    }

    /// Buffers that a shader can use.
    pub fn bindings(&self) -> u32 {
        self.inner.limits().max_storage_buffers_per_shader_stage
    }

    /// Bytes of workgroup memory.
    pub fn workgroup_bytes(&self) -> u32 {
        self.inner.limits().max_compute_workgroup_storage_size
    }

    /// Invocations of a workgroup.
    pub fn invocations(&self) -> u32 {
        self.inner.limits().max_compute_invocations_per_workgroup
    }

    /// Features that matter to kernels, by name.
    pub fn features(&self) -> Vec<&'static str> {
        let features = self.inner.features();
        let all = [
            (wgpu::Features::SUBGROUP, "subgroups"),
            (wgpu::Features::SHADER_F16, "f16"),
            (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
            (wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "cooperative matrices"),
        ];
        all.into_iter().filter(|(feature, _)| features.contains(*feature)).map(|(_, name)| name).collect()
    }
}
