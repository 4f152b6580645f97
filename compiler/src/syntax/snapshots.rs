//! The comment that asks for snapshots of a model: `// snapshot: explain, kernels; input = 12, hidden = 20`.
//!
//! In: a file's text. Out: the stages whose text is to be kept beside the file, and the sizes that its model has for that. The
//! comment has a line of its own. Behind `snapshot:` stands a list of [`Stage`]s and, after a `;`, one of sizes, as in a call.
//! A file may have several such comments, which count as one. No meaning of the language hangs on them: only what keeps
//! snapshots, and what looks for mistakes, reads them.

use super::tree::{Definition, Name};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::{FileId, Span};

/// What such a comment begins with.
const BEGINNING: &str = "snapshot:";

/// A text that the compiler makes of a model and that is the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The report of `seqc explain`.
    Explain,
    /// The checked model.
    Model,
    /// The graph.
    Graph,
    /// Which equations become one kernel.
    Fused,
    /// The kernels.
    Kernels,
    /// The kernels in Cranelift's intermediate language.
    Clif,
    /// The kernels as compute shaders.
    Wgsl,
}

impl Stage {
    /// Every one, in the order in which a model goes through them.
    pub const ALL: &[Stage] =
        &[Stage::Explain, Stage::Model, Stage::Graph, Stage::Fused, Stage::Kernels, Stage::Clif, Stage::Wgsl];

    /// As comments, options and the names of files have it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Explain => "explain",
            Stage::Model => "model",
            Stage::Graph => "graph",
            Stage::Fused => "fused",
            Stage::Kernels => "kernels",
            Stage::Clif => "clif",
            Stage::Wgsl => "wgsl",
        }
    }

    /// The one of that name.
    pub fn of_name(name: &str) -> Option<Stage> {
        Stage::ALL.iter().copied().find(|stage| stage.name() == name)
    }
}

/// What the comments of a file ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshots {
    /// The stages, each once, and where they stand.
    pub stages: Vec<(Stage, Span)>,
    /// Sizes of the model, each once.
    pub sizes: Vec<(Name, f64)>,
}

/// Reads what the comments of a file ask for, and finds their mistakes.
pub fn snapshots(file: FileId, text: &str) -> (Snapshots, Vec<Diagnostic>) {
    let mut reader = Reader { file, asked: Snapshots::default(), diagnostics: Vec::new() };
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let asks = line.trim().strip_prefix("//").and_then(|comment| comment.trim_start().strip_prefix(BEGINNING));
        if asks.is_some() {
            // The first colon is that of the beginning: only blanks and slashes stand before it.
            let begin = line.find(BEGINNING).map_or(0, |place| place + BEGINNING.len());
            reader.comment(start + begin, line[begin..].trim_end());
        }
        start += line.len();
    }
    (reader.asked, reader.diagnostics)
}

impl Snapshots {
    /// Sizes that the model does not have.
    pub fn unknown_sizes(&self, model: &Definition) -> Vec<Diagnostic> {
        let known: Vec<&str> = model.sizes.iter().map(|size| size.name.text.as_str()).collect();
        let unknown = self.sizes.iter().filter(|(name, _)| !known.contains(&name.text.as_str()));
        let told = |(name, _): &(Name, f64)| {
            let message = format!("`{}` has no parameter `{}`", model.name.text, name.text);
            let help = match nearest(&name.text, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has none".to_string(),
                None => format!("it has {}", known.join(", ")),
            };
            Diagnostic::new(Code::Arguments, name.span, message)
                .label("unknown")
                .also(model.name.span, "the model")
                .help(help)
        };
        unknown.map(told).collect()
    }
}

struct Reader {
    file: FileId,
    asked: Snapshots,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// What stands behind the beginning of a comment.
    fn comment(&mut self, start: usize, text: &str) {
        let (stages, sizes) = match text.split_once(';') {
            Some((stages, sizes)) => (stages, Some(sizes)),
            None => (text, None),
        };
        for (place, word) in entries(start, stages) {
            self.stage(place, word);
        }
        for (place, word) in sizes.into_iter().flat_map(|sizes| entries(start + stages.len() + 1, sizes)) {
            self.size(place, word);
        }
    }

    fn span(&self, start: usize, text: &str) -> Span {
        Span { file: self.file, start, end: start + text.len() }
    }

    fn stage(&mut self, start: usize, word: &str) {
        let span = self.span(start, word);
        let Some(stage) = Stage::of_name(word) else {
            let names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
            let diagnostic = match word {
                "" => Diagnostic::new(Code::Syntax, span, "expected a stage to keep a snapshot of, found nothing")
                    .label("expected here")
                    .help(format!("stages are {}", names.join(", "))),
                "asm" => Diagnostic::new(Code::UnknownName, span, "no snapshot is kept of `asm`")
                    .label("another text on another processor")
                    .help("`clif` is the same text on every machine"),
                _ => Diagnostic::new(Code::UnknownName, span, format!("no stage is called `{word}`"))
                    .label("unknown")
                    .help(match nearest(word, names.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("stages are {}", names.join(", ")),
                    }),
            };
            self.diagnostics.push(diagnostic);
            return;
        };
        match self.asked.stages.iter().find(|(known, _)| *known == stage) {
            Some((_, first)) => self.diagnostics.push(twice(word, span, *first)),
            None => self.asked.stages.push((stage, span)),
        }
    }

