//! What `seqc` is called with: commands, options, and their help.
//!
//! In: the words of the command line. Out: [`Arguments`], in which every option is well formed by itself. Whether a
//! file is there, or a model has the parameter that is set, is found later, and is no mistake in the call.

mod choices;
mod documents;
mod generate;
mod given;
mod memory;
mod new;
mod profile;
mod snapshot;
mod trace;
mod version;

pub use self::choices::{ActivationsName, BackendName, FloatsName, InstructionsName, StreamFormat, WeightsName, When};
pub use self::documents::{CompletionsArguments, LspArguments, ManArguments};
pub use self::generate::{GenerateArguments, Tokens};
pub use self::given::{GivenArguments, Length};
pub use self::memory::MemoryArguments;
pub use self::new::{Kind, NewArguments};
pub use self::profile::ProfileArguments;
pub use self::snapshot::SnapshotArguments;
pub use self::trace::TraceArguments;

use self::version::version;
use crate::tiles::{Precision, WeightPrecision};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "seqc",
    version = version(),
    about = "Checks, compiles and runs sequence models written as equations",
    after_help = "Examples:
  seqc new tagger
  seqc check model.seq
  seqc run examples/six_words.seq
  seqc run minilm.seq --checkpoint all-MiniLM-L6-v2 --text 'A man eats.' --text 'Someone dines.'
  seqc generate gpt2.seq --checkpoint gpt2 --prompt 'Once upon a time'
  seqc verify gpt2.seq --checkpoint gpt2

`seqc COMMAND --help` says more about one of them."
)]
pub struct Arguments {
    /// When to colour what is printed: in a terminal (auto; NO_COLOR switches it off), always, or never
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub color: When,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a first model that checks and runs, to change into another
    #[command(after_help = new::HELP)]
    New(NewArguments),
    /// Look for mistakes in files, all of them at once
    #[command(after_help = "Examples:
  seqc check model.seq other.seq
  seqc check gru.seq --set input=12 --set hidden=20

Every definition is checked on its own. A model whose parameters all have values, from --set or from
its file, is checked with them.")]
    Check(CheckArguments),
    /// Write files in the one style, their comments kept
    #[command(after_help = "Examples:
  seqc fmt model.seq other.seq
  seqc fmt --check model.seq
  seqc fmt - < model.seq

Only blanks and line ends change. With --check nothing is written: the lines that would change are shown, and the exit
code is 1 where there are some. Without a file, or with `-`, standard input is formatted to standard output.")]
    Fmt(FmtArguments),
    /// Print what a model becomes on its way to machine code
    #[command(after_help = "Examples:
  seqc emit examples/six_words.seq --stage graph
  seqc emit gru.seq --set input=12 --set hidden=20 --stage kernels
  seqc emit gpt2.seq --checkpoint gpt2 --stage asm --output logits
  seqc emit gpt2.seq --checkpoint gpt2 --stage wgsl --subgroups --gpu-weights f16

Shaders are those for any GPU, but for what is asked for. Cooperative matrices of f32 are 8 by 8, of f16 16 by 16, and
subgroups have 32 invocations: a run asks its GPU.")]
    Emit(EmitArguments),
    /// Tell what the compiler made of each equation, what it keeps of a sequence, and what that costs
    #[command(after_help = "Examples:
  seqc explain examples/lstm.seq --checkpoint tests/goldens/lstm
  seqc explain gpt2.seq --checkpoint gpt2 --layer 3
  seqc explain gpt2.seq --checkpoint gpt2 --why layer.0.attention.out layer.0.norm2
  seqc explain E0203

Layers that are alike are told once. Costs are formulas in the lengths of time axes. The number of a diagnostic in place of
a file tells what that kind of mistake is.")]
    Explain(ExplainArguments),
    /// Keep what the compiler makes of models as texts beside their files, to see what changes
    #[command(after_help = snapshot::HELP)]
    Snapshot(SnapshotArguments),
    /// Run a model and show its results
    #[command(after_help = "Examples:
  seqc run examples/six_words.seq
  seqc run gru.seq --checkpoint trained --input x=batch.safetensors --output gru.update
  seqc run minilm.seq --checkpoint all-MiniLM-L6-v2 --text 'A man eats.' --text 'Someone dines.'

The first axis of a tensor that is given counts the sequences of the batch. Where they differ in length,
`in.lengths` of the --io file says how long each is.

With --stream the inputs that are sequences come from standard input, position by position, and
results go to standard output as soon as they are known:

