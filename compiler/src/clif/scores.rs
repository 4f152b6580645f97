//! An attention's scores: from the products of some queries with a block of keys to weights that are not normalized yet.
//!
//! Where the product is the score, nothing is left to do for queries that see the whole block, and the others have the lowest
//! number put in place of what they do not see. A score that is more than the product is computed four keys at a time.

use super::attention::{AT_ONCE, Making, fill};
use super::context::{SCORE_ROW, attention_scratch};
use super::kernel::{Here, Spelling};
use super::loops::runs;
use super::numbers::At;
use crate::kernel::{Attention, KEY_BLOCK, KEYS_TOGETHER, Scalar};
use crate::tile::Tile;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};

/// What stands for the score of a key that is not seen.
pub(super) const LOWEST: f32 = f32::MIN;

// Scores are computed some vectors at a time, up to a whole vector of the tile.
const _: () = assert!(KEYS_TOGETHER.is_multiple_of(4 * AT_ONCE) && KEY_BLOCK.is_multiple_of(KEYS_TOGETHER));

impl Making<'_, '_, '_> {
    /// Scores of so many keys, which any of the queries sees, to weights: each row's exponentials, with what was kept of the
    /// blocks before scaled to them.
    pub fn weigh(
        &mut self,
        heads: &[Value],
        (key, scored): (Value, Value),
        scores: Value,
        [reference, total, mix]: [Value; 3],
    ) {
        let attention = self.attention;
        let (places, first, count) = (attention_scratch(attention), self.first, self.count);
        let here = self.here.clone();
        // What is after them up to a whole vector is read too.
        let end = self.spelling.emitter.add_size(scored, KEYS_TOGETHER - 1);
        let end = self.multiple_below(end, KEYS_TOGETHER);
        let each = |spelling: &mut Spelling| {
            let zero = spelling.emitter.size(0);
            spelling.count(zero, count, 1, |spelling, slot| {
                let mut making = Making { spelling, attention, places, here: here.clone(), first, count };
                let query = making.query(slot);
                let score_row = making.spelling.emitter.size(SCORE_ROW * 4);
                let row = making.spelling.emitter.ins().imul(slot, score_row);
                let row = making.spelling.emitter.ins().iadd(scores, row);
                let (low, high) = making.spelling.range(&attention.keys, &query);
                making.score(&query, heads, (key, end), row, (low, high));
            });
        };
        if is_dot(attention) {
            // Products are the scores, of all queries where all see the whole block.
            let all_see = self.all_see(key);
            let (inside, after) = (self.spelling.emitter.block(&[]), self.spelling.emitter.block(&[]));
            self.spelling.emitter.ins().brif(all_see, after, &[], inside, &[]);
            self.spelling.emitter.enter(inside);
            each(self.spelling);
            self.spelling.emitter.ins().jump(after, &[]);
            self.spelling.emitter.enter(after);
        } else {
            each(self.spelling);
        }
        let (score_row, width) = (self.spelling.emitter.size(SCORE_ROW), self.spelling.emitter.size(attention.width));
        let scale = self.spelling.emitter.size(attention.scale.to_bits() as usize);
        self.spelling.tile(Tile::Soften, &[count, scored, scores, score_row, reference, total, mix, width, scale]);
    }

    /// Whether all queries see all keys of the block that begins at `key`: a bound is linear in the position, so that its
    /// least and greatest stand at the first and the last query.
    fn all_see(&mut self, key: Value) -> Value {
        let one = self.spelling.emitter.size(1);
        let last = self.spelling.emitter.ins().isub(self.count, one);
        let (first, last) = (self.here.clone(), self.query(last));
        let end = self.end_of_block(key);
        let [first, last] = [first, last].map(|query| {
            let (low, high) = self.spelling.range(&self.attention.keys, &query);
            let begins = self.spelling.emitter.compare(IntCC::SignedLessThanOrEqual, low, key);
            let ends = self.spelling.emitter.compare(IntCC::SignedLessThanOrEqual, end, high);
            self.spelling.emitter.ins().band(begins, ends)
        });
        self.spelling.emitter.ins().band(first, last)
    }

    /// A row of products with the keys of a block, up to a place in it, to scores: with what else the equation adds, and the
    /// lowest number where a key is not seen.
    fn score(
        &mut self,
        query: &Here,
        heads: &[Value],
        (key, block): (Value, Value),
        row: Value,
        (low, high): (Value, Value),
    ) {
        let attention = self.attention;
        let spelling = &mut *self.spelling;
        let key_index = heads.len();
        let mut functions = Vec::new();
        runs(&attention.score, &mut functions);
        for comparison in &attention.domain {
            runs(&comparison.left, &mut functions);
            runs(&comparison.right, &mut functions);
        }
        // Reads that vary with the key must stay inside the sequence: then only keys that are seen are scored.
        let mut reads_keys = false;
        let mut look = |scalar: &Scalar| {
            scalar.walk(&mut |inner| {
                reads_keys |= matches!(inner, Scalar::Read(_)) && inner.varies_with(key_index);
            });
        };
        look(&attention.score);
        for comparison in &attention.domain {
            look(&comparison.left);
            look(&comparison.right);
        }
        let zero = spelling.emitter.size(0);
        let from = spelling.emitter.ins().isub(low, key);
        let from = spelling.emitter.ins().smax(from, zero);
        let from = spelling.emitter.ins().smin(from, block);
        let to = spelling.emitter.ins().isub(high, key);
        let to = spelling.emitter.ins().smax(to, from);
        let to = spelling.emitter.ins().smin(to, block);
        let at = |index: Value, lanes: bool, dot: Value| At {
            here: query,
            indices: heads.iter().copied().chain([index]).collect(),
            lanes: lanes.then_some(key_index),
            fixed: Vec::new(),
            bases: Vec::new(),
            held: Vec::new(),
            dot: Some(dot),
        };
        if is_dot(attention) {
            // It is there.
        } else if !reads_keys && functions.is_empty() {
            spelling.count(zero, block, 4 * AT_ONCE, |spelling, index| {
                for part in 0..AT_ONCE {
                    let index = spelling.emitter.add_size(index, 4 * part);
                    let own_key = spelling.emitter.ins().iadd(key, index);
                    let bytes = spelling.emitter.bytes(index);
                    let place = spelling.emitter.ins().iadd(row, bytes);
                    let at = at(own_key, true, place);
                    let score = spelling.number(&attention.score, &at);
                    let lowest = spelling.emitter.splat(LOWEST);
                    let score = spelling.choose(&attention.domain, score, lowest, &at);
                    spelling.emitter.store(score, place, 0);
                }
            });
        } else {
            let slots: Vec<Vec<Value>> =
                functions.iter().map(|run| run.arguments.iter().map(|_| spelling.stack_strip(1)).collect()).collect();
            spelling.count(from, to, 1, |spelling, index| {
                let own_key = spelling.emitter.ins().iadd(key, index);
                let bytes = spelling.emitter.bytes(index);
                let place = spelling.emitter.ins().iadd(row, bytes);
                let mut at = at(own_key, false, place);
                for (run, slots) in functions.iter().zip(&slots) {
                    for (argument, slot) in run.arguments.iter().zip(slots) {
                        let value = spelling.number(argument, &at);
                        spelling.emitter.store(value, *slot, 0);
                    }
                    let mut arguments = slots.clone();
                    arguments.push(spelling.emitter.size(1));
                    spelling.tile(run.tile, &arguments);
                    at.held.push((run.whole.clone(), slots[0]));
                }
                let score = spelling.number(&attention.score, &at);
                let lowest = spelling.emitter.ins().f32const(LOWEST);
                let score = spelling.choose(&attention.domain, score, lowest, &at);
                spelling.emitter.store(score, place, 0);
            });
        }
        fill(spelling, row, (zero, from), LOWEST);
        fill(spelling, row, (to, block), LOWEST);
    }
}

/// Whether the product of query and key is the score.
fn is_dot(attention: &Attention) -> bool {
    attention.score == Scalar::Dot && attention.domain.is_empty()
}
