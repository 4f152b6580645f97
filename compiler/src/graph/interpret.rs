//! What every operation means: the graph evaluated for one sequence in float64, one number after the other.
//!
//! Slow and obvious on purpose. Everything else in the project is tested against it. Numbers are of a type of their own
//! ([`Scalar`]), so that derivatives are taken through the same meaning ([`respond`](super::respond)).

use super::Graph;
use super::derivative::Scalar;
use crate::check::recurrence::Group;
use crate::model::ValueKind;
use crate::term::{Binary, Condition, Extent, IndexId, Reduction, Subscript, Term, Unary, ValueId};
use std::collections::BTreeMap;

/// One sequence: the lengths of its time axes, and its inputs and weights, row-major in their axes' order.
#[derive(Clone, Debug, Default)]
pub struct Sequence<'a> {
    /// For each time axis, how many positions it has.
    pub lengths: Vec<usize>,
    /// Inputs and weights.
    pub values: BTreeMap<ValueId, &'a [f64]>,
}

/// Every value of the graph for one sequence, row-major in its axes' order.
pub fn interpret(graph: &Graph, sequence: &Sequence) -> BTreeMap<ValueId, Vec<f64>> {
    let none = BTreeMap::new();
    let mut machine: Machine<f64> = Machine { graph, sequence, known: &none, made: BTreeMap::new() };
    for group in &graph.groups {
        match group {
            Group::One(value) => {
                machine.start(*value);
                machine.all(*value);
            }
            Group::Scan(scan) => {
                for value in &scan.values {
                    machine.start(*value);
                }
                let length = sequence.lengths[scan.time.0 as usize];
                for step in 0..length {
                    let position = if scan.backward { length - 1 - step } else { step };
                    for value in &scan.values {
                        machine.at_position(*value, scan.time, position);
                    }
                }
            }
        }
    }
    machine.made
}

pub(super) struct Machine<'a, S> {
    pub graph: &'a Graph,
    pub sequence: &'a Sequence<'a>,
    /// Values that were computed before.
    pub known: &'a BTreeMap<ValueId, Vec<f64>>,
    /// Values that are computed.
    pub made: BTreeMap<ValueId, Vec<S>>,
}

