//! Every printed stage of every example, as a snapshot. Sizes are small, so that they can be read in review.

use seqwright::link::assembly;
use seqwright::session::{Checked, Request, check, lower, print_syntax};
use seqwright_compiler::clif;
use seqwright_tests::goldens::{CASES, case, example, shown};
use std::collections::BTreeMap;

/// Every example with the sizes of its golden case, or small ones.
fn checked(name: &str) -> Checked {
    if CASES.contains(&name) {
        return case(name).checked;
    }
    let small = |sizes: &[(&str, f64)]| sizes.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    let parameters: BTreeMap<String, f64> = match name {
        "minilm" => small(&[
            ("layers", 1.0),
            ("dim", 8.0),
            ("heads", 2.0),
            ("inner", 16.0),
            ("vocab", 50.0),
            ("context", 32.0),
            ("segments", 2.0),
        ]),
        _ => BTreeMap::new(),
    };
    shown(check(&Request { file: example(name), parameters, ..Request::default() }, None))
}

/// Stacks are printed one layer deep but for the stage that shows how layers share kernels.
fn each(stage: &str, print: impl Fn(&Checked) -> String) {
    let mut seen = 0;
    for entry in
        std::fs::read_dir(seqwright_tests::sources::repository().join("examples")).expect("the examples are there")
    {
        let path = entry.expect("a file that can be listed").path();
        if path.extension().is_some_and(|extension| extension == "seq") {
            let name = path.file_stem().expect("a file has a name").to_string_lossy().to_string();
            let text = print(&checked(&name));
            insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => format!("../snapshots/{stage}")}, {
                insta::assert_snapshot!(name, text);
            });
            seen += 1;
        }
    }
    assert!(seen >= 16, "only {seen} examples were found");
}

#[test]
fn syntax() {
    each("syntax", |checked| print_syntax(&checked.files));
}

#[test]
fn model() {
    each("model", |checked| checked.model.print());
}

#[test]
fn graph() {
    each("graph", |checked| lower(checked).graph.print());
}

#[test]
fn fused() {
    each("fused", |checked| lower(checked).fused.print());
}

#[test]
fn kernels() {
    each("kernels", |checked| lower(checked).program.print());
}

/// The IR of whole examples is long: of each, the shortest kernel is kept under review, and of an LSTM all.
#[test]
fn clif_ir() {
    use cranelift_codegen::ir::types::I64;
    use cranelift_codegen::isa::CallConv;
    each("clif", |checked| {
        let program = lower(checked).program;
        let emit = |kernel| clif::emit(&program, kernel, CallConv::SystemV, I64).display().to_string();
        let all: Vec<String> = (0..program.kernels.len()).map(emit).collect();
        if checked.model.name == "LSTMNetwork" {
            all.join("\n")
        } else {
            all.into_iter().min_by_key(String::len).unwrap_or_default()
        }
    });
}

/// Machine code differs from processor to processor: it is there for each kernel, and not kept.
#[test]
fn assembly_is_printed() {
    let program = lower(&checked("lstm")).program;
    let text = assembly(&program).expect("this processor is known");
    assert_eq!(text.matches("kernel ").count(), program.kernels.len());
    assert!(text.contains("ret"), "{text}");
}

#[test]
fn the_same_source_gives_the_same_text() {
    for name in ["lstm_stacked", "bert"] {
        let one = lower(&checked(name));
        let two = lower(&checked(name));
        assert_eq!(one.fused.print(), two.fused.print());
        assert_eq!(one.program.print(), two.program.print());
    }
}
