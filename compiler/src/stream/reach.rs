//! How far each equation looks back and ahead along a time axis, from its subscripts and `where` clauses.
//!
//! For a value over positions, each read is at a [`Window`] of positions around its own: `h[t-1]` at -1, keys `j` with
//! `j <= i and i - j < 4` from -3 to 0. A value over pairs of positions (scores) looks where its readers look: a `where` on
//! the softmax restricts the scores too. A value over no positions looks from the last one back.

use super::window::Window;
use crate::graph::Graph;
use crate::model::Equation;
use crate::term::{Binary, Condition, IndexId, Reduction, Subscript, Term, TimeId, Unary, ValueId, bounds, linear};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A read of a value over a time axis.
#[derive(Clone, Debug)]
pub struct Look<'g> {
    /// The value whose equation reads.
    pub reader: ValueId,
    /// The value that is read.
    pub read: ValueId,
    /// Where.
    pub subscripts: &'g [Subscript],
    /// How far.
    pub view: View,
}

/// Which positions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Those around the reader's own position.
    Around(Window),
    /// By a value over no positions: so many before the last and those after; or any.
    FromLast(Option<usize>),
}

/// Every read of a value over a time axis, by the equations that the outputs need.
pub fn looks(graph: &Graph, time: TimeId) -> Vec<Look<'_>> {
    let order = graph.order();
    let support = supports(graph, time, &order);
    let mut walk = Walk { graph, time, support, wanted: HashMap::new(), needed: HashSet::new(), looks: Vec::new() };
    for (_, output) in &graph.outputs {
        walk.needed.insert(*output);
        walk.wanted.insert(*output, Window::ALL);
    }
    // Pairs inside a recurrence look everywhere: they are their own readers.
    for id in order.iter().filter(|id| graph.scan_of(**id).is_some()) {
        walk.wanted.insert(*id, Window::ALL);
    }
    for group in graph.groups.iter().rev() {
        let members: Vec<ValueId> = match group {
            crate::check::recurrence::Group::One(id) => vec![*id],
            crate::check::recurrence::Group::Scan(scan) => scan.values.clone(),
        };
        if members.iter().any(|id| walk.needed.contains(id)) {
            walk.needed.extend(&members);
            members.iter().for_each(|id| walk.equation(*id));
        }
    }
    walk.looks
}

/// The index of an equation that runs over the value's first axis of that time, which is its own position.
pub(super) fn row_of(graph: &Graph, id: ValueId, time: TimeId) -> Option<IndexId> {
    let place = graph.value(id).axes.iter().position(|axis| axis.time() == Some(time))?;
    Some(IndexId(place as u32))
}

/// The second axis of that time, of a value over pairs of positions.
fn pair_of(graph: &Graph, id: ValueId, time: TimeId) -> Option<IndexId> {
    let mut places = (0u32..).zip(&graph.value(id).axes).filter(|(_, axis)| axis.time() == Some(time));
    places.nth(1).map(|(place, _)| IndexId(place))
}

/// For each sum over positions whose terms are certainly 0 outside of a window: the index that it runs over, and the window.
pub fn sums(graph: &Graph, time: TimeId) -> Vec<(ValueId, IndexId, Window)> {
    let order = graph.order();
    let support = supports(graph, time, &order);
    let mut sums = Vec::new();
    for id in order {
        let (Some(row), Some(equation)) = (row_of(graph, id, time), graph.equation(id)) else { continue };
        let Term::Reduce { reduction: Reduction::Sum, over, domain, body } = &equation.term else { continue };
        for index in over.iter().filter(|index| equation.indices[index.0 as usize].axis.time() == Some(time)) {
            let known = window_of(domain, Some(row), *index);
            let window = support_of(graph, &support, body, row, *index);
            if known.and(window) != known {
                sums.push((id, *index, window));
            }
        }
    }
    sums
}

