//! Batches from files and texts.
//!
//! In: `--io`, `--input` and `--text`. Out: a [`Batch`], with what was said about the inputs on the way. Shapes and
//! ranges are looked at by [`Batch::from_tensors`].

use super::arguments::{GivenArguments, Input};
use super::prepare::Prepared;
use super::{Stop, random};
use crate::batch::{Batch, InputError};
use crate::session::{Checked, Failure};
use crate::tokenizer::Tokenizer;
use crate::weights::{Io, Tensor, Values, WeightFile};
use seqwright_compiler::kernel::Limit;
use seqwright_compiler::model::{Model, Value, ValueKind};
use seqwright_compiler::term::TimeId;
use std::collections::BTreeMap;
use std::path::Path;

/// Inputs that a model is given, before they are held against it.
#[derive(Debug, Default)]
pub struct Given {
    /// Tensors by the inputs' names.
    pub tensors: BTreeMap<String, Tensor>,
    /// The lengths of ragged sequences, by time axis.
    pub lengths: BTreeMap<String, Vec<usize>>,
    /// The tokens of texts as texts, sequence by sequence, by time axis.
    pub tokens: BTreeMap<String, Vec<Vec<String>>>,
}

/// A batch, and the tokens of its texts.
#[derive(Debug, Default)]
pub struct Ready {
    /// The batch.
    pub batch: Batch,
    /// The tokens of texts as texts, sequence by sequence, by time axis.
    pub tokens: BTreeMap<String, Vec<Vec<String>>>,
}

impl Ready {
    /// A sequence's tokens along a time axis, where they are known.
    pub fn tokens_of(&self, model: &Model, time: TimeId, sequence: usize) -> Option<Vec<String>> {
        self.tokens.get(&model.times[time.0 as usize])?.get(sequence).cloned()
    }
}

impl Given {
    /// Inputs from an io file, from files of their own, and from texts.
    pub fn from_files(
        io: Option<&Path>,
        inputs: &[Input],
        texts: &[String],
        prepared: &Prepared,
    ) -> Result<Given, Stop> {
        let model = &prepared.checked.model;
        let mut given = Given::default();
        if let Some(path) = io {
            given.take(model, Io::open(path).map_err(Failure::File)?.inputs)?;
            // What other programs generate from is no input of the model.
            if !model.inputs().any(|(_, value)| value.path == "prompt") {
                given.tensors.remove("prompt");
            }
        }
        for input in inputs {
            given.read(input)?;
        }
        if !texts.is_empty() {
            given.tokenize(prepared, texts)?;
        }
        Ok(given)
    }

    /// The inputs that are named, or random ones of `usual` positions where none are and nobody says how many.
    pub fn or_random(
        arguments: &GivenArguments,
        prepared: &Prepared,
        limits: &[Limit],
        usual: usize,
    ) -> Result<Ready, Stop> {
        if !arguments.has_inputs() {
            let (model, sequences) = (&prepared.checked.model, arguments.sequences as usize);
            let batch = random::batch(model, limits, &arguments.length, usual, sequences)?;
            return Ok(Ready { batch, tokens: BTreeMap::new() });
        }
        let given = Given::from_files(arguments.io.as_deref(), &arguments.input, &arguments.text, prepared)?;
        Ok(Ready { batch: given.batch(&prepared.checked)?, tokens: given.tokens })
    }

    /// Takes the tensors of an io file: those called `lengths` say how long sequences are.
    pub fn take(&mut self, model: &Model, tensors: BTreeMap<String, Tensor>) -> Result<(), Failure> {
        for (name, tensor) in tensors {
            let is_input = model.inputs().any(|(_, value)| value.path == name);
            let time = match name.strip_prefix("lengths") {
                Some(rest) if !is_input => Some(rest.strip_prefix('.').or(rest.is_empty().then_some(""))),
                Some(_) | None => None,
            };
            match time {
                Some(Some(time)) => {
                    let time = time_of_lengths(model, time)?;
                    self.lengths.insert(time, whole_numbers(&name, &tensor)?);
                }
                Some(None) | None => {
                    self.tensors.insert(name, tensor);
                }
            }
        }
        Ok(())
    }

    /// Takes a tensor of a file.
    pub fn read(&mut self, input: &Input) -> Result<(), Stop> {
        let tensor = tensor_of(input)?;
        self.tensors.insert(input.name.clone(), tensor);
        Ok(())
    }

    /// Takes texts, as tokens of the model's one input that is made of a vocabulary.
    pub fn tokenize(&mut self, prepared: &Prepared, texts: &[String]) -> Result<(), Failure> {
        let model = &prepared.checked.model;
        let (value, time) = input_of_texts(model)?;
        let tokenizer = prepared.tokenizer()?;
        let mut all = Vec::new();
        for text in texts {
            all.push(tokenizer.encode(text).map_err(Failure::Other)?);
        }
        let (tensor, lengths) = padded_tokens(&all).map_err(Failure::Other)?;
        if self.tensors.insert(value.path.clone(), tensor).is_some() {
            return Err(other(format!("the input `{}` is given as a tensor and as texts", value.path)));
        }
        let time = &model.times[time.0 as usize];
        self.lengths.insert(time.clone(), lengths);
        self.tokens.insert(time.clone(), all.iter().map(|tokens| pieces(tokenizer, tokens)).collect());
        Ok(())
    }

