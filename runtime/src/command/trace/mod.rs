//! `seqc trace`: any named value of any equation over time, without touching the model.
//!
//! | file | what it does |
//! | --- | --- |
//! | `select.rs` | which values are meant: paths, patterns, near names, the list of all |
//! | `panels.rs` | a value of a sequence as matrices: entries over time, or pairs of positions |
//! | `html.rs` | a page with pictures of values, equations and kernels |
//! | `save.rs` | values as .npy, .npz and .safetensors files |
//!
//! A value that is asked for is written out by the kernel that computes it, on every backend: the model is compiled with
//! the traced values as its results.

mod html;
mod panels;
mod save;
pub(super) mod select;

use self::panels::{Panel, Side, panels};
use super::arguments::TraceArguments;
use super::heat::{Table, dim, draw};
use super::inputs::{Given, Ready};
use super::prepare::{self, Prepared, Steps};
use super::show::{self, Part};
use super::terminal::{Depth, Terminal, Waiting};
use super::{Stop, json, profile};
use crate::session::{self, Backend, Failure};
use crate::weights::write_file;
use anstyle::Style;
use seqwright_compiler::model::Model;
use seqwright_compiler::term::ValueId;
use serde_json::{Value, json};

/// Positions of a random sequence where nobody says how many, and the model allows so many.
const POSITIONS: usize = 16;
/// How many sequences are shown, and how many matrices of each value.
const MOST_SHOWN: usize = 4;

/// A value that was traced.
pub struct Traced {
    /// Its path.
    path: String,
    /// Its number in the model.
    id: ValueId,
    /// The rows of all sequences.
    rows: Vec<f32>,
    /// Its numbers in each sequence.
    parts: Vec<Part>,
}

/// Traces values.
pub fn trace(arguments: &TraceArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &[])?;
    let backend = prepare::backend(&arguments.backend, terminal)?;
    if arguments.value.is_empty() && !arguments.list && arguments.html.is_none() {
        return Err(Stop::Usage(
            "nothing is asked for: name values with `--value PATH`, or see them with `--list`".into(),
        ));
    }
    let format = arguments.save.as_deref().map(save::format).transpose()?;
    let mut steps = Steps::default();
    let precision = arguments.backend.precision();
    let mut prepared = prepare::prepare_or_random(&request, &arguments.given, precision, &mut steps, terminal)?;
    let chosen = match arguments.value.is_empty() && arguments.html.is_some() {
        true => select::usual(&prepared.checked.model),
        false => select::select(&prepared.checked.model, &arguments.value)?,
    };
    if arguments.list {
        let named = select::listed(&prepared.checked.model, (!arguments.value.is_empty()).then_some(&chosen));
        return match arguments.json {
            true => terminal.print(&json::document("trace", true, [("values", select::document(&named))])),
            false => terminal.print(&select::text(&named, terminal)),
        };
    }
    save::fits(format, &chosen)?;
    let own = prepared.checked.asked_for(prepared.checked.outputs.clone());
    prepared.checked.outputs = chosen;
    let model = &prepared.checked.model;
    let limits = session::lower(&prepared.checked).program.limits;
    let ready = Given::or_random(&arguments.given, &prepared, &limits, POSITIONS)?;
    let mut notes = prepared.loaded.notes.clone();
    let told = notes.len();
    notes.extend(prepare::what_is_random(&arguments.given, model));
    notes[told..].iter().for_each(|note| terminal.note(note));
    let traced = run(&prepared, backend, &ready)?;
    if let Some(path) = &arguments.html {
        let times = profile::times(&own, &prepared.loaded, backend, &ready.batch)?;
        let shown = html::Shown { model, ready: &ready, traced: &traced, notes: &notes, times: times.as_ref() };
        let page = html::page(&shown, &prepare::backend_name(backend));
        write_file(path, page.html().as_bytes()).map_err(Failure::File)?;
        terminal.ok(&format!("the report is in {}", path.display()));
        if arguments.save.is_none() && !arguments.json {
            return Ok(());
        }
    }
    if let (Some(path), Some(format)) = (&arguments.save, format) {
        save::save(path, format, model, &ready.batch, &traced)?;
        if !arguments.json {
            let count = super::explain::words::counted(traced.len(), "value");
            terminal.ok(&format!("{count} written to {}", path.display()));
            return Ok(());
        }
    }
    match arguments.json {
        true => terminal.print(&document(model, &ready, &traced, &notes)),
        false => {
            let text = text(model, &ready, &traced, terminal);
            terminal.print(&text)
        }
    }
}

