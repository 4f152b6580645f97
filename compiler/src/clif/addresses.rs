//! Where numbers lie: rows, places in them, and what of both a loop need not compute in each turn.

use super::kernel::Spelling;
use super::numbers::At;
use crate::kernel::{Access, Offset, Place, Row, Scalar, Space, Tables};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value};

/// Where an access lies when a loop's index is 0: in the loop, an index is all that is added.
#[derive(Clone, Debug)]
pub(super) struct Base {
    access: Access,
    index: usize,
    /// Numbers from one turn of the loop to the next.
    stride: i64,
    address: Value,
}

impl Spelling<'_, '_> {
    /// Computes what does not vary along the next index of the addresses that some numbers are read at and one is written to, for
    /// a loop that runs along it. Those that hang on indices further inside are left to their loops.
    pub fn with_bases<'h>(&mut self, mut at: At<'h>, scalars: &[&Scalar], target: Option<&Access>) -> At<'h> {
        let index = at.indices.len();
        let mut found: Vec<&Access> = target.into_iter().collect();
        for scalar in scalars {
            scalar.walk(&mut |inner| {
                if let Scalar::Read(access) = inner {
                    found.push(access);
                }
            });
        }
        for access in found {
            let known = at.bases.iter().any(|base| base.access == *access);
            if known || !access.is_linear_in(index) || access.varies_beyond(index) {
                continue;
            }
            let mut first = access.clone();
            first.offset.indices.retain(|(own, _)| *own != index);
            let address = self.address(&first, &at);
            at.bases.push(Base { access: access.clone(), index, stride: access.offset.times(index), address });
        }
        at
    }

    /// Where a number lies.
    pub fn address(&mut self, access: &Access, at: &At) -> Value {
        if let Some(base) = at.bases.iter().rev().find(|base| base.access == *access) {
            return match base.stride {
                0 => base.address,
                stride => {
                    let pointer = self.emitter.pointer;
                    let stride = self.emitter.ins().iconst(pointer, stride);
                    let numbers = self.emitter.ins().imul(at.indices[base.index], stride);
                    let bytes = self.emitter.bytes(numbers);
                    self.emitter.ins().iadd(base.address, bytes)
                }
            };
        }
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
