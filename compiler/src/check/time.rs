//! Time axes: those whose length each sequence brings along, and those whose length the file says.
//!
//! A size whose name begins with a capital letter (`P = rows * columns + 1`) is the length of a time axis: all sequences have
//! so many positions of it, and nothing else is different. Two of the same name and length are the same axis, so that layers
//! that each introduce one pass their values on.

use super::scope::{Binding, Scope, SizeValue};
use super::{Checked, Checker, Failed, Missing};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::tree::{Expression, ExpressionKind, Size};
use crate::term::TimeId;

/// No time axis is said to be longer: positions are numbers, and float32 counts no further without a gap.
const MOST_POSITIONS: usize = 1 << 24;

impl Checker<'_> {
    /// A time axis whose length each sequence brings along.
    pub fn new_time(&mut self, name: &str) -> TimeId {
        self.add_time(name, None)
    }

    /// The time axis of that name and length.
    pub fn known_time(&mut self, name: &str, length: f64, span: Span) -> Checked<TimeId> {
        let length = self.whole(length, span, name)?;
        if length > MOST_POSITIONS && self.missing == Missing::Refuse {
            let message = format!("the time axis `{name}` has {length} positions");
            return Err(self.report(
                Diagnostic::new(Code::TooLarge, span, message)
                    .label(format!("more than {MOST_POSITIONS}"))
                    .help("is a parameter larger than it was meant to be?"),
            ));
        }
        let key = (name.to_string(), length);
        if let Some(time) = self.known_times.get(&key) {
            return Ok(*time);
        }
        let time = self.add_time(name, Some(length));
        self.known_times.insert(key, time);
        Ok(time)
    }

    /// Names of time axes tell them apart: a second one of the same name gets a mark.
    fn add_time(&mut self, name: &str, length: Option<usize>) -> TimeId {
        let mut unique = name.to_string();
        while self.model.times.contains(&unique) {
            unique.push('\'');
        }
        self.model.times.push(unique);
        self.model.lengths.push(length);
        TimeId(self.model.times.len() as u32 - 1)
    }

    /// Binds a name with a capital to the time axis of that length, which then is in reach.
    pub fn bind_known_time(&mut self, scope: &mut Scope, name: &str, length: f64, span: Span) -> Checked<()> {
        let time = self.known_time(name, length, span)?;
        self.bind_time(scope, name, time, span);
        Ok(())
    }

    fn bind_time(&mut self, scope: &mut Scope, name: &str, time: TimeId, span: Span) {
        scope.bind(name, Binding::Time(time), span);
        if !scope.times.contains(&time) {
            scope.times.push(time);
        }
    }

    /// A size with a capital that a call gives: a time axis of the caller, or a number of positions.
    pub fn given_time(&mut self, scope: &Scope, inner: &mut Scope, given: &Size) -> Checked<()> {
        let path = match &given.value {
            None => std::slice::from_ref(&given.name),
            Some(Expression { kind: ExpressionKind::Path(path), .. }) => path.as_slice(),
            Some(_) => &[],
        };
        if let Some(Binding::Time(time)) = self.lookup(scope, path) {
            self.bind_time(inner, &given.name.text, time, given.name.span);
            return Ok(());
        }
        match &given.value {
            None => Err(self.unknown(scope, path, None)),
            Some(value) => {
                let length = self.size_expression(scope, value)?.value;
                self.bind_known_time(inner, &given.name.text, length, value.span)
            }
        }
    }

    /// Refuses a sequence whose length is not the one that a declaration demands, `x: [P = 16, dim]`.
    pub fn must_have_length(&mut self, time: TimeId, wanted: f64, entry: &Size, span: Span) -> Checked<()> {
        let found = self.model.length(time);
        if self.missing == Missing::Invent || found.is_some_and(|length| length as f64 == wanted) {
            return Ok(());
        }
        let found = match found {
            Some(length) => length.to_string(),
            None => "as many as each sequence brings along".to_string(),
        };
        Err(self.report(
            Diagnostic::new(
                Code::AxisSize,
                span,
                format!("`{}` must have {wanted} positions, found {found}", entry.name.text),
            )
            .also(entry.name.span, "declared here"),
        ))
    }

    /// `length(P)` as a size: known only where the file says it.
    pub fn length_as_size(&mut self, scope: &Scope, argument: &Expression, span: Span) -> Checked<SizeValue> {
        let path = match &argument.kind {
            ExpressionKind::Path(path) => path.as_slice(),
            _ => &[],
        };
        let axis = "size".to_string();
        match self.lookup(scope, path) {
            Some(Binding::Size(size)) => Ok(SizeValue { value: size.value, axis }),
            Some(Binding::Broken) => Err(Failed),
            Some(Binding::Time(time)) => match self.model.length(time) {
                Some(length) => Ok(SizeValue { value: length as f64, axis }),
                None if self.missing == Missing::Invent => Ok(SizeValue { value: self.invent(), axis }),
                None => {
                    let name = self.model.times[time.0 as usize].clone();
                    Err(self.report(
                        Diagnostic::new(Code::Size, span, format!("the length of `{name}` is no size"))
                            .label("each sequence brings its own along")
                            .help("a size is known before anything runs"),
                    ))
                }
            },
            Some(Binding::Value(_) | Binding::Instance(_)) | None => Err(self.report(
                Diagnostic::new(Code::WrongKind, argument.span, "`length` takes an axis")
                    .label("not an axis")
                    .help("for example `length(P)`"),
            )),
        }
    }
}
