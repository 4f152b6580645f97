//! `seqc new`: a first model, which checks and runs as it is.
//!
//! The models and the README beside them are the files of this folder, taken as they are but for the project's name. What is
//! there already is left as it is.

use super::Stop;
use super::arguments::{Kind, NewArguments};
use super::terminal::Terminal;
use crate::session::Failure;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const README: &str = include_str!("README.md");
/// What stands for the project's name in the README.
const NAME: &str = "{name}";

/// Makes a folder with a model and a README, or a model alone where the name is that of a `.seq` file.
pub(super) fn new(arguments: &NewArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let path = arguments.name.clone().unwrap_or_else(|| PathBuf::from(arguments.kind.name()));
    let is_file = path.extension().is_some_and(|extension| extension == "seq");
    let name = name(&path, is_file)?;
    let file = format!("{name}.seq");
    let text = text(arguments.kind);
    if is_file {
        write(&path, text)?;
        return terminal.print(&format!("{} is there: `seqc check` and `seqc explain` read it\n", path.display()));
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|why| cannot(parent, &why))?;
    }
    fs::create_dir(&path).map_err(|why| cannot(&path, &why))?;
    write(&path.join(&file), text)?;
    write(&path.join("README.md"), &README.replace(NAME, &name))?;
    let shown = path.display();
    terminal.print(&format!(
        "{shown}/{file} and {shown}/README.md are there. To begin with:\n\n  cd {shown}\n  seqc check {file}\n  seqc explain \
         {file}\n  seqc profile {file}\n"
    ))
}

/// The last part of a path, without the ending of a file.
fn name(path: &Path, is_file: bool) -> Result<String, Stop> {
    let part = if is_file { path.file_stem() } else { path.file_name() };
    let name = part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
    let is_well_formed = name.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
        && name.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter));
    match is_well_formed {
        true => Ok(name),
        false => Err(Stop::Usage(format!(
            "expected a name of letters, digits, `-`, `_` and `.` that begins with a letter or digit, found `{}`",
            path.display()
        ))),
    }
}

fn text(kind: Kind) -> &'static str {
    match kind {
        Kind::Cell => include_str!("cell.seq"),
        Kind::Tagger => include_str!("tagger.seq"),
        Kind::Classifier => include_str!("classifier.seq"),
        Kind::LanguageModel => include_str!("language_model.seq"),
        Kind::Encoder => include_str!("encoder.seq"),
    }
}

/// Writes a file that is not there yet.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|why| cannot(path, &why))
}

fn cannot(path: &Path, why: &std::io::Error) -> Failure {
    let shown = path.display();
    Failure::Other(match why.kind() {
        std::io::ErrorKind::AlreadyExists => format!("{shown} is there already: take another name, or remove it first"),
        _ => format!("cannot write {shown}: {why}"),
    })
}
