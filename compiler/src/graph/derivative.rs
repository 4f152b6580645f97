//! Derivatives forward: a number and how it changes along directions, and for each scalar function how a change goes through it.
//!
//! In: two numbers and their changes. Out: the function's number and its changes, by the chain rule. What a whole equation
//! does with a change follows from these rules and the interpreter, which computes with either kind of number.
//!
//! Where a function has a corner (`abs` at 0, `min` of equals) the change is that of one side; steps (`floor`) change nothing.

use super::interpret::{binary, unary};
use crate::term::{Binary, Unary};

/// What the interpreter computes with.
pub(super) trait Scalar: Copy {
    /// A number that does not change.
    fn constant(number: f64) -> Self;
    /// The number.
    fn value(self) -> f64;
    /// A function of it.
    fn unary(self, operation: Unary) -> Self;
    /// A function of it and another.
    fn binary(self, operation: Binary, other: Self) -> Self;
}

impl Scalar for f64 {
    fn constant(number: f64) -> f64 {
        number
    }
    fn value(self) -> f64 {
        self
    }
    fn unary(self, operation: Unary) -> f64 {
        unary(operation, self)
    }
    fn binary(self, operation: Binary, other: f64) -> f64 {
        binary(operation, self, other)
    }
}

/// Along how many directions changes are followed at once: walking through equations takes longer than computing.
pub(super) const WIDE: usize = 8;

/// A number and its changes along several directions: a dual number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dual {
    pub value: f64,
    pub changes: [f64; WIDE],
}

impl Scalar for Dual {
    fn constant(number: f64) -> Dual {
        Dual { value: number, changes: [0.0; WIDE] }
    }
    fn value(self) -> f64 {
        self.value
    }
    fn unary(self, operation: Unary) -> Dual {
        let value = unary(operation, self.value);
        let slope = slope(operation, self.value, value);
        Dual { value, changes: self.changes.map(|change| times(change, slope)) }
    }
    fn binary(self, operation: Binary, other: Dual) -> Dual {
        let value = binary(operation, self.value, other.value);
        let (left, right) = slopes(operation, self.value, other.value, value);
        let both = |way: usize| times(self.changes[way], left) + times(other.changes[way], right);
        Dual { value, changes: std::array::from_fn(both) }
    }
}

/// A change times a slope: no change stays none, even where a slope has no finite number.
fn times(change: f64, slope: f64) -> f64 {
    if change == 0.0 { 0.0 } else { change * slope }
}

/// The derivative of a function of one number at `x`, where it is `y`.
fn slope(operation: Unary, x: f64, y: f64) -> f64 {
    match operation {
        Unary::Negate => -1.0,
        Unary::Exp => y,
        Unary::Log => 1.0 / x,
        Unary::Sqrt => 0.5 / y,
        Unary::Tanh => 1.0 - y * y,
        Unary::Sigmoid => y * (1.0 - y),
        Unary::Erf => std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp(),
        Unary::Sin => x.cos(),
        Unary::Cos => -x.sin(),
        Unary::Abs => x.signum(),
        Unary::Floor => 0.0,
    }
}

/// The derivatives of a function of two numbers by each of them at `x` and `y`, where it is `z`.
fn slopes(operation: Binary, x: f64, y: f64, z: f64) -> (f64, f64) {
    match operation {
        Binary::Add => (1.0, 1.0),
        Binary::Subtract => (1.0, -1.0),
        Binary::Multiply => (y, x),
        Binary::Divide => (1.0 / y, -z / y),
        Binary::Remainder => (1.0, -(x / y).floor()),
        Binary::Power => (y * x.powf(y - 1.0), z * x.ln()),
        Binary::Minimum => {
            if x <= y {
                (1.0, 0.0)
            } else {
                (0.0, 1.0)
            }
        }
        Binary::Maximum => {
            if x >= y {
                (1.0, 0.0)
            } else {
                (0.0, 1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f64 = 1e-6;

    #[test]
    fn slopes_of_functions_are_those_of_differences() {
        for operation in Unary::ALL {
            for x in [0.3, 0.9, 1.7] {
                let wanted = (unary(operation, x + STEP) - unary(operation, x - STEP)) / (2.0 * STEP);
                let found = Dual { value: x, changes: [1.0; WIDE] }.unary(operation).changes[0];
                assert!((found - wanted).abs() < 1e-8, "{} at {x}: {found} instead of {wanted}", operation.name());
            }
        }
    }

    #[test]
    fn slopes_of_two_numbers_are_those_of_differences() {
        let all = [
            Binary::Add,
            Binary::Subtract,
            Binary::Multiply,
            Binary::Divide,
            Binary::Remainder,
            Binary::Power,
            Binary::Minimum,
            Binary::Maximum,
        ];
        for operation in all {
            for (x, y) in [(1.3, 0.4), (0.7, 2.2), (5.1, 1.6)] {
                let along = |dx: f64, dy: f64| {
                    let at = |step: f64| binary(operation, x + step * dx, y + step * dy);
                    let wanted = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                    let (left, right) =
                        (Dual { value: x, changes: [dx; WIDE] }, Dual { value: y, changes: [dy; WIDE] });
                    let found = left.binary(operation, right).changes[WIDE - 1];
                    assert!((found - wanted).abs() < 1e-6, "{operation:?} at {x}, {y}: {found} instead of {wanted}");
                };
                along(1.0, 0.0);
                along(0.0, 1.0);
                along(0.6, -0.3);
            }
        }
    }

    #[test]
    fn what_does_not_change_stays_so_at_a_pole() {
        let root = Dual::constant(0.0).unary(Unary::Sqrt);
        assert_eq!(root, Dual::constant(0.0));
        let power = Dual { value: 0.0, changes: [1.0; WIDE] }.binary(Binary::Power, Dual::constant(2.0));
        assert_eq!(power, Dual::constant(0.0));
    }
}
