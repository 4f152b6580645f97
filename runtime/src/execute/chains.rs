//! Chains of calls: each block of rows goes through all kernels of a chain before the next block does.
//!
//! So what a kernel reads is in a near cache still, and what lives within a chain alone ([`Chain::inner`]) has memory for one
//! block of rows on each thread.

use super::plan::Placed;
use super::scratch::{with_inner, with_scratch};
use super::shares::Pieces;
use super::turns::Given;
use super::walk::enter;
use super::{Executable, Observer};
use crate::rows::Rows;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::Chain;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A chain that is run block by block.
pub(super) struct Blocks {
    links: Vec<Link>,
    /// Rows of a block at most.
    block: usize,
    /// Numbers that a row has of what lives within the chain.
    row: usize,
    /// The rows of each part.
    pub pieces: Pieces,
}

/// A call of a chain: its kernel, and where among what is given lies what that is given.
struct Link {
    kernel: usize,
    given: Range<usize>,
    /// Nanoseconds that it took, of all threads, where somebody wants to know.
    time: AtomicU64,
}

impl Executable {
    /// Some kernels, and what they are given, for so many rows.
    pub(super) fn blocks_of(
        &self,
        chain: &Chain,
        links: Vec<(usize, Range<usize>)>,
        rows: &Rows,
        count: usize,
    ) -> Blocks {
        let block = links.iter().map(|(number, _)| self.block(*number, count)).max().unwrap_or(1);
        let efforts = links.iter().map(|(number, _)| self.effort(*number, rows, count));
        let pieces = self.pieces((0, count), block, efforts.fold(0, usize::saturating_add));
        let link = |(kernel, given)| Link { kernel, given, time: AtomicU64::new(0) };
        Blocks { links: links.into_iter().map(link).collect(), block, row: chain.row, pieces }
    }

    /// Takes the blocks of some rows through a chain.
    pub(super) fn blocks(&self, chain: &Blocks, given: &Placed, (begin, end): (usize, usize), words: &mut [usize]) {
        let timed = self.observer.get().is_some();
        let blocks = (end - begin).div_ceil(chain.block);
        let most = (end - begin).div_ceil(blocks.max(1));
        with_inner(chain.row * most, |inner| {
            for number in 0..blocks {
                let edge = |number: usize| begin + number * (end - begin) / blocks;
                let (first, end) = (edge(number), edge(number + 1));
                for link in &chain.links {
                    let start = timed.then(Instant::now);
                    let arguments = link.arguments(given, inner, first, end - first);
                    let floats = context::scratch_floats(&self.program.kernels[link.kernel], end - first);
                    with_scratch(floats, |scratch| {
                        words[context::SCRATCH] = scratch as usize;
                        words[context::SHARED] = scratch as usize;
                        enter(self.linked.function(link.kernel), words, &arguments, (first, end));
                    });
                    if let Some(start) = start {
                        link.time.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
                    }
                }
            }
        });
    }
}

impl Link {
    /// What the kernel is called with for rows `first..first + count`, of which buffers within the chain lie at `inner`. Kernels know
    /// rows by their numbers among all: an address is that of row 0, which need not be there.
    fn arguments(&self, given: &Placed, inner: *mut f32, first: usize, count: usize) -> Vec<*mut f32> {
        let placed = |(given, address): (&Given, &*mut f32)| match *given {
            Given::Buffer(_) => *address,
            Given::Inner { place, row } => inner.wrapping_add(place * count).wrapping_sub(first * row),
            Given::Shared(_) => unreachable!("the chain is not run together"),
        };
        given.given[self.given.clone()].iter().zip(&given.addresses[self.given.clone()]).map(placed).collect()
    }
}

impl Blocks {
    /// Tells of each call, the first of which has this number, what it took of the chain's time, in which threads were in different
    /// calls at once.
    pub fn tell(&self, first: usize, observer: &Observer, whole: Duration) {
        let times: Vec<u64> = self.links.iter().map(|link| link.time.swap(0, Ordering::Relaxed)).collect();
        let all = times.iter().sum::<u64>().max(1) as f64;
        for (place, time) in (first..).zip(times) {
            observer(place, whole.mul_f64(time as f64 / all));
        }
    }
}
