//! The tile that makes an attention's scores weights, spelt with the names of vector operations that the including module
//! defines. As many rows at once as a vector has numbers: their largest scores, then all exponentials, then what was mixed before.

/// Defines `soften` for the instruction set `$features`.
macro_rules! soften_tile {
    ($features:tt) => {
        use seqwright_compiler::kernel::KEY_BLOCK;

        /// Vectors of a block of scores.
        const VECTORS: usize = KEY_BLOCK / LANES;

        /// [`Tile::Soften`](seqwright_compiler::tile::Tile::Soften) with these instructions.
        ///
        /// # Safety
        ///
        /// The processor must have the instructions. `scores` must be writable for `rows` blocks, `row` numbers apart,
        /// `highest` and `total` for `rows` numbers, and `mix` for `rows` of `width` numbers.
        #[target_feature(enable = $features)]
        #[allow(clippy::too_many_arguments)]
        pub unsafe extern "C" fn soften(
            rows: usize,
            scores: *mut f32,
            row: usize,
            highest: *mut f32,
            total: *mut f32,
            mix: *mut f32,
            width: usize,
            scale: usize,
        ) {
            let scale = splat(f32::from_bits(scale as u32));
            for first in (0..rows).step_by(LANES) {
                let count = LANES.min(rows - first);
                // SAFETY: these are `count` of the rows.
                unsafe {
                    let scores = scores.add(first * row);
                    let kept =
                        Kept { highest: highest.add(first), total: total.add(first), mix: mix.add(first * width) };
                    some_rows(count, scores, row, kept, width, scale);
                }
            }
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
            scores: *mut f32,
            row: usize,
            Kept { highest, total, mix }: Kept,
            width: usize,
            scale: Floats,
        ) {
            let mut largest = [f32::MIN; LANES];
            for (number, most) in largest.iter_mut().enumerate().take(rows) {
                let mut found = splat(f32::MIN);
                for place in 0..VECTORS {
                    // The first where one is not a number is the second: what is not a number is not the largest.
                    // SAFETY: a block of this row has the vector.
                    found = larger(unsafe { load(scores.add(number * row + place * LANES)) }, found);
                }
                *most = largest_lane(found);
            }
            // SAFETY: `rows` numbers of each are read and written, and the arrays have a vector.
            unsafe {
                let before = load_first(highest, rows);
                let now = larger(load(largest.as_ptr()), before);
                store_first(highest, now, rows);
                // Where nothing was seen yet all weights become zero.
                let mut references = [0.0; LANES];
                store(references.as_mut_ptr(), now);
                references
                    .iter_mut()
                    .filter(|reference| **reference == f32::MIN)
                    .for_each(|reference| *reference = 0.0);
                let mut rescales = [0.0; LANES];
                store(
                    rescales.as_mut_ptr(),
                    weight_lanes(multiply(subtract(before, load(references.as_ptr())), scale)),
                );

                let mut sums = [0.0; LANES];
                for number in 0..rows {
                    let block = scores.add(number * row);
                    let reference = splat(references[number]);
                    let mut sum = splat(0.0);
                    for place in 0..VECTORS {
                        let difference = subtract(load(block.add(place * LANES)), reference);
                        let weight = weight_lanes(multiply(difference, scale));
                        sum = add(sum, weight);
                        store(block.add(place * LANES), weight);
                    }
                    sums[number] = sum_of_lanes(sum);
                }
                let sums = multiply_add(load_first(total, rows), load(rescales.as_ptr()), load(sums.as_ptr()));
                store_first(total, sums, rows);

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
