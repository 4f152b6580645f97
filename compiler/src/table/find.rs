//! The tables of a model, among all files of the program.
//!
//! A table of a model that no file has is a mistake: without it the table would silently not count.

use crate::check::program::Program;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::syntax::tree::{Checkpoint, Definition, Kind};

/// The tables for a model, in the order of the files.
///
/// # Errors
/// Tables for models that no file has.
pub(super) fn tables<'p>(program: &'p Program, model: &str) -> Result<Vec<&'p Checkpoint>, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let mut found = Vec::new();
    let names = || models(program).map(|definition| definition.name.text.as_str());
    for table in program.files.iter().flat_map(|file| &file.tree.checkpoints) {
        if table.model.text == model {
            found.push(table);
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
