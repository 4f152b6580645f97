//! Products with weights in blocks, spelt with the names of vector operations that the including module defines.
//!
//! Rows come as whole numbers of 16 bits ([`Operand`](crate::tiles::operand::Operand)). For some rows by one panel, sums of
//! a block stay in registers as whole numbers of 32 bits: one instruction multiplies two neighbours along the depth and
//! adds the products, of as many columns as a vector has floats; it adds them to the sum too where the processor has VNNI, and
//! another one does where it has not. At its end they become floats and are added, scaled, to
//! the rows' own sums. Codes of 8 bits are widened when they are loaded; those of 4 are shifted and masked.
//!
//! Two numbers at once, so it is twice as fast as floats at its best. 8-bit activations would be faster still, where
//! the weights have 4 bits or the processor an instruction for it, and lose what the weights' own rounding loses once more.
//! Read from memory, a single row's weights take as long as they have bytes.
//!
//! Products of two are 2^23 at most, and sums of a block 2^27: they never overflow.

/// Defines `eight`, `eight_with_minimum` and `four` for the instruction set `$features`; `$rows` are the numbers from 1 to
/// `MOST_BLOCK_ROWS`.
macro_rules! block_tiles {
    ($features:tt, $($rows:literal)*) => {
        /// How far ahead of the block that is read the next ones are prefetched, in bytes.
        const AHEAD: usize = 2048;

        /// `ROWS` rows by one panel of `blocks` blocks, of which `columns` are written.
        ///
        /// # Safety
        ///
        /// `codes` must be readable for `ROWS` rows of `blocks` blocks, `factors` for one of each, `panel` for a panel of
        /// `BITS` bits, and `c` be writable for `ROWS` rows of `columns`.
        #[target_feature(enable = $features)]
        #[inline]
        #[allow(clippy::too_many_arguments)]
        unsafe fn rows_by_panel<const ROWS: usize, const BITS: usize, const MINIMUM: bool>(
            blocks: usize,
            codes: *const i16,
            factors: *const Factor,
            panel: *const u8,
            columns: usize,
            c: *mut f32,
            ldc: usize,
        ) {
            const BEFORE: [usize; 2] = [2 * PANEL_WIDTH, 4 * PANEL_WIDTH];
            let before = BEFORE[MINIMUM as usize];
            let bytes = before + PANEL_WIDTH * BLOCK * BITS / 8;
            let mut sums = [[splat(0.0); 2]; ROWS];
            let mut at = panel;
            for block in 0..blocks {
                let mut whole = [[splat_integer(0); 2]; ROWS];
                // SAFETY: the block is one of the panel's and of the rows'.
                unsafe {
                    if ROWS == 1 {
                        for line in 0..bytes.div_ceil(64) {
                            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD + line * 64).cast());
                        }
                    }
                    let weights = at.add(before);
                    let codes = codes.add(block * BLOCK);
                    let row_stride = blocks * BLOCK;
                    if BITS == 8 {
                        for step in 0..BLOCK / 2 {
                            let from = weights.add(step * 2 * PANEL_WIDTH);
                            let pair = [widen(from), widen(from.add(PANEL_WIDTH))];
                            add_products(pair, codes.add(2 * step), row_stride, &mut whole);
                        }
                    } else {
                        let mask = splat_integer(0x000f_000f);
                        for run in 0..BLOCK / 8 {
                            let from = weights.add(run * 4 * PANEL_WIDTH);
                            let all = [load_integers(from), load_integers(from.add(2 * PANEL_WIDTH))];
                            let codes = codes.add(8 * run);
                            let [left, right] = all;
                            let pair = [and_integers(left, mask), and_integers(right, mask)];
                            add_products(pair, codes, row_stride, &mut whole);
                            let pair = all.map(|all| and_integers(shift_right_unsigned::<4>(all), mask));
                            add_products(pair, codes.add(2), row_stride, &mut whole);
                            let pair = all.map(|all| and_integers(shift_right_unsigned::<8>(all), mask));
                            add_products(pair, codes.add(4), row_stride, &mut whole);
                            let pair = all.map(|all| and_integers(shift_right_unsigned::<12>(all), mask));
                            add_products(pair, codes.add(6), row_stride, &mut whole);
                        }
                    }
                    for half in 0..2 {
                        let scale = load_halves(at.add(2 * half * LANES));
                        for row in 0..ROWS {
                            let factor = *factors.add(row * blocks + block);
                            let both = multiply(scale, splat(factor.scale));
                            sums[row][half] = multiply_add(to_floats(whole[row][half]), both, sums[row][half]);
                            if MINIMUM {
                                let minimum = load_halves(at.add(2 * PANEL_WIDTH + 2 * half * LANES));
                                sums[row][half] = multiply_add(minimum, splat(factor.sum), sums[row][half]);
                            }
                        }
                    }
                    at = at.add(bytes);
                }
            }
            for row in 0..ROWS {
                for half in 0..2 {
                    let valid = columns.saturating_sub(half * LANES).min(LANES);
                    let to = c.wrapping_add(row * ldc + half * LANES);
                    // SAFETY: only the valid columns are written.
                    unsafe {
                        if valid == LANES {
                            store(to, sums[row][half]);
                        } else {
                            store_first(to, sums[row][half], valid);
                        }
                    }
                }
            }
        }

        /// Adds to each sum the products of two steps along the depth.
        ///
        /// # Safety
        ///
        /// `codes` must be readable for two codes of each row.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn add_products<const ROWS: usize>(
            pair: [Integers; 2],
            codes: *const i16,
            row_stride: usize,
            sums: &mut [[Integers; 2]; ROWS],
        ) {
            for row in 0..ROWS {
                // SAFETY: two codes are four bytes.
                let factor = splat_integer(unsafe { codes.add(row * row_stride).cast::<i32>().read_unaligned() });
                let [left, right] = &mut sums[row];
                *left = add_pairs(*left, pair[0], factor);
                *right = add_pairs(*right, pair[1], factor);
            }
        }

        /// The tile for blocks of `BITS` bits, with a minimum or without.
        ///
        /// # Safety
        ///
        /// As for [`Weights`].
        #[target_feature(enable = $features)]
        #[inline]
        #[allow(clippy::too_many_arguments)]
        unsafe fn blocks_product<const BITS: usize, const MINIMUM: bool>(
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
            let blocks = k.div_ceil(BLOCK);
            with_operand(|operand| {
                for top in (0..m).step_by(rows_at_once(k)) {
                    let m = rows_at_once(k).min(m - top);
                    // SAFETY: these are rows of `a`.
                    unsafe { operand.fill(m, k, a.add(top * lda), lda) };
                    let groups = m.div_ceil(MOST_BLOCK_ROWS);
                    for first in (from..to).step_by(PANEL_WIDTH) {
                        let mut row = 0;
                        for group in 0..groups {
                            let rows = m / groups + usize::from(group < m % groups);
                            // SAFETY: `row .. row + rows` are rows of the operand and of `c`, and `first` begins a panel.
                            unsafe {
                                let panel = (*weights).panel(first / PANEL_WIDTH);
                                let codes = operand.codes.as_ptr().add(row * blocks * BLOCK);
                                let factors = operand.factors.as_ptr().add(row * blocks);
                                let c = c.add((top + row) * ldc + first);
                                let columns = (to - first).min(PANEL_WIDTH);
                                match rows {
                                    $($rows => rows_by_panel::<$rows, BITS, MINIMUM>(
                                        blocks, codes, factors, panel, columns, c, ldc,
                                    ),)*
                                    _ => unreachable!("more rows than in a group"),
                                }
                            }
                            row += rows;
                        }
                    }
                }
            });
        }

        block_tiles!(@form $features, eight, 8, false, "Weights in [`Form::Eight`](crate::tiles::kept::Form::Eight).");
        block_tiles!(
            @form $features, eight_with_minimum, 8, true,
            "Weights in [`Form::EightWithMinimum`](crate::tiles::kept::Form::EightWithMinimum)."
        );
        block_tiles!(@form $features, four, 4, true, "Weights in [`Form::Four`](crate::tiles::kept::Form::Four).");
    };
    (@form $features:tt, $name:ident, $bits:literal, $minimum:literal, $text:expr) => {
        #[doc = $text]
        ///
        /// # Safety
        ///
        /// As for [`Weights`], and the processor must have the instructions.
        #[target_feature(enable = $features)]
        #[allow(clippy::too_many_arguments)]
        pub unsafe extern "C" fn $name(
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
            // SAFETY: the caller's promises.
            unsafe { blocks_product::<$bits, $minimum>(m, from, to, k, a, lda, weights, c, ldc) }
        }
    };
}
