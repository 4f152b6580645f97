//! Documents, wrong calls, and what comes in between: numbers that are none, pipes that close, Ctrl-C.

use super::case::{CHAIN, Case, chain, table, zeros};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;
use std::process::Command;

#[test]
fn the_document_has_everything() {
    let case = Case::chain();
    let one = case.call(&["--prompt", "a", "--prompt", "x", "--max-tokens", "7", "--json"]).ends(0, "").json();
    assert_eq!((&one["version"], &one["command"], &one["ok"]), (&json!(1), &json!("generate"), &json!(true)));
    assert_eq!((&one["model"], &one["seed"]), (&json!("Chain"), &Value::Null));
    let (first, second) = (&one["sequences"][0], &one["sequences"][1]);
    assert_eq!(first["prompt"], "a");
    assert_eq!(first["prompt_tokens"], json!([256, 97]));
    assert_eq!((&first["text"], &first["tokens"]), (&json!("béc"), &json!([98, 195, 169, 99, 257])));
    assert_eq!(first["ended"], json!({ "why": "end token", "token": 257 }));
    assert_eq!(second["ended"], json!({ "why": "max tokens", "most": 7 }));
    assert_eq!((&one["speed"]["prompt_tokens"], &one["speed"]["tokens"]), (&json!(4), &json!(12)));
    assert_eq!(one["notes"].as_array().unwrap().len(), 1);
    let one = case
        .call(&["--prompt", "a", "--stop", "é", "--temperature", "0.1", "--seed", "3", "--json"])
        .ends(0, "")
        .json();
    assert_eq!((&one["seed"], &one["sequences"][0]["ended"]), (&json!(3), &json!({ "why": "stop", "text": "é" })));
    let one = case.call(&["--tokens", "120", "--json"]).ends(0, "").json();
    assert_eq!(one["sequences"][0]["ended"], json!({ "why": "context", "most": 40, "said_by": "`place`" }));
    assert_eq!((&one["sequences"][0]["prompt"], &one["sequences"][0]["text"]), (&Value::Null, &Value::Null));
    let one = case.call(&["--tokens", "999", "--json"]).ends(1, "").json();
    assert_eq!(one["ok"], false);
}

#[test]
fn wrong_calls_end_with_2_and_models_that_generate_nothing_with_1() {
    let case = Case::chain();
    for (call, said) in [
        (vec![], "there is nothing to go on with"),
        (vec!["--prompt", "a", "--tokens", "1"], "cannot be used with"),
        (vec!["--prompt", "-", "--prompt", "-"], "standard input can be one prompt"),
        (vec!["--tokens", "1,b"], "`b` is no token"),
        (vec!["--tokens", "1", "--stop", "x"], "`--stop` ends texts"),
        (vec!["--tokens", "1", "--chat"], "cannot be used with"),
        (vec!["--prompt", "a", "--stop", ""], "an empty text comes everywhere"),
        (vec!["--prompt", "a", "--top-k", "0"], "0 is not in 1.."),
        (vec!["--prompt", "a", "--top-p", "1.5"], "it is from 0 to 1"),
        (vec!["--prompt", "a", "--min-p", "-1"], "it is from 0 to 1"),
        (vec!["--prompt", "a", "--temperature", "-1"], "it is 0 or more"),
        (vec!["--prompt", "a", "--temperature", "hot"], "`hot` is no number"),
        (vec!["--prompt", "a", "--repetition-penalty", "0"], "it is above 0"),
        (vec!["--prompt", "a", "--system", "b"], "--chat"),
        (vec!["--prompt", "a", "--chat", "--state", "s"], "cannot be used with"),
        (vec!["--prompt", "a", "--start", "1"], "`--start` is for models that also read"),
    ] {
        case.call(&call).ends(2, said);
    }
    case.call_with(&["--prompt", "-"], b"\xff").ends(1, "cannot read standard input: byte 0 is not UTF-8 text");
    case.call(&["--prompt", "a", "--output", "nxt"]).ends(1, "has no value `nxt`; did you mean `next`?");
    case.call(&["--prompt", "a", "--output", "next"]).ends(1, "`next` has no number for each entry");
    for (model, said) in [
        ("model M(x: [T]) -> y {\n  y = x\n}\n", "it has no input of a vocabulary with positions"),
        (
            "model M(tokens: [T] of vocab; vocab = 5) -> y {\n  y = tokens * 2\n}\n",
            "`y` has no number for each entry of an input's vocabulary",
        ),
        (
            "model M(tokens: [T] of vocab, x: [T]; vocab = 5, letters = 5) -> y {\n  constant e: [letters] = [1, 2, 3, 4, 5]\n  y = outer(x + tokens, e)\n}\n",
            "the input `x` also comes along T, and nothing says how it goes on",
        ),
        (
            "model M(tokens: [T] of vocab; vocab = 5, letters = 5) -> y {\n  constant e: [letters] = [1, 2, 3, 4, 5]\n  n = mean over T (tokens)\n  y[t: T, l: letters] = tokens[t] * e[l] + n\n}\n",
            "error[E0901]: no step program",
        ),
        (
            "model M(tokens: [T] of vocab; vocab = 5, letters = 5) -> y {\n  constant e: [letters] = [1, 2, 3, 4, 5]\n  n = tokens[t+2]\n  y = outer(n, e)\n}\n",
            "`y` comes 2 positions later than its tokens",
        ),
    ] {
        case.write("other.seq", model);
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
        let done = command.args(["generate", &case.word("other.seq"), "--tokens", "1"]).output().unwrap();
        let errors = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.code() == Some(1) && errors.contains(said), "{said} is not in\n{errors}");
    }
}

#[test]
fn numbers_that_are_none_end_it() {
    let mut follows = chain("ab");
    follows.push((u32::from(b'b'), 7, f32::NAN));
    let case = Case::new(CHAIN, vec![("next", table(&follows)), ("place", zeros(40))]);
    let done =
        case.call(&["--prompt", "a"]).ends(1, "after 3 tokens the model's numbers for the next one are not numbers");
    assert_eq!(done.output, "b");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let case = Case::chain();
    let mut child = case.command(&["--prompt", "x", "--prompt", "x", "--max-tokens", "1000000"]).spawn().unwrap();
    drop((child.stdin.take(), child.stdout.take()));
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn an_interruption_ends_with_what_was_written() {
    let case = Case::chain();
    case.write("m.seq", &CHAIN.replace("+ place[t]", "+ place[0]"));
    let state = case.word("state");
    let more = ["--prompt", "x", "--max-tokens", "100000000", "--save-state", &state];
    let mut child = case.command(&more).spawn().unwrap();
    drop(child.stdin.take());
    let mut first = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let done = child.wait_with_output().unwrap();
    let errors = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(130), "{errors}");
    assert!(errors.contains("note: interrupted\n") && errors.contains("generated "), "{errors}");
    assert!(done.stdout.ends_with(b"\n") && &first == b"yxyx");
    assert!(Path::new(&state).exists());
    case.call(&["--state", &state, "--max-tokens", "3"]).ends(0, "");
}
