//! `seqc explain E0203`: what a kind of mistake is, with a file that has it and one that has not.

use crate::command::Stop;
use crate::command::terminal::Terminal;
use crate::session::Failure;
use seqwright_compiler::diagnostic::Code;
use std::path::Path;

/// Whether a word is a diagnostic's number, and not the name of a file that is there.
pub(super) fn is_number(word: &Path) -> bool {
    let digits = word.to_str().and_then(|word| word.strip_prefix(['E', 'e']));
    digits.is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())) && !word.exists()
}

/// Prints all that is said of a kind.
pub(super) fn explain(number: &str, terminal: &mut Terminal) -> Result<(), Stop> {
    let Some(code) = Code::of_number(number) else {
        let all: Vec<&str> = Code::ALL.iter().map(|code| code.number()).collect();
        return Err(Failure::Other(format!("no mistake has the number {number}; there are {}", all.join(", "))).into());
    };
    terminal.print(&text(code))
}

/// The section as text for a terminal: blocks say what they are, and are set in.
fn text(code: Code) -> String {
    let mut text = format!("{}: {}\n\n", code.number(), code.explanation().trim());
    let mut inside = false;
    for line in code.section().lines() {
        match line.strip_prefix("```") {
            Some(info) if !inside => {
                text.push_str(if info.contains("error") { "With the mistake:\n\n" } else { "Without it:\n\n" });
                inside = true;
            }
            Some(_) => inside = false,
            None if inside && !line.is_empty() => text.push_str(&format!("    {line}\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_reads_as_text() {
        let text = text(Code::DefinedTwice);
        assert!(text.starts_with("E0202: A name that is given twice in the same place.\n"), "{text}");
        assert!(text.contains("With the mistake:\n\n    cell Twice(x; size) {\n      h = affine(x; size)\n"), "{text}");
        assert!(text.contains("Without it:\n\n    cell Once(x; size) {\n") && !text.contains("```"), "{text}");
    }

    #[test]
    fn only_numbers_are_numbers() {
        assert!(is_number(Path::new("E0203")) && is_number(Path::new("e0203")));
        assert!(!is_number(Path::new("E203")) && !is_number(Path::new("E0203.seq")) && !is_number(Path::new("Exyzw")));
    }
}
