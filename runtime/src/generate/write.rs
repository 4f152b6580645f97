//! Goes on with prompts until each has come to its end.
//!
//! The prompts of a batch, of different lengths, are read in chunks of no more than [`READ_AT_ONCE`] tokens together, so that
//! memory is bounded; then every sequence goes on by one token a run, until an end token, a text at which to stop, the
//! greatest number of tokens, the longest sequence that the model knows, or an interruption. What is written for a prompt
//! does not depend on the others: neither the model's numbers do, nor the random ones.

use super::{Context, Generator, Sampler, Sampling, Text};
use crate::session::Failure;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How many tokens of prompts are read in one run.
pub const READ_AT_ONCE: usize = 256;

/// How to go on, and how far.
pub struct Settings<'a> {
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// What random numbers begin with.
    pub seed: u64,
    /// How many tokens at most.
    pub most: usize,
    /// Tokens that end a sequence.
    pub ends: BTreeSet<u32>,
    /// How many tokens a sequence may have, its prompt included.
    pub context: Option<Context>,
    /// Whether to stop now, asked before each run.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// A sequence to go on with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Where the generator has it.
    pub place: usize,
    /// Its next tokens. None for a sequence of which some came before.
    pub prompt: Vec<u32>,
}

/// Why a sequence came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A token that means so.
    Token(u32),
    /// This text came.
    Text(String),
    /// As many tokens came as were asked for.
    Most(usize),
    /// The model knows no longer sequence.
    Context(Context),
    /// Somebody wanted no more.
    Interrupted,
}

/// What follows a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// The tokens, with the one that ended it.
    pub tokens: Vec<u32>,
    /// Why it goes on no further.
    pub ended: Ended,
}

/// How many tokens took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Speed {
    /// Tokens of prompts that were read.
    pub read: usize,
    /// How long that took.
    pub reading: Duration,
    /// Tokens that were written.
    pub written: usize,
    /// Tokens that were written by one run each; the first of each sequence comes from reading its prompt.
    pub stepped: usize,
    /// How long those took.
    pub writing: Duration,
}

/// What happens while it is written.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The sequence, by its place among the starts.
    pub sequence: usize,
    /// Its next token; none where it only ends.
    pub token: Option<u32>,
    /// The text that can be shown now.
    pub text: &'a str,
    /// Why it ends here, if it does.
    pub ended: Option<&'a Ended>,
}

/// Everything that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// For each sequence.
    pub continuations: Vec<Continuation>,
    /// How fast.
    pub speed: Speed,
}

/// A sequence in the making.
struct Making<'t, 'k> {
    place: usize,
    sampler: Sampler,
    text: Option<&'t mut Text<'k>>,
    tokens: Vec<u32>,
    ended: Option<Ended>,
    /// The numbers for its next token, once its prompt is read.
    logits: Option<Vec<f32>>,
}

/// Goes on with sequences. `texts` turns each sequence's tokens into text, where that is wanted; `told` hears of every token
/// and every end, and can stop it all. Whatever was read and written can be gone on with: the tokens of a continuation are
/// fed, but for the last.
///
/// # Errors
/// Tokens that the model does not have, a prompt that is too long, numbers that are none, and tokens that are no text.
pub fn write(
    generator: &mut Generator,
    starts: &[Start],
    settings: &Settings,
    texts: &mut [Text],
    told: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Written, Failure> {
    let mut speed = Speed::default();
    let mut texts = texts.iter_mut();
    let mut making: Vec<Making> = starts
        .iter()
        .enumerate()
        .map(|(number, start)| {
            let mut sampler = Sampler::new(&settings.sampling, settings.seed, number as u64);
            sampler.saw(&start.prompt);
            Making { place: start.place, sampler, text: texts.next(), tokens: Vec::new(), ended: None, logits: None }
        })
        .collect();
    let begun = Instant::now();
    let complete = read(generator, starts, settings, &mut making, &mut speed)?;
    speed.reading = begun.elapsed();
    let begun = Instant::now();
    'writing: while complete && making.iter().any(|one| one.ended.is_none()) {
        for (number, one) in making.iter_mut().enumerate().filter(|(_, one)| one.ended.is_none()) {
            let before = generator.position(one.place);
            let (token, text) = one.next(before, settings)?;
            speed.written += usize::from(token.is_some());
            if told(Event { sequence: number, token, text: &text, ended: one.ended.as_ref() }).is_break() {
                break 'writing;
            }
        }
        let going: Vec<usize> = (0..making.len()).filter(|number| making[*number].ended.is_none()).collect();
        if (settings.interrupted)() || going.is_empty() {
            break;
        }
        let feeds: Vec<(usize, &[u32])> = going
            .iter()
            .map(|number| (making[*number].place, &making[*number].tokens[making[*number].tokens.len() - 1..]))
            .collect();
        let logits = generator.feed(&feeds)?;
        speed.stepped += going.len();
        going.into_iter().zip(logits).for_each(|(number, logits)| making[number].logits = Some(logits));
    }
    speed.writing = begun.elapsed();
    let mut continuations = Vec::new();
    for (number, one) in making.into_iter().enumerate() {
        if one.ended.is_none() {
            let text = one.text.map_or(String::new(), Text::finish);
            let ended = Some(&Ended::Interrupted);
            let _ = told(Event { sequence: number, token: None, text: &text, ended });
        }
        continuations.push(Continuation { tokens: one.tokens, ended: one.ended.unwrap_or(Ended::Interrupted) });
    }
    Ok(Written { continuations, speed })
}

