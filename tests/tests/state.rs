//! What is kept of a sequence, as a value: saved and loaded, forked, cut, begun anew; and whatever is no state of the model
//! is an error that says so.
//!
//! What is kept runs on every backend; how a file is read and refused depends on none, and runs on one.

use seqwright::session::{Backend, Checked, Failure, Request, Streamer, check, weights};
use seqwright::stream::{Chunk, State, StateError};
use seqwright::tiles::Instructions;
use seqwright::weights::Loaded;
use seqwright_compiler::term::ValueId;
use seqwright_tests::backends::everywhere;
use seqwright_tests::goldens::{case, shown};
use seqwright_tests::random::{Random, random_inputs, row};
use seqwright_tests::sources::repository;
use std::collections::BTreeMap;

/// A model whose sequences come chunk by chunk, and one long sequence.
struct Subject {
    streamer: Streamer,
    checked: Checked,
    /// The inputs' rows, one position after the other.
    inputs: BTreeMap<ValueId, Vec<f32>>,
    length: usize,
}

const LENGTH: usize = 90;

/// For what does not depend on a backend: how states are read and checked.
fn processor() -> Backend {
    Backend::Cpu(Instructions::best(), 1)
}

fn compiled(checked: Checked, loaded: &Loaded, backend: Backend) -> Subject {
    let streamer = shown(Streamer::new(&checked, loaded, backend));
    let (_, batch) = random_inputs(&checked, &[LENGTH], &mut Random(9));
    Subject { streamer, checked, inputs: batch.inputs, length: LENGTH }
}

/// A golden model.
fn golden(name: &str, backend: Backend) -> Subject {
    let case = case(name);
    let loaded = shown(weights(&case.checked, Some(&case.checkpoint)));
    compiled(case.checked, &loaded, backend)
}

fn checked(file: &str, parameters: &[(&str, f64)]) -> Checked {
    let parameters = parameters.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    shown(check(&Request { file: repository().join(file), parameters, ..Request::default() }, None))
}

/// A program with random weights.
fn program(file: &str, parameters: &[(&str, f64)], seed: u64, backend: Backend) -> Subject {
    let checked = checked(file, parameters);
    let (loaded, _) = random_inputs(&checked, &[1], &mut Random(seed));
    compiled(checked, &loaded, backend)
}

impl Subject {
    /// Gives a sequence the positions `from..to` of the long one; gives the results, one after the other.
    fn feed(&mut self, place: usize, from: usize, to: usize) -> Vec<u32> {
        shown(self.try_feed(place, from, to, false))
    }

    fn try_feed(&mut self, place: usize, from: usize, to: usize, last: bool) -> Result<Vec<u32>, Failure> {
        let time = self.streamer.time();
        let mut chunk = Chunk { places: vec![place], last, ..Chunk::default() };
        let begins = self.streamer.position(place) == 0;
        for number in 0..self.checked.model.times.len() {
            let others = if begins { self.length } else { 0 };
            chunk.lengths.push(vec![if number == time.0 as usize { to - from } else { others }]);
        }
        for (id, all) in &self.inputs {
            let value = self.checked.model.value(*id);
            let along = value.axes.iter().any(|axis| axis.time() == Some(time));
            let row = row(value);
            let own: &[f32] = if along {
                &all[from * row..to * row]
            } else if begins {
                all
            } else {
                &[]
            };
            chunk.inputs.insert(*id, own.to_vec());
        }
        let results = self.streamer.run(&chunk)?;
        Ok(results.iter().flat_map(|rows| &rows.numbers).map(|number| number.to_bits()).collect())
    }

    fn begin(&mut self) -> usize {
        self.streamer.stream().begin()
    }

    fn state(&mut self, place: usize) -> State {
        self.streamer.stream().state(place).expect("the sequence is there")
    }
}

