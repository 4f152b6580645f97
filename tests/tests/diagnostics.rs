//! What a wrong program gets to read: a fixture for every kind of mistake, with a snapshot of the whole text.

use seqwright_compiler::check::{Missing, check};
use seqwright_compiler::diagnostic::{Code, Diagnostic};
use seqwright_compiler::graph::build;
use seqwright_compiler::source::Sources;
use seqwright_compiler::stream::{Refusal, Why, plan, stream_axis};
use seqwright_compiler::table::{FileFormat, Setting, Shapes, bindings, fit, settings};
use seqwright_tests::sources::{diagnose, files_in, read, rendered};
use std::collections::BTreeMap;

/// Kinds that need more than a file's text, a checkpoint: their fixtures lie in a folder of their own.
const OF_CHECKPOINTS: [Code; 2] = [Code::Config, Code::Checkpoint];

/// The kind that is no mistake until somebody wants positions one by one: why a model has no step program.
const OF_STREAMS: Code = Code::NoStep;

/// A fixture's text and its diagnostics as a snapshot that can be read alone.
fn snapshot(name: &str, text: &str, sources: &Sources, diagnostics: &[Diagnostic]) {
    let (number, title) = name.trim_end_matches(".seq").split_once('_').expect("a fixture is called E0000_title");
    let numbers: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.number()).collect();
    assert!(numbers.contains(&number), "{name} gives {numbers:?}");
    let shown = format!("{text}\n{}", rendered(sources, diagnostics));
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(format!("{number}_{title}"), shown);
    });
}

/// A fixture of `fixtures/checkpoints`.
fn of_checkpoints(number: &str) -> (String, String) {
    let mut files = files_in("tests/fixtures/checkpoints");
    files.retain(|(name, _)| name.starts_with(number));
    files.pop().unwrap_or_else(|| panic!("no fixture for {number}"))
}

#[test]
fn a_configuration_that_does_not_fit_is_explained() {
    let (name, text) = of_checkpoints(Code::Config.number());
    let (sources, program, diagnostics) = read(&name, &text);
    assert!(diagnostics.is_empty());
    let config = |path: &[&str]| match path {
        ["hidden_size"] => Setting::Number(4.0),
        ["hidden_act"] => Setting::Text("relu".to_string()),
        _ => Setting::Missing,
    };
    let diagnostics =
        settings(&program, "Feed", FileFormat::Safetensors, &BTreeMap::new(), &config).expect_err("it does not fit");
    snapshot(&name, &text, &sources, &diagnostics);
}

#[test]
fn tensors_that_do_not_fit_are_explained() {
    let (name, text) = of_checkpoints(Code::Checkpoint.number());
    let (sources, program, diagnostics) = read(&name, &text);
    assert!(diagnostics.is_empty());
    let model = check(&program, None, &BTreeMap::new(), Missing::Refuse).expect("the fixture is a model");
    let table = bindings(&program, &model, FileFormat::Safetensors).expect("the fixture's table is whole");
    let shapes: Shapes =
        [("up.weight", vec![4, 6]), ("up.bais", vec![6]), ("down.weight", vec![6, 4]), ("down.bias", vec![4])]
            .map(|(name, shape)| (name.to_string(), shape))
            .into();
    let diagnostics = fit(&table, &model, &shapes).expect_err("it does not fit");
    snapshot(&name, &text, &sources, &diagnostics);
}

#[test]
fn every_fixture_gives_its_diagnostic() {
    for (name, text) in files_in("tests/fixtures/errors") {
        let (sources, diagnostics) = diagnose(&name, &text, Missing::Refuse);
        snapshot(&name, &text, &sources, &diagnostics);
    }
}

#[test]
fn models_without_a_step_program_say_why() {
    let files = files_in("tests/fixtures/refusals");
    assert!(files.len() >= 8);
    for (name, text) in files {
        let (sources, program, diagnostics) = read(&name, &text);
        assert!(diagnostics.is_empty(), "{}", rendered(&sources, &diagnostics));
        let model = check(&program, None, &BTreeMap::new(), Missing::Refuse);
        let model = model.unwrap_or_else(|diagnostics| panic!("{}", rendered(&sources, &diagnostics)));
        let graph = build(&model, &model.results);
        let time = stream_axis(&graph);
        let refusal = match time {
            Some(time) => plan(&graph, time).expect_err("it looks ahead"),
            None => Refusal { reader: graph.outputs[0].1, why: Why::NoAxis },
        };
        snapshot(&name, &text, &sources, &[refusal.diagnostic(&graph, time)]);
    }
}

#[test]
fn every_kind_of_mistake_has_a_fixture() {
    let fixtures = files_in("tests/fixtures/errors");
    for code in Code::ALL {
        let has = fixtures.iter().any(|(name, _)| name.starts_with(code.number()));
        let has = has || OF_CHECKPOINTS.contains(code) || *code == OF_STREAMS;
        assert!(has, "no fixture for {}: {}", code.number(), code.explanation());
    }
}

#[test]
fn numbers_of_kinds_are_told_apart() {
    let mut numbers: Vec<&str> = Code::ALL.iter().map(|code| code.number()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), Code::ALL.len());
}
