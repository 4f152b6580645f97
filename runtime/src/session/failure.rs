//! Why something could not be done, as it is said to the user.

use crate::batch::InputError;
use crate::execute::RunError;
use crate::weights::{BindError, WeightError};
use anstyle::{AnsiColor, Style};
use seqwright_compiler::diagnostic::{Code, Diagnostic, render};
use seqwright_compiler::kernel;
use seqwright_compiler::model::Model;
use seqwright_compiler::source::{Sources, Span};

/// Why something could not be done.
#[derive(Debug)]
pub enum Failure {
    /// Mistakes in files, and the files.
    Mistakes(Vec<Diagnostic>, Sources),
    /// Mistakes in what a model is given.
    Inputs(Vec<InputError>, Sources),
    /// A checkpoint that can't be read, or does not fit.
    Weights(Vec<BindError>, Sources),
    /// A file of weights or values that can't be read.
    File(WeightError),
    /// A device that can't, or failed.
    Device {
        /// What was needed, and what there is.
        message: String,
        /// What to do.
        help: String,
    },
    /// Anything else, in a sentence.
    Other(String),
}

impl Failure {
    /// The failure as text for a terminal, ending in a line break.
    pub fn render(&self, color: bool) -> String {
        let plain = |message: &str, help: Option<&str>| {
            let (error, advice, bold) = match color {
                true => (
                    AnsiColor::BrightRed.on_default().bold(),
                    AnsiColor::BrightCyan.on_default().bold(),
                    Style::new().bold(),
                ),
                false => (Style::new(), Style::new(), Style::new()),
            };
            let help = help.map_or(String::new(), |help| format!("{advice}help{advice:#}: {help}\n"));
            format!("{error}error{error:#}{bold}: {message}{bold:#}\n{help}")
        };
        match self {
            Failure::Mistakes(all, sources) => {
                all.iter().map(|diagnostic| render(diagnostic, sources, color)).collect::<Vec<_>>().join("\n")
            }
            Failure::Inputs(all, sources) => all
                .iter()
                .map(|error| {
                    let place = error.span.map_or(String::new(), |span| place(span, sources));
                    plain(&format!("{}{place}", error.message), error.help.as_deref())
                })
                .collect(),
            Failure::Weights(all, sources) => all
                .iter()
                .map(|error| match error.diagnostic() {
                    Some(diagnostic) => render(diagnostic, sources, color),
                    None => plain(&error.to_string(), error.help()),
                })
                .collect::<Vec<_>>()
                .join("\n"),
            Failure::File(error) => plain(&error.to_string(), error.help()),
            Failure::Device { message, help } => plain(message, Some(help)),
            Failure::Other(message) => plain(message, None),
        }
    }
}

impl Failure {
    /// The kind of the first mistake in a program, where there is one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Failure::Mistakes(all, _) => all.first().map(|diagnostic| diagnostic.code),
            Failure::Weights(all, _) => all.iter().find_map(|error| Some(error.diagnostic()?.code)),
            Failure::Inputs(..) | Failure::File(_) | Failure::Device { .. } | Failure::Other(_) => None,
        }
    }
}

fn place(span: Span, sources: &Sources) -> String {
    format!(" (declared at {}:{})", sources.get(span.file).name, sources.line(span))
}

/// Why a run did not come about, in words.
pub(super) fn run_failure(error: RunError, model: &Model, sources: &Sources) -> Failure {
    match error {
        RunError::TooLong { sequence, limit } => too_long(model, sources, sequence, &limit),
        RunError::Memory { needed, available } => Failure::Other(format!(
            "a run needs {} MiB of memory for its values, {} MiB are there: run fewer or shorter sequences at once",
            needed >> 20,
            available >> 20
        )),
        RunError::Batch(why) => Failure::Other(format!("the batch does not fit the model: {why}")),
        RunError::Device { message, help } => Failure::Device { message, help },
    }
}

pub(super) fn too_long(
    model: &Model,
    sources: &Sources,
    (sequence, length): (usize, usize),
    limit: &kernel::Limit,
) -> Failure {
    let time = &model.times[limit.time.0 as usize];
    let error = InputError {
        message: format!(
            "sequence {sequence} has {length} positions of {time}, `{}` allows {} at most",
            limit.value, limit.most
        ),
        span: Some(limit.span),
        help: Some("shorten the sequence, or split it".to_string()),
    };
    Failure::Inputs(vec![error], sources.clone())
}
