//! Sizes: numbers made of other sizes, known before anything runs.

use super::scope::{Binding, Scope, SizeValue};
use super::{Checked, Checker};
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::tree::{Expression, ExpressionKind, Operator};

impl Checker<'_> {
    /// A size: a number of sizes and numbers. A name alone keeps the name of its axis.
    pub fn size_expression(&mut self, scope: &Scope, expression: &Expression) -> Checked<SizeValue> {
        let value = match &expression.kind {
            ExpressionKind::Number(value) => *value,
            ExpressionKind::Path(path) => {
                return match self.lookup(scope, path) {
                    Some(Binding::Size(size)) => Ok(size),
                    Some(Binding::Broken) => Err(super::Failed),
                    Some(Binding::Time(time)) => {
                        let name = &path[path.len() - 1].text;
                        let help = match self.model.length(time) {
                            Some(_) => format!("how many positions it has is `length({name})`"),
                            None => "how many positions there are is known only when a sequence is there".to_string(),
                        };
                        Err(self.report(
                            Diagnostic::new(
                                Code::WrongKind,
                                expression.span,
                                format!("`{name}` is a time axis, not a size"),
                            )
                            .label("a size is known before anything runs")
                            .help(help),
                        ))
                    }
                    Some(Binding::Value(_) | Binding::Instance(_)) => Err(self.report(
                        Diagnostic::new(
                            Code::WrongKind,
                            expression.span,
                            format!("`{}` is not a size", path[path.len() - 1].text),
                        )
                        .label("a size is known before anything runs")
                        .help("values stand before the `;`, sizes after it"),
                    )),
                    None => Err(self.unknown(scope, path, None)),
                };
            }
            ExpressionKind::Negate(value) => -self.size_expression(scope, value)?.value,
            ExpressionKind::Binary(operator, left, right) => {
                let (left, right) =
                    (self.size_expression(scope, left)?.value, self.size_expression(scope, right)?.value);
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                    Operator::Remainder => left - right * (left / right).floor(),
                    Operator::Power => left.powf(right),
                }
            }
            ExpressionKind::Call(call) if call.name.text == "length" && call.arguments.len() == 1 => {
                return self.length_as_size(scope, &call.arguments[0].value, expression.span);
            }
            ExpressionKind::Call(call)
                if matches!(call.name.text.as_str(), "sqrt" | "floor" | "exp" | "log" | "max" | "min") =>
            {
                let values = call
                    .arguments
                    .iter()
                    .map(|argument| Ok(self.size_expression(scope, &argument.value)?.value))
                    .collect::<Checked<Vec<f64>>>()?;
                match (call.name.text.as_str(), values.as_slice()) {
                    ("sqrt", [value]) => value.sqrt(),
                    ("floor", [value]) => value.floor(),
                    ("exp", [value]) => value.exp(),
                    ("log", [value]) => value.ln(),
                    ("max", [left, right]) => left.max(*right),
                    ("min", [left, right]) => left.min(*right),
                    _ => {
                        return Err(self.report(Diagnostic::new(
                            Code::Arguments,
                            call.name.span,
                            format!("`{}` has the wrong number of values", call.name.text),
                        )));
                    }
                }
            }
            ExpressionKind::Subscript(..)
            | ExpressionKind::Call(_)
            | ExpressionKind::Condition(_)
            | ExpressionKind::Where(_) => {
                return Err(self.report(
                    Diagnostic::new(Code::Size, expression.span, "a size is made of sizes and numbers")
                        .label("not known before anything runs"),
                ));
            }
        };
        Ok(SizeValue { value, axis: "size".to_string() })
    }
}
