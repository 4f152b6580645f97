//! The tiles that are plain Rust in every choice: those that move memory, and the functions that models seldom use.
//!
//! `log`, `sin`, `cos` and `power` are the standard library's, number after number.

/// [`Tile::Pack`](seqwright_compiler::tile::Tile::Pack) for panels of `WIDTH` columns.
///
/// # Safety
///
/// `source` must be readable at every element of the `k` by `n` matrix, and `panels` writable for `n` rounded up to
/// `WIDTH`, times `k`. They must not overlap.
pub unsafe extern "C" fn pack<const WIDTH: usize>(
    n: usize,
    k: usize,
    source: *const f32,
    stride_n: usize,
    stride_k: usize,
    panels: *mut f32,
) {
    let mut to = panels;
    let mut first_column = 0;
    while first_column < n {
        let columns = WIDTH.min(n - first_column);
        for p in 0..k {
            // SAFETY: the columns from `first_column` on are of the matrix, as is row `p`; `to` has room for `WIDTH`
            // more columns of each of the panel's `k` rows. A row of zero rows is never reached.
            unsafe {
                let from = source.add(first_column * stride_n + p * stride_k);
                if stride_n == 1 && columns == WIDTH {
                    to.copy_from_nonoverlapping(from, WIDTH);
                } else {
                    for column in 0..columns {
                        *to.add(column) = *from.add(column * stride_n);
                    }
                    for column in columns..WIDTH {
                        *to.add(column) = 0.0;
                    }
                }
                to = to.add(WIDTH);
            }
        }
        first_column += WIDTH;
    }
}

/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// [`Tile::Fetch`](seqwright_compiler::tile::Tile::Fetch): nothing where a processor has no stable way to be asked.
pub extern "C" fn fetch(from: *const f32, numbers: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..(numbers * size_of::<f32>()).div_ceil(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every processor of this kind has it, and nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_byte_add(line * LINE).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, numbers);
}

/// Spells one tile that applies a function of the standard library to a run.
macro_rules! run_of {
    ($name:ident, $function:path, $text:literal) => {
        #[doc = $text]
        ///
        /// # Safety
        ///
        /// `values` must be writable for `count` numbers.
        pub unsafe extern "C" fn $name(values: *mut f32, count: usize) {
            for place in 0..count {
                // SAFETY: `place` is within the run.
                unsafe { *values.add(place) = $function(*values.add(place)) }
            }
        }
    };
}

run_of!(log, f32::ln, "Each of the run's values becomes its natural logarithm.");
run_of!(sin, f32::sin, "Each of the run's values becomes its sine.");
run_of!(cos, f32::cos, "Each of the run's values becomes its cosine.");

/// Each base becomes itself to the power of the exponent at the same place.
///
/// # Safety
///
/// `bases` must be writable and `exponents` readable for `count` numbers. They may be the same run.
pub unsafe extern "C" fn power(bases: *mut f32, exponents: *const f32, count: usize) {
    for place in 0..count {
        // SAFETY: `place` is within both runs.
        unsafe { *bases.add(place) = (*bases.add(place)).powf(*exponents.add(place)) }
    }
}
