//! Binding a definition's values and sizes to those of a call: the axes that its declaration names are those the values have.

use super::scope::{Binding, Scope, SizeValue, names_time};
use super::{Checked, Checker};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::tree::{Call, Definition, Parameter};
use crate::term::{Axis, ValueId};

impl Checker<'_> {
    /// Binds a value to a parameter, and the axes its declaration names to those the value has.
    pub(super) fn bind_parameter(
        &mut self,
        inner: &mut Scope,
        parameter: &Parameter,
        value: ValueId,
        over: Option<&Axis>,
        span: Span,
    ) -> Checked<()> {
        let axes = self.model.value(value).axes.clone();
        inner.bind(&parameter.name.text, Binding::Value(value), parameter.name.span);
        let times: Vec<&Axis> = axes.iter().filter(|axis| axis.time().is_some()).collect();
        for axis in &times {
            if let Some(time) = axis.time()
                && !inner.times.contains(&time)
            {
                inner.times.push(time);
            }
        }
        let Some(declared) = &parameter.axes else {
            return Ok(());
        };
        let (wanted_times, wanted): (Vec<_>, Vec<_>) =
            declared.entries.iter().partition(|entry| names_time(&entry.name.text));
        let features: Vec<&Axis> = match over {
            Some(axis) => axes.iter().filter(|own| *own == axis).collect(),
            None => axes.iter().filter(|axis| axis.time().is_none()).collect(),
        };
        let times_fit = wanted_times.is_empty() || wanted_times.len() == times.len();
        if !times_fit || wanted.len() != features.len() {
            let found = self.shown_axes(&axes);
            let found = if found.is_empty() { "no axes".to_string() } else { found };
            let entries: Vec<&str> = declared.entries.iter().map(|entry| entry.name.text.as_str()).collect();
            let entries = entries.join(", ");
            let mut diagnostic = Diagnostic::new(
                Code::Axes,
                span,
                format!("`{}` takes [{entries}], found {found}", parameter.name.text),
            )
            .label(format!("has {found}"))
            .also(declared.span, format!("declared with [{entries}]"));
            if times_fit && wanted.len() == 1 && features.len() > 1 {
                diagnostic = diagnostic.help("name the axis it is for: `… over AXIS (…)`");
            }
            return Err(self.report(diagnostic));
        }
        for (entry, axis) in wanted_times.iter().zip(&times) {
            if let Some(time) = axis.time() {
                if let Some(wanted) = &entry.value {
                    let wanted = self.size_expression(inner, wanted)?.value;
                    self.must_have_length(time, wanted, entry, span)?;
                }
                self.same_or_bind(inner, entry, Binding::Time(time), span)?;
            }
        }
        for (entry, axis) in wanted.iter().zip(&features) {
            let size = SizeValue { value: axis.size().unwrap_or(1) as f64, axis: axis.name.clone() };
            if let Some(wanted) = &entry.value {
                let wanted = self.size_expression(inner, wanted)?;
                if wanted.value != size.value && self.missing == super::Missing::Refuse {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::AxisSize,
                            span,
                            format!("`{}` must have {} entries, found {}", entry.name.text, wanted.value, size.value),
                        )
                        .also(entry.name.span, "declared here"),
                    ));
                }
            }
            self.same_or_bind(inner, entry, Binding::Size(size), span)?;
        }
        Ok(())
    }

    /// An axis of a declaration that another value has bound already must be the same axis.
    pub(super) fn same_or_bind(
        &mut self,
        inner: &mut Scope,
        entry: &crate::syntax::tree::Size,
        binding: Binding,
        span: Span,
    ) -> Checked<()> {
        let same = match (inner.names.get(&entry.name.text).map(|bound| &bound.binding), &binding) {
            (None, _) => {
                inner.bind(&entry.name.text, binding, entry.name.span);
                return Ok(());
            }
            (Some(Binding::Time(known)), Binding::Time(found)) => known == found,
            (Some(Binding::Size(known)), Binding::Size(found)) => known == found,
            _ => false,
        };
        if same {
            return Ok(());
        }
        let shown = |checker: &Self, binding: &Binding| match binding {
            Binding::Time(time) => checker.model.times[time.0 as usize].clone(),
            Binding::Size(size) => format!("{} = {}", size.axis, size.value),
            Binding::Value(_) | Binding::Instance(_) | Binding::Broken => "a value".to_string(),
        };
        let known = inner.names.get(&entry.name.text).map(|bound| shown(self, &bound.binding)).unwrap_or_default();
        let found = shown(self, &binding);
        Err(self.report(
            Diagnostic::new(
                Code::Axes,
                span,
                format!("`{}` is `{known}` in one value and `{found}` in another", entry.name.text),
            )
            .label(format!("`{found}` here"))
            .also(entry.name.span, "the same axis is wanted here"),
        ))
    }

    pub(super) fn call_sizes(
        &mut self,
        scope: &Scope,
        inner: &mut Scope,
        call: &Call,
        definition: &Definition,
    ) -> Checked<()> {
        let known: Vec<&str> = definition.sizes.iter().map(|size| size.name.text.as_str()).collect();
        for given in &call.sizes {
            let name = &given.name.text;
            if !known.contains(&name.as_str()) {
                let near = nearest(name, known.iter().copied());
                let help = match (near, known.as_slice()) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, []) => format!("`{}` takes no sizes", definition.name.text),
                    (None, [one]) => format!("write `{one} = {name}`"),
                    (None, many) => format!("it has {}", many.join(", ")),
                };
                return Err(self.report(
                    Diagnostic::new(
                        Code::Arguments,
                        given.name.span,
                        format!("`{}` has no size `{name}`", definition.name.text),
                    )
                    .label("unknown size")
                    .also(definition.name.span, "defined here")
                    .help(help),
                ));
            }
            if names_time(name) {
                self.given_time(scope, inner, given)?;
                continue;
            }
            let size = match &given.value {
                Some(value) => {
                    let size = self.size_expression(scope, value)?;
                    // A name keeps its axis; a computed size makes one of the parameter's name.
                    let is_name = matches!(value.kind, crate::syntax::tree::ExpressionKind::Path(_));
                    if is_name { size } else { SizeValue { value: size.value, axis: name.clone() } }
                }
                None => match self.lookup(scope, std::slice::from_ref(&given.name)) {
                    Some(Binding::Size(size)) => size,
                    Some(Binding::Broken) => return Err(super::Failed),
                    Some(Binding::Value(_) | Binding::Instance(_) | Binding::Time(_)) => {
                        return Err(self.report(Diagnostic::new(
                            Code::WrongKind,
                            given.name.span,
                            format!("`{name}` is not a size"),
                        )));
                    }
                    None => {
                        return Err(self.unknown(scope, std::slice::from_ref(&given.name), None));
                    }
                },
            };
            inner.bind(name, Binding::Size(size), given.name.span);
        }
        for size in &definition.sizes {
            if inner.names.contains_key(&size.name.text) {
                continue;
            }
            let value = match &size.value {
                Some(default) => self.size_expression(inner, default)?.value,
                None => {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::MissingParameter,
                            call.name.span,
                            format!("`{}` needs the size `{}`", definition.name.text, size.name.text),
                        )
                        .label("not given")
                        .also(size.name.span, "declared without a default")
                        .help(format!("`{}(…; {} = …)`", definition.name.text, size.name.text)),
                    ));
                }
            };
            if names_time(&size.name.text) {
                self.bind_known_time(inner, &size.name.text, value, size.name.span)?;
                continue;
            }
            inner.bind(
                &size.name.text,
                Binding::Size(SizeValue { value, axis: size.name.text.clone() }),
                size.name.span,
            );
        }
        Ok(())
    }
}
