//! Whether a tensor's shape is the one that is meant.

use super::region::product;

/// Whether two shapes hold the same elements in the same order with nothing regrouped: each is the
/// other with neighbouring axes merged or split, and with axes of size 1 anywhere.
///
/// `[4, 12, 48]` is `[48, 48]` and `[1, 48, 48]`, but `[2, 3]` is not `[3, 2]`: between two places
/// where both shapes begin an axis, one of them may have only a single axis.
pub fn same_order(left: &[usize], right: &[usize]) -> bool {
    if product(left) != product(right) {
        return false;
    }
    let (left, right) = (cuts(left), cuts(right));
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        let (from_left, from_right) = (i, j);
        // Up to the next cut that both have; the whole product, the last cut of each, is one.
        while i < left.len() && j < right.len() && left[i] != right[j] {
            if left[i] < right[j] {
                i += 1;
            } else {
                j += 1;
            }
        }
        if i > from_left && j > from_right {
            return false;
        }
        i += 1;
        j += 1;
    }
    true
}

/// After each axis, how many combinations of the axes so far there are; axes of size 1 left out.
fn cuts(shape: &[usize]) -> Vec<usize> {
    let axes = shape.iter().filter(|size| **size != 1);
    let mut all: Vec<usize> = axes
        .scan(1_usize, |so_far, size| {
            *so_far = so_far.saturating_mul(*size);
            Some(*so_far)
        })
        .collect();
    // Sizes of 0, which no weight has, would break the order that the comparison rests on.
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_merge_and_split_but_do_not_regroup() {
        for (left, right, wanted) in [
            (&[4, 12, 48][..], &[48, 48][..], true),
            (&[4, 12, 48], &[4, 576], true),
            (&[1, 48], &[48], true),
            (&[48, 1, 1], &[48], true),
            (&[], &[1], true),
            (&[2, 3], &[3, 2], false),
            (&[2, 3], &[6], true),
            (&[4, 6], &[6, 4], false),
            (&[4, 6, 5], &[24, 5], true),
            (&[4, 6, 5], &[6, 4, 5], false),
            (&[2, 2, 3], &[4, 3], true),
            (&[5, 5], &[5, 5], true),
            (&[3, 4, 5], &[3, 5, 4], false),
            (&[3, 20], &[3, 5, 4], true),
            (&[2, 3], &[2, 4], false),
            (&[12, 2], &[3, 8], false),
        ] {
            assert_eq!(same_order(left, right), wanted, "{left:?} {right:?}");
            assert_eq!(same_order(right, left), wanted, "{right:?} {left:?}");
        }
    }
}
