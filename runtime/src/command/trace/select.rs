//! Which values of a model are meant: by their paths, by patterns, or all of them as a list.
//!
//! `*` stands for any one part of a path or any letters in it, `**` for any letters and dots. Patterns find equations and
//! inputs; a path in full may name a weight too.

use super::super::Stop;
use super::super::explain::table::{Column, line, titles, widths};
use super::super::heat::dim;
use super::super::show::axis_name;
use super::super::terminal::Terminal;
use crate::session::Failure;
use seqwright_compiler::check::recurrence::{Group, groups};
use seqwright_compiler::diagnostic::nearest;
use seqwright_compiler::model::{Model, ValueKind, print_axes};
use seqwright_compiler::term::{Term, ValueId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A value as the list has it.
pub struct Named {
    /// Its path.
    path: String,
    /// Its number in the model.
    id: ValueId,
    /// Its axes: `[T, hidden = 20]`.
    axes: String,
    /// What it is, where it is more than an equation.
    what: &'static str,
    /// Other paths that lead to it.
    also: Vec<String>,
    /// Each axis by itself.
    sides: Value,
}

/// The values that paths and patterns name, each once, in the order in which they are asked for and then in that of the
/// file.
pub fn select(model: &Model, wanted: &[String]) -> Result<Vec<(String, ValueId)>, Stop> {
    let mut chosen: Vec<(String, ValueId)> = Vec::new();
    for pattern in wanted {
        let found: Vec<(String, ValueId)> = match model.names.get(pattern) {
            Some(id) => vec![(pattern.clone(), *id)],
            None if pattern.contains('*') => matching(model, pattern),
            None => Vec::new(),
        };
        if found.is_empty() {
            return Err(Failure::Other(unknown(model, pattern)).into());
        }
        for (path, id) in found {
            if !chosen.iter().any(|(_, known)| *known == id) {
                chosen.push((path, id));
            }
        }
    }
    Ok(chosen)
}

/// Values whose paths fit a pattern, in the order of the file, each by its shortest path that does.
fn matching(model: &Model, pattern: &str) -> Vec<(String, ValueId)> {
    let fits = |path: &&String| fits(pattern, path);
    let is_traced = |id: ValueId| match model.value(id).kind {
        ValueKind::Equation(_) | ValueKind::Input { .. } => true,
        ValueKind::Weight { .. } | ValueKind::Constant(_) => false,
    };
    let mut found: Vec<(ValueId, &String)> =
        model.names.iter().filter(|(path, id)| is_traced(**id) && fits(path)).map(|(path, id)| (*id, path)).collect();
    // A value by its own path rather than by that of what it is the result of.
    found.sort_by_key(|(id, path)| (*id, **path != model.value(*id).path, path.len()));
    found.dedup_by_key(|(id, _)| *id);
    found.into_iter().map(|(id, path)| (path.clone(), id)).collect()
}

fn unknown(model: &Model, pattern: &str) -> String {
    if pattern.contains('*') {
        return format!("no value of the model `{}` fits `{pattern}`; `--list` shows all", model.name);
    }
    let near = nearest(pattern, model.names.keys().map(String::as_str));
    let help = near.map_or("; `--list` shows all".to_string(), |near| format!("; did you mean `{near}`?"));
    format!("the model `{}` has no value `{pattern}`{help}", model.name)
}

/// Whether a path fits a pattern. Each star remembers where it stands, so that the time is the product of both lengths at
/// most for each.
pub fn fits(pattern: &str, path: &str) -> bool {
    // Sets of places in the pattern that the path up to a letter may have come to.
    let pattern: Vec<char> = pattern.chars().collect();
    let star = |place: usize| match (pattern.get(place), pattern.get(place + 1)) {
        (Some('*'), Some('*')) => Some(2),
        (Some('*'), _) => Some(1),
        (Some(_) | None, _) => None,
    };
    let closed = |places: BTreeSet<usize>| {
        let (mut all, mut open): (BTreeSet<usize>, Vec<usize>) = (places.clone(), places.into_iter().collect());
        while let Some(place) = open.pop() {
            // A star may stand for nothing.
            let behind = star(place).map(|letters| place + letters);
            open.extend(behind.filter(|behind| all.insert(*behind)));
        }
        all
    };
    let mut places = closed(BTreeSet::from([0]));
    for letter in path.chars() {
        let step = |place: &usize| match star(*place) {
            Some(letters) => (letters == 2 || letter != '.').then_some(*place),
            None => (pattern.get(*place) == Some(&letter)).then_some(place + 1),
        };
        places = closed(places.iter().filter_map(step).collect());
    }
    places.contains(&pattern.len())
}

/// All equations and inputs of a model in the order of the file, or those that are chosen.
pub fn listed(model: &Model, chosen: Option<&Vec<(String, ValueId)>>) -> Vec<Named> {
    let in_scans = scans(model);
    let what = |id: ValueId| match &model.value(id).kind {
        ValueKind::Input { .. } => "input",
        ValueKind::Weight { .. } => "weight",
        ValueKind::Constant(_) => "constant",
        ValueKind::Equation(equation) if equation.is_state => "state",
        ValueKind::Equation(_) if in_scans.contains(&id) => "in a recurrence",
        ValueKind::Equation(_) if is_softmax(model, id) => "softmax",
        ValueKind::Equation(_) => "",
    };
    let all = || matching(model, "**");
    let chosen = chosen.cloned().unwrap_or_else(all);
    let named = |(path, id): (String, ValueId)| {
        let also = model.names.iter().filter(|(name, other)| **other == id && **name != path);
        Named {
            axes: print_axes(&model.value(id).axes, &model.times),
            what: what(id),
            also: also.map(|(name, _)| name.clone()).collect(),
            sides: axes(model, id),
            path,
            id,
        }
    };
    chosen.into_iter().map(named).collect()
}

/// Whether a value is a softmax, or another name for one.
fn is_softmax(model: &Model, id: ValueId) -> bool {
    let ValueKind::Equation(equation) = &model.value(id).kind else { return false };
    match &equation.term {
        Term::Softmax { .. } => true,
        Term::Read(inner, _) => model.inside.contains_key(inner) && is_softmax(model, *inner),
        Term::Number(_)
        | Term::Index(_)
        | Term::Length(_)
        | Term::Unary(..)
        | Term::Binary(..)
        | Term::Select(..)
        | Term::Reduce { .. }
        | Term::Pieces(..) => false,
    }
}

/// What a report shows where nothing is asked for: states and all that belongs to their recurrences, and softmax over pairs
/// of positions; a model's results where it has none of these.
pub fn usual(model: &Model) -> Vec<(String, ValueId)> {
    let in_scans = scans(model);
    let is_pair = |id: ValueId| model.value(id).axes.iter().filter(|axis| axis.time().is_some()).count() == 2;
    // What is another name for a softmax shows it.
    let renamed: BTreeSet<ValueId> = model
        .ids()
        .filter(|(id, _)| is_softmax(model, *id))
        .filter_map(|(_, value)| match &value.kind {
            ValueKind::Equation(equation) => match &equation.term {
                Term::Read(inner, _) => Some(*inner),
                _ => None,
            },
            ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Constant(_) => None,
        })
        .collect();
    let is_usual = |id: ValueId| {
        let named = !model.inside.contains_key(&id);
        (in_scans.contains(&id) && named) || (is_pair(id) && is_softmax(model, id) && !renamed.contains(&id))
    };
    let found: Vec<(String, ValueId)> = matching(model, "**").into_iter().filter(|(_, id)| is_usual(*id)).collect();
    if found.is_empty() { model.results.clone() } else { found }
}

/// The values of recurrences.
fn scans(model: &Model) -> BTreeSet<ValueId> {
    let values = |group| match group {
        Group::One(_) => Vec::new(),
        Group::Scan(scan) => scan.values,
    };
    groups(model).unwrap_or_default().into_iter().flat_map(values).collect()
}

/// A value's axes for a document.
pub fn axes(model: &Model, id: ValueId) -> Value {
    let axis =
        |axis| json!({ "name": axis_name(model, axis), "size": axis.size(), "labels": model.labels.get(&axis.name) });
    model.value(id).axes.iter().map(axis).collect()
}

/// The list as a table.
pub fn text(all: &[Named], terminal: &Terminal) -> String {
    const COLUMNS: [Column; 4] = [
        Column { title: "value", ends: false },
        Column { title: "axes", ends: false },
        Column { title: "what it is", ends: false },
        Column { title: "also called", ends: false },
    ];
    let row = |named: &Named| {
        let also = named.also.join(", ");
        vec![named.path.clone(), named.axes.clone(), named.what.to_string(), also]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let widths = widths(&COLUMNS, &rows);
    let mut text = titles(&COLUMNS, &widths, 0, dim(terminal));
    rows.iter().for_each(|row| text.push_str(&line(&COLUMNS, &widths, row, 0, usize::MAX)));
    text
}

/// The list for a document.
pub fn document(all: &[Named]) -> Value {
    let one = |named: &Named| {
        let what = (!named.what.is_empty()).then_some(named.what);
        json!({ "path": named.path, "axes": named.sides, "what": what, "also": named.also, "number": named.id.0 })
    };
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_a_name_and_two_are_a_path() {
        assert!(fits("layer.*.attention.weight", "layer.12.attention.weight"));
        assert!(!fits("layer.*.weight", "layer.12.attention.weight"));
        assert!(fits("layer.**.weight", "layer.12.attention.weight"));
        assert!(fits("**weight", "layer.12.attention.weight") && fits("**", "x") && fits("**.h", "a.b.h"));
        assert!(fits("norm*", "norm1") && !fits("norm*", "norm1.out") && !fits("norm*", "anorm"));
        assert!(fits("x", "x") && !fits("x", "xy") && !fits("", "x") && fits("a*b*c", "axxbyyc"));
        // Stars side by side don't multiply the time.
        assert!(!fits(&"**a".repeat(200), &"a".repeat(199)));
    }
}
