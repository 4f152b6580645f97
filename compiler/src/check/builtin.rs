//! What can be called: functions of numbers, contractions, reductions, joins, functions of the file and definitions.

use super::expression::{extend_domain, number, union};
use super::index::{Draft, Typed};
use super::scope::{Binding, Scope};
use super::{Checked, Checker, ItemKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::tree::{Call, ExpressionKind, Name};
use crate::term::{Binary, Subscript, Term, Unary};

/// Functions with a meaning of their own, besides those of one number.
const BUILTIN: [&str; 16] = [
    "dot", "outer", "affine", "linear", "concat", "stack", "flatten", "select", "length", "sum", "mean", "max", "min",
    "softmax", "pi", "last",
];

/// Functions inside functions deeper than this are refused.
const DEEPEST_FUNCTION: usize = 32;

/// The names of everything that can be called without being defined.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BUILTIN.into_iter().chain(Unary::ALL.into_iter().map(Unary::name).filter(|name| *name != "-"))
}

impl Checker<'_> {
    /// One call.
    pub fn call(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        let name = call.name.text.as_str();
        if let Some(item) = self.program.item(scope.file, name) {
            match item.kind {
                ItemKind::Function(place) => {
                    return self.function(scope, draft, call, (item.file, place), span);
                }
                ItemKind::Definition(place) => {
                    let instance = self.instance(scope, draft, call, (item.file, place), span)?;
                    return self.read(scope, draft, instance.result, &[], span);
                }
                ItemKind::Axis(_) => {}
            }
        }
        if call.backward {
            return Err(self.report(
                Diagnostic::new(Code::WrongKind, call.name.span, format!("`{name}` can't run backward"))
                    .label("not a definition")
                    .help("`backward` stands before a cell or another definition that is called"),
            ));
        }
        if let Some(unary) = Unary::ALL.into_iter().find(|unary| unary.name() == name && name != "-") {
            self.shape_of_call(call, 1, false, false)?;
            let value = self.clause(scope, draft, &call.arguments[0])?;
            return Ok(Typed { term: Term::unary(unary, value.term), span, ..value });
        }
        match name {
            "sum" | "mean" | "softmax" => self.reduction(scope, draft, call, span),
            "max" | "min" if !call.over.is_empty() => self.reduction(scope, draft, call, span),
            "max" | "min" => {
                self.shape_of_call(call, 2, false, false)?;
                let left = self.clause(scope, draft, &call.arguments[0])?;
                let right = self.clause(scope, draft, &call.arguments[1])?;
                let operation = if name == "max" { Binary::Maximum } else { Binary::Minimum };
                self.elementwise(draft, operation, left, right, span)
            }
            "outer" => {
                self.shape_of_call(call, 2, false, false)?;
                let left = self.clause(scope, draft, &call.arguments[0])?;
                let right = self.clause(scope, draft, &call.arguments[1])?;
                let axes = union(&left.axes, &right.axes);
                let mut domain = left.domain;
                extend_domain(&mut domain, right.domain);
                Ok(Typed { term: Term::binary(Binary::Multiply, left.term, right.term), axes, domain, span })
            }
            "dot" => self.dot(scope, draft, call, span),
            "affine" | "linear" => self.affine_call(scope, draft, call, span),
            "concat" | "stack" => self.join(scope, draft, call, span),
            "flatten" => self.flatten(scope, draft, call, span),
            "select" => self.select(scope, draft, call, span),
            "length" => self.length(scope, call, span),
            _ => Err(self.unknown(scope, std::slice::from_ref(&call.name), None)),
        }
    }

    /// Refuses a call with another number of values than `wanted`, or with parts it does not take.
    pub(super) fn shape_of_call(&mut self, call: &Call, wanted: usize, over: bool, sizes: bool) -> Checked<()> {
        let name = &call.name.text;
        let wrong = if call.arguments.len() != wanted {
            Some(format!("`{name}` takes {wanted} value{}, found {}", plural(wanted), call.arguments.len()))
        } else if !over && !call.over.is_empty() {
            Some(format!("`{name}` does not run over an axis"))
        } else if !sizes && !call.sizes.is_empty() {
            Some(format!("`{name}` takes no sizes"))
        } else {
            None
        };
        match wrong {
            None => Ok(()),
            Some(message) => Err(self.report(Diagnostic::new(Code::Arguments, call.name.span, message))),
        }
    }

    /// A function of the file or the prelude: its body with the values in place.
    fn function(
        &mut self,
        scope: &Scope,
        draft: &mut Draft,
        call: &Call,
        (file, place): (usize, usize),
        span: Span,
    ) -> Checked<Typed> {
        let function = self.program.function(file, place).clone();
        if call.arguments.len() != function.parameters.len() || !call.over.is_empty() || !call.sizes.is_empty() {
            return Err(self.report(
                Diagnostic::new(
                    Code::Arguments,
                    call.name.span,
                    format!(
                        "`{}` takes {} value{}, found {}",
                        function.name.text,
                        function.parameters.len(),
                        plural(function.parameters.len()),
                        call.arguments.len()
                    ),
                )
                .also(function.name.span, "defined here"),
            ));
        }
        let item = (file, ItemKind::Function(place));
        if self.open.contains(&item) || draft.locals.len() > DEEPEST_FUNCTION {
            let how = if self.open.contains(&item) { "uses itself" } else { "stands too deep in other functions" };
            return Err(self.report(
                Diagnostic::new(Code::Circular, call.name.span, format!("`{}` {how}", function.name.text))
                    .help("a function is put in where it is called, and can't call itself"),
            ));
        }
        let mut locals = std::collections::HashMap::new();
        for (parameter, argument) in function.parameters.iter().zip(&call.arguments) {
            let mut value = self.clause(scope, draft, argument)?;
            // A function may read its value many times: anything but a read becomes a value of its own first.
            let simple = matches!(value.term, Term::Read(..) | Term::Number(_) | Term::Index(_));
            if !simple {
                value = self.apart(draft, value, &parameter.text);
            }
            locals.insert(parameter.text.clone(), value);
        }
        draft.locals.push(locals);
        self.open.push(item);
        let inner = Scope { times: scope.times.clone(), ..Scope::new(file, scope.path.clone(), scope.backward) };
        let result = self.expression(&inner, draft, &function.body);
        self.open.pop();
        draft.locals.pop();
        Ok(Typed { span, ..result? })
    }

    /// A term as a value of its own, read at the same indices.
    pub(super) fn apart(&mut self, draft: &Draft, typed: Typed, name: &str) -> Typed {
        let axes = typed.axes.clone();
        let (domain, span) = (typed.domain.clone(), typed.span);
        let value = self.add_inside(draft, name, typed, axes.clone());
        let subscripts = axes.iter().map(|index| Subscript::index(*index)).collect();
        Typed { term: Term::Read(value, subscripts), axes, domain, span }
    }

    /// `select(a < b, x, y)`.
    fn select(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        self.shape_of_call(call, 3, false, false)?;
        let ExpressionKind::Condition(comparisons) = &call.arguments[0].value.kind else {
            return Err(self.report(
                Diagnostic::new(Code::Condition, call.arguments[0].value.span, "`select` takes a condition first")
                    .label("not a comparison")
                    .help("for example `select(x > 0, x, 0)`"),
            ));
        };
        let (conditions, varies) = self.conditions(scope, draft, comparisons)?;
        let left = self.clause(scope, draft, &call.arguments[1])?;
        let right = self.clause(scope, draft, &call.arguments[2])?;
        self.must_meet(draft, &left, &right, span)?;
        let axes = union(&union(&left.axes, &right.axes), &varies);
        let mut domain = left.domain;
        extend_domain(&mut domain, right.domain);
        let term = Term::Select(conditions, Box::new(left.term), Box::new(right.term));
        Ok(Typed { term, axes, domain, span })
    }

    /// `length(T)`.
    fn length(&mut self, scope: &Scope, call: &Call, span: Span) -> Checked<Typed> {
        self.shape_of_call(call, 1, false, false)?;
        let path: &[Name] = match &call.arguments[0].value.kind {
            ExpressionKind::Path(path) => path,
            _ => &[],
        };
        match self.lookup(scope, path) {
            Some(Binding::Time(time)) => Ok(match self.model.length(time) {
                Some(length) => number(length as f64, span),
                None => Typed { term: Term::Length(time), ..number(0.0, span) },
            }),
            Some(Binding::Size(size)) => Ok(number(size.value, span)),
            _ => Err(self.report(
                Diagnostic::new(Code::WrongKind, call.arguments[0].value.span, "`length` takes an axis")
                    .label("not an axis")
                    .help("for example `length(T)`"),
            )),
        }
    }
}

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
