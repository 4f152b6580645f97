//! How many floating-point operations equations take, as formulas in the lengths of time axes.
//!
//! An operation is an addition, subtraction, multiplication, division, remainder, minimum, maximum, negation or function
//! (`exp`, `tanh`, a power, …) of one element; a term of a sum or of a maximum is one more, so that a multiply-add of a product
//! is two. A softmax takes four for each score (largest so far, difference, exponential, sum) and its attention one division
//! for each result. What finds a place or tests a condition is not counted, and both sides of a `select` are.
//!
//! Counted is what an equation asks for: where it holds, for all that a reduction runs over. Whole blocks of keys that an
//! attention computes and throws away at the edges are not in it, nor is what the largest score so far being exceeded costs.

use super::formula::{Formula, Length};
use crate::fuse::{AttentionParts, Fused};
use crate::graph::Graph;
use crate::model::Equation;
use crate::stream::Window;
use crate::term::{Axis, Condition, IndexId, Term, ValueId, bounds};

/// For each kernel, what each of its equations takes, those inside an attention too.
pub fn costs(fused: &Fused) -> Vec<Vec<(ValueId, Formula)>> {
    let graph = &fused.graph;
    let of_cluster = |values: &Vec<ValueId>| {
        let mut all = Vec::new();
        for id in values {
            match fused.attention.get(id) {
                Some(parts) => all.extend(attention(graph, *id, parts)),
                None => all.push((*id, cost(graph, *id))),
            }
        }
        all
    };
    let known = |(id, cost): (ValueId, Formula)| (id, cost.known(&graph.model.lengths));
    fused.clusters.iter().map(|cluster| of_cluster(&cluster.values).into_iter().map(known).collect()).collect()
}

/// What an equation takes by itself.
pub fn cost(graph: &Graph, id: ValueId) -> Formula {
    let Some(equation) = graph.equation(id) else { return Formula::default() };
    let axes = graph.value(id).axes.len();
    let row = row(graph, id);
    match &equation.term {
        Term::Reduce { over, domain, body, .. } => {
            let indices: Vec<IndexId> = own(axes).chain(over.iter().copied()).collect();
            counted(equation, &indices, row, domain, operations(body) + 1)
        }
        Term::Softmax { domain, body, .. } => {
            let indices: Vec<IndexId> = own(axes).collect();
            counted(equation, &indices, row, domain, operations(body) + SOFTMAX)
        }
        Term::Pieces(along, pieces) => {
            let others: Vec<IndexId> = own(axes).filter(|index| index != along).collect();
            let size = equation.indices[along.0 as usize].axis.size().unwrap_or(0);
            let mut all = Formula::default();
            for (place, (from, piece)) in pieces.iter().enumerate() {
                let end = pieces.get(place + 1).map_or(size, |(next, _)| *next);
                let each = counted(equation, &others, row, &equation.domain, operations(piece));
                all.add(&each.times(end.saturating_sub(*from) as u64));
            }
            all
        }
        pointwise => {
            let indices: Vec<IndexId> = own(axes).collect();
            counted(equation, &indices, row, &equation.domain, operations(pointwise))
        }
    }
}

/// Operations of a softmax for each score.
const SOFTMAX: u64 = 4;

/// An attention, with the softmax and the product that are computed inside: all run over the pairs that the softmax sees.
fn attention(graph: &Graph, id: ValueId, parts: &AttentionParts) -> Vec<(ValueId, Formula)> {
    let equation = |id: ValueId| graph.equation(id).expect("the parts of an attention are equations");
    let (softmax, dot, mix) = (equation(parts.weight), equation(parts.dot), equation(id));
    let Term::Softmax { over, domain, body } = &softmax.term else { return vec![(id, cost(graph, id))] };
    let place = parts.weight_indices.iter().position(|index| *index == parts.row);
    let row = place.map(|place| IndexId(place as u32));
    let pairs: Vec<IndexId> = row.into_iter().chain([*over]).collect();
    let (lengths, exact) = lengths(softmax, &pairs, row, domain);
    let features =
        |equation: &Equation| -> Vec<usize> { equation.indices.iter().filter_map(|index| index.axis.size()).collect() };
    let over_pairs = |times: u64, factors: Vec<usize>| Formula {
        at_most: !exact,
        ..Formula::product(times, factors, lengths.clone())
    };
    let mut mixed = over_pairs(2, features(mix));
    let rows = own(graph.value(id).axes.len()).collect::<Vec<_>>();
    mixed.add(&counted(mix, &rows, Some(parts.row), &[], 1));
    vec![
        (parts.dot, over_pairs(2, features(dot))),
        (parts.weight, over_pairs(operations(body) + SOFTMAX, features(softmax))),
        (id, mixed),
    ]
}

