//! Sequences that come chunk by chunk: a chunk program, and what it keeps of each sequence.
//!
//! A stream holds sequences in numbered places. Each run takes the next positions of some of them, any number of each, and
//! gives their results. What is kept of a sequence lies in one of three ways, as the program says: whole caches stay in one
//! place and grow ([`Track::stays`]), the last few positions are copied before the kernel that continues them and after it,
//! and what is computed once for a sequence is copied before and after the run. [`state`](Stream::state) takes it out as a
//! [`State`], a value that can be saved, put back any number of times, or cut.
//!
//! [`Track::stays`]: seqwright_compiler::kernel::Track::stays

mod regions;
mod state;

pub use state::{Kept, State, StateError};

use crate::execute::{Executable, RunError, When, aligned};
use crate::memory::Memory;
use crate::rows::{Rows, Step};
use crate::tiles::AlignedFloats;
use regions::Regions;
use seqwright_compiler::kernel::{Buffer, BufferId, Keep, Role, Space, Track, TrackId};
use seqwright_compiler::term::{TimeId, ValueId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Sequences that come chunk by chunk.
pub struct Stream {
    executable: Rc<Executable>,
    places: Vec<Option<Place>>,
    regions: Regions,
}

/// What is known of a sequence, besides the rows that stay in their regions.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Positions that came, for each time axis.
    given: Vec<usize>,
    /// Whether its last position came.
    ended: bool,
    /// Whether a run has seen it.
    begun: bool,
    /// Rows that are copied before and after a run or a call, for each buffer that has any.
    copied: BTreeMap<BufferId, Vec<f32>>,
}

/// The next positions of some sequences.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// The sequences' places.
    pub places: Vec<usize>,
    /// For each time axis, how many positions are new of each sequence. Only the axis of chunks may have any once a sequence
    /// has begun. Of an axis whose length the file says, all are there from the start, whatever is said here.
    pub lengths: Vec<Vec<usize>>,
    /// The new rows of each input, one sequence after the other. An input without positions has a row for each sequence that
    /// begins.
    pub inputs: BTreeMap<ValueId, Vec<f32>>,
    /// Whether these are the sequences' last positions: what lags behind catches up.
    pub last: bool,
}

/// An output's new rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewRows {
    /// One sequence after the other.
    pub numbers: Vec<f32>,
    /// How many each sequence has.
    pub counts: Vec<usize>,
}

impl Stream {
    /// A stream without sequences yet. The executable is one of a chunk program.
    pub fn new(executable: Rc<Executable>) -> Stream {
        let regions = Regions::new(executable.program());
        Stream { executable, places: Vec::new(), regions }
    }

    /// The program.
    pub fn executable(&self) -> &Executable {
        &self.executable
    }

    /// Begins a sequence; gives its place.
    pub fn begin(&mut self) -> usize {
        let times = self.executable.program().times.len();
        let fresh = Place { given: vec![0; times], ..Place::default() };
        let free = self.places.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(fresh);
        self.regions.clear(place);
        place
    }

    /// Forgets a sequence; its place can be used again.
    pub fn end(&mut self, place: usize) {
        if let Some(known) = self.places.get_mut(place) {
            *known = None;
            self.regions.clear(place);
        }
    }

    /// Begins the sequence in a place anew.
    pub fn reset(&mut self, place: usize) {
        if let Some(known) = self.places.get_mut(place).and_then(Option::as_mut) {
            *known = Place { given: vec![0; known.given.len()], ..Place::default() };
            self.regions.clear(place);
        }
    }

    /// How many positions of a sequence came along the axis of chunks.
    pub fn position(&self, place: usize) -> usize {
        let time = self.executable.program().chunks.map_or(0, |time| time.0 as usize);
        self.places.get(place).and_then(Option::as_ref).and_then(|place| place.given.get(time)).copied().unwrap_or(0)
    }

