//! The tile that makes an attention's scores weights, spelt with the names of vector operations that the including module
//! defines: a row's block of scores stays in registers from its largest to the sum of its exponentials.

/// Defines `soften` for the instruction set `$features`.
macro_rules! soften_tile {
    ($features:tt) => {
        use seqwright_compiler::kernel::KEY_BLOCK;

        /// Vectors of a block of scores.
        const VECTORS: usize = KEY_BLOCK / LANES;

        /// One of two numbers of each pair, and so on until one is left.
        #[target_feature(enable = $features)]
        #[inline]
        fn of_lanes(values: Floats, choose: impl Fn(f32, f32) -> f32) -> f32 {
            let mut lanes = [0.0; LANES];
            // SAFETY: there is room for a vector.
            unsafe { store(lanes.as_mut_ptr(), values) };
            let mut left = LANES;
            while left > 1 {
                left /= 2;
                for lane in 0..left {
                    lanes[lane] = choose(lanes[lane], lanes[lane + left]);
                }
            }
            lanes[0]
        }

        /// [`Tile::Soften`](seqwright_compiler::tile::Tile::Soften) with these instructions.
        ///
        /// # Safety
        ///
        /// The processor must have the instructions. `scores` must be writable for `rows` blocks, `row` numbers apart,
        /// `highest` and `total` for `rows` numbers, and `mix` for `rows` of `width` numbers.
        #[target_feature(enable = $features)]
        pub unsafe extern "C" fn soften(
            rows: usize,
            scores: *mut f32,
            row: usize,
            highest: *mut f32,
            total: *mut f32,
            mix: *mut f32,
            width: usize,
        ) {
            for number in 0..rows {
                // SAFETY: of the row of that number, the block's vectors, and `width` numbers of the mix.
                unsafe {
                    let block = scores.add(number * row);
                    let mut weights = [splat(0.0); VECTORS];
                    let mut largest = splat(f32::MIN);
                    for (place, weight) in weights.iter_mut().enumerate() {
                        *weight = load(block.add(place * LANES));
                        // The first where one is not a number is the second: what is not a number is not the largest.
                        largest = larger(*weight, largest);
                    }
                    let before = *highest.add(number);
                    let now = of_lanes(largest, f32::max).max(before);
                    *highest.add(number) = now;
                    // Where nothing was seen yet all weights become zero.
                    let reference = if now == f32::MIN { 0.0 } else { now };
                    let mut sum = splat(0.0);
                    for (place, weight) in weights.iter_mut().enumerate() {
                        *weight = exp_lanes(subtract(*weight, splat(reference)));
                        sum = add(sum, *weight);
                        store(block.add(place * LANES), *weight);
                    }
                    let sum = of_lanes(sum, |one, two| one + two);
                    let rescale = of_lanes(exp_lanes(splat(before - reference)), |one, _| one);
                    *total.add(number) = (*total.add(number)).mul_add(rescale, sum);
                    // By one, nothing changes.
                    if rescale != 1.0 {
                        let mix = mix.add(number * width);
                        let mut done = 0;
                        while width - done >= LANES {
                            store(mix.add(done), multiply(load(mix.add(done)), splat(rescale)));
                            done += LANES;
                        }
                        for place in done..width {
                            *mix.add(place) *= rescale;
                        }
                    }
                }
            }
        }
    };
}
