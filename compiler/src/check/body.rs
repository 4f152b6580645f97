//! The statements of a body, in turn.

use super::expression::renumber;
use super::index::Draft;
use super::scope::{Binding, Instance, Scope, SizeValue, names_time};
use super::{Checked, Checker, ItemKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Value, ValueKind};
use crate::source::Span;
use crate::syntax::tree::{Axes, Equation, Expression, ExpressionKind, Literal, LiteralKind, Name, Size, Statement};
use crate::term::{Axis, Extent, IndexId, Subscript, Term, TimeId, ValueId};
use std::rc::Rc;

impl Checker<'_> {
    /// All statements; the last equation's binding is what a definition gives where it says nothing.
    pub fn statements(&mut self, scope: &mut Scope, statements: &[Statement]) -> Checked<()> {
        for statement in statements {
            note_later(scope, statement);
        }
        let mut failed = false;
        for statement in statements {
            self.step(first_span(statement))?;
            failed |= self.statement(scope, statement).is_err();
        }
        if failed { Err(super::Failed) } else { Ok(()) }
    }

    fn statement(&mut self, scope: &mut Scope, statement: &Statement) -> Checked<()> {
        match statement {
            Statement::State { names, axes, before } => self.state(scope, names, axes, before.as_ref()),
            Statement::Weight { names, axes } => {
                for name in names {
                    let made = self.declared_axes(scope, axes).and_then(|axes| {
                        let path = scope.path_of(&name.text);
                        let outputs = axes.len().min(1);
                        self.weight(path, axes, outputs, name.span)
                    });
                    self.define(scope, name, made.map(Binding::Value))?;
                }
                Ok(())
            }
            Statement::Constant { name, axes, literal } => {
                let made = self.constant(scope, name, axes, literal);
                self.define(scope, name, made.map(Binding::Value))
            }
            Statement::Parallel(paths) => paths.iter().try_for_each(|path| self.assert_parallel(scope, path)),
            Statement::Repeat { counter, from, to, body } => self.repeat(scope, counter, from, to, body),
            Statement::Equation(equation) => self.equation(scope, equation),
        }
    }

    /// Binds a name, refusing one that is taken.
    fn define(&mut self, scope: &mut Scope, name: &Name, made: Checked<Binding>) -> Checked<()> {
        scope.later.remove(&name.text);
        let carried = scope.carried.as_ref().is_some_and(|carried| carried.contains(&name.text));
        if let Some(first) = scope.names.get(&name.text) {
            let broken = matches!(first.binding, Binding::Broken);
            if !carried && !broken {
                let first = first.span;
                return Err(self.report(
                    Diagnostic::new(Code::DefinedTwice, name.span, format!("`{}` is given twice", name.text))
                        .label("again here")
                        .also(first, "first here")
                        .help("a value has one equation; give the second another name"),
                ));
            }
        }
        let (binding, result) = match made {
            Ok(binding) => (binding, Ok(())),
            Err(failed) => (Binding::Broken, Err(failed)),
        };
        scope.bind(&name.text, binding, name.span);
        result
    }

    /// The axes of a declaration.
    pub fn declared_axes(&mut self, scope: &mut Scope, axes: &Axes) -> Checked<Vec<Axis>> {
        let mut all = Vec::new();
        for entry in &axes.entries {
            if names_time(&entry.name.text) {
                self.declared_length(scope, entry)?;
            } else if let Some(value) = &entry.value {
                let size = self.size_expression(scope, value)?;
                let size = SizeValue { value: size.value, axis: entry.name.text.clone() };
                if !scope.names.contains_key(&entry.name.text) {
                    scope.bind(&entry.name.text, Binding::Size(size), entry.name.span);
                }
            }
            all.push(self.axis_named(scope, &entry.name)?);
        }
        Ok(all)
    }

    /// The time axis of a state that names none: the one in reach.
    fn time_of_state(&mut self, scope: &Scope, name: &str, declared: &Axes) -> Checked<TimeId> {
        let [_, _, ..] = scope.times.as_slice() else { return self.only_time(scope, declared.span) };
        let times: Vec<&str> = scope.times.iter().map(|time| self.model.times[time.0 as usize].as_str()).collect();
        let features: String = declared.entries.iter().map(|entry| format!(", {}", entry.name.text)).collect();
        let message = format!("the state `{name}` runs over {}: which is meant?", times.join(" or "));
        let help = format!("say it first: `state {name}: [{}{features}]`", times[0]);
        Err(self.report(
            Diagnostic::new(Code::Indices, declared.span, message).label("several time axes are in reach").help(help),
        ))
    }

    /// A time axis of a declaration: where it is given a length, `[P = 16]`, it has that.
    pub fn declared_length(&mut self, scope: &mut Scope, entry: &Size) -> Checked<()> {
        let Some(value) = &entry.value else { return Ok(()) };
        let length = self.size_expression(scope, value)?.value;
        match scope.names.get(&entry.name.text).map(|bound| bound.binding.clone()) {
            Some(Binding::Time(time)) => self.must_have_length(time, length, entry, value.span),
            Some(_) => Ok(()),
            None => self.bind_known_time(scope, &entry.name.text, length, entry.name.span),
        }
    }

    fn state(
        &mut self,
        scope: &mut Scope,
        names: &[Name],
        declared: &Axes,
        before: Option<&Expression>,
    ) -> Checked<()> {
        let made = self.declared_axes(scope, declared).and_then(|axes| {
            if axes.first().is_some_and(|axis| axis.time().is_some()) {
                return Ok(axes);
            }
            let time = self.time_of_state(scope, &names[0].text, declared)?;
            Ok([self.time_axis(time)].into_iter().chain(axes).collect())
        });
        for name in names {
            let state = match &made {
                Err(_) => Err(super::Failed),
                Ok(axes) => self.before(scope, name, axes, before).map(|before| {
                    let equation = crate::model::Equation {
                        indices: Vec::new(),
                        term: Term::Number(0.0),
                        domain: Vec::new(),
                        before,
                        is_state: true,
                    };
                    let path = scope.path_of(&name.text);
                    let kind = ValueKind::Equation(equation);
                    self.model.values.push(Value { path, span: name.span, axes: axes.clone(), kind });
                    let value = ValueId(self.model.values.len() as u32 - 1);
                    self.pending.insert(value, name.span);
                    Binding::Value(value)
                }),
            };
            self.define(scope, name, state)?;
        }
        Ok(())
    }

    /// The value of a state before the first position: none for zero.
    fn before(
        &mut self,
        scope: &Scope,
        name: &Name,
        axes: &[Axis],
        before: Option<&Expression>,
    ) -> Checked<Option<ValueId>> {
        let Some(expression) = before else {
            return Ok(None);
        };
        if matches!(expression.kind, ExpressionKind::Number(0.0)) {
            return Ok(None);
        }
        let path = format!("{}.before", scope.path_of(&name.text));
        let mut draft = Draft::new(&name.text, path.clone(), path);
        let typed = self.expression(scope, &mut draft, expression)?;
        let wanted: Vec<&Axis> = axes.iter().filter(|axis| axis.time().is_none()).collect();
        for index in &typed.axes {
            if !wanted.contains(&draft.axis(*index)) {
                let axis = draft.axis(*index).name.clone();
                return Err(self.report(
                    Diagnostic::new(
                        Code::Axes,
                        expression.span,
                        format!("this has the axis `{axis}`, the state has not"),
                    )
                    .label("the value before the first position")
                    .also(name.span, "the state"),
                ));
            }
        }
        let order: Vec<IndexId> =
            wanted.iter().map(|axis| self.current(&mut draft, axis, expression.span)).collect::<Checked<_>>()?;
        let path = draft.path.clone();
        Ok(Some(self.add_equation(&draft, path, typed, order, false, None)))
    }

    /// Notes a value that the file asserts to be parallel; whether it is, is told when the model is whole.
    fn assert_parallel(&mut self, scope: &Scope, path: &[Name]) -> Checked<()> {
        let span = path[0].span.to(path[path.len() - 1].span);
        let value = match self.lookup(scope, path) {
            None => return Err(self.unknown(scope, path, None)),
            Some(Binding::Broken) => return Err(super::Failed),
            Some(Binding::Value(value)) => value,
            Some(Binding::Instance(instance)) => instance.result,
            Some(Binding::Size(_) | Binding::Time(_)) => {
                return Err(self.report(
                    Diagnostic::new(Code::WrongKind, span, "a size stands where a value is wanted")
                        .label("a size has no recurrence")
                        .help("name a value, or the state of a cell: `assert parallel cell.h`"),
                ));
            }
        };
        self.model.parallel.push((value, span));
        Ok(())
    }

    fn constant(&mut self, scope: &mut Scope, name: &Name, axes: &Axes, literal: &Literal) -> Checked<ValueId> {
        let axes = self.declared_axes(scope, axes)?;
        self.without_positions(&axes, name.span, "a constant")?;
        let mut numbers = Vec::new();
        self.literal(&axes, literal, &mut numbers)?;
        let path = scope.path_of(&name.text);
        self.model.values.push(Value { path, span: name.span, axes, kind: ValueKind::Constant(numbers) });
        Ok(ValueId(self.model.values.len() as u32 - 1))
    }

    fn literal(&mut self, axes: &[Axis], literal: &Literal, numbers: &mut Vec<f64>) -> Checked<()> {
        match (&literal.kind, axes.split_first()) {
            (LiteralKind::Number(number), None) => {
                numbers.push(*number);
                Ok(())
            }
            (LiteralKind::List(list), Some((axis, rest))) => {
                if axis.size() != Some(list.len()) {
                    let wanted = axis.size().unwrap_or(0);
                    return Err(self.report(
                        Diagnostic::new(
                            Code::Literal,
                            literal.span,
                            format!("{} entries for the axis `{}`, which has {wanted}", list.len(), axis.name),
                        )
                        .label("this list"),
                    ));
                }
                list.iter().try_for_each(|item| self.literal(rest, item, numbers))
            }
            (LiteralKind::Number(_), Some((axis, _))) => Err(self.report(
                Diagnostic::new(Code::Literal, literal.span, format!("a list along `{}` is wanted here", axis.name))
                    .label("a number"),
            )),
            (LiteralKind::List(_), None) => Err(self.report(
                Diagnostic::new(Code::Literal, literal.span, "a number is wanted here").label("a list: one too many"),
            )),
        }
    }

    fn repeat(
        &mut self,
        scope: &mut Scope,
        counter: &Name,
        from: &Expression,
        to: &Expression,
        body: &[Statement],
    ) -> Checked<()> {
        let (low, high) = (self.size_expression(scope, from)?, self.size_expression(scope, to)?);
        let whole = |value: f64| value.fract() == 0.0 && (0.0..=1e6).contains(&value);
        if self.missing == super::Missing::Refuse && !(whole(low.value) && whole(high.value)) {
            let span = from.span.to(to.span);
            return Err(self.report(
                Diagnostic::new(Code::Size, span, format!("a repeat runs from {} to {}", low.value, high.value))
                    .label("both must be whole numbers from 0 to 1,000,000"),
            ));
        }
        let first = low.value as usize;
        let mut end = high.value as usize;
        if self.missing == super::Missing::Invent {
            end = end.min(first.saturating_add(2));
        }
        let outer: Vec<String> = scope.names.keys().cloned().collect();
        let (carried, path) = (scope.carried.replace(outer.clone()), scope.path.clone());
        let mut result = Ok(());
        for iteration in first..end {
            if self.step(from.span.to(to.span)).is_err() {
                result = Err(super::Failed);
                break;
            }
            scope.path = super::scope::join(&super::scope::join(&path, &counter.text), &iteration.to_string());
            let size = SizeValue { value: iteration as f64, axis: counter.text.clone() };
            scope.bind(&counter.text, Binding::Size(size), counter.span);
            scope.counters.push((counter.text.clone(), iteration));
            let before = scope.names.clone();
            let done = self.statements(scope, body);
            scope.counters.pop();
            self.remember(scope, &before);
            scope.names.retain(|name, _| outer.contains(name));
            if done.is_err() {
                result = done;
                break;
            }
        }
        scope.path = path;
        scope.carried = carried;
        let axis = match &to.kind {
            ExpressionKind::Path(name) if name.len() == 1 => name[0].text.clone(),
            _ => counter.text.clone(),
        };
        for (name, (span, values)) in std::mem::take(&mut scope.gathered) {
            let gathered = self.gather(scope, &name, &axis, &values, span);
            let name = Name { text: name, span };
            self.define(scope, &name, gathered.map(Binding::Value))?;
        }
        result
    }

    /// The values that `name[counter] = …` gave over the iterations of a repeat, as one value along a new axis.
    fn gather(&mut self, scope: &Scope, name: &str, axis: &str, values: &[ValueId], span: Span) -> Checked<ValueId> {
        let mut draft = Draft::new(name, scope.path_of(name), scope.path_of(name));
        let axis = Axis { name: axis.to_string(), extent: Extent::Fixed(values.len()) };
        let index = draft.fresh(&axis.name.clone(), axis);
        let first = self.model.value(values[0]).axes.clone();
        let own: Vec<IndexId> = first.iter().map(|axis| draft.fresh(&axis.name, axis.clone())).collect();
        let mut pieces = Vec::new();
        for (place, value) in values.iter().enumerate() {
            let axes = &self.model.value(*value).axes;
            if *axes != first {
                let one = self.shown_axes(&first);
                let two = self.shown_axes(axes);
                return Err(self.report(Diagnostic::new(
                    Code::Axes,
                    span,
                    format!("the iterations give values with different axes: {one} and {two}"),
                )));
            }
            pieces.push((place, Term::Read(*value, own.iter().map(|index| Subscript::index(*index)).collect())));
        }
        let order: Vec<IndexId> = [index].into_iter().chain(own).collect();
        let equation = renumber(&draft, &order, Term::Pieces(index, pieces), Vec::new(), false, None);
        let axes = order.iter().map(|index| draft.axis(*index).clone()).collect();
        let path = scope.path_of(name);
        self.model.values.push(Value { path, span, axes, kind: ValueKind::Equation(equation) });
        Ok(ValueId(self.model.values.len() as u32 - 1))
    }

    fn equation(&mut self, scope: &mut Scope, equation: &Equation) -> Checked<()> {
        if let Some((gathered, rest)) = gathers(scope, equation) {
            let inner = Equation { indices: rest, ..equation.clone() };
            let made = self.equation_value(scope, &inner, None)?;
            let value = match made {
                Binding::Value(value) => value,
                Binding::Instance(instance) => instance.result,
                Binding::Size(_) | Binding::Time(_) | Binding::Broken => return Err(super::Failed),
            };
            scope.later.remove(&gathered);
            scope.gathered.entry(gathered).or_insert((equation.name.span, Vec::new())).1.push(value);
            return Ok(());
        }
        let state = match scope.names.get(&equation.name.text).map(|bound| bound.binding.clone()) {
            Some(Binding::Value(value)) if self.pending.contains_key(&value) => Some(value),
            _ => None,
        };
        let made = self.equation_value(scope, equation, state);
        match state {
            None => self.define(scope, &equation.name, made),
            Some(_) => {
                scope.later.remove(&equation.name.text);
                match made {
                    Ok(_) => Ok(()),
                    Err(failed) => {
                        scope.bind(&equation.name.text, Binding::Broken, equation.name.span);
                        Err(failed)
                    }
                }
            }
        }
    }

    /// What an equation gives: a value, or an instance where it is a call of a definition and nothing else.
    fn equation_value(&mut self, scope: &mut Scope, equation: &Equation, state: Option<ValueId>) -> Checked<Binding> {
        let name = &equation.name.text;
        let mut draft = Draft::new(name, scope.equation_path(name), scope.path_of(name));
        let made = self.equation_with(scope, &mut draft, equation, state);
        for (name, size) in std::mem::take(&mut draft.introduced) {
            scope.bind(&name.text, Binding::Size(size), name.span);
        }
        if state.is_none()
            && let Ok(Binding::Value(value)) = &made
        {
            // An equation that is no more than another value's name gives that value, where it may.
            return Ok(Binding::Value(*value));
        }
        made
    }

    fn equation_with(
        &mut self,
        scope: &mut Scope,
        draft: &mut Draft,
        equation: &Equation,
        state: Option<ValueId>,
    ) -> Checked<Binding> {
        if state.is_none()
            && equation.indices.is_empty()
            && equation.clause.conditions.is_empty()
            && let ExpressionKind::Call(call) = &equation.clause.value.kind
            && let Some(item) = self.program.item(scope.file, &call.name.text)
            && let ItemKind::Definition(place) = item.kind
        {
            let span = equation.clause.value.span;
            let instance: Rc<Instance> = self.instance(scope, draft, call, (item.file, place), span)?;
            return Ok(Binding::Instance(instance));
        }
        let mut order: Vec<IndexId> = Vec::new();
        for index in &equation.indices {
            let axis = self.axis_of_index(scope, draft, index, &[&equation.clause])?;
            if draft.find(&index.name.text).is_some() {
                return Err(self.report(
                    Diagnostic::new(Code::Indices, index.name.span, format!("`{}` is named twice", index.name.text))
                        .label("again here"),
                ));
            }
            let fresh = draft.fresh(&index.name.text, axis);
            draft.named.push((index.name.text.clone(), fresh));
            order.push(fresh);
        }
        let mut typed = self.clause(scope, draft, &equation.clause)?;
        typed.span = equation.name.span;
        let path = scope.path_of(&equation.name.text);
        let Some(state) = state else {
            return Ok(Binding::Value(self.add_equation(draft, path, typed, order, false, None)));
        };
        let axes = self.model.value(state).axes.clone();
        let declared: Vec<IndexId> =
            axes.iter().map(|axis| self.current(draft, axis, equation.name.span)).collect::<Checked<_>>()?;
        if let Some(extra) = typed.axes.iter().chain(&order).find(|index| !declared.contains(index)) {
            let extra = draft.axis(*extra).name.clone();
            let shown = self.shown_axes(&axes);
            let place = self.model.value(state).span;
            return Err(self.report(
                Diagnostic::new(
                    Code::Axes,
                    equation.clause.value.span,
                    format!("the equation of `{}` varies with `{extra}`, the state does not", equation.name.text),
                )
                .label(format!("has the axis `{extra}`"))
                .also(place, format!("declared with {shown}")),
            ));
        }
        let before = match &self.model.value(state).kind {
            ValueKind::Equation(equation) => equation.before,
            ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Constant(_) => None,
        };
        let made = renumber(draft, &declared, typed.term, typed.domain, true, before);
        let value = &mut self.model.values[state.0 as usize];
        value.kind = ValueKind::Equation(made);
        // From here on it is its equation that messages speak of.
        value.span = equation.name.span;
        self.pending.remove(&state);
        Ok(Binding::Value(state))
    }
}

