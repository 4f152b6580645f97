//! Scans: the loop over the steps of a recurrence, with all sequences in each, or over blocks of positions of each sequence.

use super::kernel::{Extent, Here, Spelling};
use crate::kernel::Stage;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Spelling<'_, '_> {
    /// Step after step, each with a row for every sequence that has that position.
    pub fn scan(&mut self, begin: Value, end: Value, backward: bool, stages: &[Stage]) {
        let track = self.kernel.rows.expect("a scan runs over positions");
        let sequences = self.emitter.ins().isub(end, begin);
        self.place_scratch(sequences);
        let list = *self.scratch_places.last().expect("the end of the arrays is a place too");
        let zero = self.emitter.size(0);
        let longest = self.count_with(begin, end, 1, &[zero], |spelling, sequence, longest| {
            let own = spelling.extent(track, sequence);
            vec![spelling.emitter.ins().smax(longest[0], own.count)]
        })[0];
        self.count(zero, longest, 1, |spelling, step| {
            // The sequences that have this position, one after the other.
            let zero = spelling.emitter.size(0);
            let count = spelling.count_with(begin, end, 1, &[zero], |spelling, sequence, count| {
                let own = spelling.extent(track, sequence);
                let three = spelling.emitter.size(3);
                let bytes = spelling.emitter.ins().ishl(count[0], three);
                let place = spelling.emitter.ins().iadd(list, bytes);
                spelling.emitter.store(sequence, place, 0);
                let has = spelling.emitter.compare(IntCC::SignedLessThan, step, own.count);
                let pointer = spelling.emitter.pointer;
                let has = spelling.emitter.ins().uextend(pointer, has);
                vec![spelling.emitter.ins().iadd(count[0], has)]
            })[0];
            spelling.share_rows(count);
            spelling.wait_unless_first(step, zero);
            for (number, stage) in stages.iter().enumerate() {
                spelling.shared(number, |spelling| match stage {
                    Stage::Loop(stage) => {
                        let far = spelling.far_reads(stage);
                        let (first, end) = spelling.rows_of_stage(number, count);
                        spelling.count(first, end, 1, |spelling, slot| {
                            let at_slot = |spelling: &mut Self, slot: Value| {
                                let three = spelling.emitter.size(3);
                                let bytes = spelling.emitter.ins().ishl(slot, three);
                                let place = spelling.emitter.ins().iadd(list, bytes);
                                let pointer = spelling.emitter.pointer;
                                let sequence = spelling.emitter.load(pointer, place, 0);
                                let own = spelling.extent(track, sequence);
                                spelling.here_of_step(slot, sequence, own, step, backward)
                            };
                            if !far.is_empty() {
                                let next = spelling.emitter.add_size(slot, 1);
                                let after = spelling.emitter.add_size(slot, 2);
                                let after = spelling.least(after, end);
                                spelling.count(next, after, 1, |spelling, next| {
                                    let here = at_slot(spelling, next);
                                    spelling.fetch(stage, &far, &here);
                                });
                            }
                            let here = at_slot(spelling, slot);
                            spelling.loop_stage(stage, &here);
                        });
                    }
                    Stage::Product(product) => spelling.product(product, count, None),
                });
            }
        });
    }

    /// One sequence after the other, block after block, and in a block one stage after the other.
    pub fn scan_in_blocks(&mut self, begin: Value, end: Value, backward: bool, block: usize, stages: &[Stage]) {
        let track = self.kernel.rows.expect("a scan runs over positions");
        let rows = self.emitter.size(block);
        self.place_scratch(rows);
        self.count(begin, end, 1, |spelling, sequence| {
            let zero = spelling.emitter.size(0);
            let own = spelling.extent(track, sequence);
            spelling.count(zero, own.count, block, |spelling, first| {
                let left = spelling.emitter.ins().isub(own.count, first);
                let rows = spelling.emitter.size(block);
                let count = spelling.least(left, rows);
                for stage in stages {
                    let Stage::Loop(stage) = stage else { unreachable!("a scan in blocks has no products") };
                    spelling.count(zero, count, 1, |spelling, slot| {
                        let step = spelling.emitter.ins().iadd(first, slot);
                        let here = spelling.here_of_step(slot, sequence, own, step, backward);
                        spelling.loop_stage(stage, &here);
                    });
                }
            });
        });
    }

    /// The row of a sequence that a scan comes to in a step.
    fn here_of_step(&mut self, slot: Value, sequence: Value, own: Extent, step: Value, backward: bool) -> Here {
        let place = if backward {
            let one = self.emitter.size(1);
            let last = self.emitter.ins().isub(own.count, one);
            self.emitter.ins().isub(last, step)
        } else {
            step
        };
        let row = self.emitter.ins().iadd(own.first, place);
        let position = self.emitter.ins().iadd(own.from, place);
        self.here(slot, row, sequence, position)
    }
}
