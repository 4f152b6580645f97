//! Who runs what of a kernel: each thread rows of its own, some entries of a scan's axis, or some entries of the same rows.

use super::Executable;
use crate::link::KernelFunction;
use crate::rows::Rows;
use crate::team::Barrier;
use crate::tiles::AlignedFloats;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{Body, KEY_BLOCK, Kernel, Program, TrackId, sharing};
use std::cell::RefCell;
use std::thread::LocalKey;

/// What tells how a kernel is shared out.
pub(super) struct Effort {
    /// About how many nanoseconds a row takes; in an attention, for each block of keys.
    row: usize,
    /// Whether threads can work on the same rows.
    together: bool,
    /// The heads of an attention, else one.
    heads: usize,
}

impl Effort {
    /// That of each kernel of a program.
    pub fn of(program: &Program) -> Vec<Effort> {
        let of_one = |kernel: &Kernel| Effort {
            row: kernel.effort(),
            together: sharing(program, kernel).is_some(),
            heads: kernel.heads().unwrap_or(1),
        };
        program.kernels.iter().map(of_one).collect()
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

/// What a thread computes: a range of rows, and a slice.
type Share = ((usize, usize), (usize, usize));

pub(super) fn enter(
    function: KernelFunction,
    words: &[usize],
    arguments: &SharedArguments,
    (begin, end): (usize, usize),
) {
    // SAFETY: the kernel was compiled for buffers of these rows (`Memory` makes each as large as its space and row say), reads
    // and writes only its rows in `begin..end` of those it writes (of a scan that is shared out, its entries of them), and its
    // scratch has the size asked for. Parts do not overlap; where threads have the same rows, the kernel has each write its own
    // entries, and wait before it reads those of others.
    unsafe { function(words.as_ptr(), arguments.get().as_ptr(), begin, end) }
}

thread_local! {
    static SCRATCH: RefCell<AlignedFloats> = RefCell::new(AlignedFloats::zeroed(0));
    static INNER: RefCell<AlignedFloats> = RefCell::new(AlignedFloats::zeroed(0));
}

/// Gives a kernel memory for its short-lived arrays. It is a thread's own and used again: for one row a kernel would take
/// as long to have it zeroed as to fill it.
pub(super) fn with_scratch(floats: usize, call: impl FnOnce(*mut f32)) {
    with(&SCRATCH, floats, call);
}

/// Gives a chain of kernels memory for what lives within it, likewise.
pub(super) fn with_inner(floats: usize, call: impl FnOnce(*mut f32)) {
    with(&INNER, floats, call);
}

fn with(memory: &'static LocalKey<RefCell<AlignedFloats>>, floats: usize, call: impl FnOnce(*mut f32)) {
    memory.with_borrow_mut(|memory| {
        if memory.len() < floats.max(1) {
            *memory = AlignedFloats::zeroed(floats.max(1));
        }
        // A kernel reads nothing that it has not written: in tests it would not go unseen.
        if cfg!(debug_assertions) {
            memory.fill(f32::NAN);
        }
        call(memory.as_mut_ptr());
    });
}

impl Executable {
    /// How the entries of a scan's axis are shared out: as few slices as keep all threads at work, and one where there is
    /// little to do.
    pub(super) fn slices(&self, kernel: &Kernel, rows: &Rows, track: TrackId, entries: usize) -> Vec<(usize, usize)> {
        let widest = kernel.arguments.iter().filter(|argument| argument.written).map(|argument| argument.row).max();
        let numbers = rows.count(track).saturating_mul(widest.unwrap_or(0));
        let threads = self.team.members();
        if numbers < SHARED_OUT || rows.sequences >= threads {
            return vec![(0, entries)];
        }
        let slice = entries.div_ceil(threads.div_ceil(rows.sequences.max(1))).next_multiple_of(SLICE).max(1);
        (0..entries).step_by(slice).map(|from| (from, (from + slice).min(entries))).collect()
    }

    /// Runs one kernel on some rows, shared out over the threads.
    pub(super) fn call(&self, number: usize, arguments: &[*mut f32], rows: &Rows, range: (usize, usize)) {
        let arguments = SharedArguments(arguments);
        if !self.goes_together(number, rows, range) {
            return self.parts(number, &arguments, rows, range, &[(0, 0)]);
        }
        let floats = context::scratch_floats(&self.program.kernels[number], range.1 - range.0);
        let (function, words, members) = (self.linked.function(number), self.words(rows), self.team.members());
        let barrier = Barrier::new(members);
        // What the threads share lies between the first one's own arrays.
        with_scratch(floats, |shared| {
            let shared = shared as usize;
            self.team.run(&|member| {
                let run = |scratch: *mut f32| {
                    let mut words = words.clone();
                    words[context::SCRATCH] = scratch as usize;
                    words[context::SHARED] = shared;
                    words[context::MEMBER] = member;
                    words[context::MEMBERS] = members;
                    let place = barrier.place(member);
                    words[context::BARRIER] = &raw const place as usize;
                    enter(function, &words, &arguments, range);
                };
                if member == 0 { run(shared as *mut f32) } else { with_scratch(floats, run) }
            });
        });
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

    /// About how many nanoseconds a kernel takes for so many rows.
    pub(super) fn effort(&self, number: usize, rows: &Rows, count: usize) -> usize {
        let blocks = match &self.program.kernels[number].body {
            Body::Rows { .. } | Body::Scan { .. } => 1,
            // Where later queries see more keys it is less than this, by half at most.
            Body::Attention(attention) => rows.length(attention.over).div_ceil(KEY_BLOCK).max(1),
        };
        self.efforts[number].row.saturating_mul(count).saturating_mul(blocks)
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
    /// threads, or one where all of it takes few nanoseconds. All are as large as each other, and so are the blocks that one is
    /// cut into: the last would be waited for otherwise.
    pub(super) fn pieces(&self, count: usize, block: usize, effort: usize) -> Vec<(usize, usize)> {
        let members = self.team.members();
        let pieces = match effort < WORTH_SHARING {
            true => count.min(1),
            false if count >= 4 * members * block => count.div_ceil(block),
            false => count.min(members),
        };
        (0..pieces).map(|piece| (piece * count / pieces, (piece + 1) * count / pieces)).collect()
    }

    /// Runs one kernel in parts that have rows of their own, each part for each slice.
    pub(super) fn parts(
        &self,
        number: usize,
        arguments: &SharedArguments,
        rows: &Rows,
        (first, end): (usize, usize),
        slices: &[(usize, usize)],
    ) {
        let (kernel, count) = (&self.program.kernels[number], end - first);
        let effort = if slices.len() == 1 { self.effort(number, rows, count) } else { usize::MAX };
        let pieces = self.pieces(count, self.block(number, count), effort);
        let ranges = pieces.into_iter().map(|(from, to)| (first + from, first + to));
        let parts: Vec<Share> = ranges.flat_map(|range| slices.iter().map(move |slice| (range, *slice))).collect();
        let (function, words) = (self.linked.function(number), self.words(rows));
        self.team.each(parts.len(), &|place| {
            let ((begin, end), slice) = parts[place];
            with_scratch(context::scratch_floats(kernel, end - begin), |scratch| {
                let mut words = words.clone();
                words[context::SCRATCH] = scratch as usize;
                words[context::SHARED] = scratch as usize;
                (words[context::SLICE_FROM], words[context::SLICE_TO]) = slice;
                enter(function, &words, arguments, (begin, end));
            });
        });
    }

    /// What a kernel that has its rows alone is called with, but for its scratch memory.
    pub(super) fn words(&self, rows: &Rows) -> Vec<usize> {
        let mut words = rows.words();
        words[context::SEQUENCES] = rows.sequences;
        words[context::ZEROS] = self.zeros.as_ptr() as usize;
        words[context::MEMBERS] = 1;
        words
    }
}

/// Addresses that several threads use for different rows.
pub(super) struct SharedArguments<'a>(pub &'a [*mut f32]);

// SAFETY: kernels write disjoint rows of the buffers, as `Executable::call` says.
unsafe impl Sync for SharedArguments<'_> {}

impl SharedArguments<'_> {
    fn get(&self) -> &[*mut f32] {
        self.0
    }
}
