//! Attention as a function: queries block by block, and for each the keys block by block, packed once for the whole block of
//! queries, of all heads that share the keys, and scored some queries at a time.
//!
//! For each query a score that the others are held against, the sum of exponentials and the mix of values are kept; when a block
//! has one that is far larger, sum and mix are scaled down (Milakov and Gimelshein, "Online normalizer calculation for softmax",
//! 2018; that one a little larger may stay as it is, FlashAttention-4, 2025).
//! Blocks of keys begin at multiples of their size from the sequence's start, but for what nobody sees of the first, and their keys
//! are gone through in order, those that a query does not see with a weight of zero up to the last that its neighbours see: a
//! query's result depends neither on the batch nor on the queries beside it.

use super::context::{
    AttentionScratch, QUERIES_AT_ONCE, QUERIES_ON_AN_EDGE, SCORE_ROW, attention_scratch, query_block,
};
use super::kernel::{Here, Spelling};
use super::numbers::At;
use super::scores::LOWEST;
use crate::kernel::{Access, Attention, KEY_BLOCK, KEYS_TOGETHER, entries};
use crate::tile::Tile;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4};
use cranelift_codegen::ir::{InstBuilder, Value};

/// The kernel's whole body.
pub(super) fn emit(spelling: &mut Spelling, begin: Value, end: Value, attention: &Attention) {
    let places = attention_scratch(attention);
    spelling.count_in_parts(begin, end, |spelling, first| {
        // A block of queries of one sequence.
        let zero = spelling.emitter.size(0);
        let here = spelling.here_of_row(zero, first);
        let own = here.extent(spelling.kernel.rows.expect("an attention runs over positions"));
        let last = spelling.emitter.ins().iadd(own.first, own.count);
        let last = spelling.least(last, end);
        let left = spelling.emitter.ins().isub(last, first);
        let most = spelling.emitter.size(query_block(attention));
        let count = spelling.least(left, most);
        let mut making = Making { spelling, attention, places, here, first, count };
        making.heads(Vec::new());
        count
    });
}

/// What is made for some queries of one sequence.
pub(super) struct Making<'m, 'f, 'p> {
    pub spelling: &'m mut Spelling<'f, 'p>,
    pub attention: &'m Attention,
    pub places: AttentionScratch,
    /// The first query.
    pub here: Here,
    /// Its row.
    pub first: Value,
    /// How many there are.
    pub count: Value,
}

