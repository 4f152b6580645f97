//! The texts that an editor has open, and files by their addresses.
//!
//! A file that is open is what the editor shows, saved or not: a file that another uses, too.

use crate::session::read_text;
use lsp_types::Uri;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// A text that is open.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub uri: Uri,
    /// The file's path, or what stands for it where it has none.
    pub path: PathBuf,
    pub text: String,
    pub version: i32,
}

/// All texts that are open, by the addresses that the editor has for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Documents {
    open: BTreeMap<String, Document>,
}

impl Documents {
    pub fn open(&mut self, uri: Uri, text: String, version: i32) {
        let path = path_of(&uri).unwrap_or_else(|| PathBuf::from(uri.as_str()));
        self.open.insert(uri.as_str().to_string(), Document { uri, path, text, version });
    }

    pub fn change(&mut self, uri: &Uri, text: String, version: i32) {
        if let Some(document) = self.open.get_mut(uri.as_str()) {
            (document.text, document.version) = (text, version);
        }
    }

    pub fn close(&mut self, uri: &Uri) {
        self.open.remove(uri.as_str());
    }

    pub fn get(&self, uri: &Uri) -> Option<&Document> {
        self.open.get(uri.as_str())
    }

    pub fn all(&self) -> impl Iterator<Item = &Document> {
        self.open.values()
    }

    /// The address of a file: the one that the editor has for it, where it is open.
    pub fn uri(&self, path: &Path) -> Option<Uri> {
        match self.all().find(|document| document.path == path) {
            Some(document) => Some(document.uri.clone()),
            None => uri_of(path),
        }
    }

    /// The text of a file that another uses, and its name.
    pub fn load(&self, user: &str, used: &str) -> Result<(String, String), String> {
        let folder = Path::new(user).parent().unwrap_or(Path::new(""));
        let path = plain(&folder.join(used));
        let text = match self.all().find(|document| document.path == path) {
            Some(document) => document.text.clone(),
            None => read_text(&path)?,
        };
        Ok((path.display().to_string(), text))
    }
}

/// A path without `.` and `..`, so that a file has one name.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// The path of an address `file:///…`.
fn path_of(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    let path = &rest[rest.find('/')?..];
    let mut bytes = Vec::new();
    let mut letters = path.bytes();
    while let Some(byte) = letters.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        match byte {
            b'%' => {
                let (high, low) = (digit(letters.next())?, digit(letters.next())?);
                bytes.push(u8::try_from(16 * high + low).ok()?);
            }
            _ => bytes.push(byte),
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    // `file:///C:/models`: the slash before a drive is none of its path.
    let has_drive =
        path.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic) && path.as_bytes().get(2) == Some(&b':');
    Some(plain(Path::new(if has_drive { &path[1..] } else { &path })))
}

/// The address of a path that begins at the root.
fn uri_of(path: &Path) -> Option<Uri> {
    if !path.is_absolute() {
        return None;
    }
    let text = path.to_str()?.replace('\\', "/");
    let mut uri = String::from(if text.starts_with('/') { "file://" } else { "file:///" });
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    Uri::from_str(&uri).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn paths_and_addresses_are_the_same() {
        for path in ["/a/b.seq", "/with blank/é#?.seq", "/%41.seq"] {
            let uri = uri_of(Path::new(path)).expect("an address");
            assert_eq!(path_of(&uri), Some(PathBuf::from(path)));
        }
        let of = |text: &str| path_of(&Uri::from_str(text).expect("an address"));
        assert_eq!(of("file:///a/./c/../b.seq"), Some(PathBuf::from("/a/b.seq")));
        assert_eq!(of("file:///c%3A/m.seq"), Some(PathBuf::from("c:/m.seq")));
        assert_eq!(of("untitled:Untitled-1"), None);
        assert_eq!(uri_of(Path::new("a.seq")), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_open_comes_before_what_is_saved() {
        let folder = tempfile::tempdir().expect("a folder");
        let saved = folder.path().join("saved.seq");
        std::fs::write(&saved, "// saved").expect("a file");
        let user = folder.path().join("sub/m.seq").display().to_string();
        let mut documents = Documents::default();
        assert_eq!(documents.load(&user, "../saved.seq"), Ok((saved.display().to_string(), "// saved".to_string())));
        documents.open(uri_of(&saved).expect("an address"), "// open".to_string(), 1);
        assert_eq!(documents.load(&user, "../saved.seq").map(|(_, text)| text), Ok("// open".to_string()));
        assert!(documents.load(&user, "none.seq").is_err());
    }
}
