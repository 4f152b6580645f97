//! Any way of cutting a sequence into chunks gives the outputs of the whole, bit for bit, and leaves the same state:
//! chunks of one, empty ones, and batches whose sequences are cut differently; with each version of the tiles.
//!
//! Bit for bit, because every sum runs in one order wherever a chunk begins: products along their depth, attention in
//! blocks of keys counted from the sequence's first position, recurrences from position to position.

use seqwright::batch::Batch;
use seqwright::session::{Backend, Checked, Request, Runner, Streamer, check, lower_chunks};
use seqwright::stream::{Chunk, State};
use seqwright::tiles::Instructions;
use seqwright::weights::Loaded;
use seqwright_compiler::term::{Axis, TimeId, ValueId};
use seqwright_tests::goldens::{CASES, case, shown};
use seqwright_tests::random::{Random, random_inputs, row};
use seqwright_tests::sources::{files_in, repository};

/// A model with weights, and sequences.
struct Law {
    name: String,
    checked: Checked,
    loaded: Loaded,
    batch: Batch,
}

/// An output's rows for each sequence.
type Rows = Vec<Vec<f32>>;

impl Law {
    /// Rows `from..to` of an input, for one sequence: positions of the first time axis, with all of a second.
    fn input(&self, id: ValueId, sequence: usize, from: usize, to: usize) -> Vec<f32> {
        let value = self.checked.model.value(id);
        let start: usize = (0..sequence).map(|before| self.batch.rows_of(&value.axes, before)).sum();
        let times: Vec<usize> = value.axes.iter().filter_map(Axis::time).map(|time| time.0 as usize).collect();
        let inner: usize = times.iter().skip(1).map(|time| self.batch.lengths[*time][sequence]).product();
        let row = row(value);
        self.batch.inputs[&id][(start + from * inner) * row..(start + to * inner) * row].to_vec()
    }

    fn whole(&self, runner: &Runner) -> Vec<Rows> {
        let results = shown(runner.run(&self.batch));
        let outputs = results.iter().zip(&self.checked.outputs).map(|(numbers, (_, id))| {
            let value = self.checked.model.value(*id);
            let mut rest = numbers.as_slice();
            let cut = (0..self.batch.sequences).map(|sequence| {
                let (own, others) = rest.split_at(self.batch.rows_of(&value.axes, sequence) * row(value));
                rest = others;
                own.to_vec()
            });
            cut.collect()
        });
        outputs.collect()
    }

    /// Runs the batch in chunks: `next` says how many of the positions that are left of a sequence come next.
    fn in_chunks(&self, streamer: &mut Streamer, next: &mut dyn FnMut(usize) -> usize) -> (Vec<Rows>, Vec<State>) {
        let model = &self.checked.model;
        let time = streamer.time();
        let lengths = &self.batch.lengths[time.0 as usize];
        let places: Vec<usize> = lengths.iter().map(|_| streamer.stream().begin()).collect();
        let mut done = vec![0; places.len()];
        let mut outputs = vec![vec![Vec::new(); places.len()]; self.checked.outputs.len()];
        let mut states = Vec::new();
        let mut begun = false;
        loop {
            let ended = begun && done == *lengths;
            if ended {
                states = places.iter().map(|place| streamer.stream().state(*place).expect("it is there")).collect();
            }
            let new: Vec<usize> =
                done.iter().zip(lengths).map(|(done, length)| next(length - done).min(length - done)).collect();
            let mut chunk = Chunk { places: places.clone(), last: ended, ..Chunk::default() };
            for (number, all) in self.batch.lengths.iter().enumerate() {
                chunk.lengths.push(match (number == time.0 as usize, begun) {
                    (true, _) => new.clone(),
                    (false, false) => all.clone(),
                    (false, true) => vec![0; places.len()],
                });
            }
            for (id, value) in model.inputs() {
                let own = chunk.inputs.entry(id).or_default();
                for sequence in 0..places.len() {
                    let first = value.axes.iter().find_map(Axis::time);
                    own.extend(match first {
                        Some(first) if first == time => {
                            self.input(id, sequence, done[sequence], done[sequence] + new[sequence])
                        }
                        _ if begun => Vec::new(),
                        Some(first) => self.input(id, sequence, 0, self.batch.lengths[first.0 as usize][sequence]),
                        None => self.input(id, sequence, 0, 1),
                    });
                }
            }
            let results = shown(streamer.run(&chunk));
            for ((own, result), (_, id)) in outputs.iter_mut().zip(&results).zip(&self.checked.outputs) {
                let value = model.value(*id);
                let mut rest = result.numbers.as_slice();
                for (sequence, count) in result.counts.iter().enumerate() {
                    let (new, others) = rest.split_at(count * row(value));
                    rest = others;
                    if !value.axes.iter().any(|axis| axis.time().is_some()) {
                        // Of the sequence so far.
                        own[sequence].clear();
                    }
                    if pairs_of(&value.axes, time) {
                        // Earlier positions see none of the later ones, which have no columns yet.
                        let so_far = (done[sequence] + new_positions(&chunk, time, sequence)) * row(value);
                        for columns in new.chunks(so_far.max(1)) {
                            own[sequence].extend_from_slice(columns);
                            let missing = lengths[sequence] * row(value) - so_far;
                            own[sequence].extend(std::iter::repeat_n(0.0, missing));
                        }
                        continue;
                    }
                    own[sequence].extend_from_slice(new);
                }
            }
            if ended {
                break;
            }
            begun = true;
            done.iter_mut().zip(&new).for_each(|(done, new)| *done += new);
        }
        places.iter().for_each(|place| streamer.stream().end(*place));
        (outputs, states)
    }

