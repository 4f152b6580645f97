//! A safetensors file, mapped into memory.
//!
//! In: a path. Out: a [`SafetensorsFile`] whose every tensor is known to lie inside the file, to
//! be as long as its shape and element type say, and to share no byte with another; or a
//! [`WeightError`]. Opening reads the header alone, however large the file is; tensors are paged
//! in when their elements are read.
//!
//! What it can't do: notice that another process changes the file afterwards. A file that is
//! overwritten in place gives changed numbers, and one that is cut short ends the process with a
//! bus error, as with any mapped file. Replacing a file by renaming a new one over it is safe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::error::{DOWNLOAD_AGAIN, WeightError, bytes_in_words, quoted};
use super::format::Format;
use super::header::{HeaderEntry, read_header};
use super::regular::open_regular_file;
use super::tensor::{Place, TensorView};

/// The bytes before the header: its length as a little-endian 64-bit number.
const LENGTH_BYTES: usize = 8;

/// The longest header that is read, in bytes; the limit of the published format.
const LONGEST_HEADER: u64 = 100_000_000;

/// An open safetensors file, its header read and checked.
#[derive(Debug)]
pub struct SafetensorsFile {
    path: PathBuf,
    map: Arc<Mmap>,
    places: BTreeMap<String, Place>,
}

impl SafetensorsFile {
    /// Opens the file at `path` and checks all of its header.
    ///
    /// # Errors
    ///
    /// When the file is not there or not readable, and when it is not a whole and well-formed
    /// safetensors file.
    pub fn open(path: &Path) -> Result<SafetensorsFile, WeightError> {
        let (file, length) = open_regular_file(path)?;
        if length == 0 {
            return Err(WeightError::reading(path, "it is empty").with_help(DOWNLOAD_AGAIN));
        }
        // SAFETY: a mapping is sound as long as nobody changes the file under it, which no call
        // can promise for a file on disk. Seqwright itself never writes into an existing file (it
        // renames a new one over it), and the head of this file says what others must not do.
        // Nothing here relies on the bytes keeping a value: ranges are checked once against the
        // length of the mapping, and every bit pattern is a valid element.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| WeightError::reading(path, error))?;
        let places = places_in(&map).map_err(|problem| {
            let help = hint_from_content(&map).unwrap_or(DOWNLOAD_AGAIN);
            WeightError::reading(path, problem).with_help(help)
        })?;
        Ok(SafetensorsFile { path: path.to_path_buf(), map: Arc::new(map), places })
    }

    /// The path that the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the file's tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The tensor called `name`, or `None` where the file has none.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        let (name, place) = self.places.get_key_value(name)?;
        Some(TensorView::new(&self.path, name, place, &self.map).in_map(&self.map))
    }
}

/// The tensors of a whole file; the error goes on from "cannot read FILE: ".
fn places_in(file: &[u8]) -> Result<BTreeMap<String, Place>, String> {
    let file_length = bytes_in_words(file.len() as u64);
    let Some((length, rest)) = file.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(format!(
            "it is {file_length} long, but a safetensors file starts with an {LENGTH_BYTES}-byte \
             header length"
        ));
    };
    let header_length = u64::from_le_bytes(*length);
    if header_length > LONGEST_HEADER {
        return Err(format!(
            "it is not a safetensors file: its first {LENGTH_BYTES} bytes would mean a header of \
             {header_length} bytes, and the most is {LONGEST_HEADER}"
        ));
    }
    let split = usize::try_from(header_length).ok().and_then(|end| rest.split_at_checked(end));
    let Some((header, data)) = split else {
        return Err(format!(
            "it ends inside its header: the header should be {}, but only {} follow its length",
            bytes_in_words(header_length),
            rest.len()
        ));
    };
    let entries = read_header(header)?;
    let shapes =
        entries.iter().map(|entry| checked_shape(entry, data.len() as u64)).collect::<Result<Vec<_>, String>>()?;
    check_cover(&entries, data.len() as u64)?;
    let data_start = file.len() - data.len();
    let places = entries.into_iter().zip(shapes).map(|(entry, shape)| {
        // Both ends were found to be at most the length of the data, so they fit a usize.
        let bytes = data_start + entry.start as usize..data_start + entry.end as usize;
        (entry.name, Place { format: Format::Plain(entry.dtype), shape, bytes })
    });
    // Names are unique: `read_header` refuses a second one.
    Ok(places.collect())
}

