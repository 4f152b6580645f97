//! Each target for a few seconds, from random recipes and from those under `corpus`. `BOLERO_RANDOM_TEST_TIME_MS` is how long each
//! runs; what fails prints the seed that shows it again (`BOLERO_RANDOM_SEED`), and the input.

use seqwright_fuzz::damage::damaged;
use seqwright_fuzz::formats::Format;
use seqwright_fuzz::{programs, seeds};
use std::cell::Cell;
use std::time::Duration;

/// How long a target runs where nothing is said.
const USUAL: Duration = Duration::from_secs(4);

/// The longest recipe: a choice, and some sixteen changes.
const LONGEST: usize = 160;

/// Runs a target on damaged files, and says how many it tried and how many of them were read all the same.
fn each(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8]) -> bool) {
    let (tried, read) = (Cell::new(0_u64), Cell::new(0_u64));
    let (tried, read) = (std::panic::AssertUnwindSafe(&tried), std::panic::AssertUnwindSafe(&read));
    let target = std::panic::AssertUnwindSafe(target);
    bolero::check!().with_test_time(USUAL).with_max_len(LONGEST).for_each(|recipe: &[u8]| {
        tried.set(tried.get() + 1);
        read.set(read.get() + u64::from(target(&damaged(recipe, seeds))));
    });
    eprintln!("{name}: {} inputs tried, {} of them read", tried.get(), read.get());
    assert!(tried.get() >= 20, "{name}: only {} inputs were tried", tried.get());
}

/// Files that are text, as far as they are.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn format(format: Format) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    each(&format!("{format:?}"), &format.seeds(), |bytes| format.read(folder.path(), bytes).is_ok());
}

#[test]
fn parser() {
    each("parser", &seeds::programs(), |bytes| {
        programs::parsed(&text(bytes));
        true
    });
}

#[test]
fn checker() {
    each("checker", &seeds::programs(), |bytes| programs::checked(&text(bytes)));
}

#[test]
fn formatter() {
    each("formatter", &seeds::programs(), |bytes| programs::formatted(&text(bytes)));
}

#[test]
fn safetensors() {
    format(Format::Safetensors);
}

#[test]
fn index() {
    format(Format::Index);
}

#[test]
fn config() {
    format(Format::Config);
}

#[test]
fn gguf() {
    format(Format::Gguf);
}

#[test]
fn npy() {
    format(Format::Npy);
}

#[test]
fn npz() {
    format(Format::Npz);
}

#[test]
fn tokenizer() {
    format(Format::Tokenizer);
}

#[test]
fn state() {
    format(Format::State);
}
