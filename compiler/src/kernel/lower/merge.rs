//! Loops that are one: `for heads in 0..12, for head_dim in 0..64` over numbers that lie in a row is `for … in 0..768`.
//!
//! Two neighbouring indices of a result become one where every address goes on from the last entry of the inner one to the
//! first of the next outer one, and nothing asks for either by itself. What is longer is computed more numbers at a time.

use super::super::share::{entries, reads};
use super::{Access, Loop, Offset, Range, Row, Scalar};
use crate::kernel::Comparison;

/// The loop with as few indices as can be.
pub(super) fn merged(mut stage: Loop) -> Loop {
    let mut outer = 0;
    while outer + 1 < stage.results {
        match entries(&stage.ranges[outer]).zip(entries(&stage.ranges[outer + 1])) {
            Some((count, inner)) if is_one(&stage, outer, inner) => join(&mut stage, outer, count * inner),
            Some(_) | None => outer += 1,
        }
    }
    stage
}

/// Whether an index and the next, of so many entries, can become one.
fn is_one(stage: &Loop, outer: usize, inner_entries: usize) -> bool {
    let inner = outer + 1;
    if stage.recurrence.is_some() || stage.slice == Some(outer) || stage.slice == Some(inner) {
        return false;
    }
    let goes_on = |access: &Access| {
        let in_row = |row: &Row| matches!(row, Row::At(at) if at.varies_with(outer) || at.varies_with(inner));
        let asks = |scalar: &Scalar| scalar.varies_with(outer) || scalar.varies_with(inner);
        !access.rows.iter().any(in_row)
            && !access.offset.computed.iter().any(|part| asks(&part.number))
            && access.offset.times(outer) == inner_entries as i64 * access.offset.times(inner)
    };
    let mut one = goes_on(&stage.target);
    reads(stage, &mut |access| one &= goes_on(access));
    let mut asked = |scalar: &Scalar| {
        scalar.walk(&mut |inside| one &= !matches!(inside, Scalar::Index(index) if *index == outer || *index == inner));
    };
    asked(&stage.body);
    for Comparison { left, right, .. } in &stage.domain {
        asked(left);
        asked(right);
    }
    one
}

/// Makes an index and the next one of so many entries; those after them are counted one less.
fn join(stage: &mut Loop, outer: usize, entries: usize) {
    let inner = stage.ranges.remove(outer + 1);
    let range: &mut Range = &mut stage.ranges[outer];
    range.name = format!("{}_{}", range.name, inner.name);
    range.to[0].fixed = entries as i64;
    stage.results -= 1;
    stage.slice = stage.slice.map(|index| index - usize::from(index > outer));
    in_access(&mut stage.target, outer);
    in_scalar(&mut stage.body, outer);
    for Comparison { left, right, .. } in &mut stage.domain {
        in_scalar(left, outer);
        in_scalar(right, outer);
    }
}

fn in_access(access: &mut Access, outer: usize) {
    in_offset(&mut access.offset, outer);
    for row in &mut access.rows {
        if let Row::At(offset) = row {
            in_offset(offset, outer);
        }
    }
}

/// The outer index is gone, and the inner one has its number.
fn in_offset(offset: &mut Offset, outer: usize) {
    offset.indices.retain(|(index, _)| *index != outer);
    for (index, _) in &mut offset.indices {
        *index -= usize::from(*index > outer);
    }
    offset.computed.iter_mut().for_each(|part| in_scalar(&mut part.number, outer));
}

fn in_scalar(scalar: &mut Scalar, outer: usize) {
    match scalar {
        Scalar::Number(_) | Scalar::Position | Scalar::Length(_) | Scalar::Dot => {}
        Scalar::Index(index) => *index -= usize::from(*index > outer),
        Scalar::Read(access) => in_access(access, outer),
        Scalar::Unary(_, value) => in_scalar(value, outer),
        Scalar::Binary(_, left, right) => {
            in_scalar(left, outer);
            in_scalar(right, outer);
        }
        Scalar::Select(conditions, left, right) => {
            for Comparison { left, right, .. } in conditions {
                in_scalar(left, outer);
                in_scalar(right, outer);
            }
            in_scalar(left, outer);
            in_scalar(right, outer);
        }
    }
}
