//! The indices of one equation while it is checked: those named on the left, those that reductions run over, and one for
//! every axis that is read without being named (the current position, the current entry).

use super::scope::{Binding, Scope};
use super::{Checked, Checker};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::tree::{Clause, Expression, ExpressionKind, Index as TreeIndex, Name, Operator};
use crate::term::{Axis, Condition, Index, IndexId, Term};
use std::collections::HashMap;

/// An equation in the making.
#[derive(Debug)]
pub(super) struct Draft {
    /// The name on the left.
    pub name: String,
    /// Where its weights and instances live.
    pub path: String,
    /// The path of the value that it gives.
    pub equation: String,
    /// All indices so far.
    pub indices: Vec<Index>,
    /// Names in reach, innermost last.
    pub named: Vec<(String, IndexId)>,
    /// For each reduction over an axis, and for the equation itself, the index of each axis read without a name.
    pub frames: Vec<HashMap<Axis, IndexId>>,
    /// The part of the equation that has weights, if one has.
    pub weights: Option<Span>,
    /// The parameters of functions being put in.
    pub locals: Vec<HashMap<String, Typed>>,
    /// Sizes that the equation introduces (`head_dim = dim / heads` after a `;`), which later ones see.
    pub introduced: Vec<(Name, super::scope::SizeValue)>,
}

/// A term, the indices it varies with, and where it exists.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub term: Term,
    pub axes: Vec<IndexId>,
    pub domain: Vec<Condition>,
    pub span: Span,
}

impl Draft {
    pub fn new(name: &str, path: String, equation: String) -> Draft {
        Draft {
            name: name.to_string(),
            path,
            equation,
            indices: Vec::new(),
            named: Vec::new(),
            frames: vec![HashMap::new()],
            weights: None,
            locals: Vec::new(),
            introduced: Vec::new(),
        }
    }

    pub fn fresh(&mut self, name: &str, axis: Axis) -> IndexId {
        self.indices.push(Index { name: name.to_string(), axis });
        IndexId(self.indices.len() as u32 - 1)
    }

    pub fn axis(&self, index: IndexId) -> &Axis {
        &self.indices[index.0 as usize].axis
    }

    pub fn find(&self, name: &str) -> Option<IndexId> {
        self.named.iter().rev().find(|(known, _)| known == name).map(|(_, index)| *index)
    }

    /// Whether an index has a name in the file.
    pub fn is_named(&self, index: IndexId) -> bool {
        self.named.iter().any(|(_, known)| *known == index)
    }
}

