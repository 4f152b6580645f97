//! Kernels: index ranges, scalar bodies and buffers. No operation on tensors is left, and nothing is left to decide that
//! two backends could decide differently; a backend spells.
//!
//! A program is a list of kernel calls over buffers. Every buffer is rows of so many numbers; which rows it has is told by
//! its time axes ([`Space`]). Sequences of a batch lie one after the other without padding: the row of position `t` of
//! sequence `b` is `first_row[b] + t`, so a kernel over positions runs over all rows of all sequences alike, and what a
//! sequence gives does not depend on the others.
//!
//! Kernels that do the same (the layers of a stack) are one kernel called with other buffers.

mod attention;
mod chain;
mod following;
mod index;
mod lookup;
mod lower;
mod print;
mod scalar;
mod share;
mod tables;
mod track;

pub use attention::{Attention, Depth};
pub use chain::Chain;
pub use following::following;
pub use lookup::Lookup;
pub use lower::lower;
pub(crate) use share::entries;
pub use share::{Cut, Early, STEP_ROWS_EACH, Shared, Sharing, Split, sharing};
pub use tables::{Table, Tables};
pub use track::{COPIED, Space, Track, TrackId};

use crate::source::Span;
pub use crate::stream::{Keep, Part};
use crate::syntax::tree::Comparator;
pub use crate::term::Bound;
use crate::term::{Binary, Reduction, TimeId, Unary, ValueId};

/// Keys that an attention visits at once: blocks begin at multiples of it from a sequence's first position, so that sums run
/// in the same order whatever the queries. Where fewer are visited at once, it is a multiple of how many.
pub const KEY_BLOCK: usize = 128;

/// The first block that a query sees begins at a multiple of this, which a block is of: the keys before have no part in a vector
/// of those it sees.
pub const KEYS_TOGETHER: usize = 16;

/// Positions in a block of a scan in blocks: enough to call functions seldom, few enough to stay in the cache.
pub const SCAN_BLOCK: usize = 32;

/// A whole program.
#[derive(Clone, Debug)]
pub struct Program {
    /// The model's name.
    pub name: String,
    /// The names of the time axes.
    pub times: Vec<String>,
    /// For each time axis its length, where that is the same for all sequences.
    pub lengths: Vec<Option<usize>>,
    /// Their positions that have rows.
    pub tracks: Vec<Track>,
    /// The axis along which chunks come; none for a program that takes whole sequences.
    pub chunks: Option<TimeId>,
    /// All buffers.
    pub buffers: Vec<Buffer>,
    /// All different kernels.
    pub kernels: Vec<Kernel>,
    /// What is run, in order.
    pub calls: Vec<Call>,
    /// Which of them rows can go through one after the other: each call is in one of these.
    pub chains: Vec<Chain>,
    /// The longest sequences that the program's tables of positions allow.
    pub limits: Vec<Limit>,
    /// For each output its name, buffer, and axes.
    pub outputs: Vec<Output>,
}

/// A limit to the length of a time axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The axis.
    pub time: TimeId,
    /// How many positions there may be.
    pub most: usize,
    /// The value that has no more.
    pub value: String,
    /// Where it is defined.
    pub span: Span,
}

/// An output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// The value.
    pub value: ValueId,
    /// The buffer that has it.
    pub buffer: BufferId,
}

/// A buffer, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub u32);

/// Memory of a run or of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// The name of the value it has.
    pub name: String,
    /// Its rows.
    pub space: Space,
    /// Numbers in a row.
    pub row: usize,
    /// What fills it.
    pub role: Role,
}

/// What fills a buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// The caller.
    Input(ValueId),
    /// The checkpoint, row-major as the weight's axes are.
    Weight(ValueId),
    /// The checkpoint, packed for products.
    Packed(Vec<PackedPart>),
    /// The file.
    Constant(ValueId),
    /// Kernels. Buffers of one slot share memory: their lives do not overlap.
    Computed {
        /// The memory, by number, where calls are run one by one.
        slot: usize,
        /// The memory where [chains](Chain) are run; none for what lives within one alone.
        chained: Option<usize>,
    },
    /// Kernels, and it is kept between chunks.
    Kept,
}

