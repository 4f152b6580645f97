//! Every named value of every example, asked for as `seqc trace` does: the interpreter, machine code and shaders agree on it.

use seqwright::session::{Backend, Checked, Request, check, traced};
use seqwright::tiles::Instructions;
use seqwright_compiler::model::ValueKind;
use seqwright_compiler::term::ValueId;
use seqwright_tests::backends::{Tested, gpus, interpreter};
use seqwright_tests::goldens::{CASES, Case, case, example, shown};
use seqwright_tests::tolerance::loosest;
use std::collections::BTreeSet;

/// Every value of a model that can be traced, by one of its names.
fn traceable(checked: &Checked) -> Vec<(String, ValueId)> {
    let mut seen = BTreeSet::new();
    let is_traced = |id: &ValueId| match checked.model.value(*id).kind {
        ValueKind::Equation(_) | ValueKind::Input { .. } => true,
        ValueKind::Weight { .. } | ValueKind::Constant(_) => false,
    };
    let named = checked.model.names.iter().filter(|(_, id)| is_traced(id) && seen.insert(**id));
    named.map(|(name, id)| (name.clone(), *id)).collect()
}

fn rows(case: &Case, backend: Backend) -> Vec<Vec<f32>> {
    shown(traced(&case.checked, &case.loaded(), backend, &case.batch()))
}

/// Fails where a backend's numbers for the outputs asked for are further from the interpreter's than the operations that lead
/// to them explain. Numbers inside a model may be larger than one, and cancel: an error counts against the largest of its value.
fn agree(name: &str, case: &Case, wanted: &[Vec<f32>], backends: &[Tested]) {
    for Tested { name: backend, backend: runs } in backends {
        let got = rows(case, *runs);
        for (((output, id), got), wanted) in case.checked.outputs.iter().zip(&got).zip(wanted) {
            assert_eq!(got.len(), wanted.len(), "{name}, {output}, {backend}");
            let operation = loosest(&case.checked.model, *id);
            let largest = wanted.iter().fold(1.0, |largest: f32, number| largest.max(number.abs()));
            for (place, (got, wanted)) in got.iter().zip(wanted).enumerate() {
                let error = (got - wanted).abs() / largest;
                let right = error <= operation.tolerance();
                assert!(right, "{name}, {output}[{place}]: {got} instead of {wanted}, {operation:?}, {backend}");
            }
        }
    }
}

fn backends() -> Vec<Tested> {
    let best = Instructions::best();
    let cpu = Tested { name: "machine code".to_string(), backend: Backend::Cpu(best, 2) };
    [cpu].into_iter().chain(gpus()).collect()
}

#[test]
fn every_named_value_of_every_example_agrees() {
    let backends = backends();
    for name in CASES {
        let mut case = case(name);
        case.checked.outputs = traceable(&case.checked);
        let wanted = rows(&case, interpreter().backend);
        agree(name, &case, &wanted, &backends);
    }
}

/// What is fused away when nobody asks for it: alone, each is written by the kernel that otherwise keeps it to itself.
#[test]
fn values_inside_kernels_agree_when_asked_for_alone() {
    let alone = [
        ("gpt2", "layer.1.attention.weight"),
        ("gpt2", "layer.1.attention.score"),
        ("gpt2", "layer.2.attention.q"),
        ("llama", "layer.0.attention.turned_q"),
        ("lstm", "lstm.forget"),
        ("lstm", "lstm.c"),
        ("gru", "gru.recurrent"),
        ("lstm_stacked", "layer.2.candidate"),
        ("cell_mingru", "cell.update"),
        ("transformer_translation", "decoder.1.reading.weight"),
        ("mamba", "layer.1.mixer.far.h"),
        ("attention_alibi_window_grouped", "score"),
    ];
    let backends = backends();
    for (name, path) in alone {
        let mut case = case(name);
        let Some(id) = case.checked.model.names.get(path) else {
            let names: Vec<&String> = case.checked.model.names.keys().collect();
            panic!("{name} has no {path}: {names:?}");
        };
        case.checked.outputs = vec![(path.to_string(), *id)];
        let wanted = rows(&case, interpreter().backend);
        agree(name, &case, &wanted, &backends);
    }
}

/// A name inside a repeat is the equation's, where a weight is called the same, and so is the name of a whole definition.
#[test]
fn names_inside_repeats_are_those_of_equations() {
    let case = case("gpt2");
    let model = &case.checked.model;
    let path = |name: &str| {
        let id = model.names.get(name).unwrap_or_else(|| panic!("there is no {name}"));
        assert!(matches!(model.value(*id).kind, ValueKind::Equation(_)), "{name} is no equation");
        model.value(*id).path.clone()
    };
    assert_eq!(path("layer.0.attention.q"), "layer.0.attention.q");
    assert_eq!(path("layer.0.attention"), "layer.0.attention.out");
    assert_eq!(path("layer.2.norm1"), "layer.2.norm1.out");
    assert_eq!(path("layer.1"), "layer.1.out");
    let asked =
        Request { file: example("gpt2"), outputs: Some(vec!["layer.1.attention".to_string()]), ..Request::default() };
    assert_eq!(shown(check(&asked, Some(&case.checkpoint))).outputs.len(), 1);
}
