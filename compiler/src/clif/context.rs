//! What a kernel is called with: `kernel(context, arguments, begin, end)`.
//!
//! `context` points to pointer-sized words, in the order given here; `arguments` to the addresses of the kernel's buffers;
//! `begin..end` are the rows it works on (positions of all sequences one after the other, or sequences). Both sides of the
//! call use these functions, so that the layout stands once.

use crate::kernel::{Attention, Body, KEY_BLOCK, Kernel, Steps};

/// How many sequences there are.
pub const SEQUENCES: usize = 0;
/// The address of memory for short-lived arrays, of at least [`scratch_floats`] numbers.
pub const SCRATCH: usize = 1;
/// The address of zeros, as many as the longest row has.
pub const ZEROS: usize = 2;
/// For a scan that is shared out, the first entry of the axis that a call computes.
pub const SLICE_FROM: usize = 3;
/// One past the last.
pub const SLICE_TO: usize = 4;
/// Of threads that work on the same rows, which one this is.
pub const MEMBER: usize = 5;
/// How many they are: 1 where a call has rows to itself.
pub const MEMBERS: usize = 6;
/// What [`Tile::Barrier`](crate::tile::Tile::Barrier) is called with.
pub const BARRIER: usize = 7;
/// The address of memory like that of [`SCRATCH`], which they share. One thread alone has both in one.
pub const SHARED: usize = 8;
/// From here on the addresses of the run's tables, in the order of [`Tables`](crate::kernel::Tables).
pub const FIRST_TABLE: usize = 9;

/// Rows of queries that an attention packs a block of keys for, of all heads that share the keys.
const QUERY_BLOCK: usize = 512;
/// How many of them it scores at once: their scores stay in the nearest cache, with a panel of packed keys or values. Four times
/// what the widest tile takes at once.
pub(super) const QUERIES_AT_ONCE: usize = 44;
/// How many where they see different keys of a block.
pub(super) const QUERIES_ON_AN_EDGE: usize = 16;
/// Numbers from one row of scores to the next: the keys, and room, so that rows do not fall on one another in the cache.
pub(super) const SCORE_ROW: usize = KEY_BLOCK + 16;
/// The widest panel of any product tile.
const WIDEST_PANEL: usize = 64;
/// Numbers between short-lived arrays, so that they do not share a cache line.
const GAP: usize = 16;

/// How many queries of each head an attention packs a block of keys for.
pub fn query_block(attention: &Attention) -> usize {
    (QUERY_BLOCK / attention.group().max(1)).max(QUERIES_AT_ONCE)
}

/// Where an attention's arrays lie in its scratch memory.
#[derive(Clone, Copy)]
pub(super) struct AttentionScratch {
    pub queries: usize,
    pub scores: usize,
    pub keys: usize,
    pub gathered: usize,
    pub values: usize,
    pub mix: usize,
    pub reference: usize,
    pub total: usize,
    pub end: usize,
}

pub(super) fn attention_scratch(attention: &Attention) -> AttentionScratch {
    let (depth, width) = (attention.numbers(), attention.width);
    let rows = attention.group() * query_block(attention);
    let mut next = 0;
    let mut take = |floats: usize| {
        let start = next;
        next += floats + GAP;
        start
    };
    AttentionScratch {
        queries: take(rows * depth),
        scores: take(QUERIES_AT_ONCE * SCORE_ROW),
        keys: take(depth * KEY_BLOCK),
        gathered: take(if attention.depth.len() > 1 { depth * KEY_BLOCK } else { 0 }),
        values: take(KEY_BLOCK * width.next_multiple_of(WIDEST_PANEL)),
        mix: take(rows * width),
        reference: take(rows),
        total: take(rows),
        end: next,
    }
}

/// Where each short-lived array begins: the numbers that those before it have for each row, and gaps.
pub(super) fn scratch_starts(kernel: &Kernel) -> Vec<(usize, usize)> {
    let mut starts = Vec::new();
    let mut per_row = 0;
    for (place, scratch) in kernel.scratch.iter().enumerate() {
        starts.push((per_row, place * GAP));
        per_row += scratch.row;
    }
    starts.push(scratch_end(kernel));
    starts
}

/// Where they end.
fn scratch_end(kernel: &Kernel) -> (usize, usize) {
    (kernel.scratch.iter().map(|scratch| scratch.row).sum(), kernel.scratch.len() * GAP)
}

/// How many numbers of scratch memory a kernel needs for so many sequences at once.
pub fn scratch_floats(kernel: &Kernel, sequences: usize) -> usize {
    let (per_row, gaps) = scratch_end(kernel);
    match &kernel.body {
        Body::Rows { block, .. } => per_row * block + gaps,
        // Besides the arrays, the list of sequences that are not at their end yet: two numbers for a word.
        Body::Scan { steps: Steps::Blocks { block, .. }, .. } => per_row * block + gaps,
        Body::Scan { steps: Steps::Positions, .. } => per_row * sequences + gaps + GAP + 2 * sequences,
        Body::Attention(attention) => attention_scratch(attention).end,
    }
}
