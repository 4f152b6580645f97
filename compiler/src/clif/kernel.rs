//! A kernel as a function: its loop over blocks of rows; those over positions and queries are files of their own.

use super::attention;
use super::context::{self, scratch_starts};
use super::emitter::Emitter;
use crate::kernel::{
    Body, Cut, Kernel, Place, Product, Program, Sharing, Space, Stage, Steps, Table, Tables, TrackId, sharing,
};
use crate::strip::Strip;
use crate::strip::avx512::Code;
use crate::tile::Tile;
use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, Function, InstBuilder, MemFlagsData, Signature, Type, UserExternalName,
    UserFuncName, Value,
};
use cranelift_codegen::isa::CallConv;
use std::collections::HashMap;

/// What machine code is for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// How functions are called.
    pub call_conv: CallConv,
    /// The type of addresses.
    pub pointer: Type,
    /// Whether there are vectors wider than Cranelift's, so that bodies along runs are strips.
    pub wide: bool,
}

/// A kernel as a function, and the strips that it calls.
pub struct Emitted {
    /// Tiles are called by their numbers (`u0:N` is the tile of number N), strips likewise (`u2:N`).
    pub function: Function,
    /// The strips, with their machine code.
    pub strips: Vec<(Strip, Code)>,
}

/// The namespace of strips among the functions that a kernel calls.
pub const STRIPS: u32 = 2;

/// One kernel of a program.
pub fn emit(program: &Program, number: usize, target: Target) -> Emitted {
    let Target { call_conv, pointer, wide } = target;
    let mut signature = Signature::new(call_conv);
    signature.params.resize(4, AbiParam::new(pointer));
    let name = UserFuncName::user(1, number as u32);
    let mut function = Function::with_name_signature(name, signature);
    let emitter = Emitter { cursor: FuncCursor::new(&mut function), pointer };
    let kernel = &program.kernels[number];
    let mut spelling = Spelling {
        emitter,
        program,
        kernel,
        call_conv,
        context: Value::from_u32(0),
        arguments: Vec::new(),
        scratch: Value::from_u32(0),
        zeros: Value::from_u32(0),
        scratch_places: Vec::new(),
        sharing: sharing(program, number),
        by_rows: None,
        all_wait: None,
        backward: None,
        cuts: HashMap::new(),
        cut: None,
        entries: None,
        tiles: HashMap::new(),
        wide,
        strips: Vec::new(),
    };
    spelling.whole();
    let strips = spelling.strips;
    Emitted { function, strips }
}

/// A kernel being spelt.
pub(super) struct Spelling<'f, 'p> {
    pub emitter: Emitter<'f>,
    pub program: &'p Program,
    pub kernel: &'p Kernel,
    pub call_conv: CallConv,
    context: Value,
    pub arguments: Vec<Value>,
    pub scratch: Value,
    pub zeros: Value,
    pub scratch_places: Vec<Value>,
    /// How the stages are shared out over threads with the same rows.
    pub sharing: Option<Sharing>,
    /// Whether a step's rows are shared out where they can be; none for a kernel where they can't.
    pub by_rows: Option<Value>,
    /// Whether products go through their columns from the last to the first, where they sometimes do.
    pub backward: Option<Value>,
    /// Where steps can begin early: whether all wait for all nevertheless.
    pub all_wait: Option<Value>,
    /// This thread's entries of each axis that is cut.
    pub cuts: HashMap<Cut, (Value, Value)>,
    /// The axis of the stage that is being spelt, if it is cut.
    pub cut: Option<Cut>,
    /// The entries of the stage that is being spelt, where others are spelt elsewhere.
    pub entries: Option<(Value, Value)>,
    tiles: HashMap<Tile, cranelift_codegen::ir::FuncRef>,
    /// Whether bodies along runs are strips.
    pub wide: bool,
    /// Those so far.
    pub strips: Vec<(Strip, Code)>,
}

/// The row that stages work on.
#[derive(Clone, Debug)]
pub(super) struct Here {
    /// Its place in the block.
    pub slot: Value,
    /// Its row of buffers over the kernel's own time axis.
    pub row: Value,
    /// Its sequence.
    pub sequence: Value,
    /// Its position.
    pub position: Value,
    /// The sequence's rows of each track that the kernel uses.
    pub extents: Vec<(TrackId, Extent)>,
    /// The sequence's length so far along each time axis.
    pub lengths: Vec<Value>,
}

