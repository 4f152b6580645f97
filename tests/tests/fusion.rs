//! Fusion by shape: which kernels, and how many, come out of a file. Not bytes: a better address or another name changes
//! nothing here; a kernel too many does.

use seqwright::session::{Request, Stages, check, lower};
use seqwright_compiler::kernel::{Body, Call, Scalar, Stage, Steps};
use seqwright_compiler::term::Unary;
use seqwright_tests::goldens::{case, shown};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A fixture of this folder, lowered with parameters.
fn fixture(name: &str, parameters: &[(&str, f64)]) -> Stages {
    let file: PathBuf = seqwright_tests::sources::repository().join("tests/fixtures/fusion").join(name);
    let parameters = parameters.iter().map(|(name, value)| (name.to_string(), *value)).collect::<BTreeMap<_, _>>();
    lower(&shown(check(&Request { file, parameters, ..Request::default() }, None)))
}

/// Each call's kernel in a word or two: `product`, `rows`, `scan with 1 product`, `attention`.
fn shape(stages: &Stages) -> Vec<String> {
    let products = |stages: &[Stage]| stages.iter().filter(|stage| matches!(stage, Stage::Product(_))).count();
    let calls = stages.program.calls.iter();
    calls
        .map(|call| match &stages.program.kernels[call.kernel].body {
            Body::Rows { stages, .. } if products(stages) == 0 => "rows".to_string(),
            Body::Rows { stages, .. } if products(stages) == 1 => "product".to_string(),
            Body::Rows { stages, .. } => format!("{} products", products(stages)),
            Body::Scan { steps: Steps::Blocks { .. }, .. } => "scan in blocks".to_string(),
            Body::Scan { stages, .. } => format!("scan with {} product(s)", products(stages)),
            Body::Attention(_) => "attention".to_string(),
        })
        .collect()
}

#[test]
fn an_lstm_is_one_product_over_all_positions_and_a_loop_with_one_product() {
    let stages = fixture("lstm.seq", &[]);
    assert_eq!(shape(&stages), ["product", "scan with 1 product(s)"], "{}", stages.fused.print());
}

#[test]
fn a_users_cell_is_fused_as_the_librarys() {
    let own = fixture("own_cell.seq", &[]);
    assert_eq!(shape(&own), ["product", "scan with 1 product(s)"], "{}", own.fused.print());
}

#[test]
fn the_layers_of_a_stack_are_one_kernel_each_called_with_other_weights() {
    let stages = fixture("stack.seq", &[("layers", 5.0)]);
    let expected: Vec<&str> = ["product", "scan with 1 product(s)"].repeat(5);
    assert_eq!(shape(&stages), expected);
    assert_eq!(stages.program.kernels.len(), 2, "{}", stages.program.print());
}

#[test]
fn both_directions_of_a_recurrence_share_the_product_over_all_positions() {
    let stages = shape(&fixture("bidirectional.seq", &[]));
    assert_eq!(stages, ["product", "scan with 1 product(s)", "scan with 1 product(s)", "rows"]);
}

#[test]
fn attention_never_stores_the_scores() {
    let stages = fixture("attention.seq", &[]);
    assert_eq!(shape(&stages), ["product", "attention", "product"], "{}", stages.fused.print());
    let pairs = stages.program.buffers.iter().filter(
        |buffer| matches!(&buffer.space, seqwright_compiler::kernel::Space::Tracks(tracks) if tracks.len() == 2),
    );
    assert_eq!(pairs.count(), 0, "a buffer over pairs of positions");
}

/// The cosines and sines of rotary positions vary with position and pair alone: they are computed once, not for each head of
/// queries and of keys, nor in each layer.
#[test]
fn angles_have_their_cosines_once_for_all_heads_and_layers() {
    let stages = fixture("rotary.seq", &[]);
    let functions = |operation: Unary| -> usize {
        let of_call = |call: &Call| {
            let body = &stages.program.kernels[call.kernel].body;
            let (Body::Rows { stages, .. } | Body::Scan { stages, .. }) = body else { return 0 };
            let mut found = 0;
            for stage in stages {
                if let Stage::Loop(stage) = stage {
                    stage.body.walk(&mut |scalar| {
                        found += usize::from(matches!(scalar, Scalar::Unary(own, _) if *own == operation))
                    });
                }
            }
            found
        };
        stages.program.calls.iter().map(of_call).sum()
    };
    assert_eq!((functions(Unary::Cos), functions(Unary::Sin)), (1, 1), "{}", stages.program.print());
}

#[test]
fn a_window_bounds_the_keys_that_are_visited() {
    let stages = fixture("window.seq", &[]);
    let attention = stages.program.kernels.iter().find_map(|kernel| match &kernel.body {
        Body::Attention(attention) => Some(attention),
        Body::Rows { .. } | Body::Scan { .. } => None,
    });
    let attention = attention.expect("there is an attention");
    assert!(attention.domain.is_empty(), "every condition is a bound of the range");
    assert_eq!((attention.keys.from.len(), attention.keys.to.len()), (2, 2), "the sequence's ends, and the window's");
}

#[test]
fn a_transformer_block_is_five_kernels() {
    // Norm, queries, keys and values; attention; output and residual; norm and up; down and residual.
    let case = case("gpt2");
    let stages = lower(&case.checked);
    let block = ["product", "attention", "product", "product", "product"];
    let expected: Vec<&str> = block.repeat(3).into_iter().chain(["product"]).collect();
    assert_eq!(shape(&stages), expected, "{}", stages.fused.print());
    // The first block reads the embedding, so that it differs; the others are the same kernels.
    assert_eq!(stages.program.kernels.len(), 7);
}

#[test]
fn scores_by_content_and_by_distance_are_an_attention() {
    let stages = fixture("distances.seq", &[]);
    assert!(shape(&stages).contains(&"attention".to_string()), "{}", stages.fused.print());
}

#[test]
fn an_image_is_a_product_and_then_a_sequence_like_any_other() {
    let stages = lower(&case("vit").checked);
    let block = ["product", "attention", "product", "product", "product"];
    let expected: Vec<&str> = ["product"].into_iter().chain(block.repeat(2)).chain(["rows", "product"]).collect();
    assert_eq!(shape(&stages), expected, "{}", stages.fused.print());
}

#[test]
fn compiling_does_not_depend_on_depth_or_length() {
    // There is no length to compile for: a program has its time axes as run-time values. And a layer more adds a call.
    let kernels = |layers| fixture("stack.seq", &[("layers", layers)]).program.kernels.len();
    assert_eq!(kernels(3.0), kernels(40.0));
}
