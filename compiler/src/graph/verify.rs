//! What holds of every graph, before and after each pass:
//!
//! 1. A reduction, a softmax or pieces stand at the top of an equation or nowhere, and only where the equation exists
//!    everywhere.
//! 2. An equation's first indices run over its value's axes, in order; the others are those its reduction runs over.
//! 3. Every index that is mentioned exists, and every read has a subscript for each axis.
//! 4. A value is computed once, after all it reads; inside a recurrence, after what it reads at the same position.
//! 5. A softmax and pieces run over an index of the value's own.
//! 6. Only states have a value before the first position, with the state's features as axes.
//! 7. Every output is a value of the graph.
//! 8. No two equations have the same path.

use super::Graph;
use crate::check::recurrence::{Group, reads};
use crate::model::{Equation, Value, ValueKind};
use crate::term::{IndexId, Subscript, Term, ValueId};
use std::collections::HashSet;

/// Checks the laws.
///
/// # Errors
/// The first law that is broken and where: a mistake in the compiler, never in a user's file.
pub fn verify(graph: &Graph) -> Result<(), String> {
    for (id, value) in graph.model.ids() {
        if let ValueKind::Equation(equation) = &value.kind
            && graph.groups.iter().any(|group| contains(group, id))
        {
            check_equation(graph, value, equation).map_err(|why| format!("{}: {why}", value.path))?;
        }
    }
    check_order(graph)?;
    let mut paths = HashSet::new();
    for (id, value) in graph.model.ids() {
        if graph.equation(id).is_some() && !paths.insert(&value.path) {
            return Err(format!("law 8: two equations are called {}", value.path));
        }
    }
    for (name, value) in &graph.outputs {
        if value.0 as usize >= graph.model.values.len() {
            return Err(format!("law 7: the output {name} is no value"));
        }
    }
    Ok(())
}

fn contains(group: &Group, id: ValueId) -> bool {
    match group {
        Group::One(value) => *value == id,
        Group::Scan(scan) => scan.values.contains(&id),
    }
}

fn check_equation(graph: &Graph, value: &Value, equation: &Equation) -> Result<(), String> {
    let mut nested = false;
    let mut check_inside = |term: &Term| {
        term.walk(&mut |inner| {
            nested |= matches!(inner, Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..));
        });
    };
    match &equation.term {
        Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..) => {
            equation.term.for_each_child(&mut |child| check_inside(child));
            if !equation.domain.is_empty() {
                return Err("law 1: a reduction in an equation that does not exist everywhere".to_string());
            }
        }
        other => check_inside(other),
    }
    if nested {
        return Err("law 1: a reduction inside an equation".to_string());
    }
    for (place, axis) in value.axes.iter().enumerate() {
        if equation.indices.get(place).map(|index| &index.axis) != Some(axis) {
            return Err(format!("law 2: index {place} does not run over {}", axis.name));
        }
    }
    let bound: Vec<IndexId> = match &equation.term {
        Term::Reduce { over, .. } => over.clone(),
        _ => Vec::new(),
    };
    if equation.indices.len() != value.axes.len() + bound.len()
        || bound.iter().any(|index| (index.0 as usize) < value.axes.len())
    {
        return Err("law 2: indices that belong to no axis and no reduction".to_string());
    }
    let mut wrong = None;
    let mut check_term = |term: &Term| {
        term.walk(&mut |inner| match inner {
            Term::Index(index) | Term::Pieces(index, _) => {
                if index.0 as usize >= equation.indices.len() {
                    wrong = Some(format!("law 3: there is no index {}", index.0));
                }
            }
            Term::Read(read, subscripts) => {
                if graph.model.values.get(read.0 as usize).map(|value| value.axes.len()) != Some(subscripts.len()) {
                    wrong = Some(format!("law 3: a read of value {} with {} subscripts", read.0, subscripts.len()));
                }
                for subscript in subscripts {
                    if let Subscript::Affine { terms, .. } = subscript
                        && terms.iter().any(|(index, _)| index.0 as usize >= equation.indices.len())
                    {
                        wrong = Some("law 3: a subscript with an index that is not there".to_string());
                    }
                }
            }
            Term::Number(_)
            | Term::Length(_)
            | Term::Unary(..)
            | Term::Binary(..)
            | Term::Select(..)
            | Term::Reduce { .. }
            | Term::Softmax { .. } => {}
        });
    };
    check_term(&equation.term);
    for condition in &equation.domain {
        check_term(&condition.left);
        check_term(&condition.right);
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    if let Term::Softmax { over, .. } | Term::Pieces(over, _) = &equation.term
        && over.0 as usize >= value.axes.len()
    {
        return Err("law 5: a softmax or pieces over an index that is not the value's".to_string());
    }
    if let Some(before) = equation.before {
        let features: Vec<_> = value.axes.iter().filter(|axis| axis.time().is_none()).cloned().collect();
        if !equation.is_state || graph.value(before).axes != features {
            return Err("law 6: a value before the first position that is not the state's".to_string());
        }
    }
    Ok(())
}

fn check_order(graph: &Graph) -> Result<(), String> {
    let mut done: HashSet<ValueId> = graph
        .model
        .ids()
        .filter(|(_, value)| !matches!(value.kind, ValueKind::Equation(_)))
        .map(|(id, _)| id)
        .collect();
    for group in &graph.groups {
        match group {
            Group::One(value) => {
                if let Some(missing) = reads(&graph.value(*value).kind).iter().find(|read| !done.contains(read)) {
                    let (one, two) = (&graph.value(*value).path, &graph.value(*missing).path);
                    return Err(format!("law 4: {one} is computed before {two}"));
                }
                done.insert(*value);
            }
            Group::Scan(scan) => {
                let members: HashSet<ValueId> = scan.values.iter().copied().collect();
                for value in &scan.values {
                    for read in reads(&graph.value(*value).kind) {
                        if !done.contains(&read) && !members.contains(&read) {
                            let (one, two) = (&graph.value(*value).path, &graph.value(read).path);
                            return Err(format!("law 4: {one} is computed before {two}"));
                        }
                    }
                }
                done.extend(members);
            }
        }
    }
    Ok(())
}
