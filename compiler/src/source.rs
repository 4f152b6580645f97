//! Source text: the files of one compilation, and places in them.
//!
//! The compiler reads no files itself: whoever calls it hands over the text of each, found by [`Loader`].

/// One of the files of a compilation, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A place in a file: bytes `start..end` of its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From the start of this place to the end of `other`, in the same file.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start, end: self.end.max(other.end) }
    }
}

/// One file's name, as messages show it, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    /// As the user wrote it, or `library/cells.seq` for a file of the library.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// The files of one compilation; [`FileId`] counts them.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Adds a file, or finds the one of that name.
    pub fn add(&mut self, name: &str, text: &str) -> FileId {
        if let Some(place) = self.files.iter().position(|file| file.name == name) {
            return FileId(place as u32);
        }
        self.files.push(Source { name: name.to_string(), text: text.to_string() });
        FileId(self.files.len() as u32 - 1)
    }

    /// The same files under other names.
    pub fn renamed(&self, name: impl Fn(&str) -> String) -> Sources {
        let renamed = |file: &Source| Source { name: name(&file.name), text: file.text.clone() };
        Sources { files: self.files.iter().map(renamed).collect() }
    }

    /// The file of that number.
    pub fn get(&self, file: FileId) -> &Source {
        &self.files[file.0 as usize]
    }

    /// The text at a place.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).text.get(span.start..span.end).unwrap_or("")
    }

    /// The line a place starts in, counted from 1.
    pub fn line(&self, span: Span) -> usize {
        let text = &self.get(span.file).text;
        text.as_bytes()[..span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// Finds the text of a file that another one uses: given the file that says `use "NAME"` and that name, returns the used
/// file's own name (as messages show it, and as files are told apart: the same for one file, whichever way leads to it) and its text, or a sentence saying why not.
pub type Loader<'a> = dyn Fn(&str, &str) -> Result<(String, String), String> + 'a;
