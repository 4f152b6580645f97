//! Scalars as instructions: one number, or four neighbours at once.

use super::addresses::Base;
use super::kernel::{Here, Spelling};
use crate::kernel::{Access, Comparison, Place, Scalar};
use crate::syntax::tree::Comparator;
use crate::term::{Binary, Unary};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, F32X4};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

/// What a scalar is computed at.
#[derive(Clone, Debug)]
pub(super) struct At<'h> {
    /// The row.
    pub here: &'h Here,
    /// The loop indices.
    pub indices: Vec<Value>,
    /// The loop index whose four values from the one given on are meant, if four are computed at once.
    pub lanes: Option<usize>,
    /// Numbers that were computed before a loop, as they do not vary in it: one, and four times the same.
    pub fixed: Vec<(Scalar, [Value; 2])>,
    /// Addresses that were computed before a loop.
    pub bases: Vec<Base>,
    /// Numbers that were computed on a whole run before, and where they lie: for the first of four the next three follow.
    pub held: Vec<(Scalar, Value)>,
    /// Where the product of query and key lies.
    pub dot: Option<Value>,
}

impl Spelling<'_, '_> {
    /// A scalar: one number, or a vector of four.
    pub fn number(&mut self, scalar: &Scalar, at: &At) -> Value {
        if let Some((_, [one, four])) = at.fixed.iter().find(|(fixed, _)| fixed == scalar) {
            return if at.lanes.is_some() { *four } else { *one };
        }
        if let Some((_, place)) = at.held.iter().find(|(held, _)| held == scalar) {
            let type_ = if at.lanes.is_some() { F32X4 } else { F32 };
            return self.emitter.load(type_, *place, 0);
        }
        match scalar {
            Scalar::Number(number) => self.constant(*number, at),
            Scalar::Index(index) => self.index(*index, at),
            Scalar::Position => self.whole_number(at.here.position, at),
            Scalar::Length(time) => self.whole_number(at.here.lengths[time.0 as usize], at),
            Scalar::Read(access) => self.read(access, at),
            Scalar::Dot => {
                let place = at.dot.expect("only an attention's score has a dot");
                let type_ = if at.lanes.is_some() { F32X4 } else { F32 };
                self.emitter.load(type_, place, 0)
            }
            Scalar::Unary(operation, value) => {
                let value = self.number(value, at);
                let ins = self.emitter.ins();
                match operation {
                    Unary::Negate => ins.fneg(value),
                    Unary::Sqrt => ins.sqrt(value),
                    Unary::Abs => ins.fabs(value),
                    Unary::Floor => ins.floor(value),
                    Unary::Exp | Unary::Log | Unary::Tanh | Unary::Sigmoid | Unary::Erf | Unary::Sin | Unary::Cos => {
                        unreachable!("functions of runs are held before they are read")
                    }
                }
            }
            Scalar::Binary(operation, left, right) => {
                let left = self.number(left, at);
                let right = self.number(right, at);
                match operation {
                    Binary::Add => self.emitter.ins().fadd(left, right),
                    Binary::Subtract => self.emitter.ins().fsub(left, right),
                    Binary::Multiply => self.emitter.ins().fmul(left, right),
                    Binary::Divide => self.emitter.ins().fdiv(left, right),
                    Binary::Remainder => {
                        let quotient = self.emitter.ins().fdiv(left, right);
                        let whole = self.emitter.ins().floor(quotient);
                        let product = self.emitter.ins().fmul(right, whole);
                        self.emitter.ins().fsub(left, product)
                    }
                    Binary::Minimum => self.emitter.ins().fmin(left, right),
                    Binary::Maximum => self.emitter.ins().fmax(left, right),
                    Binary::Power => unreachable!("functions of runs are held before they are read"),
                }
            }
            Scalar::Select(conditions, left, right) => {
                let left = self.number(left, at);
                let right = self.number(right, at);
                self.choose(conditions, left, right, at)
            }
        }
    }

    /// The first number where all conditions hold, else the second.
    pub fn choose(&mut self, conditions: &[Comparison], left: Value, right: Value, at: &At) -> Value {
        let Some(holds) = self.all_hold(conditions, at) else { return left };
        if at.lanes.is_some() {
            let mask = self.emitter.ins().bitcast(F32X4, MemFlagsData::new(), holds);
            self.emitter.ins().bitselect(mask, left, right)
        } else {
            self.emitter.ins().select(holds, left, right)
        }
    }

    /// Whether all conditions hold; none for no conditions.
    pub fn all_hold(&mut self, conditions: &[Comparison], at: &At) -> Option<Value> {
        let mut all: Option<Value> = None;
        for condition in conditions {
            let left = self.number(&condition.left, at);
            let right = self.number(&condition.right, at);
            let code = match condition.comparator {
                Comparator::Less => FloatCC::LessThan,
                Comparator::LessEqual => FloatCC::LessThanOrEqual,
                Comparator::Greater => FloatCC::GreaterThan,
                Comparator::GreaterEqual => FloatCC::GreaterThanOrEqual,
                Comparator::Equal => FloatCC::Equal,
                Comparator::NotEqual => FloatCC::NotEqual,
            };
            let holds = self.emitter.ins().fcmp(code, left, right);
            all = Some(match all {
                None => holds,
                Some(before) => self.emitter.ins().band(before, holds),
            });
        }
        all
    }

    /// A constant, in every lane.
    pub fn constant(&mut self, number: f32, at: &At) -> Value {
        if at.lanes.is_some() { self.emitter.splat(number) } else { self.emitter.ins().f32const(number) }
    }

    /// A whole number as a float, in every lane.
    fn whole_number(&mut self, number: Value, at: &At) -> Value {
        let number = self.emitter.ins().fcvt_from_sint(F32, number);
        if at.lanes.is_some() { self.emitter.ins().splat(F32X4, number) } else { number }
    }

    fn index(&mut self, index: usize, at: &At) -> Value {
        let number = self.whole_number(at.indices[index], at);
        if at.lanes != Some(index) {
            return number;
        }
        let steps: Vec<u8> = [0f32, 1.0, 2.0, 3.0].iter().flat_map(|step| step.to_le_bytes()).collect();
        let steps = self.emitter.cursor.func.dfg.constants.insert(steps.into());
        let steps = self.emitter.ins().vconst(F32X4, steps);
        self.emitter.ins().fadd(number, steps)
    }

    fn read(&mut self, access: &Access, at: &At) -> Value {
        let address = self.address(access, at);
        match at.lanes {
            None => self.emitter.load(F32, address, 0),
            Some(index) => {
                let row = match access.place {
                    Place::Argument(number) => self.kernel.arguments[number].row,
                    Place::Scratch(number) => self.kernel.scratch[number].row,
                };
                match access.stride(index, row) {
                    Some(1) => self.emitter.load(F32X4, address, 0),
                    _ => {
                        let number = self.emitter.load(F32, address, 0);
                        self.emitter.ins().splat(F32X4, number)
                    }
                }
            }
        }
    }
}
