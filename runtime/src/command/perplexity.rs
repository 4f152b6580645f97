//! `seqc perplexity`: how probable a language model finds a text, and what keeping its weights in fewer bits changes of it.
//!
//! In: a text, cut into windows of tokens that are read each on its own. Out: the exponential of the mean of how unlikely each
//! token is after those before it in its window. With `--compare` the model is run with 32-bit weights as well, on the same
//! windows: its perplexity stands beside, and how near the numbers for each next token are, as the cosine of their angle.

use super::arguments::PerplexityArguments;
use super::prepare::{self, Steps, Texts};
use super::terminal::{Terminal, Waiting};
use super::{Stop, json};
use crate::batch::Batch;
use crate::generate::Task;
use crate::matrix::Kept;
use crate::session::{self, Failure, Runner};
use crate::tiles::Precision;
use crate::weights::{Tensor, Values};
use serde_json::json;
use std::collections::BTreeMap;

/// How unlikely tokens were, and how many.
#[derive(Default)]
struct Unlikely {
    sum: f64,
    count: usize,
}

impl Unlikely {
    fn perplexity(&self) -> f64 {
        (self.sum / self.count as f64).exp()
    }

    /// Counts each token of a window in but the first, which comes after nothing.
    fn add(&mut self, logits: &[f32], vocabulary: usize, ids: &[i64]) {
        for (row, next) in logits.chunks(vocabulary).zip(&ids[1..]) {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|logit| f64::from(logit - largest).exp()).sum();
            self.sum += sum.ln() - f64::from(row[*next as usize] - largest);
            self.count += 1;
        }
    }
}

/// Measures a text.
pub fn perplexity(arguments: &PerplexityArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &[])?;
    let backend = prepare::backend(&arguments.backend, terminal)?;
    let mut steps = Steps::default();
    let precision = arguments.backend.precision();
    let checkpoint = Some(arguments.checkpoint.as_path());
    let mut prepared = prepare::prepare(&request, checkpoint, precision, Texts::Given, &mut steps, terminal)?;
    let task = Task::of(&prepared.checked, arguments.output.as_deref())?;
    prepared.checked.outputs = vec![(task.name.clone(), task.logits)];
    let text = std::fs::read_to_string(&arguments.text)
        .map_err(|why| Failure::Other(format!("cannot read {}: {why}", arguments.text.display())))?;
    let tokenizer = prepared.tokenizer()?;
    let ids = tokenizer.encode(&text).map_err(Failure::Other)?;
    if let Some(id) = ids.iter().find(|id| **id < 0 || **id as usize >= task.vocabulary) {
        let message = format!("the tokenizer gives the token {id}, and the model knows {} of them", task.vocabulary);
        return Err(Failure::Other(message).into());
    }
    let windows: Vec<&[i64]> = ids.chunks(arguments.window).filter(|window| window.len() > 1).collect();
    if windows.is_empty() {
        return Err(Failure::Other(format!("{} has fewer than two tokens", arguments.text.display())).into());
    }
    let runner = prepare::compile(&prepared, backend, &mut steps)?;
    let full = match arguments.compare {
        false => None,
        true => {
            let checkpoint = prepared.checkpoint.as_ref();
            prepared.loaded = session::weights_as(&prepared.checked, checkpoint, Precision::F32)?;
            Some(prepare::compile(&prepared, backend, &mut steps)?)
        }
    };
    let mut notes = prepared.loaded.notes.clone();
    let kept = runner.kept().and_then(Kept::note);
    kept.iter().for_each(|note| terminal.note(note));
    notes.extend(kept);
    let (mut found, mut wanted, mut cosine) = (Unlikely::default(), Unlikely::default(), 0.0);
    {
        let _waiting = Waiting::new(format!("reading {} tokens", ids.len()));
        for window in windows {
            let logits = run(&runner, &task, window)?;
            found.add(&logits, task.vocabulary, window);
            if let Some(full) = &full {
                let exact = run(full, &task, window)?;
                wanted.add(&exact, task.vocabulary, window);
                let rows = logits.chunks(task.vocabulary).zip(exact.chunks(task.vocabulary));
                cosine += rows.take(window.len() - 1).map(|(one, other)| cosine_of(one, other)).sum::<f64>();
            }
        }
    }
    let perplexity = found.perplexity();
    let cosine = cosine / found.count as f64;
    let compared = full.map(|_| wanted.perplexity());
    if arguments.json {
        let compared = compared.map(|exact| json!({ "perplexity": exact, "cosine": cosine }));
        let parts = [
            ("perplexity", json!(perplexity)),
            ("tokens", json!(found.count)),
            ("with_f32", json!(compared)),
            ("notes", json!(notes)),
        ];
        return terminal.print(&json::document("perplexity", perplexity.is_finite(), parts));
    }
    let mut said = format!("perplexity {perplexity:.4} over {} tokens\n", found.count);
    if let Some(exact) = compared {
        let percent = (perplexity / exact - 1.0) * 100.0;
        said.push_str(&format!("with 32-bit weights {exact:.4}: {percent:+.3}%, mean cosine {cosine:.6}\n"));
    }
    terminal.print(&said)
}

/// The numbers for the next token at each position of a window.
fn run(runner: &Runner, task: &Task, window: &[i64]) -> Result<Vec<f32>, Failure> {
    let model = runner.model();
    let tokens = Tensor::new(vec![1, window.len()], Values::Integers(window.to_vec())).map_err(Failure::Other)?;
    let inputs = BTreeMap::from([(model.value(task.tokens).path.clone(), tokens)]);
    let batch = Batch::from_tensors(model, &inputs, &BTreeMap::new()).map_err(|errors| {
        let all: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        Failure::Other(format!("a text is not all that the model reads: {}", all.join("; ")))
    })?;
    Ok(runner.run(&batch)?.remove(0))
}

fn cosine_of(one: &[f32], other: &[f32]) -> f64 {
    let dot = |one: &[f32], other: &[f32]| -> f64 {
        one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
    };
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}
