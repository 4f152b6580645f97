//! The right side of a table's line as a matrix: `transpose(stack(attention.q, attention.k))`.

use super::names::{Counter, Weights};
use super::number::{Mistake, path_text};
use super::region::{Matrix, Region, Strided, merged, product};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::model::{Model, Value, ValueKind};
use crate::source::Span;
use crate::syntax::tree::{Call, Expression, ExpressionKind, Size};
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
    /// A weight whose rows run over these of its axes, outermost first, and whose columns over the
    /// others.
    Reorder(ValueId, Vec<String>),
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
    let places: Vec<usize> = (0..sizes.len()).collect();
    let (rows, columns) = places.split_at(outputs);
    over(id, &sizes, rows, columns)
}

/// A weight of these sizes whose rows and columns run over its axes of these numbers.
fn over(id: ValueId, sizes: &[usize], rows: &[usize], columns: &[usize]) -> Matrix {
    let strided = |axis: &usize| Strided { size: sizes[*axis], stride: product(&sizes[*axis + 1..]) };
    let region = Region {
        weight: id,
        row: 0,
        column: 0,
        rows: merged(rows.iter().map(strided)),
        columns: merged(columns.iter().map(strided)),
    };
    let sizes_of = |axes: &[usize]| axes.iter().map(|axis| sizes[*axis]).collect();
    Matrix { row_axes: sizes_of(rows), column_axes: sizes_of(columns), regions: vec![region] }
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
        ExpressionKind::Call(call) if !call.backward && call.over.is_empty() && call.name.text == "reorder" => {
            reorder(model, weights, counters, call)
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
        .label("neither a weight nor `stack`, `transpose` or `reorder`")
        .help("the right side is a weight, `stack(a, b, …)`, `transpose(a)` or `reorder(a; axes)`")
}

/// `reorder(w; a, b)`: the rows run over the axes `a` and `b` of the weight in that order, the columns over the others.
fn reorder(model: &Model, weights: &Weights, counters: &[Counter], call: &Call) -> Result<Made, Mistake> {
    let fault = |span, message: &str| Box::new(Diagnostic::new(Code::Arguments, span, message));
    let usage = "`reorder(a; axes)` takes one weight, and its axes in the order in which the file has them";
    let ([argument], [_, ..]) = (call.arguments.as_slice(), call.sizes.as_slice()) else {
        return Err(Box::new(fault(call.name.span, "`reorder` wants a weight and axes").help(usage)));
    };
    let (ExpressionKind::Path(names), []) = (&argument.value.kind, argument.conditions.as_slice()) else {
        return Err(Box::new(fault(argument.value.span, "only a weight's axes have names").help(usage)));
    };
    let path = path_text(names);
    let span = argument.value.span;
    let id = weights.find(&path, counters).ok_or_else(|| Box::new(weights.unknown(&path, counters, span)))?;
    let value = model.value(id);
    let mut rows = Vec::new();
    for size in &call.sizes {
        rows.push(axis_of(value, size, &rows)?);
    }
    let columns: Vec<usize> = (0..value.axes.len()).filter(|axis| !rows.contains(axis)).collect();
    let sizes: Vec<usize> = value.axes.iter().map(|axis| axis.size().unwrap_or(1)).collect();
    let axes = call.sizes.iter().map(|size| size.name.text.clone()).collect();
    Ok(Made { formula: Formula::Reorder(id, axes), matrix: over(id, &sizes, &rows, &columns), named: vec![(id, span)] })
}

/// The number of the axis that `reorder` names: the first of that name that it has not named yet.
fn axis_of(value: &Value, size: &Size, taken: &[usize]) -> Result<usize, Mistake> {
    let name = &size.name;
    if let Some(given) = &size.value {
        let message = format!("the axis `{}` has its size", name.text);
        return Err(Box::new(Diagnostic::new(Code::Table, given.span, message).help("name it alone")));
    }
    let mut called = value.axes.iter().enumerate().filter(|(_, axis)| axis.name == name.text).peekable();
    let known = called.peek().is_some();
    called.map(|(place, _)| place).find(|place| !taken.contains(place)).ok_or_else(|| {
        if known {
            let message = format!("`{}` is named twice", name.text);
            return Box::new(Diagnostic::new(Code::DefinedTwice, name.span, message).label("again here"));
        }
        let names = || value.axes.iter().map(|axis| axis.name.as_str());
        let message = format!("the weight `{}` has no axis `{}`", value.path, name.text);
        let diagnostic =
            Diagnostic::new(Code::UnknownName, name.span, message).also(value.span, "the weight is made here");
        let listed: Vec<String> = names().map(|name| format!("`{name}`")).collect();
        Box::new(match nearest(&name.text, names()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("its axes are {}", listed.join(", "))),
        })
    })
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
        let height = part.matrix.rows();
        regions.extend(part.matrix.regions.into_iter().map(below));
        rows = rows.saturating_add(height);
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
    };
    let matrix = Matrix {
        row_axes: part.matrix.column_axes,
        column_axes: part.matrix.row_axes,
        regions: part.matrix.regions.into_iter().map(turned).collect(),
    };
    Made { formula: Formula::Transpose(Box::new(part.formula)), matrix, named: part.named }
}
