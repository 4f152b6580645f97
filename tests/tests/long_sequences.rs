//! Long sequences: rings that stay small however long a sequence becomes, and give nothing up before they are full; one
//! program for sequences of any length.

use seqwright::session::{Backend, Checked, Request, Streamer, check};
use seqwright::stream::Chunk;
use seqwright::tiles::Instructions;
use seqwright::weights::Loaded;
use seqwright_compiler::kernel::KEYS_TOGETHER;
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
        shown(Streamer::new(&self.checked, &self.loaded, Backend::Cpu(Instructions::best(), 1)))
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

/// A ring gives nothing up before it is full, nor do the last inputs of a convolution at the very beginning.
#[test]
fn what_is_still_there_can_be_taken_back() {
    let delay = Model::new("tests/fixtures/streaming/delay.seq", &[], 150);
    let [_, window, _] = kinds();
    for (model, from, to) in [(window, 60, 40), (delay, 2, 1)] {
        let mut streamer = model.streamer();
        let place = streamer.stream().begin();
        let mut all = model.give(&mut streamer, place, &model.rows[..to], to);
        model.give(&mut streamer, place, &model.rows[100..100 + from - to], 1);
        streamer.stream().truncate(place, to).expect("nothing is given up yet");
        all.extend(model.give(&mut streamer, place, &model.rows[to..], 7));
        assert_eq!(bits(&all), bits(&model.alone(&model.rows)));
    }
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
        // A key and a value of 8 numbers for each position that the window may need, with those that are visited together with
        // its first, and for those that come at once; and room for as many again.
        let positions = 50 + KEYS_TOGETHER + at_once;
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
