//! The texts of a model against the snapshots that stand beside its file: what is new, what changed, what nothing asks for.

use super::file::{normal, read, written};
use super::{Text, Texts};
use crate::difference::difference;
use crate::session::Failure;
use crate::weights::write_file;
use std::path::{Path, PathBuf};

/// How a text compares with its snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has that text.
    Same,
    /// There is none.
    New,
    /// It has another text, this one.
    Changed(String),
}

/// The snapshots of a file.
#[derive(Clone, Debug)]
pub struct Standing {
    source: String,
    /// Those that are asked for.
    pub snapshots: Vec<(Text, Found)>,
    /// The files that stand there and that nothing asks for.
    pub unreferenced: Vec<PathBuf>,
}

/// Holds texts against the snapshots that stand there.
///
/// # Errors
/// A snapshot that can't be read.
pub fn standing(texts: Texts) -> Result<Standing, Failure> {
    let mut snapshots = Vec::new();
    for text in texts.texts {
        let found = match read(&text.path).map_err(Failure::Other)? {
            None => Found::New,
            Some(old) if old == normal(&text.text) => Found::Same,
            Some(old) => Found::Changed(old),
        };
        snapshots.push((text, found));
    }
    let unreferenced = texts.others.into_iter().filter(|path| path.exists()).collect();
    Ok(Standing { source: texts.source, snapshots, unreferenced })
}

impl Standing {
    /// The snapshots that are not as they should be.
    pub fn pending(&self) -> impl Iterator<Item = &(Text, Found)> {
        self.snapshots.iter().filter(|(_, found)| *found != Found::Same)
    }

    /// Writes a text as its snapshot, and removes one that waits for a review: there is nothing left to decide.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn accept(&self, text: &Text) -> Result<(), Failure> {
        self.write(text, &text.path)?;
        remove(&waiting(&text.path))
    }

    /// Writes a text beside its snapshot, for a review.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn suggest(&self, text: &Text) -> Result<(), Failure> {
        self.write(text, &waiting(&text.path))
    }

    /// Removes a text that waits for a review: its snapshot stays as it is.
    ///
    /// # Errors
    /// A file that can't be removed.
    pub fn reject(&self, text: &Text) -> Result<(), Failure> {
        remove(&waiting(&text.path))
    }

    /// Removes the texts that wait for a review of snapshots that are as they should be.
    ///
    /// # Errors
    /// A file that can't be removed.
    pub fn settle(&self) -> Result<(), Failure> {
        let mut same = self.snapshots.iter().filter(|(_, found)| *found == Found::Same);
        same.try_for_each(|(text, _)| remove(&waiting(&text.path)))
    }

    fn write(&self, text: &Text, path: &Path) -> Result<(), Failure> {
        write_file(path, written(&self.source, &text.expression, &text.text).as_bytes()).map_err(Failure::File)
    }
}

/// The file of a text that waits for a review.
pub(super) fn waiting(path: &Path) -> PathBuf {
    path.with_extension("snap.new")
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::Other(format!("cannot remove {}: {why}", path.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Found {
    /// What is wrong with a snapshot of that path, with the lines that changed; nothing where it is as it should be.
    pub fn told(&self, text: &Text) -> String {
        let shown = text.path.display();
        match self {
            Found::Same => String::new(),
            Found::New => format!("{shown} is missing\n"),
            Found::Changed(old) => format!("{shown} changed:\n{}", difference(old, &normal(&text.text))),
        }
    }
}
