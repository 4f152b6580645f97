//! What `seqc trace` is called with.

use super::{BackendArguments, GivenArguments, ModelArguments};
use clap::Args;
use std::path::PathBuf;

/// What `seqc trace --help` says at its end.
pub const HELP: &str = "Examples:
  seqc trace lstm.seq --checkpoint trained --list
  seqc trace lstm.seq --checkpoint trained --value lstm.forget --value lstm.c
  seqc trace gpt2.seq --checkpoint gpt2 --text 'Once upon a time' --value 'layer.*.attention.weight'
  seqc trace lstm.seq --checkpoint trained --value 'lstm.*' --save gates.npz
  seqc trace gpt2.seq --checkpoint gpt2 --text 'Once upon a time' --html report.html

A PATH leads from the model to an equation: `layer.3.attention.weight`. `*` stands for any name or number in it, `**`
for any part of a path; patterns find equations, not weights. Nothing in the file changes for it: what is computed
inside a kernel and kept nowhere is written out as well.

A report (--html) is one file without scripts: heat maps of the values, the model as a graph with shapes, kernels
coloured by time. Where no value is named it shows states, gates, and attention weights.

Inputs that are not given are random numbers, in --sequences sequences of --length positions; without a checkpoint so
are the weights. Notes say so.";

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    /// Show this value at every position (may be repeated); `*` stands for any name, `**` for any part of a path
    #[arg(long, value_name = "PATH")]
    pub value: Vec<String>,
    /// List the values that there are, those of --value where some are named
    #[arg(long, conflicts_with = "save")]
    pub list: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub given: GivenArguments,
    /// Write the values to a file: .npy (one value), .npz or .safetensors; the first axis of each counts the sequences
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Write a page with pictures: values over time, the model's equations, its kernels; usual values where none is named
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub backend: BackendArguments,
    /// Print one JSON document on standard output, with every number
    #[arg(long)]
    pub json: bool,
}
