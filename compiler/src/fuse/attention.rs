//! Attention: softmax over products whose scores are only summed against values.
//!
//! ```text
//! dot[i, j, h]    = sum over d… (q[i, h, d…] * k[j, h, d…])
//! weight[i, j, h] = softmax over j (score(dot[i, j, h], i, j, h) where …)
//! mix[i, h, e]    = sum over j (weight[i, j, h] * v[j, h, e])
//! ```
//!
//! becomes one kernel that visits the keys block by block, keeping the largest score so far and the sum of exponentials
//! (the online softmax of Milakov and Gimelshein 2018; Dao et al. 2022). Each of `q`, `k` and `v` may lack heads that the
//! others have (grouped queries).

use crate::graph::Graph;
use crate::model::Equation;
use crate::term::{Binary, IndexId, Reduction, Subscript, Term, ValueId};
use std::collections::HashMap;

/// The parts of an attention.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionParts {
    /// The softmax.
    pub weight: ValueId,
    /// The product of query and key that the scores are made of.
    pub dot: ValueId,
    /// The index of the mix's rows, of its keys, and of its values' numbers, in the mix's equation.
    pub row: IndexId,
    /// The index that is summed over.
    pub key: IndexId,
    /// The index along a value, if values are more than numbers.
    pub width: Option<IndexId>,
    /// Where the weight is read: for each axis of the softmax an index of the mix.
    pub weight_indices: Vec<IndexId>,
    /// The value that is mixed and where it is read.
    pub value: (ValueId, Vec<Subscript>),
    /// Query and key, and where they are read, over the indices of `dot`.
    pub query: (ValueId, Vec<Subscript>),
    /// The key.
    pub keys: (ValueId, Vec<Subscript>),
    /// The indices of `dot` that are summed over.
    pub depth: Vec<IndexId>,
}

/// Every attention of a graph.
pub fn find_all(graph: &Graph) -> HashMap<ValueId, AttentionParts> {
    graph.order().into_iter().filter_map(|id| Some((id, find_attention(graph, id)?))).collect()
}

/// A value and where it is read.
type ReadAt<'a> = (ValueId, &'a [Subscript]);

/// The two reads that a sum multiplies, and what it runs over.
fn product_of_reads(equation: &Equation) -> Option<(&[IndexId], [ReadAt<'_>; 2])> {
    let Term::Reduce { reduction: Reduction::Sum, over, domain, body } = &equation.term else { return None };
    let (true, Term::Binary(Binary::Multiply, left, right)) = (domain.is_empty(), &**body) else { return None };
    match (&**left, &**right) {
        (Term::Read(one, at_one), Term::Read(two, at_two)) => Some((over, [(*one, at_one), (*two, at_two)])),
        _ => None,
    }
}

fn plain(subscripts: &[Subscript]) -> Option<Vec<IndexId>> {
    subscripts.iter().map(Subscript::as_index).collect()
}

/// The parts of a value that is an attention.
pub fn find_attention(graph: &Graph, id: ValueId) -> Option<AttentionParts> {
    if graph.scan_of(id).is_some() {
        return None;
    }
    let equation = graph.equation(id)?;
    let ([key], reads) = product_of_reads(equation)? else { return None };
    let key = *key;
    let is_softmax =
        |value: ValueId| graph.equation(value).is_some_and(|equation| matches!(equation.term, Term::Softmax { .. }));
    let ((weight, at_weight), (value, at_value)) = match reads {
        [one, two] if is_softmax(one.0) => (one, two),
        [one, two] if is_softmax(two.0) => (two, one),
        _ => return None,
    };
    let axis_of = |index: IndexId| &equation.indices[index.0 as usize].axis;
    axis_of(key).time()?;
    // The rows: the one time axis of the result.
    let times: Vec<IndexId> =
        (0..graph.value(id).axes.len() as u32).map(IndexId).filter(|index| axis_of(*index).time().is_some()).collect();
    let [row] = times.as_slice() else { return None };
    let weight_indices = plain(at_weight)?;
    let value_indices = plain(at_value)?;
    let features = |indices: &[IndexId]| -> Vec<IndexId> {
        indices.iter().copied().filter(|index| axis_of(*index).time().is_none()).collect()
    };
    let heads = features(&weight_indices);
    let mut width = features(&value_indices);
    width.retain(|index| !heads.contains(index));
    if width.len() > 1
        || !value_indices.contains(&key)
        || value_indices.contains(row)
        || weight_indices.iter().filter(|index| **index == key).count() != 1
        || weight_indices.iter().filter(|index| **index == *row).count() != 1
        || weight_indices.len() != heads.len() + 2
    {
        return None;
    }
    // The softmax runs over the axis that is summed over, of a score made of one product of query and key.
    let softmax = graph.equation(weight)?;
    let Term::Softmax { over, body, .. } = &softmax.term else { return None };
    if weight_indices[over.0 as usize] != key {
        return None;
    }
    let mut dots: Vec<(ValueId, &[Subscript])> = Vec::new();
    body.for_each_read(&mut |read, subscripts| {
        if graph.equation(read).is_some_and(|item| product_of_reads(item).is_some()) && plain(subscripts).is_some() {
            dots.push((read, subscripts));
        }
    });
    let row_of_softmax = weight_indices.iter().position(|index| index == row)?;
    let (row_index, key_index) = (IndexId(row_of_softmax as u32), *over);
    // Scores by content and by distance have two products: the first of query and key is fused, the other is read.
    let (dot, Dot { depth, query, keys }) = dots.iter().find_map(|(dot, at_dot)| {
        let at_dot = plain(at_dot)?;
        // `dot` has the same axes as the softmax, in the same order: its indices are the softmax's.
        let same = at_dot.iter().enumerate().all(|(place, index)| index.0 as usize == place);
        let fits = same && at_dot.len() == weight_indices.len();
        fits.then(|| dot_of(graph.equation(*dot)?, row_index, key_index)).flatten().map(|parts| (*dot, parts))
    })?;
    Some(AttentionParts {
        weight,
        dot,
        row: *row,
        key,
        width: width.first().copied(),
        weight_indices,
        value: (value, at_value.to_vec()),
        query: (query.0, query.1.to_vec()),
        keys: (keys.0, keys.1.to_vec()),
        depth: depth.to_vec(),
    })
}

/// A product of a query and a key.
struct Dot<'g> {
    depth: &'g [IndexId],
    query: ReadAt<'g>,
    keys: ReadAt<'g>,
}

/// The product of a query at a row and a key at another position that an equation is, if it is one.
fn dot_of(equation: &Equation, row_index: IndexId, key_index: IndexId) -> Option<Dot<'_>> {
    let (depth, [one, two]) = product_of_reads(equation)?;
    if depth.iter().any(|index| equation.indices[index.0 as usize].axis.time().is_some()) {
        return None;
    }
    let mentions = |subscripts: &[Subscript], index: IndexId| plain(subscripts).is_some_and(|all| all.contains(&index));
    let (query, keys) = if mentions(one.1, row_index) && mentions(two.1, key_index) {
        (one, two)
    } else if mentions(two.1, row_index) && mentions(one.1, key_index) {
        (two, one)
    } else {
        return None;
    };
    if mentions(query.1, key_index) || mentions(keys.1, row_index) {
        return None;
    }
    // What one of them lacks would be summed over it alone: a loop's work.
    if depth.iter().any(|index| !mentions(query.1, *index) || !mentions(keys.1, *index)) {
        return None;
    }
    Some(Dot { depth, query, keys })
}
