//! The checked model: every name resolved, every axis known up to the lengths of sequences, every equation written over
//! indices.
//!
//! A model is the list of its values in the order of the file, library definitions instantiated and repeats unrolled. An
//! equation may nest reductions as the file does; the graph flattens them.

use crate::source::Span;
use crate::term::{
    Axis, Condition, Extent, Index, IndexId, Names, Term, TimeId, ValueId, print_conditions, print_number, print_term,
};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A checked model.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Its name in the file.
    pub name: String,
    /// The names of its time axes, no two alike; [`TimeId`] counts them.
    pub times: Vec<String>,
    /// For each time axis its length, where the file says it: every sequence has so many positions.
    pub lengths: Vec<Option<usize>>,
    /// Its values; [`ValueId`] counts them.
    pub values: Vec<Value>,
    /// Values that an equation of the file has inside without a name of their own (what a function is given, a softmax inside
    /// a sum), and that equation's path.
    pub inside: BTreeMap<ValueId, String>,
    /// Every named value that can be asked for, by its path from the model.
    pub names: BTreeMap<String, ValueId>,
    /// What it gives where nothing is asked for.
    pub results: Vec<(String, ValueId)>,
    /// Its parameters and their values.
    pub parameters: Vec<(String, f64)>,
    /// The values that the file asserts to be computed for many positions at once, and where it does.
    pub parallel: Vec<(ValueId, Span)>,
    /// Labels of axes' entries.
    pub labels: BTreeMap<String, Vec<String>>,
}

/// A named value.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its path from the model: `layer.3.attention.score`.
    pub path: String,
    /// Where the file defines it.
    pub span: Span,
    /// Its axes, outermost first.
    pub axes: Vec<Axis>,
    /// Where it comes from.
    pub kind: ValueKind,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum ValueKind {
    /// From outside, one for every sequence: numbers, or whole numbers below a bound.
    Input {
        /// One more than the largest whole number, where they are whole numbers.
        below: Option<usize>,
    },
    /// From a checkpoint.
    Weight {
        /// How many of its axes, the first ones, a product with it gives; the others are summed over.
        outputs: usize,
    },
    /// From the file.
    Constant(Vec<f64>),
    /// From an equation.
    Equation(Equation),
}

/// What an equation computes.
#[derive(Clone, Debug)]
pub struct Equation {
    /// All its indices: first one for each axis of the value, then those of reductions.
    pub indices: Vec<Index>,
    /// What stands at each combination of the first ones.
    pub term: Term,
    /// Where it exists; elsewhere it is absent, and 0 where it is read all the same.
    pub domain: Vec<Condition>,
    /// For a state, the value before the first position (after the last, for one that runs backward); 0 where none is named.
    pub before: Option<ValueId>,
    /// Whether it was declared as a state.
    pub is_state: bool,
}

impl Model {
    /// The value of that number.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }

    /// Its values and their numbers.
    pub fn ids(&self) -> impl Iterator<Item = (ValueId, &Value)> {
        self.values.iter().enumerate().map(|(place, value)| (ValueId(place as u32), value))
    }

    /// The length of a time axis, where the file says it.
    pub fn length(&self, time: TimeId) -> Option<usize> {
        self.lengths[time.0 as usize]
    }

    /// The time axes whose length the file says, and it.
    pub fn known_lengths(&self) -> impl Iterator<Item = (&str, usize)> {
        let names = self.times.iter().map(String::as_str);
        names.zip(&self.lengths).filter_map(|(name, length)| Some((name, (*length)?)))
    }

    /// Its weights, in the order of the file.
    pub fn weights(&self) -> impl Iterator<Item = (ValueId, &Value)> {
        self.ids().filter(|(_, value)| matches!(value.kind, ValueKind::Weight { .. }))
    }