/// Models with every kind of state: caches that grow, rings, recurrent values, inputs of before, what is computed once, and
/// what lags behind.
fn subjects(backend: Backend) -> Vec<(&'static str, Subject)> {
    vec![
        ("llama", golden("llama", backend)),
        ("lstm", golden("lstm", backend)),
        ("window", program("tests/fixtures/streaming/window.seq", &[], 3, backend)),
        ("translation", program("tests/fixtures/streaming/translation.seq", &[], 4, backend)),
        ("delayed cell", program("tests/fixtures/streaming/delayed_cell.seq", &[], 5, backend)),
        ("encoder start", program("tests/fixtures/streaming/encoder_start.seq", &[], 6, backend)),
    ]
}

#[test]
fn two_continuations_of_one_prompt_are_two_whole_runs() {
    for backend in everywhere() {
        for (name, mut subject) in subjects(backend) {
            let prompt = subject.begin();
            subject.feed(prompt, 0, 30);
            let fork = subject.streamer.stream().fork(prompt).unwrap();
            // One goes on as it is, the other jumps: to other positions of the long sequence, one by one.
            let first = subject.feed(prompt, 30, 60);
            let second: Vec<Vec<u32>> = (70..80).map(|from| subject.feed(fork, from, from + 1)).collect();
            let whole = subject.begin();
            subject.feed(whole, 0, 30);
            assert_eq!(subject.feed(whole, 30, 60), first, "{name} on {backend:?}");
            let whole = subject.begin();
            subject.feed(whole, 0, 30);
            let again: Vec<Vec<u32>> = (70..80).map(|from| subject.feed(whole, from, from + 1)).collect();
            assert_eq!(again, second, "{name} on {backend:?}");
            assert_ne!(subject.state(fork).given, subject.state(prompt).given, "{name} on {backend:?}");
        }
    }
}

#[test]
fn a_state_that_is_saved_and_loaded_is_the_same() {
    for backend in everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        for (name, mut subject) in subjects(backend) {
            for length in [0, 1, 33] {
                let place = subject.begin();
                if length > 0 {
                    subject.feed(place, 0, length);
                }
                let state = subject.state(place);
                state.save(&path).unwrap();
                let loaded = State::load(&path).unwrap();
                assert_eq!(loaded, state, "{name} on {backend:?}");
                let other = subject.streamer.stream().begin_with(&loaded).unwrap();
                assert_eq!(subject.state(other), state, "{name} on {backend:?}");
                assert_eq!(subject.feed(other, length, 50), subject.feed(place, length, 50), "{name} on {backend:?}");
                assert_eq!(subject.state(other), subject.state(place), "{name} on {backend:?}");
                subject.streamer.stream().end(place);
                subject.streamer.stream().end(other);
            }
        }
    }
}

#[test]
fn a_state_that_grows_can_be_cut() {
    for backend in everywhere() {
        let mut subject = golden("llama", backend);
        let place = subject.begin();
        subject.feed(place, 0, 40);
        let at_25 = {
            let other = subject.begin();
            subject.feed(other, 0, 25);
            subject.state(other)
        };
        subject.streamer.stream().truncate(place, 25).unwrap();
        assert_eq!(subject.state(place), at_25);
        assert_eq!(subject.streamer.position(place), 25);
        // Others come in the place of what was cut off.
        let cut = subject.feed(place, 60, 90);
        let other = subject.streamer.stream().begin_with(&at_25).unwrap();
        assert_eq!(subject.feed(other, 60, 90), cut);
        // A value of its own is cut alike.
        let mut state = subject.state(place);
        let program = subject.streamer.stream().program().clone();
        let time = subject.streamer.time();
        state.truncate(&program, time, 25).unwrap();
        assert_eq!(state, at_25);
        subject.streamer.stream().truncate(place, 0).unwrap();
        let fresh = subject.begin();
        assert_eq!(subject.feed(place, 0, 9), subject.feed(fresh, 0, 9));
    }
}

