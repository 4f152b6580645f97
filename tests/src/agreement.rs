//! The one comparison: what backends make of a model, number by number beside what the interpreter says; what the interpreter
//! says of the stages in between; and what a backend makes of each sequence by itself.

use crate::backends::Tested;
use crate::goldens::shown;
use crate::random::{Random, random_inputs};
use crate::sequences::alone;
use crate::tolerance::{DAMAGED, INTERPRETER, loosest};
use seqwright::session::{Backend, Checked, Request, Runner, check, interpret_graph, lower};
use seqwright::weights::Loaded;
use seqwright_compiler::fuse::fuse;
use seqwright_compiler::pass;
use seqwright_compiler::term::ValueId;
use std::collections::BTreeMap;
use std::path::Path;

/// Checks a file, with no weights yet.
///
/// # Errors
/// What a user would read.
pub fn checked(file: &Path) -> Result<Checked, String> {
    check(&Request { file: file.to_path_buf(), ..Request::default() }, None).map_err(|failure| failure.render(false))
}

/// Runs a model with random weights on a random batch whose sequences have these lengths, with the interpreter and on backends.
///
/// Gives the first error of a backend that is larger than the operations before it explain, and where it is. Results that are no numbers, or so large that
/// float32 says nothing, count only where `strict`.
///
/// # Panics
/// A backend fails to run at all; the interpreter does so and `strict`.
pub fn disagreement(
    checked: &Checked,
    lengths: &[usize],
    random: &mut Random,
    strict: bool,
    backends: &[Tested],
) -> Option<String> {
    let (loaded, batch) = random_inputs(checked, lengths, random);
    let interpreter = shown(Runner::new(checked, &loaded, Backend::Interpreter));
    let wanted = match interpreter.run(&batch) {
        Ok(wanted) => wanted,
        // A damaged program may have a table too short for these sequences; a whole one may not.
        Err(_) if !strict => return None,
        Err(failure) => panic!("{}", failure.render(false)),
    };
    for Tested { name, backend } in backends {
        let runner = shown(Runner::new(checked, &loaded, *backend));
        let got = shown(runner.run(&batch));
        for (((output, id), got), wanted) in runner.outputs().iter().zip(&got).zip(&wanted) {
            assert_eq!(got.len(), wanted.len(), "{output}");
            let operation = loosest(runner.model(), *id);
            let tolerance = if strict { operation.tolerance() } else { DAMAGED };
            for (place, (got, wanted)) in got.iter().zip(wanted).enumerate() {
                let error = (got - wanted).abs() / wanted.abs().max(1.0);
                // A root or logarithm of what cancels to nothing is nothing in one precision and no number in another.
                let cancelled = got.is_nan() && wanted.abs() < 1e-6;
                let meaningless = !wanted.is_finite() || wanted.abs() > 1e3 || cancelled;
                if !(error <= tolerance || (meaningless && !strict)) {
                    return Some(format!("{output}[{place}]: {got} instead of {wanted}, {operation:?}, {name}"));
                }
            }
        }
    }
    None
}

/// Runs the equations taken apart, the same after the passes, and the fused ones with the interpreter: they mean the same.
///
/// Gives the first number that differs, and where it is.
///
/// # Panics
/// The interpreter fails.
pub fn stages_disagree(checked: &Checked, lengths: &[usize], random: &mut Random) -> Option<String> {
    let (loaded, batch) = random_inputs(checked, lengths, random);
    let unfused = lower(checked).graph;
    let optimised = pass::optimise(unfused.clone());
    let fused = fuse(optimised.clone()).graph;
    let wanted = shown(interpret_graph(&unfused, &loaded, &batch));
    for (name, graph) in [("after the passes", optimised), ("fused", fused)] {
        // A pass numbers values anew; inputs and weights keep their paths.
        let given = graph.model.weights().chain(graph.model.inputs());
        let numbers: BTreeMap<&str, ValueId> = given.map(|(id, value)| (value.path.as_str(), id)).collect();
        let number = |id: &ValueId| numbers[checked.model.value(*id).path.as_str()];
        let (mut own, mut same) = (Loaded::default(), batch.clone());
        own.values = loaded.values.iter().map(|(id, values)| (number(id), values.clone())).collect();
        same.inputs = batch.inputs.iter().map(|(id, rows)| (number(id), rows.clone())).collect();
        let got = shown(interpret_graph(&graph, &own, &same));
        for (((output, _), got), wanted) in checked.outputs.iter().zip(&got).zip(&wanted) {
            assert_eq!(got.len(), wanted.len(), "{output}, {name}");
            for (place, (got, wanted)) in got.iter().zip(wanted).enumerate() {
                let error = (got - wanted).abs() / wanted.abs().max(1.0);
                if !(error <= INTERPRETER || got.is_nan() && wanted.is_nan()) {
                    return Some(format!("{output}[{place}]: {got} instead of {wanted}, {name}"));
                }
            }
        }
    }
    None
}

/// Runs each sequence of a random batch by itself on a backend, and all of them together: the same bits.
///
/// Gives the first number that differs, and where it is.
///
/// # Panics
/// The backend fails to run.
pub fn batch_disagrees(checked: &Checked, lengths: &[usize], random: &mut Random, tested: &Tested) -> Option<String> {
    let (loaded, batch) = random_inputs(checked, lengths, random);
    let runner = shown(Runner::new(checked, &loaded, tested.backend));
    let together = shown(runner.run(&batch));
    let mut done = vec![0; together.len()];
    for sequence in 0..batch.sequences {
        let own = shown(runner.run(&alone(&checked.model, &batch, sequence, |length| length)));
        for ((((output, _), all), own), done) in runner.outputs().iter().zip(&together).zip(&own).zip(&mut done) {
            let among = &all[*done..*done + own.len()];
            *done += own.len();
            if let Some(place) = (0..own.len()).find(|place| own[*place].to_bits() != among[*place].to_bits()) {
                let (one, other, name) = (own[place], among[place], &tested.name);
                return Some(format!(
                    "{output}[{place}] of sequence {sequence}: {one} alone, {other} in a batch, {name}"
                ));
            }
        }
    }
    None
}
