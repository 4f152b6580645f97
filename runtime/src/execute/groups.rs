//! Batches group by group: each thread takes some sequences through the whole program before the next ones.
//!
//! What a batch of many rows computes is larger than the caches, and each kernel would read from memory what the one before it
//! wrote there; threads that share each kernel would wait for each other after each. A group has enough rows for products to
//! be as fast as they get, and little enough memory. A sequence's results do not depend on what it is run with, so that
//! they are the same bits. Recurrences go step by step through all sequences at once: a batch with one is not cut up.

use super::{Executable, RunError, input_of, rows_of};
use crate::batch::Batch;
use crate::memory::{Memory, Results, require};
use crate::rows::Rows;
use seqwright_compiler::kernel::{Body, BufferId, Program, Role, TrackId};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// With so many rows, products are about as fast as they get.
const ROWS: usize = 128;

/// Groups for each thread, or more, so that one that is late is not waited for long; or as many for one thread as for another.
const EACH: usize = 4;

/// Whether sequences can be run in groups: no kernel goes through all of them at once, and all results are written where they
/// are handed out.
pub(super) fn can_be_grouped(program: &Program, handed_out: &[BufferId]) -> bool {
    program.chunks.is_none()
        && !program.kernels.iter().any(|kernel| matches!(kernel.body, Body::Scan { .. }))
        && program.outputs.iter().all(|output| handed_out.contains(&output.buffer))
}

/// The memory of a whole result, of which groups write different parts.
struct Whole(*mut f32);

// SAFETY: groups have rows of their own.
unsafe impl Sync for Whole {}

impl Executable {
    /// The sequences of each group; none where a batch is run as a whole.
    pub(super) fn groups(&self, rows: &Rows) -> Option<Vec<Range<usize>>> {
        if !self.by_groups || rows.sequences < 2 {
            return None;
        }
        let of_sequence = |sequence: usize| {
            let tracks = (0..self.program.tracks.len() as u32).map(|track| rows.extents(TrackId(track))[sequence].new);
            tracks.max().unwrap_or(1)
        };
        let mut groups: Vec<Range<usize>> = Vec::new();
        let mut count = ROWS;
        for sequence in 0..rows.sequences {
            match groups.last_mut() {
                Some(group) if count < ROWS => group.end = sequence + 1,
                _ => {
                    groups.push(sequence..sequence + 1);
                    count = 0;
                }
            }
            count += of_sequence(sequence);
        }
        let members = self.team.members();
        let even = groups.len().is_multiple_of(members) && count >= ROWS;
        (groups.len() > 1 && (even || groups.len() >= EACH * members)).then_some(groups)
    }

