//! The other side of a product with weights in blocks: rows of activations as whole numbers.
//!
//! Each 32 of a row become codes and a scale, so that a block's product is a sum of whole numbers, which is exact and
//! several times as many at once as floats. A code is off by half a unit at most. With 16 bits that is 2^-16 of the largest
//! of its block, which is what float sums of a few hundred products are off by; with 8 bits it is 2^-8. A row's codes are
//! its own, whatever rows it comes with.
//!
//! A block with a number that is infinite or none has a scale that is no number, and so has all that it is multiplied with.

use super::kept::{BLOCK, ROUND};
use super::weights::BIAS;
use std::cell::RefCell;

/// The largest code of 16 bits.
pub const SIXTEEN: i32 = 32767;

/// The largest code of 8 bits.
pub const EIGHT: i32 = 127;

/// Blocks whose numbers are all nearer to 0 count as zeros: the reciprocal of the scale would be infinite.
const LEAST: f32 = 1e-30;

/// In which order eight steps along the depth stand in two words of four bytes. A word's even bytes are two neighbours, and
/// so are its odd ones: [0, 1] and [4, 5] of the first, [2, 3] and [6, 7] of the second.
pub const ORDER: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// What belongs to a block of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Factor {
    /// The scale.
    pub scale: f32,
    /// The sum of the block's numbers, as their codes have them: for weights' minimums.
    pub sum: f32,
    /// What a block's sum begins with where [`BIAS`] was added to the weights' codes: so many times the codes' sum, less than 0.
    pub start: i32,
}

/// What codes are kept as.
pub trait Code: Copy + Default + 'static {
    /// Eight steps along the depth, in the order in which they are multiplied.
    fn in_order(codes: [i16; 8]) -> [Self; 8];

    /// Memory for codes of this kind.
    fn of(operand: &mut Operand) -> (&mut Vec<Self>, &mut Vec<Factor>);
}

impl Code for i16 {
    #[inline(always)]
    fn in_order(codes: [i16; 8]) -> [i16; 8] {
        codes
    }

    fn of(operand: &mut Operand) -> (&mut Vec<i16>, &mut Vec<Factor>) {
        (&mut operand.words, &mut operand.factors)
    }
}

impl Code for i8 {
    #[inline(always)]
    fn in_order(codes: [i16; 8]) -> [i8; 8] {
        ORDER.map(|step| codes[step] as i8)
    }

    fn of(operand: &mut Operand) -> (&mut Vec<i8>, &mut Vec<Factor>) {
        (&mut operand.bytes, &mut operand.factors)
    }
}

/// Gives a tile memory for rows: a thread's own, used again.
pub fn with_operand(call: impl FnOnce(&mut Operand)) {
    thread_local! {
        static OPERAND: RefCell<Operand> = RefCell::default();
    }
    OPERAND.with_borrow_mut(call);
}

/// Rows as whole numbers: memory that is used again.
#[derive(Debug, Default)]
pub struct Operand {
    /// Row after row, whole blocks: codes of two bytes, or of one.
    words: Vec<i16>,
    bytes: Vec<i8>,
    /// Row after row, one for each block.
    factors: Vec<Factor>,
}

impl Operand {
    /// Puts in rows of `k` numbers, `lda` apart, as codes of `most` at most. Gives the codes and what belongs to each block,
    /// row after row. Inlined, so that it is compiled for its caller's instructions.
    ///
    /// # Safety
    ///
    /// `a` must be readable for `m` rows of `k`.
    #[inline(always)]
    pub unsafe fn fill<C: Code>(
        &mut self,
        most: i32,
        m: usize,
        k: usize,
        a: *const f32,
        lda: usize,
    ) -> (&[C], &[Factor]) {
        let blocks = k.div_ceil(BLOCK);
        let (codes, factors) = C::of(self);
        codes.resize(m * blocks * BLOCK, C::default());
        factors.resize(m * blocks, Factor::default());
        let rows = codes.chunks_exact_mut((blocks * BLOCK).max(1)).zip(factors.chunks_exact_mut(blocks.max(1)));
        for (row, (codes, factors)) in rows.enumerate() {
            // SAFETY: the caller's promise.
            let numbers = unsafe { std::slice::from_raw_parts(a.add(row * lda), k) };
            let (whole, rest) = numbers.as_chunks::<BLOCK>();
            let (places, _) = codes.as_chunks_mut::<BLOCK>();
            for ((numbers, codes), factor) in whole.iter().zip(places.iter_mut()).zip(factors.iter_mut()) {
                *factor = block(most, numbers, codes);
            }
            if !rest.is_empty() {
                let mut numbers = [0.0; BLOCK];
                numbers[..rest.len()].copy_from_slice(rest);
                factors[blocks - 1] = block(most, &numbers, &mut places[blocks - 1]);
            }
        }
        (codes, factors)
    }
}

