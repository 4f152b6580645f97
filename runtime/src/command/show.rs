//! Results as text: numbers, vectors, tables, slices of what has more axes.

use super::heat::{Table, dim, draw};
use super::terminal::{Depth, Terminal};
use crate::batch::{Batch, for_each_place};
use crate::numbers::{Format, chosen, fitted, right, width};
use anstyle::Style;
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::{Axis, ValueId};
use std::collections::BTreeMap;

/// How many sequences are shown, and how many slices of each value.
const MOST_PARTS: usize = 4;
/// How many numbers of a vector are shown.
const MOST_NUMBERS: usize = 40;
/// How many numbers of a text's vector.
const FIRST_NUMBERS: usize = 6;

/// One sequence's numbers of a value, in the order of its axes.
pub struct Part {
    /// The extent of each axis.
    pub sizes: Vec<usize>,
    /// The numbers.
    pub numbers: Vec<f32>,
}

/// A value's rows, sequence by sequence.
pub fn parts(axes: &[Axis], batch: &Batch, rows: &[f32]) -> Vec<Part> {
    let mut start = 0;
    let mut all = Vec::new();
    for sequence in 0..batch.sequences {
        let lengths: Vec<Vec<usize>> = batch.lengths.iter().map(|lengths| vec![lengths[sequence]]).collect();
        let one = Batch { sequences: 1, lengths, inputs: BTreeMap::new() };
        let size = |axis: &Axis| axis.time().map_or(axis.size().unwrap_or(1), |time| one.lengths[time.0 as usize][0]);
        let sizes: Vec<usize> = axes.iter().map(size).collect();
        let count: usize = sizes.iter().product();
        let own = rows.get(start..start + count).unwrap_or(&[]);
        let mut numbers = vec![f32::NAN; count];
        for_each_place(axes, &sizes, &one, |row, place| {
            if let Some(number) = own.get(row) {
                numbers[place] = *number;
            }
        });
        start += count;
        all.push(Part { sizes, numbers });
    }
    all
}

/// A value of every sequence, with a heading.
pub fn value(model: &Model, name: &str, id: ValueId, parts: &[Part], terminal: &Terminal) -> String {
    let axes = &model.value(id).axes;
    let bold = if terminal.depth() == Depth::Plain { Style::new() } else { Style::new().bold() };
    let dim = dim(terminal);
    let mut text = String::new();
    for (sequence, part) in parts.iter().enumerate().take(MOST_PARTS) {
        let axes_shown = sizes(model, id, &part.sizes);
        let which = if parts.len() > 1 { format!("  {dim}sequence {sequence}{dim:#}") } else { String::new() };
        text.push_str(&format!("{bold}{name}{bold:#}{axes_shown}{which}\n"));
        text.push_str(&numbers(model, axes, &part.sizes, &part.numbers, terminal));
        text.push('\n');
    }
    if parts.len() > MOST_PARTS {
        text.push_str(&format!("{dim}{} more sequences of {name} not shown{dim:#}\n\n", parts.len() - MOST_PARTS));
    }
    text
}

/// The axes of a value with their sizes: `[i: T = 17, j: T = 17, heads = 4]`; nothing for a value without axes.
pub fn sizes(model: &Model, id: ValueId, sizes: &[usize]) -> String {
    let named: Vec<String> = sizes
        .iter()
        .enumerate()
        .map(|(place, size)| format!("{} = {size}", axis_and_index(model, id, place)))
        .collect();
    if named.is_empty() { String::new() } else { format!("[{}]", named.join(", ")) }
}

/// The name of an axis.
pub fn axis_name<'a>(model: &'a Model, axis: &'a Axis) -> &'a str {
    axis.time().map_or(axis.name.as_str(), |time| model.times[time.0 as usize].as_str())
}

/// An axis of a value, with the index of its equation where that has a name of its own: `i: word`.
fn axis_and_index(model: &Model, id: ValueId, place: usize) -> String {
    let axis = axis_name(model, &model.value(id).axes[place]);
    match own_index(model, id, place) {
        Some(index) => format!("{index}: {axis}"),
        None => axis.to_string(),
    }
}

/// The index of a value's equation that runs over one of its axes, where that has a name of its own.
pub fn own_index(model: &Model, id: ValueId, place: usize) -> Option<&str> {
    let value = model.value(id);
    let ValueKind::Equation(equation) = &value.kind else { return None };
    let index = &equation.indices.get(place)?.name;
    (index != axis_name(model, &value.axes[place]) && *index != value.axes[place].name).then_some(index)
}

/// The names of an axis's entries: its labels, or their positions.
fn names(model: &Model, axis: &Axis, size: usize) -> Vec<String> {
    match model.labels.get(&axis.name) {
        Some(labels) if labels.len() == size => labels.clone(),
        Some(_) | None => (0..size).map(|place| place.to_string()).collect(),
    }
}

