//! NumPy's archives (.npz): one array each file of a zip archive, stored or deflated. They are written stored. An array alone
//! (.npy) is read like an archive that has it under the file's name.
//!
//! In: a path. Out: an [`NpzFile`] with its arrays unpacked in memory, rows first; or a
//! [`WeightError`]. Everything is read and its checksums compared when the file is opened, so that
//! an archive costs as much memory as its numbers. What an archive claims to unpack to is bounded
//! by its own length: real weights hardly compress, and an archive that would fill the memory is an
//! error before anything is unpacked.
//!
//! What it can't do: encrypted archives, compression other than deflate (NumPy has none), and what
//! `npy.rs` refuses.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::error::{DOWNLOAD_AGAIN, WeightError, bytes_in_words, quoted, shortened};
use super::format::Format;
use super::io::write_file;
use super::npy::{self, Head, npy_bytes, read_head};
use super::regular::open_regular_file;
use super::safetensors::hint_from_content;
use super::tensor::{Place, Tensor, TensorView};

/// What every zip archive that has a file in it begins with.
pub(super) const MAGIC: &[u8; 4] = b"PK\x03\x04";

/// How many bytes an archive may unpack to whatever its length.
const ALWAYS_ALLOWED: u64 = 64 << 20;

/// How many times its own length an archive may unpack to.
const MOST_TIMES: u64 = 100;

/// An archive of arrays, unpacked.
#[derive(Debug)]
pub struct NpzFile {
    path: PathBuf,
    arrays: BTreeMap<String, Array>,
}

/// An array: what was unpacked, and where in it the elements lie.
#[derive(Debug)]
struct Array {
    bytes: Vec<u8>,
    place: Place,
}

impl NpzFile {
    /// Opens the archive at `path`, or the array alone, and reads all of it.
    ///
    /// # Errors
    ///
    /// When the file is not there or not readable, is not a whole zip archive, would unpack to far
    /// more than it could hold, or has something else in it than arrays of numbers; when an array alone is none of numbers.
    pub fn open(path: &Path) -> Result<NpzFile, WeightError> {
        let (file, length) = open_regular_file(path)?;
        if length == 0 {
            return Err(WeightError::reading(path, "it is empty").with_help(DOWNLOAD_AGAIN));
        }
        // SAFETY: as for a safetensors file: nothing here relies on the bytes keeping a value.
        // They are read once, from the first to the last.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| WeightError::reading(path, error))?;
        let arrays = if map.starts_with(npy::MAGIC) { array_alone(path, &map) } else { arrays_in(&map) };
        let arrays = arrays.map_err(|Problem { text, help }| {
            let help = help.or_else(|| hint_from_content(&map)).unwrap_or(DOWNLOAD_AGAIN);
            WeightError::reading(path, text).with_help(help)
        })?;
        Ok(NpzFile { path: path.to_path_buf(), arrays })
    }

    /// The path that the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the arrays, sorted; without the `.npy` that they have in the archive.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// The array called `name`, or `None` where there is none.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        let (name, array) = self.arrays.get_key_value(name)?;
        Some(TensorView::new(&self.path, name, &array.place, &array.bytes))
    }
}

/// Writes arrays to an archive, stored as they are.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_npz(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<(), WeightError> {
    let cannot = |error: &dyn std::fmt::Display| WeightError::writing(path, error);
    let mut archive = ZipWriter::new(io::Cursor::new(Vec::new()));
    // Without a time of its own, so that the same arrays make the same file.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, tensor) in tensors {
        let bytes = npy_bytes(tensor);
        let options = options.large_file(bytes.len() as u64 >= u64::from(u32::MAX));
        archive.start_file(format!("{name}.npy"), options).map_err(|error| cannot(&error))?;
        archive.write_all(&bytes).map_err(|error| cannot(&error))?;
    }
    let written = archive.finish().map_err(|error| cannot(&error))?;
    write_file(path, written.get_ref())
}

/// What is wrong with an archive, and what to do about it, where it is something else than damage.
struct Problem {
    text: String,
    help: Option<&'static str>,
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem { text, help: None }
    }
}