impl Checker<'_> {
    /// The index at which an axis is read that is not subscripted.
    pub fn current(&mut self, draft: &mut Draft, axis: &Axis, span: Span) -> Checked<IndexId> {
        for frame in draft.frames[1..].iter().rev() {
            if let Some(index) = frame.get(axis) {
                return Ok(*index);
            }
        }
        let mut named: Vec<IndexId> = Vec::new();
        for (_, index) in &draft.named {
            if draft.axis(*index) == axis && !named.contains(index) {
                named.push(*index);
            }
        }
        match named.as_slice() {
            [] => {}
            [one] => return Ok(*one),
            many => {
                let names: Vec<String> =
                    many.iter().map(|index| format!("`{}`", draft.indices[index.0 as usize].name)).collect();
                return Err(self.report(
                    Diagnostic::new(
                        Code::Indices,
                        span,
                        format!("{} run over `{}`: which is meant here?", names.join(" and "), axis.name),
                    )
                    .label("no index given")
                    .help("write the index in brackets"),
                ));
            }
        }
        if let Some(index) = draft.frames[0].get(axis) {
            return Ok(*index);
        }
        let name = match axis.time() {
            Some(_) => "t".to_string(),
            None => axis.name.clone(),
        };
        let index = draft.fresh(&name, axis.clone());
        draft.frames[0].insert(axis.clone(), index);
        Ok(index)
    }

    /// The axis that a name on the left, or of a reduction, runs over: as annotated, as the subscripts in `inside` tell, or
    /// the axis of that name.
    pub fn axis_of_index(
        &mut self,
        scope: &Scope,
        draft: &Draft,
        index: &TreeIndex,
        inside: &[&Clause],
    ) -> Checked<Axis> {
        let name = &index.name;
        if let Some(axis) = &index.axis {
            return self.axis_named(scope, axis);
        }
        let mut search = Search::new(&name.text);
        for clause in inside {
            self.search_clause(scope, draft, clause, &mut search);
        }
        if let Some((axis, span)) = search.exact.first() {
            if let Some((other, other_span)) = search.exact.iter().find(|(other, _)| other != axis) {
                return Err(self.report(
                    Diagnostic::new(
                        Code::IndexRange,
                        *other_span,
                        format!("`{}` runs over `{}` and over `{}`", name.text, axis.name, other.name),
                    )
                    .label(format!("over `{}` here", other.name))
                    .also(*span, format!("over `{}` here", axis.name))
                    .help("use an index for each"),
                ));
            }
            return Ok(axis.clone());
        }
        if let Some((axis, _)) = search.shifted.first() {
            return Ok(axis.clone());
        }
        if search.broken {
            return Err(super::Failed);
        }
        if let Some(Binding::Size(size)) = self.lookup(scope, std::slice::from_ref(name)) {
            return self.size_axis(&size, name.span);
        }
        if name.text == "t"
            && let [time] = scope.times.as_slice()
        {
            let name = self.model.times[time.0 as usize].clone();
            return Ok(Axis { name, extent: crate::term::Extent::Time(*time) });
        }
        if let Some(path) = search.unknown {
            let own = draft.name.clone();
            return Err(self.unknown(scope, &path, Some(&own)));
        }
        Err(self.report(
            Diagnostic::new(Code::IndexRange, name.span, format!("what `{}` runs over cannot be told", name.text))
                .label("no value is read at this index alone")
                .help(format!("say it: `{}: AXIS`", name.text)),
        ))
    }

    /// The axis that a name stands for.
    pub fn axis_named(&mut self, scope: &Scope, name: &Name) -> Checked<Axis> {
        match self.lookup(scope, std::slice::from_ref(name)) {
            Some(Binding::Size(size)) => self.size_axis(&size, name.span),
            Some(Binding::Time(time)) => Ok(self.time_axis(time)),
            Some(Binding::Broken) => Err(super::Failed),
            Some(Binding::Value(_) | Binding::Instance(_)) => Err(self.report(
                Diagnostic::new(Code::WrongKind, name.span, format!("`{}` is a value, not an axis", name.text))
                    .label("an axis is wanted here"),
            )),
            None => Err(self.unknown(scope, std::slice::from_ref(name), None)),
        }
    }

    /// The axis that a reduction names: one in reach, or one that a value inside has by that name, as those have that a
    /// definition introduced.
    pub fn axis_inside(&mut self, scope: &Scope, draft: &Draft, name: &Name, inside: &Clause) -> Checked<Option<Axis>> {
        match self.lookup(scope, std::slice::from_ref(name)) {
            Some(Binding::Size(_) | Binding::Time(_)) => self.axis_named(scope, name).map(Some),
            Some(Binding::Value(_) | Binding::Instance(_) | Binding::Broken) => Ok(None),
            None => {
                let mut search = Search::new(&name.text);
                self.search_clause(scope, draft, inside, &mut search);
                let exact = search.exact.is_empty() && search.shifted.is_empty();
                Ok(search.called.into_iter().next().filter(|_| exact))
            }
        }
    }

    /// The axis of a time.
    pub fn time_axis(&self, time: crate::term::TimeId) -> Axis {
        Axis { name: self.model.times[time.0 as usize].clone(), extent: crate::term::Extent::Time(time) }
    }

    fn search_clause(&self, scope: &Scope, draft: &Draft, clause: &Clause, search: &mut Search) {
        self.search(scope, draft, &clause.value, search);
        for condition in &clause.conditions {
            self.search(scope, draft, &condition.left, search);
            self.search(scope, draft, &condition.right, search);
        }
    }

    fn search(&self, scope: &Scope, draft: &Draft, expression: &Expression, search: &mut Search) {
        match &expression.kind {
            ExpressionKind::Number(_) => {}
            ExpressionKind::Path(path) => {
                let axes = self.axes_of(scope, draft, path).unwrap_or_default();
                search.called.extend(axes.into_iter().filter(|axis| axis.name == search.name));
            }
            ExpressionKind::Negate(value) => self.search(scope, draft, value, search),
            ExpressionKind::Binary(_, left, right) => {
                self.search(scope, draft, left, search);
                self.search(scope, draft, right, search);
            }
            ExpressionKind::Subscript(base, subscripts) => {
                self.search(scope, draft, base, search);
                let axes = match &base.kind {
                    ExpressionKind::Path(path) => {
                        let found = self.lookup(scope, path);
                        search.broken |= matches!(found, Some(Binding::Broken));
                        let local = draft.locals.last().is_some_and(|locals| locals.contains_key(&path[0].text));
                        if found.is_none() && !local {
                            search.unknown.get_or_insert_with(|| path.clone());
                        }
                        self.axes_of(scope, draft, path)
                    }
                    _ => None,
                };
                for (place, subscript) in subscripts.iter().enumerate() {
                    self.search(scope, draft, subscript, search);
                    if let Some(axis) = axes.as_ref().and_then(|axes| axes.get(place)) {
                        match meaning(subscript, search.name) {
                            Mention::Exact => search.exact.push((axis.clone(), subscript.span)),
                            Mention::Shifted => search.shifted.push((axis.clone(), subscript.span)),
                            Mention::Otherwise => {}
                        }
                    }
                }
            }
            ExpressionKind::Call(call) => {
                for argument in &call.arguments {
                    self.search_clause(scope, draft, argument, search);
                }
            }
            ExpressionKind::Condition(conditions) => {
                for condition in conditions {
                    self.search(scope, draft, &condition.left, search);
                    self.search(scope, draft, &condition.right, search);
                }
            }
            ExpressionKind::Where(clause) => self.search_clause(scope, draft, clause, search),
        }
    }

    /// The axes of the value that a path stands for.
    fn axes_of(&self, scope: &Scope, draft: &Draft, path: &[Name]) -> Option<Vec<Axis>> {
        if path.len() == 1
            && let Some(local) = draft.locals.last().and_then(|locals| locals.get(&path[0].text))
        {
            return Some(local.axes.iter().map(|index| draft.axis(*index).clone()).collect());
        }
        match self.lookup(scope, path)? {
            Binding::Value(value) => Some(self.model.value(value).axes.clone()),
            Binding::Instance(instance) => Some(self.model.value(instance.result).axes.clone()),
            Binding::Size(_) | Binding::Time(_) | Binding::Broken => None,
        }
    }
}

struct Search<'n> {
    name: &'n str,
    exact: Vec<(Axis, Span)>,
    shifted: Vec<(Axis, Span)>,
    /// Whether a value with a mistake is read, whose axes might have told.
    broken: bool,
    unknown: Option<Vec<Name>>,
    /// Axes of values that are read which are called so.
    called: Vec<Axis>,
}

impl<'n> Search<'n> {
    fn new(name: &'n str) -> Search<'n> {
        let (exact, shifted, called) = (Vec::new(), Vec::new(), Vec::new());
        Search { name, exact, shifted, broken: false, unknown: None, called }
    }
}

enum Mention {
    Exact,
    Shifted,
    Otherwise,
}

/// How a subscript mentions an index: as itself, shifted by something, or in another way.
fn meaning(subscript: &Expression, name: &str) -> Mention {
    let is_name = |expression: &Expression| matches!(&expression.kind, ExpressionKind::Path(path) if path.len() == 1 && path[0].text == name);
    match &subscript.kind {
        _ if is_name(subscript) => Mention::Exact,
        ExpressionKind::Binary(Operator::Add | Operator::Subtract, left, right) if is_name(left) || is_name(right) => {
            Mention::Shifted
        }
        _ => Mention::Otherwise,
    }
}
