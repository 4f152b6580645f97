//! `seqc verify`: a model's values against those that another program computed.
//!
//! Only what exists is compared: positions past a sequence's end hold whatever the other program left there. What another
//! program generated token by token is generated anew ([`greedy`]).

use super::arguments::VerifyArguments;
use super::greedy::{self, Greedy};
use super::inputs::Given;
use super::prepare::{self, Steps, Texts};
use super::terminal::{Depth, Terminal, Waiting};
use super::{Stop, json};
use crate::batch::{Batch, for_each_place, match_shape};
use crate::numbers::{left, right, shortest, width};
use crate::session::Failure;
use crate::weights::{Checkpoint, Io, Tensor, Values};
use anstyle::{AnsiColor, Style};
use seqwright_compiler::diagnostic::nearest;
use seqwright_compiler::model::{Model, print_axes};
use seqwright_compiler::term::{Axis, ValueId};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Relative errors are relative to the expected number, but to this where it is nearer to 0.
const LEAST_EXPECTED: f64 = 1e-3;

/// Verifies a model.
pub fn verify(arguments: &VerifyArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &[])?;
    let backend = prepare::backend(&arguments.backend, terminal)?;
    let mut steps = Steps::default();
    let mut prepared = prepare::prepare(
        &request,
        Some(&arguments.checkpoint),
        arguments.backend.precision(),
        Texts::None,
        &mut steps,
        terminal,
    )?;
    let path = match (&arguments.io, &prepared.checkpoint) {
        (Some(path), _) => path.clone(),
        (None, checkpoint) => {
            checkpoint.as_ref().map(Checkpoint::folder).map_or(PathBuf::new(), PathBuf::from).join("io.safetensors")
        }
    };
    let mut io = Io::open(&path).map_err(Failure::File)?;
    let mut notes = prepared.loaded.notes.clone();
    let told = notes.len();
    let model = &prepared.checked.model;
    // What another program generated is no value of the model, nor is what it generated from.
    let prompt = match model.inputs().any(|(_, value)| value.path == "prompt") {
        true => None,
        false => io.inputs.remove("prompt"),
    };
    let expected = if find(model, "greedy").is_none() { io.outputs.remove("greedy") } else { None };
    if prompt.is_some() && expected.is_none() {
        notes.push("`in.prompt` is left out: no `out.greedy` says how it goes on".to_string());
    }
    let greedy = expected.map(|expected| Greedy { prompt, expected });
    notes[told..].iter().for_each(|note| terminal.note(note));
    let mut given = Given::default();
    given.take(model, io.inputs)?;
    let outputs: Vec<(String, ValueId)> = io
        .outputs
        .keys()
        .map(|name| Ok((name.clone(), expected_value(model, name)?)))
        .collect::<Result<_, Failure>>()?;
    if outputs.is_empty() && greedy.is_none() {
        return Err(Failure::Other(format!("{} expects nothing: it has no tensor `out.NAME`", path.display())).into());
    }
    let mut compared = Vec::new();
    let mut kept = None;
    if !outputs.is_empty() {
        prepared.checked.outputs = outputs;
        let batch = given.batch(&prepared.checked)?;
        let runner = prepare::compile(&prepared, backend, &mut steps)?;
        kept = runner.kept().cloned();
        let rows = {
            let _waiting = Waiting::new(format!("running {}", prepared.checked.model.name));
            runner.run(&batch)?
        };
        let one = |((name, id), rows): (&(String, ValueId), &Vec<f32>)| {
            let axes = &prepared.checked.model.value(*id).axes;
            let expected = &io.outputs[name];
            let difference = compare(axes, &batch, rows, expected, arguments.tolerance);
            let wanted = print_axes(axes, &prepared.checked.model.times);
            Compared { name: name.clone(), shape: expected.shape().to_vec(), wanted, difference }
        };
        compared = prepared.checked.outputs.iter().zip(&rows).map(one).collect();
    }
    let generated = match &greedy {
        None => None,
        Some(greedy) => {
            let _waiting = Waiting::new(format!("generating with {}", prepared.checked.model.name));
            Some(greedy::compare(&prepared.checked, &prepared.loaded, backend, &given, greedy)?)
        }
    };
    kept = kept.or_else(|| generated.as_ref()?.kept.clone());
    if let Some(note) = kept.and_then(|kept| kept.note()) {
        terminal.note(&note);
        notes.push(note);
        for compared in &compared {
            let Some(difference) = &compared.difference else { continue };
            let note = format!("the cosine of `{}` to what is expected is {:.6}", compared.name, difference.cosine());
            terminal.note(&note);
            notes.push(note);
        }
    }
    let ok = compared.iter().all(Compared::is_ok) && generated.iter().all(greedy::Compared::is_ok);
    if arguments.json {
        let outputs = compared.iter().map(Compared::document);
        let outputs = outputs.chain(generated.iter().map(greedy::Compared::document)).collect();
        let parts =
            [("tolerance", json!(arguments.tolerance)), ("outputs", Value::Array(outputs)), ("notes", json!(notes))];
        terminal.print(&json::document("verify", ok, parts))?;
    } else {
        let text = table(&compared, generated.as_ref(), terminal);
        terminal.print(&text)?;
    }
    if ok { Ok(()) } else { Err(Stop::Said) }
}

