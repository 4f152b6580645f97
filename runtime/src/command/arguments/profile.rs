//! What `seqc profile` is called with.

use super::{BackendArguments, Input, ModelArguments, input};
use clap::Args;
use std::path::PathBuf;

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
    /// The weights: a model folder, or a .safetensors, .gguf or .npz file; random ones where none is named
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Read an input from a file: its only tensor, the one of the input's name, or TENSOR (may be repeated)
    #[arg(long, value_name = "NAME=FILE[:TENSOR]", value_parser = input)]
    pub input: Vec<Input>,
    /// Read all inputs from one file with tensors `in.NAME`
    #[arg(long, value_name = "FILE")]
    pub io: Option<PathBuf>,
    /// Run the model on a text, through the checkpoint's tokenizer (may be repeated)
    #[arg(long, value_name = "TEXT")]
    pub text: Vec<String>,
    /// Ask for this value, any named one, instead of the model's results (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub output: Vec<String>,
    /// How many positions random inputs have, along every time axis or along one (may be repeated)
    #[arg(long, value_name = "[AXIS=]N", value_parser = length, conflicts_with_all = ["io", "text", "input"])]
    pub length: Vec<Length>,
    /// How many sequences random inputs have
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["io", "text", "input"])]
    pub sequences: u32,
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

/// `--length [AXIS=]N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Length {
    /// The time axis; every one where none is named.
    pub axis: Option<String>,
    /// How many positions.
    pub positions: usize,
}

fn length(text: &str) -> Result<Length, String> {
    let (axis, number) = match text.split_once('=') {
        Some((axis, number)) => (Some(axis.trim().to_string()), number),
        None => (None, text),
    };
    match number.trim().parse() {
        Ok(positions) if positions > 0 => Ok(Length { axis, positions }),
        Ok(_) | Err(_) => Err(format!("`{number}` is no number of positions: wanted is 128, or T=128")),
    }
}
