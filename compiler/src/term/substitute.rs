//! Puts subscripts in the place of indices: how a term is read at another place, and how one is inlined into another.
//!
//! `h[i]` with `i := t - 1` is `h[t - 1]`; `2 * i + k` with the same is `2 * t + k - 2`. Where the outcome is no longer a
//! sum of indices (a computed subscript times two), it becomes a computed one.

use super::{Binary, Condition, IndexId, Subscript, Term};
use std::collections::VecDeque;

impl Subscript {
    /// The subscript as a number.
    pub fn number(&self) -> Term {
        match self {
            Subscript::Computed(term) => (**term).clone(),
            Subscript::Affine { terms, constant, from_last } => {
                let mut parts: Vec<Term> = terms
                    .iter()
                    .map(|(index, times)| match times {
                        1 => Term::Index(*index),
                        _ => Term::binary(Binary::Multiply, Term::Number(*times as f64), Term::Index(*index)),
                    })
                    .collect();
                let mut constant = *constant;
                if let Some(time) = from_last {
                    parts.push(Term::Length(*time));
                    constant -= 1;
                }
                if constant != 0 || parts.is_empty() {
                    parts.push(Term::Number(constant as f64));
                }
                let first = parts.remove(0);
                parts.into_iter().fold(first, |sum, part| Term::binary(Binary::Add, sum, part))
            }
        }
    }

    /// The same place with subscripts in the place of indices.
    pub fn at(&self, place: &dyn Fn(IndexId) -> Option<Subscript>) -> Subscript {
        let (terms, constant, from_last) = match self {
            Subscript::Computed(term) => return Subscript::Computed(Box::new(term.at(place))),
            Subscript::Affine { terms, constant, from_last } => (terms, *constant, *from_last),
        };
        let mut sum: Vec<(IndexId, i64)> = Vec::new();
        let mut total = constant;
        let mut last = from_last;
        for (index, times) in terms {
            match place(*index) {
                None => sum.push((*index, *times)),
                Some(Subscript::Affine { terms, constant, from_last }) => {
                    sum.extend(terms.iter().map(|(index, inner)| (*index, inner * times)));
                    total += constant * times;
                    if from_last.is_some() {
                        if last.is_some() || *times != 1 {
                            return Subscript::Computed(Box::new(self.number().at(place)));
                        }
                        last = from_last;
                    }
                }
                Some(Subscript::Computed(term)) => {
                    if terms.len() == 1 && *times == 1 && constant == 0 && last.is_none() {
                        return Subscript::Computed(term);
                    }
                    return Subscript::Computed(Box::new(self.number().at(place)));
                }
            }
        }
        sum.sort();
        let mut merged: Vec<(IndexId, i64)> = Vec::new();
        for (index, times) in sum {
            match merged.last_mut() {
                Some((before, total)) if *before == index => *total += times,
                _ => merged.push((index, times)),
            }
        }
        merged.retain(|(_, times)| *times != 0);
        Subscript::Affine { terms: merged, constant: total, from_last: last }
    }
}

impl Condition {
    /// The same condition with subscripts in the place of indices.
    pub fn at(&self, place: &dyn Fn(IndexId) -> Option<Subscript>) -> Condition {
        Condition { left: self.left.at(place), comparator: self.comparator, right: self.right.at(place) }
    }
}

impl Term {
    /// The same term with subscripts in the place of indices. Indices that reductions inside run over must not be replaced.
    pub fn at(&self, place: &dyn Fn(IndexId) -> Option<Subscript>) -> Term {
        match self {
            Term::Index(index) => place(*index).map_or_else(|| self.clone(), |subscript| subscript.number()),
            Term::Read(value, subscripts) => {
                Term::Read(*value, subscripts.iter().map(|subscript| subscript.at(place)).collect())
            }
            Term::Number(_)
            | Term::Length(_)
            | Term::Unary(..)
            | Term::Binary(..)
            | Term::Select(..)
            | Term::Reduce { .. } => self.map_children(&mut |index| index, &mut |child| child.at(place)),
            Term::Softmax { over, .. } => {
                let moved = place(*over).and_then(|subscript| subscript.as_index()).unwrap_or(*over);
                let inner = self.map_children(&mut |index| index, &mut |child| child.at(place));
                match inner {
                    Term::Softmax { domain, body, .. } => Term::Softmax { over: moved, domain, body },
                    other => other,
                }
            }
            Term::Pieces(index, pieces) => {
                let pieces = pieces.iter().map(|(from, piece)| (*from, piece.at(place))).collect();
                match place(*index) {
                    None => Term::Pieces(*index, pieces),
                    Some(subscript) => match subscript.as_index() {
                        Some(index) => Term::Pieces(index, pieces),
                        None => select_piece(&subscript.number(), pieces),
                    },
                }
            }
        }
    }
}

/// Pieces read at a place that is not an index alone: a choice between them.
fn select_piece(place: &Term, pieces: Vec<(usize, Term)>) -> Term {
    let mut pieces: VecDeque<(usize, Term)> = pieces.into();
    let (_, mut chosen) = pieces.pop_front().unwrap_or((0, Term::Number(0.0)));
    for (from, piece) in pieces {
        let condition = Condition {
            left: place.clone(),
            comparator: crate::syntax::tree::Comparator::Less,
            right: Term::Number(from as f64),
        };
        chosen = Term::Select(vec![condition], Box::new(chosen), Box::new(piece));
    }
    chosen
}
