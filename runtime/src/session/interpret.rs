//! Batches by the float64 interpreter, whose values lie in the order of their axes, not in rows.

use super::Failure;
use super::compile::floats;
use crate::batch::Batch;
use crate::weights::Loaded;
use seqwright_compiler::graph::{Graph, Sequence, interpret};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::{Axis, ValueId};
use std::collections::BTreeMap;

/// What a graph means, be it before the passes, after them or fused: its outputs on a batch. Weights and inputs have the numbers
/// that the graph has for them, which passes change.
///
/// # Errors
/// Weights that are not floats.
pub fn interpret_graph(graph: &Graph, loaded: &Loaded, batch: &Batch) -> Result<Vec<Vec<f32>>, Failure> {
    Ok(interpret_batch(&graph.model, graph, &in_float64(loaded)?, batch))
}

/// Weights as the interpreter takes them.
pub(super) fn in_float64(loaded: &Loaded) -> Result<BTreeMap<ValueId, Vec<f64>>, Failure> {
    let floats = floats(loaded, "the interpreter")?;
    Ok(floats.values.iter().map(|(id, values)| (*id, values.iter().map(|value| f64::from(*value)).collect())).collect())
}

/// One sequence after the other: a model describes one.
pub(super) fn interpret_batch(
    model: &Model,
    graph: &Graph,
    weights: &BTreeMap<ValueId, Vec<f64>>,
    batch: &Batch,
) -> Vec<Vec<f32>> {
    let mut results = vec![Vec::new(); graph.outputs.len()];
    let mut starts: BTreeMap<ValueId, usize> = BTreeMap::new();
    for sequence in 0..batch.sequences {
        let lengths = (0..batch.lengths.len()).map(|time| batch.lengths[time][sequence]).collect();
        let mut inputs: BTreeMap<ValueId, Vec<f64>> = BTreeMap::new();
        for (id, rows) in &batch.inputs {
            let axes = &model.value(*id).axes;
            let row: usize = axes.iter().filter_map(Axis::size).product();
            let count = batch.rows_of(axes, sequence) * row;
            let start = starts.entry(*id).or_insert(0);
            let own: Vec<f64> = rows[*start..*start + count].iter().map(|number| f64::from(*number)).collect();
            *start += count;
            inputs.insert(*id, axis_order(model, *id, batch, sequence, &own));
        }
        let values = inputs.iter().chain(weights).map(|(id, numbers)| (*id, numbers.as_slice())).collect();
        let made = interpret(graph, &Sequence { lengths, values });
        for (place, (_, id)) in graph.outputs.iter().enumerate() {
            let numbers: Vec<f64> = match made.get(id) {
                Some(numbers) => numbers.clone(),
                None => match &graph.value(*id).kind {
                    ValueKind::Constant(numbers) => numbers.clone(),
                    ValueKind::Weight { .. } => weights.get(id).cloned().unwrap_or_default(),
                    ValueKind::Input { .. } | ValueKind::Equation(_) => inputs.get(id).cloned().unwrap_or_default(),
                },
            };
            let rows = row_order(model, *id, batch, sequence, &numbers);
            results[place].extend(rows.into_iter().map(|number| number as f32));
        }
    }
    results
}

/// One sequence's numbers from rows (time axes first) to the order of the axes.
fn axis_order(model: &Model, id: ValueId, batch: &Batch, sequence: usize, rows: &[f64]) -> Vec<f64> {
    let mut numbers = vec![0.0; rows.len()];
    places(model, id, batch, sequence, |row, place| numbers[place] = rows[row]);
    numbers
}

/// The other way round.
fn row_order(model: &Model, id: ValueId, batch: &Batch, sequence: usize, numbers: &[f64]) -> Vec<f64> {
    let mut rows = vec![0.0; numbers.len()];
    places(model, id, batch, sequence, |row, place| rows[row] = numbers[place]);
    rows
}

fn places(model: &Model, id: ValueId, batch: &Batch, sequence: usize, visit: impl FnMut(usize, usize)) {
    let axes = &model.value(id).axes;
    let one = Batch {
        sequences: 1,
        lengths: batch.lengths.iter().map(|lengths| vec![lengths[sequence]]).collect(),
        inputs: BTreeMap::new(),
    };
    let sizes: Vec<usize> = axes
        .iter()
        .map(|axis| axis.time().map_or(axis.size().unwrap_or(1), |time| one.lengths[time.0 as usize][0]))
        .collect();
    crate::batch::for_each_place(axes, &sizes, &one, visit);
}
