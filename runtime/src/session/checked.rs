//! Files and parameters to a checked model: what is read, which of its models is meant, and what is asked of it.

use super::Failure;
use crate::weights::{Checkpoint, config_setting, read_regular};
use seqwright_compiler::check::program::Program as Files;
use seqwright_compiler::check::{self, Missing};
use seqwright_compiler::diagnostic::{Diagnostic, nearest};
use seqwright_compiler::model::Model;
use seqwright_compiler::source::Sources;
use seqwright_compiler::syntax::tree::Kind;
use seqwright_compiler::term::ValueId;
use seqwright_compiler::{syntax, table};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
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
    let root = read_text(file).map_err(Failure::Other)?;
    let mut sources = Sources::default();
    let left = Cell::new(LARGEST_FILE.saturating_sub(root.len() as u64));
    // A file may be reached by more paths than there are files (`../models/a.seq` from inside `models`): it is told apart by
    // where it lies, and shown by the first path that led to it.
    let shown = RefCell::new(HashMap::from([(place_of(file), file.display().to_string())]));
    let loader = |user: &str, used: &str| {
        let folder = Path::new(user).parent().unwrap_or(Path::new(""));
        let path = folder.join(used);
        let place = place_of(&path);
        if let Some(name) = shown.borrow().get(&place) {
            // It was read already, and what is read once is not looked at again.
            return Ok((name.clone(), String::new()));
        }
        let text = text(&path, read_regular(&path, left.get()))?;
        left.set(left.get() - text.len() as u64);
        let name = path.display().to_string();
        shown.borrow_mut().insert(place, name.clone());
        Ok((name, text))
    };
    let (files, diagnostics) = check::program::read(&mut sources, &loader, &file.display().to_string(), &root);
    Ok((sources, files, diagnostics))
}

/// Where a file lies, whichever path leads to it; the path itself where that can't be told.
fn place_of(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The largest .seq file that is read, together with those that it uses, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

/// The text of a file that the user names, which may be a pipe.
pub(crate) fn read_text(file: &Path) -> Result<String, String> {
    let read = || {
        if file.is_dir() {
            return Err(std::io::Error::other("it is a folder"));
        }
        let mut bytes = Vec::new();
        File::open(file)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= LARGEST_FILE).then_some(bytes))
    };
    text(file, read())
}

/// What was read of a file as text; nothing was where there is too much.
fn text(file: &Path, read: std::io::Result<Option<Vec<u8>>>) -> Result<String, String> {
    let shown = file.display();
    let bytes = read.map_err(|why| format!("cannot read {shown}: {why}"))?;
    let bytes = bytes.ok_or_else(|| {
        format!("cannot read {shown}: a .seq file, and those it uses together, have {LARGEST_FILE} bytes at most")
    })?;
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