#[inline(always)]
fn block<C: Code>(most: i32, numbers: &[f32; BLOCK], codes: &mut [C; BLOCK]) -> Factor {
    // Sizes compare as their bits do, and what is no number is larger than all.
    let size = |number: &f32| (number.to_bits() & 0x7fff_ffff).cast_signed();
    let largest = f32::from_bits(numbers.iter().map(size).fold(0, i32::max).cast_unsigned());
    let (scale, reciprocal) = match largest {
        _ if !largest.is_finite() => (f32::NAN, 0.0),
        _ if largest < LEAST => (0.0, 0.0),
        _ => (largest / most as f32, most as f32 / largest),
    };
    let mut sum = 0;
    let mut rounded = [0i16; BLOCK];
    for (code, number) in rounded.iter_mut().zip(numbers) {
        *code = (number * reciprocal + ROUND).to_bits().wrapping_sub(ROUND.to_bits()).cast_signed() as i16;
        sum += i32::from(*code);
    }
    let (steps, _) = rounded.as_chunks();
    let (places, _) = codes.as_chunks_mut();
    steps.iter().zip(places).for_each(|(steps, place)| *place = C::in_order(*steps));
    Factor { scale, sum: scale * sum as f32, start: -i32::from(BIAS) * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operand<C: Code>(most: i32, m: usize, k: usize, numbers: &[f32]) -> (Vec<C>, Vec<Factor>) {
        assert_eq!(numbers.len(), m * k);
        let mut operand = Operand::default();
        // SAFETY: there are `m` rows of `k` numbers.
        let (codes, factors) = unsafe { operand.fill(most, m, k, numbers.as_ptr(), k) };
        (codes.to_vec(), factors.to_vec())
    }

    fn some_numbers() -> Vec<f32> {
        (0..150).map(|place| (place as f32 * 0.7).sin() * 10f32.powi(place / 32 - 2)).collect()
    }

    #[test]
    fn codes_are_off_by_half_a_unit() {
        let numbers = some_numbers();
        for most in [SIXTEEN, EIGHT] {
            let (codes, factors) = operand::<i16>(most, 2, 75, &numbers);
            for row in 0..2 {
                for place in 0..96 {
                    let factor = factors[row * 3 + place / 32];
                    let wanted = if place < 75 { numbers[row * 75 + place] } else { 0.0 };
                    let got = f64::from(codes[row * 96 + place]) * f64::from(factor.scale);
                    // The reciprocal and the product with it are rounded: two bits of 24, of at most 2^15 units.
                    assert!((got - f64::from(wanted)).abs() <= 0.51 * f64::from(factor.scale), "{got} is not {wanted}");
                }
            }
        }
    }

    #[test]
    fn bytes_are_the_same_codes_in_their_order() {
        let (words, factors) = operand::<i16>(EIGHT, 2, 75, &some_numbers());
        let (bytes, same) = operand::<i8>(EIGHT, 2, 75, &some_numbers());
        assert_eq!(factors, same);
        for (place, byte) in bytes.iter().enumerate() {
            assert_eq!(i16::from(*byte), words[place / 8 * 8 + ORDER[place % 8]]);
        }
        for (number, codes) in words.chunks(BLOCK).enumerate() {
            let sum: i32 = codes.iter().map(|code| i32::from(*code)).sum();
            assert_eq!(factors[number].start, -128 * sum);
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for most in [SIXTEEN, EIGHT] {
            for odd in [f32::NAN, f32::INFINITY, -f32::INFINITY] {
                let mut numbers = [1.0; 64];
                numbers[40] = odd;
                let (_, factors) = operand::<i16>(most, 1, 64, &numbers);
                assert!(factors[0].scale.is_finite() && factors[1].scale.is_nan() && factors[1].sum.is_nan());
            }
            let none = Factor { scale: 0.0, sum: 0.0, start: 0 };
            assert_eq!(operand::<i16>(most, 1, 32, &[1e-38; 32]).1, [none]);
            let (codes, factors) = operand::<i16>(most, 1, 32, &[f32::MAX; 32]);
            assert!(codes.iter().all(|code| i32::from(*code) == most) && factors[0].scale.is_finite());
        }
    }
}
