//! What tells a program with its weights from others, so that a state is not taken for another model's.

use crate::tiles::Precision;
use crate::weights::Given;
use seqwright_compiler::kernel::Program;
use seqwright_compiler::term::ValueId;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// Numbers of each weight that its fingerprint looks at: neighbours, as each place that is looked at brings a stretch of a file into
/// memory.
const LOOKED_AT: usize = 64;

/// Those in the middle: a table may begin with a token that means nothing.
fn middle<T>(all: &[T]) -> &[T] {
    let count = all.len().min(LOOKED_AT);
    &all[(all.len() - count) / 2..][..count]
}

/// A hash of a program's text, of numbers of each weight, and of how products multiply with them.
pub(crate) fn fingerprint(program: &Program, weights: &BTreeMap<ValueId, Given>, precision: Precision) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    program.print().hash(&mut hasher);
    if precision != Precision::F32 {
        precision.hash(&mut hasher);
    }
    for given in weights.values() {
        match given {
            Given::Numbers(numbers) => middle(numbers).iter().for_each(|number| number.to_bits().hash(&mut hasher)),
            Given::Blocks(blocks) => middle(&blocks.bytes).hash(&mut hasher),
        }
    }
    hasher.finish()
}
