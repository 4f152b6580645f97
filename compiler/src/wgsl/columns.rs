//! Which columns of a product are computed beside each other, for the loops that use its numbers where they are made.
//!
//! ```text
//! out[i] = silu(p[i]) * p[i + 64]       columns 0, 64, 1, 65, …: each pair by one invocation
//! first[h, i]  = p[8 h + i] * cos - p[8 h + i + 4] * sin
//! second[h, i] = p[8 h + i] * sin + p[8 h + i + 4] * cos       the same pairs for both
//! ```
//!
//! A loop that needs several numbers needs them the same way apart for each of its own: it has *leaders*, the first of each
//! bundle, and parts. Bundles are the same for two loops, or have no column in common.

use super::phases::each_read;
use crate::kernel::{Bound, Loop, Offset, Place, Product};
use std::collections::BTreeSet;

/// Numbers in a bundle at most: those that one invocation computes of a row.
const MOST: usize = 4;

/// The order in which columns are computed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Columns {
    /// Bundles, those of one group alike.
    pub groups: Vec<Group>,
    /// Columns in a bundle: one, two or four, of which some groups may have fewer.
    pub parts: usize,
    /// Whether columns are computed one by one in their own order, all of them; then leaders are columns.
    pub in_order: bool,
}

/// Bundles of columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// Their number before those of this group.
    pub start: usize,
    /// Which columns.
    pub places: Places,
    /// The loops that use them, by number.
    pub loops: Vec<usize>,
}

/// Which of a product's numbers a loop needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Places {
    /// The offset of the first read.
    pub fixed: i64,
    /// How far behind it the reads lie, in order.
    pub parts: Vec<i64>,
    /// For each of the result's indices: its first entry, how many it has, and how far apart neighbours' numbers lie.
    pub indices: Vec<(i64, usize, usize)>,
}

impl Places {
    /// The first leader's column.
    pub fn first(&self) -> i64 {
        self.fixed + self.indices.iter().map(|(from, _, stride)| from * *stride as i64).sum::<i64>()
    }

    /// How many leaders there are.
    pub fn count(&self) -> usize {
        self.indices.iter().map(|(_, size, _)| size).product()
    }

    /// Sizes and strides of the indices that have several entries, the innermost first, with their numbers.
    pub fn radix(&self) -> Vec<(usize, usize, usize)> {
        let indices = self.indices.iter().enumerate().filter(|(_, (_, size, _))| *size != 1);
        let mut order: Vec<(usize, usize, usize)> =
            indices.map(|(number, (_, size, stride))| (number, *size, *stride)).collect();
        order.sort_by_key(|(_, _, stride)| *stride);
        order
    }

    /// Whether leaders are neighbours, and alone.
    fn is_plain(&self) -> bool {
        let mut next = 1;
        self.parts.len() == 1
            && self.radix().into_iter().all(|(_, size, stride)| {
                let fits = stride == next;
                next *= size;
                fits
            })
    }

    fn columns(&self) -> BTreeSet<i64> {
        let mut leaders = vec![self.first()];
        for (_, size, stride) in self.radix() {
            leaders = leaders
                .iter()
                .flat_map(|leader| (0..size).map(move |entry| leader + (entry * stride) as i64))
                .collect();
        }
        leaders.iter().flat_map(|leader| self.parts.iter().map(move |part| leader + part)).collect()
    }

    fn same_columns(&self, other: &Places) -> bool {
        let plain = |places: &Places| -> Vec<(usize, usize)> {
            places.radix().into_iter().map(|(_, size, stride)| (size, stride)).collect()
        };
        self.first() == other.first() && self.parts == other.parts && plain(self) == plain(other)
    }
}

/// The order of a product's columns in which all these loops find what they need; none if there is none.
pub(super) fn columns(product: &Product, loops: &[&Loop]) -> Option<Columns> {
    // What goes to a buffer is for others, and read there.
    if matches!(product.target, Place::Argument(_)) && !loops.is_empty() {
        return None;
    }
    let mut groups: Vec<Group> = Vec::new();
    for (number, stage) in loops.iter().enumerate() {
        let places = places(stage, product)?;
        if let Some(group) = groups.iter_mut().find(|group| group.places.same_columns(&places)) {
            group.loops.push(number);
            continue;
        }
        let start = groups.last().map_or(0, |group| group.start + group.places.count());
        groups.push(Group { start, places, loops: vec![number] });
    }
    let in_order = groups.iter().all(|group| group.places.is_plain());
    if in_order {
        return Some(Columns { groups, parts: 1, in_order });
    }
    // Vectors of a row beside each other have columns in their own order alone.
    if product.rows != 1 {
        return None;
    }
    let mut all = BTreeSet::new();
    for group in &groups {
        let own = group.places.columns();
        let bundles = group.places.count() * group.places.parts.len();
        if own.len() != bundles || !all.is_disjoint(&own) {
            return None;
        }
        all.extend(own);
    }
    let parts = groups.iter().map(|group| group.places.parts.len()).max().unwrap_or(1).next_power_of_two();
    Some(Columns { groups, parts, in_order })
}

/// Which numbers of a product a loop needs, if those for each of its own follow from its indices.
pub(super) fn places(stage: &Loop, product: &Product) -> Option<Places> {
    if stage.reduction.is_some() {
        return None;
    }
    let mut offsets: Vec<&Offset> = Vec::new();
    each_read(stage, &mut |access| {
        if access.place == product.target {
            offsets.push(&access.offset);
        }
    });
    let first = *offsets.first()?;
    let is_sum = |offset: &&Offset| {
        offset.position == 0 && offset.last.is_empty() && offset.computed.is_empty() && offset.indices == first.indices
    };
    if !offsets.iter().all(is_sum) {
        return None;
    }
    let fixed: BTreeSet<i64> = offsets.iter().map(|offset| offset.fixed).collect();
    let least = *fixed.first()?;
    let parts: Vec<i64> = fixed.iter().map(|fixed| fixed - least).collect();
    if parts.len() > MOST {
        return None;
    }
    let mut indices = Vec::new();
    for (number, range) in stage.ranges.iter().enumerate() {
        let only = |bounds: &[Bound]| match bounds {
            [bound] if bound.position == 0 && bound.length.is_none() => Some(bound.fixed),
            _ => None,
        };
        let (from, to) = (only(&range.from)?, only(&range.to)?);
        let size = usize::try_from(to - from).ok().filter(|size| *size > 0)?;
        indices.push((from, size, usize::try_from(first.times(number)).ok()?));
    }
    let places = Places { fixed: least, parts, indices };
    // Each bundle tells every index.
    let mut next = 1;
    for (_, size, stride) in places.radix() {
        if stride < next {
            return None;
        }
        next = stride * size;
    }
    (places.first() >= 0).then_some(places)
}
