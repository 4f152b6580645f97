//! From weights to tensors: the table read from right to left.
//!
//! Of several tensors whose sum is a weight, the first gets it and the others zeros.

use super::fit::{Shapes, find};
use super::shape::same_order;
use super::{Binding, Table, TensorRows};
use crate::model::Model;
use crate::term::ValueId;
use std::collections::BTreeMap;
use std::ops::Deref;

/// A tensor made of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Assembled {
    /// Its shape, outermost axis first.
    pub shape: Vec<usize>,
    /// Its elements, row by row.
    pub elements: Vec<f32>,
}

/// The tensors of a checkpoint, by name. Where the checkpoint that the weights came from is given,
/// its names and shapes are kept; otherwise a tensor has its first name with all prefixes, and one
/// axis for its rows and one for its columns (without a table: the weight's own axes).
///
/// # Errors
/// A sentence for each weight that has no value or the wrong number of elements.
pub fn assemble<N: Deref<Target = [f32]>>(
    table: &Table,
    model: &Model,
    values: &BTreeMap<ValueId, N>,
    like: Option<&Shapes>,
) -> Result<BTreeMap<String, Assembled>, Vec<String>> {
    let faults = faults(model, values);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut tensors: BTreeMap<String, Assembled> = BTreeMap::new();
    for binding in &table.bindings {
        let (rows, width) = (binding.matrix.rows(), binding.matrix.columns());
        for (number, source) in binding.sources.iter().enumerate() {
            let name = name_of(table, source, like);
            let range = source.rows(rows);
            let length = range.end.saturating_mul(width);
            let tensor = tensors.entry(name).or_insert_with(|| Assembled { shape: Vec::new(), elements: Vec::new() });
            if tensor.elements.len() < length {
                tensor.elements.resize(length, 0.0);
            }
            tensor.shape = shape(table, binding, source, tensor.elements.len());
            if number == 0 {
                let part = &mut tensor.elements[range.start * width..length];
                for region in &binding.matrix.regions {
                    region.write(&values[&region.weight], part, width);
                }
            }
        }
    }
    for (name, tensor) in &mut tensors {
        if let Some(shape) = like.and_then(|like| like.get(name))
            && same_order(shape, &tensor.shape)
        {
            tensor.shape.clone_from(shape);
        }
    }
    Ok(tensors)
}

fn faults<N: Deref<Target = [f32]>>(model: &Model, values: &BTreeMap<ValueId, N>) -> Vec<String> {
    let fault = |(id, value): (ValueId, &crate::model::Value)| {
        let wanted = value.axes.iter().fold(1_usize, |count, axis| count.saturating_mul(axis.size().unwrap_or(1)));
        match values.get(&id) {
            None => Some(format!("the weight `{}` has no value", value.path)),
            Some(found) if found.len() != wanted => {
                Some(format!("the weight `{}` has {} numbers, {wanted} are wanted", value.path, found.len()))
            }
            Some(_) => None,
        }
    };
    model.weights().filter_map(fault).collect()
}

/// The name that a tensor gets: the first one, with the prefixes that the other checkpoint has. A
/// later name is no place to write to: other lines may mean the same tensor.
fn name_of(table: &Table, source: &TensorRows, like: Option<&Shapes>) -> String {
    let first = TensorRows { names: source.names[..1].to_vec(), ..source.clone() };
    let known = like.and_then(|like| find(table, like, &first)).map(|(name, _)| name);
    known.unwrap_or_else(|| table.candidates(&source.names[0]).swap_remove(0))
}

fn shape(table: &Table, binding: &Binding, source: &TensorRows, length: usize) -> Vec<usize> {
    let matrix = &binding.matrix;
    if table.identity && source.first_row.is_none() {
        return matrix.axes();
    }
    let rows = length / matrix.columns().max(1);
    match (matrix.row_axes.as_slice(), matrix.column_axes.as_slice()) {
        ([], []) => Vec::new(),
        (_, []) => vec![rows],
        ([], _) => vec![matrix.columns()],
        _ => vec![rows, matrix.columns()],
    }
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
