//! The tiles with AVX-512 (F, VL, BW, DQ): vectors of sixteen numbers, thirty-two registers.
//!
//! The names of the operations are the ones that `product_tile!`, `block_tile!`, `function_tiles!` and `soften_tile!`
//! expect.

use std::arch::x86_64::*;
use std::arch::x86_64::{
    _mm512_add_epi32 as add_integers, _mm512_add_ps as add, _mm512_and_ps as and, _mm512_and_si512 as and_integers,
    _mm512_andnot_ps as and_not, _mm512_castps_si512 as to_bits, _mm512_castsi512_ps as from_bits,
    _mm512_cvtepi32_ps as to_floats, _mm512_div_ps as divide, _mm512_fmadd_ps as multiply_add, _mm512_loadu_ps as load,
    _mm512_madd_epi16 as multiply_pairs, _mm512_max_ps as larger, _mm512_min_ps as smaller, _mm512_mul_ps as multiply,
    _mm512_or_ps as or, _mm512_set1_epi32 as splat_integer, _mm512_set1_ps as splat, _mm512_slli_epi32 as shift_left,
    _mm512_srai_epi32 as shift_right, _mm512_srli_epi16 as shift_right_unsigned, _mm512_storeu_ps as store,
    _mm512_sub_epi32 as subtract_integers, _mm512_sub_ps as subtract, _mm512_xor_ps as exclusive_or,
};

use crate::tiles::kept::BLOCK;
use crate::tiles::operand::{Factor, with_operand};
use crate::tiles::weights::{Weights, rows_at_once};

/// Columns in a panel of packed `b`: two vectors.
pub const PANEL_WIDTH: usize = 2 * LANES;

/// Numbers in a vector.
const LANES: usize = 16;

/// Rows in the product's register tile: 11 by 2 vectors of sums, two of `b` and one of `a` are 25 of 32 registers. With 12 the
/// addresses of rows do not fit the other registers, and sums are spilled: two thirds of the speed.
const MOST_ROWS: usize = 11;

/// How far the product runs along `k` before it turns to the next panel: of a panel, 32 KiB, of a nearest cache of 32 or 48.
const MOST_DEPTH: usize = 256;

/// Rows in the tile of products with blocks: 8 by 2 vectors of a block's sums, two of codes, two that they are made of, a mask
/// and one of the operand are 22 of 32 registers; the rows' own sums are elsewhere. (With 6 all of them are in registers, and
/// it is slower.)
const MOST_BLOCK_ROWS: usize = 8;

type Floats = __m512;
type Integers = __m512i;

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

/// The numbers of a vector, but 0 where another one's are below a bound.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
fn zero_below(values: Floats, compared: Floats, bound: Floats) -> Floats {
    _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(compared, bound), values)
}

/// The numbers of a vector where they are above what is kept by more than a slack, and else that.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
fn where_above(numbers: Floats, kept: Floats, slack: Floats) -> Floats {
    _mm512_mask_mov_ps(kept, _mm512_cmp_ps_mask::<_CMP_GT_OQ>(numbers, add(kept, slack)), numbers)
}

/// Whether two vectors are not the same everywhere.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
fn any_differ(left: Floats, right: Floats) -> bool {
    _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(left, right) != 0
}

/// A vector with a number of each of sixteen: what `both` makes of all its lanes.
///
/// Pairs of vectors become one, of which each has half, four times: of neighbours, of pairs, of quarters, of halves.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
fn of_rows(rows: [Floats; LANES], both: impl Fn(Floats, Floats) -> Floats) -> Floats {
    let fours = std::array::from_fn::<_, 4, _>(|four| {
        let [a, b, c, d] = std::array::from_fn(|row| rows[4 * four + row]);
        let ab = both(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let cd = both(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        let [ab, cd] = [ab, cd].map(|pair| _mm512_castps_pd(pair));
        both(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)))
    });
    let quarters = |left, right| {
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        both(_mm512_shuffle_f32x4::<EVEN>(left, right), _mm512_shuffle_f32x4::<ODD>(left, right))
    };
    quarters(quarters(fours[0], fours[1]), quarters(fours[2], fours[3]))
}

/// A vector of floats from so many of 16 bits.
///
/// # Safety
///
/// `from` must be readable for `LANES` of them.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
unsafe fn load_halves(from: *const u8) -> Floats {
    // SAFETY: the caller's promise.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(from.cast()) })
}

/// A vector of bytes.
///
/// # Safety
///
/// `from` must be readable for a vector.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
unsafe fn load_integers(from: *const u8) -> Integers {
    // SAFETY: the caller's promise.
    unsafe { _mm512_loadu_si512(from.cast()) }
}

