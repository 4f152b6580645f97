//! The emitted tile that makes an attention's scores weights: a block of a row's scores, four at a time.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, I32};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

use super::functions::weight;
use crate::clif::emitter::Emitter;
use crate::tile::constants::{DIFFERENCE_LOWEST, LOG2_E, SLACK, SLACK_MOST, WEIGHT_LOWEST};

/// Bytes of a vector.
const VECTOR: usize = 16;

/// Spells the tile's body, given its arguments.
pub(super) fn emit(emitter: &mut Emitter, arguments: &[Value]) {
    let &[rows, keys, scores, row, reference, total, mix, width, scale] = arguments else {
        panic!("it has nine arguments")
    };
    let scale = emitter.ins().ireduce(I32, scale);
    let scale = emitter.ins().bitcast(F32, MemFlagsData::new(), scale);
    let log2_e = emitter.ins().f32const(LOG2_E);
    let slack = emitter.ins().f32const(SLACK);
    let slack = emitter.ins().fdiv(slack, scale);
    let most = emitter.ins().f32const(SLACK_MOST);
    let slack = emitter.ins().fmin(slack, most);
    let factor = emitter.ins().fmul(scale, log2_e);
    let greatest = emitter.ins().f32const(f32::MAX);
    let factor = emitter.ins().fmin(factor, greatest);
    let factor = emitter.ins().splat(F32X4, factor);
    let lowest = emitter.ins().f32const(WEIGHT_LOWEST);
    let lowest = emitter.ins().fdiv(lowest, scale);
    let not_seen = emitter.ins().f32const(DIFFERENCE_LOWEST);
    let lowest = emitter.ins().fmax(lowest, not_seen);
    let lowest = emitter.ins().splat(F32X4, lowest);
    // Whole vectors: what is after the keys is of the block, and the lowest number.
    let end = emitter.bytes(keys);
    let end = emitter.add_size(end, VECTOR - 1);
    let pointer = emitter.pointer;
    let whole = emitter.ins().iconst(pointer, !(VECTOR as i64 - 1));
    let end = emitter.ins().band(end, whole);
    let (row, width) = (emitter.bytes(row), emitter.bytes(width));
    emitter.repeat(
        &[rows, scores, reference, total, mix],
        |emitter, carried| emitter.compare_size(IntCC::NotEqual, carried[0], 0),
        |emitter, carried| {
            let [left, scores, reference, total, mix] = carried[..] else { unreachable!("five are carried") };
            of_row(emitter, (scores, end), [reference, total, mix], width, (factor, lowest), slack);
            let one = emitter.size(1);
            vec![
                emitter.ins().isub(left, one),
                emitter.ins().iadd(scores, row),
                emitter.add_size(reference, 4),
                emitter.add_size(total, 4),
                emitter.ins().iadd(mix, width),
            ]
        },
    );
}

/// One row: its scores up to so many bytes, what is kept of it, how a difference becomes a weight, and how far above what is kept
/// a score may be.
fn of_row(
    emitter: &mut Emitter,
    (scores, end): (Value, Value),
    [kept, total, mix]: [Value; 3],
    width: Value,
    exponent: (Value, Value),
    slack: Value,
) {
    // The largest score of the block.
    let lowest = emitter.splat(f32::MIN);
    let zero = emitter.size(0);
    let unfinished = |emitter: &mut Emitter, at: Value, end: Value| emitter.compare(IntCC::UnsignedLessThan, at, end);
    let largest = emitter.repeat(
        &[zero, lowest],
        |emitter, carried| unfinished(emitter, carried[0], end),
        |emitter, carried| {
            let place = emitter.ins().iadd(scores, carried[0]);
            let score = emitter.load(F32X4, place, 0);
            vec![emitter.add_size(carried[0], VECTOR), emitter.ins().fmax(carried[1], score)]
        },
    )[1];
    let largest = emitter.largest_of_lanes(largest);
    let before = emitter.load(F32, kept, 0);
    let most = emitter.ins().fadd(before, slack);
    let moves = emitter.ins().fcmp(FloatCC::GreaterThan, largest, most);
    let now = emitter.ins().select(moves, largest, before);
    emitter.store(now, kept, 0);
    // A score that is not seen is so low that its exponential is zero, but where nothing was seen yet: there it is set to zero.
    let none = emitter.ins().f32const(f32::MIN);
    let nothing = emitter.ins().fcmp(FloatCC::Equal, now, none);
    let nought = emitter.ins().f32const(0.0);
    let reference = emitter.ins().select(nothing, nought, now);
    let references = emitter.ins().splat(F32X4, reference);
    let zeros = emitter.splat(0.0);
    let sum = emitter.repeat(
        &[zero, zeros],
        |emitter, carried| unfinished(emitter, carried[0], end),
        |emitter, carried| {
            let place = emitter.ins().iadd(scores, carried[0]);
            let score = emitter.load(F32X4, place, 0);
            let difference = emitter.ins().fsub(score, references);
            let weight = weight(emitter, difference, exponent);
            emitter.store(weight, place, 0);
            vec![emitter.add_size(carried[0], VECTOR), emitter.ins().fadd(carried[1], weight)]
        },
    )[1];
    let sum = emitter.sum_of_lanes(sum);
    let rescale = emitter.ins().fsub(before, reference);
    let rescale = emitter.ins().splat(F32X4, rescale);
    let rescales = weight(emitter, rescale, exponent);
    let rescale = emitter.ins().extractlane(rescales, 0);
    let so_far = emitter.load(F32, total, 0);
    let so_far = emitter.ins().fma(so_far, rescale, sum);
    emitter.store(so_far, total, 0);
    let sixteen = emitter.size(VECTOR);
    let rest = emitter.ins().urem(width, sixteen);
    let whole = emitter.ins().isub(width, rest);
    for (from, to, type_, bytes) in [(zero, whole, F32X4, VECTOR), (whole, width, F32, 4)] {
        emitter.repeat(
            &[from],
            |emitter, carried| unfinished(emitter, carried[0], to),
            |emitter, carried| {
                let place = emitter.ins().iadd(mix, carried[0]);
                let number = emitter.load(type_, place, 0);
                let scaled = emitter.ins().fmul(number, if type_ == F32X4 { rescales } else { rescale });
                emitter.store(scaled, place, 0);
                vec![emitter.add_size(carried[0], bytes)]
            },
        );
    }
}
