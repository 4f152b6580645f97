//! Kinds of recurrences: what is told of them, and that those which are affine, element by element, run in blocks, stay
//! accurate over thousands of positions, and give the same bits however their work is shared out.

use seqwright::batch::Batch;
use seqwright::session::{Backend, Checked, Request, Runner, check, lower};
use seqwright::tiles::Instructions;
use seqwright_compiler::check::recurrence::{Group, groups};
use seqwright_compiler::fuse::ClusterKind;
use seqwright_compiler::kernel::{Body, Steps};
use seqwright_compiler::model::Model;
use seqwright_compiler::recurrence::kind;
use seqwright_compiler::wgsl::{Target, emit};
use seqwright_tests::backends::everywhere;
use seqwright_tests::goldens::{case, shown};
use seqwright_tests::random::{Random, random_inputs};
use seqwright_tests::sources::{files_in, repository};
use std::collections::BTreeMap;

/// Relative to the largest number of a result: sums of thousands of float32 numbers, each of whose errors decays with them.
const TOLERANCE: f64 = 1e-5;

fn checked(file: &str) -> Checked {
    shown(check(&Request { file: repository().join(file), ..Request::default() }, None))
}

/// Each recurrence of a model and its kind, in words.
fn kinds(model: &Model) -> BTreeMap<String, String> {
    let groups = groups(model).expect("a checked model has an order");
    let scans = groups.iter().filter_map(|group| match group {
        Group::One(_) => None,
        Group::Scan(scan) => Some(scan),
    });
    let told = scans.map(|scan| {
        let kind = kind(model, scan);
        let why = kind
            .cause()
            .map_or(String::new(), |cause| format!(": `{}` {}", model.value(cause.value).path, cause.text(model)));
        let state = scan.values.iter().find(|id| match &model.value(**id).kind {
            seqwright_compiler::model::ValueKind::Equation(equation) => equation.is_state,
            _ => false,
        });
        let state = state.unwrap_or(&scan.values[0]);
        (model.value(*state).path.clone(), format!("{}{why}", kind.name()))
    });
    told.collect()
}