/// What the product's panels consist of.
type Number = f32;

/// A row of a panel.
///
/// # Safety
///
/// `from` must be readable for a panel's width.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
unsafe fn load_row(from: *const f32) -> [Floats; 2] {
    // SAFETY: the caller's promise.
    unsafe { [load(from), load(from.add(LANES))] }
}

/// The products of neighbours of 16 bits, added to their sums of 32.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
#[inline]
fn add_pairs(sums: Integers, left: Integers, right: Integers) -> Integers {
    add_integers(sums, multiply_pairs(left, right))
}

product_tile!("avx512f,avx512vl,avx512bw,avx512dq", 1 2 3 4 5 6 7 8 9 10 11);
words_of_pairs!("avx512f,avx512vl,avx512bw,avx512dq");
block_tile!("avx512f,avx512vl,avx512bw,avx512dq", 1 2 3 4 5 6 7 8);

/// Products with weights in blocks and codes of 16 bits where one instruction multiplies pairs and adds them to a sum.
pub mod vnni {
    use super::*;
    use std::arch::asm;

    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni")]
    #[inline]
    fn add_pairs(mut sums: Integers, left: Integers, right: Integers) -> Integers {
        // Spelt out, as LLVM makes two instructions of the intrinsic unless it compiles for some later processors: a sum waits
        // less for them, and the block tiles have enough sums not to wait.
        // SAFETY: it changes nothing but its first operand, and this function's callers have checked for VNNI.
        unsafe {
            asm!("vpdpwssd {}, {}, {}", inout(zmm_reg) sums, in(zmm_reg) left, in(zmm_reg) right,
                options(pure, nomem, nostack, preserves_flags));
        }
        sums
    }

    words_of_pairs!("avx512f,avx512vl,avx512bw,avx512dq,avx512vnni");
    block_tile!("avx512f,avx512vl,avx512bw,avx512dq,avx512vnni", 1 2 3 4 5 6 7 8);
}

/// Products with weights in blocks and codes of 8 bits where one instruction multiplies four and adds them to a sum.
pub mod vnni_bytes {
    use super::*;
    use std::arch::asm;

    /// 6 by 2 vectors of a block's sums, as many of the rows' sums, two of codes and one of the operand are 27 of 32 registers.
    const MOST_BLOCK_ROWS: usize = 6;

    /// What the codes of rows are kept as.
    type Code = i8;

    /// Adds to each sum the products of the four steps that a word of each column has, the first or the second one of eight
    /// steps.
    ///
    /// # Safety
    ///
    /// `codes` must be readable for eight codes of each row.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni")]
    #[inline]
    unsafe fn add_word<const ROWS: usize>(
        word: usize,
        bytes: [Integers; 2],
        codes: *const i8,
        row_stride: usize,
        sums: &mut [[Integers; 2]; ROWS],
    ) {
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: four codes are four bytes.
            let factor = unsafe { codes.add(row * row_stride + 4 * word).cast::<i32>().read_unaligned() };
            let factor = splat_integer(factor);
            for (sum, bytes) in sums.iter_mut().zip(bytes) {
                // Spelt out for the same reason as pairs are.
                // SAFETY: it changes nothing but its first operand, and this function's callers have checked for VNNI.
                unsafe {
                    asm!("vpdpbusd {}, {}, {}", inout(zmm_reg) *sum, in(zmm_reg) bytes, in(zmm_reg) factor,
                        options(pure, nomem, nostack, preserves_flags));
                }
            }
        }
    }

    block_tile!("avx512f,avx512vl,avx512bw,avx512dq,avx512vnni", 1 2 3 4 5 6);
}

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
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
    #[inline]
    unsafe fn load_row(from: *const u16) -> [Floats; 2] {
        // SAFETY: the caller's promise.
        let words = unsafe { load_integers(from.cast()) };
        [
            from_bits(shift_left::<16>(words)),
            from_bits(and_integers(words, splat_integer(0xffff_0000u32.cast_signed()))),
        ]
    }

    product_tile!("avx512f,avx512vl,avx512bw,avx512dq", 1 2 3 4 5 6 7 8 9 10 11);
}

/// Weights in [`Form::Bf16`](crate::tiles::kept::Form::Bf16).
///
/// # Safety
///
/// As for [`Weights`], and the processor must have the instructions.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
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
function_tiles!("avx512f,avx512vl,avx512bw,avx512dq");
soften_tile!("avx512f,avx512vl,avx512bw,avx512dq");
