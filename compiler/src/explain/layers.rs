//! Layers that are alike: the equations of a repeat, iteration by iteration, those that say the same told once.
//!
//! A segment of a path that is a number is an iteration of a repeat, for no name begins with a digit. Two iterations are alike
//! if all that is told of their equations is the same but for the paths inside them and inside their neighbours.

use super::{Equation, Fate};
use std::fmt::Write;

/// A part of a model's equations.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<'a> {
    /// The iteration's path, `layer.3`; nothing outside of repeats.
    pub path: String,
    /// How many iterations, with this as the first, are alike.
    pub count: usize,
    /// Its equations, but for those that say the same as in the iteration before.
    pub lines: Vec<Line<'a>>,
    /// What is left out.
    pub as_before: Option<Before>,
}

/// Equations that say the same as in the iteration before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// That iteration's path.
    pub path: String,
    /// How many equations there are.
    pub count: usize,
    /// Whether some of them see more than there.
    pub sees_more: bool,
}

/// An equation of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// Its path, without the group's.
    pub name: &'a str,
    /// The equation, of the first of the iterations.
    pub equation: &'a Equation,
    /// The same of the last of them.
    pub last: &'a Equation,
}

/// The equations in groups; where it is asked for, iterations that are alike are one, and what is as in the iteration before
/// is left out.
pub fn groups(equations: &[Equation], alike: bool) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for equation in equations {
        let path = iteration(&equation.path);
        let name = equation.path.strip_prefix(path).map_or(equation.path.as_str(), |name| name.trim_start_matches('.'));
        let line = Line { name, equation, last: equation };
        match groups.last_mut() {
            Some(group) if group.path == path => group.lines.push(line),
            Some(_) | None => {
                groups.push(Group { path: path.to_string(), count: 1, lines: vec![line], as_before: None });
            }
        }
    }
    if !alike {
        return groups;
    }
    let mut merged: Vec<Group> = Vec::new();
    for group in groups {
        match merged.last_mut() {
            Some(known) if same(known, &group).is_some_and(|same| !same.contains(&false)) => {
                known.count += 1;
                known.lines.iter_mut().zip(&group.lines).for_each(|(known, own)| known.last = own.equation);
            }
            Some(_) | None => merged.push(group),
        }
    }
    let whole = merged.clone();
    for (place, group) in merged.iter_mut().enumerate().skip(1) {
        let Some(same) = same(&whole[place - 1], group) else { continue };
        let count = same.iter().filter(|same| **same).count();
        if count == 0 || 2 * count < same.len() {
            continue;
        }
        let before = &whole[place - 1].lines;
        let wider = |own: usize| same[own] && before[own].last.sees != group.lines[own].equation.sees;
        let sees_more = (0..same.len()).any(wider);
        group.as_before =
            before.first().map(|line| Before { path: iteration(&line.last.path).to_string(), count, sees_more });
        let mut same = same.into_iter();
        group.lines.retain(|_| !same.next().unwrap_or(false));
    }
    merged
}

/// The path up to its innermost iteration: `layer.3` of `layer.3.attention.score`.
fn iteration(path: &str) -> &str {
    let mut end = 0;
    let mut at = 0;
    for segment in path.split('.') {
        at += segment.len();
        if segment.starts_with(|letter: char| letter.is_ascii_digit()) {
            end = at;
        }
        at += 1;
    }
    &path[..end]
}

/// For each equation of an iteration whether it says the same as in the iteration before, the last of a group; none where
/// they are no such two.
fn same(known: &Group, group: &Group) -> Option<Vec<bool>> {
    let before = iteration(&known.lines.first()?.last.path);
    let (stem, number) = group.path.rsplit_once('.')?;
    let number: usize = number.parse().ok()?;
    let names = |lines: &[Line]| lines.iter().map(|line| line.name.to_string()).collect::<Vec<_>>();
    if before != format!("{stem}.{}", number.checked_sub(1)?) || names(&known.lines) != names(&group.lines) {
        return None;
    }
    let both = known.lines.iter().zip(&group.lines);
    Some(both.map(|(one, two)| signature(one.last, before) == signature(two.equation, &group.path)).collect())
}

/// All that is told of an equation but how far it sees, which grows with each layer; paths inside the iteration, the one
/// before and the one behind are told from it.
fn signature(equation: &Equation, iteration: &str) -> String {
    let (stem, number) = iteration.rsplit_once('.').unwrap_or((iteration, ""));
    let number: Option<usize> = number.parse().ok();
    let relative = |path: &str| {
        let own = path.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
        let own = own.map(|rest| rest.split_once('.').unwrap_or((rest, "")));
        let other = own.and_then(|(other, rest)| Some((other.parse::<usize>().ok()?, rest)));
        match (number, other) {
            (Some(number), Some((other, rest))) if other.abs_diff(number) <= 1 => {
                format!("{}.{rest}", other as i64 - number as i64)
            }
            _ => path.to_string(),
        }
    };
    let all = |paths: &[String]| paths.iter().map(|path| relative(path)).collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    for fate in &equation.fates {
        let _ = match fate {
            Fate::Loop { kernel, hoisted } => write!(text, "loop {kernel} {hoisted};"),
            Fate::Product { kernel, operand, with, hoisted } => {
                write!(text, "product {kernel} {} {} {hoisted};", relative(operand), all(with))
            }
            Fate::Attention { kernel, over } => write!(text, "attention {kernel} {};", all(over)),
            Fate::Inside { attention } => write!(text, "inside {};", relative(attention)),
            Fate::PutInto { readers } => write!(text, "into {};", all(readers)),
            Fate::SameAs { other, whole } => write!(text, "same {whole} {};", relative(other)),
            Fate::Renamed { to } => write!(text, "renamed {};", relative(to)),
            Fate::TakenApart => write!(text, "apart;"),
            Fate::Dropped => write!(text, "dropped;"),
        };
    }
    let weights: Vec<String> = equation
        .weights
        .iter()
        .map(|weight| format!("{} {} {}", relative(&weight.path), weight.numbers, weight.shared))
        .collect();
    let Equation { axes, is_state, outputs, kernels, looks, lag, part, operations, .. } = equation;
    let _ =
        write!(text, "{axes} {is_state} {outputs:?} {kernels:?} {looks:?} {lag} {part:?} {operations:?} {weights:?}");
    text
}
