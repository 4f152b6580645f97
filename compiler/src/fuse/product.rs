//! Products with weights: `y[t, m…, n…] = sum over k… (x[…, m…, k…] * w[n…, k…])`.
//!
//! The weight is read at plain indices, each once; the operand has all indices that are summed over and none of the weight's
//! own. What is not of this form (a product with one output, a convolution whose subscripts add indices) is a loop.

use crate::graph::Graph;
use crate::model::ValueKind;
use crate::term::{Binary, IndexId, Reduction, Subscript, Term, ValueId};

/// The parts of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductParts {
    /// The value that is multiplied, and where it is read.
    pub operand: (ValueId, Vec<Subscript>),
    /// The weight.
    pub weight: ValueId,
    /// For each axis of the weight the index it is read at.
    pub weight_indices: Vec<IndexId>,
    /// The result's indices that the operand has, but time.
    pub shared: Vec<IndexId>,
    /// The result's indices that the weight has.
    pub columns: Vec<IndexId>,
    /// The indices that are summed over, in the order in which the operand has them.
    pub depth: Vec<IndexId>,
}

/// A product with fewer columns than this is a loop.
const FEWEST_COLUMNS: usize = 2;

/// The parts of a value that is a product with a weight.
pub fn find_product(graph: &Graph, id: ValueId) -> Option<ProductParts> {
    let equation = graph.equation(id)?;
    let Term::Reduce { reduction: Reduction::Sum, over, domain, body } = &equation.term else { return None };
    let Term::Binary(Binary::Multiply, left, right) = &**body else { return None };
    if !domain.is_empty() {
        return None;
    }
    let weight_of = |term: &Term| match term {
        Term::Read(value, subscripts) if matches!(graph.value(*value).kind, ValueKind::Weight { .. }) => {
            let indices: Option<Vec<IndexId>> = subscripts.iter().map(Subscript::as_index).collect();
            Some((*value, indices?))
        }
        _ => None,
    };
    let ((weight, weight_indices), operand) = match (weight_of(left), weight_of(right)) {
        (_, Some(weight)) => (weight, &**left),
        (Some(weight), None) => (weight, &**right),
        (None, None) => return None,
    };
    let Term::Read(value, subscripts) = operand else { return None };
    let axes = &graph.value(id).axes;
    let is_time = |index: &IndexId| equation.indices[index.0 as usize].axis.time().is_some();
    let mut distinct = weight_indices.clone();
    distinct.sort();
    distinct.dedup();
    if distinct.len() != weight_indices.len() || weight_indices.iter().any(is_time) || over.iter().any(is_time) {
        return None;
    }
    let operand_mentions = |index: IndexId| operand.mentions(index);
    let results: Vec<IndexId> = (0..axes.len() as u32).map(IndexId).collect();
    let features: Vec<IndexId> = results.iter().copied().filter(|index| !is_time(index)).collect();
    let columns: Vec<IndexId> = features.iter().copied().filter(|index| weight_indices.contains(index)).collect();
    let shared: Vec<IndexId> = features.iter().copied().filter(|index| !weight_indices.contains(index)).collect();
    let every_depth = over.iter().all(|index| weight_indices.contains(index) && operand_mentions(*index));
    let apart = columns.iter().all(|index| !operand_mentions(*index));
    let shared_read = shared.iter().all(|index| operand_mentions(*index));
    // The operand's vectors lie one after the other only if the shared indices come before the columns.
    let in_order = features == shared.iter().chain(&columns).copied().collect::<Vec<_>>();
    if !(every_depth && apart && shared_read && in_order) {
        return None;
    }
    let size = |indices: &[IndexId]| -> usize {
        indices.iter().map(|index| equation.indices[index.0 as usize].axis.size().unwrap_or(1)).product()
    };
    if size(&columns) < FEWEST_COLUMNS
        || columns.is_empty()
        || axes.iter().filter(|axis| axis.time().is_some()).count() > 1
    {
        return None;
    }
    // The depth in the operand's own order, so that its rows can be used as they lie.
    let mut depth: Vec<IndexId> =
        subscripts.iter().filter_map(Subscript::as_index).filter(|index| over.contains(index)).collect();
    depth.extend(over.iter().copied().filter(|index| !depth.contains(index)).collect::<Vec<_>>());
    Some(ProductParts { operand: (*value, subscripts.clone()), weight, weight_indices, shared, columns, depth })
}
