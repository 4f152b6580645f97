//! How far each value sees along a time axis through all that it reads: its receptive field.
//!
//! A [`Look`](super::Look) is one read. What a value sees of the inputs is put together from them: a convolution over three
//! positions of a convolution over three sees five; a recurrence sees everything before it. Outside of its field an input can
//! change as it will, and the value stays the same, which tests check by changing it.

use super::reach::{Look, View, looks, row_of};
use super::window::Window;
use crate::check::recurrence::{Group, Scan, reads};
use crate::graph::Graph;
use crate::model::ValueKind;
use crate::term::{TimeId, ValueId};
use std::collections::HashMap;

/// What a value sees along a time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Nothing that has positions there.
    Nothing,
    /// For a value over these positions: those around its own.
    Around(Window),
    /// For a value over none: the last position, and so many before it.
    Last(usize),
    /// For a value over none: every position.
    All,
}

impl Field {
    /// What either sees.
    pub fn join(self, other: Field) -> Field {
        match (self, other) {
            (Field::Nothing, field) | (field, Field::Nothing) => field,
            (Field::Around(one), Field::Around(two)) => Field::Around(one.hull(two)),
            (Field::Last(one), Field::Last(two)) => Field::Last(one.max(two)),
            (Field::Around(_), Field::Last(_) | Field::All) | (Field::Last(_) | Field::All, Field::Around(_)) => {
                Field::Around(Window::ALL)
            }
            (Field::All, Field::Last(_) | Field::All) | (Field::Last(_), Field::All) => Field::All,
        }
    }
}

/// For each value by number what it sees; nothing for one that the outputs don't need.
pub fn fields(graph: &Graph, time: TimeId) -> Vec<Field> {
    let looks = looks(graph, time);
    let mut by_reader: HashMap<ValueId, Vec<&Look>> = HashMap::new();
    for look in &looks {
        by_reader.entry(look.reader).or_default().push(look);
    }
    let mut all = Fields { graph, time, by_reader, fields: vec![Field::Nothing; graph.model.values.len()] };
    for (id, value) in graph.model.ids() {
        let places = value.axes.iter().filter(|axis| axis.time() == Some(time)).count();
        let seen = match (&value.kind, places) {
            (ValueKind::Input { .. }, 1) => Field::Around(Window::at(0)),
            (ValueKind::Input { .. }, 2..) => Field::Around(Window::ALL),
            (
                ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Constant(_) | ValueKind::Equation(_),
                _,
            ) => Field::Nothing,
        };
        all.fields[id.0 as usize] = seen;
    }
    for group in &graph.groups {
        match group {
            Group::One(id) if graph.equation(*id).is_none() => {}
            Group::One(id) => all.fields[id.0 as usize] = all.seen_by(*id),
            Group::Scan(scan) => all.scan(scan),
        }
    }
    all.fields
}

struct Fields<'g> {
    graph: &'g Graph,
    time: TimeId,
    by_reader: HashMap<ValueId, Vec<&'g Look<'g>>>,
    fields: Vec<Field>,
}

impl Fields<'_> {
    fn field(&self, id: ValueId) -> Field {
        self.fields[id.0 as usize]
    }

    /// What a value sees through those that it reads.
    fn seen_by(&self, id: ValueId) -> Field {
        let has_row = |id: ValueId| row_of(self.graph, id, self.time).is_some();
        let mut seen = Field::Nothing;
        for look in self.by_reader.get(&id).into_iter().flatten() {
            let through = match (look.view, self.field(look.read)) {
                (_, Field::Nothing) => Field::Nothing,
                (View::Around(window), Field::Around(inner)) => Field::Around(window.plus(inner)),
                (View::FromLast(Some(back)), Field::Around(Window { low: Some(low), .. })) => {
                    Field::Last(usize::try_from(back as i64 - low).unwrap_or(0))
                }
                (View::FromLast(_), _) => Field::All,
                (View::Around(_), Field::Last(_) | Field::All) => Field::Around(Window::ALL),
            };
            seen = seen.join(through);
        }
        for read in reads(&self.graph.value(id).kind).into_iter().filter(|read| !has_row(*read)) {
            seen = seen.join(match self.field(read) {
                Field::Nothing => Field::Nothing,
                _ if has_row(id) => Field::Around(Window::ALL),
                field => field,
            });
        }
        seen
    }

    /// A recurrence sees everything before (or after) what it sees at one position; how far its members see the other way is
    /// the most that any order of reading them gives.
    fn scan(&mut self, scan: &Scan) {
        let open = |field: Field| match field {
            Field::Around(window) if scan.time == self.time && !window.is_empty() => {
                Field::Around(match scan.backward {
                    false => Window { low: None, ..window },
                    true => Window { high: None, ..window },
                })
            }
            other => other,
        };
        // Each round follows the reads one step further at least, and no way through the group is longer than it.
        for _ in 0..scan.values.len() {
            let before: Vec<Field> = scan.values.iter().map(|id| self.field(*id)).collect();
            for id in &scan.values {
                self.fields[id.0 as usize] = open(self.seen_by(*id));
            }
            if scan.values.iter().map(|id| self.field(*id)).eq(before) {
                break;
            }
        }
    }
}