  microphone | seqc run vad.seq --checkpoint vad --stream --format f32 | act
  echo '{\"x\": [0.5, 1, 0.2]}' | seqc run gru.seq --checkpoint trained --stream

A line of JSON has a value for each such input, one position or a list of them; `{\"reset\": true}`
ends the sequence and begins another. Each position's results are a line. As f32 positions are raw
32-bit floats, the low byte first: all numbers of the first input, then those of the next, and so on.
A model that looks ahead gives results that much later, and the rest when the input ends.")]
    Run(RunArguments),
    /// Time each kernel, and hold it against what this machine can do
    #[command(after_help = profile::HELP)]
    Profile(Box<ProfileArguments>),
    /// Look at any value of any equation over time: a gate, a state, attention weights
    #[command(after_help = trace::HELP)]
    Trace(Box<TraceArguments>),
    /// Tell what survives of a change in each state, and how fast the rest fades
    #[command(after_help = memory::HELP)]
    Memory(Box<MemoryArguments>),
    /// Go on with texts or tokens, token by token
    #[command(after_help = generate::HELP)]
    Generate(Box<GenerateArguments>),
    /// Compare a model's values with those that another program computed
    #[command(after_help = "Examples:
  seqc verify gpt2.seq --checkpoint gpt2
  seqc verify gpt2.seq --checkpoint gpt2 --io expected.safetensors --tolerance 1e-5

The io file holds tensors `in.NAME` for the model's inputs and `out.NAME` for the expected numbers of any of
its values; the first axis of each counts the sequences. `in.lengths` says how long each sequence is, or
`in.lengths.T` for the axis T of several. A number is right if it differs from the expected one by
tolerance * max(1, |expected|) at most. `out.greedy` expects the most probable tokens, one after the other: it
begins with those of `in.prompt`, or with its own first token where there is no prompt.")]
    Verify(VerifyArguments),
    /// Measure how probable a language model finds a text, and what weights of fewer bits change of it
    #[command(after_help = "Examples:
  seqc perplexity gpt2.seq --checkpoint gpt2 --text book.txt
  seqc perplexity llama.seq --checkpoint model.gguf --text book.txt --weights q4 --compare

The text is cut into windows of tokens, each read on its own. The perplexity is the exponential of the mean of
how unlikely each token is after those before it in its window: less is better.")]
    Perplexity(PerplexityArguments),
    /// List the GPUs that there are, their limits and features
    Devices(DevicesArguments),
    /// Answer an editor: mistakes, hovers, definitions, completions, names, style (the Language Server Protocol)
    #[command(after_help = documents::LSP)]
    Lsp(LspArguments),
    /// Print a script that completes commands and options in a shell
    #[command(after_help = "Examples:
  seqc completions bash > ~/.local/share/bash-completion/completions/seqc
  seqc completions zsh > ~/.zfunc/_seqc
  seqc completions fish > ~/.config/fish/completions/seqc.fish")]
    Completions(CompletionsArguments),
    /// Write manual pages, one for each command
    #[command(after_help = "Examples:
  seqc man ~/.local/share/man/man1")]
    Man(ManArguments),
}

/// Arguments of `devices`.
#[derive(Debug, Args)]
pub struct DevicesArguments {
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The files to check
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Check this model alone with its parameters; all that have them otherwise
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Give a parameter a value (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, f64)>,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `fmt`.
#[derive(Debug, Args)]
pub struct FmtArguments {
    /// The files to format; `-` or none is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write nothing: show which lines would change, and fail where there are some
    #[arg(long)]
    pub check: bool,
}

/// Which model is meant, and with which sizes and weights.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// The file with the model
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which of the file's models; its last one where none is named
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Give a parameter a value, whatever the checkpoint says (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, f64)>,
}

