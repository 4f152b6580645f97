//! Traced values as files for other programs: one array in NumPy's format, several in its archive, or safetensors.
//!
//! The first axis of each array counts the sequences; shorter ones are filled up with zeros, and their lengths are written
//! too where they differ.

use super::super::Stop;
use super::Traced;
use crate::batch::{Batch, padded};
use crate::session::Failure;
use crate::weights::{Tensor, Values, write_npy, write_npz, write_safetensors};
use seqwright_compiler::model::Model;
use seqwright_compiler::term::ValueId;
use std::collections::BTreeMap;
use std::path::Path;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One array.
    Npy,
    /// Arrays in an archive.
    Npz,
    /// Tensors.
    Safetensors,
}

/// The kind that a file's name ends in.
pub fn format(path: &Path) -> Result<Format, Stop> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("npy") => Ok(Format::Npy),
        Some("npz") => Ok(Format::Npz),
        Some("safetensors") => Ok(Format::Safetensors),
        Some(_) | None => Err(Stop::Usage(format!(
            "`--save {}` ends in no kind of file that is known: wanted is .npy, .npz or .safetensors",
            path.display()
        ))),
    }
}

/// Refuses more values than a file has room for, before anything is computed.
pub fn fits(format: Option<Format>, chosen: &[(String, ValueId)]) -> Result<(), Stop> {
    match (format, chosen.len()) {
        (Some(Format::Npy), count) if count != 1 => {
            Err(Stop::Usage(format!("a .npy file has one array, and {count} values are asked for: save them as .npz")))
        }
        (Some(Format::Npy | Format::Npz | Format::Safetensors) | None, _) => Ok(()),
    }
}

/// Writes values.
pub fn save(path: &Path, format: Format, model: &Model, batch: &Batch, traced: &[Traced]) -> Result<(), Stop> {
    let tensor = |value: &Traced| padded(&model.value(value.id).axes, batch, &value.rows);
    let written = match format {
        Format::Npy => write_npy(path, &tensor(&traced[0])),
        Format::Npz | Format::Safetensors => {
            let mut tensors: BTreeMap<String, Tensor> =
                traced.iter().map(|value| (value.path.clone(), tensor(value))).collect();
            tensors.extend(lengths(model, batch));
            if format == Format::Npz { write_npz(path, &tensors) } else { write_safetensors(path, &tensors) }
        }
    };
    Ok(written.map_err(Failure::File)?)
}

/// The lengths of sequences that differ in them: `lengths.T`.
fn lengths<'a>(model: &'a Model, batch: &'a Batch) -> impl Iterator<Item = (String, Tensor)> + 'a {
    model.times.iter().zip(&batch.lengths).filter_map(|(time, lengths)| {
        let differ = lengths.iter().any(|length| *length != lengths[0]);
        let numbers = Values::Integers(lengths.iter().map(|length| *length as i64).collect());
        differ.then(|| Some((format!("lengths.{time}"), Tensor::new(vec![lengths.len()], numbers).ok()?)))?
    })
}
