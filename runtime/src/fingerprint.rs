//! What tells a program with its weights from others, so that a state is not taken for another model's.

use crate::tiles::Precision;
use crate::weights::Given;
use seqwright_compiler::kernel::Program;
use seqwright_compiler::term::ValueId;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// Numbers of each weight that its fingerprint looks at.
const LOOKED_AT: usize = 64;

/// A hash of a program's text, of numbers of each weight, and of how products multiply with them.
pub(crate) fn fingerprint(program: &Program, weights: &BTreeMap<ValueId, Given>, precision: Precision) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    program.print().hash(&mut hasher);
    if precision != Precision::F32 {
        precision.hash(&mut hasher);
    }
    for given in weights.values() {
        match given {
            Given::Numbers(numbers) => {
                let step = (numbers.len() / LOOKED_AT).max(1);
                numbers.iter().step_by(step).for_each(|number| number.to_bits().hash(&mut hasher));
            }
            Given::Blocks(blocks) => {
                let step = (blocks.bytes.len() / LOOKED_AT).max(1);
                blocks.bytes.iter().step_by(step).for_each(|byte| byte.hash(&mut hasher));
            }
        }
    }
    hasher.finish()
}
