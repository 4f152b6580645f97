//! A kernel's stages as dispatches, and where its short-lived arrays lie.
//!
//! The CPU runs all stages on a block of rows before the next block. A GPU has no barrier across workgroups, and products
//! want many workgroups for the same rows: so loops around a product are dispatches of their own, and what goes from one to
//! the next goes through memory. Loops after a product that need one of its numbers for each of theirs are computed where
//! the product is, and it is never stored: bias, activation and residual cost no dispatch and no memory.

use super::columns::columns;
use super::positions::{FEW_BYTES, FEW_ENTRIES, FEW_STEPS, POSITIONS, Positions, positions};
use super::shader::Target;
use crate::kernel::{Body, Kernel, Loop, Place, Product, Range, Row, Scalar, Stage, Steps};

/// Weights that one workgroup reads in each step of a scan at most, in bytes: more are read sooner by many workgroups, in
/// spite of a dispatch for each step.
const WEIGHTS_OF_ONE_WORKGROUP: usize = 1 << 20;

/// Turns of loops that an invocation makes in one dispatch of a scan at most, as far as sizes tell: drivers stop shaders that
/// run for seconds, and Mesa's software driver leaves loops after 65,536 turns of all of them together.
pub(super) const TURNS: usize = 1 << 15;

/// How a kernel is dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Dispatch after dispatch over all rows.
    Rows,
    /// One workgroup for each sequence, from its first position to its last.
    Sequence,
    /// All dispatches anew for each step.
    Steps,
    /// One invocation for each entry of an axis and each sequence; or many positions at once.
    Entries(usize),
    /// Attention.
    Attention,
}

/// What one dispatch does.
#[derive(Clone, Debug)]
pub(super) enum Work<'k> {
    /// Stages, one after the other, by all invocations of a workgroup.
    Stages(Vec<&'k Stage>),
    /// A product, and loops that each need one of its numbers.
    Product(&'k Product, Vec<&'k Loop>),
}

/// Where a short-lived array lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScratchPlace {
    /// In workgroup memory, for the workgroup's own row.
    Workgroup,
    /// In a buffer, for all rows.
    Buffer,
    /// Nowhere: it is a product whose numbers are used where they are made.
    Register,
}

/// The whole plan.
pub(super) struct Plan<'k> {
    pub form: Form,
    /// The form and its reason, for people.
    pub why: String,
    /// Of a scan: the steps of one dispatch.
    pub steps: Option<usize>,
    pub works: Vec<Work<'k>>,
    pub scratch: Vec<ScratchPlace>,
    /// Of a scan whose work is shared out: how it goes over many positions at once, where it can.
    pub positions: Option<Positions<'k>>,
}

/// Plans a kernel.
pub(super) fn plan<'k>(kernel: &'k Kernel, lanes: usize, target: &Target) -> Plan<'k> {
    let bytes: usize = kernel.scratch.iter().map(|scratch| scratch.row * 4).sum();
    let room = target.workgroup_bytes - 4 * target.invocations;
    let fits = bytes <= room;
    let all = |form, why: String, stages: &'k [Stage], place, lanes: usize| Plan {
        form,
        why,
        steps: Some((TURNS / turns(stages, lanes)).max(1)),
        works: vec![Work::Stages(stages.iter().collect())],
        scratch: vec![place; kernel.scratch.len()],
        positions: None,
    };
    match &kernel.body {
        Body::Attention(_) => Plan {
            form: Form::Attention,
            why: "a workgroup for each query and head: its keys block by block".to_string(),
            steps: None,
            works: Vec::new(),
            scratch: Vec::new(),
            positions: None,
        },
        Body::Rows { stages, .. } => {
            let (works, scratch) = split(kernel, stages, room);
            let why = "dispatch after dispatch over all rows".to_string();
            Plan { form: Form::Rows, why, steps: None, works, scratch, positions: None }
        }
        Body::Scan { steps: Steps::Blocks { slices: Some(entries), .. }, stages, .. } if are_sliced(stages) => {
            let alone = format!("an invocation for each of {entries} entries and each sequence: none needs another's");
            let positions = positions(kernel, stages, *entries, target);
            let why = match &positions {
                None => alone,
                Some(positions) => format!(
                    "{POSITIONS} positions at once for up to {} sequences (of {entries} entries, of which {FEW_ENTRIES} are few, \
                     and so many numbers that fit into {FEW_BYTES} bytes) with {FEW_STEPS} positions or more; else {alone}",
                    positions.sequences
                ),
            };
            Plan { positions, ..all(Form::Entries(*entries), why, stages, ScratchPlace::Buffer, *entries) }
        }
        Body::Scan { stages, .. } => {
            let weights = stages.iter().filter_map(|stage| match stage {
                Stage::Product(product) => Some(product.depth * product.columns * 4),
                Stage::Loop(_) => None,
            });
            let weights: usize = weights.sum();
            if fits && weights <= WEIGHTS_OF_ONE_WORKGROUP {
                let why = format!(
                    "one workgroup for each sequence: {bytes} of {room} bytes of workgroup memory, and {weights} bytes \
                     of weights a step where {WEIGHTS_OF_ONE_WORKGROUP} are the most"
                );
                return all(Form::Sequence, why, stages, ScratchPlace::Workgroup, lanes);
            }
            let (works, scratch) = split(kernel, stages, room);
            let why = format!(
                "dispatches for each step, in one submission: {bytes} of {room} bytes of workgroup memory and {weights} \
                 bytes of weights a step, where {WEIGHTS_OF_ONE_WORKGROUP} are the most for one workgroup"
            );
            Plan { form: Form::Steps, why, steps: Some(1), works, scratch, positions: None }
        }
    }
}

