//! What is kept of a sequence, as a value: saved and read again, continued twice, taken back, begun anew; and what refuses a
//! state that is not the model's.

use seqwright::session::{Checked, Failure, Request, Streamer, check};
use seqwright::stream::{Chunk, State, StateError};
use seqwright::tiles::Instructions;
use seqwright::weights::Loaded;
use seqwright_compiler::kernel::KEY_BLOCK;
use seqwright_tests::goldens::shown;
use seqwright_tests::random::{Random, random_inputs, row};
use seqwright_tests::sources::repository;

/// A model of one input, with random weights and one long sequence for it.
struct Model {
    checked: Checked,
    loaded: Loaded,
    rows: Vec<Vec<f32>>,
}

impl Model {
    fn new(file: &str, parameters: &[(&str, f64)], length: usize) -> Model {
        let outputs = Some(vec!["y".to_string()]);
        let parameters = parameters.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        let request = Request { file: repository().join(file), outputs, parameters, ..Request::default() };
        let checked = shown(check(&request, None));
        let (loaded, batch) = random_inputs(&checked, &[length], &mut Random(3));
        let (id, value) = checked.model.inputs().next().expect("an input");
        let rows = batch.inputs[&id].chunks(row(value)).map(<[f32]>::to_vec).collect();
        Model { checked, loaded, rows }
    }

    fn streamer(&self) -> Streamer {
        shown(Streamer::new(&self.checked, &self.loaded, Instructions::best(), 1))
    }

    /// Gives positions to the sequence in a place, so many at once.
    fn give(&self, streamer: &mut Streamer, place: usize, rows: &[Vec<f32>], at_once: usize) -> Vec<f32> {
        let (id, _) = self.checked.model.inputs().next().expect("an input");
        let mut results = Vec::new();
        for rows in rows.chunks(at_once) {
            let mut chunk = Chunk { places: vec![place], lengths: vec![vec![rows.len()]], ..Chunk::default() };
            chunk.inputs.insert(id, rows.concat());
            results.extend(shown(streamer.run(&chunk)).remove(0).numbers);
        }
        results
    }

    /// What a sequence of its own gives.
    fn alone(&self, rows: &[Vec<f32>]) -> Vec<f32> {
        let mut streamer = self.streamer();
        let place = streamer.stream().begin();
        self.give(&mut streamer, place, rows, rows.len())
    }
}

/// Keys and values that are all kept, a ring of them, and a recurrence.
fn kinds() -> [Model; 3] {
    let folder = "tests/fixtures/streaming";
    [
        Model::new("examples/cell_mingru.seq", &[("input", 5.0), ("hidden", 9.0)], 150),
        Model::new(&format!("{folder}/window.seq"), &[], 150),
        Model::new(&format!("{folder}/delayed_cell.seq"), &[], 150),
    ]
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn a_state_is_continued_twice() {
    for model in kinds() {
        let mut streamer = model.streamer();
        let one = streamer.stream().begin();
        let prompt = model.give(&mut streamer, one, &model.rows[..70], 7);
        let two = streamer.stream().fork(one).expect("there is a sequence");
        let as_it_was = model.give(&mut streamer, one, &model.rows[70..], 3);
        let otherwise: Vec<Vec<f32>> = model.rows[70..].iter().rev().cloned().collect();
        let other = model.give(&mut streamer, two, &otherwise, 11);
        assert_eq!(bits(&[&prompt[..], &as_it_was].concat()), bits(&model.alone(&model.rows)));
        assert_eq!(
            bits(&[&prompt[..], &other].concat()),
            bits(&model.alone(&[&model.rows[..70], &otherwise[..]].concat()))
        );
    }
}

#[test]
fn a_state_is_saved_and_read_by_another_run() {
    for model in kinds() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.safetensors");
        let mut streamer = model.streamer();
        // Not the first place, so that no row lies where it will lie.
        streamer.stream().begin();
        let place = streamer.stream().begin();
        let prompt = model.give(&mut streamer, place, &model.rows[..99], 10);
        let state = streamer.stream().state(place).expect("there is a sequence");
        state.save(&path).expect("it can be written");
        let read = State::load(&path).expect("it can be read");
        assert_eq!(read, state);

        let mut streamer = model.streamer();
        let place = streamer.stream().begin_with(&read).expect("it is this model's");
        assert_eq!(streamer.stream().position(place), 99);
        let later = model.give(&mut streamer, place, &model.rows[99..], 1);
        assert_eq!(bits(&[&prompt[..], &later].concat()), bits(&model.alone(&model.rows)));
    }
}

