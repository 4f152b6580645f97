//! What the tests of this crate share: small files made by hand, and the cache of real models.
//!
//! In: a header as text and the bytes after it. Out: a file in a temporary folder. Real models
//! are never fetched here; a test that needs one is skipped with a line on standard error, or
//! fails where SEQWRIGHT_REQUIRE_MODELS=1 says that the cache must be filled.

use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;

/// The bytes of a safetensors file with this header and data, right or wrong.
pub(crate) fn file_bytes(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// A new temporary folder with one file; gives the folder (which deletes itself) and the path.
pub(crate) fn file_in_folder(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The folder of a model that a script in `scripts/` has fetched, or `None` to skip the test.
pub(crate) fn cached_model(name: &str) -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let cache = variable("SEQWRIGHT_CACHE").map(PathBuf::from).or_else(|| {
        let caches = variable("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
        Some(caches.join("seqwright"))
    });
    let folder = cache.map(|cache| cache.join(name)).filter(|folder| folder.is_dir());
    if folder.is_none() {
        let required = env::var("SEQWRIGHT_REQUIRE_MODELS").is_ok_and(|value| value == "1");
        assert!(!required, "the model {name} is not in the cache: run scripts/fetch-{name}.sh");
        // Not `eprintln!`, which the test runner keeps to itself when a test passes.
        let line = format!("skipped: no model {name} in the cache (scripts/fetch-{name}.sh)\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    folder
}
