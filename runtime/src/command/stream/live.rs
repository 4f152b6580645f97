//! The sequence that runs: positions in, complete positions out.
//!
//! A position's results come when all of them are known: one that looks further ahead holds the others back. A result of the
//! sequence so far (a last state) is there at every position; a model with such ones runs position by position.

use super::super::Stop;
use crate::batch::Batch;
use crate::session::{Failure, Streamer};
use crate::stream::{Chunk, NewRows, State};
use seqwright_compiler::model::Model;
use seqwright_compiler::term::{Axis, TimeId, ValueId};
use std::collections::{BTreeMap, VecDeque};

/// How many positions are run at once at most.
const AT_ONCE: usize = 256;

/// One result at one position: its shape, and its numbers in the order of its axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The sizes of its axes, but for that of positions.
    pub sizes: Vec<usize>,
    /// The numbers.
    pub numbers: Vec<f32>,
}

/// All results at one position.
pub type Position = Vec<Part>;

/// A sequence and what came of it.
pub struct Live {
    streamer: Streamer,
    place: usize,
    time: TimeId,
    along: Vec<ValueId>,
    /// What a sequence is given when it begins; nothing for one that goes on.
    given: Option<Batch>,
    /// How many positions each other axis has.
    lengths: Vec<usize>,
    /// For each result, those at positions that lack others; for one of the sequence so far, the newest.
    waiting: Vec<VecDeque<Part>>,
    so_far: Vec<bool>,
    /// Whether its last position came.
    ended: bool,
    count: usize,
}

/// What is done with results as they come.
pub type Told<'t> = dyn FnMut(&Live, &[Position]) -> Result<(), Stop> + 't;

impl Live {
    /// A sequence in a place; `lengths` are those of a state that it goes on from.
    ///
    /// # Errors
    /// A result that has positions of another axis only.
    pub fn new(
        streamer: Streamer,
        place: usize,
        along: Vec<ValueId>,
        given: Option<Batch>,
        lengths: &BTreeMap<String, usize>,
    ) -> Result<Live, Failure> {
        let (time, model) = (streamer.time(), streamer.model());
        let length = |(number, name): (usize, &String)| match given.as_ref().and_then(|given| given.lengths.get(number))
        {
            Some(own) => own[0],
            None => lengths.get(name).copied().unwrap_or(0),
        };
        let lengths = model.times.iter().enumerate().map(length).collect();
        let mut so_far = Vec::new();
        for (name, id) in streamer.outputs() {
            let times: Vec<TimeId> = model.value(*id).axes.iter().filter_map(Axis::time).collect();
            if !times.is_empty() && times[0] != time {
                return Err(Failure::Other(format!(
                    "`{name}` does not come along {}: ask for it without `--stream`",
                    model.times[time.0 as usize]
                )));
            }
            so_far.push(times.is_empty());
        }
        let waiting = vec![VecDeque::new(); so_far.len()];
        Ok(Live { streamer, place, time, along, given, lengths, waiting, so_far, ended: false, count: 0 })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.streamer.model()
    }

    /// The inputs that come along.
    pub fn along(&self) -> &[ValueId] {
        &self.along
    }