/// Arguments of `emit`.
#[derive(Debug, Args)]
pub struct EmitArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    /// A checkpoint, for the parameters in its configuration: a model folder, or a .safetensors, .gguf or .npz file
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum)]
    pub stage: Stage,
    /// Ask for this value instead of the model's results (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub output: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub shaders: ShaderArguments,
    /// Print shaders for a GPU that has subgroups
    #[arg(long)]
    pub subgroups: bool,
}

/// What changes the compute shaders of a model.
#[derive(Debug, Args)]
pub struct ShaderArguments {
    /// Store weights on the GPU as f32, or in half the memory as f16; what is computed is f32 either way
    #[arg(long, value_enum, value_name = "NUMBERS")]
    pub gpu_weights: Option<FloatsName>,
    /// Multiply many rows by the GPU's cooperative matrices (tensor cores), an experiment of its drivers: of f32, or of numbers
    /// rounded to f16; sums are f32 either way
    #[arg(long, value_enum, value_name = "NUMBERS")]
    pub cooperative_matrices: Option<FloatsName>,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    /// A checkpoint, for the parameters in its configuration: a model folder, or a .safetensors, .gguf or .npz file
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Ask for this value instead of the model's results (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub output: Vec<String>,
    /// Tell this layer of a repeat alone
    #[arg(long, value_name = "N", conflicts_with_all = ["all", "json", "why"])]
    pub layer: Option<usize>,
    /// Tell every layer, those that are alike too
    #[arg(long)]
    pub all: bool,
    /// Tell instead why two equations are not computed by one kernel, or how they are
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub why: Option<Vec<String>>,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// The stages on the way from a file to machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// The file as it was understood
    Syntax,
    /// Names resolved, definitions put in, repeats unrolled
    Model,
    /// Equations taken apart until each does one thing
    Graph,
    /// Which equations become one kernel, after all passes
    Fused,
    /// Kernels, buffers and calls
    Kernels,
    /// Kernels in Cranelift's intermediate language
    Clif,
    /// Kernels in this processor's assembly language
    Asm,
    /// Kernels as compute shaders
    Wgsl,
}

/// How a model is run.
#[derive(Debug, Args)]
pub struct BackendArguments {
    /// Use so many threads; as many as the processor runs at once where nothing is said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Run machine code, compute shaders on a GPU, a GPU if there is one (auto), or interpret every equation in 64 bits (slow)
    #[arg(long, value_enum, default_value_t = BackendName::Cpu)]
    pub backend: BackendName,
    /// Use this GPU: a number of `seqc devices`, or a part of a name
    #[arg(long, value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// Keep the weights that products multiply with as 32- or 16-bit floats, or in blocks of 8 or 4 bits; as a GGUF file has
    /// them, else as f32, where nothing is said
    #[arg(long, value_enum, value_name = "NUMBERS")]
    pub weights: Option<WeightsName>,
    /// Round what is multiplied with weights in blocks to so many bits: 16 lose nothing that a 32-bit float's sum would keep,
    /// 8 are up to twice as fast
    #[arg(long, value_enum, value_name = "BITS", default_value_t = ActivationsName::Sixteen)]
    pub activations: ActivationsName,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub shaders: ShaderArguments,
    /// Use these instructions instead of the best that the processor has
    #[arg(long, value_enum, hide_short_help = true)]
    pub instructions: Option<InstructionsName>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    /// The weights: a model folder, or a .safetensors, .gguf or .npz file
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Read an input from a .safetensors, .npz or .npy file: its only tensor, the one of the input's name, or TENSOR (may be repeated)
    #[arg(long, value_name = "NAME=FILE[:TENSOR]", value_parser = input)]
    pub input: Vec<Input>,
    /// Read all inputs from one file with tensors `in.NAME`
    #[arg(long, value_name = "FILE")]
    pub io: Option<PathBuf>,
    /// Run the model on a text, through the checkpoint's tokenizer (may be repeated)
    #[arg(long, value_name = "TEXT", conflicts_with = "stream")]
    pub text: Vec<String>,
    /// Ask for this value, any named one, instead of the model's results (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub output: Vec<String>,
    /// Write inputs and results to a file that `seqc verify --io` reads
    #[arg(long, value_name = "FILE", conflicts_with = "stream")]
    pub save: Option<PathBuf>,
    /// Take positions from standard input as they come, and write the results of each as soon as they are known
    #[arg(long)]
    pub stream: bool,
    /// How positions are read and written: as lines of JSON, or as raw numbers
    #[arg(long, value_enum, default_value_t = StreamFormat::Json, requires = "stream")]
    pub format: StreamFormat,
    /// Go on from a state that --save-state wrote
    #[arg(long, value_name = "FILE", requires = "stream")]
    pub state: Option<PathBuf>,
    /// Write what is kept of the sequence when the input ends to a file, to go on from
    #[arg(long, value_name = "FILE", requires = "stream")]
    pub save_state: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub backend: BackendArguments,
    /// Print one JSON document on standard output, with every number
    #[arg(long, conflicts_with = "stream")]
    pub json: bool,
    /// Say how long each step took
    #[arg(long)]
    pub stats: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    /// The weights: a model folder, or a .safetensors, .gguf or .npz file
    #[arg(long, value_name = "DIR")]
    pub checkpoint: PathBuf,
    /// Inputs and expected values; `io.safetensors` beside the weights where no file is named
    #[arg(long, value_name = "FILE")]
    pub io: Option<PathBuf>,
    /// How far a number may be from the expected one
    #[arg(long, value_name = "NUMBER", default_value = "1e-4", value_parser = tolerance)]
    pub tolerance: f64,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub backend: BackendArguments,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `perplexity`.
#[derive(Debug, Args)]
pub struct PerplexityArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArguments,
    /// The weights: a model folder, or a .safetensors, .gguf or .npz file
    #[arg(long, value_name = "DIR")]
    pub checkpoint: PathBuf,
    /// The text to read
    #[arg(long, value_name = "FILE")]
    pub text: PathBuf,
    /// Read so many tokens at once
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = window)]
    pub window: usize,
    /// Run the model with 32-bit weights as well, and say how far apart both are
    #[arg(long)]
    pub compare: bool,
    /// Take this value as the numbers for the next token, instead of the first result that can be
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub backend: BackendArguments,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

