//! Where each name of a file is given, and where it is used: what editors go to, rename and complete.
//!
//! In: a program as it was read, mistakes and all. Out: for each word that names something, the place where that is given, in
//! this file or one that it uses. Nothing is checked: a word that nothing gives is left out.
//!
//! The names of a definition are one list, as they are for the checker: its values, sizes, states, weights and equations, those
//! inside a `repeat` too. Indices belong to their equation, or to the reduction that names them. `lstm.c` is the `c` of the
//! definition that `lstm` calls; in a checkpoint table, `lstm.input.x` the `x` that its equation `input` reads.

mod names;

use self::names::{Given, Names, called, called_names, names_of};
use crate::check::program::{Item, ItemKind, Program};
use crate::source::Span;
use crate::syntax::tree::{
    Call, Clause, Comparison, Definition, Entry, Equation, Expression, ExpressionKind, File, Index, Name, Size,
    Statement,
};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// A cell, attention, norm, block or model.
    Definition,
    /// A function.
    Function,
    /// An axis whose entries have labels.
    LabelledAxis,
    /// A value of a definition: taken, a state, a weight, a constant, or what an equation gives.
    Value,
    /// A size, and the axis that it makes.
    Size,
    /// A time axis.
    Time,
    /// An index of an equation or of a reduction.
    Index,
}

/// How a word names something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spelling {
    /// By its name.
    Whole,
    /// As the size that a definition takes, in a call with that word alone: `Block(x; heads)` is `Block(x; heads = heads)`.
    Taken,
    /// As the size that the caller gives, by the same word.
    Given,
}

/// A word that names something. One that names two things, `heads` in `Block(x; heads)`, is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The word.
    pub span: Span,
    /// How it names it.
    pub spelling: Spelling,
    /// Where what it names is given: its first place there.
    pub target: Span,
    /// What that is.
    pub what: What,
}

impl Reference {
    /// What stands in place of the word when what it names has a new name.
    pub fn renamed(&self, old: &str, new: &str) -> String {
        match self.spelling {
            Spelling::Whole => new.to_string(),
            Spelling::Taken => format!("{new} = {old}"),
            Spelling::Given => format!("{old} = {new}"),
        }
    }
}

/// Every word of a file that names something, in the order of their places.
pub fn references(program: &Program, file: usize) -> Vec<Reference> {
    let mut walker =
        Walker { program, file, all: Vec::new(), indices: Vec::new(), names: Names::new(), inside: Vec::new() };
    walker.file(&program.files[file].tree);
    walker.all.sort();
    walker.all.dedup();
    walker.all
}

/// The names that the definition around a place has, with what they stand for, by name.
pub fn names_at(program: &Program, file: usize, offset: usize) -> Vec<(String, What)> {
    let around = |item: &&Definition| item.span.start <= offset && offset <= item.span.end;
    let Some(definition) = program.files[file].tree.definitions.iter().find(around) else { return Vec::new() };
    let mut names: Vec<(String, What)> =
        names_of(program, file, definition).into_iter().map(|(name, given)| (name, given.what)).collect();
    names.sort();
    names
}

/// The names that an instance of a definition has: what can stand behind `lstm.`.
pub fn names_behind(program: &Program, file: usize, offset: usize, path: &[&str]) -> Vec<(String, What)> {
    let around = |item: &&Definition| item.span.start <= offset && offset <= item.span.end;
    let Some(definition) = program.files[file].tree.definitions.iter().find(around) else { return Vec::new() };
    let mut names = names_of(program, file, definition);
    for part in path {
        let Some((item, definition)) = names.get(*part).and_then(|given| called(program, given.instance?)) else {
            return Vec::new();
        };
        names = names_of(program, item.file, definition);
    }
    let mut names: Vec<(String, What)> = names.into_iter().map(|(name, given)| (name, given.what)).collect();
    names.retain(|(_, what)| *what == What::Value);
    names.sort();
    names
}

/// Where an item gives its name.
pub fn place(program: &Program, item: Item) -> (Span, What) {
    let tree = &program.files[item.file].tree;
    match item.kind {
        ItemKind::Definition(place) => (tree.definitions[place].name.span, What::Definition),
        ItemKind::Function(place) => (tree.functions[place].name.span, What::Function),
        ItemKind::Axis(place) => (tree.axes[place].name.span, What::LabelledAxis),
    }
}

