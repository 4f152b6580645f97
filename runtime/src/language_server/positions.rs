//! Places of a text: bytes here, lines and columns in an editor, which counts columns in bytes or in UTF-16 as was agreed.

use lsp_types::{Position, Range};
use seqwright_compiler::source::Span;

/// What a column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// Bytes.
    Utf8,
    /// Halves of pairs of UTF-16: what every editor understands.
    Utf16,
}

/// A byte's line and column; a byte inside a character is taken for its first, one past the end for the end.
pub(super) fn position(text: &str, offset: usize, columns: Columns) -> Position {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let (mut line, mut start) = (0, 0);
    for next in line_starts(text).take_while(|start| *start <= offset) {
        (line, start) = (line + 1, next);
    }
    let before = &text[start..offset];
    let column = match columns {
        Columns::Utf8 => before.len(),
        Columns::Utf16 => before.encode_utf16().count(),
    };
    Position { line, character: u32::try_from(column).unwrap_or(u32::MAX) }
}

/// The byte at a line and column; one past the end of a line is taken for its end, one past the text for the text's.
pub(super) fn offset(text: &str, position: Position, columns: Columns) -> usize {
    let line = usize::try_from(position.line).unwrap_or(usize::MAX);
    let start = match line.checked_sub(1) {
        None => 0,
        Some(before) => match line_starts(text).nth(before) {
            Some(start) => start,
            None => return text.len(),
        },
    };
    let end = text[start..].find(['\r', '\n']).map_or(text.len(), |length| start + length);
    let mut left = usize::try_from(position.character).unwrap_or(usize::MAX);
    let mut found = start;
    for letter in text[start..end].chars() {
        let width = match columns {
            Columns::Utf8 => letter.len_utf8(),
            Columns::Utf16 => letter.len_utf16(),
        };
        if width > left {
            break;
        }
        left -= width;
        found += letter.len_utf8();
    }
    found
}

/// A place in a text.
pub(super) fn range(text: &str, span: Span, columns: Columns) -> Range {
    Range { start: position(text, span.start, columns), end: position(text, span.end.max(span.start), columns) }
}

/// Where lines but the first begin: behind `\n`, `\r\n` or a `\r` alone.
fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let ends = move |place: &usize| match bytes[*place] {
        b'\n' => true,
        b'\r' => bytes.get(place + 1) != Some(&b'\n'),
        _ => false,
    };
    (0..bytes.len()).filter(ends).map(|place| place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_comes_back() {
        let text = "aé\u{1f600}b\r\n\r\nx\ry\n\u{e9}";
        for columns in [Columns::Utf8, Columns::Utf16] {
            for (place, letter) in text.char_indices() {
                let inside_line_end = letter == '\n' && text[..place].ends_with('\r');
                if !inside_line_end {
                    assert_eq!(offset(text, position(text, place, columns), columns), place, "{columns:?} at {place}");
                }
            }
        }
        let at = |offset| position(text, offset, Columns::Utf16);
        assert_eq!((at(7).line, at(7).character), (0, 4));
        assert_eq!(position(text, 7, Columns::Utf8).character, 7);
        assert_eq!((at(usize::MAX).line, at(4)), (4, at(3)));
    }

    #[test]
    fn places_that_are_none_are_near() {
        let at = |line, character| offset("ab\ncd", Position { line, character }, Columns::Utf16);
        assert_eq!((at(0, 99), at(1, 99), at(9, 0), at(u32::MAX, u32::MAX)), (2, 5, 5, 5));
        let inside = Position { line: 0, character: 1 };
        assert_eq!(offset("\u{1f600}", inside, Columns::Utf16), 0);
    }
}
