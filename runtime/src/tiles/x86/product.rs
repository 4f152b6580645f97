//! The product tile, spelt with the names of vector operations that the including module defines.
//!
//! `c` is computed in blocks of some rows by one panel, whose sums stay in registers while `p` runs along `k`, with one
//! fused multiply-add for each sum and `p`: the structure of the inner kernel of Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication" (2008). Around it:
//!
//! - `k` is run through in parts that let a part of a panel stay in the nearest cache while all rows pass. Between
//!   parts the sums wait in `c`, which changes no bit of them. A panel's parts follow each other, so that what waits is
//!   the few columns of one panel: those of all panels would have left the caches until their turn comes again.
//! - Rows are divided evenly among blocks, because a block of one or two rows has too few sums to keep the multipliers
//!   busy: 7 rows are 4 and 3 instead of 6 and 1.
//! - While the rows pass by one panel, each of their blocks prefetches a share of the next one: weights of many layers lie
//!   further away than the second cache, and reading a panel there would take a third of the time of 64 rows' products.
//! - Of a last panel with few columns, such as the keys that some queries of an attention still see, only half is computed.
//! - 1 or 2 rows alone take several panels at once for the same reason. There each element of `b` is used so few times
//!   that reading it is what takes the time; with a single row, `b` is prefetched, unless it is small enough to have
//!   stayed in the second cache, from where it comes a tenth faster without. (With more rows prefetching was measured
//!   not to gain.)

