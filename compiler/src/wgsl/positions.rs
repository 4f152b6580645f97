//! Scans over many positions at once, for recurrences that are affine in their state, element by element.
//!
//! ```text
//! h[t] = a[t] * h[t-1] + b[t]            t = 0, 1, 2, … 31: one invocation each
//!
//! (a1, b1) then (a2, b2)                 both steps together are affine too
//!   = (a2 * a1, a2 * b1 + b2)
//! steps 1, 2, 4, 8, 16 apart             five rounds of this: each invocation has all positions up to its own
//! h[t] = a * h[before all] + b           what the last 32 positions left is read once
//! ```
//!
//! The rounds are Hillis and Steele's (1986). A workgroup goes through 32 positions at once, those of a block on the
//! processor, so that states that take turns in few rows have room for them; then through the next 32. Beside each other it
//! has up to 8 elements of the state: neighbours along its innermost axis, entries of the axis that is shared out, or both.
//! Every other stage of the scan is computed for the 32 positions before the next stage begins.
//!
//! A product of 32 factors is rounded 31 times, and always alike where factors do not change: a state that keeps 0.999 of
//! itself would be ten times as far off after some thousand positions as one that is walked. So a product keeps what was rounded off, from halves of its
//! factors whose products are exact (Dekker 1971); in halves, as WGSL lets `fma` round twice.
//!
//! What it can't do: factors whose product over 32 positions is past the largest number make infinities where a walk from
//! position to position might still have met a zero.

use super::kernel::{Held, Spelling};
use super::lookups::Need;
use super::loops::{Share, innermost};
use super::numbers::At;
use super::phases::{TURNS, size};
use super::shader::{Entry, EntrySteps, Grid, Target};
use super::text::{Expression, Text};
use crate::kernel::{Access, Kernel, Loop, Offset, Row, SCAN_BLOCK, Scalar, Stage, Table};
use crate::term::{Binary, Unary};

/// Positions that are computed at once.
pub(super) const POSITIONS: usize = SCAN_BLOCK;

/// Entries of all sequences at most: more keep a GPU busy when each is walked by one invocation, which costs less in all.
pub(super) const FEW_ENTRIES: usize = 2048;

/// Bytes of short-lived arrays for the positions of a block of all sequences at most.
pub(super) const FEW_BYTES: usize = 32 << 20;

/// Positions at least: fewer are walked as soon.
pub(super) const FEW_STEPS: usize = 8;

/// Elements of a state that a workgroup has beside each other at most.
const ELEMENTS: usize = 8;

/// Rounds in which 32 positions are put together.
const ROUNDS: usize = POSITIONS.ilog2() as usize;

/// Bytes of workgroup memory that an invocation has in them.
const BYTES: usize = 12;

/// A scan over many positions at once.
#[derive(Clone, Debug)]
pub(super) struct Positions<'k> {
    /// The stage that is the recurrence.
    state: &'k Loop,
    /// What its earlier element is multiplied by.
    factor: Scalar,
    /// What is added.
    addend: Scalar,
    /// The earlier element.
    before: Access,
    /// Invocations that share the innermost other axis of each stage.
    neighbours: usize,
    /// Entries that a workgroup has beside each other.
    beside: usize,
    /// Sequences at most.
    pub sequences: usize,
    /// Steps of one dispatch.
    each: usize,
}

/// How a scan of stages that are all shared out by entries goes over many positions at once, if it can: it has few entries,
/// one stage is a recurrence whose parts can be told, and its ranges are known.
pub(super) fn positions<'k>(
    kernel: &Kernel,
    stages: &'k [Stage],
    backward: bool,
    entries: usize,
    target: &Target,
) -> Option<Positions<'k>> {
    let room = target.invocations.min(target.workgroup_bytes / BYTES) / POSITIONS;
    let bytes = POSITIONS * kernel.scratch.iter().map(|scratch| 4 * scratch.row).sum::<usize>();
    let sequences = (FEW_ENTRIES / entries.max(1)).min(FEW_BYTES / bytes.max(1));
    if sequences == 0 || room == 0 {
        return None;
    }
    let loops = stages.iter().map(|stage| match stage {
        Stage::Loop(stage) => Some(&**stage),
        Stage::Product(_) => None,
    });
    let loops = loops.collect::<Option<Vec<&Loop>>>()?;
    let of_itself = |stage: &&Loop| depends(&stage.body, &stage.target);
    let mut states = loops.iter().copied().filter(of_itself);
    let (Some(state), None) = (states.next(), states.next()) else { return None };
    let is_whole = state.ranges.iter().enumerate().all(|(depth, range)| {
        let wanted = if state.slice == Some(depth) { Some(entries) } else { size(range) };
        range.from.iter().all(|bound| bound.position == 0) && size(range).is_some() && size(range) == wanted
    });
    if state.reduction.is_some() || !is_whole {
        return None;
    }
    let before = earlier(state, backward)?;
    let Parts { factor, addend } = parts(&state.body, &state.target, before)?;
    let widest = room.min(ELEMENTS);
    let widest = if widest.is_power_of_two() { widest } else { widest.next_power_of_two() / 2 };
    let elements = innermost(state).and_then(|depth| size(&state.ranges[depth])).unwrap_or(1);
    let neighbours = largest_power(elements).min(widest);
    let beside = entries.next_power_of_two().min(widest / neighbours);
    let turns = 1 + loops.iter().map(|stage| turns(stage, neighbours, std::ptr::eq(*stage, state))).sum::<usize>();
    Some(Positions {
        state,
        factor: factor?,
        addend: addend.unwrap_or(Scalar::Number(0.0)),
        before: before.clone(),
        neighbours,
        beside,
        sequences,
        each: POSITIONS * (TURNS / turns).max(1),
    })
    .filter(|_| turns <= TURNS)
}

