//! The law of streaming: any way of cutting a sequence into chunks gives the outputs of the whole, bit for bit, and leaves the
//! same state. Tried are chunks of one, empty ones, batches whose sequences are cut differently, and sequences that begin and
//! end at different times in places that others left; with each version of the tiles, on one thread and on two.
//!
//! Bit for bit, because every sum runs in one order wherever a chunk begins: products along their depth, attention in
//! blocks of keys counted from the sequence's first position, recurrences from position to position.

use crate::goldens::shown;
use crate::random::{Random, row};
use crate::tolerance::{Operation, loosest, loosest_of_all};
use seqwright::batch::Batch;
use seqwright::session::{Backend, Checked, Runner, Streamer, lower_chunks};
use seqwright::stream::{Chunk, State};
use seqwright::tiles::Instructions;
use seqwright::weights::Loaded;
use seqwright_compiler::term::{Axis, TimeId, ValueId};
use std::collections::BTreeMap;

/// A model with weights, and sequences.
pub struct Law {
    /// For messages.
    pub name: String,
    /// The model.
    pub checked: Checked,
    /// Its weights.
    pub loaded: Loaded,
    /// The sequences, whole.
    pub batch: Batch,
}

/// Leaves the results that can come chunk by chunk, all together: along the axis of the first of them. Gives the others.
pub fn causal_results(checked: &mut Checked) -> Vec<String> {
    let mut refused = Vec::new();
    for output in std::mem::take(&mut checked.outputs) {
        checked.outputs.push(output);
        if lower_chunks(checked).is_err() {
            refused.extend(checked.outputs.pop().map(|(name, _)| name));
        }
    }
    refused
}

/// An output's rows for each sequence.
type Rows = Vec<Vec<f32>>;

/// How sequences are cut.
trait Cutting {
    /// How many positions come next of a sequence that has so many left.
    fn next(&mut self, left: usize) -> usize;
    /// Whether a sequence is in the next run.
    fn takes_part(&mut self, sequence: usize) -> bool;
}

/// All sequences in every run, until they end.
struct Together<F>(F);

impl<F: FnMut(usize) -> usize> Cutting for Together<F> {
    fn next(&mut self, left: usize) -> usize {
        self.0(left)
    }

    fn takes_part(&mut self, _: usize) -> bool {
        true
    }
}

/// Sequences that begin after some runs, and leave some out.
struct Apart<'random> {
    /// The runs that each still waits for.
    waits: Vec<usize>,
    most: usize,
    random: &'random mut Random,
}

impl Apart<'_> {
    fn new(sequences: usize, most: usize, random: &mut Random) -> Apart<'_> {
        Apart { waits: (0..sequences).map(|_| random.below(20)).collect(), most, random }
    }
}

impl Cutting for Apart<'_> {
    fn next(&mut self, left: usize) -> usize {
        self.random.below(left.min(self.most) + 1)
    }

    fn takes_part(&mut self, sequence: usize) -> bool {
        let waits = &mut self.waits[sequence];
        if *waits > 0 {
            *waits -= 1;
            return false;
        }
        self.random.below(3) > 0
    }
}

/// How far a sequence has come.
struct Progress {
    length: usize,
    place: Option<usize>,
    begun: bool,
    done: usize,
    new: usize,
    over: bool,
}

