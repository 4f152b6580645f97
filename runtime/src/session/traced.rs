//! Many values of a model at once: one program where it can be, several where a device allows a shader fewer buffers than
//! there are values that one kernel computes.

use super::{Backend, Checked, Failure, Runner};
use crate::batch::Batch;
use crate::weights::Loaded;

/// The rows of everything that is asked for, in its order.
///
/// # Errors
/// What compiling or running refuses; what a device refuses of one value alone.
pub fn traced(checked: &Checked, loaded: &Loaded, backend: Backend, batch: &Batch) -> Result<Vec<Vec<f32>>, Failure> {
    match Runner::new(checked, loaded, backend) {
        Ok(runner) => runner.run(batch),
        Err(Failure::Device { .. }) if checked.outputs.len() > 1 => {
            let (first, second) = checked.outputs.split_at(checked.outputs.len() / 2);
            let mut all = Vec::new();
            for outputs in [first, second] {
                all.extend(traced(&checked.asked_for(outputs.to_vec()), loaded, backend, batch)?);
            }
            Ok(all)
        }
        Err(failure) => Err(failure),
    }
}