/// Columns of a packed matrix that come from one weight.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedPart {
    /// The weight.
    pub weight: ValueId,
    /// How many columns.
    pub columns: usize,
    /// The depth: rows of the packed matrix.
    pub depth: usize,
    /// For each axis of the columns, its size and stride in the weight, outermost first.
    pub column_axes: Vec<(usize, usize)>,
    /// For each axis of the depth, likewise.
    pub depth_axes: Vec<(usize, usize)>,
}

/// One kernel run on buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which kernel.
    pub kernel: usize,
    /// Its buffers.
    pub arguments: Vec<BufferId>,
    /// The values it computes, for people.
    pub name: String,
    /// In a chunk program, when it runs.
    pub part: Part,
}

/// A kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// For people: the first value that the first call computes.
    pub name: String,
    /// What it runs over: new positions, or sequences.
    pub rows: Option<TrackId>,
    /// The buffers it takes, in order.
    pub arguments: Vec<Argument>,
    /// Numbers that each row keeps while a kernel works on it.
    pub scratch: Vec<Scratch>,
    /// How it runs.
    pub body: Body,
}

/// What a kernel knows of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The value's name in the first call.
    pub name: String,
    /// Its rows.
    pub space: Space,
    /// Numbers in a row.
    pub row: usize,
    /// Whether the kernel writes it.
    pub written: bool,
}

/// A short-lived array, one for each row of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Scratch {
    /// The value's name in the first call.
    pub name: String,
    /// Numbers for each row.
    pub row: usize,
}

/// How a kernel runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Blocks of rows, independent of each other; the stages in turn for each block.
    Rows {
        /// The most rows of a block: all are about as large.
        block: usize,
        /// What is done with a block.
        stages: Vec<Stage>,
    },
    /// Position after position of each sequence.
    Scan {
        /// Whether from the last position to the first.
        backward: bool,
        /// How far a stage goes before the next begins.
        steps: Steps,
        /// What is done in a step.
        stages: Vec<Stage>,
    },
    /// Attention in one pass that never stores the scores.
    Attention(Box<Attention>),
}

/// The steps of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// One position of all sequences: the stages in turn, each with a row for each sequence.
    Positions,
    /// A block of positions of one sequence: each stage goes through all of them before the next, in order. So a state may
    /// read its earlier position, and all that is free of it is computed for a block at once.
    Blocks {
        /// Positions in a block.
        block: usize,
        /// Entries of the axis along which the work can be shared out: no stage reads another entry of what another stage
        /// computes, so that each can be given some of them alone ([`Loop::slice`]).
        slices: Option<usize>,
    },
}

/// One thing done with a block of rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Loops with a scalar body.
    Loop(Box<Loop>),
    /// A product with packed weights.
    Product(Product),
}

/// Loops over index ranges for each row: a pointwise equation, or a reduction.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// The value it computes.
    pub name: String,
    /// The ranges of all loop indices, outermost first: those of the result, then those that are reduced over.
    pub ranges: Vec<Range>,
    /// How many of them are the result's.
    pub results: usize,
    /// How many values become one, if they do.
    pub reduction: Option<Reduction>,
    /// Where the body counts; elsewhere a reduction skips it, and a pointwise value is 0.
    pub domain: Vec<Comparison>,
    /// What is computed.
    pub body: Scalar,
    /// Where the result goes: an address that varies with the result's indices.
    pub target: Access,
    /// The index along which four neighbours are computed at once, if any: reads and the result are contiguous along it.
    pub lanes: Option<usize>,
    /// In a scan whose work is shared out, the index of which a call computes some entries alone.
    pub slice: Option<usize>,
    /// The parts of the body where it is a recurrence that is affine in its state.
    pub recurrence: Option<Box<AffineParts>>,
}

