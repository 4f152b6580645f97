//! Where a name is given, in this file, in one that it uses, or in the library; and where a file that is used begins.

use super::analysis::Analysis;
use super::diagnostics::location;
use super::documents::Documents;
use super::positions::Columns;
use lsp_types::Location;
use seqwright_compiler::source::Span;

/// The place that the word at an offset leads to.
pub(super) fn definition(
    analysis: &Analysis,
    offset: usize,
    documents: &Documents,
    columns: Columns,
) -> Option<Location> {
    let target = match analysis.reference_at(offset) {
        Some(reference) => reference.target,
        None => used(analysis, offset)?,
    };
    location(target, analysis, documents, columns)
}

/// The beginning of the file that a `use` names.
fn used(analysis: &Analysis, offset: usize) -> Option<Span> {
    let root = &analysis.program.files[analysis.program.root];
    let at = |span: Span| span.start <= offset && offset <= span.end;
    let item = root.tree.uses.iter().find(|item| at(item.target.span))?;
    let wanted = match item.is_path {
        false => format!("library/{}.seq", item.target.text),
        true => std::path::Path::new(&item.target.text).file_name()?.to_string_lossy().into_owned(),
    };
    let is_wanted =
        |name: &str| if item.is_path { std::path::Path::new(name).ends_with(&wanted) } else { name == wanted };
    let file = analysis.program.files.iter().find(|file| is_wanted(&analysis.sources.get(file.id).name))?;
    Some(Span { file: file.id, start: 0, end: 0 })
}
