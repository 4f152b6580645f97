//! What is computed when, and what is kept.
//!
//! Along the axis that is streamed every value is one of three: computed once for a sequence ([`Part::Once`]: an encoder,
//! the keys and values of cross-attention), at each new position ([`Part::New`]), or anew after each chunk for the sequence
//! so far ([`Part::SoFar`]: a last state that is asked for). That the first is so follows from its axes and what it reads.

use super::reach::{Look, View, looks, row_of};
use super::refusal::{Refusal, Why};
use crate::check::recurrence::{Group, reads};
use crate::graph::Graph;
use crate::model::ValueKind;
use crate::term::{Axis, Term, TimeId, ValueId};
use std::collections::HashMap;

/// When a value is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Once for each sequence, before its first position.
    Once,
    /// At each new position.
    New,
    /// For the sequence so far, after each chunk.
    SoFar,
}

/// Which earlier positions of a value are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Keep {
    /// None.
    New,
    /// The last so many.
    Last(usize),
    /// All.
    All,
}

/// A chunk program's plan: for each value of a graph, by number.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The axis along which positions come.
    pub time: TimeId,
    /// When it is computed.
    pub parts: Vec<Part>,
    /// How many positions later than its inputs come.
    pub lags: Vec<usize>,
    /// Which of its earlier positions are kept.
    pub keeps: Vec<Keep>,
}

impl Plan {
    /// When a value is computed.
    pub fn part(&self, id: ValueId) -> Part {
        self.parts[id.0 as usize]
    }

    /// How many positions later than its inputs a value comes.
    pub fn lag(&self, id: ValueId) -> usize {
        self.lags[id.0 as usize]
    }

    /// Which of its earlier positions are kept.
    pub fn keep(&self, id: ValueId) -> Keep {
        self.keeps[id.0 as usize]
    }

    /// Keeps so many more of a value of which no more than the last are kept, or none: also where a reader looks at its own
    /// position alone.
    pub fn keep_more(&mut self, id: ValueId, more: usize) {
        let grows = self.part(id) == Part::New;
        match &mut self.keeps[id.0 as usize] {
            Keep::Last(count) => *count += more,
            keep @ Keep::New if grows => *keep = Keep::Last(more),
            Keep::New | Keep::All => {}
        }
    }
}

/// The axis along which chunks come: the first time axis of the first result that has one; where none has, of the first
/// input that the results need and that has one. Positions of an axis whose length the file says are there at once, and come
/// in no chunks.
pub fn stream_axis(graph: &Graph) -> Option<TimeId> {
    let grows = |time: &TimeId| graph.model.length(*time).is_none();
    let first = |id: ValueId| graph.value(id).axes.iter().filter_map(Axis::time).find(grows);
    let needed = graph.needed();
    let inputs = graph.model.inputs().map(|(id, _)| id).filter(|id| needed.contains(id));
    graph.outputs.iter().map(|(_, id)| *id).chain(inputs).find_map(first)
}

