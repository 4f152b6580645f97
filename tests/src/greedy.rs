//! A continuation by the arg max, token after token through a chunk program.
//!
//! In: a model whose one result is `[T, vocabulary]`, where T is the axis that is streamed and its one input of tokens is the
//! prompt; inputs over other axes come once, with the first chunk. All sequences are one batch, and leave it when they end.

use crate::goldens::shown;
use seqwright::session::Streamer;
use seqwright::stream::Chunk;
use seqwright_compiler::term::{Axis, ValueId};
use std::collections::BTreeMap;

/// What each sequence is given.
pub struct Prompt {
    /// What the continuation follows.
    pub tokens: Vec<usize>,
    /// An encoder's input; none for a model that has none.
    pub source: Option<Vec<usize>>,
}

/// Continues prompts until `end` comes, which is the last token of a continuation, or so many tokens are there.
pub fn continue_greedily(streamer: &mut Streamer, prompts: &[Prompt], end: usize, at_most: usize) -> Vec<Vec<usize>> {
    let model = streamer.model().clone();
    let time = streamer.time();
    let over = |id: ValueId| model.value(id).axes.iter().find_map(Axis::time);
    let places: Vec<usize> = prompts.iter().map(|_| streamer.stream().begin()).collect();
    let mut continuations = vec![Vec::new(); prompts.len()];
    let mut running: Vec<usize> = (0..prompts.len()).collect();
    let mut begun = false;
    while !running.is_empty() && at_most > 0 {
        let mut chunk = Chunk { places: running.iter().map(|prompt| places[*prompt]).collect(), ..Chunk::default() };
        let mut lengths: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (id, _) in model.inputs() {
            let axis = over(id).expect("tokens have positions");
            let new = |prompt: &usize| match (axis == time, begun) {
                (true, true) => vec![*continuations[*prompt].last().expect("a token came")],
                (true, false) => prompts[*prompt].tokens.clone(),
                (false, true) => Vec::new(),
                (false, false) => prompts[*prompt].source.clone().expect("the model has an encoder"),
            };
            let rows: Vec<Vec<usize>> = running.iter().map(new).collect();
            lengths.insert(axis.0 as usize, rows.iter().map(Vec::len).collect());
            chunk.inputs.insert(id, rows.concat().iter().map(|token| *token as f32).collect());
        }
        chunk.lengths = lengths.into_values().collect();
        let results = shown(streamer.run(&chunk));
        let [logits] = results.as_slice() else { panic!("{} results instead of logits", results.len()) };
        let vocabulary = logits.numbers.len() / logits.counts.iter().sum::<usize>();
        let mut next = 0;
        running.retain({
            let mut counts = logits.counts.iter();
            let continuations = &mut continuations;
            move |prompt| {
                next += counts.next().expect("each sequence has results") * vocabulary;
                continuations[*prompt].push(arg_max(&logits.numbers[next - vocabulary..next]));
                continuations[*prompt].last() != Some(&end) && continuations[*prompt].len() < at_most
            }
        });
        begun = true;
    }
    places.iter().for_each(|place| streamer.stream().end(*place));
    continuations
}

/// The place of the largest number; of equal ones the first.
pub fn arg_max(numbers: &[f32]) -> usize {
    let mut best = 0;
    for (place, number) in numbers.iter().enumerate() {
        assert!(number.is_finite(), "the logit of token {place} is {number}");
        if *number > numbers[best] {
            best = place;
        }
    }
    best
}
