//! What survives: how fast a change of a state fades.
//!
//! ```text
//! J(n) = ∂ state(t+n) / ∂ state(t)        typical(n) = ‖J(n)‖ / √entries   (Frobenius)
//! ```
//!
//! The typical factor is the root of the mean square of what is left of a change, over all directions: the square of what is
//! left of a random direction of length one is `typical²` on average, so that a few random directions estimate it where
//! entries are many (Hutchinson 1990). Where a recurrence is affine in its state, element by element, `J(n)` is a diagonal,
//! which one direction finds. The largest factor is the spectral norm, the most that is left of any direction; it is known
//! where all of `J(n)` is. See Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.
//!
//! The factor of a state in its own equation, `c = forget * c[t-1] + …`, is found by [`affine_form`], whatever it is called.

use super::affine::affine_form;
use super::kind::{Kind, kind, shift};
use crate::check::recurrence::{Group, Scan};
use crate::graph::{Change, Graph, Sequence, interpret, respond};
use crate::model::{Equation, Value, ValueKind};
use crate::term::{Term, ValueId, print_term};
use std::collections::BTreeMap;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The most positions after a change.
    pub steps: usize,
    /// At how many positions a change is made, evenly spaced.
    pub starts: usize,
    /// States with more entries than this are looked at along random directions.
    pub exact: usize,
    /// How many random directions.
    pub directions: usize,
}

/// Along what a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// All entries at once: none acts on another.
    Diagonal,
    /// Each entry by itself.
    Every,
    /// So many random directions.
    Random(usize),
}

/// What survives of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// The state's path.
    pub state: String,
    /// How many entries it has at a position.
    pub entries: usize,
    /// Along what changes were made.
    pub along: Along,
    /// At how many positions.
    pub starts: usize,
    /// What is left of a change after 0, 1, 2, … positions, typically.
    pub typical: Vec<f64>,
    /// The most that is left of any; nothing where directions are random.
    pub largest: Option<Vec<f64>>,
    /// What its own earlier position is multiplied by, where its equation is affine in that, element by element.
    pub factor: Option<Factor>,
}

/// What a state's earlier position is multiplied by.
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// The term.
    pub text: String,
    /// Its mean over positions and entries.
    pub mean: f64,
    /// For each entry, ascending: after how many positions half is left; infinite where nothing fades.
    pub half_lives: Vec<f64>,
}

/// What survives of each state of a graph's recurrences, for a sequence. `random` gives numbers about 0, none more likely on
/// one side.
pub fn memory(graph: &Graph, sequence: &Sequence, effort: Effort, random: &mut dyn FnMut() -> f64) -> Vec<Memory> {
    let mut graph = graph.clone();
    let needed = graph.needed();
    let scans: Vec<Scan> = graph
        .groups
        .iter()
        .filter_map(|group| match group {
            Group::Scan(scan) if scan.values.iter().any(|value| needed.contains(value)) => Some(scan.clone()),
            Group::Scan(_) | Group::One(_) => None,
        })
        .collect();
    let states: Vec<(usize, ValueId)> = (0..scans.len())
        .flat_map(|place| scans[place].values.iter().map(move |value| (place, *value)))
        .filter(|(_, value)| graph.equation(*value).is_some_and(|equation| equation.is_state))
        .collect();
    let factors: BTreeMap<ValueId, (ValueId, String)> = states
        .iter()
        .filter_map(|(place, state)| Some((*state, add_factor(&mut graph, &scans[*place], *state)?)))
        .collect();
    let wanted: Vec<ValueId> = factors.values().map(|(value, _)| *value).collect();
    graph.groups.extend(wanted.into_iter().map(Group::One));
    graph.groups.retain(|group| match group {
        Group::One(value) => needed.contains(value) || factors.values().any(|(factor, _)| factor == value),
        Group::Scan(scan) => scan.values.iter().any(|value| needed.contains(value)),
    });
    let known = interpret(&graph, sequence);
    let mut all = Vec::new();
    for (place, state) in states {
        let mut found = fading(&graph, sequence, &known, &scans[place], state, effort, random);
        found.factor = factors.get(&state).map(|(value, text)| {
            let length = sequence.lengths[scans[place].time.0 as usize];
            factor(text, &along_time(&graph, state, &scans[place], &known[value], length), length)
        });
        all.push(found);
    }
    all
}

