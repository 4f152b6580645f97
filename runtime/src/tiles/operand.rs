//! The other side of a product with weights in blocks: rows of activations as whole numbers.
//!
//! Each 32 of a row become codes of 16 bits and a scale, so that a block's product is a sum of whole numbers, exact and
//! twice as many at once as floats. A code is off by half a unit at most: 2^-16 of the largest of its block, which is
//! what float sums of a few hundred products are off by. A row's codes are its own, whatever rows it comes with.
//!
//! A block with a number that is infinite or none has a scale that is no number, and so has all that it is multiplied with.

use super::kept::BLOCK;
use std::cell::RefCell;

/// The largest code.
const MOST: f32 = 32767.0;

/// Blocks whose numbers are all nearer to 0 count as zeros: the reciprocal of the scale would be infinite.
const LEAST: f32 = 1e-30;

/// Adding it rounds to the nearest whole number, ties to the even one: the sum's last bit is worth one.
const ROUND: f32 = 12_582_912.0;

/// What a block of a row is multiplied by: its scale, and the scale times the sum of its codes, for weights' minimums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Factor {
    /// The scale.
    pub scale: f32,
    /// The sum of the block's numbers, as their codes have them.
    pub sum: f32,
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
    /// Row after row, whole blocks.
    pub codes: Vec<i16>,
    /// Row after row, one for each block.
    pub factors: Vec<Factor>,
}

impl Operand {
    /// Puts in rows of `k` numbers, `lda` apart. Inlined, so that it is compiled for its caller's instructions.
    ///
    /// # Safety
    ///
    /// `a` must be readable for `m` rows of `k`.
    #[inline(always)]
    pub unsafe fn fill(&mut self, m: usize, k: usize, a: *const f32, lda: usize) {
        let blocks = k.div_ceil(BLOCK);
        self.codes.resize(m * blocks * BLOCK, 0);
        self.factors.resize(m * blocks, Factor::default());
        let rows =
            self.codes.chunks_exact_mut((blocks * BLOCK).max(1)).zip(self.factors.chunks_exact_mut(blocks.max(1)));
        for (row, (codes, factors)) in rows.enumerate() {
            // SAFETY: the caller's promise.
            let numbers = unsafe { std::slice::from_raw_parts(a.add(row * lda), k) };
            let (whole, rest) = numbers.as_chunks::<BLOCK>();
            let (places, _) = codes.as_chunks_mut::<BLOCK>();
            for ((numbers, codes), factor) in whole.iter().zip(places.iter_mut()).zip(factors.iter_mut()) {
                *factor = block(numbers, codes);
            }
            if !rest.is_empty() {
                let mut numbers = [0.0; BLOCK];
                numbers[..rest.len()].copy_from_slice(rest);
                factors[blocks - 1] = block(&numbers, &mut places[blocks - 1]);
            }
        }
    }
}

#[inline(always)]
fn block(numbers: &[f32; BLOCK], codes: &mut [i16; BLOCK]) -> Factor {
    // Sizes compare as their bits do, and what is no number is larger than all.
    let size = |number: &f32| (number.to_bits() & 0x7fff_ffff).cast_signed();
    let largest = f32::from_bits(numbers.iter().map(size).fold(0, i32::max).cast_unsigned());
    let (scale, reciprocal) = match largest {
        _ if !largest.is_finite() => (f32::NAN, 0.0),
        _ if largest < LEAST => (0.0, 0.0),
        _ => (largest / MOST, MOST / largest),
    };
    let mut sum = 0;
    for (code, number) in codes.iter_mut().zip(numbers) {
        let rounded = (number * reciprocal + ROUND).to_bits().wrapping_sub(ROUND.to_bits()).cast_signed() as i16;
        *code = rounded;
        sum += i32::from(rounded);
    }
    Factor { scale, sum: scale * sum as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operand(m: usize, k: usize, numbers: &[f32]) -> Operand {
        let mut operand = Operand::default();
        assert_eq!(numbers.len(), m * k);
        // SAFETY: there are `m` rows of `k` numbers.
        unsafe { operand.fill(m, k, numbers.as_ptr(), k) }
        operand
    }

    #[test]
    fn codes_are_off_by_half_a_unit() {
        let numbers: Vec<f32> = (0..150).map(|place| (place as f32 * 0.7).sin() * 10f32.powi(place / 32 - 2)).collect();
        let made = operand(2, 75, &numbers);
        for row in 0..2 {
            for place in 0..96 {
                let factor = made.factors[row * 3 + place / 32];
                let wanted = if place < 75 { numbers[row * 75 + place] } else { 0.0 };
                let got = f64::from(made.codes[row * 96 + place]) * f64::from(factor.scale);
                // The reciprocal and the product with it are rounded: two bits of 24, of at most 2^15 units.
                assert!((got - f64::from(wanted)).abs() <= 0.51 * f64::from(factor.scale), "{got} is not {wanted}");
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for odd in [f32::NAN, f32::INFINITY, -f32::INFINITY] {
            let mut numbers = [1.0; 64];
            numbers[40] = odd;
            let made = operand(1, 64, &numbers);
            assert!(
                made.factors[0].scale.is_finite() && made.factors[1].scale.is_nan() && made.factors[1].sum.is_nan()
            );
        }
        assert_eq!(operand(1, 32, &[1e-38; 32]).factors, [Factor { scale: 0.0, sum: 0.0 }]);
        let most = operand(1, 32, &[f32::MAX; 32]);
        assert!(most.codes.iter().all(|code| *code == 32767) && most.factors[0].scale.is_finite());
    }
}
