//! Joins: `concat`, `stack` and `flatten`, and the axes that a call introduces after its `;`.

use super::expression::union;
use super::index::{Draft, Typed};
use super::scope::{Binding, Scope, SizeValue, names_time};
use super::{Checked, Checker};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::tree::{Call, Size};
use crate::term::{Axis, Binary, Extent, IndexId, Subscript, Term, Unary};

impl Checker<'_> {
    /// The axis that an entry after `;` gives: a known one, or a new one that later equations see too.
    pub fn axis_of_size(&mut self, scope: &Scope, draft: &mut Draft, size: &Size) -> Checked<(Axis, bool)> {
        match self.known_or_given(scope, draft, size)? {
            Some(known) => Ok((self.size_axis(&known, size.name.span)?, true)),
            None => Err(self.unknown(scope, std::slice::from_ref(&size.name), None)),
        }
    }

    pub(super) fn known_or_given(
        &mut self,
        scope: &Scope,
        draft: &mut Draft,
        size: &Size,
    ) -> Checked<Option<SizeValue>> {
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
        if known.is_none() && names_time(&size.name.text) {
            return Err(self.report(
                Diagnostic::new(Code::WrongKind, size.name.span, format!("`{}` is no feature", size.name.text))
                    .label("names that begin with a capital letter are those of time axes")
                    .help("begin it with a small letter"),
            ));
        }
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
    pub(super) fn joined_axis(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, total: usize) -> Checked<Axis> {
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
    pub(super) fn join(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
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
    pub(super) fn flatten(&mut self, scope: &Scope, draft: &mut Draft, call: &Call, span: Span) -> Checked<Typed> {
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
}