#[test]
fn what_is_all_kept_can_be_taken_back() {
    let model = Model::new("examples/attention_causal.seq", &[("dim", 8.0), ("heads", 2.0)], 150);
    let mut streamer = model.streamer();
    let place = streamer.stream().begin();
    let prompt = model.give(&mut streamer, place, &model.rows[..80], 80);
    model.give(&mut streamer, place, &model.rows[100..], 9);
    streamer.stream().truncate(place, 80).expect("all keys are kept");
    assert_eq!(streamer.stream().position(place), 80);
    let later = model.give(&mut streamer, place, &model.rows[80..], 9);
    assert_eq!(bits(&[&prompt[..], &later].concat()), bits(&model.alone(&model.rows)));
    let ahead = streamer.stream().truncate(place, 151).expect_err("so many did not come");
    assert_eq!(ahead, StateError::Ahead { positions: 151, given: 150 });
}

/// A ring gives nothing up before it is full, nor do the last inputs of a convolution at the very beginning.
#[test]
fn what_is_still_there_can_be_taken_back() {
    let delay = Model::new("tests/fixtures/streaming/delay.seq", &[], 150);
    let [_, window, _] = kinds();
    for (model, from, to) in [(window, 90, 60), (delay, 2, 1)] {
        let mut streamer = model.streamer();
        let place = streamer.stream().begin();
        let mut all = model.give(&mut streamer, place, &model.rows[..to], to);
        model.give(&mut streamer, place, &model.rows[100..100 + from - to], 1);
        streamer.stream().truncate(place, to).expect("nothing is given up yet");
        all.extend(model.give(&mut streamer, place, &model.rows[to..], 7));
        assert_eq!(bits(&all), bits(&model.alone(&model.rows)));
    }
}

#[test]
fn what_is_given_up_can_not_be_taken_back() {
    for model in kinds() {
        let mut streamer = model.streamer();
        let place = streamer.stream().begin();
        let prompt = model.give(&mut streamer, place, &model.rows[..140], 10);
        let failure = streamer.stream().truncate(place, 60).expect_err("earlier positions are given up");
        let StateError::GivenUp { kept, positions, .. } = &failure else { panic!("{failure}") };
        assert!(*positions == 60 && *kept < 140, "{failure}");
        // It is as it was.
        let later = model.give(&mut streamer, place, &model.rows[140..], 10);
        assert_eq!(bits(&[&prompt[..], &later].concat()), bits(&model.alone(&model.rows)));
        // Back to the beginning is always there.
        streamer.stream().truncate(place, 0).expect("a sequence can begin anew");
        assert_eq!(bits(&model.give(&mut streamer, place, &model.rows, 40)), bits(&model.alone(&model.rows)));
        streamer.stream().reset(place);
        assert_eq!(bits(&model.give(&mut streamer, place, &model.rows, 1)), bits(&model.alone(&model.rows)));
    }
}

#[test]
fn a_state_is_that_of_one_model() {
    let [mingru, window, _] = kinds();
    let mut streamer = mingru.streamer();
    let place = streamer.stream().begin();
    mingru.give(&mut streamer, place, &mingru.rows[..5], 5);
    let state = streamer.stream().state(place).expect("there is a sequence");
    let refused = |model: &Model, state: &State| {
        let mut streamer = model.streamer();
        let error = streamer.stream().begin_with(state).expect_err("it is not this model's");
        assert_eq!(streamer.stream().state(0), Err(StateError::NoSequence(0)));
        error
    };
    assert!(matches!(refused(&window, &state), StateError::OtherModel { .. }));
    let mut others = Model::new("examples/cell_mingru.seq", &[("input", 5.0), ("hidden", 9.0)], 5);
    let weight = others.loaded.values.values_mut().next().expect("a weight");
    weight[0] += 1.0;
    assert!(matches!(refused(&others, &state), StateError::OtherWeights(_)));

    // Of the right model, and wrong all the same.
    let damaged = |change: &dyn Fn(&mut State)| {
        let mut other = state.clone();
        change(&mut other);
        assert!(matches!(refused(&mingru, &other), StateError::Damaged(_)));
    };
    damaged(&|state| state.values.clear());
    damaged(&|state| state.values.values_mut().for_each(|kept| kept.numbers.push(0.0)));
    damaged(&|state| state.values.values_mut().for_each(|kept| kept.from += 1));
    damaged(&|state| {
        let any = state.values.values().next().expect("something is kept").clone();
        state.values.insert("other".to_string(), any);
    });
    damaged(&|state| {
        state.given.insert("U".to_string(), 3);
    });
}

