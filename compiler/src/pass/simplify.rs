//! Simplification: arithmetic that is known before running.
//!
//! `sqrt(64)` → `8`, `x * 1` → `x`, `x + 0` → `x`, `x ^ 2` → `x * x`, `x / 8` → `x * 0.125`, `-(-x)` → `x`,
//! `select(0 < 1, x, y)` → `x`. Only what leaves every result as it is: a division becomes a product only by a power of
//! two.

use crate::graph::Graph;
use crate::model::ValueKind;
use crate::term::{Binary, Condition, Term, Unary};

/// Simplifies every equation.
pub fn run(mut graph: Graph) -> Graph {
    for value in &mut graph.model.values {
        if let ValueKind::Equation(equation) = &mut value.kind {
            equation.term = simplify(&equation.term);
            equation.domain.retain(|condition| known(condition) != Some(true));
        }
    }
    graph.reorder();
    graph
}

fn simplify(term: &Term) -> Term {
    let term = term.map_children(&mut |index| index, &mut simplify);
    match term {
        Term::Unary(operation, value) => unary(operation, *value),
        Term::Binary(operation, left, right) => binary(operation, *left, *right),
        Term::Select(mut conditions, left, right) => {
            conditions.retain(|condition| known(condition) != Some(true));
            match conditions.as_slice() {
                [] => *left,
                all if all.iter().any(|condition| known(condition) == Some(false)) => *right,
                _ => Term::Select(conditions, left, right),
            }
        }
        Term::Reduce { reduction, over, mut domain, body } => {
            domain.retain(|condition| known(condition) != Some(true));
            Term::Reduce { reduction, over, domain, body }
        }
        Term::Softmax { over, mut domain, body } => {
            domain.retain(|condition| known(condition) != Some(true));
            Term::Softmax { over, domain, body }
        }
        Term::Number(_) | Term::Index(_) | Term::Length(_) | Term::Read(..) | Term::Pieces(..) => term,
    }
}

fn unary(operation: Unary, value: Term) -> Term {
    match (operation, value) {
        (operation, Term::Number(number)) => Term::Number(crate::graph::unary(operation, number)),
        (Unary::Negate, Term::Unary(Unary::Negate, inner)) => *inner,
        (operation, value) => Term::unary(operation, value),
    }
}

fn binary(operation: Binary, left: Term, right: Term) -> Term {
    use Binary::{Add, Divide, Maximum, Minimum, Multiply, Power, Remainder, Subtract};
    if let (Term::Number(one), Term::Number(two)) = (&left, &right) {
        return Term::Number(crate::graph::binary(operation, *one, *two));
    }
    match (operation, &left, &right) {
        (Add, Term::Number(0.0), _) => right,
        (Add | Subtract, _, Term::Number(0.0)) => left,
        (Subtract, Term::Number(0.0), _) => Term::unary(Unary::Negate, right),
        (Multiply, Term::Number(1.0), _) => right,
        (Multiply | Divide | Power, _, Term::Number(1.0)) => left,
        (Add, _, Term::Unary(Unary::Negate, inner)) => Term::binary(Subtract, left.clone(), (**inner).clone()),
        (Divide, _, Term::Number(by)) if is_power_of_two(*by) => Term::binary(Multiply, left, Term::Number(1.0 / by)),
        (Power, _, Term::Number(2.0)) => Term::binary(Multiply, left.clone(), left),
        (Power, _, Term::Number(3.0)) => {
            Term::binary(Multiply, Term::binary(Multiply, left.clone(), left.clone()), left)
        }
        (Power, _, Term::Number(0.5)) => Term::unary(Unary::Sqrt, left),
        (Add | Subtract | Multiply | Divide | Remainder | Power | Minimum | Maximum, _, _) => {
            Term::binary(operation, left, right)
        }
    }
}

fn is_power_of_two(number: f64) -> bool {
    number.is_normal() && number > 0.0 && number.to_bits().trailing_zeros() >= 52 && (1.0 / number).is_normal()
}

/// Whether a condition holds everywhere or nowhere.
fn known(condition: &Condition) -> Option<bool> {
    let (Term::Number(left), Term::Number(right)) = (&condition.left, &condition.right) else { return None };
    Some(condition.comparator.holds(*left, *right))
}