/// The largest power of two that is no more.
fn largest_power(number: usize) -> usize {
    1 << number.max(1).ilog2()
}

/// Turns of loops that an invocation makes for a stage of 32 positions. An axis of unknown length counts as a thousand.
fn turns(stage: &Loop, neighbours: usize, is_state: bool) -> usize {
    let turns = |(depth, range)| {
        let size = size(range).unwrap_or(1000);
        match depth {
            _ if stage.slice == Some(depth) => 1,
            _ if innermost(stage) == Some(depth) => size.div_ceil(neighbours),
            _ => size,
        }
    };
    let elements: usize = stage.ranges.iter().enumerate().map(turns).product();
    elements * if is_state { 1 + ROUNDS } else { 1 }
}

/// The state's own element a position before, if that is what its equation reads.
fn earlier(state: &Loop, backward: bool) -> Option<&Access> {
    let mut found = None;
    state.body.walk(&mut |scalar| {
        if let Scalar::Read(access) = scalar
            && access.place == state.target.place
        {
            found = Some(&**access);
        }
    });
    let step = Offset { position: 1, fixed: if backward { 1 } else { -1 }, ..Offset::default() };
    found.filter(|access| access.rows == [Row::At(step)] && access.offset == state.target.offset)
}

/// Whether a scalar reads what a stage computes.
fn depends(scalar: &Scalar, target: &Access) -> bool {
    let mut depends = false;
    scalar.walk(&mut |inner| match inner {
        Scalar::Read(access) => depends |= access.place == target.place,
        Scalar::Number(_)
        | Scalar::Index(_)
        | Scalar::Position
        | Scalar::Length(_)
        | Scalar::Dot
        | Scalar::Unary(..)
        | Scalar::Binary(..)
        | Scalar::Select(..) => {}
    });
    depends
}

/// `factor * before + addend`; none stands for 0.
#[derive(Default)]
struct Parts {
    factor: Option<Scalar>,
    addend: Option<Scalar>,
}

/// The parts of a scalar that is affine in an element's earlier position; none where it is not. Passes bring recurrences into
/// this form before they are lowered (`pass/affine.rs`), and simplify it afterwards.
fn parts(scalar: &Scalar, target: &Access, before: &Access) -> Option<Parts> {
    if !depends(scalar, target) {
        return Some(Parts { factor: None, addend: Some(scalar.clone()) });
    }
    let inside = |scalar: &Scalar| parts(scalar, target, before);
    match scalar {
        Scalar::Read(access) => {
            (**access == *before).then_some(Parts { factor: Some(Scalar::Number(1.0)), addend: None })
        }
        Scalar::Unary(Unary::Negate, value) => {
            let negated = |part: Option<Scalar>| part.map(|part| Scalar::Unary(Unary::Negate, Box::new(part)));
            let Parts { factor, addend } = inside(value)?;
            Some(Parts { factor: negated(factor), addend: negated(addend) })
        }
        Scalar::Binary(operation @ (Binary::Add | Binary::Subtract), left, right) => {
            let (left, right) = (inside(left)?, inside(right)?);
            Some(Parts {
                factor: sum(*operation, left.factor, right.factor),
                addend: sum(*operation, left.addend, right.addend),
            })
        }
        Scalar::Binary(operation @ (Binary::Multiply | Binary::Divide), left, right) => {
            let (state, by) = match (depends(left, target), depends(right, target), operation) {
                (true, false, _) => (left, right),
                (false, true, Binary::Multiply) => (right, left),
                _ => return None,
            };
            let apply = |part: Option<Scalar>| {
                part.map(|part| match (part, operation) {
                    (Scalar::Number(1.0), Binary::Multiply) => (**by).clone(),
                    (part, operation) => Scalar::Binary(*operation, Box::new(part), by.clone()),
                })
            };
            let Parts { factor, addend } = inside(state)?;
            Some(Parts { factor: apply(factor), addend: apply(addend) })
        }
        Scalar::Select(conditions, left, right) => {
            if conditions.iter().any(|own| depends(&own.left, target) || depends(&own.right, target)) {
                return None;
            }
            let (left, right) = (inside(left)?, inside(right)?);
            let zero = |part: Option<Scalar>| Box::new(part.unwrap_or(Scalar::Number(0.0)));
            let choose = |one: Option<Scalar>, two: Option<Scalar>| match (one, two) {
                (None, None) => None,
                (one, two) => Some(Scalar::Select(conditions.clone(), zero(one), zero(two))),
            };
            Some(Parts { factor: choose(left.factor, right.factor), addend: choose(left.addend, right.addend) })
        }
        Scalar::Number(_)
        | Scalar::Index(_)
        | Scalar::Position
        | Scalar::Length(_)
        | Scalar::Dot
        | Scalar::Unary(..)
        | Scalar::Binary(..) => None,
    }
}

