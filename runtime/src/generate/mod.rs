//! Writing token by token with a model that was defined for whole sequences.
//!
//! In: a checked model, its weights, prompts, and how tokens are chosen. Out: what follows each prompt, token by token. Which
//! of the model's values are the tokens and what is known of the next one is found in its definition ([`Task`]); the program
//! that goes on by one token is derived from it, and keeps what it needs of the tokens before ([`crate::stream`]).
//! [`Generator`] feeds tokens and gives the numbers for the next one; [`write()`] goes on with a batch of prompts until each
//! has come to its end.
//!
//! | file | what it does |
//! | --- | --- |
//! | `task.rs` | what a model generates |
//! | `sampler.rs` | from numbers to the next token |
//! | `write.rs` | prompts to continuations, and why they end |
//! | `text.rs` | tokens to text as they come, and texts at which to stop |
//! | `conventions.rs` | what a checkpoint says of its use: end tokens, how long, the chat template |
//! | `template.rs` | conversations to prompts |

mod conventions;
mod sampler;
mod task;
mod template;
mod text;
mod write;

pub use conventions::{Context, Conventions};
pub use sampler::{Sampler, Sampling};
pub use task::{Task, token_axis};
pub use template::{Message, Template};
pub use text::Text;
pub use write::{Continuation, Ended, Event, READ_AT_ONCE, Settings, Speed, Start, Written, write};

use crate::batch::Batch;
use crate::matrix::Kept;
use crate::session::{Backend, Checked, Failure, Runner, Streamer};
use crate::stream::{Chunk, State, StateError};
use crate::weights::Loaded;
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::stream::at_last;
use seqwright_compiler::term::{Axis, TimeId, ValueId};
use std::collections::BTreeMap;

/// A model that tells the next token of sequences in numbered places.
pub struct Generator {
    task: Task,
    /// Tokens are below this.
    bound: usize,
    engine: Engine,
}

enum Engine {
    /// The chunk program: what is kept of each sequence, and what is given to those that have not begun.
    Chunks { streamer: Box<Streamer>, waiting: BTreeMap<usize, Given> },
    /// What the model means: each time the whole sequence.
    Whole { runner: Box<Runner>, sequences: Vec<Option<(Given, Vec<u32>)>> },
}

/// What a sequence is given besides its tokens: the lengths of other time axes, and the rows of other inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// For each time axis of the model; that of the tokens is not looked at.
    pub lengths: Vec<usize>,
    /// By the model's numbers.
    pub inputs: BTreeMap<ValueId, Vec<f32>>,
}

impl Generator {
    /// Compiles a checked model's chunk program for generation; `output` names what tells the next token, where it is not
    /// one of the results.
    ///
    /// # Errors
    /// The model generates nothing, or not token by token; what linking refuses.
    pub fn new(
        checked: &Checked,
        loaded: &Loaded,
        output: Option<&str>,
        backend: Backend,
    ) -> Result<Generator, Failure> {
        let task = Task::of(checked, output)?;
        // Of a chunk only the last position's numbers are computed.
        let (model, last) = at_last(&checked.model, task.logits, task.time);
        let narrowed = Checked {
            sources: checked.sources.clone(),
            files: checked.files.clone(),
            model,
            outputs: vec![(task.name.clone(), last)],
        };
        let engine = match backend {
            Backend::Interpreter => {
                let runner = Runner::new(&narrowed, loaded, backend)?;
                Engine::Whole { runner: Box::new(runner), sequences: Vec::new() }
            }
            streaming => {
                task.require_steps(checked)?;
                let streamer = Streamer::along(task.time, &narrowed, loaded, streaming)?;
                Engine::Chunks { streamer: Box::new(streamer), waiting: BTreeMap::new() }
            }
        };
        let bound = match checked.model.value(task.tokens).kind {
            ValueKind::Input { below } => below.unwrap_or(0),
            ValueKind::Weight { .. } | ValueKind::Constant(_) | ValueKind::Equation(_) => 0,
        };
        Ok(Generator { task, bound, engine })
    }