#[test]
fn kinds_of_recurrences_are_told_with_their_reason() {
    let mut text = String::new();
    for name in ["lstm", "gru", "rnn_tanh", "cell_mingru", "cell_peephole_layernorm_lstm"] {
        for (path, kind) in kinds(&case(name).checked.model) {
            text.push_str(&format!("{name} {path}: {kind}\n"));
        }
    }
    for (path, kind) in kinds(&checked("tests/fixtures/recurrences/long.seq").model) {
        text.push_str(&format!("long {path}: {kind}\n"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn an_elementwise_affine_recurrence_runs_in_blocks_whatever_it_is_written_like() {
    for (folder, name) in [("tests/fixtures/recurrences", "long.seq"), ("tests/fixtures/programs", "mamba_like.seq")] {
        let checked = checked(&format!("{folder}/{name}"));
        let stages = lower(&checked);
        let scans = stages.fused.clusters.iter().filter(|item| matches!(item.kind, ClusterKind::Scan { .. }));
        for cluster in scans {
            let in_blocks = matches!(cluster.kind, ClusterKind::Scan { blocks: Some(_), .. });
            assert!(in_blocks, "{name}: {}", stages.fused.print());
        }
    }
}

#[test]
fn what_is_larger_than_its_sources_is_computed_where_it_is_read() {
    let stages = lower(&checked("tests/fixtures/programs/mamba_like.seq"));
    let bodies: Vec<&Body> =
        stages.program.calls.iter().map(|call| &stages.program.kernels[call.kernel].body).collect();
    let [Body::Rows { .. }, Body::Scan { steps: Steps::Blocks { slices, .. }, stages: four, .. }] = bodies.as_slice()
    else {
        panic!("{}", stages.program.print());
    };
    // Factor and addend, the state, and what is read from it; shared out over the features.
    assert_eq!((four.len(), *slices), (4, Some(6)));
}

/// Every fixture's kinds are the same before and after the passes: what a file asserts is what the kernels do.
#[test]
fn passes_keep_the_kind_of_a_recurrence() {
    let mut seen = 0;
    for folder in ["tests/fixtures/programs", "tests/fixtures/recurrences", "tests/fixtures/streaming"] {
        for (name, _) in files_in(folder) {
            let checked = checked(&format!("{folder}/{name}"));
            let after = kinds(&lower(&checked).fused.graph.model);
            for (path, before) in kinds(&checked.model) {
                let word = |text: &str| text.split(':').next().unwrap_or_default().to_string();
                // A recurrence that no result needs is gone.
                if let Some(after) = after.get(&path) {
                    assert_eq!(word(&before), word(after), "{name}, {path}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 8, "only {seen} recurrences were seen");
}

fn results(checked: &Checked, batch: &Batch, loaded: &seqwright::weights::Loaded, backend: Backend) -> Vec<Vec<f32>> {
    shown(shown(Runner::new(checked, loaded, backend)).run(batch))
}

#[test]
fn long_sequences_are_as_accurate_as_the_loop_in_float64_and_the_same_on_any_number_of_threads() {
    let checked = checked("tests/fixtures/recurrences/long.seq");
    let (loaded, batch) = random_inputs(&checked, &[4096, 1, 33], &mut Random(5));
    let expected = results(&checked, &batch, &loaded, Backend::Interpreter);
    for instructions in Instructions::available() {
        let one = results(&checked, &batch, &loaded, Backend::Cpu(instructions, 1));
        for threads in [2, 7] {
            let more = results(&checked, &batch, &loaded, Backend::Cpu(instructions, threads));
            let bits = |all: &[Vec<f32>]| all.iter().flatten().map(|number| number.to_bits()).collect::<Vec<_>>();
            assert!(bits(&one) == bits(&more), "{} on {threads} threads", instructions.name());
        }
        are_near(&checked, &expected, &one, instructions.name());
    }
}

fn are_near(checked: &Checked, expected: &[Vec<f32>], results: &[Vec<f32>], how: &str) {
    for ((wanted, got), (name, _)) in expected.iter().zip(results).zip(&checked.outputs) {
        let largest = wanted.iter().fold(0.0, |most: f64, number| most.max(f64::from(number.abs())));
        let off = wanted.iter().zip(got).map(|(wanted, got)| f64::from((wanted - got).abs())).fold(0.0, f64::max);
        assert!(off <= TOLERANCE * largest, "{name} with {how}: {off:e} of {largest}");
    }
}

/// As accurate in few sequences, which a GPU computes many positions at once, as in many, where each entry is walked; in
/// sequences that are shorter than a block of positions, end inside one, and need several dispatches.
#[test]
fn positions_that_are_computed_at_once_are_as_accurate_as_the_loop_in_float64() {
    for (file, lengths) in [
        ("long.seq", [4096, 1, 33].as_slice()),
        ("positions.seq", &[4096, 1, 33, 32, 70]),
        ("positions.seq", &[9; 200]),
        ("positions.seq", &[5, 7]),
    ] {
        let checked = checked(&format!("tests/fixtures/recurrences/{file}"));
        let (loaded, batch) = random_inputs(&checked, lengths, &mut Random(8));
        let expected = results(&checked, &batch, &loaded, Backend::Interpreter);
        for backend in everywhere() {
            let how = format!("{backend:?}, {} sequences of {file}", lengths.len());
            are_near(&checked, &expected, &results(&checked, &batch, &loaded, backend), &how);
        }
    }
}

/// Every recurrence of the fixture, on any adapter that has room for the positions of a block; and only where entries are few.
#[test]
fn positions_that_are_many_are_computed_at_once_where_entries_are_few() {
    let program = lower(&checked("tests/fixtures/recurrences/positions.seq")).program;
    let scans = |target: &Target| -> Vec<(String, Option<usize>, usize)> {
        let is_scan = |kernel: &usize| matches!(program.kernels[*kernel].body, Body::Scan { .. });
        let scans = (0..program.kernels.len()).filter(is_scan);
        let entry = |kernel: usize| emit(&program, kernel, target).phases[0].entries[0].clone();
        scans.map(entry).map(|entry| (entry.name, entry.most, entry.steps.map_or(0, |steps| steps.each))).collect()
    };
    for invocations in [32, 96, 128, 256] {
        let all = scans(&Target { invocations, ..Target::default() });
        assert_eq!(all.len(), 6);
        for (name, most, each) in all {
            assert_eq!(name, "scan_of_positions", "{invocations} invocations");
            // Thirteen entries; or three heads, whose short-lived numbers take more room.
            assert!(most == Some(2048 / 13) || most.is_some_and(|most| most < 2048 / 3 && most > 100), "{most:?}");
            assert_eq!(each % 32, 0);
        }
    }
    let narrow = Target { invocations: 32, workgroup_bytes: 256, ..Target::default() };
    assert!(scans(&narrow).iter().all(|(name, ..)| name == "scan"));
    let shortest = scans(&Target::default()).into_iter().map(|(_, _, each)| each).min();
    assert!(shortest.is_some_and(|each| each < 4096), "none of 4096 positions needs several dispatches: {shortest:?}");
}