/// What conditions say of an index along the time axis, relative to the row.
fn window_of(conditions: &[Condition], row: Option<IndexId>, index: IndexId) -> Window {
    conditions.iter().fold(Window::ALL, |window, condition| match bounds(condition, index, row) {
        None => window,
        Some((from, to)) => {
            // A bound that does not move with the row: seen from the first position it lies so far ahead at most.
            let low = from.filter(|bound| bound.position == 1 && bound.length.is_none()).map(|bound| bound.fixed);
            let high = to.filter(|bound| bound.length.is_none()).and_then(|bound| match bound.position {
                1 => Some(bound.fixed - 1),
                0 => Some((bound.fixed - 1).max(0)),
                _ => None,
            });
            window.and(Window { low, high })
        }
    })
}

/// For each value over pairs of positions, where it can be other than 0.
fn supports(graph: &Graph, time: TimeId, order: &[ValueId]) -> HashMap<ValueId, Window> {
    let mut support: HashMap<ValueId, Window> = HashMap::new();
    for id in order {
        let (Some(row), Some(pair), Some(equation)) =
            (row_of(graph, *id, time), pair_of(graph, *id, time), graph.equation(*id))
        else {
            continue;
        };
        let own = support_of(graph, &support, &equation.term, row, pair);
        support.insert(*id, own.and(window_of(&equation.domain, Some(row), pair)));
    }
    support
}

/// Where a term can be other than 0, along an index.
fn support_of(graph: &Graph, known: &HashMap<ValueId, Window>, term: &Term, row: IndexId, index: IndexId) -> Window {
    let inside = |term: &Term| support_of(graph, known, term, row, index);
    match term {
        Term::Number(number) if *number == 0.0 => Window::NONE,
        Term::Number(_) | Term::Index(_) | Term::Length(_) => Window::ALL,
        Term::Read(value, subscripts) => {
            let axes = &graph.value(*value).axes;
            let times: Vec<Option<IndexId>> = axes
                .iter()
                .zip(subscripts)
                .filter(|(axis, _)| axis.time().is_some())
                .map(|(_, subscript)| subscript.as_index())
                .collect();
            match known.get(value) {
                Some(window) if times == [Some(row), Some(index)] => *window,
                _ => Window::ALL,
            }
        }
        Term::Unary(operation, value) => match operation {
            Unary::Negate | Unary::Sqrt | Unary::Tanh | Unary::Erf | Unary::Sin | Unary::Abs | Unary::Floor => {
                inside(value)
            }
            Unary::Exp | Unary::Log | Unary::Sigmoid | Unary::Cos => Window::ALL,
        },
        Term::Binary(operation, left, right) => match operation {
            Binary::Multiply => inside(left).and(inside(right)),
            Binary::Divide | Binary::Remainder => inside(left),
            Binary::Add | Binary::Subtract | Binary::Minimum | Binary::Maximum => inside(left).hull(inside(right)),
            Binary::Power => Window::ALL,
        },
        Term::Select(conditions, left, right) => {
            inside(left).and(window_of(conditions, Some(row), index)).hull(inside(right))
        }
        Term::Softmax { over, domain, .. } if *over == index => window_of(domain, Some(row), index),
        Term::Softmax { .. } | Term::Reduce { .. } | Term::Pieces(..) => Window::ALL,
    }
}

struct Walk<'g> {
    graph: &'g Graph,
    time: TimeId,
    support: HashMap<ValueId, Window>,
    /// For values over pairs, which of them are read.
    wanted: HashMap<ValueId, Window>,
    needed: HashSet<ValueId>,
    looks: Vec<Look<'g>>,
}

/// The reader: its row, and where its other indices along the time axis run.
#[derive(Clone)]
struct Reader<'g> {
    id: ValueId,
    equation: &'g Equation,
    row: Option<IndexId>,
    indices: BTreeMap<IndexId, Window>,
    /// Whether it is inside a softmax along its own axis, which reads every position whatever its own is.
    whole: bool,
}

