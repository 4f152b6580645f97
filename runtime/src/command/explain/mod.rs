//! `seqc explain`: what the compiler made of a model, or why two of its equations are not one kernel.
//!
//! With a diagnostic's number instead of a file, what that kind of mistake is (`mistake.rs`).
//!
//! The explanation is a value that the compiler makes; here it becomes text for people (`text.rs`, with the words in
//! `words.rs`) or one JSON document (`json.rs`).

mod json;
mod mistake;
pub(super) mod table;
mod text;
pub(crate) mod words;

pub use text::{Look, Shown, answer, text};

use super::arguments::ExplainArguments;
use super::json::document;
use super::terminal::{Depth, Terminal};
use super::{Stop, prepare};
use crate::session::{self, Checked, Failure};
use anstyle::{AnsiColor, Style};
use seqwright_compiler::diagnostic::nearest;
use seqwright_compiler::explain::{self, Stages, groups};
use seqwright_compiler::model::{Value, ValueKind};

/// The columns that a text takes at most, however wide the terminal is.
const WIDEST: usize = 100;

/// Explains a model.
pub(super) fn explain(arguments: &ExplainArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    if mistake::is_number(&arguments.model.file) {
        return mistake::explain(&arguments.model.file.to_string_lossy(), terminal);
    }
    let request = prepare::request(&arguments.model, &arguments.output)?;
    let checkpoint = prepare::open(arguments.checkpoint.as_deref())?;
    let checked = session::check(&request, checkpoint.as_ref())?;
    let stages = Stages::new(&checked.model, &checked.outputs);
    let look = look(terminal);
    if let Some(pair) = &arguments.why {
        let (first, second) = (value_of(&checked, &pair[0])?, value_of(&checked, &pair[1])?);
        let found = explain::why(&stages, &first, &second);
        let Some(found) = found else {
            return Err(Failure::Other(format!("`{first}` and `{second}` are not both equations: inputs, weights and constants are computed by no kernel")).into());
        };
        return match arguments.json {
            true => terminal.print(&document("explain", true, json::answer(&checked.model.name, &found))),
            false => terminal.print(&answer(&found, &look)),
        };
    }
    let explained = explain::explain(&stages);
    if let Some(layer) = arguments.layer {
        let ending = format!(".{layer}");
        if !groups(&explained.equations, false).iter().any(|group| group.path.ends_with(&ending)) {
            return Err(Failure::Other(format!("the model `{}` has no layer {layer}", checked.model.name)).into());
        }
    }
    if arguments.json {
        let parts = json::explanation(&explained, &checked.sources);
        return terminal.print(&document("explain", true, parts));
    }
    let shown = match (arguments.layer, arguments.all) {
        (Some(layer), _) => Shown::Layer(layer),
        (None, true) => Shown::All,
        (None, false) => Shown::Alike,
    };
    terminal.print(&text(&explained, &checked.sources, shown, &look))
}

/// The path of an equation as the tables have it, or of a named value.
fn value_of(checked: &Checked, name: &str) -> Result<String, Failure> {
    let is_equation = |value: &Value| value.path == name && matches!(value.kind, ValueKind::Equation(_));
    if checked.model.values.iter().any(is_equation) {
        return Ok(name.to_string());
    }
    match checked.model.names.get(name) {
        Some(id) => Ok(checked.model.value(*id).path.clone()),
        None => {
            let near = nearest(name, checked.model.names.keys().map(String::as_str));
            let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            Err(Failure::Other(format!("the model `{}` has no value `{name}`{near}", checked.model.name)))
        }
    }
}

/// Colours as the terminal has them.
pub(super) fn look(terminal: &Terminal) -> Look {
    let width = terminal.width_of_text(WIDEST);
    match terminal.depth() {
        Depth::Plain => Look { width, heading: Style::new(), name: Style::new(), dim: Style::new() },
        Depth::Palette | Depth::True => Look {
            width,
            heading: Style::new().bold(),
            name: AnsiColor::BrightCyan.on_default(),
            dim: Style::new().dimmed(),
        },
    }
}