/// The factor of a state's earlier position in its own equation as a value of the graph, and as text. Other values of the
/// recurrence count as given.
fn add_factor(graph: &mut Graph, scan: &Scan, state: ValueId) -> Option<(ValueId, String)> {
    let equation = graph.equation(state)?.clone();
    let mut reads_itself = false;
    equation.term.for_each_read(&mut |value, subscripts| {
        reads_itself |= value == state && shift(&graph.value(state).axes, subscripts, scan.time) != 0;
    });
    let alone = Scan { values: vec![state], ..scan.clone() };
    if !reads_itself || !matches!(kind(&graph.model, &alone), Kind::Elementwise { .. }) {
        return None;
    }
    let factor = affine_form(&graph.model, state, scan.time, &equation)?.factor;
    let text = print_term(&factor, &graph.model.names_in(&equation));
    if matches!(factor, Term::Number(_)) && equation.domain.is_empty() && text == "0" {
        return None;
    }
    let Value { path, span, axes, .. } = graph.value(state).clone();
    let own = Equation { term: factor, domain: Vec::new(), before: None, is_state: false, ..equation };
    let value = Value { path: format!("{path}'factor"), span, axes, kind: ValueKind::Equation(own) };
    graph.model.values.push(value);
    Some((ValueId(graph.model.values.len() as u32 - 1), text))
}

/// How fast a change of a state fades.
fn fading(
    graph: &Graph,
    sequence: &Sequence,
    known: &BTreeMap<ValueId, Vec<f64>>,
    scan: &Scan,
    state: ValueId,
    effort: Effort,
    random: &mut dyn FnMut() -> f64,
) -> Memory {
    let length = sequence.lengths[scan.time.0 as usize];
    let entries = known[&state].len() / length.max(1);
    let steps = effort.steps.min(length.saturating_sub(1));
    let along = match kind(&graph.model, scan) {
        Kind::Elementwise { .. } => Along::Diagonal,
        Kind::Affine(_) | Kind::Other(_) if entries <= effort.exact => Along::Every,
        Kind::Affine(_) | Kind::Other(_) => Along::Random(effort.directions),
    };
    let starts = effort.starts.min(length - steps).max(1);
    let start = |place: usize| place * (length - 1 - steps) / (starts - 1).max(1);
    let mut squares = vec![0.0; steps + 1];
    let mut largest = vec![0.0f64; steps + 1];
    for place in 0..starts {
        let directions: Vec<Vec<f64>> = match along {
            Along::Diagonal => vec![vec![1.0; entries]],
            Along::Every => (0..entries).map(|own| (0..entries).map(|at| f64::from(at == own)).collect()).collect(),
            Along::Random(count) => (0..count).map(|_| unit(entries, random)).collect(),
        };
        let change = Change { scan, value: state, step: start(place), directions: &directions };
        let responses = respond(graph, sequence, known, &change, steps);
        for n in 0..=steps {
            let columns: Vec<&[f64]> = responses.iter().map(|response| response[n].as_slice()).collect();
            let sum: f64 = columns.iter().flat_map(|column| column.iter()).map(|number| number * number).sum();
            squares[n] += sum
                / match along {
                    Along::Diagonal | Along::Every => entries.max(1) as f64,
                    Along::Random(count) => count.max(1) as f64,
                };
            largest[n] = largest[n].max(match along {
                Along::Diagonal => columns[0].iter().fold(0.0, |most, number| most.max(number.abs())),
                Along::Every => spectral_norm(&columns),
                Along::Random(_) => 0.0,
            });
        }
    }
    Memory {
        state: graph.value(state).path.clone(),
        entries,
        along,
        starts,
        typical: squares.into_iter().map(|sum| (sum / starts as f64).sqrt()).collect(),
        largest: (!matches!(along, Along::Random(_))).then_some(largest),
        factor: None,
    }
}

