//! Subscripts to addresses: which row, and where in it.

use super::{Access, Bound, Computed, Offset, Place, Range, Row, Scalar};
use crate::graph::Graph;
use crate::model::Equation;
use crate::term::{IndexId, Subscript, Term, ValueId};
use std::collections::HashMap;

/// Where a value lies: its memory, where in a row it begins, and how far apart neighbours along each feature axis lie.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub place: Place,
    pub base: usize,
    pub strides: Vec<usize>,
}

/// How an equation's indices become the row of a kernel and its loops.
#[derive(Clone, Debug, Default)]
pub(super) struct Indices {
    /// The index that is the row's own position.
    pub row: Option<IndexId>,
    /// Loop numbers of the others.
    pub loops: HashMap<IndexId, usize>,
}

/// The range of an index over its whole axis.
pub(super) fn whole_range(equation: &Equation, index: IndexId) -> Range {
    let index = &equation.indices[index.0 as usize];
    let to = match index.axis.extent {
        crate::term::Extent::Fixed(size) => Bound { fixed: size as i64, position: 0, length: None },
        crate::term::Extent::Time(time) => Bound { fixed: 0, position: 0, length: Some(time) },
    };
    Range { name: index.name.clone(), from: vec![Bound { fixed: 0, position: 0, length: None }], to: vec![to] }
}

/// Whether a value has the same numbers for all sequences.
pub(super) fn is_global(graph: &Graph, value: ValueId) -> bool {
    match graph.value(value).kind {
        crate::model::ValueKind::Weight { .. } | crate::model::ValueKind::Constant(_) => true,
        crate::model::ValueKind::Input { .. } | crate::model::ValueKind::Equation(_) => false,
    }
}

/// The sizes of a value's feature axes.
pub(super) fn features(graph: &Graph, value: ValueId) -> Vec<usize> {
    graph.value(value).axes.iter().filter_map(crate::term::Axis::size).collect()
}

/// How far apart neighbours along each axis lie when all lie one after the other.
pub(super) fn dense(sizes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sizes.len()];
    for place in (0..sizes.len().saturating_sub(1)).rev() {
        strides[place] = strides[place + 1] * sizes[place + 1];
    }
    strides
}

/// A subscript along a feature axis, or along a time axis that is not the row's own, as a part of an offset.
pub(super) enum Part {
    /// A sum.
    Sum(Offset),
    /// A computed number.
    Computed(Term),
}

/// A subscript over the row and the loops.
pub(super) fn part(subscript: &Subscript, indices: &Indices) -> Part {
    match subscript {
        Subscript::Computed(term) => Part::Computed((**term).clone()),
        Subscript::Affine { terms, constant, from_last } => {
            let mut offset = Offset { fixed: *constant, ..Offset::default() };
            for (index, times) in terms {
                match indices.loops.get(index) {
                    Some(number) => offset.indices.push((*number, *times)),
                    None => offset.position += times,
                }
            }
            offset.indices.sort();
            offset.last.extend(from_last.map(|time| (time, 1)));
            Part::Sum(offset)
        }
    }
}

impl Offset {
    /// Adds `stride` times another offset.
    pub(super) fn add(&mut self, other: &Offset, stride: i64) {
        self.fixed += other.fixed * stride;
        self.position += other.position * stride;
        for (index, times) in &other.indices {
            match self.indices.iter_mut().find(|(known, _)| known == index) {
                Some((_, total)) => *total += times * stride,
                None => self.indices.push((*index, times * stride)),
            }
        }
        self.indices.sort();
        self.last.extend(other.last.iter().map(|(time, times)| (*time, times * stride)));
        self.computed
            .extend(other.computed.iter().map(|part| Computed { stride: part.stride * stride, ..part.clone() }));
    }

    /// What a loop index is multiplied by.
    pub fn times(&self, index: usize) -> i64 {
        self.indices.iter().find(|(known, _)| *known == index).map_or(0, |(_, times)| *times)
    }

    /// Whether it varies with a loop index.
    pub fn varies_with(&self, index: usize) -> bool {
        self.times(index) != 0 || self.computed.iter().any(|part| part.number.varies_with(index))
    }

