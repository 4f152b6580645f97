//! A file of weights in any of the formats that are read.
//!
//! In: a path. Out: a [`WeightFile`]. Which format it is, the ending of its name says (`.gguf`,
//! `.npz`, `.npy`, `.safetensors`), or its first bytes where the name says nothing.

use std::io::Read;
use std::path::Path;

use seqwright_compiler::table::FileFormat;

use super::error::WeightError;
use super::gguf::{self, GgufFile};
use super::npy;
use super::npz::{self, NpzFile};
use super::regular::open_regular_file;
use super::safetensors::SafetensorsFile;
use super::tensor::TensorView;

/// An open file of weights.
#[derive(Debug)]
pub(crate) enum WeightFile {
    Safetensors(SafetensorsFile),
    Gguf(Box<GgufFile>),
    Npz(NpzFile),
}

impl WeightFile {
    /// Opens the file at `path` and checks it.
    pub fn open(path: &Path) -> Result<WeightFile, WeightError> {
        match format_of(path)? {
            FileFormat::Safetensors => SafetensorsFile::open(path).map(WeightFile::Safetensors),
            FileFormat::Gguf => GgufFile::open(path).map(|file| WeightFile::Gguf(Box::new(file))),
            FileFormat::Npz => NpzFile::open(path).map(WeightFile::Npz),
        }
    }

    pub fn format(&self) -> FileFormat {
        match self {
            WeightFile::Safetensors(_) => FileFormat::Safetensors,
            WeightFile::Gguf(_) => FileFormat::Gguf,
            WeightFile::Npz(_) => FileFormat::Npz,
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            WeightFile::Safetensors(file) => file.path(),
            WeightFile::Gguf(file) => file.path(),
            WeightFile::Npz(file) => file.path(),
        }
    }

    /// The names of its tensors, sorted.
    pub fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            WeightFile::Safetensors(file) => Box::new(file.names()),
            WeightFile::Gguf(file) => Box::new(file.names()),
            WeightFile::Npz(file) => Box::new(file.names()),
        }
    }

    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        match self {
            WeightFile::Safetensors(file) => file.tensor(name),
            WeightFile::Gguf(file) => file.tensor(name),
            WeightFile::Npz(file) => file.tensor(name),
        }
    }
}

fn format_of(path: &Path) -> Result<FileFormat, WeightError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
    if let Some(format) = FileFormat::ALL.into_iter().find(|format| ending.eq_ignore_ascii_case(format.word())) {
        return Ok(format);
    }
    if ending.eq_ignore_ascii_case("npy") {
        return Ok(FileFormat::Npz);
    }
    let (mut file, _) = open_regular_file(path)?;
    let mut start = [0; 4];
    // A file that is shorter is of none of the formats: its reader says what it is instead.
    let _ = file.read_exact(&mut start);
    Ok(match &start {
        gguf::MAGIC => FileFormat::Gguf,
        npz::MAGIC => FileFormat::Npz,
        start if npy::MAGIC.starts_with(&start[..]) => FileFormat::Npz,
        _ => FileFormat::Safetensors,
    })
}
