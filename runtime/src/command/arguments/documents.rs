//! What `seqc completions`, `seqc man` and `seqc lsp` are called with: what shells, readers and editors need.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArguments {
    /// The folder that they are written to; it is made where there is none
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// What `seqc lsp --help` says at its end.
pub const LSP: &str = "An editor starts it, and talks to it on standard input and output. What it answers is what the
compiler says: mistakes as `seqc check` finds them, shapes, reach and costs as `seqc explain` tells
them, the style of `seqc fmt`. How an editor is set up is told in editors/README.md.";

/// Arguments of `lsp`.
#[derive(Debug, Args)]
pub struct LspArguments {
    /// Standard input and output, which are taken anyway: some editors say so
    #[arg(long, hide = true)]
    pub stdio: bool,
}
