//! Chunk programs of golden cases and of programs written for it keep the law of streaming ([`seqwright_tests::law`]).

use seqwright::session::{Checked, Request, check};
use seqwright_tests::backends::gpus;
use seqwright_tests::goldens::{CASES, case, example, shown};
use seqwright_tests::law::{Law, causal_results};
use seqwright_tests::random::{Random, random_inputs};
use seqwright_tests::sources::{files_in, repository};

fn program(file: &str) -> Checked {
    shown(check(&Request { file: repository().join(file), ..Request::default() }, None))
}

/// The golden cases with results that can come chunk by chunk, and those that have others.
fn golden_cases() -> (Vec<Law>, Vec<String>) {
    let (mut laws, mut refused) = (Vec::new(), Vec::new());
    for name in CASES {
        let mut case = case(name);
        let batch = case.batch();
        let results = causal_results(&mut case.checked);
        if !results.is_empty() {
            refused.push(format!("{name}: {}", results.join(", ")));
        }
        if !case.checked.outputs.is_empty() {
            let loaded = shown(seqwright::session::weights(&case.checked, Some(&case.checkpoint)));
            laws.push(Law { name: name.to_string(), checked: case.checked, loaded, batch });
        }
    }
    (laws, refused)
}

/// The law on a GPU. Products of few rows are summed in another order there than those of many: chunks and the whole are each as
/// near to what the interpreter says as their operations allow, and no farther apart than twice that.
fn holds_on_gpus(law: &Law, random: &mut Random) {
    for tested in gpus() {
        law.holds_on([tested.backend, tested.backend], Some(2.0), random);
    }
}

#[test]
fn golden_cases_come_chunk_by_chunk() {
    let (laws, refused) = golden_cases();
    laws.iter().for_each(|law| law.holds(&mut Random(7)));
    insta::assert_snapshot!(refused.join("\n"));
}

#[test]
fn golden_cases_come_chunk_by_chunk_to_shaders() {
    golden_cases().0.iter().for_each(|law| holds_on_gpus(law, &mut Random(7)));
}

/// Programs with results that can come chunk by chunk, and those that have others.
fn programs() -> (Vec<Law>, Vec<String>) {
    let (mut laws, mut refused) = (Vec::new(), Vec::new());
    for folder in ["tests/fixtures/streaming", "tests/fixtures/programs", "tests/fixtures/stacks"] {
        for (name, _) in files_in(folder) {
            let mut checked = program(&format!("{folder}/{name}"));
            let results = causal_results(&mut checked);
            if !results.is_empty() {
                refused.push(format!("{name}: {}", results.join(", ")));
            }
            if checked.outputs.is_empty() {
                continue;
            }
            let mut random = Random(name.len() as u64);
            let lengths = if name == "tokens.seq" { [1, 7, 33, 2, 40] } else { [1, 7, 33, 2, 170] };
            let (loaded, batch) = random_inputs(&checked, &lengths, &mut random);
            laws.push(Law { name, checked, loaded, batch });
        }
    }
    (laws, refused)
}

#[test]
fn programs_come_chunk_by_chunk() {
    let (laws, refused) = programs();
    laws.iter().for_each(|law| law.holds(&mut Random(law.name.len() as u64)));
    insta::assert_snapshot!(refused.join("\n"));
}

#[test]
fn programs_come_chunk_by_chunk_to_shaders() {
    programs().0.iter().for_each(|law| holds_on_gpus(law, &mut Random(law.name.len() as u64)));
}

/// The published models in small, with random weights: two axes, and convolutions before a recurrence.
#[test]
fn published_models_come_chunk_by_chunk() {
    let transformer = [("layers", 2.0), ("dim", 8.0), ("heads", 2.0), ("hidden", 12.0), ("vocab", 20.0)];
    let cases: [(&str, &[(&str, f64)]); 4] = [
        ("g2p", &[("letters", 10.0), ("sounds", 12.0), ("dim", 6.0), ("size", 10.0)]),
        ("annalog", &transformer),
        ("hama_stepwise", &transformer),
        ("silero_vad", &[]),
    ];
    for (name, parameters) in cases {
        let parameters = parameters.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        let checked = shown(check(&Request { file: example(name), parameters, ..Request::default() }, None));
        let mut random = Random(11);
        let (loaded, batch) = random_inputs(&checked, &[1, 7, 33, 2, 80], &mut random);
        let law = Law { name: name.to_string(), checked, loaded, batch };
        law.holds(&mut random);
        // Silero's convolutions with random weights make differences of rounding large; with its own weights it is compared on
        // all backends (published/silero_vad.rs).
        if name != "silero_vad" {
            holds_on_gpus(&law, &mut random);
        }
    }
}
