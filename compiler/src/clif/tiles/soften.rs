//! The emitted tile that makes an attention's scores weights: a block of a row's scores, four at a time.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, I32};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

use super::functions::weight;
use crate::clif::emitter::Emitter;
use crate::kernel::KEY_BLOCK;

/// Bytes of a vector.
const VECTOR: usize = 16;

/// Spells the tile's body, given its arguments.
pub(super) fn emit(emitter: &mut Emitter, arguments: &[Value]) {
    let &[rows, scores, row, highest, total, mix, width, scale] = arguments else { panic!("it has eight arguments") };
    let scale = emitter.ins().ireduce(I32, scale);
    let scale = emitter.ins().bitcast(F32, MemFlagsData::new(), scale);
    let scale = emitter.ins().splat(F32X4, scale);
    let (row, width) = (emitter.bytes(row), emitter.bytes(width));
    emitter.repeat(
        &[rows, scores, highest, total, mix],
        |emitter, carried| emitter.compare_size(IntCC::NotEqual, carried[0], 0),
        |emitter, carried| {
            let [left, scores, highest, total, mix] = carried[..] else { unreachable!("five are carried") };
            of_row(emitter, scores, [highest, total, mix], width, scale);
            let one = emitter.size(1);
            vec![
                emitter.ins().isub(left, one),
                emitter.ins().iadd(scores, row),
                emitter.add_size(highest, 4),
                emitter.add_size(total, 4),
                emitter.ins().iadd(mix, width),
            ]
        },
    );
}

fn of_row(emitter: &mut Emitter, scores: Value, [highest, total, mix]: [Value; 3], width: Value, scale: Value) {
    // The largest score of the block, and so far.
    let lowest = emitter.splat(f32::MIN);
    let end = emitter.size(4 * KEY_BLOCK);
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
    let before = emitter.load(F32, highest, 0);
    let now = emitter.ins().fmax(before, largest);
    emitter.store(now, highest, 0);
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
            let difference = emitter.ins().fmul(difference, scale);
            let weight = weight(emitter, difference);
            emitter.store(weight, place, 0);
            vec![emitter.add_size(carried[0], VECTOR), emitter.ins().fadd(carried[1], weight)]
        },
    )[1];
    let sum = emitter.sum_of_lanes(sum);
    let rescale = emitter.ins().fsub(before, reference);
    let rescale = emitter.ins().splat(F32X4, rescale);
    let rescale = emitter.ins().fmul(rescale, scale);
    let rescales = weight(emitter, rescale);
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
