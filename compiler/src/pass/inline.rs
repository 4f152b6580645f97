//! Inlining: pointwise equations disappear into those that read them, so that a chain of them is one loop.
//!
//! `s = a + b`, `y = tanh(s)` → `y = tanh(a + b)`. An equation is put into its readers where that repeats little: it is
//! read once, or costs next to nothing. It is put into a reduction only where the reduction visits each of its elements
//! once, and has no function that is computed on whole runs (see the tiles). Values stay that are outputs, states, read at
//! another position than the current one, or computed outside a recurrence and read inside.

use crate::graph::{Event, Graph, Stays};
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
    let scans: HashMap<ValueId, usize> = graph.scans();
    let befores: Vec<ValueId> = graph.model.ids().filter_map(|(id, _)| graph.equation(id)?.before).collect();
    // Readers come later in order, so each sees its sources as they became.
    let mut reads_of = vec![0; graph.model.values.len()];
    for (_, value) in graph.model.ids() {
        if let ValueKind::Equation(equation) = &value.kind {
            for_each_read(equation, &mut |value| reads_of[value.0 as usize] += 1);
        }
    }
    for id in graph.order() {
        let Some(mut equation) = graph.equation(id).cloned() else { continue };
        let before = equation.clone();
        let axes = graph.value(id).axes.clone();
        let space: Vec<Axis> = equation.indices.iter().map(|index| index.axis.clone()).collect();
        let mut size = term_size(&equation.term);
        let mut stayed: Vec<(ValueId, Stays)>;
        let mut inlined: Vec<ValueId> = Vec::new();
        loop {
            let mut changed = false;
            stayed = Vec::new();
            let sites =
                Sites { graph: &graph, outputs: &outputs, befores: &befores, scans: &scans, reads_of: &reads_of };
            let reader =
                Reader { id, equation: &equation, space: &space, size, protected: places_and_ranges(&equation) };
            let mut replace = |value: ValueId, subscripts: Vec<Subscript>| {
                let keep = Term::Read(value, subscripts.clone());
                // One at a time: what is put in reads others, and is weighed with them.
                let (false, Some(source)) = (changed || value == id, graph.equation(value)) else { return keep };
                match stays(&sites, &reader, value, source, &subscripts) {
                    Some(why) => {
                        stayed.push((value, why));
                        keep
                    }
                    None => {
                        changed = true;
                        size += term_size(&source.term);
                        inlined.push(value);
                        source.term.at(&|index| subscripts.get(index.0 as usize).cloned())
                    }
                }
            };
            let mut next = equation.clone();
            rewrite_reads(&mut next, &mut replace);
            equation = next;
            if !changed {
                break;
            }
        }
        for_each_read(&before, &mut |value| reads_of[value.0 as usize] -= 1);
        for_each_read(&equation, &mut |value| reads_of[value.0 as usize] += 1);
        note(&mut graph, id, inlined, stayed);
        debug_assert_eq!(axes.len(), graph.value(id).axes.len());
        if let ValueKind::Equation(own) = &mut graph.model.values[id.0 as usize].kind {
            *own = equation;
        }
    }
    graph.reorder();
    super::dead::run(graph)
}

/// What the decision needs to know of the graph.
struct Sites<'a> {
    graph: &'a Graph,
    outputs: &'a [ValueId],
    befores: &'a [ValueId],
    /// The recurrence of each value that is in one.
    scans: &'a HashMap<ValueId, usize>,
    /// How often each value is read.
    reads_of: &'a [usize],
}

/// The equation that others are put into, as it is by now.
struct Reader<'a> {
    id: ValueId,
    equation: &'a Equation,
    /// What its indices run over.
    space: &'a [Axis],
    /// How many operations and reads it has.
    size: usize,
    /// What it reads to find a place or a range.
    protected: Vec<ValueId>,
}

/// Why a value stays that an equation reads; nothing where it is put in.
fn stays(sites: &Sites, reader: &Reader, value: ValueId, source: &Equation, subscripts: &[Subscript]) -> Option<Stays> {
    let own = &sites.graph.value(value).axes;
    let is_reduction = matches!(reader.equation.term, Term::Reduce { .. } | Term::Softmax { .. });
    let is_pieces = matches!(reader.equation.term, Term::Pieces(..));
    let (source_scan, reader_scan) = (sites.scans.get(&value), sites.scans.get(&reader.id));
    let cost = term_size(&source.term);
    let reads = sites.reads_of[value.0 as usize];
    let once = reads <= 1;
    let on_runs = has_run_function(&source.term);
    let cheap = cost <= CHEAP && !on_runs;
    // Each element of the source is to be computed once: no index of the reader goes without it.
    let repeats = subscripts.len() < reader.space.len();
    if !sites.graph.is_pointwise(value) {
        Some(Stays::NotPointwise)
    } else if sites.outputs.contains(&value) {
        Some(Stays::Output)
    } else if sites.befores.contains(&value) {
        Some(Stays::BeforeFirst)
    } else if source.is_state {
        Some(Stays::State)
    } else if !implied(&source.domain, subscripts, reader.equation) {
        Some(Stays::Absent)
    } else if source_scan != reader_scan && reader_scan.is_some() {
        Some(Stays::OutsideRecurrence)
    } else if !in_place(subscripts, own, reader.space) {
        Some(Stays::OtherPlace)
    } else if !once && (!cheap || is_pieces) {
        Some(Stays::Costly { reads, operations: cost })
    } else if reader.size + cost > LARGEST {
        Some(Stays::TooLarge)
    } else if repeats && (is_reduction || !cheap) && !(once && !is_reduction && !on_runs) {
        Some(Stays::Repeated)
    } else if is_reduction && on_runs && !matches!(reader.equation.term, Term::Softmax { .. }) {
        Some(Stays::RunFunction)
    } else if on_runs && reader.protected.contains(&value) {
        Some(Stays::Place)
    } else {
        None
    }
}

/// Notes what was decided about an equation's reads.
fn note(graph: &mut Graph, id: ValueId, inlined: Vec<ValueId>, stayed: Vec<(ValueId, Stays)>) {
    let path = |id: ValueId| graph.value(id).path.clone();
    let inlined = inlined.into_iter().map(|value| Event::Inlined { value: path(value), into: path(id) });
    let stayed = stayed.into_iter().map(|(value, why)| Event::Stayed { value: path(value), reader: path(id), why });
    let events: Vec<Event> = inlined.chain(stayed).collect();
    graph.history.extend(events);
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

/// Every value that an equation reads, as often as it does.
fn for_each_read(equation: &Equation, visit: &mut dyn FnMut(ValueId)) {
    let mut read = |value: ValueId, _: &[Subscript]| visit(value);
    equation.term.for_each_read(&mut read);
    for condition in &equation.domain {
        condition.left.for_each_read(&mut read);
        condition.right.for_each_read(&mut read);
    }
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
    term.walk(&mut |inner| found |= is_on_runs(inner));
    found
}

/// Whether a term is itself a function that is computed on whole runs.
pub(crate) fn is_on_runs(term: &Term) -> bool {
    match term {
        Term::Unary(operation, _) => is_run_function(*operation),
        Term::Binary(operation, ..) => *operation == crate::term::Binary::Power,
        Term::Number(_)
        | Term::Index(_)
        | Term::Length(_)
        | Term::Read(..)
        | Term::Select(..)
        | Term::Reduce { .. }
        | Term::Softmax { .. }
        | Term::Pieces(..) => false,
    }
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
