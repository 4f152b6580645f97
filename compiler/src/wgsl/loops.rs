//! Loop stages: the elements of a result shared out over a workgroup's lanes, or those of one entry by one invocation.

use super::kernel::{Held, Spelling};
use super::numbers::At;
use super::text::{Expression, Strength, Text, float};
use crate::kernel::{Loop, Scalar};
use crate::term::{Binary, Reduction};

/// A reduction of so many elements at least is shared out over the lanes.
const SHARED: i64 = 32;

/// Who computes a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// The lanes of a workgroup, each some elements.
    Lanes,
    /// The elements of one entry (`entry`) of the axis that is shared out.
    Entry {
        /// The axis's entries.
        entries: usize,
        /// So many invocations beside each other (`beside`) share the innermost other axis of the result, if there is one.
        neighbours: usize,
    },
}

impl Spelling<'_> {
    /// One stage for one row.
    pub fn loop_stage(&mut self, text: &mut Text, stage: &Loop, share: Share) {
        self.comment(text, stage);
        self.held = Held::default();
        let mut at = At::default();
        for range in &stage.ranges {
            let name = self.names.free(&range.name, &at.indices);
            at.indices.push(name);
        }
        match share {
            Share::Lanes => self.over_lanes(text, stage, &at),
            Share::Entry { entries, neighbours } => self.of_entry(text, stage, &at, 0, (entries, neighbours)),
        }
    }

    fn over_lanes(&mut self, text: &mut Text, stage: &Loop, at: &At) {
        let ends: Vec<(Expression, Expression)> =
            stage.ranges[..stage.results].iter().map(|range| self.range(range)).collect();
        let one = |(from, to): &(Expression, Expression)| to.minus(from).as_whole() == Some(1);
        let many: Vec<usize> = (0..stage.results).filter(|number| !one(&ends[*number])).collect();
        let only: Vec<String> = (0..stage.results)
            .filter(|number| one(&ends[*number]))
            .map(|number| format!("let {} = {};", at.indices[number], ends[number].0.text))
            .collect();
        let reduction = stage.reduction.filter(|_| self.is_long(stage));
        match (many.as_slice(), reduction) {
            ([], Some(reduction)) => {
                text.block("", |text| {
                    only.iter().for_each(|line| text.line(line));
                    self.reduce_by_lanes(text, stage, reduction, at);
                });
            }
            ([], None) => text.block("if lane == 0", |text| {
                only.iter().for_each(|line| text.line(line));
                self.one_element(text, stage, at);
            }),
            ([number], _) => {
                let (from, to) = &ends[*number];
                let from = from.plus(&Expression::atom("lane"));
                let lanes = self.lanes;
                text.count(&at.indices[*number], &from.text, to, lanes, |text| {
                    only.iter().for_each(|line| text.line(line));
                    self.one_element(text, stage, at);
                });
            }
            (many, _) => {
                let sizes: Vec<Expression> =
                    many.iter().map(|number| ends[*number].1.minus(&ends[*number].0)).collect();
                let all = sizes.iter().cloned().reduce(|one, two| product(&one, &two)).expect("there are several");
                let lanes = self.lanes;
                text.count("element", "lane", &all, lanes, |text| {
                    only.iter().for_each(|line| text.line(line));
                    let mut inner = Expression::whole(1);
                    for (place, number) in many.iter().enumerate().rev() {
                        let mut index = Expression::atom("element");
                        if inner.as_whole() != Some(1) {
                            index = index.infix("/", &inner, Strength::Product);
                        }
                        if place > 0 {
                            index = index.infix("%", &sizes[place], Strength::Product);
                        }
                        let index = ends[*number].0.plus(&index);
                        text.line(format!("let {} = {};", at.indices[*number], index.text));
                        inner = product(&inner, &sizes[place]);
                    }
                    self.one_element(text, stage, at);
                });
            }
        }
    }

    /// Whether a reduction has many elements, or how many is known at run time alone.
    fn is_long(&mut self, stage: &Loop) -> bool {
        let sizes: Vec<Option<i64>> = stage.ranges[stage.results..]
            .iter()
            .map(|range| {
                let (from, to) = self.range(range);
                to.minus(&from).as_whole()
            })
            .collect();
        sizes.into_iter().try_fold(1i64, |all, size| Some(all * size?)).is_none_or(|all| all >= SHARED)
    }

    /// The loops over the result's indices, of which one is the entry.
    fn of_entry(&mut self, text: &mut Text, stage: &Loop, at: &At, depth: usize, shared: (usize, usize)) {
        if depth == stage.results {
            return self.one_element(text, stage, at);
        }
        let (from, to) = self.range(&stage.ranges[depth]);
        let name = at.indices[depth].clone();
        let (entries, neighbours) = shared;
        if stage.slice != Some(depth) {
            let (from, by) = match neighbours > 1 && innermost(stage) == Some(depth) {
                true => (from.plus(&Expression::atom("beside")), neighbours),
                false => (from, 1),
            };
            return text.count(&name, &from.text, &to, by, |text| self.of_entry(text, stage, at, depth + 1, shared));
        }
        let mut inner = |text: &mut Text| {
            text.line(format!("let {name} = entry;"));
            self.of_entry(text, stage, at, depth + 1, shared);
        };
        match (from.as_whole(), to.as_whole()) {
            (Some(0), Some(all)) if all == entries as i64 => text.block("", inner),
            _ => {
                let (from, to) = (from.at_least(Strength::Sum), to.at_least(Strength::Sum));
                text.block(format!("if entry >= {from} && entry < {to}"), &mut inner);
            }
        }
    }

    /// One element of a result.
    pub fn one_element(&mut self, text: &mut Text, stage: &Loop, at: &At) {
        let Some(reduction) = stage.reduction else {
            let (lines, inner) = self.hold(&stage.body, at);
            lines.iter().for_each(|line| text.line(line));
            let value = self.number(&stage.body, &inner);
            let value = self.choose(&stage.domain, value, Expression::atom("0.0"), at);
            return self.store(text, stage, at, &value.text);
        };
        text.line(format!("var total = {};", float(reduction.of_nothing() as f32).text));
        self.reduce(text, stage, reduction, at, stage.results, false);
        self.store(text, stage, at, "total");
    }

    /// The only element of a result, by all lanes.
    fn reduce_by_lanes(&mut self, text: &mut Text, stage: &Loop, reduction: Reduction, at: &At) {
        text.line(format!("var total = {};", float(reduction.of_nothing() as f32).text));
        self.reduce(text, stage, reduction, at, stage.results, true);
        let all = self.of_all_lanes(reduction);
        text.line(format!("let all = {all}(lane, total);"));
        text.block("if lane == 0", |text| self.store(text, stage, at, "all"));
    }

    /// The function that reduces over lanes.
    pub fn of_all_lanes(&mut self, reduction: Reduction) -> &'static str {
        self.lane_functions.insert(reduction);
        match reduction {
            Reduction::Sum => "sum_of_all",
            Reduction::Maximum => "highest_of_all",
            Reduction::Minimum => "lowest_of_all",
        }
    }

    /// The loops over the indices that are reduced over; the innermost by all lanes, where they work together.
    fn reduce(&mut self, text: &mut Text, stage: &Loop, reduction: Reduction, at: &At, depth: usize, by_lanes: bool) {
        if depth == stage.ranges.len() {
            return self.combine(text, stage, reduction, at);
        }
        let (from, to) = self.range(&stage.ranges[depth]);
        let (from, by) = match by_lanes && depth + 1 == stage.ranges.len() {
            true => (from.plus(&Expression::atom("lane")), self.lanes),
            false => (from, 1),
        };
        let name = at.indices[depth].clone();
        text.count(&name, &from.text, &to, by, |text| {
            self.reduce(text, stage, reduction, at, depth + 1, by_lanes);
        });
    }

    /// One more element of a reduction.
    fn combine(&mut self, text: &mut Text, stage: &Loop, reduction: Reduction, at: &At) {
        let condition = self.all_hold(&stage.domain, at);
        let mut body = |text: &mut Text| {
            let (lines, at) = self.hold(&stage.body, at);
            lines.iter().for_each(|line| text.line(line));
            let line = match (&stage.body, reduction) {
                (Scalar::Binary(Binary::Multiply, left, right), Reduction::Sum) => {
                    let (left, right) = (self.number(left, &at), self.number(right, &at));
                    format!("total = fma({}, {}, total);", left.text, right.text)
                }
                (body, Reduction::Sum) => format!("total += {};", self.number(body, &at).text),
                (body, Reduction::Maximum) => format!("total = max(total, {});", self.number(body, &at).text),
                (body, Reduction::Minimum) => format!("total = min(total, {});", self.number(body, &at).text),
            };
            text.line(line);
        };
        match condition {
            None => body(text),
            Some(condition) => text.block(format!("if {}", condition.text), &mut body),
        }
    }

    fn store(&mut self, text: &mut Text, stage: &Loop, at: &At, value: &str) {
        let (element, _) = self.element(&stage.target, at);
        text.line(format!("{} = {value};", element.text));
    }

    /// The functions that reduce over a workgroup's lanes: halving, or first inside each subgroup.
    pub fn lane_reductions(&self) -> String {
        let lanes = self.lanes;
        let mut all = format!("var<workgroup> lane_numbers: array<f32, {lanes}>;\n");
        if self.subgroups {
            all.push_str(
                "// which subgroup this is of how many, and whether this is its first invocation\n\
                 var<private> subgroup: u32;\nvar<private> subgroups: u32;\nvar<private> is_first: bool;\n",
            );
        }
        for reduction in &self.lane_functions {
            let (function, of_subgroup) = match reduction {
                Reduction::Sum => ("sum_of_all", "subgroupAdd"),
                Reduction::Maximum => ("highest_of_all", "subgroupMax"),
                Reduction::Minimum => ("lowest_of_all", "subgroupMin"),
            };
            let combine = |one: &str, two: &str| match reduction {
                Reduction::Sum => format!("{one} + {two}"),
                Reduction::Maximum => format!("max({one}, {two})"),
                Reduction::Minimum => format!("min({one}, {two})"),
            };
            let body = if self.subgroups {
                format!(
                    "  let own = {of_subgroup}(number);\n  if is_first {{\n    lane_numbers[subgroup] = own;\n  }}\n  \
                     workgroupBarrier();\n  var all = lane_numbers[0];\n  \
                     for (var other = 1u; other < subgroups; other += 1u) {{\n    all = {};\n  }}\n  \
                     workgroupBarrier();\n  return all;",
                    combine("all", "lane_numbers[other]")
                )
            } else {
                format!(
                    "  lane_numbers[lane] = number;\n  workgroupBarrier();\n  \
                     for (var half = {}; half > 0; half /= 2) {{\n    if lane < half {{\n      \
                     lane_numbers[lane] = {};\n    }}\n    workgroupBarrier();\n  }}\n  \
                     let all = lane_numbers[0];\n  workgroupBarrier();\n  return all;",
                    lanes / 2,
                    combine("lane_numbers[lane]", "lane_numbers[lane + half]")
                )
            };
            all.push_str(&format!("\nfn {function}(lane: i32, number: f32) -> f32 {{\n{body}\n}}\n"));
        }
        all
    }
}

/// The innermost axis of a result beside the one that is shared out.
pub(super) fn innermost(stage: &Loop) -> Option<usize> {
    (0..stage.results).rev().find(|depth| stage.slice != Some(*depth))
}

/// The product of two sizes.
fn product(one: &Expression, two: &Expression) -> Expression {
    match (one.as_whole(), two.as_whole()) {
        (Some(number), _) => two.times(number),
        (_, Some(number)) => one.times(number),
        (None, None) => one.infix("*", two, Strength::Product),
    }
}
