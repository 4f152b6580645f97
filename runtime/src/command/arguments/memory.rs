//! What `seqc memory` is called with.

use super::{GivenArguments, ModelArguments};
use clap::Args;
use std::path::PathBuf;

/// What `seqc memory --help` says at its end.
pub const HELP: &str = "Examples:
  seqc memory lstm.seq --checkpoint trained --io inputs.safetensors
  seqc memory rnn.seq --set input=12 --set hidden=20 --html memory.html

A state is changed at one position, and what its recurrence makes of that is followed to first order, in 64 bits: what is
left n positions later is the derivative of the state there by the state here. `typically` is the root of the mean square
over all directions of a change; where a state has many entries, a few random directions estimate it, and that is said. The
most that is left of any direction is the spectral norm. What is outside of the recurrence stays as it is.

The factor of a state in its own equation, such as a forget gate, says how long the state alone would hold: its half-life.

The first sequence counts. Without inputs it is random, twice as long as --steps and one position; without a checkpoint so are
the weights.";

/// Arguments of `memory`.
#[derive(Debug, Args)]
pub struct MemoryArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    /// Look at this state alone (may be repeated); `*` stands for any name, `**` for any part of a path
    #[arg(long, value_name = "PATH")]
    pub state: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub given: GivenArguments,
    /// Follow a change over so many positions
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub steps: u32,
    /// Write a page with the curves
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print one JSON document on standard output, with what is left after each position
    #[arg(long)]
    pub json: bool,
}
