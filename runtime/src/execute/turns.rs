//! How the threads go through a run: turn after turn, all of them the same ones.
//!
//! ```text
//! chains of calls ──► turns ──► each thread walks through all of them, and waits for the others between two
//!                      Together   one kernel, in which each has some entries of the same rows
//!                      Parts      one kernel, in which each has rows of its own: whoever is done first takes the next part
//!                      Blocks     several kernels, likewise
//! ```
//!
//! Waiting is one cache line's way from one processor to another; handing each call out to threads that wait for any work takes
//! three times as long, and a token of a small model is hundreds of calls. What only one thread does, the others need not even
//! wait for before the next turn that they have a part in.

use super::chains::Blocks;
use super::scratch::{with_scratch, with_shared};
use super::shares::{Parts, Slices};
use super::{Executable, Observer};
use crate::link::KernelFunction;
use crate::rows::Rows;
use crate::team::BarrierPlace;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{Body, BufferId, Call, Chain, Part, Steps};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The turns of some chains of calls.
pub(super) struct Turns<'p> {
    turns: Vec<Turn<'p>>,
    /// What kernels are given, call after call.
    given: Vec<Given>,
    /// Numbers of short-lived arrays that threads share in a turn, at most.
    shared: usize,
    /// Numbers of what lives within a chain whose kernels are run together, at most.
    inner: usize,
}

struct Turn<'p> {
    /// The call's number in the program, of a chain the first one's.
    call: usize,
    work: Work<'p>,
    /// The next part that no thread has taken.
    next: AtomicUsize,
}

/// What is done in a turn; `arguments` are places among what is given.
enum Work<'p> {
    Together { kernel: usize, arguments: Range<usize>, range: (usize, usize) },
    Parts { kernel: usize, arguments: Range<usize>, parts: Parts },
    Blocks(Blocks<'p>),
}

/// What a kernel is given for one of its arguments.
#[derive(Clone, Copy)]
pub(super) enum Given {
    /// A buffer's address.
    Buffer(*mut f32),
    /// What lives within a chain that is run block by block: where it begins among the numbers of a row, and how many it has.
    Inner { place: usize, row: usize },
    /// The same of a chain whose kernels are run together: where it begins.
    Shared(usize),
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

/// Tells where a buffer lies.
type Address<'a> = dyn FnMut(BufferId) -> *mut f32 + 'a;

/// A thread of a team that walks through the turns.
struct Walker<'w> {
    member: usize,
    members: usize,
    place: BarrierPlace<'w>,
    /// The short-lived arrays that the threads share.
    shared: *mut f32,
}

impl Turn<'_> {
    /// Whether there is something to do for one thread at most.
    fn is_for_one(&self) -> bool {
        match &self.work {
            Work::Together { .. } => false,
            Work::Parts { parts, .. } => parts.count() <= 1,
            Work::Blocks(blocks) => blocks.pieces.count <= 1,
        }
    }

    /// Does every part that no other thread takes.
    fn each(&self, count: usize, mut work: impl FnMut(usize)) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            work(number);
        }
    }
}

impl<'p> Turns<'p> {
    /// Adds a turn.
    fn add(&mut self, call: usize, work: Work<'p>) {
        self.turns.push(Turn { call, work, next: AtomicUsize::new(0) });
    }

