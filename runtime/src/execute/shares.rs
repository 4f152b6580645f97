//! Who runs what of a kernel: each thread rows of its own, some entries of a scan's axis, or some entries of the same rows.

use super::Executable;
use crate::rows::Rows;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{Body, Kernel, Program, STEP_ROWS_EACH, Sharing, TrackId, sharing};

/// What tells how a kernel is shared out.
pub(super) struct Effort {
    /// About how many nanoseconds a row takes; in an attention, for each block of keys.
    row: usize,
    /// Whether threads can work on the same rows.
    together: bool,
    /// Whether they wait for each other meanwhile.
    waits: bool,
    /// The heads of an attention, else one.
    heads: usize,
}

impl Effort {
    /// That of each kernel of a program.
    pub fn of(program: &Program) -> Vec<Effort> {
        let of_one = |(number, kernel): (usize, &Kernel)| {
            let sharing = sharing(program, number);
            let waits = |sharing: &Sharing| sharing.between || sharing.stages.iter().any(|stage| stage.barrier);
            Effort {
                row: kernel.effort(),
                together: sharing.is_some(),
                waits: sharing.as_ref().is_none_or(waits),
                heads: kernel.heads().unwrap_or(1),
            }
        };
        program.kernels.iter().enumerate().map(of_one).collect()
    }
}

/// Nanoseconds that each thread must have to do, or handing it out takes longer.
const WORTH_SHARING: usize = 500;
/// Nanoseconds of a step, likewise, for waiting in each to cost little.
const WORTH_WAITING: usize = 4000;
/// With so many rows for each thread, products are about as fast as they get.
const ROWS_EACH: usize = 8;
/// Numbers that a scan computes at least where it is shared out: below, waking a thread takes longer.
const SHARED_OUT: usize = 1 << 15;
/// Slices have a multiple of so many entries, so that threads do not share cache lines.
const SLICE: usize = 16;

impl Executable {
    /// How the entries of a scan's axis are shared out: as few slices as keep all threads at work, and one where there is
    /// little to do.
    pub(super) fn slices(&self, kernel: &Kernel, rows: &Rows, track: TrackId, entries: usize) -> Slices {
        let widest = kernel.arguments.iter().filter(|argument| argument.written).map(|argument| argument.row).max();
        let numbers = rows.count(track).saturating_mul(widest.unwrap_or(0));
        let threads = self.team.members();
        if numbers < SHARED_OUT || rows.sequences >= threads {
            return Slices { entries, slice: entries.max(1) };
        }
        let slice = entries.div_ceil(threads.div_ceil(rows.sequences.max(1))).next_multiple_of(SLICE).max(1);
        Slices { entries, slice }
    }

    /// Whether all threads work on the same rows: where those are too few for each to have some, or the weights so many that
    /// each is better off with some of them.
    pub(super) fn goes_together(&self, number: usize, rows: &Rows, (first, end): (usize, usize)) -> bool {
        let (kernel, effort) = (&self.program.kernels[number], &self.efforts[number]);
        let (members, count) = (self.team.members(), end - first);
        let whole = self.effort(number, rows, count);
        match &kernel.body {
            _ if members == 1 || whole / members < WORTH_SHARING => false,
            Body::Rows { .. } => effort.together && count < members * ROWS_EACH,
            Body::Scan { .. } => effort.together && (count < members || whole / members >= WORTH_WAITING),
            // Later queries see more keys: heads are shared out evenly, rows are not.
            Body::Attention(_) => {
                effort.heads >= members && (effort.heads.is_multiple_of(members) || rows.sequences < 2)
            }
        }
    }

    /// Whether a kernel's threads wait for each other once they are in it.
    pub(super) fn waits(&self, number: usize) -> bool {
        self.efforts[number].waits
    }

    /// Whether threads never have rows of their own of a scan's steps: these are too few.
    pub(super) fn shares_no_rows(&self, rows: &Rows) -> bool {
        rows.sequences < self.team.members() * STEP_ROWS_EACH
    }

    /// About how many nanoseconds a kernel takes for so many rows.
    pub(super) fn effort(&self, number: usize, rows: &Rows, count: usize) -> usize {
        let keys = match &self.program.kernels[number].body {
            Body::Rows { .. } | Body::Scan { .. } => 1,
            // Where later queries see more keys it is less than this, by half at most.
            Body::Attention(attention) => rows.length(attention.over).max(1),
        };
        self.efforts[number].row.saturating_mul(count).saturating_mul(keys)
    }

    /// How many rows a kernel takes at once.
    pub(super) fn block(&self, number: usize, count: usize) -> usize {
        match &self.program.kernels[number].body {
            Body::Rows { block, .. } => (*block).max(1),
            Body::Attention(attention) => context::query_block(attention),
            // A product takes the sequences of a step together.
            Body::Scan { .. } if self.efforts[number].together => count.div_ceil(self.team.members()),
            Body::Scan { .. } => 1,
        }
    }

    /// Parts of so many rows: a block each where there are many, so that whoever is done first takes the next; else as many as
    /// threads, or one where all of it takes few nanoseconds.
    pub(super) fn pieces(&self, (first, end): (usize, usize), block: usize, effort: usize) -> Pieces {
        let (members, rows) = (self.team.members(), end - first);
        let count = match effort < WORTH_SHARING {
            true => rows.min(1),
            false if rows >= 4 * members * block => rows.div_ceil(block),
            false => rows.min(members),
        };
        Pieces { first, rows, count }
    }

    /// A kernel's parts, each of some rows and a slice.
    pub(super) fn parts(&self, number: usize, rows: &Rows, range: (usize, usize), slices: Slices) -> Parts {
        let count = range.1 - range.0;
        let effort = if slices.count() == 1 { self.effort(number, rows, count) } else { usize::MAX };
        Parts { pieces: self.pieces(range, self.block(number, count), effort), slices }
    }
}

/// Rows in parts that are as large as each other, and so are the blocks that one is cut into: the last would be waited for
/// otherwise.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    first: usize,
    rows: usize,
    pub count: usize,
}

impl Pieces {
    /// The rows of a part: the first and one past the last.
    pub fn get(&self, number: usize) -> (usize, usize) {
        let edge = |number: usize| self.first + number * self.rows / self.count;
        (edge(number), edge(number + 1))
    }
}

/// An axis in slices.
#[derive(Clone, Copy)]
pub(super) struct Slices {
    entries: usize,
    slice: usize,
}

impl Slices {
    /// No axis is sliced.
    pub const NONE: Slices = Slices { entries: 0, slice: 1 };

    fn count(&self) -> usize {
        self.entries.div_ceil(self.slice).max(1)
    }

    fn get(&self, number: usize) -> (usize, usize) {
        let from = number * self.slice;
        (from, (from + self.slice).min(self.entries))
    }
}

/// What a kernel does in parts, each of some rows and a slice.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pieces: Pieces,
    slices: Slices,
}

impl Parts {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.pieces.count * self.slices.count()
    }

    /// The rows and the slice of one.
    pub fn get(&self, number: usize) -> ((usize, usize), (usize, usize)) {
        let slices = self.slices.count();
        (self.pieces.get(number / slices), self.slices.get(number % slices))
    }
}
