//! The tiles with AVX2 and FMA: vectors of eight numbers, sixteen registers.
//!
//! The names of the operations are the ones that `product_tile!`, `function_tiles!` and `soften_tile!` expect.

use std::arch::x86_64::*;
use std::arch::x86_64::{
    _mm256_add_epi32 as add_integers, _mm256_add_ps as add, _mm256_and_ps as and, _mm256_andnot_ps as and_not,
    _mm256_castps_si256 as to_bits, _mm256_castsi256_ps as from_bits, _mm256_div_ps as divide,
    _mm256_fmadd_ps as multiply_add, _mm256_loadu_ps as load, _mm256_max_ps as larger, _mm256_min_ps as smaller,
    _mm256_mul_ps as multiply, _mm256_or_ps as or, _mm256_set1_epi32 as splat_integer, _mm256_set1_ps as splat,
    _mm256_slli_epi32 as shift_left, _mm256_srai_epi32 as shift_right, _mm256_storeu_ps as store,
    _mm256_sub_epi32 as subtract_integers, _mm256_sub_ps as subtract, _mm256_xor_ps as exclusive_or,
};

/// Columns in a panel of packed `b`: two vectors.
pub const PANEL_WIDTH: usize = 2 * LANES;

/// Numbers in a vector.
const LANES: usize = 8;

/// Rows in the product's register tile: 6 by 2 vectors of sums, two of `b` and one of `a` are 15 of 16 registers.
const MOST_ROWS: usize = 6;

/// How far the product runs along `k` before it turns to the next panel: of a panel, 16 KiB, half of the nearest cache.
const MOST_DEPTH: usize = 256;

type Floats = __m256;

/// The lanes below `count` all ones, the others zero.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn first_lanes(count: usize) -> __m256i {
    let numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), numbers)
}

/// The first `count` numbers at `from`, zeros after them. Nothing else is read.
///
/// # Safety
///
/// `from` must be readable for `count` numbers.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn load_first(from: *const f32, count: usize) -> Floats {
    // SAFETY: the masked load reads no lane from `count` on.
    unsafe { _mm256_maskload_ps(from, first_lanes(count)) }
}

/// Writes the first `count` lanes, and nothing else.
///
/// # Safety
///
/// `to` must be writable for `count` numbers.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn store_first(to: *mut f32, values: Floats, count: usize) {
    // SAFETY: the masked store writes no lane from `count` on.
    unsafe { _mm256_maskstore_ps(to, first_lanes(count), values) }
}

product_tile!("avx2,fma", 1 2 3 4 5 6);
function_tiles!("avx2,fma");
soften_tile!("avx2,fma");
