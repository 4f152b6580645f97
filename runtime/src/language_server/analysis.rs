//! What is known of a file: its mistakes, what its words name, and its models.
//!
//! Where there are mistakes the names of axes are known all the same, of all that could be checked: each definition is looked at
//! on its own (`alone`). A model whose sizes are all known, from the file or from its comment for snapshots, is explained as
//! `seqc explain` does it, when somebody asks.

use super::documents::Documents;
use crate::session::mistakes;
use seqwright_compiler::check::program::{Program, read};
use seqwright_compiler::check::{self, Missing};
use seqwright_compiler::diagnostic::Diagnostic;
use seqwright_compiler::explain::{Explanation, Stages, explain};
use seqwright_compiler::model::{Model, Value};
use seqwright_compiler::references::{Reference, Spelling, What, references};
use seqwright_compiler::source::{FileId, Sources, Span};
use seqwright_compiler::syntax::snapshots::snapshots;
use seqwright_compiler::syntax::tree::{Definition, Kind, Name};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;

/// A model with more values than this is not explained: whoever hovers does not wait so long.
const MOST_EXPLAINED: usize = 5_000;

/// A file that was looked at.
pub(super) struct Analysis {
    pub sources: Sources,
    pub program: Program,
    pub mistakes: Vec<Diagnostic>,
    references: OnceCell<Vec<Reference>>,
    alone: OnceCell<Vec<Model>>,
    explained: OnceCell<Vec<(Model, Explanation)>>,
}

impl Analysis {
    /// Looks at a text, and at the files that it uses.
    pub fn new(path: &Path, text: &str, documents: &Documents) -> Analysis {
        let mut sources = Sources::default();
        let loader = |user: &str, used: &str| documents.load(user, used);
        let (program, first) = read(&mut sources, &loader, &path.display().to_string(), text);
        let (mistakes, _) = mistakes(&sources, &program, first, &mut |model| parameters(&sources, &program, model));
        let (references, alone, explained) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Analysis { sources, program, mistakes, references, alone, explained }
    }

    /// The file itself, among those that it uses.
    pub fn file(&self) -> FileId {
        self.program.files[self.program.root].id
    }

    pub fn text(&self) -> &str {
        &self.sources.get(self.file()).text
    }

    /// What the file's words name, those in its comment for snapshots too.
    pub fn references(&self) -> &[Reference] {
        self.references.get_or_init(|| {
            let root = &self.program.files[self.program.root];
            let (comment, _) = snapshots(root.id, self.text());
            let model = root.tree.definitions.iter().rfind(|item| item.kind == Kind::Model);
            let of = |name: &Name| {
                let size = model?.sizes.iter().find(|size| size.name.text == name.text)?;
                let (span, target) = (name.span, size.name.span);
                Some(Reference { span, spelling: Spelling::Whole, target, what: What::Size })
            };
            let mut all = references(&self.program, self.program.root);
            all.extend(comment.sizes.iter().filter_map(|(name, _)| of(name)));
            all.sort();
            all
        })
    }

    /// The word at a place, or one that ends there; where it names two things, what the caller gives.
    pub fn reference_at(&self, offset: usize) -> Option<Reference> {
        let at = |reference: &&Reference| reference.span.start <= offset && offset <= reference.span.end;
        let found = self.references().iter().filter(|reference| reference.spelling != Spelling::Taken);
        let mut found: Vec<&Reference> = found.filter(at).collect();
        // Between two words the one that begins there is meant.
        found.sort_by_key(|reference| reference.span.start);
        found.last().map(|reference| **reference)
    }

    /// The values that a model has for the thing that is given at a place: those of its equations, several where they are
    /// repeated; for an instance of a definition, what that gives.
    pub fn values_of<'m>(&self, target: Span, model: &'m Model) -> Vec<&'m Value> {
        let is_given = |value: &&Value| {
            value.span == target
                || self.references().iter().any(|reference| reference.span == value.span && reference.target == target)
        };
        let values: Vec<&Value> = model.values.iter().filter(is_given).collect();
        match self.definition_at(target).filter(|item| item.name.text == model.name) {
            Some(_) if values.is_empty() => {
                let instance = model.names.get(self.sources.text(target));
                instance.map(|id| model.value(*id)).into_iter().collect()
            }
            Some(_) | None => values,
        }
    }

    /// The definition of the file that a place lies in.
    fn definition_at(&self, place: Span) -> Option<&Definition> {
        let definitions = self.program.files[self.program.root].tree.definitions.iter();
        let around = |item: &&Definition| item.span.start <= place.start && place.end <= item.span.end;
        definitions.filter(|_| place.file == self.file()).find(around)
    }

    /// Each of the file's definitions on its own: only the names of axes are as they should be.
    pub fn alone(&self) -> &[Model] {
        self.alone.get_or_init(|| {
            let count = self.program.files[self.program.root].tree.definitions.len();
            (0..count).map(|place| check::check_alone(&self.program, place).0).collect()
        })
    }

    /// The models whose sizes are all known, and what became of them.
    pub fn explained(&self) -> &[(Model, Explanation)] {
        self.explained.get_or_init(|| {
            if !self.mistakes.is_empty() {
                return Vec::new();
            }
            let models = self.program.files[self.program.root].tree.definitions.iter();
            let explained = |definition: &Definition| {
                let parameters = parameters(&self.sources, &self.program, definition)?;
                let model =
                    check::check(&self.program, Some(&definition.name.text), &parameters, Missing::Refuse).ok()?;
                if model.values.len() > MOST_EXPLAINED {
                    return None;
                }
                let explanation = explain(&Stages::new(&model, &model.results));
                Some((model, explanation))
            };
            models.filter(|item| item.kind == Kind::Model).filter_map(explained).collect()
        })
    }
}

/// The values of a model's parameters, if all have one: from the file, or from its comment for snapshots.
fn parameters(sources: &Sources, program: &Program, model: &Definition) -> Option<BTreeMap<String, f64>> {
    let root = &program.files[program.root];
    let (comment, _) = snapshots(root.id, &sources.get(root.id).text);
    let mut known = BTreeMap::new();
    for size in &model.sizes {
        match comment.sizes.iter().find(|(name, _)| name.text == size.name.text) {
            Some((_, value)) => drop(known.insert(size.name.text.clone(), *value)),
            None if size.value.is_some() => {}
            None => return None,
        }
    }
    Some(known)
}
