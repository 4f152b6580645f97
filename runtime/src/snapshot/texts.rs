//! From a `.seq` file to the texts that its snapshots have.

use super::{Asked, Stage};
use crate::command::explain::{Look, Shown, text};
use crate::link::intermediate_for;
use crate::session::{self, Failure, Request};
use crate::weights::Checkpoint;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::isa::CallConv;
use seqwright_compiler::clif;
use seqwright_compiler::explain::{self, Stages};
use seqwright_compiler::source::Sources;
use seqwright_compiler::syntax::snapshots::snapshots;
use seqwright_compiler::syntax::tree::Kind;
use seqwright_compiler::term::print_number;
use seqwright_compiler::wgsl::{self, Target};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The columns of a report.
const WIDTH: usize = 100;

/// One text that a snapshot is kept of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its stage.
    pub stage: Stage,
    /// The snapshot's file.
    pub path: PathBuf,
    /// The text.
    pub text: String,
    /// What it is of, for the head of its file: `kernels; hidden = 20`.
    pub expression: String,
}

/// All texts of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// The file's name, without its folder.
    pub source: String,
    /// The texts, in the order in which they are asked for.
    pub texts: Vec<Text>,
    /// The snapshots' files that nothing asks for.
    pub others: Vec<PathBuf>,
}

/// The texts that are asked for of a file.
///
/// # Errors
/// A file that can't be read, every mistake in it, and a value that the model does not have.
pub fn texts(file: &Path, asked: &Asked, checkpoint: Option<&Checkpoint>) -> Result<Texts, Failure> {
    let (sources, files, mut mistakes) = session::read(file)?;
    let root = &files.files[files.root];
    let (comment, wrong) = snapshots(root.id, &sources.get(root.id).text);
    mistakes.extend(wrong);
    let models = || root.tree.definitions.iter().filter(|item| item.kind == Kind::Model);
    // The comment is about the file's last model, whichever is meant now.
    mistakes.extend(models().next_back().map(|model| comment.unknown_sizes(model)).unwrap_or_default());
    if !mistakes.is_empty() {
        return Err(Failure::Mistakes(mistakes, sources));
    }
    let meant = models().rfind(|item| asked.model.as_ref().is_none_or(|wanted| *wanted == item.name.text));
    let has = |name: &str| meant.is_some_and(|model| model.sizes.iter().any(|size| size.name.text == name));
    let by_comment = comment.sizes.iter().map(|(name, size)| (name.text.clone(), *size));
    let mut parameters: BTreeMap<String, f64> = by_comment.filter(|(name, _)| has(name)).collect();
    parameters.extend(asked.sizes.clone());
    let request = Request {
        file: file.to_path_buf(),
        model: asked.model.clone(),
        parameters,
        outputs: (!asked.outputs.is_empty()).then(|| asked.outputs.clone()),
    };
    let checked = session::check(&request, checkpoint)?;

    let by_comment: Vec<Stage> = comment.stages.iter().map(|(stage, _)| *stage).collect();
    let wanted: &[Stage] = match (asked.stages.is_empty(), by_comment.is_empty()) {
        (false, _) => &asked.stages,
        (true, false) => &by_comment,
        (true, true) => &[Stage::Kernels],
    };
    let sizes: Vec<String> =
        checked.model.parameters.iter().map(|(name, size)| format!("{name} = {}", print_number(*size))).collect();
    let stages = Stages::new(&checked.model, &checked.outputs);
    let sources = relative(&checked.sources, file);
    let one = |stage: &Stage| {
        let sizes = if sizes.is_empty() { String::new() } else { format!("; {}", sizes.join(", ")) };
        Text {
            stage: *stage,
            path: path(file, asked, *stage),
            text: of_stage(*stage, &stages, &sources),
            expression: format!("{}{sizes}", stage.name()),
        }
    };
    let others = Stage::ALL.iter().filter(|stage| !wanted.contains(stage) && !by_comment.contains(stage));
    Ok(Texts {
        source: file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        texts: wanted.iter().map(one).collect(),
        others: others.map(|stage| path(file, asked, *stage)).collect(),
    })
}

fn of_stage(stage: Stage, stages: &Stages, sources: &Sources) -> String {
    match stage {
        Stage::Explain => text(&explain::explain(stages), sources, Shown::Alike, &Look::plain(WIDTH)),
        Stage::Model => stages.model.print(),
        Stage::Graph => stages.graph.print(),
        Stage::Fused => stages.fused.print(),
        Stage::Kernels => stages.program.print(),
        // The usual one of 64-bit machines: what others do differently is not the model's.
        Stage::Clif => {
            intermediate_for(&stages.program, clif::Target { call_conv: CallConv::SystemV, pointer: I64, wide: false })
        }
        Stage::Wgsl => wgsl::print(&stages.program, &Target::default()),
    }
}

/// `models/lstm.seq` and kernels: `models/lstm.kernels.snap`. A model that is named stands before the stage.
fn path(file: &Path, asked: &Asked, stage: Stage) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let model = asked.model.as_ref().map_or_else(String::new, |model| format!(".{model}"));
    file.with_file_name(format!("{stem}{model}.{}.snap", stage.name()))
}

/// The sources with names as seen from the folder of the model's file.
fn relative(sources: &Sources, file: &Path) -> Sources {
    let folder = file.parent().unwrap_or(Path::new(""));
    sources.renamed(|name| {
        let inside = Path::new(name).strip_prefix(folder).unwrap_or(Path::new(name));
        let parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        parts.join("/")
    })
}
