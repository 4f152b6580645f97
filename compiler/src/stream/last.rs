//! A value at its last position alone, for one who needs no other: a generator of its model's `logits`.
//!
//! `logits[t, v] = sum over d (norm[t, d] * table[v, d])` → `logits[last][v] = sum over d (norm[last, d] * table[v, d])`
//!
//! The product with the whole vocabulary is then computed once for a chunk, however many positions come. What only the
//! value needs is treated alike, back to what can't be: a recurrence, and a sum over positions. Each number is computed as
//! it would be at that position among others.

use crate::check::recurrence::{Group, groups, reads};
use crate::model::{Equation, Model, Value, ValueKind};
use crate::pass::rewrite_reads;
use crate::term::{Axis, Condition, IndexId, Subscript, Term, TimeId, ValueId};
use std::collections::{HashMap, HashSet};

/// The model with one more value: another one's at the last position of a time axis.
pub fn at_last(model: &Model, id: ValueId, time: TimeId) -> (Model, ValueId) {
    let mut longer = model.clone();
    let order = order(model);
    let chosen = chosen(model, id, time, &order);
    let mut moved: HashMap<ValueId, ValueId> = HashMap::new();
    for old in order.iter().filter(|old| chosen.contains(old)) {
        let value = model.value(*old);
        let ValueKind::Equation(equation) = &value.kind else { continue };
        let equation = equation_at_last(equation, place_of(value, time), time, &|read| {
            Some((*moved.get(&read)?, place_of(model.value(read), time)))
        });
        moved.insert(*old, add(&mut longer, value, place_of(value, time), equation));
    }
    let last = moved.get(&id).copied().unwrap_or_else(|| {
        // It stays as it is, and is read there.
        let value = model.value(id);
        let place = place_of(value, time);
        let rest: Vec<_> = others(value, place).collect();
        let mut subscripts: Vec<Subscript> =
            (0..rest.len() as u32).map(|index| Subscript::index(IndexId(index))).collect();
        subscripts.insert(place, last(time));
        let indices = rest.into_iter().map(|axis| crate::term::Index { name: axis.name.clone(), axis }).collect();
        let term = Term::Read(id, subscripts);
        let equation = Equation { indices, term, domain: Vec::new(), before: None, is_state: false };
        add(&mut longer, value, place, equation)
    });
    (longer, last)
}

fn last(time: TimeId) -> Subscript {
    Subscript::Affine { terms: Vec::new(), constant: 0, from_last: Some(time) }
}

fn place_of(value: &Value, time: TimeId) -> usize {
    value.axes.iter().position(|axis| axis.time() == Some(time)).expect("what is read at the last position has some")
}

fn others(value: &Value, place: usize) -> impl Iterator<Item = Axis> + '_ {
    value.axes.iter().enumerate().filter(move |(other, _)| *other != place).map(|(_, axis)| axis.clone())
}

fn add(model: &mut Model, of: &Value, place: usize, equation: Equation) -> ValueId {
    let (path, axes) = (format!("{}[last]", of.path), others(of, place).collect());
    model.values.push(Value { path, span: of.span, axes, kind: ValueKind::Equation(equation) });
    ValueId(model.values.len() as u32 - 1)
}

/// Equations outside of recurrences, each after those it reads.
fn order(model: &Model) -> Vec<ValueId> {
    let groups = groups(model).expect("a checked model's recurrences are computable");
    let alone = groups.into_iter().filter_map(|group| match group {
        Group::One(id) => Some(id),
        Group::Scan(_) => None,
    });
    alone.filter(|id| matches!(model.value(*id).kind, ValueKind::Equation(_))).collect()
}

/// The values that are needed at the last position alone, and can be computed there.
fn chosen(model: &Model, id: ValueId, time: TimeId, order: &[ValueId]) -> HashSet<ValueId> {
    let mut readers: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    let (mut needed, mut work) = (HashSet::from([id]), vec![id]);
    while let Some(reader) = work.pop() {
        for read in reads(&model.value(reader).kind) {
            readers.entry(read).or_default().push(reader);
            if needed.insert(read) {
                work.push(read);
            }
        }
    }
    let mut chosen = HashSet::new();
    for candidate in order.iter().rev().filter(|candidate| needed.contains(candidate)) {
        let only_there = |reader: &ValueId| chosen.contains(reader) && reads_at_own(model, *reader, *candidate, time);
        let is_wanted = *candidate == id || readers.get(candidate).is_some_and(|all| all.iter().all(only_there));
        if is_wanted && can_move(model, model.value(*candidate), time) {
            chosen.insert(*candidate);
        }
    }
    chosen
}

