//! Machine code and shaders against the interpreter: on programs that between them use all that the language can say, and on damaged
//! ones that still mean something; with random inputs and weights, ragged batches, one and two threads, and every version
//! of the tiles.
//!
//! Adding a case is adding a file to `fixtures/programs`, or to `fixtures/stacks` if it has layers.

use seqwright::session::{Request, check};
use seqwright_tests::agreement::{checked, disagreement};
use seqwright_tests::backends::{Tested, gpus, processors};
use seqwright_tests::goldens::shown;
use seqwright_tests::random::{Random, row};
use seqwright_tests::sources::{files_in, repository};

#[test]
fn machine_code_computes_what_the_interpreter_says() {
    programs(&processors());
}

#[test]
fn shaders_compute_what_the_interpreter_says() {
    programs(&gpus());
}

fn programs(backends: &[Tested]) {
    if backends.is_empty() {
        return;
    }
    let mut programs = 0;
    let folders = ["tests/fixtures/programs", "tests/fixtures/stacks"];
    let files = folders.iter().flat_map(|folder| files_in(folder).into_iter().map(move |(name, _)| (*folder, name)));
    for (folder, name) in files {
        programs += 1;
        let checked = checked(&repository().join(folder).join(&name));
        let checked = checked.unwrap_or_else(|failure| panic!("{failure}"));
        // Lengths of one, of blocks of keys and rows and one more, and others; one program has a table of 40 positions.
        let lengths = if name == "tokens.seq" { [1, 7, 33, 2, 40] } else { [1, 7, 33, 2, 70] };
        let found = disagreement(&checked, &lengths, &mut Random(name.len() as u64 + 17), true, backends);
        assert!(found.is_none(), "{name}, {}", found.unwrap_or_default());
    }
    assert!(programs >= 14, "only {programs} programs were found");
}

#[test]
fn examples_of_other_sizes_compute_what_the_interpreter_says() {
    examples_of_other_sizes(&processors());
}

#[test]
fn examples_of_other_sizes_mean_the_same_to_shaders() {
    examples_of_other_sizes(&gpus());
}

/// The examples at other sizes than their golden cases': one, odd ones, more than a panel or a block.
fn examples_of_other_sizes(backends: &[Tested]) {
    if backends.is_empty() {
        return;
    }
    const SIZES: [(&str, &[(&str, f64)]); 23] = [
        ("rnn_tanh", &[("input", 1.0), ("hidden", 1.0)]),
        ("lstm", &[("input", 1.0), ("hidden", 1.0)]),
        ("lstm", &[("input", 33.0), ("hidden", 67.0)]),
        ("gru", &[("input", 5.0), ("hidden", 3.0)]),
        ("lstm_stacked", &[("input", 4.0), ("hidden", 4.0), ("layers", 1.0)]),
        ("lstm_bidirectional", &[("input", 3.0), ("hidden", 9.0)]),
        ("gru_bidirectional_stacked", &[("input", 3.0), ("hidden", 17.0), ("layers", 3.0)]),
        ("attention", &[("dim", 7.0), ("heads", 1.0)]),
        ("attention", &[("dim", 6.0), ("heads", 6.0)]),
        ("attention_causal", &[("dim", 66.0), ("heads", 2.0)]),
        ("attention_alibi_window_grouped", &[("kv", 1.0), ("group", 1.0), ("head_dim", 33.0), ("window", 1.0)]),
        ("cell_peephole_layernorm_lstm", &[("input", 2.0), ("hidden", 5.0), ("epsilon", 1e-5)]),
        ("cell_mingru", &[("input", 2.0), ("hidden", 37.0)]),
        (
            "bert",
            &[
                ("vocab", 11.0),
                ("context", 80.0),
                ("segments", 1.0),
                ("dim", 9.0),
                ("layers", 1.0),
                ("heads", 3.0),
                ("inner", 5.0),
            ],
        ),
        ("gpt2", &[("vocab", 11.0), ("context", 80.0), ("dim", 10.0), ("layers", 2.0), ("heads", 1.0), ("inner", 7.0)]),
        (
            "llama",
            &[
                ("vocab", 13.0),
                ("dim", 6.0),
                ("layers", 1.0),
                ("kv", 3.0),
                ("group", 1.0),
                ("half", 3.0),
                ("inner", 5.0),
            ],
        ),
        (
            "transformer_translation",
            &[("vocab", 11.0), ("dim", 9.0), ("heads", 3.0), ("encoders", 1.0), ("decoders", 3.0), ("hidden", 5.0)],
        ),
        (
            "vit",
            &[
                ("channel", 2.0),
                ("height", 6.0),
                ("width", 15.0),
                ("patch", 3.0),
                ("dim", 10.0),
                ("layers", 1.0),
                ("heads", 1.0),
                ("inner", 7.0),
                ("classes", 1.0),
            ],
        ),
        // One patch: one position besides the first.
        (
            "vit",
            &[
                ("channel", 1.0),
                ("height", 4.0),
                ("width", 4.0),
                ("patch", 4.0),
                ("dim", 6.0),
                ("layers", 2.0),
                ("heads", 2.0),
                ("inner", 9.0),
            ],
        ),
        (
            "mamba",
            &[
                ("vocab", 7.0),
                ("dim", 5.0),
                ("layers", 1.0),
                ("inner", 9.0),
                ("states", 1.0),
                ("rank", 1.0),
                ("width", 2.0),
            ],
        ),
        (
            "roberta",
            &[
                ("vocab", 9.0),
                ("context", 80.0),
                ("dim", 6.0),
                ("layers", 1.0),
                ("heads", 2.0),
                ("inner", 5.0),
                ("padding", 3.0),
            ],
        ),
        ("gpt_neox", &[("vocab", 9.0), ("dim", 15.0), ("layers", 1.0), ("heads", 3.0), ("half", 1.0), ("inner", 5.0)]),
        (
            "t5",
            &[
                ("vocab", 9.0),
                ("dim", 7.0),
                ("heads", 3.0),
                ("head_dim", 2.0),
                ("encoders", 1.0),
                ("decoders", 1.0),
                ("hidden", 5.0),
                ("buckets", 8.0),
                ("farthest", 20.0),
            ],
        ),
    ];
    for (name, sizes) in SIZES {
        agrees(name, sizes, &[1, 7, 33, 2, 70], backends);
    }
}

