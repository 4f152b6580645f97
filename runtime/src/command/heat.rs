//! Tables of numbers with colours behind them, or shades beside them where there are no colours.
//!
//! Colours grow lighter, and shades darker, from the smallest number to the largest ([`Scale::Sequential`]).

use super::terminal::{Depth, Terminal};
use crate::numbers::{Format, chosen, fitted, left, right};
use crate::report::colours::{Scale, is_light};
use anstyle::{Ansi256Color, AnsiColor, Color, RgbColor, Style};

/// The levels of each channel in the cube that the palette of 256 colours has.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
/// From the smallest number to the largest.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
/// The most columns of a row's name.
const WIDEST_NAME: usize = 14;
/// The most columns of a column's name: numbers are that wide anyway.
const WIDEST_HEAD: usize = 10;
/// The most rows that are shown.
const MOST_ROWS: usize = 24;

/// A table.
pub struct Table<'a> {
    /// The names of the rows.
    pub rows: Vec<String>,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The numbers, row by row.
    pub numbers: &'a [f32],
}

/// The table as text, in the terminal's width. Rows and columns that have no room are left out, and counted.
pub fn draw(table: &Table, terminal: &Terminal) -> String {
    let (depth, dim) = (terminal.depth(), dim(terminal));
    let format = Format::of(table.numbers);
    let scale = Scale::sequential(table.numbers);
    let texts: Vec<String> = table.numbers.iter().map(|number| format.write(*number)).collect();
    let rows = chosen(table.rows.len(), MOST_ROWS);
    let names = table.rows.iter().map(|name| fitted(name, WIDEST_NAME)).collect::<Vec<_>>();
    let heads = table.columns.iter().map(|name| fitted(name, WIDEST_HEAD)).collect::<Vec<_>>();
    let widest = |texts: &[String]| texts.iter().map(|text| crate::numbers::width(text)).max().unwrap_or(0);
    let name_width = widest(&names);
    // A shade between two spaces, or a space on each side.
    let around = if depth == Depth::Plain { 3 } else { 2 };
    let number = widest(&texts);
    let cell = number.max(widest(&heads)) + around;
    let room = terminal.width().saturating_sub(name_width + 3) / cell;
    let columns = chosen(table.columns.len(), room);
    let mut text = format!("  {}", " ".repeat(name_width + 1));
    for column in &columns {
        let head = column.map_or("…", |column| heads[column].as_str());
        let spaced = match depth {
            Depth::Plain => right(head, cell),
            // The number below has a space behind it.
            Depth::Palette | Depth::True => format!("{} ", right(head, cell - 1)),
        };
        text.push_str(&format!("{dim}{spaced}{dim:#}"));
    }
    trim_line(&mut text);
    for row in rows {
        let name = row.map_or("…", |row| names[row].as_str());
        text.push_str(&format!("  {dim}{}{dim:#} ", left(name, name_width)));
        for column in &columns {
            match (row, column) {
                (Some(row), Some(column)) => {
                    let place = row * table.columns.len() + column;
                    text.push_str(&one(&right(&texts[place], number), scale.part(table.numbers[place]), cell, depth));
                }
                (None, _) | (_, None) => text
                    .push_str(&format!("{dim}{}{dim:#}", right(if depth == Depth::Plain { "…" } else { "… " }, cell))),
            }
        }
        trim_line(&mut text);
    }
    text.push_str(&legend(scale, format, terminal));
    let left_out = |shown: usize, all: usize, what: &str| match all - shown.min(all) {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let shown = |all: &[Option<usize>]| all.iter().flatten().count();
    let rows = left_out(shown(&chosen(table.rows.len(), MOST_ROWS)), table.rows.len(), "row");
    let columns = left_out(shown(&columns), table.columns.len(), "column");
    let both: Vec<String> = rows.into_iter().chain(columns).collect();
    if !both.is_empty() {
        text.push_str(&format!("  {dim}{} not shown{dim:#}\n", both.join(" and ")));
    }
    text
}

/// The style of what is of less interest.
pub fn dim(terminal: &Terminal) -> Style {
    match terminal.depth() {
        Depth::Plain => Style::new(),
        Depth::Palette | Depth::True => Style::new().dimmed(),
    }
}

fn trim_line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

/// One number in its cell: its text, as wide as any, and where it lies on the scale.
fn one(text: &str, part: Option<f32>, cell: usize, depth: Depth) -> String {
    let padded = right(text, cell - 2);
    match (depth, part) {
        (Depth::Plain, Some(part)) => right(&format!("{} {text}", shade(part)), cell),
        (Depth::Plain, None) => right(&format!("! {text}"), cell),
        (Depth::Palette | Depth::True, None) => {
            let alarm = Style::new().fg_color(Some(AnsiColor::BrightRed.into())).bold();
            format!("{alarm} {padded} {alarm:#}")
        }
        (Depth::Palette | Depth::True, Some(part)) => {
            let style = background(part, depth);
            format!("{style} {padded} {style:#}")
        }
    }
}

fn legend(scale: Scale, format: Format, terminal: &Terminal) -> String {
    let dim = dim(terminal);
    let (low, high) = scale.ends();
    if low >= high {
        return String::new();
    }
    let steps = 20;
    let bar: String = match terminal.depth() {
        Depth::Plain => SHADES[1..].iter().collect(),
        depth @ (Depth::Palette | Depth::True) => (0..steps)
            .map(|step| {
                let style = background(step as f32 / (steps - 1) as f32, depth);
                format!("{style} {style:#}")
            })
            .collect(),
    };
    format!("  {dim}{}{dim:#} {bar} {dim}{}{dim:#}\n", format.write(low), format.write(high))
}

fn shade(part: f32) -> char {
    SHADES[((part * SHADES.len() as f32) as usize).min(SHADES.len() - 1)]
}

/// The colour for a part of the scale, and black or white letters, whichever is easier to read on it.
fn background(part: f32, depth: Depth) -> Style {
    // What is drawn here is drawn on one scale, whatever its ends are.
    let mut channels = Scale::Sequential { low: 0.0, high: 1.0 }.colour(part);
    let color = match depth {
        Depth::True => Color::Rgb(RgbColor(channels[0], channels[1], channels[2])),
        Depth::Palette | Depth::Plain => {
            let nearest = channels.map(|channel| if channel < 48 { 0 } else { (channel.max(75) - 35) / 40 });
            channels = nearest.map(|level| LEVELS[usize::from(level)]);
            Color::Ansi256(Ansi256Color(16 + 36 * nearest[0] + 6 * nearest[1] + nearest[2]))
        }
    };
    let letters = if is_light(channels) { Ansi256Color(16) } else { Ansi256Color(231) };
    Style::new().bg_color(Some(color)).fg_color(Some(Color::Ansi256(letters)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_grow_darker() {
        assert_eq!([0.0, 0.5, 1.0].map(shade), [' ', '▒', '█']);
    }

    #[test]
    fn the_palette_stays_inside_its_cube() {
        for step in 0..=1000 {
            let style = background(step as f32 / 1000.0, Depth::Palette);
            let Some(Color::Ansi256(Ansi256Color(number))) = style.get_bg_color() else { panic!("{style:?}") };
            assert!((16..=231).contains(&number));
        }
    }
}
