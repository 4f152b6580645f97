//! Batches: sequences of different lengths, and their inputs as kernels see them.
//!
//! A value's numbers are rows: for a value over positions, those of all sequences one after the other without padding.

use crate::weights::{Tensor, Values};
use seqwright_compiler::model::{Model, ValueKind, print_axes};
use seqwright_compiler::source::Span;
use seqwright_compiler::term::{Axis, TimeId, ValueId};
use std::collections::BTreeMap;

/// A mistake in what a model is given, and where the file declares what it should be.
#[derive(Clone, Debug)]
pub struct InputError {
    /// What is wrong, a sentence in lower case.
    pub message: String,
    /// The declaration.
    pub span: Option<Span>,
    /// What to do.
    pub help: Option<String>,
}

impl InputError {
    fn new(message: String) -> InputError {
        InputError { message, span: None, help: None }
    }

    fn at(mut self, span: Span) -> InputError {
        self.span = Some(span);
        self
    }

    fn help(mut self, help: impl Into<String>) -> InputError {
        self.help = Some(help.into());
        self
    }
}

/// Sequences to run. `N` is what has an input's numbers: a vector, or a slice of somebody's.
#[derive(Clone, Debug, Default)]
pub struct Batch<N = Vec<f32>> {
    /// How many.
    pub sequences: usize,
    /// For each time axis, the length of each sequence.
    pub lengths: Vec<Vec<usize>>,
    /// The numbers of each input: rows of all sequences one after the other, features row-major.
    pub inputs: BTreeMap<ValueId, N>,
}

impl<N> Batch<N> {
    /// For a time axis, the first row of each sequence, and one past the last of all.
    pub fn first_rows(&self, time: TimeId) -> Vec<usize> {
        let mut rows = vec![0];
        for length in &self.lengths[time.0 as usize] {
            rows.push(rows[rows.len() - 1] + length);
        }
        rows
    }

    /// How many rows a value over these axes has in each sequence.
    pub fn rows_of(&self, axes: &[Axis], sequence: usize) -> usize {
        axes.iter().filter_map(Axis::time).map(|time| self.lengths[time.0 as usize][sequence]).product()
    }
}