impl Making<'_, '_, '_> {
    /// Some queries of all heads: of those that share keys and values at once.
    fn heads(&mut self, indices: Vec<Value>) {
        let attention = self.attention;
        if indices.len() + attention.grouped() == attention.heads.len() {
            return self.block(&indices);
        }
        let (from, to) = self.range_of_heads(indices.len());
        let (places, here, first, count) = (self.places, self.here.clone(), self.first, self.count);
        self.spelling.count(from, to, 1, |spelling, index| {
            let mut indices = indices.clone();
            indices.push(index);
            Making { spelling, attention, places, here, first, count }.heads(indices);
        });
    }

    /// The heads along an axis of them. Threads with the same rows have some each, of the one that is cut.
    fn range_of_heads(&mut self, axis: usize) -> (Value, Value) {
        let here = self.here.clone();
        let (from, to) = self.spelling.range(&self.attention.heads[axis], &here);
        if axis != self.attention.cut() {
            return (from, to);
        }
        let all = self.spelling.emitter.ins().isub(to, from);
        let (first, end) = self.spelling.part_of(all, 1);
        (self.spelling.emitter.ins().iadd(from, first), self.spelling.emitter.ins().iadd(from, end))
    }

    /// The heads that share keys and values, one after the other, with the place of its first query among those of all.
    fn group(&mut self, heads: &[Value], before: Option<Value>, body: &mut dyn FnMut(&mut Making, &[Value], Value)) {
        let attention = self.attention;
        let axis = heads.len();
        if axis == attention.heads.len() {
            let zero = self.spelling.emitter.size(0);
            let first = before.map_or(zero, |number| self.spelling.emitter.ins().imul(number, self.count));
            return body(self, heads, first);
        }
        let size = entries(&attention.heads[axis]).unwrap_or(1);
        let (from, to) = self.range_of_heads(axis);
        let (places, here, first, count) = (self.places, self.here.clone(), self.first, self.count);
        self.spelling.count(from, to, 1, |spelling, index| {
            let number = match before {
                None => index,
                Some(before) => {
                    let size = spelling.emitter.size(size);
                    let place = spelling.emitter.ins().imul(before, size);
                    spelling.emitter.ins().iadd(place, index)
                }
            };
            let heads: Vec<Value> = heads.iter().copied().chain([index]).collect();
            Making { spelling, attention, places, here, first, count }.group(&heads, Some(number), body);
        });
    }

    fn at<'h>(&self, here: &'h Here, indices: &[Value]) -> At<'h> {
        At {
            here,
            indices: indices.to_vec(),
            lanes: None,
            fixed: Vec::new(),
            bases: Vec::new(),
            held: Vec::new(),
            dot: None,
        }
    }

    fn scratch(&mut self, floats: usize) -> Value {
        let scratch = self.spelling.scratch;
        self.spelling.emitter.add_size(scratch, floats * 4)
    }

    /// A row of an array in scratch memory.
    fn scratch_row(&mut self, floats: usize, number: Value, row: Value) -> Value {
        let array = self.scratch(floats);
        let place = self.spelling.emitter.ins().imul(number, row);
        let bytes = self.spelling.emitter.bytes(place);
        self.spelling.emitter.ins().iadd(array, bytes)
    }

    fn row_of(&self, access: &Access) -> usize {
        match access.place {
            crate::kernel::Place::Argument(number) => self.spelling.kernel.arguments[number].row,
            crate::kernel::Place::Scratch(number) => self.spelling.kernel.scratch[number].row,
        }
    }

    /// One block of queries of the heads that share some keys.
    fn block(&mut self, heads: &[Value]) {
        let attention = self.attention;
        let here = self.here.clone();
        let keys = self.scratch(self.places.keys);
        let values = self.scratch(self.places.values);
        let count = self.count;
        let one = self.spelling.emitter.size(1);
        let width = self.spelling.emitter.size(attention.width);
        self.group(heads, None, &mut |making, heads, states| {
            making.gather_queries(heads, states);
            let [reference, total, _] = making.states(states);
            let zero = making.spelling.emitter.size(0);
            fill(making.spelling, reference, (zero, count), LOWEST);
            fill(making.spelling, total, (zero, count), 0.0);
        });
        // The keys that any query of the block sees.
        let last_slot = self.spelling.emitter.ins().isub(count, one);
        let last = self.query(last_slot);
        let (low, high) = self.spelling.range_of_block(&attention.keys, &here, &last);
        let start = self.multiple_below(low, KEYS_TOGETHER);
        let (places, first) = (self.places, self.first);
        self.spelling.count_in_parts(start, high, |spelling, key| {
            let mut making = Making { spelling, attention, places, here, first, count };
            let left = making.spelling.emitter.ins().isub(high, key);
            let end = making.end_of_block(key);
            let block = making.spelling.emitter.ins().isub(end, key);
            let seen = making.spelling.least(left, block);
            // Whichever of the heads: their keys and values are the same.
            let zero = making.spelling.emitter.size(0);
            let mut indices = heads.to_vec();
            indices.resize(attention.heads.len(), zero);
            indices.push(key);
            let here = making.here.clone();
            let at = making.at(&here, &indices);
            let depth = making.spelling.emitter.size(attention.numbers());
            let key_address = making.spelling.address(&attention.key, &at);
            let key_row = making.row_of(&attention.key);
            let (key_address, key_row, key_step) = match attention.depth.as_slice() {
                [axis] => (key_address, making.spelling.emitter.size(key_row), axis.key_step),
                axes => {
                    let gathered = making.scratch(making.places.gathered);
                    let axes: Vec<(usize, usize)> = axes.iter().map(|axis| (axis.size, axis.key_step)).collect();
                    gather(making.spelling, seen, key_address, key_row, &axes, gathered);
                    (gathered, depth, 1)
                }
            };
            let key_step = making.spelling.emitter.size(key_step);
            making.spelling.tile(Tile::Pack, &[seen, depth, key_address, key_row, key_step, keys]);
            let value_address = making.spelling.address(&attention.value, &at);
            let value_row = making.row_of(&attention.value);
            let value_row = making.spelling.emitter.size(value_row);
            let value_step = making.spelling.emitter.size(attention.value_step);
            making.spelling.tile(Tile::Pack, &[width, seen, value_address, value_step, value_row, values]);
            making.group(heads, None, &mut |making, heads, states| {
                let (queries, query_row) = making.queries(heads, states);
                let (first, here) = (making.first, making.here.clone());
                making.spelling.count_in_parts(zero, count, |spelling, slot| {
                    let mut making = Making { spelling, attention, places, here, first, count };
                    let part = making.part(key, slot);
                    let operands = [(queries, query_row), (keys, depth), (values, width)];
                    making.some_queries(heads, (start, key, seen), (states, slot, part), operands);
                    part
                });
            });
            block
        });
        let nothing = self.spelling.emitter.compare(IntCC::SignedLessThanOrEqual, high, start);
        self.group(heads, None, &mut |making, heads, states| {
            let [_, total, mix] = making.states(states);
            making.when(nothing, |making| making.mix_nothing(mix, count));
            making.finish(heads, mix, total);
        });
    }

    /// Where the block ends that a key lies in.
    pub fn end_of_block(&mut self, key: Value) -> Value {
        let begin = self.multiple_below(key, KEY_BLOCK);
        self.spelling.emitter.add_size(begin, KEY_BLOCK)
    }

    /// The last multiple of a power of 2 up to a number.
    pub fn multiple_below(&mut self, number: Value, of: usize) -> Value {
        let pointer = self.spelling.emitter.pointer;
        let mask = self.spelling.emitter.ins().iconst(pointer, -(of as i64));
        self.spelling.emitter.ins().band(number, mask)
    }

    /// What is kept of queries from a place on: the largest score, the sum of weights, and the mix.
    fn states(&mut self, place: Value) -> [Value; 3] {
        let places = self.places;
        let one = self.spelling.emitter.size(1);
        let width = self.spelling.emitter.size(self.attention.width);
        [(places.reference, one), (places.total, one), (places.mix, width)]
            .map(|(array, row)| self.scratch_row(array, place, row))
    }

    /// How many queries from a place on are scored at once: few where they see different keys of a block, so that less is
    /// computed of what they do not see.
    fn part(&mut self, key: Value, slot: Value) -> Value {
        let left = self.spelling.emitter.ins().isub(self.count, slot);
        let [many, few] = [QUERIES_AT_ONCE, QUERIES_ON_AN_EDGE].map(|most| {
            let most = self.spelling.emitter.size(most);
            self.spelling.least(left, most)
        });
        let one = self.spelling.emitter.size(1);
        let last = self.spelling.emitter.ins().iadd(slot, many);
        let last = self.spelling.emitter.ins().isub(last, one);
        let (first, last) = (self.query(slot), self.query(last));
        let end = self.end_of_block(key);
        let [(low, high), (last_low, last_high)] = [first, last].map(|query| {
            let (low, high) = self.spelling.range(&self.attention.keys, &query);
            (self.spelling.emitter.ins().smax(low, key), self.spelling.emitter.ins().smin(high, end))
        });
        let begins = self.spelling.emitter.compare(IntCC::Equal, low, last_low);
        let ends = self.spelling.emitter.compare(IntCC::Equal, high, last_high);
        let same = self.spelling.emitter.ins().band(begins, ends);
        self.spelling.emitter.ins().select(same, many, few)
    }

    /// A block of keys, packed with its values, for some queries of the block, from a place in it on: nothing is to be done
    /// where none of them sees any, but at the first block, `start`, where their mix begins.
    fn some_queries(
        mut self,
        heads: &[Value],
        (start, key, seen): (Value, Value, Value),
        (states, slot, count): (Value, Value, Value),
        [(queries, query_row), (keys, depth), (values, width)]: [(Value, Value); 3],
    ) {
        let (attention, places) = (self.attention, attention_scratch(self.attention));
        let [zero, one] = [0, 1].map(|size| self.spelling.emitter.size(size));
        let goes_on = self.spelling.emitter.compare(IntCC::NotEqual, key, start);
        let here = self.query(slot);
        let last = self.spelling.emitter.ins().iadd(slot, count);
        let last = self.spelling.emitter.ins().isub(last, one);
        let last = self.query(last);
        let (low, high) = self.spelling.range_of_block(&attention.keys, &here, &last);
        let end = self.end_of_block(key);
        let begins = self.spelling.emitter.compare(IntCC::SignedLessThan, low, end);
        let ends = self.spelling.emitter.compare(IntCC::SignedLessThan, key, high);
        let sees = self.spelling.emitter.ins().band(begins, ends);
        // Of the keys, those up to the last that any of the queries sees; the others' weights are zeros.
        let reach = self.spelling.emitter.ins().isub(high, key);
        let scored = self.spelling.least(seen, reach);
        let scores = self.scratch(places.scores);
        let states = self.spelling.emitter.ins().iadd(states, slot);
        let states = self.states(states);
        let row = self.spelling.emitter.ins().imul(slot, query_row);
        let bytes = self.spelling.emitter.bytes(row);
        let queries = self.spelling.emitter.ins().iadd(queries, bytes);
        let first = here.row;
        let [_, _, mix] = states;
        let mut making = Making { spelling: self.spelling, attention, places, here, first, count };
        making.when(sees, |making| {
            let score_row = making.spelling.emitter.size(SCORE_ROW);
            let scoring = [count, scored, depth, queries, query_row, keys, depth, scores, score_row, zero];
            making.spelling.tile(Tile::Product, &scoring);
            making.weigh(heads, (key, scored), scores, states);
            let goes_on = making.spelling.emitter.ins().select(goes_on, one, zero);
            let mixing = [count, width, scored, scores, score_row, values, seen, mix, width, goes_on];
            making.spelling.tile(Tile::Product, &mixing);
        });
        let begins = making.spelling.emitter.ins().bxor_imm_u(goes_on, 1);
        let begins_blind = making.spelling.emitter.ins().band_not(begins, sees);
        making.when(begins_blind, |making| making.mix_nothing(mix, count));
    }

    /// What happens where a condition holds.
    fn when(&mut self, condition: Value, body: impl FnOnce(&mut Self)) {
        let (inside, after) = (self.spelling.emitter.block(&[]), self.spelling.emitter.block(&[]));
        self.spelling.emitter.ins().brif(condition, inside, &[], after, &[]);
        self.spelling.emitter.enter(inside);
        body(self);
        self.spelling.emitter.ins().jump(after, &[]);
        self.spelling.emitter.enter(after);
    }

    /// The mix of queries that saw nothing.
    fn mix_nothing(&mut self, mix: Value, count: Value) {
        let zero = self.spelling.emitter.size(0);
        let width = self.spelling.emitter.size(self.attention.width);
        let all = self.spelling.emitter.ins().imul(count, width);
        fill(self.spelling, mix, (zero, all), 0.0);
    }

    /// Whether queries lie as rows.
    fn in_rows(&self) -> bool {
        matches!(self.attention.depth.as_slice(), [axis] if axis.query_step == 1)
    }

    /// The queries as rows one after the other, and how far apart they lie.
    fn queries(&mut self, heads: &[Value], states: Value) -> (Value, Value) {
        if !self.in_rows() {
            let depth = self.spelling.emitter.size(self.attention.numbers());
            return (self.scratch_row(self.places.queries, states, depth), depth);
        }
        let here = self.here.clone();
        let at = self.at(&here, heads);
        let address = self.spelling.address(&self.attention.query, &at);
        let row = self.row_of(&self.attention.query);
        (address, self.spelling.emitter.size(row))
    }

    /// Makes rows of queries that do not lie so.
    fn gather_queries(&mut self, heads: &[Value], states: Value) {
        if self.in_rows() {
            return;
        }
        let attention = self.attention;
        let here = self.here.clone();
        let at = self.at(&here, heads);
        let address = self.spelling.address(&attention.query, &at);
        let row = self.row_of(&attention.query);
        let depth = self.spelling.emitter.size(attention.numbers());
        let queries = self.scratch_row(self.places.queries, states, depth);
        let axes: Vec<(usize, usize)> = attention.depth.iter().map(|axis| (axis.size, axis.query_step)).collect();
        gather(self.spelling, self.count, address, row, &axes, queries);
    }

    /// The query at a place of the block.
    pub fn query(&mut self, slot: Value) -> Here {
        let row = self.spelling.emitter.ins().iadd(self.first, slot);
        let position = self.spelling.emitter.ins().iadd(self.here.position, slot);
        Here { slot, row, position, ..self.here.clone() }
    }

    /// The mix divided by the sum of weights, or zero where nothing was seen.
    fn finish(&mut self, heads: &[Value], mix: Value, total: Value) {
        let attention = self.attention;
        let (places, first, count) = (attention_scratch(attention), self.first, self.count);
        let here = self.here.clone();
        let zero = self.spelling.emitter.size(0);
        self.spelling.count(zero, count, 1, |spelling, slot| {
            let mut making = Making { spelling, attention, places, here, first, count };
            let query = making.query(slot);
            let at = making.at(&query, heads);
            let spelling = making.spelling;
            let target = spelling.address(&attention.target, &at);
            let sum = load_at(spelling, F32, total, slot);
            let one = spelling.emitter.ins().f32const(1.0);
            let nought = spelling.emitter.ins().f32const(0.0);
            let inverse = spelling.emitter.ins().fdiv(one, sum);
            let nothing = spelling.emitter.ins().fcmp(FloatCC::Equal, sum, nought);
            let inverse = spelling.emitter.ins().select(nothing, nought, inverse);
            let width = spelling.emitter.size(attention.width);
            let row = spelling.emitter.ins().imul(slot, width);
            let bytes = spelling.emitter.bytes(row);
            let mix = spelling.emitter.ins().iadd(mix, bytes);
            if attention.target_step == 1 {
                let zero = spelling.emitter.size(0);
                each_of(spelling, (zero, width), |spelling, index, type_| {
                    let number = load_at(spelling, type_, mix, index);
                    let by = if type_ == F32X4 { spelling.emitter.ins().splat(F32X4, inverse) } else { inverse };
                    let number = spelling.emitter.ins().fmul(number, by);
                    store_at(spelling, number, target, index);
                });
            } else {
                let zero = spelling.emitter.size(0);
                spelling.count(zero, width, 1, |spelling, index| {
                    let number = load_at(spelling, F32, mix, index);
                    let number = spelling.emitter.ins().fmul(number, inverse);
                    let step = spelling.emitter.size(attention.target_step);
                    let place = spelling.emitter.ins().imul(index, step);
                    store_at(spelling, number, target, place);
                });
            }
        });
    }
}

