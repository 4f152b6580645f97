//! `seqc` from outside: a module for each subcommand, or for what is asked of several.
//!
//! One program, as in `tests/tests`. `cargo test -p seqwright --test suite stream::` runs the tests of one module.

mod book;
mod command;
mod devices;
mod generate;
mod lsp;
mod memory;
mod new;
mod profile;
mod published;
mod report;
mod snapshot;
mod stream;
mod trace;