/// A random direction of length one.
fn unit(entries: usize, random: &mut dyn FnMut() -> f64) -> Vec<f64> {
    // The sum of twelve is about normal, so that no direction is more likely than another.
    let mut all: Vec<f64> = (0..entries).map(|_| (0..12).map(|_| random()).sum()).collect();
    let size = norm(&all);
    all.iter_mut().for_each(|number| *number = if size > 0.0 { *number / size } else { 1.0 / (entries as f64).sqrt() });
    all
}

fn norm(numbers: &[f64]) -> f64 {
    numbers.iter().map(|number| number * number).sum::<f64>().sqrt()
}

/// The most that a matrix, given by its columns, makes of a vector of length one: by power iteration on `JᵀJ`.
fn spectral_norm(columns: &[&[f64]]) -> f64 {
    // Turns enough for a relative error far below what is shown.
    const TURNS: usize = 200;
    let count = columns.len();
    // No column's own direction alone, so that none is left out.
    let mut vector: Vec<f64> = (0..count).map(|place| 1.0 + 0.37 * ((place * 7 + 3) % 11) as f64).collect();
    let (mut found, rows) = (0.0, columns.first().map_or(0, |column| column.len()));
    for _ in 0..TURNS {
        let size = norm(&vector);
        if size == 0.0 || !size.is_finite() {
            break;
        }
        vector.iter_mut().for_each(|number| *number /= size);
        let image: Vec<f64> =
            (0..rows).map(|row| columns.iter().zip(&vector).map(|(column, times)| column[row] * times).sum()).collect();
        let now = norm(&image);
        let settled = (now - found).abs() <= 1e-12 * now;
        found = now;
        if settled {
            break;
        }
        vector = columns.iter().map(|column| column.iter().zip(&image).map(|(own, other)| own * other).sum()).collect();
    }
    found
}

/// A value over a recurrence's time as lists, one for each entry.
fn along_time(graph: &Graph, value: ValueId, scan: &Scan, numbers: &[f64], length: usize) -> Vec<Vec<f64>> {
    let axes = &graph.value(value).axes;
    let after = axes.iter().skip_while(|axis| axis.time() != Some(scan.time)).skip(1);
    let inner: usize = after.filter_map(crate::term::Axis::size).product();
    let mut all = vec![Vec::new(); numbers.len() / length.max(1)];
    for (place, number) in numbers.iter().enumerate() {
        let (outer, entry) = (place / (inner * length).max(1), place % inner.max(1));
        all[outer * inner + entry].push(*number);
    }
    all
}

fn factor(text: &str, entries: &[Vec<f64>], length: usize) -> Factor {
    let half_life = |factors: &Vec<f64>| {
        let logarithm = factors.iter().map(|factor| factor.abs().ln()).sum::<f64>() / length.max(1) as f64;
        if logarithm < 0.0 { 0.5f64.ln() / logarithm } else { f64::INFINITY }
    };
    let mut half_lives: Vec<f64> = entries.iter().map(half_life).collect();
    half_lives.sort_by(f64::total_cmp);
    let count: usize = entries.iter().map(Vec::len).sum();
    let mean = entries.iter().flatten().sum::<f64>() / count.max(1) as f64;
    Factor { text: text.to_string(), mean, half_lives }
}

impl Memory {
    /// After how many positions half of a change is left, typically; nothing where more than half is left at the end.
    pub fn halved(&self) -> Option<f64> {
        let after = self.typical.iter().position(|left| *left <= 0.5)?;
        let before = self.typical[after.checked_sub(1)?];
        // Between two positions as if it faded at one rate.
        let part =
            if self.typical[after] > 0.0 { (before / 0.5).ln() / (before / self.typical[after]).ln() } else { 1.0 };
        Some((after - 1) as f64 + part.clamp(0.0, 1.0))
    }
}
