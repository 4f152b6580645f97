//! What a row runs: candle's own models, with the row's weights and inputs, as something to call that gives its result.

use anyhow::{Context, Result, bail};
use candle_core::quantized::gguf_file;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_nn::rnn::{GRUConfig, LSTMConfig, RNN, gru, lstm};
use candle_transformers::models::bert::{BertModel, Config};
use candle_transformers::models::quantized_llama::ModelWeights;
use candle_transformers::models::vit;
use std::fs::File;
use std::path::Path;

/// A run, from inputs that are there to its result.
pub type Run = Box<dyn FnMut() -> Result<Tensor>>;

const CPU: Device = Device::Cpu;

/// Loads a model by its name here.
pub fn prepare(model: &str, weights: &Path, io: &Path) -> Result<Run> {
    let given = candle_core::safetensors::load(io, &CPU)?;
    let input = |name: &str| {
        let found = given.get(&format!("in.{name}"));
        found.cloned().with_context(|| format!("{} has no tensor `in.{name}`", io.display()))
    };
    match model {
        "lstm" => long_short_term(weights, input("x")?),
        "gru" => gated(weights, input("x")?),
        "minilm" => {
            let (encoder, tokens) = (encoder(weights)?, input("tokens")?.to_dtype(DType::U32)?);
            Ok(Box::new(move || sentences(&encoder, &tokens)))
        }
        "vit" => vision(weights, input("pixels")?),
        "llama" => prompt(weights, input("tokens")?.to_dtype(DType::U32)?),
        "llama-token" => token(weights, input("tokens")?.to_dtype(DType::U32)?),
        other => bail!("there is no model `{other}`: expected is lstm, gru, minilm, vit, llama or llama-token"),
    }
}

/// A folder's weights, where they lie in the file.
fn mapped(folder: &Path) -> Result<VarBuilder<'static>> {
    let file = folder.join("model.safetensors");
    // SAFETY: nobody changes the file while a row is taken.
    unsafe { VarBuilder::from_mmaped_safetensors(&[&file], DType::F32, &CPU) }
        .with_context(|| format!("cannot read {}", file.display()))
}

/// How long an axis of a folder's tensor is.
fn size(folder: &Path, name: &str, axis: usize) -> Result<usize> {
    let all = candle_core::safetensors::load(folder.join("model.safetensors"), &CPU)?;
    Ok(all.get(name).with_context(|| format!("there is no tensor `{name}`"))?.dim(axis)?)
}

fn long_short_term(weights: &Path, x: Tensor) -> Result<Run> {
    let (input, hidden) = (size(weights, "weight_ih_l0", 1)?, size(weights, "weight_hh_l0", 1)?);
    let cell = lstm(input, hidden, LSTMConfig::default(), mapped(weights)?)?;
    Ok(Box::new(move || Ok(cell.states_to_tensor(&cell.seq(&x)?)?)))
}

/// Its states are joined here: candle's own function puts all positions into one vector.
fn gated(weights: &Path, x: Tensor) -> Result<Run> {
    let (input, hidden) = (size(weights, "weight_ih_l0", 1)?, size(weights, "weight_hh_l0", 1)?);
    let cell = gru(input, hidden, GRUConfig::default(), mapped(weights)?)?;
    Ok(Box::new(move || {
        let states: Vec<Tensor> = cell.seq(&x)?.into_iter().map(|state| state.h).collect();
        Ok(Tensor::stack(&states, 1)?)
    }))
}

/// MiniLM as it is published.
pub fn encoder(folder: &Path) -> Result<BertModel> {
    let file = folder.join("config.json");
    let config = File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let config: Config = serde_json::from_reader(config)?;
    Ok(BertModel::load(mapped(folder)?, &config)?)
}

/// Vectors of length 1, each the mean of a sentence's.
pub fn sentences(encoder: &BertModel, tokens: &Tensor) -> Result<Tensor> {
    let mean = encoder.forward(tokens, &tokens.zeros_like()?, None)?.mean(1)?;
    Ok(mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?)
}

fn vision(folder: &Path, pixels: Tensor) -> Result<Run> {
    let model =
        vit::Model::new(&vit::Config::vit_base_patch16_224(), size(folder, "classifier.bias", 0)?, mapped(folder)?)?;
    Ok(Box::new(move || Ok(model.forward(&pixels)?)))
}

fn llama(file: &Path) -> Result<ModelWeights> {
    let mut reader = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let content = gguf_file::Content::read(&mut reader)?;
    Ok(ModelWeights::from_gguf(content, &mut reader, &CPU)?)
}

/// The logits of a prompt's last position. What is kept of a sequence begins anew at position 0.
fn prompt(file: &Path, tokens: Tensor) -> Result<Run> {
    let mut model = llama(file)?;
    Ok(Box::new(move || Ok(model.forward(&tokens, 0)?)))
}

/// Those of its last token once more. Each run begins with what is kept of the prompt: a copy shares all tensors.
fn token(file: &Path, tokens: Tensor) -> Result<Run> {
    let mut model = llama(file)?;
    model.forward(&tokens, 0)?;
    let length = tokens.dim(1)?;
    let last = tokens.narrow(1, length - 1, 1)?;
    Ok(Box::new(move || Ok(model.clone().forward(&last, length)?)))
}
