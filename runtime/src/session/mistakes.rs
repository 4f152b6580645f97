//! Every mistake of a file: of each definition on its own, with sizes invented, of each model whose parameters all have values
//! once more with those, of its checkpoint tables, and of the comment that asks for snapshots.
//!
//! Where an item does not parse, or a file that is used can't be read, the others are looked at all the same. What is then said of
//! names that are missing for that alone is left out.

use seqwright_compiler::check::program::Program as Files;
use seqwright_compiler::check::{self, Missing};
use seqwright_compiler::diagnostic::{Code, Diagnostic};
use seqwright_compiler::source::Sources;
use seqwright_compiler::syntax::snapshots::snapshots;
use seqwright_compiler::syntax::tree::{Definition, Kind};
use seqwright_compiler::table;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a model's parameters: their values, if all have one.
pub(crate) type Parameters<'a> = dyn FnMut(&Definition) -> Option<BTreeMap<String, f64>> + 'a;

/// Every mistake of a program's own file, and the lengths of time axes that it says; `read` are those that reading it told.
pub(crate) fn mistakes(
    sources: &Sources,
    files: &Files,
    read: Vec<Diagnostic>,
    parameters: &mut Parameters,
) -> (Vec<Diagnostic>, Vec<(String, usize)>) {
    let root = &files.files[files.root];
    let (comment, wrong) = snapshots(root.id, &sources.get(root.id).text);
    let last = root.tree.definitions.iter().rfind(|item| item.kind == Kind::Model);
    let mut found = check::check_all(files);
    found.extend(last.map(|model| comment.unknown_sizes(model)).unwrap_or_default());
    let mut lengths = Vec::new();
    for definition in root.tree.definitions.iter().filter(|item| item.kind == Kind::Model) {
        let Some(parameters) = parameters(definition) else { continue };
        for mistake in of_model(files, &definition.name.text, &parameters, &mut lengths) {
            // Most of what is wrong with a model is wrong without sizes, too.
            let same = |other: &Diagnostic| other.code == mistake.code && other.primary.span == mistake.primary.span;
            if !found.iter().any(same) {
                found.push(mistake);
            }
        }
    }
    let lost = Lost::of(sources, files, &read);
    found.retain(|mistake| !lost.explains(sources, mistake));
    (read.into_iter().chain(found).chain(wrong).collect(), lengths)
}

/// Checks a model and its tables with its parameters; notes the lengths of its time axes that the file says.
fn of_model(
    files: &Files,
    name: &str,
    parameters: &BTreeMap<String, f64>,
    lengths: &mut Vec<(String, usize)>,
) -> Vec<Diagnostic> {
    let model = match check::check(files, Some(name), parameters, Missing::Refuse) {
        Ok(model) => model,
        Err(mistakes) => return mistakes,
    };
    let known: Vec<(String, usize)> = model.known_lengths().map(|(name, length)| (name.to_string(), length)).collect();
    lengths.extend(known);
    lengths.sort();
    lengths.dedup();
    let tables = table::formats(files, name).into_iter();
    tables.flat_map(|format| table::bindings(files, &model, format).err().unwrap_or_default()).collect()
}

/// Names that are missing because something could not be read.
enum Lost {
    /// All that a file has which could not be read.
    Any,
    /// Those of items that do not parse.
    These(BTreeSet<String>),
}

impl Lost {
    fn of(sources: &Sources, files: &Files, read: &[Diagnostic]) -> Lost {
        if read.iter().any(|mistake| mistake.code == Code::Use) {
            return Lost::Any;
        }
        let broken: BTreeSet<_> = read.iter().map(|mistake| mistake.primary.span.file).collect();
        let mut names = BTreeSet::new();
        for line in broken.iter().flat_map(|file| sources.get(*file).text.lines()) {
            let mut words = line.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            let is_item = ["cell", "attention", "norm", "block", "model", "function", "axis"]
                .contains(&words.next().unwrap_or(""));
            let name = words.find(|word| !word.is_empty()).filter(|_| is_item);
            names.extend(name.filter(|name| files.item(files.root, name).is_none()).map(str::to_string));
        }
        Lost::These(names)
    }

    fn explains(&self, sources: &Sources, mistake: &Diagnostic) -> bool {
        let name = sources.text(mistake.primary.span).split(['.', '(']).next().unwrap_or("").trim();
        mistake.code == Code::UnknownName
            && match self {
                Lost::Any => true,
                Lost::These(names) => names.contains(name),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqwright_compiler::check::program::read;

    fn told(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let (files, first) = read(&mut sources, &|_, _| Err("it is not there".to_string()), "m.seq", text);
        let (all, _) = mistakes(&sources, &files, first, &mut |_| Some(BTreeMap::new()));
        all.into_iter()
            .map(|mistake| format!("{} {}", mistake.code.number(), sources.text(mistake.primary.span)))
            .collect()
    }

    #[test]
    fn others_are_looked_at_where_one_does_not_parse() {
        let text = "cell Broken(x; size) {\n  h = = x\n}\n\ncell Whole(x; size) {\n  h = affine(z; size)\n}\n\n\
                    model M(x: [T, dim]; dim = 2) -> y {\n  a = Broken(x; size = 3)\n  y = tahn(x)\n}\n";
        assert_eq!(told(text), ["E0101 =", "E0201 z", "E0201 tahn"]);
    }

    #[test]
    fn names_of_a_file_that_is_not_there_are_not_missed() {
        let text = "use \"other.seq\"\nmodel M(x: [T, dim]; dim = 2) -> y {\n  a = Other(x)\n  y = x + dim[t]\n}\n";
        let told = told(text);
        assert_eq!(told[0], "E0103 \"other.seq\"");
        assert!(told.len() == 2 && !told[1].starts_with("E0201"), "{told:?}");
    }
}
