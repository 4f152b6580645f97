//! Parameters from a checkpoint's `config.json`, and what the table requires of it.
//!
//! In: the tables' `name = …` and `require …` lines, and a way to read the configuration. Out: the
//! parameters that it gives. What it does not give is left to the command line and to defaults.

use super::number::{Ask, Fault, evaluate, path_span, path_text};
use super::{FileFormat, find};
use crate::check::program::Program;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::model::Model;
use crate::source::Span;
use crate::syntax::tree::{Alternative, Entry, Expression, Name, Size};
use crate::term::print_number;
use std::collections::BTreeMap;

/// What stands at a path of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// Nothing.
    Missing,
    /// `null`.
    Null,
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list or an object, of so many entries.
    Several(usize),
    /// A number that no float is.
    Other,
}

impl Setting {
    /// As a message shows it.
    fn words(&self) -> String {
        match self {
            Setting::Missing => "nothing".to_string(),
            Setting::Null => "null".to_string(),
            Setting::Number(number) => print_number(*number),
            Setting::Bool(value) => value.to_string(),
            Setting::Text(text) => {
                let short: String = text.chars().take(60).collect();
                format!("\"{}\"", short.escape_debug())
            }
            Setting::Several(_) => "a list or an object".to_string(),
            Setting::Other => "a number out of all bounds".to_string(),
        }
    }
}

/// Reads a configuration at a path without its `config`.
type Config<'a> = dyn Fn(&[&str]) -> Setting + 'a;

/// The values of a model's parameters as the configuration of a checkpoint of that format has them.
///
/// The configuration is asked for paths without the word `config` in front: `config.n_embd` is
/// `["n_embd"]`. A parameter that is `given`, by the user, keeps that value: its line is not asked.
///
/// # Errors
/// Every line whose value is missing and has no default, every requirement that is not met, and
/// every line that is written wrongly.
pub fn settings(
    program: &Program,
    model: &str,
    format: FileFormat,
    given: &BTreeMap<String, f64>,
    config: &dyn Fn(&[&str]) -> Setting,
) -> Result<BTreeMap<String, f64>, Vec<Diagnostic>> {
    let tables = find::tables(program, model, format)?;
    let sizes = find::definition(program, model).map_or(&[][..], |definition| &definition.sizes);
    let mut reading =
        Reading { config, given, sizes, values: BTreeMap::new(), set: BTreeMap::new(), diagnostics: Vec::new() };
    for entry in tables.iter().flat_map(|table| &table.entries) {
        match entry {
            Entry::Setting { name, alternatives } => reading.setting(name, alternatives),
            Entry::Require { path, alternatives } => reading.require(path, alternatives),
            // Lines inside a repeat are told about when the table is resolved.
            Entry::Prefix { .. } | Entry::Ignore(_) | Entry::Layers { .. } | Entry::Binding { .. } => {}
        }
    }
    if reading.diagnostics.is_empty() { Ok(reading.values) } else { Err(reading.diagnostics) }
}

struct Reading<'a> {
    config: &'a Config<'a>,
    /// What the user gave.
    given: &'a BTreeMap<String, f64>,
    /// The model's parameters.
    sizes: &'a [Size],
    values: BTreeMap<String, f64>,
    /// Where each parameter is set.
    set: BTreeMap<String, Span>,
    diagnostics: Vec<Diagnostic>,
}

