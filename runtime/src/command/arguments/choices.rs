//! What options choose among, by name.

use crate::tiles::{ActivationPrecision, Instructions, WeightPrecision};
use clap::ValueEnum;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Where a terminal shows them.
    #[value(help = None)]
    Auto,
    /// Even into files.
    #[value(help = None)]
    Always,
    /// Nowhere.
    #[value(help = None)]
    Never,
}

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// Machine code for this processor.
    #[value(help = None)]
    Cpu,
    /// Compute shaders.
    #[value(help = None)]
    Gpu,
    /// A GPU if there is one, else the processor.
    #[value(help = None)]
    Auto,
    /// The meaning of every equation, in float64.
    #[value(help = None)]
    Interpreter,
}

/// How products keep the weights that they multiply with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightsName {
    /// 32-bit floats.
    #[value(help = None)]
    F32,
    /// Their upper 16 bits.
    #[value(help = None)]
    Bf16,
    /// Blocks of 32 numbers of 8 bits with a scale.
    #[value(help = None)]
    Q8,
    /// Blocks of 32 numbers of 4 bits with a scale and a minimum.
    #[value(help = None)]
    Q4,
}

impl WeightsName {
    /// The precision of that name.
    pub fn precision(self) -> WeightPrecision {
        match self {
            WeightsName::F32 => WeightPrecision::F32,
            WeightsName::Bf16 => WeightPrecision::Bf16,
            WeightsName::Q8 => WeightPrecision::Q8,
            WeightsName::Q4 => WeightPrecision::Q4,
        }
    }
}

/// What rows are rounded to that are multiplied with weights in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ActivationsName {
    /// 16 bits each.
    #[value(name = "16", help = None)]
    Sixteen,
    /// 8 bits each.
    #[value(name = "8", help = None)]
    Eight,
}

impl ActivationsName {
    /// The precision of that name.
    pub fn precision(self) -> ActivationPrecision {
        match self {
            ActivationsName::Sixteen => ActivationPrecision::Sixteen,
            ActivationsName::Eight => ActivationPrecision::Eight,
        }
    }
}

/// Floats on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FloatsName {
    /// 32 bits each.
    #[value(help = None)]
    F32,
    /// 16 bits each.
    #[value(help = None)]
    F16,
}

/// How positions of a stream are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StreamFormat {
    /// A line of JSON each.
    #[value(help = None)]
    Json,
    /// 32-bit floats, the low byte first.
    #[value(help = None)]
    F32,
}

/// Instructions by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InstructionsName {
    /// AVX-512.
    #[value(help = None)]
    Avx512,
    /// AVX2 with FMA.
    #[value(help = None)]
    Avx2,
    /// What the code generator emits.
    #[value(help = None)]
    Emitted,
}

impl InstructionsName {
    /// The instructions of that name.
    pub fn instructions(self) -> Instructions {
        match self {
            InstructionsName::Avx512 => Instructions::Avx512,
            InstructionsName::Avx2 => Instructions::Avx2,
            InstructionsName::Emitted => Instructions::Emitted,
        }
    }
}