fn find(model: &Model, name: &str) -> Option<ValueId> {
    let result = model.results.iter().find(|(result, _)| result == name).map(|(_, id)| *id);
    result.or_else(|| model.names.get(name).copied())
}

fn expected_value(model: &Model, name: &str) -> Result<ValueId, Failure> {
    find(model, name).ok_or_else(|| {
        let near = nearest(name, model.names.keys().map(String::as_str));
        let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        Failure::Other(format!("`out.{name}` is expected, and the model `{}` has no value `{name}`{near}", model.name))
    })
}

/// A value and the numbers expected for it.
struct Compared {
    name: String,
    shape: Vec<usize>,
    /// Its axes as the model has them.
    wanted: String,
    /// How far they are apart; nothing where the shapes don't fit.
    difference: Option<Difference>,
}

/// How far numbers are from expected ones.
#[derive(Default)]
struct Difference {
    absolute: f64,
    relative: f64,
    /// Where the absolute one is largest, or the first number that is none.
    place: Option<Place>,
    /// How many numbers are further apart than is tolerated, and of how many.
    wrong: usize,
    count: usize,
    /// The sums of products of what is there with what is expected, of each with itself, and of the other.
    products: [f64; 3],
}

impl Difference {
    /// The cosine of the angle between all numbers and the expected ones.
    fn cosine(&self) -> f64 {
        let [both, got, expected] = self.products;
        both / (got * expected).sqrt()
    }
}

/// A number and the expected one.
struct Place {
    at: Vec<usize>,
    got: f32,
    expected: f32,
}

fn compare(axes: &[Axis], batch: &Batch, rows: &[f32], expected: &Tensor, tolerance: f64) -> Option<Difference> {
    let (sequences, rest) = expected.shape().split_first()?;
    let sizes = match_shape(axes, rest)?;
    let long_enough = axes.iter().zip(&sizes).all(|(axis, size)| {
        axis.time().is_none_or(|time| batch.lengths[time.0 as usize].iter().all(|length| length <= size))
    });
    if *sequences != batch.sequences || !long_enough {
        return None;
    }
    let wanted = |place: usize| match expected.values() {
        Values::Floats(numbers) => numbers[place],
        Values::Integers(numbers) => numbers[place] as f32,
    };
    let mut all = Difference::default();
    for_each_place(axes, &sizes, batch, |row, place| {
        let (got, expected) = (rows[row], wanted(place));
        all.count += 1;
        let (one, other) = (f64::from(got), f64::from(expected));
        all.products = [all.products[0] + one * other, all.products[1] + one * one, all.products[2] + other * other];
        let (exact, near) = (f64::from(expected), f64::from(expected).abs());
        // Two infinities are alike; anything that is no number is like nothing.
        let error = if got == expected { 0.0 } else { (f64::from(got) - exact).abs() };
        let is_right = error <= tolerance * near.max(1.0) && (got.is_finite() || got == expected);
        all.wrong += usize::from(!is_right);
        let is_worse = error > all.absolute || error.is_nan() && !all.absolute.is_nan();
        if is_worse || all.place.is_none() {
            all.absolute = error;
            all.place = Some(Place { at: vec![place], got, expected });
        }
        let relative = if error == 0.0 { 0.0 } else { error / near.max(LEAST_EXPECTED) };
        if relative > all.relative || relative.is_nan() {
            all.relative = relative;
        }
    });
    if let Some(place) = &mut all.place {
        place.at = indices(expected.shape(), place.at[0]);
    }
    Some(all)
}

