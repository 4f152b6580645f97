//! What stands behind a word: a value's named shape, how far it looks, and what it costs; a size's value; what a definition takes.
//!
//! Shapes with sizes, reach and costs are those of `seqc explain`. Where a model's sizes are not known, or the file has mistakes,
//! the names of axes are told alone.

use super::analysis::Analysis;
use crate::command::explain::words;
use seqwright_compiler::explain::{Equation, Explanation};
use seqwright_compiler::model::{Model, Value, ValueKind, print_axes};
use seqwright_compiler::references::{Reference, What};
use seqwright_compiler::source::Span;
use seqwright_compiler::term::{Axis, print_number};

/// Beyond so many columns a formula is multiplied out.
const COLUMNS: usize = 80;

/// What is said of a word, as Markdown.
pub(super) fn hover(analysis: &Analysis, reference: Reference) -> Option<String> {
    match reference.what {
        What::Definition | What::Function | What::LabelledAxis => Some(head(analysis, reference.target)),
        What::Value => value(analysis, reference.target),
        What::Size => Some(size(analysis, reference.target)),
        What::Time => Some(code(&format!("{}: positions", analysis.sources.text(reference.target)))),
        What::Index => Some(code(&format!("{}: an index", analysis.sources.text(reference.target)))),
    }
}

fn code(text: &str) -> String {
    format!("```seq\n{text}\n```")
}

/// A definition's first line, up to its body, and the comments beside and above it.
fn head(analysis: &Analysis, target: Span) -> String {
    let source = analysis.sources.get(target.file);
    let start = source.text[..target.start].rfind('\n').map_or(0, |place| place + 1);
    let line = source.text[start..].lines().next().unwrap_or("");
    let (declared, beside) = line.split_once("//").unwrap_or((line, ""));
    let above = source.text[..start].lines().rev().map_while(|line| line.strip_prefix("//")).map(str::trim);
    let mut comments: Vec<&str> = above.collect();
    comments.reverse();
    comments.extend(Some(beside.trim()).filter(|text| !text.is_empty()));
    // A blank line is missing where the first definition stands below the head of its file: that is not about it.
    let is_head_of_file = source.text[..start].lines().all(|line| line.starts_with("//"));
    if is_head_of_file {
        comments.retain(|comment| *comment == beside.trim());
    }
    let declared = declared.trim_end().trim_end_matches('{').trim_end();
    let mut text = code(declared);
    for comment in comments {
        text.push_str(&format!("\n{comment}"));
    }
    text
}

/// A size, and the value that it has in the models that are known.
fn size(analysis: &Analysis, target: Span) -> String {
    let name = analysis.sources.text(target);
    let definitions = &analysis.program.files[analysis.program.root].tree.definitions;
    let is_its = |model: &Model| {
        let of = definitions.iter().find(|item| item.name.text == model.name);
        of.is_some_and(|item| item.sizes.iter().any(|size| size.name.span == target))
    };
    let known = analysis.explained().iter().filter(|(model, _)| is_its(model));
    let value = known.flat_map(|(model, _)| &model.parameters).find(|(parameter, _)| parameter == name);
    match value {
        Some((_, value)) => code(&format!("{name} = {}", print_number(*value))),
        None => code(&format!("{name}: a size")),
    }
}

/// A value as it was explained, or its axes.
fn value(analysis: &Analysis, target: Span) -> Option<String> {
    for (model, explained) in analysis.explained() {
        let values = analysis.values_of(target, model);
        if let Some(first) = values.first() {
            return Some(explained_value(first, values.len(), model, explained));
        }
    }
    // What is given elsewhere is known through a model that calls it, or not at all.
    analysis.alone().iter().find_map(|model| {
        let values = analysis.values_of(target, model);
        values.first().map(|value| code(&format!("{}{}: {}", kind(value), value.path, names(&value.axes, model))))
    })
}

fn explained_value(value: &Value, count: usize, model: &Model, explained: &Explanation) -> String {
    let axes = match value.axes.is_empty() {
        true => "one number".to_string(),
        false => print_axes(&value.axes, &model.times),
    };
    let mut text = code(&format!("{}{}: {axes}", kind(value), value.path));
    if count > 1 {
        text.push_str(&format!("\nthe first of {count} that this line gives\n"));
    }
    if let ValueKind::Equation(_) = value.kind {
        let equation = explained.equations.iter().find(|equation| equation.path == value.path);
        text.push_str(&equation.map_or_else(String::new, |equation| cost(equation, explained)));
    }
    text
}

/// How far an equation looks, what it costs, and what became of it.
fn cost(equation: &Equation, explained: &Explanation) -> String {
    let mut lines = Vec::new();
    let [looks, sees] = [&equation.looks, &equation.sees].map(|fields| words::fields(fields, &explained.times));
    let reach: Vec<String> = [("looks", looks), ("sees", sees)]
        .into_iter()
        .filter(|(_, where_to)| !where_to.is_empty())
        .map(|(verb, where_to)| format!("{verb} {where_to}"))
        .collect();
    // Where there are several axes each is named.
    let axis = if let [time] = explained.times.as_slice() { format!(" (positions of {time})") } else { String::new() };
    if !reach.is_empty() {
        lines.push(format!("{}{axis}", reach.join(", ")));
    }
    if !equation.operations.is_zero() {
        let formula = words::formula(&equation.operations, &explained.times, COLUMNS);
        lines.push(format!("{formula} floating-point operations"));
    }
    let weights = words::weights(equation);
    if !weights.is_empty() {
        lines.push(format!("{weights} weights"));
    }
    lines.extend(words::notes(equation, ""));
    lines.into_iter().map(|line| format!("\n- {line}")).collect()
}

/// What a value is, in front of its name.
fn kind(value: &Value) -> &'static str {
    match &value.kind {
        ValueKind::Input { .. } => "input ",
        ValueKind::Weight { .. } => "weight ",
        ValueKind::Constant(_) => "constant ",
        ValueKind::Equation(equation) if equation.is_state => "state ",
        ValueKind::Equation(_) => "",
    }
}

/// Axes without sizes: `[T, hidden]`.
pub(super) fn names(axes: &[Axis], model: &Model) -> String {
    let name = |axis: &Axis| match axis.time() {
        Some(time) => model.times[time.0 as usize].clone(),
        None => axis.name.clone(),
    };
    match axes {
        [] => "one number".to_string(),
        axes => format!("[{}]", axes.iter().map(name).collect::<Vec<_>>().join(", ")),
    }
}
