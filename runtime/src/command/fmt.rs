//! `seqc fmt`: files in the one style, in place; or what that would change.
//!
//! A file that does not parse is reported and left as it is; the others are written all the same. A new text takes the place
//! of the old one whole or not at all.

use super::Stop;
use super::arguments::FmtArguments;
use super::terminal::Terminal;
use crate::difference::difference;
use crate::session::{Failure, read_text};
use crate::weights::write_file;
use seqwright_compiler::source::Sources;
use seqwright_compiler::syntax::format::format;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

/// What standard input is called in messages.
const INPUT: &str = "<stdin>";

/// Formats files, or standard input.
pub fn fmt(arguments: &FmtArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let is_input = |file: &Path| file == Path::new("-");
    if arguments.files.is_empty() && io::stdin().is_terminal() {
        return Err(Stop::Usage("wanted is a file to format, or text on standard input".to_string()));
    }
    if arguments.files.len() > 1 && arguments.files.iter().any(|file| is_input(file)) {
        return Err(Stop::Usage(
            "standard input, `-`, is formatted by itself: no file can stand beside it".to_string(),
        ));
    }
    if arguments.files.first().is_none_or(|file| is_input(file)) {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        read.map_err(|why| Failure::Other(format!("cannot read standard input: {why}")))?;
        let formatted = formatted(INPUT, &text)?;
        return match arguments.check {
            true if formatted == text => Ok(()),
            true => differs(INPUT, &text, &formatted, terminal),
            false => terminal.print(&formatted),
        };
    }
    let mut all_well = true;
    for file in &arguments.files {
        match one(file, arguments.check, terminal) {
            Ok(()) => {}
            Err(Stop::Failed(failure)) => {
                terminal.failure(&failure);
                all_well = false;
            }
            Err(Stop::Said) => all_well = false,
            Err(stop) => return Err(stop),
        }
    }
    if all_well { Ok(()) } else { Err(Stop::Said) }
}

fn one(file: &Path, check: bool, terminal: &mut Terminal) -> Result<(), Stop> {
    let text = read_text(file).map_err(Failure::Other)?;
    let shown = file.display().to_string();
    let formatted = formatted(&shown, &text)?;
    if formatted == text {
        return Ok(());
    }
    if check {
        return differs(&shown, &text, &formatted, terminal);
    }
    write_file(file, formatted.as_bytes()).map_err(|error| Stop::Failed(Failure::File(error)))
}

fn formatted(name: &str, text: &str) -> Result<String, Failure> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    format(file, text).map_err(|mistakes| Failure::Mistakes(mistakes, sources))
}

fn differs(name: &str, text: &str, formatted: &str, terminal: &mut Terminal) -> Result<(), Stop> {
    terminal.print(&format!("{name} is not formatted:\n{}", difference(text, formatted)))?;
    Err(Stop::Said)
}
