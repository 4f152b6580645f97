//! A model's weights out of a checkpoint, by its table, and back into a file.
//!
//! In: a checked model, its resolved table and an open checkpoint. Out: the weights' numbers
//! ([`load`]), or a safetensors file with tensors as the table has them ([`export`]). What goes where
//! is the compiler's part: this file reads, copies and writes. [`config_setting`] reads the
//! configuration for the table's `name = config.…` lines.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::Path;

use seqwright_compiler::diagnostic::Diagnostic;
use seqwright_compiler::model::{Model, Value};
use seqwright_compiler::table::{Assembled, Fit, Read, Setting, Shapes, Table, assemble, fit};
use seqwright_compiler::term::ValueId;
use serde_json::Value as Json;

use super::checkpoint::Checkpoint;
use super::error::{WeightError, quoted};
use super::format::BlockFormat;
use super::io::write_safetensors;
use super::kept::{Blocks, Given, has_whole_blocks, keep, kept_format};
use super::numbers::Numbers;
use super::tensor::{Tensor, TensorView, Values};
use crate::tiles::Precision;

/// The weights of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// The numbers of each weight, row-major in the order of its axes, but of those that are in `blocks`.
    pub values: BTreeMap<ValueId, Numbers>,
    /// Weights whose blocks are kept as they lie in the file.
    pub blocks: BTreeMap<ValueId, Blocks>,
    /// In which precision products multiply with them.
    pub precision: Precision,
    /// What is odd about the checkpoint but no error, each a sentence in lower case.
    pub notes: Vec<String>,
}

impl Loaded {
    /// The same weights without blocks, to be kept as floats: for what can't multiply with anything else.
    pub fn expanded(&self) -> Cow<'_, Loaded> {
        if self.blocks.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut values = self.values.clone();
        values.extend(self.blocks.iter().map(|(id, blocks)| (*id, blocks.expand().into())));
        Cow::Owned(Loaded { values, notes: self.notes.clone(), ..Loaded::default() })
    }

    /// Each weight as it is.
    pub fn given(&self) -> impl Iterator<Item = (ValueId, Given<'_>)> {
        let numbers = self.values.iter().map(|(id, numbers)| (*id, Given::Numbers(numbers)));
        numbers.chain(self.blocks.iter().map(|(id, blocks)| (*id, Given::Blocks(blocks))))
    }
}

/// Why weights could not be loaded or exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindError {
    /// The checkpoint and the table do not fit; it points at the table's line.
    Misfit(Box<Diagnostic>),
    /// A file could not be read or written.
    File(WeightError),
    /// Numbers to export that are not those of the model's weights.
    Numbers(String),
}

impl BindError {
    /// The mistake with its place in the program, where there is one.
    pub fn diagnostic(&self) -> Option<&Diagnostic> {
        match self {
            BindError::Misfit(diagnostic) => Some(diagnostic),
            BindError::File(_) | BindError::Numbers(_) => None,
        }
    }

