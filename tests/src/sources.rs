//! `.seq` texts of the repository, read and checked as a user's would be.

use seqwright_compiler::check::program::{self, Program};
use seqwright_compiler::check::{Missing, check, check_all};
use seqwright_compiler::diagnostic::{Code, Diagnostic, render};
use seqwright_compiler::explain::Stages;
use seqwright_compiler::source::Sources;
use seqwright_compiler::syntax::tree::Kind;
use seqwright_compiler::table::{Setting, bindings, formats, settings};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_path_buf()
}

/// Every `.seq` file of a folder of the repository, in the order of their names: name and text.
///
/// # Panics
/// Where the folder or one of its files can't be read.
pub fn files_in(folder: &str) -> Vec<(String, String)> {
    let folder = repository().join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<(String, String)> = entries
        .map(|entry| entry.expect("a folder's entries can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seq"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().expect("a file has a name").to_string_lossy().into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

/// Parses a text and what it uses; a file used by its path is not there.
pub fn read(name: &str, text: &str) -> (Sources, Program, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let missing = |_: &str, _: &str| Err("there is no such file".to_string());
    let (program, diagnostics) = program::read(&mut sources, &missing, name, text);
    (sources, program, diagnostics)
}

/// Every diagnostic of a text: parsing, then each definition on its own, then its model and the model's checkpoint table.
/// Parameters without a value are mistakes where `missing` says so.
pub fn diagnose(name: &str, text: &str, missing: Missing) -> (Sources, Vec<Diagnostic>) {
    let (sources, program, mut all) = read(name, text);
    if all.is_empty() {
        let has_model = program.files[program.root].tree.definitions.iter().any(|item| item.kind == Kind::Model);
        if has_model {
            match check(&program, None, &BTreeMap::new(), missing) {
                Ok(model) => {
                    for format in formats(&program, &model.name) {
                        let mut told = bindings(&program, &model, format).err().unwrap_or_default();
                        // Without a checkpoint nothing is set; what is set wrongly shows all the same.
                        let unset = settings(&program, &model.name, format, &BTreeMap::new(), &|_| Setting::Missing)
                            .err()
                            .unwrap_or_default();
                        told.extend(unset.into_iter().filter(|diagnostic| diagnostic.code != Code::Config));
                        for diagnostic in told {
                            if !all.contains(&diagnostic) {
                                all.push(diagnostic);
                            }
                        }
                    }
                }
                Err(diagnostics) => all.extend(diagnostics),
            }
        }
        for diagnostic in check_all(&program) {
            let told =
                |known: &Diagnostic| known.code == diagnostic.code && known.primary.span == diagnostic.primary.span;
            if !all.iter().any(told) {
                all.push(diagnostic);
            }
        }
        all.sort_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code));
    }
    (sources, all)
}

/// Why the text's model has no chunk program, if it is a model without a mistake and has none.
pub fn step_refusal(name: &str, text: &str, missing: Missing) -> Option<Diagnostic> {
    let (_, program, _) = read(name, text);
    let model = check(&program, None, &BTreeMap::new(), missing).ok()?;
    Stages::new(&model, &model.results).chunks.err().map(|refused| *refused)
}

/// Diagnostics as a user reads them.
pub fn rendered(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| render(diagnostic, sources, false)).collect::<Vec<_>>().join("\n")
}
