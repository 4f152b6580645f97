//! Products with weights that are kept as 16-bit floats or in blocks, in plain Rust: what they mean. The versions with a
//! processor's instructions give the same bits.
//!
//! `c[i, j]` is a sum over the depth in order: for bf16 one fused multiply-add for each number, as of f32; in blocks, of
//! whole numbers within each block, which is then added with one fused multiply-add, and one more for its minimum.

use super::kept::{BLOCK, Form};
use super::operand::with_operand;
use super::weights::{Weights, code, halves, rows_at_once};
use half::bf16;

/// [`Tile::Weights`](seqwright_compiler::tile::Tile::Weights) for weights as 16-bit floats in panels of `WIDTH` columns.
///
/// # Safety
///
/// As for [`Weights`].
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn bf16_product<const WIDTH: usize>(
    m: usize,
    from: usize,
    to: usize,
    k: usize,
    a: *const f32,
    lda: usize,
    weights: *const Weights,
    c: *mut f32,
    ldc: usize,
) {
    for first in (from..to).step_by(WIDTH) {
        // SAFETY: `first` begins a panel, of `k` rows of `WIDTH` numbers.
        let panel = unsafe { std::slice::from_raw_parts((*weights).panel(first / WIDTH).cast::<u16>(), k * WIDTH) };
        for row in 0..m {
            let mut sums = [0f32; WIDTH];
            for (p, numbers) in panel.chunks_exact(WIDTH).enumerate() {
                // SAFETY: an element of `a`.
                let factor = unsafe { *a.add(row * lda + p) };
                for (column, sum) in sums.iter_mut().enumerate() {
                    let place = 2 * (column % (WIDTH / 2)) + column / (WIDTH / 2);
                    *sum = factor.mul_add(bf16::from_bits(numbers[place]).to_f32(), *sum);
                }
            }
            for (column, sum) in sums.iter().enumerate().take(to - first) {
                // SAFETY: a column of `c` below `to`.
                unsafe { *c.add(row * ldc + first + column) = *sum }
            }
        }
    }
}

/// The same for weights in blocks of `BITS` bits, with a minimum or without, and rows whose codes are `MOST` at most.
///
/// # Safety
///
/// As for [`Weights`].
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn blocks_product<const WIDTH: usize, const BITS: usize, const MINIMUM: bool, const MOST: i32>(
    m: usize,
    from: usize,
    to: usize,
    k: usize,
    a: *const f32,
    lda: usize,
    weights: *const Weights,
    c: *mut f32,
    ldc: usize,
) {
    let form = match (BITS, MINIMUM) {
        (8, false) => Form::Eight,
        (8, true) => Form::EightWithMinimum,
        (4, true) => Form::Four,
        _ => unreachable!("no form has such blocks"),
    };
    let blocks = k.div_ceil(BLOCK);
    let bytes = form.bytes() * WIDTH;
    with_operand(|operand| {
        for top in (0..m).step_by(rows_at_once(k)) {
            let rows = rows_at_once(k).min(m - top);
            // SAFETY: these are rows of `a`.
            let (codes, factors) = unsafe { operand.fill::<i16>(MOST, rows, k, a.add(top * lda), lda) };
            for first in (from..to).step_by(WIDTH) {
                // SAFETY: `first` begins a panel of so many blocks.
                let panel = unsafe { std::slice::from_raw_parts((*weights).panel(first / WIDTH), blocks * bytes) };
                for row in 0..rows {
                    let mut sums = [0f32; WIDTH];
                    for (number, block) in panel.chunks_exact(bytes.max(1)).enumerate() {
                        let factor = factors[row * blocks + number];
                        let codes = &codes[(row * blocks + number) * BLOCK..][..BLOCK];
                        for (column, sum) in sums.iter_mut().enumerate() {
                            let products =
                                (0..BLOCK).map(|p| i32::from(codes[p]) * code(form, WIDTH, block, column, p));
                            let whole: i32 = products.sum();
                            let (scale, minimum) = halves(form, WIDTH, block, column);
                            *sum = (whole as f32).mul_add(scale * factor.scale, *sum);
                            if form.has_minimum() {
                                *sum = minimum.mul_add(factor.sum, *sum);
                            }
                        }
                    }
                    for (column, sum) in sums.iter().enumerate().take(to - first) {
                        // SAFETY: a column of `c` below `to`.
                        unsafe { *c.add((top + row) * ldc + first + column) = *sum }
                    }
                }
            }
        }
    });
}
