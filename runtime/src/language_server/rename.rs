//! A name and all its uses under another name, in this file and in those of the user's that it uses.
//!
//! What is written is looked at before it is proposed: a name that would mean something else afterwards, or a mistake that was not
//! there before, refuses the whole. Files that use this one are not known here.

use super::analysis::Analysis;
use super::documents::Documents;
use super::library;
use super::positions::{Columns, range};
use lsp_types::{TextEdit, Uri};
use seqwright_compiler::references::{Reference, references};
use std::path::Path;

/// The reserved words of the grammar, which are no names.
const RESERVED: [&str; 6] = ["where", "over", "and", "or", "repeat", "backward"];

/// What is changed in a file.
pub(super) type Edits = (Uri, Vec<TextEdit>);

/// The word at an offset, if it can have another name.
///
/// # Errors
/// Why it can't, in words.
pub(super) fn word(analysis: &Analysis, offset: usize) -> Result<Reference, String> {
    let reference = analysis.reference_at(offset).ok_or("no name that could be changed stands here")?;
    let source = &analysis.sources.get(reference.target.file).name;
    match library::name(source) {
        Some(_) => {
            Err(format!("`{}` is a name of the library, which can't be changed", analysis.sources.text(reference.span)))
        }
        None => Ok(reference),
    }
}

/// Gives what stands at an offset another name.
///
/// # Errors
/// Why it can't have it, in words.
pub(super) fn rename(
    analysis: &Analysis,
    offset: usize,
    name: &str,
    documents: &Documents,
    columns: Columns,
) -> Result<Vec<Edits>, String> {
    let wanted = word(analysis, offset)?;
    let old = analysis.sources.text(wanted.span).to_string();
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !RESERVED.contains(&name);
    if !is_name {
        return Err(format!("expected a name of letters, digits and `_`, found `{name}`"));
    }
    let mut all = Vec::new();
    let mut changed = documents.clone();
    let root = analysis.file();
    let (mut path, mut text) = (String::new(), analysis.text().to_string());
    for (place, file) in analysis.program.files.iter().enumerate() {
        let source = analysis.sources.get(file.id);
        if library::name(&source.name).is_some() {
            continue;
        }
        let named = match file.id == root {
            true => analysis.references().to_vec(),
            false => references(&analysis.program, place),
        };
        let words: Vec<Reference> = named.into_iter().filter(|word| word.target == wanted.target).collect();
        let mut new = source.text.clone();
        for word in words.iter().rev() {
            new.replace_range(word.span.start..word.span.end, &word.renamed(&old, name));
        }
        if file.id == root {
            (path, text) = (source.name.clone(), new.clone());
        }
        if words.is_empty() {
            continue;
        }
        // A file without an address is one that the editor has not opened, and can't be told about.
        let uri = documents.uri(Path::new(&source.name)).ok_or_else(|| format!("{} has no address", source.name))?;
        changed.open(uri.clone(), new, 0);
        let edit = |word: &Reference| TextEdit {
            range: range(&source.text, word.span, columns),
            new_text: word.renamed(&old, name),
        };
        all.push((uri, words.iter().map(edit).collect()));
    }
    let after = Analysis::new(Path::new(&path), &text, &changed);
    if let Some(mistake) =
        after.mistakes.iter().find(|mistake| !analysis.mistakes.iter().any(|known| known.code == mistake.code))
    {
        return Err(format!("`{old}` can't be called `{name}`: {}", mistake.message));
    }
    match after.mistakes.len() > analysis.mistakes.len() || shape(&after) != shape(analysis) {
        true => Err(format!("`{old}` can't be called `{name}`: something else has that name here")),
        false => Ok(all),
    }
}

/// Which words of a file name the same, whatever they are called.
fn shape(analysis: &Analysis) -> Vec<usize> {
    let all = analysis.references();
    let first = |reference: &Reference| all.iter().position(|other| other.target == reference.target).unwrap_or(0);
    all.iter().map(first).collect()
}
