//! The pure half of Seqwright: from the text of a `.seq` file to emitted code. No files, devices, threads or clocks.
//!
//! In the order in which a model goes through them: [`syntax`] (text to tree), [`check`] (names, axes, instances) and
//! [`model`], [`graph`] (one operation an equation, and what it means), [`pass`], [`stream`] (what is kept between chunks) and
//! [`fuse`] (what is computed where),
//! [`kernel`] (loops, addresses and buffers), and one of two backends: [`clif`] (Cranelift IR, and [`strip`], vectors wider than it has) or [`wgsl`] (compute shaders). Beside them: [`term`], what equations are made of;
//! [`table`], how checkpoints are bound; [`library`], the definitions that come along; [`references`], where names are given and used; [`diagnostic`] and [`source`]; and
//! [`tile`], the functions that emitted code calls.
#![forbid(unsafe_code)]

pub mod check;
pub mod clif;
pub mod diagnostic;
pub mod explain;
pub mod fuse;
pub mod graph;
pub mod kernel;
pub mod library;
pub mod model;
pub mod pass;
pub mod recurrence;
pub mod references;
pub mod source;
pub mod stream;
pub mod strip;
pub mod syntax;
pub mod table;
pub mod term;
pub mod tile;
pub mod wgsl;