/// The index of an equation's own position.
fn row(graph: &Graph, id: ValueId) -> Option<IndexId> {
    let place = graph.value(id).axes.iter().position(|axis| axis.time().is_some())?;
    Some(IndexId(place as u32))
}

fn own(axes: usize) -> impl Iterator<Item = IndexId> {
    (0..axes as u32).map(IndexId)
}

/// So many operations at each combination of some indices where conditions hold.
fn counted(
    equation: &Equation,
    indices: &[IndexId],
    row: Option<IndexId>,
    conditions: &[Condition],
    operations: u64,
) -> Formula {
    let axis = |index: &IndexId| &equation.indices[index.0 as usize].axis;
    let sizes = indices.iter().filter_map(|index| axis(index).size());
    let (lengths, exact) = lengths(equation, indices, row, conditions);
    let formula = Formula::product(operations, sizes, lengths);
    Formula { at_most: !exact && !formula.is_zero(), ..formula }
}

/// The counts of the time axes among some indices, and whether the conditions leave no more out than these do.
fn lengths(
    equation: &Equation,
    indices: &[IndexId],
    row: Option<IndexId>,
    conditions: &[Condition],
) -> (Vec<Length>, bool) {
    let time = |index: IndexId| equation.indices[index.0 as usize].axis.time();
    let times = indices.iter().copied().filter(|index| time(*index).is_some());
    let mut left: Vec<&Condition> = conditions.iter().collect();
    let mut lengths = Vec::new();
    let mut paired = false;
    for index in times {
        let same = row.filter(|row| *row != index && !paired && time(*row) == time(index));
        let window = same.map_or(Window::ALL, |row| take_window(&mut left, index, row));
        let at = time(index).expect("only time axes are left");
        match lengths.iter().position(|length| *length == Length::Positions(at)) {
            Some(place) if window != Window::ALL => {
                lengths[place] = Length::Pairs { time: at, window };
                paired = true;
            }
            Some(_) | None => lengths.push(Length::Positions(at)),
        }
    }
    (lengths, left.is_empty())
}

/// The positions of an index relative to the row that conditions leave; those that say no more than this are taken out.
fn take_window(conditions: &mut Vec<&Condition>, index: IndexId, row: IndexId) -> Window {
    let mut window = Window::ALL;
    conditions.retain(|condition| {
        let Some((from, to)) = bounds(condition, index, Some(row)) else { return true };
        let ends: Vec<_> = from.iter().chain(&to).collect();
        if ends.iter().any(|bound| bound.position != 1 || bound.length.is_some()) {
            return true;
        }
        let (low, high) = (from.map(|bound| bound.fixed), to.map(|bound| bound.fixed - 1));
        window = window.and(Window { low, high });
        false
    });
    window
}

/// Operations of a term for one element.
fn operations(term: &Term) -> u64 {
    match term {
        Term::Number(_) | Term::Index(_) | Term::Length(_) | Term::Read(..) => 0,
        Term::Unary(_, value) => 1 + operations(value),
        Term::Binary(_, left, right) => 1 + operations(left) + operations(right),
        Term::Select(_, left, right) => operations(left) + operations(right),
        Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..) => {
            unreachable!("the graph's verifier keeps these at the top of equations")
        }
    }
}

/// Numbers of a value for each combination of its time axes.
pub fn row_numbers(axes: &[Axis]) -> usize {
    axes.iter().filter_map(Axis::size).product()
}
