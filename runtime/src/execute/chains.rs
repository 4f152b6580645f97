//! Chains of calls: each block of rows goes through all kernels of a chain before the next block does.
//!
//! So what a kernel reads is in a near cache still, and what lives within a chain alone ([`Chain::inner`]) has memory for one
//! block of rows on each thread. Where threads share the rows of a kernel, which are few then, the kernels run one by one.

use super::shares::{SharedArguments, enter, with_inner, with_scratch};
use super::{Executable, Observer};
use crate::link::KernelFunction;
use crate::rows::Rows;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{BufferId, Call, Chain, Kernel};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A call of a chain: its kernel, and what that is given.
struct Link<'p> {
    number: usize,
    kernel: &'p Kernel,
    function: KernelFunction,
    arguments: Vec<Given>,
    /// Nanoseconds that it took, of all threads, where somebody wants to know.
    time: AtomicU64,
}

/// What a kernel is given for one of its arguments.
#[derive(Clone, Copy)]
enum Given {
    /// A buffer's address.
    Buffer(*mut f32),
    /// Within the chain: where it begins among the numbers of a row, and how many it has.
    Inner { place: usize, row: usize },
}

// SAFETY: the addresses are used for different rows, as `SharedArguments` says.
unsafe impl Sync for Link<'_> {}

impl Link<'_> {
    /// What the kernel is given for rows `first..first + count`, of which buffers within the chain lie at `inner`. Kernels know
    /// rows by their numbers among all: an address is that of row 0, which need not be there.
    fn arguments(&self, inner: *mut f32, first: usize, count: usize) -> Vec<*mut f32> {
        let placed = |argument: &Given| match *argument {
            Given::Buffer(address) => address,
            Given::Inner { place, row } => inner.wrapping_add(place * count).wrapping_sub(first * row),
        };
        self.arguments.iter().map(placed).collect()
    }

    /// Adds how long it took from a time on, if there is one.
    fn took(&self, start: Option<Instant>) {
        if let Some(start) = start {
            self.time.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
    }
}

impl Executable {
    /// Runs a chain of several calls on all rows. `arguments` are those of each.
    pub(super) fn chain(&self, chain: &Chain, arguments: Vec<Vec<*mut f32>>, rows: &Rows) {
        let calls = &self.program.calls[chain.calls.clone()];
        let link = |(call, addresses): (&Call, Vec<*mut f32>)| {
            let given = |(id, address): (&BufferId, *mut f32)| match chain.inner.get(id) {
                Some(place) => Given::Inner { place: *place, row: self.program.buffer(*id).row },
                None => Given::Buffer(address),
            };
            Link {
                number: call.kernel,
                kernel: &self.program.kernels[call.kernel],
                function: self.linked.function(call.kernel),
                arguments: call.arguments.iter().zip(addresses).map(given).collect(),
                time: AtomicU64::new(0),
            }
        };
        let links: Vec<Link> = calls.iter().zip(arguments).map(link).collect();
        let track = links[0].kernel.rows.expect("a chain is over positions");
        let (start, count) = (Instant::now(), rows.count(track));
        let timed = self.observer.get();
        if links.iter().any(|link| self.goes_together(link.number, rows, (0, count))) {
            with_inner(chain.row * count, |inner| {
                for link in &links {
                    let arguments = link.arguments(inner, 0, count);
                    let start = timed.map(|_| Instant::now());
                    self.call(link.number, &arguments, rows, (0, count));
                    link.took(start);
                }
            });
        } else {
            self.in_blocks(chain, &links, rows, count);
        }
        if let Some(observer) = timed {
            tell(observer, chain, &links, start.elapsed() / self.team.apart());
        }
    }

    /// Takes block after block of the rows through the chain.
    fn in_blocks(&self, chain: &Chain, links: &[Link], rows: &Rows, count: usize) {
        let block = links.iter().map(|link| self.block(link.number, count)).max().unwrap_or(1);
        let efforts = links.iter().map(|link| self.effort(link.number, rows, count));
        let pieces = self.pieces(count, block, efforts.fold(0, usize::saturating_add));
        let (words, timed, row) = (self.words(rows), self.observer.get().is_some(), chain.row);
        self.team.each(pieces.len(), &|number| {
            let (begin, end) = pieces[number];
            let blocks = (end - begin).div_ceil(block);
            let most = (end - begin).div_ceil(blocks.max(1));
            with_inner(row * most, |inner| {
                let mut words = words.clone();
                for number in 0..blocks {
                    let edge = |number: usize| begin + number * (end - begin) / blocks;
                    let (first, end) = (edge(number), edge(number + 1));
                    for link in links {
                        let start = timed.then(Instant::now);
                        let arguments = link.arguments(inner, first, end - first);
                        with_scratch(context::scratch_floats(link.kernel, end - first), |scratch| {
                            words[context::SCRATCH] = scratch as usize;
                            words[context::SHARED] = scratch as usize;
                            enter(link.function, &words, &SharedArguments(&arguments), (first, end));
                        });
                        link.took(start);
                    }
                }
            });
        });
    }
}

/// Tells of each call what it took of the chain's time, in which threads were in different calls at once.
fn tell(observer: &Observer, chain: &Chain, links: &[Link], whole: Duration) {
    let times: Vec<u64> = links.iter().map(|link| link.time.load(Ordering::Relaxed)).collect();
    let all = times.iter().sum::<u64>().max(1) as f64;
    for (place, time) in chain.calls.clone().zip(times) {
        observer(place, whole.mul_f64(time as f64 / all));
    }
}
