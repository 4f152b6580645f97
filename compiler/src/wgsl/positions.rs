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
use crate::kernel::{AffineParts, Kernel, Loop, SCAN_BLOCK, Scalar, Stage, Table};
use crate::term::Binary;

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
    /// Its parts.
    parts: &'k AffineParts,
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
/// and the ranges of its recurrence are known.
pub(super) fn positions<'k>(
    kernel: &Kernel,
    stages: &'k [Stage],
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
    let (state, parts) = loops.iter().find_map(|stage| Some((*stage, stage.recurrence.as_deref()?)))?;
    let is_whole = state.ranges.iter().enumerate().all(|(depth, range)| {
        let wanted = if state.slice == Some(depth) { Some(entries) } else { size(range) };
        range.from.iter().all(|bound| bound.position == 0) && size(range).is_some() && size(range) == wanted
    });
    if !is_whole {
        return None;
    }
    let widest = room.min(ELEMENTS);
    let widest = if widest.is_power_of_two() { widest } else { widest.next_power_of_two() / 2 };
    let elements = innermost(state).and_then(|depth| size(&state.ranges[depth])).unwrap_or(1);
    let neighbours = largest_power(elements).min(widest);
    let beside = entries.next_power_of_two().min(widest / neighbours);
    let turns = 1 + loops.iter().map(|stage| turns(stage, neighbours, std::ptr::eq(*stage, state))).sum::<usize>();
    Some(Positions { state, parts, neighbours, beside, sequences, each: POSITIONS * (TURNS / turns).max(1) })
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
        let AffineParts { factor, addend, before } = plan.parts;
        let both = Scalar::Binary(Binary::Add, Box::new(factor.clone()), Box::new(addend.clone()));
        let (lines, inner) = self.hold(&both, at);
        let (factor, addend) = (self.number(factor, &inner), self.number(addend, &inner));
        let usual = std::mem::replace(&mut self.position, "start");
        let before = self.read(before, at);
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
