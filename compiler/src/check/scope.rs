//! What names stand for inside a definition.

use super::Checker;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::library;
use crate::source::Span;
use crate::syntax::tree::Name;
use crate::term::{Axis, TimeId, ValueId};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// A size: a number, and the name its axis has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SizeValue {
    pub value: f64,
    pub axis: String,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    Value(ValueId),
    Instance(Rc<Instance>),
    Size(SizeValue),
    Time(TimeId),
    /// An equation with a mistake: readers say nothing more.
    Broken,
}

/// A definition that was put into the model.
#[derive(Debug)]
pub(super) struct Instance {
    pub result: ValueId,
    pub names: HashMap<String, Bound>,
}

/// A binding and where it was made.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub binding: Binding,
    pub span: Span,
}

/// A definition's names while its body is checked.
#[derive(Debug)]
pub(super) struct Scope {
    /// The file whose items are seen.
    pub file: usize,
    pub names: HashMap<String, Bound>,
    /// The path of the instance from the model; empty for the model itself.
    pub path: String,
    /// Whether time runs the other way.
    pub backward: bool,
    /// The time axes in reach.
    pub times: Vec<TimeId>,
    /// Names that equations further down will give.
    pub later: HashMap<String, Span>,
    /// Inside a repeat: the names from before it, which equations of its body carry on.
    pub carried: Option<Vec<String>>,
    /// Inside a repeat: its counter, and its value now.
    pub counters: Vec<(String, usize)>,
    /// Inside a repeat: values gathered over its iterations, `last[layer] = …`.
    pub gathered: BTreeMap<String, (Span, Vec<ValueId>)>,
}

impl Scope {
    pub fn new(file: usize, path: String, backward: bool) -> Scope {
        Scope {
            file,
            names: HashMap::new(),
            path,
            backward,
            times: Vec::new(),
            later: HashMap::new(),
            carried: None,
            counters: Vec::new(),
            gathered: BTreeMap::new(),
        }
    }

    pub fn bind(&mut self, name: &str, binding: Binding, span: Span) {
        self.names.insert(name.to_string(), Bound { binding, span });
    }

    /// A name inside this definition as a path from the model.
    pub fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// The path of an equation: its name, or nothing more than the path around it where a repeat's body carries the name on.
    pub fn equation_path(&self, name: &str) -> String {
        match &self.carried {
            Some(carried) if carried.iter().any(|known| known == name) => self.path.clone(),
            _ => self.path_of(name),
        }
    }
}

/// Joins two parts of a path.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// Whether a name stands for positions: those of time axes begin with a capital.
pub(super) fn names_time(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_uppercase())
}

impl Checker<'_> {
    /// What a dotted path stands for, if anything.
    pub fn lookup(&self, scope: &Scope, path: &[Name]) -> Option<Binding> {
        let (first, rest) = path.split_first()?;
        let mut binding = match scope.names.get(&first.text) {
            Some(bound) => bound.binding.clone(),
            None => self.labelled_axis(scope, &first.text)?,
        };
        for segment in rest {
            binding = match &binding {
                Binding::Instance(instance) => instance.names.get(&segment.text)?.binding.clone(),
                Binding::Broken => Binding::Broken,
                Binding::Value(_) | Binding::Size(_) | Binding::Time(_) => return None,
            };
        }
        Some(binding)
    }

    fn labelled_axis(&self, scope: &Scope, name: &str) -> Option<Binding> {
        let item = self.program.item(scope.file, name)?;
        match item.kind {
            super::ItemKind::Axis(place) => {
                let axis = &self.program.files[item.file].tree.axes[place];
                Some(Binding::Size(SizeValue { value: axis.labels.len() as f64, axis: name.to_string() }))
            }
            super::ItemKind::Definition(_) | super::ItemKind::Function(_) => None,
        }
    }

    /// Says that a path stands for nothing, with the best advice there is.
    pub fn unknown(&mut self, scope: &Scope, path: &[Name], own: Option<&str>) -> super::Failed {
        let text: Vec<&str> = path.iter().map(|name| name.text.as_str()).collect();
        let text = text.join(".");
        let first = &path[0];
        let span = first.span.to(path[path.len() - 1].span);
        if path.len() > 1 && scope.names.contains_key(&first.text) {
            let mut diagnostic = Diagnostic::new(Code::UnknownName, span, format!("nothing is called `{text}`"));
            if let Some(Bound { binding: Binding::Instance(instance), span }) = scope.names.get(&first.text) {
                let mut known: Vec<&str> = instance.names.keys().map(String::as_str).collect();
                known.sort_unstable();
                diagnostic = diagnostic
                    .also(*span, format!("`{}` is an instance", first.text))
                    .help(format!("it has {}", known.join(", ")));
            }
            return self.report(diagnostic);
        }
        if own == Some(first.text.as_str()) {
            return self.report(
                Diagnostic::new(
                    Code::NoState,
                    span,
                    format!("`{text}` refers to another position of itself, but is not a state"),
                )
                .label("this is the equation's own value")
                .help(format!("declare it and its value before the first position: `state {text}: [size] = 0`")),
            );
        }
        if let Some(place) = scope.later.get(&first.text) {
            let place = *place;
            return self.report(
                Diagnostic::new(Code::ReadBeforeDefined, span, format!("`{text}` is read above its equation"))
                    .label("read here")
                    .also(place, "defined here")
                    .help(format!(
                        "move this equation below; if an earlier position of it is meant, declare `state {text}: [size] = 0`"
                    )),
            );
        }
        let mut diagnostic =
            Diagnostic::new(Code::UnknownName, span, format!("nothing is called `{text}`")).label("unknown");
        let known: Vec<String> = scope
            .names
            .keys()
            .cloned()
            .chain(self.program.names(scope.file).map(str::to_string))
            .chain(super::builtin::names().map(str::to_string))
            .collect();
        if let Some(near) = nearest(&text, known.iter().map(String::as_str)) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        } else if let Some(file) = library::file_with(&text) {
            diagnostic = diagnostic.help(format!("the library has it: add `use {file}` at the top of the file"));
        }
        self.report(diagnostic)
    }

    /// Axes as messages show them, without sizes that nobody gave.
    pub fn shown_axes(&self, axes: &[Axis]) -> String {
        match self.missing {
            super::Missing::Refuse => crate::model::print_axes(axes, &self.model.times),
            super::Missing::Invent if axes.is_empty() => String::new(),
            super::Missing::Invent => {
                let names: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
                format!("[{}]", names.join(", "))
            }
        }
    }

    /// The axis of a size.
    pub fn size_axis(&mut self, size: &SizeValue, span: Span) -> super::Checked<Axis> {
        let whole = self.whole(size.value, span, &size.axis)?;
        Ok(Axis { name: size.axis.clone(), extent: crate::term::Extent::Fixed(whole) })
    }

    /// A size as a whole number above zero.
    pub fn whole(&mut self, value: f64, span: Span, name: &str) -> super::Checked<usize> {
        if self.missing == super::Missing::Invent {
            return Ok((value.abs().round().clamp(1.0, 1e6)) as usize);
        }
        if value.fract() == 0.0 && (1.0..=2_147_483_647.0).contains(&value) {
            return Ok(value as usize);
        }
        let message = format!("the size of `{name}` is {value}");
        // A size is used many times: it is wrong once.
        if self.diagnostics.iter().any(|known| known.code == Code::Size && known.message == message) {
            return Err(super::Failed);
        }
        Err(self.report(
            Diagnostic::new(Code::Size, span, message)
                .label("not a whole number above zero")
                .help("sizes that are divided must divide evenly"),
        ))
    }
}
