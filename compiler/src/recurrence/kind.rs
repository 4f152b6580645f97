//! The kind of a recurrence: an abstract interpretation of its equations, whose numbers are how they depend on the states'
//! earlier positions.
//!
//! ```text
//! free < elementwise in one state < affine < other
//! ```
//!
//! A sum is as the worse of its parts; a product with what is free, or a quotient by it, stays what it is; reading a state at
//! other entries than one's own, or summing over them, mixes elements; everything else done to a state is no affine function
//! of it.

use crate::check::recurrence::Scan;
use crate::model::{Equation, Model, ValueKind};
use crate::term::{Axis, Binary, Condition, IndexId, Reduction, Subscript, Term, TimeId, ValueId};
use std::collections::HashMap;

/// The kind of a recurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `h[t] = a[t] * h[t-1] + b[t]` for each element of the state by itself.
    Elementwise {
        /// The state.
        state: ValueId,
    },
    /// Affine in its states, but elements mix.
    Affine(Cause),
    /// Anything else.
    Other(Cause),
}

/// The equation that makes a recurrence more than elementwise affine, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The value whose equation it is.
    pub value: ValueId,
    /// What it does.
    pub reason: Reason,
}

/// What an equation does to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It reads another entry than its own, or sums over entries, of this value.
    Mixes(ValueId),
    /// It depends on two states.
    TwoStates(ValueId, ValueId),
    /// It reads the state so many positions away.
    Further(ValueId, i64),
    /// It applies a function to what depends on the state.
    Function(&'static str),
    /// It multiplies two values that depend on the state.
    Product,
    /// It divides by what depends on the state.
    Divides,
    /// It compares what depends on the state.
    Compares,
    /// It reads something at a place that depends on the state.
    Place,
    /// It takes the largest or smallest of what depends on the state, or a softmax.
    Selects,
    /// It is one over pairs of positions.
    Pairs,
}

/// How a term depends on the states' earlier positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Free,
    Elementwise(ValueId),
    Affine(Cause),
    Other(Cause),
}

impl Form {
    fn is_free(self) -> bool {
        self == Form::Free
    }
}

/// The kind of a group of values that depend on each other.
pub fn kind(model: &Model, scan: &Scan) -> Kind {
    let mut forms: HashMap<ValueId, Form> = HashMap::new();
    let mut whole = Form::Free;
    for id in &scan.values {
        let form = Walk { model, scan, forms: &forms, id: *id }.equation();
        let worse = Walk { model, scan, forms: &forms, id: *id }.join(whole, form);
        forms.insert(*id, form);
        whole = worse;
    }
    match whole {
        // Members depend on a state, so that one of them is not free.
        Form::Free => Kind::Elementwise { state: scan.values[0] },
        Form::Elementwise(state) => Kind::Elementwise { state },
        Form::Affine(cause) => Kind::Affine(cause),
        Form::Other(cause) => Kind::Other(cause),
    }
}

/// The walk over one equation.
struct Walk<'a> {
    model: &'a Model,
    scan: &'a Scan,
    /// The forms of members that stand before this one.
    forms: &'a HashMap<ValueId, Form>,
    id: ValueId,
}