    /// Runs the next positions of some sequences: the new rows of each output, in the program's order.
    ///
    /// # Errors
    /// A chunk that does not fit, a sequence that becomes longer than the model allows, or too little memory; nothing has
    /// changed then.
    pub fn run(&mut self, chunk: &Chunk) -> Result<Vec<NewRows>, RunError> {
        let executable = Rc::clone(&self.executable);
        let program = executable.program();
        let steps = self.steps(chunk)?;
        let mut regions_needed: Vec<(TrackId, usize, usize, usize)> = Vec::new();
        for (number, track) in program.tracks.iter().enumerate().filter(|(_, track)| track.stays()) {
            for (step, place) in steps[track.time.0 as usize].iter().zip(&chunk.places) {
                let (_, end) = step.new_positions(track.lag);
                regions_needed.push((TrackId(number as u32), *place, step.from(track.lag, track.keep), end));
            }
        }
        self.check_inputs(chunk, &steps)?;
        self.regions.reserve(program, &regions_needed)?;
        let rows = Rows::new(program, chunk.places.len(), &steps, &|id, sequence| {
            let track = program.track(id);
            let step = steps[track.time.0 as usize][sequence];
            self.regions.row(id, chunk.places[sequence], step.from(track.lag, track.keep))
        });
        let mut memory = Memory::new(program, &rows)?;
        let begins: Vec<bool> = chunk.places.iter().map(|place| !self.place(*place).begun).collect();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let id = BufferId(number as u32);
            match &buffer.role {
                Role::Input(value) => {
                    let given = chunk.inputs.get(value).map_or(&[][..], Vec::as_slice);
                    self.give_input(&mut memory, chunk, &rows, (id, buffer), given, &begins);
                }
                Role::Kept => self.give_kept(&mut memory, chunk, &rows, (id, buffer)),
                Role::Computed { .. } | Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => {}
            }
        }
        let fresh: Vec<(usize, usize)> =
            (0..begins.len()).filter(|place| begins[*place]).map(|place| (place, place + 1)).collect();
        let places = &mut self.places;
        executable.calls(&rows, &mut memory, &fresh, &mut |when, id, memory| {
            let buffer = program.buffer(id);
            if let (Role::Computed { .. }, Some(track)) =
                (&buffer.role, copied_track(program.tracks.as_slice(), buffer))
            {
                copy_rows(when, (id, buffer), track, memory, &rows, &chunk.places, places);
            }
        });
        let outputs = program.outputs.iter().map(|output| NewRows {
            numbers: executable.read(&memory, &rows, output.buffer),
            counts: rows.new_rows(&program.buffer(output.buffer).space).iter().map(|(_, count)| *count).collect(),
        });
        let outputs = outputs.collect();
        self.take_back(&mut memory, chunk, &rows);
        for (sequence, place) in chunk.places.iter().enumerate() {
            let known = self.places[*place].as_mut().expect("a sequence that ran is there");
            known.begun = true;
            known.ended |= chunk.last;
            for (time, steps) in steps.iter().enumerate() {
                known.given[time] = steps[sequence].after;
            }
        }
        Ok(outputs)
    }

    fn place(&self, place: usize) -> &Place {
        self.places[place].as_ref().expect("the chunk's places were checked")
    }

    /// What comes of each sequence along each time axis.
    fn steps(&self, chunk: &Chunk) -> Result<Vec<Vec<Step>>, RunError> {
        let program = self.executable.program();
        let wrong = |why: String| Err(RunError::Batch(why));
        for (number, place) in chunk.places.iter().enumerate() {
            match self.places.get(*place).and_then(Option::as_ref) {
                None => return wrong(format!("there is no sequence in place {place}")),
                Some(known) if known.ended => {
                    return wrong(format!(
                        "the sequence in place {place} has come to its end: reset it, or begin another"
                    ));
                }
                Some(_) if chunk.places[..number].contains(place) => {
                    return wrong(format!("the sequence in place {place} is there twice"));
                }
                Some(_) => {}
            }
        }
        if chunk.lengths.len() != program.times.len()
            || chunk.lengths.iter().any(|lengths| lengths.len() != chunk.places.len())
        {
            return wrong(
                "it does not give how many positions are new of each sequence along each time axis".to_string(),
            );
        }
        let mut steps = Vec::new();
        for (time, lengths) in chunk.lengths.iter().enumerate() {
            let mut own = Vec::new();
            for (sequence, (place, new)) in chunk.places.iter().zip(lengths).enumerate() {
                let known = self.place(*place);
                if let Some(length) = program.lengths[time] {
                    own.push(Step { before: known.given[time], after: length, last: true });
                    continue;
                }
                let (before, after) = (known.given[time], known.given[time] + new);
                let of_chunks = program.chunks == Some(TimeId(time as u32));
                if known.begun && !of_chunks && *new > 0 {
                    return wrong(format!(
                        "the sequence in place {place} has begun, and {} is taken whole when it does",
                        program.times[time]
                    ));
                }
                let limit = program.limits.iter().find(|limit| limit.time.0 as usize == time && after > limit.most);
                if let Some(limit) = limit {
                    let limit = Box::new(limit.clone());
                    return Err(RunError::TooLong { sequence: (sequence, after), limit });
                }
                own.push(Step { before, after, last: chunk.last || !of_chunks });
            }
            steps.push(own);
        }
        Ok(steps)
    }

    /// Checks that each input has the numbers of its new rows.
    fn check_inputs(&self, chunk: &Chunk, steps: &[Vec<Step>]) -> Result<(), RunError> {
        let program = self.executable.program();
        for buffer in &program.buffers {
            let (Role::Input(value), Space::Tracks(tracks)) = (&buffer.role, &buffer.space) else { continue };
            let rows: usize = (0..chunk.places.len())
                .map(|sequence| match tracks.as_slice() {
                    [] => usize::from(!self.place(chunk.places[sequence]).begun),
                    [first, others @ ..] => {
                        let step = |track: &TrackId| steps[program.track(*track).time.0 as usize][sequence];
                        let new = step(first).after - step(first).before;
                        others.iter().fold(new, |all, track| all * step(track).after)
                    }
                })
                .sum();
            let given = chunk.inputs.get(value).map_or(0, Vec::len);
            if given != rows * buffer.row {
                return Err(RunError::Batch(format!(
                    "`{}` has {given} numbers, wanted are {}",
                    buffer.name,
                    rows * buffer.row
                )));
            }
        }
        Ok(())
    }

    /// An input's memory: what is kept of it, and what is new.
    fn give_input(
        &mut self,
        memory: &mut Memory,
        chunk: &Chunk,
        rows: &Rows,
        (id, buffer): (BufferId, &Buffer),
        given: &[f32],
        begins: &[bool],
    ) {
        let row = buffer.row;
        let Space::Tracks(tracks) = &buffer.space else { return };
        let Some(first) = tracks.first() else {
            let mut numbers = AlignedFloats::zeroed((chunk.places.len() * row).max(1));
            let mut next = 0;
            for (sequence, place) in chunk.places.iter().enumerate() {
                let to = &mut numbers[sequence * row..(sequence + 1) * row];
                if begins[sequence] {
                    to.copy_from_slice(&given[next..next + row]);
                    next += row;
                } else if let Some(kept) = self.place(*place).copied.get(&id) {
                    to.copy_from_slice(kept);
                }
            }
            return memory.give(id, numbers);
        };
        let track = self.executable.program().track(*first);
        if track.stays() {
            let mut numbers = self.regions.lend(id);
            let mut next = 0;
            for extent in rows.extents(*first) {
                let to = (extent.first + extent.kept) * row;
                let count = extent.new * row;
                numbers[to..to + count].copy_from_slice(&given[next..next + count]);
                next += count;
            }
            return memory.give(id, numbers);
        }
        if track.keep == Keep::New {
            return memory.give(id, aligned(given));
        }
        let mut numbers = AlignedFloats::zeroed((rows.count(*first) * row).max(1));
        let mut next = 0;
        for (extent, place) in rows.extents(*first).iter().zip(&chunk.places) {
            let kept = &self.place(*place).copied.get(&id).map_or(&[][..], Vec::as_slice);
            let (start, count) = (extent.first * row, extent.kept * row);
            numbers[start..start + count].copy_from_slice(&kept[kept.len() - count..]);
            let (start, count) = (start + count, extent.new * row);
            numbers[start..start + count].copy_from_slice(&given[next..next + count]);
            next += count;
        }
        memory.give(id, numbers);
    }

    /// The memory of what kernels compute and a sequence keeps where it is.
    fn give_kept(&mut self, memory: &mut Memory, chunk: &Chunk, rows: &Rows, (id, buffer): (BufferId, &Buffer)) {
        match &buffer.space {
            Space::Tracks(tracks) if !tracks.is_empty() => memory.give(id, self.regions.lend(id)),
            Space::Tracks(_) | Space::Global => {
                let mut numbers = AlignedFloats::zeroed((rows.sequences * buffer.row).max(1));
                for (sequence, place) in chunk.places.iter().enumerate() {
                    if let Some(kept) = self.place(*place).copied.get(&id) {
                        numbers[sequence * buffer.row..(sequence + 1) * buffer.row].copy_from_slice(kept);
                    }
                }
                memory.give(id, numbers);
            }
        }
    }

    /// Keeps what outlives the run.
    fn take_back(&mut self, memory: &mut Memory, chunk: &Chunk, rows: &Rows) {
        let executable = Rc::clone(&self.executable);
        let program = executable.program();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let id = BufferId(number as u32);
            let (Role::Input(_) | Role::Kept, Space::Tracks(tracks)) = (&buffer.role, &buffer.space) else { continue };
            match tracks.first().map(|first| (*first, program.track(*first))) {
                None => {
                    for (sequence, place) in chunk.places.iter().enumerate() {
                        let own = &memory.numbers(id)[sequence * buffer.row..(sequence + 1) * buffer.row];
                        let known = self.places[*place].as_mut().expect("a sequence that ran is there");
                        known.copied.insert(id, own.to_vec());
                    }
                }
                Some((_, track)) if track.stays() => {
                    if let Some(numbers) = memory.take(id) {
                        self.regions.take_back(id, numbers);
                    }
                }
                Some((first, track)) => {
                    copy_rows(When::After, (id, buffer), (first, track), memory, rows, &chunk.places, &mut self.places);
                }
            }
        }
    }

    /// What is kept of the sequence in a place.
    ///
    /// # Errors
    /// No sequence is there.
    pub fn state(&self, place: usize) -> Result<State, StateError> {
        let known = self.places.get(place).and_then(Option::as_ref).ok_or(StateError::NoSequence(place))?;
        let program = self.executable.program();
        let mut values = BTreeMap::new();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let id = BufferId(number as u32);
            let Space::Tracks(tracks) = &buffer.space else { continue };
            let Some((first, track)) = tracks.first().map(|first| (*first, program.track(*first))) else {
                if let Some(numbers) = known.copied.get(&id) {
                    values.insert(buffer.name.clone(), Kept { from: 0, row: buffer.row, numbers: numbers.clone() });
                }
                continue;
            };
            if track.keep == Keep::New || !matches!(buffer.role, Role::Input(_) | Role::Kept | Role::Computed { .. }) {
                continue;
            }
            // What a next step would begin with.
            let given = known.given[track.time.0 as usize];
            let next = Step { before: given, after: given, last: known.ended };
            let end = next.new_positions(track.lag).1;
            let from = match track.keep {
                Keep::All => 0,
                Keep::Last(count) => end.saturating_sub(count),
                Keep::New => end,
            };
            let numbers = if track.stays() {
                self.regions.rows(id, first, place, from, end - from, buffer.row)
            } else {
                known.copied.get(&id).cloned().unwrap_or_default()
            };
            values.insert(buffer.name.clone(), Kept { from, row: buffer.row, numbers });
        }
        let given = program.times.iter().cloned().zip(known.given.iter().copied()).collect();
        let model = self.executable.fingerprint();
        Ok(State { name: program.name.clone(), model, given, begun: known.begun, ended: known.ended, values })
    }

    /// Puts a sequence with a state into a place of its own; gives the place.
    ///
    /// # Errors
    /// A state of another model, or one that was damaged.
    pub fn begin_with(&mut self, state: &State) -> Result<usize, StateError> {
        let executable = Rc::clone(&self.executable);
        let program = executable.program();
        state.check(program, executable.fingerprint())?;
        let place = self.begin();
        let mut known = Place {
            given: program.times.iter().map(|time| state.given.get(time).copied().unwrap_or(0)).collect(),
            ended: state.ended,
            begun: state.begun,
            copied: BTreeMap::new(),
        };
        let mut needed = Vec::new();
        let mut stay = Vec::new();
        for (number, buffer) in program.buffers.iter().enumerate() {
            let (Some(kept), Space::Tracks(tracks)) = (state.values.get(&buffer.name), &buffer.space) else { continue };
            let id = BufferId(number as u32);
            match tracks.first().filter(|first| program.track(**first).stays()) {
                Some(first) => {
                    needed.push((*first, place, kept.from, kept.from + kept.count()));
                    stay.push((id, *first, kept));
                }
                None => {
                    known.copied.insert(id, kept.numbers.clone());
                }
            }
        }
        if self.regions.reserve(program, &needed).is_err() {
            self.end(place);
            return Err(StateError::Memory);
        }
        for (id, track, kept) in stay {
            self.regions.write(id, track, place, kept.from, kept.row, &kept.numbers);
        }
        self.places[place] = Some(known);
        Ok(place)
    }

    /// A second sequence that goes on from where one is now; gives its place.
    ///
    /// # Errors
    /// No sequence is there, or too little memory for another.
    pub fn fork(&mut self, place: usize) -> Result<usize, StateError> {
        let state = self.state(place)?;
        self.begin_with(&state)
    }

    /// Takes a sequence back to so many positions, as if the later ones had not come.
    ///
    /// # Errors
    /// A value of which earlier positions are not all kept: then what it was is not known any more.
    pub fn truncate(&mut self, place: usize, positions: usize) -> Result<(), StateError> {
        let mut state = self.state(place)?;
        let program = self.executable.program();
        let Some(time) = program.chunks else { return Ok(()) };
        if positions == 0 {
            self.reset(place);
            return Ok(());
        }
        state.truncate(program, time, positions)?;
        if let Some(known) = &mut self.places[place] {
            known.given[time.0 as usize] = positions;
            known.ended = false;
            // What stays in regions is where it was; of what is copied there must be no more than a next run expects.
            for (id, numbers) in &mut known.copied {
                if let Some(kept) = state.values.remove(&program.buffer(*id).name) {
                    *numbers = kept.numbers;
                }
            }
        }
        Ok(())
    }

    /// Bytes that all sequences take.
    pub fn bytes(&self) -> usize {
        let copied = self.places.iter().flatten().flat_map(|place| place.copied.values()).map(Vec::len).sum::<usize>();
        self.regions.bytes() + 4 * copied
    }
}