impl<'g> Walk<'g> {
    fn equation(&mut self, id: ValueId) {
        let graph = self.graph;
        let Some(equation) = graph.equation(id) else { return };
        let row = row_of(graph, id, self.time);
        let mut reader = Reader { id, equation, row, indices: BTreeMap::new(), whole: false };
        if let Some(pair) = pair_of(graph, id, self.time) {
            let wanted = self.wanted.get(&id).copied().unwrap_or(Window::ALL);
            reader.indices.insert(pair, wanted.and(window_of(&equation.domain, row, pair)));
        }
        for condition in &equation.domain {
            self.term(&condition.left, &reader);
            self.term(&condition.right, &reader);
        }
        self.term(&equation.term, &reader);
        if let Some(before) = equation.before {
            self.needed.insert(before);
        }
    }

    fn term(&mut self, term: &'g Term, reader: &Reader<'g>) {
        match term {
            Term::Read(value, subscripts) => {
                self.read(*value, subscripts, reader);
                term.for_each_child(&mut |child| self.term(child, reader));
            }
            Term::Select(conditions, left, right) => {
                for condition in conditions {
                    self.term(&condition.left, reader);
                    self.term(&condition.right, reader);
                }
                let mut chosen = reader.clone();
                for (index, window) in &mut chosen.indices {
                    *window = window.and(window_of(conditions, reader.row, *index));
                }
                self.term(left, &chosen);
                self.term(right, reader);
            }
            Term::Reduce { over, domain, body, .. } => {
                let mut inner = reader.clone();
                for index in over.iter().filter(|index| self.is_time(reader.equation, **index)) {
                    let mut window = window_of(domain, reader.row, *index);
                    if let Some(row) = reader.row {
                        window = window.and(support_of(self.graph, &self.support, body, row, *index));
                    }
                    inner.indices.insert(*index, window);
                }
                self.inside(domain, body, &inner);
            }
            Term::Softmax { over, domain, body } => {
                // Whatever of it is read, the sum of exponentials runs over all.
                let mut inner = reader.clone();
                if Some(*over) == reader.row {
                    inner.whole = true;
                } else if self.is_time(reader.equation, *over) {
                    inner.indices.insert(*over, window_of(domain, reader.row, *over));
                }
                self.inside(domain, body, &inner);
            }
            Term::Number(_) | Term::Index(_) | Term::Length(_) => {}
            Term::Unary(..) | Term::Binary(..) | Term::Pieces(..) => {
                term.for_each_child(&mut |child| self.term(child, reader));
            }
        }
    }

    fn inside(&mut self, domain: &'g [Condition], body: &'g Term, reader: &Reader<'g>) {
        for condition in domain {
            self.term(&condition.left, reader);
            self.term(&condition.right, reader);
        }
        self.term(body, reader);
    }

    fn is_time(&self, equation: &Equation, index: IndexId) -> bool {
        equation.indices[index.0 as usize].axis.time() == Some(self.time)
    }

    fn read(&mut self, read: ValueId, subscripts: &'g [Subscript], reader: &Reader<'g>) {
        self.needed.insert(read);
        let Some(first) = row_of(self.graph, read, self.time) else { return };
        let view = match reader.row {
            None => View::FromLast(self.last_back(&subscripts[first.0 as usize], reader)),
            Some(_) => {
                let window =
                    if reader.whole { Window::ALL } else { self.around(&subscripts[first.0 as usize], reader) };
                if window.is_empty() {
                    return;
                }
                View::Around(window)
            }
        };
        if let Some(pair) = pair_of(self.graph, read, self.time) {
            let own = match view {
                View::Around(window) if window == Window::at(0) => self.around(&subscripts[pair.0 as usize], reader),
                View::Around(_) | View::FromLast(_) => Window::ALL,
            };
            let wanted = self.wanted.entry(read).or_insert(Window::NONE);
            *wanted = wanted.hull(own);
        }
        self.looks.push(Look { reader: reader.id, read, subscripts, view });
    }

    /// The positions of a subscript, relative to the reader's.
    fn around(&self, subscript: &Subscript, reader: &Reader) -> Window {
        match subscript {
            Subscript::Affine { from_last: Some(_), .. } => Window::ALL,
            Subscript::Affine { terms, constant, from_last: None } => {
                let terms = terms.iter().map(|(index, times)| (*index, *times));
                self.sum(terms, Window::at(*constant), reader)
            }
            Subscript::Computed(term) => self.computed(term, reader),
        }
    }