    /// Its inputs, in the order of the file.
    pub fn inputs(&self) -> impl Iterator<Item = (ValueId, &Value)> {
        self.ids().filter(|(_, value)| matches!(value.kind, ValueKind::Input { .. }))
    }

    /// The model as text.
    pub fn print(&self) -> String {
        let mut text = String::new();
        let parameters: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!("{name} = {}", print_number(*value))).collect();
        let _ = writeln!(text, "model {} ({})", self.name, parameters.join(", "));
        for (name, length) in self.known_lengths() {
            let _ = writeln!(text, "time {name} = {length}");
        }
        for value in &self.values {
            let axes = print_axes(&value.axes, &self.times);
            let _ = match &value.kind {
                ValueKind::Input { below: None } => writeln!(text, "input {}{axes}", value.path),
                ValueKind::Input { below: Some(below) } => writeln!(text, "input {}{axes} of {below}", value.path),
                ValueKind::Weight { .. } => writeln!(text, "weight {}{axes}", value.path),
                ValueKind::Constant(numbers) => {
                    writeln!(text, "constant {}{axes} = {} numbers", value.path, numbers.len())
                }
                ValueKind::Equation(equation) => writeln!(text, "{}", self.print_equation(value, equation)),
            };
        }
        let results: Vec<String> =
            self.results.iter().map(|(name, value)| format!("{name} = {}", self.value(*value).path)).collect();
        let _ = writeln!(text, "results {}", results.join(", "));
        text
    }

    /// What the parts of an equation's terms are called.
    pub fn names_in<'a>(&'a self, equation: &'a Equation) -> impl Names + 'a {
        EquationNames { model: self, indices: &equation.indices }
    }

    /// One equation as text: `score[i: T, j: T, heads] = … where …`.
    pub fn print_equation(&self, value: &Value, equation: &Equation) -> String {
        let names = self.names_in(equation);
        let state = match (equation.is_state, equation.before) {
            (false, _) => String::new(),
            (true, None) => "state ".to_string(),
            (true, Some(before)) => format!("state (before: {}) ", self.value(before).path),
        };
        let left = print_indices(&equation.indices[..value.axes.len()], &self.times);
        let term = print_term(&equation.term, &names);
        let domain = match equation.domain.as_slice() {
            [] => String::new(),
            all => format!(" where {}", print_conditions(all, &names)),
        };
        format!("{state}{}{left} = {term}{domain}", value.path)
    }
}

/// `[T, dim = 4]`, or nothing for a value without axes.
pub fn print_axes(axes: &[Axis], times: &[String]) -> String {
    if axes.is_empty() {
        return String::new();
    }
    let axes: Vec<String> = axes
        .iter()
        .map(|axis| match axis.extent {
            Extent::Fixed(size) => format!("{} = {size}", axis.name),
            Extent::Time(time) => times[time.0 as usize].clone(),
        })
        .collect();
    format!("[{}]", axes.join(", "))
}

/// `[i: T, dim]`, or nothing for none.
pub fn print_indices(indices: &[Index], times: &[String]) -> String {
    if indices.is_empty() {
        return String::new();
    }
    let indices: Vec<String> = indices
        .iter()
        .map(|index| match index.axis.extent {
            Extent::Fixed(_) if index.name == index.axis.name => index.name.clone(),
            Extent::Fixed(_) => format!("{}: {}", index.name, index.axis.name),
            Extent::Time(time) => format!("{}: {}", index.name, times[time.0 as usize]),
        })
        .collect();
    format!("[{}]", indices.join(", "))
}

struct EquationNames<'a> {
    model: &'a Model,
    indices: &'a [Index],
}

impl Names for EquationNames<'_> {
    fn value(&self, value: ValueId) -> String {
        self.model.value(value).path.clone()
    }
    fn index(&self, index: IndexId) -> String {
        self.indices[index.0 as usize].name.clone()
    }
    fn time(&self, time: TimeId) -> String {
        self.model.times[time.0 as usize].clone()
    }
}
