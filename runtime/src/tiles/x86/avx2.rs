//! The tiles with AVX2, FMA and F16C: vectors of eight numbers, sixteen registers.
//!
//! The names of the operations are the ones that `product_tile!`, `block_tile!`, `function_tiles!` and `soften_tile!`
//! expect.

use std::arch::x86_64::*;
use std::arch::x86_64::{
    _mm256_add_epi32 as add_integers, _mm256_add_ps as add, _mm256_and_ps as and, _mm256_and_si256 as and_integers,
    _mm256_andnot_ps as and_not, _mm256_castps_si256 as to_bits, _mm256_castsi256_ps as from_bits,
    _mm256_cvtepi32_ps as to_floats, _mm256_div_ps as divide, _mm256_fmadd_ps as multiply_add, _mm256_loadu_ps as load,
    _mm256_madd_epi16 as multiply_pairs, _mm256_max_ps as larger, _mm256_min_ps as smaller, _mm256_mul_ps as multiply,
    _mm256_or_ps as or, _mm256_set1_epi32 as splat_integer, _mm256_set1_ps as splat, _mm256_slli_epi32 as shift_left,
    _mm256_srai_epi32 as shift_right, _mm256_srli_epi16 as shift_right_unsigned, _mm256_storeu_ps as store,
    _mm256_sub_epi32 as subtract_integers, _mm256_sub_ps as subtract, _mm256_xor_ps as exclusive_or,
};

use crate::tiles::kept::BLOCK;
use crate::tiles::operand::{Factor, with_operand};
use crate::tiles::weights::{Weights, rows_at_once};

/// Columns in a panel of packed `b`: two vectors.
pub const PANEL_WIDTH: usize = 2 * LANES;

/// Numbers in a vector.
const LANES: usize = 8;

/// Rows in the product's register tile: 6 by 2 vectors of sums, two of `b` and one of `a` are 15 of 16 registers.
const MOST_ROWS: usize = 6;

/// How far the product runs along `k` before it turns to the next panel: of a panel, 16 KiB, half of the nearest cache.
const MOST_DEPTH: usize = 256;

/// Rows in the tile of products with blocks: 4 by 2 vectors of sums, two of codes, two that they are made of, a mask and one
/// of the operand are 14 of 16 registers.
const MOST_BLOCK_ROWS: usize = 4;

type Floats = __m256;
type Integers = __m256i;

/// The lanes below `count` all ones, the others zero.
#[target_feature(enable = "avx2,fma,f16c")]
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
#[target_feature(enable = "avx2,fma,f16c")]
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
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn store_first(to: *mut f32, values: Floats, count: usize) {
    // SAFETY: the masked store writes no lane from `count` on.
    unsafe { _mm256_maskstore_ps(to, first_lanes(count), values) }
}

/// The numbers of a vector, but 0 where another one's are below a bound.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn zero_below(values: Floats, compared: Floats, bound: Floats) -> Floats {
    and(values, _mm256_cmp_ps::<_CMP_NLT_UQ>(compared, bound))
}

/// The numbers of a vector where they are above what is kept by more than a slack, and else that.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn where_above(numbers: Floats, kept: Floats, slack: Floats) -> Floats {
    _mm256_blendv_ps(kept, numbers, _mm256_cmp_ps::<_CMP_GT_OQ>(numbers, add(kept, slack)))
}

/// Whether two vectors are not the same everywhere.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn any_differ(left: Floats, right: Floats) -> bool {
    _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(left, right)) != 0
}

/// A vector with a number of each of eight: what `both` makes of all its lanes.
///
/// Pairs of vectors become one, of which each has half, three times: of neighbours, of pairs, of halves.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn of_rows(rows: [Floats; LANES], both: impl Fn(Floats, Floats) -> Floats) -> Floats {
    let [left, right] = std::array::from_fn(|four| {
        let [a, b, c, d] = std::array::from_fn(|row| rows[4 * four + row]);
        let ab = both(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let cd = both(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        let [ab, cd] = [ab, cd].map(|pair| _mm256_castps_pd(pair));
        both(_mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)), _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd)))
    });
    both(_mm256_permute2f128_ps::<0x20>(left, right), _mm256_permute2f128_ps::<0x31>(left, right))
}

/// A vector of floats from so many of 16 bits.
///
/// # Safety
///
/// `from` must be readable for `LANES` of them.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn load_halves(from: *const u8) -> Floats {
    // SAFETY: the caller's promise.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(from.cast()) })
}

/// A vector of bytes.
///
/// # Safety
///
/// `from` must be readable for a vector.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn load_integers(from: *const u8) -> Integers {
    // SAFETY: the caller's promise.
    unsafe { _mm256_loadu_si256(from.cast()) }
}

/// What the product's panels consist of.
type Number = f32;

/// A row of a panel.
///
/// # Safety
///
/// `from` must be readable for a panel's width.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn load_row(from: *const f32) -> [Floats; 2] {
    // SAFETY: the caller's promise.
    unsafe { [load(from), load(from.add(LANES))] }
}

/// The products of neighbours of 16 bits, added to their sums of 32.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn add_pairs(sums: Integers, left: Integers, right: Integers) -> Integers {
    add_integers(sums, multiply_pairs(left, right))
}

product_tile!("avx2,fma,f16c", 1 2 3 4 5 6);
words_of_pairs!("avx2,fma,f16c");
block_tile!("avx2,fma,f16c", 1 2 3 4);

/// Products with weights as 16-bit floats.
mod bf16 {
    use super::*;

    /// The upper half of a float.
    type Number = u16;

    /// A row of a panel: the lower halves of its words are one vector, the upper ones the other.
    ///
    /// # Safety
    ///
    /// `from` must be readable for a panel's width.
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn load_row(from: *const u16) -> [Floats; 2] {
        // SAFETY: the caller's promise.
        let words = unsafe { load_integers(from.cast()) };
        [
            from_bits(shift_left::<16>(words)),
            from_bits(and_integers(words, splat_integer(0xffff_0000u32.cast_signed()))),
        ]
    }

    product_tile!("avx2,fma,f16c", 1 2 3 4 5 6);
}

/// Weights in [`Form::Bf16`](crate::tiles::kept::Form::Bf16).
///
/// # Safety
///
/// As for [`Weights`], and the processor must have the instructions.
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn bf16_product(
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
    // SAFETY: the columns from `from` on are those of a packed matrix too.
    unsafe {
        bf16::product(m, to - from, k, a, lda, (*weights).panel(from / PANEL_WIDTH).cast(), k, c.add(from), ldc, 0)
    }
}
function_tiles!("avx2,fma,f16c");
soften_tile!("avx2,fma,f16c");
