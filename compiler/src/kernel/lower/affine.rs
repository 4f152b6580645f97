//! The parts of a recurrence that runs in blocks, beside its body: what it is multiplied by, what is added, and where its earlier
//! element lies ([`affine_form`]). The processor walks the body from position to position; a GPU puts positions together.

use super::{Lowering, Making};
use crate::check::recurrence::reads;
use crate::kernel::index::Indices;
use crate::kernel::{AffineParts, Range, Scalar};
use crate::recurrence::affine_form;
use crate::term::{IndexId, Subscript, Term, ValueId};

impl Lowering<'_> {
    /// The parts of a value's equation, if it is the state of a scan in blocks: there is one such value in each, which reads
    /// itself.
    pub(super) fn recurrence(
        &mut self,
        making: &mut Making,
        id: ValueId,
        indices: &Indices,
        ranges: &[Range],
    ) -> Option<Box<AffineParts>> {
        let (step, time) = (making.before?, making.rows.time?);
        let value = self.graph.value(id);
        if !reads(&value.kind).contains(&id) {
            return None;
        }
        let form = affine_form(&self.graph.model, id, time, self.equation(id))?;
        let subscripts = (0u32..).zip(&value.axes).map(|(place, axis)| match axis.time() == Some(time) {
            true => Subscript::shifted(IndexId(place), step),
            false => Subscript::index(IndexId(place)),
        });
        let before = Term::Read(id, subscripts.collect());
        self.with(making, indices.clone(), ranges.to_vec(), None, |context| {
            let Scalar::Read(before) = context.scalar(&before) else { return None };
            let (factor, addend) = (context.scalar(&form.factor), context.scalar(&form.addend));
            Some(Box::new(AffineParts { factor, addend, before: *before }))
        })
    }
}
