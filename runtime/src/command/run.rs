//! `seqc run`: runs a model on inputs and shows, saves or writes out its results.

use super::arguments::RunArguments;
#[cfg(feature = "gpu")]
use super::explain::words;
use super::inputs::Given;
use super::prepare::{self, Steps, Texts};
use super::show::{self, Part, cosine};
use super::terminal::{Terminal, Waiting};
use super::{Stop, json, stream};
use crate::batch::{Batch, padded};
use crate::matrix::Kept;
use crate::session::{Backend, Failure, Runner};
use crate::weights::{Tensor, Values, write_safetensors};
use seqwright_compiler::term::{Axis, ValueId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Runs a model.
pub fn run(arguments: &RunArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    if arguments.stream {
        return stream::stream(arguments, terminal);
    }
    let request = prepare::request(&arguments.model, &arguments.output)?;
    let backend = prepare::backend(&arguments.backend, terminal)?;
    let mut names = BTreeSet::new();
    if let Some(twice) = arguments.input.iter().find(|input| !names.insert(&input.name)) {
        return Err(Stop::Usage(format!("the input `{}` is given twice", twice.name)));
    }
    let mut steps = Steps::default();
    let prepared = prepare::prepare(
        &request,
        arguments.checkpoint.as_deref(),
        arguments.backend.precision(),
        if arguments.text.is_empty() { Texts::None } else { Texts::Given },
        &mut steps,
        terminal,
    )?;
    let given = Given::from_files(arguments.io.as_deref(), &arguments.input, &arguments.text, &prepared)?;
    let batch = given.batch(&prepared.checked)?;
    let runner = prepare::compile(&prepared, backend, &mut steps)?;
    let results = {
        let _waiting = Waiting::new(format!("running {}", prepared.checked.model.name));
        steps.take("run", || runner.run(&batch))?
    };
    let outputs: Vec<Output> = runner
        .outputs()
        .iter()
        .zip(results)
        .map(|((name, id), rows)| {
            let axes = runner.model().value(*id).axes.clone();
            Output { name: name.clone(), id: *id, parts: show::parts(&axes, &batch, &rows), axes, rows }
        })
        .collect();
    if let Some(path) = &arguments.save {
        write_safetensors(path, &saved(&given, &batch, &outputs)).map_err(Failure::File)?;
    }
    let mut notes = prepared.loaded.notes.clone();
    notes.extend(runner.kept().and_then(Kept::note));
    notes.extend(outputs.iter().filter_map(Output::note));
    // Those of loading have been told.
    notes[prepared.loaded.notes.len()..].iter().for_each(|note| terminal.note(note));
    if arguments.stats {
        stats(&steps, &batch, &runner, backend, terminal);
    }
    if arguments.json {
        return terminal.print(&document(arguments, &steps, &batch, &runner, &outputs, notes));
    }
    show_all(arguments, &batch, &runner, &outputs, terminal)
}

/// A result.
struct Output {
    name: String,
    id: ValueId,
    axes: Vec<Axis>,
    rows: Vec<f32>,
    parts: Vec<Part>,
}

impl Output {
    /// What is odd about its numbers.
    fn note(&self) -> Option<String> {
        let nans = self.rows.iter().filter(|number| number.is_nan()).count();
        let infinite = self.rows.iter().filter(|number| number.is_infinite()).count();
        let what = match (nans, infinite) {
            (0, 0) => return None,
            (_, 0) => format!("{nans} not a number (NaN)"),
            (0, _) => format!("{infinite} infinite"),
            (_, _) => format!("{nans} not a number (NaN), {infinite} infinite"),
        };
        Some(format!("`{}` has {} numbers, of which {what}", self.name, self.rows.len()))
    }

    /// Whether it is one vector for each sequence.
    fn is_vector(&self) -> bool {
        matches!(self.axes.as_slice(), [axis] if axis.time().is_none())
    }
}

/// Inputs, lengths and results as an io file has them.
fn saved(given: &Given, batch: &Batch, outputs: &[Output]) -> BTreeMap<String, Tensor> {
    let inputs = given.tensors.iter().map(|(name, tensor)| (format!("in.{name}"), tensor.clone()));
    let lengths = given.lengths.iter().filter_map(|(time, lengths)| {
        let numbers = lengths.iter().map(|length| *length as i64).collect();
        Some((format!("in.lengths.{time}"), Tensor::new(vec![lengths.len()], Values::Integers(numbers)).ok()?))
    });
    let outputs =
        outputs.iter().map(|output| (format!("out.{}", output.name), padded(&output.axes, batch, &output.rows)));
    inputs.chain(lengths).chain(outputs).collect()
}

fn show_all(
    arguments: &RunArguments,
    batch: &Batch,
    runner: &Runner,
    outputs: &[Output],
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    for (place, output) in outputs.iter().enumerate() {
        let text = if place == 0 && !arguments.text.is_empty() && output.is_vector() {
            let lengths = batch.lengths.first().map_or(&[][..], Vec::as_slice);
            show::texts(&output.name, &arguments.text, lengths, &output.parts, terminal)
        } else {
            show::value(runner.model(), &output.name, output.id, &output.parts, terminal)
        };
        // Values are set apart from each other, and the last one from nothing.
        let text = if place + 1 == outputs.len() { text.strip_suffix('\n').unwrap_or(&text) } else { &text };
        terminal.print(text)?;
    }
    Ok(())
}

fn document(
    arguments: &RunArguments,
    steps: &Steps,
    batch: &Batch,
    runner: &Runner,
    outputs: &[Output],
    notes: Vec<String>,
) -> String {
    let model = runner.model();
    let lengths: serde_json::Map<String, Value> =
        model.times.iter().zip(&batch.lengths).map(|(time, lengths)| (time.clone(), json!(lengths))).collect();
    let shown = outputs.iter().map(|output| {
        let axes = output.axes.iter().map(|axis| {
            let labels = model.labels.get(&axis.name);
            json!({ "name": axis.name, "size": axis.size(), "labels": labels })
        });
        // Sequences differ in length: each has its own shape.
        let values = output.parts.iter().map(|part| json::nested(&part.sizes, &part.numbers));
        json!({
            "name": output.name,
            "axes": axes.collect::<Vec<_>>(),
            "not_finite": output.rows.iter().filter(|number| !number.is_finite()).count(),
            "values": values.collect::<Vec<_>>(),
        })
    });
    let mut parts = vec![
        ("model", json!(model.name)),
        ("sequences", json!(batch.sequences)),
        ("lengths", Value::Object(lengths)),
        ("outputs", Value::Array(shown.collect())),
        ("notes", json!(notes)),
    ];
    if let (false, Some(first)) = (arguments.text.is_empty(), outputs.first().filter(|output| output.is_vector())) {
        let row =
            |one: &Part| -> Vec<f32> { first.parts.iter().map(|other| cosine(&one.numbers, &other.numbers)).collect() };
        let rows = first.parts.iter().map(|one| json::nested(&[first.parts.len()], &row(one)));
        parts.push(("cosine_similarity", Value::Array(rows.collect())));
    }
    if arguments.stats {
        let times = steps.all.iter().map(|(name, time)| (name.to_string(), json!(time.as_secs_f64())));
        parts.push(("seconds", Value::Object(times.collect())));
        #[cfg(feature = "gpu")]
        if let Some(executable) = runner.gpu() {
            let counts = executable.counts();
            parts.push((
                "gpu",
                json!({
                    "adapter": executable.adapter(),
                    "dispatches": counts.dispatches,
                    "submissions": counts.submissions,
                    "bytes_sent": counts.sent,
                    "bytes_read": counts.read,
                    "pipelines": counts.pipelines,
                    "bind_groups": counts.bind_groups,
                    "bytes_of_weights": counts.weights,
                    "bytes_of_values": counts.buffers,
                }),
            ));
        }
    }
    json::document("run", true, parts)
}

fn stats(steps: &Steps, batch: &Batch, runner: &Runner, backend: Backend, terminal: &mut Terminal) {
    let positions: Vec<String> = runner
        .times()
        .map(|(time, name)| format!("{} positions of {name}", batch.lengths[time.0 as usize].iter().sum::<usize>()))
        .collect();
    let sequences =
        if batch.sequences == 1 { "1 sequence".to_string() } else { format!("{} sequences", batch.sequences) };
    let batch = [sequences].into_iter().chain(positions).collect::<Vec<_>>().join(", ");
    terminal.say(&format!("backend  {}\nbatch    {batch}\n", prepare::backend_name(backend)));
    for (name, time) in &steps.all {
        terminal.say(&format!("{name:<8} {:>9.3} ms\n", time.as_secs_f64() * 1e3));
    }
    #[cfg(feature = "gpu")]
    if let Some(executable) = runner.gpu() {
        let counts = executable.counts();
        let dispatches = match counts.dispatches {
            1 => "1 dispatch".to_string(),
            many => format!("{many} dispatches"),
        };
        terminal.say(&format!(
            "gpu      {dispatches} in {}, {} bytes sent, {} read; {}, {}, {} bytes of weights, {} of values\n",
            words::counted(counts.submissions, "submission"),
            counts.sent,
            counts.read,
            words::counted(counts.pipelines, "pipeline"),
            words::counted(counts.bind_groups, "bind group"),
            counts.weights,
            counts.buffers,
        ));
    }
}