/// The rows of a sequence along a track.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// The first row.
    pub first: Value,
    /// Its position.
    pub from: Value,
    /// How many rows there are.
    pub count: Value,
}

impl Here {
    /// The rows of the sequence along a track.
    pub fn extent(&self, track: TrackId) -> Extent {
        let found = self.extents.iter().find(|(known, _)| *known == track);
        found.expect("the kernel's tracks were looked up").1
    }
}

impl Spelling<'_, '_> {
    fn whole(&mut self) {
        let pointer = self.emitter.pointer;
        let entry = self.emitter.block(&[pointer; 4]);
        self.emitter.enter(entry);
        let parameters = self.emitter.parameters(entry);
        let [context, arguments, begin, end] = parameters[..] else { unreachable!("four were asked for") };
        self.context = context;
        self.scratch = self.word(context, context::SCRATCH);
        self.zeros = self.word(context, context::ZEROS);
        self.arguments = (0..self.kernel.arguments.len()).map(|number| self.word(arguments, number)).collect();
        self.cut_all();
        let kernel = self.kernel;
        match &kernel.body {
            Body::Rows { block, stages } => self.rows(begin, end, *block, stages),
            Body::Scan { backward, steps: Steps::Positions, stages } => self.scan(begin, end, *backward, stages),
            Body::Scan { backward, steps: Steps::Blocks { block, .. }, stages } => {
                self.scan_in_blocks(begin, end, *backward, *block, stages);
            }
            Body::Attention(attention) => attention::emit(self, begin, end, attention),
        }
        self.emitter.ins().return_(&[]);
    }

    /// A word that does not change while the kernel runs.
    pub fn word(&mut self, address: Value, number: usize) -> Value {
        let pointer = self.emitter.pointer;
        let flags = MemFlagsData::trusted().with_readonly();
        self.emitter.ins().load(pointer, flags, address, (number * 8) as i32)
    }

    /// The word of that number, which is a value.
    pub fn word_at(&mut self, address: Value, number: Value) -> Value {
        let three = self.emitter.size(3);
        let bytes = self.emitter.ins().ishl(number, three);
        let place = self.emitter.ins().iadd(address, bytes);
        self.word(place, 0)
    }

    pub fn context_word(&mut self, number: usize) -> Value {
        let context = self.context;
        self.word(context, number)
    }

    /// Where a table begins.
    pub fn table_address(&mut self, number: usize) -> Value {
        self.context_word(context::FIRST_TABLE + number)
    }

    /// Calls a tile.
    pub fn tile(&mut self, tile: Tile, arguments: &[Value]) {
        let function = match self.tiles.get(&tile) {
            Some(function) => *function,
            None => {
                let mut signature = Signature::new(self.call_conv);
                signature.params.resize(tile.arguments(), AbiParam::new(self.emitter.pointer));
                let func = &mut self.emitter.cursor.func;
                let signature = func.import_signature(signature);
                let name = func.declare_imported_user_function(UserExternalName { namespace: 0, index: tile as u32 });
                let function = func.import_function(ExtFuncData {
                    name: ExternalName::user(name),
                    signature,
                    colocated: false,
                    patchable: false,
                });
                self.tiles.insert(tile, function);
                function
            }
        };
        self.emitter.ins().call(function, arguments);
    }

    /// `for index in from..to step by`.
    pub fn count(&mut self, from: Value, to: Value, by: usize, body: impl FnOnce(&mut Self, Value)) {
        self.count_with(from, to, by, &[], |spelling, index, _| {
            body(spelling, index);
            Vec::new()
        });
    }

