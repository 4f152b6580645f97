//! The tables of a model, among all files of the program, and which of them a file format has.
//!
//! A table may be for one format (`checkpoint M of gguf { … }`), and a format with tables of its own
//! has those and no others. A table of a model that no file has is a mistake: without it the table
//! would silently not count.

use super::FileFormat;
use crate::check::program::Program;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::syntax::tree::{Checkpoint, Definition, Kind};

/// The tables of a model for files of a format, in the order of the files: those for that format, or
/// else those for any. None where the model has no table at all.
///
/// # Errors
/// Tables for models that no file has or for formats that don't exist, and a model all of whose
/// tables are for other formats.
pub(super) fn tables<'p>(
    program: &'p Program,
    model: &str,
    format: FileFormat,
) -> Result<Vec<&'p Checkpoint>, Vec<Diagnostic>> {
    let all = all_tables(program, model)?;
    let of = |wanted: Option<FileFormat>| -> Vec<&Checkpoint> {
        all.iter().filter(|(_, format)| *format == wanted).map(|(table, _)| *table).collect()
    };
    let (own, general) = (of(Some(format)), of(None));
    if !own.is_empty() {
        return Ok(own);
    }
    if let (true, Some((first, _))) = (general.is_empty(), all.first()) {
        let mut words: Vec<&str> = all.iter().filter_map(|(_, format)| format.map(FileFormat::word)).collect();
        words.dedup();
        let message = format!("no table of `{model}` is for {} files", format.word());
        return Err(vec![
            Diagnostic::new(Code::Checkpoint, first.model.span, message)
                .label(format!("its tables are for {}", words.join(" and ")))
                .help(format!("add one: `checkpoint {model} of {} {{ … }}`", format.word())),
        ]);
    }
    Ok(general)
}

/// A format for each set of tables that a model has, so that all of them can be looked at: one for
/// those that are for any format, and each that has its own.
pub fn formats(program: &Program, model: &str) -> Vec<FileFormat> {
    let all = all_tables(program, model).unwrap_or_default();
    let has_own = |format: &FileFormat| all.iter().any(|(_, other)| *other == Some(*format));
    let has_general = all.is_empty() || all.iter().any(|(_, format)| format.is_none());
    let general = FileFormat::ALL.into_iter().find(|format| !has_own(format)).filter(|_| has_general);
    general.into_iter().chain(FileFormat::ALL.into_iter().filter(has_own)).collect()
}

/// All tables of a model, with the format that each is for.
type Tables<'p> = Vec<(&'p Checkpoint, Option<FileFormat>)>;

fn all_tables<'p>(program: &'p Program, model: &str) -> Result<Tables<'p>, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let mut found = Vec::new();
    let names = || models(program).map(|definition| definition.name.text.as_str());
    for table in program.files.iter().flat_map(|file| &file.tree.checkpoints) {
        let format = match &table.format {
            None => None,
            Some(word) => {
                let format = FileFormat::ALL.into_iter().find(|format| format.word() == word.text);
                if format.is_none() {
                    let known = FileFormat::ALL.map(FileFormat::word);
                    let message = format!("there is no file format `{}`", word.text);
                    let diagnostic = Diagnostic::new(Code::UnknownName, word.span, message);
                    diagnostics.push(match nearest(&word.text, known) {
                        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                        None => diagnostic.help(format!("the formats are {}", known.join(", "))),
                    });
                }
                format
            }
        };
        if table.model.text == model {
            found.push((table, format));
        } else if !names().any(|name| name == table.model.text) {
            let message = format!("there is no model `{}`", table.model.text);
            let mut diagnostic = Diagnostic::new(Code::UnknownName, table.model.span, message)
                .label("a table is for a model of this program");
            if let Some(near) = nearest(&table.model.text, names()) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            diagnostics.push(diagnostic);
        }
    }
    if diagnostics.is_empty() { Ok(found) } else { Err(diagnostics) }
}

/// The definition of a model: the given file's own before others of that name.
pub(super) fn definition<'p>(program: &'p Program, model: &str) -> Option<&'p Definition> {
    let root = program.files.get(program.root).into_iter();
    let own = root.flat_map(|file| &file.tree.definitions).filter(|item| item.kind == Kind::Model);
    own.chain(models(program)).find(|definition| definition.name.text == model)
}

fn models(program: &Program) -> impl Iterator<Item = &Definition> {
    let definitions = program.files.iter().flat_map(|file| &file.tree.definitions);
    definitions.filter(|definition| definition.kind == Kind::Model)
}
