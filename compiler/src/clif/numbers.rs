//! Scalars as instructions: one number, or four neighbours at once.

use super::kernel::{Here, Spelling};
use crate::kernel::{Access, Comparison, Offset, Place, Row, Scalar, Space, Tables};
use crate::syntax::tree::Comparator;
use crate::term::{Binary, Unary};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
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

    /// Where a number lies.
    pub fn address(&mut self, access: &Access, at: &At) -> Value {
        let row = self.row_address(access, at);
        let offset = self.offset(&access.offset, at);
        match offset {
            None => row,
            Some(offset) => {
                let bytes = self.emitter.bytes(offset);
                self.emitter.ins().iadd(row, bytes)
            }
        }
    }

    /// Where the row begins that an access reads: outside the sequence, a row that stands in for it.
    fn row_address(&mut self, access: &Access, at: &At) -> Value {
        let argument = match access.place {
            Place::Scratch(number) => return self.scratch_row(number, at.here.slot),
            Place::Argument(number) => number,
        };
        let base = self.arguments[argument];
        let row_bytes = self.kernel.arguments[argument].row * 4;
        let tracks = match &self.kernel.arguments[argument].space {
            Space::Global => return base,
            Space::Tracks(tracks) => tracks.clone(),
        };
        if let ([track], [Row::Here]) = (tracks.as_slice(), access.rows.as_slice())
            && self.kernel.rows == Some(*track)
        {
            let bytes = self.emitter.size(row_bytes);
            let bytes = self.emitter.ins().imul(at.here.row, bytes);
            return self.emitter.ins().iadd(base, bytes);
        }
        let mut inside: Option<Value> = None;
        // For each track, how far after its first row.
        let mut places = Vec::new();
        for (row, track) in access.rows.iter().zip(&tracks) {
            let extent = at.here.extent(*track);
            places.push(match row {
                Row::Here => self.emitter.ins().isub(at.here.position, extent.from),
                Row::At(offset) => {
                    let position = match self.offset(offset, at) {
                        Some(position) => position,
                        None => self.emitter.size(0),
                    };
                    let place = self.emitter.ins().isub(position, extent.from);
                    // Below zero is far above, taken as unsigned.
                    let holds = self.emitter.compare(IntCC::UnsignedLessThan, place, extent.count);
                    inside = Some(match inside {
                        None => holds,
                        Some(before) => self.emitter.ins().band(before, holds),
                    });
                    place
                }
            });
        }
        let row = match (tracks.as_slice(), places.as_slice()) {
            ([], _) => at.here.sequence,
            ([track], [place]) => {
                let first = at.here.extent(*track).first;
                let row = match self.program.track(*track).turns {
                    None => *place,
                    Some(turns) => {
                        let last = self.emitter.size(turns - 1);
                        self.emitter.ins().band(*place, last)
                    }
                };
                self.emitter.ins().iadd(first, row)
            }
            ([one, two, ..], [first_place, second_place, ..]) => {
                let firsts = self.table_address(Tables::of(self.program).first_pairs(*one, *two));
                let first = self.word_at(firsts, at.here.sequence);
                let count = at.here.extent(*two).count;
                let rows = self.emitter.ins().imul(*first_place, count);
                let row = self.emitter.ins().iadd(first, rows);
                self.emitter.ins().iadd(row, *second_place)
            }
            _ => unreachable!("an access has a position for each of its buffer's tracks"),
        };
        let bytes = self.emitter.size(row_bytes);
        let bytes = self.emitter.ins().imul(row, bytes);
        let address = self.emitter.ins().iadd(base, bytes);
        match inside {
            None => address,
            Some(inside) => {
                let outside = match access.outside {
                    None => self.zeros,
                    Some(argument) => {
                        let base = self.arguments[argument];
                        match &self.kernel.arguments[argument].space {
                            Space::Global => base,
                            Space::Tracks(_) => {
                                let row = self.emitter.size(self.kernel.arguments[argument].row * 4);
                                let bytes = self.emitter.ins().imul(at.here.sequence, row);
                                self.emitter.ins().iadd(base, bytes)
                            }
                        }
                    }
                };
                self.emitter.ins().select(inside, address, outside)
            }
        }
    }

    /// An offset as a whole number; none for zero.
    pub fn offset(&mut self, offset: &Offset, at: &At) -> Option<Value> {
        let mut sum: Option<Value> = None;
        let mut add = |spelling: &mut Self, value: Value, times: i64| {
            let value = match times {
                1 => value,
                _ => {
                    let pointer = spelling.emitter.pointer;
                    let times = spelling.emitter.ins().iconst(pointer, times);
                    spelling.emitter.ins().imul(value, times)
                }
            };
            sum = Some(match sum {
                None => value,
                Some(before) => spelling.emitter.ins().iadd(before, value),
            });
        };
        if offset.position != 0 {
            add(self, at.here.position, offset.position);
        }
        for (time, times) in &offset.last {
            let length = at.here.lengths[time.0 as usize];
            let one = self.emitter.size(1);
            let last = self.emitter.ins().isub(length, one);
            add(self, last, *times);
        }
        for part in &offset.computed {
            // An address is the same for all lanes, or lanes would not have been chosen.
            let single = At { lanes: None, ..at.clone() };
            let number = self.number(&part.number, &single);
            let pointer = self.emitter.pointer;
            let mut whole = self.emitter.ins().fcvt_to_sint_sat(pointer, number);
            if part.size == usize::MAX {
                // A position that is no number lies outside.
                let is_number = self.emitter.ins().fcmp(FloatCC::Ordered, number, number);
                let outside = self.emitter.ins().iconst(pointer, -1);
                whole = self.emitter.ins().select(is_number, whole, outside);
            } else {
                let zero = self.emitter.size(0);
                let most = self.emitter.size(part.size - 1);
                whole = self.emitter.ins().smax(whole, zero);
                whole = self.emitter.ins().smin(whole, most);
            }
            add(self, whole, part.stride);
        }
        for (index, times) in &offset.indices {
            add(self, at.indices[*index], *times);
        }
        if offset.fixed != 0 {
            let pointer = self.emitter.pointer;
            let fixed = self.emitter.ins().iconst(pointer, offset.fixed);
            add(self, fixed, 1);
        }
        sum
    }
}
