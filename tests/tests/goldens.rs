//! Every golden case on every backend: the interpreter, and machine code with each version of the tiles that this processor
//! has, on one thread and on two.

use seqwright::session::Backend;
use seqwright::tiles::Instructions;
use seqwright_tests::goldens::{CASES, case};

/// The interpreter computes in float64 from float32 weights and gives float32: what is left is the rounding of the
/// expected numbers themselves, on values of order one.
const INTERPRETER: f32 = 2e-6;
/// Float32 sums of up to a few hundred products on values of order one, through a few layers.
const CPU: f32 = 1e-5;

#[test]
fn the_interpreter_agrees_with_the_reference() {
    for name in CASES {
        let case = case(name);
        let error = case.largest_error(&case.runner(Backend::Interpreter), &case.batch());
        assert!(error <= INTERPRETER, "{name}: off by {error:e}");
    }
}

#[test]
fn machine_code_agrees_with_the_reference() {
    for name in CASES {
        let case = case(name);
        for instructions in Instructions::available() {
            for threads in [1, 2] {
                let runner = case.runner(Backend::Cpu(instructions, threads));
                let error = case.largest_error(&runner, &case.batch());
                assert!(error <= CPU, "{name} with {} on {threads} threads: off by {error:e}", instructions.name());
            }
        }
    }
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
