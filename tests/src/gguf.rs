//! GGUF files and zip archives, right and wrong: what tests of the readers write.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// A GGUF file to be.
#[derive(Clone)]
pub struct Gguf {
    /// The version.
    pub version: u32,
    /// Keys, the kinds of their values, and the values as they lie in the file.
    pub keys: Vec<(String, u32, Vec<u8>)>,
    /// The tensors, one after the other.
    pub tensors: Vec<Tensor>,
    /// What places are a multiple of.
    pub alignment: usize,
}

/// A tensor of a GGUF file to be.
#[derive(Clone)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its sizes, innermost first, as the file has them.
    pub sizes: Vec<u64>,
    /// The number of its type.
    pub kind: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The numbers of the kinds of values.
pub mod kind {
    #![allow(missing_docs)]
    pub const U8: u32 = 0;
    pub const U32: u32 = 4;
    pub const I32: u32 = 5;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const TEXT: u32 = 8;
    pub const LIST: u32 = 9;
    pub const U64: u32 = 10;
}

impl Default for Gguf {
    fn default() -> Gguf {
        Gguf { version: 3, keys: Vec::new(), tensors: Vec::new(), alignment: 32 }
    }
}

impl Gguf {
    /// The file with one more key.
    #[must_use]
    pub fn key(mut self, name: &str, kind: u32, value: impl Into<Vec<u8>>) -> Gguf {
        self.keys.push((name.to_string(), kind, value.into()));
        self
    }

    /// The file with one more whole number.
    #[must_use]
    pub fn number(self, name: &str, number: u32) -> Gguf {
        self.key(name, kind::U32, number.to_le_bytes())
    }

    /// The file with one more float.
    #[must_use]
    pub fn float(self, name: &str, number: f32) -> Gguf {
        self.key(name, kind::F32, number.to_le_bytes())
    }

    /// The file with one more text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Gguf {
        self.key(name, kind::TEXT, text(value))
    }

    /// The file with one more list of texts.
    #[must_use]
    pub fn texts(self, name: &str, texts: &[&str]) -> Gguf {
        let elements: Vec<u8> = texts.iter().flat_map(|one| text(one)).collect();
        self.key(name, kind::LIST, list(kind::TEXT, texts.len() as u64, &elements))
    }

    /// The file with one more list of whole numbers.
    #[must_use]
    pub fn integers(self, name: &str, numbers: &[i32]) -> Gguf {
        let elements: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.key(name, kind::LIST, list(kind::I32, numbers.len() as u64, &elements))
    }

    /// The file with one more list of floats.
    #[must_use]
    pub fn floats(self, name: &str, numbers: &[f32]) -> Gguf {
        let elements: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.key(name, kind::LIST, list(kind::F32, numbers.len() as u64, &elements))
    }

    /// The file with one more tensor of bytes, its sizes innermost first.
    #[must_use]
    pub fn tensor(mut self, name: &str, sizes: &[u64], kind: u32, bytes: impl Into<Vec<u8>>) -> Gguf {
        self.tensors.push(Tensor { name: name.to_string(), sizes: sizes.to_vec(), kind, bytes: bytes.into() });
        self
    }

    /// The file with one more tensor of floats, its sizes outermost first.
    #[must_use]
    pub fn matrix(self, name: &str, shape: &[usize], numbers: &[f32]) -> Gguf {
        let sizes: Vec<u64> = shape.iter().rev().map(|size| *size as u64).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.tensor(name, &sizes, 0, bytes)
    }

    /// Everything before the data, without what fills it up.
    pub fn head(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for (name, kind, value) in &self.keys {
            bytes.extend(text(name));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        }
        let mut place = 0_u64;
        for tensor in &self.tensors {
            bytes.extend(text(&tensor.name));
            bytes.extend((tensor.sizes.len() as u32).to_le_bytes());
            tensor.sizes.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
            bytes.extend(tensor.kind.to_le_bytes());
            bytes.extend(place.to_le_bytes());
            place = (place + tensor.bytes.len() as u64).next_multiple_of(self.alignment as u64);
        }
        bytes
    }

    /// The whole file; it ends with its last tensor.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        for tensor in &self.tensors {
            bytes.resize(bytes.len().next_multiple_of(self.alignment), 0);
            bytes.extend(&tensor.bytes);
        }
        bytes
    }
}

/// A text with its length before it.
pub fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

/// A list with its kind and count before it.
pub fn list(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat()
}

/// A new temporary folder with one file; gives the folder, which deletes itself, and the path.
pub fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a file in it");
    (folder, path)
}
