//! Subscripts: where along its axes a value is read.

use super::index::{Draft, Typed};
use super::scope::{Binding, Scope};
use super::{Checked, Checker};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::tree::{Expression, ExpressionKind, Operator};
use crate::term::{Axis, Extent, IndexId, Subscript, Term, TimeId, ValueId};

/// A subscript, the indices it varies with, and where it exists.
type Placed = (Subscript, Vec<IndexId>, Vec<crate::term::Condition>);

/// A sum of indices and numbers.
struct Affine {
    terms: Vec<(IndexId, f64)>,
    constant: f64,
    last: f64,
}

impl Checker<'_> {
    /// A value read with subscripts for its first axes; the others are read at their current entry.
    pub fn read(
        &mut self,
        scope: &Scope,
        draft: &mut Draft,
        value: ValueId,
        subscripts: &[Expression],
        span: Span,
    ) -> Checked<Typed> {
        let axes = self.model.value(value).axes.clone();
        if subscripts.len() > axes.len() {
            let shown = self.shown_axes(&axes);
            let path = self.model.value(value).path.clone();
            return Err(self.report(
                Diagnostic::new(
                    Code::Indices,
                    span,
                    format!("{} indices for a value with {} axes", subscripts.len(), axes.len()),
                )
                .label("too many indices")
                .also(self.model.value(value).span, format!("`{path}` has the axes {shown}")),
            ));
        }
        let mut placed = Vec::new();
        let mut free: Vec<IndexId> = Vec::new();
        let mut domain = Vec::new();
        for (place, axis) in axes.iter().enumerate() {
            let subscript = match subscripts.get(place) {
                Some(subscript) => {
                    let (subscript, axes, conditions) = self.subscript(scope, draft, axis, subscript)?;
                    free.extend(axes);
                    domain.extend(conditions);
                    subscript
                }
                None => {
                    let index = self.current(draft, axis, span)?;
                    if free.contains(&index) && axes[..place].contains(axis) {
                        return Err(self.report(
                            Diagnostic::new(
                                Code::Indices,
                                span,
                                format!("the value has the axis `{}` twice: both need an index", axis.name),
                            )
                            .label("no index given")
                            .also(self.model.value(value).span, "defined here"),
                        ));
                    }
                    free.push(index);
                    Subscript::index(index)
                }
            };
            placed.push(subscript);
        }
        let mut axes: Vec<IndexId> = Vec::new();
        for index in free {
            if !axes.contains(&index) {
                axes.push(index);
            }
        }
        if let Some(declared) = self.pending.get(&value).copied() {
            let moved = placed
                .iter()
                .zip(&self.model.value(value).axes)
                .any(|(subscript, axis)| axis.time().is_some() && subscript.as_index().is_none());
            if !moved {
                let path = self.model.value(value).path.clone();
                return Err(self.report(
                    Diagnostic::new(Code::ReadBeforeDefined, span, format!("`{path}` is read above its equation"))
                        .label("at the current position")
                        .also(declared, "declared as a state here")
                        .help("move this equation below it, or read an earlier position: `[t-1]`"),
                ));
            }
        }
        let own = self.domain_of(value);
        let place = |index: IndexId| placed.get(index.0 as usize).cloned();
        domain.extend(own.iter().map(|condition| condition.at(&place)));
        Ok(Typed { term: Term::Read(value, placed.clone()), axes, domain, span })
    }

    /// Where a value exists, over its own indices.
    fn domain_of(&self, value: ValueId) -> Vec<crate::term::Condition> {
        match &self.model.value(value).kind {
            crate::model::ValueKind::Equation(equation) => equation.domain.clone(),
            crate::model::ValueKind::Input { .. }
            | crate::model::ValueKind::Weight { .. }
            | crate::model::ValueKind::Constant(_) => Vec::new(),
        }
    }

    /// One subscript of an axis: what it is, the indices it varies with, and where it exists.
    fn subscript(&mut self, scope: &Scope, draft: &mut Draft, axis: &Axis, expression: &Expression) -> Checked<Placed> {
        if self.names_axis_itself(scope, draft, axis, expression) {
            let index = self.current(draft, axis, expression.span)?;
            return Ok((Subscript::index(index), vec![index], Vec::new()));
        }
        if let Some(affine) = self.affine(scope, draft, axis, expression)? {
            let whole = |number: f64| number.fract() == 0.0 && number.abs() < 1e12;
            if whole(affine.constant) && affine.terms.iter().all(|(_, times)| whole(*times)) {
                self.must_be_inside(axis, &affine, expression)?;
                self.must_have_positions(draft, axis, &affine, expression.span)?;
                return Ok(self.affine_subscript(scope, draft, axis, affine));
            }
        }
        let typed = self.expression(scope, draft, expression)?;
        Ok((Subscript::Computed(Box::new(typed.term)), typed.axes, typed.domain))
    }

    /// Whether a subscript is the name of its own axis, which stands for the current entry: `q[t, heads]`. As a number it
    /// would be the size, which is never a place. The counter of a repeat stays a number.
    fn names_axis_itself(&self, scope: &Scope, draft: &Draft, axis: &Axis, expression: &Expression) -> bool {
        let ExpressionKind::Path(path) = &expression.kind else {
            return false;
        };
        let [name] = path.as_slice() else {
            return false;
        };
        let taken = draft.find(&name.text).is_some()
            || draft.locals.last().is_some_and(|locals| locals.contains_key(&name.text))
            || scope.counters.iter().any(|(counter, _)| *counter == name.text);
        if taken {
            return false;
        }
        match self.lookup(scope, path) {
            Some(Binding::Size(size)) => size.axis == axis.name && axis.time().is_none(),
            Some(Binding::Time(time)) => axis.time() == Some(time),
            Some(Binding::Value(_) | Binding::Instance(_) | Binding::Broken) | None => false,
        }
    }

    /// Refuses a fixed place outside an axis of known size: it could only ever be 0.
    fn must_be_inside(&mut self, axis: &Axis, affine: &Affine, expression: &Expression) -> Checked<()> {
        let Some(size) = axis.size() else {
            return Ok(());
        };
        let place = affine.constant + affine.last * (size as f64 - 1.0);
        if !affine.terms.is_empty() || (0.0..size as f64).contains(&place) {
            return Ok(());
        }
        let help = match &expression.kind {
            // The name of another axis of that size: its entries were meant, its number stands there.
            ExpressionKind::Path(path) if path.len() == 1 => {
                let name = &path[0].text;
                let letter = &name[..1];
                format!("the size `{name}` is a number here; to run over its entries name an index: `{letter}: {name}`")
            }
            _ => format!("they count from 0 to {}, which is also called `last`", size - 1),
        };
        Err(self.report(
            Diagnostic::new(
                Code::Indices,
                expression.span,
                format!("the axis `{}` has {size} {}, and {place} is not one of them", axis.name, entries(size)),
            )
            .label("outside")
            .help(help),
        ))
    }

    /// Refuses a table that is looked up at positions of a time axis and has too few entries: that is known before running
    /// where the axis's length is.
    fn must_have_positions(&mut self, draft: &Draft, axis: &Axis, affine: &Affine, span: Span) -> Checked<()> {
        let (Some(size), [(index, 1.0)]) = (axis.size(), affine.terms.as_slice()) else {
            return Ok(());
        };
        let over = draft.axis(*index).clone();
        let Some(length) = over.time().and_then(|time| self.model.length(time)) else {
            return Ok(());
        };
        let fits = affine.constant < 0.0 || affine.last != 0.0 || length as f64 + affine.constant <= size as f64;
        if fits || self.missing == super::Missing::Invent {
            return Ok(());
        }
        Err(self.report(
            Diagnostic::new(
                Code::AxisSize,
                span,
                format!(
                    "the time axis `{}` has {length} positions, `{}` only {size} {}",
                    over.name,
                    axis.name,
                    entries(size)
                ),
            )
            .label("a table that is looked up at a position has an entry for each"),
        ))
    }

    fn affine_subscript(&mut self, scope: &Scope, draft: &Draft, axis: &Axis, affine: Affine) -> Placed {
        let mut constant = affine.constant as i64;
        let mut terms: Vec<(IndexId, i64)> = Vec::new();
        for (index, times) in &affine.terms {
            match terms.iter_mut().find(|(known, _)| known == index) {
                Some((_, total)) => *total += *times as i64,
                None => terms.push((*index, *times as i64)),
            }
        }
        terms.retain(|(_, times)| *times != 0);
        terms.sort();
        let free: Vec<IndexId> = terms.iter().map(|(index, _)| *index).collect();
        let mut from_last = None;
        match axis.extent {
            Extent::Fixed(size) => constant += affine.last as i64 * (size as i64 - 1),
            Extent::Time(time) => {
                if affine.last != 0.0 {
                    from_last = Some(time);
                }
                if scope.backward {
                    // Position p is position last - p: an index runs as before, what is added to it changes sign, and a
                    // place counted from one end is counted from the other.
                    let over_time = terms.iter().any(|(index, _)| draft.axis(*index).time() == Some(time));
                    constant = -constant;
                    if !over_time {
                        from_last = if from_last.is_some() { None } else { Some(time) };
                    }
                }
            }
        }
        (Subscript::Affine { terms, constant, from_last }, free, Vec::new())
    }

    /// An expression as a sum of indices, if it is one.
    fn affine(
        &mut self,
        scope: &Scope,
        draft: &mut Draft,
        axis: &Axis,
        expression: &Expression,
    ) -> Checked<Option<Affine>> {
        let number = |constant: f64| Affine { terms: Vec::new(), constant, last: 0.0 };
        Ok(match &expression.kind {
            ExpressionKind::Number(value) => Some(number(*value)),
            ExpressionKind::Path(path) if path.len() == 1 => {
                let name = path[0].text.as_str();
                if let Some(index) = draft.find(name) {
                    return Ok(Some(Affine { terms: vec![(index, 1.0)], constant: 0.0, last: 0.0 }));
                }
                if draft.locals.last().is_some_and(|locals| locals.contains_key(name)) {
                    return Ok(None);
                }
                match self.lookup(scope, path) {
                    Some(Binding::Size(size)) => return Ok(Some(number(size.value))),
                    Some(_) => return Ok(None),
                    None => {}
                }
                match name {
                    "t" => {
                        let over = match axis.extent {
                            Extent::Time(_) => axis.clone(),
                            Extent::Fixed(_) => {
                                let time = self.only_time(scope, expression.span)?;
                                self.time_axis(time)
                            }
                        };
                        let index = self.current(draft, &over, expression.span)?;
                        if scope.backward && axis.time().is_none() {
                            return Ok(None);
                        }
                        Some(Affine { terms: vec![(index, 1.0)], constant: 0.0, last: 0.0 })
                    }
                    "last" => Some(Affine { terms: Vec::new(), constant: 0.0, last: 1.0 }),
                    _ => None,
                }
            }
            ExpressionKind::Negate(value) => self.affine(scope, draft, axis, value)?.map(|value| scale(value, -1.0)),
            ExpressionKind::Binary(operator, left, right) => {
                let (left, right) =
                    match (self.affine(scope, draft, axis, left)?, self.affine(scope, draft, axis, right)?) {
                        (Some(left), Some(right)) => (left, right),
                        _ => return Ok(None),
                    };
                match operator {
                    Operator::Add => Some(add(left, right)),
                    Operator::Subtract => Some(add(left, scale(right, -1.0))),
                    Operator::Multiply if is_number(&left) => Some(scale(right, left.constant)),
                    Operator::Multiply if is_number(&right) => Some(scale(left, right.constant)),
                    Operator::Divide if is_number(&left) && is_number(&right) => {
                        Some(number(left.constant / right.constant))
                    }
                    Operator::Multiply | Operator::Divide | Operator::Remainder | Operator::Power => None,
                }
            }
            ExpressionKind::Path(_)
            | ExpressionKind::Subscript(..)
            | ExpressionKind::Call(_)
            | ExpressionKind::Condition(_)
            | ExpressionKind::Where(_) => None,
        })
    }

    /// The one time axis in reach.
    pub fn only_time(&mut self, scope: &Scope, span: Span) -> Checked<TimeId> {
        match scope.times.as_slice() {
            [time] => Ok(*time),
            [] => Err(self.report(
                Diagnostic::new(Code::Indices, span, "nothing here has positions")
                    .label("there is no current position"),
            )),
            many => {
                let names: Vec<&str> = many.iter().map(|time| self.model.times[time.0 as usize].as_str()).collect();
                let names = names.join(" or ");
                Err(self.report(
                    Diagnostic::new(Code::Indices, span, format!("a position of {names}: which is meant?"))
                        .label("several time axes are in reach")
                        .help("name the index on the left of the equation"),
                ))
            }
        }
    }
}

fn is_number(value: &Affine) -> bool {
    value.terms.is_empty() && value.last == 0.0
}

fn scale(value: Affine, by: f64) -> Affine {
    Affine {
        terms: value.terms.into_iter().map(|(index, times)| (index, times * by)).collect(),
        constant: value.constant * by,
        last: value.last * by,
    }
}

fn add(left: Affine, right: Affine) -> Affine {
    let mut terms = left.terms;
    terms.extend(right.terms);
    Affine { terms, constant: left.constant + right.constant, last: left.last + right.last }
}

fn entries(count: usize) -> &'static str {
    if count == 1 { "entry" } else { "entries" }
}
