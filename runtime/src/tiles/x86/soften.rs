//! The tile that makes an attention's scores weights, spelt with the names of vector operations that the including module
//! defines. As many rows at once as a vector has numbers: their references, then all exponentials, then what was mixed before.
//! What is one number of each row (the largest score, the sum) is made of a vector of each by turning them together: a third of
//! the steps of one row after the other.

/// Defines `soften` for the instruction set `$features`.
macro_rules! soften_tile {
    ($features:tt) => {
        /// [`Tile::Soften`](seqwright_compiler::tile::Tile::Soften) with these instructions.
        ///
        /// # Safety
        ///
        /// The processor must have the instructions. `scores` must be writable for `rows` runs of `keys` up to a whole vector,
        /// `row` numbers apart, `reference` and `total` for `rows` numbers, and `mix` for `rows` of `width` numbers.
        #[target_feature(enable = $features)]
        #[allow(clippy::too_many_arguments)]
        pub unsafe extern "C" fn soften(
            rows: usize,
            keys: usize,
            scores: *mut f32,
            row: usize,
            reference: *mut f32,
            total: *mut f32,
            mix: *mut f32,
            width: usize,
            scale: usize,
        ) {
            let scale = f32::from_bits(scale as u32);
            let exponent = Exponent {
                factor: splat((scale * LOG2_E).min(f32::MAX)),
                lowest: splat((WEIGHT_LOWEST / scale).max(DIFFERENCE_LOWEST)),
                slack: splat((SLACK / scale).min(SLACK_MOST)),
            };
            let vectors = keys.div_ceil(LANES);
            for first in (0..rows).step_by(GROUPS * LANES) {
                let groups = (first..rows.min(first + GROUPS * LANES)).step_by(LANES);
                let mut references =
                    [Reference { numbers: [0.0; LANES], rescales: [1.0; LANES], moved: false }; GROUPS];
                // SAFETY: `count` of the rows begin at each `first`.
                unsafe {
                    for (found, first) in references.iter_mut().zip(groups.clone()) {
                        let count = LANES.min(rows - first);
                        *found = refer(count, vectors, scores.add(first * row), row, reference.add(first), exponent);
                    }
                    for (found, first) in references.iter().zip(groups) {
                        let count = LANES.min(rows - first);
                        let sum = weigh(count, vectors, scores.add(first * row), row, found, exponent);
                        let before = load_first(total.add(first), count);
                        let sum = multiply_add(before, load(found.rescales.as_ptr()), sum);
                        store_first(total.add(first), sum, count);
                        if found.moved {
                            for (number, rescale) in found.rescales.iter().enumerate().take(count) {
                                scale_row(mix.add((first + number) * width), width, *rescale);
                            }
                        }
                    }
                }
            }
        }

        /// Rows of as many vectors whose references are found before the first one's weights are made, so that one need not wait
        /// for the other.
        const GROUPS: usize = 4;

        /// How a difference of scores becomes an exponent of 2, below which difference the weight is zero, and how far above a
        /// reference a score may be.
        #[derive(Clone, Copy)]
        struct Exponent {
            factor: Floats,
            lowest: Floats,
            slack: Floats,
        }

        /// What the scores of rows are held against, what their sums and mixes are multiplied by for it, and whether any is.
        #[derive(Clone, Copy)]
        struct Reference {
            numbers: [f32; LANES],
            rescales: [f32; LANES],
            moved: bool,
        }

        /// The exponential of a difference, and 0 where that would be denormal.
        #[target_feature(enable = $features)]
        #[inline]
        fn weight_lanes(difference: Floats, Exponent { factor, lowest, .. }: Exponent) -> Floats {
            let t = multiply_add(difference, factor, splat(ROUND_BIASED));
            let minus_n = subtract(splat(ROUND_BIASED), t);
            let power = polynomial(EXP2, multiply_add(difference, factor, minus_n));
            zero_below(multiply(power, from_bits(shift_left::<23>(to_bits(t)))), difference, lowest)
        }

        /// The references of as many rows as a vector has numbers at most, so that what is one number of each row is one vector.
        ///
        /// # Safety
        ///
        /// As for `soften`.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn refer(
            rows: usize,
            vectors: usize,
            scores: *const f32,
            row: usize,
            kept: *mut f32,
            exponent: Exponent,
        ) -> Reference {
            let mut largest = [splat(f32::MIN); LANES];
            for (number, most) in largest.iter_mut().enumerate().take(rows) {
                for place in 0..vectors {
                    // The first where one is not a number is the second: what is not a number is not the largest.
                    // SAFETY: a block of this row has the vector.
                    *most = larger(unsafe { load(scores.add(number * row + place * LANES)) }, *most);
                }
            }
            let mut reference = Reference { numbers: [0.0; LANES], rescales: [1.0; LANES], moved: false };
            // SAFETY: `rows` numbers are read and written, and the arrays have a vector.
            unsafe {
                let before = load_first(kept, rows);
                let now = where_above(of_rows(largest, |left, right| larger(left, right)), before, exponent.slack);
                store_first(kept, now, rows);
                // Where nothing was seen before, nothing is to be scaled.
                let lowest = splat(f32::MIN.next_up());
                reference.moved = any_differ(zero_below(now, before, lowest), zero_below(before, before, lowest));
                // Where nothing was seen yet all weights become zero.
                let now = zero_below(now, now, lowest);
                store(reference.numbers.as_mut_ptr(), now);
                if reference.moved {
                    store(reference.rescales.as_mut_ptr(), weight_lanes(subtract(before, now), exponent));
                }
            }
            reference
        }

        /// Makes the scores of so many rows weights; gives their sums.
        ///
        /// # Safety
        ///
        /// As for `soften`.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn weigh(
            rows: usize,
            vectors: usize,
            scores: *mut f32,
            row: usize,
            reference: &Reference,
            exponent: Exponent,
        ) -> Floats {
            let mut sums = [splat(0.0); LANES];
            for (number, sum) in sums.iter_mut().enumerate().take(rows) {
                let reference = splat(reference.numbers[number]);
                for place in 0..vectors {
                    // SAFETY: a block of this row has the vector.
                    unsafe {
                        let place = scores.add(number * row + place * LANES);
                        let weight = weight_lanes(subtract(load(place), reference), exponent);
                        *sum = add(*sum, weight);
                        store(place, weight);
                    }
                }
            }
            of_rows(sums, |left, right| add(left, right))
        }

        /// Multiplies a row of the mix.
        ///
        /// # Safety
        ///
        /// It must be writable for `width` numbers.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn scale_row(mix: *mut f32, width: usize, by: f32) {
            let mut done = 0;
            // SAFETY: `done + LANES` numbers, or in the last step `width` of them, are of the row.
            unsafe {
                while width - done >= LANES {
                    store(mix.add(done), multiply(load(mix.add(done)), splat(by)));
                    done += LANES;
                }
                let last = multiply(load_first(mix.add(done), width - done), splat(by));
                store_first(mix.add(done), last, width - done);
            }
        }
    };
}
