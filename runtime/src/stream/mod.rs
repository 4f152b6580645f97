//! Sequences that come chunk by chunk: a chunk program, and what it keeps of each sequence.
//!
//! A stream holds sequences in numbered places. Each run takes the next positions of some of them, any number of each, and
//! gives their results. What is kept of a sequence lies in one of three ways, as the program says: whole caches stay in one
//! place and grow ([`Track::stays`]), the last few positions are copied before the kernel that continues them and after it,
//! and what is computed once for a sequence is copied before and after the run. [`state`](Stream::state) takes it out as a
//! [`State`], a value that can be saved, put back any number of times, or cut.
//!
//! | file | what it does |
//! | --- | --- |
//! | `layout.rs` | which rows stay where |
//! | `keeper.rs` | what keeps the numbers and runs the program: `memory.rs` here, [`crate::gpu`] on a device |
//! | `state.rs` | a sequence's state as a value |
//!
//! [`Track::stays`]: seqwright_compiler::kernel::Track::stays

mod keeper;
mod layout;
mod memory;
mod state;

pub use keeper::Engine;
pub(crate) use keeper::{Piece, Turn, copied_track};
#[cfg(feature = "gpu")]
pub(crate) use layout::Move;
pub use state::{Kept, State, StateError};

use crate::execute::RunError;
use crate::rows::{Rows, Step};
use keeper::Keeper;
use layout::{Layout, Needed};
use seqwright_compiler::kernel::{BufferId, Keep, Program, Role, Space, TrackId};
use seqwright_compiler::term::{TimeId, ValueId};
use std::collections::BTreeMap;

/// Sequences that come chunk by chunk.
pub struct Stream {
    engine: Engine,
    places: Vec<Option<Place>>,
    layout: Layout,
    keeper: Keeper,
}

/// What is known of a sequence, besides its numbers.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Positions that came, for each time axis.
    given: Vec<usize>,
    /// Whether its last position came.
    ended: bool,
    /// Whether a run has seen it.
    begun: bool,
}

/// The next positions of some sequences. `N` is what has an input's numbers: a vector, or a slice of somebody's.
#[derive(Clone, Debug, Default)]
pub struct Chunk<N = Vec<f32>> {
    /// The sequences' places.
    pub places: Vec<usize>,
    /// For each time axis, how many positions are new of each sequence. Only the axis of chunks may have any once a sequence
    /// has begun. Of an axis whose length the file says, all are there from the start, whatever is said here.
    pub lengths: Vec<Vec<usize>>,
    /// The new rows of each input, one sequence after the other. An input without positions has a row for each sequence that
    /// begins.
    pub inputs: BTreeMap<ValueId, N>,
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
    /// A stream without sequences yet. The engine is one of a chunk program.
    pub fn new(engine: Engine) -> Stream {
        let (layout, keeper) = (Layout::new(engine.program()), Keeper::new(&engine));
        Stream { engine, places: Vec::new(), layout, keeper }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        self.engine.program()
    }

    /// What runs it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Begins a sequence; gives its place.
    pub fn begin(&mut self) -> usize {
        let times = self.program().times.len();
        let fresh = Place { given: vec![0; times], ..Place::default() };
        let free = self.places.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(fresh);
        self.forget(place);
        place
    }

    /// Forgets a sequence; its place can be used again.
    pub fn end(&mut self, place: usize) {
        if let Some(known) = self.places.get_mut(place) {
            *known = None;
            self.forget(place);
        }
    }

    /// Begins the sequence in a place anew.
    pub fn reset(&mut self, place: usize) {
        if let Some(known) = self.places.get_mut(place).and_then(Option::as_mut) {
            *known = Place { given: vec![0; known.given.len()], ..Place::default() };
            self.forget(place);
        }
    }

    /// How many positions of a sequence came along the axis of chunks.
    pub fn position(&self, place: usize) -> usize {
        let time = self.program().chunks.map_or(0, |time| time.0 as usize);
        self.places.get(place).and_then(Option::as_ref).and_then(|place| place.given.get(time)).copied().unwrap_or(0)
    }

