//! Attention: its indices, and where queries, keys and values lie.

use super::super::index::{Indices, whole_range};
use super::super::{Attention, Depth, Row, Scalar};
use super::{Lowering, Making, cut_one};
use crate::fuse::AttentionParts;
use crate::term::{Binary, IndexId, Term, ValueId};

impl Lowering<'_> {
    pub(super) fn attention(&mut self, making: &mut Making, id: ValueId, parts: &AttentionParts) -> Attention {
        let mix = self.equation(id).clone();
        let softmax = self.equation(parts.weight).clone();
        let dot = self.equation(parts.dot).clone();
        let (domain, score) = match &softmax.term {
            Term::Softmax { domain, body, .. } => (domain.clone(), (**body).clone()),
            other => (Vec::new(), other.clone()),
        };
        // The softmax's indices: its row, its heads in order, and its key, which is the last loop.
        let mut indices = Indices::default();
        let mut mix_indices = Indices { row: Some(parts.row), ..Indices::default() };
        let mut ranges = Vec::new();
        let mut key = IndexId(0);
        for (place, in_mix) in parts.weight_indices.iter().enumerate() {
            let own = IndexId(place as u32);
            if *in_mix == parts.row {
                indices.row = Some(own);
            } else if *in_mix == parts.key {
                key = own;
            } else {
                indices.loops.insert(own, ranges.len());
                mix_indices.loops.insert(*in_mix, ranges.len());
                ranges.push(whole_range(&softmax, own));
            }
        }
        let heads = ranges.clone();
        let key_loop = heads.len();
        indices.loops.insert(key, key_loop);
        mix_indices.loops.insert(parts.key, key_loop);
        ranges.push(whole_range(&softmax, key));
        let mut domain = domain;
        let mut cut = vec![ranges[key_loop].clone()];
        let shifted = Indices { row: indices.row, loops: indices.loops.clone() };
        cut_one(&mut cut[0], key, &mut domain, &shifted);
        let keys = cut.remove(0);
        let along = key_loop + 1;
        let mut dot_indices = indices.clone();
        let mut dot_ranges = ranges.clone();
        for (place, index) in parts.depth.iter().enumerate() {
            dot_indices.loops.insert(*index, along + place);
            dot_ranges.push(whole_range(&dot, *index));
        }
        let (mut query, mut key_access) = self.with(making, dot_indices, dot_ranges, None, |context| {
            (context.access(parts.query.0, &parts.query.1).0, context.access(parts.keys.0, &parts.keys.1).0)
        });
        let axes = parts.depth.iter().enumerate().map(|(place, index)| Depth {
            size: dot.indices[index.0 as usize].axis.size().unwrap_or(1),
            query_step: query.offset.take(along + place) as usize,
            key_step: key_access.offset.take(along + place) as usize,
        });
        let depth = merged(axes.collect());
        let mut value_ranges = ranges.clone();
        let width = match parts.width {
            None => 1,
            Some(index) => {
                mix_indices.loops.insert(index, along);
                value_ranges.push(whole_range(&mix, index));
                mix.indices[index.0 as usize].axis.size().unwrap_or(1)
            }
        };
        let mut value = self.with(making, mix_indices.clone(), value_ranges, None, |context| {
            context.access(parts.value.0, &parts.value.1).0
        });
        let value_step = value.offset.take(along) as usize;
        let (score, domain) = self.with(making, indices, ranges, Some(parts.dot), |context| {
            let score = context.scalar(&score);
            (score, domain.iter().map(|condition| context.comparison(condition)).collect())
        });
        let (score, scale) = without_scale(score);
        let layout = self.layout(making, id, true);
        let mut target = self.target_access(id, &layout, &mix_indices);
        target.rows = vec![Row::Here];
        let target_step = target.offset.take(along) as usize;
        let over = mix.indices[parts.key.0 as usize].axis.time().expect("an attention runs over positions");
        Attention {
            name: self.graph.value(id).path.clone(),
            over,
            heads,
            query,
            key: key_access,
            depth,
            value,
            width,
            value_step,
            score,
            scale,
            keys,
            domain,
            target,
            target_step,
        }
    }
}

/// A score as one that is multiplied by a number, which then costs nothing where differences of scores become weights: they
/// are multiplied there. A factor so small or large that a key which is not seen would be seen, or scores that are seen would not,
/// stays where it is.
fn without_scale(score: Scalar) -> (Scalar, f32) {
    match score {
        Scalar::Binary(Binary::Multiply, inner, factor) | Scalar::Binary(Binary::Multiply, factor, inner) if matches!(*factor, Scalar::Number(number) if (1e-6..=1e6).contains(&number)) =>
        {
            let Scalar::Number(scale) = *factor else { unreachable!("it was one") };
            (*inner, scale)
        }
        score => (score, 1.0),
    }
}

/// The same axes, those as one along which neighbours lie the same distance apart: a sum may run in any order, and runs as
/// the keys lie.
fn merged(mut axes: Vec<Depth>) -> Vec<Depth> {
    axes.sort_by_key(|axis| std::cmp::Reverse(axis.key_step));
    let mut merged: Vec<Depth> = Vec::new();
    for axis in axes {
        match merged.last_mut() {
            Some(outer)
                if outer.query_step == axis.size * axis.query_step && outer.key_step == axis.size * axis.key_step =>
            {
                *outer = Depth { size: outer.size * axis.size, ..axis };
            }
            Some(_) | None => merged.push(axis),
        }
    }
    merged
}
