//! Inlining: pointwise equations disappear into those that read them, so that a chain of them is one loop.
//!
//! `s = a + b`, `y = tanh(s)` → `y = tanh(a + b)`. An equation is put into its readers where that repeats little: it is
//! read once, or costs next to nothing. It is put into a reduction only where the reduction visits each of its elements
//! once, and has no function that is computed on whole runs (see the tiles). Values stay that are outputs, states, read at
//! another position than the current one, or computed outside a recurrence and read inside.

use crate::graph::Graph;
use crate::model::{Equation, ValueKind};
use crate::term::{Axis, Condition, Subscript, Term, Unary, ValueId};
use std::collections::HashMap;

/// More reads or operations than this are not repeated.
const CHEAP: usize = 3;
/// A term larger than this takes no more in.
const LARGEST: usize = 200;

/// Inlines what is worth it.
pub fn run(mut graph: Graph) -> Graph {
    let outputs: Vec<ValueId> = graph.outputs.iter().map(|(_, value)| *value).collect();
    let scans: HashMap<ValueId, usize> =
        graph.model.ids().filter_map(|(id, _)| graph.scan_of(id).map(|scan| (id, scan))).collect();
    let befores: Vec<ValueId> = graph.model.ids().filter_map(|(id, _)| graph.equation(id)?.before).collect();
    // Readers come later in order, so each sees its sources as they became.
    for id in graph.order() {
        let reads_of = count_reads(&graph);
        let Some(mut equation) = graph.equation(id).cloned() else { continue };
        let axes = graph.value(id).axes.clone();
        let reader_scan = scans.get(&id);
        let is_reduction = matches!(equation.term, Term::Reduce { .. } | Term::Softmax { .. });
        let is_pieces = matches!(equation.term, Term::Pieces(..));
        let space: Vec<Axis> = equation.indices.iter().map(|index| index.axis.clone()).collect();
        let mut size = term_size(&equation.term);
        loop {
            let mut changed = false;
            let protected = places_and_ranges(&equation);
            let mut replace = |value: ValueId, subscripts: Vec<Subscript>| {
                let keep = Term::Read(value, subscripts.clone());
                if changed
                    || value == id
                    || outputs.contains(&value)
                    || befores.contains(&value)
                    || !graph.is_pointwise(value)
                {
                    return keep;
                }
                let Some(source) = graph.equation(value) else { return keep };
                if source.is_state || !implied(&source.domain, &subscripts, &equation) {
                    return keep;
                }
                let source_scan = scans.get(&value);
                if source_scan != reader_scan && reader_scan.is_some() {
                    return keep;
                }
                let own = &graph.value(value).axes;
                if !in_place(&subscripts, own, &space) {
                    return keep;
                }
                let cost = term_size(&source.term);
                let once = reads_of[value.0 as usize] <= 1;
                let cheap = cost <= CHEAP && !has_run_function(&source.term);
                if !(once || cheap) || size + cost > LARGEST {
                    return keep;
                }
                // Each element of the source is to be computed once: no index of the reader goes without it.
                let repeats = subscripts.len() < space.len();
                if repeats && (is_reduction || !cheap) && !(once && !is_reduction && !has_run_function(&source.term)) {
                    return keep;
                }
                if is_pieces && !once {
                    return keep;
                }
                if is_reduction && has_run_function(&source.term) && !matches!(equation.term, Term::Softmax { .. }) {
                    return keep;
                }
                if has_run_function(&source.term) && protected.contains(&value) {
                    return keep;
                }
                changed = true;
                size += cost;
                source.term.at(&|index| subscripts.get(index.0 as usize).cloned())
            };
            let mut next = equation.clone();
            rewrite_reads(&mut next, &mut replace);
            equation = next;
            if !changed {
                break;
            }
        }
        debug_assert_eq!(axes.len(), graph.value(id).axes.len());
        if let ValueKind::Equation(own) = &mut graph.model.values[id.0 as usize].kind {
            *own = equation;
        }
    }
    graph.reorder();
    super::dead::run(graph)
}

/// Whether a reduction or softmax skips all that a source lacks: there, absent values need not be told apart.
fn implied(domain: &[Condition], subscripts: &[Subscript], reader: &Equation) -> bool {
    let known: &[Condition] =
        if let Term::Reduce { domain, .. } | Term::Softmax { domain, .. } = &reader.term { domain } else { &[] };
    domain.iter().all(|condition| known.contains(&condition.at(&|index| subscripts.get(index.0 as usize).cloned())))
}

