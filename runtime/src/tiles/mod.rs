//! The tiles: the runtime functions that emitted code calls, in versions for the processor that runs them.
//!
//! In comes a choice of [`Instructions`], of those the processor has; out come the functions' addresses and the width of
//! the product's panels, which packed weights must have been packed with. What each tile does, its arguments included,
//! is said at [`Tile`]. All functions have the C calling convention and pointer-sized arguments.

mod aligned;
pub mod blocks;
pub mod emitted;
pub mod kept;
mod operand;
pub mod scalar;
#[cfg(test)]
mod tests;
pub mod weights;
#[cfg(target_arch = "x86_64")]
pub mod x86;

use seqwright_compiler::clif;
use seqwright_compiler::tile::Tile;

pub use aligned::AlignedFloats;
pub use kept::{ActivationPrecision, Form, Precision, WeightPrecision};
pub use weights::{PackedWeights, WeightsTile};

/// Which instructions the tiles are written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instructions {
    /// AVX-512 with F, VL, BW and DQ, by intrinsics.
    Avx512,
    /// AVX2, FMA and F16C, by intrinsics.
    Avx2,
    /// Vectors of 128 bits, by Cranelift: the tiles are to be compiled from
    /// [`seqwright_compiler::clif::tiles::emit`] and linked, as in [`emitted`].
    Emitted,
}

impl Instructions {
    /// The ones this processor has, best first. [`Instructions::Emitted`] is always the last.
    pub fn available() -> Vec<Instructions> {
        let all = [Instructions::Avx512, Instructions::Avx2, Instructions::Emitted];
        all.into_iter().filter(|instructions| instructions.is_available()).collect()
    }

    /// Whether this processor has them.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
            }
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Instructions::Avx512 | Instructions::Avx2 => false,
            Instructions::Emitted => true,
        }
    }

    /// The best ones this processor has.
    pub fn best() -> Instructions {
        Instructions::available()[0]
    }

    /// Their name, for choices and reports.
    pub fn name(self) -> &'static str {
        match self {
            Instructions::Avx512 => "avx512",
            Instructions::Avx2 => "avx2",
            Instructions::Emitted => "emitted",
        }
    }
}

/// The tiles for one choice of instructions.
#[derive(Clone, Copy, Debug)]
pub struct Tiles {
    /// The choice.
    pub instructions: Instructions,
    /// How many columns a panel of a packed matrix has.
    pub panel_width: usize,
    /// Whether more instructions are used, that add products of whole numbers to a sum: AVX-512's VNNI.
    pub adds_products: bool,
}

impl Tiles {
    /// The tiles for `instructions`, or `None` where this processor lacks them.
    pub fn new(instructions: Instructions) -> Option<Tiles> {
        let panel_width = match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => x86::avx512::PANEL_WIDTH,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => x86::avx2::PANEL_WIDTH,
            _ => clif::tiles::PANEL_WIDTH,
        };
        let adds_products = match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => is_x86_feature_detected!("avx512vnni"),
            _ => false,
        };
        instructions.is_available().then_some(Tiles { instructions, panel_width, adds_products })
    }

    /// The tiles for the best instructions this processor has.
    pub fn best() -> Tiles {
        Tiles::new(Instructions::best()).expect("the best instructions are available ones")
    }

    /// Where the tile's machine code stands, or `None` where its emitted version must be compiled and linked.
    pub fn address(&self, tile: Tile) -> Option<*const u8> {
        match tile {
            Tile::Log => return Some(scalar::log as *const u8),
            Tile::Sin => return Some(scalar::sin as *const u8),
            Tile::Cos => return Some(scalar::cos as *const u8),
            Tile::Power => return Some(scalar::power as *const u8),
            Tile::Barrier => return Some(crate::team::barrier as *const u8),
            Tile::Fetch => return Some(scalar::fetch as *const u8),
            Tile::Weights => return Some(weights::multiply as *const u8),
            Tile::Product | Tile::Pack | Tile::Soften | Tile::Exp | Tile::Tanh | Tile::Sigmoid | Tile::Erf => {}
        }
        #[cfg(target_arch = "x86_64")]
        {
            use x86::{avx2, avx512};
            match self.instructions {
                Instructions::Avx512 => {
                    return match tile {
                        Tile::Product => Some(avx512::product as *const u8),
                        Tile::Pack => Some(x86::pack::pack::<{ avx512::PANEL_WIDTH }> as *const u8),
                        Tile::Soften => Some(avx512::soften as *const u8),
                        Tile::Exp => Some(avx512::exp as *const u8),
                        Tile::Tanh => Some(avx512::tanh as *const u8),
                        Tile::Sigmoid => Some(avx512::sigmoid as *const u8),
                        Tile::Erf => Some(avx512::erf as *const u8),
                        Tile::Weights | Tile::Barrier | Tile::Fetch => None,
                        Tile::Log | Tile::Sin | Tile::Cos | Tile::Power => None,
                    };
                }
                Instructions::Avx2 => {
                    return match tile {
                        Tile::Product => Some(avx2::product as *const u8),
                        Tile::Pack => Some(x86::pack::pack::<{ avx2::PANEL_WIDTH }> as *const u8),
                        Tile::Soften => Some(avx2::soften as *const u8),
                        Tile::Exp => Some(avx2::exp as *const u8),
                        Tile::Tanh => Some(avx2::tanh as *const u8),
                        Tile::Sigmoid => Some(avx2::sigmoid as *const u8),
                        Tile::Erf => Some(avx2::erf as *const u8),
                        Tile::Weights | Tile::Barrier | Tile::Fetch => None,
                        Tile::Log | Tile::Sin | Tile::Cos | Tile::Power => None,
                    };
                }
                Instructions::Emitted => {}
            }
        }
        match tile {
            Tile::Pack => Some(scalar::pack::<{ clif::tiles::PANEL_WIDTH }> as *const u8),
            _ => None,
        }
    }
}

