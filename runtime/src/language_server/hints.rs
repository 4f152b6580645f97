//! The axes that an equation's value was found to have, behind its name where the file does not say them.

use super::analysis::Analysis;
use super::hover::names;
use super::positions::{Columns, position};
use lsp_types::{InlayHint, InlayHintKind, InlayHintLabel};
use seqwright_compiler::model::{Value, ValueKind};
use std::collections::BTreeMap;
use std::ops::Range;

/// A hint for each equation in a part of the file, but for states, whose axes are declared.
pub(super) fn hints(analysis: &Analysis, part: Range<usize>, columns: Columns) -> Vec<InlayHint> {
    let mut found = BTreeMap::new();
    for model in analysis.alone() {
        let is_here = |value: &&Value| value.span.file == analysis.file() && part.contains(&value.span.start);
        for value in model.values.iter().filter(is_here) {
            let is_equation = matches!(&value.kind, ValueKind::Equation(equation) if !equation.is_state);
            if is_equation && !value.axes.is_empty() && !value.path.contains('\'') {
                found.entry(value.span).or_insert_with(|| names(&value.axes, model));
            }
        }
    }
    // Parts of equations have the places of what is given a name elsewhere: only words that name a value are followed.
    found.retain(|span, _| analysis.references().iter().any(|reference| reference.span == *span));
    let hint = |(span, axes): (seqwright_compiler::source::Span, String)| InlayHint {
        position: position(analysis.text(), behind_indices(analysis.text(), span.end), columns),
        label: InlayHintLabel::String(format!(": {axes}")),
        kind: Some(InlayHintKind::TYPE),
        text_edits: None,
        tooltip: None,
        padding_left: None,
        padding_right: None,
        data: None,
    };
    found.into_iter().map(hint).collect()
}

/// Behind the brackets that follow a name, if any do.
fn behind_indices(text: &str, end: usize) -> usize {
    let rest = &text[end..];
    let bare = rest.trim_start_matches([' ', '\t']);
    match (bare.starts_with('['), bare.find(']')) {
        (true, Some(close)) => end + rest.len() - bare.len() + close + 1,
        (true, None) | (false, _) => end,
    }
}
