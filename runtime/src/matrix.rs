//! A program's packed matrices: weights side by side, each matrix in one form, and what keeping them so loses.
//!
//! In: the parts of a matrix, their numbers or a file's blocks, and the precision that is asked for. Out: the matrix for
//! the processor's tiles. Blocks of a file are taken as they are where they run along the depth, which is what products
//! sum over; where one matrix has parts of different kinds, it gets the form that holds all of them exactly.

use crate::tiles::kept::{BLOCK, Block};
use crate::tiles::weights::{Lost, ProductTile, Source};
use crate::tiles::{ActivationPrecision, Form, PackedWeights, Precision, Tiles, WeightPrecision, pack};
use crate::weights::{Blocks, Given};
use seqwright_compiler::kernel::{BufferId, PackedPart};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How the weights that products multiply with are kept, and what that loses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// How many numbers there are in each form, by its name.
    pub forms: BTreeMap<&'static str, usize>,
    /// What rows are rounded to that are multiplied with blocks.
    pub activations: ActivationPrecision,
    /// Bytes of memory that they take.
    pub bytes: usize,
    /// By the number of a program's buffer, how many bytes fewer its matrix takes than in 32-bit floats; of those in other forms.
    pub fewer: BTreeMap<u32, usize>,
    /// What rounding them lost: the root of the mean square of the differences, relative to that of the numbers. 0 where
    /// nothing was rounded.
    pub error: f64,
    /// The matrix that lost most, and how much.
    pub worst: Option<(String, f64)>,
    lost: Lost,
}

impl Kept {
    /// Nothing yet, of rows that are rounded so.
    pub(crate) fn of(activations: ActivationPrecision) -> Kept {
        Kept { activations, ..Kept::default() }
    }

    /// Counts a matrix in.
    pub(crate) fn add(&mut self, id: BufferId, name: &str, numbers: usize, matrix: &PackedWeights) {
        *self.forms.entry(matrix.form().name()).or_default() += numbers;
        self.bytes += matrix.bytes();
        if matrix.form() != Form::F32 {
            self.fewer.insert(id.0, (4 * numbers).saturating_sub(matrix.bytes()));
        }
        let lost = matrix.lost();
        self.lost.error += lost.error;
        self.lost.size += lost.size;
        self.error = self.lost.relative();
        // Not a number is worse than any.
        let is_worse = |worst: f64| lost.relative() > worst || lost.relative().is_nan();
        if is_worse(self.worst.as_ref().map_or(0.0, |(_, worst)| *worst)) {
            self.worst = Some((name.to_string(), lost.relative()));
        }
    }

    /// In a sentence, lower case; nothing where all are 32-bit floats.
    pub fn note(&self) -> Option<String> {
        if self.forms.keys().all(|form| *form == Form::F32.name()) {
            return None;
        }
        let numbers = |count: usize| match count {
            0..100_000 => format!("{count} numbers"),
            _ => format!("{:.2} million", count as f64 / 1e6),
        };
        let forms: Vec<String> =
            self.forms.iter().map(|(form, count)| format!("{} as {form}", numbers(*count))).collect();
        let blocks = self.forms.keys().any(|form| form.contains("blocks"));
        let rounding = match &self.worst {
            None => "none was rounded".to_string(),
            Some((name, worst)) => {
                format!("rounding them is off by {:.1e} of their size, at worst by {worst:.1e} in `{name}`", self.error)
            }
        };
        let activations = match blocks {
            true => format!("; what they are multiplied with is rounded to {} bits", self.activations.bits()),
            false => String::new(),
        };
        let size = match self.bytes {
            0..1_048_576 => format!("{:.1} KiB", self.bytes as f64 / 1024.0),
            _ => format!("{:.1} MiB", self.bytes as f64 / 1_048_576.0),
        };
        Some(format!("products keep {} in {size}; {rounding}{activations}", forms.join(", ")))
    }
}

