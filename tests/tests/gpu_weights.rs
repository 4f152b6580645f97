//! Weights on a GPU that are stored otherwise than they come: as 16-bit numbers, and in several buffers.

#![cfg(feature = "gpu")]

use half::f16;
use seqwright::gpu::{Choice, Storage};
use seqwright::session::{Backend, Checked, Request, Runner, check};
use seqwright::weights::Numbers;
use seqwright_compiler::term::ValueId;
use seqwright_compiler::wgsl::layouts;
use seqwright_tests::backends::{device, gpus};
use seqwright_tests::goldens::{CASES, case, example, shown};
use seqwright_tests::random::{Random, random_inputs, row};
use seqwright_tests::tolerance::{HALF, loosest_of_all};

fn checked(name: &str, sizes: &[(&str, f64)]) -> Checked {
    let parameters = sizes.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    shown(check(&Request { file: example(name), parameters, ..Request::default() }, None))
}

#[test]
fn weights_of_16_bits_agree_with_the_reference_as_far_as_11_bits_do() {
    if device(Storage::F16).is_none() {
        return;
    }
    let mut largest = 0f32;
    for name in CASES {
        let case = case(name);
        let backend = Backend::Gpu(Choice { weights: Storage::F16, ..Choice::default() });
        let error = case.largest_error(&case.runner(backend), &case.batch());
        assert!(error <= HALF, "{name}: off by {error:e}");
        largest = largest.max(error);
    }
    // No case at all would be off by more than rounding if they were f32 after all.
    assert!(largest > 1e-5, "off by {largest:e} at most");
}

/// Weights that f16 can hold give what they give as f32: arithmetic is the same.
#[test]
fn what_is_computed_with_weights_of_16_bits_is_f32() {
    for name in CASES {
        let case = case(name);
        let mut loaded = case.loaded();
        loaded
            .values
            .values_mut()
            .flat_map(Numbers::to_mut)
            .for_each(|number| *number = f16::from_f32(*number).to_f32());
        let Some(tested) = gpus().pop() else { return };
        let Some(device) = device(Storage::F16) else { return };
        let full = shown(shown(Runner::new(&case.checked, &loaded, tested.backend)).run(&case.batch()));
        let half = shown(shown(Runner::on_device(&case.checked, &loaded, device)).run(&case.batch()));
        for (wanted, got) in full.iter().flatten().zip(half.iter().flatten()) {
            assert!(
                (wanted - got).abs() <= loosest_of_all(&case.checked).tolerance(),
                "{name}: {got} instead of {wanted}"
            );
        }
    }
}

#[test]
fn weights_of_16_bits_take_half_the_memory() {
    // A table and matrices are all but the norms and biases.
    let sizes = [("vocab", 2200.0), ("context", 80.0), ("dim", 32.0), ("heads", 4.0), ("inner", 64.0), ("layers", 2.0)];
    let checked = checked("gpt2", &sizes);
    let (loaded, batch) = random_inputs(&checked, &[9, 2], &mut Random(3));
    let Some(half) = device(Storage::F16) else { return };
    let half = shown(Runner::on_device(&checked, &loaded, half));
    let full = shown(Runner::new(&checked, &loaded, Backend::Gpu(Choice::default())));
    let bytes = |runner: &Runner| runner.gpu().expect("the runner is one on a GPU").counts().weights as f64;
    let share = bytes(&half) / bytes(&full);
    assert!((0.5..0.55).contains(&share), "{share} of {}", bytes(&full));
    for (wanted, got) in shown(full.run(&batch)).iter().flatten().zip(shown(half.run(&batch)).iter().flatten()) {
        assert!((wanted - got).abs() <= HALF * wanted.abs().max(1.0), "{got} instead of {wanted}");
    }
}

#[test]
fn a_weight_that_f16_has_no_number_for_is_refused() {
    let Some(device) = device(Storage::F16) else { return };
    let checked = checked("lstm", &[("input", 12.0), ("hidden", 20.0)]);
    let (mut loaded, _) = random_inputs(&checked, &[2], &mut Random(3));
    let largest = loaded.values.values_mut().max_by_key(|numbers| numbers.len()).expect("there are weights");
    largest.to_mut()[7] = 70000.0;
    let failure = Runner::on_device(&checked, &loaded, device).err().expect("it is refused");
    let text = format!("{failure:?}");
    assert!(text.contains("70000") && text.contains("65504") && text.contains("--gpu-weights"), "{text}");
}

#[test]
fn weights_in_several_buffers_are_the_same_weights() {
    let mut most = 0;
    for name in CASES {
        let case = case(name);
        for weights in [Storage::F32, Storage::F16] {
            let Some(mut device) = device(weights) else { return };
            // Each of these small models has a weight of more than a few hundred bytes.
            let largest = case.checked.model.weights().map(|(_, value)| row(value)).max().unwrap_or(0);
            device.target.largest_binding = (largest * 4 / 3).next_multiple_of(4).max(64);
            let target = device.target;
            let runner = shown(Runner::on_device(&case.checked, &case.loaded(), device));
            let program = runner.gpu().expect("the runner is one on a GPU").program();
            most = most.max(layouts(program, &target).iter().map(|layout| layout.parts).max().unwrap_or(1));
            let tolerance = if weights == Storage::F16 { HALF } else { loosest_of_all(&case.checked).tolerance() };
            let error = case.largest_error(&runner, &case.batch());
            assert!(error <= tolerance, "{name}, {weights:?}: off by {error:e}");
        }
    }
    assert!(most >= 3, "weights lay in {most} buffers at most");
}

/// A table is cut inside a row, a result is a weight itself, and a weight is larger than all bindings together can hold.
#[test]
fn tables_and_results_in_several_buffers_are_read_as_they_are() {
    let sizes = [("vocab", 2200.0), ("context", 80.0), ("dim", 32.0), ("heads", 4.0), ("inner", 64.0), ("layers", 1.0)];
    let mut checked = checked("gpt2", &sizes);
    let (id, path) = largest_weight(&checked);
    checked.outputs.push((path, id));
    let (loaded, batch) = random_inputs(&checked, &[9, 2], &mut Random(3));
    let Some(tested) = gpus().pop() else { return };
    let whole = shown(shown(Runner::new(&checked, &loaded, tested.backend)).run(&batch));
    // A result that is a weight is given for each sequence.
    let twice = [&*loaded.values[&id]; 2].concat();
    assert_eq!(whole.last(), Some(&twice));
    let in_parts = |bytes: usize| {
        let mut device = device(Storage::F32).expect("there is an adapter");
        device.target.largest_binding = bytes;
        Runner::on_device(&checked, &loaded, device)
    };
    let parts = shown(shown(in_parts(2200 * 32 * 4 / 3 + 20)).run(&batch));
    assert_eq!(parts.last(), Some(&twice));
    for (wanted, got) in whole.iter().flatten().zip(parts.iter().flatten()) {
        assert!(
            (wanted - got).abs() <= loosest_of_all(&checked).tolerance() * wanted.abs().max(1.0),
            "{got} instead of {wanted}"
        );
    }
    let failure = in_parts(32).err().expect("so many buffers are refused");
    assert!(format!("{failure:?}").contains("buffers in one shader"), "{failure:?}");
}

fn largest_weight(checked: &Checked) -> (ValueId, String) {
    let weights = checked.model.weights();
    let (id, value) = weights.max_by_key(|(_, value)| row(value)).expect("the model has weights");
    (id, value.path.clone())
}
