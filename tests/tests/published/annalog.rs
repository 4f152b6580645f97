//! Molecules like a given one (ANNalog): the encoder and decoder of 2017.

use seqwright::session::{Streamer, weights};
use seqwright::tokenizer::Tokenizer;
use seqwright_tests::backends::everywhere;
use seqwright_tests::goldens::shown;
use seqwright_tests::greedy::{Prompt, continue_greedily};
use seqwright_tests::published::{Greedy, folder, published};

#[test]
fn molecules_are_written_as_the_package_does() {
    let Some(folder) = folder("annalog") else { return };
    let known = Greedy::read("annalog");
    assert!(known.cases.len() >= 20);
    let case = published("annalog", &folder, "annalog/io.safetensors");
    let loaded = shown(weights(&case.checked, Some(&case.checkpoint)));
    let tokenizer = Tokenizer::open(&folder.join("tokenizer.json")).expect("the tokenizer is whole");
    let prompts: Vec<Prompt> = known
        .cases
        .iter()
        .map(|molecule| {
            let source: Vec<usize> =
                tokenizer.encode(&molecule.text).expect("a molecule").iter().map(|atom| *atom as usize).collect();
            assert_eq!(source, molecule.tokens, "{}", molecule.text);
            Prompt { tokens: vec![known.start.expect("a first token")], source: Some(source) }
        })
        .collect();
    for backend in everywhere() {
        let mut streamer = shown(Streamer::new(&case.checked, &loaded, backend));
        let written = continue_greedily(&mut streamer, &prompts, known.end, known.at_most);
        for (written, molecule) in written.iter().zip(&known.cases) {
            assert_eq!(*written, molecule.greedy, "{}", molecule.text);
            let ids: Vec<i64> = written.iter().map(|atom| *atom as i64).collect();
            assert_eq!(tokenizer.decode(&ids).expect("atoms"), molecule.result, "{}", molecule.text);
        }
    }
}

/// The reference's numbers are float64's; they reach 25, after three layers on either side.
#[test]
fn logits_are_those_of_the_package() {
    let Some(folder) = folder("annalog") else { return };
    let case = published("annalog", &folder, "annalog/io.safetensors");
    for backend in everywhere() {
        let error = case.largest_error(&case.runner(backend), &case.batch());
        assert!(error < 1e-4, "{error} with {:?}", backend);
    }
}

/// The encoder, and the keys and values that the decoder's layers make of what it gives.
#[test]
fn the_given_molecule_is_read_once() {
    let Some(folder) = folder("annalog") else { return };
    let case = published("annalog", &folder, "annalog/io.safetensors");
    let (once, later) = super::parts(&case.checked);
    assert!(once > 0);
    for part in ["encoder.", "memory", "read_place", "reading.k", "reading.v"] {
        assert!(!later.iter().any(|name| name.starts_with(part) || name.ends_with(part)), "{part} in {later:?}");
    }
}
