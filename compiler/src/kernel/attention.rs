//! What a backend knows of an attention.

use super::{Access, Comparison, Range, Scalar, entries};
use crate::term::{Binary, TimeId};

/// `mix[i, h, e] = sum over j (softmax over j (score(dot[i, j, h])) * value[j, h, e])` for all rows `i`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// The value it computes.
    pub name: String,
    /// The time axis of keys and values.
    pub over: TimeId,
    /// The head indices and their sizes.
    pub heads: Vec<Range>,
    /// The query's first number: a read that varies with the heads.
    pub query: Access,
    /// The key's, at position `j`.
    pub key: Access,
    /// The numbers that a query and a key have, along each axis that their product sums over; one axis wherever they lie
    /// the same distance apart throughout.
    pub depth: Vec<Depth>,
    /// The value's first number, at position `j`.
    pub value: Access,
    /// Numbers in a value.
    pub width: usize,
    /// How far apart they lie.
    pub value_step: usize,
    /// The score before it is scaled: indices are the heads, then `j`; [`Scalar::Dot`] is the product of query and key.
    pub score: Scalar,
    /// What all scores are multiplied by; more than zero, so that the largest is the largest either way.
    pub scale: f32,
    /// The positions `j` that a row sees.
    pub keys: Range,
    /// Which of them it sees, where a range does not say it.
    pub domain: Vec<Comparison>,
    /// Where the result goes: varies with the heads; its numbers lie `target_step` apart.
    pub target: Access,
    /// How far apart neighbours of the result lie.
    pub target_step: usize,
}

/// An axis along which queries and keys are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Its numbers.
    pub size: usize,
    /// How far apart neighbours of a query lie.
    pub query_step: usize,
    /// How far apart neighbours of a key lie.
    pub key_step: usize,
}

impl Attention {
    /// Numbers in a query and key.
    pub fn numbers(&self) -> usize {
        self.depth.iter().map(|axis| axis.size).product()
    }

    /// How many of the head indices, the last ones, are of heads with the same keys and values: a group of query heads that
    /// shares them (Ainslie et al., "GQA", 2023).
    pub fn grouped(&self) -> usize {
        let shares = |index: &usize| !self.key.varies_with(*index) && !self.value.varies_with(*index);
        (0..self.heads.len()).rev().take_while(shares).count()
    }

    /// How many heads have the same keys and values.
    pub fn group(&self) -> usize {
        let grouped = &self.heads[self.heads.len() - self.grouped()..];
        grouped.iter().map(|range| entries(range).unwrap_or(1)).product()
    }

    /// The axis of heads that threads with the same rows share out: the first that has several.
    pub fn cut(&self) -> usize {
        self.heads.iter().position(|range| entries(range) != Some(1)).unwrap_or(0)
    }

    /// What the softmax is taken of.
    pub fn scaled_score(&self) -> Scalar {
        match self.scale {
            1.0 => self.score.clone(),
            scale => Scalar::Binary(Binary::Multiply, Box::new(self.score.clone()), Box::new(Scalar::Number(scale))),
        }
    }
}
