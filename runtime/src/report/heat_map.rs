//! Matrices as pictures: a cell for each number, whose tooltip is the number and where it stands.

use super::colours::Scale;
use super::svg::{SIZE, escaped, hex, length, sampled, short, width};
use crate::numbers::Format;

/// The most cells along a side: more can't be told apart on a page.
pub const MOST_CELLS: usize = 48;
/// The most letters of a label.
const LONGEST_LABEL: usize = 14;
/// The room for all columns and all rows, in pixels, where their cells may be as small or as large as they need.
const ROOM: (f32, f32) = (560.0, 420.0);
/// The smallest and the largest cell, in pixels.
const CELL: (f32, f32) = (8.0, 22.0);

/// An axis of a matrix.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Its name.
    pub axis: String,
    /// Its entries' names.
    pub names: Vec<String>,
}

/// A matrix.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// What stands above it.
    pub title: String,
    /// Along its rows.
    pub rows: Side,
    /// Along its columns.
    pub columns: Side,
    /// The numbers, row by row.
    pub numbers: Vec<f32>,
}

/// What of a matrix is not drawn, in a sentence.
pub fn left_out(map: &HeatMap) -> Option<String> {
    let of = |side: &Side| {
        let all = side.names.len();
        (all > MOST_CELLS).then(|| format!("{MOST_CELLS} of {all} entries of {}", side.axis))
    };
    let both: Vec<String> = [of(&map.rows), of(&map.columns)].into_iter().flatten().collect();
    (!both.is_empty()).then(|| format!("Shown are {}, evenly spaced.", both.join(" and ")))
}

/// The picture.
pub fn svg(map: &HeatMap, scale: Scale, format: Format) -> String {
    let rows = sampled(map.rows.names.len(), MOST_CELLS);
    let columns = sampled(map.columns.names.len(), MOST_CELLS);
    let across = (ROOM.0 / columns.len().max(1) as f32).clamp(CELL.0, CELL.1);
    let down = (ROOM.1 / rows.len().max(1) as f32).clamp(CELL.0, CELL.1).min(across.max(12.0));
    let label = |side: &Side, place: usize| short(&side.names[place], LONGEST_LABEL);
    let widest =
        |side: &Side, places: &[usize]| places.iter().map(|place| width(&label(side, *place))).fold(0.0, f32::max);
    let left = widest(&map.rows, &rows).max(width(&format!("{} ↓", map.rows.axis))) + 10.0;
    let long = widest(&map.columns, &columns);
    // Long labels stand upright, so that each has its column.
    let is_upright = long > 3.0 * SIZE;
    let top = SIZE + 6.0 + if is_upright { long + 6.0 } else { SIZE + 4.0 };
    let (wide, high) = (across * columns.len() as f32, down * rows.len() as f32);
    let all = ((left + wide + 8.0).max(left + width(&map.columns.axis) + 8.0), top + high + 2.0);
    let mut text = format!(
        "<svg role=\"img\" aria-label=\"{}\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n",
        escaped(&map.title),
        w = length(all.0),
        h = length(all.1)
    );
    let mut say = |x: f32, y: f32, style: &str, said: &str| {
        text.push_str(&format!("<text x=\"{}\" y=\"{}\"{style}>{}</text>\n", length(x), length(y), escaped(said)));
    };
    say(left, SIZE, " class=\"axis\"", &format!("{} →", map.columns.axis));
    say(left - 6.0, top - 4.0, " class=\"axis\" text-anchor=\"end\"", &format!("{} ↓", map.rows.axis));
    let every = |cell: f32, needed: f32| (needed / cell).ceil().max(1.0) as usize;
    let step = every(across, if is_upright { SIZE } else { long + 5.0 });
    for (place, column) in columns.iter().enumerate().step_by(step) {
        let (x, said) = (left + across * (place as f32 + 0.5), label(&map.columns, *column));
        match is_upright {
            true => {
                let (x, y) = (x + SIZE * 0.35, top - 4.0);
                let turned = format!(" transform=\"rotate(-90 {} {})\"", length(x), length(y));
                say(x, y, &turned, &said);
            }
            false => say(x, top - 4.0, " text-anchor=\"middle\"", &said),
        }
    }
    for (place, row) in rows.iter().enumerate().step_by(every(down, SIZE)) {
        let y = top + down * (place as f32 + 0.5) + SIZE * 0.35;
        say(left - 5.0, y, " text-anchor=\"end\"", &label(&map.rows, *row));
    }
    for (y, row) in rows.iter().enumerate() {
        for (x, column) in columns.iter().enumerate() {
            let number = map.numbers[row * map.columns.names.len() + column];
            let fill = scale.part(number).map_or("var(--alarm)".to_string(), |part| hex(scale.colour(part)));
            text.push_str(&format!(
                "<rect class=\"cell\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"><title>{} {}, {} {}: {}</title></rect>\n",
                length(left + across * x as f32),
                length(top + down * y as f32),
                length(across),
                length(down),
                escaped(&map.rows.axis),
                escaped(&map.rows.names[*row]),
                escaped(&map.columns.axis),
                escaped(&map.columns.names[*column]),
                format.write(number),
            ));
        }
    }
    text.push_str("</svg>\n");
    text
}