impl<S: Scalar> Machine<'_, S> {
    fn extent(&self, extent: Extent) -> usize {
        match extent {
            Extent::Fixed(size) => size,
            Extent::Time(time) => self.sequence.lengths[time.0 as usize],
        }
    }

    pub fn sizes(&self, value: ValueId) -> Vec<usize> {
        self.graph.value(value).axes.iter().map(|axis| self.extent(axis.extent)).collect()
    }

    fn start(&mut self, value: ValueId) {
        if self.graph.equation(value).is_some() {
            let count = self.sizes(value).iter().product();
            self.made.insert(value, vec![S::constant(0.0); count]);
        }
    }

    /// An equation at every combination of its indices.
    fn all(&mut self, value: ValueId) {
        self.every(value, None);
    }

    /// An equation at one position of a time axis, and every combination of the other indices.
    pub fn at_position(&mut self, value: ValueId, time: crate::term::TimeId, position: usize) {
        let axis = self.graph.value(value).axes.iter().position(|axis| axis.time() == Some(time));
        self.every(value, axis.map(|axis| (axis, position)));
    }

    /// An equation at every combination of its indices, or at those that have one place along an axis.
    fn every(&mut self, value: ValueId, only: Option<(usize, usize)>) {
        let Some(equation) = self.graph.equation(value) else { return };
        let sizes = self.sizes(value);
        let visited: Vec<std::ops::Range<usize>> = (sizes.iter().enumerate())
            .map(|(axis, size)| match only {
                Some((fixed, at)) if fixed == axis => at..at + 1,
                _ => 0..*size,
            })
            .collect();
        let mut place = vec![0i64; equation.indices.len()];
        let count: usize = visited.iter().map(ExactSizeIterator::len).product();
        for number in 0..count {
            let mut rest = number;
            for axis in (0..sizes.len()).rev() {
                place[axis] = (visited[axis].start + rest % visited[axis].len()) as i64;
                rest /= visited[axis].len();
            }
            let flat = place.iter().zip(&sizes).fold(0, |flat, (at, size)| flat * size + *at as usize);
            let exists = self.all_hold(&equation.domain, &equation.indices, &mut place.clone());
            let term = if exists {
                self.term(&equation.term, &equation.indices, &mut place.clone())
            } else {
                S::constant(0.0)
            };
            if let Some(values) = self.made.get_mut(&value) {
                values[flat] = term;
            }
        }
    }

    fn all_hold(&self, conditions: &[Condition], indices: &[crate::term::Index], place: &mut [i64]) -> bool {
        conditions.iter().all(|condition| {
            let left = self.term(&condition.left, indices, place);
            let right = self.term(&condition.right, indices, place);
            condition.comparator.holds(left.value(), right.value())
        })
    }

    /// A term at one combination of indices.
    fn term(&self, term: &Term, indices: &[crate::term::Index], place: &mut [i64]) -> S {
        match term {
            Term::Number(number) => S::constant(*number),
            Term::Index(index) => S::constant(place[index.0 as usize] as f64),
            Term::Length(time) => S::constant(self.sequence.lengths[time.0 as usize] as f64),
            Term::Read(value, subscripts) => self.read(*value, subscripts, indices, place),
            Term::Unary(operation, value) => self.term(value, indices, place).unary(*operation),
            Term::Binary(operation, left, right) => {
                self.term(left, indices, place).binary(*operation, self.term(right, indices, place))
            }
            Term::Select(conditions, left, right) => {
                if self.all_hold(conditions, indices, place) {
                    self.term(left, indices, place)
                } else {
                    self.term(right, indices, place)
                }
            }
            Term::Reduce { reduction, over, domain, body } => {
                let mut result = S::constant(reduction.of_nothing());
                self.each(over, indices, place, &mut |machine, place| {
                    if machine.all_hold(domain, indices, place) {
                        let number = machine.term(body, indices, place);
                        result = match reduction {
                            Reduction::Sum => result.binary(Binary::Add, number),
                            Reduction::Maximum => result.binary(Binary::Maximum, number),
                            Reduction::Minimum => result.binary(Binary::Minimum, number),
                        };
                    }
                });
                result
            }
            Term::Softmax { over, domain, body } => {
                if !self.all_hold(domain, indices, place) {
                    return S::constant(0.0);
                }
                let own = self.term(body, indices, place);
                let here = place[over.0 as usize];
                let mut highest = f64::NEG_INFINITY;
                let mut numbers = Vec::new();
                self.each(&[*over], indices, place, &mut |machine, place| {
                    if machine.all_hold(domain, indices, place) {
                        let number = machine.term(body, indices, place);
                        highest = highest.max(number.value());
                        numbers.push(number);
                    }
                });
                place[over.0 as usize] = here;
                // What is taken off all of them changes nothing: it is no part of a derivative.
                let exp = |number: S| number.binary(Binary::Subtract, S::constant(highest)).unary(Unary::Exp);
                let zero = S::constant(0.0);
                let total = numbers.into_iter().map(exp).fold(zero, |sum, number| sum.binary(Binary::Add, number));
                exp(own).binary(Binary::Divide, total)
            }
            Term::Pieces(index, pieces) => {
                let at = place[index.0 as usize];
                let piece = pieces.iter().rev().find(|(from, _)| *from as i64 <= at);
                piece.map_or(S::constant(0.0), |(_, piece)| self.term(piece, indices, place))
            }
        }
    }

    /// Visits every combination of some indices.
    fn each(
        &self,
        over: &[IndexId],
        indices: &[crate::term::Index],
        place: &mut [i64],
        visit: &mut dyn FnMut(&Self, &mut [i64]),
    ) {
        let Some((first, rest)) = over.split_first() else { return visit(self, place) };
        for entry in 0..self.extent(indices[first.0 as usize].axis.extent) {
            place[first.0 as usize] = entry as i64;
            self.each(rest, indices, place, visit);
        }
    }

    fn read(&self, value: ValueId, subscripts: &[Subscript], indices: &[crate::term::Index], place: &mut [i64]) -> S {
        let sizes = self.sizes(value);
        let mut flat = 0usize;
        let mut outside_time = false;
        let axes = &self.graph.value(value).axes;
        let mut features = Vec::new();
        for ((subscript, size), axis) in subscripts.iter().zip(&sizes).zip(axes) {
            let at = match subscript {
                // What is no number lies outside, wherever that is.
                Subscript::Computed(term) => match self.term(term, indices, place).value() {
                    number if number.is_nan() => -1,
                    number => number.trunc() as i64,
                },
                Subscript::Affine { terms, constant, from_last } => {
                    let last = from_last.map_or(0, |time| self.sequence.lengths[time.0 as usize] as i64 - 1);
                    constant + last + terms.iter().map(|(index, times)| place[index.0 as usize] * times).sum::<i64>()
                }
            };
            let inside = at >= 0 && (at as usize) < *size;
            match (inside, axis.time().is_some()) {
                (true, is_time) => {
                    if !is_time {
                        features.push(at as usize);
                    }
                    flat = flat * size + at as usize;
                }
                (false, true) => {
                    outside_time = true;
                    flat *= size;
                }
                (false, false) => return S::constant(0.0),
            }
        }
        if outside_time {
            // Before the first position (after the last) a state has its value of then, anything else is 0.
            return match self.graph.equation(value).and_then(|equation| equation.before) {
                Some(before) => {
                    let sizes = self.sizes(before);
                    let flat = features.iter().zip(&sizes).fold(0, |flat, (at, size)| flat * size + at);
                    self.number(before, flat)
                }
                None => S::constant(0.0),
            };
        }
        self.number(value, flat)
    }

    fn number(&self, value: ValueId, flat: usize) -> S {
        if let Some(made) = self.made.get(&value) {
            return made[flat];
        }
        if let Some(known) = self.known.get(&value) {
            return S::constant(known[flat]);
        }
        S::constant(match &self.graph.value(value).kind {
            ValueKind::Constant(numbers) => numbers[flat],
            ValueKind::Input { .. } | ValueKind::Weight { .. } => {
                self.sequence.values.get(&value).map_or(f64::NAN, |numbers| numbers[flat])
            }
            ValueKind::Equation(_) => f64::NAN,
        })
    }
}