/// Defines `product` for the instruction set `$features`; `$rows` are the numbers from 1 to `MOST_ROWS`. `Number` is what
/// `b` consists of, and `load_row` loads a row of a panel as two vectors of floats.
macro_rules! product_tile {
    ($features:tt, $($rows:literal)*) => {
        /// Cache lines of a row that are fetched before few rows are multiplied: 4 KiB of the nearest cache.
        const LINES_AT_ONCE: usize = 64;

        /// How far ahead of a single row's product its panels are prefetched, in numbers.
        const PREFETCH_DISTANCE: usize = 24 * PANEL_WIDTH;

        /// Bytes of `b` that a second cache may still have from the last time: half of one of 2 MiB.
        const NEAR: usize = 1 << 20;

        /// Adds one product to each sum: of the elements `next` after `a` in each row, and `next` rows after `b`, of which
        /// later ones are prefetched where `FETCH` says so.
        ///
        /// # Safety
        ///
        /// These must be readable: in each row an element, and in each panel a row.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn step<const ROWS: usize, const PANELS: usize, const VECTORS: usize, const FETCH: bool>(
            a: *const f32,
            lda: usize,
            next: usize,
            b: *const Number,
            panel_stride: usize,
            sums: &mut [[[Floats; VECTORS]; PANELS]; ROWS],
        ) {
            for panel in 0..PANELS {
                let place = panel * panel_stride + next * PANEL_WIDTH;
                if FETCH {
                    for line in 0..(PANEL_WIDTH * size_of::<Number>()).div_ceil(64) {
                        let ahead = b.wrapping_add(place + PREFETCH_DISTANCE).wrapping_byte_add(line * 64);
                        _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                    }
                }
                // SAFETY: a row of one of the panels.
                let vectors = unsafe { load_row(b.add(place)) };
                for row in 0..ROWS {
                    // SAFETY: an element of a row of `a`.
                    let factor = splat(unsafe { *a.add(row * lda + next) });
                    for (sum, vector) in sums[row][panel].iter_mut().zip(vectors) {
                        *sum = multiply_add(factor, vector, *sum);
                    }
                }
            }
        }

        /// What a block prefetches: from where to where, and how many cache lines for every two steps along `k`.
        #[derive(Clone, Copy)]
        struct Ahead {
            from: *const Number,
            end: *const Number,
            lines: usize,
        }

        /// `ROWS` rows of `c` by the columns of `PANELS` panels, of which `columns` are written; of each the first `VECTORS`.
        ///
        /// # Safety
        ///
        /// `a` must be readable for `ROWS` rows of `k`, `b` for `k` rows of each of `PANELS` panels that start
        /// `panel_stride` apart, and `c` writable for `ROWS` rows of `columns`.
        #[target_feature(enable = $features)]
        #[inline]
        #[allow(clippy::too_many_arguments)]
        unsafe fn block<const ROWS: usize, const PANELS: usize, const VECTORS: usize, const FETCH: bool>(
            k: usize,
            a: *const f32,
            lda: usize,
            b: *const Number,
            panel_stride: usize,
            columns: usize,
            c: *mut f32,
            ldc: usize,
            accumulate: bool,
            ahead: Ahead,
        ) {
            let mut sums = [[[splat(0.0); VECTORS]; PANELS]; ROWS];
            if accumulate {
                for row in 0..ROWS {
                    for panel in 0..PANELS {
                        for half in 0..VECTORS {
                            let column = panel * PANEL_WIDTH + half * LANES;
                            let valid = columns.saturating_sub(column).min(LANES);
                            // SAFETY: only the valid columns are read.
                            sums[row][panel][half] =
                                unsafe { load_first(c.wrapping_add(row * ldc + column), valid) };
                        }
                    }
                }
            }
            let mut p = 0;
            let mut line = ahead.from;
            // Two at once so that addresses are computed less often. With four, elements of all of them are loaded in advance, and
            // sums go to the stack and back: where that lies across two pages, at two thirds of the speed.
            while p + 2 <= k {
                if line < ahead.end {
                    for _ in 0..ahead.lines {
                        // Nothing is read: the address may be any.
                        _mm_prefetch::<_MM_HINT_T1>(line.cast());
                        line = line.wrapping_byte_add(64);
                    }
                }
                for next in 0..2 {
                    // SAFETY: `p + next` is less than `k`.
                    unsafe { step::<ROWS, PANELS, VECTORS, FETCH>(a.add(p), lda, next, b.add(p * PANEL_WIDTH), panel_stride, &mut sums) }
                }
                p += 2;
            }
            while p < k {
                // SAFETY: `p` is less than `k`.
                unsafe { step::<ROWS, PANELS, VECTORS, FETCH>(a.add(p), lda, 0, b.add(p * PANEL_WIDTH), panel_stride, &mut sums) }
                p += 1;
            }
            for row in 0..ROWS {
                for panel in 0..PANELS {
                    for half in 0..VECTORS {
                        let column = panel * PANEL_WIDTH + half * LANES;
                        let valid = columns.saturating_sub(column).min(LANES);
                        let to = c.wrapping_add(row * ldc + column);
                        // SAFETY: only the valid columns are written.
                        unsafe {
                            if valid == LANES {
                                store(to, sums[row][panel][half]);
                            } else {
                                store_first(to, sums[row][panel][half], valid);
                            }
                        }
                    }
                }
            }
        }

        /// As many groups of `PANELS` whole panels as there are, from column `first` on; gives the column after them.
        ///
        /// # Safety
        ///
        /// As for `product`, whose arguments these are, with `ROWS` for `m`.
        #[target_feature(enable = $features)]
        #[inline]
        #[allow(clippy::too_many_arguments)]
        unsafe fn few_rows<const ROWS: usize, const PANELS: usize, const FETCH: bool>(
            first: usize,
            n: usize,
            k: usize,
            a: *const f32,
            lda: usize,
            b: *const Number,
            rows_of_panel: usize,
            c: *mut f32,
            ldc: usize,
            accumulate: bool,
        ) -> usize {
            let mut column = first;
            // A single panel may be a part of one; it is the last.
            while column + PANELS * PANEL_WIDTH <= n || (PANELS == 1 && column < n) {
                let columns = (n - column).min(PANELS * PANEL_WIDTH);
                // SAFETY: `column` is a multiple of the width, so its panel starts `column * rows_of_panel` numbers into
                // `b`; the panels up to the one that holds column `n - 1` are all there.
                unsafe {
                    let panel = b.add(column * rows_of_panel);
                    let none = Ahead { from: b, end: b, lines: 0 };
                    block::<ROWS, PANELS, 2, FETCH>(
                        k, a, lda, panel, rows_of_panel * PANEL_WIDTH, columns, c.add(column), ldc, accumulate, none,
                    );
                }
                column += PANELS * PANEL_WIDTH;
            }
            column
        }

        /// [`Tile::Product`](seqwright_compiler::tile::Tile::Product) with these instructions.
        ///
        /// # Safety
        ///
        /// The processor must have the instructions. `a` must be readable for `m` rows of `k`, `b` be packed for
        /// `rows_of_panel`, no less than `k`, and `n` with [`PANEL_WIDTH`], and `c` writable for `m` rows of `n` and overlap neither.
        #[target_feature(enable = $features)]
        #[allow(clippy::too_many_arguments)]
        pub unsafe extern "C" fn product(
            m: usize,
            n: usize,
            k: usize,
            a: *const f32,
            lda: usize,
            b: *const Number,
            rows_of_panel: usize,
            c: *mut f32,
            ldc: usize,
            accumulate: usize,
        ) {
            let accumulate = accumulate != 0;
            if m <= 3 {
                // Another thread may have just computed it: its lines come together, not one after the other.
                for row in 0..m {
                    for line in 0..k.div_ceil(16).min(LINES_AT_ONCE) {
                        _mm_prefetch::<_MM_HINT_T0>(a.wrapping_add(row * lda + 16 * line).cast());
                    }
                }
                // SAFETY: the caller's promises.
                unsafe {
                    match m {
                        1 if n * rows_of_panel * size_of::<Number>() <= NEAR => {
                            let column = few_rows::<1, 4, false>(0, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                            let column = few_rows::<1, 2, false>(column, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                            few_rows::<1, 1, false>(column, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                        }
                        1 => {
                            let column = few_rows::<1, 4, true>(0, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                            let column = few_rows::<1, 2, true>(column, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                            few_rows::<1, 1, true>(column, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                        }
                        2 => {
                            let column = few_rows::<2, 2, false>(0, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                            few_rows::<2, 1, false>(column, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                        }
                        3 => {
                            few_rows::<3, 1, false>(0, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate);
                        }
                        _ => {}
                    }
                }
                return;
            }
            let blocks = m.div_ceil(MOST_ROWS);
            // A single block reads each panel once, best as it stands. One part too where `k` is 0: `c` is cleared.
            let parts = if blocks == 1 { 1 } else { k.div_ceil(MOST_DEPTH).max(1) };
            // A block's share of two rows of a panel.
            let lines = (2 * PANEL_WIDTH * size_of::<Number>()).div_ceil(64 * blocks);
            let mut column = 0;
            while column < n {
                let columns = (n - column).min(PANEL_WIDTH);
                let mut start = 0;
                for part in 0..parts {
                    let depth = k / parts + usize::from(part < k % parts);
                    let accumulate = accumulate || part > 0;
                    // The panel's next part, or the next panel's first.
                    let next = match part + 1 < parts {
                        true => b.wrapping_add(column * rows_of_panel + (start + depth) * PANEL_WIDTH),
                        false => b.wrapping_add((column + PANEL_WIDTH) * rows_of_panel),
                    };
                    let mut row = 0;
                    for number in 0..blocks {
                        let rows = m / blocks + usize::from(number < m % blocks);
                        let share = (depth * PANEL_WIDTH).div_ceil(blocks);
                        let from = next.wrapping_add(number * share);
                        let ahead = Ahead { from, end: from.wrapping_add(share), lines };
                        // SAFETY: `row .. row + rows` are rows of `a` and `c`, `start .. start + depth` columns of `a`
                        // and rows of the panel that starts `column * rows_of_panel` numbers into `b`.
                        unsafe {
                            let panel = b.add(column * rows_of_panel + start * PANEL_WIDTH);
                            let a = a.add(row * lda + start);
                            let c = c.add(row * ldc + column);
                            // Of a last panel with few columns, half.
                            match (rows, columns <= LANES) {
                                $(($rows, false) => {
                                    block::<$rows, 1, 2, false>(depth, a, lda, panel, 0, columns, c, ldc, accumulate, ahead)
                                }
                                ($rows, true) => {
                                    block::<$rows, 1, 1, false>(depth, a, lda, panel, 0, columns, c, ldc, accumulate, ahead)
                                })*
                                _ => unreachable!("more rows than in a block"),
                            }
                        }
                        row += rows;
                    }
                    start += depth;
                }
                column += PANEL_WIDTH;
            }
        }
    };
}