/// Reads the prompts; gives whether all of them.
fn read(
    generator: &mut Generator,
    starts: &[Start],
    settings: &Settings,
    making: &mut [Making],
    speed: &mut Speed,
) -> Result<bool, Failure> {
    let mut left: Vec<&[u32]> = starts.iter().map(|start| start.prompt.as_slice()).collect();
    if let Some(number) =
        (0..starts.len()).find(|number| left[*number].is_empty() && generator.position(starts[*number].place) == 0)
    {
        return Err(Failure::Other(format!("prompt {} is empty: there is nothing to go on with", number + 1)));
    }
    for (number, start) in starts.iter().enumerate() {
        let total = generator.position(start.place) + start.prompt.len();
        if let Some((most, value)) = generator.limit().filter(|(most, _)| total > *most) {
            return Err(Failure::Other(format!("prompt {} has {total} tokens, `{value}` allows {most}", number + 1)));
        }
    }
    while making.iter().any(|one| one.logits.is_none()) && !(settings.interrupted)() {
        let mut room = READ_AT_ONCE;
        let mut chosen: Vec<(usize, &[u32])> = Vec::new();
        for (number, one) in making.iter().enumerate() {
            let (now, later) = left[number].split_at(left[number].len().min(room));
            if one.logits.is_none() && (room > 0 || left[number].is_empty()) {
                room -= now.len();
                left[number] = later;
                chosen.push((number, now));
            }
        }
        let feeds: Vec<(usize, &[u32])> =
            chosen.iter().map(|(number, tokens)| (starts[*number].place, *tokens)).collect();
        let logits = generator.feed(&feeds)?;
        for ((number, tokens), logits) in chosen.into_iter().zip(logits) {
            speed.read += tokens.len();
            if left[number].is_empty() {
                making[number].logits = Some(logits);
            }
        }
    }
    Ok(making.iter().all(|one| one.logits.is_some()))
}

impl Making<'_, '_> {
    /// Chooses the next token of a sequence that has so many, unless it has come to its end; gives it with the text that can
    /// be shown.
    fn next(&mut self, before: usize, settings: &Settings) -> Result<(Option<u32>, String), Failure> {
        let full = |count: usize| settings.context.clone().filter(|context| count >= context.most);
        let at_end = match full(before) {
            _ if settings.most == 0 => Some(Ended::Most(0)),
            context => context.map(Ended::Context),
        };
        if at_end.is_some() {
            self.ended = at_end;
            return Ok((None, String::new()));
        }
        let logits = self.logits.take().unwrap_or_default();
        let token = self.sampler.next(&logits).ok_or_else(|| {
            Failure::Other(format!("after {before} tokens the model's numbers for the next one are not numbers (NaN)"))
        })?;
        self.sampler.saw(&[token]);
        self.tokens.push(token);
        let is_end = settings.ends.contains(&token);
        let mut shown = String::new();
        if let Some(text) = self.text.as_mut().filter(|_| !is_end) {
            shown = text.push(token).map_err(Failure::Other)?;
            self.ended = text.stopped().map(|stop| Ended::Text(stop.to_string()));
        }
        if is_end {
            self.ended = Some(Ended::Token(token));
        } else if self.ended.is_none() && self.tokens.len() >= settings.most {
            self.ended = Some(Ended::Most(settings.most));
        } else if self.ended.is_none() {
            self.ended = full(before + 1).map(Ended::Context);
        }
        if let (Some(text), Some(_)) = (&mut self.text, &self.ended) {
            // What was held back, in case of more.
            shown.push_str(&text.finish());
        }
        Ok((Some(token), shown))
    }
}
