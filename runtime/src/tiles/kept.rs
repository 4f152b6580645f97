//! How weights are kept: as numbers of 32 or 16 bits, or in blocks of 32 along the depth of a product.
//!
//! A number of a block is `scale * code`, or `scale * code + minimum`, with a whole number for a code: what the blocks of
//! GGUF files are (Q8_0, Q5_0, Q4_0, Q4_1), and what numbers become that are to be kept so. Scales and minimums are
//! 16-bit floats, as in those files, so that nothing is lost on the way from a file into a packed matrix.
//!
//! What it can't do: blocks on 256 elements whose parts have scales of their own (Q4_K, Q6_K). They are expanded.

use crate::weights::BlockFormat;
use half::f16;
use std::fmt;

/// How many numbers along the depth share a scale.
pub const BLOCK: usize = 32;

/// Adding it to a number below 2^22 rounds that to the nearest whole one, ties to the even one: the sum's last bit is worth one.
pub const ROUND: f32 = 12_582_912.0;

/// In which precision products multiply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Precision {
    /// How the weights are kept.
    pub weights: WeightPrecision,
    /// What is multiplied with those that are kept in blocks.
    pub activations: ActivationPrecision,
}

impl Precision {
    /// Floats of 32 bits.
    pub const F32: Precision = Precision { weights: WeightPrecision::F32, activations: ActivationPrecision::Sixteen };
}

impl From<WeightPrecision> for Precision {
    /// With rows of 16 bits.
    fn from(weights: WeightPrecision) -> Precision {
        Precision { weights, ..Precision::default() }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.activations {
            ActivationPrecision::Sixteen => to.write_str(self.weights.name()),
            ActivationPrecision::Eight => write!(to, "{} by rows of 8 bits", self.weights.name()),
        }
    }
}

/// How weights that products multiply with are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WeightPrecision {
    /// As 32-bit floats.
    #[default]
    F32,
    /// As 32-bit floats without their lower 16 bits, rounded to the nearest.
    Bf16,
    /// In blocks of 32 codes of 8 bits with a scale (Q8_0). Blocks of a file that are no larger stay as they are.
    Q8,
    /// In blocks of 32 codes of 4 bits with a scale and a minimum (Q4_1). Blocks of a file that are no larger stay as they are.
    Q4,
    /// Blocks of a file as they are; all else as 32-bit floats.
    File,
}

impl WeightPrecision {
    /// Its name, for choices and reports.
    pub fn name(self) -> &'static str {
        match self {
            WeightPrecision::F32 => "f32",
            WeightPrecision::Bf16 => "bf16",
            WeightPrecision::Q8 => "q8",
            WeightPrecision::Q4 => "q4",
            WeightPrecision::File => "file",
        }
    }
}

/// What rows are rounded to before they are multiplied with weights in blocks: each 32 numbers to whole ones, with a scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ActivationPrecision {
    /// 16 bits: off by 2^-16 of the largest of 32, which is what sums of 32-bit floats are off by.
    #[default]
    Sixteen,
    /// 8 bits: off by 2^-8 of the largest of 32, and up to twice as fast where a product is bound by arithmetic.
    Eight,
}

impl ActivationPrecision {
    /// How many bits there are.
    pub fn bits(self) -> usize {
        match self {
            ActivationPrecision::Sixteen => 16,
            ActivationPrecision::Eight => 8,
        }
    }
}

/// How a packed matrix lies in memory; one is chosen for each matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// 32-bit floats.
    F32,
    /// Their upper 16 bits.
    Bf16,
    /// Codes of 8 bits, and a scale for each block.
    Eight,
    /// Codes of 8 bits, and a scale and a minimum for each block: what blocks of both other forms can be put into.
    EightWithMinimum,
    /// Codes of 4 bits, and a scale and a minimum for each block.
    Four,
}