/// Runs a model whose results are the traced values.
fn run(prepared: &Prepared, backend: Backend, ready: &Ready) -> Result<Vec<Traced>, Stop> {
    let checked = &prepared.checked;
    let results = {
        let _waiting = Waiting::new(format!("running {}", checked.model.name));
        session::traced(checked, &prepared.loaded, backend, &ready.batch)?
    };
    let traced = |((path, id), rows): (&(String, ValueId), Vec<f32>)| {
        let parts = show::parts(&checked.model.value(*id).axes, &ready.batch, &rows);
        Traced { path: path.clone(), id: *id, rows, parts }
    };
    Ok(checked.outputs.iter().zip(results).map(traced).collect())
}

fn text(model: &Model, ready: &Ready, traced: &[Traced], terminal: &Terminal) -> String {
    let bold = if terminal.depth() == Depth::Plain { Style::new() } else { Style::new().bold() };
    let dim = dim(terminal);
    let mut blocks = Vec::new();
    for value in traced {
        for (sequence, part) in value.parts.iter().enumerate().take(MOST_SHOWN) {
            let which =
                if value.parts.len() > 1 { format!("  {dim}sequence {sequence}{dim:#}") } else { String::new() };
            let axes = show::sizes(model, value.id, &part.sizes);
            let mut block = format!("{bold}{}{bold:#}{axes}{which}\n", value.path);
            let all = panels(model, value.id, part, &|time| ready.tokens_of(model, time, sequence));
            for panel in all.iter().take(MOST_SHOWN) {
                block.push_str(&table(panel, terminal));
            }
            if all.len() > MOST_SHOWN {
                block.push_str(&format!("  {dim}{} more tables not shown{dim:#}\n", all.len() - MOST_SHOWN));
            }
            blocks.push(block);
        }
        if value.parts.len() > MOST_SHOWN {
            let more = value.parts.len() - MOST_SHOWN;
            blocks.push(format!("{dim}{more} more sequences of {} not shown{dim:#}\n", value.path));
        }
    }
    blocks.join("\n")
}

/// A matrix as a table, its rows positions where it has some.
fn table(panel: &Panel, terminal: &Terminal) -> String {
    let dim = dim(terminal);
    let along = |side: &Option<Side>, way: &str| side.as_ref().map(|side| format!("{} {way}", side.axis));
    let place = (!panel.place.is_empty()).then(|| panel.place.clone());
    let head = [place, along(&panel.rows, "down"), along(&panel.columns, "across")];
    let head: Vec<String> = head.into_iter().flatten().collect();
    let head = if head.is_empty() { String::new() } else { format!("  {dim}{}{dim:#}\n", head.join(", ")) };
    let names = |side: &Option<Side>| side.as_ref().map_or(vec![String::new()], |side| side.names.clone());
    let table = Table { rows: names(&panel.rows), columns: names(&panel.columns), numbers: &panel.numbers };
    format!("{head}{}", draw(&table, terminal))
}

fn document(model: &Model, ready: &Ready, traced: &[Traced], notes: &[String]) -> String {
    let batch = &ready.batch;
    let lengths: serde_json::Map<String, Value> =
        model.times.iter().zip(&batch.lengths).map(|(time, lengths)| (time.clone(), json!(lengths))).collect();
    let shown = traced.iter().map(|value| {
        let values: Vec<Value> = value.parts.iter().map(|part| json::nested(&part.sizes, &part.numbers)).collect();
        json!({
            "path": value.path,
            "axes": select::axes(model, value.id),
            "not_finite": value.rows.iter().filter(|number| !number.is_finite()).count(),
            "values": values,
        })
    });
    let parts = [
        ("model", json!(model.name)),
        ("sequences", json!(batch.sequences)),
        ("lengths", Value::Object(lengths)),
        ("tokens", json!(ready.tokens)),
        ("values", Value::Array(shown.collect())),
        ("notes", json!(notes)),
    ];
    json::document("trace", true, parts)
}
