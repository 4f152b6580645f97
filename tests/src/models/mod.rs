//! Random valid models as `.seq` texts: a seed goes in, the same model comes out in every run.
//!
//! A model grows step by step. A step takes values that are there, writes equations of one [`Kind`] (a product, a recurrence,
//! an attention, …), and adds what they give. What nothing reads becomes a result, so that every step counts.
//!
//! Values are estimated as they grow (`Estimate`): how large numbers are, and how far float32 may be from the truth. A step
//! whose result would be too far off is not taken, so that a backend that disagrees with the interpreter is wrong, not
//! imprecise. For the same reason nothing is compared or rounded but what is exact: inputs, positions and tokens.
//!
//! [`Model::narrowed`] is the same model with one result and only the equations that lead to it: a small fixture where a large
//! model disagrees.

mod attention;
mod build;
mod estimate;
mod kind;
mod layers;
mod library;
mod nested;
mod pointwise;
mod product;
mod recurrence;
mod sequence;

pub use kind::Kind;

use build::Builder;
use estimate::{Estimate, MOST_SIZE};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The order of random weights: numbers between -1 and 1, mostly near 0.
const WEIGHT: f64 = 0.35;

/// A time axis of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    T,
    S,
    /// Of known length.
    P,
    /// Of half that length.
    N,
}

/// Positions that sums are estimated over.
const POSITIONS: usize = 70;

impl Time {
    fn name(self) -> &'static str {
        match self {
            Time::T => "T",
            Time::S => "S",
            Time::P => "P",
            Time::N => "N",
        }
    }
}

/// An axis of features, by its place among the model's.
type Axis = usize;

#[derive(Clone, Debug)]
struct Value {
    name: String,
    time: Option<Time>,
    /// In no order.
    features: Vec<Axis>,
    estimate: Estimate,
}

/// Equations that belong together.
#[derive(Clone, Debug)]
struct Step {
    /// Items of the file that it uses.
    definitions: Vec<String>,
    text: String,
    gives: Vec<String>,
    reads: BTreeSet<String>,
    kinds: Vec<Kind>,
}

/// A random model.
#[derive(Clone, Debug)]
pub struct Model {
    seed: u64,
    sizes: Vec<usize>,
    inputs: Vec<String>,
    steps: Vec<Step>,
    outputs: Vec<String>,
}

impl Model {
    /// The model of a seed.
    pub fn random(seed: u64) -> Model {
        Builder::new(seed).build()
    }

    /// What it is made of.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.steps.iter().flat_map(|step| step.kinds.iter().copied())
    }

    /// Its text.
    pub fn text(&self) -> String {
        let mut text = format!("// Random model {}.\n", self.seed);
        let steps: Vec<&str> = self.steps.iter().map(|step| step.text.as_str()).collect();
        text.push_str(&library::uses(&steps.join("\n")));
        text.extend(self.steps.iter().flat_map(|step| &step.definitions).map(String::as_str));
        let mut parameters: Vec<String> = Vec::new();
        let whole = self.steps.iter().map(|step| step.text.as_str()).chain(self.inputs.iter().map(String::as_str));
        let words: BTreeSet<String> = whole.flat_map(words).collect();
        for (axis, size) in self.sizes.iter().enumerate().filter(|(axis, _)| words.contains(&axis_name(*axis))) {
            parameters.push(format!("{} = {size}", axis_name(axis)));
        }
        parameters.push(format!("vocab = {VOCAB}"));
        let halved = words.contains("N");
        if halved || words.contains("P") {
            parameters.push(format!("P = {}", 3 + self.seed % 5));
        }
        if halved {
            parameters.push("N = floor(length(P) / 2)".to_string());
        }
        let (inputs, parameters, outputs) = (self.inputs.join(", "), parameters.join(", "), self.outputs.join(", "));
        let _ = writeln!(text, "model Random({inputs}; {parameters}) -> {outputs} {{");
        for line in self.steps.iter().flat_map(|step| step.text.lines()) {
            let _ = writeln!(text, "  {line}");
        }
        text.push_str("}\n");
        text
    }

    /// The model with one result, and what that is made of, for each value in the order of their equations.
    pub fn narrowed(&self) -> impl Iterator<Item = Model> {
        self.steps.iter().flat_map(|step| &step.gives).map(|output| {
            let mut wanted = BTreeSet::from([output.clone()]);
            let mut steps = Vec::new();
            for step in self.steps.iter().rev() {
                if step.gives.iter().any(|name| wanted.contains(name)) {
                    wanted.extend(step.reads.iter().cloned());
                    steps.push(step.clone());
                }
            }
            steps.reverse();
            let inputs = needed(&self.inputs, &steps);
            Model { inputs, steps, outputs: vec![output.clone()], ..self.clone() }
        })
    }
}

/// The inputs that steps read, and one along each time axis that they name.
fn needed(inputs: &[String], steps: &[Step]) -> Vec<String> {
    let read: BTreeSet<&str> = steps.iter().flat_map(|step| step.reads.iter().map(String::as_str)).collect();
    let along: BTreeSet<String> = steps.iter().flat_map(|step| words(&step.text)).collect();
    let is_read = |input: &String| read.contains(input.split(':').next().unwrap_or_default());
    let mut all: Vec<String> = inputs.iter().filter(|input| is_read(input)).cloned().collect();
    for time in ["T", "S"] {
        let has = |input: &&String| words(input).any(|word| word == time);
        if along.contains(time) && !all.iter().any(|input| has(&input)) {
            all.extend(inputs.iter().find(has).cloned());
        }
    }
    if all.is_empty() {
        all.extend(inputs.first().cloned());
    }
    all
}

/// Names in a text.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').map(str::to_string)
}

fn axis_name(axis: Axis) -> String {
    format!("n{axis}")
}

/// Tokens of every model.
const VOCAB: usize = 6;

/// Positions that tables have.
const CONTEXT: usize = 80;

/// Names of axes.
fn names_of(features: &[Axis]) -> impl Iterator<Item = String> {
    features.iter().map(|axis| axis_name(*axis))
}

/// A list of axes.
fn list(features: &[Axis]) -> String {
    names_of(features).collect::<Vec<_>>().join(", ")
}

/// A number as it stands in a file, with few digits.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_kind_of_step_comes_in_the_models_of_one_run() {
        let mut seen: BTreeMap<Kind, usize> = BTreeMap::new();
        (0..1500).for_each(|seed| Model::random(seed).kinds().for_each(|kind| *seen.entry(kind).or_insert(0) += 1));
        for kind in Kind::ALL {
            let count = seen.get(&kind).copied().unwrap_or(0);
            assert!(count >= 5, "{kind:?} came {count} times: {seen:?}");
        }
        assert_eq!(Model::random(7).text(), Model::random(7).text());
    }
}
