//! Numbers as text, all of a table alike, and how wide texts are.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How the numbers of one table are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With so many digits behind the point.
    Decimals(usize),
    /// As `1.234e-5`.
    Scientific,
}

impl Format {
    /// With four to six significant digits for the largest of them.
    pub fn of(numbers: &[f32]) -> Format {
        let finite = || numbers.iter().filter(|number| number.is_finite());
        let largest = finite().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        if finite().all(|number| number.fract() == 0.0) && largest < 1e7 {
            return Format::Decimals(0);
        }
        if !(1e-3..1e6).contains(&largest) {
            return Format::Scientific;
        }
        // How many digits stand before the point; below 1, zeros behind it count as less than none.
        let before = largest.log10().floor() as i32 + 1;
        Format::Decimals(usize::try_from((5 - before.max(1)).clamp(1, 4) - before.min(0)).unwrap_or(4))
    }

    /// One of them.
    pub fn write(self, number: f32) -> String {
        if !number.is_finite() {
            return if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "inf"
            } else {
                "-inf"
            }
            .to_string();
        }
        let text = match self {
            Format::Decimals(decimals) => format!("{number:.decimals$}"),
            Format::Scientific => format!("{number:.3e}"),
        };
        // What rounds to zero has no sign to speak of.
        match text.strip_prefix('-') {
            Some(rest) if rest.bytes().all(|byte| byte == b'0' || byte == b'.') => rest.to_string(),
            Some(_) | None => text,
        }
    }
}

/// The number with the fewest digits that is read back as the same `f32`; nothing where it is not finite.
pub fn shortest(number: f32) -> Option<f64> {
    number.is_finite().then(|| number.to_string().parse().unwrap_or(f64::from(number)))
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text from outside in so many columns at most: no control characters, and … where it is cut off.
pub fn fitted(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    if width(&clean) <= most {
        return clean;
    }
    let mut short = String::new();
    let mut taken = 1;
    for letter in clean.chars() {
        taken += letter.width().unwrap_or(0);
        if taken > most {
            break;
        }
        short.push(letter);
    }
    short.push('…');
    short
}

/// A text with spaces before it.
pub fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// A text with spaces behind it.
pub fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Which of so many things are shown where there is room for some: the first ones and the last, a gap between them.
pub fn chosen(count: usize, room: usize) -> Vec<Option<usize>> {
    let room = room.max(3);
    if count <= room {
        return (0..count).map(Some).collect();
    }
    (0..room - 2).map(Some).chain([None, Some(count - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_to_six_significant_digits() {
        let written = |numbers: &[f32]| {
            let format = Format::of(numbers);
            numbers.iter().map(|number| format.write(*number)).collect::<Vec<_>>()
        };
        assert_eq!(written(&[0.123_456, -0.5]), ["0.1235", "-0.5000"]);
        assert_eq!(written(&[0.012_345_6]), ["0.01235"]);
        assert_eq!(written(&[12.345_678, -0.000_01]), ["12.346", "0.000"]);
        assert_eq!(written(&[12_345.67]), ["12345.7"]);
        assert_eq!(written(&[1.0, 2.0, -30.0]), ["1", "2", "-30"]);
        assert_eq!(written(&[1.5e-5]), ["1.500e-5"]);
        assert_eq!(
            written(&[1.5e9, f32::NAN, f32::NEG_INFINITY]),
            ["1500000000", "NaN", "-inf"].map(|text| { if text == "1500000000" { "1.500e9" } else { text } })
        );
        assert_eq!(written(&[]), Vec::<String>::new());
    }

    #[test]
    fn texts_are_cut_off_where_they_are_too_wide() {
        assert_eq!(fitted("hungry", 6), "hungry");
        assert_eq!(fitted("hungry", 4), "hun…");
        assert_eq!(fitted("日本語", 5), "日本…");
        assert_eq!(fitted("\u{1b}[31m", 9), "\u{fffd}[31m");
    }

    #[test]
    fn what_has_no_room_leaves_a_gap() {
        assert_eq!(chosen(3, 3), [Some(0), Some(1), Some(2)]);
        assert_eq!(chosen(9, 4), [Some(0), Some(1), None, Some(8)]);
    }
}
