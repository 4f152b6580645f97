//! Files and parameters to a checked model: what is read, which of its models is meant, and what is asked of it.

use super::Failure;
use crate::weights::{Checkpoint, config_setting};
use seqwright_compiler::check::program::Program as Files;
use seqwright_compiler::check::{self, Missing};
use seqwright_compiler::diagnostic::{Diagnostic, nearest};
use seqwright_compiler::model::Model;
use seqwright_compiler::source::Sources;
use seqwright_compiler::syntax::tree::Kind;
use seqwright_compiler::term::ValueId;
use seqwright_compiler::{syntax, table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a model is compiled with.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The file.
    pub file: PathBuf,
    /// Which of its models; its last one where none is named.
    pub model: Option<String>,
    /// Parameters given by the user: they come before those of a checkpoint.
    pub parameters: BTreeMap<String, f64>,
    /// What is asked for; the model's own results where nothing is named.
    pub outputs: Option<Vec<String>>,
}

/// A checked model and the files it came from.
#[derive(Debug)]
pub struct Checked {
    /// Every file that was read.
    pub sources: Sources,
    /// What stands in them.
    pub files: Files,
    /// The model.
    pub model: Model,
    /// What is asked for.
    pub outputs: Vec<(String, ValueId)>,
}

impl Checked {
    /// The same model with other values asked for.
    pub fn asked_for(&self, outputs: Vec<(String, ValueId)>) -> Checked {
        Checked { sources: self.sources.clone(), files: self.files.clone(), model: self.model.clone(), outputs }
    }
}

/// Reads a file and those it uses. The syntax trees come back even where there are mistakes.
///
/// # Errors
/// A file that can't be read.
pub fn read(file: &Path) -> Result<(Sources, Files, Vec<Diagnostic>), Failure> {
    let text = read_text(file).map_err(Failure::Other)?;
    let mut sources = Sources::default();
    let loader = |user: &str, used: &str| {
        let folder = Path::new(user).parent().unwrap_or(Path::new(""));
        let path = folder.join(used);
        let text = read_text(&path)?;
        Ok((path.display().to_string(), text))
    };
    let (files, diagnostics) = check::program::read(&mut sources, &loader, &file.display().to_string(), &text);
    Ok((sources, files, diagnostics))
}

/// The largest .seq file that is read, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

pub(crate) fn read_text(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let bytes = std::fs::metadata(file).map_err(|why| format!("cannot read {shown}: {why}"))?;
    if bytes.is_dir() {
        return Err(format!("cannot read {shown}: it is a folder"));
    }
    if bytes.len() > LARGEST_FILE {
        return Err(format!(
            "cannot read {shown}: it has {} bytes, a .seq file has {LARGEST_FILE} at most",
            bytes.len()
        ));
    }
    let bytes = std::fs::read(file).map_err(|why| format!("cannot read {shown}: {why}"))?;
    String::from_utf8(bytes)
        .map_err(|why| format!("cannot read {shown}: byte {} is not UTF-8 text", why.utf8_error().valid_up_to()))
}

/// Checks a model, with the sizes of a checkpoint's `config.json` where one is given.
///
/// # Errors
/// Every mistake in the files.
pub fn check(request: &Request, checkpoint: Option<&Checkpoint>) -> Result<Checked, Failure> {
    let (sources, files, diagnostics) = read(&request.file)?;
    if !diagnostics.is_empty() {
        return Err(Failure::Mistakes(diagnostics, sources));
    }
    let definitions = &files.files[files.root].tree.definitions;
    let name = match &request.model {
        Some(name) => Some(name.clone()),
        None => definitions.iter().rev().find(|item| item.kind == Kind::Model).map(|item| item.name.text.clone()),
    };
    let mut parameters = BTreeMap::new();
    if let (Some(checkpoint), Some(name)) = (checkpoint, &name) {
        let config = |path: &[&str]| config_setting(checkpoint, path);
        match table::settings(&files, name, checkpoint.format(), &request.parameters, &config) {
            Ok(settings) => parameters = settings,
            Err(diagnostics) => return Err(Failure::Mistakes(diagnostics, sources)),
        }
    }
    parameters.extend(request.parameters.clone());
    let model = match check::check(&files, name.as_deref(), &parameters, Missing::Refuse) {
        Ok(model) => model,
        Err(diagnostics) => return Err(Failure::Mistakes(diagnostics, sources)),
    };
    let outputs = match &request.outputs {
        None => model.results.clone(),
        Some(names) => {
            let mut outputs = Vec::new();
            for name in names {
                match model.names.get(name) {
                    Some(value) => outputs.push((name.clone(), *value)),
                    None => {
                        let near = nearest(name, model.names.keys().map(String::as_str));
                        let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                        return Err(Failure::Other(format!("the model `{}` has no value `{name}`{near}", model.name)));
                    }
                }
            }
            outputs
        }
    };
    Ok(Checked { sources, files, model, outputs })
}

/// The syntax trees of a file as text.
pub fn print_syntax(files: &Files) -> String {
    syntax::print::print(&files.files[files.root].tree)
}
