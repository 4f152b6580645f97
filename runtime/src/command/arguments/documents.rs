//! What `seqc completions` and `seqc man` are called with.

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