#[test]
fn a_file_that_is_no_state_is_refused() {
    let [mingru, ..] = kinds();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.safetensors");
    let mut streamer = mingru.streamer();
    let place = streamer.stream().begin();
    mingru.give(&mut streamer, place, &mingru.rows[..5], 5);
    streamer.stream().state(place).expect("it is there").save(&path).expect("it can be written");
    let whole = std::fs::read(&path).expect("it was written");
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).expect("it can be written");
        State::load(&path).expect_err("it is cut off");
    }
    State::load(&repository().join("tests/goldens/lstm/model.safetensors")).expect_err("it has no metadata of a state");
}

#[test]
fn a_run_refuses_what_is_not_there() {
    let [model, ..] = kinds();
    let mut streamer = model.streamer();
    let place = streamer.stream().begin();
    let (id, _) = model.checked.model.inputs().next().expect("an input");
    let mut refused = |places: Vec<usize>, count: usize, last: bool, wanted: &str| {
        let lengths = vec![vec![count; places.len()]];
        let mut chunk = Chunk { lengths, last, ..Chunk::default() };
        chunk.inputs.insert(id, model.rows[..count * places.len()].concat());
        chunk.places = places;
        match streamer.run(&chunk) {
            Err(Failure::Other(why)) => assert!(why.contains(wanted), "{why}"),
            Err(failure) => panic!("{}", failure.render(false)),
            Ok(_) => assert!(wanted.is_empty(), "it ran"),
        }
    };
    refused(vec![place + 1], 1, false, "no sequence in place 1");
    refused(vec![place, place], 1, false, "twice");
    refused(vec![place], 2, true, "");
    refused(vec![place], 1, false, "come to its end");
}

/// A window of 50 positions: what is kept of a sequence does not grow with it, nor what the kernels work on.
#[test]
fn a_ring_stays_small_however_long_a_sequence_becomes() {
    let model = Model::new("tests/fixtures/streaming/window.seq", &[], 10_000);
    let whole = model.alone(&model.rows);
    for at_once in [1, 100] {
        let mut streamer = model.streamer();
        let place = streamer.stream().begin();
        let first = model.give(&mut streamer, place, &model.rows[..1000], at_once);
        let early = streamer.stream().bytes();
        let later = model.give(&mut streamer, place, &model.rows[1000..], at_once);
        assert_eq!(streamer.stream().bytes(), early, "{at_once} at once");
        // A key and a value of 8 numbers for each position that the window may need, from the beginning of a block of keys
        // on, and for those that come at once; and room for as many again.
        let positions = 50 + KEY_BLOCK + at_once;
        assert!(early <= 4 * (8 + 8) * 2 * positions, "{early} bytes with {at_once} at once");
        assert_eq!(bits(&[&first[..], &later].concat()), bits(&whole), "{at_once} at once");
    }
}

/// Time is an axis: a program is compiled once, and what it gives of the beginning does not depend on what follows.
#[test]
fn one_program_runs_any_length() {
    use seqwright::batch::Batch;
    use seqwright::session::{Backend, Runner};
    for model in kinds() {
        let runner = shown(Runner::new(&model.checked, &model.loaded, Backend::Cpu(Instructions::best(), 2)));
        let (id, _) = model.checked.model.inputs().next().expect("an input");
        let run = |length: usize| {
            let rows: Vec<f32> = model.rows.iter().cycle().take(length).flatten().copied().collect();
            let mut batch = Batch { sequences: 1, lengths: vec![vec![length]], ..Batch::default() };
            batch.inputs.insert(id, rows);
            shown(runner.run(&batch)).remove(0)
        };
        let longest = run(4000);
        for length in [1, 63, 64, 65, 1500] {
            // Of a model that looks ahead, the last position is another one where the sequence ends.
            let row = longest.len() / 4000;
            let sure = (length - 1) * row;
            assert_eq!(bits(&run(length)[..sure]), bits(&longest[..sure]), "{length}");
        }
    }
}