    /// The law, for several ways of cutting.
    fn holds(&self, random: &mut Random) {
        for instructions in Instructions::available() {
            let runner = shown(Runner::new(&self.checked, &self.loaded, Backend::Cpu(instructions, 2)));
            let mut streamer = shown(Streamer::new(&self.checked, &self.loaded, instructions, 2));
            let expected = self.whole(&runner);
            let (_, at_once) = self.in_chunks(&mut streamer, &mut |left| left);
            for turn in 0..5 {
                let mut next = |left: usize| match turn {
                    0 => left,
                    1 => 1,
                    2 => random.below(left.min(40) + 1),
                    _ => random.below(left.min(4) + 1),
                };
                let (outputs, states) = self.in_chunks(&mut streamer, &mut next);
                for ((own, wanted), (output, _)) in outputs.iter().zip(&expected).zip(&self.checked.outputs) {
                    for (sequence, (own, wanted)) in own.iter().zip(wanted).enumerate() {
                        self.same(own, wanted, &format!("{output} of sequence {sequence}, turn {turn}"));
                    }
                }
                for (state, wanted) in states.iter().zip(&at_once) {
                    assert_eq!(state.given, wanted.given, "{}", self.name);
                    assert!(state.values.keys().eq(wanted.values.keys()), "{}", self.name);
                    for (path, kept) in &state.values {
                        let other = &wanted.values[path];
                        assert_eq!((kept.from, kept.row), (other.from, other.row), "{}, the state's {path}", self.name);
                        self.same(&kept.numbers, &other.numbers, &format!("the state's {path}, turn {turn}"));
                    }
                }
            }
        }
    }

    fn same(&self, got: &[f32], wanted: &[f32], what: &str) {
        assert_eq!(got.len(), wanted.len(), "{}, {what}", self.name);
        for (place, (got, wanted)) in got.iter().zip(wanted).enumerate() {
            assert!(got.to_bits() == wanted.to_bits(), "{}, {what}[{place}]: {got} is not {wanted}", self.name);
        }
    }
}

/// Whether a value is one over pairs of positions of one axis.
fn pairs_of(axes: &[Axis], time: TimeId) -> bool {
    axes.iter().filter(|axis| axis.time() == Some(time)).count() > 1
}

fn new_positions(chunk: &Chunk, time: TimeId, sequence: usize) -> usize {
    chunk.lengths[time.0 as usize][sequence]
}

/// Leaves the results that can come chunk by chunk; gives the others.
fn causal_results(checked: &mut Checked) -> Vec<String> {
    let mut refused = Vec::new();
    let all = std::mem::take(&mut checked.outputs);
    for output in all.clone() {
        checked.outputs = vec![output.clone()];
        if lower_chunks(checked).is_err() {
            refused.push(output.0);
        }
    }
    checked.outputs = all.into_iter().filter(|(name, _)| !refused.contains(name)).collect();
    refused
}

fn program(file: &str) -> Checked {
    shown(check(&Request { file: repository().join(file), ..Request::default() }, None))
}

#[test]
fn golden_cases_come_chunk_by_chunk() {
    let mut refused = Vec::new();
    for name in CASES {
        let mut case = case(name);
        let batch = case.batch();
        let results = causal_results(&mut case.checked);
        if !results.is_empty() {
            refused.push(format!("{name}: {}", results.join(", ")));
        }
        if !case.checked.outputs.is_empty() {
            let loaded = shown(seqwright::session::weights(&case.checked, Some(&case.checkpoint)));
            Law { name: name.to_string(), checked: case.checked, loaded, batch }.holds(&mut Random(7));
        }
    }
    insta::assert_snapshot!(refused.join("\n"));
}

#[test]
fn programs_come_chunk_by_chunk() {
    let mut refused = Vec::new();
    for folder in ["tests/fixtures/streaming", "tests/fixtures/programs"] {
        for (name, _) in files_in(folder) {
            let mut checked = program(&format!("{folder}/{name}"));
            let results = causal_results(&mut checked);
            if !results.is_empty() {
                refused.push(format!("{name}: {}", results.join(", ")));
            }
            if checked.outputs.is_empty() {
                continue;
            }
            let mut random = Random(name.len() as u64);
            let lengths = if name == "tokens.seq" { [1, 7, 33, 2, 40] } else { [1, 7, 33, 2, 170] };
            let (loaded, batch) = random_inputs(&checked, &lengths, &mut random);
            Law { name, checked, loaded, batch }.holds(&mut random);
        }
    }
    insta::assert_snapshot!(refused.join("\n"));
}