/// Of a tile for weights in blocks, the version for a form and the rows' codes.
macro_rules! blocks {
    ($tile:path, [$($width:expr)?], $form:expr, $activations:expr) => {{
        use ActivationPrecision::{Eight, Sixteen};
        use operand::{EIGHT, SIXTEEN};
        use $tile as tile;
        match ($form, $activations) {
            (Form::EightWithMinimum, Sixteen) => tile::<$($width,)? 8, true, SIXTEEN>,
            (Form::EightWithMinimum, Eight) => tile::<$($width,)? 8, true, EIGHT>,
            (Form::Four, Sixteen) => tile::<$($width,)? 4, true, SIXTEEN>,
            (Form::Four, Eight) => tile::<$($width,)? 4, true, EIGHT>,
            (Form::Eight, Sixteen) => tile::<$($width,)? 8, false, SIXTEEN>,
            (Form::Eight, Eight) => tile::<$($width,)? 8, false, EIGHT>,
            (Form::F32 | Form::Bf16, _) => unreachable!("floats have tiles of their own"),
        }
    }};
}

impl Tiles {
    /// Whether bodies along runs are computed by strips: these need AVX-512 and BMI2.
    pub fn has_strips(&self) -> bool {
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => is_x86_feature_detected!("bmi2"),
            _ => false,
        }
    }

    /// What multiplies with packed weights of a form; rows are rounded to `activations` first where it has blocks.
    pub fn weights(&self, form: Form, activations: ActivationPrecision) -> WeightsTile {
        #[cfg(target_arch = "x86_64")]
        {
            use x86::{avx2, avx512};
            match (self.instructions, form) {
                (Instructions::Emitted, _) | (_, Form::F32) => {}
                (Instructions::Avx512, Form::Bf16) => return avx512::bf16_product,
                (Instructions::Avx2, Form::Bf16) => return avx2::bf16_product,
                (Instructions::Avx512, _) if self.adds_products => {
                    return match activations {
                        ActivationPrecision::Sixteen => {
                            blocks!(avx512::vnni::blocks_product, [], form, activations)
                        }
                        ActivationPrecision::Eight => {
                            blocks!(avx512::vnni_bytes::blocks_product, [], form, activations)
                        }
                    };
                }
                (Instructions::Avx512, _) => return blocks!(avx512::blocks_product, [], form, activations),
                (Instructions::Avx2, _) => return blocks!(avx2::blocks_product, [], form, activations),
            }
        }
        const WIDTH: usize = clif::tiles::PANEL_WIDTH;
        match form {
            Form::F32 => weights::f32_product,
            Form::Bf16 => blocks::bf16_product::<WIDTH>,
            _ => blocks!(blocks::blocks_product, [WIDTH], form, activations),
        }
    }
}

/// How many numbers a `k` by `n` matrix takes packed in panels.
pub fn packed_length(panel_width: usize, n: usize, k: usize) -> usize {
    n.next_multiple_of(panel_width) * k
}

/// Packs the `k` by `n` matrix whose element in row `p` of column `j` is `element(j, p)`, as [`Tile::Pack`] does.
pub fn pack(panel_width: usize, n: usize, k: usize, element: impl Fn(usize, usize) -> f32) -> AlignedFloats {
    let mut packed = AlignedFloats::zeroed(packed_length(panel_width, n, k));
    if packed.is_empty() {
        return packed;
    }
    for (number, panel) in packed.chunks_exact_mut(panel_width * k).enumerate() {
        let first = number * panel_width;
        let columns = panel_width.min(n - first);
        for (p, row) in panel.chunks_exact_mut(panel_width).enumerate() {
            for (column, place) in row[..columns].iter_mut().enumerate() {
                *place = element(first + column, p);
            }
        }
    }
    packed
}
