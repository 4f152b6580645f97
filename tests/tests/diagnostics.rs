//! What a wrong program gets to read: a fixture for every kind of mistake, with a snapshot of the whole text.

use seqwright_compiler::check::{Missing, check};
use seqwright_compiler::diagnostic::{Code, Diagnostic};
use seqwright_compiler::explain::Stages;
use seqwright_compiler::graph::build;
use seqwright_compiler::source::Sources;
use seqwright_compiler::stream::{Why, plan, stream_axis};
use seqwright_compiler::table::{FileFormat, Setting, Shapes, bindings, fit, settings};
use seqwright_tests::sources::{diagnose, files_in, read, rendered};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds that need more than a file's text, a checkpoint: their fixtures lie in a folder of their own.
const OF_CHECKPOINTS: [Code; 2] = [Code::Config, Code::Checkpoint];

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

/// Models without a chunk program: each reason is told of the equation that is to blame.
#[test]
fn every_refusal_is_explained() {
    let mut told = BTreeSet::new();
    for (name, text) in files_in("tests/fixtures/refusals") {
        let (sources, program, diagnostics) = read(&name, &text);
        assert!(diagnostics.is_empty(), "{}", rendered(&sources, &diagnostics));
        let model = check(&program, None, &BTreeMap::new(), Missing::Refuse);
        let model = model.unwrap_or_else(|diagnostics| panic!("{}", rendered(&sources, &diagnostics)));
        let refused = Stages::new(&model, &model.results).chunks.err().expect("it has no chunk program");
        snapshot(&name, &text, &sources, &[*refused]);
        let graph = build(&model, &model.results);
        told.insert(match stream_axis(&graph) {
            None => reason(&Why::NoAxis),
            Some(time) => reason(&plan(&graph, time).expect_err("it is refused before the passes").why),
        });
    }
    assert_eq!(told.into_iter().collect::<Vec<_>>(), REASONS, "every reason has a fixture");
}

/// Every reason by name, in order.
const REASONS: [&str; 8] = ["ahead", "backward", "length", "no axis", "other axis", "pairs kept", "second", "whole"];

fn reason(why: &Why) -> &'static str {
    match why {
        Why::Ahead(..) => "ahead",
        Why::Backward => "backward",
        Why::Whole(_) => "whole",
        Why::Length => "length",
        Why::PairsKept(_) => "pairs kept",
        Why::Second => "second",
        Why::OtherAxis(_) => "other axis",
        Why::NoAxis => "no axis",
    }
}

#[test]
fn every_kind_of_mistake_has_a_fixture() {
    let mut fixtures = files_in("tests/fixtures/errors");
    fixtures.extend(files_in("tests/fixtures/refusals"));
    for code in Code::ALL {
        let has = fixtures.iter().any(|(name, _)| name.starts_with(code.number()));
        let has = has || OF_CHECKPOINTS.contains(code);
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
