//! Why a model has no step program, in words.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Graph;
use crate::model::ValueKind;
use crate::term::{Subscript, Term, TimeId, ValueId, print_term};

/// The equation that keeps a model from running chunk by chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The value whose equation it is.
    pub reader: ValueId,
    /// What it does.
    pub why: Why,
}

/// What an equation does that no chunk program can.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// It reads a value at positions without a bound ahead.
    Ahead(ValueId, Vec<Subscript>),
    /// It is a recurrence from the last position to the first.
    Backward,
    /// It reads a value of the whole sequence.
    Whole(ValueId),
    /// It asks how long the sequence is.
    Length,
    /// It reads a value over pairs of positions at an earlier one.
    PairsKept(ValueId),
    /// It is a value over pairs, with this time axis second.
    Second,
    /// It is over another time axis, and depends on this one.
    OtherAxis(ValueId),
    /// Neither results nor inputs have a time axis that grows.
    NoAxis,
}

impl Refusal {
    /// The refusal as a diagnostic.
    pub fn diagnostic(&self, graph: &Graph, time: Option<TimeId>) -> Diagnostic {
        let value = graph.value(self.reader);
        let path = equation_of(&value.path);
        let axis = time.map_or("", |time| graph.model.times[time.0 as usize].as_str());
        let shown = |read: ValueId| equation_of(&graph.value(read).path).to_string();
        let (message, label, help) = match &self.why {
            Why::Ahead(read, subscripts) => {
                let text = self.read_as_text(graph, *read, subscripts);
                (
                    format!("no step program: `{path}` looks ahead along {axis}, with no bound"),
                    format!("it reads `{text}`"),
                    "restrict what it sees: `where j <= i`, or a position that is a fixed number ahead, `x[t+2]`",
                )
            }
            Why::Backward => (
                format!("no step program: `{path}` runs from the last position of {axis} to the first"),
                format!("it reads `{path}` at a later position"),
                "a model that runs backward needs its whole sequence; `seqc run` without `--stream` gives it",
            ),
            // A part of the equation itself, which has no other name.
            Why::Whole(read) if shown(*read) == path => (
                format!("no step program: `{path}` takes the whole sequence at each position"),
                format!("it reads all positions of {axis}"),
                "a value of the whole sequence can be a result, but no position can depend on it",
            ),
            Why::Whole(read) => (
                format!("no step program: `{path}` depends on `{}`, which takes the whole sequence", shown(*read)),
                format!("it reads `{}` at every position of {axis}", shown(*read)),
                "a value of the whole sequence can be a result, but no position can depend on it",
            ),
            Why::Length => (
                format!(
                    "no step program: `{path}` asks for length({axis}), which is not known before the last position"
                ),
                "it depends on the length".to_string(),
                "give the length as an input of its own, if it is known beforehand",
            ),
            Why::PairsKept(read) => (
                format!("no step program: `{path}` reads `{}`, a value over pairs, at another position", shown(*read)),
                "pairs of earlier positions are not kept".to_string(),
                "read it at the equation's own position",
            ),
            Why::Second => (
                format!("no step program: `{path}` has {axis} as its second time axis"),
                format!("positions of {axis} come one after the other, so that they are its rows"),
                "name the index over it first on the left: `score[i, j]` with `i` the new position",
            ),
            Why::OtherAxis(read) => (
                format!("no step program: `{path}` has another time axis and depends on `{}`", shown(*read)),
                format!("`{}` grows with {axis}", shown(*read)),
                "what is computed once can't depend on the sequence that is generated",
            ),
            Why::NoAxis => (
                match graph.model.known_lengths().next() {
                    None => "no step program: neither the results nor the inputs have a time axis".to_string(),
                    Some((name, length)) => format!(
                        "no step program: {name} has {length} positions, which are all there at once, and no result or input \
                         has an axis that grows"
                    ),
                },
                "a result".to_string(),
                "a model without positions that come takes its inputs at once",
            ),
        };
        let mut diagnostic = Diagnostic::new(Code::NoStep, value.span, message).label(label).help(help);
        if let Why::Ahead(read, _) | Why::Whole(read) | Why::OtherAxis(read) | Why::PairsKept(read) = &self.why
            && graph.value(*read).span != value.span
        {
            let what = match graph.value(*read).kind {
                ValueKind::Input { .. } => "the input that it reads",
                ValueKind::Weight { .. } | ValueKind::Constant(_) | ValueKind::Equation(_) => "what it reads",
            };
            diagnostic = diagnostic.also(graph.value(*read).span, what);
        }
        diagnostic
    }

    fn read_as_text(&self, graph: &Graph, read: ValueId, subscripts: &[Subscript]) -> String {
        match graph.equation(self.reader) {
            None => equation_of(&graph.value(read).path).to_string(),
            Some(equation) => {
                let names = graph.model.names_in(equation);
                print_term(&Term::Read(read, subscripts.to_vec()), &names)
            }
        }
    }
}

/// The path of the equation that a part of it was taken out of: `score'1` is part of `score`.
pub fn equation_of(path: &str) -> &str {
    path.split('\'').next().unwrap_or(path)
}
