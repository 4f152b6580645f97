//! How a tensor's elements lie in a file: one by one, or packed in blocks that share a scale.
//!
//! In: the bytes of a block. Out: its elements as `f32`. A view knows its format
//! ([`super::TensorView::format`]), so that products can multiply with blocks as they lie; otherwise
//! every block is expanded when it is read.
//!
//! The block formats are those of GGUF files (llama.cpp). An element of a block is `scale * q`, or
//! `scale * q + minimum`, with a small whole number `q`; in the formats on 256 elements, each 16
//! or 32 of them have a scale of their own, which is a small whole number times that of the block.
//!
//! What it can't do: the other block formats of llama.cpp (Q5_1, Q2_K, Q3_K, Q5_K, IQ…), and packing.

use std::fmt;

use half::f16;
use safetensors::Dtype;

/// How a tensor's elements lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One after the other, each a number of this type, little-endian.
    Plain(Dtype),
    /// In blocks, one after the other; a row is whole blocks.
    Blocks(BlockFormat),
}

/// How a block of elements is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "these are the formats' published names")]
pub enum BlockFormat {
    /// 32 elements of 4 bits around 0, one scale.
    Q4_0,
    /// 32 elements of 4 bits, one scale and one minimum.
    Q4_1,
    /// 32 elements of 5 bits around 0, one scale.
    Q5_0,
    /// 32 elements of 8 bits around 0, one scale.
    Q8_0,
    /// 256 elements of 4 bits; each 32 of them have a scale and a minimum of 6 bits.
    Q4_K,
    /// 256 elements of 6 bits around 0; each 16 of them have a scale of 8 bits.
    Q6_K,
}

/// The most elements that a block of any format has.
pub(super) const LARGEST_BLOCK: usize = 256;

impl Format {
    /// How many elements share a block; 1 where each stands for itself.
    pub fn elements_in_block(self) -> usize {
        match self {
            Format::Plain(_) => 1,
            Format::Blocks(format) => format.elements(),
        }
    }

    /// How many bits a block, or an element that stands for itself, takes in the file.
    pub fn bits_of_block(self) -> usize {
        match self {
            Format::Plain(dtype) => dtype.bitsize(),
            Format::Blocks(format) => format.bytes() * 8,
        }
    }

    /// How many bits so many elements take; `None` where they are no whole blocks, or too many.
    pub fn bits_of(self, elements: usize) -> Option<usize> {
        let size = self.elements_in_block();
        if !elements.is_multiple_of(size) {
            return None;
        }
        (elements / size).checked_mul(self.bits_of_block())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Plain(dtype) => write!(formatter, "{dtype}"),
            Format::Blocks(format) => formatter.write_str(format.name()),
        }
    }
}

