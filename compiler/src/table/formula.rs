//! The right side of a table's line as a matrix: `transpose(stack(attention.q, attention.k))`.

use super::names::{Counter, Weights};
use super::number::{Mistake, path_text};
use super::region::{Matrix, Region, product};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Model, Value, ValueKind};
use crate::source::Span;
use crate::syntax::tree::{Call, Expression, ExpressionKind};
use crate::term::ValueId;

/// How a matrix is made of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// A weight: its outputs are the rows.
    Weight(ValueId),
    /// One below the other.
    Stack(Vec<Formula>),
    /// Rows and columns swapped.
    Transpose(Box<Formula>),
}

/// A matrix, how it is made, and where each of its weights is named.
pub(super) struct Made {
    pub formula: Formula,
    pub matrix: Matrix,
    pub named: Vec<(ValueId, Span)>,
}

/// The sizes of a weight's rows and of its columns.
pub(super) fn weight_matrix(id: ValueId, value: &Value) -> Matrix {
    let sizes: Vec<usize> = value.axes.iter().map(|axis| axis.size().unwrap_or(1)).collect();
    let outputs = match value.kind {
        ValueKind::Weight { outputs } => outputs.min(sizes.len()),
        ValueKind::Input { .. } | ValueKind::Constant(_) | ValueKind::Equation(_) => sizes.len(),
    };
    let (row_axes, column_axes) = sizes.split_at(outputs);
    let (rows, columns) = (product(row_axes), product(column_axes));
    let region = Region { weight: id, row: 0, column: 0, rows, columns, row_stride: columns, column_stride: 1 };
    Matrix { row_axes: row_axes.to_vec(), column_axes: column_axes.to_vec(), regions: vec![region] }
}

/// What a formula makes inside the repeats given.
pub(super) fn make(
    model: &Model,
    weights: &Weights,
    counters: &[Counter],
    formula: &Expression,
) -> Result<Made, Mistake> {
    match &formula.kind {
        ExpressionKind::Path(names) => {
            let path = path_text(names);
            let id = weights
                .find(&path, counters)
                .ok_or_else(|| Box::new(weights.unknown(&path, counters, formula.span)))?;
            Ok(Made {
                formula: Formula::Weight(id),
                matrix: weight_matrix(id, model.value(id)),
                named: vec![(id, formula.span)],
            })
        }
        ExpressionKind::Call(call) if !call.backward && call.over.is_empty() && call.sizes.is_empty() => {
            made_by_call(model, weights, counters, call)
        }
        ExpressionKind::Call(_)
        | ExpressionKind::Number(_)
        | ExpressionKind::Negate(_)
        | ExpressionKind::Binary(..)
        | ExpressionKind::Subscript(..)
        | ExpressionKind::Condition(_)
        | ExpressionKind::Where(_) => Err(Box::new(cannot_turn(formula.span))),
    }
}

fn made_by_call(model: &Model, weights: &Weights, counters: &[Counter], call: &Call) -> Result<Made, Mistake> {
    let mut parts = Vec::new();
    for argument in &call.arguments {
        if !argument.conditions.is_empty() {
            return Err(Box::new(cannot_turn(argument.value.span)));
        }
        parts.push((make(model, weights, counters, &argument.value)?, argument.value.span));
    }
    match (call.name.text.as_str(), parts.len()) {
        ("stack", 1..) => stack(parts),
        ("transpose", 1) => Ok(transpose(parts.remove(0).0)),
        ("stack" | "transpose", _) => {
            let message = format!("`{}` with {} weights", call.name.text, parts.len());
            Err(Box::new(
                Diagnostic::new(Code::Arguments, call.name.span, message)
                    .help("`stack(a, b, …)` takes one or more, `transpose(a)` takes one"),
            ))
        }
        _ => Err(Box::new(cannot_turn(call.name.span))),
    }
}

fn cannot_turn(span: Span) -> Diagnostic {
    Diagnostic::new(Code::Table, span, "a table can't be read both ways through this")
        .label("neither a weight nor `stack` nor `transpose`")
        .help("the right side is a weight, `stack(a, b, …)` or `transpose(a)`")
}

fn stack(parts: Vec<(Made, Span)>) -> Result<Made, Mistake> {
    let mut formulas = Vec::new();
    let mut named = Vec::new();
    let mut regions = Vec::new();
    let mut rows = 0_usize;
    let mut first: Option<(Vec<usize>, Span)> = None;
    for (part, span) in parts {
        let columns = part.matrix.columns();
        let (column_axes, first_span) = first.get_or_insert_with(|| (part.matrix.column_axes.clone(), span));
        if product(column_axes) != columns {
            return Err(Box::new(
                Diagnostic::new(Code::Axes, span, "weights of different widths can't be stacked")
                    .label(columns_in_words(columns))
                    .also(*first_span, columns_in_words(product(column_axes)))
                    .help("a weight's rows are its outputs; `transpose` swaps rows and columns"),
            ));
        }
        let below = |region: Region| Region { row: region.row.saturating_add(rows), ..region };
        regions.extend(part.matrix.regions.iter().copied().map(below));
        rows = rows.saturating_add(part.matrix.rows());
        formulas.push(part.formula);
        named.extend(part.named);
    }
    let column_axes = first.map_or(Vec::new(), |(axes, _)| axes);
    let matrix = Matrix { row_axes: vec![rows], column_axes, regions };
    Ok(Made { formula: Formula::Stack(formulas), matrix, named })
}

fn columns_in_words(columns: usize) -> String {
    if columns == 1 { "1 column".to_string() } else { format!("{columns} columns") }
}

fn transpose(part: Made) -> Made {
    let turned = |region: Region| Region {
        weight: region.weight,
        row: region.column,
        column: region.row,
        rows: region.columns,
        columns: region.rows,
        row_stride: region.column_stride,
        column_stride: region.row_stride,
    };
    let matrix = Matrix {
        row_axes: part.matrix.column_axes,
        column_axes: part.matrix.row_axes,
        regions: part.matrix.regions.into_iter().map(turned).collect(),
    };
    Made { formula: Formula::Transpose(Box::new(part.formula)), matrix, named: part.named }
}