/// A part's numbers, or its blocks where a product can take them.
enum Part<'g> {
    Numbers(Cow<'g, [f32]>),
    Blocks(&'g Blocks),
}

/// Weights side by side, packed for the processor's tiles.
pub(crate) fn packed(
    parts: &[PackedPart],
    given: &[Given],
    precision: Precision,
    tiles: &Tiles,
    product: ProductTile,
) -> PackedWeights {
    let depth = parts.first().map_or(0, |part| part.depth);
    let columns: usize = parts.iter().map(|part| part.columns).sum();
    let wanted = |(part, given): (&PackedPart, &Given)| match given {
        Given::Blocks(blocks) if along_depth(part, blocks) => Form::of(blocks.format),
        Given::Blocks(_) | Given::Numbers(_) => match precision.weights {
            WeightPrecision::F32 | WeightPrecision::File => Some(Form::F32),
            WeightPrecision::Bf16 => Some(Form::Bf16),
            WeightPrecision::Q8 => Some(Form::Eight),
            WeightPrecision::Q4 => Some(Form::Four),
        },
    };
    let wanted: Vec<Form> = parts.iter().zip(given).map(|pair| wanted(pair).unwrap_or(Form::F32)).collect();
    let form = match wanted.as_slice() {
        [] => Form::F32,
        [first, rest @ ..] if rest.iter().all(|other| other == first) => *first,
        all if all.iter().all(|form| form.has_blocks()) => Form::EightWithMinimum,
        _ => Form::F32,
    };
    let sources: Vec<Part> = (parts.iter().zip(given))
        .map(|(part, given)| match *given {
            Given::Numbers(numbers) => Part::Numbers(Cow::Borrowed(numbers)),
            Given::Blocks(blocks) if form.has_blocks() && along_depth(part, blocks) => Part::Blocks(blocks),
            Given::Blocks(blocks) => Part::Numbers(Cow::Owned(blocks.expand())),
        })
        .collect();
    let numbers: Vec<&[f32]> = sources
        .iter()
        .map(|source| match source {
            Part::Numbers(numbers) => &numbers[..],
            Part::Blocks(_) => &[],
        })
        .collect();
    let (_, _, element) = packed_elements(parts, &numbers);
    let (width, multiply) = (tiles.panel_width, tiles.weights(form, precision.activations));
    if form == Form::F32 {
        return PackedWeights::floats(pack(width, columns, depth, element), width, multiply, product, depth);
    }
    let column_of = columns_of(parts);
    let block = |column: usize, number: usize| {
        let (part, offset) = column_of[column];
        match &sources[part] {
            Part::Blocks(blocks) => {
                let all = offset / blocks.format.elements() + number;
                Some(Block::from_file(blocks.format, blocks.block(all)))
            }
            Part::Numbers(_) => None,
        }
    };
    PackedWeights::pack(form, width, multiply, [columns, depth], &Source { number: &element, block: &block })
}

/// Whether a part's columns are whole blocks of a weight.
fn along_depth(part: &PackedPart, blocks: &Blocks) -> bool {
    let whole = |number: usize| number.is_multiple_of(blocks.format.elements());
    // The depth's axes are one stretch of the weight.
    let dense = part.depth_axes.iter().rev().try_fold(1, |wanted, (size, stride)| match size {
        1 => Some(wanted),
        _ => (*stride == wanted).then_some(wanted * size),
    });
    blocks.format.elements() == BLOCK
        && dense.is_some()
        && whole(part.depth)
        && part.column_axes.iter().all(|(size, stride)| *size == 1 || whole(*stride))
}

/// Weights side by side as one matrix: its columns, its depth, and the number in a column and row.
pub(crate) fn packed_elements(
    parts: &[PackedPart],
    sources: &[&[f32]],
) -> (usize, usize, impl Fn(usize, usize) -> f32) {
    let depth = parts.first().map_or(0, |part| part.depth);
    let columns: usize = parts.iter().map(|part| part.columns).sum();
    let column_of = columns_of(parts);
    let depth_of: Vec<Vec<usize>> = parts.iter().map(|part| offsets(&part.depth_axes)).collect();
    (columns, depth, move |column, row| {
        let (number, offset) = column_of[column];
        sources[number][offset + depth_of[number][row]]
    })
}

/// For each column its part, and where it begins in that weight.
fn columns_of(parts: &[PackedPart]) -> Vec<(usize, usize)> {
    let all = parts.iter().enumerate();
    all.flat_map(|(number, part)| offsets(&part.column_axes).into_iter().map(move |offset| (number, offset))).collect()
}

/// The offset of every combination of entries along some axes, the last running fastest.
fn offsets(axes: &[(usize, usize)]) -> Vec<usize> {
    axes.iter().fold(vec![0], |all, (size, stride)| {
        all.iter().flat_map(|offset| (0..*size).map(move |entry| offset + entry * stride)).collect()
    })
}
