//! Adapters: all that the system has, the likeliest first, and the one that is meant.

use super::{Factors, GpuError};
use seqwright_compiler::wgsl::{Cooperative, CooperativeSize};
use std::fmt;

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

/// Cooperative matrices that an adapter multiplies: `rows x depth` by `depth x columns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrices {
    /// Rows of the first factor, and of the sum.
    pub rows: u32,
    /// Columns of the second factor, and of the sum.
    pub columns: u32,
    /// Columns of the first factor, rows of the second.
    pub depth: u32,
    /// What factors are: `f32`, `f16`, `i32` or `u32`.
    pub factors: &'static str,
    /// What sums are.
    pub sums: &'static str,
}

impl fmt::Display for Matrices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Matrices { rows, columns, depth, factors, sums } = self;
        write!(f, "{rows}x{columns}x{depth} of {factors} with sums of {sums}")
    }
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

    /// Invocations of a subgroup at most.
    pub fn largest_subgroup(&self) -> u32 {
        self.inner.get_info().subgroup_max_size
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

    /// Cooperative matrices, those that kernels have a use for and others.
    pub fn matrices(&self) -> Vec<Matrices> {
        let name = |kind| match kind {
            wgpu::CooperativeScalarType::F32 => "f32",
            wgpu::CooperativeScalarType::F16 => "f16",
            wgpu::CooperativeScalarType::I32 => "i32",
            wgpu::CooperativeScalarType::U32 => "u32",
        };
        let all = self.inner.cooperative_matrix_properties().into_iter().map(|own| Matrices {
            rows: own.m_size,
            columns: own.n_size,
            depth: own.k_size,
            factors: name(own.ab_type),
            sums: name(own.cr_type),
        });
        let mut found: Vec<Matrices> = Vec::new();
        for own in all {
            // Drivers say the same twice where they can saturate sums.
            if !found.contains(&own) {
                found.push(own);
            }
        }
        found
    }

    /// The cooperative matrices that shaders use to multiply such factors: the largest.
    ///
    /// # Errors
    /// The adapter has none, or has not what else they need.
    pub(super) fn cooperative(&self, factors: Factors) -> Result<Cooperative, GpuError> {
        let (wanted, half) = match factors {
            Factors::F32 => ("f32", false),
            Factors::F16 => ("f16", true),
        };
        let found = self.matrices();
        let refused = || GpuError::NoCooperative {
            adapter: self.name.clone(),
            wanted,
            found: found.iter().map(Matrices::to_string).collect(),
        };
        let size = largest(&found, wanted).ok_or_else(refused)?;
        let mut needed = vec![
            (wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "EXPERIMENTAL_COOPERATIVE_MATRIX"),
            (wgpu::Features::SUBGROUP, "SUBGROUP"),
        ];
        needed.extend(half.then_some((wgpu::Features::SHADER_F16, "SHADER_F16")));
        let features = self.inner.features();
        if let Some((_, feature)) = needed.into_iter().find(|(feature, _)| !features.contains(*feature)) {
            return Err(GpuError::NoFeature { adapter: self.name.clone(), what: "cooperative matrices", feature });
        }
        let subgroup = self.largest_subgroup() as usize;
        let own = Cooperative { size, half, subgroup, spelt_out: false };
        let (needed, most) = (own.workgroup_bytes() as u64, u64::from(self.workgroup_bytes()));
        if needed > most {
            return Err(GpuError::Limit {
                what: "a tile of cooperative matrices".to_string(),
                needed,
                most,
                unit: "bytes of workgroup memory",
                help: COOPERATIVE_HELP,
            });
        }
        Ok(own)
    }
}

/// What to do where an adapter does not have what cooperative matrices need.
pub(super) const COOPERATIVE_HELP: &str = "choose an adapter that has them (`seqc devices` lists sizes and types), try the \
    other factors (`f32` or `f16`), or leave `--cooperative-matrices` out";

/// The size of the largest matrices of such factors with sums of f32 that WGSL has a type for.
fn largest(found: &[Matrices], factors: &'static str) -> Option<CooperativeSize> {
    let has = |size: &CooperativeSize| {
        let number = size.number() as u32;
        found.contains(&Matrices { rows: number, columns: number, depth: number, factors, sums: "f32" })
    };
    [CooperativeSize::Sixteen, CooperativeSize::Eight].into_iter().find(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrices(rows: u32, columns: u32, depth: u32, factors: &'static str, sums: &'static str) -> Matrices {
        Matrices { rows, columns, depth, factors, sums }
    }

    /// The largest square ones with sums of f32 are used, and no others.
    #[test]
    fn matrices_are_chosen_by_size_and_type() {
        let found = [
            matrices(16, 8, 16, "f16", "f32"),
            matrices(16, 16, 16, "f16", "f16"),
            matrices(8, 8, 8, "f32", "f32"),
            matrices(8, 8, 8, "f16", "f32"),
        ];
        assert_eq!(largest(&found, "f32"), Some(CooperativeSize::Eight));
        assert_eq!(largest(&found, "f16"), Some(CooperativeSize::Eight));
        let more = [&found[..], &[matrices(16, 16, 16, "f16", "f32")]].concat();
        assert_eq!(largest(&more, "f16"), Some(CooperativeSize::Sixteen));
        assert_eq!(largest(&found[..2], "f16"), None);
        assert_eq!(largest(&found[..2], "f32"), None);
    }
}
