//! How the threads go through a run: each walks through all [turns](super::turns), and waits for the others between two.
//!
//! Waiting is one cache line's way from one processor to another; handing each call out to threads that wait for any work takes
//! three times as long, and a token of a small model is hundreds of calls. What only one thread does, the others need not even
//! wait for before the next turn that they have a part in.

use super::scratch::{with_scratch, with_shared};
use super::turns::{Address, Turn, Turns, Work};
use super::{Executable, Observer};
use crate::link::KernelFunction;
use crate::rows::Rows;
use crate::team::BarrierPlace;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::Chain;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A thread of a team that walks through the turns.
struct Walker<'w> {
    member: usize,
    members: usize,
    place: BarrierPlace<'w>,
    /// The short-lived arrays that the threads share.
    shared: *mut f32,
}

/// Who is told what turns take.
struct Watch<'w> {
    observer: &'w Observer,
    /// How many threads go through runs of their own at once: a turn takes its share of what the clock says.
    apart: u32,
}

/// A turn that began at a time.
struct Begun<'t> {
    turn: &'t Turn<'t>,
    at: Instant,
}

impl Executable {
    /// Runs some chains of calls. `address` tells where a buffer lies; `fresh` are the sequences that begin.
    pub(super) fn walk(&self, chains: &[Chain], address: &mut Address, rows: &Rows, fresh: &[(usize, usize)]) {
        let turns = self.turns(chains, address, rows, fresh);
        let words = self.words(rows);
        let (members, apart) = (self.team.members(), self.team.apart());
        let watch = self.observer.get().map(|observer| Watch { observer, apart });
        let watch = watch.as_ref();
        if members == 1 || turns.turns.iter().all(Turn::is_for_one) {
            let last = self.go(&turns, &turns.addresses(std::ptr::null_mut()), words, None, watch);
            return self.tell(last, Instant::now(), watch);
        }
        let last = Mutex::new(None);
        with_shared(turns.inner + turns.shared, |memory| {
            let addresses = turns.addresses(memory);
            let shared = memory.wrapping_add(turns.inner) as usize;
            let (addresses, words) = (SharedArguments(&addresses), &words);
            self.team.run(&|member| {
                let walker = Walker { member, members, place: self.team.place(member), shared: shared as *mut f32 };
                let own = self.go(&turns, addresses.get(), words.clone(), Some(&walker), watch.filter(|_| member == 0));
                if member == 0 {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = own;
                }
            });
        });
        self.tell(last.into_inner().unwrap_or_else(PoisonError::into_inner), Instant::now(), watch);
    }

    /// What a thread does: all turns, alone or with others. The time of each is told when the next one begins; that of the last is
    /// given back.
    fn go<'t>(
        &self,
        turns: &'t Turns,
        addresses: &[*mut f32],
        mut words: Vec<usize>,
        walker: Option<&Walker>,
        watch: Option<&Watch>,
    ) -> Option<Begun<'t>> {
        let mut begun = None;
        // Whether the last turn was one thread's alone; before the first there is nobody to wait for.
        let mut was_for_one = None;
        for turn in &turns.turns {
            let is_for_one = turn.is_for_one();
            if let Some(walker) = walker {
                if !turn.follows && was_for_one.is_some_and(|was_for_one| !(was_for_one && is_for_one)) {
                    walker.place.wait();
                }
                was_for_one = Some(is_for_one);
            }
            if watch.is_some() {
                let now = Instant::now();
                self.tell(begun.replace(Begun { turn, at: now }), now, watch);
            }
            if !is_for_one || walker.is_none_or(|walker| walker.member == 0) {
                self.turn(turn, turns, addresses, &mut words, walker);
            }
        }
        begun
    }

    /// Tells what a turn took until it ended.
    fn tell(&self, begun: Option<Begun>, end: Instant, watch: Option<&Watch>) {
        if let (Some(Begun { turn, at }), Some(Watch { observer, apart })) = (begun, watch) {
            let took = (end - at) / *apart;
            match &turn.work {
                Work::Together { .. } | Work::Parts { .. } => observer(turn.call, took),
                Work::Blocks(blocks) => blocks.tell(turn.call, observer, took),
            }
        }
    }

    /// A thread's part of a turn.
    fn turn(&self, turn: &Turn, turns: &Turns, addresses: &[*mut f32], words: &mut [usize], walker: Option<&Walker>) {
        match &turn.work {
            Work::Together { kernel, arguments, range } => {
                let walker = walker.expect("threads work on the same rows where there are several");
                let floats = context::scratch_floats(&self.program.kernels[*kernel], range.1 - range.0);
                with_scratch(floats, |scratch| {
                    words[context::SCRATCH] = scratch as usize;
                    words[context::SHARED] = walker.shared as usize;
                    words[context::MEMBER] = walker.member;
                    words[context::MEMBERS] = walker.members;
                    words[context::BARRIER] = &raw const walker.place as usize;
                    enter(self.linked.function(*kernel), words, &addresses[arguments.clone()], *range);
                });
                self.set_alone(words);
            }
            Work::Parts { kernel, arguments, parts } => turn.each(parts.count(), |number| {
                let (range, slice) = parts.get(number);
                with_scratch(context::scratch_floats(&self.program.kernels[*kernel], range.1 - range.0), |scratch| {
                    words[context::SCRATCH] = scratch as usize;
                    words[context::SHARED] = scratch as usize;
                    (words[context::SLICE_FROM], words[context::SLICE_TO]) = slice;
                    enter(self.linked.function(*kernel), words, &addresses[arguments.clone()], range);
                });
            }),
            Work::Blocks(blocks) => turn.each(blocks.pieces.count, |number| {
                self.blocks(blocks, &turns.given, blocks.pieces.get(number), words);
            }),
        }
    }

    /// What a kernel that has its rows alone is called with, but for its scratch memory.
    fn words(&self, rows: &Rows) -> Vec<usize> {
        let mut words = rows.words();
        words[context::SEQUENCES] = rows.sequences;
        words[context::ZEROS] = self.zeros.as_ptr() as usize;
        self.set_alone(&mut words);
        words
    }

    fn set_alone(&self, words: &mut [usize]) {
        words[context::MEMBER] = 0;
        words[context::MEMBERS] = 1;
        words[context::BARRIER] = 0;
    }
}

/// Calls a kernel.
pub(super) fn enter(function: KernelFunction, words: &[usize], arguments: &[*mut f32], (begin, end): (usize, usize)) {
    // SAFETY: the kernel was compiled for buffers of these rows (`Memory` makes each as large as its space and row say), reads
    // and writes only its rows in `begin..end` of those it writes (of a scan that is shared out, its entries of them), and its
    // scratch has the size asked for. Parts do not overlap; where threads have the same rows, the kernel has each write its own
    // entries, and wait before it reads those of others.
    unsafe { function(words.as_ptr(), arguments.as_ptr(), begin, end) }
}

/// Addresses that several threads use for different rows.
struct SharedArguments<'a>(&'a [*mut f32]);

// SAFETY: kernels write disjoint rows of the buffers, as `enter` says.
unsafe impl Sync for SharedArguments<'_> {}

impl SharedArguments<'_> {
    fn get(&self) -> &[*mut f32] {
        self.0
    }
}
