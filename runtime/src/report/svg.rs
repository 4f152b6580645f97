//! The small parts of pictures: texts, their widths, colours.

/// How wide a letter is about, as a part of its size.
const LETTER: f32 = 0.56;
/// The size of letters in pictures.
pub const SIZE: f32 = 11.0;

/// A text as it stands in a page: letters that mean something there are written out, control characters are shown as unknown.
pub fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => all.push_str("&amp;"),
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '"' => all.push_str("&quot;"),
            letter if letter.is_control() => all.push('\u{fffd}'),
            letter => all.push(letter),
        }
    }
    all
}

/// About how wide a text is, in pixels.
pub fn width(text: &str) -> f32 {
    unicode_width::UnicodeWidthStr::width(text) as f32 * SIZE * LETTER
}

/// A text of so many columns at most, with … where it is cut off.
pub fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A colour as a page has it.
pub fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A length with one digit behind the point, without it where that is 0.
pub fn length(length: f32) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

/// Which of so many things are shown, where there is room for some: evenly spaced, the first and the last among them.
pub fn sampled(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|place| place * (count - 1) / (most - 1).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(escaped("<a href=\"x\">&\u{7}"), "&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}");
    }

    #[test]
    fn samples_reach_from_the_first_to_the_last() {
        assert_eq!(sampled(3, 5), [0, 1, 2]);
        assert_eq!(sampled(100, 3), [0, 49, 99]);
        assert_eq!(sampled(7, 1), [0]);
    }
}