/// Copies vectors that lie `row` numbers apart to lie one after the other. Their numbers lie along axes, each with its size
/// and how far apart neighbours are.
fn gather(spelling: &mut Spelling, count: Value, from: Value, row: usize, axes: &[(usize, usize)], to: Value) {
    let all = axes.iter().map(|(size, _)| size).product();
    let zero = spelling.emitter.size(0);
    spelling.count(zero, count, 1, |spelling, slot| {
        let (row, all) = (spelling.emitter.size(row), spelling.emitter.size(all));
        let from_place = spelling.emitter.ins().imul(slot, row);
        let to_place = spelling.emitter.ins().imul(slot, all);
        gather_one(spelling, axes, (from, from_place), (to, to_place));
    });
}

/// One vector, its outermost axis first: from and to are an address and the place of a number.
fn gather_one(spelling: &mut Spelling, axes: &[(usize, usize)], from: (Value, Value), to: (Value, Value)) {
    let [(size, step), inner @ ..] = axes else {
        let number = load_at(spelling, F32, from.0, from.1);
        return store_at(spelling, number, to.0, to.1);
    };
    let (zero, end) = (spelling.emitter.size(0), spelling.emitter.size(*size));
    spelling.count(zero, end, 1, |spelling, index| {
        let step = spelling.emitter.size(*step);
        let apart = spelling.emitter.size(inner.iter().map(|(size, _)| size).product());
        let from_place = spelling.emitter.ins().imul(index, step);
        let from_place = spelling.emitter.ins().iadd(from.1, from_place);
        let to_place = spelling.emitter.ins().imul(index, apart);
        let to_place = spelling.emitter.ins().iadd(to.1, to_place);
        gather_one(spelling, inner, (from.0, from_place), (to.0, to_place));
    });
}

