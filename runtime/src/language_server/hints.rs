//! The axes that an equation's value was found to have, behind its name where the file does not say them.

use super::analysis::Analysis;
use super::hover::names;
use super::positions::{Columns, position};
use lsp_types::{InlayHint, InlayHintKind, InlayHintLabel};
use seqwright_compiler::model::{Value, ValueKind};
use seqwright_compiler::references::{Reference, What};
use seqwright_compiler::source::Span;
use std::collections::BTreeMap;
use std::ops::Range;

/// A hint for each equation in a part of the file, but for states, whose axes are declared.
pub(super) fn hints(analysis: &Analysis, part: Range<usize>, columns: Columns) -> Vec<InlayHint> {
    let given = analysis.references().iter().filter(|reference| reference.span == reference.target);
    let given = given.filter(|reference| reference.what == What::Value && part.contains(&reference.span.start));
    let of = |reference: &Reference| {
        let (model, value) = analysis.alone().iter().find_map(|model| {
            let value = analysis.values_of(reference.target, model).first().copied()?;
            Some((model, value))
        })?;
        // What an instance gives is declared elsewhere, even where it is a state.
        let is_instance = value.span.file != analysis.file() || !is_given_at(analysis, value, reference);
        let is_found = matches!(&value.kind, ValueKind::Equation(equation) if is_instance || !equation.is_state);
        (is_found && !value.axes.is_empty()).then(|| (reference.span, names(&value.axes, model)))
    };
    let found: BTreeMap<Span, String> = given.filter_map(of).collect();
    let hint = |(span, axes): (Span, String)| InlayHint {
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

/// Whether a value is that of an equation of this name, and not of one inside its instance.
fn is_given_at(analysis: &Analysis, value: &Value, name: &Reference) -> bool {
    let words = analysis.references().iter();
    words.filter(|word| word.target == name.target).any(|word| word.span == value.span)
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
