//! Scans: the loop over the steps of a recurrence, with all sequences in each, or over blocks of positions of each sequence.

use super::kernel::{Extent, Here, Spelling};
use crate::kernel::{Early, Loop, Sharing, Stage, TrackId};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};

/// So many weights stay in a second cache of 2 MiB from one step to the next, with what else there is.
const NEAR: usize = 1 << 18;

/// A step of a scan.
struct Step {
    track: TrackId,
    backward: bool,
    /// Its number.
    step: Value,
    /// Where the sequences that have it are listed.
    list: Value,
    /// How many they are.
    count: Value,
}

impl Spelling<'_, '_> {
    /// Step after step, each with a row for every sequence that has that position.
    pub fn scan(&mut self, begin: Value, end: Value, backward: bool, stages: &[Stage]) {
        let track = self.kernel.rows.expect("a scan runs over positions");
        let sequences = self.emitter.ins().isub(end, begin);
        self.place_scratch(sequences);
        self.begin_early(sequences);
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
            let steps = Step { track, backward, step, list, count };
            spelling.wait_unless_first(step, zero);
            spelling.turn_back(stages, step);
            let rest = spelling.early_stages(stages, &steps);
            for (number, stage) in stages.iter().enumerate().skip(rest) {
                spelling.shared(number, |spelling| spelling.stage_of_step(stage, number, &steps));
            }
        });
    }

    /// Has products with many weights go through their columns to and fro: what was read last in a step is in the second cache still,
    /// and is read first in the next. Always from the first to the last, it would have left the cache when its turn comes.
    fn turn_back(&mut self, stages: &[Stage], step: Value) {
        let weights = |stage: &Stage| match stage {
            Stage::Product(product) => product.depth.saturating_mul(product.columns),
            Stage::Loop(_) => 0,
        };
        if stages.iter().any(|stage| weights(stage) > NEAR) {
            let one = self.emitter.size(1);
            self.backward = Some(self.emitter.ins().band(step, one));
        }
    }

    /// Begins a step before all have left the last one, where that can be; tells how many stages are done.
    fn early_stages(&mut self, stages: &[Stage], step: &Step) -> usize {
        let (Some(Sharing { early: Some(early), .. }), [Stage::Loop(gather), Stage::Product(product), ..]) =
            (&self.sharing, stages)
        else {
            return 0;
        };
        let Early { cut, columns } = *early;
        let (zero, all) = (self.emitter.size(0), self.emitter.size(cut.entries));
        let is_first = self.emitter.compare(IntCC::Equal, step.step, zero);
        let some = self.early_entries(cut, is_first);
        let part = |spelling: &mut Self, from: Value, to: Value| {
            spelling.entries = Some((from, to));
            spelling.shared(0, |spelling| spelling.loop_of_step(gather, 0, step));
            spelling.entries = None;
            spelling.shared(1, |spelling| {
                spelling.product_in_part(product, step.count, None, (0, columns), (from, to));
            });
        };
        part(self, zero, some);
        self.wait_for_the_others(step.step, zero);
        let are_all = self.emitter.compare(IntCC::Equal, some, all);
        self.unless(are_all, |spelling| part(spelling, some, all));
        self.shared(1, |spelling| {
            spelling.product_in_part(product, step.count, None, (columns, product.columns), (zero, all));
        });
        2
    }

    fn stage_of_step(&mut self, stage: &Stage, number: usize, step: &Step) {
        match stage {
            Stage::Loop(stage) => self.loop_of_step(stage, number, step),
            Stage::Product(product) => self.product(product, step.count, None),
        }
    }

    /// A loop of a step, row after row.
    fn loop_of_step(&mut self, stage: &Loop, number: usize, step: &Step) {
        let far = self.far_reads(stage);
        let (first, end) = self.rows_of_stage(number, step.count);
        self.count(first, end, 1, |spelling, slot| {
            if !far.is_empty() {
                let next = spelling.emitter.add_size(slot, 1);
                let after = spelling.emitter.add_size(slot, 2);
                let after = spelling.least(after, end);
                spelling.count(next, after, 1, |spelling, next| {
                    let here = spelling.here_in_step(step, next);
                    spelling.fetch(stage, &far, &here);
                });
            }
            let here = spelling.here_in_step(step, slot);
            spelling.loop_stage(stage, &here);
        });
    }

    /// The row of one of a step's sequences.
    fn here_in_step(&mut self, step: &Step, slot: Value) -> Here {
        let three = self.emitter.size(3);
        let bytes = self.emitter.ins().ishl(slot, three);
        let place = self.emitter.ins().iadd(step.list, bytes);
        let pointer = self.emitter.pointer;
        let sequence = self.emitter.load(pointer, place, 0);
        let own = self.extent(step.track, sequence);
        self.here_of_step(slot, sequence, own, step.step, step.backward)
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
