//! `seqc generate` with published models: what their own packages say, and sensible text.
//!
//! `scripts/fetch-NAME.sh` brings a model into the cache. A test of one that is not there is skipped, with a line on standard
//! error; with `SEQWRIGHT_REQUIRE_MODELS=1` (as in CI) it fails.
#![cfg(feature = "tokenizers")]

use serde_json::Value;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A model of the cache, or none: then the test is to be left.
fn cached(name: &str, file: &str) -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let cache = variable("SEQWRIGHT_CACHE").or_else(|| Some(caches()?.join("seqwright")));
    let path = cache.map(|cache| cache.join(name).join(file)).filter(|path| path.exists());
    if path.is_none() {
        let required = env::var("SEQWRIGHT_REQUIRE_MODELS").as_deref() == Ok("1");
        assert!(!required, "the model {name} is required and not in the cache: run scripts/fetch-{name}.sh");
        let line = format!("skipped: the model {name} is not in the cache; run scripts/fetch-{name}.sh\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    path
}

fn generate(example: &str, checkpoint: &Path, more: &[&str]) -> (String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
    command.arg("generate").arg(root.join("examples").join(example)).arg("--checkpoint").arg(checkpoint);
    let done = command.args(more).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (output, errors) = (text(done.stdout), text(done.stderr));
    assert!(done.status.success(), "{output}{errors}");
    (output, errors)
}

/// What a package says of its model: texts, and what it makes of them.
fn known(name: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/models").join(name).join("greedy.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = |case: &Value, key: &str| case[key].as_str().unwrap().to_string();
    all["cases"].as_array().unwrap().iter().map(|case| (text(case, "text"), text(case, "result"))).collect()
}

/// All texts of a package as one batch.
fn is_as_known(name: &str, example: &str, checkpoint: &Path, most: usize) {
    let cases: Vec<(String, String)> = known(name).into_iter().take(most).collect();
    let prompts: Vec<&str> = cases.iter().flat_map(|(text, _)| ["--prompt", text.as_str()]).collect();
    let (output, _) = generate(example, checkpoint, &[&prompts[..], &["--json"]].concat());
    let document: Value = serde_json::from_str(&output).unwrap();
    for (one, (text, result)) in document["sequences"].as_array().unwrap().iter().zip(&cases) {
        assert_eq!(one["text"], result.as_str(), "{name}: {text}");
    }
}

#[test]
fn words_are_spoken() {
    let Some(checkpoint) = cached("g2p", "checkpoint20.npz") else { return };
    let (output, _) = generate("g2p.seq", &checkpoint, &["--prompt", "transformer"]);
    assert_eq!(output, "T R AE0 N S F AO1 R M ER0\n");
    is_as_known("g2p", "g2p.seq", &checkpoint, 200);
}

#[test]
fn phonemes_are_written() {
    let Some(checkpoint) = cached("hama", "") else { return };
    let (output, _) = generate("hama_stepwise.seq", &checkpoint, &["--prompt", "h ə l oʊ | w ɝ l d"]);
    assert_eq!(output, "hello world\n");
    is_as_known("hama", "hama_stepwise.seq", &checkpoint, 20);
}

#[test]
fn molecules_are_continued() {
    let Some(checkpoint) = cached("annalog", "") else { return };
    is_as_known("annalog", "annalog.seq", &checkpoint, 20);
}

#[test]
fn a_language_model_writes_and_answers() {
    let Some(checkpoint) = cached("smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let question = ["--chat", "--prompt", "What is the capital of France? Answer with one word."];
    let (output, errors) = generate("llama.seq", &checkpoint, &[&question[..], &["--max-tokens", "40"]].concat());
    assert!(output.contains("Paris"), "{output}");
    assert!(errors.contains("prompt ") && errors.contains(" tokens/s"), "{errors}");
    // Two prompts are one batch, and each is as alone.
    let (one, two) = (["--prompt", "The capital of France is"], ["--prompt", "Water boils when"]);
    let most = ["--max-tokens", "12"];
    let (first, _) = generate("llama.seq", &checkpoint, &[&one[..], &most].concat());
    let (second, _) = generate("llama.seq", &checkpoint, &[&two[..], &most].concat());
    let (both, _) = generate("llama.seq", &checkpoint, &[&one[..], &two, &most].concat());
    assert_eq!(both, format!("── 1: {} ──\n{first}\n── 2: {} ──\n{second}", one[1], two[1]));
    assert!(first.contains("Paris"), "{first}");
}
