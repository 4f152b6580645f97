//! What emission gives: text, and what a runtime must know to run it.

use super::cooperative::Cooperative;
use std::fmt;

/// Rows of a product's tile, and columns.
pub(super) const TILE: usize = 64;
/// Columns that a workgroup computes of a product with few rows.
pub(super) const FEW_COLUMNS: usize = 64;
/// Rows that a product has at most where each is computed alone.
pub(super) const FEW_ROWS: usize = 8;
/// Workgroups along the first axis of a dispatch at most; more go on along the second.
pub const WORKGROUPS: usize = 65535;

/// What shaders are emitted for: what every WebGPU adapter has, unless more is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Bytes of workgroup memory.
    pub workgroup_bytes: usize,
    /// Invocations of a workgroup.
    pub invocations: usize,
    /// Storage buffers that a shader can use.
    pub buffers: usize,
    /// Whether sums and maxima over lanes are made by subgroups.
    pub subgroups: bool,
    /// Whether weights are stored as 16-bit numbers.
    pub f16: bool,
    /// Matrices that products of many rows are made of; none where invocations hold sums of their own.
    pub cooperative: Option<Cooperative>,
    /// Bytes of the largest buffer that a shader can bind.
    pub largest_binding: usize,
}

impl Default for Target {
    fn default() -> Target {
        Target {
            workgroup_bytes: 16384,
            invocations: 256,
            buffers: 8,
            subgroups: false,
            f16: false,
            cooperative: None,
            largest_binding: 128 << 20,
        }
    }
}

/// A kernel in WGSL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shader {
    /// The whole module.
    pub text: String,
    /// How it runs and why, in a line.
    pub form: String,
    /// Arguments of the kernel that lie one after the other in one buffer.
    pub parameters: Vec<usize>,
    /// For each argument, in how many buffers it lies: so many bindings, one after the other, if it is no parameter.
    pub parts: Vec<usize>,
    /// Storage bindings after the run (0, uniform) and its tables (1): the kernel's other arguments, the parameters if there
    /// are any, then these.
    pub scratch: Vec<Stored>,
    /// What is dispatched, in order.
    pub phases: Vec<Phase>,
}

/// A short-lived array that outlives a dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The value's name.
    pub name: String,
    /// Numbers in a row: there are so many as the entry point needs ([`Entry::slots`]).
    pub row: usize,
}

/// A dispatch: the first of these entries that takes so many rows and steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Ways to compute the same.
    pub entries: Vec<Entry>,
}

/// An entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What is dispatched of it.
    pub grid: Grid,
    /// Rows that it takes at most, or sequences where it is a scan.
    pub most: Option<usize>,
    /// Of a scan: how its steps are dispatched.
    pub steps: Option<EntrySteps>,
    /// Rows of short-lived arrays that it needs for each row of the kernel, or for each sequence where it is a scan.
    pub slots: usize,
}

/// The steps of a scan that an entry point takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrySteps {
    /// Those of one dispatch. All phases are dispatched anew for the next ones.
    pub each: usize,
    /// So many at least in the longest sequence.
    pub least: usize,
}

/// Which workgroups there are, for a number of rows: of the kernel, or sequences where it is a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// So many for each row.
    Rows(usize),
    /// For each sequence, one for so many entries of an axis.
    Entries {
        /// The axis's entries.
        entries: usize,
        /// Those of a workgroup.
        each: usize,
    },
    /// Tiles of a product.
    Tiles {
        /// Vectors that each row has.
        vectors: usize,
        /// Vectors in a tile.
        rows: usize,
        /// Columns of the product.
        columns: usize,
        /// Columns in a tile.
        width: usize,
    },
}

impl Grid {
    /// The workgroups along each axis.
    pub fn workgroups(self, rows: usize) -> [usize; 3] {
        match self {
            Grid::Rows(each) => {
                let count = rows * each;
                [count.min(WORKGROUPS), count.div_ceil(WORKGROUPS), 1]
            }
            Grid::Entries { entries, each } => [entries.div_ceil(each), rows, 1],
            Grid::Tiles { vectors, rows: tile, columns, width } => {
                [columns.div_ceil(width), (rows * vectors).div_ceil(tile), 1]
            }
        }
    }
}

impl Entry {
    /// An entry point that takes any number of rows, or of sequences and steps.
    pub(super) fn any(name: String, grid: Grid, each: Option<usize>) -> Entry {
        Entry { name, grid, most: None, steps: each.map(|each| EntrySteps { each, least: 0 }), slots: 1 }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grid::Rows(1) => write!(f, "a workgroup for each row"),
            Grid::Rows(each) => write!(f, "{each} workgroups for each row"),
            Grid::Entries { entries, each } => {
                write!(f, "for each sequence, {} workgroups of {each} entries", entries.div_ceil(*each))
            }
            Grid::Tiles { rows: 1, columns, width, .. } => {
                write!(f, "for each row, {} workgroups of {width} columns", columns.div_ceil(*width))
            }
            Grid::Tiles { rows, columns, width, .. } => {
                write!(f, "for {rows} rows, {} workgroups of {width} columns", columns.div_ceil(*width))
            }
        }
    }
}

impl Phase {
    /// The entry for so many rows; for so many sequences where it is a scan, the longest of which has so many steps.
    pub fn entry(&self, rows: usize, steps: usize) -> &Entry {
        let takes = |entry: &&Entry| {
            entry.most.is_none_or(|most| rows <= most) && entry.steps.is_none_or(|own| steps >= own.least)
        };
        self.entries.iter().find(takes).expect("a phase's last entry takes any number of rows and steps")
    }
}