/// The colours and their numbers.
pub fn legend(scale: Scale, format: Format, what: &str) -> String {
    const WIDE: f32 = 160.0;
    const STEPS: usize = 20;
    let (low, high) = scale.ends();
    if low >= high {
        let said = if low.is_finite() { format.write(low) } else { "no finite number".to_string() };
        return format!("<p class=\"legend\">Everywhere {}.</p>\n", escaped(&said));
    }
    let middle = low / 2.0 + high / 2.0;
    let mut text = format!(
        "<svg class=\"legend\" role=\"img\" aria-label=\"colours of {}\" width=\"260\" height=\"30\" viewBox=\"0 0 260 30\">\n",
        escaped(what)
    );
    for step in 0..STEPS {
        let wide = WIDE / STEPS as f32;
        text.push_str(&format!(
            "<rect x=\"{}\" y=\"0\" width=\"{}\" height=\"12\" fill=\"{}\"/>\n",
            length(50.0 + wide * step as f32),
            length(wide + 0.3),
            hex(scale.colour((step as f32 + 0.5) / STEPS as f32))
        ));
    }
    for (number, x) in [(low, 50.0), (middle, 50.0 + WIDE / 2.0), (high, 50.0 + WIDE)] {
        text.push_str(&format!(
            "<text x=\"{}\" y=\"25\" text-anchor=\"middle\">{}</text>\n",
            length(x),
            format.write(number)
        ));
    }
    text.push_str("</svg>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: usize, columns: usize) -> HeatMap {
        let side = |axis: &str, size: usize| Side {
            axis: axis.to_string(),
            names: (0..size).map(|place| place.to_string()).collect(),
        };
        let numbers = (0..rows * columns).map(|place| place as f32).collect();
        HeatMap { title: "m".to_string(), rows: side("i", rows), columns: side("<j>", columns), numbers }
    }

    #[test]
    fn each_number_is_a_cell_with_its_place() {
        let small = map(2, 3);
        let drawn = svg(&small, Scale::of(&small.numbers), Format::of(&small.numbers));
        assert_eq!(drawn.matches("class=\"cell\"").count(), 6);
        assert!(drawn.contains("<title>i 1, &lt;j&gt; 2: 5</title>"), "{drawn}");
        assert_eq!(left_out(&small), None);
    }

    #[test]
    fn what_is_too_large_is_sampled_and_says_so() {
        let large = map(100, 3);
        let drawn = svg(&large, Scale::of(&large.numbers), Format::of(&large.numbers));
        assert_eq!(drawn.matches("class=\"cell\"").count(), MOST_CELLS * 3);
        assert!(drawn.contains("i 99, &lt;j&gt; 2: 299"));
        assert_eq!(left_out(&large).as_deref(), Some("Shown are 48 of 100 entries of i, evenly spaced."));
    }
}
