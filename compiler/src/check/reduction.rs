//! Reductions over an index or an axis: `sum`, `mean`, `max`, `min`, and `softmax`, which keeps its index.

use super::index::{Draft, Typed};
use super::scope::Scope;
use super::{Checked, Checker};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::tree::Call;
use crate::term::{Axis, Binary, Extent, IndexId, Reduction, Term};

impl Checker<'_> {
    /// `sum over j (…)` and its like.
    pub(super) fn reduction(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
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
            let named = match &index.axis {
                None => self.axis_inside(scope, draft, &index.name, inside[0])?,
                Some(_) => None,
            };
            let is_axis = named.is_some();
            let axis = match named {
                Some(axis) => axis,
                None => self.axis_of_index(scope, draft, index, &inside)?,
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
    pub(super) fn count(&mut self, over: &[(IndexId, String, Axis, bool)], domain: &[crate::term::Condition]) -> Term {
        if domain.is_empty() {
            let sizes = over.iter().map(|(_, _, axis, _)| match axis.extent {
                Extent::Fixed(size) => Term::Number(size as f64),
                Extent::Time(time) => match self.model.length(time) {
                    Some(length) => Term::Number(length as f64),
                    None => Term::binary(Binary::Maximum, Term::Length(time), Term::Number(1.0)),
                },
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
    pub(super) fn softmax(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
        let [index] = call.over.as_slice() else {
            return Err(self.report(Diagnostic::new(
                Code::Arguments,
                call.name.span,
                "`softmax` runs over one index or axis",
            )));
        };
        let over = match draft.find(&index.name.text) {
            Some(over) => over,
            None => match self.axis_inside(scope, draft, &index.name, &call.arguments[0])? {
                Some(axis) => self.current(draft, &axis, index.name.span)?,
                None => {
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
