//! The tiles with x86-64's vector instructions. The algorithms stand once, as macros: `product_tile!` in `product`,
//! `block_tile!` in `blocks`, `function_tiles!` in `functions` and `soften_tile!` in `soften`. Each instruction set gives the
//! names of its vector operations and expands them.
//!
//! Macros, because a function that uses wide vectors must carry `#[target_feature]`, which takes no parameters: a
//! generic function could not be both inlined and compiled for either instruction set.

#[macro_use]
mod blocks;
#[macro_use]
mod product;
#[macro_use]
mod functions;
#[macro_use]
mod soften;

pub mod avx2;
pub mod avx512;
pub mod pack;
