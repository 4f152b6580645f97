//! `seqc memory`: what survives of a change in each state, and how fast the rest fades.
//!
//! | file | what it does |
//! | --- | --- |
//! | `show.rs` | tables with sparklines, the JSON document, the page with curves |
//!
//! The numbers are the compiler's ([`seqwright_compiler::recurrence::memory`]): derivatives taken forward through the
//! interpreter, in float64.

mod show;

use super::arguments::MemoryArguments;
use super::explain::look;
use super::inputs::Given;
use super::prepare::{self, Steps};
use super::terminal::{Terminal, Waiting};
use super::trace::select;
use super::{Stop, json, random};
use crate::session::{self, Failure, OneSequence};
use crate::tiles::Precision;
use crate::weights::write_file;
use seqwright_compiler::graph;
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::recurrence::memory::{Effort, Memory, memory};
use seqwright_compiler::term::ValueId;

/// At how many positions a change is made.
const STARTS: usize = 4;
/// States with more entries are looked at along random directions.
const EXACT: usize = 32;
/// How many random directions.
const DIRECTIONS: usize = 8;

/// What was found of a model.
pub struct Found {
    /// The model's name.
    model: String,
    /// What was run, in words.
    what: String,
    /// What its reader should know.
    notes: Vec<String>,
    /// What survives of each state.
    states: Vec<Memory>,
}

/// Tells what a model's states remember.
pub fn tell(arguments: &MemoryArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &[])?;
    let mut steps = Steps::default();
    let mut prepared = prepare::prepare_or_random(&request, &arguments.given, Precision::F32, &mut steps, terminal)?;
    let states = states(&prepared.checked.model, &arguments.state)?;
    let limits = session::lower(&prepared.checked).program.limits;
    let positions = 2 * arguments.steps as usize + 1;
    let ready = Given::or_random(&arguments.given, &prepared, &limits, positions)?;
    prepared.checked.outputs = states;
    let checked = &prepared.checked;
    let sequence = OneSequence::first(checked, &prepared.loaded, &limits, &ready.batch)?;
    let mut notes = prepared.loaded.notes.clone();
    let told = notes.len();
    notes.extend(prepare::what_is_random(&arguments.given, &checked.model));
    notes[told..].iter().for_each(|note| terminal.note(note));
    let effort = Effort { steps: arguments.steps as usize, starts: STARTS, exact: EXACT, directions: DIRECTIONS };
    let graph = graph::build(&checked.model, &checked.outputs);
    let asked: Vec<&str> = checked.outputs.iter().map(|(_, id)| checked.model.value(*id).path.as_str()).collect();
    let found = {
        let _waiting = Waiting::new(format!("following changes in {}", checked.model.name));
        memory(&graph, &sequence.as_sequence(), effort, &mut random::numbers())
    };
    let found = Found {
        model: checked.model.name.clone(),
        what: what(&checked.model, &sequence),
        notes,
        states: found.into_iter().filter(|memory| asked.contains(&memory.state.as_str())).collect(),
    };
    if let Some(path) = &arguments.html {
        write_file(path, show::page(&found).html().as_bytes()).map_err(Failure::File)?;
        terminal.ok(&format!("the report is in {}", path.display()));
    }
    match arguments.json {
        true => terminal.print(&json::document("memory", true, show::parts(&found))),
        false if arguments.html.is_some() => Ok(()),
        false => terminal.print(&show::text(&found, &look(terminal))),
    }
}

/// The states that are meant; all of the model's where none is named.
fn states(model: &Model, wanted: &[String]) -> Result<Vec<(String, ValueId)>, Stop> {
    let is_state = |id: ValueId| match &model.value(id).kind {
        ValueKind::Equation(equation) => equation.is_state,
        ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Constant(_) => false,
    };
    let other = |why: String| Err(Failure::Other(why).into());
    let all: Vec<(String, ValueId)> =
        model.ids().filter(|(id, _)| is_state(*id)).map(|(id, value)| (value.path.clone(), id)).collect();
    if all.is_empty() {
        return other(format!(
            "the model `{}` has no state: nothing in it goes on from position to position, so that nothing fades",
            model.name
        ));
    }
    if wanted.is_empty() {
        return Ok(all);
    }
    let mut chosen = select::select(model, wanted)?;
    if let (Some((path, _)), [only]) = (chosen.iter().find(|(_, id)| !is_state(*id)), wanted)
        && path == only
    {
        let names: Vec<String> = all.iter().map(|(path, _)| format!("`{path}`")).collect();
        return other(format!(
            "`{path}` is no state of the model `{}`; its states are {}",
            model.name,
            names.join(", ")
        ));
    }
    chosen.retain(|(_, id)| is_state(*id));
    if chosen.is_empty() {
        return other(format!("no state of the model `{}` is called so", model.name));
    }
    Ok(chosen)
}

/// `A sequence of 129 positions of T`.
fn what(model: &Model, sequence: &OneSequence) -> String {
    let lengths = model.times.iter().zip(&sequence.lengths);
    let positions: Vec<String> = lengths.map(|(time, length)| format!("{length} positions of {time}")).collect();
    format!("A sequence of {}", positions.join(", "))
}
