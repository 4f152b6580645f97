//! Cranelift IR: spelling kernels as functions.
