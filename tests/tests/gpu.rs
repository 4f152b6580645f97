//! The shape of what runs on a GPU: dispatches, submissions and pipelines, which say more than times on a software adapter.

#![cfg(feature = "gpu")]

use seqwright::batch::Batch;
use seqwright::gpu::Counts;
use seqwright::session::{Backend, Checked, Request, Runner, Streamer, check, lower};
use seqwright::stream::{Chunk, State};
use seqwright::tiles::Instructions;
use seqwright_compiler::term::ValueId;
use seqwright_compiler::wgsl::{Target, emit};
use seqwright_tests::backends::gpus;
use seqwright_tests::goldens::{example, shown};
use seqwright_tests::random::{Random, random_inputs};
use seqwright_tests::sources::repository;
use seqwright_tests::tolerance::loosest_of_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn checked(name: &str, sizes: &[(&str, f64)]) -> Checked {
    let parameters = sizes.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    shown(check(&Request { file: example(name), parameters, ..Request::default() }, None))
}

/// A model among the fixtures of programs.
fn program(name: &str) -> Checked {
    let file = repository().join("tests/fixtures/programs").join(name).with_extension("seq");
    shown(check(&Request { file, ..Request::default() }, None))
}

/// Runs a model twice; none without a GPU. The second run compiles nothing, binds nothing anew and gives the same numbers.
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
    assert_eq!(after_one.bind_groups, executable.program().calls.len());
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
        let (mut steady, mut bind_groups) = (None, Vec::new());
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
            bind_groups.push(counts.bind_groups);
        }
        // Bind groups are made anew where a buffer has grown alone: the last hundred positions see few such.
        let calls = streamer.gpu().expect("it runs on a GPU").program().calls.len();
        let grown = bind_groups.windows(2).filter(|two| two[1] > two[0]).count();
        assert!(grown <= 12, "{name}: made anew {grown} times for 150 positions");
        assert!(bind_groups.iter().all(|made| made % calls == 0), "{name}: all calls' groups at a time");
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

/// A stream of one model, and one long sequence that it is given piece by piece.
struct Piecewise {
    streamer: Streamer,
    inputs: BTreeMap<ValueId, Vec<f32>>,
}

/// Positions of the long sequence, and where a state is handed over: within a block, a window and a ring.
const LENGTH: usize = 40;
const HANDED_OVER: usize = 23;

impl Piecewise {
    fn new(checked: &Checked, backend: Backend) -> Piecewise {
        let (loaded, batch): (_, Batch) = random_inputs(checked, &[LENGTH], &mut Random(5));
        Piecewise { streamer: shown(Streamer::new(checked, &loaded, backend)), inputs: batch.inputs }
    }

    /// The results of the positions `from..to`, in chunks of several positions and of one.
    fn feed(&mut self, place: usize, from: usize, to: usize) -> Vec<f32> {
        let mut results = Vec::new();
        let mut next = from;
        for count in [7, 1, 1].into_iter().cycle() {
            let count = count.min(to - next);
            if count == 0 {
                break;
            }
            let own = |(id, rows): (&ValueId, &Vec<f32>)| {
                let row = rows.len() / LENGTH;
                (*id, rows[next * row..(next + count) * row].to_vec())
            };
            let inputs = self.inputs.iter().map(own).collect();
            let chunk = Chunk { places: vec![place], lengths: vec![vec![count]], inputs, last: false };
            let rows = shown(self.streamer.run(&chunk));
            results.extend(rows.into_iter().flat_map(|rows| rows.numbers));
            next += count;
        }
        results
    }

    fn state(&mut self, place: usize) -> State {
        self.streamer.stream().state(place).expect("the sequence is there")
    }
}

/// The furthest that numbers are apart, relative beyond one.
fn apart(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let each = one.iter().zip(other).map(|(one, other)| (one - other).abs() / other.abs().max(1.0));
    each.fold(0.0, |most, each| if each.is_nan() { f32::NAN } else { most.max(each) })
}