impl Form {
    /// Its name, for reports.
    pub fn name(self) -> &'static str {
        match self {
            Form::F32 => "f32",
            Form::Bf16 => "bf16",
            Form::Eight => "8-bit blocks",
            Form::EightWithMinimum => "8-bit blocks with minimum",
            Form::Four => "4-bit blocks",
        }
    }

    /// How many bytes a column of a panel takes for each block of the depth; for each number of it where there are no blocks.
    pub fn bytes(self) -> usize {
        match self {
            Form::F32 => 4,
            Form::Bf16 => 2,
            Form::Eight => 2 + BLOCK,
            Form::EightWithMinimum => 2 + 2 + BLOCK,
            Form::Four => 2 + 2 + BLOCK / 2,
        }
    }

    /// Whether numbers stand in blocks.
    pub fn has_blocks(self) -> bool {
        match self {
            Form::F32 | Form::Bf16 => false,
            Form::Eight | Form::EightWithMinimum | Form::Four => true,
        }
    }

    /// Whether its blocks have a minimum.
    pub fn has_minimum(self) -> bool {
        match self {
            Form::F32 | Form::Bf16 | Form::Eight => false,
            Form::EightWithMinimum | Form::Four => true,
        }
    }

    /// The form that a file's blocks have in a packed matrix; none where they are expanded.
    pub fn of(format: BlockFormat) -> Option<Form> {
        match format {
            BlockFormat::Q4_0 | BlockFormat::Q4_1 => Some(Form::Four),
            BlockFormat::Q5_0 | BlockFormat::Q8_0 => Some(Form::Eight),
            BlockFormat::Q4_K | BlockFormat::Q6_K => None,
        }
    }
}

/// 32 numbers of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// From -128 to 127 in 8 bits, from 0 to 15 in 4.
    pub codes: [i8; BLOCK],
    /// What a code is multiplied by.
    pub scale: f16,
    /// What is added; 0 in a form that has none.
    pub minimum: f16,
}

impl Block {
    /// A file's block, of a format that has a [`Form`].
    pub fn from_file(format: BlockFormat, bytes: &[u8]) -> Block {
        let half = |place: usize| f16::from_le_bytes([bytes[place], bytes[place + 1]]);
        let mut block = Block { codes: [0; BLOCK], scale: half(0), minimum: f16::ZERO };
        // Codes of 4 bits: the lower halves of all bytes, then the upper ones.
        let nibbles = |codes: &mut [i8; BLOCK], bytes: &[u8]| {
            for (place, byte) in bytes.iter().enumerate() {
                codes[place] = (byte & 15).cast_signed();
                codes[place + BLOCK / 2] = (byte >> 4).cast_signed();
            }
        };
        match format {
            BlockFormat::Q4_0 => {
                nibbles(&mut block.codes, &bytes[2..]);
                // Eight is a power of two: only the exponent changes.
                block.minimum = f16::from_f32(-8.0 * block.scale.to_f32());
            }
            BlockFormat::Q4_1 => {
                nibbles(&mut block.codes, &bytes[4..]);
                block.minimum = half(2);
            }
            BlockFormat::Q5_0 => {
                nibbles(&mut block.codes, &bytes[6..]);
                for (place, code) in block.codes.iter_mut().enumerate() {
                    let fifth = bytes[2 + place / 8] >> (place % 8) & 1;
                    *code = (*code | (fifth << 4).cast_signed()) - 16;
                }
            }
            BlockFormat::Q8_0 => {
                block.codes.iter_mut().zip(&bytes[2..]).for_each(|(code, byte)| *code = byte.cast_signed());
            }
            BlockFormat::Q4_K | BlockFormat::Q6_K => unreachable!("{} has no form of its own", format.name()),
        }
        block
    }

    /// The block of a form that comes nearest to some numbers; there may be fewer than 32.
    pub fn nearest(form: Form, numbers: &[f32]) -> Block {
        let mut block = Block { codes: [0; BLOCK], scale: f16::ZERO, minimum: f16::ZERO };
        let (lowest, highest) = match form.has_minimum() {
            true => numbers.iter().fold((f32::MAX, f32::MIN), |(low, high), x| (low.min(*x), high.max(*x))),
            false => (0.0, numbers.iter().fold(0f32, |largest, x| largest.max(x.abs()))),
        };
        let (least, most) = match form {
            Form::Four => (0.0, 15.0),
            Form::EightWithMinimum | Form::Eight | Form::F32 | Form::Bf16 => (-127.0, 127.0),
        };
        if form.has_minimum() && !numbers.is_empty() {
            block.minimum = within(lowest);
        }
        let minimum = block.minimum.to_f32();
        block.scale = within((highest - minimum) / most);
        let scale = block.scale.to_f32();
        if scale > 0.0 {
            for (code, number) in block.codes.iter_mut().zip(numbers) {
                // To the nearest, ties to the even one, as adding and taking away this number does.
                let rounded = ((number - minimum) / scale).clamp(least, most) + ROUND - ROUND;
                *code = rounded as i32 as i8;
            }
        }
        block
    }

    /// The number at a place.
    pub fn number(&self, place: usize) -> f32 {
        self.scale.to_f32() * f32::from(self.codes[place]) + self.minimum.to_f32()
    }
}

/// A number as a 16-bit float: beyond the largest of them, that one.
fn within(number: f32) -> f16 {
    f16::from_f32(number.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}
