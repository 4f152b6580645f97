//! The value of a size written in a table: numbers, names and arithmetic.
//!
//! What a name is worth depends on the place (`config.n_embd` in a setting, a parameter in rows), so
//! that the caller says it.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::tree::{Expression, ExpressionKind, Name, Operator};

/// A mistake in a line of the table; small, so that results that may be one are.
pub(super) type Mistake = Box<Diagnostic>;

/// Why a size has no value.
#[derive(Debug)]
pub(super) enum Fault {
    /// Something that it reads is not there; the words name it.
    Missing(String),
    /// It is written wrongly.
    Mistake(Mistake),
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Fault {
        Fault::Mistake(Box::new(diagnostic))
    }
}

/// What is asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The number that it stands for.
    Number,
    /// How many entries it has, `length(config.id2label)`.
    Length,
}

/// What a name at a place is worth.
pub(super) type Lookup<'a> = dyn Fn(Ask, &[Name], Span) -> Result<f64, Fault> + 'a;

/// The value of a size.
pub(super) fn evaluate(expression: &Expression, lookup: &Lookup) -> Result<f64, Fault> {
    match &expression.kind {
        ExpressionKind::Number(number) => Ok(*number),
        ExpressionKind::Path(names) => lookup(Ask::Number, names, expression.span),
        ExpressionKind::Call(call) if call.name.text == "length" && call.arguments.len() == 1 => {
            let argument = &call.arguments[0].value;
            match &argument.kind {
                ExpressionKind::Path(names) => lookup(Ask::Length, names, argument.span),
                _ => {
                    let message = "`length` takes a path of the configuration: `length(config.…)`";
                    Err(Diagnostic::new(Code::Table, argument.span, message).label("not a path").into())
                }
            }
        }
        ExpressionKind::Negate(inner) => Ok(-evaluate(inner, lookup)?),
        ExpressionKind::Binary(operator, left, right) => {
            let (left, right) = (evaluate(left, lookup)?, evaluate(right, lookup)?);
            Ok(match operator {
                Operator::Add => left + right,
                Operator::Subtract => left - right,
                Operator::Multiply => left * right,
                Operator::Divide => left / right,
                Operator::Remainder => left - right * (left / right).floor(),
                Operator::Power => left.powf(right),
            })
        }
        ExpressionKind::Subscript(..)
        | ExpressionKind::Call(_)
        | ExpressionKind::Condition(_)
        | ExpressionKind::Where(_) => {
            let message = "a size in a table is made of numbers, names and `+ - * / % ^`";
            Err(Diagnostic::new(Code::Table, expression.span, message).label("not a size").into())
        }
    }
}

/// A number that counts something, if it is one.
pub(super) fn whole(number: f64) -> Option<usize> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && (0.0..=MOST).contains(&number)).then_some(number as usize)
}

/// A path as written.
pub(super) fn path_text(names: &[Name]) -> String {
    names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".")
}

/// From the first name of a path to its last.
pub(super) fn path_span(names: &[Name]) -> Span {
    match (names.first(), names.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        (None, _) | (_, None) => Span::default(),
    }
}