    /// Runs a batch group by group.
    pub(super) fn run_groups(
        &self,
        batch: &Batch<&[f32]>,
        rows: &Rows,
        groups: &[Range<usize>],
    ) -> Result<Vec<Vec<f32>>, RunError> {
        let numbers = |id: BufferId| {
            let buffer = self.program.buffer(id);
            rows.of(&buffer.space).saturating_mul(buffer.row)
        };
        let counts: Vec<usize> = self.handed_out.iter().map(|id| numbers(*id)).collect();
        require(counts.iter().copied().fold(0, usize::saturating_add))?;
        let mut results: Vec<Vec<f32>> = counts.iter().map(|count| self.spare.room(*count)).collect();
        let places: Vec<Whole> = results.iter_mut().map(|result| Whole(result.as_mut_ptr())).collect();
        let failure: Mutex<Option<RunError>> = Mutex::new(None);
        self.team.each(groups.len(), &|number| {
            let written = places.iter().zip(&self.handed_out).map(|(place, id)| (*id, place)).collect::<Vec<_>>();
            if let Err(why) = self.run_group(batch, rows, groups[number].clone(), &written) {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
            }
        });
        if let Some(why) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(why);
        }
        for (result, count) in results.iter_mut().zip(&counts) {
            // SAFETY: there is room for so many, and the groups have written every row.
            unsafe { result.set_len(*count) }
        }
        let mut given: Vec<Vec<f32>> = Vec::new();
        for (place, output) in self.program.outputs.iter().enumerate() {
            let earlier = self.program.outputs[..place].iter().position(|earlier| earlier.buffer == output.buffer);
            let number = self.handed_out.iter().position(|id| *id == output.buffer);
            given.push(match (earlier, number) {
                (Some(earlier), _) => given[earlier].clone(),
                (None, Some(number)) => std::mem::take(&mut results[number]),
                (None, None) => unreachable!("all results are handed out where they are written"),
            });
        }
        Ok(given)
    }

    /// Runs some sequences of a batch on one thread, which writes their results where all of them lie.
    fn run_group(
        &self,
        batch: &Batch<&[f32]>,
        rows: &Rows,
        group: Range<usize>,
        written: &[(BufferId, &Whole)],
    ) -> Result<(), RunError> {
        let lengths = batch.lengths.iter().map(|lengths| lengths[group.clone()].to_vec()).collect();
        let own = Batch { sequences: group.len(), lengths, inputs: Default::default() };
        let own = rows_of::<&[f32]>(&self.program, &own)?;
        // Where the group's rows of a buffer begin among those of all, and how many numbers they are.
        let part = |id: BufferId| {
            let buffer = self.program.buffer(id);
            let first = rows.new_rows(&buffer.space)[group.start].0;
            (first * buffer.row, own.of(&buffer.space) * buffer.row)
        };
        let results = written.iter().map(|(id, place)| (*id, place.0.wrapping_add(part(*id).0))).collect();
        let mut memory = Memory::new(&self.program, &own, &self.spare, Results::At(results))?;
        for (number, buffer) in (0..).zip(&self.program.buffers) {
            if let Role::Input(_) = &buffer.role {
                let (first, count) = part(BufferId(number));
                memory.lend(BufferId(number), &input_of(buffer, batch, rows)?[first..first + count]);
            }
        }
        self.calls(&own, &mut memory, &[(0, group.len())], &mut |_, _, _| {});
        self.spare.keep(memory);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Request, check, lower};
    use crate::tiles::{Precision, Tiles};
    use crate::weights::Given;
    use crate::weights::Numbers;
    use seqwright_compiler::model::ValueKind;
    use seqwright_compiler::term::{Axis, ValueId};
    use std::collections::BTreeMap;

    /// The program of a text's model, with weights of zeros, on two threads.
    fn executable(text: &str) -> Executable {
        let file = tempfile::Builder::new().suffix(".seq").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let request =
            Request { file: file.path().to_path_buf(), model: None, parameters: BTreeMap::new(), outputs: None };
        let checked = check(&request, None).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
        let stages = lower(&checked);
        let model = &stages.fused.graph.model;
        let zeros = model.ids().filter(|(_, value)| matches!(value.kind, ValueKind::Weight { .. }));
        let zeros: Vec<(ValueId, Numbers)> = zeros
            .map(|(id, value)| (id, vec![0.0; value.axes.iter().filter_map(Axis::size).product()].into()))
            .collect();
        let given: BTreeMap<ValueId, Given> =
            zeros.iter().map(|(id, numbers)| (*id, Given::Numbers(numbers))).collect();
        Executable::new(stages.program, model, &given, Precision::default(), &Tiles::best(), 2).unwrap()
    }

    /// In which groups a batch of sequences of these lengths is run.
    fn groups(executable: &Executable, lengths: Vec<usize>) -> Option<Vec<Range<usize>>> {
        let batch = Batch::<&[f32]> { sequences: lengths.len(), lengths: vec![lengths], inputs: BTreeMap::new() };
        executable.groups(&rows_of(executable.program(), &batch).unwrap())
    }

    const ROWS_ALONE: &str = "model M(x: [T, input]; input = 4, hidden = 8) -> y {
  up = tanh(affine(x; hidden))
  y  = affine(up; input)
}
";
    const SCAN: &str = "model M(x: [T, input]; input = 4, hidden = 8) -> h {
  state h: [hidden] = 0
  h = tanh(affine(x, h[t-1]; hidden))
}
";

    #[test]
    fn sequences_are_grouped_until_products_have_enough_rows() {
        let executable = executable(ROWS_ALONE);
        assert_eq!(groups(&executable, vec![ROWS / 2; 4]), Some(vec![0..2, 2..4]));
        // Three groups are not as many for one thread as for the other, but many more are.
        assert_eq!(groups(&executable, vec![ROWS; 3]), None);
        assert_eq!(groups(&executable, vec![ROWS; 9]).map(|groups| groups.len()), Some(9));
        // Too little for two groups.
        assert_eq!(groups(&executable, vec![ROWS / 4; 4]), None);
        assert_eq!(groups(&executable, vec![4 * ROWS]), None);
    }

    #[test]
    fn a_recurrence_goes_through_all_sequences_at_once() {
        assert_eq!(groups(&executable(SCAN), vec![ROWS; 8]), None);
    }
}
