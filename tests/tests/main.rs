//! What the compiler and the runtime do together, against the interpreter and published numbers; each module says what of it.
//!
//! One program, since every one that is linked holds the compiler, the runtime and their libraries once more.
//! `cargo test -p seqwright-tests --test suite goldens::` runs the tests of one module.

mod batches;
mod cooperative;
mod diagnostics;
mod editors;
mod examples;
mod explain;
mod format;
mod fusion;
mod generation;
mod gguf;
mod goldens;
mod gpu;
mod gpu_weights;
mod kept_weights;
mod llama_files;
mod long_sequences;
mod lookups;
mod memory;
mod minilm;
mod npz;
mod programs;
mod published;
mod random_models;
mod reach;
mod recurrences;
mod reference;
mod references;
mod sharing;
mod snapshots_of_models;
mod stacks;
mod stages;
mod state;
mod streaming;
mod tokenizers;
mod trace;
