//! Attention: its indices, and where queries, keys and values lie.

use super::super::index::{Indices, whole_range};
use super::super::{Attention, Row};
use super::{Lowering, Making, cut_one};
use crate::fuse::AttentionParts;
use crate::term::{IndexId, Term, ValueId};

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
        dot_indices.loops.insert(parts.depth, along);
        let mut dot_ranges = ranges.clone();
        dot_ranges.push(whole_range(&dot, parts.depth));
        let depth = dot.indices[parts.depth.0 as usize].axis.size().unwrap_or(1);
        let (mut query, mut key_access) = self.with(making, dot_indices, dot_ranges, None, |context| {
            (context.access(parts.query.0, &parts.query.1).0, context.access(parts.keys.0, &parts.keys.1).0)
        });
        let query_step = query.offset.take(along) as usize;
        let key_step = key_access.offset.take(along) as usize;
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
            value,
            steps: [query_step, key_step, value_step],
            depth,
            width,
            score,
            keys,
            domain,
            target,
            target_step,
        }
    }
}