    /// What is generated.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// How products keep the weights that they multiply with, where the processor runs the model.
    pub fn kept(&self) -> Option<&Kept> {
        match &self.engine {
            Engine::Chunks { streamer, .. } => streamer.kept(),
            Engine::Whole { runner, .. } => runner.kept(),
        }
    }

    /// The checked model.
    pub fn model(&self) -> &Model {
        match &self.engine {
            Engine::Chunks { streamer, .. } => streamer.model(),
            Engine::Whole { runner, .. } => runner.model(),
        }
    }

    /// How many tokens a sequence can have, and the value that has no more positions.
    pub fn limit(&self) -> Option<(usize, &str)> {
        let limits = match &self.engine {
            Engine::Chunks { streamer, .. } => streamer.limits(),
            Engine::Whole { runner, .. } => runner.limits(),
        };
        let own = limits.iter().filter(|limit| limit.time == self.task.time);
        own.min_by_key(|limit| limit.most).map(|limit| (limit.most, limit.value.as_str()))
    }

    /// Begins a sequence; gives its place.
    pub fn begin(&mut self, given: Given) -> usize {
        match &mut self.engine {
            Engine::Chunks { streamer, waiting } => {
                let place = streamer.stream().begin();
                waiting.insert(place, given);
                place
            }
            Engine::Whole { sequences, .. } => occupy(sequences, (given, Vec::new())),
        }
    }

    /// Begins a sequence that goes on from a state; gives its place.
    ///
    /// # Errors
    /// A state of another model, or one that was damaged; the interpreter keeps none.
    pub fn begin_with(&mut self, state: &State) -> Result<usize, Failure> {
        match &mut self.engine {
            Engine::Chunks { streamer, .. } => streamer.stream().begin_with(state).map_err(state_failure),
            Engine::Whole { .. } => Err(no_state()),
        }
    }

    /// What is kept of the sequence in a place.
    ///
    /// # Errors
    /// No sequence is there; the interpreter keeps nothing.
    pub fn state(&mut self, place: usize) -> Result<State, Failure> {
        match &mut self.engine {
            Engine::Chunks { streamer, .. } => streamer.stream().state(place).map_err(state_failure),
            Engine::Whole { .. } => Err(no_state()),
        }
    }

    /// A second sequence that goes on from where one is now; gives its place.
    ///
    /// # Errors
    /// No sequence is there, or too little memory for another.
    pub fn fork(&mut self, place: usize) -> Result<usize, Failure> {
        match &mut self.engine {
            Engine::Chunks { streamer, waiting } => {
                let second = streamer.stream().fork(place).map_err(state_failure)?;
                if let Some(given) = waiting.get(&place).cloned() {
                    waiting.insert(second, given);
                }
                Ok(second)
            }
            Engine::Whole { sequences, .. } => {
                let known = sequences.get(place).cloned().flatten();
                let known = known.ok_or_else(|| state_failure(StateError::NoSequence(place)))?;
                Ok(occupy(sequences, known))
            }
        }
    }

    /// Forgets a sequence; its place can be used again.
    pub fn end(&mut self, place: usize) {
        match &mut self.engine {
            Engine::Chunks { streamer, waiting } => {
                streamer.stream().end(place);
                waiting.remove(&place);
            }
            Engine::Whole { sequences, .. } => {
                if let Some(known) = sequences.get_mut(place) {
                    *known = None;
                }
            }
        }
    }

    /// How many tokens of a sequence came.
    pub fn position(&self, place: usize) -> usize {
        match &self.engine {
            Engine::Chunks { streamer, .. } => streamer.position(place),
            Engine::Whole { sequences, .. } => {
                sequences.get(place).and_then(Option::as_ref).map_or(0, |(_, tokens)| tokens.len())
            }
        }
    }

