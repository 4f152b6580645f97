//! What threads walk through, kept from run to run.
//!
//! Building it anew takes as long as a small kernel. And all threads read it: what one of them has written the others fetch, line
//! after line. So a run of a shape that was there before goes through the same turns, and writes of the rest what has changed.

use super::Executable;
use super::turns::{Given, Turns};
use crate::rows::Rows;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{BufferId, Chain};
use std::sync::{Mutex, PoisonError};

/// Turns, and what kernels are called with.
pub(super) struct Plan {
    shape: Shape,
    pub turns: Turns,
    /// Where what is given lies.
    addresses: Vec<*mut f32>,
    /// What a kernel that has its rows alone is called with, but for its scratch memory.
    words: Vec<usize>,
}

// SAFETY: a run sets the addresses before any thread uses one.
unsafe impl Send for Plan {}

/// What turns depend on.
struct Shape {
    /// The first call of the chains.
    first: usize,
    /// How many threads there are.
    members: usize,
    /// How many sequences.
    sequences: usize,
    /// The rows of each track.
    counts: Vec<usize>,
    /// How many positions the longest sequence has so far along each time axis, if there are attentions, which look at them.
    lengths: Vec<usize>,
    /// The sequences that begin.
    fresh: Vec<(usize, usize)>,
}

/// Tells where a buffer lies.
pub(super) type Address<'a> = dyn FnMut(BufferId) -> *mut f32 + 'a;

/// What kernels are given, and where it lies, for all threads to see.
pub(super) struct Placed<'p> {
    pub given: &'p [Given],
    pub addresses: &'p [*mut f32],
    pub words: &'p [usize],
}

// SAFETY: kernels write disjoint rows of what they are given, as `enter` says.
unsafe impl Sync for Placed<'_> {}

/// The plans of runs that have ended. Each stays where it is: threads have read it there.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "a plan that moved would be fetched by all threads anew")]
pub(super) struct Plans(Mutex<Vec<Box<Plan>>>);

/// So many are kept.
const MOST: usize = 8;

impl Plans {
    fn take(&self, fits: impl Fn(&Shape) -> bool) -> Option<Box<Plan>> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = plans.iter().rposition(|plan| fits(&plan.shape))?;
        Some(plans.remove(place))
    }

    /// Keeps a plan for a run to come.
    pub fn keep(&self, plan: Box<Plan>) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() == MOST {
            plans.remove(0);
        }
        plans.push(plan);
    }
}

impl Executable {
    /// The plan of some chains. `fresh` are the sequences that begin.
    pub(super) fn plan(&self, chains: &[Chain], rows: &Rows, fresh: &[(usize, usize)]) -> Box<Plan> {
        let first = chains.first().map_or(0, |chain| chain.calls.start);
        let members = self.team.members();
        let lengths = if self.has_attention { rows.lengths() } else { &[] };
        let fits = |shape: &Shape| {
            (shape.first, shape.members, shape.sequences) == (first, members, rows.sequences)
                && (&shape.counts[..], &shape.lengths[..], &shape.fresh[..]) == (rows.counts(), lengths, fresh)
        };
        let mut plan = self.plans.take(fits).unwrap_or_else(|| {
            let (counts, lengths, fresh) = (rows.counts().to_vec(), lengths.to_vec(), fresh.to_vec());
            let shape = Shape { first, members, sequences: rows.sequences, counts, lengths, fresh };
            let turns = self.turns(chains, rows, &shape.fresh);
            Box::new(Plan { shape, turns, addresses: Vec::new(), words: Vec::new() })
        });
        plan.turns.begin();
        let words = rows.words().enumerate().map(|(place, word)| match place {
            context::SEQUENCES => rows.sequences,
            context::ZEROS => self.zeros.as_ptr() as usize,
            context::MEMBERS => 1,
            _ => word,
        });
        renew(&mut plan.words, words);
        plan
    }
}

impl Plan {
    /// Gives everything its place. Memory that threads share begins at `shared`; what lives within a chain's blocks has none yet.
    pub fn place(&mut self, address: &mut Address, shared: *mut f32) -> (&Turns, Placed<'_>) {
        let Plan { turns, addresses, words, .. } = self;
        let place = |given: &Given| match *given {
            Given::Buffer(id) => address(id),
            Given::Shared(place) => shared.wrapping_add(place),
            Given::Inner { .. } => std::ptr::null_mut(),
        };
        renew(addresses, turns.given.iter().map(place));
        (turns, Placed { given: &turns.given, addresses, words })
    }
}

/// Makes numbers what they are now, and writes none that is the same.
fn renew<N: PartialEq>(kept: &mut Vec<N>, now: impl Iterator<Item = N>) {
    let mut count = 0;
    for number in now {
        match kept.get_mut(count) {
            Some(old) if *old == number => {}
            Some(old) => *old = number,
            None => kept.push(number),
        }
        count += 1;
    }
    kept.truncate(count);
}
