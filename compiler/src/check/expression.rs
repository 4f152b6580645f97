//! Expressions: to terms whose axes are aligned by name.

use super::index::{Draft, Typed};
use super::scope::{Binding, Scope};
use super::{Checked, Checker};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Equation, Value, ValueKind};
use crate::source::Span;
use crate::syntax::tree::{Clause, Comparison, Expression, ExpressionKind, Name, Operator};
use crate::term::{Binary, Condition, IndexId, Subscript, Term, Unary, ValueId};

impl Checker<'_> {
    /// A value under its conditions.
    pub fn clause(&mut self, scope: &Scope, draft: &mut Draft, clause: &Clause) -> Checked<Typed> {
        let value = self.expression(scope, draft, &clause.value);
        let conditions = self.conditions(scope, draft, &clause.conditions);
        let (mut value, (conditions, axes)) = (value?, conditions?);
        value.axes = union(&value.axes, &axes);
        extend_domain(&mut value.domain, conditions);
        Ok(value)
    }

    /// Conditions, and the indices they vary with.
    pub fn conditions(
        &mut self,
        scope: &Scope,
        draft: &mut Draft,
        comparisons: &[Comparison],
    ) -> Checked<(Vec<Condition>, Vec<IndexId>)> {
        let mut conditions = Vec::new();
        let mut axes = Vec::new();
        for comparison in comparisons {
            if matches!(&comparison.right.kind, ExpressionKind::Condition(all) if all.is_empty()) {
                return Err(self.report(
                    Diagnostic::new(Code::Condition, comparison.left.span, "a condition compares two values")
                        .label("nothing is compared here")
                        .help("compare it: `x > 0`, `mask[j] != 0`"),
                ));
            }
            let left = self.expression(scope, draft, &comparison.left)?;
            let right = self.expression(scope, draft, &comparison.right)?;
            axes = union(&axes, &union(&left.axes, &right.axes));
            conditions.push(Condition { left: left.term, comparator: comparison.comparator, right: right.term });
        }
        Ok((conditions, axes))
    }

    /// One expression.
    pub fn expression(&mut self, scope: &Scope, draft: &mut Draft, expression: &Expression) -> Checked<Typed> {
        let span = expression.span;
        self.step(span)?;
        match &expression.kind {
            ExpressionKind::Number(value) => Ok(number(*value, span)),
            ExpressionKind::Path(path) => self.path(scope, draft, path, span),
            ExpressionKind::Negate(value) => {
                let value = self.expression(scope, draft, value)?;
                Ok(Typed { term: Term::unary(Unary::Negate, value.term), span, ..value })
            }
            ExpressionKind::Binary(operator, left, right) => {
                let left = self.expression(scope, draft, left);
                let right = self.expression(scope, draft, right);
                let (left, right) = (left?, right?);
                let operation = match operator {
                    Operator::Add => Binary::Add,
                    Operator::Subtract => Binary::Subtract,
                    Operator::Multiply => Binary::Multiply,
                    Operator::Divide => Binary::Divide,
                    Operator::Remainder => Binary::Remainder,
                    Operator::Power => Binary::Power,
                };
                self.elementwise(draft, operation, left, right, span)
            }
            ExpressionKind::Subscript(base, subscripts) => self.subscripted(scope, draft, base, subscripts, span),
            ExpressionKind::Call(call) => self.call(scope, draft, call, span),
            ExpressionKind::Condition(_) => Err(self.report(
                Diagnostic::new(Code::Condition, span, "a condition stands where a value is wanted")
                    .label("a comparison is not a number")
                    .help("choose with it: `select(a < b, x, y)`; or restrict an equation: `… where a < b`"),
            )),
            ExpressionKind::Where(clause) => self.clause(scope, draft, clause),
        }
    }

    /// Two values meet, element by element: the features of one are among those of the other.
    pub fn elementwise(
        &mut self,
        draft: &Draft,
        operation: Binary,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Checked<Typed> {
        self.must_meet(draft, &left, &right, span)?;
        let axes = union(&left.axes, &right.axes);
        let mut domain = left.domain;
        extend_domain(&mut domain, right.domain);
        Ok(Typed { term: Term::binary(operation, left.term, right.term), axes, domain, span })
    }

    /// Refuses values whose axes do not meet: one axis with two sizes, features on both sides that the other lacks,
    /// positions of two sequences.
    pub fn must_meet(&mut self, draft: &Draft, left: &Typed, right: &Typed, span: Span) -> Checked<()> {
        let unnamed = |axes: &[IndexId]| -> Vec<IndexId> {
            axes.iter().copied().filter(|index| !draft.is_named(*index)).collect()
        };
        let (left_free, right_free) = (unnamed(&left.axes), unnamed(&right.axes));
        for index in &left_free {
            let axis = draft.axis(*index);
            let other = right_free.iter().find(|other| draft.axis(**other).name == axis.name && *other != index);
            if let Some(other) = other {
                let (one, two) = (axis.size().unwrap_or(0), draft.axis(*other).size().unwrap_or(0));
                return Err(self.report(
                    Diagnostic::new(
                        Code::AxisSize,
                        span,
                        format!("the axis `{}` has {one} entries on one side and {two} on the other", axis.name),
                    )
                    .label("these do not meet")
                    .also(left.span, format!("{one} here"))
                    .also(right.span, format!("{two} here")),
                ));
            }
        }
        let lacks = |own: &[IndexId], other: &[IndexId]| -> Vec<IndexId> {
            own.iter().copied().filter(|index| !other.contains(index)).collect()
        };
        let (only_left, only_right) = (lacks(&left_free, &right_free), lacks(&right_free, &left_free));
        let feature = |list: &[IndexId]| list.iter().any(|index| draft.axis(*index).time().is_none());
        let time = |list: &[IndexId]| list.iter().any(|index| draft.axis(*index).time().is_some());
        if (feature(&only_left) && feature(&only_right)) || (time(&only_left) && time(&only_right)) {
            let shown = |checker: &Self, axes: &[IndexId]| {
                let axes: Vec<_> = axes.iter().map(|index| draft.axis(*index).clone()).collect();
                let names: Vec<String> = axes
                    .iter()
                    .map(|axis| match axis.time() {
                        Some(time) => checker.model.times[time.0 as usize].clone(),
                        None => axis.name.clone(),
                    })
                    .collect();
                format!("[{}]", names.join(", "))
            };
            let (one, two) = (shown(self, &left.axes), shown(self, &right.axes));
            let help = if feature(&only_left) && feature(&only_right) {
                "axes meet by name; `dot` and `affine` go from one axis to another, `outer` gives every combination"
            } else {
                "name the positions: `y[i, j] = …`"
            };
            return Err(self.report(
                Diagnostic::new(Code::Axes, span, format!("{one} and {two} do not meet"))
                    .also(left.span, format!("this has {one}"))
                    .also(right.span, format!("this has {two}"))
                    .help(help),
            ));
        }
        Ok(())
    }

    fn path(&mut self, scope: &Scope, draft: &mut Draft, path: &[Name], span: Span) -> Checked<Typed> {
        let name = path[0].text.as_str();
        if path.len() == 1 {
            if let Some(local) = draft.locals.last().and_then(|locals| locals.get(name)) {
                return Ok(Typed { span, ..local.clone() });
            }
            if let Some(index) = draft.find(name) {
                return Ok(self.position(scope, draft, index, span));
            }
        }
        match self.lookup(scope, path) {
            Some(Binding::Value(value)) => self.read(scope, draft, value, &[], span),
            Some(Binding::Instance(instance)) => self.read(scope, draft, instance.result, &[], span),
            Some(Binding::Size(size)) => Ok(number(size.value, span)),
            Some(Binding::Broken) => Err(super::Failed),
            Some(Binding::Time(_)) => Err(self.report(
                Diagnostic::new(Code::WrongKind, span, format!("`{name}` is a time axis, not a value"))
                    .label("a value is wanted here")
                    .help(format!("the number of its positions is `length({name})`, the current one is `t`")),
            )),
            None if path.len() == 1 && name == "t" => {
                let time = self.only_time(scope, span)?;
                let axis = self.time_axis(time);
                let index = self.current(draft, &axis, span)?;
                Ok(self.position(scope, draft, index, span))
            }
            None if path.len() == 1 && name == "pi" => Ok(number(std::f64::consts::PI, span)),
            None => {
                let own = draft.name.clone();
                Err(self.unknown(scope, path, Some(&own)))
            }
        }
    }

    /// An index as a number; where time runs the other way, counted from the other end.
    fn position(&self, scope: &Scope, draft: &Draft, index: IndexId, span: Span) -> Typed {
        let term = match draft.axis(index).time() {
            Some(time) if scope.backward => Term::binary(
                Binary::Subtract,
                Term::binary(Binary::Subtract, Term::Length(time), Term::Number(1.0)),
                Term::Index(index),
            ),
            _ => Term::Index(index),
        };
        Typed { term, axes: vec![index], domain: Vec::new(), span }
    }

    fn subscripted(
        &mut self,
        scope: &Scope,
        draft: &mut Draft,
        base: &Expression,
        subscripts: &[Expression],
        span: Span,
    ) -> Checked<Typed> {
        if let ExpressionKind::Path(path) = &base.kind {
            let local = path.len() == 1 && draft.locals.last().is_some_and(|locals| locals.contains_key(&path[0].text));
            if !local {
                return match self.lookup(scope, path) {
                    Some(Binding::Value(value)) => self.read(scope, draft, value, subscripts, span),
                    Some(Binding::Instance(instance)) => self.read(scope, draft, instance.result, subscripts, span),
                    Some(Binding::Broken) => Err(super::Failed),
                    Some(Binding::Size(_) | Binding::Time(_)) => Err(self.report(
                        Diagnostic::new(Code::WrongKind, base.span, "a size has no positions").label("not a value"),
                    )),
                    None => {
                        let own = draft.name.clone();
                        Err(self.unknown(scope, path, Some(&own)))
                    }
                };
            }
        }
        let whole = self.expression(scope, draft, base)?;
        let value = self.name_it(draft, whole, "value")?;
        self.read(scope, draft, value, subscripts, span)
    }

    /// A term as a value of its own: the value it reads, if it is no more than that, or an equation made for it.
    pub fn name_it(&mut self, draft: &Draft, typed: Typed, name: &str) -> Checked<ValueId> {
        if let Term::Read(value, subscripts) = &typed.term {
            let bare = subscripts.iter().all(|subscript| subscript.as_index().is_some());
            let in_order = subscripts.iter().filter_map(Subscript::as_index).eq(typed.axes.iter().copied());
            let named = typed.axes.iter().any(|index| draft.is_named(*index));
            if bare && in_order && !named {
                return Ok(*value);
            }
        }
        if let Some(index) = typed.axes.iter().find(|index| draft.is_named(**index)) {
            let index = draft.indices[index.0 as usize].name.clone();
            return Err(self.report(
                Diagnostic::new(Code::Indices, typed.span, format!("this varies with the index `{index}`"))
                    .label("a value at every position is wanted here")
                    .help("give it a name in an equation of its own, and read that"),
            ));
        }
        Ok(self.add_inside(draft, name, typed, Vec::new()))
    }

    /// Adds a value that an equation has inside; its path is made unique when all equations are known.
    pub fn add_inside(&mut self, draft: &Draft, name: &str, typed: Typed, first: Vec<IndexId>) -> ValueId {
        let path = format!("{}.{name}", draft.path);
        let value = self.add_equation(draft, path, typed, first, false, None);
        self.model.inside.insert(value, draft.equation.clone());
        value
    }

    /// Adds an equation to the model: its axes are the indices `first`, then the others that the term varies with, time
    /// before features.
    pub fn add_equation(
        &mut self,
        draft: &Draft,
        path: String,
        typed: Typed,
        first: Vec<IndexId>,
        is_state: bool,
        before: Option<ValueId>,
    ) -> ValueId {
        let mut order = first;
        let rest = |time: bool| {
            let order = order.clone();
            typed
                .axes
                .iter()
                .copied()
                .filter(move |index| !order.contains(index) && draft.axis(*index).time().is_some() == time)
                .collect::<Vec<_>>()
        };
        let (times, features) = (rest(true), rest(false));
        order.extend(times);
        order.extend(features);
        let equation = renumber(draft, &order, typed.term, typed.domain, is_state, before);
        let axes = order.iter().map(|index| draft.axis(*index).clone()).collect();
        self.model.values.push(Value { path, span: typed.span, axes, kind: ValueKind::Equation(equation) });
        ValueId(self.model.values.len() as u32 - 1)
    }
}

