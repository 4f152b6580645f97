//! Io files: a model's inputs with the outputs expected for them, and writing results.
//!
//! In: a safetensors file whose tensors are called `in.NAME` and `out.NAME`. Out: an [`Io`] with
//! owned tensors. The other way, [`write_safetensors`] writes tensors by name to a new file that
//! takes the place of an old one whole or not at all.
//!
//! Results are put together in memory before they are written, so this is no way to write a
//! checkpoint. Element types are kept only as far as [`Values`] tells them apart: a file of F16
//! comes in as `f32` and goes out as F32.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use safetensors::Dtype;
use safetensors::tensor::View;

use super::error::{WeightError, quoted};
use super::safetensors::SafetensorsFile;
use super::tensor::{Tensor, Values};

/// What an io file holds: tensors by their names without `in.` and `out.`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Io {
    /// The tensors called `in.NAME`, by NAME.
    pub inputs: BTreeMap<String, Tensor>,
    /// The tensors called `out.NAME`, by NAME; empty in a file that expects nothing.
    pub outputs: BTreeMap<String, Tensor>,
}

impl Io {
    /// Reads the io file at `path`, all of it.
    ///
    /// # Errors
    ///
    /// When the file is not a well-formed safetensors file, when a tensor is called neither
    /// `in.NAME` nor `out.NAME`, and when a tensor's elements are of a type that Seqwright cannot
    /// read.
    pub fn open(path: &Path) -> Result<Io, WeightError> {
        let file = SafetensorsFile::open(path)?;
        let mut io = Io::default();
        for full_name in file.names() {
            let (group, name) = match full_name.split_once('.') {
                Some(("in", name)) if !name.is_empty() => (&mut io.inputs, name),
                Some(("out", name)) if !name.is_empty() => (&mut io.outputs, name),
                _ => {
                    let name = quoted(full_name);
                    let problem = format!("tensor {name} is called neither `in.NAME` nor `out.NAME`");
                    return Err(WeightError::reading(path, problem)
                        .with_help("name a model's inputs `in.NAME` and its expected outputs `out.NAME`"));
                }
            };
            if let Some(tensor) = file.tensor(full_name) {
                group.insert(name.to_string(), tensor.to_tensor()?);
            }
        }
        Ok(io)
    }
}

/// Writes tensors to a safetensors file at `path`: floats as F32, integers as I64.
///
/// An existing file is replaced by a rename once the new one is complete, so that whoever has the
/// old one mapped keeps it. Something other than a regular file is written into as it is.
///
/// # Errors
///
/// When a tensor is called `__metadata__`, a name that the format keeps for itself, and when the
/// file cannot be written.
pub fn write_safetensors(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<(), WeightError> {
    if tensors.contains_key("__metadata__") {
        return Err(WeightError::writing(path, "no tensor can be called `__metadata__`"));
    }
    let saved = tensors.iter().map(|(name, tensor)| (name, Saved(tensor)));
    let bytes = safetensors::serialize(saved, None).map_err(|error| WeightError::writing(path, error))?;
    write_file(path, &bytes)
}

/// Writes a file that takes the place of an old one whole or not at all.
///
/// # Errors
///
/// When the file cannot be written.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), WeightError> {
    let written = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => fs::write(path, bytes),
        // A link is followed: what it points to is replaced, and the link stays.
        Ok(_) => fs::canonicalize(path).and_then(|path| replace_file(&path, bytes)),
        Err(_) => replace_file(path, bytes),
    };
    written.map_err(|error| WeightError::writing(path, error))
}

/// Writes a new file beside `path` and renames it to `path`.
fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The number keeps two threads of this process apart, the process id two processes.
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let file_name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut partial_name = std::ffi::OsString::from(".");
    partial_name.push(file_name);
    partial_name.push(format!(".{}-{number}.partial", std::process::id()));
    let partial = path.with_file_name(partial_name);
    let result = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&partial)
        .and_then(|mut file| file.write_all(bytes))
        // Who may read and write the old file may the new one.
        .and_then(|()| fs::metadata(path).map_or(Ok(()), |old| fs::set_permissions(&partial, old.permissions())))
        .and_then(|()| fs::rename(&partial, path));
    if result.is_err() {
        // Best effort: the error that led here says more than one about the clean-up.
        let _ = fs::remove_file(&partial);
    }
    result
}

