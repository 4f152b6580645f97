//! Reports: pictures of a model's values, its equations, its kernels, as one page of HTML that needs nothing else.
//!
//! | file | what it draws |
//! | --- | --- |
//! | `page.rs` | the page around the pictures: text, style for light and dark, no script, no request |
//! | `svg.rs` | texts, lengths and colours inside pictures |
//! | `colours.rs` | from a number to its colour; terminals use it too |
//! | `heat_map.rs` | matrices: attention weights, gates and states over time |
//! | `layout.rs`, `graph.rs` | the model's equations and what each reads |
//! | `kernels.rs` | kernels, as long as they take |
//! | `curve.rs` | what is left of a change, over positions |
//!
//! Pictures are SVG inside the page. What is too large to be drawn whole is sampled, and a sentence says so. Whatever comes from
//! a file or a tokenizer is escaped.

pub mod colours;
pub mod curve;
pub mod graph;
pub mod heat_map;
pub mod kernels;
mod layout;
mod page;
mod svg;

pub use page::{Figure, Page, Section};