/// Whether each position of a value is computed on its own: it has one axis of positions, sums over no
/// other, and asks no table for its place.
fn can_move(model: &Model, value: &Value, time: TimeId) -> bool {
    let ValueKind::Equation(equation) = &value.kind else { return false };
    let times: Vec<TimeId> = value.axes.iter().filter_map(Axis::time).collect();
    if times != [time] || equation.is_state {
        return false;
    }
    let own = IndexId(place_of(value, time) as u32);
    // A table of positions (`place[t]`) tells how long sequences may be: that would be lost.
    let is_place = |subscript: &Subscript| match subscript {
        Subscript::Affine { terms, .. } => terms.iter().any(|(index, _)| *index == own),
        Subscript::Computed(term) => **term == Term::Index(own),
    };
    let is_table = |read: &ValueId, subscripts: &[Subscript]| {
        let axes = &model.value(*read).axes;
        axes.iter().zip(subscripts).any(|(axis, subscript)| axis.time() != Some(time) && is_place(subscript))
    };
    let mut alone = equation.indices[value.axes.len()..].iter().all(|index| index.axis.time().is_none());
    let mut look = |term: &Term| {
        term.walk(&mut |inner| match inner {
            // Both run over the index, which is to be a place.
            Term::Softmax { over: index, .. } | Term::Pieces(index, _) => alone &= *index != own,
            // A chunk's last position is not known to be the sequence's.
            Term::Length(length) => alone &= *length != time,
            Term::Read(read, subscripts) => alone &= !is_table(read, subscripts),
            Term::Number(_)
            | Term::Index(_)
            | Term::Unary(..)
            | Term::Binary(..)
            | Term::Select(..)
            | Term::Reduce { .. } => {}
        });
    };
    look(&equation.term);
    for condition in &equation.domain {
        look(&condition.left);
        look(&condition.right);
    }
    alone
}

/// Whether every read is at the reader's own position.
fn reads_at_own(model: &Model, reader: ValueId, read: ValueId, time: TimeId) -> bool {
    let (value, source) = (model.value(reader), model.value(read));
    let ValueKind::Equation(equation) = &value.kind else { return false };
    let own = IndexId(place_of(value, time) as u32);
    let Some(place) = source.axes.iter().position(|axis| axis.time() == Some(time)) else { return false };
    let mut alone = equation.before != Some(read);
    let mut look = |value: ValueId, subscripts: &[Subscript]| {
        if value == read {
            alone &= subscripts[place].as_index() == Some(own);
        }
    };
    equation.term.for_each_read(&mut look);
    for condition in &equation.domain {
        condition.left.for_each_read(&mut look);
        condition.right.for_each_read(&mut look);
    }
    alone
}

/// An equation with the last position in the place of an index. `moved` tells what stands for a value that is read there,
/// and which of its axes is gone.
fn equation_at_last(
    equation: &Equation,
    place: usize,
    time: TimeId,
    moved: &dyn Fn(ValueId) -> Option<(ValueId, usize)>,
) -> Equation {
    // The index goes behind all others, and then is replaced.
    let end = IndexId(equation.indices.len() as u32 - 1);
    let mut number = |index: IndexId| match (index.0 as usize).cmp(&place) {
        std::cmp::Ordering::Less => index,
        std::cmp::Ordering::Equal => end,
        std::cmp::Ordering::Greater => IndexId(index.0 - 1),
    };
    let replaced = |index: IndexId| (index == end).then(|| last(time));
    let mut next = Equation {
        indices: equation.indices.clone(),
        term: equation.term.rename(&mut number).at(&replaced),
        domain: Vec::new(),
        before: None,
        is_state: false,
    };
    next.indices.remove(place);
    for condition in &equation.domain {
        let renamed = Condition {
            left: condition.left.rename(&mut number),
            comparator: condition.comparator,
            right: condition.right.rename(&mut number),
        };
        next.domain.push(renamed.at(&replaced));
    }
    rewrite_reads(&mut next, &mut |read, mut subscripts| match moved(read) {
        None => Term::Read(read, subscripts),
        Some((there, gone)) => {
            subscripts.remove(gone);
            Term::Read(there, subscripts)
        }
    });
    next
}