/// Checks one tensor by itself against the length of the data; gives its shape.
fn checked_shape(entry: &HeaderEntry, data_length: u64) -> Result<Vec<usize>, String> {
    let name = quoted(&entry.name);
    let (start, end) = (entry.start, entry.end);
    if end < start {
        return Err(format!("tensor {name} ends at byte {end}, before its start at byte {start}"));
    }
    if end > data_length {
        return Err(format!(
            "it ends inside its tensors: tensor {name} should end at byte {end} of the data, but \
             the file has only {data_length} bytes of data"
        ));
    }
    let too_large = || format!("tensor {name} has shape {:?}, which is more than memory can hold", entry.shape);
    let shape = entry.shape.iter().map(|&size| usize::try_from(size));
    let shape = shape.collect::<Result<Vec<_>, _>>().map_err(|_| too_large())?;
    // A dimension of size zero empties the tensor, but the others must not overflow even then:
    // code that multiplies strides does not look for the zero first.
    let without_zeros = shape.iter().filter(|&&size| size != 0);
    without_zeros
        .copied()
        .try_fold(1_usize, usize::checked_mul)
        .and_then(|count| count.checked_mul(entry.dtype.bitsize()))
        .ok_or_else(too_large)?;
    let bits = shape.iter().product::<usize>() * entry.dtype.bitsize();
    let found = end - start;
    if !bits.is_multiple_of(8) || (bits / 8) as u64 != found {
        return Err(format!(
            "tensor {name} of type {} and shape {:?} takes {}, but its offsets give it {found}",
            entry.dtype,
            entry.shape,
            if bits.is_multiple_of(8) { bytes_in_words((bits / 8) as u64) } else { format!("{bits} bits") },
        ));
    }
    Ok(shape)
}

/// Checks that the tensors lie one after the other and cover all of the data.
fn check_cover(entries: &[HeaderEntry], data_length: u64) -> Result<(), String> {
    // A stable sort, so that of two tensors in one place the first one in the header is first.
    let mut entries: Vec<&HeaderEntry> = entries.iter().collect();
    entries.sort_by_key(|entry| (entry.start, entry.end));
    let mut covered = 0;
    let mut previous = None;
    for entry in entries {
        if entry.start > covered {
            return Err(format!(
                "bytes {covered} to {} of its data, before tensor {}, belong to no tensor",
                entry.start,
                quoted(&entry.name)
            ));
        }
        if let Some(previous) = previous
            && entry.start < covered
        {
            return Err(format!(
                "tensors {} and {} overlap at byte {} of its data",
                quoted(previous),
                quoted(&entry.name),
                entry.start
            ));
        }
        covered = entry.end;
        previous = Some(&entry.name);
    }
    if covered < data_length {
        return Err(format!(
            "its tensors end at byte {covered} of its data, which is {} long",
            bytes_in_words(data_length)
        ));
    }
    Ok(())
}

/// What a file that is not of the format that it was opened as most likely is.
pub(super) fn hint_from_content(file: &[u8]) -> Option<&'static str> {
    let start = &file[..file.len().min(64)];
    if start.starts_with(b"version ") && start.windows(7).any(|part| part == b"git-lfs") {
        Some("this is a git-lfs pointer, not the weights: run `git lfs pull` in its repository")
    } else if start.starts_with(b"<") && !start.contains(&0) {
        Some("this looks like a web page: the download link gave a page instead of the file")
    } else if start.starts_with(b"PK\x03\x04") {
        Some(
            "this is a zip archive: save a PyTorch model in the safetensors format; one of NumPy's is read as a checkpoint where its name ends with `.npz`, and inputs from it with `--input NAME=FILE`",
        )
    } else if start.starts_with(b"GGUF") {
        Some("this is a GGUF file: let its name end with `.gguf`")
    } else {
        None
    }
}

#[cfg(test)]
#[path = "safetensors_tests.rs"]
mod tests;
