//! What can be wrong with a GPU: what was needed, what there is, and what to do.

use super::adapter::COOPERATIVE_HELP;
use crate::execute::RunError;
use std::fmt;

/// Why something could not be done on a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuError {
    /// There is no adapter, or none that was meant.
    NoAdapter {
        /// What was asked for.
        wanted: Option<String>,
        /// Those that there are.
        found: Vec<String>,
    },
    /// An adapter gives no device.
    NoDevice {
        /// The adapter.
        adapter: String,
        /// What it says.
        why: String,
    },
    /// Weights are to be stored as f16, which the adapter does not have.
    NoHalf {
        /// The adapter.
        adapter: String,
    },
    /// Cooperative matrices are to be used, which the adapter does not have, or not of that type.
    NoCooperative {
        /// The adapter.
        adapter: String,
        /// What they are to multiply.
        wanted: &'static str,
        /// Those that it has.
        found: Vec<String>,
    },
    /// Something needs a feature that the adapter does not have.
    NoFeature {
        /// The adapter.
        adapter: String,
        /// What needs it.
        what: &'static str,
        /// The feature, as wgpu calls it.
        feature: &'static str,
    },
    /// A weight is to be stored, or multiplied, as f16, and is too large for it.
    Range {
        /// The weight.
        what: String,
        /// Its number.
        number: String,
    },
    /// Something is larger than the adapter allows.
    Limit {
        /// What.
        what: String,
        /// How large it is, and in what.
        needed: u64,
        /// How large it may be.
        most: u64,
        /// What is counted.
        unit: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// The device has too little memory.
    Memory {
        /// Bytes that were asked for, all in all.
        needed: u64,
        /// The adapter.
        adapter: String,
    },
    /// The device is gone, or does not do what it should.
    Lost {
        /// The adapter.
        adapter: String,
        /// What it says.
        why: String,
    },
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GpuError::NoAdapter { wanted: None, found } if found.is_empty() => {
                write!(f, "no GPU was found: wanted is a driver for Vulkan, Metal or Direct3D 12")
            }
            GpuError::NoAdapter { wanted: None, found } => write!(f, "no adapter is meant of {}", found.join(", ")),
            GpuError::NoAdapter { wanted: Some(wanted), found } if found.is_empty() => {
                write!(f, "there is no adapter `{wanted}`: no GPU was found at all")
            }
            GpuError::NoAdapter { wanted: Some(wanted), found } => {
                write!(f, "`{wanted}` is not one adapter of those there are: {}", found.join(", "))
            }
            GpuError::NoDevice { adapter, why } => write!(f, "the adapter {adapter} gives no device: {why}"),
            GpuError::NoHalf { adapter } => {
                write!(
                    f,
                    "weights as f16 need the feature `f16` (SHADER_F16), which the adapter {adapter} does not have"
                )
            }
            GpuError::NoCooperative { adapter, wanted, found } => {
                let found = if found.is_empty() { "none".to_string() } else { found.join(", ") };
                write!(
                    f,
                    "cooperative matrices of {wanted} are wanted, 8x8x8 or 16x16x16 with sums of f32; the adapter {adapter} \
                     has {found}"
                )
            }
            GpuError::NoFeature { adapter, what, feature } => {
                write!(f, "{what} need the feature {feature}, which the adapter {adapter} does not have")
            }
            GpuError::Range { what, number } => {
                write!(f, "`{what}` has the number {number}, and the largest that f16 has is 65504")
            }
            GpuError::Limit { what, needed, most, unit, .. } => {
                write!(f, "{what} needs {needed} {unit}, the adapter allows {most}")
            }
            GpuError::Memory { needed, adapter } => {
                write!(f, "the adapter {adapter} has no memory for {} MiB of weights and values", needed >> 20)
            }
            GpuError::Lost { adapter, why } => write!(f, "the device {adapter} failed: {why}"),
        }
    }
}

impl GpuError {
    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            GpuError::NoAdapter { wanted: None, .. } => {
                "install a driver (on Debian, mesa-vulkan-drivers has one that needs no GPU), or run with `--backend cpu`"
            }
            GpuError::NoAdapter { wanted: Some(_), .. } => "`seqc devices` lists adapters with their numbers",
            GpuError::NoDevice { .. } => "choose another with `--adapter`, or run with `--backend cpu`",
            GpuError::NoHalf { .. } => {
                "choose an adapter that has it (`seqc devices` lists features), or leave `--gpu-weights` out"
            }
            GpuError::NoCooperative { .. } | GpuError::NoFeature { .. } => COOPERATIVE_HELP,
            GpuError::Range { .. } => {
                "leave out what asks for f16, `--gpu-weights` or `--cooperative-matrices`: weights are f32 then"
            }
            GpuError::Limit { help, .. } => help,
            GpuError::Memory { .. } => "run fewer or shorter sequences at once, or run with `--backend cpu`",
            GpuError::Lost { .. } => {
                "run again; if it fails again, run with `--backend cpu` and look for a newer driver"
            }
        }
    }
}

impl From<GpuError> for RunError {
    fn from(error: GpuError) -> RunError {
        RunError::Device { message: error.to_string(), help: error.help().to_string() }
    }
}
