//! Random weights and batches, the same in every run.

use seqwright::batch::Batch;
use seqwright::session::Checked;
use seqwright::weights::Loaded;
use seqwright_compiler::model::{Value, ValueKind};
use seqwright_compiler::term::Axis;

/// Numbers that are the same in every run (a linear congruential generator, constants of Knuth's MMIX).
pub struct Random(pub u64);

impl Random {
    /// From 0 to below 1.
    pub fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal: the sum of four.
    pub fn number(&mut self) -> f32 {
        ((0..4).map(|_| self.fraction()).sum::<f64>() - 2.0) as f32
    }

    /// A whole number below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.fraction() * bound as f64) as usize
    }
}

/// Numbers of a value at one position.
pub fn row(value: &Value) -> usize {
    value.axes.iter().filter_map(Axis::size).product()
}

/// Random weights, and a random batch whose sequences have these lengths.
pub fn random_inputs(checked: &Checked, lengths: &[usize], random: &mut Random) -> (Loaded, Batch) {
    let model = &checked.model;
    let mut loaded = Loaded::default();
    for (id, value) in model.weights() {
        loaded.values.insert(id, (0..row(value)).map(|_| random.number() * 0.5).collect());
    }
    let mut batch = Batch { sequences: lengths.len(), ..Batch::default() };
    for shift in 0..model.times.len() {
        let mut lengths = lengths.to_vec();
        lengths.rotate_left(shift);
        if let Some(length) = model.lengths[shift] {
            lengths.fill(length);
        }
        batch.lengths.push(lengths);
    }
    for (id, value) in model.inputs() {
        let rows: usize = (0..batch.sequences).map(|sequence| batch.rows_of(&value.axes, sequence)).sum();
        let below = match value.kind {
            ValueKind::Input { below } => below,
            ValueKind::Weight { .. } | ValueKind::Constant(_) | ValueKind::Equation(_) => None,
        };
        let mut number = || match below {
            Some(below) => random.below(below) as f32,
            None => random.number(),
        };
        batch.inputs.insert(id, (0..rows * row(value)).map(|_| number()).collect());
    }
    (loaded, batch)
}
