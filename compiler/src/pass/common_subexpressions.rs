//! Common subexpressions: equations that compute the same are one.
//!
//! Values are visited in order, so that two chains of equal equations collapse from their roots. States are left alone:
//! two recurrences are equal only together with all they depend on.

use super::inline::rewrite_reads;
use crate::graph::{Event, Graph};
use crate::model::ValueKind;
use crate::term::{Subscript, Term, ValueId};
use std::collections::HashMap;

/// Merges equal equations.
pub fn run(mut graph: Graph) -> Graph {
    let mut seen: HashMap<String, ValueId> = HashMap::new();
    let mut same: HashMap<ValueId, ValueId> = HashMap::new();
    for id in graph.order() {
        let resolve = |id: ValueId| same.get(&id).copied().unwrap_or(id);
        let in_scan = graph.scan_of(id).is_some();
        let axes = graph.value(id).axes.clone();
        if let ValueKind::Equation(equation) = &mut graph.model.values[id.0 as usize].kind {
            let mut moved = |value: ValueId, subscripts: Vec<Subscript>| Term::Read(resolve(value), subscripts);
            rewrite_reads(equation, &mut moved);
            equation.before = equation.before.map(resolve);
            if equation.is_state || in_scan {
                continue;
            }
            // Index names do not matter, what they run over does.
            let ranges: Vec<_> = equation.indices.iter().map(|index| &index.axis).collect();
            let key = format!("{axes:?} {ranges:?} {:?} {:?}", equation.term, equation.domain);
            match seen.get(&key) {
                Some(first) => {
                    same.insert(id, *first);
                    let path = |id: ValueId| graph.model.value(id).path.clone();
                    graph.history.push(Event::Merged { value: path(id), with: path(*first) });
                }
                None => {
                    seen.insert(key, id);
                }
            }
        }
    }
    let resolve = |id: ValueId| same.get(&id).copied().unwrap_or(id);
    for value in &mut graph.model.values {
        if let ValueKind::Equation(equation) = &mut value.kind {
            let mut moved = |value: ValueId, subscripts: Vec<Subscript>| Term::Read(resolve(value), subscripts);
            rewrite_reads(equation, &mut moved);
        }
    }
    for (_, value) in &mut graph.outputs {
        *value = resolve(*value);
    }
    graph.reorder();
    graph
}
