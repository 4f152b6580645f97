//! Text to syntax tree: the grammar is `grammar/seq.pest`.
//!
//! [`parse`] goes on after a mistake at the next item, so that every item with one is reported; [`tree`] is what comes
//! out, and [`print`](print::print) writes it as text again. [`format`](format::format) writes a file in the one style, with its comments.
//! [`snapshots`](snapshots::snapshots) reads the comment that asks for snapshots.

mod build;
pub mod format;
mod parse;
pub mod print;
pub mod snapshots;
pub mod tree;

pub use parse::parse;