fn indices(shape: &[usize], mut place: usize) -> Vec<usize> {
    let mut indices: Vec<usize> = shape
        .iter()
        .rev()
        .map(|size| {
            let index = place % (*size).max(1);
            place /= (*size).max(1);
            index
        })
        .collect();
    indices.reverse();
    indices
}

impl Compared {
    fn is_ok(&self) -> bool {
        self.difference.as_ref().is_some_and(|difference| difference.wrong == 0 && difference.count > 0)
    }

    fn document(&self) -> Value {
        let finite = |number: f64| number.is_finite().then_some(number);
        let difference = self.difference.as_ref().map(|found| {
            let place = found.place.as_ref().map(
                |place| json!({ "at": place.at, "got": shortest(place.got), "expected": shortest(place.expected) }),
            );
            json!({
                "largest_absolute": finite(found.absolute),
                "largest_relative": finite(found.relative),
                "cosine": finite(found.cosine()),
                "largest": place,
                "compared": found.count,
                "wrong": found.wrong,
            })
        });
        let ok = self.is_ok();
        json!({ "name": self.name, "ok": ok, "shape": self.shape, "axes": self.wanted, "difference": difference })
    }
}

fn table(all: &[Compared], generated: Option<&greedy::Compared>, terminal: &Terminal) -> String {
    let plain = terminal.depth() == Depth::Plain;
    let style = |color: AnsiColor| if plain { Style::new() } else { color.on_default().bold() };
    let (good, bad) = (style(AnsiColor::BrightGreen), style(AnsiColor::BrightRed));
    let head = ["value", "shape", "absolute", "relative", "largest at"].map(str::to_string);
    let mut lines = vec![head];
    for compared in all {
        let shape = format!("{:?}", compared.shape);
        lines.push(match &compared.difference {
            Some(found) => {
                let at = found.place.as_ref().map_or(String::new(), |place| format!("{:?}", place.at));
                [compared.name.clone(), shape, error(found.absolute), error(found.relative), at]
            }
            None => [compared.name.clone(), shape, "-".to_string(), "-".to_string(), "-".to_string()],
        });
    }
    if let Some(generated) = generated {
        let none = || "-".to_string();
        lines.push(["greedy".to_string(), format!("{:?}", generated.shape), none(), none(), String::new()]);
    }
    let oks: Vec<bool> = all.iter().map(Compared::is_ok).chain(generated.map(greedy::Compared::is_ok)).collect();
    let widths: Vec<usize> =
        (0..5).map(|column| lines.iter().map(|line| width(&line[column])).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (place, line) in lines.iter().enumerate() {
        let cells: Vec<String> = (0..5)
            .map(|column| match column {
                2 | 3 => right(&line[column], widths[column]),
                _ => left(&line[column], widths[column]),
            })
            .collect();
        let verdict = match place.checked_sub(1).map(|place| oks[place]) {
            None => String::new(),
            Some(true) => format!("{good}ok{good:#}"),
            Some(false) => format!("{bad}FAILED{bad:#}"),
        };
        text.push_str(format!("{}  {verdict}", cells.join("  ")).trim_end());
        text.push('\n');
    }
    for compared in all.iter().filter(|compared| !compared.is_ok()) {
        let why = match &compared.difference {
            None => format!("the shape {:?} is no batch of {}", compared.shape, compared.wanted),
            // Nothing that is wrong is not yet something that is right.
            Some(found) if found.count == 0 => "there is no number to compare".to_string(),
            Some(found) => {
                let example = found.place.as_ref().map_or(String::new(), |place| {
                    format!("; at {:?} it is {}, expected is {}", place.at, place.got, place.expected)
                });
                format!("{} of {} numbers are wrong{example}", found.wrong, found.count)
            }
        };
        text.push_str(&format!("{}: {why}\n", compared.name));
    }
    if let Some(generated) = generated.filter(|generated| !generated.is_ok()) {
        text.push_str(&generated.why());
    }
    text
}

fn error(number: f64) -> String {
    if number == 0.0 { "0".to_string() } else { format!("{number:.1e}") }
}
