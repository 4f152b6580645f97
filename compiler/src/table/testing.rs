//! What the tests of tables share: programs from text.

use crate::check::program::{Program, read};
use crate::check::{Missing, check};
use crate::diagnostic::{Diagnostic, render};
use crate::model::Model;
use crate::source::Sources;
use std::collections::BTreeMap;

/// A program and its sources; it has no mistakes of syntax.
pub(super) fn program(text: &str) -> (Program, Sources) {
    let mut sources = Sources::default();
    let (program, diagnostics) = read(&mut sources, &|_, _| Err("no".to_string()), "m.seq", text);
    assert!(diagnostics.is_empty(), "{}", shown(&diagnostics, &sources));
    (program, sources)
}

/// The model of a program without mistakes.
pub(super) fn model(program: &Program, sources: &Sources, parameters: &[(&str, f64)]) -> Model {
    let parameters: BTreeMap<String, f64> = parameters.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    match check(program, None, &parameters, Missing::Refuse) {
        Ok(model) => model,
        Err(diagnostics) => panic!("{}", shown(&diagnostics, sources)),
    }
}

/// Diagnostics as drawn.
pub(super) fn shown(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    diagnostics.iter().map(|diagnostic| render(diagnostic, sources, false)).collect()
}

/// The only diagnostic, as its message, the text under the caret and the help.
pub(super) fn only(diagnostics: &[Diagnostic], sources: &Sources) -> (String, String, String) {
    let [one] = diagnostics else { panic!("not one: {}", shown(diagnostics, sources)) };
    let place = sources.text(one.primary.span).to_string();
    (one.message.clone(), place, one.help.clone().unwrap_or_default())
}
