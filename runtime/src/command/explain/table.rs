//! Tables whose columns are as wide as what stands in them, and notes in lines of so many columns.

use crate::numbers::{left, right, width};
use anstyle::Style;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// Whether its cells end together, as numbers do.
    pub ends: bool,
}

/// The widths of columns: as wide as the widest cell of each, or its title.
pub fn widths(columns: &[Column], rows: &[Vec<String>]) -> Vec<usize> {
    let widest = |(place, column): (usize, &Column)| {
        rows.iter().map(|row| width(&row[place])).chain([width(column.title)]).max().unwrap_or(0)
    };
    columns.iter().enumerate().map(widest).collect()
}

/// The titles of columns, after so many spaces.
pub fn titles(columns: &[Column], widths: &[usize], indent: usize, style: Style) -> String {
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_string()).collect();
    let line = cells(columns, widths, &titles).join("  ");
    format!("{}{style}{}{style:#}\n", " ".repeat(indent), line.trim_end())
}

/// A line of a table in so many columns, its last cell below where there is no room for it.
pub fn line(columns: &[Column], widths: &[usize], row: &[String], indent: usize, most: usize) -> String {
    let cells = cells(columns, widths, row);
    let whole = cells.join("  ");
    let start = " ".repeat(indent);
    if indent + width(whole.trim_end()) <= most || cells.len() < 2 {
        return format!("{start}{}\n", whole.trim_end());
    }
    let (last, others) = cells.split_last().expect("there are two at least");
    let others = others.join("  ");
    let last = last.trim_end();
    format!("{start}{}\n{}\n", others.trim_end(), right(last, most.max(width(last))))
}

fn cells(columns: &[Column], widths: &[usize], row: &[String]) -> Vec<String> {
    let cell = |((column, columns), text): ((&Column, &usize), &String)| match column.ends {
        true => right(text, *columns),
        false => left(text, *columns),
    };
    columns.iter().zip(widths).zip(row).map(cell).collect()
}

/// A text in lines of so many columns, after so many spaces; the first line's can be others, of what stands there.
pub fn wrapped(text: &str, first: &str, indent: usize, columns: usize, style: Style) -> String {
    let room = columns.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_string()),
        }
    }
    let mut all = String::new();
    for (place, line) in lines.iter().enumerate() {
        let start = if place == 0 { left(first, indent) } else { " ".repeat(indent) };
        all.push_str(&format!("{start}{style}{line}{style:#}\n"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { title: "name", ends: false },
        Column { title: "numbers", ends: true },
        Column { title: "bytes", ends: false },
    ];

    fn row(cells: [&str; 3]) -> Vec<String> {
        cells.map(str::to_string).to_vec()
    }

    #[test]
    fn cells_stand_below_their_titles() {
        let rows = [row(["lstm.h", "20", "80"]), row(["a", "1,000", "4,000 * T"])];
        let widths = widths(&COLUMNS, &rows);
        let mut text = titles(&COLUMNS, &widths, 2, Style::new());
        rows.iter().for_each(|row| text.push_str(&line(&COLUMNS, &widths, row, 2, 80)));
        assert_eq!(text, "  name    numbers  bytes\n  lstm.h       20  80\n  a         1,000  4,000 * T\n");
    }

    #[test]
    fn a_cell_without_room_stands_below() {
        let rows = [row(["lstm.h", "20", "1,234,567 * T^2"])];
        let widths = widths(&COLUMNS, &rows);
        assert_eq!(line(&COLUMNS, &widths, &rows[0], 0, 20), "lstm.h       20\n     1,234,567 * T^2\n");
    }

    #[test]
    fn notes_break_between_words() {
        assert_eq!(
            wrapped("one two three four five six", "", 2, 22, Style::new()),
            "  one two three four\n  five six\n"
        );
        assert_eq!(
            wrapped("one two three four five six", "a", 2, 22, Style::new()),
            "a one two three four\n  five six\n"
        );
    }
}
