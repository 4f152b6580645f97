//! How the threads go through a run: each walks through all [turns](super::turns), and waits for the others between two.
//!
//! Waiting is one cache line's way from one processor to another; handing each call out to threads that wait for any work takes
//! three times as long, and a token of a small model is hundreds of calls. What only one thread does, the others need not even
//! wait for before the next turn that they have a part in.

use super::plan::{Address, Placed};
use super::scratch::{with_scratch, with_shared};
use super::turns::{Turn, Turns, Work};
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
    turn: &'t Turn,
    at: Instant,
}

impl Executable {
    /// Runs some chains of calls. `address` tells where a buffer lies; `fresh` are the sequences that begin.
    pub(super) fn walk(&self, chains: &[Chain], address: &mut Address, rows: &Rows, fresh: &[(usize, usize)]) {
        let mut plan = self.plan(chains, rows, fresh);
        let (members, apart) = (self.team.members(), self.team.apart());
        let watch = self.observer.get().map(|observer| Watch { observer, apart });
        let watch = watch.as_ref();
        if members == 1 || plan.turns.turns.iter().all(Turn::is_for_one) {
            let (turns, placed) = plan.place(address, std::ptr::null_mut());
            let last = self.go(turns, &placed, None, watch);
            self.tell(last, Instant::now(), watch);
        } else {
            let last = Mutex::new(None);
            with_shared(plan.turns.inner + plan.turns.shared, |memory| {
                let shared = memory.wrapping_add(plan.turns.inner) as usize;
                let (turns, placed) = plan.place(address, memory);
                self.team.run(&|member| {
                    let walker = Walker { member, members, place: self.team.place(member), shared: shared as *mut f32 };
                    let own = self.go(turns, &placed, Some(&walker), watch.filter(|_| member == 0));
                    if member == 0 {
                        *last.lock().unwrap_or_else(PoisonError::into_inner) = own;
                    }
                });
                let last = last.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.tell(last, Instant::now(), watch);
            });
        }
        self.plans.keep(plan);
    }

    /// What a thread does: all turns, alone or with others. The time of each is told when the next one begins; that of the last is
    /// given back.
    fn go<'t>(
        &self,
        turns: &'t Turns,
        placed: &Placed,
        walker: Option<&Walker>,
        watch: Option<&Watch>,
    ) -> Option<Begun<'t>> {
        let (mut begun, mut words) = (None, placed.words.to_vec());
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
                self.turn(turn, placed, &mut words, walker);
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
    fn turn(&self, turn: &Turn, placed: &Placed, words: &mut [usize], walker: Option<&Walker>) {
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
                    enter(self.linked.function(*kernel), words, &placed.addresses[arguments.clone()], *range);
                });
                set_alone(words);
            }
            Work::Parts { kernel, arguments, parts } => turn.each(parts.count(), |number| {
                let (range, slice) = parts.get(number);
                with_scratch(context::scratch_floats(&self.program.kernels[*kernel], range.1 - range.0), |scratch| {
                    words[context::SCRATCH] = scratch as usize;
                    words[context::SHARED] = scratch as usize;
                    (words[context::SLICE_FROM], words[context::SLICE_TO]) = slice;
                    enter(self.linked.function(*kernel), words, &placed.addresses[arguments.clone()], range);
                });
            }),
            Work::Blocks(blocks) => turn.each(blocks.pieces.count, |number| {
                self.blocks(blocks, placed, blocks.pieces.get(number), words);
            }),
        }
    }
}

/// Has a kernel have its rows alone.
fn set_alone(words: &mut [usize]) {
    words[context::MEMBER] = 0;
    words[context::MEMBERS] = 1;
    words[context::BARRIER] = 0;
}

/// Calls a kernel.
pub(super) fn enter(function: KernelFunction, words: &[usize], arguments: &[*mut f32], (begin, end): (usize, usize)) {
    // SAFETY: the kernel was compiled for buffers of these rows (`Memory` makes each as large as its space and row say), reads
    // and writes only its rows in `begin..end` of those it writes (of a scan that is shared out, its entries of them), and its
    // scratch has the size asked for. Parts do not overlap; where threads have the same rows, the kernel has each write its own
    // entries, and wait before it reads those of others.
    unsafe { function(words.as_ptr(), arguments.as_ptr(), begin, end) }
}
