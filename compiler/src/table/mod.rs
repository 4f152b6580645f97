//! Checkpoint tables: how the tensors of a file are made of a model's weights, read both ways.
//!
//! In: the `checkpoint` tables of a program, and the checked model. Out: the values of the model's
//! parameters as a checkpoint's configuration has them ([`settings()`]), and a [`Table`] in which
//! every weight stands exactly once ([`bindings()`]). A table says where each element of each
//! tensor goes; [`fit()`] holds it against the tensors that a file has, [`assemble()`] makes
//! tensors from weights. Nothing here touches a file.
//!
//! A table speaks of matrices: a weight's rows are its outputs, a tensor's rows its outermost
//! entries. Both lie row by row, so that a tensor is a list of rectangles, each a whole weight whose
//! axes may run in another order.
//!
//! | file | what it does |
//! | --- | --- |
//! | `find.rs` | the tables of a model for a file format |
//! | `format.rs` | the file formats that a table may be for |
//! | `number.rs` | the value of a size written in a table |
//! | `settings.rs` | parameters from `config.json`, and what is required of it |
//! | `names.rs` | repeats unrolled: `{layer}` in texts, paths of weights |
//! | `formula.rs` | `transpose(stack(q, k, v))` as a matrix |
//! | `resolve.rs` | the lines of a table in turn |
//! | `audit.rs` | every weight once, no row of a tensor twice |
//! | `region.rs` | a weight's place in a matrix, and copying it in and out |
//! | `shape.rs` | whether a tensor's shape is the one that is meant |
//! | `fit.rs` | a table against the tensors of a file |
//! | `assemble.rs` | from weights to tensors |
//! | `print.rs` | the resolved table as text |

mod assemble;
mod audit;
mod find;
mod fit;
mod format;
mod formula;
mod names;
mod number;
mod print;
mod region;
mod resolve;
mod settings;
mod shape;
#[cfg(test)]
mod testing;

pub use assemble::{Assembled, assemble};
pub use find::formats;
pub use fit::{Fit, Read, Shapes, fit};
pub use format::FileFormat;
pub use formula::Formula;
pub use region::{Matrix, Region};
pub use resolve::bindings;
pub use settings::{Setting, settings};
pub use shape::same_order;

use crate::source::Span;

/// How the tensors of a file are made of a model's weights: every weight stands in it once.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The model's name.
    pub model: String,
    /// Where the table says which model it is for; the model's own name where there is no table.
    pub span: Span,
    /// Whether the file has no table for the model: tensors then have the weights' names and axes.
    pub identity: bool,
    /// What tensor names begin with, one put in front of the other.
    pub prefixes: Vec<Prefix>,
    /// Which rows of which tensors are what.
    pub bindings: Vec<Binding>,
    /// Names, with `*` for anything, of tensors that need not be read.
    pub ignored: Vec<String>,
}

/// What tensor names begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The letters.
    pub text: String,
    /// Whether a name may do without.
    pub optional: bool,
}

/// Rows of tensors whose sum is a matrix made of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The rows; all have the matrix's shape.
    pub sources: Vec<TensorRows>,
    /// How the matrix is made, for printing.
    pub formula: Formula,
    /// The matrix.
    pub matrix: Matrix,
    /// Where the formula stands.
    pub span: Span,
}

/// Rows of a tensor, as many as the binding's matrix has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorRows {
    /// Names without prefixes; the first that the file has is meant.
    pub names: Vec<String>,
    /// The first row; nothing where the whole tensor is meant.
    pub first_row: Option<usize>,
    /// Where it stands.
    pub span: Span,
}

impl TensorRows {
    /// The rows among those of the tensor, for a matrix of so many rows.
    pub fn rows(&self, count: usize) -> std::ops::Range<usize> {
        let first = self.first_row.unwrap_or(0);
        first..first.saturating_add(count)
    }
}

impl Table {
    /// The names that a tensor may have in a file, those tried first in front: each optional prefix
    /// is put there, then left out.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        let mut all = vec![name.to_string()];
        // The innermost prefix stands next to the name, so it is put there first.
        for prefix in self.prefixes.iter().rev() {
            let with = all.iter().map(|name| format!("{}{name}", prefix.text));
            all = if prefix.optional { with.chain(all.iter().cloned()).collect() } else { with.collect() };
        }
        all
    }

    /// Whether a tensor of that name need not be read.
    pub fn ignores(&self, name: &str) -> bool {
        self.ignored.iter().any(|pattern| {
            let meant = |candidate: &String| matches(candidate.as_bytes(), name.as_bytes());
            meant(pattern) || self.candidates(pattern).iter().any(meant)
        })
    }
}

/// Whether a name is one that a pattern with `*` for anything means.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    // The last `*` and the place in the name up to which it reaches: on a mismatch it takes one more.
    let mut star: Option<(usize, usize)> = None;
    while place < name.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, place));
            at += 1;
        } else if pattern.get(at) == Some(&name[place]) {
            at += 1;
            place += 1;
        } else if let Some((before, reach)) = star {
            star = Some((before, reach + 1));
            at = before + 1;
            place = reach + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, wanted) in [
            ("*.attn.bias", "h.0.attn.bias", true),
            ("*.attn.bias", "h.0.attn.c_attn.bias", false),
            ("h.*.attn.*", "h.11.attn.masked_bias", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            let found = matches(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn optional_prefixes_are_tried_with_and_without() {
        let prefix = |text: &str, optional| Prefix { text: text.to_string(), optional };
        let table = Table {
            model: "M".to_string(),
            span: Span::default(),
            identity: false,
            prefixes: vec![prefix("model.", true), prefix("h.", false)],
            bindings: Vec::new(),
            ignored: vec!["x".to_string()],
        };
        assert_eq!(table.candidates("x"), ["model.h.x", "h.x"]);
        assert!(table.ignores("model.h.x") && table.ignores("x") && !table.ignores("model.x"));
    }
}
