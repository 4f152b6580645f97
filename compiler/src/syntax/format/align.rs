//! What stands below each other: the `=` of neighbouring equations, and the comments behind neighbouring lines.

use super::document::{Row, WIDTH};

/// Left sides whose lengths differ by more than this from one line to the next are not aligned with each other.
const MOST_DIFFERENCE: usize = 6;
/// Blanks between a line and the comment behind it, at least.
const BEFORE_COMMENT: usize = 2;

/// For left sides of neighbouring lines, the width that each is filled up to.
pub fn left_sides(widths: &[usize]) -> Vec<usize> {
    let mut filled = Vec::with_capacity(widths.len());
    let mut start = 0;
    for end in 1..=widths.len() {
        let goes_on = end < widths.len() && widths[end].abs_diff(widths[end - 1]) <= MOST_DIFFERENCE;
        if !goes_on {
            let widest = widths[start..end].iter().copied().max().unwrap_or(0);
            filled.resize(end, widest);
            start = end;
        }
    }
    filled
}

/// Puts blanks before the comments behind lines: as many as align those of neighbouring lines, unless one that had room on
/// its line then has none.
pub fn comments(rows: &mut [Row]) {
    let mut start = 0;
    while start < rows.len() {
        let count = rows[start..].iter().take_while(|row| row.comment.is_some()).count();
        let run = &mut rows[start..start + count];
        let width = |row: &Row| row.code.trim_end().chars().count();
        let widest = run.iter().map(width).max().unwrap_or(0);
        let comment = |row: &Row| row.comment.as_ref().map_or(0, |comment| comment.chars().count());
        let pushes_out = |row: &Row| {
            widest + BEFORE_COMMENT + comment(row) > WIDTH && width(row) + BEFORE_COMMENT + comment(row) <= WIDTH
        };
        let aligned = !run.iter().any(pushes_out);
        for row in run {
            let blanks = if aligned { widest - width(row) } else { 0 } + BEFORE_COMMENT;
            row.comment = row.comment.take().map(|comment| format!("{}{comment}", " ".repeat(blanks)));
        }
        start += count.max(1);
    }
}
