//! What `seqc profile` is called with.

use super::{BackendArguments, GivenArguments, ModelArguments};
use clap::Args;

/// What `seqc profile --help` says at its end.
pub const HELP: &str = "Examples:
  seqc profile examples/lstm.seq --set input=256 --set hidden=256 --length 128 --threads 1
  seqc profile minilm.seq --checkpoint all-MiniLM-L6-v2 --text 'A man eats.'
  seqc profile gpt2.seq --checkpoint gpt2 --length 128 --step
  seqc profile gpt2.seq --checkpoint gpt2 --length 128 --backend gpu

Inputs that are not given are random numbers, in --sequences sequences of --length positions; without
a checkpoint so are the weights. With --step the time of one position more is taken, after --length.

Times are medians of runs that follow a first one. Operations and bytes are counted from the equations:
a multiply-add is two operations, a function one; what a kernel reads counts once, the weights of a
recurrence once a step. The limit is the time that the machine needs at least for these operations, at
its arithmetic peak, or for these bytes, from the nearest level of memory with room for them, whichever
is longer. What the machine can do is measured once and kept in the user's cache folder: measure anew
(--measure) when nothing else runs.

With --backend gpu times are those of the GPU's own clock, each kernel in a pass of its own; \"between
them\" is what passes until results are back. Nobody says how large a GPU's caches are: reads are
measured for buffers of several sizes. Without a clock (seqc devices: timestamps) whole runs are timed.";

/// Arguments of `profile`.
#[derive(Debug, Args)]
pub struct ProfileArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub given: GivenArguments,
    /// Ask for this value, any named one, instead of the model's results (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub output: Vec<String>,
    /// Time one position more, after those that are given
    #[arg(long)]
    pub step: bool,
    /// Take so many runs; as many as two seconds have room for where nothing is said, three at least
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,
    /// Show every call of a kernel, in the order in which they are run
    #[arg(long)]
    pub calls: bool,
    /// Measure anew what the machine can do
    #[arg(long)]
    pub measure: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub backend: BackendArguments,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}