/// `last[layer] = …` inside `repeat layer`: the name, and the indices that are left.
fn gathers(scope: &Scope, equation: &Equation) -> Option<(String, Vec<crate::syntax::tree::Index>)> {
    let first = equation.indices.first()?;
    let (counter, _) = scope.counters.last()?;
    (first.name.text == *counter && first.axis.is_none())
        .then(|| (equation.name.text.clone(), equation.indices[1..].to_vec()))
}

/// Notes the names that a statement will give, for better advice on one that is read too early.
fn note_later(scope: &mut Scope, statement: &Statement) {
    match statement {
        Statement::Equation(equation) => {
            if !scope.names.contains_key(&equation.name.text) {
                scope.later.insert(equation.name.text.clone(), equation.name.span);
            }
        }
        Statement::Repeat { .. }
        | Statement::State { .. }
        | Statement::Weight { .. }
        | Statement::Constant { .. }
        | Statement::Parallel(_) => {}
    }
}

fn first_span(statement: &Statement) -> Span {
    match statement {
        Statement::State { names, .. } | Statement::Weight { names, .. } => names[0].span,
        Statement::Constant { name, .. } => name.span,
        Statement::Repeat { counter, .. } => counter.span,
        Statement::Parallel(paths) => paths[0][0].span,
        Statement::Equation(equation) => equation.name.span,
    }
}
