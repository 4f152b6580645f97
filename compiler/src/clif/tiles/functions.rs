//! The emitted function tiles. The algorithms are told, and their constants stand, in `crate::tile::constants`.
//!
//! A run's last numbers, fewer than a vector, are copied to a vector on the stack and take the same steps, so that a
//! number's result does not depend on where in the run it stands.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, I32, I32X4};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, StackSlotData, StackSlotKind, Type, Value};

use crate::clif::emitter::Emitter;
use crate::tile::constants::*;

/// Numbers in a vector, and its bytes.
const LANES: usize = 4;
const VECTOR: usize = 4 * LANES;

/// Spells a tile's body, given its arguments and the steps for one vector.
pub(super) fn emit(emitter: &mut Emitter, arguments: &[Value], lanes: fn(&mut Emitter, Value) -> Value) {
    let &[values, count] = arguments else { panic!("a function tile has two arguments") };
    let after = emitter.repeat(
        &[values, count],
        |emitter, carried| emitter.compare_size(IntCC::UnsignedGreaterThanOrEqual, carried[1], LANES),
        |emitter, carried| {
            let x = emitter.load(F32X4, carried[0], 0);
            let result = lanes(emitter, x);
            emitter.store(result, carried[0], 0);
            let done = emitter.size(LANES);
            vec![emitter.add_size(carried[0], VECTOR), emitter.ins().isub(carried[1], done)]
        },
    );
    let (place, left) = (after[0], after[1]);
    let some = emitter.compare_size(IntCC::NotEqual, left, 0);
    emitter.when(some, |emitter| {
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, VECTOR as u32, 4);
        let slot = emitter.cursor.func.create_sized_stack_slot(slot);
        let pointer = emitter.pointer;
        let buffer = emitter.ins().stack_addr(pointer, slot, 0);
        let zeros = emitter.splat(0.0);
        emitter.store(zeros, buffer, 0);
        emitter.copy(place, buffer, left);
        let x = emitter.load(F32X4, buffer, 0);
        let result = lanes(emitter, x);
        emitter.store(result, buffer, 0);
        emitter.copy(buffer, place, left);
    });
}

/// The exponential.
pub(super) fn exp(emitter: &mut Emitter, x: Value) -> Value {
    let x = smaller(emitter, EXP_HIGHEST, x);
    let x = larger(emitter, EXP_LOWEST, x);
    let (core, t) = reduced(emitter, x);
    let round = emitter.constant(I32X4, ROUND.to_bits());
    let bits = cast(emitter, I32X4, t);
    let n = emitter.ins().isub(bits, round);
    let one = emitter.ins().iconst(I32, 1);
    let half = emitter.ins().sshr(n, one);
    let other_half = emitter.ins().isub(n, half);
    let bias = emitter.constant(I32X4, 127);
    let first = emitter.ins().iadd(half, bias);
    let first = to_exponent(emitter, first);
    let second = emitter.ins().iadd(other_half, bias);
    let second = to_exponent(emitter, second);
    let one = emitter.splat(1.0);
    let power = emitter.ins().fadd(core, one);
    let power = emitter.ins().fmul(power, first);
    emitter.ins().fmul(power, second)
}

/// The exponential of a score's difference from its row's reference, given what makes it an exponent of 2, and below which
/// difference it is 0.
pub(super) fn weight(emitter: &mut Emitter, difference: Value, (factor, lowest): (Value, Value)) -> Value {
    let round = emitter.splat(ROUND_BIASED);
    let t = emitter.ins().fma(difference, factor, round);
    let minus_n = emitter.ins().fsub(round, t);
    let r = emitter.ins().fma(difference, factor, minus_n);
    let power = polynomial(emitter, &EXP2, r);
    let bits = cast(emitter, I32X4, t);
    let by = to_exponent(emitter, bits);
    let weight = emitter.ins().fmul(power, by);
    let below = emitter.ins().fcmp(FloatCC::LessThan, difference, lowest);
    let below = cast(emitter, F32X4, below);
    emitter.ins().band_not(weight, below)
}

/// The hyperbolic tangent.
pub(super) fn tanh(emitter: &mut Emitter, x: Value) -> Value {
    let (sign, size) = sign_and_size(emitter, x);
    let twice = emitter.ins().fadd(size, size);
    let bounded = smaller(emitter, TANH_HIGHEST, twice);
    let e = expm1(emitter, bounded);
    let two = emitter.splat(2.0);
    let divisor = emitter.ins().fadd(e, two);
    let quotient = emitter.ins().fdiv(e, divisor);
    emitter.ins().bor(quotient, sign)
}