impl Walk<'_> {
    fn cause(&self, reason: Reason) -> Cause {
        Cause { value: self.id, reason }
    }

    fn other(&self, reason: Reason) -> Form {
        Form::Other(self.cause(reason))
    }

    fn equation(&self) -> Form {
        let value = self.model.value(self.id);
        let ValueKind::Equation(equation) = &value.kind else { return Form::Free };
        if value.axes.iter().filter(|axis| axis.time().is_some()).count() > 1 {
            return self.other(Reason::Pairs);
        }
        self.under(&equation.domain, self.term(&equation.term, equation), equation)
    }

    /// What a term is where conditions restrict it.
    fn under(&self, conditions: &[Condition], form: Form, equation: &Equation) -> Form {
        let free = |term: &Term| self.term(term, equation).is_free();
        if conditions.iter().all(|condition| free(&condition.left) && free(&condition.right)) {
            form
        } else {
            self.other(Reason::Compares)
        }
    }

    fn join(&self, one: Form, two: Form) -> Form {
        match (one, two) {
            (Form::Free, form) | (form, Form::Free) => form,
            (other @ Form::Other(_), _) | (_, other @ Form::Other(_)) => other,
            (affine @ Form::Affine(_), _) | (_, affine @ Form::Affine(_)) => affine,
            (Form::Elementwise(state), Form::Elementwise(same)) if state == same => one,
            (Form::Elementwise(state), Form::Elementwise(other)) => {
                Form::Affine(self.cause(Reason::TwoStates(state, other)))
            }
        }
    }

    fn term(&self, term: &Term, equation: &Equation) -> Form {
        let inside = |term: &Term| self.term(term, equation);
        match term {
            Term::Number(_) | Term::Index(_) | Term::Length(_) => Form::Free,
            Term::Read(value, subscripts) => self.read(*value, subscripts, equation),
            Term::Unary(crate::term::Unary::Negate, value) => inside(value),
            Term::Unary(function, value) => match inside(value) {
                Form::Free => Form::Free,
                Form::Other(cause) => Form::Other(cause),
                Form::Elementwise(_) | Form::Affine(_) => self.other(Reason::Function(function.name())),
            },
            Term::Binary(operation, left, right) => {
                let (left, right) = (inside(left), inside(right));
                let both = self.join(left, right);
                match operation {
                    _ if both.is_free() || matches!(both, Form::Other(_)) => both,
                    Binary::Add | Binary::Subtract => both,
                    Binary::Multiply if left.is_free() || right.is_free() => both,
                    Binary::Multiply => self.other(Reason::Product),
                    Binary::Divide if right.is_free() => both,
                    Binary::Divide => self.other(Reason::Divides),
                    Binary::Remainder => self.other(Reason::Function("%")),
                    Binary::Power => self.other(Reason::Function("^")),
                    Binary::Minimum | Binary::Maximum => self.other(Reason::Selects),
                }
            }
            Term::Select(conditions, left, right) => {
                self.under(conditions, self.join(inside(left), inside(right)), equation)
            }
            Term::Reduce { reduction, domain, body, .. } => {
                let form = self.under(domain, inside(body), equation);
                match (reduction, form) {
                    (_, Form::Free | Form::Other(_)) => form,
                    (Reduction::Sum, Form::Elementwise(state)) => Form::Affine(self.cause(Reason::Mixes(state))),
                    (Reduction::Sum, Form::Affine(_)) => form,
                    (Reduction::Maximum | Reduction::Minimum, Form::Elementwise(_) | Form::Affine(_)) => {
                        self.other(Reason::Selects)
                    }
                }
            }
            Term::Softmax { domain, body, .. } => match self.under(domain, inside(body), equation) {
                form @ (Form::Free | Form::Other(_)) => form,
                Form::Elementwise(_) | Form::Affine(_) => self.other(Reason::Selects),
            },
            Term::Pieces(_, pieces) => {
                pieces.iter().fold(Form::Free, |form, (_, piece)| self.join(form, inside(piece)))
            }
        }
    }

    fn read(&self, value: ValueId, subscripts: &[Subscript], equation: &Equation) -> Form {
        let computed = subscripts.iter().any(|subscript| match subscript {
            Subscript::Computed(term) => !self.term(term, equation).is_free(),
            Subscript::Affine { .. } => false,
        });
        if computed {
            return self.other(Reason::Place);
        }
        if !self.scan.values.contains(&value) {
            return Form::Free;
        }
        let axes = &self.model.value(value).axes;
        let own = is_own_entry(&self.model.value(self.id).axes, axes, subscripts, self.scan.time);
        let shift = shift(axes, subscripts, self.scan.time);
        match (shift, own) {
            (0, true) => self.forms.get(&value).copied().unwrap_or(Form::Free),
            (0, false) => match self.forms.get(&value).copied().unwrap_or(Form::Free) {
                form @ (Form::Free | Form::Affine(_) | Form::Other(_)) => form,
                Form::Elementwise(_) => Form::Affine(self.cause(Reason::Mixes(value))),
            },
            (1 | -1, true) => Form::Elementwise(value),
            (1 | -1, false) => Form::Affine(self.cause(Reason::Mixes(value))),
            (shift, _) => Form::Affine(self.cause(Reason::Further(value, shift))),
        }
    }
}

/// How far a read of a member moves along the recurrence's axis. The groups of a model are such that it is a plain shift.
pub(super) fn shift(axes: &[Axis], subscripts: &[Subscript], time: TimeId) -> i64 {
    let along = axes.iter().zip(subscripts).find(|(axis, _)| axis.time() == Some(time));
    along.and_then(|(_, subscript)| subscript.as_shifted()).map_or(0, |(_, shift)| shift)
}

/// Whether a value is read at the reader's own entry: along each axis but time, at the index of the reader's axis of that
/// name.
fn is_own_entry(own: &[Axis], read: &[Axis], subscripts: &[Subscript], time: TimeId) -> bool {
    let entries = read.iter().zip(subscripts).filter(|(axis, _)| axis.time() != Some(time));
    entries.clone().count() == own.iter().filter(|axis| axis.time() != Some(time)).count()
        && entries.into_iter().all(|(axis, subscript)| {
            let index = subscript.as_index();
            index.is_some_and(|IndexId(place)| own.get(place as usize) == Some(axis))
        })
}

impl Kind {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Elementwise { .. } => "affine, element by element",
            Kind::Affine(_) => "affine, but not element by element",
            Kind::Other(_) => "not affine in its state",
        }
    }

    /// What keeps it from being elementwise affine, if anything does.
    pub fn cause(self) -> Option<Cause> {
        match self {
            Kind::Elementwise { .. } => None,
            Kind::Affine(cause) | Kind::Other(cause) => Some(cause),
        }
    }
}

impl Cause {
    /// The cause in words, as what the equation does: "applies `tanh` to what depends on the state".
    pub fn text(self, model: &Model) -> String {
        let path = |id: ValueId| model.value(id).path.clone();
        match self.reason {
            Reason::Mixes(state) => format!("mixes the entries of `{}`", path(state)),
            Reason::TwoStates(one, two) => format!("depends on two states, `{}` and `{}`", path(one), path(two)),
            Reason::Further(state, shift) => {
                format!("reads `{}` {} positions away, not one", path(state), shift.unsigned_abs())
            }
            Reason::Function(name) => format!("applies `{name}` to what depends on the state"),
            Reason::Product => "multiplies two values that depend on the state".to_string(),
            Reason::Divides => "divides by what depends on the state".to_string(),
            Reason::Compares => "compares what depends on the state".to_string(),
            Reason::Place => "reads at a place that depends on the state".to_string(),
            Reason::Selects => "takes the largest, the smallest or a softmax of what depends on the state".to_string(),
            Reason::Pairs => "is one over pairs of positions".to_string(),
        }
    }
}
