//! `seqc trace` from outside: what it lists, shows and writes, and what it says where it can't.

use seqwright::weights::NpzFile;
use serde_json::Value;
use std::path::Path;

/// What a call printed on standard output and on standard error, and its exit code.
fn seqc(words: &[&str]) -> (String, String, Option<i32>) {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("seqc");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let done = command.env_remove("COLORTERM").current_dir(root).args(words).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (text(done.stdout), text(done.stderr), done.status.code())
}

const LSTM: [&str; 4] = ["trace", "examples/lstm.seq", "--checkpoint", "tests/goldens/lstm"];
const GPT2: [&str; 4] = ["trace", "examples/gpt2.seq", "--checkpoint", "tests/goldens/gpt2"];

fn with(call: [&str; 4], more: &[&str]) -> (String, String, Option<i32>) {
    seqc(&[&call[..], more].concat())
}

#[test]
fn the_list_has_every_equation_with_its_axes() {
    let (output, _, code) = with(LSTM, &["--list"]);
    assert_eq!(code, Some(0));
    let line = |name: &str| output.lines().find(|line| line.split_whitespace().next() == Some(name));
    let state = line("lstm.c").expect("the state is listed");
    assert!(state.contains("[T, hidden = 20]") && state.ends_with("state"), "{state}");
    assert!(line("lstm.forget").is_some_and(|line| line.ends_with("in a recurrence")), "{output}");
    assert!(line("lstm.h").is_some_and(|line| line.ends_with("lstm")), "{output}");
    assert!(line("lstm.forget.bias").is_none(), "weights are no values over time: {output}");
    let (output, _, _) = with(LSTM, &["--list", "--value", "lstm.*", "--json"]);
    let document: Value = serde_json::from_str(&output).expect("a document");
    assert_eq!(document["values"].as_array().map(Vec::len), Some(7), "{output}");
}

#[test]
fn attention_weights_are_a_table_for_each_head() {
    let (output, errors, code) = with(GPT2, &["--length", "5", "--value", "layer.*.attention.weight"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("the inputs are random"), "{errors}");
    assert_eq!(output.matches("attention.weight[i: T = 5, j: T = 5, heads = 4]").count(), 3, "{output}");
    assert_eq!(output.matches("heads = 2, i down, j across").count(), 3, "{output}");
    let (output, _, _) = with(GPT2, &["--length", "5", "--value", "layer.1.attention.weight", "--json"]);
    let document: Value = serde_json::from_str(&output).expect("a document");
    // Over the second position of each query stands what each head gives to it: all together are one.
    let numbers = &document["values"][0]["values"][0];
    for i in 0..5 {
        let sum: f64 = (0..5).filter_map(|j| numbers[i][j][3].as_f64()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{numbers}");
    }
}

#[test]
fn values_are_written_for_other_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gates.npz");
    let io = ["--io", "tests/goldens/lstm/io.safetensors"];
    let save = ["--value", "lstm.*", "--save", path.to_str().expect("a path")];
    let (_, errors, code) = with(LSTM, &[&io[..], &save].concat());
    assert_eq!(code, Some(0), "{errors}");
    let file = NpzFile::open(&path).expect("an archive");
    let names: Vec<&str> = file.names().collect();
    assert!(names.contains(&"lstm.forget") && names.contains(&"lstm.c"), "{names:?}");
    let forget = file.tensor("lstm.forget").and_then(|tensor| tensor.to_tensor().ok()).expect("an array");
    let (output, _, _) = with(LSTM, &[&io[..], &["--value", "lstm.forget", "--json"]].concat());
    let document: Value = serde_json::from_str(&output).expect("a document");
    let values = &document["values"][0]["values"];
    assert_eq!(forget.shape()[0], values.as_array().map_or(0, Vec::len));
    let seqwright::weights::Values::Floats(numbers) = forget.values() else { panic!("no floats") };
    assert_eq!(f64::from(numbers[1]) as f32, values[0][0][1].as_f64().expect("a number") as f32);

    let one = folder.path().join("one.npy");
    let (_, _, code) = with(LSTM, &["--length", "3", "--value", "lstm.c", "--save", one.to_str().expect("a path")]);
    let bytes = std::fs::read(&one).expect("a file");
    assert_eq!(code, Some(0));
    let head = String::from_utf8_lossy(&bytes[..128]).to_string();
    assert!(head.contains("'shape': (1, 3, 20,)") && bytes.len() == 128 + 4 * 3 * 20, "{head}");
}

#[test]
fn what_is_not_there_is_said_with_what_is_near() {
    let said = |more: &[&str]| {
        let (_, errors, code) = with(LSTM, more);
        assert_ne!(code, Some(0), "{more:?}");
        errors
    };
    assert!(said(&["--value", "lstm.forgt"]).contains("did you mean `lstm.forget`?"));
    assert!(said(&["--value", "gru.*"]).contains("fits `gru.*`; `--list` shows all"));
    assert!(said(&[]).contains("name values with `--value PATH`"));
    assert!(said(&["--value", "lstm.*", "--save", "x.npy"]).contains("save them as .npz"));
    assert!(said(&["--value", "lstm.c", "--save", "x.txt"]).contains("wanted is .npy, .npz or .safetensors"));
}
