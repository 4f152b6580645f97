//! What can be called: functions of numbers, contractions, reductions, joins, functions of the file and definitions.

use super::expression::{extend_domain, number, union};
use super::index::{Draft, Typed};
use super::scope::{Binding, Scope, SizeValue};
use super::{Checked, Checker, ItemKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Value, ValueKind};
use crate::source::Span;
use crate::syntax::tree::{Call, ExpressionKind, Name, Size};
use crate::term::{Axis, Binary, Extent, IndexId, Reduction, Subscript, Term, Unary, ValueId};

/// Functions with a meaning of their own, besides those of one number.
const BUILTIN: [&str; 16] = [
    "dot", "outer", "affine", "linear", "concat", "stack", "flatten", "select", "length", "sum", "mean", "max", "min",
    "softmax", "pi", "last",
];

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
    fn shape_of_call(&mut self, call: &Call, wanted: usize, over: bool, sizes: bool) -> Checked<()> {
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
        if draft.locals.len() > 32 {
            return Err(self.report(
                Diagnostic::new(Code::Circular, call.name.span, format!("`{}` uses itself", function.name.text))
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
        let inner = Scope { times: scope.times.clone(), ..Scope::new(file, scope.path.clone(), scope.backward) };
        let result = self.expression(&inner, draft, &function.body);
        draft.locals.pop();
        Ok(Typed { span, ..result? })
    }

    /// A term as a value of its own, read at the same indices.
    fn apart(&mut self, draft: &Draft, typed: Typed, name: &str) -> Typed {
        let path = format!("{}.{name}", draft.path);
        let axes = typed.axes.clone();
        let (domain, span) = (typed.domain.clone(), typed.span);
        let value = self.add_equation(draft, path, typed, axes.clone(), false, None);
        let subscripts = axes.iter().map(|index| Subscript::index(*index)).collect();
        Typed { term: Term::Read(value, subscripts), axes, domain, span }
    }

    /// `dot(a, b)`: their product summed over an axis of both.
    fn dot(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        self.shape_of_call(call, 2, true, false)?;
        let left = self.clause(scope, draft, &call.arguments[0])?;
        let right = self.clause(scope, draft, &call.arguments[1])?;
        let over = if call.over.is_empty() {
            let feature = |axes: &[IndexId]| -> Vec<IndexId> {
                axes.iter()
                    .copied()
                    .filter(|index| draft.axis(*index).time().is_none() && !draft.is_named(*index))
                    .collect()
            };
            let (left_axes, right_axes) = (feature(&left.axes), feature(&right.axes));
            let last_of =
                |one: &[IndexId], other: &[IndexId]| one.last().copied().filter(|index| other.contains(index));
            match last_of(&left_axes, &right_axes).or_else(|| last_of(&right_axes, &left_axes)) {
                Some(index) => vec![index],
                None => {
                    let shown = |axes: &[IndexId]| {
                        let names: Vec<&str> = axes.iter().map(|index| draft.axis(*index).name.as_str()).collect();
                        format!("[{}]", names.join(", "))
                    };
                    let (one, two) = (shown(&left_axes), shown(&right_axes));
                    return Err(self.report(
                        Diagnostic::new(Code::Axes, span, format!("`dot` finds no axis of both: {one} and {two}"))
                            .label("it sums over the last axis of one that the other has too")
                            .also(left.span, format!("this has {one}"))
                            .also(right.span, format!("this has {two}"))
                            .help("name the axis: `dot over dim (a, b)`"),
                    ));
                }
            }
        } else {
            let mut over = Vec::new();
            for index in &call.over {
                let axis = self.axis_named(scope, &index.name)?;
                over.push(self.among(draft, &axis, &[&left, &right], index.name.span)?);
            }
            over
        };
        let axes: Vec<IndexId> =
            union(&left.axes, &right.axes).into_iter().filter(|index| !over.contains(index)).collect();
        let mut domain = left.domain;
        extend_domain(&mut domain, right.domain);
        let body = Term::binary(Binary::Multiply, left.term, right.term);
        Ok(self.summed(draft, Typed { term: body, axes, domain, span }, &over))
    }

    /// The index of an axis among those of the values.
    fn among(&mut self, draft: &Draft, axis: &Axis, values: &[&Typed], span: Span) -> Checked<IndexId> {
        for value in values {
            if let Some(index) = value.axes.iter().find(|index| draft.axis(**index) == axis) {
                return Ok(*index);
            }
        }
        Err(self.report(
            Diagnostic::new(Code::Axes, span, format!("no value here has the axis `{}`", axis.name)).label("not found"),
        ))
    }

    /// The sum of a term over some of its indices, which get fresh numbers.
    fn summed(&mut self, draft: &mut Draft, typed: Typed, over: &[IndexId]) -> Typed {
        let fresh: Vec<(IndexId, IndexId)> = over
            .iter()
            .map(|index| {
                let axis = draft.axis(*index).clone();
                (*index, draft.fresh(&axis.name.clone(), axis))
            })
            .collect();
        let mut moved = |index: IndexId| fresh.iter().find(|(old, _)| *old == index).map_or(index, |(_, new)| *new);
        let body = typed.term.rename(&mut moved);
        let (inside, outside): (Vec<_>, Vec<_>) = typed.domain.into_iter().partition(|condition| {
            over.iter().any(|index| condition.left.mentions(*index) || condition.right.mentions(*index))
        });
        let inside = inside
            .into_iter()
            .map(|condition| crate::term::Condition {
                left: condition.left.rename(&mut moved),
                comparator: condition.comparator,
                right: condition.right.rename(&mut moved),
            })
            .collect();
        let over = fresh.iter().map(|(_, new)| *new).collect();
        let term = Term::Reduce { reduction: Reduction::Sum, over, domain: inside, body: Box::new(body) };
        Typed { term, axes: typed.axes, domain: outside, span: typed.span }
    }

    /// `affine(x, h; size)` and `linear(…)`: weights times values, all their features to the axes named.
    fn affine_call(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        let name = &call.name.text;
        if call.arguments.is_empty() || call.sizes.is_empty() {
            return Err(self.report(
                Diagnostic::new(
                    Code::Arguments,
                    span,
                    format!("`{name}` takes values, and after `;` the axes it gives"),
                )
                .help(format!("for example `{name}(x; hidden)`")),
            ));
        }
        self.claim_weights(draft, span)?;
        let mut outputs: Vec<Axis> = Vec::new();
        for size in &call.sizes {
            let (axis, _) = self.axis_of_size(scope, draft, size)?;
            outputs.push(axis);
        }
        let mut total: Option<Typed> = None;
        for argument in &call.arguments {
            let value = self.clause(scope, draft, argument)?;
            let inputs: Vec<IndexId> = if call.over.is_empty() {
                value
                    .axes
                    .iter()
                    .copied()
                    .filter(|index| draft.axis(*index).time().is_none() && !draft.is_named(*index))
                    .collect()
            } else {
                let mut inputs = Vec::new();
                for index in &call.over {
                    let axis = self.axis_named(scope, &index.name)?;
                    inputs.push(self.among(draft, &axis, &[&value], index.name.span)?);
                }
                inputs
            };
            let path = if call.arguments.len() == 1 {
                draft.path.clone()
            } else {
                let part = self.name_of_argument(&argument.value)?;
                super::scope::join(&draft.path, &part)
            };
            let axes: Vec<Axis> =
                outputs.iter().cloned().chain(inputs.iter().map(|index| draft.axis(*index).clone())).collect();
            let weight = self.weight(path, axes, outputs.len(), span)?;
            // The inputs are summed over and get fresh indices, so that an axis may go to itself.
            let remaining: Vec<IndexId> = value.axes.iter().copied().filter(|index| !inputs.contains(index)).collect();
            let mut subscripts: Vec<Subscript> = Vec::new();
            let product = Typed { axes: remaining, ..value };
            let mut summed = self.summed(draft, product, &inputs);
            let fresh = match &summed.term {
                Term::Reduce { over, .. } => over.clone(),
                _ => Vec::new(),
            };
            let mut axes = summed.axes.clone();
            for axis in &outputs {
                let index = self.current(draft, axis, span)?;
                subscripts.push(Subscript::index(index));
                if !axes.contains(&index) {
                    axes.push(index);
                }
            }
            subscripts.extend(fresh.iter().map(|index| Subscript::index(*index)));
            if let Term::Reduce { body, .. } = &mut summed.term {
                let inner = std::mem::replace(&mut **body, Term::Number(0.0));
                **body = Term::binary(Binary::Multiply, inner, Term::Read(weight, subscripts));
            }
            let part = Typed { axes, span, ..summed };
            total = Some(match total {
                None => part,
                Some(sum) => self.elementwise(draft, Binary::Add, sum, part, span)?,
            });
        }
        let Some(mut total) = total else {
            return Err(super::Failed);
        };
        if name == "affine" {
            let path = super::scope::join(&draft.path, "bias");
            let bias = self.weight(path, outputs.clone(), outputs.len(), span)?;
            let mut subscripts = Vec::new();
            for axis in &outputs {
                subscripts.push(Subscript::index(self.current(draft, axis, span)?));
            }
            total.term = Term::binary(Binary::Add, total.term, Term::Read(bias, subscripts));
        }
        Ok(Typed { span, ..total })
    }

    /// How a value is called in the name of its weights: `x` for `x`, `h` for `h[t-1]`.
    fn name_of_argument(&mut self, argument: &crate::syntax::tree::Expression) -> Checked<String> {
        match &argument.kind {
            ExpressionKind::Path(path) => Ok(path[path.len() - 1].text.clone()),
            ExpressionKind::Subscript(base, _) => self.name_of_argument(base),
            ExpressionKind::Number(_)
            | ExpressionKind::Negate(_)
            | ExpressionKind::Binary(..)
            | ExpressionKind::Call(_)
            | ExpressionKind::Condition(_)
            | ExpressionKind::Where(_) => Err(self.report(
                Diagnostic::new(Code::TwoWeights, argument.span, "the weights of this value would have no name")
                    .label("not a name")
                    .help("with several values, each weight is named after its value: give this one a name in an equation of its own"),
            )),
        }
    }

    /// Notes that a part of the equation has weights; refuses a second one.
    pub fn claim_weights(&mut self, draft: &mut Draft, span: Span) -> Checked<()> {
        match draft.weights {
            Some(first) if first != span => {
                let name = draft.name.clone();
                Err(self.report(
                    Diagnostic::new(
                        Code::TwoWeights,
                        span,
                        format!("the equation of `{name}` would need two names for its weights"),
                    )
                    .label("has weights")
                    .also(first, "has weights too")
                    .help("weights are named by their equation: give one of the two parts an equation of its own, and read it here by name"),
                ))
            }
            _ => {
                draft.weights = Some(span);
                Ok(())
            }
        }
    }

    /// Adds a weight to the model.
    pub fn weight(&mut self, path: String, axes: Vec<Axis>, outputs: usize, span: Span) -> Checked<ValueId> {
        self.without_positions(&axes, span, "a weight")?;
        if let Some(first) = self.weights.get(&path) {
            let first = *first;
            let mut diagnostic =
                Diagnostic::new(Code::SameWeight, span, format!("two weights would be called `{path}`"))
                    .help("give the equation, or the value whose weight it is, another name");
            if first == span {
                diagnostic = diagnostic.label("two of these values have the same name");
            } else {
                diagnostic = diagnostic.label("the second").also(first, "the first");
            }
            return Err(self.report(diagnostic));
        }
        self.weights.insert(path.clone(), span);
        self.model.values.push(Value { path, span, axes, kind: ValueKind::Weight { outputs } });
        Ok(ValueId(self.model.values.len() as u32 - 1))
    }

    /// Refuses axes of positions where sizes must be known before anything runs.
    pub fn without_positions(&mut self, axes: &[Axis], span: Span, what: &str) -> Checked<()> {
        match axes.iter().find(|axis| axis.time().is_some()) {
            None => Ok(()),
            Some(axis) => Err(self.report(
                Diagnostic::new(Code::Axes, span, format!("{what} would have the time axis `{}`", axis.name))
                    .label("its size is not known before running")
                    .help("the axes of weights and constants are sizes: declare one, or reduce over the positions"),
            )),
        }
    }

    /// The axis that an entry after `;` gives: a known one, or a new one that later equations see too.
    pub fn axis_of_size(&mut self, scope: &Scope, draft: &mut Draft, size: &Size) -> Checked<(Axis, bool)> {
        match self.known_or_given(scope, draft, size)? {
            Some(known) => Ok((self.size_axis(&known, size.name.span)?, true)),
            None => Err(self.unknown(scope, std::slice::from_ref(&size.name), None)),
        }
    }

    fn known_or_given(&mut self, scope: &Scope, draft: &mut Draft, size: &Size) -> Checked<Option<SizeValue>> {
        let known = match self.lookup(scope, std::slice::from_ref(&size.name)) {
            Some(Binding::Size(known)) => Some(known),
            Some(Binding::Broken) => return Err(super::Failed),
            Some(Binding::Value(_) | Binding::Instance(_) | Binding::Time(_)) => {
                let mut diagnostic =
                    Diagnostic::new(Code::WrongKind, size.name.span, format!("`{}` is not a size", size.name.text))
                        .label("an axis is wanted here")
                        .help("values stand before the `;`, sizes after it");
                if let Some(bound) = scope.names.get(&size.name.text) {
                    diagnostic = diagnostic.also(bound.span, "this is a value");
                }
                return Err(self.report(diagnostic));
            }
            None => draft.introduced.iter().find(|(name, _)| name.text == size.name.text).map(|(_, size)| size.clone()),
        };
        let Some(expression) = &size.value else {
            return Ok(known);
        };
        let value = self.size_expression(scope, expression)?;
        match known {
            Some(known) if known.value != value.value => {
                let mut diagnostic = Diagnostic::new(
                    Code::AxisSize,
                    size.name.span,
                    format!("`{}` is {} already, and would become {}", size.name.text, known.value, value.value),
                )
                .label(format!("{} here", value.value))
                .help("give the new axis a name of its own");
                if let Some(bound) = scope.names.get(&size.name.text) {
                    diagnostic = diagnostic.also(bound.span, format!("{} here", known.value));
                }
                Err(self.report(diagnostic))
            }
            Some(known) => Ok(Some(known)),
            None => {
                let new = SizeValue { value: value.value, axis: size.name.text.clone() };
                draft.introduced.push((size.name.clone(), new.clone()));
                Ok(Some(new))
            }
        }
    }

    /// The axis that joins others: named after `;`, with the size they give it.
    fn joined_axis(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, total: usize) -> Checked<Axis> {
        let [size] = call.sizes.as_slice() else {
            return Err(self.report(
                Diagnostic::new(
                    Code::Arguments,
                    call.name.span,
                    format!("`{}` takes the name of the axis it makes after `;`", call.name.text),
                )
                .help(format!("for example `{}(a, b; features)`", call.name.text)),
            ));
        };
        match self.known_or_given(scope, draft, size)? {
            Some(known) => {
                let axis = self.size_axis(&known, size.name.span)?;
                if axis.size() != Some(total) && self.missing == super::Missing::Refuse {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::AxisSize,
                            size.name.span,
                            format!("`{}` has {} entries, the parts together {total}", size.name.text, known.value),
                        )
                        .label("does not fit"),
                    ));
                }
                Ok(Axis { name: axis.name, extent: Extent::Fixed(total) })
            }
            None => {
                let new = SizeValue { value: total as f64, axis: size.name.text.clone() };
                draft.introduced.push((size.name.clone(), new));
                Ok(Axis { name: size.name.text.clone(), extent: Extent::Fixed(total) })
            }
        }
    }

    /// `concat(a, b; both)`: one after the other along their last axes; `stack(a, b; which)`: along a new axis.
    fn join(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        if call.arguments.is_empty() || !call.over.is_empty() {
            return Err(self.report(Diagnostic::new(
                Code::Arguments,
                span,
                format!("`{}` takes the values it joins", call.name.text),
            )));
        }
        let along = call.name.text == "concat";
        let mut parts: Vec<(usize, Typed, Option<IndexId>)> = Vec::new();
        let mut total = 0;
        for argument in &call.arguments {
            let value = self.clause(scope, draft, argument)?;
            let last = value
                .axes
                .iter()
                .rev()
                .copied()
                .find(|index| draft.axis(*index).time().is_none() && !draft.is_named(*index));
            let length = match (along, last) {
                (false, _) => 1,
                (true, Some(index)) => draft.axis(index).size().unwrap_or(1),
                (true, None) => {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::Axes,
                            value.span,
                            "`concat` joins along the last axis, and this has none",
                        )
                        .help("`stack` joins values along a new axis"),
                    ));
                }
            };
            parts.push((total, value, last.filter(|_| along)));
            total += length;
        }
        let axis = self.joined_axis(scope, draft, call, total)?;
        let index = self.current(draft, &axis, span)?;
        let mut pieces = Vec::new();
        let mut rest: Vec<IndexId> = Vec::new();
        let mut first: Option<Typed> = None;
        for (from, value, last) in parts {
            let axes: Vec<IndexId> = value.axes.iter().copied().filter(|axis| Some(*axis) != last).collect();
            let bare = Typed { axes: axes.clone(), ..value.clone() };
            match &first {
                None => first = Some(bare),
                Some(first) => self.must_meet(draft, first, &bare, span)?,
            }
            rest = union(&rest, &axes);
            let shifted = Subscript::shifted(index, -(from as i64));
            let place = |axis: IndexId| (Some(axis) == last).then(|| shifted.clone());
            pieces.push((from, value.term.at(&place)));
        }
        // Along an axis of their own the parts keep its place at the end; a new axis comes first.
        let axes = if along {
            rest.into_iter().chain([index]).collect()
        } else {
            let (times, features): (Vec<IndexId>, Vec<IndexId>) =
                rest.into_iter().partition(|axis| draft.axis(*axis).time().is_some() || draft.is_named(*axis));
            times.into_iter().chain([index]).chain(features).collect()
        };
        let joined = Typed { term: Term::Pieces(index, pieces), axes, domain: Vec::new(), span };
        Ok(self.apart(draft, joined, &call.name.text))
    }

    /// `flatten(x; all)`: all its features as one axis, the last one running fastest.
    fn flatten(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        self.shape_of_call(call, 1, false, true)?;
        let value = self.clause(scope, draft, &call.arguments[0])?;
        let (features, rest): (Vec<IndexId>, Vec<IndexId>) = value
            .axes
            .iter()
            .copied()
            .partition(|index| draft.axis(*index).time().is_none() && !draft.is_named(*index));
        let sizes: Vec<usize> = features.iter().map(|index| draft.axis(*index).size().unwrap_or(1)).collect();
        let axis = self.joined_axis(scope, draft, call, sizes.iter().product())?;
        let index = self.current(draft, &axis, span)?;
        let mut stride = 1;
        let mut places: Vec<(IndexId, Subscript)> = Vec::new();
        for (feature, size) in features.iter().zip(&sizes).rev() {
            let divided = Term::binary(Binary::Divide, Term::Index(index), Term::Number(stride as f64));
            let whole = Term::unary(Unary::Floor, divided);
            let entry = Term::binary(Binary::Remainder, whole, Term::Number(*size as f64));
            places.push((*feature, Subscript::Computed(Box::new(entry))));
            stride *= size;
        }
        let place = |wanted: IndexId| {
            places.iter().find(|(feature, _)| *feature == wanted).map(|(_, subscript)| subscript.clone())
        };
        let axes = rest.into_iter().chain([index]).collect();
        let domain = value.domain.iter().map(|condition| condition.at(&place)).collect();
        Ok(Typed { term: value.term.at(&place), axes, domain, span })
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
            Some(Binding::Time(time)) => Ok(Typed { term: Term::Length(time), ..number(0.0, span) }),
            Some(Binding::Size(size)) => Ok(number(size.value, span)),
            _ => Err(self.report(
                Diagnostic::new(Code::WrongKind, call.arguments[0].value.span, "`length` takes an axis")
                    .label("not an axis")
                    .help("for example `length(T)`"),
            )),
        }
    }

    /// `sum over j (…)` and its like.
    fn reduction(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        let name = call.name.text.as_str();
        self.shape_of_call(call, 1, true, false)?;
        if call.over.is_empty() {
            return Err(self.report(
                Diagnostic::new(Code::Arguments, call.name.span, format!("`{name}` says what it runs over"))
                    .label("over what?")
                    .help(format!("`{name} over dim (…)` for an axis, `{name} over j (…)` for an index")),
            ));
        }
        if name == "softmax" {
            return self.softmax(scope, draft, call, span);
        }
        let inside = [&call.arguments[0]];
        let mut over = Vec::new();
        for index in &call.over {
            if draft.find(&index.name.text).is_some() {
                return Err(self.report(
                    Diagnostic::new(
                        Code::Indices,
                        index.name.span,
                        format!("`{}` stands on the left, or is summed over already", index.name.text),
                    )
                    .help("what is reduced over disappears: take it off the left, or use another index"),
                ));
            }
            let is_axis = index.axis.is_none()
                && matches!(
                    self.lookup(scope, std::slice::from_ref(&index.name)),
                    Some(Binding::Size(_) | Binding::Time(_))
                );
            let axis = if is_axis {
                self.axis_named(scope, &index.name)?
            } else {
                self.axis_of_index(scope, draft, index, &inside)?
            };
            let fresh = draft.fresh(&index.name.text, axis.clone());
            over.push((fresh, index.name.text.clone(), axis, is_axis));
        }
        let named = draft.named.len();
        let mut frame = std::collections::HashMap::new();
        for (index, name, axis, is_axis) in &over {
            draft.named.push((name.clone(), *index));
            if *is_axis {
                frame.insert(axis.clone(), *index);
            }
        }
        draft.frames.push(frame);
        let value = self.clause(scope, draft, &call.arguments[0]);
        draft.frames.pop();
        draft.named.truncate(named);
        let value = value?;
        for (index, name, _, _) in &over {
            let mut used = value.axes.contains(index);
            used |= value.domain.iter().any(|item| item.left.mentions(*index) || item.right.mentions(*index));
            if !used {
                let what = call.name.text.clone();
                return Err(self.report(
                    Diagnostic::new(Code::Axes, value.span, format!("this does not vary with `{name}`"))
                        .label(format!("the same for every `{name}`"))
                        .help(format!("`{what}` runs over an axis or index of what it is given")),
                ));
            }
        }
        let indices: Vec<IndexId> = over.iter().map(|(index, ..)| *index).collect();
        let axes: Vec<IndexId> = value.axes.iter().copied().filter(|index| !indices.contains(index)).collect();
        let reduction = match name {
            "max" => Reduction::Maximum,
            "min" => Reduction::Minimum,
            _ => Reduction::Sum,
        };
        let count = self.count(&over, &value.domain);
        let reduced = Term::Reduce { reduction, over: indices, domain: value.domain, body: Box::new(value.term) };
        let term = if name == "mean" { Term::binary(Binary::Divide, reduced, count) } else { reduced };
        Ok(Typed { term, axes, domain: Vec::new(), span })
    }

    /// How many values a mean is of; at least 1, so that the mean of nothing is 0.
    fn count(&mut self, over: &[(IndexId, String, Axis, bool)], domain: &[crate::term::Condition]) -> Term {
        if domain.is_empty() {
            let sizes = over.iter().map(|(_, _, axis, _)| match axis.extent {
                Extent::Fixed(size) => Term::Number(size as f64),
                Extent::Time(time) => Term::binary(Binary::Maximum, Term::Length(time), Term::Number(1.0)),
            });
            return sizes
                .reduce(|left, right| Term::binary(Binary::Multiply, left, right))
                .unwrap_or(Term::Number(1.0));
        }
        let ones = Term::Reduce {
            reduction: Reduction::Sum,
            over: over.iter().map(|(index, ..)| *index).collect(),
            domain: domain.to_vec(),
            body: Box::new(Term::Number(1.0)),
        };
        Term::binary(Binary::Maximum, ones, Term::Number(1.0))
    }

    /// `softmax over j (…)`: its index stays, so it stands on the left or is an axis.
    fn softmax(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        let [index] = call.over.as_slice() else {
            return Err(self.report(Diagnostic::new(
                Code::Arguments,
                call.name.span,
                "`softmax` runs over one index or axis",
            )));
        };
        let over = match draft.find(&index.name.text) {
            Some(over) => over,
            None => match self.lookup(scope, std::slice::from_ref(&index.name)) {
                Some(Binding::Size(_) | Binding::Time(_)) => {
                    let axis = self.axis_named(scope, &index.name)?;
                    self.current(draft, &axis, index.name.span)?
                }
                _ => {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::Indices,
                            index.name.span,
                            format!("`softmax` keeps its index, and `{}` is not on the left", index.name.text),
                        )
                        .label("unknown index")
                        .help(format!("name it on the left: `{}[…, {}] = …`", draft.name, index.name.text)),
                    ));
                }
            },
        };
        let value = self.clause(scope, draft, &call.arguments[0])?;
        if !value.axes.contains(&over) {
            let name = index.name.text.clone();
            return Err(self.report(
                Diagnostic::new(Code::Axes, value.span, format!("this does not vary with `{name}`"))
                    .label(format!("the same for every `{name}`")),
            ));
        }
        let term = Term::Softmax { over, domain: value.domain, body: Box::new(value.term) };
        let axes = value.axes.clone();
        Ok(self.apart(draft, Typed { term, axes, domain: Vec::new(), span }, "softmax"))
    }
}

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