    /// What the user can do about it, where something can be said.
    pub fn help(&self) -> Option<&str> {
        match self {
            BindError::Misfit(diagnostic) => diagnostic.help.as_deref(),
            BindError::File(error) => error.help(),
            BindError::Numbers(_) => None,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Misfit(diagnostic) => formatter.write_str(&diagnostic.message),
            BindError::File(error) => error.fmt(formatter),
            BindError::Numbers(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for BindError {}

impl From<WeightError> for BindError {
    fn from(error: WeightError) -> BindError {
        BindError::File(error)
    }
}

/// What stands at a path of a checkpoint's configuration, as the table's settings ask for it. A list has
/// its entries by their numbers, and a `length`.
pub fn config_setting(checkpoint: &Checkpoint, path: &[&str]) -> Setting {
    let mut found = checkpoint.config();
    for name in path {
        found = match found {
            Some(Json::Array(list)) if *name == "length" => return Setting::Number(list.len() as f64),
            Some(Json::Array(list)) => name.parse().ok().and_then(|place: usize| list.get(place)),
            Some(Json::Object(object)) => object.get(*name),
            Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | None => None,
        };
    }
    match found {
        None => Setting::Missing,
        Some(Json::Null) => Setting::Null,
        Some(Json::Bool(value)) => Setting::Bool(*value),
        Some(Json::Number(number)) => number.as_f64().map_or(Setting::Other, Setting::Number),
        Some(Json::String(text)) => Setting::Text(text.clone()),
        Some(Json::Array(list)) => Setting::Several(list.len()),
        Some(Json::Object(object)) => Setting::Several(object.len()),
    }
}

/// Reads every weight of the model.
///
/// # Errors
///
/// Everything about the checkpoint that does not fit the table, all of it at once: tensors that are
/// missing, of another shape, read twice or not at all, or of a type that Seqwright cannot read.
pub fn load(model: &Model, table: &Table, checkpoint: &Checkpoint) -> Result<Loaded, Vec<BindError>> {
    load_as(model, table, checkpoint, Precision::F32)
}

/// The same for products that multiply in a precision: blocks of a file that stay what they are are not expanded.
///
/// # Errors
///
/// As for [`load`].
pub fn load_as(
    model: &Model,
    table: &Table,
    checkpoint: &Checkpoint,
    precision: Precision,
) -> Result<Loaded, Vec<BindError>> {
    let misfit = |faults: Vec<Diagnostic>| -> Vec<BindError> {
        let boxed = faults.into_iter().map(Box::new);
        boxed.map(BindError::Misfit).collect()
    };
    let fitted = fit(table, model, &shapes_of(checkpoint)).map_err(misfit)?;
    let tensors = in_order_of_tensors(&fitted);
    let mut odd = NotFinite::default();
    let mut errors: Vec<BindError> = Vec::new();
    let mut blocks = BTreeMap::new();
    let mut expanded = Vec::new();
    for (tensor, reads) in tensors {
        let Some(view) = checkpoint.tensor(tensor) else {
            continue;
        };
        match kept_format(&view, precision.weights) {
            Some(format)
                if reads.iter().all(|read| has_whole_blocks(table, read.binding, read.elements.start, format)) =>
            {
                odd.count_blocks(tensor, format, view.bytes());
                for read in reads {
                    keep(table, read.binding, read.elements.start, format, &view, &mut blocks);
                }
                // They are read once more where they are packed, one weight after the other; all at once they would take as much
                // memory again as what is packed.
                view.let_go();
            }
            Some(_) | None => expanded.push((tensor, view, reads)),
        }
    }
    let mut values = BTreeMap::new();
    for (_, view, reads) in &expanded {
        values.extend(reads.iter().flat_map(|read| mapped(model, table, read, view)));
    }
    let mut copied = room(model, |id| blocks.contains_key(&id) || values.contains_key(&id))?;
    for (tensor, view, reads) in expanded {
        view.fetch();
        let numbers = match view.numbers() {
            Ok(numbers) => numbers,
            Err(error) => {
                errors.push(error.into());
                continue;
            }
        };
        odd.count(tensor, &numbers);
        for read in reads {
            let matrix = &table.bindings[read.binding].matrix;
            let part = &numbers[read.elements.clone()];
            for region in &matrix.regions {
                if let Some(weight) = copied.get_mut(&region.weight) {
                    // The weights begin as zeros, so that the sum's order does not matter for one
                    // tensor; -0 is kept by copying.
                    let sum = table.bindings[read.binding].sources.len() > 1;
                    region.read(part, matrix.columns(), weight, sum);
                }
            }
        }
    }
    values.extend(copied.into_iter().map(|(id, numbers)| (id, Numbers::from(numbers))));
    if errors.is_empty() {
        Ok(Loaded { values, blocks, precision, notes: odd.note().into_iter().collect() })
    } else {
        Err(errors)
    }
}

/// Writes weights to a safetensors file at `path`, as the table has them in a checkpoint. With
/// `like`, the checkpoint that the weights came from, tensors keep its names and shapes.
///
/// # Errors
///
/// When a weight has no numbers or the wrong count of them, and when the file cannot be written.
pub fn export<N: Deref<Target = [f32]>>(
    model: &Model,
    table: &Table,
    values: &BTreeMap<ValueId, N>,
    like: Option<&Checkpoint>,
    path: &Path,
) -> Result<(), Vec<BindError>> {
    let like = like.map(shapes_of);
    let tensors = assemble(table, model, values, like.as_ref())
        .map_err(|faults| faults.into_iter().map(BindError::Numbers).collect::<Vec<_>>())?;
    let owned = |(name, Assembled { shape, elements })| {
        let tensor = Tensor::new(shape, Values::Floats(elements));
        let told = |problem| BindError::File(WeightError::writing(path, problem));
        Ok((name, tensor.map_err(told)?))
    };
    let tensors: Result<BTreeMap<String, Tensor>, BindError> = tensors.into_iter().map(owned).collect();
    let written = tensors.and_then(|tensors| Ok(write_safetensors(path, &tensors)?));
    written.map_err(|error| vec![error])
}

fn shapes_of(checkpoint: &Checkpoint) -> Shapes {
    let shape = |name: &str| checkpoint.tensor(name).map(|view| view.shape().to_vec());
    let named = |name: &str| Some((name.to_string(), shape(name)?));
    checkpoint.names().filter_map(named).collect()
}

/// The weights of a read that are a stretch of its tensor as they are, where that can be read in the file.
fn mapped<'r>(
    model: &'r Model,
    table: &'r Table,
    read: &'r Read,
    view: &'r TensorView,
) -> impl Iterator<Item = (ValueId, Numbers)> + use<'r> {
    let binding = &table.bindings[read.binding];
    let alone = binding.sources.len() == 1;
    binding.matrix.regions.iter().filter(move |_| alone).filter_map(move |region| {
        let mut runs = region.runs(binding.matrix.columns())?;
        let (from, 0, length) = runs.next()? else { return None };
        let whole = runs.next().is_none() && size_of(model.value(region.weight)) == Some(length);
        let first = read.elements.start + from;
        let numbers = view.mapped(first..first + length).filter(|_| whole)?;
        Some((region.weight, numbers))
    })
}

/// How many numbers a weight has, if a number can say.
fn size_of(value: &Value) -> Option<usize> {
    value.axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.size()?))
}

