//! The two parts of an equation that is affine in its state, element by element.
//!
//! `h = (1 - z) * h[t-1] + z * n` → the factor `1 - z` and the addend `z * n`. The parts are put together from the equation
//! as it is written, by the rules of sums and products alone; a product over a sum multiplies out, so that results may
//! differ in the last bits from the equation as written.

use super::kind::shift;
use crate::model::{Equation, Model};
use crate::term::{Binary, Subscript, Term, TimeId, Unary, ValueId};

/// `state[t] = factor[t] * state[t-1] + addend[t]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AffineForm {
    /// What the state's earlier position is multiplied by, over the state's indices.
    pub factor: Term,
    /// What is added.
    pub addend: Term,
}

/// The parts of a state's equation that depends on earlier positions of nothing but itself, and is affine in them, element
/// by element, as [`kind`](super::kind()) found. An equation that is one reduction has none.
pub fn affine_form(model: &Model, state: ValueId, time: TimeId, equation: &Equation) -> Option<AffineForm> {
    if matches!(equation.term, Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..)) {
        return None;
    }
    let is_state = |value: ValueId, subscripts: &[Subscript]| {
        value == state && shift(&model.value(value).axes, subscripts, time) != 0
    };
    let (factor, addend) = parts(&equation.term, &is_state);
    let absent = |part: Option<Term>| match (part, equation.domain.as_slice()) {
        (None, _) => Term::Number(0.0),
        (Some(part), []) => part,
        (Some(part), domain) => Term::Select(domain.to_vec(), Box::new(part), Box::new(Term::Number(0.0))),
    };
    Some(AffineForm { factor: absent(factor), addend: absent(addend) })
}

/// Factor and addend of a term; none stands for 0.
fn parts(term: &Term, is_state: &dyn Fn(ValueId, &[Subscript]) -> bool) -> (Option<Term>, Option<Term>) {
    let mut depends = false;
    term.for_each_read(&mut |value, subscripts| depends |= is_state(value, subscripts));
    if !depends {
        return (None, Some(term.clone()));
    }
    let inside = |term: &Term| parts(term, is_state);
    match term {
        Term::Read(..) => (Some(Term::Number(1.0)), None),
        Term::Unary(Unary::Negate, value) => {
            let negated = |part: Option<Term>| part.map(|part| Term::unary(Unary::Negate, part));
            let (factor, addend) = inside(value);
            (negated(factor), negated(addend))
        }
        Term::Binary(operation @ (Binary::Add | Binary::Subtract), left, right) => {
            let (left, right) = (inside(left), inside(right));
            (sum(*operation, left.0, right.0), sum(*operation, left.1, right.1))
        }
        Term::Binary(Binary::Multiply, left, right) => {
            let (one, two) = (inside(left), inside(right));
            match (&one.0, &two.0) {
                (Some(_), _) => (one.0.map(|part| times(part, right)), one.1.map(|part| times(part, right))),
                (None, _) => (two.0.map(|part| times(part, left)), two.1.map(|part| times(part, left))),
            }
        }
        Term::Binary(Binary::Divide, left, right) => {
            let by = |part: Option<Term>| part.map(|part| Term::binary(Binary::Divide, part, (**right).clone()));
            let (factor, addend) = inside(left);
            (by(factor), by(addend))
        }
        Term::Select(conditions, left, right) => {
            let (left, right) = (inside(left), inside(right));
            let zero = |part: Option<Term>| Box::new(part.unwrap_or(Term::Number(0.0)));
            let choose = |one: Option<Term>, two: Option<Term>| match (one, two) {
                (None, None) => None,
                (one, two) => Some(Term::Select(conditions.clone(), zero(one), zero(two))),
            };
            (choose(left.0, right.0), choose(left.1, right.1))
        }
        Term::Number(_)
        | Term::Index(_)
        | Term::Length(_)
        | Term::Unary(..)
        | Term::Binary(..)
        | Term::Reduce { .. }
        | Term::Softmax { .. }
        | Term::Pieces(..) => unreachable!("what the kind calls elementwise affine is made of sums and products"),
    }
}

fn sum(operation: Binary, one: Option<Term>, two: Option<Term>) -> Option<Term> {
    match (one, two, operation) {
        (None, None, _) => None,
        (Some(one), None, _) => Some(one),
        (None, Some(two), Binary::Subtract) => Some(Term::unary(Unary::Negate, two)),
        (None, Some(two), _) => Some(two),
        (Some(one), Some(two), operation) => Some(Term::binary(operation, one, two)),
    }
}

fn times(part: Term, factor: &Term) -> Term {
    match part {
        Term::Number(1.0) => factor.clone(),
        part => Term::binary(Binary::Multiply, part, factor.clone()),
    }
}