    fn size(&mut self, start: usize, word: &str) {
        let parts = word.split_once('=').map(|(name, value)| (name.trim_end(), value.trim_start()));
        let Some((name, value)) = parts.filter(|(name, _)| !name.is_empty()) else {
            let found = if word.is_empty() { "nothing".to_string() } else { format!("`{word}`") };
            self.diagnostics.push(
                Diagnostic::new(
                    Code::Syntax,
                    self.span(start, word),
                    format!("expected a size and its value, found {found}"),
                )
                .label("expected here")
                .help("sizes are given as in a call: `; input = 12, hidden = 20`"),
            );
            return;
        };
        let span = self.span(start, name);
        let Some(number) = value.parse().ok().filter(|number: &f64| number.is_finite()) else {
            let found = if value.is_empty() { "nothing".to_string() } else { format!("`{value}`") };
            let place = self.span(start + word.len() - value.len(), value);
            self.diagnostics.push(
                Diagnostic::new(Code::Syntax, place, format!("expected a number, found {found}"))
                    .label(format!("the size of `{name}`")),
            );
            return;
        };
        match self.asked.sizes.iter().find(|(known, _)| known.text == name) {
            Some((first, _)) => self.diagnostics.push(twice(name, span, first.span)),
            None => self.asked.sizes.push((Name { text: name.to_string(), span }, number)),
        }
    }
}

fn twice(word: &str, again: Span, first: Span) -> Diagnostic {
    Diagnostic::new(Code::DefinedTwice, again, format!("`{word}` is asked for twice"))
        .label("again here")
        .also(first, "first here")
        .help("leave one of them out")
}

/// The entries of a list with commas, without the blanks around them, and where they begin.
fn entries(start: usize, text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(',').scan(start, |place, part| {
        let begin = *place + part.len() - part.trim_start().len();
        *place += part.len() + 1;
        Some((begin, part.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Snapshots, Vec<(String, String)>) {
        let (asked, diagnostics) = snapshots(FileId(0), text);
        let told = |told: Diagnostic| {
            let span = told.primary.span;
            (told.message, text[span.start..span.end].to_string())
        };
        (asked, diagnostics.into_iter().map(told).collect())
    }

    #[test]
    fn stages_and_sizes_are_read() {
        let text =
            "// A cell.\n// snapshot: explain, kernels; input = 12,hidden=20\nmodel M() {}\n  //snapshot: wgsl\r\n";
        let (asked, told) = read(text);
        assert_eq!(told, []);
        let stages: Vec<Stage> = asked.stages.iter().map(|(stage, _)| *stage).collect();
        assert_eq!(stages, [Stage::Explain, Stage::Kernels, Stage::Wgsl]);
        let sizes: Vec<(&str, f64)> = asked.sizes.iter().map(|(name, value)| (name.text.as_str(), *value)).collect();
        assert_eq!(sizes, [("input", 12.0), ("hidden", 20.0)]);
        for (name, _) in &asked.sizes {
            assert_eq!(&text[name.span.start..name.span.end], name.text);
        }
    }

    #[test]
    fn other_comments_ask_for_nothing() {
        let text = "// a snapshot: none\nx = 1  // snapshot: kernels\nsnapshot: kernels\n";
        assert_eq!(read(text), (Snapshots::default(), Vec::new()));
    }

    #[test]
    fn mistakes_have_their_places() {
        let told = |text: &str| read(text).1.remove(0);
        let mistake = |message: &str, at: &str| (message.to_string(), at.to_string());
        assert_eq!(told("// snapshot: kernel"), mistake("no stage is called `kernel`", "kernel"));
        assert_eq!(told("// snapshot: asm"), mistake("no snapshot is kept of `asm`", "asm"));
        assert_eq!(told("// snapshot:"), mistake("expected a stage to keep a snapshot of, found nothing", ""));
        assert_eq!(told("// snapshot: clif, clif"), mistake("`clif` is asked for twice", "clif"));
        assert_eq!(told("// snapshot: clif; a"), mistake("expected a size and its value, found `a`", "a"));
        assert_eq!(told("// snapshot: clif; é = ä"), mistake("expected a number, found `ä`", "ä"));
        assert_eq!(told("// snapshot: clif; a = inf"), mistake("expected a number, found `inf`", "inf"));
        assert_eq!(told("// snapshot: clif; a = 1, a = 2"), mistake("`a` is asked for twice", "a"));
    }
}
