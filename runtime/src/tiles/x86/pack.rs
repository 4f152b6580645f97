//! The packing tile with AVX: whole vectors where the source's numbers lie one after the other along either side.
//!
//! A matrix whose columns are contiguous (keys of an attention) is transposed in squares of eight, with the exchanges of
//! neighbours, pairs and halves that a butterfly makes of them; one whose rows are contiguous is copied. It moves memory
//! alone: one version serves every panel's width, and every processor with AVX.

use crate::tiles::scalar;
use std::arch::x86_64::*;

/// Numbers in a vector.
const LANES: usize = 8;

/// [`Tile::Pack`](seqwright_compiler::tile::Tile::Pack) for panels of `WIDTH` columns, a multiple of eight.
///
/// # Safety
///
/// The processor must have AVX; otherwise as [`scalar::pack`].
#[target_feature(enable = "avx")]
pub unsafe extern "C" fn pack<const WIDTH: usize>(
    n: usize,
    k: usize,
    source: *const f32,
    stride_n: usize,
    stride_k: usize,
    panels: *mut f32,
) {
    let squares = k / LANES * LANES;
    let whole = n / WIDTH * WIDTH;
    if stride_n == 1 {
        // SAFETY: the caller's promises.
        return unsafe { copy::<WIDTH>(n, k, source, stride_k, panels) };
    }
    if stride_k != 1 || squares == 0 {
        // SAFETY: the caller's promises.
        return unsafe { scalar::pack::<WIDTH>(n, k, source, stride_n, stride_k, panels) };
    }
    for first in (0..whole).step_by(WIDTH) {
        // SAFETY: `first..first + WIDTH` are columns of the matrix, whose panel begins `first * k` numbers into `panels`;
        // the rows below `squares` are squares, and those after them are packed one by one.
        unsafe {
            let (from, to) = (source.add(first * stride_n), panels.add(first * k));
            for column in (0..WIDTH).step_by(LANES) {
                for row in (0..squares).step_by(LANES) {
                    transpose(from.add(column * stride_n + row), stride_n, to.add(row * WIDTH + column), WIDTH);
                }
            }
            let (from, to) = (from.add(squares), to.add(squares * WIDTH));
            scalar::pack::<WIDTH>(WIDTH, k - squares, from, stride_n, stride_k, to);
        }
    }
    if n == whole {
        return;
    }
    // The columns after whole panels, and zeros: in squares too, as far as there are columns for one.
    let columns = (n - whole) / LANES * LANES;
    // SAFETY: the last panel begins `whole * k` numbers into `panels` and has room for `k` rows of `WIDTH`.
    unsafe {
        let (from, to) = (source.add(whole * stride_n), panels.add(whole * k));
        for row in (0..squares).step_by(LANES) {
            for column in (0..columns).step_by(LANES) {
                transpose(from.add(column * stride_n + row), stride_n, to.add(row * WIDTH + column), WIDTH);
            }
            for row in row..row + LANES {
                for column in columns..WIDTH {
                    let number = if whole + column < n { *from.add(column * stride_n + row) } else { 0.0 };
                    *to.add(row * WIDTH + column) = number;
                }
            }
        }
        let (from, to) = (from.add(squares), to.add(squares * WIDTH));
        scalar::pack::<WIDTH>(n - whole, k - squares, from, stride_n, stride_k, to);
    }
}

/// A matrix whose rows are contiguous (values of an attention): row by row, each to all panels.
///
/// # Safety
///
/// As for [`pack`], with neighbours in a row beside each other.
#[target_feature(enable = "avx")]
unsafe fn copy<const WIDTH: usize>(n: usize, k: usize, source: *const f32, stride_k: usize, panels: *mut f32) {
    for p in 0..k {
        for first in (0..n).step_by(WIDTH) {
            let columns = WIDTH.min(n - first);
            // SAFETY: the columns from `first` on are of row `p`; its panel begins `first * k` numbers into `panels`.
            unsafe {
                let (from, to) = (source.add(p * stride_k + first), panels.add(first * k + p * WIDTH));
                if columns == WIDTH {
                    to.copy_from_nonoverlapping(from, WIDTH);
                } else {
                    to.copy_from_nonoverlapping(from, columns);
                    to.add(columns).write_bytes(0, WIDTH - columns);
                }
            }
        }
    }
}

/// Writes the square whose columns stand at `from`, `apart` numbers from each other, as rows `width` numbers apart.
///
/// # Safety
///
/// Eight runs of eight must be readable, and writable.
#[target_feature(enable = "avx")]
#[inline]
unsafe fn transpose(from: *const f32, apart: usize, to: *mut f32, width: usize) {
    let mut lines = [_mm256_setzero_ps(); LANES];
    for (column, line) in lines.iter_mut().enumerate() {
        // SAFETY: one of the runs.
        *line = unsafe { _mm256_loadu_ps(from.add(column * apart)) };
    }
    let [a, b, c, d, e, f, g, h] = lines;
    let (ab, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    let (cd, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    let (ef, ef_high) = (_mm256_unpacklo_ps(e, f), _mm256_unpackhi_ps(e, f));
    let (gh, gh_high) = (_mm256_unpacklo_ps(g, h), _mm256_unpackhi_ps(g, h));
    const FIRST: i32 = 0b01_00_01_00;
    const SECOND: i32 = 0b11_10_11_10;
    // Of each half of the rows, numbers 0 to 3 of the first four columns, and of the last four.
    let left = [
        _mm256_shuffle_ps::<FIRST>(ab, cd),
        _mm256_shuffle_ps::<SECOND>(ab, cd),
        _mm256_shuffle_ps::<FIRST>(ab_high, cd_high),
        _mm256_shuffle_ps::<SECOND>(ab_high, cd_high),
    ];
    let right = [
        _mm256_shuffle_ps::<FIRST>(ef, gh),
        _mm256_shuffle_ps::<SECOND>(ef, gh),
        _mm256_shuffle_ps::<FIRST>(ef_high, gh_high),
        _mm256_shuffle_ps::<SECOND>(ef_high, gh_high),
    ];
    for row in 0..4 {
        // SAFETY: two of the rows.
        unsafe {
            _mm256_storeu_ps(to.add(row * width), _mm256_permute2f128_ps::<0x20>(left[row], right[row]));
            _mm256_storeu_ps(to.add((row + 4) * width), _mm256_permute2f128_ps::<0x31>(left[row], right[row]));
        }
    }
}
