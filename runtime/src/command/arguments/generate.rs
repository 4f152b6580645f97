//! What `seqc generate` is called with.

use super::{BackendArguments, Input, ModelArguments, input};
use clap::Args;
use std::path::PathBuf;

/// What `seqc generate --help` says at its end.
pub const HELP: &str = "Examples:
  seqc generate gpt2.seq --checkpoint gpt2 --prompt 'Once upon a time'
  seqc generate llama.seq --checkpoint SmolLM2-135M-Instruct.Q4_1.gguf --chat --prompt 'Why is the sky blue?'
  seqc generate gpt2.seq --checkpoint gpt2 --prompt - --temperature 0.8 --top-p 0.95 < beginning.txt
  seqc generate gpt2.seq --checkpoint gpt2 --prompt 'One day' --prompt 'At night' --max-tokens 40
  seqc generate g2p.seq --checkpoint g2p --prompt transformer
  seqc generate llama.seq --checkpoint tests/goldens/llama --tokens 3,1,4 --max-tokens 8

Without other options each next token is the most probable one, and the same call gives the same
text. With --temperature it is drawn at random; --top-k, --top-p and --min-p alone mean temperature 1.
Numbers for the next token go through the repetition penalty, the temperature, top-k, top-p and
min-p, in this order. The seed of a call that names none is said at its end. What is drawn for a
prompt depends on the seed and on the prompt's place among the others, and on nothing else about them.

A text ends with one of the checkpoint's end tokens (of generation_config.json, config.json,
tokenizer_config.json, or a GGUF file's metadata), before a --stop text, after --max-tokens, or when
it is as long as the model's tables of positions or the checkpoint's configuration allow; why it
ended is said where it is not an end token or a --stop text. Ctrl-C ends with what was written so
far, and the exit code 130.

A model that reads one sequence of tokens and writes another is given the one by --prompt, and
starts the other with the checkpoint's start token or --start; where the texts that it writes are in
other words, target_tokenizer.json has them.

A state goes on where --save-state left off, once for each --prompt, or without any; the repetition
penalty then counts from there.";

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    /// The weights, tokenizer and end tokens: a model folder, or a .safetensors, .gguf or .npz file
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Go on with this text; `-` reads it from standard input (may be repeated: all are one batch)
    #[arg(long, value_name = "TEXT", conflicts_with = "tokens", allow_hyphen_values = true)]
    pub prompt: Vec<String>,
    /// Go on with these tokens, and print tokens (may be repeated)
    #[arg(long, value_name = "ID,ID,…", value_parser = tokens)]
    pub tokens: Vec<Tokens>,
    /// Make each prompt a conversation by the checkpoint's chat template, and write the answer
    #[arg(long, requires = "prompt", conflicts_with = "tokens")]
    pub chat: bool,
    /// Begin the conversation with this message of the system
    #[arg(long, value_name = "TEXT", requires = "chat", allow_hyphen_values = true)]
    pub system: Option<String>,
    /// Write so many tokens at most; as many as the checkpoint's `max_new_tokens` or 512 where nothing is said
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,
    /// Draw tokens at random: below 1 the probable ones more often, above 1 less; at 0 the most probable one is taken
    #[arg(long, value_name = "NUMBER", value_parser = not_negative, allow_negative_numbers = true)]
    pub temperature: Option<f64>,
    /// Draw from the N most probable tokens
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub top_k: Option<u32>,
    /// Draw from the fewest tokens that have this probability together
    #[arg(long, value_name = "SHARE", value_parser = share, allow_negative_numbers = true)]
    pub top_p: Option<f64>,
    /// Draw from tokens that are at least so probable as this share of the most probable one
    #[arg(long, value_name = "SHARE", value_parser = share, allow_negative_numbers = true)]
    pub min_p: Option<f64>,
    /// Make tokens that were there already less probable, if above 1
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = positive, allow_negative_numbers = true)]
    pub repetition_penalty: f64,
    /// Begin random numbers with this one; with one of the clock's where nothing is said
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// End before this text (may be repeated)
    #[arg(long, value_name = "TEXT", value_parser = not_empty, allow_hyphen_values = true)]
    pub stop: Vec<String>,
    /// Go on from a state that --save-state wrote
    #[arg(long, value_name = "FILE", conflicts_with = "chat")]
    pub state: Option<PathBuf>,
    /// Write what is kept of the sequence at its end to a file, to go on from
    #[arg(long, value_name = "FILE")]
    pub save_state: Option<PathBuf>,
    /// Start what is written with these tokens, where the model also reads another sequence
    #[arg(long, value_name = "ID,ID,…", value_parser = tokens)]
    pub start: Option<Tokens>,
    /// Read another input of the model from a .safetensors, .npz or .npy file: its only tensor, the one of the input's name, or TENSOR (may be repeated)
    #[arg(long, value_name = "NAME=FILE[:TENSOR]", value_parser = input)]
    pub input: Vec<Input>,
    /// Take this value as the numbers for the next token, instead of the first result that can be
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub backend: BackendArguments,
    /// Print one JSON document on standard output at the end, with texts, tokens and why each ended
    #[arg(long)]
    pub json: bool,
}

/// Tokens by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens(pub Vec<u32>);

fn tokens(text: &str) -> Result<Tokens, String> {
    let one = |text: &str| {
        text.trim().parse().map_err(|_| format!("`{}` is no token: wanted are numbers, `1,2,3`", text.trim()))
    };
    text.split(',').map(one).collect::<Result<_, _>>().map(Tokens)
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("an empty text comes everywhere".to_string()) } else { Ok(text.to_string()) }
}

fn number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if number.is_finite() { Ok(number) } else { Err(format!("`{text}` is no finite number")) }
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| if number >= 0.0 { Ok(number) } else { Err("it is 0 or more".to_string()) })
}

fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("it is above 0".to_string()) })
}

fn share(text: &str) -> Result<f64, String> {
    number(text).and_then(
        |number| if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("it is from 0 to 1".to_string()) },
    )
}
