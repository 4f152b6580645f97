//! A sequence's result does not depend on what it was batched with: bit for bit, on every version of the tiles.
//!
//! That holds because every sum runs in one order, whatever the rows beside it: products add along their depth one after the
//! other, attention takes keys in blocks counted from the sequence's start, and everything else is computed row by row.

use seqwright::batch::Batch;
use seqwright::session::Backend;
use seqwright::tiles::Instructions;
use seqwright_compiler::term::Axis;
use seqwright_tests::goldens::{CASES, case, shown};

/// One sequence of a batch alone, cut to a length.
fn alone(case: &seqwright_tests::goldens::Case, batch: &Batch, sequence: usize, cut: impl Fn(usize) -> usize) -> Batch {
    let model = &case.checked.model;
    let lengths: Vec<Vec<usize>> = batch.lengths.iter().map(|lengths| vec![cut(lengths[sequence])]).collect();
    let mut inputs = std::collections::BTreeMap::new();
    for (id, rows) in &batch.inputs {
        let axes = &model.value(*id).axes;
        let row: usize = axes.iter().filter_map(Axis::size).product();
        let start: usize = (0..sequence).map(|before| batch.rows_of(axes, before) * row).sum();
        let one: Batch = Batch { sequences: 1, lengths: lengths.clone(), inputs: Default::default() };
        inputs.insert(*id, rows[start..start + one.rows_of(axes, 0) * row].to_vec());
    }
    Batch { sequences: 1, lengths, inputs }
}

/// Batches one after the other.
fn together(parts: &[Batch]) -> Batch {
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

#[test]
fn alone_and_in_a_ragged_batch_are_the_same_bits() {
    for name in CASES {
        let case = case(name);
        let whole = case.batch();
        // Every sequence, cut to different lengths, among others of other lengths.
        let parts: Vec<Batch> = (0..whole.sequences)
            .map(|sequence| alone(&case, &whole, sequence, |length| length.saturating_sub(sequence * 2).max(1)))
            .collect();
        let batch = together(&parts);
        for instructions in Instructions::available() {
            let runner = case.runner(Backend::Cpu(instructions, 2));
            let all = shown(runner.run(&batch));
            let mut starts = vec![0; all.len()];
            for part in &parts {
                let own = shown(runner.run(part));
                for ((place, own), start) in own.iter().enumerate().zip(&mut starts) {
                    let among = &all[place][*start..*start + own.len()];
                    *start += own.len();
                    let same = own.iter().zip(among).all(|(one, two)| one.to_bits() == two.to_bits());
                    assert!(same, "{name}, output {place}, with {}", instructions.name());
                }
            }
        }
    }
}