    /// The same with values that each turn makes from those before. Gives the last.
    pub fn count_with(
        &mut self,
        from: Value,
        to: Value,
        by: usize,
        first: &[Value],
        body: impl FnOnce(&mut Self, Value, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let type_of = |value: &Value| self.emitter.cursor.func.dfg.value_type(*value);
        let carried: Vec<Type> = first.iter().map(type_of).collect();
        let types: Vec<Type> = [type_of(&from)].into_iter().chain(carried.iter().copied()).collect();
        let (inside, after) = (self.emitter.block(&types), self.emitter.block(&carried));
        let start: Vec<Value> = [from].into_iter().chain(first.iter().copied()).collect();
        // A turn is compared for at its end, so that it is one jump.
        let any = self.emitter.compare(IntCC::SignedLessThan, from, to);
        let [start, none] = [&start[..], first].map(super::emitter::arguments);
        self.emitter.ins().brif(any, inside, &start, after, &none);
        self.emitter.enter(inside);
        let carried = self.emitter.parameters(inside);
        let last = body(self, carried[0], &carried[1..]);
        let index = self.emitter.add_size(carried[0], by);
        let more = self.emitter.compare(IntCC::SignedLessThan, index, to);
        let next: Vec<Value> = [index].into_iter().chain(last.iter().copied()).collect();
        let [next, last] = [&next[..], &last[..]].map(super::emitter::arguments);
        self.emitter.ins().brif(more, inside, &next, after, &last);
        self.emitter.enter(after);
        self.emitter.parameters(after)
    }

    /// `for index in from..to`, in steps that each turn chooses.
    pub fn count_in_parts(&mut self, from: Value, to: Value, body: impl FnOnce(&mut Self, Value) -> Value) {
        let type_ = self.emitter.cursor.func.dfg.value_type(from);
        let (head, inside, after) = (self.emitter.block(&[type_]), self.emitter.block(&[]), self.emitter.block(&[]));
        self.emitter.ins().jump(head, &super::emitter::arguments(&[from]));
        self.emitter.enter(head);
        let index = self.emitter.parameters(head)[0];
        let more = self.emitter.compare(IntCC::SignedLessThan, index, to);
        self.emitter.ins().brif(more, inside, &[], after, &[]);
        self.emitter.enter(inside);
        let step = body(self, index);
        let next = self.emitter.ins().iadd(index, step);
        self.emitter.ins().jump(head, &super::emitter::arguments(&[next]));
        self.emitter.enter(after);
    }

    /// The lesser of two sizes.
    pub fn least(&mut self, one: Value, two: Value) -> Value {
        self.emitter.ins().smin(one, two)
    }

    fn rows(&mut self, begin: Value, end: Value, block: usize, stages: &[Stage]) {
        let rows = self.emitter.size(block);
        self.place_scratch(rows);
        let all = self.emitter.ins().isub(end, begin);
        let even = self.even_block(all, block);
        self.count_in_parts(begin, end, |spelling, first| {
            let left = spelling.emitter.ins().isub(end, first);
            let count = spelling.least(left, even);
            spelling.wait_unless_first(first, begin);
            for (number, stage) in stages.iter().enumerate() {
                spelling.shared(number, |spelling| match stage {
                    Stage::Loop(stage) => {
                        let zero = spelling.emitter.size(0);
                        let each = |spelling: &mut Self, slot: Value| {
                            let row = spelling.emitter.ins().iadd(first, slot);
                            let here = spelling.here_of_row(slot, row);
                            spelling.loop_stage(stage, &here);
                        };
                        if block == 1 {
                            each(spelling, zero);
                        } else {
                            spelling.count(zero, count, 1, each);
                        }
                    }
                    Stage::Product(product) => spelling.product(product, count, Some(first)),
                });
            }
            count
        });
    }

    /// How many rows each block has where so many are cut into as few as can be: all about as many, as a few rows alone take
    /// as long as it takes to read their weights.
    pub fn even_block(&mut self, rows: Value, most: usize) -> Value {
        if most == 1 {
            return self.emitter.size(1);
        }
        let one_less = self.emitter.size(most - 1);
        let most = self.emitter.size(most);
        let one = self.emitter.size(1);
        let up = self.emitter.ins().iadd(rows, one_less);
        let blocks = self.emitter.ins().udiv(up, most);
        let blocks = self.emitter.ins().umax(blocks, one);
        let up = self.emitter.ins().iadd(rows, blocks);
        let up = self.emitter.ins().isub(up, one);
        self.emitter.ins().udiv(up, blocks)
    }

    /// The row of that number, for a kernel over all rows alike.
    pub fn here_of_row(&mut self, slot: Value, row: Value) -> Here {
        match self.kernel.rows {
            None => {
                let position = self.emitter.size(0);
                self.here(slot, row, row, position)
            }
            Some(track) => {
                let sequence = self.table(track, Table::Sequence, row);
                let position = self.table(track, Table::Position, row);
                self.here(slot, row, sequence, position)
            }
        }
    }

    pub fn here(&mut self, slot: Value, row: Value, sequence: Value, position: Value) -> Here {
        let mut tracks: Vec<TrackId> = self.kernel.rows.into_iter().collect();
        for argument in &self.kernel.arguments {
            if let Space::Tracks(own) = &argument.space {
                tracks.extend(own);
            }
        }
        tracks.sort();
        tracks.dedup();
        let extents = tracks.into_iter().map(|track| (track, self.extent(track, sequence))).collect();
        let times = (0..self.program.times.len() as u32).map(crate::term::TimeId);
        let lengths = times
            .map(|time| {
                let lengths = self.table_address(Tables::of(self.program).lengths(time));
                self.word_at(lengths, sequence)
            })
            .collect();
        Here { slot, row, sequence, position, extents, lengths }
    }

    /// An entry of a track's table.
    fn table(&mut self, track: TrackId, table: Table, entry: Value) -> Value {
        let words = self.table_address(Tables::of(self.program).table(track, table));
        self.word_at(words, entry)
    }

    /// The rows of a sequence along a track.
    pub fn extent(&mut self, track: TrackId, sequence: Value) -> Extent {
        Extent {
            first: self.table(track, Table::First, sequence),
            from: self.table(track, Table::From, sequence),
            count: self.table(track, Table::Count, sequence),
        }
    }

    /// Where the short-lived arrays begin, for blocks of so many rows.
    pub fn place_scratch(&mut self, rows: Value) {
        let shared = self.context_word(context::SHARED);
        for (number, (per_row, gap)) in scratch_starts(self.kernel).into_iter().enumerate() {
            let scratch = if self.is_shared(number) { shared } else { self.scratch };
            let per_row = self.emitter.size(per_row);
            let floats = self.emitter.ins().imul(rows, per_row);
            let floats = self.emitter.add_size(floats, gap);
            let bytes = self.emitter.bytes(floats);
            let place = self.emitter.ins().iadd(scratch, bytes);
            self.scratch_places.push(place);
        }
    }

    /// Where a place's numbers for a row begin: its row of a short-lived array.
    pub fn scratch_row(&mut self, scratch: usize, slot: Value) -> Value {
        let row = self.emitter.size(self.kernel.scratch[scratch].row * 4);
        let bytes = self.emitter.ins().imul(slot, row);
        let start = self.scratch_places[scratch];
        self.emitter.ins().iadd(start, bytes)
    }

    /// Multiplies rows, so many, of which `first` is the first where they are numbered.
    pub fn product(&mut self, product: &Product, rows: Value, first: Option<Value>) {
        let (from, to) = (self.emitter.size(0), self.emitter.size(product.depth));
        self.product_in_part(product, rows, first, (0, product.columns), (from, to));
    }

    /// The same with some segments' columns, and some of the depth.
    pub fn product_in_part(
        &mut self,
        product: &Product,
        rows: Value,
        first: Option<Value>,
        columns: (usize, usize),
        (p_from, p_to): (Value, Value),
    ) {
        let start = |spelling: &mut Self, place: Place| match place {
            Place::Scratch(number) => spelling.scratch_places[number],
            Place::Argument(number) => {
                let base = spelling.arguments[number];
                match first {
                    None => base,
                    Some(first) => {
                        let row = spelling.emitter.size(spelling.kernel.arguments[number].row * 4);
                        let bytes = spelling.emitter.ins().imul(first, row);
                        spelling.emitter.ins().iadd(base, bytes)
                    }
                }
            }
        };
        let (operand, target) = (start(self, product.operand), start(self, product.target));
        let each = self.emitter.size(product.rows);
        let m = self.emitter.ins().imul(rows, each);
        let n = self.emitter.size(product.columns);
        let k = self.emitter.size(product.depth);
        let weights = self.arguments[product.weights];
        let cut = self.cut.expect("a product's columns are cut");
        let (from, to) = self.cuts[&cut];
        let stride = self.emitter.size(cut.stride);
        let (from, to) = (self.emitter.ins().imul(from, stride), self.emitter.ins().imul(to, stride));
        let zero = self.emitter.size(0);
        let (first, end) = (self.emitter.size(columns.0), self.emitter.size(columns.1));
        let backward = self.backward.unwrap_or(zero);
        let last = self.emitter.size(columns.0 + columns.1 - cut.numbers().min(columns.1));
        // The same columns of one segment after the other.
        self.count(first, end, cut.numbers(), |spelling, segment| {
            let segment = match spelling.backward {
                None => segment,
                Some(backward) => {
                    let other = spelling.emitter.ins().isub(last, segment);
                    spelling.emitter.ins().select(backward, other, segment)
                }
            };
            let (from, to) = (spelling.emitter.ins().iadd(segment, from), spelling.emitter.ins().iadd(segment, to));
            spelling.tile(Tile::Weights, &[m, from, to, backward, k, p_from, p_to, operand, k, weights, target, n]);
        });
    }
}