fn load_at(spelling: &mut Spelling, type_: cranelift_codegen::ir::Type, address: Value, index: Value) -> Value {
    let bytes = spelling.emitter.bytes(index);
    let place = spelling.emitter.ins().iadd(address, bytes);
    spelling.emitter.load(type_, place, 0)
}

fn store_at(spelling: &mut Spelling, value: Value, address: Value, index: Value) {
    let bytes = spelling.emitter.bytes(index);
    let place = spelling.emitter.ins().iadd(address, bytes);
    spelling.emitter.store(value, place, 0);
}

/// Puts a number at all places from one to another.
pub(super) fn fill(spelling: &mut Spelling, address: Value, (from, to): (Value, Value), number: f32) {
    each_of(spelling, (from, to), |spelling, index, type_| {
        let number = match type_ {
            F32X4 => spelling.emitter.splat(number),
            _ => spelling.emitter.ins().f32const(number),
        };
        store_at(spelling, number, address, index);
    });
}

/// Vectors in a turn of a loop over numbers, whose own work would take as long as theirs.
pub(super) const AT_ONCE: usize = 4;

/// Visits the numbers from one place to another: some vectors at a time, one, and the rest one by one.
fn each_of(
    spelling: &mut Spelling,
    (from, to): (Value, Value),
    mut visit: impl FnMut(&mut Spelling, Value, cranelift_codegen::ir::Type),
) {
    let pointer = spelling.emitter.pointer;
    let count = spelling.emitter.ins().isub(to, from);
    let [many, one] = [4 * AT_ONCE, 4].map(|numbers| {
        let mask = spelling.emitter.ins().iconst(pointer, -(numbers as i64));
        let whole = spelling.emitter.ins().band(count, mask);
        spelling.emitter.ins().iadd(from, whole)
    });
    spelling.count(from, many, 4 * AT_ONCE, |spelling, index| {
        for part in 0..AT_ONCE {
            let index = spelling.emitter.add_size(index, 4 * part);
            visit(spelling, index, F32X4);
        }
    });
    spelling.count(many, one, 4, |spelling, index| visit(spelling, index, F32X4));
    spelling.count(one, to, 1, |spelling, index| visit(spelling, index, F32));
}