    /// A sum of indices, and what is added to it.
    fn sum(&self, terms: impl Iterator<Item = (IndexId, i64)>, added: Window, reader: &Reader) -> Window {
        let terms: Vec<(IndexId, i64)> = terms.collect();
        let ahead = self.most_ahead(&terms, added, reader);
        let window = self.window_of_sum(&terms, added, reader);
        window.and(Window { low: None, high: ahead })
    }

    /// How far ahead of the reader's own position a sum lies at most: indices count from 0, so that those that are taken
    /// away take nothing away at least. `filter[i - j]` does not lie ahead of `i`, wherever `j` is.
    fn most_ahead(&self, terms: &[(IndexId, i64)], added: Window, reader: &Reader) -> Option<i64> {
        let (mut most, mut own) = (added.high?, 0);
        for (index, times) in terms {
            if reader.row == Some(*index) {
                own += times;
            } else if *times > 0 {
                let size = reader.equation.indices[index.0 as usize].axis.size()? as i64;
                most = most.checked_add(times.checked_mul(size - 1)?)?;
            }
        }
        (own == 1).then_some(most)
    }

    fn window_of_sum(&self, terms: &[(IndexId, i64)], added: Window, reader: &Reader) -> Window {
        let (mut window, mut own) = (added, 0);
        for (index, times) in terms.iter().copied() {
            let axis = &reader.equation.indices[index.0 as usize].axis;
            if reader.row == Some(index) {
                own += times;
            } else if let Some(known) = reader.indices.get(&index) {
                own += times;
                window = window.plus(known.times(times));
            } else if let Some(size) = axis.size() {
                window = window.plus(Window { low: Some(0), high: Some(size as i64 - 1) }.times(times));
            } else {
                return Window::ALL;
            }
        }
        match own {
            1 => window,
            // The same positions for every reader: seen from the first one they lie so far ahead.
            0 => Window { low: None, high: window.high.map(|high| high.max(0)) },
            _ => Window::ALL,
        }
    }

    /// A computed position: a sum, its floor, or the lesser or greater of two.
    fn computed(&self, term: &Term, reader: &Reader) -> Window {
        match term {
            Term::Binary(Binary::Minimum, one, two) => {
                let (one, two) = (self.computed(one, reader), self.computed(two, reader));
                let least = |one: Option<i64>, two: Option<i64>| Some(one?.min(two?));
                Window { low: least(one.low, two.low), high: one.and(two).high }
            }
            Term::Binary(Binary::Maximum, one, two) => {
                let (one, two) = (self.computed(one, reader), self.computed(two, reader));
                let greatest = |one: Option<i64>, two: Option<i64>| Some(one?.max(two?));
                Window { low: one.and(two).low, high: greatest(one.high, two.high) }
            }
            Term::Unary(Unary::Floor, value) => self.computed(value, reader),
            other => match linear(other) {
                Some(sum)
                    if sum.lengths.is_empty()
                        && sum.fixed.abs() < 1e9
                        && sum.indices.iter().all(|(_, times)| times.fract() == 0.0 && times.abs() < 1e9) =>
                {
                    // Rounding moves it by less than one position.
                    let added = Window { low: Some(sum.fixed.floor() as i64), high: Some(sum.fixed.ceil() as i64) };
                    let terms = sum.indices.iter().map(|(index, times)| (*index, *times as i64));
                    self.sum(terms, added, reader)
                }
                _ => Window::ALL,
            },
        }
    }

    /// How many positions before the last a subscript lies at most.
    fn last_back(&self, subscript: &Subscript, reader: &Reader) -> Option<usize> {
        let Subscript::Affine { terms, constant, from_last: Some(time) } = subscript else { return None };
        if *time != self.time {
            return None;
        }
        let mut lowest = *constant;
        for (index, times) in terms {
            let size = reader.equation.indices[index.0 as usize].axis.size()? as i64;
            lowest += (times * (size - 1)).min(0);
        }
        Some(usize::try_from(-lowest).unwrap_or(0))
    }
}
