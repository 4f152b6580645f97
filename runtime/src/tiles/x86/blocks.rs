//! Products with weights in blocks, spelt with the names of vector operations that the including module defines.
//!
//! Rows come as whole numbers ([`Operand`](crate::tiles::operand::Operand)). For some rows by one panel, sums of a block
//! stay in registers as whole numbers of 32 bits; at its end they become floats and are added, scaled, to the rows' own
//! sums. What lies in a panel is the same for both kinds of rows: vectors of words, whose four bytes are four steps along the
//! depth of one column (`weights.rs` says which).
//!
//! - Codes of 16 bits (`words_of_pairs!`): a mask and a shift make two vectors of pairs of a vector of words; one instruction
//!   multiplies the pairs and adds their products. It adds them to the sum too where the processor has VNNI, and another one
//!   does where it has not. Twice as fast as floats at its best.
//! - Codes of 8 bits: with VNNI one instruction multiplies all four bytes and adds the products to the sum, twice as fast once
//!   more. Elsewhere they are widened to 16 bits, which gives the same sums.
//!
//! Read from memory, a single row's weights take as long as they have bytes. While many rows pass by one panel, each group
//! of them prefetches its share of the next one.
//!
//! Codes of 8 bits have 128 added to them, so that they are above 0, as one of the instruction's operands has to be; what that
//! adds to a sum is known from the row alone ([`Factor::start`](crate::tiles::operand::Factor::start)). Products of two are
//! 2^24 at most, and sums of a block 2^29: they never overflow.

/// Defines `Code` and `add_word` for codes of 16 bits and the instruction set `$features`.
macro_rules! words_of_pairs {
    ($features:tt) => {
        /// What the codes of rows are kept as.
        type Code = i16;

        /// Adds to each sum the products of the four steps that a word of each column has, the first or the second one of
        /// eight steps.
        ///
        /// # Safety
        ///
        /// `codes` must be readable for eight codes of each row.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn add_word<const ROWS: usize>(
            word: usize,
            bytes: [Integers; 2],
            codes: *const i16,
            row_stride: usize,
            sums: &mut [[Integers; 2]; ROWS],
        ) {
            let mask = splat_integer(0x00ff_00ff);
            let pairs =
                [bytes.map(|bytes| and_integers(bytes, mask)), bytes.map(|bytes| shift_right_unsigned::<8>(bytes))];
            for (number, pair) in pairs.into_iter().enumerate() {
                for row in 0..ROWS {
                    // SAFETY: two codes are four bytes.
                    let factor = unsafe { codes.add(row * row_stride + 2 * word + 4 * number).cast::<i32>() };
                    let factor = splat_integer(unsafe { factor.read_unaligned() });
                    let [left, right] = &mut sums[row];
                    *left = add_pairs(*left, pair[0], factor);
                    *right = add_pairs(*right, pair[1], factor);
                }
            }
        }
    };
}

/// Defines `blocks_product` for the instruction set `$features`; `$rows` are the numbers from 1 to `MOST_BLOCK_ROWS`.
macro_rules! block_tile {
    ($features:tt, $($rows:literal)*) => {
        /// How far ahead of the block that a single row reads the next ones are prefetched, in bytes.
        const AHEAD: usize = 2048;

        /// `ROWS` rows by one panel of `blocks` blocks, of which `columns` are written. With each block so many lines of
        /// `next` are prefetched, one after the other.
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
            codes: *const Code,
            factors: *const Factor,
            panel: *const u8,
            columns: usize,
            c: *mut f32,
            ldc: usize,
            mut next: *const u8,
            lines: usize,
        ) {
            const BEFORE: [usize; 2] = [2 * PANEL_WIDTH, 4 * PANEL_WIDTH];
            let before = BEFORE[MINIMUM as usize];
            let bytes = before + PANEL_WIDTH * BLOCK * BITS / 8;
            let row_stride = blocks * BLOCK;
            let mut sums = [[splat(0.0); 2]; ROWS];
            let mut at = panel;
            for block in 0..blocks {
                // SAFETY: the block is one of the panel's and of the rows'.
                unsafe {
                    if ROWS == 1 {
                        for line in 0..bytes.div_ceil(64) {
                            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD + line * 64).cast());
                        }
                    } else {
                        for _ in 0..lines {
                            // Nothing is read: the address may be any.
                            _mm_prefetch::<_MM_HINT_T1>(next.cast());
                            next = next.wrapping_add(64);
                        }
                    }
                    let factors = factors.add(block);
                    let mut whole = [[splat_integer(0); 2]; ROWS];
                    if BITS == 8 {
                        for row in 0..ROWS {
                            whole[row] = [splat_integer((*factors.add(row * blocks)).start); 2];
                        }
                    }
                    for run in 0..BLOCK / 8 {
                        let codes = codes.add(block * BLOCK + 8 * run);
                        let vector = |number: usize| load_integers(at.add(before + number * 4 * LANES));
                        if BITS == 8 {
                            add_word(0, [vector(4 * run), vector(4 * run + 1)], codes, row_stride, &mut whole);
                            add_word(1, [vector(4 * run + 2), vector(4 * run + 3)], codes, row_stride, &mut whole);
                        } else {
                            let both = [vector(2 * run), vector(2 * run + 1)];
                            let mask = splat_integer(0x0f0f_0f0f);
                            let first = both.map(|both| and_integers(both, mask));
                            add_word(0, first, codes, row_stride, &mut whole);
                            let second = both.map(|both| and_integers(shift_right_unsigned::<4>(both), mask));
                            add_word(1, second, codes, row_stride, &mut whole);
                        }
                    }
                    for half in 0..2 {
                        let scale = load_halves(at.add(2 * half * LANES));
                        for row in 0..ROWS {
                            let factor = *factors.add(row * blocks);
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

        /// The tile for weights in blocks of `BITS` bits, with a minimum or without, and rows whose codes are `MOST` at most.
        ///
        /// # Safety
        ///
        /// As for [`Weights`], and the processor must have the instructions.
        #[target_feature(enable = $features)]
        #[allow(clippy::too_many_arguments)]
        pub unsafe extern "C" fn blocks_product<const BITS: usize, const MINIMUM: bool, const MOST: i32>(
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
                    let (codes, factors) = unsafe { operand.fill::<Code>(MOST, m, k, a.add(top * lda), lda) };
                    let groups = m.div_ceil(MOST_BLOCK_ROWS);
                    for first in (from..to).step_by(PANEL_WIDTH) {
                        // SAFETY: `first` begins a panel; of the next one nothing is read.
                        let [panel, next] = unsafe {
                            [(*weights).panel(first / PANEL_WIDTH), (*weights).panel(first / PANEL_WIDTH + 1)]
                        };
                        let bytes = next as usize - panel as usize;
                        let lines = bytes.div_ceil(64 * groups * blocks.max(1));
                        let mut row = 0;
                        for group in 0..groups {
                            let rows = m / groups + usize::from(group < m % groups);
                            // SAFETY: `row .. row + rows` are rows of the operand and of `c`.
                            unsafe {
                                let codes = codes.as_ptr().add(row * blocks * BLOCK);
                                let factors = factors.as_ptr().add(row * blocks);
                                let c = c.add((top + row) * ldc + first);
                                let columns = (to - first).min(PANEL_WIDTH);
                                let next = next.wrapping_add(group * blocks * lines * 64);
                                match rows {
                                    $($rows => rows_by_panel::<$rows, BITS, MINIMUM>(
                                        blocks, codes, factors, panel, columns, c, ldc, next, lines,
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
    };
}
