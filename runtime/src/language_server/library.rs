//! Files of the library, which are part of this program, as files that an editor can open: written into the user's cache folder,
//! where nobody should change them, in a folder for each version of them.

use crate::cache;
use crate::weights::write_file;
use seqwright_compiler::library;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The file of the library that a source's name means: `library/cells.seq`.
pub(super) fn name(source: &str) -> Option<&str> {
    source.strip_prefix("library/")?.strip_suffix(".seq").filter(|name| library::file(name).is_some())
}

/// The path of a file of the library, written if it is not there; none where there is no cache folder.
pub(super) fn path(name: &str) -> Option<PathBuf> {
    path_in(&cache::folder()?, name)
}

fn path_in(cache: &Path, name: &str) -> Option<PathBuf> {
    let text = library::file(name)?;
    let mut hasher = DefaultHasher::new();
    library::names().filter_map(library::file).for_each(|text| text.hash(&mut hasher));
    let folder = cache.join("library").join(format!("{:016x}", hasher.finish()));
    let path = folder.join(format!("{name}.seq"));
    if std::fs::read_to_string(&path).is_ok_and(|known| known == text) {
        return Some(path);
    }
    std::fs::create_dir_all(&folder).ok()?;
    write_file(&path, text.as_bytes()).ok()?;
    let mut permissions = std::fs::metadata(&path).ok()?.permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).ok()?;
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_once_and_are_not_to_be_written() {
        let cache = tempfile::tempdir().expect("a folder");
        let path = path_in(cache.path(), "cells").expect("it is written");
        assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), library::file("cells"));
        assert!(std::fs::metadata(&path).expect("it is there").permissions().readonly());
        assert_eq!(path_in(cache.path(), "cells"), Some(path));
        assert_eq!(path_in(cache.path(), "none"), None);
        assert_eq!(
            (name("library/cells.seq"), name("library/none.seq"), name("/a/cells.seq")),
            (Some("cells"), None, None)
        );
    }
}
