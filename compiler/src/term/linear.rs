//! Terms that are sums: `i - 3 * j + length(T)`, and what a comparison of two of them says of the range of an index.

use super::{Binary, Condition, IndexId, Term, TimeId, Unary};
use crate::syntax::tree::Comparator;

/// An end of a range: `fixed + position * own position + length of a time axis`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// A number.
    pub fixed: i64,
    /// Times the row's own position.
    pub position: i64,
    /// The time axis whose length in this sequence is added.
    pub length: Option<TimeId>,
}

/// A sum of indices, numbers and lengths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Linear {
    pub indices: Vec<(IndexId, f64)>,
    pub fixed: f64,
    pub lengths: Vec<(TimeId, f64)>,
}

/// A term as a sum, if it is one.
pub(crate) fn linear(term: &Term) -> Option<Linear> {
    let scale = |mut sum: Linear, by: f64| {
        sum.fixed *= by;
        sum.indices.iter_mut().for_each(|(_, times)| *times *= by);
        sum.lengths.iter_mut().for_each(|(_, times)| *times *= by);
        sum
    };
    Some(match term {
        Term::Number(number) => Linear { fixed: *number, ..Linear::default() },
        Term::Index(index) => Linear { indices: vec![(*index, 1.0)], ..Linear::default() },
        Term::Length(time) => Linear { lengths: vec![(*time, 1.0)], ..Linear::default() },
        Term::Unary(Unary::Negate, value) => scale(linear(value)?, -1.0),
        Term::Binary(operation @ (Binary::Add | Binary::Subtract), left, right) => {
            let sign = if *operation == Binary::Add { 1.0 } else { -1.0 };
            let (mut left, right) = (linear(left)?, scale(linear(right)?, sign));
            left.fixed += right.fixed;
            for (index, times) in right.indices {
                match left.indices.iter_mut().find(|(known, _)| *known == index) {
                    Some((_, total)) => *total += times,
                    None => left.indices.push((index, times)),
                }
            }
            for (time, times) in right.lengths {
                match left.lengths.iter_mut().find(|(known, _)| *known == time) {
                    Some((_, total)) => *total += times,
                    None => left.lengths.push((time, times)),
                }
            }
            left.indices.retain(|(_, times)| *times != 0.0);
            left.lengths.retain(|(_, times)| *times != 0.0);
            left
        }
        Term::Binary(Binary::Multiply, left, right) => match (linear(left)?, linear(right)?) {
            (one, two) if one.indices.is_empty() && one.lengths.is_empty() => scale(two, one.fixed),
            (one, two) if two.indices.is_empty() && two.lengths.is_empty() => scale(one, two.fixed),
            _ => return None,
        },
        Term::Read(..)
        | Term::Unary(..)
        | Term::Binary(..)
        | Term::Select(..)
        | Term::Reduce { .. }
        | Term::Softmax { .. }
        | Term::Pieces(..) => return None,
    })
}

/// What a condition says of the range of one index: its first is at least, one past its last at most so much. `row` is the
/// index that is the row's own position.
pub(crate) fn bounds(
    condition: &Condition,
    index: IndexId,
    row: Option<IndexId>,
) -> Option<(Option<Bound>, Option<Bound>)> {
    let difference = Term::binary(Binary::Subtract, condition.left.clone(), condition.right.clone());
    let sum = linear(&difference)?;
    let own = sum.indices.iter().find(|(known, _)| *known == index)?.1;
    if own.abs() != 1.0 || sum.fixed.fract() != 0.0 {
        return None;
    }
    // own * index + rest ? 0, that is index ? -own * rest, with the comparison turned round where own is -1.
    let mut bound = Bound { fixed: (-own * sum.fixed) as i64, position: 0, length: None };
    for (other, times) in &sum.indices {
        if *other == index {
            continue;
        }
        if row != Some(*other) || times.fract() != 0.0 {
            return None;
        }
        bound.position += (-own * times) as i64;
    }
    match sum.lengths.as_slice() {
        [] => {}
        [(time, times)] if -own * times == 1.0 => bound.length = Some(*time),
        _ => return None,
    }
    let more = |by: i64| Bound { fixed: bound.fixed + by, ..bound.clone() };
    let comparator = match (condition.comparator, own < 0.0) {
        (Comparator::Less, true) => Comparator::Greater,
        (Comparator::LessEqual, true) => Comparator::GreaterEqual,
        (Comparator::Greater, true) => Comparator::Less,
        (Comparator::GreaterEqual, true) => Comparator::LessEqual,
        (same, _) => same,
    };
    match comparator {
        Comparator::Less => Some((None, Some(more(0)))),
        Comparator::LessEqual => Some((None, Some(more(1)))),
        Comparator::Greater => Some((Some(more(1)), None)),
        Comparator::GreaterEqual => Some((Some(more(0)), None)),
        Comparator::Equal => Some((Some(more(0)), Some(more(1)))),
        Comparator::NotEqual => None,
    }
}
