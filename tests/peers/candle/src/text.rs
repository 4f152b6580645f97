//! From a text to its vector, as a program does that has nothing else to do: MiniLM as it is published, its tokenizer
//! with it.

use crate::models;
use anyhow::{Result, anyhow};
use candle_core::{Device, Tensor};
use std::path::Path;
use tokenizers::Tokenizer;

/// The vector.
pub fn vector(folder: &Path, text: &str) -> Result<Vec<f32>> {
    let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).map_err(|why| anyhow!(why))?;
    tokenizer.with_padding(None);
    let tokens = tokenizer.encode(text, true).map_err(|why| anyhow!(why))?;
    let tokens = Tensor::new(tokens.get_ids(), &Device::Cpu)?.unsqueeze(0)?;
    let encoder = models::encoder(folder)?;
    Ok(models::sentences(&encoder, &tokens)?.squeeze(0)?.to_vec1()?)
}
