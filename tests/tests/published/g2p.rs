//! How words are spoken (g2p-en): an encoder and a decoder of one GRU each.

use seqwright::session::{Streamer, weights};
use seqwright::tokenizer::Tokenizer;
use seqwright_tests::backends::everywhere;
use seqwright_tests::goldens::shown;
use seqwright_tests::greedy::{Prompt, continue_greedily};
use seqwright_tests::published::{Greedy, folder, published};

#[test]
fn words_are_spoken_as_the_package_says() {
    let Some(folder) = folder("g2p") else { return };
    let known = Greedy::read("g2p");
    assert_eq!(known.cases.len(), 200);
    let case = published("g2p", &folder.join("checkpoint20.npz"), "g2p/io.safetensors");
    let loaded = shown(weights(&case.checked, Some(&case.checkpoint)));
    let letters = Tokenizer::open(&folder.join("tokenizer.json")).expect("the tokenizer is whole");
    let sounds = Tokenizer::open(&folder.join("target_tokenizer.json")).expect("the tokenizer is whole");
    let prompts: Vec<Prompt> = known
        .cases
        .iter()
        .map(|word| {
            let source: Vec<usize> =
                letters.encode(&word.text).expect("a word").iter().map(|letter| *letter as usize).collect();
            assert_eq!(source, word.tokens, "{}", word.text);
            Prompt { tokens: vec![known.start.expect("a first token")], source: Some(source) }
        })
        .collect();
    for backend in everywhere() {
        let mut streamer = shown(Streamer::new(&case.checked, &loaded, backend));
        let spoken = continue_greedily(&mut streamer, &prompts, known.end, known.at_most);
        for (spoken, word) in spoken.iter().zip(&known.cases) {
            assert_eq!(*spoken, word.greedy, "{}", word.text);
            let ids: Vec<i64> = spoken.iter().map(|sound| *sound as i64).collect();
            assert_eq!(sounds.decode(&ids).expect("sounds"), word.result, "{}", word.text);
        }
    }
    let transformer = known.cases.iter().find(|word| word.text == "transformer").expect("the word is there");
    assert_eq!(transformer.result, "T R AE0 N S F AO1 R M ER0");
}

/// The reference's numbers are float64's; they reach 32, and a word is twenty steps of two recurrences.
#[test]
fn logits_are_those_of_the_package() {
    let Some(folder) = folder("g2p") else { return };
    let case = published("g2p", &folder.join("checkpoint20.npz"), "g2p/io.safetensors");
    for backend in everywhere() {
        let error = case.largest_error(&case.runner(backend), &case.batch());
        assert!(error < 1e-4, "{error} with {:?}", backend);
    }
}

#[test]
fn letters_are_read_once() {
    let Some(folder) = folder("g2p") else { return };
    let case = published("g2p", &folder.join("checkpoint20.npz"), "g2p/io.safetensors");
    let (once, later) = super::parts(&case.checked);
    assert!(once > 0);
    assert!(!later.iter().any(|name| name.starts_with("encoder")), "{later:?}");
}
