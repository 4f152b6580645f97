//! Tokens to text as they come.
//!
//! A token's text depends on its neighbours: a letter of several bytes may be made of several tokens, and some tokenizers
//! write a space between words or leave it out at the beginning. So a few tokens are decoded with those before them, and what
//! is new is shown once it can't change. Text that may be the beginning of one at which to stop is held back until it is
//! known.

use crate::tokenizer::Tokenizer;

/// So many tokens of a prompt are decoded with what follows.
const BEFORE: usize = 8;
/// A letter has no more bytes than four: more tokens than this without a whole letter will not become one.
const PATIENCE: usize = 8;

/// The text of one sequence.
pub struct Text<'a> {
    tokenizer: &'a Tokenizer,
    stops: &'a [String],
    tokens: Vec<i64>,
    /// Tokens from here on are decoded.
    from: usize,
    /// What comes of those up to here has been taken.
    taken: usize,
    /// Text that is not shown yet.
    held: String,
    shown: String,
    stopped: Option<String>,
}

impl<'a> Text<'a> {
    /// The text that follows a prompt, up to the first of `stops`.
    pub fn new(tokenizer: &'a Tokenizer, stops: &'a [String], prompt: &[u32]) -> Text<'a> {
        let last = &prompt[prompt.len().saturating_sub(BEFORE)..];
        let tokens: Vec<i64> = last.iter().map(|token| i64::from(*token)).collect();
        let taken = tokens.len();
        Text { tokenizer, stops, tokens, from: 0, taken, held: String::new(), shown: String::new(), stopped: None }
    }

    /// Takes the next token; gives the text that can be shown now.
    ///
    /// # Errors
    /// A token that is not in the tokenizer's vocabulary.
    pub fn push(&mut self, token: u32) -> Result<String, String> {
        if self.stopped.is_some() {
            return Ok(String::new());
        }
        self.tokens.push(i64::from(token));
        let before = self.tokenizer.decode(&self.tokens[self.from..self.taken])?;
        let all = self.tokenizer.decode(&self.tokens[self.from..])?;
        let unfinished = all.ends_with('\u{fffd}') && self.tokens.len() - self.taken < PATIENCE;
        if unfinished || all.len() <= before.len() {
            return Ok(String::new());
        }
        self.held.push_str(&all[all.floor_char_boundary(before.len())..]);
        self.from = self.taken;
        self.taken = self.tokens.len();
        let place = self.stops.iter().filter_map(|stop| Some((self.held.find(stop)?, stop))).min();
        let end = match place {
            Some((place, stop)) => {
                self.stopped = Some(stop.clone());
                place
            }
            None => self.held.len() - self.may_stop(),
        };
        let mut shown = std::mem::take(&mut self.held);
        let rest = shown.split_off(end);
        if self.stopped.is_none() {
            self.held = rest;
        }
        self.shown.push_str(&shown);
        Ok(shown)
    }

    /// The text that is left when no more tokens come.
    pub fn finish(&mut self) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        let before = self.tokenizer.decode(&self.tokens[self.from..self.taken]).unwrap_or_default();
        let all = self.tokenizer.decode(&self.tokens[self.from..]).unwrap_or_default();
        self.taken = self.tokens.len();
        self.from = self.taken;
        let mut shown = std::mem::take(&mut self.held);
        shown.push_str(&all[all.floor_char_boundary(before.len())..]);
        self.shown.push_str(&shown);
        shown
    }

    /// The text at which it stopped.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// All text that was shown.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// How many bytes at the end of what is held may be the beginning of a text at which to stop.
    fn may_stop(&self) -> usize {
        let held = self.held.as_str();
        let longest = |stop: &String| {
            let lengths = (1..stop.len()).rev().filter(|length| stop.is_char_boundary(*length));
            lengths.into_iter().find(|length| held.ends_with(&stop[..*length])).unwrap_or(0)
        };
        self.stops.iter().map(longest).max().unwrap_or(0)
    }
}

#[cfg(all(test, feature = "tokenizers"))]
#[path = "text_tests.rs"]
mod tests;