/// The plan of a chunk program along an axis.
///
/// # Errors
/// The equation that keeps the model from running chunk by chunk.
pub fn plan(graph: &Graph, time: TimeId) -> Result<Plan, Refusal> {
    let count = graph.model.values.len();
    let looks = looks(graph, time);
    let mut plan = Plan { time, parts: vec![Part::Once; count], lags: vec![0; count], keeps: vec![Keep::New; count] };
    let needed = graph.needed();
    for (id, value) in graph.model.ids().filter(|(id, _)| needed.contains(id)) {
        let times: Vec<TimeId> = value.axes.iter().filter_map(Axis::time).collect();
        let is_pair_input = matches!(value.kind, ValueKind::Input { .. }) && times == [time, time];
        if times.contains(&time) && (times[0] != time || is_pair_input) {
            return Err(Refusal { reader: id, why: Why::Second });
        }
        if times.contains(&time) {
            plan.parts[id.0 as usize] = Part::New;
        }
    }
    let mut by_reader: HashMap<ValueId, Vec<&Look>> = HashMap::new();
    for look in &looks {
        by_reader.entry(look.reader).or_default().push(look);
    }
    for group in &graph.groups {
        let members: &[ValueId] = match group {
            Group::One(id) => std::slice::from_ref(id),
            Group::Scan(scan) => &scan.values,
        };
        if members.iter().any(|id| !needed.contains(id) || graph.equation(*id).is_none()) {
            continue;
        }
        if let Group::Scan(scan) = group
            && scan.time == time
            && scan.backward
        {
            return Err(Refusal { reader: blamed(graph, members), why: Why::Backward });
        }
        let mut lag = 0i64;
        for id in members {
            find_part(graph, &mut plan, *id)?;
            for look in by_reader.get(id).into_iter().flatten() {
                lag = lag.max(look_ahead(graph, &plan, look)?);
            }
        }
        for id in members {
            plan.lags[id.0 as usize] = usize::try_from(lag).unwrap_or(0);
        }
    }
    for look in &looks {
        let kept = match look.view {
            View::FromLast(None) => Keep::All,
            // An empty chunk has no position of its own.
            View::FromLast(Some(back)) => Keep::Last(back + 1),
            View::Around(window) => match window.back() {
                None => Keep::All,
                Some(_) => {
                    let low = window.low.unwrap_or(0);
                    let back = plan.lag(look.reader) as i64 - plan.lag(look.read) as i64 - low;
                    if back > 0 { Keep::Last(back as usize) } else { Keep::New }
                }
            },
        };
        let keep = &mut plan.keeps[look.read.0 as usize];
        *keep = (*keep).max(kept);
    }
    keep_what_is_computed_once(graph, &mut plan);
    Ok(plan)
}

/// The state of a recurrence that its user knows.
fn blamed(graph: &Graph, members: &[ValueId]) -> ValueId {
    let state = members.iter().find(|id| graph.equation(**id).is_some_and(|equation| equation.is_state));
    *state.unwrap_or(&members[0])
}

/// How far a value is behind its inputs because of one read.
fn look_ahead(graph: &Graph, plan: &Plan, look: &Look) -> Result<i64, Refusal> {
    let refuse = |why| Err(Refusal { reader: look.reader, why });
    let pairs = graph.value(look.read).axes.iter().filter(|axis| axis.time().is_some()).count() > 1;
    match look.view {
        View::Around(window) => {
            if pairs && window != super::Window::at(0) {
                return refuse(Why::PairsKept(look.read));
            }
            match window.high {
                None => refuse(Why::Ahead(look.read, look.subscripts.to_vec())),
                Some(high) => Ok(plan.lag(look.read) as i64 + high),
            }
        }
        View::FromLast(_) if pairs => refuse(Why::PairsKept(look.read)),
        View::FromLast(_) => Ok(0),
    }
}

/// When a value is computed, by its axes and what it reads.
fn find_part(graph: &Graph, plan: &mut Plan, id: ValueId) -> Result<(), Refusal> {
    let refuse = |why| Err(Refusal { reader: id, why });
    let Some(equation) = graph.equation(id) else { return Ok(()) };
    let mut length = false;
    let mut look = |term: &Term| {
        term.walk(&mut |inner| length |= *inner == Term::Length(plan.time));
    };
    look(&equation.term);
    for condition in &equation.domain {
        look(&condition.left);
        look(&condition.right);
    }
    let reads = reads(&graph.value(id).kind);
    let so_far = reads.iter().find(|read| plan.part(**read) == Part::SoFar);
    if row_of(graph, id, plan.time).is_some() {
        return match so_far {
            Some(read) => refuse(Why::Whole(*read)),
            None if length => refuse(Why::Length),
            None => Ok(()),
        };
    }
    let grows = reads.iter().find(|read| plan.part(**read) != Part::Once);
    if length || grows.is_some() {
        if graph.value(id).axes.iter().any(|axis| axis.time().is_some()) {
            return refuse(grows.map_or(Why::Length, |read| Why::OtherAxis(*read)));
        }
        plan.parts[id.0 as usize] = Part::SoFar;
    }
    Ok(())
}

/// Values over other time axes that are computed once and read later are kept whole.
fn keep_what_is_computed_once(graph: &Graph, plan: &mut Plan) {
    for id in graph.order() {
        if plan.part(id) == Part::Once {
            continue;
        }
        for read in reads(&graph.value(id).kind) {
            let has_time = graph.value(read).axes.iter().any(|axis| axis.time().is_some());
            if plan.part(read) == Part::Once && has_time {
                plan.keeps[read.0 as usize] = Keep::All;
            }
        }
    }
}
