//! Parts that leave an equation and become values of their own, which it reads instead.

use crate::graph::{Event, Graph};
use crate::model::{Equation, Value, ValueKind};
use crate::term::{Index, IndexId, Subscript, Term, ValueId};

/// Stands for the part of that number until its value exists.
const PLACEHOLDER: u32 = u32::MAX / 2;

/// The parts that leave one equation.
#[derive(Default)]
pub(super) struct Parts {
    made: Vec<(Vec<Index>, Term)>,
}

impl Parts {
    /// Takes a term out, over those of the equation's indices that it mentions: what is read instead. A term that was taken out
    /// before is not taken out again.
    pub fn take_out(&mut self, term: &Term, equation: &Equation) -> Term {
        let free: Vec<IndexId> =
            (0..equation.indices.len() as u32).map(IndexId).filter(|index| term.mentions(*index)).collect();
        let number = |index: IndexId| {
            let place = free.iter().position(|known| *known == index).unwrap_or(0);
            IndexId(place as u32)
        };
        let indices = free.iter().map(|index| equation.indices[index.0 as usize].clone()).collect();
        let part = (indices, term.rename(&mut { number }));
        let place = self.made.iter().position(|known| *known == part).unwrap_or_else(|| {
            self.made.push(part);
            self.made.len() - 1
        });
        Term::Read(ValueId(PLACEHOLDER + place as u32), free.into_iter().map(Subscript::index).collect())
    }

    /// Makes the parts values, called `path'name`, `path'name2`, …, and the equation's term the one that reads them. `event` says what
    /// became of the equation, of a part and the equation by their paths.
    pub fn leave(self, graph: &mut Graph, id: ValueId, term: &Term, name: &str, event: fn(String, String) -> Event) {
        if self.made.is_empty() {
            return;
        }
        let (path, span) = (graph.value(id).path.clone(), graph.value(id).span);
        let first = graph.model.values.len() as u32;
        for (place, (indices, term)) in self.made.into_iter().enumerate() {
            let suffix = if place == 0 { String::new() } else { format!("{}", place + 1) };
            let axes = indices.iter().map(|index: &Index| index.axis.clone()).collect();
            let equation = Equation { indices, term, domain: Vec::new(), before: None, is_state: false };
            let part = format!("{path}'{name}{suffix}");
            graph.history.push(event(part.clone(), path.clone()));
            graph.model.values.push(Value { path: part, span, axes, kind: ValueKind::Equation(equation) });
        }
        let term = place_holders(term, first);
        if let ValueKind::Equation(equation) = &mut graph.model.values[id.0 as usize].kind {
            equation.term = term;
        }
    }
}

/// The placeholders count from the first new value.
fn place_holders(term: &Term, first: u32) -> Term {
    match term {
        Term::Read(value, subscripts) if value.0 >= PLACEHOLDER => {
            Term::Read(ValueId(value.0 - PLACEHOLDER + first), subscripts.clone())
        }
        other => other.map_children(&mut |index| index, &mut |child| place_holders(child, first)),
    }
}
