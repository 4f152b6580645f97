//! What can stand at a place: the names that its definition has, what the file sees, and the words of the language.
//!
//! While a line is written its definition does not parse. It is looked at without that line then.

use super::documents::Documents;
use lsp_types::{CompletionItem, CompletionItemKind};
use seqwright_compiler::check::builtins;
use seqwright_compiler::check::program::{ItemKind, Program, read};
use seqwright_compiler::library;
use seqwright_compiler::references::{What, names_at, names_behind};
use seqwright_compiler::source::Sources;
use seqwright_compiler::syntax::snapshots::Stage;
use std::path::Path;

const ITEMS: [&str; 9] = ["use", "axis", "function", "cell", "attention", "norm", "block", "model", "checkpoint"];
const STATEMENTS: [&str; 7] = ["state", "gate", "weight", "embedding", "constant", "repeat", "assert"];
const IN_EXPRESSIONS: [&str; 5] = ["where", "over", "and", "backward", "in"];

/// What can stand at an offset of a text.
pub(super) fn completion(path: &Path, text: &str, offset: usize, documents: &Documents) -> Vec<CompletionItem> {
    let start = text[..offset].rfind('\n').map_or(0, |place| place + 1);
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let before = text[start..offset].trim_end_matches(word);
    if let Some((_, comment)) = before.split_once("//") {
        let asks = comment.trim_start().strip_prefix("snapshot:").is_some_and(|rest| !rest.contains(';'));
        let stages = Stage::ALL.iter().map(|stage| item(stage.name(), CompletionItemKind::KEYWORD));
        return if asks { stages.collect() } else { Vec::new() };
    }
    if before.trim_start().starts_with("use ") {
        let names = library::names().filter(|name| *name != library::PRELUDE);
        return names.map(|name| item(name, CompletionItemKind::MODULE)).collect();
    }
    let program = program(path, text, offset, start, documents);
    if let Some(owner) = before.strip_suffix('.') {
        let from = owner.rfind(|letter| !word(letter) && letter != '.').map_or(0, |place| place + 1);
        let parts: Vec<&str> = owner[from..].split('.').collect();
        return values(names_behind(&program, program.root, offset, &parts));
    }
    let own = names_at(&program, program.root, offset);
    let is_outside = own.is_empty();
    let mut all = sizes_of_call(&program, &text[..offset]);
    let begins = before.trim().is_empty();
    let words: &[&str] = match (is_outside, begins) {
        (true, _) => &ITEMS,
        (false, true) => &STATEMENTS,
        (false, false) => &IN_EXPRESSIONS,
    };
    all.extend(words.iter().map(|word| item(word, CompletionItemKind::KEYWORD)));
    if !is_outside {
        all.extend(values(own));
        all.extend(seen(&program));
        all.extend(builtins().filter(|name| *name != "-").map(|name| item(name, CompletionItemKind::FUNCTION)));
    }
    let mut labels = std::collections::BTreeSet::new();
    all.retain(|item| labels.insert(item.label.clone()));
    all
}

fn item(label: &str, kind: CompletionItemKind) -> CompletionItem {
    CompletionItem { label: label.to_string(), kind: Some(kind), ..CompletionItem::default() }
}

fn values(names: Vec<(String, What)>) -> Vec<CompletionItem> {
    let kind = |what: What| match what {
        What::Definition => CompletionItemKind::CLASS,
        What::Function => CompletionItemKind::FUNCTION,
        What::LabelledAxis | What::Size | What::Time => CompletionItemKind::CONSTANT,
        What::Value | What::Index => CompletionItemKind::VARIABLE,
    };
    names.into_iter().map(|(name, what)| item(&name, kind(what))).collect()
}

/// Definitions and functions that the file sees, with what they take.
fn seen(program: &Program) -> Vec<CompletionItem> {
    let mut names: Vec<&str> = program.names(program.root).collect();
    names.sort_unstable();
    let of = |name: &str| {
        let found = program.item(program.root, name)?;
        let (kind, detail) = match found.kind {
            ItemKind::Definition(place) => {
                let definition = program.definition(found.file, place);
                let values: Vec<&str> = definition.parameters.iter().map(|value| value.name.text.as_str()).collect();
                let sizes: Vec<&str> = definition.sizes.iter().map(|size| size.name.text.as_str()).collect();
                let sizes = if sizes.is_empty() { String::new() } else { format!("; {}", sizes.join(", ")) };
                (CompletionItemKind::CLASS, format!("({}{sizes})", values.join(", ")))
            }
            ItemKind::Function(place) => {
                let function = program.function(found.file, place);
                let values: Vec<&str> = function.parameters.iter().map(|value| value.text.as_str()).collect();
                (CompletionItemKind::FUNCTION, format!("({})", values.join(", ")))
            }
            ItemKind::Axis(_) => (CompletionItemKind::CONSTANT, String::new()),
        };
        Some(CompletionItem { detail: Some(detail).filter(|detail| !detail.is_empty()), ..item(name, kind) })
    };
    names.into_iter().filter_map(of).collect()
}

/// Behind the `;` of a call, the sizes that its definition takes and that are not given yet.
fn sizes_of_call(program: &Program, before: &str) -> Vec<CompletionItem> {
    let (mut depth, mut semicolon) = (0usize, None);
    for (place, letter) in before.char_indices().rev() {
        match letter {
            ')' | ']' | '}' => depth += 1,
            '[' | '{' if depth == 0 => return Vec::new(),
            '(' if depth == 0 => {
                let Some(semicolon) = semicolon else { return Vec::new() };
                let name = before[..place]
                    .trim_end()
                    .rsplit(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
                    .next();
                let found = name.and_then(|name| program.item(program.root, name));
                let Some((file, ItemKind::Definition(definition))) = found.map(|item| (item.file, item.kind)) else {
                    return Vec::new();
                };
                let given: Vec<&str> = before[semicolon..]
                    .split([',', ';'])
                    .filter_map(|part| Some(part.split_once('=')?.0.trim()))
                    .collect();
                let sizes = program.definition(file, definition).sizes.iter().map(|size| size.name.text.as_str());
                let named = |name: &str| CompletionItem {
                    insert_text: Some(format!("{name} = ")),
                    ..item(name, CompletionItemKind::FIELD)
                };
                return sizes.filter(|name| !given.contains(name)).map(named).collect();
            }
            '(' | '[' | '{' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => semicolon = semicolon.or(Some(place + 1)),
            _ => {}
        }
    }
    Vec::new()
}

/// The program, without the line that is being written where its definition does not parse with it.
fn program(path: &Path, text: &str, offset: usize, start: usize, documents: &Documents) -> Program {
    let name = path.display().to_string();
    let loader = |user: &str, used: &str| documents.load(user, used);
    let (program, mistakes) = read(&mut Sources::default(), &loader, &name, text);
    let own = program.files[program.root].id;
    if !mistakes.iter().any(|mistake| mistake.primary.span.file == own) {
        return program;
    }
    let end = text[offset..].find('\n').map_or(text.len(), |length| offset + length);
    // Brackets of bodies stay, so that what stands around the line does.
    let blank =
        |letter: char| if matches!(letter, '{' | '}') { letter.to_string() } else { " ".repeat(letter.len_utf8()) };
    let line: String = text[start..end].chars().map(blank).collect();
    let without = format!("{}{line}{}", &text[..start], &text[end..]);
    read(&mut Sources::default(), &loader, &name, &without).0
}
