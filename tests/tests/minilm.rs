//! A real model: all-MiniLM-L6-v2, fetched by `scripts/fetch-minilm.sh`. Skipped, and said so, where it was not fetched;
//! with `SEQWRIGHT_REQUIRE_MODELS=1` (as in CI) that is a failure.

use seqwright::batch::Batch;
use seqwright::session::{Backend, Request, Runner, check, weights};
use seqwright::tiles::Instructions;
use seqwright::tokenizer::Tokenizer;
use seqwright::weights::{Checkpoint, Tensor, Values};
use seqwright_tests::backends::everywhere;
use seqwright_tests::goldens::{example, shown};
use seqwright_tests::published::folder;
use std::collections::BTreeMap;

/// The sentence vectors of texts, as one ragged batch.
fn vectors(folder: &std::path::Path, texts: &[&str], backend: Backend) -> (Vec<Vec<i64>>, Vec<Vec<f32>>) {
    let tokenizer = Tokenizer::open(&folder.join("tokenizer.json")).expect("the tokenizer is whole");
    let ids: Vec<Vec<i64>> = texts.iter().map(|text| tokenizer.encode(text).expect("a text")).collect();
    let longest = ids.iter().map(Vec::len).max().unwrap_or(0);
    let padded: Vec<i64> =
        ids.iter().flat_map(|ids| ids.iter().copied().chain(std::iter::repeat_n(0, longest - ids.len()))).collect();
    let tensor = Tensor::new(vec![ids.len(), longest], Values::Integers(padded)).expect("a matrix");
    let checkpoint = Checkpoint::open(folder).expect("the checkpoint is whole");
    let request = Request { file: example("minilm"), ..Request::default() };
    let checked = shown(check(&request, Some(&checkpoint)));
    let loaded = shown(weights(&checked, Some(&checkpoint)));
    let lengths = BTreeMap::from([(checked.model.times[0].clone(), ids.iter().map(Vec::len).collect())]);
    let batch = Batch::from_tensors(&checked.model, &BTreeMap::from([("tokens".to_string(), tensor)]), &lengths);
    let batch = batch.unwrap_or_else(|errors| panic!("{errors:?}"));
    let runner = shown(Runner::new(&checked, &loaded, backend));
    let results = shown(runner.run(&batch));
    (ids, results[0].chunks(384).map(<[f32]>::to_vec).collect())
}

const TEXTS: [&str; 3] = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."];

#[test]
fn sentences_have_the_published_vectors() {
    let Some(folder) = folder("minilm") else { return };
    for backend in everywhere() {
        let (ids, vectors) = vectors(&folder, &TEXTS, backend);
        assert_eq!(ids[0], [101, 1037, 2158, 2003, 5983, 2833, 1012, 102]);
        for (got, wanted) in vectors[0].iter().zip([0.033242, 0.004406, -0.006277, 0.048379]) {
            assert!((got - wanted).abs() < 2e-6, "{got} instead of {wanted}");
        }
        let cosine = |one: &[f32], two: &[f32]| one.iter().zip(two).map(|(one, two)| one * two).sum::<f32>();
        assert!((cosine(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-5);
        assert!(cosine(&vectors[0], &vectors[1]) > 0.7, "food and bread are near");
        assert!(cosine(&vectors[0], &vectors[2]) < 0.2, "food and babies are not");
    }
}

#[test]
fn a_sentence_is_the_same_alone() {
    let Some(folder) = folder("minilm") else { return };
    let backend = Backend::Cpu(Instructions::best(), 2);
    let (_, together) = vectors(&folder, &TEXTS, backend);
    for (text, together) in TEXTS.iter().zip(&together) {
        let (_, alone) = vectors(&folder, &[text], backend);
        assert!(alone[0].iter().zip(together).all(|(one, two)| one.to_bits() == two.to_bits()), "{text}");
    }
}