    /// The batch.
    pub fn batch(&self, checked: &Checked) -> Result<Batch, Failure> {
        let mistakes = |errors: Vec<InputError>| Failure::Inputs(errors, checked.sources.clone());
        Batch::from_tensors(&checked.model, &self.tensors, &self.lengths).map_err(mistakes)
    }
}

/// Tokens one by one as texts; those that are no text by themselves, special ones among them, as the vocabulary has them.
fn pieces(tokenizer: &Tokenizer, tokens: &[i64]) -> Vec<String> {
    let piece = |token: &i64| match tokenizer.decode(&[*token]) {
        Ok(text) if !text.trim().is_empty() && !text.contains('\u{fffd}') => text,
        Ok(_) | Err(_) => {
            u32::try_from(*token).ok().and_then(|id| tokenizer.token(id)).unwrap_or_else(|| token.to_string())
        }
    };
    tokens.iter().map(piece).collect()
}

/// Tokens of several sequences as one tensor, and how many each has.
///
/// # Errors
/// More than there is room for.
pub fn padded_tokens<Token: Copy + Into<i64>>(all: &[Vec<Token>]) -> Result<(Tensor, Vec<usize>), String> {
    let longest = all.iter().map(Vec::len).max().unwrap_or(0);
    let padded = all.iter().flat_map(|tokens| {
        tokens.iter().map(|token| (*token).into()).chain(std::iter::repeat_n(0, longest - tokens.len()))
    });
    let tensor = Tensor::new(vec![all.len(), longest], Values::Integers(padded.collect()))?;
    Ok((tensor, all.iter().map(Vec::len).collect()))
}

fn other(message: impl Into<String>) -> Failure {
    Failure::Other(message.into())
}

/// The time axis that `in.lengths.NAME` speaks of, or `in.lengths` where the model has only one.
fn time_of_lengths(model: &Model, name: &str) -> Result<String, Failure> {
    let brought = |place: &usize| model.lengths[*place].is_none();
    let times: Vec<String> = (0..model.times.len()).filter(brought).map(|place| model.times[place].clone()).collect();
    match (name, times.as_slice()) {
        ("", [only]) => Ok(only.clone()),
        ("", []) => {
            Err(other("`in.lengths` is given, and no axis of the model has a length that sequences bring along"))
        }
        ("", several) => Err(other(format!(
            "`in.lengths` is given, and the model has {} axes of positions: call it {}",
            several.len(),
            several.iter().map(|time| format!("`in.lengths.{time}`")).collect::<Vec<_>>().join(" or ")
        ))),
        (name, times) if times.iter().any(|time| time == name) => Ok(name.to_string()),
        (name, _) => {
            Err(other(format!("`in.lengths.{name}` is given, and the model has no axis of positions `{name}`")))
        }
    }
}

fn whole_numbers(name: &str, tensor: &Tensor) -> Result<Vec<usize>, Failure> {
    let wrong = || {
        other(format!(
            "`in.{name}` has the shape {:?} or no whole numbers: wanted is one length for each sequence",
            tensor.shape()
        ))
    };
    match (tensor.values(), tensor.shape()) {
        (Values::Integers(numbers), [_]) => {
            numbers.iter().map(|number| usize::try_from(*number).map_err(|_| wrong())).collect()
        }
        (Values::Integers(_) | Values::Floats(_), _) => Err(wrong()),
    }
}

/// The one input that texts can become.
fn input_of_texts(model: &Model) -> Result<(&Value, TimeId), Failure> {
    let found: Vec<&Value> = model
        .inputs()
        .map(|(_, value)| value)
        .filter(|value| matches!(value.kind, ValueKind::Input { below: Some(_) }))
        .collect();
    match found.as_slice() {
        [] => Err(other(format!(
            "the model `{}` takes no texts: it has no input of a vocabulary, like `tokens: [T] of vocab`",
            model.name
        ))),
        [only] => match only.axes.as_slice() {
            [axis] => axis.time().map(|time| (*only, time)),
            _ => None,
        }
        .ok_or_else(|| {
            other(format!("the input `{}` can't be a text: a text has positions and nothing else", only.path))
        }),
        several => Err(other(format!(
            "texts could be several inputs of `{}`: {}; give tokens with `--input` instead",
            model.name,
            several.iter().map(|value| value.path.as_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

fn tensor_of(input: &Input) -> Result<Tensor, Stop> {
    let file = WeightFile::open(&input.file).map_err(Failure::File)?;
    let names: Vec<&str> = file.names().collect();
    let in_name = format!("in.{}", input.name);
    let name = match (&input.tensor, names.as_slice()) {
        (Some(name), _) => name.as_str(),
        (None, [only]) => only,
        (None, _) if names.contains(&input.name.as_str()) => input.name.as_str(),
        (None, _) => in_name.as_str(),
    };
    let tensor = file.tensor(name).ok_or_else(|| {
        let has = match names.as_slice() {
            [] => "it has none".to_string(),
            [first @ .., _] if first.len() >= 8 => format!("it has {} others", names.len()),
            all => format!("it has {}", all.join(", ")),
        };
        other(format!("{} has no tensor `{name}`: {has}", input.file.display()))
    })?;
    Ok(tensor.to_tensor().map_err(Failure::File)?)
}
