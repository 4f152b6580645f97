//! The shape of what runs on a GPU: dispatches, submissions and pipelines, which say more than times on a software adapter.

#![cfg(feature = "gpu")]

use seqwright::batch::Batch;
use seqwright::gpu::Counts;
use seqwright::session::{Checked, Request, Runner, Streamer, check, lower};
use seqwright::stream::Chunk;
use seqwright_compiler::term::ValueId;
use seqwright_compiler::wgsl::{Target, emit};
use seqwright_tests::backends::gpus;
use seqwright_tests::goldens::{example, shown};
use seqwright_tests::random::{Random, random_inputs};

fn checked(name: &str, sizes: &[(&str, f64)]) -> Checked {
    let parameters = sizes.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    shown(check(&Request { file: example(name), parameters, ..Request::default() }, None))
}

/// Runs a model twice; none without a GPU. The second run compiles nothing and gives the same numbers.
fn twice(checked: &Checked, lengths: &[usize]) -> Option<Counts> {
    let tested = gpus().pop()?;
    let (loaded, batch): (_, Batch) = random_inputs(checked, lengths, &mut Random(3));
    let runner = shown(Runner::new(checked, &loaded, tested.backend));
    let executable = runner.gpu().expect("the runner is one on a GPU");
    let compiled = executable.counts().pipelines;
    let first = shown(runner.run(&batch));
    let after_one = executable.counts();
    let second = shown(runner.run(&batch));
    assert_eq!(first, second);
    assert_eq!(executable.counts(), after_one);
    assert_eq!(after_one.pipelines, compiled);
    Some(after_one)
}

#[test]
fn a_recurrence_is_one_dispatch_however_long_where_its_state_fits() {
    let checked = checked("lstm", &[("input", 12.0), ("hidden", 20.0)]);
    for length in [1, 512] {
        let Some(counts) = twice(&checked, &[length, 3]) else { return };
        assert_eq!((counts.dispatches, counts.submissions), (4, 1), "{length} positions");
    }
}

#[test]
fn a_wide_recurrence_is_dispatches_for_each_step_in_one_submission() {
    let checked = checked("lstm", &[("input", 4.0), ("hidden", 320.0)]);
    let Some(counts) = twice(&checked, &[512]) else { return };
    assert_eq!(counts.submissions, 1);
    // The operand, the product, and the gates; once the part that is free of the state, and the last states.
    assert_eq!(counts.dispatches, 3 * 512 + 3);
}

/// States stay on the device: a position is one submission, and what is read back is its results alone.
#[test]
fn a_position_that_comes_alone_is_one_submission() {
    let sizes = [("vocab", 11.0), ("context", 200.0), ("dim", 16.0), ("heads", 2.0), ("inner", 32.0), ("layers", 2.0)];
    for (name, sizes) in [("gpt2", &sizes[..]), ("lstm", &[("input", 12.0), ("hidden", 20.0)][..])] {
        let checked = checked(name, sizes);
        let Some(tested) = gpus().pop() else { return };
        let (loaded, batch) = random_inputs(&checked, &[150], &mut Random(3));
        let mut streamer = shown(Streamer::new(&checked, &loaded, tested.backend));
        let place = streamer.stream().begin();
        let mut steady = None;
        for position in 0..150 {
            let next = |(id, rows): (&ValueId, &Vec<f32>)| {
                let row = rows.len() / 150;
                (*id, rows[position * row..(position + 1) * row].to_vec())
            };
            let inputs = batch.inputs.iter().map(next).collect();
            let chunk = Chunk { places: vec![place], lengths: vec![vec![1]], inputs, last: false };
            let results = shown(streamer.run(&chunk));
            let counts = streamer.gpu().expect("it runs on a GPU").counts();
            assert_eq!(counts.submissions, 1, "{name}");
            let numbers: usize = results.iter().map(|result| result.numbers.len()).sum();
            assert_eq!(counts.read, 4 * numbers as u64, "{name}");
            let first = *steady.get_or_insert((counts.pipelines, counts.dispatches));
            assert_eq!((counts.pipelines, counts.dispatches), first, "{name}, position {position}");
        }
    }
}

#[test]
fn a_block_of_a_transformer_is_few_dispatches() {
    for (name, sizes) in [
        ("gpt2", &[("vocab", 11.0), ("context", 80.0), ("dim", 32.0), ("heads", 4.0), ("inner", 64.0)][..]),
        (
            "bert",
            &[("vocab", 11.0), ("context", 80.0), ("segments", 2.0), ("dim", 32.0), ("heads", 4.0), ("inner", 64.0)][..],
        ),
        ("llama", &[("vocab", 13.0), ("dim", 32.0), ("kv", 2.0), ("group", 2.0), ("half", 4.0), ("inner", 64.0)][..]),
    ] {
        let dispatches = |layers: f64| {
            let sizes: Vec<(&str, f64)> = sizes.iter().copied().chain([("layers", layers)]).collect();
            let program = lower(&checked(name, &sizes)).program;
            let phases = |kernel| emit(&program, kernel, &Target::default()).phases.len();
            program.calls.iter().map(|call| phases(call.kernel)).sum::<usize>()
        };
        let block = dispatches(3.0) - dispatches(2.0);
        assert!(block <= 8, "{name}: {block} dispatches");
    }
}
