//! The lines of a table in turn: repeats unrolled, rows counted, weights found.
//!
//! A mistake in a repeat is told once, not in every iteration.

use super::audit;
use super::find;
use super::formula::{Formula, make, weight_matrix};
use super::names::{Counter, Weights, expand};
use super::number::{Ask, Fault, Mistake, evaluate, path_text, whole};
use super::settings::parameters;
use super::{Binding, FileFormat, Prefix, Table, TensorRows};
use crate::check::program::Program;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::model::Model;
use crate::source::Span;
use crate::syntax::tree::{Entry, Expression, Name, Statement, TableSource};
use crate::term::ValueId;
use std::collections::{BTreeMap, BTreeSet};

/// The table of a model for files of a format, resolved: every weight bound once. Without a table in
/// the program, tensors have the names and axes of the weights.
///
/// # Errors
/// Every line that does not fit the model, every weight left out or bound twice, and every row of a
/// tensor that is meant twice or not at all.
pub fn bindings(program: &Program, model: &Model, format: FileFormat) -> Result<Table, Vec<Diagnostic>> {
    let tables = find::tables(program, &model.name, format)?;
    let defined = find::definition(program, &model.name);
    let Some(first) = tables.first() else {
        return Ok(identity(model, defined.map_or(Span::default(), |item| item.name.span)));
    };
    let mut resolver = Resolver {
        model,
        weights: Weights::of(model),
        parameters: parameters(model),
        repeated: repeated(program),
        counters: Vec::new(),
        named: Vec::new(),
        table: Table {
            model: model.name.clone(),
            span: first.model.span,
            identity: false,
            prefixes: Vec::new(),
            bindings: Vec::new(),
            ignored: Vec::new(),
        },
        diagnostics: Vec::new(),
    };
    for table in &tables {
        resolver.entries(&table.entries);
    }
    let Resolver { table, named, mut diagnostics, .. } = resolver;
    let twice = audit::bound_twice(model, &named);
    diagnostics.extend(twice);
    // A line with a mistake binds nothing: what it would have bound is not missing.
    if diagnostics.is_empty() {
        diagnostics.extend(audit::left_out(model, &named, table.span));
        diagnostics.extend(audit::rows(&table));
    }
    if diagnostics.is_empty() {
        return Ok(table);
    }
    diagnostics.sort_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code));
    Err(diagnostics)
}

/// The table of a model that has none in the program.
fn identity(model: &Model, span: Span) -> Table {
    let bindings = model
        .weights()
        .map(|(id, value)| Binding {
            sources: vec![TensorRows { names: vec![value.path.clone()], first_row: None, span: value.span }],
            formula: Formula::Weight(id),
            matrix: weight_matrix(id, value),
            span: value.span,
        })
        .collect();
    Table { model: model.name.clone(), span, identity: true, prefixes: Vec::new(), bindings, ignored: Vec::new() }
}

/// The counters of all repeats in the program.
fn repeated(program: &Program) -> BTreeSet<&str> {
    fn gather<'p>(body: &'p [Statement], counters: &mut BTreeSet<&'p str>) {
        for statement in body {
            match statement {
                Statement::Repeat { counter, body, .. } => {
                    counters.insert(&counter.text);
                    gather(body, counters);
                }
                Statement::State { .. }
                | Statement::Weight { .. }
                | Statement::Constant { .. }
                | Statement::Parallel(_)
                | Statement::Equation(_) => {}
            }
        }
    }
    let mut counters = BTreeSet::new();
    for definition in program.files.iter().flat_map(|file| &file.tree.definitions) {
        gather(&definition.body, &mut counters);
    }
    counters
}

struct Resolver<'a> {
    model: &'a Model,
    weights: Weights<'a>,
    parameters: BTreeMap<&'a str, f64>,
    /// Counters of the program's repeats.
    repeated: BTreeSet<&'a str>,
    /// The repeats around the line, the outermost first.
    counters: Vec<Counter>,
    /// Every weight that a formula names, and where.
    named: Vec<(ValueId, Span)>,
    table: Table,
    diagnostics: Vec<Diagnostic>,
}