impl Batch {
    /// A batch from tensors whose first axis counts the sequences; `lengths` are those of ragged time axes, by name.
    ///
    /// # Errors
    /// Every input that is missing, unknown, of the wrong shape, or out of range.
    pub fn from_tensors(
        model: &Model,
        tensors: &BTreeMap<String, Tensor>,
        lengths: &BTreeMap<String, Vec<usize>>,
    ) -> Result<Batch, Vec<InputError>> {
        let mut errors = Vec::new();
        let mut sequences: Option<(usize, String)> = None;
        let mut longest: Vec<Option<(usize, String)>> = vec![None; model.times.len()];
        let mut found: Vec<(ValueId, &Tensor, Vec<usize>)> = Vec::new();
        for (id, value) in model.inputs() {
            let Some(tensor) = tensors.get(&value.path) else {
                let known: Vec<&str> = tensors.keys().map(String::as_str).collect();
                let mut error = InputError::new(format!("the input `{}` is not given", value.path)).at(value.span);
                if !known.is_empty() {
                    error = error.help(format!("given are {}", known.join(", ")));
                }
                errors.push(error);
                continue;
            };
            let shown = print_axes(&value.axes, &model.times);
            let shape = tensor.shape();
            let Some((count, rest)) = shape.split_first() else {
                errors.push(InputError::new(format!(
                    "the input `{}` has no axes: the first counts the sequences",
                    value.path
                )));
                continue;
            };
            match &sequences {
                None => sequences = Some((*count, value.path.clone())),
                Some((known, other)) if known != count => {
                    errors.push(InputError::new(format!(
                        "`{}` has {count} sequences, `{other}` has {known}",
                        value.path
                    )));
                    continue;
                }
                Some(_) => {}
            }
            let Some(sizes) = match_shape(&value.axes, rest) else {
                errors.push(
                    InputError::new(format!(
                        "the input `{}` has the shape {shape:?}, wanted is a batch of {shown}",
                        value.path
                    ))
                    .at(value.span)
                    .help("the first axis counts the sequences"),
                );
                continue;
            };
            for (axis, size) in value.axes.iter().zip(&sizes) {
                let Some(time) = axis.time() else { continue };
                match &longest[time.0 as usize] {
                    None => longest[time.0 as usize] = Some((*size, value.path.clone())),
                    Some((known, other)) if known != size => errors.push(InputError::new(format!(
                        "`{}` has {size} positions of {}, `{other}` has {known}",
                        value.path, axis.name
                    ))),
                    Some(_) => {}
                }
            }
            found.push((id, tensor, sizes));
        }
        for name in tensors.keys() {
            if !model.inputs().any(|(_, value)| value.path == *name) {
                let known: Vec<&str> = model.inputs().map(|(_, value)| value.path.as_str()).collect();
                errors.push(
                    InputError::new(format!("the model has no input `{name}`"))
                        .help(format!("it has {}", known.join(", "))),
                );
            }
        }
        let sequences = sequences.map_or(1, |(count, _)| count);
        let mut batch = Batch { sequences, ..Batch::default() };
        for (place, name) in model.times.iter().enumerate() {
            let known = model.lengths[place];
            let most = known.unwrap_or(longest[place].as_ref().map_or(0, |(size, _)| *size));
            let own = match lengths.get(name) {
                Some(own) => own.clone(),
                None => vec![most; sequences],
            };
            if let (Some(known), Some((found, input))) = (known, &longest[place])
                && known != *found
            {
                errors.push(InputError::new(format!(
                    "`{input}` has {found} positions of {name}, which the model has {known} of"
                )));
                continue;
            }
            if let (Some(known), Some((sequence, length))) =
                (known, own.iter().enumerate().find(|(_, length)| Some(**length) != known))
            {
                errors.push(
                    InputError::new(format!("sequence {sequence} is said to have {length} positions of {name}"))
                        .help(format!("every sequence has {known} of them: leave their lengths out")),
                );
                continue;
            }
            if own.len() != sequences {
                errors.push(InputError::new(format!("{} lengths for {sequences} sequences", own.len())));
            } else if let Some((sequence, length)) = own.iter().enumerate().find(|(_, length)| **length > most) {
                errors.push(InputError::new(format!(
                    "sequence {sequence} is said to have {length} positions of {name}, its tensors have {most}"
                )));
            } else if let Some(sequence) = own.iter().position(|length| *length == 0) {
                errors.push(
                    InputError::new(format!("sequence {sequence} is empty: it has no position of {name}"))
                        .help("a sequence has one position at least; leave empty ones out"),
                );
            }
            batch.lengths.push(own);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        for (id, tensor, sizes) in found {
            match rows_of_tensor(model, &batch, id, tensor, &sizes) {
                Ok(rows) => {
                    batch.inputs.insert(id, rows);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(batch) } else { Err(errors) }
    }
}

/// The sizes of a value's axes in a tensor's shape: a time axis is an axis of the tensor; adjacent others may be merged or
/// split, and axes of one entry may be there or not.
pub fn match_shape(axes: &[Axis], shape: &[usize]) -> Option<Vec<usize>> {
    let mut sizes = Vec::new();
    let mut shape: Vec<usize> = shape.to_vec();
    shape.reverse();
    let (mut wanted, mut had) = (1usize, 1usize);
    for axis in axes {
        match axis.size() {
            None => {
                while wanted != had {
                    had = had.checked_mul(shape.pop()?)?;
                    if had > wanted {
                        return None;
                    }
                }
                (wanted, had) = (1, 1);
                sizes.push(shape.pop()?);
            }
            Some(size) => {
                wanted = wanted.checked_mul(size)?;
                sizes.push(size);
                while had < wanted {
                    had = had.checked_mul(shape.pop()?)?;
                }
            }
        }
    }
    while had < wanted {
        had = had.checked_mul(shape.pop()?)?;
    }
    (wanted == had && shape.iter().all(|size| *size == 1)).then_some(sizes)
}

/// Where each number of a value lies in a padded tensor: visits (place among the rows, place in the tensor).
pub fn for_each_place(axes: &[Axis], sizes: &[usize], batch: &Batch, mut visit: impl FnMut(usize, usize)) {
    let per_sequence: usize = sizes.iter().product();
    let mut strides = vec![1; sizes.len()];
    for place in (0..sizes.len().saturating_sub(1)).rev() {
        strides[place] = strides[place + 1] * sizes[place + 1];
    }
    // Rows first: time axes, then the others, each in order.
    let order: Vec<usize> = (0..axes.len())
        .filter(|place| axes[*place].time().is_some())
        .chain((0..axes.len()).filter(|place| axes[*place].time().is_none()))
        .collect();
    let mut next = 0;
    for sequence in 0..batch.sequences {
        let extents: Vec<usize> = order
            .iter()
            .map(|place| axes[*place].time().map_or(sizes[*place], |time| batch.lengths[time.0 as usize][sequence]))
            .collect();
        let count: usize = extents.iter().product();
        let mut counter = vec![0usize; order.len()];
        for _ in 0..count {
            let inside: usize = counter.iter().zip(&order).map(|(entry, place)| entry * strides[*place]).sum();
            visit(next, sequence * per_sequence + inside);
            next += 1;
            for place in (0..counter.len()).rev() {
                counter[place] += 1;
                if counter[place] < extents[place] {
                    break;
                }
                counter[place] = 0;
            }
        }
    }
}

fn rows_of_tensor(
    model: &Model,
    batch: &Batch,
    id: ValueId,
    tensor: &Tensor,
    sizes: &[usize],
) -> Result<Vec<f32>, InputError> {
    let value = model.value(id);
    let below = match value.kind {
        ValueKind::Input { below } => below,
        ValueKind::Weight { .. } | ValueKind::Constant(_) | ValueKind::Equation(_) => None,
    };
    let number = |place: usize| match tensor.values() {
        Values::Floats(numbers) => numbers[place],
        Values::Integers(numbers) => numbers[place] as f32,
    };
    let mut rows = Vec::new();
    let mut wrong = None;
    for_each_place(&value.axes, sizes, batch, |_, place| {
        let number = number(place);
        if let Some(below) = below {
            let inside = number >= 0.0 && number < below as f32 && number.fract() == 0.0;
            if !inside && wrong.is_none() {
                wrong = Some((place, number));
            }
        }
        rows.push(number);
    });
    match (wrong, below) {
        (Some((place, number)), Some(below)) => Err(InputError::new(format!(
            "`{}` has {number} at place {place}: wanted are whole numbers from 0 to {}",
            value.path,
            below - 1
        ))
        .at(value.span)
        .help("is the input made with this model's own vocabulary?")),
        _ => Ok(rows),
    }
}

/// A value's rows as a tensor whose first axis counts the sequences, padded with zeros past each sequence's end.
pub fn padded(axes: &[Axis], batch: &Batch, rows: &[f32]) -> Tensor {
    let sizes: Vec<usize> = axes
        .iter()
        .map(|axis| match axis.time() {
            Some(time) => batch.lengths[time.0 as usize].iter().copied().max().unwrap_or(0),
            None => axis.size().unwrap_or(1),
        })
        .collect();
    let shape: Vec<usize> = [batch.sequences].into_iter().chain(sizes.iter().copied()).collect();
    let mut numbers = vec![0.0; shape.iter().product()];
    for_each_place(axes, &sizes, batch, |row, place| numbers[place] = rows[row]);
    Tensor::new(shape, Values::Floats(numbers)).expect("the numbers were made for this shape")
}
