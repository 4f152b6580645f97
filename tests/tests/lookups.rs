//! Which weights are looked up in alone, so that their rows need be numbers only where they are named.

use seqwright::session::{Request, check, lower};
use seqwright_compiler::kernel::Lookup;
use seqwright_tests::goldens::shown;
use std::collections::BTreeMap;

/// By its name, each weight of a model that is looked up in: how many rows, and numbers in each.
fn lookups(text: &str) -> Vec<(String, usize, usize)> {
    let file = tempfile::Builder::new().suffix(".seq").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let checked = shown(check(&Request { file: file.path().to_path_buf(), ..Request::default() }, None));
    let program = lower(&checked).program;
    let found: BTreeMap<_, Lookup> = program.lookups();
    found.into_iter().map(|(id, found)| (program.buffer(id).name.clone(), found.rows, found.row)).collect()
}

#[test]
fn a_table_of_tokens_is_looked_up_in() {
    let text = "model M(tokens: [T]; vocab = 50, d = 8) -> y {
  weight word: [vocab, d]
  e[t, d] = word[tokens[t], d]
  y = affine(e; d)
}
";
    assert_eq!(lookups(text), [("word".to_string(), 50, 8)]);
}

#[test]
fn one_that_logits_are_computed_with_too_is() {
    // The product has a packed matrix of its own.
    let text = "model M(tokens: [T]; vocab = 50, d = 8) -> logits {
  weight word: [vocab, d]
  e[t, d] = word[tokens[t], d]
  logits[t, v] = sum over d (e[t, d] * word[v, d])
}
";
    assert_eq!(lookups(text), [("word".to_string(), 50, 8)]);
}

#[test]
fn what_is_read_in_another_way_is_not() {
    let model = |equations: &str| {
        format!(
            "model M(tokens: [T]; vocab = 50, d = 8) -> y {{
  weight word: [vocab, d]
{equations}}}
"
        )
    };
    // The token before: where a state comes from a file, nobody has named its row.
    assert_eq!(lookups(&model("  y[t, d] = word[tokens[t-1], d]\n")), []);
    // A number that is computed, a row by its number, a part of all rows.
    assert_eq!(lookups(&model("  y[t, d] = word[tokens[t] + 1, d]\n")), []);
    assert_eq!(lookups(&model("  y[t, d] = word[tokens[t], d] + word[0, d]\n")), []);
    assert_eq!(lookups(&model("  y[t, d] = word[tokens[t], d] * sum over v (word[v, d])\n")), []);
}