impl Progress {
    fn new(length: usize) -> Progress {
        Progress { length, place: None, begun: false, done: 0, new: 0, over: false }
    }
}

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

    /// Runs the batch in chunks. A sequence that has come to its end is told so in a run of its own, and leaves its place.
    fn in_chunks(&self, streamer: &mut Streamer, cutting: &mut dyn Cutting) -> (Vec<Rows>, Vec<State>) {
        let lengths = &self.batch.lengths[streamer.time().0 as usize];
        let mut sequences: Vec<Progress> = lengths.iter().map(|length| Progress::new(*length)).collect();
        let mut outputs = vec![vec![Vec::new(); lengths.len()]; self.checked.outputs.len()];
        let mut states = BTreeMap::new();
        while sequences.iter().any(|sequence| !sequence.over) {
            let mut members = Vec::new();
            let mut ended = Vec::new();
            for (number, sequence) in sequences.iter_mut().enumerate().filter(|(_, sequence)| !sequence.over) {
                if !cutting.takes_part(number) {
                    continue;
                }
                if sequence.place.is_none() {
                    sequence.place = Some(streamer.stream().begin());
                } else if sequence.done == sequence.length {
                    sequence.over = true;
                    sequence.new = 0;
                    ended.push(number);
                    continue;
                }
                let left = sequence.length - sequence.done;
                sequence.new = cutting.next(left).min(left);
                members.push(number);
            }
            let place = |number: &usize| sequences[*number].place.expect("it has begun");
            for number in &ended {
                states.insert(*number, streamer.stream().state(place(number)).expect("it is there"));
            }
            self.run_chunk(streamer, &sequences, &members, false, &mut outputs);
            self.run_chunk(streamer, &sequences, &ended, true, &mut outputs);
            for number in ended {
                streamer.stream().end(place(&number));
            }
            for number in members {
                let sequence = &mut sequences[number];
                sequence.begun = true;
                sequence.done += sequence.new;
            }
        }
        (outputs, states.into_values().collect())
    }

    /// Runs the next positions of some sequences, and adds what comes to the outputs.
    fn run_chunk(
        &self,
        streamer: &mut Streamer,
        sequences: &[Progress],
        members: &[usize],
        last: bool,
        outputs: &mut [Rows],
    ) {
        let (model, time) = (&self.checked.model, streamer.time());
        let mut chunk: Chunk = Chunk { last, ..Chunk::default() };
        for number in members {
            chunk.places.push(sequences[*number].place.expect("it has begun"));
        }
        for (axis, lengths) in self.batch.lengths.iter().enumerate() {
            let new = |number: &usize| match (axis == time.0 as usize, sequences[*number].begun) {
                (true, _) => sequences[*number].new,
                (false, false) => lengths[*number],
                (false, true) => 0,
            };
            chunk.lengths.push(members.iter().map(new).collect());
        }
        for (id, value) in model.inputs() {
            let own = chunk.inputs.entry(id).or_default();
            for number in members {
                let Progress { done, new, begun, .. } = sequences[*number];
                own.extend(match value.axes.iter().find_map(Axis::time) {
                    Some(first) if first == time => self.input(id, *number, done, done + new),
                    _ if begun => Vec::new(),
                    Some(first) => self.input(id, *number, 0, self.batch.lengths[first.0 as usize][*number]),
                    None => self.input(id, *number, 0, 1),
                });
            }
        }
        let results = shown(streamer.run(&chunk));
        for ((own, result), (_, id)) in outputs.iter_mut().zip(&results).zip(&self.checked.outputs) {
            let value = model.value(*id);
            let mut rest = result.numbers.as_slice();
            for (number, count) in members.iter().zip(&result.counts) {
                let (new, others) = rest.split_at(count * row(value));
                rest = others;
                let own = &mut own[*number];
                if !value.axes.iter().any(|axis| axis.time().is_some()) {
                    // Of the sequence so far.
                    own.clear();
                }
                if !pairs_of(&value.axes, time) {
                    own.extend_from_slice(new);
                    continue;
                }
                // Earlier positions see none of the later ones, which have no columns yet.
                let sequence = &sequences[*number];
                let so_far = (sequence.done + sequence.new) * row(value);
                for columns in new.chunks(so_far.max(1)) {
                    own.extend_from_slice(columns);
                    own.extend(std::iter::repeat_n(0.0, sequence.length * row(value) - so_far));
                }
            }
            assert!(rest.is_empty(), "{}: rows of no sequence", self.name);
        }
    }

    /// The law, for several ways of cutting, bit for bit: on the processor, with each version of the tiles.
    ///
    /// # Panics
    /// Where it does not hold.
    pub fn holds(&self, random: &mut Random) {
        for instructions in Instructions::available() {
            let backends = [1, 2].map(|threads| Backend::Cpu(instructions, threads));
            self.holds_on(backends, None, random);
        }
    }

    /// The law on two backends, of which the second runs the whole: bit for bit, or within so many times what the operations
    /// before a result may be off.
    ///
    /// # Panics
    /// Where it does not hold.
    pub fn holds_on(&self, backends: [Backend; 2], times: Option<f32>, random: &mut Random) {
        let runner = shown(Runner::new(&self.checked, &self.loaded, backends[1]));
        let expected = self.whole(&runner);
        let mut streamers = backends.map(|backend| shown(Streamer::new(&self.checked, &self.loaded, backend)));
        let (_, at_once) = self.in_chunks(&mut streamers[1], &mut Together(|left| left));
        let most = |operation: Operation| times.map(|times| times * operation.tolerance());
        let of_states = most(loosest_of_all(&self.checked));
        for turn in 0..7 {
            let streamer = &mut streamers[usize::from(turn % 3 > 0)];
            let (outputs, states) = match turn {
                0 => self.in_chunks(streamer, &mut Together(|left| left)),
                1 => self.in_chunks(streamer, &mut Together(|_| 1)),
                2 => self.in_chunks(streamer, &mut Together(|left: usize| random.below(left.min(40) + 1))),
                3 => self.in_chunks(streamer, &mut Together(|left: usize| random.below(left.min(4) + 1))),
                _ => {
                    let sequences = self.batch.sequences;
                    let mut apart = Apart::new(sequences, [1, 5, 40][turn - 4], random);
                    let result = self.in_chunks(streamer, &mut apart);
                    assert!(apart.waits.iter().all(|wait| *wait == 0), "{}: a sequence did not begin", self.name);
                    result
                }
            };
            for ((own, wanted), (output, id)) in outputs.iter().zip(&expected).zip(&self.checked.outputs) {
                let tolerance = most(loosest(&self.checked.model, *id));
                for (sequence, (own, wanted)) in own.iter().zip(wanted).enumerate() {
                    self.same(own, wanted, tolerance, &format!("{output} of sequence {sequence}, turn {turn}"));
                }
            }
            for (state, wanted) in states.iter().zip(&at_once) {
                assert_eq!(state.given, wanted.given, "{}", self.name);
                assert!(state.values.keys().eq(wanted.values.keys()), "{}", self.name);
                for (path, kept) in &state.values {
                    let other = &wanted.values[path];
                    assert_eq!((kept.from, kept.row), (other.from, other.row), "{}, the state's {path}", self.name);
                    self.same(&kept.numbers, &other.numbers, of_states, &format!("the state's {path}, turn {turn}"));
                }
            }
        }
    }

    fn same(&self, got: &[f32], wanted: &[f32], tolerance: Option<f32>, what: &str) {
        assert_eq!(got.len(), wanted.len(), "{}, {what}", self.name);
        for (place, (got, wanted)) in got.iter().zip(wanted).enumerate() {
            let same = got.to_bits() == wanted.to_bits();
            let near = tolerance.is_some_and(|most| (got - wanted).abs() <= most * wanted.abs().max(1.0));
            assert!(same || near, "{}, {what}[{place}]: {got} is not {wanted}", self.name);
        }
    }
}

/// Whether a value is one over pairs of positions of one axis.
fn pairs_of(axes: &[Axis], time: TimeId) -> bool {
    axes.iter().filter(|axis| axis.time() == Some(time)).count() > 1
}
