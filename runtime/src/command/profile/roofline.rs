//! What each call of a kernel costs, and how long the machine needs for it at least.
//!
//! Weights are read from the nearest level that has room for all that a run moves, as they come round once a run; those of a
//! recurrence once a step, from the nearest level that has room for them alone. What passes from one kernel to the next is read
//! from where it fits alone.

use crate::batch::Batch;
use crate::machine::Machine;
use seqwright_compiler::explain::{BYTES, Call, Formula};
use seqwright_compiler::stream::Part;
use seqwright_compiler::term::TimeId;

/// What bounds a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Its operations.
    Arithmetic,
    /// What it reads, mostly from the level of memory of this name.
    Reading(String),
}

impl Bound {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Bound::Arithmetic => "arithmetic",
            Bound::Reading(level) => level,
        }
    }
}

/// What a call costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Floating-point operations.
    pub operations: f64,
    /// Bytes of weights and constants; those of a recurrence for each step.
    pub weights: f64,
    /// Other bytes, read and written.
    pub others: f64,
    /// Whether the weights are read once a step.
    pub again: bool,
    /// The bytes of weights by themselves.
    pub distinct: f64,
}

/// What is run: whole sequences, or one position more along an axis.
#[derive(Clone, Copy, Debug)]
pub enum Run<'b> {
    /// Whole sequences.
    Whole(&'b Batch),
    /// One position along the axis, after those of the batch.
    Step(&'b Batch, TimeId),
}

/// What a call costs, whose weights take so many bytes fewer than 32-bit floats.
pub fn cost(call: &Call, fewer: f64, run: Run) -> Cost {
    let bytes = BYTES as f64;
    let again = matches!(call.kind, "scan" | "backward scan");
    match run {
        Run::Whole(batch) => {
            let all = |formula: &Formula| -> f64 {
                let of =
                    |sequence: usize| formula.evaluate(&|time| batch.lengths[time.0 as usize][sequence] as u64) as f64;
                (0..batch.sequences).map(of).sum()
            };
            let distinct = (bytes * call.moved.shared.evaluate(&|_| 0) as f64 - fewer).max(0.0);
            let steps = call.time.and_then(|time| batch.lengths[time.0 as usize].iter().max()).copied().unwrap_or(1);
            Cost {
                operations: all(&call.operations),
                weights: if again { distinct * steps as f64 } else { distinct },
                others: bytes * (all(&call.moved.read) + all(&call.moved.written)),
                again,
                distinct,
            }
        }
        Run::Step(batch, along) => {
            let whole = |formula: &Formula| -> f64 {
                let position = |time: TimeId, sequence: usize| {
                    batch.lengths[time.0 as usize][sequence] as u64 + u64::from(time == along)
                };
                (0..batch.sequences).map(|sequence| formula.evaluate(&|time| position(time, sequence)) as f64).sum()
            };
            let last = |formula: &Formula| -> f64 {
                let polynomial = formula.polynomial().last_of(along);
                let position = |time: TimeId, sequence: usize| {
                    batch.lengths[time.0 as usize][sequence] as u64 + u64::from(time == along)
                };
                let of = |sequence: usize| polynomial.evaluate(&|time| position(time, sequence)) as f64;
                (0..batch.sequences).map(of).sum()
            };
            let distinct = (bytes * call.moved.shared.evaluate(&|_| 0) as f64 - fewer).max(0.0);
            let (operations, distinct, others) = match call.part {
                Part::Once => (0.0, 0.0, 0.0),
                Part::SoFar => {
                    (whole(&call.operations), distinct, whole(&call.moved.read) + whole(&call.moved.written))
                }
                // An attention reads the keys of all positions for one of them.
                Part::New if call.kind == "attention" => {
                    (last(&call.operations), distinct, whole(&call.moved.read) + last(&call.moved.written))
                }
                Part::New => (last(&call.operations), distinct, last(&call.moved.read) + last(&call.moved.written)),
            };
            Cost { operations, weights: distinct, others: bytes * others.max(0.0), again: false, distinct }
        }
    }
}

impl Cost {
    /// The bytes that it moves.
    pub fn bytes(&self) -> f64 {
        self.weights + self.others
    }

    /// How long the machine needs at least, in seconds, and for what; `all` are the bytes that a whole run moves.
    pub fn limit(&self, all: f64, machine: &Machine) -> (f64, Bound) {
        let computing = machine.computing(self.operations);
        let weights = machine.level_of(if self.again { self.distinct } else { all });
        let others = machine.level_of(self.others);
        let (long, short) = (weights.reading(self.weights), others.reading(self.others));
        if computing >= long + short {
            return (computing, Bound::Arithmetic);
        }
        (long + short, Bound::Reading(if long >= short { weights } else { others }.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Caches, Level, Limits};

    fn machine() -> Machine {
        let rooms = Caches { first: 32 << 10, second: 1 << 20, third: 16 << 20 }.rooms(1);
        let levels = rooms.into_iter().zip([200.0, 100.0, 25.0, 10.0]);
        let levels = levels.map(|((name, room), reads)| Level { name, room, reads }).collect();
        let limits = Limits { arithmetic: 100.0, levels };
        Machine { name: "a test".to_string(), threads: Some(1), limits, unkept: None }
    }

    #[test]
    fn the_longer_of_arithmetic_and_reading_bounds() {
        let product = Cost { operations: 2e9, weights: 4e6, others: 4e6, again: false, distinct: 4e6 };
        assert_eq!(product.limit(100e6, &machine()), (0.02, Bound::Arithmetic));
        let vector = Cost { operations: 2e6, weights: 4e6, others: 8e3, again: false, distinct: 4e6 };
        let (seconds, bound) = vector.limit(100e6, &machine());
        assert_eq!(bound, Bound::Reading("memory".to_string()));
        assert!((seconds - (4e6 / 10e9 + 8e3 / 200e9)).abs() < 1e-9);
    }

    #[test]
    fn weights_of_a_recurrence_come_from_where_they_fit() {
        let scan = Cost { operations: 1e6, weights: 128.0 * 0.5e6, others: 8e3, again: true, distinct: 0.5e6 };
        assert_eq!(scan.limit(100e6, &machine()).1, Bound::Reading("L2".to_string()));
    }
}
