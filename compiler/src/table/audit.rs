//! What makes a table total: every weight bound once, no row of a tensor meant twice or left out.

use super::Table;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::Model;
use crate::source::Span;
use crate::term::ValueId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// How many names a message lists.
pub(super) const MOST_LISTED: usize = 10;

/// Names in backquotes, the first few.
pub(super) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let mut text: Vec<String> = names.take(MOST_LISTED).map(|name| format!("`{name}`")).collect();
    if count > MOST_LISTED {
        text.push(format!("and {} more", count - MOST_LISTED));
    }
    text.join(", ")
}

/// Weights that formulas name more than once, each pair of places told once.
pub(super) fn bound_twice(model: &Model, named: &[(ValueId, Span)]) -> Vec<Diagnostic> {
    let mut first: HashMap<ValueId, Span> = HashMap::new();
    let mut told = BTreeSet::new();
    let mut diagnostics = Vec::new();
    for (id, span) in named {
        let Some(before) = first.get(id) else {
            first.insert(*id, *span);
            continue;
        };
        if !told.insert(*span) {
            continue;
        }
        let message = format!("the weight `{}` is bound twice", model.value(*id).path);
        let diagnostic = Diagnostic::new(Code::Table, *span, message);
        diagnostics.push(if before == span {
            diagnostic.label("in every iteration").help("a weight that is no part of the repeat is bound outside it")
        } else {
            diagnostic.label("again here").also(*before, "first here")
        });
    }
    diagnostics
}

/// Weights that no formula names.
pub(super) fn left_out(model: &Model, named: &[(ValueId, Span)], table: Span) -> Option<Diagnostic> {
    let named: BTreeSet<ValueId> = named.iter().map(|(id, _)| *id).collect();
    let missing: Vec<_> = model.weights().filter(|(id, _)| !named.contains(id)).collect();
    let (_, first) = missing.first()?;
    let names = listed(missing.iter().map(|(_, value)| value.path.as_str()));
    let message = match missing.len() {
        1 => format!("the table leaves out the weight {names}"),
        count => format!("the table leaves out {count} weights: {names}"),
    };
    Some(
        Diagnostic::new(Code::Table, table, message)
            .label("the table for this model")
            .also(first.span, format!("`{}` comes from here", first.path))
            .help(format!("add a line for each: `\"tensor\" = {}`", first.path)),
    )
}

/// A line's use of a tensor.
struct Use {
    rows: Range<usize>,
    columns: usize,
    whole: bool,
    span: Span,
    formula: Span,
}

/// Tensors whose rows are meant twice or by nobody, or that have two widths. Names that a file need
/// not have, those after `|`, may be meant by other lines too.
pub(super) fn rows(table: &Table) -> Vec<Diagnostic> {
    let mut uses: BTreeMap<&str, Vec<Use>> = BTreeMap::new();
    for binding in &table.bindings {
        for source in &binding.sources {
            let Some(name) = source.names.first() else {
                continue;
            };
            uses.entry(name).or_default().push(Use {
                rows: source.rows(binding.matrix.rows()),
                columns: binding.matrix.columns(),
                whole: source.first_row.is_none(),
                span: source.span,
                formula: binding.span,
            });
        }
    }
    let mut told = BTreeSet::new();
    let mut diagnostics = Vec::new();
    for (name, mut uses) in uses {
        uses.sort_by_key(|item| (item.rows.start, item.span));
        let diagnostic = uses
            .windows(2)
            .find_map(|pair| neighbours(name, &pair[0], &pair[1]))
            .or_else(|| begins_late(name, uses.first()?));
        if let Some(diagnostic) = diagnostic
            && told.insert(diagnostic.primary.span)
        {
            diagnostics.push(diagnostic);
        }
    }
    diagnostics
}

fn begins_late(name: &str, first: &Use) -> Option<Diagnostic> {
    (first.rows.start > 0).then(|| unread(name, 0..first.rows.start, first.span))
}

fn unread(name: &str, rows: Range<usize>, span: Span) -> Diagnostic {
    let message = format!("no line reads the rows {} .. {} of `{name}`", rows.start, rows.end);
    Diagnostic::new(Code::Table, span, message).label("the rows before these")
}

/// The mistake in two uses of a tensor that follow each other.
fn neighbours(name: &str, one: &Use, other: &Use) -> Option<Diagnostic> {
    // The later line is the one to blame, whichever rows come first.
    let (first, second) = if one.span <= other.span { (one, other) } else { (other, one) };
    if one.whole || other.whole || other.rows.start < one.rows.end {
        if first.span == second.span {
            let message = format!("the tensor `{name}` is read in every iteration");
            return Some(
                Diagnostic::new(Code::Table, second.span, message)
                    .label("the same rows each time")
                    .help("write the counter in the name, as in `\"h.{layer}.weight\"`"),
            );
        }
        let message = format!("rows of the tensor `{name}` are read twice");
        return Some(
            Diagnostic::new(Code::Table, second.span, message)
                .label(format!("rows {} .. {} here", second.rows.start, second.rows.end))
                .also(first.span, format!("rows {} .. {} here", first.rows.start, first.rows.end)),
        );
    }
    if first.columns != second.columns {
        let message = format!("the tensor `{name}` would have rows of two lengths");
        return Some(
            Diagnostic::new(Code::Table, second.formula, message)
                .label(format!("{} columns", second.columns))
                .also(first.formula, format!("{} columns", first.columns)),
        );
    }
    (one.rows.end < other.rows.start).then(|| unread(name, one.rows.end..other.rows.start, other.span))
}
