//! Products with packed weights in every form.

use std::cell::RefCell;
use std::mem::transmute;

use half::f16;

use super::{Callable, Random, with_every_choice};
use crate::tiles::ActivationPrecision::{Eight, Sixteen};
use crate::tiles::kept::{BLOCK, Block};
use crate::tiles::weights::{ProductTile, Source, multiply};
use crate::tiles::{ActivationPrecision, Form, PackedWeights, pack};
use crate::weights::BlockFormat;
use seqwright_compiler::tile::Tile;

/// Every form, with each precision of rows that it is multiplied with.
const FORMS: [(Form, ActivationPrecision); 8] = [
    (Form::F32, Sixteen),
    (Form::Bf16, Sixteen),
    (Form::Eight, Sixteen),
    (Form::EightWithMinimum, Sixteen),
    (Form::Four, Sixteen),
    (Form::Eight, Eight),
    (Form::EightWithMinimum, Eight),
    (Form::Four, Eight),
];

/// What stands where the product must not write.
const UNTOUCHED: f32 = 12345.0;

impl Callable {
    fn packed(&self, (form, activations): (Form, ActivationPrecision), n: usize, k: usize, b: &[f32]) -> PackedWeights {
        let (width, tile) = (self.tiles.panel_width, self.tiles.weights(form, activations));
        let number = |column: usize, p: usize| b[column * k + p];
        if form == Form::F32 {
            // SAFETY: every version of the tile has this signature.
            let product = unsafe { transmute::<*const u8, ProductTile>(self.address(Tile::Product)) };
            return PackedWeights::floats(pack(width, n, k, number), width, tile, product, k);
        }
        PackedWeights::pack(form, width, tile, [n, k], &Source { number: &number, block: &|_, _| None })
    }

    /// The columns from the panel `first` on; `m` rows that are `lda` apart, the result's `n` apart.
    fn multiply(
        &self,
        m: usize,
        first: usize,
        [n, k]: [usize; 2],
        a: &[f32],
        lda: usize,
        b: &PackedWeights,
    ) -> Vec<f32> {
        self.multiply_in_parts(m, first, [n, k], (false, &[k]), (a, lda), b)
    }

    /// The same, later columns first or not, in parts of the depth that end at these places.
    fn multiply_in_parts(
        &self,
        m: usize,
        first: usize,
        [n, k]: [usize; 2],
        (backward, ends): (bool, &[usize]),
        (a, lda): (&[f32], usize),
        b: &PackedWeights,
    ) -> Vec<f32> {
        assert!(m == 0 || k == 0 || a.len() >= (m - 1) * lda + k);
        let mut c = vec![UNTOUCHED; m * n];
        let from = (first * self.tiles.panel_width).min(n);
        let mut p_from = 0;
        for p_to in ends {
            // SAFETY: the matrix was packed for these tiles and sizes, and the slices are as large as is said.
            unsafe {
                let (a, c) = (a.as_ptr(), c.as_mut_ptr());
                multiply(m, from, n, backward.into(), k, p_from, *p_to, a, lda, b.head(), c, n);
            }
            p_from = *p_to;
        }
        c
    }
}

/// How far a sum may be off: float sums, and of blocks half a unit for each number of the row, with a little for the rounding
/// of the reciprocal.
fn allowed((form, activations): (Form, ActivationPrecision), a: &[f32], weights: impl Fn(usize) -> f32) -> f64 {
    let most = match activations {
        Sixteen => 32767.0,
        Eight => 127.0,
    };
    let floats = 1e-6 * (a.len() as f64 + 1.0);
    if !form.has_blocks() {
        return floats;
    }
    let mut all = floats;
    for (number, block) in a.chunks(BLOCK).enumerate() {
        let largest = block.iter().fold(0f32, |largest, x| largest.max(x.abs()));
        let sizes: f64 = (0..block.len()).map(|p| f64::from(weights(number * BLOCK + p).abs())).sum();
        // A form with a minimum multiplies it with the sum of the codes: its part of a weight counts for itself.
        let parts = if form.has_minimum() { 3.0 } else { 1.0 };
        all += 0.51 * f64::from(largest) / most * sizes * parts;
    }
    all
}

fn name((form, activations): (Form, ActivationPrecision)) -> String {
    format!("{}, rows of {} bits", form.name(), activations.bits())
}

#[test]
fn products_with_kept_weights_are_right_at_all_sizes() {
    with_every_choice(|callable| {
        let mut random = Random(11);
        let mut sizes = vec![[0, 5, 7], [3, 0, 40], [2, 9, 0], [1, 200, 96], [13, 70, 64], [5, 33, 300]];
        sizes.extend((0..40).map(|_| [1 + random.below(20), 1 + random.below(70), 1 + random.below(130)]));
        for [m, n, k] in sizes {
            let lda = k + random.below(4);
            let (a, b) = (random.numbers(m * lda + k), random.numbers(n * k));
            for form in FORMS {
                let weights = callable.packed(form, n, k, &b);
                let c = callable.multiply(m, 0, [n, k], &a, lda, &weights);
                for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column))) {
                    let a = &a[row * lda..][..k];
                    let sum: f64 = (0..k).map(|p| f64::from(a[p]) * f64::from(weights.number(column, p))).sum();
                    let (got, allowed) = (c[row * n + column], allowed(form, a, |p| weights.number(column, p)));
                    let case = format!("{} {} {m} by {n} by {k}", callable.name(), name(form));
                    assert!((f64::from(got) - sum).abs() <= allowed, "{case} at {row}, {column}: {got} is not {sum}");
                }
            }
        }
    });
}