impl Resolver<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        let known = |other: &Diagnostic| other.code == diagnostic.code && other.primary.span == diagnostic.primary.span;
        if !self.diagnostics.iter().any(known) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            if let Err(diagnostic) = self.entry(entry) {
                self.report(*diagnostic);
            }
        }
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Mistake> {
        match entry {
            Entry::Prefix { text, optional } => {
                self.outside_repeat(text.span, "a prefix")?;
                let text = expand(text, &self.counters)?;
                self.table.prefixes.push(Prefix { text, optional: *optional });
            }
            Entry::Ignore(patterns) => {
                for pattern in patterns {
                    let pattern = expand(pattern, &self.counters)?;
                    if !self.table.ignored.contains(&pattern) {
                        self.table.ignored.push(pattern);
                    }
                }
            }
            Entry::Require { path, .. } => {
                let span = path.first().map_or(self.table.span, |name| name.span);
                self.outside_repeat(span, "a requirement")?;
            }
            Entry::Setting { name, .. } => self.outside_repeat(name.span, "a parameter's value")?,
            Entry::Layers { counter, entries } => self.repeat(counter, entries)?,
            Entry::Binding { sources, formula } => self.binding(sources, formula)?,
        }
        Ok(())
    }

    fn outside_repeat(&self, span: Span, what: &str) -> Result<(), Mistake> {
        if self.counters.is_empty() {
            return Ok(());
        }
        Err(Box::new(
            Diagnostic::new(Code::Table, span, format!("{what} can't differ between iterations"))
                .help("write it outside `repeat`"),
        ))
    }

    fn repeat(&mut self, counter: &Name, entries: &[Entry]) -> Result<(), Mistake> {
        let name = counter.text.as_str();
        if self.counters.iter().any(|outer| outer.name == name) {
            let message = format!("`repeat {name}` inside another one");
            return Err(Box::new(
                Diagnostic::new(Code::DefinedTwice, counter.span, message).help("a table repeats as the model does"),
            ));
        }
        if !self.repeated.contains(name) {
            let message = format!("the model has no `repeat {name}`");
            let diagnostic = Diagnostic::new(Code::UnknownName, counter.span, message);
            return Err(Box::new(match nearest(name, self.repeated.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `repeat {near}`?")),
                None => diagnostic.help("a table repeats by the counter of a `repeat` in the model"),
            }));
        }
        for iteration in self.weights.iterations(name, &self.counters, entries) {
            self.counters.push(Counter { name: name.to_string(), iteration });
            self.entries(entries);
            self.counters.pop();
        }
        Ok(())
    }

    fn binding(&mut self, sources: &[TableSource], formula: &Expression) -> Result<(), Mistake> {
        let made = make(self.model, &self.weights, &self.counters, formula)?;
        // Weights count as bound even if the left side has a mistake, which is told by itself.
        self.named.extend(&made.named);
        let count = made.matrix.rows();
        let sources: Result<Vec<TensorRows>, Mistake> =
            sources.iter().map(|source| self.source(source, count, formula.span)).collect();
        self.table.bindings.push(Binding {
            sources: sources?,
            formula: made.formula,
            matrix: made.matrix,
            span: formula.span,
        });
        Ok(())
    }

    /// A tensor's rows, of which the right side has `count`.
    fn source(&self, source: &TableSource, count: usize, formula: Span) -> Result<TensorRows, Mistake> {
        let names: Result<Vec<String>, Mistake> =
            source.names.iter().map(|name| expand(name, &self.counters)).collect();
        let first_row = match &source.rows {
            None => None,
            Some((from, to)) => {
                let from = from.as_ref().map_or(Ok(0), |from| self.row(from))?;
                if let Some(end) = to {
                    let to = self.row(end)?;
                    if to.checked_sub(from) != Some(count) {
                        let taken = match to.checked_sub(from) {
                            Some(taken) => format!("{taken} rows are taken"),
                            None => format!("rows {from} .. {to} are none"),
                        };
                        let message = format!("{taken}, but the right side has {count}");
                        return Err(Box::new(
                            Diagnostic::new(Code::Table, source.span, message)
                                .label(format!("rows {from} .. {to}"))
                                .also(formula, format!("{count} rows")),
                        ));
                    }
                }
                Some(from)
            }
        };
        Ok(TensorRows { names: names?, first_row, span: source.span })
    }

    /// A row's number.
    fn row(&self, expression: &Expression) -> Result<usize, Mistake> {
        let value = evaluate(expression, &|ask, names, span| self.look_up(ask, names, span).map_err(Fault::Mistake));
        match value {
            Ok(value) => whole(value).ok_or_else(|| {
                let message = "rows are counted from 0 in whole numbers";
                let diagnostic = Diagnostic::new(Code::Size, expression.span, message);
                Box::new(diagnostic.label(format!("this is {value}")))
            }),
            Err(Fault::Mistake(diagnostic)) => Err(diagnostic),
            Err(Fault::Missing(what)) => {
                Err(Box::new(Diagnostic::new(Code::UnknownName, expression.span, format!("{what} has no value"))))
            }
        }
    }

    /// A parameter of the model, or the iteration that a counter is in.
    fn look_up(&self, ask: Ask, names: &[Name], span: Span) -> Result<f64, Mistake> {
        let path = path_text(names);
        if ask == Ask::Length {
            let message = "rows are counted by numbers and parameters";
            let help = "set a parameter from the configuration, `classes = length(config.…)`, and use it here";
            return Err(Box::new(Diagnostic::new(Code::Table, span, message).label("not a number").help(help)));
        }
        if let Some(counter) = self.counters.iter().rev().find(|counter| counter.name == path) {
            return Ok(counter.iteration as f64);
        }
        self.parameters.get(path.as_str()).copied().ok_or_else(|| {
            let message = format!("the model has no parameter `{path}`");
            let diagnostic = Diagnostic::new(Code::UnknownName, span, message);
            Box::new(match nearest(&path, self.parameters.keys().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            })
        })
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
