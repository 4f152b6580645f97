//! What was generated, as it is shown: texts or tokens as they come, why each ended, how fast it was, and all of it as JSON.

use super::Stop;
use super::terminal::Terminal;
use crate::generate::{Ended, Event, Speed, Start, Written};
use crate::numbers::fitted;
use serde_json::{Value, json};
use std::time::Duration;

/// Shows continuations one after the other, each as it comes.
pub struct Continuations<'a> {
    headings: &'a [String],
    as_tokens: bool,
    /// The one that is shown now; those before are complete.
    current: usize,
    /// Whether its heading is shown.
    begun: bool,
    /// What came of each and is not shown.
    waiting: Vec<String>,
    /// How many tokens came of each.
    counts: Vec<usize>,
    ended: Vec<bool>,
    /// Whether a line is to be ended: an empty text has one too.
    in_line: bool,
}

impl<'a> Continuations<'a> {
    /// Of prompts that are shown as these headings where there are several.
    pub fn new(headings: &'a [String], as_tokens: bool) -> Continuations<'a> {
        let count = headings.len().max(1);
        Continuations {
            headings,
            as_tokens,
            current: 0,
            begun: false,
            waiting: vec![String::new(); count],
            counts: vec![0; count],
            ended: vec![false; count],
            in_line: true,
        }
    }

    /// Takes what came, and shows what can be.
    pub fn take(&mut self, event: &Event, terminal: &mut Terminal) -> Result<(), Stop> {
        let number = event.sequence;
        match event.token.filter(|_| self.as_tokens) {
            Some(token) if self.counts[number] == 0 => self.waiting[number].push_str(&token.to_string()),
            Some(token) => self.waiting[number].push_str(&format!(",{token}")),
            None => self.waiting[number].push_str(event.text),
        }
        self.counts[number] += usize::from(event.token.is_some());
        self.ended[number] |= event.ended.is_some();
        while let Some(text) = self.waiting.get_mut(self.current) {
            let shown = std::mem::take(text);
            if !self.begun && self.headings.len() > 1 {
                let between = if self.current == 0 { "" } else { "\n" };
                let heading = fitted(&self.headings[self.current], terminal.width().saturating_sub(16));
                terminal.print(&format!("{between}── {}: {heading} ──\n", self.current + 1))?;
            }
            self.begun = true;
            if !shown.is_empty() {
                self.in_line = !shown.ends_with('\n');
                terminal.print(&shown)?;
            }
            if !self.ended[self.current] {
                return Ok(());
            }
            if self.in_line {
                terminal.print("\n")?;
            }
            self.in_line = true;
            self.current += 1;
            self.begun = false;
        }
        Ok(())
    }
}

/// Why something ended, where that may surprise.
pub fn why(ended: &Ended) -> Option<String> {
    match ended {
        Ended::Token(_) | Ended::Text(_) => None,
        Ended::Most(most) => Some(format!("stopped after {most} tokens: more with `--max-tokens`")),
        Ended::Context(context) => {
            Some(format!("stopped: {} allows {} tokens, those of the prompt included", context.said_by, context.most))
        }
        Ended::Interrupted => Some("interrupted".to_string()),
    }
}

/// How fast it was, in two lines, and the seed of what was drawn.
pub fn speed(speed: &Speed, seed: Option<u64>) -> String {
    let line = |name: &str, tokens: usize, timed: usize, time: Duration| {
        let rate = match timed {
            0 => String::new(),
            timed => format!(", {:.1} tokens/s", timed as f64 / time.as_secs_f64().max(1e-9)),
        };
        let plural = if tokens == 1 { "token" } else { "tokens" };
        format!("{name:<10}{tokens} {plural}, {:.3} s{rate}\n", time.as_secs_f64())
    };
    let seed = seed.map_or(String::new(), |seed| format!("{:<10}{seed}\n", "seed"));
    format!(
        "{}{}{seed}",
        line("prompt", speed.read, speed.read, speed.reading),
        line("generated", speed.written, speed.stepped, speed.writing)
    )
}

/// Everything as parts of a JSON document.
pub fn document(
    starts: &[Start],
    prompts: Option<&[String]>,
    texts: Option<&[&str]>,
    written: &Written,
    seed: Option<u64>,
) -> Vec<(&'static str, Value)> {
    let sequences = written.continuations.iter().enumerate().map(|(number, one)| {
        json!({
            "prompt": prompts.map(|prompts| &prompts[number]),
            "prompt_tokens": starts[number].prompt,
            "text": texts.map(|texts| texts[number]),
            "tokens": one.tokens,
            "ended": match &one.ended {
                Ended::Token(token) => json!({ "why": "end token", "token": token }),
                Ended::Text(text) => json!({ "why": "stop", "text": text }),
                Ended::Most(most) => json!({ "why": "max tokens", "most": most }),
                Ended::Context(context) => {
                    json!({ "why": "context", "most": context.most, "said_by": context.said_by })
                }
                Ended::Interrupted => json!({ "why": "interrupted" }),
            },
        })
    });
    let Speed { read, reading, written: count, stepped, writing } = written.speed;
    vec![
        ("seed", json!(seed)),
        ("sequences", Value::Array(sequences.collect())),
        (
            "speed",
            json!({
                "prompt_tokens": read,
                "prompt_seconds": reading.as_secs_f64(),
                "tokens": count,
                "tokens_by_steps": stepped,
                "seconds": writing.as_secs_f64(),
            }),
        ),
    ]
}
