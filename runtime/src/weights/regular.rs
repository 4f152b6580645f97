//! Files as they come from outside: opened only where they are files, and read only up to a bound.
//!
//! A path may lead to a folder, to a pipe that nobody writes into, or to a device without an end. Those are refused before they are
//! opened, so that no path makes a command wait or fill the memory.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::error::{DOWNLOAD_AGAIN, WeightError};

/// Opens a regular file for reading; gives it with its length in bytes.
///
/// Other kinds are refused before they are opened: a named pipe would wait for a writer.
pub(super) fn open_regular_file(path: &Path) -> Result<(File, u64), WeightError> {
    open(path).map_err(|error| {
        // A model cache keeps links to its files; a link left without one is a download cut off.
        if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_ok() {
            WeightError::reading(path, "it is a link to a file that does not exist").with_help(DOWNLOAD_AGAIN)
        } else if error.kind() == ErrorKind::NotFound {
            WeightError::reading(path, "there is no such file").with_help("check the path")
        } else {
            WeightError::reading(path, error)
        }
    })
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "a folder" } else { "not a regular file" };
        return Err(io::Error::other(format!("expected a file, but it is {kind}")));
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// The bytes of a regular file; `None` where there are more than `most`.
///
/// # Errors
/// The file is not there, is none, or can't be read.
pub(crate) fn read_regular(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let (file, length) = open(path)?;
    if length > most {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // One byte more shows a file that grows meanwhile, and one that has no length and no end all the same.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused_before_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| read_regular(path, 10).unwrap_err().to_string();
        assert_eq!(said(folder.path()), "expected a file, but it is a folder");
        if Path::new("/dev/zero").exists() {
            assert_eq!(said(Path::new("/dev/zero")), "expected a file, but it is not a regular file");
        }
        let path = folder.path().join("ten");
        fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read_regular(&path, 10).unwrap(), Some(vec![7; 10]));
        assert_eq!(read_regular(&path, 9).unwrap(), None);
    }
}