/// How many entries a range has, where that is known.
pub(super) fn size(range: &Range) -> Option<usize> {
    match (range.from.as_slice(), range.to.as_slice()) {
        ([from], [to]) if to.length.is_none() => Some((to.fixed - from.fixed).max(1) as usize),
        _ => None,
    }
}

/// Turns of loops that an invocation makes for one step. An axis of unknown length counts as a thousand.
fn turns(stages: &[Stage], lanes: usize) -> usize {
    let product = |ranges: &[Range]| ranges.iter().map(|range| size(range).unwrap_or(1000)).product::<usize>();
    let of_stage = |stage: &Stage| match stage {
        Stage::Loop(stage) => {
            let (results, reduced) = stage.ranges.split_at(stage.results);
            product(results).div_ceil(lanes)
                * product(reduced).div_ceil(if results.is_empty() { lanes } else { 1 }).max(1)
        }
        Stage::Product(own) => (own.rows * own.columns).div_ceil(lanes) * (1 + own.depth),
    };
    1 + stages.iter().map(of_stage).sum::<usize>()
}

/// Whether every stage computes its own entries of the axis along which work is shared out.
fn are_sliced(stages: &[Stage]) -> bool {
    stages.iter().all(|stage| match stage {
        Stage::Loop(stage) => stage.slice.is_some(),
        Stage::Product(_) => false,
    })
}

/// Stages as dispatches: products apart, with the loops after them that need a few of their numbers each.
fn split<'k>(kernel: &'k Kernel, stages: &'k [Stage], room: usize) -> (Vec<Work<'k>>, Vec<ScratchPlace>) {
    let works = works(stages, true);
    // Where columns are computed in another order, others can't read the product.
    let is_read = |place: usize, product: &Product| {
        (0..works.len()).any(|other| other != place && touches(&works[other], product.target))
    };
    let stays = works.iter().enumerate().all(|(place, work)| match work {
        Work::Product(product, after) if is_read(place, product) => {
            columns(product, after).is_some_and(|columns| columns.in_order)
        }
        Work::Product(..) | Work::Stages(_) => true,
    });
    let works = if stays { works } else { self::works(stages, false) };
    let mut scratch = Vec::new();
    let mut used = vec![0usize; works.len()];
    for (number, array) in kernel.scratch.iter().enumerate() {
        let place = Place::Scratch(number);
        let users: Vec<usize> = (0..works.len()).filter(|work| touches(&works[*work], place)).collect();
        scratch.push(match (users.as_slice(), users.first().map(|work| &works[*work])) {
            ([_], Some(Work::Product(..))) => ScratchPlace::Register,
            ([work], Some(Work::Stages(_))) if used[*work] + array.row * 4 <= room => {
                used[*work] += array.row * 4;
                ScratchPlace::Workgroup
            }
            _ => ScratchPlace::Buffer,
        });
    }
    (works, scratch)
}

fn works(stages: &[Stage], any_order: bool) -> Vec<Work<'_>> {
    let mut works: Vec<Work> = Vec::new();
    for stage in stages {
        match (stage, works.last_mut()) {
            (Stage::Product(product), _) => works.push(Work::Product(product, Vec::new())),
            (Stage::Loop(own), Some(Work::Product(product, after))) if is_epilogue(own, product, after, any_order) => {
                after.push(own);
            }
            (Stage::Loop(_), Some(Work::Stages(stages))) => stages.push(stage),
            (Stage::Loop(_), _) => works.push(Work::Stages(vec![stage])),
        }
    }
    works
}

/// Whether a loop is computed where a product is made, and those before it.
fn is_epilogue(stage: &Loop, product: &Product, before: &[&Loop], any_order: bool) -> bool {
    let made_here = before.iter().any(|other| reads(stage, other.target.place));
    let all: Vec<&Loop> = before.iter().copied().chain([stage]).collect();
    !made_here && columns(product, &all).is_some_and(|columns| columns.in_order || any_order)
}

fn touches(work: &Work, place: Place) -> bool {
    let of_loop = |own: &Loop| own.target.place == place || reads(own, place);
    match work {
        Work::Stages(stages) => stages.iter().any(|stage| match stage {
            Stage::Loop(own) => of_loop(own),
            Stage::Product(product) => product.operand == place || product.target == place,
        }),
        Work::Product(product, after) => {
            product.operand == place || product.target == place || after.iter().any(|own| of_loop(own))
        }
    }
}

/// Every number that a loop reads.
pub(super) fn each_read<'k>(stage: &'k Loop, visit: &mut dyn FnMut(&'k crate::kernel::Access)) {
    let mut look = |scalar: &'k Scalar| {
        scalar.walk(&mut |inner| {
            if let Scalar::Read(access) = inner {
                visit(access);
            }
        });
    };
    look(&stage.body);
    for comparison in &stage.domain {
        look(&comparison.left);
        look(&comparison.right);
    }
    for row in &stage.target.rows {
        if let Row::At(offset) = row {
            offset.computed.iter().for_each(|part| look(&part.number));
        }
    }
    stage.target.offset.computed.iter().for_each(|part| look(&part.number));
}

/// Whether a loop reads an array.
pub(super) fn reads(stage: &Loop, place: Place) -> bool {
    let mut reads = false;
    each_read(stage, &mut |access| {
        reads |= access.place == place || access.outside.map(Place::Argument) == Some(place)
    });
    reads
}
