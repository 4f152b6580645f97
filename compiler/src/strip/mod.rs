//! Strips: bodies of numbers that are computed along runs of neighbours, with vectors wider than Cranelift has.
//!
//! A strip is a straight line of steps. Along a run it reads some others, number by number, and some numbers that are the same
//! throughout, and writes one. Cranelift's code says where the runs lie and calls the strip once for each; its machine code is
//! [`avx512`]'s. What is computed is what [`crate::clif`] spells for vectors of four, operation by operation, so that the
//! results have the same bits.
//!
//! What it can't do: functions (exp, tanh, …), which tiles compute on whole runs, and the index itself. Loops that need
//! these, or are short, stay Cranelift's.

pub mod avx512;
mod encoding;

use crate::syntax::tree::Comparator;
use crate::term::{Binary, Unary};
use std::fmt::Write;

/// A step, by number.
pub type StepId = usize;

/// One thing computed, for each number of the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The run of that number.
    Read(usize),
    /// The number that is the same throughout, of that number.
    Same(usize),
    /// A number.
    Constant(f32),
    /// A function of an earlier step: a sign, a root, a whole part.
    Unary(Unary, StepId),
    /// Arithmetic of two.
    Binary(Binary, StepId, StepId),
    /// The first of two where all comparisons hold, else the second.
    Choose(Vec<(Comparator, StepId, StepId)>, StepId, StepId),
}

/// A body along a run. The last step is what is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strip {
    /// What is computed, each from those before.
    pub steps: Vec<Step>,
    /// How many runs are read.
    pub reads: usize,
    /// How many numbers are the same throughout.
    pub sames: usize,
}

impl Strip {
    /// A step, which is there once.
    pub fn step(&mut self, step: Step) -> StepId {
        // Constants that differ in sign or are no number are not the same.
        let same = |known: &Step| match (known, &step) {
            (Step::Constant(one), Step::Constant(other)) => one.to_bits() == other.to_bits(),
            (known, step) => known == step,
        };
        self.steps.iter().position(same).unwrap_or_else(|| {
            self.steps.push(step);
            self.steps.len() - 1
        })
    }

    /// Where what is called with has the address of the run that is written: first. Those that are read follow.
    pub fn place_of_read(number: usize) -> usize {
        8 * (number + 1)
    }

    /// Where it has a number that is the same throughout: behind the addresses.
    pub fn place_of_same(&self, number: usize) -> usize {
        8 * (self.reads + 1) + 4 * number
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.place_of_same(self.sames).next_multiple_of(8)
    }

    /// As text, a step a line.
    pub fn print(&self) -> String {
        let mut text = String::new();
        for (number, step) in self.steps.iter().enumerate() {
            let what = match step {
                Step::Read(run) => format!("run {run}"),
                Step::Same(place) => format!("same {place}"),
                Step::Constant(number) => format!("{number}"),
                Step::Unary(operation, of) => format!("{} v{of}", format!("{operation:?}").to_lowercase()),
                Step::Binary(operation, left, right) => {
                    format!("{} v{left} v{right}", format!("{operation:?}").to_lowercase())
                }
                Step::Choose(comparisons, left, right) => {
                    let all: Vec<String> = (comparisons.iter())
                        .map(|(comparator, left, right)| format!("v{left} {} v{right}", comparator.symbol()))
                        .collect();
                    format!("choose ({}) v{left} v{right}", all.join(", "))
                }
            };
            let _ = writeln!(text, "  v{number} = {what}");
        }
        text
    }
}