    /// Whether it hangs on loop indices further inside than one.
    fn varies_beyond(&self, index: usize) -> bool {
        let mut varies = self.indices.iter().any(|(own, _)| *own > index);
        for part in &self.computed {
            part.number.walk(&mut |inner| match inner {
                Scalar::Index(own) => varies |= *own > index,
                Scalar::Read(access) => varies |= access.varies_beyond(index),
                Scalar::Number(_) | Scalar::Position | Scalar::Length(_) | Scalar::Dot => {}
                Scalar::Unary(..) | Scalar::Binary(..) | Scalar::Select(..) => {}
            });
        }
        varies
    }

    /// Takes a loop index out; returns what it was multiplied by.
    pub(super) fn take(&mut self, index: usize) -> i64 {
        let times = self.times(index);
        self.indices.retain(|(known, _)| *known != index);
        times
    }

    /// Whether it is one loop index and nothing else.
    pub fn is_index(&self, index: usize) -> bool {
        self.fixed == 0
            && self.position == 0
            && self.last.is_empty()
            && self.computed.is_empty()
            && self.indices == [(index, 1)]
    }
}

impl Access {
    /// How far apart neighbours along a loop index lie, if that is the same everywhere: `row` is the length of a row. Along
    /// a time axis that is the last of the memory's, rows lie one after the other.
    pub fn stride(&self, index: usize, row: usize) -> Option<i64> {
        let mut stride = self.offset.times(index);
        if self.offset.computed.iter().any(|part| part.number.varies_with(index)) {
            return None;
        }
        for (place, position) in self.rows.iter().enumerate() {
            match position {
                Row::Here => {}
                Row::At(offset) if !offset.varies_with(index) => {}
                Row::At(offset) if place + 1 == self.rows.len() && offset.is_index(index) => stride += row as i64,
                Row::At(_) => return None,
            }
        }
        Some(stride)
    }

    /// Whether it is another row with another loop index.
    fn row_varies_with(&self, index: usize) -> bool {
        self.rows.iter().any(|row| matches!(row, Row::At(offset) if offset.varies_with(index)))
    }

    /// Whether it varies with a loop index.
    pub fn varies_with(&self, index: usize) -> bool {
        self.row_varies_with(index) || self.offset.varies_with(index)
    }

    /// Whether all that a loop index does to the address is to add a multiple of it.
    pub fn is_linear_in(&self, index: usize) -> bool {
        !self.row_varies_with(index) && !self.offset.computed.iter().any(|part| part.number.varies_with(index))
    }

    /// Whether it hangs on loop indices further inside than one.
    pub fn varies_beyond(&self, index: usize) -> bool {
        let in_row = |row: &Row| matches!(row, Row::At(offset) if offset.varies_beyond(index));
        self.offset.varies_beyond(index) || self.rows.iter().any(in_row)
    }
}

impl Scalar {
    /// Calls `visit` on this number and every one inside, those of addresses too.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Scalar)) {
        visit(self);
        match self {
            Scalar::Number(_) | Scalar::Index(_) | Scalar::Position | Scalar::Length(_) | Scalar::Dot => {}
            Scalar::Read(access) => {
                let rows = access.rows.iter().filter_map(|row| match row {
                    Row::Here => None,
                    Row::At(offset) => Some(offset),
                });
                for offset in rows.chain([&access.offset]) {
                    offset.computed.iter().for_each(|part| part.number.walk(visit));
                }
            }
            Scalar::Unary(_, value) => value.walk(visit),
            Scalar::Binary(_, left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            Scalar::Select(conditions, left, right) => {
                for condition in conditions {
                    condition.left.walk(visit);
                    condition.right.walk(visit);
                }
                left.walk(visit);
                right.walk(visit);
            }
        }
    }

    /// Whether it varies with a loop index.
    pub fn varies_with(&self, index: usize) -> bool {
        let mut varies = false;
        self.walk(&mut |inner| match inner {
            Scalar::Index(own) => varies |= *own == index,
            Scalar::Read(access) => {
                varies |= access.offset.times(index) != 0;
                for row in &access.rows {
                    if let Row::At(offset) = row {
                        varies |= offset.times(index) != 0;
                    }
                }
            }
            Scalar::Dot => varies = true,
            Scalar::Number(_)
            | Scalar::Position
            | Scalar::Length(_)
            | Scalar::Unary(..)
            | Scalar::Binary(..)
            | Scalar::Select(..) => {}
        });
        varies
    }
}