/// The bits of each row's result depend neither on the rows that are computed with it, nor on the columns.
#[test]
fn rows_and_columns_do_not_depend_on_each_other() {
    with_every_choice(|callable| {
        let mut random = Random(12);
        // More rows than are made whole numbers at once, in the last.
        for [most, n, k] in [[21, 70, 33], [11, 129, 80], [70, 5, 9000]] {
            let (a, b) = (random.numbers(most * k), random.numbers(n * k));
            for form in FORMS {
                let weights = callable.packed(form, n, k, &b);
                let all = callable.multiply(most, 0, [n, k], &a, k, &weights);
                for row in 0..most {
                    let alone = callable.multiply(1, 0, [n, k], &a[row * k..], k, &weights);
                    assert!(alone == all[row * n..][..n], "{} {} row {row}", callable.name(), name(form));
                }
                for m in 1..most.min(14) {
                    let some = callable.multiply(m, 1, [n, k], &a, k, &weights);
                    let from = callable.tiles.panel_width.min(n);
                    for (place, number) in some.iter().enumerate() {
                        let wanted = if place % n < from { UNTOUCHED } else { all[place] };
                        assert!(*number == wanted, "{} {} {m} rows", callable.name(), name(form));
                    }
                }
            }
        }
    });
}

/// All versions round and add alike, so they agree to the bit.
#[test]
fn versions_agree_in_every_form() {
    let [m, n, k] = [9, 77, 301];
    for form in FORMS {
        let results = RefCell::new(Vec::new());
        with_every_choice(|callable| {
            let mut random = Random(13);
            let (a, b) = (random.numbers(m * k), random.numbers(n * k));
            let c = callable.multiply(m, 0, [n, k], &a, k, &callable.packed(form, n, k, &b));
            results.borrow_mut().push(c.iter().map(|number| number.to_bits()).collect::<Vec<_>>());
        });
        let results = results.into_inner();
        assert!(results.iter().all(|result| *result == results[0]), "{}", name(form));
    }
}

/// The largest codes and rows do not overflow, and what is no number makes its own row none, and no other.
#[test]
fn extremes() {
    with_every_choice(|callable| {
        let [n, k] = [20, 64];
        for form in FORMS {
            for sign in [1.0, -1.0] {
                let weights = callable.packed(form, n, k, &vec![sign * 3.0; n * k]);
                let mut a = vec![-7.0; 3 * k];
                a[k + 40] = f32::NAN;
                let c = callable.multiply(3, 0, [n, k], &a, k, &weights);
                let wanted = -7.0 * 3.0 * sign * k as f32;
                let right = |c: &f32| (c - wanted).abs() <= 1e-2 * wanted.abs();
                assert!(c[..n].iter().chain(&c[2 * n..]).all(right), "{} {}", callable.name(), name(form));
                assert!(c[n..2 * n].iter().all(|c| c.is_nan()), "{} {}", callable.name(), name(form));
            }
        }
    });
}

/// Blocks of every format of a file that stays what it is are the numbers that it is expanded to.
#[test]
fn blocks_of_files_are_what_they_are_expanded_to() {
    let mut random = Random(14);
    for format in [BlockFormat::Q4_0, BlockFormat::Q4_1, BlockFormat::Q5_0, BlockFormat::Q8_0] {
        for _ in 0..100 {
            let mut bytes: Vec<u8> = (0..format.bytes()).map(|_| random.below(256) as u8).collect();
            bytes[..2].copy_from_slice(&f16::from_f32(random.number()).to_le_bytes());
            if format == BlockFormat::Q4_1 {
                bytes[2..4].copy_from_slice(&f16::from_f32(random.number()).to_le_bytes());
            }
            let mut numbers = [0.0; BLOCK];
            format.expand(&bytes, &mut numbers);
            let block = Block::from_file(format, &bytes);
            for (place, wanted) in numbers.iter().enumerate() {
                assert_eq!(block.number(place), *wanted, "{} {place}", format.name());
            }
        }
    }
}

/// Rounded to the nearest: half a step of the block at most, and a little for the scale's own 11 bits.
#[test]
fn blocks_are_the_nearest() {
    let mut random = Random(15);
    for (form, steps) in [(Form::Eight, 254.0), (Form::EightWithMinimum, 127.0), (Form::Four, 15.0)] {
        for count in [1, 5, 31, 32] {
            let numbers = random.numbers(count);
            let block = Block::nearest(form, &numbers);
            let (low, high) = numbers.iter().fold((f32::MAX, f32::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
            let size = low.abs().max(high.abs());
            let range = if form.has_minimum() { high - low } else { 2.0 * size };
            for (place, number) in numbers.iter().enumerate() {
                let error = (block.number(place) - number).abs();
                assert!(error <= 0.5 * range / steps + size / 1000.0, "{} {error}", form.name());
            }
        }
        assert!(Block::nearest(form, &[0.0; 32]).codes.iter().all(|code| *code == 0));
    }
}

#[test]
fn a_product_in_parts_or_backward_is_the_same() {
    with_every_choice(|callable| {
        let mut random = Random(5);
        let sizes = [[1, 300, 64], [1, 40, 257], [2, 70, 96], [5, 33, 300], [13, 130, 40]];
        for [m, n, k] in sizes {
            let (a, b) = (random.numbers(m * k), random.numbers(n * k));
            for form in FORMS {
                let weights = callable.packed(form, n, k, &b);
                let whole = callable.multiply(m, 0, [n, k], &a, k, &weights);
                for (backward, ends) in [(false, &[k / 2, k][..]), (false, &[1, k - 1, k]), (true, &[k])] {
                    let parts = callable.multiply_in_parts(m, 0, [n, k], (backward, ends), (&a, k), &weights);
                    let case = format!("{} {} {m} by {n} by {k}", callable.name(), name(form));
                    assert_eq!(parts, whole, "{case}, {ends:?}, backward: {backward}");
                }
            }
        }
    });
}
