//! `seqc lsp`: the language server, on standard input and output.

use super::Stop;
use crate::session::Failure;

/// Answers an editor until it leaves.
#[cfg(feature = "lsp")]
pub(super) fn lsp() -> Result<(), Stop> {
    let input = std::io::BufReader::new(std::io::stdin());
    match crate::language_server::serve(input, std::io::stdout().lock()) {
        Ok(true) => Ok(()),
        // By the protocol, one that was not shut down before has failed.
        Ok(false) => Err(Stop::Said),
        Err(why) => Err(Failure::Other(format!("cannot answer the editor: {why}")).into()),
    }
}

/// What to build.
#[cfg(not(feature = "lsp"))]
pub(super) fn lsp() -> Result<(), Stop> {
    let why = "this seqc was built without its language server: build it with `--features lsp`";
    Err(Failure::Other(why.to_string()).into())
}
