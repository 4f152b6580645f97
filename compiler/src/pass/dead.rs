//! Dead code: equations that no output depends on are dropped, and the others numbered anew.
//!
//! Inputs stay, whether read or not: they belong to what the program takes. So do weights: a checkpoint is read whole.

use super::inline::rewrite_reads;
use crate::graph::{Event, Graph};
use crate::model::ValueKind;
use crate::term::{Subscript, Term, ValueId};

/// Drops what nothing depends on.
pub fn run(mut graph: Graph) -> Graph {
    let count = graph.model.values.len();
    let needed = graph.needed();
    let mut numbers: Vec<Option<ValueId>> = vec![None; count];
    let mut kept = Vec::new();
    for (place, value) in std::mem::take(&mut graph.model.values).into_iter().enumerate() {
        let is_equation = matches!(value.kind, ValueKind::Equation(_));
        if needed.contains(&ValueId(place as u32)) || !is_equation {
            numbers[place] = Some(ValueId(kept.len() as u32));
            kept.push(value);
        } else {
            graph.history.push(Event::Dropped { value: value.path });
        }
    }
    let number = |id: ValueId| numbers[id.0 as usize].expect("what a live equation reads is live");
    for value in &mut kept {
        if let ValueKind::Equation(equation) = &mut value.kind {
            rewrite_reads(equation, &mut |value: ValueId, subscripts: Vec<Subscript>| {
                Term::Read(number(value), subscripts)
            });
            equation.before = equation.before.map(number);
        }
    }
    graph.model.values = kept;
    for (_, value) in &mut graph.outputs {
        *value = number(*value);
    }
    let live = |id: &ValueId| numbers[id.0 as usize];
    graph.model.names = graph.model.names.iter().filter_map(|(name, id)| Some((name.clone(), live(id)?))).collect();
    graph.model.inside = graph.model.inside.iter().filter_map(|(id, path)| Some((live(id)?, path.clone()))).collect();
    graph.model.results = graph.model.results.iter().filter_map(|(name, id)| Some((name.clone(), live(id)?))).collect();
    graph.reorder();
    graph
}
