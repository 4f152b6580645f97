//! Random weights and inputs, so that any file can be timed and looked at without a checkpoint.
//!
//! Times do not hang on numbers unless they overflow or vanish: weights are of the size that keeps a product's result as large
//! as its operand, inputs lie between -1 and 1, whole numbers are any that the input allows. The same call draws the same.

use crate::batch::Batch;
use crate::command::Stop;
use crate::command::arguments::Length;
use crate::session::Failure;
use crate::weights::Loaded;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use seqwright_compiler::kernel::Limit;
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::Axis;

/// Weights for a model.
pub fn weights(model: &Model) -> Loaded {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut loaded = Loaded::default();
    for (id, value) in model.weights() {
        let sizes: Vec<usize> = value.axes.iter().filter_map(Axis::size).collect();
        let outputs = match value.kind {
            ValueKind::Weight { outputs } => outputs,
            ValueKind::Input { .. } | ValueKind::Constant(_) | ValueKind::Equation(_) => 0,
        };
        let summed: usize = sizes.iter().skip(outputs).product();
        // The variance of numbers spread evenly from -a to a is a²/3.
        let largest = (3.0 / summed.max(3) as f32).sqrt();
        let numbers = (0..sizes.iter().product()).map(|_| largest * between(&mut random));
        loaded.values.insert(id, numbers.collect());
    }
    loaded
}

/// A batch of so many sequences, of `usual` positions where nobody says how many and the model allows so many.
///
/// # Errors
/// A length of an axis that the model does not have.
pub fn batch(
    model: &Model,
    limits: &[Limit],
    lengths: &[Length],
    usual: usize,
    sequences: usize,
) -> Result<Batch, Stop> {
    let unknown = lengths.iter().filter_map(|length| length.axis.as_ref()).find(|axis| !model.times.contains(axis));
    if let Some(axis) = unknown {
        let has = match model.times.is_empty() {
            true => "none".to_string(),
            false => model.times.join(", "),
        };
        let why = format!("the model `{}` has no axis of positions `{axis}`; it has {has}", model.name);
        return Err(Failure::Other(why).into());
    }
    let positions = |(place, name): (usize, &String)| {
        let most = limits.iter().filter(|limit| limit.time.0 as usize == place).map(|limit| limit.most).min();
        let named = lengths.iter().rev().find(|length| length.axis.as_ref() == Some(name));
        let given = named.or_else(|| lengths.iter().rev().find(|length| length.axis.is_none()));
        let usual = || most.map_or(usual, |most| most.min(usual));
        model.lengths[place].unwrap_or_else(|| given.map_or_else(usual, |given| given.positions))
    };
    let lengths: Vec<Vec<usize>> =
        model.times.iter().enumerate().map(|time| vec![positions(time); sequences]).collect();
    let mut batch = Batch { sequences, lengths, ..Batch::default() };
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for (id, value) in model.inputs() {
        let row: usize = value.axes.iter().filter_map(Axis::size).product();
        let rows: usize = (0..sequences).map(|sequence| batch.rows_of(&value.axes, sequence)).sum();
        let number = |random: &mut ChaCha8Rng| match value.kind {
            ValueKind::Input { below: Some(below) } => (random.next_u64() % below.max(1) as u64) as f32,
            ValueKind::Input { below: None }
            | ValueKind::Weight { .. }
            | ValueKind::Constant(_)
            | ValueKind::Equation(_) => between(random),
        };
        batch.inputs.insert(id, (0..rows * row).map(|_| number(&mut random)).collect());
    }
    Ok(batch)
}

/// Numbers from -1 to 1, one after the other.
pub fn numbers() -> impl FnMut() -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    move || f64::from(between(&mut random))
}

/// A number from -1 to 1.
fn between(random: &mut ChaCha8Rng) -> f32 {
    (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0
}
