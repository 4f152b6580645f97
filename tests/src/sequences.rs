//! Sequences out of a batch and into one.

use seqwright::batch::Batch;
use seqwright_compiler::model::Model;
use seqwright_compiler::term::Axis;
use std::collections::BTreeMap;

/// One sequence of a batch alone, its positions cut to a length.
pub fn alone(model: &Model, batch: &Batch, sequence: usize, cut: impl Fn(usize) -> usize) -> Batch {
    let lengths: Vec<Vec<usize>> = batch.lengths.iter().map(|lengths| vec![cut(lengths[sequence])]).collect();
    let mut inputs = BTreeMap::new();
    for (id, rows) in &batch.inputs {
        let axes = &model.value(*id).axes;
        let row: usize = axes.iter().filter_map(Axis::size).product();
        let start: usize = (0..sequence).map(|before| batch.rows_of(axes, before) * row).sum();
        let one: Batch = Batch { sequences: 1, lengths: lengths.clone(), inputs: BTreeMap::new() };
        inputs.insert(*id, rows[start..start + one.rows_of(axes, 0) * row].to_vec());
    }
    Batch { sequences: 1, lengths, inputs }
}

/// Batches one after the other.
pub fn together(parts: &[Batch]) -> Batch {
    let mut all = parts[0].clone();
    for part in &parts[1..] {
        all.sequences += part.sequences;
        for (lengths, more) in all.lengths.iter_mut().zip(&part.lengths) {
            lengths.extend(more);
        }
        for (id, rows) in &part.inputs {
            all.inputs.entry(*id).or_default().extend(rows);
        }
    }
    all
}
