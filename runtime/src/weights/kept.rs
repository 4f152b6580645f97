//! Weights whose blocks stay as they lie in the file, instead of being expanded.
//!
//! In: which of a tensor's elements make which weights. Out: a weight's own blocks, in the order of its elements
//! ([`Blocks`]), where each block of the file is one of the weight: whole runs of 32 along its last axes, wherever they go.
//! Rows that a table puts in another order are whole blocks; turned matrices and sums of tensors are not, and are expanded.

use std::collections::BTreeMap;

use seqwright_compiler::table::{Region, Table};
use seqwright_compiler::term::ValueId;

use super::format::{BlockFormat, Format};
use super::numbers::{Bytes, Numbers};
use super::tensor::TensorView;
use crate::tiles::{Form, WeightPrecision};

/// A weight in blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// How a block is packed.
    pub format: BlockFormat,
    /// The blocks, of a weight's elements in row-major order.
    pub bytes: Bytes,
}

impl Blocks {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.format.bytes() * self.format.elements()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes of a block.
    pub fn block(&self, number: usize) -> &[u8] {
        &self.bytes[number * self.format.bytes()..][..self.format.bytes()]
    }

    /// All numbers.
    pub fn expand(&self) -> Vec<f32> {
        let mut all = vec![0.0; self.len()];
        self.expand_to(&mut all);
        all
    }

    /// The same, to where there is room for so many.
    pub fn expand_to(&self, all: &mut [f32]) {
        self.expand_from(0, all);
    }

    /// Some numbers from one on that begins a block, to where there is room for whole blocks.
    pub fn expand_from(&self, first: usize, some: &mut [f32]) {
        let bytes = &self.bytes[first / self.format.elements() * self.format.bytes()..];
        let blocks = bytes.chunks_exact(self.format.bytes());
        blocks.zip(some.chunks_exact_mut(self.format.elements())).for_each(|(from, to)| self.format.expand(from, to));
    }
}

/// A weight's numbers, or its blocks.
#[derive(Debug, Clone, Copy)]
pub enum Given<'l> {
    /// Row-major in the order of its axes.
    Numbers(&'l Numbers),
    /// The same in blocks.
    Blocks(&'l Blocks),
}

impl Given<'_> {
    /// Gives its memory back where it lies in a file, for it will not be read again soon.
    pub fn let_go(&self) {
        match self {
            Given::Numbers(numbers) => numbers.let_go(),
            Given::Blocks(blocks) => blocks.bytes.let_go(),
        }
    }
}

/// The format of a tensor's blocks, if they stay blocks at all where weights are kept so.
pub(super) fn kept_format(view: &TensorView, precision: WeightPrecision) -> Option<BlockFormat> {
    let Format::Blocks(format) = view.format() else { return None };
    let form = Form::of(format)?;
    let stays = match precision {
        WeightPrecision::F32 | WeightPrecision::Bf16 => false,
        WeightPrecision::Q4 => form == Form::Four,
        WeightPrecision::Q8 | WeightPrecision::File => true,
    };
    stays.then_some(format)
}

/// Whether every weight of a binding has whole blocks of a tensor, which begins so many elements before the binding's part of
/// it; where there is one tensor to it.
pub(super) fn has_whole_blocks(table: &Table, binding: usize, first: usize, format: BlockFormat) -> bool {
    let binding = &table.bindings[binding];
    let whole = |number: usize| number.is_multiple_of(format.elements());
    let fits = |region: &Region| {
        let runs = region.runs(binding.matrix.columns());
        runs.is_some_and(|mut runs| runs.all(|(from, to, length)| whole(first + from) && whole(to) && whole(length)))
    };
    binding.sources.len() == 1 && binding.matrix.regions.iter().all(fits)
}

/// A binding's blocks for its weights: where they lie in the file, if those of a weight are a stretch of it; else copied.
pub(super) fn keep(
    table: &Table,
    binding: usize,
    first: usize,
    format: BlockFormat,
    view: &TensorView,
    kept: &mut BTreeMap<ValueId, Blocks>,
) {
    let matrix = &table.bindings[binding].matrix;
    let place = |element: usize| element / format.elements() * format.bytes();
    for region in &matrix.regions {
        let Some(runs) = region.runs(matrix.columns()) else { continue };
        let runs: Vec<(usize, usize, usize)> = runs.collect();
        let stretch = match runs.as_slice() {
            [(from, 0, length)] => view.mapped_bytes(place(first + from)..place(first + from + length)),
            _ => None,
        };
        let bytes = stretch.unwrap_or_else(|| {
            let mut own = Vec::new();
            for (from, to, length) in runs {
                let (from, to, length) = (place(first + from), place(to), place(length));
                if own.len() < to + length {
                    own.resize(to + length, 0);
                }
                own[to..to + length].copy_from_slice(&view.bytes()[from..from + length]);
            }
            own.into()
        });
        kept.insert(region.weight, Blocks { format, bytes });
    }
}
