//! What `seqc snapshot` is called with.

use super::setting;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use seqwright_compiler::syntax::snapshots::Stage;
use std::path::PathBuf;

/// What `seqc snapshot --help` says at its end.
pub const HELP: &str = "Examples:
  seqc snapshot lstm.seq --stage explain --stage kernels --set input=12 --set hidden=20
  seqc snapshot models/*.seq
  seqc snapshot --check models/*.seq
  seqc snapshot --review lstm.seq

Beside lstm.seq come lstm.explain.snap, lstm.kernels.snap and so on, in the format of the Rust
crate insta. Which, and with which sizes, says a comment on a line of its own in the file:

  // snapshot: explain, kernels; input = 12, hidden = 20

Options come before it; kernels are taken where neither says anything. The texts are the same on
every machine. With --check nothing is written, and the exit code is 1 where a snapshot is missing,
has another text, or is no longer asked for. With --review each new text is accepted or not: by
`cargo insta review` in a Cargo project where that is installed, in the terminal otherwise.

From a Rust test, `seqwright::assert_kernels!(\"models/lstm.seq\")` compares the same snapshots.";

/// Arguments of `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArguments {
    /// The files with the models
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Keep a snapshot of this stage, instead of those that the file's comment names (may be repeated)
    #[arg(long, value_name = "STAGE", value_parser = stage())]
    pub stage: Vec<Stage>,
    /// Write nothing: show what changed, and fail where something did
    #[arg(long, conflicts_with = "review")]
    pub check: bool,
    /// Ask about each snapshot that is new or changed
    #[arg(long)]
    pub review: bool,
    /// Which of a file's models; its last one where none is named
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Give a parameter a value, whatever the file's comment and the checkpoint say (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, f64)>,
    /// A checkpoint, for the parameters in its configuration: a model folder, or a .safetensors, .gguf or .npz file
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Ask for this value instead of the model's results (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub output: Vec<String>,
}

fn stage() -> impl TypedValueParser<Value = Stage> {
    let named = |stage: &Stage| PossibleValue::new(stage.name());
    PossibleValuesParser::new(Stage::ALL.iter().map(named))
        .try_map(|name| Stage::of_name(&name).ok_or_else(|| format!("no stage is called `{name}`")))
}