    /// Adds what a kernel is given; tells where it lies.
    pub fn give(&mut self, given: impl Iterator<Item = Given>) -> Range<usize> {
        let start = self.given.len();
        self.given.extend(given);
        start..self.given.len()
    }
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
                if was_for_one.is_some_and(|was_for_one| !(was_for_one && is_for_one)) {
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

    /// The turns of some chains.
    fn turns<'p>(
        &'p self,
        chains: &'p [Chain],
        address: &mut Address,
        rows: &Rows,
        fresh: &[(usize, usize)],
    ) -> Turns<'p> {
        let arguments = |chain: &Chain| -> usize {
            self.program.calls[chain.calls.clone()].iter().map(|call| call.arguments.len()).sum()
        };
        let (turns, given) = (Vec::with_capacity(chains.len()), Vec::with_capacity(chains.iter().map(arguments).sum()));
        let mut turns = Turns { turns, given, shared: 0, inner: 0 };
        for chain in chains {
            match &self.program.calls[chain.calls.clone()] {
                [call] => {
                    let given = turns.give(call.arguments.iter().map(|id| Given::Buffer(address(*id))));
                    self.turns_of_call(&mut turns, chain.calls.start, call, &given, rows, fresh);
                }
                _ => self.turns_of_chain(&mut turns, chain, address, rows),
            }
        }
        turns
    }

    /// Those of a call that is alone in its chain.
    fn turns_of_call(
        &self,
        turns: &mut Turns,
        number: usize,
        call: &Call,
        given: &Range<usize>,
        rows: &Rows,
        fresh: &[(usize, usize)],
    ) {
        let kernel = &self.program.kernels[call.kernel];
        let mut add = |range| self.turn_of_kernel(turns, number, call.kernel, given.clone(), rows, range);
        match (kernel.rows, &kernel.body) {
            (Some(track), Body::Rows { .. } | Body::Attention(_)) => add((0, rows.count(track))),
            (Some(track), Body::Scan { steps: Steps::Blocks { slices: Some(slices), .. }, .. }) => {
                let slices = self.slices(kernel, rows, track, *slices);
                let parts = self.parts(call.kernel, rows, (0, rows.sequences), slices);
                turns.add(number, Work::Parts { kernel: call.kernel, arguments: given.clone(), parts });
            }
            (Some(_), Body::Scan { .. }) => add((0, rows.sequences)),
            (None, _) => match call.part {
                Part::Once => fresh.iter().for_each(|range| add(*range)),
                Part::New | Part::SoFar => add((0, rows.sequences)),
            },
        }
    }

    /// Those of a chain of several calls: its kernels one by one where threads share the rows of one, which are few then.
    fn turns_of_chain<'p>(&'p self, turns: &mut Turns<'p>, chain: &'p Chain, address: &mut Address, rows: &Rows) {
        let calls = &self.program.calls[chain.calls.clone()];
        let track = self.program.kernels[calls[0].kernel].rows.expect("a chain is over positions");
        let count = rows.count(track);
        let together = calls.iter().any(|call| self.goes_together(call.kernel, rows, (0, count)));
        let mut links = Vec::new();
        for (number, call) in chain.calls.clone().zip(calls) {
            let given = turns.give(call.arguments.iter().map(|id| match chain.inner.get(id) {
                None => Given::Buffer(address(*id)),
                Some(place) if together => Given::Shared(place * count),
                Some(place) => Given::Inner { place: *place, row: self.program.buffer(*id).row },
            }));
            match together {
                true => self.turn_of_kernel(turns, number, call.kernel, given, rows, (0, count)),
                false => links.push((call.kernel, given)),
            }
        }
        match together {
            true => turns.inner = turns.inner.max(chain.row * count),
            false => turns.add(chain.calls.start, Work::Blocks(self.blocks_of(chain, links, rows, count))),
        }
    }

    /// That of a kernel on some rows.
    fn turn_of_kernel(
        &self,
        turns: &mut Turns,
        number: usize,
        kernel: usize,
        arguments: Range<usize>,
        rows: &Rows,
        range: (usize, usize),
    ) {
        if self.goes_together(kernel, rows, range) {
            let floats = context::scratch_floats(&self.program.kernels[kernel], range.1 - range.0);
            turns.shared = turns.shared.max(floats);
            turns.add(number, Work::Together { kernel, arguments, range });
        } else {
            let parts = self.parts(kernel, rows, range, Slices::NONE);
            turns.add(number, Work::Parts { kernel, arguments, parts });
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

impl Turns<'_> {
    /// What kernels are called with, where memory that threads share begins here. What lives within a chain's blocks has no
    /// address yet.
    fn addresses(&self, shared: *mut f32) -> Vec<*mut f32> {
        let address = |given: &Given| match *given {
            Given::Buffer(address) => address,
            Given::Shared(place) => shared.wrapping_add(place),
            Given::Inner { .. } => std::ptr::null_mut(),
        };
        self.given.iter().map(address).collect()
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
// SAFETY: likewise, of the same addresses.
unsafe impl Sync for Turns<'_> {}

impl SharedArguments<'_> {
    fn get(&self) -> &[*mut f32] {
        self.0
    }
}
