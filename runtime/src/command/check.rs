//! `seqc check`: every mistake in every file.
//!
//! Definitions are checked on their own, with sizes invented; a model whose parameters all have values is checked once
//! more with those, and its checkpoint table with it. The comment that asks for snapshots is looked at too.

use super::arguments::CheckArguments;
use super::terminal::Terminal;
use super::{Stop, json, prepare};
use crate::session::{self, Failure};
use seqwright_compiler::diagnostic::Diagnostic;
use seqwright_compiler::source::Sources;
use seqwright_compiler::syntax::tree::{Definition, Kind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Checks files.
pub fn check(arguments: &CheckArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let set = prepare::parameters(&arguments.set)?;
    let mut models = Models { wanted: arguments.model.as_deref(), set: &set, found: false, used: BTreeSet::new() };
    let mut documents = Vec::new();
    let mut all_well = true;
    for file in &arguments.files {
        let shown = file.display().to_string();
        let (ok, definitions, mistakes) = match check_file(file, &mut models) {
            Ok(found) if found.mistakes.is_empty() => {
                let noun = if found.definitions == 1 { "definition" } else { "definitions" };
                let lengths: String =
                    found.lengths.iter().map(|(name, length)| format!(", {name} = {length}")).collect();
                terminal.ok(&format!("{shown} ({} {noun}{lengths})", found.definitions));
                (true, found.definitions, json!([]))
            }
            Ok(found) => {
                let failure = Failure::Mistakes(found.mistakes, found.sources);
                terminal.failure(&failure);
                (false, found.definitions, json::failure(&failure))
            }
            Err(failure) => {
                terminal.failure(&failure);
                (false, 0, json::failure(&failure))
            }
        };
        all_well &= ok;
        documents.push(json!({ "file": shown, "ok": ok, "definitions": definitions, "diagnostics": mistakes }));
    }
    // Names that fit no model are told only where everything else is in order: a broken file may have the model.
    if let (true, Some(failure)) = (all_well, models.unknown()) {
        return Err(failure.into());
    }
    if arguments.json {
        terminal.print(&json::document("check", all_well, [("files", Value::Array(documents))]))?;
    }
    if all_well { Ok(()) } else { Err(Stop::Said) }
}

/// The models that are checked with parameters, over all files.
struct Models<'a> {
    wanted: Option<&'a str>,
    set: &'a BTreeMap<String, f64>,
    found: bool,
    used: BTreeSet<String>,
}

impl Models<'_> {
    /// The parameters of a model, if it is one to be checked with them and all have values.
    fn parameters(&mut self, definition: &Definition) -> Option<BTreeMap<String, f64>> {
        let name = definition.name.text.as_str();
        if definition.kind != Kind::Model || self.wanted.is_some_and(|wanted| wanted != name) {
            return None;
        }
        self.found = true;
        let sizes = || definition.sizes.iter().map(|size| (size.name.text.as_str(), size.value.is_some()));
        let known: BTreeMap<String, f64> = self
            .set
            .iter()
            .filter(|(set, _)| sizes().any(|(size, _)| size == *set))
            .map(|(set, value)| (set.clone(), *value))
            .collect();
        self.used.extend(known.keys().cloned());
        sizes().all(|(size, default)| default || known.contains_key(size)).then_some(known)
    }

    fn unknown(&self) -> Option<Failure> {
        if let (Some(wanted), false) = (self.wanted, self.found) {
            return Some(Failure::Other(format!("there is no model `{wanted}`")));
        }
        let unused = self.set.keys().find(|name| !self.used.contains(*name))?;
        Some(Failure::Other(format!("no model has a parameter `{unused}`")))
    }
}

/// What a check of a file finds.
struct Found {
    /// How many definitions it has.
    definitions: usize,
    /// The mistakes.
    mistakes: Vec<Diagnostic>,
    /// The time axes whose length the file says, as the models checked with parameters have them.
    lengths: Vec<(String, usize)>,
    /// The sources, to draw mistakes with.
    sources: Sources,
}

fn check_file(file: &Path, models: &mut Models) -> Result<Found, Failure> {
    let (sources, files, mut mistakes) = session::read(file)?;
    let tree = &files.files[files.root].tree;
    let definitions = tree.definitions.len() + tree.functions.len();
    let mut lengths = Vec::new();
    if mistakes.is_empty() {
        (mistakes, lengths) = session::mistakes(&sources, &files, mistakes, &mut |model| models.parameters(model));
    }
    Ok(Found { definitions, mistakes, lengths, sources })
}
