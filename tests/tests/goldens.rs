//! Every golden case on every backend: the interpreter, machine code, and shaders.

use seqwright::session::Backend;
use seqwright_tests::backends::{Tested, gpus, interpreter, processors};
use seqwright_tests::goldens::{CASES, case};
use seqwright_tests::tolerance::INTERPRETER;

fn agree(backends: &[Tested]) {
    for name in CASES {
        let case = case(name);
        for Tested { name: backend, backend: runs } in backends {
            for (output, operation, error) in case.errors(&case.runner(*runs), &case.batch()) {
                let tolerance = if *runs == Backend::Interpreter { INTERPRETER } else { operation.tolerance() };
                assert!(error <= tolerance, "{name}, {output}, {operation:?}, {backend}: off by {error:e}");
            }
        }
    }
}

#[test]
fn the_interpreter_agrees_with_the_reference() {
    agree(&[interpreter()]);
}

#[test]
fn machine_code_agrees_with_the_reference() {
    agree(&processors());
}

#[test]
fn shaders_agree_with_the_reference() {
    agree(&gpus());
}

#[test]
fn every_golden_case_is_run() {
    let folder = seqwright_tests::sources::repository().join("tests/goldens");
    for entry in std::fs::read_dir(folder).expect("the golden cases are there") {
        let entry = entry.expect("a folder that can be listed");
        let name = entry.file_name().to_string_lossy().to_string();
        if entry.path().is_dir() {
            assert!(CASES.contains(&name.as_str()), "{name} is not run");
        }
    }
}
