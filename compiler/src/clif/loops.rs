//! Loop stages: nested loops with a scalar body, four neighbours at once where that was chosen.
//!
//! Functions that are computed on whole runs (exp, tanh, …) cut a body into steps: along the innermost index of the result,
//! a strip at a time, the function's argument is stored on the stack, the tile is called on the strip, and the next step
//! reads what it left there.

use super::context;
use super::kernel::{Here, Spelling};
use super::numbers::At;
use super::wide::{Along, To};
use crate::kernel::{Access, Bound, Loop, Range, Scalar, entries};
use crate::term::{Binary, Reduction, Unary};
use crate::tile::Tile;
use cranelift_codegen::ir::types::F32X4;
use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value};

/// Vectors in a turn of a loop, whose own work would take as long as one of them.
const AT_ONCE: usize = 2;

/// Sums of a reduction along its last index that are on their way at the same time: one waits for the addition before it.
const SUMS: usize = 4;

/// Numbers of a strip.
const STRIP: usize = 256;

/// A function that is computed on whole runs, and its arguments.
pub(super) struct Run {
    pub tile: Tile,
    pub arguments: Vec<Scalar>,
    pub whole: Scalar,
}

/// The run functions of a scalar, inner ones first, each once.
pub(super) fn runs(scalar: &Scalar, found: &mut Vec<Run>) {
    let mut inside = |scalars: &[&Scalar]| scalars.iter().for_each(|inner| runs(inner, found));
    let (tile, arguments) = match scalar {
        Scalar::Number(_) | Scalar::Index(_) | Scalar::Position | Scalar::Length(_) | Scalar::Dot => return,
        Scalar::Read(_) => return,
        Scalar::Unary(operation, value) => {
            inside(&[value]);
            let tile = match operation {
                Unary::Exp => Tile::Exp,
                Unary::Log => Tile::Log,
                Unary::Tanh => Tile::Tanh,
                Unary::Sigmoid => Tile::Sigmoid,
                Unary::Erf => Tile::Erf,
                Unary::Sin => Tile::Sin,
                Unary::Cos => Tile::Cos,
                Unary::Negate | Unary::Sqrt | Unary::Abs | Unary::Floor => return,
            };
            (tile, vec![(**value).clone()])
        }
        Scalar::Binary(operation, left, right) => {
            inside(&[left, right]);
            if *operation != Binary::Power {
                return;
            }
            (Tile::Power, vec![(**left).clone(), (**right).clone()])
        }
        Scalar::Select(conditions, left, right) => {
            for condition in conditions {
                inside(&[&condition.left, &condition.right]);
            }
            inside(&[left, right]);
            return;
        }
    };
    if !found.iter().any(|run| run.whole == *scalar) {
        found.push(Run { tile, arguments, whole: scalar.clone() });
    }
}

/// The largest parts of a scalar that are work but do not vary with an index, each once: a norm's `sqrt(variance + epsilon)`
/// along its numbers. None that a run has to be made for, nor one that reads what the loop itself writes.
fn fixed_parts(scalar: &Scalar, index: usize, target: &Access, found: &mut Vec<Scalar>) {
    let mut inside = |scalars: &[&Scalar]| scalars.iter().for_each(|inner| fixed_parts(inner, index, target, found));
    match scalar {
        Scalar::Number(_) | Scalar::Index(_) | Scalar::Position | Scalar::Length(_) | Scalar::Dot => return,
        Scalar::Read(_) => return,
        Scalar::Unary(..) | Scalar::Binary(..) | Scalar::Select(..) => {}
    }
    let mut functions = Vec::new();
    runs(scalar, &mut functions);
    let mut reads_target = false;
    scalar.walk(&mut |inner| reads_target |= matches!(inner, Scalar::Read(access) if access.place == target.place));
    if functions.is_empty() && !reads_target && !scalar.varies_with(index) {
        if !found.contains(scalar) {
            found.push(scalar.clone());
        }
        return;
    }
    match scalar {
        Scalar::Unary(_, value) => inside(&[value]),
        Scalar::Binary(_, left, right) => inside(&[left, right]),
        Scalar::Select(conditions, left, right) => {
            conditions.iter().for_each(|condition| inside(&[&condition.left, &condition.right]));
            inside(&[left, right]);
        }
        Scalar::Number(_) | Scalar::Index(_) | Scalar::Position | Scalar::Length(_) => {}
        Scalar::Dot | Scalar::Read(_) => {}
    }
}