/// A function of one number.
pub(crate) fn unary(operation: Unary, x: f64) -> f64 {
    match operation {
        Unary::Negate => -x,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Erf => erf(x),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Abs => x.abs(),
        Unary::Floor => x.floor(),
    }
}

/// A function of two numbers.
pub(crate) fn binary(operation: Binary, x: f64, y: f64) -> f64 {
    match operation {
        Binary::Add => x + y,
        Binary::Subtract => x - y,
        Binary::Multiply => x * y,
        Binary::Divide => x / y,
        Binary::Remainder => x - y * (x / y).floor(),
        Binary::Power => x.powf(y),
        Binary::Minimum if x.is_nan() || y.is_nan() => f64::NAN,
        Binary::Maximum if x.is_nan() || y.is_nan() => f64::NAN,
        Binary::Minimum => x.min(y),
        Binary::Maximum => x.max(y),
    }
}

/// The error function to about 1e-16: the Taylor series 2/sqrt(pi) sum (-1)^n x^(2n+1) / (n! (2n+1)) up to 3, the
/// continued fraction of its complement beyond (Abramowitz and Stegun 7.1.5 and 7.1.14).
fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let size = x.abs();
    if size > 6.0 {
        return x.signum();
    }
    let root = std::f64::consts::PI.sqrt();
    let result = if size < 3.0 {
        let (mut term, mut sum, mut n) = (size, size, 0.0);
        while f64::abs(term) > 1e-18 * f64::abs(sum) {
            n += 1.0;
            term *= -size * size / n;
            sum += term / (2.0 * n + 1.0);
            if n > 200.0 {
                break;
            }
        }
        2.0 / root * sum
    } else {
        let fraction = (1..=60).rev().fold(0.0, |inner, k| f64::from(k) / 2.0 / (size + inner));
        1.0 - (-size * size).exp() / (root * (size + fraction))
    };
    result.copysign(x)
}