    /// Runs the next positions of some sequences: the new rows of each output, in the program's order.
    ///
    /// # Errors
    /// A chunk that does not fit, a sequence that becomes longer than the model allows, or too little memory; nothing has
    /// changed then.
    pub fn run(&mut self, chunk: &Chunk<&[f32]>) -> Result<Vec<NewRows>, RunError> {
        let engine = self.engine.clone();
        let program = engine.program();
        let steps = self.steps(chunk)?;
        let mut needed = Vec::new();
        for (number, track) in program.tracks.iter().enumerate().filter(|(_, track)| track.stays()) {
            for (step, place) in steps[track.time.0 as usize].iter().zip(&chunk.places) {
                let (_, end) = step.new_positions(track.lag);
                let from = step.from(track.lag, track.keep);
                needed.push(Needed { track: TrackId(number as u32), place: *place, from, end });
            }
        }
        self.check_inputs(chunk, &steps)?;
        self.reserve(&needed)?;
        let rows = Rows::new(program, chunk.places.len(), &steps, &|id, sequence| {
            let track = program.track(id);
            let step = steps[track.time.0 as usize][sequence];
            self.layout.row(id, chunk.places[sequence], step.from(track.lag, track.keep))
        });
        let begins: Vec<bool> = chunk.places.iter().map(|place| !self.place(*place).begun).collect();
        let turn = Turn { places: &chunk.places, begins: &begins, rows: &rows, inputs: &chunk.inputs };
        let outputs = self.keeper.run(&turn)?;
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

    /// Gives up all numbers of a sequence.
    fn forget(&mut self, place: usize) {
        self.layout.clear(place);
        self.keeper.forget(place);
    }

    /// Makes room for rows that stay.
    fn reserve(&mut self, needed: &[Needed]) -> Result<(), RunError> {
        if let Some(change) = self.layout.change(self.engine.program(), needed) {
            self.keeper.relocate(&change.moves)?;
            self.layout.apply(change);
        }
        Ok(())
    }

    fn place(&self, place: usize) -> &Place {
        self.places[place].as_ref().expect("the chunk's places were checked")
    }

    /// What comes of each sequence along each time axis.
    fn steps<N>(&self, chunk: &Chunk<N>) -> Result<Vec<Vec<Step>>, RunError> {
        let program = self.program();
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
    fn check_inputs(&self, chunk: &Chunk<&[f32]>, steps: &[Vec<Step>]) -> Result<(), RunError> {
        let program = self.program();
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
            let given = chunk.inputs.get(value).map_or(0, |given| given.len());
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

    /// What is kept of the sequence in a place.
    ///
    /// # Errors
    /// No sequence is there; a device that failed.
    pub fn state(&self, place: usize) -> Result<State, StateError> {
        let known = self.places.get(place).and_then(Option::as_ref).ok_or(StateError::NoSequence(place))?;
        let program = self.engine.program();
        let (mut kept, mut pieces) = (Vec::new(), Vec::new());
        for (number, buffer) in program.buffers.iter().enumerate() {
            let id = BufferId(number as u32);
            let Space::Tracks(tracks) = &buffer.space else { continue };
            let Some((first, track)) = tracks.first().map(|first| (*first, program.track(*first))) else {
                if known.begun && matches!(buffer.role, Role::Input(_) | Role::Kept) {
                    kept.push((buffer, 0));
                    pieces.push(Piece::Copied(place, id));
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
            kept.push((buffer, from));
            pieces.push(match track.stays() {
                true if end == from => Piece::Region(id, 0, 0),
                true => Piece::Region(id, self.layout.row(first, place, from) * buffer.row, (end - from) * buffer.row),
                false => Piece::Copied(place, id),
            });
        }
        let mut values = BTreeMap::new();
        for ((buffer, from), numbers) in kept.into_iter().zip(self.keeper.read(&pieces)?) {
            values.insert(buffer.name.clone(), Kept { from, row: buffer.row, numbers });
        }
        let given = program.times.iter().cloned().zip(known.given.iter().copied()).collect();
        let model = self.engine.fingerprint();
        Ok(State { name: program.name.clone(), model, given, begun: known.begun, ended: known.ended, values })
    }

    /// Puts a sequence with a state into a place of its own; gives the place.
    ///
    /// # Errors
    /// A state of another model, or one that was damaged; too little memory, or a device that failed.
    pub fn begin_with(&mut self, state: &State) -> Result<usize, StateError> {
        let engine = self.engine.clone();
        let program = engine.program();
        state.check(program, engine.fingerprint())?;
        let place = self.begin();
        let (mut needed, mut stay, mut copied) = (Vec::new(), Vec::new(), Vec::new());
        for (number, buffer) in program.buffers.iter().enumerate() {
            let (Some(kept), Space::Tracks(tracks)) = (state.values.get(&buffer.name), &buffer.space) else { continue };
            let id = BufferId(number as u32);
            match tracks.first().filter(|first| program.track(**first).stays()) {
                Some(first) => {
                    needed.push(Needed { track: *first, place, from: kept.from, end: kept.from + kept.count() });
                    stay.push((id, *first, kept));
                }
                None => copied.push((Piece::Copied(place, id), kept)),
            }
        }
        if self.reserve(&needed).is_err() {
            self.end(place);
            return Err(StateError::Memory);
        }
        for (id, track, kept) in stay {
            let first = self.layout.row(track, place, kept.from) * kept.row;
            copied.push((Piece::Region(id, first, kept.numbers.len()), kept));
        }
        for (piece, kept) in copied {
            if let Err(why) = self.keeper.write(piece, &kept.numbers) {
                self.end(place);
                return Err(why);
            }
        }
        self.places[place] = Some(Place {
            given: program.times.iter().map(|time| state.given.get(time).copied().unwrap_or(0)).collect(),
            ended: state.ended,
            begun: state.begun,
        });
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
        let engine = self.engine.clone();
        let program = engine.program();
        let Some(time) = program.chunks else { return Ok(()) };
        if positions == 0 {
            self.reset(place);
            return Ok(());
        }
        state.truncate(program, time, positions)?;
        // What stays in regions is where it was; of what is copied there must be no more than a next run expects.
        for (number, buffer) in program.buffers.iter().enumerate() {
            if let (Some(_), Some(kept)) = (copied_track(program, buffer), state.values.get(&buffer.name)) {
                self.keeper.write(Piece::Copied(place, BufferId(number as u32)), &kept.numbers)?;
            }
        }
        if let Some(known) = &mut self.places[place] {
            known.given[time.0 as usize] = positions;
            known.ended = false;
        }
        Ok(())
    }

    /// Bytes that all sequences take.
    pub fn bytes(&self) -> usize {
        self.keeper.bytes()
    }
}
