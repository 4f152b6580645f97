//! Recurrences: values that depend on other positions of themselves, and the order in which all values can be computed.
//!
//! Values that depend on each other form a group (a strongly connected component of the graph of reads, by Tarjan, SIAM
//! Journal on Computing 1(2), 1972). A group is computed along one time axis, in the one direction in which every read
//! between its members looks back; its members are ordered by what they read at the same position.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Equation, Model, ValueKind};
use crate::term::{Subscript, TimeId, ValueId};

/// Values that are computed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// One value that does not depend on itself.
    One(ValueId),
    /// A recurrence.
    Scan(Scan),
}

/// Values that are computed position by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Along which axis.
    pub time: TimeId,
    /// Whether from the last position to the first.
    pub backward: bool,
    /// In the order of one position.
    pub values: Vec<ValueId>,
}

/// All values in an order in which each is computed after those it reads.
///
/// # Errors
/// A diagnostic for each group that no order computes.
pub fn groups(model: &Model) -> Result<Vec<Group>, Vec<Diagnostic>> {
    let reads: Vec<Vec<ValueId>> = model.values.iter().map(|value| reads(&value.kind)).collect();
    let mut groups = Vec::new();
    let mut diagnostics = Vec::new();
    for component in components(&reads) {
        let itself = component.len() > 1 || reads[component[0].0 as usize].contains(&component[0]);
        if !itself {
            groups.push(Group::One(component[0]));
            continue;
        }
        match scan(model, &component) {
            Ok(scan) => groups.push(Group::Scan(scan)),
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    if diagnostics.is_empty() { Ok(groups) } else { Err(diagnostics) }
}

fn equation(model: &Model, value: ValueId) -> Option<&Equation> {
    match &model.value(value).kind {
        ValueKind::Equation(equation) => Some(equation),
        ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Constant(_) => None,
    }
}

/// The values that a value reads.
pub fn reads(kind: &ValueKind) -> Vec<ValueId> {
    let mut all = Vec::new();
    if let ValueKind::Equation(equation) = kind {
        let mut add = |value: ValueId, _: &[Subscript]| {
            if !all.contains(&value) {
                all.push(value);
            }
        };
        equation.term.for_each_read(&mut add);
        for condition in &equation.domain {
            condition.left.for_each_read(&mut add);
            condition.right.for_each_read(&mut add);
        }
        if let Some(before) = equation.before {
            add(before, &[]);
        }
    }
    all
}

/// How far a member's read of another member moves along the group's time axis; none where that can't be told.
fn shifts(model: &Model, from: ValueId, to: ValueId, time: TimeId) -> Vec<Option<i64>> {
    let mut all = Vec::new();
    let Some(equation) = equation(model, from) else {
        return all;
    };
    let axis_of = |value: ValueId| model.value(value).axes.iter().position(|axis| axis.time() == Some(time));
    let (Some(own), Some(other)) = (axis_of(from), axis_of(to)) else {
        return vec![None];
    };
    let mut add = |value: ValueId, subscripts: &[Subscript]| {
        if value == to {
            let shift = subscripts.get(other).and_then(Subscript::as_shifted);
            all.push(shift.filter(|(index, _)| index.0 as usize == own).map(|(_, shift)| shift));
        }
    };
    equation.term.for_each_read(&mut add);
    for condition in &equation.domain {
        condition.left.for_each_read(&mut add);
        condition.right.for_each_read(&mut add);
    }
    all
}

fn scan(model: &Model, component: &[ValueId]) -> Result<Scan, Box<Diagnostic>> {
    let first = component.iter().copied().find(|value| equation(model, *value).is_some_and(|item| item.is_state));
    let shown = first.unwrap_or(component[0]);
    let refuse = |message: String, help: &str| {
        let mut diagnostic = Diagnostic::new(Code::Circular, model.value(shown).span, message).label("this value");
        for other in component.iter().filter(|other| **other != shown).take(3) {
            diagnostic = diagnostic.also(model.value(*other).span, "depends on it, and it on this");
        }
        Box::new(diagnostic.help(help))
    };
    let path = &model.value(shown).path;
    // A shared time axis along which every read is a plain shift.
    let time = model.value(shown).axes.iter().filter_map(crate::term::Axis::time).find(|time| {
        component.iter().all(|value| model.value(*value).axes.iter().any(|axis| axis.time() == Some(*time)))
    });
    let Some(time) = time else {
        return Err(refuse(
            format!("`{path}` depends on itself, with no time axis along which it could be computed"),
            "a recurrence refers to an earlier position of itself: `h[t-1]`",
        ));
    };
    let mut edges: Vec<(ValueId, ValueId, i64)> = Vec::new();
    for from in component {
        for to in component {
            for shift in shifts(model, *from, *to, time) {
                match shift {
                    Some(shift) => edges.push((*from, *to, shift)),
                    None => {
                        return Err(refuse(
                            format!("`{path}` depends on itself at positions that are not a fixed step away"),
                            "a recurrence refers to itself at `[t-1]`, `[t-2]` and so on",
                        ));
                    }
                }
            }
        }
    }
    let backward = edges.iter().any(|(_, _, shift)| *shift > 0);
    if backward && edges.iter().any(|(_, _, shift)| *shift < 0) {
        return Err(refuse(
            format!("`{path}` depends on both earlier and later positions of itself"),
            "split it into two recurrences, one for each direction",
        ));
    }
    // Members ordered by what they read at the same position; what is left over goes round in a circle.
    let mut order: Vec<ValueId> = Vec::new();
    let mut left: Vec<ValueId> = component.to_vec();
    left.sort();
    while !left.is_empty() {
        let ready = left
            .iter()
            .position(|value| edges.iter().all(|(from, to, shift)| from != value || *shift != 0 || order.contains(to)));
        match ready {
            Some(place) => order.push(left.remove(place)),
            None => {
                return Err(refuse(
                    format!("`{path}` depends on itself at the same position"),
                    "read an earlier position of one of them: `h[t-1]`",
                ));
            }
        }
    }
    Ok(Scan { time, backward, values: order })
}

/// Strongly connected components, each after those it reads. Iterative: models are deep.
fn components(reads: &[Vec<ValueId>]) -> Vec<Vec<ValueId>> {
    const UNSEEN: usize = usize::MAX;
    let count = reads.len();
    let (mut number, mut low) = (vec![UNSEEN; count], vec![0usize; count]);
    let mut on_stack = vec![false; count];
    let (mut stack, mut result, mut next) = (Vec::new(), Vec::new(), 0);
    for root in 0..count {
        if number[root] != UNSEEN {
            continue;
        }
        let mut work: Vec<(usize, usize)> = vec![(root, 0)];
        while let Some((node, child)) = work.pop() {
            if child == 0 {
                number[node] = next;
                low[node] = next;
                next += 1;
                stack.push(node);
                on_stack[node] = true;
            }
            if let Some(target) = reads[node].get(child).map(|value| value.0 as usize) {
                work.push((node, child + 1));
                if number[target] == UNSEEN {
                    work.push((target, 0));
                } else if on_stack[target] {
                    low[node] = low[node].min(number[target]);
                }
                continue;
            }
            if low[node] == number[node] {
                let mut component = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    component.push(ValueId(member as u32));
                    if member == node {
                        break;
                    }
                }
                component.sort();
                result.push(component);
            }
            if let Some((parent, _)) = work.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
        }
    }
    result
}
