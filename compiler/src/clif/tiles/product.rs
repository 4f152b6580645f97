//! The emitted product tile.
//!
//! Panel after panel, blocks of at most five rows by the panel's eight columns, whose ten sums stay in vector registers
//! while `p` runs along `k` in order; with two vectors of the panel and one of `a` they fit in sixteen registers. One row
//! or two alone take four or two panels at once, so that enough sums are in flight.
//!
//! Cranelift's fused multiply-add on x86-64 overwrites its first factor. So the panel's first vector comes first where
//! the row's factor is needed again, and the row's factor in its last use: one copy of a register for two of them, which
//! the processor's renaming hides.
//!
//! Compiled at `opt_level=none`: the optimiser has nothing to improve here, and its results were measured to reach half
//! to two thirds of the speed.
//!
//! A last panel that is not whole is computed into a buffer on the stack, of which the valid columns are copied.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F32X4};
use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value};

use super::{Emitter, PANEL_WIDTH};

/// Rows in a block.
const MOST_ROWS: usize = 5;

/// How many steps along `k` are spelt out in the inner loop.
const UNROLLED: usize = 4;

/// Bytes in a vector, and in a row of a panel.
const VECTOR: usize = 16;
const PANEL_ROW: usize = 4 * PANEL_WIDTH;

/// What does not change within a call; strides are in bytes.
struct Call {
    lda: Value,
    ldc: Value,
    /// The bytes of a row of `a`.
    depth: Value,
    /// The same, of the steps that the unrolled loop does.
    unrolled_depth: Value,
    /// The bytes of a whole panel.
    panel: Value,
    accumulate: Value,
}

/// Spells the tile's body, given its arguments.
pub(super) fn emit(emitter: &mut Emitter, arguments: &[Value]) {
    let &[m, n, k, a, lda, b, rows_of_panel, c, ldc, accumulate] = arguments else {
        panic!("the product has ten arguments")
    };
    let depth = emitter.bytes(k);
    let steps = emitter.size(4 * UNROLLED);
    let rest = emitter.ins().urem(depth, steps);
    let width = emitter.size(PANEL_WIDTH);
    let panel = emitter.bytes(rows_of_panel);
    let panel = emitter.ins().imul(panel, width);
    let call = Call {
        lda: emitter.bytes(lda),
        ldc: emitter.bytes(ldc),
        depth,
        unrolled_depth: emitter.ins().isub(depth, rest),
        panel,
        accumulate,
    };
    let mut carried = vec![n, b, c];
    for (rows, panels) in [(1, 4), (2, 2)] {
        let alone = emitter.compare_size(IntCC::Equal, m, rows);
        carried = emitter.repeat(
            &carried,
            |emitter, carried| {
                let enough = emitter.compare_size(IntCC::UnsignedGreaterThanOrEqual, carried[0], panels * PANEL_WIDTH);
                emitter.ins().band(alone, enough)
            },
            |emitter, carried| {
                let [left, b, c] = [carried[0], carried[1], carried[2]];
                call.block(emitter, rows, panels, a, b, c, call.ldc);
                let done = emitter.size(panels * PANEL_WIDTH);
                let panels_bytes = emitter.size(panels);
                let panels_bytes = emitter.ins().imul(call.panel, panels_bytes);
                vec![
                    emitter.ins().isub(left, done),
                    emitter.ins().iadd(b, panels_bytes),
                    emitter.add_size(c, panels * PANEL_ROW),
                ]
            },
        );
    }
    let buffer = emitter.cursor.func.create_sized_stack_slot(StackSlotData::new(
        StackSlotKind::ExplicitSlot,
        (MOST_ROWS * PANEL_ROW) as u32,
        4,
    ));
    let pointer = emitter.pointer;
    let buffer = emitter.ins().stack_addr(pointer, buffer, 0);
    emitter.repeat(
        &carried,
        |emitter, carried| emitter.compare_size(IntCC::NotEqual, carried[0], 0),
        |emitter, carried| {
            let [left, b, c] = [carried[0], carried[1], carried[2]];
            call.panel(emitter, m, a, b, c, left, buffer);
            let whole = emitter.size(PANEL_WIDTH);
            let columns = emitter.ins().umin(left, whole);
            vec![emitter.ins().isub(left, columns), emitter.ins().iadd(b, call.panel), emitter.add_size(c, PANEL_ROW)]
        },
    );
}

impl Call {
    /// All rows by one panel, of which `columns` are valid if they are less than its width.
    #[allow(clippy::too_many_arguments)]
    fn panel(&self, emitter: &mut Emitter, m: Value, a: Value, b: Value, c: Value, columns: Value, buffer: Value) {
        let cut = emitter.compare_size(IntCC::UnsignedLessThan, columns, PANEL_WIDTH);
        let stride = emitter.size(PANEL_ROW);
        let stride = emitter.ins().select(cut, stride, self.ldc);
        emitter.repeat(
            &[m, a, c],
            |emitter, carried| emitter.compare_size(IntCC::NotEqual, carried[0], 0),
            |emitter, carried| {
                let [left, a, c] = [carried[0], carried[1], carried[2]];
                let rows = rows_of_next_block(emitter, left);
                let target = emitter.ins().select(cut, buffer, c);
                emitter.when(cut, |emitter| {
                    emitter.when(self.accumulate, |emitter| {
                        self.copy_rows(emitter, rows, columns, [c, self.ldc], [buffer, stride]);
                    });
                });
                for number in 1..=MOST_ROWS {
                    let chosen = emitter.compare_size(IntCC::Equal, rows, number);
                    emitter.when(chosen, |emitter| self.block(emitter, number, 1, a, b, target, stride));
                }
                emitter.when(cut, |emitter| {
                    self.copy_rows(emitter, rows, columns, [buffer, stride], [c, self.ldc]);
                });
                let a_bytes = emitter.ins().imul(rows, self.lda);
                let c_bytes = emitter.ins().imul(rows, self.ldc);
                vec![emitter.ins().isub(left, rows), emitter.ins().iadd(a, a_bytes), emitter.ins().iadd(c, c_bytes)]
            },
        );
    }

