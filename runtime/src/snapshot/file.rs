//! The format of `.snap` files, as the crate insta (1.49) has it: a head of a few lines of YAML between two lines `---`, and the
//! text behind it, without the blanks at its end.
//!
//! Tests have insta read what is written here, and write it again byte for byte.

use std::path::Path;

/// The file of a text.
pub(super) fn written(source: &str, expression: &str, text: &str) -> String {
    format!("---\nsource: {}\nexpression: {}\n---\n{}\n", scalar(source), scalar(expression), normal(text))
}

/// The text of a file.
///
/// # Errors
/// Why it can't be read, in words.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read_to_string(path) {
        Ok(file) => Ok(Some(text_of(&file))),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(format!("cannot read {}: {why}", path.display())),
    }
}

/// What stands behind the head; all of it where there is none.
fn text_of(file: &str) -> String {
    let mut lines = file.split_inclusive('\n');
    let is_fence = |line: &str| line.trim_end() == "---";
    let text = match lines.next() {
        Some(first) if is_fence(first) => {
            let head: usize =
                first.len() + lines.by_ref().take_while(|line| !is_fence(line)).map(str::len).sum::<usize>();
            file[head..].split_once('\n').map_or("", |(_, text)| text)
        }
        Some(_) | None => file,
    };
    normal(text)
}

/// A text as it is held against others: line ends are alike, and blanks at the end are none of its.
pub(super) fn normal(text: &str) -> String {
    text.trim_end().replace("\r\n", "\n")
}

/// A text as a YAML scalar: plain where nothing in it has a meaning there.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || " _-./;=()".contains(letter))
        && !text.ends_with(' ')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_string();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn insta_reads_what_is_written_and_writes_it_again() {
        let folder = folder();
        let texts = ["one line", "a\n\n  b\n\n", "---\nsource: x\n---\n\tend \n", "é\u{1b}[0m \"quoted\" \\"];
        let heads = [
            ("lstm.seq", "kernels"),
            ("a b.seq", "kernels; input = 12, hidden = 20"),
            ("odd: \"name\".seq", "clif; a = -1.5"),
            ("ä#.seq", "fused; scale = 1e-5"),
        ];
        for text in texts {
            for (source, expression) in heads {
                let path = folder.path().join("a.kernels.snap");
                std::fs::write(&path, written(source, expression, text)).expect("it is written");
                let read_there = insta::Snapshot::from_file(&path).expect("insta reads it");
                assert_eq!(read_there.metadata().source(), Some(source));
                assert_eq!(read_there.metadata().expression(), Some(expression));
                let contents = read_there.as_text().expect("a text").to_string();
                assert_eq!(contents, normal(text));
                assert_eq!(read(&path), Ok(Some(contents)));

                let again = folder.path().join("b.kernels.snap");
                read_there.save(&again).expect("insta writes it");
                let bytes = |path| std::fs::read_to_string(path).expect("it is there");
                assert_eq!(bytes(&again), bytes(&path));
            }
        }
    }

    #[test]
    fn heads_of_others_and_line_ends_of_others_are_read() {
        assert_eq!(text_of("---\r\nsource: x\r\n---\r\na\r\nb\r\n"), "a\nb");
        assert_eq!(text_of("---\nsource: x\ninfo:\n  a: 1\n---\na\n---\nb"), "a\n---\nb");
        assert_eq!(text_of("no head\n"), "no head");
        assert_eq!(text_of("---\nsource: x\n"), "");
        assert_eq!(text_of(""), "");
    }

    #[test]
    fn what_is_not_there_or_no_file_is_told_apart() {
        let folder = folder();
        assert_eq!(read(&folder.path().join("none.snap")), Ok(None));
        assert!(read(folder.path()).is_err_and(|why| why.starts_with("cannot read ")));
    }
}