/// Goes through a file and notes what its words name.
struct Walker<'p> {
    program: &'p Program,
    file: usize,
    all: Vec<Reference>,
    /// The names of the definition that it is in.
    names: Names,
    /// Indices, the innermost last.
    indices: Vec<(String, Span)>,
    /// In the lines of a table for each layer: the names of what the repeat's body calls.
    inside: Vec<(Item, Names)>,
}

impl Walker<'_> {
    fn file(&mut self, tree: &File) {
        for axis in &tree.axes {
            self.note(axis.name.span, axis.name.span, What::LabelledAxis);
        }
        for function in &tree.functions {
            self.note(function.name.span, function.name.span, What::Function);
            let parameter =
                |name: &Name| (name.text.clone(), Given { span: name.span, what: What::Value, instance: None });
            self.names = function.parameters.iter().map(parameter).collect();
            function.parameters.iter().for_each(|name| self.note(name.span, name.span, What::Value));
            self.expression(&function.body);
        }
        for definition in &tree.definitions {
            self.definition(definition);
        }
        for table in &tree.checkpoints {
            self.names = Names::new();
            let item = self.program.item(self.file, &table.model.text);
            self.item(&table.model);
            let Some((item, model)) = item.and_then(|item| called(self.program, item)) else { continue };
            self.names = names_of(self.program, item.file, model);
            self.entries(&table.entries, &model.body);
        }
    }

    fn note(&mut self, span: Span, target: Span, what: What) {
        self.all.push(Reference { span, spelling: Spelling::Whole, target, what });
    }

    fn item(&mut self, name: &Name) {
        if let Some(item) = self.program.item(self.file, &name.text) {
            let (target, what) = place(self.program, item);
            self.note(name.span, target, what);
        }
    }

    /// A name of the definition, or of a labelled axis.
    fn name(&mut self, name: &Name) {
        match self.names.get(&name.text) {
            Some(given) => self.note(name.span, given.span, given.what),
            None => self.item(name),
        }
    }

    fn definition(&mut self, definition: &Definition) {
        self.note(definition.name.span, definition.name.span, What::Definition);
        self.names = names_of(self.program, self.file, definition);
        for parameter in &definition.parameters {
            self.name(&parameter.name);
            parameter.axes.iter().for_each(|axes| self.sizes(&axes.entries));
            parameter.of.iter().for_each(|of| self.expression(of));
        }
        self.sizes(&definition.sizes);
        definition.results.iter().for_each(|name| self.name(name));
        self.statements(&definition.body);
    }

    fn sizes(&mut self, sizes: &[Size]) {
        for size in sizes {
            self.name(&size.name);
            size.value.iter().for_each(|value| self.expression(value));
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::State { names, axes, before } => {
                    names.iter().for_each(|name| self.name(name));
                    self.sizes(&axes.entries);
                    before.iter().for_each(|before| self.expression(before));
                }
                Statement::Weight { names, axes } => {
                    names.iter().for_each(|name| self.name(name));
                    self.sizes(&axes.entries);
                }
                Statement::Constant { name, axes, .. } => {
                    self.name(name);
                    self.sizes(&axes.entries);
                }
                Statement::Parallel(paths) => paths.iter().for_each(|path| self.path(path)),
                Statement::Repeat { counter, from, to, body } => {
                    self.name(counter);
                    self.expression(from);
                    self.expression(to);
                    self.statements(body);
                }
                Statement::Equation(equation) => self.equation(equation),
            }
        }
    }

    fn equation(&mut self, equation: &Equation) {
        self.name(&equation.name);
        let outer = self.indices.len();
        equation.indices.iter().for_each(|index| self.index(index));
        self.clause(&equation.clause);
        self.indices.truncate(outer);
    }

    /// A name of an axis, of an index that is there, or of a new one.
    fn index(&mut self, index: &Index) {
        index.axis.iter().for_each(|axis| self.name(axis));
        let known = self.indices.iter().rev().find(|(name, _)| *name == index.name.text).map(|(_, span)| *span);
        let is_axis = self.names.get(&index.name.text).is_some_and(|given| given.what != What::Value);
        // The time axis of a value that another definition gives.
        let is_time = index.name.text.starts_with(|letter: char| letter.is_ascii_uppercase());
        match known {
            Some(span) => self.note(index.name.span, span, What::Index),
            None if is_axis && index.axis.is_none() => self.name(&index.name),
            None if is_time && index.axis.is_none() => self.note(index.name.span, index.name.span, What::Time),
            None => {
                self.note(index.name.span, index.name.span, What::Index);
                self.indices.push((index.name.text.clone(), index.name.span));
            }
        }
    }

    fn clause(&mut self, clause: &Clause) {
        self.expression(&clause.value);
        self.comparisons(&clause.conditions);
    }

    fn comparisons(&mut self, all: &[Comparison]) {
        for comparison in all {
            self.expression(&comparison.left);
            self.expression(&comparison.right);
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            ExpressionKind::Number(_) => {}
            ExpressionKind::Path(path) => self.path(path),
            ExpressionKind::Negate(inner) => self.expression(inner),
            ExpressionKind::Binary(_, left, right) => {
                self.expression(left);
                self.expression(right);
            }
            ExpressionKind::Subscript(base, indices) => {
                self.expression(base);
                indices.iter().for_each(|index| self.expression(index));
            }
            ExpressionKind::Call(call) => self.call(call),
            ExpressionKind::Condition(all) => self.comparisons(all),
            ExpressionKind::Where(clause) => self.clause(clause),
        }
    }

    fn call(&mut self, call: &Call) {
        let outer = self.indices.len();
        self.item(&call.name);
        call.over.iter().for_each(|index| self.index(index));
        call.arguments.iter().for_each(|clause| self.clause(clause));
        let definition = self.program.item(self.file, &call.name.text).and_then(|item| called(self.program, item));
        match definition {
            None => self.sizes(&call.sizes),
            Some((item, definition)) => {
                let theirs = names_of(self.program, item.file, definition);
                for size in &call.sizes {
                    let span = size.name.span;
                    match (&size.value, theirs.get(&size.name.text)) {
                        (None, None) => self.name(&size.name),
                        (None, Some(taken)) => {
                            let (target, what) = (taken.span, taken.what);
                            self.all.push(Reference { span, spelling: Spelling::Taken, target, what });
                            if let Some(given) = self.names.get(&size.name.text) {
                                let (target, what) = (given.span, given.what);
                                self.all.push(Reference { span, spelling: Spelling::Given, target, what });
                            }
                        }
                        (Some(value), given) => {
                            given.iter().for_each(|given| self.note(span, given.span, given.what));
                            self.expression(value);
                        }
                    }
                }
            }
        }
        self.indices.truncate(outer);
    }

    /// `lstm`, `lstm.c`, in a table also `lstm.input.x`.
    fn path(&mut self, path: &[Name]) {
        let Some((first, rest)) = path.split_first() else { return };
        if let Some((_, span)) = self.indices.iter().rev().find(|(name, _)| *name == first.text) {
            let span = *span;
            return self.note(first.span, span, What::Index);
        }
        let own = self.names.get(&first.text).copied();
        let of_layer = self.inside.iter().find_map(|(item, names)| Some((*item, *names.get(&first.text)?)));
        // In the lines for a layer its names come before the model's.
        let (mut around, mut given) = match (of_layer, own) {
            (Some((item, given)), _) => (Some(item), given),
            (None, Some(given)) => (None, given),
            (None, None) => return self.item(first),
        };
        self.note(first.span, given.span, given.what);
        for part in rest {
            // A weight behind an equation that is no instance is called after what the equation reads.
            around = given.instance.or(around);
            let Some((item, definition)) = around.and_then(|item| called(self.program, item)) else { return };
            let Some(next) = names_of(self.program, item.file, definition).get(&part.text).copied() else { return };
            self.note(part.span, next.span, next.what);
            given = next;
        }
    }

    fn entries(&mut self, entries: &[Entry], body: &[Statement]) {
        for entry in entries {
            match entry {
                Entry::Require { .. } => {}
                Entry::Prefix { text, .. } => self.counters(text),
                Entry::Ignore(texts) => texts.iter().for_each(|text| self.counters(text)),
                Entry::Layers { counter, entries } => {
                    self.name(counter);
                    let repeat = body.iter().find_map(|statement| match statement {
                        Statement::Repeat { counter: own, body, .. } if own.text == counter.text => Some(body),
                        _ => None,
                    });
                    let Some(repeat) = repeat else { continue };
                    let called = repeat.iter().filter_map(|statement| match statement {
                        Statement::Equation(equation) => self.names.get(&equation.name.text)?.instance,
                        _ => None,
                    });
                    let called: Vec<(Item, Names)> =
                        called.filter_map(|item| called_names(self.program, item)).collect();
                    let outer = std::mem::replace(&mut self.inside, called);
                    self.entries(entries, repeat);
                    self.inside = outer;
                }
                // `config.hidden_size` names nothing of the model.
                Entry::Setting { name, alternatives: _ } => self.name(name),
                Entry::Binding { sources, formula } => {
                    sources.iter().flat_map(|source| &source.names).for_each(|text| self.counters(text));
                    let rows = sources.iter().filter_map(|source| source.rows.as_ref());
                    rows.flat_map(|(from, to)| [from, to]).flatten().for_each(|bound| self.expression(bound));
                    self.expression(formula);
                }
            }
        }
    }

    /// The counters in a tensor's name: `"h.{layer}.weight"`.
    fn counters(&mut self, text: &Name) {
        for (place, _) in text.text.match_indices('{') {
            let Some(length) = text.text[place..].find('}') else { continue };
            let name = &text.text[place + 1..place + length];
            let Some(given) = self.names.get(name) else { continue };
            // One further on, behind the quote.
            let start = text.span.start + 1 + place + 1;
            let (target, what) = (given.span, given.what);
            self.note(Span { start, end: start + name.len(), ..text.span }, target, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::program::read;
    use crate::source::Sources;

    const TEXT: &str = "use cells

cell Own(x; size) {
  state h: [size] = 0
  h = tanh(affine(x, h[t-1]; size))
}

model M(x: [T, input]; input = 3, hidden = 4) -> y {
  lstm = LSTM(x; size = hidden)
  own  = Own(lstm; size = hidden)
  score[i, j] = dot(own[i], lstm.c[j])  where j <= i
  y[i] = sum over k (score[i, k]) + sum over hidden (own)
}

checkpoint M {
  hidden = config.size
  \"w\" = stack(lstm.input.x, own.h.x)
}
";

    /// Each word that names something, and the file, line and column of what it names.
    fn told(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let (program, _) = read(&mut sources, &|_, _| Err("no".to_string()), "m.seq", text);
        let all = references(&program, program.root);
        let of = |reference: Reference| {
            let target = reference.target;
            let place =
                if target.file == reference.span.file { String::new() } else { sources.get(target.file).name.clone() };
            let line = sources.line(reference.span);
            format!("{line} {} -> {place}{} {:?}", sources.text(reference.span), sources.line(target), reference.what)
        };
        all.into_iter().map(of).collect()
    }

    #[test]
    fn words_lead_to_what_they_name() {
        let told = told(TEXT);
        for wanted in [
            "3 Own -> 3 Definition",
            "5 h -> 4 Value",
            "5 size -> 3 Size",
            "8 y -> 12 Value",
            "9 size -> library/cells.seq8 Size",
            "9 hidden -> 8 Size",
            "10 lstm -> 9 Value",
            "10 size -> 3 Size",
            "11 i -> 11 Index",
            "11 c -> library/cells.seq9 Value",
            "12 k -> 12 Index",
            "12 hidden -> 8 Size",
            "15 M -> 8 Definition",
            "16 hidden -> 8 Size",
            "17 input -> library/cells.seq10 Value",
            "17 x -> library/cells.seq8 Value",
            "17 h -> 4 Value",
            "17 x -> 3 Value",
        ] {
            assert!(told.iter().any(|told| told == wanted), "{wanted} is not in\n{}", told.join("\n"));
        }
        assert!(!told.iter().any(|told| told.starts_with("11 t ") || told.contains(" dot ")), "{told:?}");
    }

    #[test]
    fn names_of_a_place_are_those_of_its_definition() {
        let mut sources = Sources::default();
        let (program, _) = read(&mut sources, &|_, _| Err("no".to_string()), "m.seq", TEXT);
        let at = |word: &str| TEXT.find(word).expect("it is there");
        let names = |found: Vec<(String, What)>| found.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ");
        assert_eq!(names(names_at(&program, program.root, at("tanh"))), "h size x");
        assert_eq!(names(names_at(&program, program.root, at("use cells"))), "");
        let behind = names_behind(&program, program.root, at("lstm ="), &["lstm"]);
        assert_eq!(names(behind), "c candidate forget h input output x");
        assert!(names_behind(&program, program.root, at("lstm ="), &["score"]).is_empty());
    }
}