impl Reading<'_> {
    fn setting(&mut self, name: &Name, alternatives: &[Expression]) {
        let Some(size) = self.sizes.iter().find(|size| size.name.text == name.text) else {
            let message = format!("the model has no parameter `{}`", name.text);
            let mut diagnostic = Diagnostic::new(Code::UnknownName, name.span, message);
            let known = self.sizes.iter().map(|size| size.name.text.as_str());
            if let Some(near) = nearest(&name.text, known) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            self.diagnostics.push(diagnostic);
            return;
        };
        if let Some(first) = self.set.insert(name.text.clone(), name.span) {
            self.diagnostics.push(
                Diagnostic::new(Code::DefinedTwice, name.span, format!("`{}` is set twice", name.text))
                    .label("again here")
                    .also(first, "first here")
                    .help("one line may name several sources: `= config.a or config.b`"),
            );
            return;
        }
        if let Some(value) = self.given.get(&name.text) {
            // The settings below may read it.
            self.values.insert(name.text.clone(), *value);
            return;
        }
        let mut missing = Vec::new();
        for alternative in alternatives {
            match evaluate(alternative, &|ask, names, span| self.look_up(ask, names, span)) {
                Ok(value) if value.is_finite() => {
                    self.values.insert(name.text.clone(), value);
                    return;
                }
                Ok(_) => {
                    let message = format!("`{}` would not be a number", name.text);
                    let diagnostic = Diagnostic::new(Code::Config, alternative.span, message)
                        .label("a division by zero, or a number that is too large");
                    self.diagnostics.push(diagnostic);
                    return;
                }
                Err(Fault::Missing(what)) => {
                    if !missing.contains(&what) {
                        missing.push(what);
                    }
                }
                Err(Fault::Mistake(diagnostic)) => {
                    self.diagnostics.push(*diagnostic);
                    return;
                }
            }
        }
        if size.value.is_none() {
            let message = format!("the checkpoint's configuration has no {}", missing.join(" and no "));
            self.diagnostics.push(
                Diagnostic::new(Code::Config, name.span, message)
                    .label(format!("`{}` needs it", name.text))
                    .also(size.name.span, "the parameter has no default")
                    .help(format!("give the parameter a value: `{} = …`", name.text)),
            );
        }
    }

    /// What a name in a setting is worth: an entry of the configuration, or a parameter set above.
    fn look_up(&self, ask: Ask, names: &[Name], span: Span) -> Result<f64, Fault> {
        match names {
            [first, rest @ ..] if first.text == "config" && !rest.is_empty() => {
                let setting = self.at(rest);
                let wrong = |wanted: &str| {
                    let message =
                        format!("`{}` is {} in the checkpoint's configuration", path_text(names), setting.words());
                    Err(Diagnostic::new(Code::Config, span, message).label(format!("{wanted} is wanted here")).into())
                };
                match (ask, &setting) {
                    (_, Setting::Missing | Setting::Null) => Err(Fault::Missing(format!("`{}`", path_text(names)))),
                    (Ask::Number, Setting::Number(number)) => Ok(*number),
                    (Ask::Number, Setting::Bool(value)) => Ok(f64::from(u8::from(*value))),
                    (Ask::Length, Setting::Several(entries)) => Ok(*entries as f64),
                    (Ask::Number, Setting::Text(_) | Setting::Several(_) | Setting::Other) => wrong("a number"),
                    (Ask::Length, Setting::Number(_) | Setting::Bool(_) | Setting::Text(_) | Setting::Other) => {
                        wrong("a list or an object")
                    }
                }
            }
            [name] if ask == Ask::Number && self.set.contains_key(&name.text) => {
                self.values.get(&name.text).copied().ok_or_else(|| Fault::Missing(format!("`{}`", name.text)))
            }
            _ => {
                let message = format!("`{}` has no value here", path_text(names));
                Err(Diagnostic::new(Code::UnknownName, span, message)
                    .help("a setting reads `config.…` and parameters that are set above it")
                    .into())
            }
        }
    }

    fn at(&self, path: &[Name]) -> Setting {
        let path: Vec<&str> = path.iter().map(|name| name.text.as_str()).collect();
        (self.config)(&path)
    }

    fn require(&mut self, path: &[Name], alternatives: &[Alternative]) {
        let span = path_span(path);
        let rest = match path {
            [first, rest @ ..] if first.text == "config" && !rest.is_empty() => rest,
            _ => {
                let message = format!("`{}` can't be required", path_text(path));
                let diagnostic = Diagnostic::new(Code::Table, span, message)
                    .help("`require` speaks of the configuration: `require config.… is …`");
                self.diagnostics.push(diagnostic);
                return;
            }
        };
        let found = self.at(rest);
        let mut wanted = Vec::new();
        for alternative in alternatives {
            let (met, words) = match alternative {
                Alternative::Text(text) => {
                    (matches!(&found, Setting::Text(other) if other == text), format!("\"{text}\""))
                }
                Alternative::Number(number) => (found == Setting::Number(*number), print_number(*number)),
                Alternative::Word(word) => {
                    let met = match word.text.as_str() {
                        "true" => found == Setting::Bool(true),
                        "false" => found == Setting::Bool(false),
                        // Configurations leave out what they would say `null` to.
                        "null" => matches!(found, Setting::Null | Setting::Missing),
                        other => {
                            let message = format!("`{other}` is nothing that can be required");
                            let diagnostic = Diagnostic::new(Code::Table, word.span, message)
                                .help("a text in quotes, a number, `true`, `false` or `null`");
                            self.diagnostics.push(diagnostic);
                            return;
                        }
                    };
                    (met, word.text.clone())
                }
            };
            if met {
                return;
            }
            wanted.push(words);
        }
        let wanted = wanted.join(" or ");
        let message = format!(
            "this file's model computes `{}` {wanted}; the checkpoint asks for {}",
            path_text(rest),
            found.words()
        );
        self.diagnostics.push(
            Diagnostic::new(Code::Config, span, message)
                .label(format!("required to be {wanted}"))
                .help("the checkpoint needs a model of other equations: write one for it"),
        );
    }
}

/// A model's parameters by name.
pub(super) fn parameters(model: &Model) -> BTreeMap<&str, f64> {
    model.parameters.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
