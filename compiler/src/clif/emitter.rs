//! Cranelift's cursor with the control flow that tiles and kernels need: loops with carried values, and choices.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::{Ieee32, Offset32};
use cranelift_codegen::ir::types::{F32, F32X4, I32};
use cranelift_codegen::ir::{Block, BlockArg, ConstantData, InsertBuilder, InstBuilder, MemFlagsData, Type, Value};

/// A function being spelt, and the place in it where the next instruction goes.
pub(in crate::clif) struct Emitter<'f> {
    pub(in crate::clif) cursor: FuncCursor<'f>,
    /// The type of addresses, sizes and strides.
    pub(in crate::clif) pointer: Type,
}

impl<'f> Emitter<'f> {
    /// Appends an instruction.
    pub(in crate::clif) fn ins(&mut self) -> InsertBuilder<'_, &mut FuncCursor<'f>> {
        self.cursor.ins()
    }

    /// A new block with parameters of these types, to be entered later.
    pub(in crate::clif) fn block(&mut self, parameters: &[Type]) -> Block {
        let block = self.cursor.func.dfg.make_block();
        for &parameter in parameters {
            self.cursor.func.dfg.append_block_param(block, parameter);
        }
        block
    }

    /// Goes on in `block`, placed after the code so far.
    pub(in crate::clif) fn enter(&mut self, block: Block) {
        self.cursor.insert_block(block);
    }

    pub(in crate::clif) fn parameters(&self, block: Block) -> Vec<Value> {
        self.cursor.func.dfg.block_params(block).to_vec()
    }

    /// As long as `condition` holds, `body` makes the next of the carried values from the ones before. Gives the last.
    pub(in crate::clif) fn repeat(
        &mut self,
        first: &[Value],
        condition: impl FnOnce(&mut Self, &[Value]) -> Value,
        body: impl FnOnce(&mut Self, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let types: Vec<Type> = first.iter().map(|&value| self.cursor.func.dfg.value_type(value)).collect();
        let (head, inside, after) = (self.block(&types), self.block(&[]), self.block(&[]));
        self.ins().jump(head, &arguments(first));
        self.enter(head);
        let carried = self.parameters(head);
        let condition = condition(self, &carried);
        self.ins().brif(condition, inside, &[], after, &[]);
        self.enter(inside);
        let next = body(self, &carried);
        self.ins().jump(head, &arguments(&next));
        self.enter(after);
        carried
    }

    /// Does what `body` does where `condition` holds.
    pub(in crate::clif) fn when(&mut self, condition: Value, body: impl FnOnce(&mut Self)) {
        let (inside, after) = (self.block(&[]), self.block(&[]));
        self.ins().brif(condition, inside, &[], after, &[]);
        self.enter(inside);
        body(self);
        self.ins().jump(after, &[]);
        self.enter(after);
    }

    /// The values that `then` gives where `condition` holds, else `otherwise`.
    pub(in crate::clif) fn choose(
        &mut self,
        condition: Value,
        otherwise: &[Value],
        then: impl FnOnce(&mut Self) -> Vec<Value>,
    ) -> Vec<Value> {
        let types: Vec<Type> = otherwise.iter().map(|&value| self.cursor.func.dfg.value_type(value)).collect();
        let (inside, after) = (self.block(&[]), self.block(&types));
        self.ins().brif(condition, inside, &[], after, &arguments(otherwise));
        self.enter(inside);
        let values = then(self);
        self.ins().jump(after, &arguments(&values));
        self.enter(after);
        self.parameters(after)
    }

    /// A constant size.
    pub(in crate::clif) fn size(&mut self, size: usize) -> Value {
        let pointer = self.pointer;
        self.ins().iconst(pointer, size as i64)
    }

    /// `value + size`, for addresses and sizes.
    pub(in crate::clif) fn add_size(&mut self, value: Value, size: usize) -> Value {
        let size = self.size(size);
        self.ins().iadd(value, size)
    }

    /// The bytes that so many numbers take.
    pub(in crate::clif) fn bytes(&mut self, numbers: Value) -> Value {
        let two = self.ins().iconst(I32, 2);
        self.ins().ishl(numbers, two)
    }

    /// Whether two sizes compare so.
    pub(in crate::clif) fn compare(&mut self, condition: IntCC, left: Value, right: Value) -> Value {
        self.ins().icmp(condition, left, right)
    }

    /// Whether a size and a constant compare so.
    pub(in crate::clif) fn compare_size(&mut self, condition: IntCC, left: Value, right: usize) -> Value {
        let right = self.size(right);
        self.compare(condition, left, right)
    }

    pub(in crate::clif) fn load(&mut self, type_: Type, address: Value, offset: usize) -> Value {
        self.ins().load(type_, unaligned(), address, place(offset))
    }

    pub(in crate::clif) fn store(&mut self, value: Value, address: Value, offset: usize) {
        self.ins().store(unaligned(), value, address, place(offset));
    }

    /// A vector with this number in every lane.
    pub(in crate::clif) fn splat(&mut self, number: f32) -> Value {
        self.constant(F32X4, Ieee32::with_float(number).bits())
    }

    /// A vector with these bits in every lane.
    pub(in crate::clif) fn constant(&mut self, type_: Type, bits: u32) -> Value {
        let bytes: ConstantData = bits.to_le_bytes().repeat(4).into();
        let constant = self.cursor.func.dfg.constants.insert(bytes);
        self.ins().vconst(type_, constant)
    }

    /// The sum of a vector's lanes: the first and third, the second and fourth, then both.
    pub(in crate::clif) fn sum_of_lanes(&mut self, vector: Value) -> Value {
        let lanes: Vec<Value> = (0..4).map(|lane| self.ins().extractlane(vector, lane)).collect();
        let even = self.ins().fadd(lanes[0], lanes[2]);
        let odd = self.ins().fadd(lanes[1], lanes[3]);
        self.ins().fadd(even, odd)
    }

    /// The largest of a vector's lanes.
    pub(in crate::clif) fn largest_of_lanes(&mut self, vector: Value) -> Value {
        let lanes: Vec<Value> = (0..4).map(|lane| self.ins().extractlane(vector, lane)).collect();
        let even = self.ins().fmax(lanes[0], lanes[2]);
        let odd = self.ins().fmax(lanes[1], lanes[3]);
        self.ins().fmax(even, odd)
    }

    /// Copies `count` numbers, one by one.
    pub(in crate::clif) fn copy(&mut self, from: Value, to: Value, count: Value) {
        let end = self.bytes(count);
        let zero = self.size(0);
        self.repeat(
            &[zero],
            |emitter, carried| emitter.compare(IntCC::UnsignedLessThan, carried[0], end),
            |emitter, carried| {
                let from = emitter.ins().iadd(from, carried[0]);
                let to = emitter.ins().iadd(to, carried[0]);
                let number = emitter.load(F32, from, 0);
                emitter.store(number, to, 0);
                vec![emitter.add_size(carried[0], 4)]
            },
        );
    }
}

/// Tiles read and write where their callers say, which may not be aligned, but does not trap.
pub(super) fn unaligned() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

pub(super) fn place(offset: usize) -> Offset32 {
    Offset32::new(offset as i32)
}

pub(in crate::clif) fn arguments(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|&value| BlockArg::Value(value)).collect()
}