fn sum(operation: Binary, one: Option<Scalar>, two: Option<Scalar>) -> Option<Scalar> {
    match (one, two, operation) {
        (None, None, _) => None,
        (Some(one), None, _) => Some(one),
        (None, Some(two), Binary::Subtract) => Some(Scalar::Unary(Unary::Negate, Box::new(two))),
        (None, Some(two), _) => Some(two),
        (Some(one), Some(two), operation) => Some(Scalar::Binary(operation, Box::new(one), Box::new(two))),
    }
}

impl Spelling<'_> {
    /// The entry point.
    pub fn scan_of_positions(
        &mut self,
        text: &mut Text,
        stages: &[Stage],
        backward: bool,
        entries: usize,
        plan: &Positions,
    ) -> Entry {
        let Positions { neighbours, beside, .. } = *plan;
        let width = neighbours * beside;
        let usual = std::mem::replace(&mut self.slot, "slot");
        let mut body = Text::default();
        for stage in stages {
            let Stage::Loop(stage) = stage else { unreachable!("a scan in blocks has no products") };
            if std::ptr::eq(&**stage, plan.state) {
                self.state_of_positions(&mut body, plan);
            } else {
                let alone = neighbours > 1 && innermost(stage).is_none();
                body.block(if alone { "if is_own && beside == 0" } else { "if is_own" }, |text| {
                    self.loop_stage(text, stage, Share::Entry { entries, neighbours });
                });
            }
            body.line("storageBarrier();");
        }
        self.slot = usual;
        let track = self.kernel.rows.expect("a scan runs over positions");
        let count = self.count_of(track);
        let whole = self.program.chunks.is_none();
        let from = if whole { String::new() } else { format!("{} + ", self.need(Need::Track(track, Table::From))) };
        let lines = self.step_lines(backward);
        let before = self.sequence_lines();
        let name = "scan_of_positions";
        self.extra.push(affines(POSITIONS * width, width));
        self.entry(text, name, POSITIONS * width, |text, _| {
            let entry = match (neighbours, beside) {
                (1, _) => format!("lane % {width}"),
                (_, 1) => String::new(),
                _ => format!("lane % {width} / {neighbours}"),
            };
            let first = if beside == 1 { "i32(group.x)".to_string() } else { format!("{beside} * i32(group.x)") };
            let entry = if entry.is_empty() { first } else { format!("{first} + {entry}") };
            text.line(format!("let entry = {entry};"));
            if neighbours > 1 {
                text.line(format!("let beside = lane % {neighbours};"));
            }
            text.line(format!("let place = lane / {width};"));
            text.line("let sequence = run.begin + i32(group.y);");
            if !self.kernel.scratch.is_empty() {
                text.line(format!("let slot = {POSITIONS} * sequence + place;"));
            }
            before.iter().for_each(|line| text.line(line));
            text.line(format!("let end = min(run.step + {}, {count});", plan.each));
            text.count("first", "run.step", &Expression::atom("end"), POSITIONS, |text| {
                text.line("let step = first + place;");
                let within = if entries.is_multiple_of(beside) { "" } else { &format!(" && entry < {entries}") };
                text.line(format!("let is_own = step < end{within};"));
                lines.iter().for_each(|line| text.line(line));
                let start = if backward { format!("{count} - 1 - first") } else { "first".to_string() };
                text.line(format!("let start = {from}{start};"));
                text.append(&body);
            });
        });
        let grid = Grid::Entries { entries, each: beside };
        let steps = Some(EntrySteps { each: plan.each, least: FEW_STEPS });
        Entry { name: name.to_string(), grid, most: Some(plan.sequences), steps, slots: POSITIONS }
    }

    /// The recurrence for 32 positions. All invocations come to its barriers, those without a position too.
    fn state_of_positions(&mut self, text: &mut Text, plan: &Positions) {
        self.comment(text, plan.state);
        self.held = Held::default();
        let mut at = At::default();
        for range in &plan.state.ranges {
            let name = self.names.free(&range.name, &at.indices);
            at.indices.push(name);
        }
        self.elements(text, plan, &at, 0, "is_own");
    }

    /// The loops over the state's indices; `is_own` tells whether an invocation has an element.
    fn elements(&mut self, text: &mut Text, plan: &Positions, at: &At, depth: usize, is_own: &str) {
        let state = plan.state;
        if depth == state.results {
            return self.element_of_positions(text, plan, at, is_own);
        }
        let name = &at.indices[depth];
        if state.slice == Some(depth) {
            return text.block("", |text| {
                text.line(format!("let {name} = entry;"));
                self.elements(text, plan, at, depth + 1, is_own);
            });
        }
        let (from, to) = self.range(&state.ranges[depth]);
        if plan.neighbours == 1 || innermost(state) != Some(depth) {
            return text.count(name, &from.text, &to, 1, |text| self.elements(text, plan, at, depth + 1, is_own));
        }
        let first = self.names.free(&format!("first_{name}"), &at.indices);
        let size = size(&state.ranges[depth]).expect("the ranges of a state are known");
        text.count(&first, &from.text, &to, plan.neighbours, |text| {
            text.line(format!("let {name} = {first} + beside;"));
            match size.is_multiple_of(plan.neighbours) {
                true => self.elements(text, plan, at, depth + 1, is_own),
                false => self.elements(text, plan, at, depth + 1, &format!("{is_own} && {name} < {}", to.text)),
            }
        });
    }

    /// One element of the state.
    fn element_of_positions(&mut self, text: &mut Text, plan: &Positions, at: &At, is_own: &str) {
        let both = Scalar::Binary(Binary::Add, Box::new(plan.factor.clone()), Box::new(plan.addend.clone()));
        let (lines, inner) = self.hold(&both, at);
        let nothing = || Expression::atom("0.0");
        let factor = self.number(&plan.factor, &inner);
        let factor = self.choose(&plan.state.domain, factor, nothing(), at);
        let addend = self.number(&plan.addend, &inner);
        let addend = self.choose(&plan.state.domain, addend, nothing(), at);
        let usual = std::mem::replace(&mut self.position, "start");
        let before = self.read(&plan.before, at);
        self.position = usual;
        text.line("var own = Affine(1.0, 0.0, 0.0);");
        text.line("var carried = 0.0;");
        text.block(format!("if {is_own}"), |text| {
            lines.iter().for_each(|line| text.line(line));
            text.line(format!("own = Affine({}, 0.0, {});", factor.text, addend.text));
            text.line(format!("carried = {};", before.text));
        });
        text.line("let all = all_so_far(lane, own);");
        let (element, _) = self.element(&plan.state.target, at);
        text.block(format!("if {is_own}"), |text| {
            text.line(format!("{} = fma(all.factor, carried, fma(all.lost, carried, all.addend));", element.text));
        });
    }
}

