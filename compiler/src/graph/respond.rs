//! What becomes of a change: one value of a recurrence is changed at one position, and everything in its recurrence that
//! follows responds.
//!
//! In: a graph, all its values for a sequence, and directions of a change. Out: how the changed value itself changes at the
//! positions after, to first order. What the recurrence reads from outside stays as it is.

use super::Graph;
use super::derivative::{Dual, Scalar, WIDE};
use super::interpret::{Machine, Sequence};
use crate::check::recurrence::Scan;
use crate::term::{TimeId, ValueId};
use std::collections::BTreeMap;

/// A change of a value of a recurrence at one position.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The recurrence.
    pub scan: &'a Scan,
    /// Its value that is changed.
    pub value: ValueId,
    /// How many positions come before that of the change, in the order in which the recurrence runs.
    pub step: usize,
    /// Directions: for each, how every entry at that position changes, in the order of its axes.
    pub directions: &'a [Vec<f64>],
}

/// For each direction, how the value changes at the position of the change and each of so many after it: the change itself
/// first. Fewer come back where the sequence ends before.
pub fn respond(
    graph: &Graph,
    sequence: &Sequence,
    known: &BTreeMap<ValueId, Vec<f64>>,
    change: &Change,
    steps: usize,
) -> Vec<Vec<Vec<f64>>> {
    let some = |directions: &[Vec<f64>]| together(graph, sequence, known, change, directions, steps);
    change.directions.chunks(WIDE).flat_map(some).collect()
}

/// The same for as many directions as a number has changes.
fn together(
    graph: &Graph,
    sequence: &Sequence,
    known: &BTreeMap<ValueId, Vec<f64>>,
    change: &Change,
    directions: &[Vec<f64>],
    steps: usize,
) -> Vec<Vec<Vec<f64>>> {
    let Change { scan, value, step, .. } = *change;
    let mut machine: Machine<Dual> = Machine { graph, sequence, known, made: BTreeMap::new() };
    for member in &scan.values {
        let numbers = known.get(member).map_or(&[][..], Vec::as_slice);
        machine.made.insert(*member, numbers.iter().map(|number| Dual::constant(*number)).collect());
    }
    let length = sequence.lengths[scan.time.0 as usize];
    let position = |step: usize| if scan.backward { length - 1 - step } else { step };
    if step >= length {
        return vec![Vec::new(); directions.len()];
    }
    let places = |machine: &Machine<Dual>, at: usize| entries(graph, value, scan.time, at, &machine.sizes(value));
    for (entry, place) in places(&machine, position(step)).into_iter().enumerate() {
        if let Some(number) = machine.made.get_mut(&value).and_then(|made| made.get_mut(place)) {
            for (way, direction) in directions.iter().enumerate() {
                number.changes[way] = direction.get(entry).copied().unwrap_or(0.0);
            }
        }
    }
    // What is computed after the changed value at the same position responds already there.
    for member in scan.values.iter().skip_while(|member| **member != value).skip(1) {
        machine.at_position(*member, scan.time, position(step));
    }
    let mut all: Vec<Vec<Vec<f64>>> = directions.iter().map(|direction| vec![direction.clone()]).collect();
    for later in step + 1..length.min(step.saturating_add(steps).saturating_add(1)) {
        for member in &scan.values {
            machine.at_position(*member, scan.time, position(later));
        }
        let made = &machine.made[&value];
        let places = places(&machine, position(later));
        for (way, changes) in all.iter_mut().enumerate() {
            changes.push(places.iter().map(|place| made[*place].changes[way]).collect());
        }
    }
    all
}

/// Where a value's numbers at one position lie, in the order of its axes.
fn entries(graph: &Graph, value: ValueId, time: TimeId, position: usize, sizes: &[usize]) -> Vec<usize> {
    let axes = &graph.value(value).axes;
    let Some(axis) = axes.iter().position(|axis| axis.time() == Some(time)) else { return Vec::new() };
    let inner: usize = sizes[axis + 1..].iter().product();
    let outer: usize = sizes[..axis].iter().product();
    (0..outer)
        .flat_map(|before| (0..inner).map(move |after| (before, after)))
        .map(|(before, after)| (before * sizes[axis] + position) * inner + after)
        .collect()
}