/// The track of a buffer whose last positions are copied, if it is one.
fn copied_track(tracks: &[Track], buffer: &Buffer) -> Option<(TrackId, Track)> {
    let Space::Tracks(own) = &buffer.space else { return None };
    let first = *own.first()?;
    let track = tracks[first.0 as usize];
    (track.keep != Keep::New && !track.stays()).then_some((first, track))
}

/// Before a call copies what is kept in front of the new rows; after it keeps the last.
fn copy_rows(
    when: When,
    (id, buffer): (BufferId, &Buffer),
    (track_id, track): (TrackId, Track),
    memory: &mut Memory,
    rows: &Rows,
    places: &[usize],
    known: &mut [Option<Place>],
) {
    let Keep::Last(most) = track.keep else { return };
    let row = buffer.row;
    for (extent, place) in rows.extents(track_id).iter().zip(places) {
        let kept = known[*place].as_mut().expect("a sequence that runs is there").copied.entry(id).or_default();
        match when {
            // Kept positions are no more than take turns: each has a row.
            When::Before => {
                let (start, count) = (extent.first * row, extent.kept * row);
                memory.numbers_mut(id)[start..start + count].copy_from_slice(&kept[kept.len() - count..]);
            }
            When::After => {
                let all = extent.kept + extent.new;
                kept.clear();
                for place in all - all.min(most)..all {
                    let start = (extent.first + track.row(place)) * row;
                    kept.extend_from_slice(&memory.numbers(id)[start..start + row]);
                }
            }
        }
    }
}
