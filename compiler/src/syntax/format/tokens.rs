//! Takes the tokens of a parsed file in turn, and the comments between them.
//!
//! The grammar's pairs say where names, numbers, words and operators stand; brackets, commas and the like are found between them.
//! Every token goes through [`Tokens::take`], so that no comment is passed by: one on a token's own line is put behind that
//! token, any other before the next one.

use super::document::Doc;
use crate::syntax::parse::Rule;
use pest::iterators::Pair;

/// The text of a file, and how much of it has been taken.
pub struct Tokens<'t> {
    text: &'t str,
    place: usize,
}

/// What stands between two items: comments, and whether a blank line is before each and before what follows.
#[derive(Debug, Default)]
pub struct Gap {
    /// Each comment that has a line of its own, and whether a blank line is before it.
    pub comments: Vec<(bool, String)>,
    /// Whether a blank line is before what follows.
    pub blank: bool,
}

impl<'t> Tokens<'t> {
    /// All of a text is still to be taken.
    pub fn new(text: &'t str) -> Tokens<'t> {
        Tokens { text, place: 0 }
    }

    /// Where the next token begins.
    pub fn next_place(&self) -> usize {
        let mut ahead = Tokens { text: self.text, place: self.place };
        ahead.gap();
        ahead.place
    }

    /// Whether the next token begins with a sign.
    pub fn is_next(&self, sign: &str) -> bool {
        self.text[self.next_place()..].starts_with(sign)
    }

    /// Whether a line ends between two places.
    pub fn breaks_between(&self, start: usize, end: usize) -> bool {
        self.text[start..end].contains('\n')
    }

    /// Where the last token that was taken ends, or the comment behind it.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Passes blanks and comments.
    pub fn gap(&mut self) -> Gap {
        let mut gap = Gap::default();
        let mut line_ends = 0;
        while let Some(letter) = self.text[self.place..].chars().next() {
            let rest = &self.text[self.place..];
            if rest.starts_with("//") {
                let comment = &rest[..rest.find('\n').unwrap_or(rest.len())];
                gap.comments.push((line_ends > 1, comment.trim_end().to_string()));
                self.place += comment.len();
                line_ends = 0;
            } else if matches!(letter, ' ' | '\t' | '\r' | '\n') {
                line_ends += usize::from(letter == '\n');
                self.place += 1;
            } else {
                break;
            }
        }
        gap.blank = line_ends > 1;
        gap
    }

    /// Takes a token that ends at `end`, with the comments before it and the one behind it on its line.
    pub fn take(&mut self, parts: &mut Vec<Doc>, end: usize) {
        for (_, text) in self.gap().comments {
            parts.push(Doc::Comment { text, own: true });
        }
        parts.push(Doc::Text(self.text[self.place..end].to_string()));
        self.place = end;
        let rest = &self.text[end..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
        if rest[blanks..].starts_with("//") {
            let comment = &rest[blanks..];
            let comment = &comment[..comment.find('\n').unwrap_or(comment.len())];
            parts.push(Doc::Comment { text: comment.trim_end().to_string(), own: false });
            self.place += blanks + comment.len();
        }
    }

    /// Takes the next token, a sign that the grammar has there.
    pub fn sign(&mut self, parts: &mut Vec<Doc>, sign: &str) {
        let end = self.next_place() + sign.len();
        self.take(parts, end);
    }

    /// Takes the sign if it is next.
    pub fn sign_if_next(&mut self, parts: &mut Vec<Doc>, sign: &str) -> bool {
        let is_next = self.is_next(sign);
        if is_next {
            self.sign(parts, sign);
        }
        is_next
    }

    /// Takes a pair that is one token.
    pub fn pair(&mut self, parts: &mut Vec<Doc>, pair: &Pair<Rule>) {
        let length = pair.as_str().trim_end().len();
        self.take(parts, pair.as_span().start() + length);
    }
}