/// What is declared for it.
fn affines(lanes: usize, width: usize) -> String {
    format!(
        "
// what becomes of a state: `(factor + lost) * state + addend`
struct Affine {{
  factor: f32,
  // what was rounded off the factor
  lost: f32,
  addend: f32,
}}

var<workgroup> affines: array<Affine, {lanes}>;

// two, one after the other
fn one_affine(early: Affine, late: Affine) -> Affine {{
  let factor = early.factor * late.factor;
  // halves of factors: their products are exact
  let early_high = bitcast<f32>(bitcast<u32>(early.factor) & 0xfffff000u);
  let late_high = bitcast<f32>(bitcast<u32>(late.factor) & 0xfffff000u);
  let early_low = early.factor - early_high;
  let late_low = late.factor - late_high;
  let off = fma(early_high, late_high, -factor) + early_high * late_low + early_low * late_high + early_low * late_low;
  let lost = off + early.factor * late.lost + early.lost * late.factor;
  let addend = fma(late.factor, early.addend, fma(late.lost, early.addend, late.addend));
  // past the largest number nothing is left to be lost
  return Affine(factor, select(0.0, lost, abs(factor) < 1e38f), addend);
}}

// all positions up to an invocation's own, {width} elements of each
fn all_so_far(lane: i32, own: Affine) -> Affine {{
  var all = own;
  for (var apart = {width}; apart < {lanes}; apart *= 2) {{
    affines[lane] = all;
    workgroupBarrier();
    if lane >= apart {{
      all = one_affine(affines[lane - apart], all);
    }}
    workgroupBarrier();
  }}
  return all;
}}"
    )
}