/// Gives an equation's indices their final numbers: those of its axes first, then the others that it uses.
pub(super) fn renumber(
    draft: &Draft,
    order: &[IndexId],
    term: Term,
    domain: Vec<Condition>,
    is_state: bool,
    before: Option<ValueId>,
) -> Equation {
    let mut numbers: Vec<IndexId> = order.to_vec();
    let mut number = |index: IndexId| {
        let place = numbers.iter().position(|known| *known == index).unwrap_or_else(|| {
            numbers.push(index);
            numbers.len() - 1
        });
        IndexId(place as u32)
    };
    let term = term.rename(&mut number);
    let domain = domain
        .into_iter()
        .map(|condition| Condition {
            left: condition.left.rename(&mut number),
            comparator: condition.comparator,
            right: condition.right.rename(&mut number),
        })
        .collect();
    let mut indices: Vec<crate::term::Index> =
        numbers.iter().map(|index| draft.indices[index.0 as usize].clone()).collect();
    // Names are for reading: one that stands for two indices gets a mark.
    for place in 1..indices.len() {
        while indices[..place].iter().any(|index| index.name == indices[place].name) {
            indices[place].name.push('\'');
        }
    }
    Equation { indices, term, domain, before, is_state }
}

/// A number as a typed term.
pub(super) fn number(value: f64, span: Span) -> Typed {
    Typed { term: Term::Number(value), axes: Vec::new(), domain: Vec::new(), span }
}

/// The indices of the longer list, then those that only the other has.
pub(super) fn union(left: &[IndexId], right: &[IndexId]) -> Vec<IndexId> {
    let (first, second) = if right.len() > left.len() { (right, left) } else { (left, right) };
    let mut all = first.to_vec();
    all.extend(second.iter().copied().filter(|index| !first.contains(index)));
    all
}

/// Adds conditions that are not there yet.
pub(super) fn extend_domain(domain: &mut Vec<Condition>, more: Vec<Condition>) {
    for condition in more {
        if !domain.contains(&condition) {
            domain.push(condition);
        }
    }
}
