//! Published models: where `scripts/fetch-NAME.sh` keeps them, and what their own packages say about some inputs
//! (`fixtures/models/NAME`, see the README there).
//!
//! A test of a model that was not fetched is skipped, with a line on standard error; with `SEQWRIGHT_REQUIRE_MODELS=1` (as in
//! CI) it fails.

use crate::goldens::{Case, example, integers, shown};
use crate::sources::repository;
use seqwright::session::{Request, check};
use seqwright::weights::{Checkpoint, Io, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder of a model in the cache, or none: then the test is to be left.
///
/// # Panics
/// Where the model is required and not there.
pub fn folder(name: &str) -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let cache = variable("SEQWRIGHT_CACHE").or_else(|| Some(caches()?.join("seqwright")));
    let folder = cache.map(|cache| cache.join(name)).filter(|folder| folder.is_dir());
    if folder.is_none() {
        let required = env::var("SEQWRIGHT_REQUIRE_MODELS").as_deref() == Ok("1");
        assert!(!required, "the model {name} is required and not in the cache: run scripts/fetch-{name}.sh");
        // Not `eprintln!`, which the test runner keeps to itself when a test passes.
        let line = format!("skipped: the model {name} is not in the cache; run scripts/fetch-{name}.sh\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    folder
}

/// A file of `fixtures/models`.
pub fn fixture(path: &str) -> PathBuf {
    repository().join("tests/fixtures/models").join(path)
}

/// What a model continues inputs with, by the arg max, as its package says.
pub struct Greedy {
    /// The decoder's first token; none for a language model, whose tokens go on.
    pub start: Option<usize>,
    /// The token that ends a continuation.
    pub end: usize,
    /// How many tokens a continuation has at most, the last one included.
    pub at_most: usize,
    /// The inputs.
    pub cases: Vec<Continued>,
}

/// An input and its continuation.
pub struct Continued {
    /// As text.
    pub text: String,
    /// As tokens.
    pub tokens: Vec<usize>,
    /// What comes.
    pub greedy: Vec<usize>,
    /// What that is as text.
    pub result: String,
}

impl Greedy {
    /// Reads `NAME/greedy.json`.
    pub fn read(name: &str) -> Greedy {
        let text = std::fs::read_to_string(fixture(name).join("greedy.json")).expect("the fixture is there");
        let all: Value = serde_json::from_str(&text).expect("the fixture is JSON");
        let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
        let numbers = |value: &Value| -> Vec<usize> {
            let list = value.as_array().expect("a list of tokens");
            list.iter().map(|token| number(token).expect("a token")).collect()
        };
        let string = |value: &Value| value.as_str().expect("a text").to_string();
        let continued = |case: &Value| Continued {
            text: string(&case["text"]),
            tokens: numbers(case.get("source").unwrap_or(&case["tokens"])),
            greedy: numbers(&case["greedy"]),
            result: string(&case["result"]),
        };
        Greedy {
            start: number(&all["start"]),
            end: number(&all["end"]).expect("the fixture says what ends a continuation"),
            at_most: number(&all["at_most"]).expect("the fixture says how long a continuation is at most"),
            cases: all["cases"].as_array().expect("the fixture has cases").iter().map(continued).collect(),
        }
    }
}

/// An example with its published weights, and inputs and outputs of a fixture.
pub fn published(name: &str, weights: &Path, io: &str) -> Case {
    let checkpoint = Checkpoint::open(weights).unwrap_or_else(|error| panic!("{error}"));
    let mut io = Io::open(&fixture(io)).unwrap_or_else(|error| panic!("{error}"));
    let outputs = io.outputs.keys().cloned().collect();
    let request = Request { file: example(name), outputs: Some(outputs), ..Request::default() };
    let checked = shown(check(&request, Some(&checkpoint)));
    let (ragged, inputs): (BTreeMap<String, Tensor>, _) =
        std::mem::take(&mut io.inputs).into_iter().partition(|(name, _)| name.starts_with("lengths"));
    io.inputs = inputs;
    let time = |name: &str| name.strip_prefix("lengths.").unwrap_or(&checked.model.times[0]).to_string();
    let lengths = ragged.iter().map(|(name, tensor)| (time(name), integers(tensor))).collect();
    Case { checked, checkpoint, io, lengths }
}
