//! What each kind of mistake means, with a file that has it and one that has not: the sections of `grammar/mistakes.md`.

use super::Code;

const TEXT: &str = include_str!("../../../grammar/mistakes.md");

impl Code {
    /// The kind of that number, as it is printed; letters of any case.
    pub fn of_number(number: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.number().eq_ignore_ascii_case(number))
    }

    /// All that is said of the kind, as Markdown. Blocks begin with ```` ```seq error E0000 ```` where they have the mistake, and
    /// with ```` ```seq ```` where they have not.
    pub fn section(self) -> &'static str {
        let begin = TEXT.find(&format!("\n## {}\n", self.number()));
        let section = begin.map_or("", |begin| &TEXT[begin + "\n## E0000\n".len()..]);
        section.split("\n## ").next().unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_section_and_every_section_a_kind() {
        for code in Code::ALL {
            assert!(code.section().len() > 50, "{}", code.number());
            assert_eq!(Code::of_number(&code.number().to_lowercase()), Some(*code));
        }
        let sections: Vec<&str> = TEXT.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let numbers: Vec<&str> = Code::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(sections, numbers);
        assert_eq!(Code::of_number("E0999"), None);
    }
}
