//! What a wrong program gets to read: a fixture for every kind of mistake, with a snapshot of the whole text.

use seqwright_compiler::check::Missing;
use seqwright_compiler::diagnostic::Code;
use seqwright_tests::sources::{diagnose, files_in, rendered};

/// Kinds that need more than a file's text, and where they come from.
const LATER: [(Code, &str); 2] =
    [(Code::Config, "a checkpoint's configuration"), (Code::Checkpoint, "a checkpoint's tensors")];

#[test]
fn every_fixture_gives_its_diagnostic() {
    for (name, text) in files_in("tests/fixtures/errors") {
        let (number, title) = name.trim_end_matches(".seq").split_once('_').expect("a fixture is called E0000_title");
        let (sources, diagnostics) = diagnose(&name, &text, Missing::Refuse);
        let numbers: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.number()).collect();
        assert!(numbers.contains(&number), "{name} gives {numbers:?}");
        let shown = format!("{text}\n{}", rendered(&sources, &diagnostics));
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("{number}_{title}"), shown);
        });
    }
}

#[test]
fn every_kind_of_mistake_has_a_fixture() {
    let fixtures = files_in("tests/fixtures/errors");
    for code in Code::ALL {
        let has = fixtures.iter().any(|(name, _)| name.starts_with(code.number()));
        let later = LATER.iter().find(|(known, _)| known == code);
        match later {
            None => assert!(has, "no fixture for {}: {}", code.number(), code.explanation()),
            Some((_, stage)) => assert!(!has, "{} has a fixture, but comes from {stage}", code.number()),
        }
    }
}

#[test]
fn numbers_of_kinds_are_told_apart() {
    let mut numbers: Vec<&str> = Code::ALL.iter().map(|code| code.number()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), Code::ALL.len());
}