/// An example with these sizes means the same to all, for sequences of these lengths.
fn agrees(name: &str, sizes: &[(&str, f64)], lengths: &[usize], backends: &[Tested]) {
    let parameters = sizes.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    let file = seqwright_tests::goldens::example(name);
    let checked = shown(check(&Request { file, parameters, ..Request::default() }, None));
    let found = disagreement(&checked, lengths, &mut Random(name.len() as u64), true, backends);
    assert!(found.is_none(), "{name} with {sizes:?}, {}", found.unwrap_or_default());
}

/// So many weights that products turn back from step to step; so few steps that a sum's rounding is not lost in what a large cell
/// with random weights makes of it.
#[test]
fn cells_with_many_weights_compute_what_the_interpreter_says() {
    for (name, hidden) in [("lstm", 320.0), ("gru", 450.0)] {
        for lengths in [&[5][..], &[3, 1, 6]] {
            agrees(name, &[("input", 2.0), ("hidden", hidden)], lengths, &processors());
        }
    }
}

/// A text's words, numbers and signs, and what stands between them.
fn tokens(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let kind = |letter: char| (letter.is_alphanumeric() || letter == '_', letter.is_whitespace());
    for letter in text.chars() {
        match all.last_mut() {
            Some(last) if last.chars().last().map(kind) == Some(kind(letter)) && kind(letter) != (false, false) => {
                last.push(letter);
            }
            _ => all.push(letter.to_string()),
        }
    }
    all
}

/// Damaged programs of which many still mean something: those must not crash, and must mean the same to both.
#[test]
fn damaged_programs_mean_the_same_to_machine_code() {
    damaged_programs(&processors(), 1500);
}

/// Fewer: a driver compiles each of them anew.
#[test]
fn damaged_programs_mean_the_same_to_shaders() {
    damaged_programs(&gpus(), 200);
}

fn damaged_programs(backends: &[Tested], usual: usize) {
    if backends.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the damaged files");
    let file = folder.path().join("damaged.seq");
    let mut files = files_in("tests/fixtures/programs");
    // Sines of large angles, remainders and roundings mean different numbers in different precisions.
    // Of what always lies outside, little is left to be damaged.
    files.retain(|(name, _)| !matches!(name.as_str(), "positions.seq" | "functions.seq" | "far_away.seq"));
    // More of them, from another start: SEQWRIGHT_DAMAGED=20000.
    let count = std::env::var("SEQWRIGHT_DAMAGED").ok().and_then(|count| count.parse().ok()).unwrap_or(usual);
    let mut random = Random(0x5e9 + count as u64);
    let (mut valid, mut tried) = (0, 0);
    for _ in 0..count {
        let (name, text) = &files[random.below(files.len())];
        let mut words = tokens(text);
        let is_word = |word: &str| word.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let is_number = |word: &str| word.chars().all(|letter| letter.is_ascii_digit());
        let is_sign = |word: &str| matches!(word, "+" | "-" | "*" | "/");
        let place = random.below(words.len());
        let same_kind: Vec<String> = match &words[place] {
            word if is_word(word) => words.iter().filter(|word| is_word(word)).cloned().collect(),
            word if is_number(word) => ["0", "1", "2", "3"].map(str::to_string).to_vec(),
            word if is_sign(word) => ["+", "-", "*", "/"].map(str::to_string).to_vec(),
            _ => continue,
        };
        words[place] = same_kind[random.below(same_kind.len())].clone();
        let damaged: String = words.concat();
        if damaged == *text {
            continue;
        }
        tried += 1;
        std::fs::write(&file, &damaged).expect("the folder can be written");
        let Ok(checked) = checked(&file) else { continue };
        let numbers: usize = checked.model.values.iter().map(row).sum();
        if numbers > 100_000 {
            continue;
        }
        valid += 1;
        let found = disagreement(&checked, &[3, 1, 9], &mut random, false, backends);
        assert!(found.is_none(), "{name}, {}:\n{damaged}", found.unwrap_or_default());
    }
    assert!(valid * 10 > tried, "only {valid} of {tried} damaged programs mean something");
}