/// A part of the result's last index.
pub(super) struct Stretch {
    /// The index along which four neighbours are computed at once, if any.
    pub lanes: Option<usize>,
    /// Whether the result has that index at all; one without is visited once.
    pub has_index: bool,
    /// How many entries the whole index has, where that is known.
    pub entries: Option<usize>,
    pub from: Value,
    pub to: Value,
}

impl Spelling<'_, '_> {
    /// One stage for one row.
    pub fn loop_stage(&mut self, stage: &Loop, here: &Here) {
        let at = At {
            here,
            indices: Vec::new(),
            lanes: None,
            fixed: Vec::new(),
            bases: Vec::new(),
            held: Vec::new(),
            dot: None,
        };
        self.results(stage, at);
    }

    /// The loops over the result's indices, but the one along which a run lies.
    fn results(&mut self, stage: &Loop, at: At) {
        let depth = at.indices.len();
        let along_run = depth + 1 == stage.results && self.is_run(stage);
        if depth == stage.results || along_run {
            return match stage.reduction {
                None => self.pointwise(stage, at),
                Some(reduction) => self.reduction(stage, reduction, at),
            };
        }
        let (from, to) = self.stage_range(stage, depth, at.here);
        self.count(from, to, 1, |spelling, index| {
            let mut inner = at.clone();
            inner.indices.push(index);
            spelling.results(stage, inner);
        });
    }

    /// Whether the result's last index is left to what computes runs.
    fn is_run(&self, stage: &Loop) -> bool {
        match stage.reduction {
            None => true,
            Some(_) => stage.lanes.is_some_and(|lanes| lanes < stage.results),
        }
    }

    /// The ends of a stage's range for a row: of some entries alone, where the work is shared out along it.
    pub fn stage_range(&mut self, stage: &Loop, number: usize, here: &Here) -> (Value, Value) {
        let (from, to) = self.range(&stage.ranges[number], here);
        if let Some((first, end)) = self.part().filter(|_| number == 0) {
            return (self.emitter.ins().smax(from, first), self.emitter.ins().smin(to, end));
        }
        if stage.slice != Some(number) {
            return (from, to);
        }
        let (first, end) = (self.context_word(context::SLICE_FROM), self.context_word(context::SLICE_TO));
        (self.emitter.ins().smax(from, first), self.emitter.ins().smin(to, end))
    }

    /// A range's ends for a row.
    pub fn range(&mut self, range: &Range, here: &Here) -> (Value, Value) {
        let mut from: Option<Value> = None;
        for bound in &range.from {
            let value = self.bound(bound, here);
            from = Some(match from {
                None => value,
                Some(before) => self.emitter.ins().smax(before, value),
            });
        }
        let mut to: Option<Value> = None;
        for bound in &range.to {
            let value = self.bound(bound, here);
            to = Some(match to {
                None => value,
                Some(before) => self.emitter.ins().smin(before, value),
            });
        }
        let zero = self.emitter.size(0);
        (from.unwrap_or(zero), to.unwrap_or(zero))
    }

    /// Ends that hold a range for every row from one to another: a bound is linear in the position, so that its least and
    /// greatest stand at the ends; where several bounds meet, they may do so in between.
    pub fn range_of_block(&mut self, range: &Range, first: &Here, last: &Here) -> (Value, Value) {
        let mut from = self.emitter.size(0);
        for bound in &range.from {
            let (one, two) = (self.bound(bound, first), self.bound(bound, last));
            let least = self.emitter.ins().smin(one, two);
            from = self.emitter.ins().smax(from, least);
        }
        let mut to: Option<Value> = None;
        for bound in &range.to {
            let (one, two) = (self.bound(bound, first), self.bound(bound, last));
            let greatest = self.emitter.ins().smax(one, two);
            to = Some(match to {
                None => greatest,
                Some(before) => self.emitter.ins().smin(before, greatest),
            });
        }
        (from, to.unwrap_or(from))
    }