/// The array of a file that is one, by the file's name without its ending.
fn array_alone(path: &Path, file: &[u8]) -> Result<BTreeMap<String, Array>, Problem> {
    let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let array = array(file.to_vec()).map_err(|what| format!("the array {}: {what}", quoted(&name)))?;
    Ok(BTreeMap::from([(name, array)]))
}

fn arrays_in(file: &[u8]) -> Result<BTreeMap<String, Array>, Problem> {
    let damaged =
        |error: &dyn std::fmt::Display| format!("it is not a whole archive: {}", shortened(&error.to_string()));
    let mut archive = ZipArchive::new(io::Cursor::new(file)).map_err(|error| damaged(&error))?;
    if archive.has_duplicate_names() {
        return Err("it has two files of one name".to_string().into());
    }
    let mut names = Vec::new();
    let mut total = 0_u64;
    for number in 0..archive.len() {
        let entry = archive.by_index(number).map_err(|error| damaged(&error))?;
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        total = total.saturating_add(entry.size());
        let Some(array) = name.strip_suffix(".npy") else {
            return Err(Problem {
                text: format!("it has the file {}, which is no array of NumPy's", quoted(&name)),
                help: name
                    .ends_with("data.pkl")
                    .then_some("this looks like a PyTorch file: save the model in the safetensors format instead"),
            });
        };
        names.push(array.to_string());
    }
    let most = (file.len() as u64).saturating_mul(MOST_TIMES).max(ALWAYS_ALLOWED);
    if total > most {
        return Err(Problem {
            text: format!(
                "its {} would unpack to {}, and the most that is unpacked is {most}",
                bytes_in_words(file.len() as u64),
                bytes_in_words(total)
            ),
            help: Some("weights do not compress so far: do not trust this file"),
        });
    }
    let mut arrays = BTreeMap::new();
    for (number, name) in names.into_iter().enumerate() {
        let mut entry = archive.by_index(number).map_err(|error| damaged(&error))?;
        let wrong = |what: String| format!("the array {}: {what}", quoted(&name));
        let size = entry.size();
        let mut bytes = Vec::new();
        // One byte more than claimed shows that the claim is wrong. Nothing is reserved by it.
        let read = (&mut entry).take(size.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| wrong(format!("it cannot be unpacked: {}", shortened(&error.to_string()))))?;
        if bytes.len() as u64 != size {
            return Err(wrong(format!("it should unpack to {}, and does not", bytes_in_words(size))).into());
        }
        let array = array(bytes).map_err(wrong)?;
        arrays.insert(name, array);
    }
    Ok(arrays)
}

/// An array of what was unpacked.
fn array(mut bytes: Vec<u8>) -> Result<Array, String> {
    let Head { dtype, shape, first_axis_fastest, data } = read_head(&bytes)?;
    let size = dtype.bitsize() / 8;
    // Without the zeros, of which a product would forget how large the others are.
    let without_zeros = shape.iter().copied().filter(|size| *size != 0).try_fold(size, usize::checked_mul);
    without_zeros.ok_or_else(|| format!("its shape {shape:?} is more than memory can hold"))?;
    let wanted = shape.iter().product::<usize>() * size;
    let found = bytes.len() - data;
    if wanted != found {
        return Err(format!(
            "with elements of type {dtype} and the shape {shape:?} it takes {wanted} bytes of data, but has {found}"
        ));
    }
    if first_axis_fastest && shape.len() > 1 {
        let rows_first = rows_first(&bytes[data..], size, &shape);
        bytes.truncate(data);
        bytes.extend(rows_first);
    }
    let place = Place { format: Format::Plain(dtype), shape, bytes: data..bytes.len() };
    Ok(Array { bytes, place })
}

/// Elements of so many bytes, from an order in which the first axis runs fastest to one in which the last does.
fn rows_first(elements: &[u8], size: usize, shape: &[usize]) -> Vec<u8> {
    let mut turned = Vec::with_capacity(elements.len());
    let mut index = vec![0; shape.len()];
    let strides: Vec<usize> = shape
        .iter()
        .scan(size, |stride, size| {
            let own = *stride;
            *stride *= size;
            Some(own)
        })
        .collect();
    let mut place = 0;
    while turned.len() < elements.len() {
        turned.extend_from_slice(&elements[place..place + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    turned
}