fn window(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(tokens @ 2..) => Ok(tokens),
        _ => Err("wanted is a number of tokens, two or more".to_string()),
    }
}

impl BackendArguments {
    /// In which precision products multiply.
    pub fn precision(&self) -> Precision {
        let weights = self.weights.map_or(WeightPrecision::File, WeightsName::precision);
        Precision { weights, activations: self.activations.precision() }
    }
}

/// `--input NAME=FILE[:TENSOR]`.
#[derive(Clone, Debug)]
pub struct Input {
    /// The model's input.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Which tensor of it.
    pub tensor: Option<String>,
}

fn input(text: &str) -> Result<Input, String> {
    let (name, rest) = match text.split_once('=') {
        Some((name, rest)) if !name.is_empty() && !rest.is_empty() => (name, rest),
        _ => return Err("wanted is NAME=FILE or NAME=FILE:TENSOR, of a .safetensors, .npz or .npy file".to_string()),
    };
    // A path may have colons of its own: only one behind the file's ending names a tensor.
    let behind =
        [".safetensors:", ".npz:", ".npy:"].iter().filter_map(|ending| Some(rest.find(ending)? + ending.len()));
    let (file, tensor) = match behind.min() {
        Some(tensor) => (&rest[..tensor - 1], Some(rest[tensor..].to_string())),
        None => (rest, None),
    };
    if tensor.as_deref() == Some("") {
        return Err("there is no tensor's name behind the colon".to_string());
    }
    Ok(Input { name: name.to_string(), file: PathBuf::from(file), tensor })
}

fn setting(text: &str) -> Result<(String, f64), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => (name.trim(), value.trim()),
        _ => return Err("wanted is a parameter and its value: `hidden=20`".to_string()),
    };
    let number: f64 = value.parse().map_err(|_| format!("`{value}` is no number"))?;
    if !number.is_finite() {
        return Err(format!("`{value}` is no finite number"));
    }
    Ok((name.to_string(), number))
}

fn tolerance(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err("a tolerance is 0 or more".to_string()) }
}
