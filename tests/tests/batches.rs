//! A sequence's result does not depend on what it was batched with: bit for bit, on every version of the tiles.
//!
//! That holds because every sum runs in one order, whatever the rows beside it: products add along their depth one after the
//! other, attention takes keys in blocks counted from the sequence's start, and everything else is computed row by row.

use seqwright::batch::Batch;
use seqwright::session::{Backend, Runner};
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
        for instructions in Instructions::available() {
            let runner = case.runner(Backend::Cpu(instructions, 2));
            same_bits(&runner, &parts, &format!("{name} with {}", instructions.name()));
        }
    }
}

/// Batches of many rows are run in groups of sequences, each on a thread of its own: as many rows as make several groups for each,
/// of sequences that do not fill them evenly.
#[test]
fn groups_of_sequences_give_what_each_gives_alone() {
    for name in ["bert", "gpt2", "t5", "vit", "lstm"] {
        let case = case(name);
        let whole = case.batch();
        let parts: Vec<Batch> = (0..160)
            .map(|number| {
                let shorter =
                    |length: usize| if name == "vit" { length } else { length.saturating_sub(number % 5).max(1) };
                alone(&case.checked.model, &whole, number % whole.sequences, shorter)
            })
            .collect();
        for threads in [1, 2, 3] {
            let runner = case.runner(Backend::Cpu(Instructions::best(), threads));
            same_bits(&runner, &parts, &format!("{name} on {threads} threads"));
            // The memory of a run is the next one's, and so is that of results that are given back.
            runner.give_back(shown(runner.run(&together(&parts))));
            same_bits(&runner, &parts[..90], &format!("{name} on {threads} threads again"));
        }
    }
}

/// What a run leaves in the memory that the next one uses is not part of that one's results, whatever it is.
#[test]
fn what_was_in_memory_before_does_not_matter() {
    for name in ["attention", "attention_causal", "attention_alibi_window_grouped", "lstm"] {
        let case = case(name);
        let whole = case.batch();
        let mut bad = case.batch();
        bad.inputs.values_mut().for_each(|numbers| numbers.fill(f32::NAN));
        for instructions in Instructions::available() {
            let runner = case.runner(Backend::Cpu(instructions, 1));
            let first = shown(runner.run(&whole));
            let between = shown(runner.run(&bad));
            assert!(between.iter().flatten().any(|number| number.is_nan()), "{name} does not depend on its inputs");
            runner.give_back(between);
            let again = shown(runner.run(&whole));
            let bits = |all: &[Vec<f32>]| all.iter().flatten().map(|number| number.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&first), bits(&again), "{name} with {}", instructions.name());
        }
    }
}

/// Together and alone, sequences have the same results.
fn same_bits(runner: &Runner, parts: &[Batch], what: &str) {
    let all = shown(runner.run(&together(parts)));
    let mut starts = vec![0; all.len()];
    for part in parts {
        let own = shown(runner.run(part));
        for ((place, own), start) in own.iter().enumerate().zip(&mut starts) {
            let among = &all[place][*start..*start + own.len()];
            *start += own.len();
            let same = own.iter().zip(among).all(|(one, two)| one.to_bits() == two.to_bits());
            assert!(same, "{what}, output {place}");
        }
    }
    assert!(starts.iter().zip(&all).all(|(start, all)| *start == all.len()), "{what}: there is more than they have");
}