/// A tensor as the `safetensors` crate wants to see it.
struct Saved<'tensor>(&'tensor Tensor);

impl View for Saved<'_> {
    fn dtype(&self) -> Dtype {
        match self.0.values() {
            Values::Floats(_) => Dtype::F32,
            Values::Integers(_) => Dtype::I64,
        }
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        // The format is little-endian; a machine that is not converts.
        match self.0.values() {
            Values::Floats(floats) if cfg!(target_endian = "little") => Cow::Borrowed(bytemuck::cast_slice(floats)),
            Values::Integers(integers) if cfg!(target_endian = "little") => {
                Cow::Borrowed(bytemuck::cast_slice(integers))
            }
            Values::Floats(floats) => floats.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Values::Integers(integers) => integers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    fn data_len(&self) -> usize {
        match self.0.values() {
            Values::Floats(floats) => size_of_val(&floats[..]),
            Values::Integers(integers) => size_of_val(&integers[..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::testing::{file_bytes, file_in_folder};

    fn floats(shape: &[usize], numbers: &[f32]) -> Tensor {
        Tensor::new(shape.to_vec(), Values::Floats(numbers.to_vec())).unwrap()
    }

    fn integers(shape: &[usize], numbers: &[i64]) -> Tensor {
        Tensor::new(shape.to_vec(), Values::Integers(numbers.to_vec())).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("io.safetensors");
        let tensors = BTreeMap::from([
            ("in.ids".to_string(), integers(&[2, 2], &[101, -1, i64::MAX, 102])),
            ("in.empty".to_string(), floats(&[0, 3], &[])),
            ("out.y.z".to_string(), floats(&[3], &[0.5, f32::MIN_POSITIVE, -0.0])),
            ("out.one".to_string(), floats(&[], &[f32::INFINITY])),
        ]);
        // The second time an existing file is replaced.
        for _ in 0..2 {
            write_safetensors(&path, &tensors).unwrap();
            let io = Io::open(&path).unwrap();
            assert_eq!(io.inputs.keys().collect::<Vec<_>>(), ["empty", "ids"]);
            assert_eq!(io.outputs.keys().collect::<Vec<_>>(), ["one", "y.z"]);
            assert_eq!(io.inputs["ids"], tensors["in.ids"]);
            assert_eq!(io.inputs["empty"], tensors["in.empty"]);
            assert_eq!(io.outputs["one"], tensors["out.one"]);
            let Values::Floats(found) = io.outputs["y.z"].values() else { panic!("not floats") };
            let bits: Vec<u32> = found.iter().map(|number| number.to_bits()).collect();
            assert_eq!(bits, [0.5, f32::MIN_POSITIVE, -0.0].map(f32::to_bits));
        }
        // Nothing else is left in the folder.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_without_a_group_are_an_error() {
        for name in ["x", "in", "in.", "out.", "input.x", "In.x", ".x", ""] {
            let entry = r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
            let bytes = file_bytes(&format!(r#"{{"{name}":{entry}}}"#), &[1]);
            let (_folder, path) = file_in_folder("io.safetensors", &bytes);
            let error = Io::open(&path).unwrap_err();
            let expected = format!("tensor `{name}` is called neither `in.NAME` nor `out.NAME`");
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn small_types_come_in_as_floats_and_integers() {
        let header = r#"{"in.mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},
                         "in.x":{"dtype":"BF16","shape":[1],"data_offsets":[2,4]}}"#;
        let bytes = file_bytes(header, &[1, 0, 0x80, 0x3f]);
        let (_folder, path) = file_in_folder("io.safetensors", &bytes);
        let io = Io::open(&path).unwrap();
        assert_eq!(io.inputs["mask"], integers(&[2], &[1, 0]));
        assert_eq!(io.inputs["x"], floats(&[1], &[1.0]));
        assert!(io.outputs.is_empty());
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &Path, name: &str| {
            write_safetensors(path, &BTreeMap::from([(name.to_string(), floats(&[1], &[1.0]))]))
        };
        let in_no_folder = folder.path().join("none").join("io.safetensors");
        let error = write(&in_no_folder, "y").unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert!(write(folder.path(), "y").is_err());
        let error = write(&folder.path().join("io.safetensors"), "__metadata__").unwrap_err();
        assert!(error.to_string().ends_with("no tensor can be called `__metadata__`"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
