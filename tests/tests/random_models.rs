//! Random models ([`seqwright_tests::models`]) mean the same to machine code and shaders as to the interpreter.

use seqwright_tests::agreement::{checked, disagreement};
use seqwright_tests::backends::{Tested, gpus, processors};
use seqwright_tests::models::Model;
use seqwright_tests::random::Random;
use std::path::Path;

const LENGTHS: [usize; 4] = [1, 2, 33, 70];

#[test]
fn machine_code() {
    random_models(&processors(), 2000);
}

#[test]
fn shaders() {
    random_models(&gpus(), 300);
}

fn found(model: &Model, file: &Path, seed: u64, backends: &[Tested]) -> Option<String> {
    std::fs::write(file, model.text()).expect("the folder can be written");
    match checked(file) {
        Ok(checked) => disagreement(&checked, &LENGTHS, &mut Random(seed), true, backends),
        Err(failure) => Some(failure),
    }
}

fn random_models(backends: &[Tested], usual: u64) {
    if backends.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the models");
    let file = folder.path().join("random.seq");
    let count = std::env::var("SEQWRIGHT_RANDOM").ok().and_then(|count| count.parse().ok()).unwrap_or(usual);
    for seed in 0..count {
        let model = Model::random(seed);
        if let Some(error) = found(&model, &file, seed, backends) {
            eprintln!("model {seed}: {error}\n{}", model.text());
        }
    }
}
