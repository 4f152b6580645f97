//! Takes a softmax apart that no attention takes in, or that is asked for itself.
//!
//! `w = softmax over j (x where d)` becomes
//!
//! ```text
//! w'highest[i] = max over j (x where d)
//! w'power[i, j] = select(d, exp(x - w'highest[i]), 0)
//! w'total[i] = sum over j (w'power[i, j])
//! w[i, j] = w'power[i, j] / max(w'total[i], smallest)
//! ```
//!
//! The largest of the exponentials is 1, so that the total is at least 1, but over nothing, where it is 0 and so is `w`.

use super::AttentionParts;
use crate::graph::{Event, Graph};
use crate::model::{Equation, Value, ValueKind};
use crate::term::{Axis, Binary, Index, IndexId, Reduction, Subscript, Term, Unary, ValueId};
use std::collections::{HashMap, HashSet};

/// Takes apart every softmax that is read by anything but an attention.
pub fn take_apart(mut graph: Graph, attention: &HashMap<ValueId, AttentionParts>) -> Graph {
    let mut wanted: HashSet<ValueId> = graph.outputs.iter().map(|(_, value)| *value).collect();
    for id in graph.order() {
        let taken = attention.get(&id).map(|parts| parts.weight);
        wanted.extend(
            crate::check::recurrence::reads(&graph.value(id).kind).into_iter().filter(|read| Some(*read) != taken),
        );
    }
    for id in graph.order() {
        let Some(equation) = graph.equation(id) else { continue };
        let Term::Softmax { over, domain, body } = &equation.term else { continue };
        if !wanted.contains(&id) {
            continue;
        }
        let keeps = attention.values().any(|parts| parts.weight == id);
        let (over, domain, body, indices) = (*over, domain.clone(), (**body).clone(), equation.indices.clone());
        let target = if keeps { copy_for_attention(&mut graph, id, attention) } else { id };
        apart(&mut graph, target, over, domain, body, indices);
    }
    graph.reorder();
    graph
}

/// A softmax that an attention reads and others too: the others read a copy, which is returned.
fn copy_for_attention(graph: &mut Graph, id: ValueId, attention: &HashMap<ValueId, AttentionParts>) -> ValueId {
    let mut copy = graph.value(id).clone();
    let of = copy.path.clone();
    copy.path.push_str("'stored");
    graph.history.push(Event::TakenOut { part: copy.path.clone(), of });
    graph.model.values.push(copy);
    let new = ValueId(graph.model.values.len() as u32 - 1);
    for (place, value) in graph.model.values.iter_mut().enumerate() {
        let taken = attention.get(&ValueId(place as u32)).is_some_and(|parts| parts.weight == id);
        if let (false, ValueKind::Equation(equation)) = (taken, &mut value.kind) {
            crate::pass::rewrite_reads(equation, &mut |read, subscripts| {
                Term::Read(if read == id { new } else { read }, subscripts)
            });
        }
    }
    for (_, value) in &mut graph.outputs {
        if *value == id {
            *value = new;
        }
    }
    new
}

fn apart(
    graph: &mut Graph,
    id: ValueId,
    over: IndexId,
    domain: Vec<crate::term::Condition>,
    body: Term,
    indices: Vec<Index>,
) {
    let (path, span) = (graph.value(id).path.clone(), graph.value(id).span);
    graph.history.push(Event::TakenApart { value: path.clone() });
    let add = |graph: &mut Graph, name: &str, axes: Vec<Axis>, indices: Vec<Index>, term: Term| {
        let equation = Equation { indices, term, domain: Vec::new(), before: None, is_state: false };
        let part = format!("{path}'{name}");
        graph.history.push(Event::TakenOut { part: part.clone(), of: path.clone() });
        graph.model.values.push(Value { path: part, span, axes, kind: ValueKind::Equation(equation) });
        ValueId(graph.model.values.len() as u32 - 1)
    };
    let all: Vec<IndexId> = (0..indices.len() as u32).map(IndexId).collect();
    let subscripts = |indices: &[IndexId]| indices.iter().map(|index| Subscript::index(*index)).collect::<Vec<_>>();
    // Functions that are computed on whole runs stand in equations of their own, never in what is reduced.
    let body = if crate::pass::has_run_function(&body) {
        let axes = indices.iter().map(|index| index.axis.clone()).collect();
        Term::Read(add(graph, "score", axes, indices.clone(), body), subscripts(&all))
    } else {
        body
    };
    let rest: Vec<IndexId> = all.iter().copied().filter(|index| *index != over).collect();
    // A reduction's own index comes last.
    let mut number = |index: IndexId| {
        let place = rest.iter().position(|known| *known == index).unwrap_or(rest.len());
        IndexId(place as u32)
    };
    let reduced: Vec<Index> = rest.iter().chain([&over]).map(|index| indices[index.0 as usize].clone()).collect();
    let reduced_axes: Vec<Axis> = rest.iter().map(|index| indices[index.0 as usize].axis.clone()).collect();
    let last = IndexId(rest.len() as u32);
    let moved_domain: Vec<crate::term::Condition> = domain
        .iter()
        .map(|item| crate::term::Condition {
            left: item.left.rename(&mut number),
            comparator: item.comparator,
            right: item.right.rename(&mut number),
        })
        .collect();
    let highest = Term::Reduce {
        reduction: Reduction::Maximum,
        over: vec![last],
        domain: moved_domain,
        body: Box::new(body.rename(&mut number)),
    };
    let highest = add(graph, "highest", reduced_axes.clone(), reduced.clone(), highest);
    let exponent = Term::binary(Binary::Subtract, body, Term::Read(highest, subscripts(&rest)));
    let exponential = Term::unary(Unary::Exp, exponent);
    let power = if domain.is_empty() {
        exponential
    } else {
        Term::Select(domain, Box::new(exponential), Box::new(Term::Number(0.0)))
    };
    let axes: Vec<Axis> = indices.iter().map(|index| index.axis.clone()).collect();
    let power = add(graph, "power", axes, indices, power);
    let in_reduced: Vec<IndexId> = all.iter().map(|index| number(*index)).collect();
    let total = Term::Reduce {
        reduction: Reduction::Sum,
        over: vec![last],
        domain: Vec::new(),
        body: Box::new(Term::Read(power, subscripts(&in_reduced))),
    };
    let total = add(graph, "total", reduced_axes, reduced, total);
    let total = Term::Read(total, subscripts(&rest));
    let total = Term::binary(Binary::Maximum, total, Term::Number(f64::from(f32::MIN_POSITIVE)));
    let quotient = Term::binary(Binary::Divide, Term::Read(power, subscripts(&all)), total);
    if let ValueKind::Equation(equation) = &mut graph.model.values[id.0 as usize].kind {
        equation.term = quotient;
    }
}