    /// Takes the next tokens of some sequences, in one run; gives for each the numbers of the token after them. A sequence
    /// that gets none has the numbers of the token after those before.
    ///
    /// # Errors
    /// A token that the model does not have, or a sequence that becomes longer than the model allows.
    pub fn feed(&mut self, feeds: &[(usize, &[u32])]) -> Result<Vec<Vec<f32>>, Failure> {
        let bound = self.bound;
        if let Some(token) = feeds.iter().flat_map(|(_, tokens)| *tokens).find(|token| **token as usize >= bound) {
            return Err(Failure::Other(format!("there is no token {token}: those of the model are below {bound}")));
        }
        let (task, vocabulary) = (self.task.clone(), self.task.vocabulary);
        match &mut self.engine {
            Engine::Chunks { streamer, waiting } => {
                let chunk = chunk(streamer.model(), &task, waiting, feeds);
                let results = streamer.run(&chunk)?;
                feeds.iter().for_each(|(place, _)| drop(waiting.remove(place)));
                Ok(results[0].numbers.chunks(vocabulary).map(<[f32]>::to_vec).collect())
            }
            Engine::Whole { runner, sequences } => {
                let one = |(place, new): &(usize, &[u32])| {
                    let known = sequences.get_mut(*place).and_then(Option::as_mut);
                    let (given, tokens) = known.ok_or_else(|| state_failure(StateError::NoSequence(*place)))?;
                    tokens.extend_from_slice(new);
                    let length = |time: usize| match time == task.time.0 as usize {
                        true => tokens.len(),
                        false => given.lengths.get(time).copied().unwrap_or(0),
                    };
                    let lengths = (0..runner.model().times.len()).map(|time| vec![length(time)]).collect();
                    let mut inputs = given.inputs.clone();
                    inputs.insert(task.tokens, tokens.iter().map(|token| *token as f32).collect());
                    let results = runner.run(&Batch { sequences: 1, lengths, inputs })?;
                    Ok(results.into_iter().next().unwrap_or_default())
                };
                feeds.iter().map(one).collect()
            }
        }
    }
}

/// The chunk that gives sequences their next tokens, and those that begin what else they are given.
fn chunk(model: &Model, task: &Task, waiting: &BTreeMap<usize, Given>, feeds: &[(usize, &[u32])]) -> Chunk {
    let mut chunk = Chunk { places: feeds.iter().map(|(place, _)| *place).collect(), ..Chunk::default() };
    let given =
        |place: usize, time: usize| waiting.get(&place).and_then(|given| given.lengths.get(time)).copied().unwrap_or(0);
    for time in 0..model.times.len() {
        let own = TimeId(time as u32) == task.time;
        let lengths = feeds.iter().map(|(place, tokens)| if own { tokens.len() } else { given(*place, time) });
        chunk.lengths.push(lengths.collect());
    }
    for (id, _) in model.inputs().filter(|(id, _)| *id != task.tokens) {
        let rows = feeds.iter().filter_map(|(place, _)| waiting.get(place)?.inputs.get(&id)).flatten();
        chunk.inputs.insert(id, rows.copied().collect());
    }
    let tokens = feeds.iter().flat_map(|(_, tokens)| *tokens).map(|token| *token as f32);
    chunk.inputs.insert(task.tokens, tokens.collect());
    chunk
}

/// The sequences of a batch: their tokens, and what else each is given.
pub fn split(model: &Model, task: &Task, batch: &Batch) -> Vec<(Given, Vec<u32>)> {
    let one = |sequence: usize| {
        let mut given =
            Given { lengths: batch.lengths.iter().map(|lengths| lengths[sequence]).collect(), inputs: BTreeMap::new() };
        for (id, numbers) in &batch.inputs {
            let axes = &model.value(*id).axes;
            let row: usize = axes.iter().filter_map(Axis::size).product();
            let start: usize = (0..sequence).map(|before| batch.rows_of(axes, before)).sum();
            let own = &numbers[start * row..(start + batch.rows_of(axes, sequence)) * row];
            given.inputs.insert(*id, own.to_vec());
        }
        let tokens = given.inputs.remove(&task.tokens).unwrap_or_default();
        (given, tokens.into_iter().map(|token| token as u32).collect())
    };
    (0..batch.sequences).map(one).collect()
}

/// Puts something into the first free place.
fn occupy<T>(places: &mut Vec<Option<T>>, new: T) -> usize {
    let place = places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    });
    places[place] = Some(new);
    place
}

fn state_failure(error: StateError) -> Failure {
    Failure::Other(error.to_string())
}

fn no_state() -> Failure {
    Failure::Other("the interpreter keeps no state: leave `--backend interpreter` out".to_string())
}
