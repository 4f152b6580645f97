//! From a file to results: the whole way, one step after the other, each of which can be looked at.
//!
//! | file | what it does |
//! | --- | --- |
//! | `checked.rs` | files and parameters to a checked model |
//! | `stages.rs` | a checked model to kernels, for whole sequences or for chunks |
//! | `compile.rs` | weights, and kernels for a backend |
//! | `runner.rs` | whole sequences, in batches |
//! | `traced.rs` | many values at once, in several programs where a device needs them |
//! | `interpret.rs` | the same by the float64 interpreter |
//! | `streamer.rs` | sequences that come chunk by chunk |
//! | `mistakes.rs` | every mistake of a file |
//! | `failure.rs` | what can be wrong with all that, in words |

mod checked;
mod compile;
mod failure;
mod interpret;
mod mistakes;
mod runner;
mod stages;
mod streamer;
mod traced;

pub(crate) use checked::read_text;
pub use checked::{Checked, Request, check, print_syntax, read};
pub use compile::{Backend, weights, weights_as};
pub use failure::Failure;
pub use interpret::{OneSequence, interpret_graph};
pub(crate) use mistakes::mistakes;
pub use runner::Runner;
pub use stages::{Stages, lower, lower_chunks};
pub use streamer::Streamer;
pub use traced::traced;
