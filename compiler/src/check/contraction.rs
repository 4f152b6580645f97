//! Contractions: `dot`, and products with weights, which are named here after their equation.

use super::expression::{extend_domain, union};
use super::index::{Draft, Typed};
use super::scope::Scope;
use super::{Checked, Checker};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Value, ValueKind};
use crate::source::Span;
use crate::syntax::tree::{Call, ExpressionKind, Name};
use crate::term::{Axis, Binary, IndexId, Reduction, Subscript, Term, ValueId};

impl Checker<'_> {
    /// `dot(a, b)`: their product summed over an axis of both.
    pub(super) fn dot(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
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
                over.push(self.named_among(scope, draft, &index.name, &[&left, &right])?);
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

    /// The index of an axis among those of the values: the axis in reach that has the name, or one that a value has by it.
    fn named_among(&mut self, scope: &Scope, draft: &Draft, name: &Name, values: &[&Typed]) -> Checked<IndexId> {
        let span = name.span;
        let among = |is: &dyn Fn(&Axis) -> bool| {
            values.iter().flat_map(|value| &value.axes).copied().find(|index| is(draft.axis(*index)))
        };
        if self.lookup(scope, std::slice::from_ref(name)).is_none()
            && let Some(index) = among(&|axis| axis.name == name.text)
        {
            return Ok(index);
        }
        let axis = self.axis_named(scope, name)?;
        if let Some(index) = among(&|own| *own == axis) {
            return Ok(index);
        }
        Err(self.report(
            Diagnostic::new(Code::Axes, span, format!("no value here has the axis `{}`", axis.name)).label("not found"),
        ))
    }

    /// The sum of a term over some of its indices, which get fresh numbers.
    pub(super) fn summed(&mut self, draft: &mut Draft, typed: Typed, over: &[IndexId]) -> Typed {
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
    pub(super) fn affine_call(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
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
                    inputs.push(self.named_among(scope, draft, &index.name, &[&value])?);
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
    pub(super) fn name_of_argument(&mut self, argument: &crate::syntax::tree::Expression) -> Checked<String> {
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
}
