//! A GGUF file (llama.cpp's): tensors, metadata and vocabulary in one, mapped into memory.
//!
//! In: a path. Out: a [`GgufFile`] whose every tensor is known to lie inside the file and to share
//! no byte with another, its metadata as a configuration, and its vocabulary; or a [`WeightError`]
//! that says at which byte something is wrong. Opening reads the head alone, once, in time and
//! memory that its length bounds, whatever counts it claims.
//!
//! Versions 2 and 3 are read, little-endian, in one file. What it can't do: version 1, big-endian
//! files, and models split over several files.
//!
//! | file | what it does |
//! | --- | --- |
//! | `cursor.rs` | numbers and texts, never past the file's end |
//! | `metadata.rs` | keys and values |
//! | `layout.rs` | where the tensors lie |
//! | `config.rs` | metadata as JSON |
//! | `vocabulary.rs` | what the metadata say about a tokenizer |

mod config;
mod cursor;
mod layout;
mod metadata;
mod vocabulary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use serde_json::Value as Json;

use self::cursor::Cursor;
use self::metadata::Value;
use super::error::{DOWNLOAD_AGAIN, WeightError, quoted};
use super::regular::open_regular_file;
use super::safetensors::hint_from_content;
use super::tensor::{Place, TensorView};
use crate::tokenizer::Vocabulary;

/// What every GGUF file begins with.
pub(super) const MAGIC: &[u8; 4] = b"GGUF";

/// What a tensor's place is a multiple of where the file doesn't say.
const USUAL_ALIGNMENT: u64 = 32;

/// An open GGUF file, its head read and checked.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    map: Arc<Mmap>,
    metadata: BTreeMap<String, Value>,
    places: BTreeMap<String, Place>,
    config: Json,
}

impl GgufFile {
    /// Opens the file at `path` and checks all of its head.
    ///
    /// # Errors
    ///
    /// When the file is not there or not readable, and when it is not a whole and well-formed GGUF
    /// file of version 2 or 3.
    pub fn open(path: &Path) -> Result<GgufFile, WeightError> {
        let (file, length) = open_regular_file(path)?;
        if length == 0 {
            return Err(WeightError::reading(path, "it is empty").with_help(DOWNLOAD_AGAIN));
        }
        // SAFETY: as for a safetensors file: nothing here relies on the bytes keeping a value.
        // Ranges are checked against the length of the mapping, texts are looked at again whenever
        // they are read, and every bit pattern is a valid element.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| WeightError::reading(path, error))?;
        let (metadata, places) = read(&map).map_err(|Problem { text, help }| {
            // What begins as a GGUF file is one, and damaged; anything else may be a file of another kind.
            let other = || if map.starts_with(b"GGUF") { None } else { hint_from_content(&map) };
            let help = help.or_else(other).unwrap_or(DOWNLOAD_AGAIN);
            WeightError::reading(path, text).with_help(help)
        })?;
        let config = config::config(&map, &metadata);
        Ok(GgufFile { path: path.to_path_buf(), map: Arc::new(map), metadata, places, config })
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

    /// The metadata as JSON, nested by the dots of their keys: `llama.block_count` stands in the
    /// object `llama`. Long lists are left out but for their `length`.
    pub fn config(&self) -> &Json {
        &self.config
    }

    /// What the metadata say about a tokenizer, or `None` where they say nothing.
    ///
    /// # Errors
    ///
    /// When an entry about it is of the wrong kind.
    pub(crate) fn vocabulary(&self) -> Result<Option<Vocabulary<'_>>, WeightError> {
        vocabulary::read(&self.map, &self.metadata).map_err(|problem| {
            WeightError::reading(&self.path, problem).with_help("get the file from its publisher again")
        })
    }
}

/// What is wrong with a file, and what to do about it, where it is something else than damage.
struct Problem {
    text: String,
    help: Option<&'static str>,
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem { text, help: None }
    }
}

type Contents = (BTreeMap<String, Value>, BTreeMap<String, Place>);

fn read(file: &[u8]) -> Result<Contents, Problem> {
    let mut cursor = Cursor::new(file);
    let magic = cursor.range(4, &"its first word")?;
    if file[magic.clone()] != *MAGIC {
        let found = String::from_utf8_lossy(&file[magic]).into_owned();
        return Err(format!("it is not a GGUF file: it begins with {}, not with `GGUF`", quoted(&found)).into());
    }
    let version = cursor.u32(&"its version")?;
    match version {
        2 | 3 => {}
        1 => {
            return Err(Problem {
                text: "it is of GGUF's version 1, and Seqwright reads versions 2 and 3".to_string(),
                help: Some("convert it with a current version of llama.cpp"),
            });
        }
        _ if version.swap_bytes() <= 0xffff => {
            return Err(Problem {
                text: "it is a big-endian GGUF file, and Seqwright reads little-endian ones".to_string(),
                help: Some("get the model's usual, little-endian file"),
            });
        }
        _ => {
            return Err(format!("it is of the unknown version {version}, and Seqwright reads versions 2 and 3").into());
        }
    }
    let tensors = cursor.u64(&"its count of tensors")?;
    let keys = cursor.u64(&"its count of keys")?;
    let metadata = metadata::read(file, &mut cursor, keys)?;
    if let Some(Value::Unsigned(parts @ 2..)) = metadata.get("split.count") {
        return Err(Problem {
            text: format!("it is one of the {parts} parts of a model"),
            help: Some("put the parts together with llama.cpp's `llama-gguf-split --merge`"),
        });
    }
    let alignment = match metadata.get("general.alignment") {
        None => USUAL_ALIGNMENT,
        Some(Value::Unsigned(number @ 1..=0x1_0000)) if number.is_power_of_two() => *number,
        Some(_) => {
            let text = "the value of the key `general.alignment` should be a power of two, 65536 at most";
            return Err(text.to_string().into());
        }
    };
    let places = layout::read(file, &mut cursor, tensors, alignment)?;
    Ok((metadata, places))
}