    /// Copies the first `columns` of `rows` rows from one place to another, each an address and a stride.
    fn copy_rows(&self, emitter: &mut Emitter, rows: Value, columns: Value, from: [Value; 2], to: [Value; 2]) {
        emitter.repeat(
            &[rows, from[0], to[0]],
            |emitter, carried| emitter.compare_size(IntCC::NotEqual, carried[0], 0),
            |emitter, carried| {
                emitter.copy(carried[1], carried[2], columns);
                let one = emitter.size(1);
                vec![
                    emitter.ins().isub(carried[0], one),
                    emitter.ins().iadd(carried[1], from[1]),
                    emitter.ins().iadd(carried[2], to[1]),
                ]
            },
        );
    }

    /// So many rows by all columns of so many panels, with the sums in registers.
    #[allow(clippy::too_many_arguments)]
    fn block(&self, emitter: &mut Emitter, rows: usize, panels: usize, a: Value, b: Value, c: Value, ldc: Value) {
        let vectors = panels * PANEL_WIDTH * 4 / VECTOR;
        let rows_of_a = addresses(emitter, a, self.lda, rows);
        let rows_of_c = addresses(emitter, c, ldc, rows);
        let panel_starts = addresses(emitter, b, self.panel, panels);
        let zeros: Vec<Value> = (0..rows * vectors).map(|_| emitter.splat(0.0)).collect();
        let sums = emitter.choose(self.accumulate, &zeros, |emitter| {
            (0..rows * vectors)
                .map(|sum| emitter.load(F32X4, rows_of_c[sum / vectors], sum % vectors * VECTOR))
                .collect()
        });
        // Carried are how far along the row of `a` in bytes, the same for the panels, and the sums.
        let zero = emitter.size(0);
        let mut carried = vec![zero, zero];
        carried.extend(sums);
        for (steps, end) in [(UNROLLED, self.unrolled_depth), (1, self.depth)] {
            carried = emitter.repeat(
                &carried,
                |emitter, carried| emitter.compare(IntCC::UnsignedLessThan, carried[0], end),
                |emitter, carried| {
                    let from_a: Vec<Value> = rows_of_a.iter().map(|&row| emitter.ins().iadd(row, carried[0])).collect();
                    let from_b: Vec<Value> =
                        panel_starts.iter().map(|&panel| emitter.ins().iadd(panel, carried[1])).collect();
                    let mut sums = carried[2..].to_vec();
                    for step in 0..steps {
                        multiply_add(emitter, &mut sums, &from_a, &from_b, step);
                    }
                    let mut next =
                        vec![emitter.add_size(carried[0], 4 * steps), emitter.add_size(carried[1], PANEL_ROW * steps)];
                    next.extend(sums);
                    next
                },
            );
        }
        for (sum, &value) in carried[2..].iter().enumerate() {
            emitter.store(value, rows_of_c[sum / vectors], sum % vectors * VECTOR);
        }
    }
}

/// One step along `k`, `step` after the given addresses in the rows of `a` and the panels.
fn multiply_add(emitter: &mut Emitter, sums: &mut [Value], from_a: &[Value], from_b: &[Value], step: usize) {
    let per_row = 2 * from_b.len();
    let mut factors = Vec::new();
    for (panel, &address) in from_b.iter().enumerate() {
        let left = emitter.load(F32X4, address, step * PANEL_ROW);
        let right = emitter.load(F32X4, address, step * PANEL_ROW + VECTOR);
        for (row, &address) in from_a.iter().enumerate() {
            if panel == 0 {
                let number = emitter.load(F32, address, 4 * step);
                factors.push(emitter.ins().splat(F32X4, number));
            }
            let place = row * per_row + 2 * panel;
            sums[place] = emitter.ins().fma(left, factors[row], sums[place]);
            sums[place + 1] = if panel + 1 == from_b.len() {
                emitter.ins().fma(factors[row], right, sums[place + 1])
            } else {
                emitter.ins().fma(right, factors[row], sums[place + 1])
            };
        }
    }
}

/// How many rows the next block has of those left: five, unless four blocks or fewer are done better by even parts.
fn rows_of_next_block(emitter: &mut Emitter, left: Value) -> Value {
    // 6, 7 and 8 rows are done as 3 and 3, 4 and 3, 4 and 4; up to 5 at once; of more, 5.
    let most = emitter.size(MOST_ROWS);
    let up_to_most = emitter.ins().umin(left, most);
    let one_more = emitter.add_size(left, 1);
    let two = emitter.size(2);
    let half = emitter.ins().udiv(one_more, two);
    let beyond = emitter.compare_size(IntCC::UnsignedGreaterThan, left, MOST_ROWS);
    let few = emitter.compare_size(IntCC::UnsignedLessThan, left, 2 * MOST_ROWS - 1);
    let halve = emitter.ins().band(beyond, few);
    emitter.ins().select(halve, half, up_to_most)
}

/// `count` addresses, `stride` apart.
fn addresses(emitter: &mut Emitter, first: Value, stride: Value, count: usize) -> Vec<Value> {
    let mut addresses = vec![first];
    while addresses.len() < count {
        let last = addresses[addresses.len() - 1];
        addresses.push(emitter.ins().iadd(last, stride));
    }
    addresses
}
