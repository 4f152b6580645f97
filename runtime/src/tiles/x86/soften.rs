//! The tile that makes an attention's scores weights, spelt with the names of vector operations that the including module
//! defines. As many rows at once as a vector has numbers: their largest scores, then all exponentials, then what was mixed before.
//! What is one number of each row (the largest score, the sum) is made of a vector of each by turning them together: a third of
//! the steps of one row after the other.

/// Defines `soften` for the instruction set `$features`.
macro_rules! soften_tile {
    ($features:tt) => {
        /// [`Tile::Soften`](seqwright_compiler::tile::Tile::Soften) with these instructions.
        ///
        /// # Safety
        ///
        /// The processor must have the instructions. `scores` must be writable for `rows` blocks of
        /// [`KEY_BLOCK`](seqwright_compiler::kernel::KEY_BLOCK) or for the `keys` up to a whole vector, `row` numbers apart, `highest` and `total` for `rows` numbers, and `mix` for `rows` of
        /// `width` numbers.
        #[target_feature(enable = $features)]
        #[allow(clippy::too_many_arguments)]
        pub unsafe extern "C" fn soften(
            rows: usize,
            keys: usize,
            scores: *mut f32,
            row: usize,
            highest: *mut f32,
            total: *mut f32,
            mix: *mut f32,
            width: usize,
            scale: usize,
        ) {
            let scale = f32::from_bits(scale as u32);
            let exponent = Exponent {
                factor: splat(scale * LOG2_E),
                lowest: splat((WEIGHT_LOWEST / scale).max(DIFFERENCE_LOWEST)),
            };
            let vectors = keys.div_ceil(LANES);
            for first in (0..rows).step_by(LANES) {
                let count = LANES.min(rows - first);
                // SAFETY: these are `count` of the rows.
                unsafe {
                    let scores = scores.add(first * row);
                    let kept =
                        Kept { highest: highest.add(first), total: total.add(first), mix: mix.add(first * width) };
                    some_rows(count, vectors, scores, row, kept, width, exponent);
                }
            }
        }

        /// How a difference of scores becomes an exponent of 2, and below which difference the weight is zero.
        #[derive(Clone, Copy)]
        struct Exponent {
            factor: Floats,
            lowest: Floats,
        }

        /// The exponential of a difference that is at most 0, and 0 where that would be denormal.
        #[target_feature(enable = $features)]
        #[inline]
        fn weight_lanes(difference: Floats, Exponent { factor, lowest }: Exponent) -> Floats {
            let t = multiply_add(difference, factor, splat(ROUND_BIASED));
            let minus_n = subtract(splat(ROUND_BIASED), t);
            let power = polynomial(EXP2, multiply_add(difference, factor, minus_n));
            zero_below(multiply(power, from_bits(shift_left::<23>(to_bits(t)))), difference, lowest)
        }

        /// What is kept of rows from one block of scores to the next.
        struct Kept {
            highest: *mut f32,
            total: *mut f32,
            mix: *mut f32,
        }

        /// The same for as many rows as a vector has numbers at most, so that what is one number of each row is one vector.
        ///
        /// # Safety
        ///
        /// As for `soften`.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn some_rows(
            rows: usize,
            vectors: usize,
            scores: *mut f32,
            row: usize,
            Kept { highest, total, mix }: Kept,
            width: usize,
            exponent: Exponent,
        ) {
            let mut largest = [splat(f32::MIN); LANES];
            for (number, most) in largest.iter_mut().enumerate().take(rows) {
                for place in 0..vectors {
                    // The first where one is not a number is the second: what is not a number is not the largest.
                    // SAFETY: a block of this row has the vector.
                    *most = larger(unsafe { load(scores.add(number * row + place * LANES)) }, *most);
                }
            }
            // SAFETY: `rows` numbers of each are read and written, and the arrays have a vector.
            unsafe {
                let before = load_first(highest, rows);
                let now = larger(of_rows(largest, |left, right| larger(left, right)), before);
                store_first(highest, now, rows);
                // Where nothing was seen yet all weights become zero.
                let now = zero_below(now, now, splat(f32::MIN.next_up()));
                let mut references = [0.0; LANES];
                store(references.as_mut_ptr(), now);
                let mut rescales = [0.0; LANES];
                store(rescales.as_mut_ptr(), weight_lanes(subtract(before, now), exponent));

                let mut sums = [splat(0.0); LANES];
                for (number, sum) in sums.iter_mut().enumerate().take(rows) {
                    let block = scores.add(number * row);
                    let reference = splat(references[number]);
                    for place in 0..vectors {
                        let weight = weight_lanes(subtract(load(block.add(place * LANES)), reference), exponent);
                        *sum = add(*sum, weight);
                        store(block.add(place * LANES), weight);
                    }
                }
                let sum = of_rows(sums, |left, right| add(left, right));
                store_first(total, multiply_add(load_first(total, rows), load(rescales.as_ptr()), sum), rows);

                for (number, rescale) in rescales.iter().enumerate().take(rows) {
                    // By one, nothing changes.
                    if *rescale != 1.0 {
                        let mix = mix.add(number * width);
                        let mut done = 0;
                        while width - done >= LANES {
                            store(mix.add(done), multiply(load(mix.add(done)), splat(*rescale)));
                            done += LANES;
                        }
                        let last = multiply(load_first(mix.add(done), width - done), splat(*rescale));
                        store_first(mix.add(done), last, width - done);
                    }
                }
            }
        }
    };
}
