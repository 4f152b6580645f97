//! How far a result may be from what the interpreter or another framework says: for each operation once, with the reason, for
//! every suite and every backend. A result may be as far off as the loosest of the operations that lead to it.
//!
//! Tolerances are relative beyond one, in float32, for models of the tests' size: sums of up to a few hundred, some ten
//! operations deep, numbers of order one. A wrong address, range or order is off by the order of the numbers themselves.

use seqwright::session::Checked;
use seqwright_compiler::check::recurrence::reads;
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::{Binary, Reduction, Term, Unary, ValueId};
use std::collections::BTreeSet;

/// What rounds, and how far; the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Reading, choosing, joining, negating, the largest of several.
    Move,
    /// Sums, products, quotients, roots of two numbers or one.
    Arithmetic,
    /// `exp`, `tanh` and other functions that are computed by polynomials.
    Function,
    /// Sums over an index: products, means, convolutions.
    Sum,
    /// Softmax, and attention by it.
    Softmax,
    /// What goes on from position to position.
    Recurrence,
}

impl Operation {
    /// How far off a result may be where this is the loosest operation that leads to it.
    pub fn tolerance(self) -> f32 {
        match self {
            // The same bits.
            Operation::Move => 0.0,
            // Half a unit in the last place for each, some more for quotients and roots of a device, and what powers of it
            // that follow make of that.
            Operation::Arithmetic => 2e-6,
            // Two units in the last place, and products and powers of it.
            Operation::Function => 1e-5,
            // A unit in the last place of the partial sums for each of a few hundred parts at worst, their root usually, in any
            // order; and a layer's sums go into the next one's.
            Operation::Sum => 1e-5,
            // An exponential of a sum, divided by a sum of such.
            Operation::Softmax => 1e-5,
            // Each position's error goes into the next, and is forgotten as the state is.
            Operation::Recurrence => 1e-5,
        }
    }
}

/// The interpreter computes in float64 from float32 weights and gives float32: what is left is the rounding of the
/// expected numbers themselves, on values of order one.
pub const INTERPRETER: f32 = 2e-6;

/// Numbers rounded to f16 have 11 bits: to the nearest, each is off by 2^-12 of itself at most, and so is a product with it.
/// Sums over up to a few hundred, through a few layers, of values up to about ten.
pub const HALF: f32 = 1e-2;

/// Damaged programs may amplify: recurrences whose numbers grow, differences of what nearly cancels. A wrong address or
/// range is off by the order of the numbers themselves, far more than this.
pub const DAMAGED: f32 = 1e-3;

/// The loosest operation that leads to any of a model's results.
pub fn loosest_of_all(checked: &Checked) -> Operation {
    let results = checked.outputs.iter().map(|(_, value)| loosest(&checked.model, *value));
    results.max().unwrap_or(Operation::Move)
}

/// The loosest operation that leads to a value.
pub fn loosest(model: &Model, value: ValueId) -> Operation {
    let leading = leading_to(model, value);
    leading.iter().map(|id| of_value(model, *id)).max().unwrap_or(Operation::Move)
}

/// A value, and all that it is made of.
fn leading_to(model: &Model, value: ValueId) -> BTreeSet<ValueId> {
    let (mut found, mut open) = (BTreeSet::from([value]), vec![value]);
    while let Some(next) = open.pop() {
        open.extend(reads(&model.value(next).kind).into_iter().filter(|read| found.insert(*read)));
    }
    found
}

fn of_value(model: &Model, value: ValueId) -> Operation {
    let ValueKind::Equation(equation) = &model.value(value).kind else { return Operation::Move };
    let goes_on = reads(&model.value(value).kind).iter().any(|read| leading_to(model, *read).contains(&value));
    // What only holds on to a number rounds nothing, however often.
    match (of_term(&equation.term), goes_on) {
        (Operation::Move, _) => Operation::Move,
        (_, true) => Operation::Recurrence,
        (own, false) => own,
    }
}

fn of_term(term: &Term) -> Operation {
    let own = match term {
        Term::Number(_)
        | Term::Index(_)
        | Term::Length(_)
        | Term::Read(..)
        | Term::Select(..)
        | Term::Pieces(..)
        | Term::Unary(Unary::Negate | Unary::Abs | Unary::Floor, _)
        | Term::Binary(Binary::Minimum | Binary::Maximum, ..)
        | Term::Reduce { reduction: Reduction::Maximum | Reduction::Minimum, .. } => Operation::Move,
        Term::Unary(Unary::Sqrt, _)
        | Term::Binary(Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder, ..) => {
            Operation::Arithmetic
        }
        Term::Unary(
            Unary::Exp | Unary::Log | Unary::Tanh | Unary::Sigmoid | Unary::Erf | Unary::Sin | Unary::Cos,
            _,
        )
        | Term::Binary(Binary::Power, ..) => Operation::Function,
        Term::Reduce { reduction: Reduction::Sum, .. } => Operation::Sum,
        Term::Softmax { .. } => Operation::Softmax,
    };
    let mut loosest = own;
    term.for_each_child(&mut |child| loosest = loosest.max(of_term(child)));
    loosest
}
