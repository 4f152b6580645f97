//! The pure half of Seqwright: from the text of a `.seq` file to emitted code.
#![forbid(unsafe_code)]

pub mod check;
pub mod clif;
pub mod diagnostic;
pub mod library;
pub mod model;
pub mod source;
pub mod syntax;
pub mod table;
pub mod term;
pub mod tile;
