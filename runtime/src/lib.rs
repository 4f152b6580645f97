//! Whatever touches the world.

pub mod tiles;
pub mod tokenizer;
pub mod weights;