#[test]
fn what_is_given_up_can_not_be_cut() {
    for backend in everywhere() {
        for (name, said) in [
            ("lstm", "the state can't go back to 25 positions: of `lstm.h` only the last 1 are kept"),
            ("window", "the state can't go back to 25 positions: of `x` only the last 39 are kept"),
        ] {
            let (_, mut subject) = subjects(backend).into_iter().find(|(other, _)| *other == name).unwrap();
            let place = subject.begin();
            subject.feed(place, 0, 80);
            let error = subject.streamer.stream().truncate(place, 25).unwrap_err();
            assert_eq!(error.to_string(), said);
            // Nothing has changed.
            let whole = subject.begin();
            subject.feed(whole, 0, 80);
            assert_eq!(subject.feed(place, 80, 90), subject.feed(whole, 80, 90), "{name} on {backend:?}");
            let error = subject.streamer.stream().truncate(place, 91).unwrap_err();
            assert_eq!(error.to_string(), "the state can't go on to 91 positions: 90 came");
            // All of it is no part of it.
            subject.streamer.stream().truncate(place, 90).unwrap();
            subject.streamer.stream().truncate(place, 0).unwrap();
            assert_eq!(subject.streamer.position(place), 0);
        }
    }
}

#[test]
fn a_sequence_is_begun_anew() {
    for backend in everywhere() {
        for (name, mut subject) in subjects(backend) {
            let place = subject.begin();
            let first = subject.feed(place, 0, 20);
            subject.try_feed(place, 20, 70, true).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
            subject.streamer.stream().reset(place);
            assert_eq!(subject.streamer.position(place), 0);
            assert_eq!(subject.feed(place, 0, 20), first, "{name} on {backend:?}");
        }
    }
}

#[test]
fn sequences_that_are_not_there_or_at_their_end_take_nothing() {
    for backend in everywhere() {
        let mut subject = golden("lstm", backend);
        let place = subject.begin();
        let said = |result: Result<Vec<u32>, Failure>| result.unwrap_err().render(false);
        let nowhere = said(subject.try_feed(place + 1, 0, 1, false));
        assert!(nowhere.contains("there is no sequence in place 1"), "{nowhere}");
        subject.try_feed(place, 0, 5, true).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
        let ended = said(subject.try_feed(place, 5, 6, false));
        assert!(ended.contains("has come to its end: reset it, or begin another"), "{ended}");
        let state = subject.state(place);
        assert!(state.ended);
        let again = subject.streamer.stream().begin_with(&state).unwrap();
        let ended = said(subject.try_feed(again, 5, 6, false));
        assert!(ended.contains("has come to its end"), "{ended}");
        subject.streamer.stream().end(place);
        assert_eq!(subject.streamer.stream().state(place), Err(StateError::NoSequence(place)));
        assert_eq!(subject.streamer.stream().fork(place), Err(StateError::NoSequence(place)));
        assert_eq!(subject.streamer.stream().truncate(place, 0), Err(StateError::NoSequence(place)));
    }
}

#[test]
fn a_state_of_another_model_is_an_error() {
    const FILE: &str = "tests/fixtures/streaming/encoder_start.seq";
    let mut subject = program(FILE, &[], 1, processor());
    let place = subject.begin();
    subject.feed(place, 0, 10);
    let state = subject.state(place);
    let said = |other: &mut Subject| other.streamer.stream().begin_with(&state).unwrap_err().to_string();
    assert_eq!(
        said(&mut golden("lstm", processor())),
        "the state is one of the model `Sequence`, not of `LSTMNetwork`"
    );
    let other = "the state is one of a model `Sequence` with other equations, sizes or weights than this one's";
    assert_eq!(said(&mut program(FILE, &[("hidden", 9.0)], 1, processor())), other);
    assert_eq!(said(&mut program(FILE, &[], 2, processor())), other);
    // One number of one weight is other, wherever it stands.
    let checked = || checked(FILE, &[]);
    let (loaded, _) = random_inputs(&checked(), &[1], &mut Random(1));
    for (id, numbers) in &loaded.values {
        for place in [0, numbers.len() / 3, numbers.len() - 1] {
            let mut changed = loaded.clone();
            changed.values.get_mut(id).unwrap().to_mut()[place] += 0.25;
            assert_eq!(said(&mut compiled(checked(), &changed, processor())), other);
        }
    }
    assert!(compiled(checked(), &loaded, processor()).streamer.stream().begin_with(&state).is_ok());
}

