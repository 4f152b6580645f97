//! What `seqc new` is called with.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What `seqc new --help` says at its end.
pub const HELP: &str = "Examples:
  seqc new tagger
  seqc new models/story --kind language-model
  seqc new cell.seq --kind cell

A folder of that name gets NAME.seq and a README with commands to try; a name that ends in .seq
makes the model alone. Nothing that is there already is overwritten.";

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct NewArguments {
    /// The folder to make, or the .seq file; named after the kind where nothing is said
    #[arg(value_name = "NAME")]
    pub name: Option<PathBuf>,
    /// What model to begin with
    #[arg(long, value_enum, default_value_t = Kind::Tagger)]
    pub kind: Kind,
}

/// Models to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A recurrent cell, written out
    Cell,
    /// A tag for each word: LSTMs from both ends
    Tagger,
    /// A class for a whole sequence: a GRU
    Classifier,
    /// The next token after each: a decoder with causal attention
    LanguageModel,
    /// A sequence as one vector: an encoder with attention
    Encoder,
}

impl Kind {
    /// As the option has it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cell => "cell",
            Kind::Tagger => "tagger",
            Kind::Classifier => "classifier",
            Kind::LanguageModel => "language-model",
            Kind::Encoder => "encoder",
        }
    }
}