/// The values that an equation reads to find a place, or the range of a reduction: there, no function is computed on runs.
fn places_and_ranges(equation: &Equation) -> Vec<ValueId> {
    let mut found = Vec::new();
    let mut all = |term: &Term| term.for_each_read(&mut |value, _| found.push(value));
    equation.term.walk(&mut |inner| match inner {
        Term::Read(_, subscripts) => {
            for subscript in subscripts {
                if let Subscript::Computed(term) = subscript {
                    all(term);
                }
            }
        }
        Term::Reduce { domain, .. } | Term::Softmax { domain, .. } => {
            for condition in domain {
                all(&condition.left);
                all(&condition.right);
            }
        }
        Term::Number(_)
        | Term::Index(_)
        | Term::Length(_)
        | Term::Unary(..)
        | Term::Binary(..)
        | Term::Select(..)
        | Term::Pieces(..) => {}
    });
    found
}

/// Whether every subscript is a different index alone, running over the axis it reads.
fn in_place(subscripts: &[Subscript], own: &[Axis], space: &[Axis]) -> bool {
    let mut seen = Vec::new();
    subscripts.iter().zip(own).all(|(subscript, axis)| match subscript.as_index() {
        Some(index) if !seen.contains(&index) => {
            seen.push(index);
            space.get(index.0 as usize).map(|known| known.extent) == Some(axis.extent)
        }
        _ => false,
    })
}

/// How often each value is read, counting every read.
fn count_reads(graph: &Graph) -> Vec<usize> {
    let mut counts = vec![0; graph.model.values.len()];
    for (_, value) in graph.model.ids() {
        if let ValueKind::Equation(equation) = &value.kind {
            let mut count = |value: ValueId, _: &[Subscript]| counts[value.0 as usize] += 1;
            equation.term.for_each_read(&mut count);
            for condition in &equation.domain {
                condition.left.for_each_read(&mut count);
                condition.right.for_each_read(&mut count);
            }
        }
    }
    counts
}

/// How many operations and reads a term has.
pub(super) fn term_size(term: &Term) -> usize {
    let mut size = 0;
    term.walk(&mut |inner| {
        size += usize::from(!matches!(inner, Term::Number(_) | Term::Index(_) | Term::Length(_)));
    });
    size
}

/// Whether a term has a function that is computed on whole runs.
pub(crate) fn has_run_function(term: &Term) -> bool {
    let mut found = false;
    term.walk(&mut |inner| match inner {
        Term::Unary(operation, _) => found |= is_run_function(*operation),
        Term::Binary(operation, ..) => found |= *operation == crate::term::Binary::Power,
        Term::Number(_)
        | Term::Index(_)
        | Term::Length(_)
        | Term::Read(..)
        | Term::Select(..)
        | Term::Reduce { .. }
        | Term::Softmax { .. }
        | Term::Pieces(..) => {}
    });
    found
}

/// Whether a function is computed on whole runs.
pub(crate) fn is_run_function(operation: Unary) -> bool {
    match operation {
        Unary::Exp | Unary::Log | Unary::Tanh | Unary::Sigmoid | Unary::Erf | Unary::Sin | Unary::Cos => true,
        Unary::Negate | Unary::Sqrt | Unary::Abs | Unary::Floor => false,
    }
}

/// Replaces every read of an equation by what `replace` makes of it.
pub(crate) fn rewrite_reads(equation: &mut Equation, replace: &mut dyn FnMut(ValueId, Vec<Subscript>) -> Term) {
    equation.term = rewrite(&equation.term, replace);
    for condition in &mut equation.domain {
        *condition = Condition {
            left: rewrite(&condition.left, replace),
            comparator: condition.comparator,
            right: rewrite(&condition.right, replace),
        };
    }
}

fn rewrite(term: &Term, replace: &mut dyn FnMut(ValueId, Vec<Subscript>) -> Term) -> Term {
    let inner = term.map_children(&mut |index| index, &mut |child| rewrite(child, replace));
    match inner {
        Term::Read(value, subscripts) => replace(value, subscripts),
        other => other,
    }
}
