//! Runs of a model, timed as a whole, and as many again with every call of a kernel timed, where that can be: of whole sequences,
//! or of one position more at a time. Being watched takes a small model a good part of its time.

use crate::batch::Batch;
use crate::command::Stop;
use crate::session::{Failure, Runner, Streamer};
use crate::stream::Chunk;
use seqwright_compiler::term::{Axis, ValueId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long runs of each kind are taken where nobody says how many.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
/// The fewest of them.
const FEWEST: usize = 3;
/// The most of them.
const MOST: usize = 1000;

/// How long runs took, in seconds.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Each run, from the batch to its results.
    pub whole: Vec<f64>,
    /// In each of the runs after those, each call of a kernel; no run where calls can't be timed.
    pub calls: Vec<Vec<f64>>,
    /// Each run, in the processor's time of all threads: less than a run took by what others took of the machine. Empty where
    /// the system does not say.
    pub processor: Vec<f64>,
}

/// The processor's time that this process had so far, in seconds.
fn processor_time() -> Option<f64> {
    #[cfg(unix)]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the clock exists on every system of this kind, and the time is written to memory of its type.
        let went = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
        (went == 0).then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
    }
    #[cfg(not(unix))]
    None
}

impl Runs {
    /// The median over the runs of what some calls took together; none where calls can't be timed.
    pub fn median(&self, places: &[usize]) -> Option<f64> {
        let sums = self.calls.iter().map(|run| places.iter().map(|place| run[*place]).sum());
        (!self.calls.is_empty()).then(|| median(sums.collect()))
    }

    /// The median of what whole runs took.
    pub fn typical(&self) -> f64 {
        median(self.whole.clone())
    }

    /// The shortest run.
    pub fn shortest(&self) -> f64 {
        self.whole.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// The middle one of some numbers.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => 0.0,
        count if count % 2 == 1 => numbers[middle],
        _ => (numbers[middle - 1] + numbers[middle]) / 2.0,
    }
}

/// What an observer adds up in a run.
type Times = Arc<Mutex<Vec<f64>>>;

/// Who adds up the times of calls.
fn observer(times: &Times) -> crate::execute::Observer {
    let times = Arc::clone(times);
    Box::new(move |place, elapsed| {
        if let Ok(mut times) = times.lock() {
            times[place] += elapsed.as_secs_f64();
        }
    })
}

/// Runs whole sequences, so many times after the first, and again to see the calls.
///
/// # Errors
/// What a run refuses.
pub fn whole(runner: &Runner, batch: &Batch, calls: usize, repeat: Option<u32>) -> Result<Runs, Stop> {
    let mut run = || runner.run(batch).map(|results| runner.give_back(results));
    let mut runs = again(repeat, MOST, &mut run)?;
    let times: Times = Arc::new(Mutex::new(vec![0.0; calls]));
    if runner.observe(observer(&times)) {
        runs.calls = watched(&times, repeat, MOST, &mut run)?;
    }
    Ok(runs)
}

/// Runs one position more of each sequence, so many times after the first, when those of the batch came; and again to see the
/// calls.
///
/// # Errors
/// What a run refuses; a model whose tables of positions have no room for more.
pub fn steps(streamer: &mut Streamer, batch: &Batch, calls: usize, repeat: Option<u32>) -> Result<Runs, Stop> {
    let time = streamer.time();
    let along = |axes: &[Axis]| axes.iter().filter_map(Axis::time).any(|own| own == time);
    let lengths = &batch.lengths[time.0 as usize];
    let longest = lengths.iter().max().copied().unwrap_or(0);
    let room =
        streamer.limits().iter().filter(|limit| limit.time == time).map(|limit| limit.most - longest.min(limit.most));
    let left = room.min().unwrap_or(usize::MAX);
    // Of either kind one comes first.
    let room = (left / 2).saturating_sub(1);
    if room == 0 {
        return Err(Failure::Other(format!(
            "timing takes four positions more, and after {longest} the model has room for {left}: give shorter sequences"
        ))
        .into());
    }
    let places: Vec<usize> = (0..batch.sequences).map(|_| streamer.stream().begin()).collect();
    let first =
        Chunk { places: places.clone(), lengths: batch.lengths.clone(), inputs: batch.inputs.clone(), last: false };
    // The position that comes again and again is the last one of each sequence.
    let mut inputs: BTreeMap<ValueId, Vec<f32>> = BTreeMap::new();
    for (id, _) in streamer.model().inputs().filter(|(_, value)| along(&value.axes)) {
        let given = batch.inputs.get(&id).map_or(&[][..], Vec::as_slice);
        let row = given.len() / lengths.iter().sum::<usize>().max(1);
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length * row;
            Some(*end)
        });
        inputs.insert(id, ends.flat_map(|end| given[end - row..end].to_vec()).collect());
    }
    let mut more = vec![vec![0; batch.sequences]; batch.lengths.len()];
    more[time.0 as usize] = vec![1; batch.sequences];
    streamer.run(&first)?;
    let step = Chunk { places, lengths: more, inputs, last: false };
    let most = MOST.min(room);
    let mut runs = again(repeat, most, || streamer.run(&step).map(|_| ()))?;
    let times: Times = Arc::new(Mutex::new(vec![0.0; calls]));
    if streamer.observe(observer(&times)) {
        runs.calls = watched(&times, repeat, most, || streamer.run(&step).map(|_| ()))?;
    }
    Ok(runs)
}

/// Times runs after a first one, which nobody counts: so many, or for so long.
fn again(repeat: Option<u32>, most: usize, mut run: impl FnMut() -> Result<(), Failure>) -> Result<Runs, Stop> {
    run()?;
    let mut runs = Runs::default();
    let begin = Instant::now();
    while !is_enough(runs.whole.len(), repeat, most, begin) {
        // Asking for the processor's time takes some of it, which is not the run's.
        let before = processor_time();
        let start = Instant::now();
        run()?;
        runs.whole.push(start.elapsed().as_secs_f64());
        runs.processor.extend(processor_time().zip(before).map(|(after, before)| after - before));
    }
    Ok(runs)
}

/// The same, of each call: what an observer adds up.
fn watched(
    times: &Times,
    repeat: Option<u32>,
    most: usize,
    mut run: impl FnMut() -> Result<(), Failure>,
) -> Result<Vec<Vec<f64>>, Stop> {
    run()?;
    let mut calls = Vec::new();
    let begin = Instant::now();
    while !is_enough(calls.len(), repeat, most, begin) {
        if let Ok(mut times) = times.lock() {
            times.fill(0.0);
        }
        run()?;
        calls.extend(times.lock().map(|times| times.clone()).ok());
    }
    Ok(calls)
}

fn is_enough(count: usize, repeat: Option<u32>, most: usize, begin: Instant) -> bool {
    match repeat {
        Some(wanted) => count >= (wanted as usize).min(most),
        None => count >= most || (count >= FEWEST && begin.elapsed() > LONG_ENOUGH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_counts() {
        assert_eq!(median(vec![3.0, 1.0, 20.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 30.0]), 3.0);
        let runs = Runs {
            whole: vec![9.0, 8.0, 10.0],
            calls: vec![vec![1.0, 5.0], vec![2.0, 4.0], vec![3.0, 9.0]],
            processor: Vec::new(),
        };
        // The sums are 6, 6 and 12.
        assert_eq!(runs.median(&[0, 1]), Some(6.0));
        assert_eq!(runs.median(&[0]), Some(2.0));
        assert_eq!(Runs::default().median(&[0]), None);
        assert_eq!((runs.typical(), runs.shortest()), (9.0, 8.0));
    }
}
