//! Continuations by the arg max against those that another program generated: `in.prompt` and `out.greedy` of an io file.
//!
//! `out.greedy` has a row of tokens for each sequence, the first of which are its prompt: those of `in.prompt`, or the first
//! one alone where there is none, as for a decoder that starts from one token. All others come one by one from the program
//! for one more token; other inputs are those of the io file. Where a token is not the expected one, what follows says
//! nothing any more: the sequence ends there.

use super::inputs::Given;
use crate::batch::Batch;
use crate::generate::{Generator, READ_AT_ONCE, Sampler, Sampling, Task, split};
use crate::matrix::Kept;
use crate::session::{Backend, Checked, Failure};
use crate::weights::{Loaded, Tensor, Values};
use serde_json::{Value, json};

/// What another program generated.
pub struct Greedy {
    /// What it went on with.
    pub prompt: Option<Tensor>,
    /// Prompts and what it made of them.
    pub expected: Tensor,
}

/// How the continuations compare.
pub struct Compared {
    /// The shape of what was expected.
    pub shape: Vec<usize>,
    /// How many tokens were generated and compared.
    pub count: usize,
    /// Where a sequence first differs, for each that does.
    pub differences: Vec<Difference>,
    /// How products kept the weights that they multiplied with, if the processor ran the model.
    pub kept: Option<Kept>,
}

/// The first token of a sequence that is not the expected one.
pub struct Difference {
    sequence: usize,
    position: usize,
    expected: i64,
    found: u32,
    /// The numbers for both; none for a token that there is not.
    logits: (Option<f32>, f32),
}

/// Generates and compares.
pub fn compare(
    checked: &Checked,
    loaded: &Loaded,
    backend: Backend,
    given: &Given,
    greedy: &Greedy,
) -> Result<Compared, Failure> {
    let task = Task::of(checked, None)?;
    let (rows, prompt) = tokens(greedy)?;
    let batch = batch(checked, &task, given, prompt)?;
    let mut generator = Generator::new(checked, loaded, None, backend)?;
    let mut compared = Compared {
        shape: greedy.expected.shape().to_vec(),
        count: 0,
        differences: Vec::new(),
        kept: generator.kept().cloned(),
    };
    let mut going: Vec<(usize, usize, Vec<f32>)> = Vec::new();
    for (sequence, (given, prompt)) in split(&checked.model, &task, &batch).into_iter().enumerate() {
        let place = generator.begin(given);
        let mut logits = Vec::new();
        for part in prompt.chunks(READ_AT_ONCE) {
            logits = generator.feed(&[(place, part)])?.pop().unwrap_or_default();
        }
        going.push((sequence, place, logits));
    }
    let first = batch.lengths[task.time.0 as usize].first().copied().unwrap_or(0);
    let expected_at = |sequence: usize, position: usize| rows[sequence][position];
    for position in first..greedy.expected.shape()[1] {
        let mut next: Vec<(usize, usize, u32)> = Vec::new();
        for (sequence, place, logits) in going.drain(..) {
            let found = Sampler::new(&Sampling::default(), 0, 0).next(&logits).ok_or_else(|| {
                Failure::Other(format!(
                    "sequence {sequence} has numbers for the token at position {position} that are not numbers (NaN)"
                ))
            })?;
            let expected = expected_at(sequence, position);
            compared.count += 1;
            if i64::from(found) == expected {
                next.push((sequence, place, found));
                continue;
            }
            let other = usize::try_from(expected).ok().and_then(|token| logits.get(token)).copied();
            let logits = (other, logits[found as usize]);
            compared.differences.push(Difference { sequence, position, expected, found, logits });
        }
        if position + 1 < greedy.expected.shape()[1] && !next.is_empty() {
            let feeds: Vec<(usize, &[u32])> =
                next.iter().map(|(_, place, token)| (*place, std::slice::from_ref(token))).collect();
            let logits = generator.feed(&feeds)?;
            going = next.iter().zip(logits).map(|((sequence, place, _), logits)| (*sequence, *place, logits)).collect();
        }
    }
    Ok(compared)
}

/// The rows of what is expected, and the prompts as a tensor.
fn tokens(greedy: &Greedy) -> Result<(Vec<Vec<i64>>, Tensor), Failure> {
    let wrong = |name: &str, tensor: &Tensor, wanted: &str| {
        Failure::Other(format!("`{name}` has the shape {:?} or no whole numbers: wanted is {wanted}", tensor.shape()))
    };
    let whole = |name: &str, tensor: &Tensor| match (tensor.values(), tensor.shape()) {
        (Values::Integers(numbers), [sequences, length]) if *length > 0 => {
            Ok((*sequences, *length, numbers.chunks(*length).map(<[i64]>::to_vec).collect::<Vec<_>>()))
        }
        (Values::Integers(_) | Values::Floats(_), _) => Err(wrong(name, tensor, "a row of tokens for each sequence")),
    };
    let (sequences, total, rows) = whole("out.greedy", &greedy.expected)?;
    let (length, prompts) = match &greedy.prompt {
        None => (1, rows.iter().map(|row| row[..1].to_vec()).collect()),
        Some(prompt) => {
            let (count, length, prompts) = whole("in.prompt", prompt)?;
            if count != sequences || length > total {
                return Err(wrong("in.prompt", prompt, &format!("[{sequences}, {total} at most]")));
            }
            (length, prompts)
        }
    };
    if let Some(sequence) = (0..sequences).find(|sequence| rows[*sequence][..length] != prompts[*sequence]) {
        return Err(Failure::Other(format!(
            "`out.greedy` of sequence {sequence} does not begin with the tokens of `in.prompt`"
        )));
    }
    let prompts = Tensor::new(vec![sequences, length], Values::Integers(prompts.concat())).map_err(Failure::Other)?;
    Ok((rows, prompts))
}

/// The prompts and all other inputs.
fn batch(checked: &Checked, task: &Task, given: &Given, prompt: Tensor) -> Result<Batch, Failure> {
    let model = &checked.model;
    let mut own = Given { tensors: given.tensors.clone(), lengths: given.lengths.clone(), ..Given::default() };
    own.lengths.remove(&model.times[task.time.0 as usize]);
    own.tensors.insert(model.value(task.tokens).path.clone(), prompt);
    own.batch(checked)
}

impl Compared {
    /// Whether every token is the expected one.
    pub fn is_ok(&self) -> bool {
        self.differences.is_empty() && self.count > 0
    }

    /// What is wrong, a line for each sequence.
    pub fn why(&self) -> String {
        if self.count == 0 {
            return "greedy: there is no token to compare\n".to_string();
        }
        let line = |difference: &Difference| {
            let Difference { sequence, position, expected, found, logits: (other, own) } = difference;
            let other = other.map_or("there is no such token".to_string(), |number| format!("its number is {number}"));
            format!(
                "greedy: sequence {sequence} differs first at position {position}: the token is {found} (its number is \
                 {own}), expected is {expected} ({other})\n"
            )
        };
        self.differences.iter().map(line).collect()
    }

    /// The same as JSON.
    pub fn document(&self) -> Value {
        let differences = self.differences.iter().map(|difference| {
            json!({
                "sequence": difference.sequence,
                "position": difference.position,
                "expected": difference.expected,
                "found": difference.found,
                "expected_logit": difference.logits.0,
                "found_logit": difference.logits.1,
            })
        });
        json!({
            "name": "greedy",
            "ok": self.is_ok(),
            "shape": self.shape,
            "compared": self.count,
            "differences": differences.collect::<Vec<_>>(),
        })
    }
}