    fn bound(&mut self, bound: &Bound, here: &Here) -> Value {
        let pointer = self.emitter.pointer;
        let mut sum = self.emitter.ins().iconst(pointer, bound.fixed);
        if bound.position != 0 {
            let times = self.emitter.ins().iconst(pointer, bound.position);
            let position = self.emitter.ins().imul(here.position, times);
            sum = self.emitter.ins().iadd(sum, position);
        }
        if let Some(time) = bound.length {
            sum = self.emitter.ins().iadd(sum, here.lengths[time.0 as usize]);
        }
        sum
    }

    /// A pointwise body along the result's last index (or once, for a result without).
    fn pointwise(&mut self, stage: &Loop, at: At) {
        let mut functions = Vec::new();
        runs(&stage.body, &mut functions);
        for comparison in &stage.domain {
            runs(&comparison.left, &mut functions);
            runs(&comparison.right, &mut functions);
        }
        let (from, to) = if at.indices.len() < stage.results {
            self.stage_range(stage, at.indices.len(), at.here)
        } else {
            (self.emitter.size(0), self.emitter.size(1))
        };
        let has_index = at.indices.len() < stage.results;
        let entries = has_index.then(|| entries(&stage.ranges[at.indices.len()])).flatten();
        let whole = Along { body: &stage.body, domain: &stage.domain, to: To::Access(&stage.target) };
        if functions.is_empty() {
            let stretch = Stretch { lanes: stage.lanes, has_index, entries, from, to };
            let at = self.before_loop(at, stage, &stage.body);
            return self.along(&at, &stretch, &[], &whole);
        }
        let slots: Vec<Vec<Value>> =
            functions.iter().map(|run| run.arguments.iter().map(|_| self.stack_strip(STRIP)).collect()).collect();
        self.count(from, to, STRIP, |spelling, first| {
            let end = spelling.emitter.add_size(first, STRIP);
            let end = spelling.least(end, to);
            let count = spelling.emitter.ins().isub(end, first);
            let stretch = Stretch { lanes: stage.lanes, has_index, entries, from: first, to: end };
            let mut held: Vec<(Scalar, Value)> = Vec::new();
            for (run, slots) in functions.iter().zip(&slots) {
                for (argument, slot) in run.arguments.iter().zip(slots) {
                    let at = spelling.before_loop(at.clone(), stage, argument);
                    spelling.along(&at, &stretch, &held, &Along { body: argument, domain: &[], to: To::Stack(*slot) });
                }
                let mut arguments = slots.clone();
                arguments.push(count);
                spelling.tile(run.tile, &arguments);
                held.push((run.whole.clone(), slots[0]));
            }
            let at = spelling.before_loop(at.clone(), stage, &stage.body);
            spelling.along(&at, &stretch, &held, &whole);
        });
    }

    /// Computes a body along a part of the next index: by a strip where there is one for it.
    fn along(&mut self, at: &At, stretch: &Stretch, held: &[(Scalar, Value)], along: &Along) {
        if self.by_strip(at, stretch, held, along) {
            return;
        }
        let start = match along.to {
            To::Access(_) => None,
            To::Stack(slot) => Some(self.strip_start(slot, stretch.from)),
        };
        self.strip(at, stretch, held, &mut |spelling, at| {
            let value = spelling.number(along.body, at);
            let value = if along.domain.is_empty() {
                value
            } else {
                let zero = spelling.constant(0.0, at);
                spelling.choose(along.domain, value, zero, at)
            };
            let place = match (along.to, start) {
                (To::Access(target), _) => spelling.address(target, at),
                (To::Stack(slot), start) => {
                    let index = *at.indices.last().expect("strips have an index");
                    let bytes = spelling.emitter.bytes(index);
                    spelling.emitter.ins().iadd(start.unwrap_or(slot), bytes)
                }
            };
            spelling.emitter.store(value, place, 0);
        });
    }

