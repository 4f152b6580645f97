//! Draws a diagnostic with the source lines it speaks of, in the style of rustc.

use super::Diagnostic;
use crate::source::{FileId, Sources, Span};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// The text of one diagnostic, ending in a line break; with terminal colours where `color` says so.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> String {
    let mut files: Vec<FileId> = vec![diagnostic.primary.span.file];
    for label in &diagnostic.secondary {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    let mut group = Level::ERROR
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.number())
        .elements(Vec::<annotate_snippets::Element<'_>>::new());
    for file in files {
        let source = sources.get(file);
        let mut snippet = Snippet::source(source.text.as_str()).path(source.name.as_str()).fold(true);
        if diagnostic.primary.span.file == file {
            let range = inside(diagnostic.primary.span, &source.text);
            snippet = snippet.annotation(AnnotationKind::Primary.span(range).label(diagnostic.primary.text.as_str()));
        }
        for label in diagnostic.secondary.iter().filter(|label| label.span.file == file) {
            let range = inside(label.span, &source.text);
            snippet = snippet.annotation(AnnotationKind::Context.span(range).label(label.text.as_str()));
        }
        group = group.element(snippet);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.render(&[group]).to_string();
    text.push('\n');
    text
}

/// A place as a range of the text, moved inside it and onto character boundaries whatever it was.
fn inside(span: Span, text: &str) -> std::ops::Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
