//! The error of everything that reads or writes weights.
//!
//! In: the file, what was expected and what was found. Out: a [`WeightError`], a sentence plus an
//! optional hint, both short and printable whatever the file held: names and texts that come from
//! a file pass through [`quoted`] or [`shortened`]. It has no error codes: callers show it.

use std::fmt;
use std::path::{Path, PathBuf};

/// The most characters of a file's own text that an error repeats.
const LONGEST_QUOTE: usize = 120;

/// What to do about a file that is not what its publisher wrote.
pub(super) const DOWNLOAD_AGAIN: &str = "the file is damaged or incomplete: download it again";

/// Why a file of weights could not be read or written.
///
/// `Display` is one line in lower case, without a full stop: the file, what was expected and what
/// was found. [`WeightError::help`] says what to do about it, where something can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightError {
    file: PathBuf,
    message: String,
    help: Option<String>,
}

impl WeightError {
    /// An error about reading `file`; `problem` goes on from "cannot read FILE: ".
    pub(crate) fn reading(file: &Path, problem: impl fmt::Display) -> WeightError {
        WeightError::new("read", file, &problem)
    }

    /// An error about writing `file`; `problem` goes on from "cannot write FILE: ".
    pub(crate) fn writing(file: &Path, problem: impl fmt::Display) -> WeightError {
        WeightError::new("write", file, &problem)
    }

    fn new(action: &str, file: &Path, problem: &dyn fmt::Display) -> WeightError {
        WeightError {
            file: file.to_path_buf(),
            message: format!("cannot {action} {}: {problem}", file.display()),
            help: None,
        }
    }

    /// The same error with a hint on what to do.
    #[must_use]
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> WeightError {
        self.help = Some(help.into());
        self
    }

    /// The file that is at fault.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the user can do about it, as a lower-case sentence without a full stop.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for WeightError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for WeightError {}

/// A name from a file between backquotes: control characters escaped, cut off when long.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", shortened(name))
}

/// A text from a file or a parser: control characters escaped, cut off when long.
pub(crate) fn shortened(text: &str) -> String {
    let mut short = String::new();
    for (position, character) in text.chars().enumerate() {
        if position == LONGEST_QUOTE {
            short.push_str("...");
            break;
        }
        if character.is_control() {
            short.extend(character.escape_default());
        } else {
            short.push(character);
        }
    }
    short
}

/// A file's length in words that fit both a test file and a real checkpoint.
pub(super) fn bytes_in_words(count: u64) -> String {
    if count == 1 { "1 byte".to_string() } else { format!("{count} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_the_file_and_the_problem_and_keeps_the_hint_apart() {
        let error = WeightError::reading(Path::new("a.safetensors"), "it is empty").with_help("download it again");
        assert_eq!(error.to_string(), "cannot read a.safetensors: it is empty");
        assert_eq!(error.help(), Some("download it again"));
        assert_eq!(error.file(), Path::new("a.safetensors"));
    }

    #[test]
    fn names_from_files_are_printable_and_short() {
        assert_eq!(quoted("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\nb`");
        assert_eq!(quoted(&"x".repeat(1_000_000)).len(), LONGEST_QUOTE + 5);
        assert_eq!(quoted("größe"), "`größe`");
    }
}
