//! The pure half of Seqwright: from the text of a `.seq` file to emitted code.
#![forbid(unsafe_code)]

pub mod check;
pub mod clif;
pub mod diagnostic;
pub mod fuse;
pub mod graph;
pub mod kernel;
pub mod library;
pub mod model;
pub mod pass;
pub mod source;
pub mod syntax;
pub mod table;
pub mod term;
pub mod tile;
