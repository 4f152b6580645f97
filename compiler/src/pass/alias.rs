//! Aliases: an equation that is no more than another value read at the same place is that value.
//!
//! `y[t, dim] = x[t, dim]` disappears, and whoever read `y` reads `x`. A state keeps its equation: it is read at other
//! positions, and has a value before the first.

use super::inline::rewrite_reads;
use crate::graph::{Event, Graph};
use crate::model::ValueKind;
use crate::term::{Subscript, Term, ValueId};
use std::collections::HashMap;

/// Replaces every alias.
pub fn run(mut graph: Graph) -> Graph {
    let mut alias: HashMap<ValueId, ValueId> = HashMap::new();
    for (id, value) in graph.model.ids() {
        let ValueKind::Equation(equation) = &value.kind else { continue };
        if equation.is_state || !equation.domain.is_empty() {
            continue;
        }
        if let Term::Read(of, subscripts) = &equation.term {
            let in_place = subscripts
                .iter()
                .enumerate()
                .all(|(place, subscript)| subscript.as_index().is_some_and(|index| index.0 as usize == place));
            // The other value's behaviour outside the sequence must be the same: 0.
            let before = graph.equation(*of).is_some_and(|other| other.before.is_some());
            if in_place && graph.value(*of).axes == value.axes && !before {
                alias.insert(id, *of);
            }
        }
    }
    let resolve = |mut id: ValueId| {
        while let Some(next) = alias.get(&id) {
            id = *next;
        }
        id
    };
    if alias.is_empty() {
        return graph;
    }
    let mut renamed: Vec<ValueId> = alias.keys().copied().collect();
    renamed.sort();
    let path = |id: ValueId| graph.value(id).path.clone();
    let renamed = renamed.into_iter().map(|id| Event::Renamed { value: path(id), to: path(resolve(id)) });
    let renamed: Vec<Event> = renamed.collect();
    graph.history.extend(renamed);
    for value in &mut graph.model.values {
        if let ValueKind::Equation(equation) = &mut value.kind {
            let mut moved = |value: ValueId, subscripts: Vec<Subscript>| Term::Read(resolve(value), subscripts);
            rewrite_reads(equation, &mut moved);
            equation.before = equation.before.map(resolve);
        }
    }
    for (_, value) in &mut graph.outputs {
        *value = resolve(*value);
    }
    graph.reorder();
    graph
}
