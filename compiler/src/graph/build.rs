//! Model to graph: `tanh(sum over k (w[n, k] * x[t, k]) + b[n])` becomes a reduction and a pointwise equation that reads it.

use super::{Event, Graph};
use crate::check::recurrence::groups;
use crate::model::{Equation, Model, Value, ValueKind};
use crate::term::{Binary, Condition, Index, IndexId, Subscript, Term, ValueId};

/// The graph of a checked model that gives the outputs asked for.
pub fn build(model: &Model, outputs: &[(String, ValueId)]) -> Graph {
    let mut flat = model.clone();
    let mut history = Vec::new();
    for place in 0..model.values.len() {
        if let ValueKind::Equation(equation) = &model.values[place].kind {
            let path = &model.values[place].path;
            let mut builder = Builder { values: &mut flat.values, history: &mut history, path, equation, parts: 0 };
            let term = builder.top(&equation.term, equation.domain.is_empty());
            if let ValueKind::Equation(own) = &mut flat.values[place].kind {
                own.term = term;
            }
        }
    }
    for value in &mut flat.values {
        if let ValueKind::Equation(equation) = &mut value.kind {
            drop_unused_indices(value.axes.len(), equation);
        }
    }
    let groups = groups(&flat).expect("a checked model's recurrences are computable, and taking sums out adds none");
    Graph { model: flat, groups, outputs: outputs.to_vec(), history }
}

struct Builder<'a> {
    values: &'a mut Vec<Value>,
    history: &'a mut Vec<Event>,
    path: &'a str,
    equation: &'a Equation,
    parts: usize,
}

impl Builder<'_> {
    /// An equation's own term: it may stay a reduction if nothing restricts where the equation exists.
    fn top(&mut self, term: &Term, total: bool) -> Term {
        match term {
            Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..) if total => self.inside(term),
            _ => self.pointwise(term),
        }
    }

    /// The same term with only pointwise terms inside.
    fn inside(&mut self, term: &Term) -> Term {
        let mut children = Vec::new();
        term.for_each_child(&mut |child| children.push(child));
        let mut flat: std::collections::VecDeque<Term> =
            children.into_iter().map(|child| self.pointwise(child)).collect();
        let flat =
            term.map_children(&mut |index| index, &mut |_| flat.pop_front().expect("children come in the same order"));
        match flat {
            Term::Reduce { reduction, over, domain, body } => {
                let body = Box::new(self.reduced(*body));
                Term::Reduce { reduction, over, domain: self.ranges(domain), body }
            }
            Term::Softmax { over, domain, body } => Term::Softmax { over, domain: self.ranges(domain), body },
            Term::Read(value, subscripts) => {
                let place = |subscript| match subscript {
                    Subscript::Computed(term) => Subscript::Computed(Box::new(self.apart(*term))),
                    sum @ Subscript::Affine { .. } => sum,
                };
                Term::Read(value, subscripts.into_iter().map(place).collect())
            }
            other => other,
        }
    }

    /// The conditions of a reduction, without functions that are computed on whole runs.
    fn ranges(&mut self, domain: Vec<Condition>) -> Vec<Condition> {
        let mut apart = |condition: Condition| Condition {
            left: self.apart(condition.left),
            comparator: condition.comparator,
            right: self.apart(condition.right),
        };
        domain.into_iter().map(&mut apart).collect()
    }

    /// A term, or a value of its own if it has functions that are computed on whole runs.
    fn apart(&mut self, term: Term) -> Term {
        if crate::pass::has_run_function(&term) { self.part(term) } else { term }
    }

    /// What is reduced: the factors of a product are values of their own, so that each is computed once and not for every
    /// element of the other; and so is what has functions that are computed on whole runs.
    fn reduced(&mut self, body: Term) -> Term {
        let all: Vec<IndexId> =
            (0..self.equation.indices.len() as u32).map(IndexId).filter(|index| body.mentions(*index)).collect();
        match body {
            Term::Binary(Binary::Multiply, left, right) => {
                let mut factor = |term: Term| {
                    let is_read = matches!(term, Term::Read(..) | Term::Number(_));
                    let repeated = all.iter().any(|index| !term.mentions(*index));
                    if !is_read && (repeated || crate::pass::has_run_function(&term)) { self.part(term) } else { term }
                };
                let (left, right) = (factor(*left), factor(*right));
                Term::binary(Binary::Multiply, left, right)
            }
            other if crate::pass::has_run_function(&other) => self.part(other),
            other => other,
        }
    }

    /// A term without reductions, softmax and pieces: those become values of their own.
    fn pointwise(&mut self, term: &Term) -> Term {
        match term {
            Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..) => {
                let own = self.inside(term);
                self.part(own)
            }
            Term::Number(_)
            | Term::Index(_)
            | Term::Length(_)
            | Term::Read(..)
            | Term::Unary(..)
            | Term::Binary(..)
            | Term::Select(..) => self.inside(term),
        }
    }

    /// A new value for a part of the equation, read at the indices that it varies with.
    fn part(&mut self, term: Term) -> Term {
        let bound: Vec<IndexId> = match &term {
            Term::Reduce { over, .. } => over.clone(),
            _ => Vec::new(),
        };
        let mut free: Vec<IndexId> = Vec::new();
        for place in 0..self.equation.indices.len() {
            let index = IndexId(place as u32);
            if !bound.contains(&index) && term.mentions(index) {
                free.push(index);
            }
        }
        let mut numbers: Vec<IndexId> = free.iter().chain(&bound).copied().collect();
        let term = term.rename(&mut |index| {
            let place = numbers.iter().position(|known| *known == index).unwrap_or_else(|| {
                numbers.push(index);
                numbers.len() - 1
            });
            IndexId(place as u32)
        });
        let index = |index: &IndexId| self.equation.indices[index.0 as usize].clone();
        let indices: Vec<Index> = numbers.iter().map(index).collect();
        let axes = free.iter().map(|free| index(free).axis).collect();
        self.parts += 1;
        let path = format!("{}'{}", self.path, self.parts);
        self.history.push(Event::TakenOut { part: path.clone(), of: self.path.to_string() });
        let span = self.values.iter().find(|value| value.path == self.path).map(|value| value.span).unwrap_or_default();
        let equation = Equation { indices, term, domain: Vec::new(), before: None, is_state: false };
        self.values.push(Value { path, span, axes, kind: ValueKind::Equation(equation) });
        let value = ValueId(self.values.len() as u32 - 1);
        Term::Read(value, free.into_iter().map(Subscript::index).collect())
    }
}

/// Drops indices that no part of an equation mentions any more, and numbers the others anew: first those of the value's
/// axes, then those that are reduced over.
pub(crate) fn drop_unused_indices(axes: usize, equation: &mut Equation) {
    let mut keep: Vec<IndexId> = (0..axes).map(|place| IndexId(place as u32)).collect();
    if let Term::Reduce { over, .. } = &equation.term {
        keep.extend(over);
    }
    let mut number = |index: IndexId| {
        let place = keep.iter().position(|known| *known == index).unwrap_or_else(|| {
            keep.push(index);
            keep.len() - 1
        });
        IndexId(place as u32)
    };
    equation.term = equation.term.rename(&mut number);
    for condition in &mut equation.domain {
        condition.left = condition.left.rename(&mut number);
        condition.right = condition.right.rename(&mut number);
    }
    equation.indices = keep.iter().map(|index| equation.indices[index.0 as usize].clone()).collect();
}