/// What is kept is the same on a processor and on a device, so that a state saved from one goes on with the other.
#[test]
fn a_state_of_one_backend_goes_on_on_another() {
    let Some(tested) = gpus().pop() else { return };
    let processor = Backend::Cpu(Instructions::best(), 1);
    let folder = tempfile::tempdir().expect("a folder for states");
    let gpt2 = [("vocab", 11.0), ("context", 80.0), ("dim", 16.0), ("heads", 2.0), ("inner", 32.0), ("layers", 2.0)];
    for (name, checked) in [
        ("lstm", checked("lstm", &[("input", 6.0), ("hidden", 10.0)])),
        ("gpt2", checked("gpt2", &gpt2)),
        ("mingru", checked("cell_mingru", &[("input", 6.0), ("hidden", 10.0)])),
        ("mamba", program("mamba_like")),
        ("window", program("../streaming/window")),
    ] {
        for (from, to) in [(processor, tested.backend), (tested.backend, processor)] {
            let (mut first, mut second) = (Piecewise::new(&checked, from), Piecewise::new(&checked, to));
            let place = first.streamer.stream().begin();
            first.feed(place, 0, HANDED_OVER);
            let state = first.state(place);
            let fork = first.streamer.stream().fork(place).expect("the sequence is there");
            assert_eq!(first.state(fork), state, "{name}: a fork of {from:?}");
            let file = folder.path().join(name);
            state.save(&file).unwrap_or_else(|why| panic!("{name}: {why}"));
            let saved = State::load(&file).unwrap_or_else(|why| panic!("{name}: {why}"));
            let continued = second.streamer.stream().begin_with(&saved).unwrap_or_else(|why| panic!("{name}: {why}"));
            // Not a number was changed on the way.
            assert_eq!(second.state(continued), state, "{name}: from {from:?} to {to:?}");
            let wanted = first.feed(place, HANDED_OVER, LENGTH);
            let found = second.feed(continued, HANDED_OVER, LENGTH);
            let off = apart(&found, &wanted);
            let tolerance = loosest_of_all(&checked).tolerance();
            assert!(off <= tolerance, "{name}: from {from:?} to {to:?} numbers are {off} apart");
            // A sequence that begins without the state gives something else: what was compared depends on it.
            let begun = second.streamer.stream().begin();
            let without = second.feed(begun, HANDED_OVER, LENGTH);
            assert!(apart(&without, &wanted) > 100.0 * tolerance, "{name}: the state changes nothing");
            // The fork goes on as the sequence that it was taken from, bit for bit.
            assert_eq!(first.feed(fork, HANDED_OVER, LENGTH), wanted, "{name}: a fork of {from:?}");
        }
    }
}

/// Calls that are timed run one by one, which changes neither results nor submissions, and each is told of once a run.
#[test]
fn calls_that_are_timed_compute_the_same() {
    let checked = checked("gru", &[("input", 6.0), ("hidden", 8.0)]);
    let Some(tested) = gpus().pop() else { return };
    let (loaded, batch) = random_inputs(&checked, &[9, 4], &mut Random(3));
    let plain = shown(shown(Runner::new(&checked, &loaded, tested.backend)).run(&batch));
    let runner = shown(Runner::new(&checked, &loaded, tested.backend));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let has_clock =
        runner.observe(Box::new(move |call, took| told.lock().expect("nobody panicked").push((call, took))));
    assert_eq!(shown(runner.run(&batch)), plain);
    assert_eq!(shown(runner.run(&batch)), plain);
    let executable = runner.gpu().expect("the runner is one on a GPU");
    assert_eq!(executable.counts().submissions, 1);
    let calls = executable.program().calls.len();
    let seen: Vec<(usize, Duration)> = seen.lock().expect("nobody panicked").clone();
    let wanted: Vec<usize> = if has_clock { (0..calls).chain(0..calls).collect() } else { Vec::new() };
    assert_eq!(seen.iter().map(|(call, _)| *call).collect::<Vec<_>>(), wanted);
    assert!(seen.iter().any(|(_, took)| *took > Duration::ZERO) || !has_clock, "{seen:?}");
}
