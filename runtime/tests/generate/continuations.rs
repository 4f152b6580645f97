//! `seqc verify` of what was generated elsewhere.

use super::case::{Case, Done};
use seqwright::weights::{Tensor, Values, write_safetensors};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

#[test]
fn continuations_are_verified_token_by_token() {
    let case = Case::chain();
    let verify = |tensors: Vec<(&str, &[usize], &[i64])>, more: &[&str]| {
        let tensors: BTreeMap<String, Tensor> = tensors
            .into_iter()
            .map(|(name, shape, numbers)| {
                (name.to_string(), Tensor::new(shape.to_vec(), Values::Integers(numbers.to_vec())).unwrap())
            })
            .collect();
        write_safetensors(&case.folder.path().join("io.safetensors"), &tensors).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
        command.args(["verify", &case.word("m.seq"), "--checkpoint", &case.word("")]).args(more);
        let done = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: done.status.code(), output: text(done.stdout), errors: text(done.stderr) }
    };
    let (right, wrong) = ([97, 98, 195, 120, 121, 120], [97, 98, 196, 120, 121, 1]);
    for backend in ["cpu", "interpreter"] {
        let more = ["--backend", backend];
        let done = verify(vec![("out.greedy", &[2, 3], &right)], &more).ends(0, "");
        assert_eq!(
            done.output,
            "value   shape   absolute  relative  largest at\ngreedy  [2, 3]         -         -              ok\n"
        );
        verify(vec![("in.prompt", &[2, 2], &[97, 98, 120, 121]), ("out.greedy", &[2, 3], &right)], &more).ends(0, "");
        let done = verify(vec![("out.greedy", &[2, 3], &wrong)], &more).ends(1, "");
        let said = "greedy: sequence 0 differs first at position 2: the token is 195 (its number is 5), expected is 196 (its number is 0)
greedy: sequence 1 differs first at position 2: the token is 120 (its number is 5), expected is 1 (its number is 0)
";
        assert!(done.output.contains(" FAILED\n") && done.output.ends_with(said), "{}", done.output);
    }
    let document = verify(vec![("out.greedy", &[2, 3], &wrong)], &["--json"]).ends(1, "").json();
    let greedy = &document["outputs"][0];
    assert_eq!((&greedy["name"], &greedy["ok"], &greedy["compared"]), (&json!("greedy"), &json!(false), &json!(4)));
    let first = json!({ "sequence": 0, "position": 2, "expected": 196, "found": 195, "expected_logit": 0.0, "found_logit": 5.0 });
    assert_eq!(greedy["differences"][0], first);
    let done = verify(vec![("out.greedy", &[1, 2], &[97, 700])], &[]).ends(1, "");
    assert!(done.output.contains("expected is 700 (there is no such token)"), "{}", done.output);
    // Both kinds of expectations at once, and a prompt that is all there is.
    verify(
        vec![("in.tokens", &[1, 1], &[97]), ("out.tokens", &[1, 1], &[97]), ("out.greedy", &[1, 2], &[97, 98])],
        &[],
    )
    .ends(0, "");
    let done = verify(vec![("in.prompt", &[1, 2], &[97, 98]), ("out.greedy", &[1, 2], &[97, 98])], &[]).ends(1, "");
    assert!(done.output.ends_with("greedy: there is no token to compare\n"), "{}", done.output);
    for (tensors, said) in [
        (
            vec![("in.prompt", &[1, 1][..], &[98][..]), ("out.greedy", &[1, 2], &[97, 98])],
            "does not begin with the tokens of `in.prompt`",
        ),
        (
            vec![("in.prompt", &[2, 1], &[97, 97]), ("out.greedy", &[1, 2], &[97, 98])],
            "`in.prompt` has the shape [2, 1]",
        ),
        (
            vec![("in.prompt", &[1, 3], &[97, 97, 97]), ("out.greedy", &[1, 2], &[97, 98])],
            "`in.prompt` has the shape [1, 3]",
        ),
        (
            vec![("out.greedy", &[2], &[97, 98])],
            "`out.greedy` has the shape [2] or no whole numbers: wanted is a row of tokens",
        ),
        (vec![("out.greedy", &[1, 2], &[997, 98])], "wanted are whole numbers from 0 to 257"),
    ] {
        let shapes: Vec<(&str, Vec<usize>, Vec<i64>)> =
            tensors.into_iter().map(|(name, shape, numbers)| (name, shape.to_vec(), numbers.to_vec())).collect();
        let borrowed = shapes.iter().map(|(name, shape, numbers)| (*name, shape.as_slice(), numbers.as_slice()));
        verify(borrowed.collect(), &[]).ends(1, said);
    }
    let long: Vec<i64> = (0..60).map(|place| 120 + place % 2).collect();
    verify(vec![("out.greedy", &[1, 60], &long)], &[]).ends(1, "sequence 0 has 41 positions of T, `place` allows 40");
}

/// What Hugging Face and PyTorch generate with small models of their kinds.
#[test]
fn golden_continuations_are_verified() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in ["gpt2", "llama", "transformer_translation"] {
        for backend in ["cpu", "interpreter"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
            command.arg("verify").arg(root.join("examples").join(name).with_extension("seq"));
            command.arg("--checkpoint").arg(root.join("tests/goldens").join(name));
            let done = command.args(["--backend", backend]).output().unwrap();
            let output = String::from_utf8(done.stdout).unwrap();
            assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]), "{name}: {output}");
            let verified = |line: &str| line.starts_with("greedy ") && line.ends_with(" ok");
            assert!(output.lines().any(verified), "{name}: {output}");
        }
    }
}
