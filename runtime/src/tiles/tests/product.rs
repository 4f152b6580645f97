//! The product and pack tiles.

use std::cell::RefCell;

use super::{Callable, Random, with_every_choice};
use crate::tiles::{AlignedFloats, pack, packed_length};

/// What stands where the product must not write.
const UNTOUCHED: f32 = 12345.0;

/// One random product, checked against double precision.
fn check(callable: &Callable, random: &mut Random, sizes: [usize; 3]) {
    let [m, n, k] = sizes;
    let lda = k + random.below(5);
    let ldc = n + random.below(5);
    // Not aligned either.
    let shift = random.below(4);
    let a = random.numbers(shift + m * lda + k);
    // Of a matrix that may be deeper.
    let depth = k + random.below(3);
    let b = random.numbers(n * depth);
    let packed = pack(callable.tiles.panel_width, n, depth, |column, p| b[column * depth + p]);
    let accumulate = random.below(2) == 1;
    let before = random.numbers(shift + m * ldc + 64);
    let mut c = vec![UNTOUCHED; before.len()];
    if accumulate {
        c.copy_from_slice(&before);
    }
    callable.product(sizes, &a[shift..], lda, &packed, &mut c[shift..], ldc, accumulate);
    let case = format!("{} {m} by {n} by {k}, strides {lda} and {ldc}", callable.name());
    let mut written = vec![false; c.len()];
    for row in 0..m {
        for column in 0..n {
            let place = shift + row * ldc + column;
            let mut sum = if accumulate { f64::from(before[place]) } else { 0.0 };
            for p in 0..k {
                sum += f64::from(a[shift + row * lda + p]) * f64::from(b[column * depth + p]);
            }
            let error = (f64::from(c[place]) - sum).abs();
            assert!(error <= 1e-6 * (k as f64 + 1.0), "{case}: at {row}, {column} {} is not {sum}", c[place]);
            written[place] = true;
        }
    }
    for (place, &number) in c.iter().enumerate() {
        let kept = if accumulate { before[place] } else { UNTOUCHED };
        assert!(written[place] || number == kept, "{case}: {place} was written");
    }
}

#[test]
fn products_are_right_at_all_sizes() {
    with_every_choice(|callable| {
        let mut random = Random(1);
        for m in 0..=40 {
            for _ in 0..12 {
                let sizes = [m, 1 + random.below(100), random.below(81)];
                check(callable, &mut random, sizes);
            }
        }
        // Around whole panels, whole groups of panels, and no depth at all.
        for m in [1, 2, 3, 4, 7, 13] {
            for n in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130] {
                for k in [0, 1, 3, 4, 5, 64] {
                    check(callable, &mut random, [m, n, k]);
                }
            }
        }
        // More than one part along `k`.
        for m in [1, 2, 5, 12, 25] {
            for k in [255, 256, 257, 512, 700] {
                check(callable, &mut random, [m, 37, k]);
            }
        }
    });
}

/// The bits of each row's result must not depend on the rows that are computed with it.
#[test]
fn rows_do_not_depend_on_each_other() {
    with_every_choice(|callable| {
        let mut random = Random(2);
        for [n, k] in [[70, 33], [129, 80], [16, 600], [5, 7]] {
            let most = 40;
            let a = random.numbers(most * k);
            let b = random.numbers(n * k);
            let packed = pack(callable.tiles.panel_width, n, k, |column, p| b[column * k + p]);
            let before = random.numbers(most * n);
            for accumulate in [false, true] {
                let mut alone = before.clone();
                for row in 0..most {
                    callable.product([1, n, k], &a[row * k..], k, &packed, &mut alone[row * n..][..n], n, accumulate);
                }
                for m in 1..=most {
                    let mut together = before.clone();
                    callable.product([m, n, k], &a, k, &packed, &mut together, n, accumulate);
                    let equal =
                        alone.iter().zip(&together).take(m * n).all(|(one, other)| one.to_bits() == other.to_bits());
                    assert!(equal, "{} {m} rows by {n} by {k}, accumulating {accumulate}", callable.name());
                }
            }
        }
    });
}

/// All versions add the same products in the same order, so they agree to the bit.
#[test]
fn versions_agree() {
    let [m, n, k] = [9, 77, 301];
    let results = RefCell::new(Vec::new());
    with_every_choice(|callable| {
        let mut random = Random(4);
        let (a, b) = (random.numbers(m * k), random.numbers(n * k));
        let packed = pack(callable.tiles.panel_width, n, k, |column, p| b[column * k + p]);
        let mut c = vec![0.0; m * n];
        callable.product([m, n, k], &a, k, &packed, &mut c, n, false);
        results.borrow_mut().push(c.iter().map(|number| number.to_bits()).collect::<Vec<_>>());
    });
    let results = results.into_inner();
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn packing() {
    with_every_choice(|callable| {
        let mut random = Random(5);
        let width = callable.tiles.panel_width;
        for [n, k] in [[1, 1], [width, 3], [width + 1, 4], [3 * width - 1, 9], [100, 17], [0, 5], [5, 0]] {
            for [stride_n, stride_k] in [[1, n], [k, 1], [1, n + 3], [k + 2, 1], [2 * k, 2]] {
                let source = random.numbers(2 * (n + 5) * (k + 5));
                let at = |column: usize, p: usize| source[column * stride_n + p * stride_k];
                let packed = callable.pack(n, k, &source, stride_n, stride_k);
                assert_eq!(packed.len(), packed_length(width, n, k));
                for (place, &number) in packed.iter().enumerate() {
                    let (panel, rest) = (place / (width * k), place % (width * k));
                    let (column, p) = (panel * width + rest % width, rest / width);
                    assert_eq!(number, if column < n { at(column, p) } else { 0.0 });
                }
                assert_eq!(packed, pack(width, n, k, at)[..]);
            }
        }
    });
}

#[test]
fn aligned_memory() {
    for length in [0, 1, 5, 64, 1000] {
        let mut floats = AlignedFloats::zeroed(length);
        assert_eq!(floats.len(), length);
        assert_eq!(floats.as_ptr() as usize % 64, 0);
        assert!(floats.iter().all(|&number| number == 0.0));
        floats.fill(3.0);
        let copy = floats.clone();
        drop(floats);
        assert!(copy.iter().all(|&number| number == 3.0));
    }
}