    /// The results' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.streamer.outputs().iter().map(|(name, _)| name.as_str())
    }

    /// How many positions came.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes the next positions: for each input that comes along, its numbers, one position after the other. Results are told
    /// as they come.
    ///
    /// # Errors
    /// A sequence that becomes longer than the model allows.
    pub fn take(&mut self, count: usize, inputs: &[Vec<f32>], told: &mut Told) -> Result<(), Stop> {
        let step = if self.so_far.contains(&true) { 1 } else { AT_ONCE };
        let mut done = 0;
        while done < count {
            let new = step.min(count - done);
            let part = |numbers: &Vec<f32>| {
                let row = numbers.len() / count;
                numbers[done * row..(done + new) * row].to_vec()
            };
            let positions = self.run(new, inputs.iter().map(part).collect(), false)?;
            done += new;
            self.count += new;
            told(self, &positions)?;
        }
        Ok(())
    }

    /// Ends the sequence: what lags behind comes.
    ///
    /// # Errors
    /// None that a sequence that runs could have.
    pub fn finish(&mut self) -> Result<Vec<Position>, Failure> {
        if self.ended || self.streamer.position(self.place) == 0 {
            return Ok(Vec::new());
        }
        self.ended = true;
        self.run(0, vec![Vec::new(); self.along.len()], true)
    }

    /// Ends the sequence and begins another; gives what lags behind of the one that ends.
    ///
    /// # Errors
    /// Nobody said what else the other one is given; nothing has changed then.
    pub fn reset(&mut self) -> Result<Vec<Position>, Failure> {
        let others = self.model().inputs().find(|(id, _)| !self.along.contains(id));
        if let (None, Some((_, value))) = (&self.given, others) {
            return Err(Failure::Other(format!(
                "a sequence that begins anew is given `{}` as well: pass `--input {}=FILE`",
                value.path, value.path
            )));
        }
        let rest = self.finish()?;
        let place = self.place;
        self.streamer.stream().reset(place);
        self.waiting.iter_mut().for_each(VecDeque::clear);
        self.ended = false;
        Ok(rest)
    }

    /// What is kept of the sequence.
    ///
    /// # Errors
    /// Results that wait for others are no part of it.
    pub fn state(&mut self) -> Result<State, Failure> {
        let waits = self.waiting.iter().zip(&self.so_far).position(|(waiting, so_far)| !so_far && !waiting.is_empty());
        if let Some(number) = waits {
            let (name, _) = &self.streamer.outputs()[number];
            return Err(Failure::Other(format!(
                "there are results of `{name}` that wait for others of their positions, and a state has no results: ask \
                 for those that come at the same time, `--output {name}`"
            )));
        }
        let place = self.place;
        self.streamer.stream().state(place).map_err(|why| Failure::Other(why.to_string()))
    }

    fn run(&mut self, new: usize, inputs: Vec<Vec<f32>>, last: bool) -> Result<Vec<Position>, Failure> {
        let begins = self.streamer.position(self.place) == 0;
        let mut chunk = Chunk { places: vec![self.place], last, ..Chunk::default() };
        for time in 0..self.model().times.len() {
            let given = self.given.as_ref().and_then(|given| given.lengths.get(time)).map_or(0, |lengths| lengths[0]);
            chunk.lengths.push(vec![match (time == self.time.0 as usize, begins) {
                (true, _) => new,
                (false, true) => given,
                (false, false) => 0,
            }]);
        }
        if let (true, Some(given)) = (begins, &self.given) {
            chunk.inputs = given.inputs.clone();
        }
        chunk.inputs.extend(self.along.iter().copied().zip(inputs));
        let results = self.streamer.run(&chunk)?;
        let (model, so_far) = (self.streamer.model(), self.streamer.position(self.place));
        let length = |time: TimeId| if time == self.time { so_far } else { self.lengths[time.0 as usize] };
        for (number, ((_, id), rows)) in self.streamer.outputs().iter().zip(&results).enumerate() {
            let parts = parts(&model.value(*id).axes, self.time, rows, length);
            if self.so_far[number] {
                self.waiting[number].clear();
            }
            self.waiting[number].extend(parts);
        }
        Ok(self.complete(new))
    }

    /// The positions that have all results; those of the sequence so far are as they are now.
    fn complete(&mut self, new: usize) -> Vec<Position> {
        let along = self.waiting.iter().zip(&self.so_far).filter(|(_, so_far)| !**so_far);
        let count = along.map(|(waiting, _)| waiting.len()).min().unwrap_or(new);
        let position = |_| {
            let both = self.waiting.iter_mut().zip(&self.so_far);
            let part = |(waiting, so_far): (&mut VecDeque<Part>, &bool)| match so_far {
                true => waiting.front().cloned(),
                false => waiting.pop_front(),
            };
            both.filter_map(part).collect()
        };
        (0..count).map(position).collect()
    }
}

/// New rows position by position, each in the order of its axes. `length` tells how many positions another axis has.
fn parts(axes: &[Axis], time: TimeId, rows: &NewRows, length: impl Fn(TimeId) -> usize) -> Vec<Part> {
    let own = axes.iter().position(|axis| axis.time() == Some(time));
    let rest: Vec<&Axis> = (0..axes.len()).filter(|place| Some(*place) != own).map(|place| &axes[place]).collect();
    let sizes: Vec<usize> =
        rest.iter().map(|axis| axis.time().map_or_else(|| axis.size().unwrap_or(1), &length)).collect();
    let each: usize = sizes.iter().product();
    if each == 0 {
        return Vec::new();
    }
    let numbers = |row: &[f32]| in_axis_order(&rest, &sizes, row);
    rows.numbers.chunks(each).map(|row| Part { sizes: sizes.clone(), numbers: numbers(row) }).collect()
}

/// A row's numbers, in which positions come before features, in the order of its axes.
fn in_axis_order(axes: &[&Axis], sizes: &[usize], row: &[f32]) -> Vec<f32> {
    let times = (0..axes.len()).filter(|place| axes[*place].time().is_some());
    let order: Vec<usize> = times.chain((0..axes.len()).filter(|place| axes[*place].time().is_none())).collect();
    if order.is_sorted() {
        return row.to_vec();
    }
    let mut strides = vec![1; axes.len()];
    for pair in order.windows(2).rev() {
        strides[pair[0]] = strides[pair[1]] * sizes[pair[1]];
    }
    let mut counter = vec![0; axes.len()];
    let mut numbers = Vec::with_capacity(row.len());
    for _ in 0..row.len() {
        numbers.push(row[counter.iter().zip(&strides).map(|(entry, stride)| entry * stride).sum::<usize>()]);
        for place in (0..counter.len()).rev() {
            counter[place] += 1;
            if counter[place] < sizes[place] {
                break;
            }
            counter[place] = 0;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqwright_compiler::term::Extent;

    #[test]
    fn positions_of_another_axis_come_where_it_stands() {
        let axis = |extent: Extent| Axis { name: "axis".to_string(), extent };
        let axes = [axis(Extent::Fixed(2)), axis(Extent::Time(TimeId(0))), axis(Extent::Time(TimeId(1)))];
        // Two positions of the first axis; rows have three of the second, then two features.
        let rows = NewRows { numbers: (0..12).map(|number| number as f32).collect(), counts: vec![6] };
        let parts = parts(&axes, TimeId(0), &rows, |_| 3);
        let wanted = |first: f32| Part {
            sizes: vec![2, 3],
            numbers: [0.0, 2.0, 4.0, 1.0, 3.0, 5.0].map(|number| number + first).to_vec(),
        };
        assert_eq!(parts, [wanted(0.0), wanted(6.0)]);
    }
}
