//! Sequences that go on, and those that are read.

use super::case::{BEGIN, COUNT, Case, END, READER, chain, table};
use seqwright::weights::{Tensor, Values, write_safetensors};
use std::collections::BTreeMap;

#[test]
fn a_sequence_goes_on_from_its_state() {
    let mut follows = chain("abcdefghijklmnopqrstuvwxyza");
    follows.extend(chain("zyxwvutsrqponmlkjihgfedcbaz").into_iter().map(|(one, two, _)| (one, two, 4.0)));
    let own: Vec<(u32, u32, f32)> = (0..256).map(|letter| (letter, letter, 0.75)).collect();
    let case = Case::new(COUNT, vec![("next", table(&follows)), ("own", table(&own))]);
    let whole = case.call(&["--prompt", "m", "--max-tokens", "60"]).ends(0, "").output;
    let state = case.word("state");
    let first = case.call(&["--prompt", "m", "--max-tokens", "25", "--save-state", &state]).ends(0, "").output;
    // Once more from the middle, twice, and with a letter in between.
    for _ in 0..2 {
        let second = case.call(&["--state", &state, "--max-tokens", "35"]).ends(0, "").output;
        assert_eq!(format!("{}{second}", first.trim_end()), whole);
    }
    let all = format!("m{}q", first.trim_end());
    let other = case.call(&["--state", &state, "--prompt", "q", "--max-tokens", "9"]).ends(0, "").output;
    assert_eq!(other, case.call(&["--prompt", &all, "--max-tokens", "9"]).ends(0, "").output);
    // Two continuations of one state.
    let two =
        case.call(&["--state", &state, "--prompt", "q", "--prompt", "mm", "--max-tokens", "9"]).ends(0, "").output;
    assert!(two.starts_with(&format!("── 1: q ──\n{other}\n── 2: mm ──\n")), "{two}");
    // From state to state.
    let more = case.word("more");
    case.call(&["--state", &state, "--max-tokens", "10", "--save-state", &more]).ends(0, "");
    let third = case.call(&["--state", &more, "--max-tokens", "25"]).ends(0, "").output;
    assert!(whole.ends_with(&third) && third.len() == 26, "{third}");
    let other = Case::chain();
    other.call(&["--state", &state]).ends(1, "the state is one of the model `Count`, not of `Chain`");
    case.call(&["--state", "no/such"]).ends(1, "cannot read no/such");
    case.call(&["--state", &state, "--prompt", "q", "--backend", "interpreter"])
        .ends(1, "the interpreter keeps no state");
    case.call(&["--prompt", "q", "--prompt", "m", "--save-state", &more]).ends(2, "`--save-state` keeps one sequence");
}

#[test]
fn one_sequence_is_read_and_another_written() {
    let mut after = chain("bcdefg");
    after.push((BEGIN, u32::from(b'a'), 1.0));
    let next = vec![(u32::from(b'x'), END, 3.0), (u32::from(b'y'), u32::from(b'b'), 3.0)];
    let case = Case::new(READER, vec![("next", table(&next)), ("after", table(&after))]);
    case.call(&["--prompt", "y", "--max-tokens", "4"]).gives("bcde\n");
    case.call(&["--prompt", "x"]).gives("\n");
    case.call(&["--prompt", "yy", "--prompt", "xzz", "--max-tokens", "2"]).gives("── 1: yy ──\nbc\n\n── 2: xzz ──\n\n");
    case.call(&["--tokens", "121", "--start", "98", "--max-tokens", "2"]).gives("99,100\n");
    case.call(&["--tokens", "121", "--start", "98", "--max-tokens", "2", "--backend", "interpreter"]).gives("99,100\n");
    // What is read may come from a file.
    let source = Tensor::new(vec![1, 2], Values::Integers(vec![121, 121])).unwrap();
    let file = case.folder.path().join("source.safetensors");
    write_safetensors(&file, &BTreeMap::from([("in.source".to_string(), source)])).unwrap();
    let input = format!("source={}", file.display());
    case.call(&["--input", &input, "--start", "98", "--max-tokens", "2"]).gives("cd\n");
    case.call(&["--input", &input, "--tokens", "99", "--max-tokens", "2"]).gives("100,101\n");
    case.write("config.json", "{}");
    case.call(&["--tokens", "121"]).ends(1, "does not say with which token its texts start: pass `--start ID`");
}