#[test]
fn a_damaged_state_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    for (name, mut subject) in subjects(processor()) {
        let place = subject.begin();
        subject.feed(place, 0, 45);
        let state = subject.state(place);
        state.save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let cuts = (0..bytes.len().min(3000)).chain((3000..bytes.len()).step_by(997)).chain([bytes.len() - 1]);
        for cut in cuts.filter(|cut| *cut < bytes.len()) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let error = State::load(&path).expect_err("it is cut").to_string();
            assert!(error.contains("it is no state: "), "{name}, cut at {cut}: {error}");
        }
        // Any letter of the header is another one: it may not load, or not fit, but it never does harm.
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for place in 0..header {
            for other in [b'0', b'9', b'"', 0xff] {
                let mut changed = bytes.clone();
                changed[place] = other;
                std::fs::write(&path, &changed).unwrap();
                if let Ok(state) = State::load(&path) {
                    let _ =
                        subject.streamer.stream().begin_with(&state).map(|place| subject.streamer.stream().end(place));
                }
            }
        }
        let mut refused = |change: &dyn Fn(&mut State), said: &str| {
            let mut changed = state.clone();
            change(&mut changed);
            let error = subject.streamer.stream().begin_with(&changed).expect_err(said).to_string();
            assert!(error.starts_with("the state is damaged: ") && error.contains(said), "{name}: {error}");
        };
        let first = state.values.keys().next().unwrap().clone();
        let longest = state.values.iter().max_by_key(|(_, kept)| kept.numbers.len()).unwrap().0.clone();
        refused(&|state| drop(state.values.remove(&first)), &format!("it has no `{first}`"));
        refused(
            &|state| drop(state.values.insert("more".to_string(), state.values[&first].clone())),
            "it has values that the model does not keep",
        );
        // A ring that is cut off, and counts that lie.
        refused(&|state| state.values.get_mut(&longest).unwrap().numbers.truncate(1), "has not the rows");
        refused(&|state| state.values.get_mut(&longest).unwrap().from += 1, "has not the rows");
        refused(&|state| state.values.get_mut(&longest).unwrap().row += 1, "has not the rows");
        for time in state.given.keys() {
            let along = *time == subject.checked.model.times[subject.streamer.time().0 as usize];
            // A length of another axis of which nothing is kept could be anything that a sequence can have.
            for lie in [usize::MAX, usize::MAX / 2, 1 << 40].into_iter().chain(along.then_some(46)) {
                let mut changed = state.clone();
                changed.given.insert(time.clone(), lie);
                let refused = subject.streamer.stream().begin_with(&changed);
                assert!(refused.is_err(), "{name}: {lie} positions of {time}");
            }
        }
        let mut changed = state.clone();
        changed.given.insert("Z".to_string(), 1);
        let error = subject.streamer.stream().begin_with(&changed).unwrap_err().to_string();
        assert_eq!(error, "the state is damaged: the model has no time axis Z");
    }
}

#[test]
fn a_sequence_longer_than_the_model_knows_changes_nothing() {
    for backend in everywhere() {
        let mut subject = golden("gpt2", backend);
        let place = subject.begin();
        subject.feed(place, 0, 60);
        let state = subject.state(place);
        let failure = subject.try_feed(place, 60, 65, false).unwrap_err().render(false);
        assert!(failure.contains("sequence 0 has 65 positions of T, `wpe` allows 64 at most"), "{failure}");
        assert_eq!(subject.state(place), state);
        subject.feed(place, 60, 64);
        // So does a state that says so.
        let mut long = state.clone();
        long.given.insert("T".to_string(), 65);
        assert!(subject.streamer.stream().begin_with(&long).is_err());
    }
}