    /// Computes what does not vary along the next index, for a loop that reads it in each turn: addresses, and parts of a body
    /// of numbers.
    fn before_loop<'h>(&mut self, at: At<'h>, stage: &Loop, body: &Scalar) -> At<'h> {
        let mut at = self.with_bases_of(at, stage, body);
        let mut found = Vec::new();
        fixed_parts(body, at.indices.len(), &stage.target, &mut found);
        for scalar in found {
            let one = self.number(&scalar, &at);
            let four = self.emitter.ins().splat(F32X4, one);
            at.fixed.push((scalar, [one, four]));
        }
        at
    }

    /// The addresses alone.
    fn with_bases_of<'h>(&mut self, at: At<'h>, stage: &Loop, body: &Scalar) -> At<'h> {
        let compared = stage.domain.iter().flat_map(|comparison| [&comparison.left, &comparison.right]);
        let scalars: Vec<&Scalar> = compared.chain([body]).collect();
        self.with_bases(at, &scalars, Some(&stage.target))
    }

    /// Memory on the stack for so many numbers.
    pub fn stack_strip(&mut self, numbers: usize) -> Value {
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, (numbers * 4) as u32, 4);
        let slot = self.emitter.cursor.func.create_sized_stack_slot(slot);
        let pointer = self.emitter.pointer;
        self.emitter.ins().stack_addr(pointer, slot, 0)
    }

    /// Where index 0 would lie of a strip that begins at `first`.
    fn strip_start(&mut self, slot: Value, first: Value) -> Value {
        let bytes = self.emitter.bytes(first);
        self.emitter.ins().isub(slot, bytes)
    }

    /// Visits `from..to` of the next index, four at a time where that was chosen and the rest one by one.
    fn strip(&mut self, at: &At, stretch: &Stretch, held: &[(Scalar, Value)], visit: &mut dyn FnMut(&mut Self, &At)) {
        let Stretch { lanes, has_index, from, to, .. } = *stretch;
        let number = at.indices.len();
        // A result without indices is visited at an index that nothing mentions.
        let lanes = lanes.filter(|lanes| has_index && *lanes == number);
        let held: Vec<(&Scalar, Value)> =
            held.iter().map(|(scalar, slot)| (scalar, self.strip_start(*slot, from))).collect();
        let mut each = |spelling: &mut Self, index: Value, lanes: Option<usize>| {
            let mut inner = at.clone();
            inner.indices.push(index);
            inner.lanes = lanes;
            for (scalar, start) in &held {
                let bytes = spelling.emitter.bytes(index);
                let place = spelling.emitter.ins().iadd(*start, bytes);
                inner.held.push(((*scalar).clone(), place));
            }
            visit(spelling, &inner);
        };
        let mut next = from;
        if lanes.is_some() {
            let middle = self.whole_turns(from, to, 4 * AT_ONCE);
            let end = self.whole_turns(from, to, 4);
            self.count(from, middle, 4 * AT_ONCE, |spelling, index| {
                for vector in 0..AT_ONCE {
                    let index = spelling.emitter.add_size(index, 4 * vector);
                    each(spelling, index, lanes);
                }
            });
            self.count(middle, end, 4, |spelling, index| each(spelling, index, lanes));
            next = end;
        }
        self.count(next, to, 1, |spelling, index| each(spelling, index, None));
    }

    /// A reduction at one element of the result, or at four.
    fn reduction(&mut self, stage: &Loop, reduction: Reduction, at: At) {
        let store = |spelling: &mut Self, value: Value, at: &At| {
            let address = spelling.address(&stage.target, at);
            spelling.emitter.store(value, address, 0);
        };
        if at.indices.len() < stage.results {
            // Four neighbours of the result at once, then the rest.
            let (from, to) = self.stage_range(stage, at.indices.len(), at.here);
            let stretch = Stretch { lanes: stage.lanes, has_index: true, entries: None, from, to };
            let at = self.with_bases_of(at, stage, &stage.body);
            self.strip(&at, &stretch, &[], &mut |spelling, at| {
                let first = spelling.constant(reduction.of_nothing() as f32, at);
                let value = spelling.reduce(stage, reduction, at, first);
                store(spelling, value, at);
            });
            return;
        }
        let across = stage.lanes.filter(|lanes| *lanes >= stage.results);
        let value = match across {
            None => {
                let first = self.constant(reduction.of_nothing() as f32, &at);
                self.reduce(stage, reduction, &at, first)
            }
            Some(_) => {
                let four = self.emitter.splat(0.0);
                let one = self.emitter.ins().f32const(0.0);
                let sums = self.sum_across(stage, &at, four, one);
                let lanes = self.emitter.sum_of_lanes(sums.0);
                self.emitter.ins().fadd(lanes, sums.1)
            }
        };
        store(self, value, &at);
    }

    /// The loops over the indices that are reduced over, which carry the result so far.
    fn reduce(&mut self, stage: &Loop, reduction: Reduction, at: &At, so_far: Value) -> Value {
        if at.indices.len() == stage.ranges.len() {
            return self.combine(stage, reduction, at, so_far);
        }
        let (from, to) = self.stage_range(stage, at.indices.len(), at.here);
        let at = &self.with_bases_of(at.clone(), stage, &stage.body);
        self.count_with(from, to, 1, &[so_far], |spelling, index, carried| {
            let mut inner = at.clone();
            inner.indices.push(index);
            vec![spelling.reduce(stage, reduction, &inner, carried[0])]
        })[0]
    }

    /// One more element of a reduction.
    fn combine(&mut self, stage: &Loop, reduction: Reduction, at: &At, so_far: Value) -> Value {
        let value = match (&stage.body, reduction) {
            (Scalar::Binary(Binary::Multiply, left, right), Reduction::Sum) => {
                let (left, right) = (self.number(left, at), self.number(right, at));
                self.emitter.ins().fma(left, right, so_far)
            }
            (body, _) => {
                let value = self.number(body, at);
                match reduction {
                    Reduction::Sum => self.emitter.ins().fadd(so_far, value),
                    Reduction::Maximum => self.emitter.ins().fmax(so_far, value),
                    Reduction::Minimum => self.emitter.ins().fmin(so_far, value),
                }
            }
        };
        self.choose(&stage.domain, value, so_far, at)
    }

    /// A sum along its last index, four at a time: the four lanes' sums, and that of the rest.
    fn sum_across(&mut self, stage: &Loop, at: &At, four: Value, one: Value) -> (Value, Value) {
        let (from, to) = self.stage_range(stage, at.indices.len(), at.here);
        let at = &self.with_bases_of(at.clone(), stage, &stage.body);
        if at.indices.len() + 1 < stage.ranges.len() {
            let sums = self.count_with(from, to, 1, &[four, one], |spelling, index, carried| {
                let mut inner = at.clone();
                inner.indices.push(index);
                let sums = spelling.sum_across(stage, &inner, carried[0], carried[1]);
                vec![sums.0, sums.1]
            });
            return (sums[0], sums[1]);
        }
        let lanes = at.indices.len();
        let more = |spelling: &mut Self, index: Value, lanes: Option<usize>, so_far: Value| {
            let mut inner = at.clone();
            inner.indices.push(index);
            inner.lanes = lanes;
            spelling.combine(stage, Reduction::Sum, &inner, so_far)
        };
        let middle = self.whole_turns(from, to, 4 * SUMS);
        let end = self.whole_turns(from, to, 4);
        let nothing = self.emitter.splat(0.0);
        let first: Vec<Value> = [four].into_iter().chain(std::iter::repeat_n(nothing, SUMS - 1)).collect();
        let sums = self.count_with(from, middle, 4 * SUMS, &first, |spelling, index, carried| {
            let add = |(number, so_far): (usize, &Value)| {
                let index = spelling.emitter.add_size(index, 4 * number);
                more(spelling, index, Some(lanes), *so_far)
            };
            carried.iter().enumerate().map(add).collect()
        });
        let four = sums.into_iter().reduce(|left, right| self.emitter.ins().fadd(left, right)).expect("there are some");
        let four = self.count_with(middle, end, 4, &[four], |spelling, index, carried| {
            vec![more(spelling, index, Some(lanes), carried[0])]
        })[0];
        let one = self
            .count_with(end, to, 1, &[one], |spelling, index, carried| vec![more(spelling, index, None, carried[0])])
            [0];
        (four, one)
    }

    /// Where a loop from one index to another that goes so many at once, a power of two, has to end.
    fn whole_turns(&mut self, from: Value, to: Value, by: usize) -> Value {
        let length = self.emitter.ins().isub(to, from);
        let zero = self.emitter.size(0);
        let length = self.emitter.ins().smax(length, zero);
        let pointer = self.emitter.pointer;
        let mask = self.emitter.ins().iconst(pointer, !(by as i64 - 1));
        let length = self.emitter.ins().band(length, mask);
        self.emitter.ins().iadd(from, length)
    }
}
