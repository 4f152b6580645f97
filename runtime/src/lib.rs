//! Whatever touches the world: linking machine code, threads, checkpoints, tokenizers, and the command line `seqc`.
//!
//! `session` goes the whole way from a file to results; `generate` writes token by token; `link` and `execute` run programs on
//! the CPU, with a `team` of threads, `gpu` (a feature) on a GPU; `batch` is how
//! sequences of different lengths become rows; `weights` reads checkpoints; `tiles` are the functions that kernels call;
//! `snapshot` keeps what the compiler makes of a model as texts beside it.

mod apart;
pub mod batch;
mod cache;
pub mod command;
mod difference;
pub mod execute;
mod fingerprint;
pub mod generate;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "lsp")]
pub mod language_server;
pub mod link;
pub mod machine;
pub mod matrix;
mod memory;
mod numbers;
mod report;
mod rows;
pub mod session;
pub mod snapshot;
pub mod stream;
mod team;
pub mod tiles;
pub mod tokenizer;
pub mod weights;
