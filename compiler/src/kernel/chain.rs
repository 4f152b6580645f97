//! Chains of calls: kernels that some rows can go through, one after the other, before the next rows do.
//!
//! A processor that takes a block of rows through a layer's kernels finds what the last one wrote in a near cache, and what
//! lies between them needs no memory but a block's. That holds for calls that run over the same rows, where each reads of
//! what earlier ones of the chain compute its own row alone. What is computed does not depend on it, and a backend may run a
//! chain's calls one by one: their buffers have slots.
//!
//! In: calls in order. Out: every call in one chain, most of them alone or a few together; and for the buffers that nobody
//! reads outside their chain, where a row's numbers lie in memory of the chain's own.

use super::share::reads;
use super::{Access, Body, BufferId, Call, Kernel, Part, Place, Program, Role, Row, Space, Stage, TrackId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Calls whose kernels rows can go through one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// Which.
    pub calls: Range<usize>,
    /// The buffers that live within the chain alone, and where each begins among the numbers that a row has there.
    pub inner: BTreeMap<BufferId, usize>,
    /// How many numbers a row has there. Those of one buffer lie side by side for all rows of a block, then the next one's.
    pub row: usize,
}

/// Numbers in a cache line, where buffers begin.
const LINE: usize = 16;

/// No chain has more calls: a layer has fewer, and each is compared with all before it.
const MOST: usize = 32;

/// The chains of a program, in order.
pub(super) fn chains(program: &Program) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for place in 0..program.calls.len() {
        match chains.last_mut() {
            Some(chain)
                if chain.calls.len() < MOST
                    && continues(program, &program.calls[chain.calls.clone()], &program.calls[place]) =>
            {
                chain.calls.end = place + 1;
            }
            Some(_) | None => chains.push(Chain { calls: place..place + 1, ..Chain::default() }),
        }
    }
    let lives = lives(program);
    chains.iter_mut().filter(|chain| chain.calls.len() > 1).for_each(|chain| lay_out(program, chain, &lives));
    chains
}

/// Whether a call can be one more of a chain's.
fn continues(program: &Program, earlier: &[Call], call: &Call) -> bool {
    let of = |call: &Call| &program.kernels[call.kernel];
    let over = |call: &Call| rows_of(of(call)).filter(|_| call.part == Part::New);
    let Some(track) = over(call) else { return false };
    earlier.iter().all(|other| {
        over(other) == Some(track)
            && call.arguments.iter().enumerate().all(|(number, buffer)| {
                let theirs = other.arguments.iter().position(|known| known == buffer);
                theirs.is_none_or(|theirs| {
                    let written = of(call).arguments[number].written || of(other).arguments[theirs].written;
                    !written || (own_rows_alone(of(call), number) && own_rows_alone(of(other), theirs))
                })
            })
    })
}

/// What a kernel runs over whose rows do not depend on each other.
fn rows_of(kernel: &Kernel) -> Option<TrackId> {
    match kernel.body {
        Body::Rows { .. } => kernel.rows,
        Body::Scan { .. } | Body::Attention(_) => None,
    }
}

/// Whether a kernel reads and writes an argument at its own row alone.
fn own_rows_alone(kernel: &Kernel, number: usize) -> bool {
    let Body::Rows { stages, .. } = &kernel.body else { return false };
    let place = Place::Argument(number);
    let is_own = |access: &Access| {
        access.outside != Some(number) && (access.place != place || matches!(access.rows.first(), Some(Row::Here)))
    };
    stages.iter().all(|stage| match stage {
        // A product's operand and result are rows of its block.
        Stage::Product(_) => true,
        Stage::Loop(stage) => {
            let mut own = is_own(&stage.target);
            reads(stage, &mut |access| own &= is_own(access));
            own
        }
    })
}

/// For each buffer that is computed and no output, the calls from the first that needs it to the last.
fn lives(program: &Program) -> BTreeMap<BufferId, Range<usize>> {
    let mut lives: BTreeMap<BufferId, Range<usize>> = BTreeMap::new();
    for (place, call) in program.calls.iter().enumerate() {
        for id in &call.arguments {
            lives.entry(*id).or_insert(place..place + 1).end = place + 1;
        }
    }
    let is_output = |id: BufferId| program.outputs.iter().any(|output| output.buffer == id);
    lives.retain(|id, _| matches!(program.buffer(*id).role, Role::Computed { .. }) && !is_output(*id));
    lives
}

/// Finds the buffers that live within a chain alone, and gives them places. Those that do not live at the same time share some.
fn lay_out(program: &Program, chain: &mut Chain, lives: &BTreeMap<BufferId, Range<usize>>) {
    let rows = rows_of(&program.kernels[program.calls[chain.calls.start].kernel]);
    let is_inner = |id: &BufferId| {
        let Space::Tracks(tracks) = &program.buffer(*id).space else { return false };
        let life = lives.get(id).filter(|life| chain.calls.start <= life.start && life.end <= chain.calls.end);
        life.is_some() && tracks.as_slice() == rows.as_slice()
    };
    let arguments = program.calls[chain.calls.clone()].iter().flat_map(|call| call.arguments.iter().copied());
    let inner: BTreeSet<BufferId> = arguments.filter(is_inner).collect();
    let mut order: Vec<(BufferId, &Range<usize>)> = inner.into_iter().map(|id| (id, &lives[&id])).collect();
    order.sort_by_key(|(id, life)| (life.start, *id));
    // Each lies in the first gap among those that live at the same time.
    let mut placed: Vec<(&Range<usize>, Range<usize>)> = Vec::new();
    for (id, life) in order {
        let numbers = program.buffer(id).row.next_multiple_of(LINE);
        let mut taken: Vec<&Range<usize>> = (placed.iter())
            .filter(|(other, _)| other.start < life.end && life.start < other.end)
            .map(|(_, place)| place)
            .collect();
        taken.sort_by_key(|place| place.start);
        let mut start = 0;
        for other in taken {
            if start + numbers <= other.start {
                break;
            }
            start = start.max(other.end);
        }
        placed.push((life, start..start + numbers));
        chain.inner.insert(id, start);
        chain.row = chain.row.max(start + numbers);
    }
}