impl Loop {
    /// One number for each place of the ranges, and nothing else chosen yet.
    pub fn pointwise(name: String, ranges: Vec<Range>, body: Scalar, target: Access) -> Loop {
        let (results, domain) = (ranges.len(), Vec::new());
        let (reduction, lanes, slice, recurrence) = (None, None, None, None);
        Loop { name, ranges, results, reduction, domain, body, target, lanes, slice, recurrence }
    }
}

/// `factor * before + addend`: a recurrence that is affine in its state, element by element. Several of its steps together are
/// one such step again, so that positions need not be walked one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct AffineParts {
    /// What the state's earlier element is multiplied by.
    pub factor: Scalar,
    /// What is added.
    pub addend: Scalar,
    /// The earlier element: that of the state's own entry, a position before, or after it where the scan goes backward.
    pub before: Access,
}

/// `first..end` of a loop index.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// As in the equation.
    pub name: String,
    /// The first, at least each of these.
    pub from: Vec<Bound>,
    /// One past the last, at most each of these.
    pub to: Vec<Bound>,
}

/// `rows[m, :] · weights` for each row of the block.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// The values it computes.
    pub name: String,
    /// The left operand: `rows` vectors of `depth` numbers for each row of the block, one after the other.
    pub operand: Place,
    /// How many.
    pub rows: usize,
    /// Their length.
    pub depth: usize,
    /// The packed weights' argument.
    pub weights: usize,
    /// Columns of the result.
    pub columns: usize,
    /// Where the result goes: `rows` vectors of `columns` numbers.
    pub target: Place,
}

/// Memory that a kernel reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// An argument, by number.
    Argument(usize),
    /// A scratch array, by number: always the row's own.
    Scratch(usize),
}

/// An address: which row of which memory, and where in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The memory.
    pub place: Place,
    /// The row, for buffers with time axes: a position for each.
    pub rows: Vec<Row>,
    /// The place in the row.
    pub offset: Offset,
    /// What is read where a position lies outside the sequence: the row of this argument (a row for each sequence, or
    /// weights), or zeros.
    pub outside: Option<usize>,
}

/// A position along a time axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// The row's own.
    Here,
    /// A sum of the row's own position, loop indices and numbers; outside the sequence it is replaced.
    At(Offset),
}

/// A sum: `fixed + position * own position + times * index + … + stride * last of time + …`, in numbers of a row or
/// positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offset {
    /// A number.
    pub fixed: i64,
    /// Times the row's own position.
    pub position: i64,
    /// Loop indices and what each is multiplied by.
    pub indices: Vec<(usize, i64)>,
    /// Time axes whose last position is added, and what it is multiplied by.
    pub last: Vec<(TimeId, i64)>,
    /// Computed numbers, rounded towards zero and moved into `0..size`, and what each is multiplied by.
    pub computed: Vec<Computed>,
}

/// A computed part of an offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Computed {
    /// The number.
    pub number: Scalar,
    /// It is moved into `0..size`.
    pub size: usize,
    /// What it is multiplied by.
    pub stride: i64,
}

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Always the same.
    Number(f32),
    /// A loop index.
    Index(usize),
    /// The row's own position.
    Position,
    /// How many positions the sequence has along a time axis.
    Length(TimeId),
    /// A number in memory.
    Read(Box<Access>),
    /// The product of query and key, in an attention's score.
    Dot,
    /// A function of one number.
    Unary(Unary, Box<Scalar>),
    /// A function of two.
    Binary(Binary, Box<Scalar>, Box<Scalar>),
    /// The first where all hold, else the second.
    Select(Vec<Comparison>, Box<Scalar>, Box<Scalar>),
}

/// A comparison of two numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The left side.
    pub left: Scalar,
    /// How they compare.
    pub comparator: Comparator,
    /// The right side.
    pub right: Scalar,
}

impl Program {
    /// The track of that number.
    pub fn track(&self, id: TrackId) -> Track {
        self.tracks[id.0 as usize]
    }

    /// The buffer of that number.
    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0 as usize]
    }
}
