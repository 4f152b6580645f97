//! The graph: the model's equations taken apart until each does one thing, in an order in which they can be computed.
//!
//! A graph's values have the form of a model's, with laws of their own ([`verify()`]): an equation is either pointwise, or
//! one reduction or softmax of something pointwise. Recurrences are groups of values computed position by position.
//! What each equation means is said by the interpreter ([`interpret()`]), in float64, and nowhere else.

mod build;
mod derivative;
mod history;
mod interpret;
mod respond;
mod verify;

pub use build::build;
pub use history::{Event, Stays};
pub use interpret::{Sequence, interpret};
pub(crate) use interpret::{binary, unary};
pub use respond::{Change, respond};
pub use verify::verify;

use crate::check::recurrence::{Group, reads};
use crate::model::{Equation, Model, Value, ValueKind};
use crate::term::{Term, ValueId};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// A graph.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Its values, in the form of a model's.
    pub model: Model,
    /// The order in which equations are computed.
    pub groups: Vec<Group>,
    /// What is asked for: names and values.
    pub outputs: Vec<(String, ValueId)>,
    /// What became of equations so far.
    pub history: Vec<Event>,
}

impl Graph {
    /// The value of that number.
    pub fn value(&self, id: ValueId) -> &Value {
        self.model.value(id)
    }

    /// A value's equation, if it has one.
    pub fn equation(&self, id: ValueId) -> Option<&Equation> {
        match &self.value(id).kind {
            ValueKind::Equation(equation) => Some(equation),
            ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Constant(_) => None,
        }
    }

    /// Whether a value is an equation that is neither a reduction nor a softmax nor made of pieces.
    pub fn is_pointwise(&self, id: ValueId) -> bool {
        self.equation(id).is_some_and(|equation| match &equation.term {
            Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..) => false,
            Term::Number(_)
            | Term::Index(_)
            | Term::Length(_)
            | Term::Read(..)
            | Term::Unary(..)
            | Term::Binary(..)
            | Term::Select(..) => true,
        })
    }

    /// The recurrence that a value belongs to, by its place among the groups.
    pub fn scan_of(&self, id: ValueId) -> Option<usize> {
        self.groups.iter().position(|group| match group {
            Group::One(_) => false,
            Group::Scan(scan) => scan.values.contains(&id),
        })
    }

    /// The recurrence of each value that is part of one.
    pub fn scans(&self) -> HashMap<ValueId, usize> {
        let groups = self.groups.iter().enumerate();
        let values = groups.flat_map(|(number, group)| {
            let values = match group {
                Group::One(_) => &[][..],
                Group::Scan(scan) => &scan.values,
            };
            values.iter().map(move |value| (*value, number))
        });
        values.collect()
    }

    /// Values that are computed, in order.
    pub fn order(&self) -> Vec<ValueId> {
        let mut order = Vec::new();
        for group in &self.groups {
            match group {
                Group::One(value) => order.push(*value),
                Group::Scan(scan) => order.extend(&scan.values),
            }
        }
        order.retain(|value| self.equation(*value).is_some());
        order
    }

    /// The values that the outputs depend on, and the outputs.
    pub fn needed(&self) -> HashSet<ValueId> {
        let mut needed = HashSet::new();
        let mut work: Vec<ValueId> = self.outputs.iter().map(|(_, value)| *value).collect();
        while let Some(value) = work.pop() {
            if needed.insert(value) {
                work.extend(reads(&self.value(value).kind));
            }
        }
        needed
    }

    /// How many times each value is read, by equations and as an output.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.model.values.len()];
        for (_, value) in self.model.ids() {
            for read in reads(&value.kind) {
                uses[read.0 as usize] += 1;
            }
        }
        for (_, value) in &self.outputs {
            uses[value.0 as usize] += 1;
        }
        uses
    }

    /// Finds the order anew after equations changed. The equations came from a checked model, whose recurrences no pass
    /// adds to.
    pub fn reorder(&mut self) {
        self.groups = crate::check::recurrence::groups(&self.model).expect("passes keep recurrences computable");
    }

    /// The graph as text: one line an equation, recurrences as blocks.
    pub fn print(&self) -> String {
        let mut text = String::new();
        let mut used = vec![false; self.model.values.len()];
        for (_, value) in self.model.ids() {
            for read in reads(&value.kind) {
                used[read.0 as usize] = true;
            }
        }
        for (id, value) in self.model.ids() {
            let axes = crate::model::print_axes(&value.axes, &self.model.times);
            let _ = match &value.kind {
                ValueKind::Input { .. } => writeln!(text, "input {}{axes}", value.path),
                ValueKind::Weight { .. } if used[id.0 as usize] => writeln!(text, "weight {}{axes}", value.path),
                ValueKind::Constant(_) if used[id.0 as usize] => writeln!(text, "constant {}{axes}", value.path),
                ValueKind::Weight { .. } | ValueKind::Constant(_) | ValueKind::Equation(_) => Ok(()),
            };
        }
        for group in &self.groups {
            match group {
                Group::One(value) => self.print_value(&mut text, *value, ""),
                Group::Scan(scan) => {
                    let direction = if scan.backward { "backward " } else { "" };
                    let _ = writeln!(text, "scan {direction}over {} {{", self.model.times[scan.time.0 as usize]);
                    scan.values.iter().for_each(|value| self.print_value(&mut text, *value, "  "));
                    let _ = writeln!(text, "}}");
                }
            }
        }
        for (name, value) in &self.outputs {
            let _ = writeln!(text, "output {name} = {}", self.value(*value).path);
        }
        text
    }

    fn print_value(&self, text: &mut String, id: ValueId, indent: &str) {
        if let Some(equation) = self.equation(id) {
            let _ = writeln!(text, "{indent}{}", self.model.print_equation(self.value(id), equation));
        }
    }
}
