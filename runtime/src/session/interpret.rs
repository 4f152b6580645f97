//! Batches by the float64 interpreter, whose values lie in the order of their axes, not in rows.

use super::compile::floats;
use super::failure::too_long;
use super::{Checked, Failure};
use crate::batch::Batch;
use crate::weights::{Loaded, Numbers};
use seqwright_compiler::graph::{Graph, Sequence, interpret};
use seqwright_compiler::kernel::Limit;
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::source::Sources;
use seqwright_compiler::term::{Axis, ValueId};
use std::collections::BTreeMap;

/// What a graph means, be it before the passes, after them or fused: its outputs on a batch. Weights and inputs have the numbers
/// that the graph has for them, which passes change.
///
/// # Errors
/// Weights that are not floats.
pub fn interpret_graph(graph: &Graph, loaded: &Loaded, batch: &Batch) -> Result<Vec<Vec<f32>>, Failure> {
    Ok(interpret_batch(&graph.model, graph, &exact_weights(loaded)?, batch))
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
        let lengths = lengths_of(batch, sequence);
        let inputs = inputs_of(model, batch, sequence, &mut starts);
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

fn lengths_of(batch: &Batch, sequence: usize) -> Vec<usize> {
    batch.lengths.iter().map(|lengths| lengths[sequence]).collect()
}

/// A sequence's inputs in the order of their axes; `starts` are where its rows begin, and then where the next one's do.
fn inputs_of(
    model: &Model,
    batch: &Batch,
    sequence: usize,
    starts: &mut BTreeMap<ValueId, usize>,
) -> BTreeMap<ValueId, Vec<f64>> {
    let mut inputs = BTreeMap::new();
    for (id, rows) in &batch.inputs {
        let axes = &model.value(*id).axes;
        let row: usize = axes.iter().filter_map(Axis::size).product();
        let count = batch.rows_of(axes, sequence) * row;
        let start = starts.entry(*id).or_insert(0);
        let own: Vec<f64> = rows[*start..*start + count].iter().map(|number| f64::from(*number)).collect();
        *start += count;
        inputs.insert(*id, axis_order(model, *id, batch, sequence, &own));
    }
    inputs
}

/// One sequence with its weights, as the interpreter reads it.
pub struct OneSequence {
    /// For each time axis, how many positions it has.
    pub lengths: Vec<usize>,
    values: BTreeMap<ValueId, Vec<f64>>,
}

impl OneSequence {
    /// The first of a batch.
    ///
    /// # Errors
    /// It is longer than the model allows; weights that were to be rounded.
    pub fn first(checked: &Checked, loaded: &Loaded, limits: &[Limit], batch: &Batch) -> Result<OneSequence, Failure> {
        refuse_too_long(&checked.model, &checked.sources, limits, batch)?;
        let mut values = inputs_of(&checked.model, batch, 0, &mut BTreeMap::new());
        values.extend(exact_weights(loaded)?);
        Ok(OneSequence { lengths: lengths_of(batch, 0), values })
    }

    /// The same by reference.
    pub fn as_sequence(&self) -> Sequence<'_> {
        let values = self.values.iter().map(|(id, numbers)| (*id, numbers.as_slice())).collect();
        Sequence { lengths: self.lengths.clone(), values }
    }
}

/// Weights in 64 bits.
pub(super) fn exact_weights(loaded: &Loaded) -> Result<BTreeMap<ValueId, Vec<f64>>, Failure> {
    let exact = |(id, values): (&ValueId, &Numbers)| (*id, values.iter().map(|value| f64::from(*value)).collect());
    Ok(floats(loaded, "the interpreter")?.values.iter().map(exact).collect())
}

/// Refuses sequences that are longer than the model's tables of positions.
pub(super) fn refuse_too_long(
    model: &Model,
    sources: &Sources,
    limits: &[Limit],
    batch: &Batch,
) -> Result<(), Failure> {
    for limit in limits {
        let lengths = &batch.lengths[limit.time.0 as usize];
        if let Some(found) = lengths.iter().copied().enumerate().find(|(_, length)| *length > limit.most) {
            return Err(too_long(model, sources, found, limit));
        }
    }
    Ok(())
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
