//! What stands below each other: the `=` of neighbouring equations, and the comments behind neighbouring lines.

use super::document::{Row, WIDTH};

/// Left sides whose lengths differ by more than this from one line to the next are not aligned with each other.
const MOST_DIFFERENCE: usize = 6;
/// Blanks between a line and the comment behind it, at least.
const BEFORE_COMMENT: usize = 2;

/// The left side of a line.
#[derive(Clone, Copy)]
pub struct Side {
    /// Its width.
    pub width: usize,
    /// How wide it may become before its line, which had room, has none.
    pub most: usize,
}

/// For left sides of neighbouring lines, the width that each is filled up to: as wide as the widest of those that go on alike,
/// as far as that breaks no line.
pub fn left_sides(sides: &[Side]) -> Vec<usize> {
    let mut filled = Vec::with_capacity(sides.len());
    // The widest of those that are aligned so far, and the most that all of them allow.
    let (mut widest, mut most) = (0, usize::MAX);
    for (place, side) in sides.iter().enumerate() {
        let is_alike = place > 0 && side.width.abs_diff(sides[place - 1].width) <= MOST_DIFFERENCE;
        if is_alike && widest.max(side.width) <= most.min(side.most) {
            (widest, most) = (widest.max(side.width), most.min(side.most));
        } else {
            filled.resize(place, widest);
            (widest, most) = (side.width, side.most);
        }
    }
    filled.resize(sides.len(), widest);
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
