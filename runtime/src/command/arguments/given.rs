//! What a model is given where random numbers will do: a checkpoint and inputs, or how long random sequences are.

use super::{Input, input};
use clap::Args;
use std::path::PathBuf;

/// Weights and inputs, each random where none are named.
#[derive(Debug, Args)]
pub struct GivenArguments {
    /// The weights: a model folder, or a .safetensors, .gguf or .npz file; random ones where none is named
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Read an input from a .safetensors, .npz or .npy file: its only tensor, the one of the input's name, or TENSOR (may be repeated)
    #[arg(long, value_name = "NAME=FILE[:TENSOR]", value_parser = input)]
    pub input: Vec<Input>,
    /// Read all inputs from one file with tensors `in.NAME`
    #[arg(long, value_name = "FILE")]
    pub io: Option<PathBuf>,
    /// Run the model on a text, through the checkpoint's tokenizer (may be repeated)
    #[arg(long, value_name = "TEXT")]
    pub text: Vec<String>,
    /// How many positions random inputs have, along every time axis or along one (may be repeated)
    #[arg(long, value_name = "[AXIS=]N", value_parser = length, conflicts_with_all = ["io", "text", "input"])]
    pub length: Vec<Length>,
    /// How many sequences random inputs have
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["io", "text", "input"])]
    pub sequences: u32,
}

impl GivenArguments {
    /// Whether inputs are named; they are random otherwise.
    pub fn has_inputs(&self) -> bool {
        self.io.is_some() || !self.input.is_empty() || !self.text.is_empty()
    }
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
