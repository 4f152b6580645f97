//! Cranelift IR: spelling kernels as functions.

pub mod tiles;
