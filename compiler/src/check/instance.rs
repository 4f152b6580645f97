//! Definitions put into the model: their values and sizes bound, then their statements.

use super::index::Draft;
use super::scope::{Binding, Bound, Instance, Scope, SizeValue, names_time};
use super::{Checked, Checker, DEEPEST_INSTANCE, ItemKind};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::model::{Value, ValueKind};
use crate::source::Span;
use crate::syntax::tree::{Call, Definition, Parameter, Statement};
use crate::term::{Axis, Extent, ValueId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// Sizes that are invented for a definition that is checked on its own: many divisors, so that heads divide widths.
const INVENTED: [f64; 8] = [720.0, 840.0, 1260.0, 1680.0, 2520.0, 5040.0, 7560.0, 10080.0];

impl Checker<'_> {
    /// The model itself: its parameters are the program's inputs.
    pub fn instantiate_model(
        &mut self,
        (file, place): (usize, usize),
        parameters: &BTreeMap<String, f64>,
    ) -> Checked<()> {
        let definition = self.program.definition(file, place).clone();
        let mut scope = Scope::new(file, String::new(), false);
        self.model.name = definition.name.text.clone();
        self.model_sizes(&mut scope, &definition, parameters)?;
        for parameter in &definition.parameters {
            let axes = match &parameter.axes {
                Some(axes) => axes.clone(),
                None if self.missing == super::Missing::Invent => {
                    crate::syntax::tree::Axes { entries: Vec::new(), span: parameter.name.span }
                }
                None => {
                    return Err(self.report(
                        Diagnostic::new(
                            Code::Axes,
                            parameter.name.span,
                            format!("the axes of the input `{}` are not known", parameter.name.text),
                        )
                        .help(format!("declare them: `{}: [T, input]`", parameter.name.text)),
                    ));
                }
            };
            for entry in axes.entries.iter().filter(|entry| names_time(&entry.name.text)) {
                if entry.value.is_none() && !scope.names.contains_key(&entry.name.text) {
                    let time = self.new_time(&entry.name.text);
                    scope.bind(&entry.name.text, Binding::Time(time), entry.name.span);
                    scope.times.push(time);
                }
            }
            let axes = self.declared_axes(&mut scope, &axes)?;
            let below = match &parameter.of {
                None => None,
                Some(of) => {
                    let size = self.size_expression(&scope, of)?;
                    Some(self.whole(size.value, of.span, &size.axis)?)
                }
            };
            self.input(&mut scope, parameter, axes, below);
        }
        let instance = self.body(&mut scope, &definition)?;
        self.outputs(&definition, &instance);
        for item in &self.program.files[file].tree.axes {
            self.model.labels.insert(item.name.text.clone(), item.labels.clone());
        }
        Ok(())
    }

    /// A definition on its own, with whatever inputs its declaration allows.
    pub fn instantiate_alone(&mut self, file: usize, place: usize) -> Checked<()> {
        let definition = self.program.definition(file, place).clone();
        let mut scope = Scope::new(file, String::new(), false);
        self.model.name = definition.name.text.clone();
        if definition.kind != crate::syntax::tree::Kind::Model {
            self.declared_sizes(&mut scope, &definition)?;
        }
        self.model_sizes(&mut scope, &definition, &BTreeMap::new())?;
        // Where none of the values is said to have positions, all have; else those that are not said to have them have none.
        let has_positions = definition.parameters.iter().any(|parameter| match &parameter.axes {
            Some(axes) => axes.entries.iter().any(|entry| names_time(&entry.name.text)),
            None => true,
        });
        for parameter in &definition.parameters {
            let with_lengths = parameter.axes.iter().flat_map(|axes| &axes.entries);
            for entry in with_lengths.filter(|entry| entry.value.is_some() && names_time(&entry.name.text)) {
                self.declared_length(&mut scope, entry)?;
            }
            let names: Vec<String> = match &parameter.axes {
                Some(axes) => axes.entries.iter().map(|entry| entry.name.text.clone()).collect(),
                // A value whose axes are not declared is taken for a sequence of vectors.
                None => vec!["T".to_string(), "features".to_string()],
            };
            let mut axes = Vec::new();
            if !has_positions && definition.kind != crate::syntax::tree::Kind::Model {
                axes.push(self.invented_axis(&mut scope, "T", parameter.name.span));
            }
            for name in names {
                axes.push(self.invented_axis(&mut scope, &name, parameter.name.span));
            }
            let below = parameter.of.as_ref().map(|_| 100);
            self.input(&mut scope, parameter, axes, below);
        }
        let done = self.body(&mut scope, &definition);
        // What could be checked has its names where something else has a mistake, too.
        self.model.names = match &done {
            Ok(instance) => self.names_of(&instance.names),
            Err(_) => self.names_of(&scope.names),
        };
        done.map(|_| ())
    }

    /// Sizes that come with a definition's values, which its own sizes' defaults may be computed from.
    fn declared_sizes(&mut self, scope: &mut Scope, definition: &Definition) -> Checked<()> {
        let axes = definition.parameters.iter().filter_map(|parameter| parameter.axes.as_ref());
        for entry in axes.flat_map(|axes| &axes.entries) {
            let name = &entry.name.text;
            let own = definition.sizes.iter().any(|size| size.name.text == *name);
            if own || names_time(name) || scope.names.contains_key(name) {
                continue;
            }
            match &entry.value {
                Some(value) => {
                    let value = self.size_expression(scope, value)?.value;
                    let size = SizeValue { value, axis: name.clone() };
                    scope.bind(name, Binding::Size(size), entry.name.span);
                }
                None => drop(self.invented_axis(scope, name, entry.name.span)),
            }
        }
        Ok(())
    }

    fn invented_axis(&mut self, scope: &mut Scope, name: &str, span: Span) -> Axis {
        match scope.names.get(name).map(|bound| bound.binding.clone()) {
            Some(Binding::Time(time)) => self.time_axis(time),
            Some(Binding::Size(size)) => {
                Axis { name: size.axis, extent: Extent::Fixed(size.value.round().max(1.0) as usize) }
            }
            _ if names_time(name) => {
                let time = self.new_time(name);
                scope.bind(name, Binding::Time(time), span);
                scope.times.push(time);
                self.time_axis(time)
            }
            _ => {
                let size = SizeValue { value: self.invent(), axis: name.to_string() };
                scope.bind(name, Binding::Size(size.clone()), span);
                Axis { name: size.axis, extent: Extent::Fixed(size.value as usize) }
            }
        }
    }

    /// A size that nobody gave.
    pub(super) fn invent(&mut self) -> f64 {
        self.invented += 1;
        INVENTED[(self.invented - 1) % INVENTED.len()]
    }

    fn input(&mut self, scope: &mut Scope, parameter: &Parameter, axes: Vec<Axis>, below: Option<usize>) {
        self.model.values.push(Value {
            path: parameter.name.text.clone(),
            span: parameter.name.span,
            axes,
            kind: ValueKind::Input { below },
        });
        let value = ValueId(self.model.values.len() as u32 - 1);
        scope.bind(&parameter.name.text, Binding::Value(value), parameter.name.span);
    }

    /// A model's sizes: as given from outside, else their default.
    fn model_sizes(
        &mut self,
        scope: &mut Scope,
        definition: &Definition,
        parameters: &BTreeMap<String, f64>,
    ) -> Checked<()> {
        let known: Vec<&str> = definition.sizes.iter().map(|size| size.name.text.as_str()).collect();
        let mut failed = false;
        for name in parameters.keys() {
            if !known.contains(&name.as_str()) {
                let near = nearest(name, known.iter().copied());
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "it has none".to_string(),
                    None => format!("it has {}", known.join(", ")),
                };
                self.report(
                    Diagnostic::new(
                        Code::Arguments,
                        definition.name.span,
                        format!("`{}` has no parameter `{name}`", definition.name.text),
                    )
                    .help(help),
                );
                failed = true;
            }
        }
        for size in &definition.sizes {
            let value = match (parameters.get(&size.name.text), &size.value) {
                (Some(value), _) => *value,
                (None, Some(default)) => match self.size_expression(scope, default) {
                    Ok(size) => size.value,
                    Err(_) => {
                        failed = true;
                        continue;
                    }
                },
                (None, None) if self.missing == super::Missing::Invent => self.invent(),
                (None, None) => {
                    self.report(
                        Diagnostic::new(
                            Code::MissingParameter,
                            size.name.span,
                            format!("the parameter `{}` has no value", size.name.text),
                        )
                        .label("no default")
                        .help(format!(
                            "give it one with `--set {}=…`, from a checkpoint's `config.json`, or a default here",
                            size.name.text
                        )),
                    );
                    failed = true;
                    continue;
                }
            };
            self.model.parameters.push((size.name.text.clone(), value));
            if names_time(&size.name.text) {
                failed |= self.bind_known_time(scope, &size.name.text, value, size.name.span).is_err();
                continue;
            }
            let binding = Binding::Size(SizeValue { value, axis: size.name.text.clone() });
            scope.bind(&size.name.text, binding, size.name.span);
        }
        if failed { Err(super::Failed) } else { Ok(()) }
    }

    /// A call of a definition: its values from the caller's, its sizes from the call.
    pub fn instance(
        &mut self,
        scope: &Scope,
        draft: &mut Draft,
        call: &Call,
        (file, place): (usize, usize),
        span: Span,
    ) -> Checked<Rc<Instance>> {
        let definition = self.program.definition(file, place).clone();
        let item = (file, ItemKind::Definition(place));
        let inside_itself = self.open.contains(&item);
        if inside_itself || self.depth >= DEEPEST_INSTANCE {
            let how = if inside_itself { "is used inside itself" } else { "stands too deep in other definitions" };
            return Err(self.report(
                Diagnostic::new(Code::Circular, call.name.span, format!("`{}` {how}", definition.name.text))
                    .help("a definition can't contain itself; `repeat` stacks layers"),
            ));
        }
        if call.arguments.len() != definition.parameters.len() {
            let wanted: Vec<&str> =
                definition.parameters.iter().map(|parameter| parameter.name.text.as_str()).collect();
            return Err(self.report(
                Diagnostic::new(
                    Code::Arguments,
                    call.name.span,
                    format!(
                        "`{}` takes {} value{}, found {}",
                        definition.name.text,
                        wanted.len(),
                        super::builtin::plural(wanted.len()),
                        call.arguments.len()
                    ),
                )
                .also(definition.name.span, format!("it takes {}", wanted.join(", ")))
                .help("values stand before the `;`, sizes after it"),
            ));
        }
        let backward = scope.backward != call.backward;
        let mut inner = Scope::new(file, draft.path.clone(), backward);
        let over = match call.over.as_slice() {
            [] => None,
            [index] => Some(self.axis_named(scope, &index.name)?),
            [_, second, ..] => {
                return Err(self.report(Diagnostic::new(
                    Code::Arguments,
                    second.name.span,
                    "a definition runs over one axis",
                )));
            }
        };
        for (parameter, argument) in definition.parameters.iter().zip(&call.arguments) {
            let typed = self.clause(scope, draft, argument)?;
            let place = typed.span;
            let value = self.name_it(draft, typed, &parameter.name.text)?;
            self.bind_parameter(&mut inner, parameter, value, over.as_ref(), place)?;
        }
        self.call_sizes(scope, &mut inner, call, &definition)?;
        let weights = self.weights.len();
        self.depth += 1;
        self.calls.push(span);
        self.open.push(item);
        let done = self.body(&mut inner, &definition);
        self.open.pop();
        self.calls.pop();
        self.depth -= 1;
        let instance = done?;
        if self.weights.len() > weights {
            self.claim_weights(draft, span)?;
        }
        Ok(instance)
    }

    /// A definition's statements, and what it gives.
    fn body(&mut self, scope: &mut Scope, definition: &Definition) -> Checked<Rc<Instance>> {
        let before: Vec<ValueId> = self.pending.keys().copied().collect();
        let done = self.statements(scope, &definition.body);
        if done.is_ok() {
            let left: Vec<(ValueId, Span)> = self
                .pending
                .iter()
                .filter(|(value, _)| !before.contains(value))
                .map(|(value, span)| (*value, *span))
                .collect();
            for (value, span) in left {
                let name = self.model.value(value).path.clone();
                let short = name.rsplit('.').next().unwrap_or(&name).to_string();
                self.pending.remove(&value);
                self.report(
                    Diagnostic::new(Code::StateWithoutEquation, span, format!("the state `{short}` has no equation"))
                        .label("declared here")
                        .help(format!("say what it is at each position: `{short} = …`")),
                );
            }
        }
        done?;
        let name = match (definition.results.first(), last_equation(&definition.body)) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => name,
            (None, None) => {
                return Err(self.report(Diagnostic::new(
                    Code::UnknownName,
                    definition.name.span,
                    format!("`{}` has no equation", definition.name.text),
                )));
            }
        };
        let result = match self.lookup(scope, std::slice::from_ref(&name)) {
            Some(Binding::Value(value)) => value,
            Some(Binding::Instance(instance)) => instance.result,
            Some(Binding::Broken) => return Err(super::Failed),
            Some(Binding::Size(_) | Binding::Time(_)) | None => {
                return Err(self.unknown(scope, std::slice::from_ref(&name), None));
            }
        };
        Ok(Rc::new(Instance { result, names: std::mem::take(&mut scope.names) }))
    }

    /// Numbers the values without a name of their own where an equation has several of one kind: `y.x`, `y.x2`.
    fn make_paths_unique(&mut self) {
        let is_equation = |value: &Value| matches!(value.kind, ValueKind::Equation(_));
        let named = self.model.ids().filter(|(id, _)| !self.model.inside.contains_key(id));
        let named = named.filter(|(_, value)| is_equation(value));
        let mut taken: HashSet<String> = named.map(|(_, value)| value.path.clone()).collect();
        let mut next: HashMap<String, usize> = HashMap::new();
        for id in self.model.inside.keys() {
            let path = &mut self.model.values[id.0 as usize].path;
            let own = path.clone();
            while !taken.insert(path.clone()) {
                let number = next.entry(own.clone()).or_insert(1);
                *number += 1;
                *path = format!("{own}{number}");
            }
        }
    }

    /// Notes what an iteration of a repeat called its values, before the next one calls others so: nothing reads them by these
    /// names any more, but they can be asked for.
    pub(super) fn remember(&mut self, scope: &Scope, before: &HashMap<String, Bound>) {
        let is_same = |one: &Binding, other: &Binding| match (one, other) {
            (Binding::Value(one), Binding::Value(other)) => one == other,
            (Binding::Instance(one), Binding::Instance(other)) => Rc::ptr_eq(one, other),
            (Binding::Size(_) | Binding::Time(_) | Binding::Broken, _)
            | (Binding::Value(_) | Binding::Instance(_), _) => false,
        };
        for (name, bound) in &scope.names {
            match before.get(name) {
                Some(known) if is_same(&known.binding, &bound.binding) => {}
                Some(_) | None => gather_bound(&scope.equation_path(name), &bound.binding, &mut self.model.names),
            }
        }
    }

    /// The names that can be asked for, of the values so far: those of repeats' iterations, paths, and what a definition calls
    /// them. Where a weight is called as the equation that uses it, the equation is meant.
    fn names_of(&self, own: &HashMap<String, Bound>) -> BTreeMap<String, ValueId> {
        let mut names = self.model.names.clone();
        let is_equation = |value: &Value| matches!(value.kind, ValueKind::Equation(_));
        for equations in [true, false] {
            for (id, value) in self.model.ids().filter(|(_, value)| is_equation(value) == equations) {
                names.entry(value.path.clone()).or_insert(id);
            }
        }
        gather("", own, &mut names);
        names
    }

    /// The names that can be asked for, and those that are given where nothing is asked for.
    fn outputs(&mut self, definition: &Definition, instance: &Instance) {
        self.make_paths_unique();
        let names = self.names_of(&instance.names);
        let results: Vec<String> = if definition.results.is_empty() {
            last_equation(&definition.body).map(|name| name.text).into_iter().collect()
        } else {
            definition.results.iter().map(|name| name.text.clone()).collect()
        };
        for name in results {
            match names.get(&name) {
                Some(value) => self.model.results.push((name, *value)),
                None => {
                    let span = definition
                        .results
                        .iter()
                        .find(|item| item.text == name)
                        .map_or(definition.span, |item| item.span);
                    self.report(Diagnostic::new(Code::UnknownName, span, format!("nothing is called `{name}`")));
                }
            }
        }
        self.model.names = names;
    }
}

/// What an instance's names stand for, and those of the instances inside it, by their paths.
fn gather(path: &str, own: &HashMap<String, Bound>, names: &mut BTreeMap<String, ValueId>) {
    for (name, bound) in own {
        gather_bound(&super::scope::join(path, name), &bound.binding, names);
    }
}

fn gather_bound(path: &str, binding: &Binding, names: &mut BTreeMap<String, ValueId>) {
    match binding {
        Binding::Value(value) => {
            names.insert(path.to_string(), *value);
        }
        Binding::Instance(inner) => {
            gather(path, &inner.names, names);
            names.insert(path.to_string(), inner.result);
        }
        Binding::Size(_) | Binding::Time(_) | Binding::Broken => {}
    }
}

/// The name that the last equation of a body gives.
fn last_equation(body: &[Statement]) -> Option<crate::syntax::tree::Name> {
    body.iter().rev().find_map(|statement| match statement {
        Statement::Equation(equation) => Some(equation.name.clone()),
        Statement::Repeat { body, .. } => last_equation(body),
        Statement::State { .. } | Statement::Weight { .. } | Statement::Constant { .. } | Statement::Parallel(_) => {
            None
        }
    })
}
