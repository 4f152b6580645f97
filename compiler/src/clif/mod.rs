//! Cranelift IR: spelling kernels as functions. What is computed, in which order and by which tiles was decided before.

mod addresses;
mod ahead;
mod attention;
pub mod context;
mod emitter;
mod kernel;
mod loops;
mod numbers;
mod scan;
mod scores;
mod share;
pub mod tiles;
mod wide;

pub use kernel::{Emitted, STRIPS, Target, emit};
