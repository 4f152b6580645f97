//! Where boxes stand: a layered drawing (Sugiyama, Tagawa and Toda 1981) without their dummy nodes, block by block.
//!
//! In: boxes with their sizes, blocks of them in the order in which they are to stand, and what reads what. Out: each box's
//! place. Inside a block a box stands one row below the lowest that it reads; in a row, boxes stand in the order of the
//! middle of what they read, so that lines cross little. A row that is too wide is several.
//!
//! What it can't do: route lines around boxes. They go behind them.

/// Space between boxes side by side.
const BESIDE: f32 = 18.0;
/// Space between rows.
const BETWEEN: f32 = 34.0;
/// Space inside a block's frame.
pub const INSIDE: f32 = 14.0;
/// The height of a block's title.
pub const TITLE: f32 = 18.0;
/// The widest row.
const WIDEST: f32 = 960.0;

/// A box's place: its middle from the left, and its upper side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The middle, from the left.
    pub x: f32,
    /// The upper side.
    pub y: f32,
}

/// A block of boxes.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Whether it has a frame with a title.
    pub framed: bool,
    /// Its boxes.
    pub boxes: Vec<usize>,
}

/// A frame: left, upper side, width, height.
pub type Frame = (f32, f32, f32, f32);

/// Where everything stands.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Each box.
    pub places: Vec<Place>,
    /// The frame of each block, if it has one.
    pub frames: Vec<Option<Frame>>,
    /// The whole picture's width and height.
    pub size: (f32, f32),
}

/// Places boxes of these widths and one height; `reads` are pairs of a reader and what it reads, in no circle.
pub fn layout(widths: &[f32], height: f32, blocks: &[Block], reads: &[(usize, usize)]) -> Layout {
    let rows: Vec<Vec<Vec<usize>>> = blocks.iter().map(|block| rows(block, widths, reads)).collect();
    let row_width =
        |row: &Vec<usize>| row.iter().map(|place| widths[*place]).sum::<f32>() + BESIDE * (row.len().max(1) - 1) as f32;
    let widest = rows.iter().flatten().map(row_width).fold(0.0, f32::max);
    let middle = widest / 2.0 + INSIDE + 1.0;
    let mut layout = Layout { places: vec![Place::default(); widths.len()], ..Layout::default() };
    let mut y = 1.0;
    for (block, rows) in blocks.iter().zip(&rows) {
        let upper = y;
        y += if block.framed { INSIDE + TITLE } else { 0.0 };
        for row in rows {
            let ordered = ordered(row, reads, &layout.places);
            let mut x = middle - row_width(row) / 2.0;
            for place in ordered {
                layout.places[place] = Place { x: x + widths[place] / 2.0, y };
                x += widths[place] + BESIDE;
            }
            y += height + BETWEEN;
        }
        y -= BETWEEN;
        let wide = rows.iter().map(row_width).fold(0.0, f32::max) + 2.0 * INSIDE;
        layout.frames.push(block.framed.then(|| (middle - wide / 2.0, upper, wide, y + INSIDE - upper)));
        y += BETWEEN + if block.framed { INSIDE } else { 0.0 };
    }
    // Room on the right for the lines of recurrences.
    layout.size = (2.0 * middle + 40.0, (y - BETWEEN + 2.0).max(1.0));
    layout
}

/// A block's rows: by depth, and then by width.
fn rows(block: &Block, widths: &[f32], reads: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let own: Vec<(usize, usize)> = reads
        .iter()
        .copied()
        .filter(|(reader, read)| reader != read && block.boxes.contains(reader) && block.boxes.contains(read))
        .collect();
    let mut depth = vec![0usize; widths.len()];
    // As many turns as a path has boxes at most.
    for _ in 0..block.boxes.len() {
        let mut changed = false;
        for (reader, read) in &own {
            if depth[*reader] <= depth[*read] && depth[*read] < block.boxes.len() {
                depth[*reader] = depth[*read] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let deepest = block.boxes.iter().map(|place| depth[*place]).max().unwrap_or(0);
    let mut rows = Vec::new();
    for level in 0..=deepest {
        let (mut row, mut wide) = (Vec::new(), 0.0);
        for place in block.boxes.iter().filter(|place| depth[**place] == level) {
            if wide + widths[*place] > WIDEST && !row.is_empty() {
                rows.push(std::mem::take(&mut row));
                wide = 0.0;
            }
            wide += widths[*place] + BESIDE;
            row.push(*place);
        }
        if !row.is_empty() {
            rows.push(row);
        }
    }
    rows
}

/// A row's boxes by the middle of those above that they read; those that read none stay where they are among the others.
fn ordered(row: &[usize], reads: &[(usize, usize)], places: &[Place]) -> Vec<usize> {
    let middle = |(at, place): (usize, &usize)| {
        let above: Vec<f32> = reads
            .iter()
            .filter(|(reader, read)| reader == place && places[*read].x > 0.0)
            .map(|(_, read)| places[*read].x)
            .collect();
        let mean = above.iter().sum::<f32>() / above.len() as f32;
        (if above.is_empty() { 0.0 } else { mean }, at, *place)
    };
    let mut all: Vec<(f32, usize, usize)> = row.iter().enumerate().map(middle).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    all.into_iter().map(|(_, _, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_stand_below_what_they_read_and_nothing_overlaps() {
        // 0 → 1, 2 → 3, and a block of its own behind.
        let reads = [(1, 0), (2, 0), (3, 1), (3, 2), (4, 3)];
        let widths = [60.0, 80.0, 500.0, 100.0, 40.0];
        let blocks = [Block { framed: true, boxes: vec![0, 1, 2, 3] }, Block { framed: false, boxes: vec![4] }];
        let made = layout(&widths, 30.0, &blocks, &reads);
        for (reader, read) in reads {
            assert!(made.places[reader].y >= made.places[read].y + 30.0, "{reader} {read}");
        }
        let (one, two) = (made.places[1], made.places[2]);
        assert!(one.y == two.y && (two.x - one.x).abs() >= (80.0 + 500.0) / 2.0);
        let (left, upper, wide, high) = made.frames[0].expect("it has a frame");
        assert!(left >= 0.0 && left + wide <= made.size.0 && upper + high <= made.places[4].y);
    }

    #[test]
    fn a_row_that_is_too_wide_is_several() {
        let made = layout(&[500.0; 5], 30.0, &[Block { framed: false, boxes: (0..5).collect() }], &[]);
        assert!(made.size.0 < 1100.0, "{:?}", made.size);
        assert!(made.places[4].y > made.places[0].y);
    }
}
