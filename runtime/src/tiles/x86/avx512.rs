//! The tiles with AVX-512 (F, VL, BW, DQ): vectors of sixteen numbers, thirty-two registers.
//!
//! The names of the operations are the ones that `product_tile!`, `function_tiles!` and `soften_tile!` expect.

use std::arch::x86_64::*;
use std::arch::x86_64::{
    _mm512_add_epi32 as add_integers, _mm512_add_ps as add, _mm512_and_ps as and, _mm512_andnot_ps as and_not,
    _mm512_castps_si512 as to_bits, _mm512_castsi512_ps as from_bits, _mm512_div_ps as divide,
    _mm512_fmadd_ps as multiply_add, _mm512_loadu_ps as load, _mm512_max_ps as larger, _mm512_min_ps as smaller,
    _mm512_mul_ps as multiply, _mm512_or_ps as or, _mm512_set1_epi32 as splat_integer, _mm512_set1_ps as splat,
    _mm512_slli_epi32 as shift_left, _mm512_srai_epi32 as shift_right, _mm512_storeu_ps as store,
    _mm512_sub_epi32 as subtract_integers, _mm512_sub_ps as subtract, _mm512_xor_ps as exclusive_or,
};

/// Columns in a panel of packed `b`: two vectors.
pub const PANEL_WIDTH: usize = 2 * LANES;

/// Numbers in a vector.
const LANES: usize = 16;

/// Rows in the product's register tile: 12 by 2 vectors of sums, two of `b` and one of `a` are 27 of 32 registers.
const MOST_ROWS: usize = 12;

/// How far the product runs along `k` before it turns to the next panel: of a panel, 32 KiB, of a nearest cache of 32 or 48.
const MOST_DEPTH: usize = 256;

type Floats = __m512;

/// The lanes below `count`, at most 16.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
fn first_lanes(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}

/// The first `count` numbers at `from`, zeros after them. Nothing else is read.
///
/// # Safety
///
/// `from` must be readable for `count` numbers.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
unsafe fn load_first(from: *const f32, count: usize) -> Floats {
    // SAFETY: the masked load reads no lane from `count` on.
    unsafe { _mm512_maskz_loadu_ps(first_lanes(count), from) }
}

/// Writes the first `count` lanes, and nothing else.
///
/// # Safety
///
/// `to` must be writable for `count` numbers.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
unsafe fn store_first(to: *mut f32, values: Floats, count: usize) {
    // SAFETY: the masked store writes no lane from `count` on.
    unsafe { _mm512_mask_storeu_ps(to, first_lanes(count), values) }
}

product_tile!("avx512f,avx512vl,avx512bw,avx512dq", 1 2 3 4 5 6 7 8 9 10 11 12);
function_tiles!("avx512f,avx512vl,avx512bw,avx512dq");
soften_tile!("avx512f,avx512vl,avx512bw,avx512dq");
