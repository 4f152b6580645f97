//! Ends: what an equation reads of several values at fixed positions is taken from each of them by itself.
//!
//! ```text
//! h_n = pieces along layers (at 0 x0[last]; at 1 x1[last])   →   a = x0[last]
//!                                                               b = x1[last]
//!                                                               h_n = pieces along layers (at 0 a; at 1 b)
//! ```
//!
//! Such an equation stands where the last of its sources is known, and until then a row for each position of every source
//! would be kept: the last states of a stack would take memory for all of its layers. A row for each sequence is taken instead
//! as soon as the source is there, and its memory is free for the next layer.

use super::rewrite_reads;
use crate::graph::{Event, Graph};
use crate::model::{Equation, Value, ValueKind};
use crate::term::{Index, IndexId, Subscript, Term, ValueId};

/// A value at a fixed position along its time axis.
#[derive(Clone, PartialEq)]
struct End {
    of: ValueId,
    /// Which of its axes is time.
    along: usize,
    position: Subscript,
}

/// Takes out what stands at fixed positions of several values.
pub fn run(mut graph: Graph) -> Graph {
    for id in graph.order() {
        if graph.value(id).axes.iter().any(|axis| axis.time().is_some()) {
            continue;
        }
        let Some(mut equation) = graph.equation(id).cloned() else { continue };
        let mut ends: Vec<End> = Vec::new();
        equation.term.for_each_read(&mut |value, subscripts| {
            if let Some(end) = end(&graph, value, subscripts)
                && !ends.contains(&end)
            {
                ends.push(end);
            }
        });
        if ends.iter().all(|end| end.of == ends[0].of) {
            continue;
        }
        let first = graph.model.values.len() as u32;
        rewrite_reads(&mut equation, &mut |value, mut subscripts| {
            let known = end(&graph, value, &subscripts).and_then(|end| ends.iter().position(|known| *known == end));
            match known {
                Some(place) => {
                    subscripts.remove(ends[place].along);
                    Term::Read(ValueId(first + place as u32), subscripts)
                }
                None => Term::Read(value, subscripts),
            }
        });
        let (path, span) = (graph.value(id).path.clone(), graph.value(id).span);
        for (place, End { of, along, position }) in ends.into_iter().enumerate() {
            let mut axes = graph.value(of).axes.clone();
            axes.remove(along);
            let indices = axes.iter().map(|axis| Index { name: axis.name.clone(), axis: axis.clone() }).collect();
            let mut subscripts: Vec<Subscript> = (0..axes.len() as u32).map(IndexId).map(Subscript::index).collect();
            subscripts.insert(along, position);
            let term = Term::Read(of, subscripts);
            let own = Equation { indices, term, domain: Vec::new(), before: None, is_state: false };
            let part = format!("{path}'end{}", if place == 0 { String::new() } else { format!("{}", place + 1) });
            graph.history.push(Event::TakenOut { part: part.clone(), of: path.clone() });
            graph.model.values.push(Value { path: part, span, axes, kind: ValueKind::Equation(own) });
        }
        if let ValueKind::Equation(own) = &mut graph.model.values[id.0 as usize].kind {
            *own = equation;
        }
    }
    graph.reorder();
    graph
}

/// What a read has, if that is a computed value at a position which depends on nothing.
fn end(graph: &Graph, value: ValueId, subscripts: &[Subscript]) -> Option<End> {
    graph.equation(value)?;
    let axes = &graph.value(value).axes;
    let mut times = (0..axes.len()).filter(|place| axes[*place].time().is_some());
    let (Some(along), None) = (times.next(), times.next()) else { return None };
    match &subscripts[along] {
        Subscript::Affine { terms, .. } if terms.is_empty() => {
            Some(End { of: value, along, position: subscripts[along].clone() })
        }
        Subscript::Affine { .. } | Subscript::Computed(_) => None,
    }
}
