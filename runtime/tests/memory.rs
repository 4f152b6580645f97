//! `seqc memory` from outside: its tables, its document, its page, and what it says where there is nothing to tell.

use serde_json::Value;
use std::path::Path;

fn seqc(words: &[&str]) -> (String, String, Option<i32>) {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("seqc");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let done = command.env_remove("COLORTERM").current_dir(root).args(words).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (text(done.stdout), text(done.stderr), done.status.code())
}

const LSTM: [&str; 4] = ["memory", "examples/lstm.seq", "--checkpoint", "tests/goldens/lstm"];

#[test]
fn the_table_says_what_is_left_and_what_the_gate_is() {
    let (output, errors, code) = seqc(&[&LSTM[..], &["--steps", "8"]].concat());
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("the inputs are random"), "{errors}");
    assert!(output.contains("A sequence of 17 positions of T"), "{output}");
    let line = output.lines().find(|line| line.trim_start().starts_with("lstm.c ")).expect("the state has a line");
    let cells: Vec<&str> = line.split_whitespace().collect();
    let numbers: Vec<f64> = cells[2..6].iter().filter_map(|cell| cell.parse().ok()).collect();
    assert!(numbers.len() == 4 && numbers.is_sorted_by(|one, other| one > other), "{line}");
    assert!(output.contains("lstm.forget[t, hidden]") && output.contains("half-life"), "{output}");
    assert!(output.contains("`lstm.h`: every direction, at 4 positions."), "{output}");
}

#[test]
fn the_document_has_every_step_and_the_page_every_curve() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("memory.html");
    let more = ["--steps", "4", "--state", "lstm.c", "--json", "--html", path.to_str().expect("a path")];
    let (output, errors, code) = seqc(&[&LSTM[..], &more].concat());
    assert_eq!(code, Some(0), "{errors}");
    let document: Value = serde_json::from_str(&output).expect("a document");
    let states = document["states"].as_array().expect("states");
    assert_eq!(states.len(), 1);
    assert_eq!(states[0]["typical"].as_array().map(Vec::len), Some(5));
    assert_eq!(states[0]["factor"]["half_lives"].as_array().map(Vec::len), Some(20));
    let page = std::fs::read_to_string(path).expect("a page");
    // What is left typically, and the most that is left.
    assert_eq!(page.matches("class=\"curve\"").count(), 2);
    assert!(page.contains("<title>lstm.c, 4 later: "), "{page}");
}

#[test]
fn where_nothing_goes_on_nothing_fades() {
    let (_, errors, code) = seqc(&["memory", "examples/gpt2.seq", "--checkpoint", "tests/goldens/gpt2"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("the model `GPT2` has no state"), "{errors}");
    let (_, errors, code) = seqc(&[&LSTM[..], &["--state", "lstm.forget"]].concat());
    assert_eq!(code, Some(1));
    assert!(errors.contains("`lstm.forget` is no state") && errors.contains("`lstm.c`"), "{errors}");
}
