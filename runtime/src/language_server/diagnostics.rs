//! Mistakes as editors show them: all of a file, each with its number, its other places, and what to do.

use super::analysis::Analysis;
use super::documents::Documents;
use super::library;
use super::positions::{Columns, range};
use lsp_types::{
    Diagnostic as Shown, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Range, Uri,
};
use seqwright_compiler::diagnostic::Diagnostic;
use seqwright_compiler::source::{FileId, Span};
use std::path::Path;

/// Every mistake of a file.
pub(super) fn diagnostics(analysis: &Analysis, documents: &Documents, columns: Columns) -> Vec<Shown> {
    analysis.mistakes.iter().map(|mistake| shown(mistake, analysis, documents, columns)).collect()
}

fn shown(mistake: &Diagnostic, analysis: &Analysis, documents: &Documents, columns: Columns) -> Shown {
    let root = analysis.file();
    let labels = || std::iter::once(&mistake.primary).chain(&mistake.secondary);
    // A mistake in a file that is used is shown where this one has to do with it.
    let here = labels().find(|label| label.span.file == root);
    let place = here.map_or_else(
        || of_use(analysis, mistake.primary.span.file, columns),
        |label| range(analysis.text(), label.span, columns),
    );
    let mut message = mistake.message.clone();
    if !mistake.primary.text.is_empty() {
        message.push_str(&format!(" ({})", mistake.primary.text));
    }
    if let Some(help) = &mistake.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let related = labels().filter(|label| here.is_none_or(|here| here.span != label.span)).filter_map(|label| {
        let location = location(label.span, analysis, documents, columns)?;
        let message = if label.text.is_empty() { mistake.message.clone() } else { label.text.clone() };
        Some(DiagnosticRelatedInformation { location, message })
    });
    let related: Vec<DiagnosticRelatedInformation> = related.collect();
    Shown {
        range: place,
        severity: Some(DiagnosticSeverity::ERROR),
        code: Some(NumberOrString::String(mistake.code.number().to_string())),
        source: Some("seqc".to_string()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        ..Shown::default()
    }
}

/// The line that brings a file in; the first line where another file does.
fn of_use(analysis: &Analysis, used: FileId, columns: Columns) -> Range {
    let name = &analysis.sources.get(used).name;
    let uses = &analysis.program.files[analysis.program.root].tree.uses;
    let found = uses.iter().find(|item| {
        item.is_path && Path::new(name).ends_with(Path::new(&item.target.text).file_name().unwrap_or_default())
    });
    found.map_or_else(Range::default, |item| range(analysis.text(), item.target.span, columns))
}

/// A place in any of the files that belong to one.
pub(super) fn location(span: Span, analysis: &Analysis, documents: &Documents, columns: Columns) -> Option<Location> {
    let source = analysis.sources.get(span.file);
    Some(Location { uri: uri(&source.name, documents)?, range: range(&source.text, span, columns) })
}

fn uri(source: &str, documents: &Documents) -> Option<Uri> {
    match library::name(source) {
        Some(name) => documents.uri(&library::path(name)?),
        None => documents.uri(Path::new(source)),
    }
}
