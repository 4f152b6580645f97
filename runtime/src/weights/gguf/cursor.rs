//! Reading a GGUF file's head from its first byte on, never past its end.
//!
//! In: the file's bytes. Out: little-endian numbers, texts, and ranges of the file; or a sentence
//! that says what was being read, at which byte, and how much was missing. Nothing is allocated by
//! a length that the file claims: a length is held against what is left of the file first.

use std::fmt::Display;
use std::ops::Range;

use crate::weights::error::{bytes_in_words, quoted};

/// The longest name of a key or a tensor, in bytes; the limit of the published format.
const LONGEST_NAME: u64 = 65_535;

/// A place in a file.
pub(super) struct Cursor<'file> {
    file: &'file [u8],
    at: usize,
}

impl<'file> Cursor<'file> {
    pub fn new(file: &'file [u8]) -> Cursor<'file> {
        Cursor { file, at: 0 }
    }

    /// The place of the next byte.
    pub fn place(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.file.len() - self.at
    }

    /// The next so many bytes, which are passed over.
    pub fn range(&mut self, length: u64, what: &dyn Display) -> Result<Range<usize>, String> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        match end {
            Some(end) if end <= self.file.len() => {
                let range = self.at..end;
                self.at = end;
                Ok(range)
            }
            Some(_) | None => Err(format!(
                "it ends inside {what}: at byte {} there should be {}, but only {} follow",
                self.at,
                bytes_in_words(length),
                self.left()
            )),
        }
    }

    fn array<const SIZE: usize>(&mut self, what: &dyn Display) -> Result<[u8; SIZE], String> {
        let range = self.range(SIZE as u64, what)?;
        let mut bytes = [0; SIZE];
        bytes.copy_from_slice(&self.file[range]);
        Ok(bytes)
    }

    pub fn u32(&mut self, what: &dyn Display) -> Result<u32, String> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &dyn Display) -> Result<u64, String> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A text with its length before it, as the range of its letters.
    pub fn text(&mut self, what: &dyn Display) -> Result<Range<usize>, String> {
        let length = self.u64(what)?;
        let range = self.range(length, what)?;
        match std::str::from_utf8(&self.file[range.clone()]) {
            Ok(_) => Ok(range),
            Err(error) => {
                Err(format!("{what} is not UTF-8 text (at byte {} of the file)", range.start + error.valid_up_to()))
            }
        }
    }

    /// The name of a key or a tensor.
    pub fn name(&mut self, what: &dyn Display) -> Result<&'file str, String> {
        let place = self.at;
        let range = self.text(what)?;
        let name = std::str::from_utf8(&self.file[range]).unwrap_or_default();
        if name.len() as u64 > LONGEST_NAME {
            return Err(format!(
                "{what} at byte {place} is {} long, and the most is {LONGEST_NAME}",
                bytes_in_words(name.len() as u64)
            ));
        }
        if name.is_empty() {
            return Err(format!("{what} at byte {place} is empty"));
        }
        if name.contains('\0') {
            return Err(format!("{what} at byte {place}, {}, has a zero byte in it", quoted(name)));
        }
        Ok(name)
    }
}