/// `1 / (1 + exp(-x))`.
pub(super) fn sigmoid(emitter: &mut Emitter, x: Value) -> Value {
    let minus_x = negated(emitter, x);
    let power = exp(emitter, minus_x);
    let one = emitter.splat(1.0);
    let divisor = emitter.ins().fadd(one, power);
    emitter.ins().fdiv(one, divisor)
}

/// The error function.
pub(super) fn erf(emitter: &mut Emitter, x: Value) -> Value {
    let (sign, size) = sign_and_size(emitter, x);
    let size = smaller(emitter, ERF_HIGHEST, size);
    let tail = polynomial(emitter, &ERF_TAIL, size);
    let tail = emitter.ins().fmul(size, tail);
    let slope = emitter.splat(ERF_SLOPE);
    let h = emitter.ins().fma(size, slope, tail);
    let minus_h = negated(emitter, h);
    let e = expm1(emitter, minus_h);
    let (_, size) = sign_and_size(emitter, e);
    emitter.ins().bor(size, sign)
}

/// `exp(x) - 1` where `|x|` is at most about 20.
fn expm1(emitter: &mut Emitter, x: Value) -> Value {
    let (core, t) = reduced(emitter, x);
    let bits = cast(emitter, I32X4, t);
    let round = emitter.constant(I32X4, ROUND.to_bits() - 127);
    let bits = emitter.ins().isub(bits, round);
    let power = to_exponent(emitter, bits);
    let one = emitter.splat(1.0);
    let less_one = emitter.ins().fsub(power, one);
    emitter.ins().fma(power, core, less_one)
}

/// `(core(r), t)`: the exponential of the reduced argument less one, and the sum that holds `n` in its bits.
fn reduced(emitter: &mut Emitter, x: Value) -> (Value, Value) {
    let log2_e = emitter.splat(LOG2_E);
    let round = emitter.splat(ROUND);
    let t = emitter.ins().fma(x, log2_e, round);
    let n = emitter.ins().fsub(t, round);
    let high = emitter.splat(-LN2_HIGH);
    let r = emitter.ins().fma(n, high, x);
    let low = emitter.splat(-LN2_LOW);
    let r = emitter.ins().fma(n, low, r);
    let tail = polynomial(emitter, &EXP_TAIL, r);
    let square = emitter.ins().fmul(r, r);
    (emitter.ins().fma(square, tail, r), t)
}

/// The polynomial of these coefficients, lowest power first.
fn polynomial(emitter: &mut Emitter, coefficients: &[f32], x: Value) -> Value {
    let mut terms = coefficients.iter().rev();
    let highest = *terms.next().expect("a polynomial has terms");
    let mut sum = emitter.splat(highest);
    for &term in terms {
        let term = emitter.splat(term);
        sum = emitter.ins().fma(sum, x, term);
    }
    sum
}

/// The lesser of the bound and `x`, which is `x` where that is not a number. Spelt so that Cranelift makes it one
/// instruction on x86-64, where `fmin` is seven.
fn smaller(emitter: &mut Emitter, bound: f32, x: Value) -> Value {
    let bound = emitter.splat(bound);
    let less = emitter.ins().fcmp(FloatCC::LessThan, bound, x);
    let less = cast(emitter, F32X4, less);
    emitter.ins().bitselect(less, bound, x)
}

/// The greater of the bound and `x`, as [`smaller`].
fn larger(emitter: &mut Emitter, bound: f32, x: Value) -> Value {
    let bound = emitter.splat(bound);
    let greater = emitter.ins().fcmp(FloatCC::LessThan, x, bound);
    let greater = cast(emitter, F32X4, greater);
    emitter.ins().bitselect(greater, bound, x)
}

fn sign_and_size(emitter: &mut Emitter, x: Value) -> (Value, Value) {
    let sign_bit = emitter.splat(-0.0);
    let others = emitter.constant(F32X4, 0x7fff_ffff);
    (emitter.ins().band(x, sign_bit), emitter.ins().band(x, others))
}

fn negated(emitter: &mut Emitter, x: Value) -> Value {
    let sign_bit = emitter.splat(-0.0);
    emitter.ins().bxor(x, sign_bit)
}

/// The numbers whose exponent fields are the low bits of these integers.
fn to_exponent(emitter: &mut Emitter, bits: Value) -> Value {
    let width = emitter.ins().iconst(I32, 23);
    let bits = emitter.ins().ishl(bits, width);
    cast(emitter, F32X4, bits)
}

fn cast(emitter: &mut Emitter, type_: Type, value: Value) -> Value {
    emitter.ins().bitcast(type_, MemFlagsData::new(), value)
}
