//! The one comparison: what backends make of a model, number by number beside what the interpreter says.

use crate::backends::Tested;
use crate::goldens::shown;
use crate::random::{Random, random_inputs};
use crate::tolerance::{DAMAGED, loosest};
use seqwright::session::{Backend, Checked, Request, Runner, check};
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