/// Zeros for every weight that has no numbers yet.
fn room(model: &Model, has: impl Fn(ValueId) -> bool) -> Result<BTreeMap<ValueId, Vec<f32>>, Vec<BindError>> {
    let zeros = |(id, value): (ValueId, &Value)| {
        let count = size_of(value);
        let mut numbers = Vec::new();
        let fits = count.is_some_and(|count| numbers.try_reserve_exact(count).is_ok());
        if fits {
            numbers.resize(count.unwrap_or(0), 0.0);
            Ok((id, numbers))
        } else {
            let message = format!("there is no memory for the weight `{}`", value.path);
            Err(vec![BindError::Numbers(message)])
        }
    };
    model.weights().filter(|(id, _)| !has(*id)).map(zeros).collect()
}

/// The reads of each tensor together, so that it is converted once. The sources of one binding keep
/// their order only as far as their tensors' names do; a sum of two is the same either way.
fn in_order_of_tensors(fitted: &Fit) -> BTreeMap<&str, Vec<&Read>> {
    let mut by_tensor: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for read in &fitted.reads {
        by_tensor.entry(&read.tensor).or_default().push(read);
    }
    by_tensor
}

/// Weights that are infinite or not numbers: they load, and somebody should know.
#[derive(Default)]
struct NotFinite {
    count: usize,
    first: Option<String>,
}

impl NotFinite {
    fn count(&mut self, tensor: &str, numbers: &[f32]) {
        // Without a branch for each number, so that several are looked at at once: this is as long as reading a file takes.
        let is_odd = |number: &f32| number.to_bits() & f32::INFINITY.to_bits() == f32::INFINITY.to_bits();
        if numbers.chunks(4096).any(|some| some.iter().fold(false, |odd, number| odd | is_odd(number))) {
            self.count += numbers.iter().filter(|number| is_odd(number)).count();
            self.first.get_or_insert_with(|| quoted(tensor));
        }
    }

    /// Only blocks whose scale or minimum is none have numbers that are none.
    fn count_blocks(&mut self, tensor: &str, format: BlockFormat, bytes: &[u8]) {
        let mut numbers = vec![0.0; format.elements()];
        for block in bytes.chunks_exact(format.bytes()) {
            let odd = |half: &[u8]| half[1] & 0x7c == 0x7c;
            if odd(block) || odd(&block[2..]) {
                format.expand(block, &mut numbers);
                self.count(tensor, &numbers);
            }
        }
    }

    fn note(self) -> Option<String> {
        let first = self.first?;
        let (values, verb) = match self.count {
            1 => ("value", "is"),
            _ => ("values", "are"),
        };
        Some(format!(
            "the weights have {} {values} that {verb} infinite or not a number (first in tensor {first})",
            self.count
        ))
    }
}

#[cfg(test)]
#[path = "bind_tests.rs"]
mod tests;
