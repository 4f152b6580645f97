//! From a model's numbers for each token to the next token.
//!
//! In this order, that of Hugging Face's `generate`:
//!
//! 1. repetition penalty (Keskar et al. 2019, CTRL): the number of a token that was there already is divided by it where it
//!    is positive, and multiplied where it is negative;
//! 2. at temperature 0 the token with the largest number, the first of several; else all numbers are divided by it;
//! 3. top-k (Fan, Lewis and Dauphin 2018): only the k most probable are left;
//! 4. top-p (Holtzman et al. 2020): of these, the fewest that have p of the probability together;
//! 5. min-p (Nguyen et al. 2024): of these, those that are at least so probable as this share of the most probable one;
//! 6. one is drawn: tokens lie side by side in the order of the vocabulary, each as wide as its probability, and the first
//!    one that ends behind the random number is taken.
//!
//! Random numbers are those of ChaCha8 (Bernstein 2008): the key is made of the seed, the stream is the sequence's number in
//! its batch, and each token takes one number of 53 bits. So what is drawn for a sequence does not depend on the others.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::cmp::Ordering;
use std::collections::HashSet;

/// How tokens are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// What the numbers are divided by; at 0 the largest one is taken.
    pub temperature: f64,
    /// How many of the most probable tokens are left.
    pub top_k: Option<usize>,
    /// How much of the probability is left, from 0 to 1.
    pub top_p: Option<f64>,
    /// How probable a token is at least, as a share of the most probable one's probability.
    pub min_p: Option<f64>,
    /// What makes tokens that were there less probable, above 1; 1 does nothing.
    pub repetition_penalty: f64,
}

impl Default for Sampling {
    /// The most probable token.
    fn default() -> Sampling {
        Sampling { temperature: 0.0, top_k: None, top_p: None, min_p: None, repetition_penalty: 1.0 }
    }
}

/// Chooses the tokens of one sequence.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
    seen: HashSet<u32>,
}

/// A token that can be chosen, and its number; later its share of the probability.
type Candidate = (u32, f64);

/// How many of the most probable tokens are looked at first for top-p.
const FIRST_LOOK: usize = 128;

impl Sampler {
    /// For the sequence with this number in its batch.
    pub fn new(sampling: &Sampling, seed: u64, sequence: u64) -> Sampler {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(sequence);
        Sampler { sampling: sampling.clone(), random, seen: HashSet::new() }
    }

    /// Takes note of tokens that are there, for the repetition penalty.
    pub fn saw(&mut self, tokens: &[u32]) {
        if self.sampling.repetition_penalty != 1.0 {
            self.seen.extend(tokens);
        }
    }

    /// The next token, of a number for each; none where some of them is not a number.
    pub fn next(&mut self, logits: &[f32]) -> Option<u32> {
        let number = |token: usize, logit: f32| self.penalised(token as u32, f64::from(logit));
        let all = || logits.iter().enumerate().map(|(token, logit)| number(token, *logit));
        if logits.iter().any(|logit| logit.is_nan()) {
            return None;
        }
        let mut best: Option<Candidate> = None;
        for (token, number) in (0u32..).zip(all()) {
            if best.is_none_or(|(_, most)| number > most) {
                best = Some((token, number));
            }
        }
        let (first, most) = best?;
        if self.sampling.temperature == 0.0 || most.is_infinite() {
            return Some(first);
        }
        // As `exp(number - most)` each is a probability but for a factor, and none is too large.
        let temperature = self.sampling.temperature;
        let mut kept: Vec<Candidate> =
            (0u32..).zip(all().map(|number| ((number - most) / temperature).exp())).collect();
        if let Some(count) = self.sampling.top_k.filter(|count| *count < kept.len()) {
            most_probable(&mut kept, count);
            kept.truncate(count);
        }
        if let Some(share) = self.sampling.top_p.filter(|share| *share < 1.0) {
            nucleus(&mut kept, share);
        }
        if let Some(least) = self.sampling.min_p {
            // The most probable one has `exp(0)`.
            kept.retain(|(_, share)| *share >= least);
        }
        kept.sort_unstable_by_key(|(token, _)| *token);
        let total: f64 = kept.iter().map(|(_, share)| share).sum();
        let mut drawn = (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64 * total;
        for (token, share) in &kept {
            drawn -= share;
            if drawn < 0.0 {
                return Some(*token);
            }
        }
        // Rounding left a little: the last one that can be drawn at all.
        kept.iter().rev().find(|(_, share)| *share > 0.0).map(|(token, _)| *token).or(Some(first))
    }

    fn penalised(&self, token: u32, number: f64) -> f64 {
        let penalty = self.sampling.repetition_penalty;
        match self.seen.contains(&token) {
            true if number > 0.0 => number / penalty,
            true => number * penalty,
            false => number,
        }
    }
}

/// The more probable first; of equals, the first in the vocabulary.
fn by_probability((one, left): &Candidate, (two, right): &Candidate) -> Ordering {
    right.total_cmp(left).then(one.cmp(two))
}

/// Brings so many of the most probable to the front, in any order.
fn most_probable(all: &mut [Candidate], count: usize) {
    if 0 < count && count < all.len() {
        all.select_nth_unstable_by(count - 1, by_probability);
    }
}

/// Leaves the fewest of the most probable that have this share together, one at least.
fn nucleus(all: &mut Vec<Candidate>, share: f64) {
    let enough = share * all.iter().map(|(_, share)| share).sum::<f64>();
    // Mostly few are enough: of a vocabulary, the first are looked at before it is put in order.
    let mut count = FIRST_LOOK.min(all.len());
    loop {
        most_probable(all, count);
        all[..count].sort_unstable_by(by_probability);
        let mut together = 0.0;
        let last = all[..count].iter().position(|(_, share)| {
            together += share;
            together >= enough
        });
        if let Some(last) = last {
            return all.truncate(last + 1);
        }
        if count == all.len() {
            return;
        }
        count = (4 * count).min(all.len());
    }
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
