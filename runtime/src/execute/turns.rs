//! What a run is to its threads: turns, one after the other, which all of them [walk](super::walk) through.
//!
//! ```text
//! chains of calls ──► turns   Together   one kernel, in which each thread has some entries of the same rows
//!                             Parts      one kernel, in which each has rows of its own: whoever is done first takes the next part
//!                             Blocks     several kernels, likewise
//! ```
//!
//! They depend on how many rows there are, not on where those lie: a run that is as large as one before goes through the same.

use super::Executable;
use super::chains::Blocks;
use super::shares::{Parts, Slices};
use crate::rows::Rows;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{Body, BufferId, Call, Chain, Part, Steps};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The turns of some chains of calls.
pub(super) struct Turns {
    pub turns: Vec<Turn>,
    /// What kernels are given, call after call.
    pub given: Vec<Given>,
    /// Numbers of short-lived arrays that threads share in a turn, at most.
    pub shared: usize,
    /// Numbers of what lives within a chain whose kernels are run together, at most.
    pub inner: usize,
}

/// What the threads do, all at the same time or each a part.
pub(super) struct Turn {
    /// The call's number in the program, of a chain the first one's.
    pub call: usize,
    pub work: Work,
    /// Whether a thread comes to it without having waited for the others after the turn before.
    pub follows: bool,
    /// The next part that no thread has taken.
    next: AtomicUsize,
}

/// What is done in a turn; `arguments` are places among what is given.
pub(super) enum Work {
    Together { kernel: usize, arguments: Range<usize>, range: (usize, usize) },
    Parts { kernel: usize, arguments: Range<usize>, parts: Parts },
    Blocks(Blocks),
}

/// What a kernel is given for one of its arguments.
#[derive(Clone, Copy)]
pub(super) enum Given {
    /// A buffer.
    Buffer(BufferId),
    /// What lives within a chain that is run block by block: where it begins among the numbers of a row, and how many it has.
    Inner { place: usize, row: usize },
    /// The same of a chain whose kernels are run together: where it begins.
    Shared(usize),
}

impl Turn {
    /// Whether there is something to do for one thread at most.
    pub fn is_for_one(&self) -> bool {
        match &self.work {
            Work::Together { .. } => false,
            Work::Parts { parts, .. } => parts.count() <= 1,
            Work::Blocks(blocks) => blocks.pieces.count <= 1,
        }
    }

    /// Does every part that no other thread takes.
    pub fn each(&self, count: usize, mut work: impl FnMut(usize)) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            work(number);
        }
    }
}

impl Turns {
    /// Has a run begin: no part is taken.
    pub fn begin(&mut self) {
        for turn in &mut self.turns {
            if *turn.next.get_mut() != 0 {
                *turn.next.get_mut() = 0;
            }
        }
    }

    /// Adds a turn.
    fn add(&mut self, call: usize, work: Work) {
        self.turns.push(Turn { call, work, follows: false, next: AtomicUsize::new(0) });
    }

    /// The first call since all last waited for each other, where threads have shared rows ever since, and this call comes after all
    /// others.
    fn since(&self, call: usize) -> Option<usize> {
        let since = self.turns.iter().rposition(|turn| !turn.follows)?;
        let came_before = |turn: &Turn| matches!(turn.work, Work::Together { .. }) && turn.call < call;
        self.turns[since..].iter().all(came_before).then(|| self.turns[since].call)
    }

    /// Adds what a kernel is given; tells where it lies.
    fn give(&mut self, given: impl Iterator<Item = Given>) -> Range<usize> {
        let start = self.given.len();
        self.given.extend(given);
        start..self.given.len()
    }
}

impl Executable {
    /// The turns of some chains. `fresh` are the sequences that begin.
    pub(super) fn turns(&self, chains: &[Chain], rows: &Rows, fresh: &[(usize, usize)]) -> Turns {
        let arguments = |chain: &Chain| -> usize {
            self.program.calls[chain.calls.clone()].iter().map(|call| call.arguments.len()).sum()
        };
        let (turns, given) = (Vec::with_capacity(chains.len()), Vec::with_capacity(chains.iter().map(arguments).sum()));
        let mut turns = Turns { turns, given, shared: 0, inner: 0 };
        for chain in chains {
            match &self.program.calls[chain.calls.clone()] {
                [call] => {
                    let given = turns.give(call.arguments.iter().map(|id| Given::Buffer(*id)));
                    self.turns_of_call(&mut turns, chain.calls.start, call, &given, rows, fresh);
                }
                _ => self.turns_of_chain(&mut turns, chain, rows),
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
    fn turns_of_chain(&self, turns: &mut Turns, chain: &Chain, rows: &Rows) {
        let calls = &self.program.calls[chain.calls.clone()];
        let track = self.program.kernels[calls[0].kernel].rows.expect("a chain is over positions");
        let count = rows.count(track);
        let together = calls.iter().any(|call| self.goes_together(call.kernel, rows, (0, count)));
        let mut links = Vec::new();
        for (number, call) in chain.calls.clone().zip(calls) {
            let given = turns.give(call.arguments.iter().map(|id| match chain.inner.get(id) {
                None => Given::Buffer(*id),
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
        let goes_together = self.goes_together(kernel, rows, range);
        // However little there is to do, each thread does its part on its way, if it has to wait for nobody.
        let follows = (goes_together || !self.waits(kernel))
            && self.shares_no_rows(rows)
            && turns.since(number).is_some_and(|since| self.following[number] <= since);
        if follows || goes_together {
            let floats = context::scratch_floats(&self.program.kernels[kernel], range.1 - range.0);
            turns.shared = turns.shared.max(floats);
            turns.add(number, Work::Together { kernel, arguments, range });
            turns.turns.last_mut().expect("one was added").follows = follows;
        } else {
            let parts = self.parts(kernel, rows, range, Slices::NONE);
            turns.add(number, Work::Parts { kernel, arguments, parts });
        }
    }
}
