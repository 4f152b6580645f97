//! A value of a sequence as matrices, which tables and pictures show.
//!
//! What has two time axes is a matrix of pairs of positions for each of its entries: attention weights are one for each head.
//! What has one is a matrix of positions and the entries of its last axis, for each entry of the others. What has none is a
//! matrix of its last two axes.

use super::super::show::{Part, axis_name, own_index};
use seqwright_compiler::model::Model;
use seqwright_compiler::term::{Axis, TimeId, ValueId};

/// A matrix.
pub struct Panel {
    /// The entries of all other axes: `heads = 2`.
    pub place: String,
    /// Along its rows; none where there is one row.
    pub rows: Option<Side>,
    /// Along its columns; none where there is one column.
    pub columns: Option<Side>,
    /// The numbers, row by row.
    pub numbers: Vec<f32>,
}

/// An axis of a matrix.
#[derive(Clone, Debug)]
pub struct Side {
    /// The axis, or the equation's own index over it.
    pub axis: String,
    /// Its entries: labels, tokens, or numbers.
    pub names: Vec<String>,
}

/// The matrices of a value's part; `tokens` are those of the sequence along a time axis, where they are known.
pub fn panels(model: &Model, id: ValueId, part: &Part, tokens: &dyn Fn(TimeId) -> Option<Vec<String>>) -> Vec<Panel> {
    let axes = &model.value(id).axes;
    let times: Vec<usize> = (0..axes.len()).filter(|place| axes[*place].time().is_some()).collect();
    let last = (0..axes.len()).rev().find(|place| axes[*place].time().is_none());
    let (rows, columns) = match (times.as_slice(), last) {
        ([rows, columns, ..], _) => (Some(*rows), Some(*columns)),
        ([time], last) => (Some(*time), last),
        ([], Some(last)) if last > 0 => (Some(last - 1), Some(last)),
        ([], last) => (last, None),
    };
    let others: Vec<usize> = (0..axes.len()).filter(|place| ![rows, columns].contains(&Some(*place))).collect();
    let side = |place: Option<usize>| {
        place.map(|place| Side {
            axis: own_index(model, id, place).unwrap_or(axis_name(model, &axes[place])).to_string(),
            names: names(model, &axes[place], part.sizes[place], tokens),
        })
    };
    let size = |place: Option<usize>| place.map_or(1, |place| part.sizes[place]);
    let stride = |place: usize| part.sizes[place + 1..].iter().product::<usize>();
    let step = |place: Option<usize>| place.map_or(0, stride);
    let count: usize = others.iter().map(|place| part.sizes[*place]).product();
    let one = |number: usize| {
        let (mut rest, mut start, mut said) = (number, 0, Vec::new());
        for place in others.iter().rev() {
            let entry = rest % part.sizes[*place];
            rest /= part.sizes[*place];
            start += entry * stride(*place);
            let name = names(model, &axes[*place], part.sizes[*place], tokens).swap_remove(entry);
            said.push(format!("{} = {name}", axis_name(model, &axes[*place])));
        }
        said.reverse();
        let places = (0..size(rows)).flat_map(|row| (0..size(columns)).map(move |column| (row, column)));
        let number = |(row, column)| part.numbers[start + row * step(rows) + column * step(columns)];
        Panel {
            place: said.join(", "),
            rows: side(rows),
            columns: side(columns),
            numbers: places.map(number).collect(),
        }
    };
    (0..count).map(one).collect()
}

/// The names of an axis's entries: its labels, tokens, or their numbers.
fn names(model: &Model, axis: &Axis, size: usize, tokens: &dyn Fn(TimeId) -> Option<Vec<String>>) -> Vec<String> {
    let labels = model.labels.get(&axis.name).cloned().or_else(|| tokens(axis.time()?));
    match labels {
        Some(labels) if labels.len() == size => labels,
        Some(_) | None => (0..size).map(|place| place.to_string()).collect(),
    }
}
