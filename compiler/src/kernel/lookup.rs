//! Weights that are looked up in: tables of which kernels read the rows that an input names, and no others.
//!
//! Whoever keeps such a table in another form, as the blocks of a file, need have its rows as numbers only once they are
//! named. A weight counts if every read of it takes one entry of its first axis, which is an input's number at the position
//! itself, and if that input is given for new positions alone: rows that were named before a state was saved would not be
//! seen else.

use super::share::{entries, reads};
use super::{Access, Body, BufferId, Call, Loop, Offset, Place, Program, Role, Row, Scalar, Space, Stage};
use crate::stream::Keep;
use crate::term::ValueId;
use std::collections::{BTreeMap, BTreeSet};

/// A weight that is looked up in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// How many rows it has.
    pub rows: usize,
    /// Numbers in a row.
    pub row: usize,
    /// The inputs that name rows: a number is rounded towards zero and moved to one that there is.
    pub inputs: BTreeSet<ValueId>,
}

impl Program {
    /// The weights that are looked up in, and read in no other way.
    pub fn lookups(&self) -> BTreeMap<BufferId, Lookup> {
        let is_weight = |id: BufferId| matches!(self.buffer(id).role, Role::Weight(_));
        let mut found: BTreeMap<BufferId, Lookup> = BTreeMap::new();
        let mut otherwise: BTreeSet<BufferId> = self.outputs.iter().map(|output| output.buffer).collect();
        for call in &self.calls {
            let (Body::Rows { stages, .. } | Body::Scan { stages, .. }) = &self.kernels[call.kernel].body else {
                otherwise.extend(call.arguments.iter().copied().filter(|id| is_weight(*id)));
                continue;
            };
            for stage in stages {
                let stage = match stage {
                    Stage::Loop(stage) => stage,
                    Stage::Product(product) => {
                        otherwise.extend(buffer_of(call, product.operand));
                        continue;
                    }
                };
                reads(stage, &mut |access| {
                    otherwise.extend(access.outside.map(|number| call.arguments[number]));
                    let Some(id) = buffer_of(call, access.place).filter(|id| is_weight(*id)) else { return };
                    match self.row_named_by(call, stage, access, id) {
                        None => drop(otherwise.insert(id)),
                        Some((row, input)) => {
                            let lookup = found.entry(id).or_default();
                            if lookup.row != 0 && lookup.row != row {
                                otherwise.insert(id);
                            }
                            (lookup.row, lookup.rows) = (row, self.buffer(id).row / row);
                            lookup.inputs.insert(input);
                        }
                    }
                });
            }
        }
        found.retain(|id, _| !otherwise.contains(id));
        found
    }

    /// How many numbers a row has, if a read of a weight takes one, and the input that names it.
    fn row_named_by(&self, call: &Call, stage: &Loop, access: &Access, id: BufferId) -> Option<(usize, ValueId)> {
        let Offset { fixed: 0, position: 0, indices, last, computed } = &access.offset else { return None };
        let [part] = computed.as_slice() else { return None };
        let row = usize::try_from(part.stride).ok().filter(|row| *row > 0)?;
        let mut inside = 0usize;
        for (index, times) in indices {
            let entries = entries(stage.ranges.get(*index)?)?;
            inside = usize::try_from(*times).ok()?.saturating_mul(entries.saturating_sub(1)).saturating_add(inside);
        }
        if !last.is_empty() || inside >= row || part.size.checked_mul(row) != Some(self.buffer(id).row) {
            return None;
        }
        let Scalar::Read(named) = &part.number else { return None };
        let buffer = self.buffer(buffer_of(call, named.place)?);
        let (Role::Input(input), Space::Tracks(tracks)) = (&buffer.role, &buffer.space) else { return None };
        let [track] = tracks.as_slice() else { return None };
        let is_new = self.track(*track).keep == Keep::New && named.rows == [Row::Here];
        (is_new && named.offset == Offset::default() && buffer.row == 1).then_some((row, *input))
    }
}

fn buffer_of(call: &Call, place: Place) -> Option<BufferId> {
    match place {
        Place::Argument(number) => Some(call.arguments[number]),
        Place::Scratch(_) => None,
    }
}
