//! Snapshots of what the compiler makes of a model: texts beside its file, kept under review in the format of the crate insta.
//!
//! In: a `.seq` file, and what is asked for ([`Asked`], or a comment in the file, see [`seqwright_compiler::syntax::snapshots`]).
//! Out: `lstm.seq` has beside it `lstm.explain.snap`, `lstm.kernels.snap` and so on. The command `seqc snapshot` and the macro
//! [`assert_kernels!`](crate::assert_kernels) do the same thing, which is here.
//!
//! A text is the same on every machine, for every run and from every working folder: names of files are relative to the
//! model's, Cranelift IR is for one fixed target, shaders are those for any GPU, and nothing is measured. What can't be so,
//! assembly, is no stage of a snapshot.
//!
//! | file | what it does |
//! | --- | --- |
//! | `texts.rs` | from a file to the text of each stage |
//! | `file.rs` | the format of `.snap` files |
//! | `standing.rs` | the texts against the files that stand there |
//! | `assertion.rs` | all that from a Rust test |

mod assertion;
mod file;
mod standing;
mod texts;

pub use assertion::assert;
pub use seqwright_compiler::syntax::snapshots::Stage;
pub use standing::{Found, Standing, standing};
pub use texts::{Text, Texts, texts};

use std::collections::BTreeMap;

/// What is asked for, beside what the comment of a file says.
///
/// ```
/// use seqwright::snapshot::{Asked, Stage};
///
/// let asked = Asked::default().stage(Stage::Kernels).stage(Stage::Explain).set("hidden", 20.0);
/// assert_eq!(asked.stages, [Stage::Kernels, Stage::Explain]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The stages; those of the file's comment where none is named, and kernels where it names none either.
    pub stages: Vec<Stage>,
    /// Which model of the file; its last one where none is named.
    pub model: Option<String>,
    /// Sizes of the model: they come before those of the comment and of a checkpoint.
    pub sizes: BTreeMap<String, f64>,
    /// Values that are asked for instead of the model's results.
    pub outputs: Vec<String>,
}

impl Asked {
    /// With a snapshot of this stage.
    pub fn stage(mut self, stage: Stage) -> Asked {
        if !self.stages.contains(&stage) {
            self.stages.push(stage);
        }
        self
    }

    /// Of this model of the file.
    pub fn model(mut self, name: impl Into<String>) -> Asked {
        self.model = Some(name.into());
        self
    }

    /// With a size of the model.
    pub fn set(mut self, name: impl Into<String>, size: f64) -> Asked {
        self.sizes.insert(name.into(), size);
        self
    }

    /// With this value asked for instead of the model's results.
    pub fn output(mut self, name: impl Into<String>) -> Asked {
        self.outputs.push(name.into());
        self
    }
}