fn numbers(model: &Model, axes: &[Axis], sizes: &[usize], numbers: &[f32], terminal: &Terminal) -> String {
    match (axes, sizes) {
        ([], _) => format!("  {}\n", Format::of(numbers).write(numbers.first().copied().unwrap_or(f32::NAN))),
        ([axis], _) if model.labels.contains_key(&axis.name) => {
            let names = names(model, axis, numbers.len());
            draw(&Table { rows: names, columns: vec![String::new()], numbers }, terminal)
        }
        ([_], _) => vector(numbers, terminal),
        ([rows, columns], [height, length]) => {
            let rows = names(model, rows, *height);
            draw(&Table { rows, columns: names(model, columns, *length), numbers }, terminal)
        }
        ([first, rest @ ..], [size, rest_sizes @ ..]) => {
            slices(model, (first, *size), (rest, rest_sizes), numbers, terminal)
        }
        (_, []) => String::new(),
    }
}

/// Entry after entry of the first axis.
fn slices(
    model: &Model,
    (axis, size): (&Axis, usize),
    (rest, rest_sizes): (&[Axis], &[usize]),
    all: &[f32],
    terminal: &Terminal,
) -> String {
    let dim = dim(terminal);
    let count: usize = rest_sizes.iter().product();
    let mut text = String::new();
    for (place, name) in names(model, axis, size).iter().enumerate().take(MOST_PARTS) {
        let name = fitted(name, 40);
        text.push_str(&format!(" {dim}{} = {name}{dim:#}\n", axis_name(model, axis)));
        text.push_str(&numbers(model, rest, rest_sizes, &all[place * count..(place + 1) * count], terminal));
    }
    if size > MOST_PARTS {
        text.push_str(&format!(
            "  {dim}{} more along {} not shown{dim:#}\n",
            size - MOST_PARTS,
            axis_name(model, axis)
        ));
    }
    text
}

/// Numbers in lines, each with the position of its first one.
fn vector(numbers: &[f32], terminal: &Terminal) -> String {
    let dim = dim(terminal);
    let format = Format::of(numbers);
    let shown = chosen(numbers.len(), MOST_NUMBERS);
    let texts: Vec<String> =
        shown.iter().map(|place| place.map_or("…".to_string(), |place| format.write(numbers[place]))).collect();
    let cell = texts.iter().map(|text| width(text)).max().unwrap_or(0) + 2;
    let name = numbers.len().to_string().len();
    let per_line = ((terminal.width().saturating_sub(name + 2)) / cell).clamp(1, 10);
    let mut text = String::new();
    for (line, cells) in texts.chunks(per_line).enumerate() {
        let cells: String = cells.iter().map(|text| right(text, cell)).collect();
        text.push_str(&format!("  {dim}{}{dim:#}{cells}\n", right(&(line * per_line).to_string(), name)));
    }
    if numbers.len() > MOST_NUMBERS {
        let left_out = numbers.len() - shown.iter().flatten().count();
        text.push_str(&format!("  {dim}{left_out} numbers not shown{dim:#}\n"));
    }
    text
}

/// Texts with the first numbers of their vectors, and how alike they are.
pub fn texts(name: &str, texts: &[String], lengths: &[usize], parts: &[Part], terminal: &Terminal) -> String {
    let bold = if terminal.depth() == Depth::Plain { Style::new() } else { Style::new().bold() };
    let dim = dim(terminal);
    let size = parts.first().map_or(0, |part| part.numbers.len());
    let mut text = format!("{bold}{name}{bold:#} of {size} numbers for each text\n");
    let number_width = texts.len().to_string().len();
    let first: Vec<f32> = parts.iter().flat_map(|part| part.numbers.iter().take(FIRST_NUMBERS).copied()).collect();
    let format = Format::of(&first);
    let cell = first.iter().map(|number| width(&format.write(*number))).max().unwrap_or(0) + 1;
    for (place, ((own, part), length)) in texts.iter().zip(parts).zip(lengths).enumerate() {
        let tokens = format!("{length} tokens");
        let room = terminal.width().saturating_sub(number_width + tokens.len() + 6);
        let number = right(&(place + 1).to_string(), number_width);
        text.push_str(&format!("  {bold}{number}{bold:#} {}  {dim}{tokens}{dim:#}\n", fitted(own, room)));
        let shown: String =
            part.numbers.iter().take(FIRST_NUMBERS).map(|number| right(&format.write(*number), cell)).collect();
        let more = if size > FIRST_NUMBERS { " …" } else { "" };
        text.push_str(&format!("  {}{shown}{more}\n", " ".repeat(number_width)));
    }
    if parts.len() > 1 {
        let names: Vec<String> = (1..=parts.len()).map(|number| number.to_string()).collect();
        let alike: Vec<f32> =
            parts.iter().flat_map(|one| parts.iter().map(|other| cosine(&one.numbers, &other.numbers))).collect();
        text.push_str(&format!("\n{bold}cosine similarity{bold:#} of the texts\n"));
        text.push_str(&draw(&Table { rows: names.clone(), columns: names, numbers: &alike }, terminal));
    }
    text.push('\n');
    text
}

/// The cosine of the angle between two vectors; 0 where one has no direction.
pub fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| -> f64 {
        left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
    };
    let lengths = (dot(one, one) * dot(other, other)).sqrt();
    if lengths == 0.0 { 0.0 } else { (dot(one, other) / lengths) as f32 }
}