impl BlockFormat {
    /// Its published name.
    pub fn name(self) -> &'static str {
        match self {
            BlockFormat::Q4_0 => "Q4_0",
            BlockFormat::Q4_1 => "Q4_1",
            BlockFormat::Q5_0 => "Q5_0",
            BlockFormat::Q8_0 => "Q8_0",
            BlockFormat::Q4_K => "Q4_K",
            BlockFormat::Q6_K => "Q6_K",
        }
    }

    /// How many elements a block has.
    pub fn elements(self) -> usize {
        match self {
            BlockFormat::Q4_0 | BlockFormat::Q4_1 | BlockFormat::Q5_0 | BlockFormat::Q8_0 => 32,
            BlockFormat::Q4_K | BlockFormat::Q6_K => LARGEST_BLOCK,
        }
    }

    /// How many bytes a block takes.
    pub fn bytes(self) -> usize {
        match self {
            BlockFormat::Q4_0 => 2 + 16,
            BlockFormat::Q4_1 => 2 + 2 + 16,
            BlockFormat::Q5_0 => 2 + 4 + 16,
            BlockFormat::Q8_0 => 2 + 32,
            BlockFormat::Q4_K => 2 + 2 + 12 + 128,
            BlockFormat::Q6_K => 128 + 64 + 16 + 2,
        }
    }

    /// Expands one block, in the order of its elements.
    ///
    /// # Panics
    ///
    /// When `block` is not [`BlockFormat::bytes`] long or `to` not [`BlockFormat::elements`].
    pub fn expand(self, block: &[u8], to: &mut [f32]) {
        assert_eq!((block.len(), to.len()), (self.bytes(), self.elements()), "a block of {}", self.name());
        match self {
            BlockFormat::Q4_0 => {
                let scale = half_at(block, 0);
                for (place, byte) in block[2..].iter().enumerate() {
                    to[place] = scale * (f32::from(byte & 15) - 8.0);
                    to[place + 16] = scale * (f32::from(byte >> 4) - 8.0);
                }
            }
            BlockFormat::Q4_1 => {
                let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
                for (place, byte) in block[4..].iter().enumerate() {
                    to[place] = scale * f32::from(byte & 15) + minimum;
                    to[place + 16] = scale * f32::from(byte >> 4) + minimum;
                }
            }
            BlockFormat::Q5_0 => {
                let scale = half_at(block, 0);
                // The fifth bits of all 32 elements come first, then the lower four of each.
                let fifth = |place: usize| (block[2 + place / 8] >> (place % 8) & 1) << 4;
                for (place, byte) in block[6..].iter().enumerate() {
                    to[place] = scale * (f32::from(byte & 15 | fifth(place)) - 16.0);
                    to[place + 16] = scale * (f32::from(byte >> 4 | fifth(place + 16)) - 16.0);
                }
            }
            BlockFormat::Q8_0 => {
                let scale = half_at(block, 0);
                for (to, byte) in to.iter_mut().zip(&block[2..]) {
                    *to = scale * f32::from(byte.cast_signed());
                }
            }
            BlockFormat::Q4_K => expand_q4_k(block, to),
            BlockFormat::Q6_K => expand_q6_k(block, to),
        }
    }
}

fn half_at(block: &[u8], place: usize) -> f32 {
    f16::from_le_bytes([block[place], block[place + 1]]).to_f32()
}

/// Eight runs of 32 elements. A byte holds an element of one run and, above it, one of the next.
fn expand_q4_k(block: &[u8], to: &mut [f32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let packed = &block[4..16];
    for (run, to) in to.chunks_exact_mut(32).enumerate() {
        let (factor, offset) = scale_and_minimum(packed, run);
        let (scale, minimum) = (scale * f32::from(factor), minimum * f32::from(offset));
        let bytes = &block[16 + run / 2 * 32..][..32];
        for (to, byte) in to.iter_mut().zip(bytes) {
            let element = if run % 2 == 0 { byte & 15 } else { byte >> 4 };
            *to = scale * f32::from(element) - minimum;
        }
    }
}

/// The 6-bit scale and minimum of a run. Twelve bytes hold eight of each: those of the first four
/// runs lie in the lower six bits of a byte; the others' lower four bits lie in the last four
/// bytes, and their upper two above those of the first.
fn scale_and_minimum(packed: &[u8], run: usize) -> (u8, u8) {
    if run < 4 {
        (packed[run] & 63, packed[run + 4] & 63)
    } else {
        let lower = packed[run + 4];
        (lower & 15 | packed[run - 4] >> 6 << 4, lower >> 4 | packed[run] >> 6 << 4)
    }
}

/// Two halves of four runs of 32 elements. In each half, 64 bytes hold the lower four bits: of the
/// first two runs, and above them of the other two; 32 bytes hold the upper two bits of all four.
fn expand_q6_k(block: &[u8], to: &mut [f32]) {
    let (lower, rest) = block.split_at(128);
    let (upper, rest) = rest.split_at(64);
    let (factors, scale) = (&rest[..16], half_at(rest, 16));
    for (run, to) in to.chunks_exact_mut(32).enumerate() {
        let (section, part) = (run / 4, run % 4);
        let lower = &lower[section * 64 + part % 2 * 32..][..32];
        let upper = &upper[section * 32..][..32];
        for (place, to) in to.iter_mut().enumerate() {
            let low = if part < 2 { lower[place] & 15 } else { lower[place] >> 4 };
            let element = f32::from(low | (upper[place] >> (2 * part) & 3) << 4) - 32.0;
            let factor = f32::from(factors[run * 2 + place / 16].cast_signed());
            *to = scale * factor * element;
        }
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
