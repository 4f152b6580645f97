//! The files of a program: the one that was given, those it uses, and the library's.

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::library;
use crate::source::{FileId, Loader, Sources, Span};
use crate::syntax::parse;
use crate::syntax::tree::{Definition, File, Function, Name};
use std::collections::HashMap;

/// The files of a program, each with the names it sees.
#[derive(Clone, Debug)]
pub struct Program {
    /// Every file once.
    pub files: Vec<ProgramFile>,
    /// The one that was given.
    pub root: usize,
}

/// One file.
#[derive(Clone, Debug)]
pub struct ProgramFile {
    /// Its number among the sources.
    pub id: FileId,
    /// What stands in it.
    pub tree: File,
    names: HashMap<String, Item>,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The file, by its place in [`Program::files`].
    pub file: usize,
    /// What and which it is.
    pub kind: ItemKind,
}

/// What an item is, and which of its kind in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A cell, attention, norm, block or model.
    Definition(usize),
    /// A function.
    Function(usize),
    /// An axis with labels.
    Axis(usize),
}

impl Program {
    /// The item of that name that a file sees.
    pub fn item(&self, file: usize, name: &str) -> Option<Item> {
        self.files[file].names.get(name).copied()
    }

    /// A definition.
    pub fn definition(&self, file: usize, place: usize) -> &Definition {
        &self.files[file].tree.definitions[place]
    }

    /// A function.
    pub fn function(&self, file: usize, place: usize) -> &Function {
        &self.files[file].tree.functions[place]
    }

    /// All names that a file sees.
    pub fn names(&self, file: usize) -> impl Iterator<Item = &str> {
        self.files[file].names.keys().map(String::as_str)
    }
}

/// Parses a file and all that it uses.
pub fn read(sources: &mut Sources, loader: &Loader, name: &str, text: &str) -> (Program, Vec<Diagnostic>) {
    let mut reader = Reader { sources, loader, files: Vec::new(), places: HashMap::new(), diagnostics: Vec::new() };
    let prelude = reader.file(&format!("library/{}.seq", library::PRELUDE), library::prelude());
    let root = reader.file(name, text);
    let Reader { mut files, mut diagnostics, .. } = reader;
    let prelude_names = files[prelude].names.clone();
    for file in &mut files {
        for (name, item) in &prelude_names {
            file.names.entry(name.clone()).or_insert(*item);
        }
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span);
    (Program { files, root }, diagnostics)
}

/// More files than this are refused: each one that is used is read inside the one that uses it.
const MOST_FILES: usize = 256;

struct Reader<'a> {
    sources: &'a mut Sources,
    loader: &'a Loader<'a>,
    files: Vec<ProgramFile>,
    places: HashMap<String, usize>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads one file, those it uses first seen by it; a file that is used twice, or uses itself, is read once.
    fn file(&mut self, name: &str, text: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let id = self.sources.add(name, text);
        let (tree, diagnostics) = parse(id, text);
        self.diagnostics.extend(diagnostics);
        let place = self.files.len();
        self.places.insert(name.to_string(), place);
        let own = self.own_names(place, &tree);
        let uses = tree.uses.clone();
        self.files.push(ProgramFile { id, tree, names: own });
        for item in uses {
            let found = if self.files.len() >= MOST_FILES {
                Err(format!("a program has {MOST_FILES} files at most"))
            } else if item.is_path {
                (self.loader)(name, &item.target.text)
            } else {
                library::file(&item.target.text)
                    .map(|text| (format!("library/{}.seq", item.target.text), text.to_string()))
                    .ok_or_else(|| "the library has no such file".to_string())
            };
            match found {
                Ok((used_name, used_text)) => {
                    let used = self.file(&used_name, &used_text);
                    self.see(place, used, item.target.span);
                }
                Err(why) => {
                    let mut diagnostic = Diagnostic::new(
                        Code::Use,
                        item.target.span,
                        format!("`{}` can't be used: {why}", item.target.text),
                    );
                    if !item.is_path {
                        let near = nearest(&item.target.text, library::names());
                        let known: Vec<&str> = library::names().collect();
                        diagnostic = diagnostic.help(match near {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!(
                                "the library's files are {}; a file of your own is used by its path in quotes",
                                known.join(", ")
                            ),
                        });
                    }
                    self.diagnostics.push(diagnostic);
                }
            }
        }
        place
    }

    fn own_names(&mut self, file: usize, tree: &File) -> HashMap<String, Item> {
        let mut names: HashMap<String, (Item, Span)> = HashMap::new();
        let definitions = tree.definitions.iter().enumerate().map(|(i, item)| (&item.name, ItemKind::Definition(i)));
        let functions = tree.functions.iter().enumerate().map(|(i, item)| (&item.name, ItemKind::Function(i)));
        let axes = tree.axes.iter().enumerate().map(|(i, item)| (&item.name, ItemKind::Axis(i)));
        let mut all: Vec<(&Name, ItemKind)> = definitions.chain(functions).chain(axes).collect();
        all.sort_by_key(|(name, _)| name.span);
        for (name, kind) in all {
            match names.get(&name.text) {
                Some((_, first)) => self.diagnostics.push(
                    Diagnostic::new(Code::DefinedTwice, name.span, format!("`{}` is defined twice", name.text))
                        .label("again here")
                        .also(*first, "first here")
                        .help("give one of them another name"),
                ),
                None => {
                    names.insert(name.text.clone(), (Item { file, kind }, name.span));
                }
            }
        }
        names.into_iter().map(|(name, (item, _))| (name, item)).collect()
    }

    /// Lets `file` see the own names of `used`. A file's own names come before those it uses.
    fn see(&mut self, file: usize, used: usize, span: Span) {
        let theirs: Vec<(String, Item)> = self.files[used]
            .names
            .iter()
            .filter(|(_, item)| item.file == used)
            .map(|(name, item)| (name.clone(), *item))
            .collect();
        for (name, item) in theirs {
            match self.files[file].names.get(&name) {
                Some(known) if known.file != file && known.file != item.file => {
                    self.diagnostics.push(
                        Diagnostic::new(
                            Code::DefinedTwice,
                            span,
                            format!("two files that are used here have `{name}`"),
                        )
                        .help("rename one of them"),
                    );
                }
                Some(_) => {}
                None => {
                    self.files[file].names.insert(name, item);
                }
            }
        }
    }
}
