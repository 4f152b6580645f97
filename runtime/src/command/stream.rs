//! `seqc run --stream`: a model in a pipe.
//!
//! In: positions from standard input, one after the other; what is no sequence from files. Out: the results of each position
//! on standard output, flushed as soon as they are known. A model that looks ahead gives them that much later, and the rest
//! when the input ends. Whatever is wrong with the input, results of what came before are out first.
//!
//! | file | what it does |
//! | --- | --- |
//! | `live.rs` | the sequence that runs: positions in, complete positions out |
//! | `lines.rs` | positions as lines of JSON |
//! | `floats.rs` | positions as raw numbers |

mod floats;
mod lines;
mod live;

use self::live::Live;
use super::Stop;
use super::arguments::{RunArguments, StreamFormat};
use super::inputs::Given;
use super::prepare::{self, Steps, Texts};
use super::terminal::{Terminal, Waiting};
use crate::batch::Batch;
use crate::matrix::Kept;
use crate::session::{Backend, Checked, Failure, Streamer};
use crate::stream::State;
use crate::weights::{Io, Tensor, Values};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::{Axis, TimeId, ValueId};
use std::io::BufReader;
use std::time::Instant;

/// Runs a model on what comes.
pub fn stream(arguments: &RunArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &arguments.output)?;
    let backend = prepare::backend(&arguments.backend, terminal)?;
    if backend == Backend::Interpreter {
        return Err(Stop::Usage("the interpreter computes whole sequences alone: leave `--backend` out".to_string()));
    }
    let mut steps = Steps::default();
    let prepared = prepare::prepare(
        &request,
        arguments.checkpoint.as_deref(),
        arguments.backend.precision(),
        Texts::None,
        &mut steps,
        terminal,
    )?;
    let checked = &prepared.checked;
    let mut streamer = {
        let _waiting = Waiting::new(format!("compiling {}", checked.model.name));
        steps.take("compile", || Streamer::new(checked, &prepared.loaded, backend))?
    };
    streamer.kept().and_then(Kept::note).iter().for_each(|note| terminal.note(note));
    let along = inputs_along(&checked.model, streamer.time())?;
    let state = arguments.state.as_deref().map(State::load).transpose().map_err(Failure::File)?;
    // What has begun is given nothing more, unless it may begin anew.
    let given = match &state {
        Some(state) if state.begun && arguments.io.is_none() && arguments.input.is_empty() => None,
        _ => Some(given(arguments, checked, &along, streamer.time())?),
    };
    let place = match &state {
        None => streamer.stream().begin(),
        Some(state) => streamer.stream().begin_with(state).map_err(|why| Failure::Other(why.to_string()))?,
    };
    let lengths = state.map(|state| state.given).unwrap_or_default();
    let mut live = Live::new(streamer, place, along, given, &lengths)?;
    let begun = Instant::now();
    let input = BufReader::new(std::io::stdin());
    let done = match arguments.format {
        StreamFormat::Json => lines::run(&mut live, input, terminal),
        StreamFormat::F32 => floats::run(&mut live, input, terminal),
    };
    // What lags behind the input comes now, but for a sequence that is to go on.
    let rest = match &arguments.save_state {
        None => live.finish()?,
        Some(path) if done.is_ok() => {
            live.state()?.save(path).map_err(Failure::File)?;
            Vec::new()
        }
        Some(_) => Vec::new(),
    };
    match arguments.format {
        StreamFormat::Json => lines::print(&live, &rest, terminal)?,
        StreamFormat::F32 => floats::print(&rest, terminal)?,
    }
    done?;
    if arguments.stats && !terminal.is_closed() {
        steps.all.push(("stream", begun.elapsed()));
        let count = live.count();
        terminal.say(&format!("positions {count}\n"));
        for (name, time) in &steps.all {
            terminal.say(&format!("{name:<8} {:>9.3} ms\n", time.as_secs_f64() * 1e3));
        }
    }
    Ok(())
}

/// The inputs that come position by position, in the order of the file.
fn inputs_along(model: &Model, time: TimeId) -> Result<Vec<ValueId>, Failure> {
    let axis = &model.times[time.0 as usize];
    let mut along = Vec::new();
    for (id, value) in model.inputs() {
        let times: Vec<TimeId> = value.axes.iter().filter_map(Axis::time).collect();
        match times.as_slice() {
            [only] if *only == time => along.push(id),
            several if several.contains(&time) => {
                return Err(Failure::Other(format!(
                    "the input `{}` has another axis of positions besides {axis}: it can't come position by position",
                    value.path
                )));
            }
            _ => {}
        }
    }
    if along.is_empty() {
        return Err(Failure::Other(format!("the model `{}` has no input that comes along {axis}", model.name)));
    }
    Ok(along)
}

/// What is given whole.
fn given(arguments: &RunArguments, checked: &Checked, along: &[ValueId], time: TimeId) -> Result<Batch, Stop> {
    let model = &checked.model;
    let comes = |name: &str| along.iter().any(|id| model.value(*id).path == name);
    let mut given = Given::default();
    if let Some(path) = &arguments.io {
        let io = Io::open(path).map_err(Failure::File)?;
        let known = |name: &str| name.starts_with("lengths") || model.inputs().any(|(_, value)| value.path == name);
        given.take(model, io.inputs.into_iter().filter(|(name, _)| known(name) && !comes(name)).collect())?;
        given.lengths.remove(&model.times[time.0 as usize]);
    }
    for input in &arguments.input {
        if comes(&input.name) {
            return Err(Stop::Usage(format!("the input `{}` comes from standard input", input.name)));
        }
        given.read(input)?;
    }
    // One position of zeros stands for those to come, so that all else is looked at as in a batch.
    for id in along {
        let value = model.value(*id);
        let sizes = value.axes.iter().map(|axis| axis.size().unwrap_or(1));
        let shape: Vec<usize> = [1].into_iter().chain(sizes).collect();
        let zeros = vec![0.0; shape.iter().product()];
        let tensor = Tensor::new(shape, Values::Floats(zeros)).map_err(Failure::Other)?;
        given.tensors.insert(value.path.clone(), tensor);
    }
    let mut batch = given.batch(checked)?;
    along.iter().for_each(|id| drop(batch.inputs.remove(id)));
    Ok(batch)
}

/// Numbers of tokens are whole and below a bound.
fn check_tokens(model: &Model, id: ValueId, numbers: &[f32]) -> Result<(), String> {
    let value = model.value(id);
    let ValueKind::Input { below: Some(below) } = value.kind else { return Ok(()) };
    let inside = |number: &f32| *number >= 0.0 && *number < below as f32 && number.fract() == 0.0;
    match numbers.iter().find(|number| !inside(number)) {
        None => Ok(()),
        Some(number) => Err(format!("`{}` has {number}: wanted are whole numbers from 0 to {}", value.path, below - 1)),
    }
}
