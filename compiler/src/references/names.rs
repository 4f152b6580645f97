//! The names that a definition gives, with what each stands for: one list, those inside a `repeat` too.

use super::What;
use crate::check::program::{Item, ItemKind, Program};
use crate::source::Span;
use crate::syntax::tree::{Axes, Call, Definition, Expression, ExpressionKind, Name, Size, Statement};
use std::collections::HashMap;

/// A name of a definition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub span: Span,
    pub what: What,
    /// The definition that it is an instance of, where its equation is a call of one.
    pub instance: Option<Item>,
}

pub(super) type Names = HashMap<String, Given>;

/// The definition that an item is, if it is one.
pub(super) fn called(program: &Program, item: Item) -> Option<(Item, &Definition)> {
    match item.kind {
        ItemKind::Definition(place) => Some((item, program.definition(item.file, place))),
        ItemKind::Function(_) | ItemKind::Axis(_) => None,
    }
}

/// All names that a definition gives.
pub(super) fn names_of(program: &Program, file: usize, definition: &Definition) -> Names {
    let mut giver = Giver { program, file, names: Names::new() };
    giver.sizes(&definition.sizes);
    for parameter in &definition.parameters {
        giver.give(&parameter.name, What::Value, None);
        parameter.axes.iter().for_each(|axes| giver.axes(axes));
    }
    giver.statements(&definition.body);
    giver.names
}

/// Notes where names are given.
struct Giver<'p> {
    program: &'p Program,
    file: usize,
    names: Names,
}

impl Giver<'_> {
    fn give(&mut self, name: &Name, what: What, instance: Option<Item>) {
        let given = self.names.entry(name.text.clone()).or_insert(Given { span: name.span, what, instance });
        // A repeat's body may make an instance of what came before it.
        given.instance = instance.or(given.instance);
    }

    fn sizes(&mut self, sizes: &[Size]) {
        for size in sizes {
            let item = self.program.item(self.file, &size.name.text);
            if item.is_some_and(|item| matches!(item.kind, ItemKind::Axis(_))) {
                // An axis with labels is given by the file.
                continue;
            }
            let is_time = size.name.text.starts_with(|letter: char| letter.is_ascii_uppercase());
            self.give(&size.name, if is_time { What::Time } else { What::Size }, None);
        }
    }

    fn axes(&mut self, axes: &Axes) {
        self.sizes(&axes.entries);
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::State { names, axes, .. } | Statement::Weight { names, axes } => {
                    names.iter().for_each(|name| self.give(name, What::Value, None));
                    self.axes(axes);
                }
                Statement::Constant { name, axes, .. } => {
                    self.give(name, What::Value, None);
                    self.axes(axes);
                }
                Statement::Parallel(_) => {}
                Statement::Repeat { counter, body, .. } => {
                    self.give(counter, What::Size, None);
                    self.statements(body);
                }
                Statement::Equation(equation) => {
                    let instance = match &equation.clause.value.kind {
                        ExpressionKind::Call(call) => self.program.item(self.file, &call.name.text),
                        _ => None,
                    };
                    let instance = instance.filter(|item| matches!(item.kind, ItemKind::Definition(_)));
                    self.give(&equation.name, What::Value, instance);
                    self.new_sizes(&equation.clause.value);
                }
            }
        }
    }

    /// Sizes that a product names for the first time: `affine(x; heads, head_dim = dim / heads)`.
    fn new_sizes(&mut self, expression: &Expression) {
        for_each_call(expression, &mut |call| {
            let is_defined = self.program.item(self.file, &call.name.text).is_some();
            if !is_defined {
                self.sizes(&call.sizes);
            }
        });
    }
}

/// Every call in an expression, outermost first.
fn for_each_call<'e>(expression: &'e Expression, on: &mut dyn FnMut(&'e Call)) {
    match &expression.kind {
        ExpressionKind::Number(_) | ExpressionKind::Path(_) => {}
        ExpressionKind::Negate(inner) => for_each_call(inner, on),
        ExpressionKind::Binary(_, left, right) => {
            for_each_call(left, on);
            for_each_call(right, on);
        }
        ExpressionKind::Subscript(base, indices) => {
            for_each_call(base, on);
            indices.iter().for_each(|index| for_each_call(index, on));
        }
        ExpressionKind::Call(call) => {
            on(call);
            call.arguments.iter().for_each(|clause| for_each_call(&clause.value, on));
        }
        ExpressionKind::Condition(all) => all.iter().for_each(|comparison| {
            for_each_call(&comparison.left, on);
            for_each_call(&comparison.right, on);
        }),
        ExpressionKind::Where(clause) => for_each_call(&clause.value, on),
    }
}

/// A definition and its names.
pub(super) fn called_names(program: &Program, item: Item) -> Option<(Item, Names)> {
    let (item, definition) = called(program, item)?;
    Some((item, names_of(program, item.file, definition)))
}
