//! A sequence's result does not depend on what it was batched with: bit for bit, on every version of the tiles.
//!
//! That holds because every sum runs in one order, whatever the rows beside it: products add along their depth one after the
//! other, attention takes keys in blocks counted from the sequence's start, and everything else is computed row by row.

use seqwright::batch::Batch;
use seqwright::session::Backend;
use seqwright::tiles::Instructions;
use seqwright_tests::goldens::{CASES, case, shown};
use seqwright_tests::sequences::{alone, together};

#[test]
fn alone_and_in_a_ragged_batch_are_the_same_bits() {
    for name in CASES {
        let case = case(name);
        let whole = case.batch();
        // Every sequence, cut to different lengths, among others of other lengths.
        let parts: Vec<Batch> = (0..whole.sequences)
            .map(|sequence| {
                alone(&case.checked.model, &whole, sequence, |length| length.saturating_sub(sequence * 2).max(1))
            })
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
