//! Terms: what one equation computes, written over indices.
//!
//! The checked model and the graph speak of values in the same way: a value has axes, an equation gives it at every
//! combination of its indices, and a [`Term`] says what stands there, reading other values at subscripts. Axes are aligned
//! by name before; here only indices are left, so that an elementwise product, a matrix product, a convolution and a
//! lookup differ in their subscripts alone.
//!
//! Reading outside a value gives 0 (or, along the axis of a recurrence, the value before the first position).

mod linear;
mod print;
mod substitute;

pub use linear::Bound;
pub(crate) use linear::{bounds, linear};
pub use print::{Names, print_condition, print_conditions, print_number, print_term};

use crate::syntax::tree::Comparator;

/// A value of a model or graph, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

/// A time axis of a model, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeId(pub u32);

/// An index of one equation, by number: first those of the value's axes in order, then those that reductions run over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexId(pub u32);

/// How far an axis reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Extent {
    /// So many entries.
    Fixed(usize),
    /// As many positions as the sequence has.
    Time(TimeId),
}

/// A named axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Axis {
    /// The name of the dimension that made it.
    pub name: String,
    /// How far it reaches.
    pub extent: Extent,
}

impl Axis {
    /// Its time axis, if it is one.
    pub fn time(&self) -> Option<TimeId> {
        match self.extent {
            Extent::Time(time) => Some(time),
            Extent::Fixed(_) => None,
        }
    }

    /// Its size, if that is known before running.
    pub fn size(&self) -> Option<usize> {
        match self.extent {
            Extent::Fixed(size) => Some(size),
            Extent::Time(_) => None,
        }
    }
}

/// An index and the axis it runs over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Index {
    /// As printed.
    pub name: String,
    /// What it runs over.
    pub axis: Axis,
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unary {
    /// `-x`
    Negate,
    /// `exp(x)`
    Exp,
    /// `log(x)`, natural
    Log,
    /// `sqrt(x)`
    Sqrt,
    /// `tanh(x)`
    Tanh,
    /// `sigmoid(x)`: 1 / (1 + exp(-x))
    Sigmoid,
    /// `erf(x)`
    Erf,
    /// `sin(x)` of radians
    Sin,
    /// `cos(x)` of radians
    Cos,
    /// `abs(x)`
    Abs,
    /// `floor(x)`
    Floor,
}

impl Unary {
    /// Every one, for looking names up.
    pub const ALL: [Unary; 11] = [
        Unary::Negate,
        Unary::Exp,
        Unary::Log,
        Unary::Sqrt,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Erf,
        Unary::Sin,
        Unary::Cos,
        Unary::Abs,
        Unary::Floor,
    ];

    /// As written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Unary::Negate => "-",
            Unary::Exp => "exp",
            Unary::Log => "log",
            Unary::Sqrt => "sqrt",
            Unary::Tanh => "tanh",
            Unary::Sigmoid => "sigmoid",
            Unary::Erf => "erf",
            Unary::Sin => "sin",
            Unary::Cos => "cos",
            Unary::Abs => "abs",
            Unary::Floor => "floor",
        }
    }
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`
    Divide,
    /// `a % b`: a - b * floor(a / b)
    Remainder,
    /// `a ^ b`
    Power,
    /// `min(a, b)`; of a number and NaN, NaN
    Minimum,
    /// `max(a, b)`; of a number and NaN, NaN
    Maximum,
}

/// How many values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reduction {
    /// Their sum; of none 0.
    Sum,
    /// The largest; of none the lowest finite number.
    Maximum,
    /// The smallest; of none the highest finite number.
    Minimum,
}

impl Reduction {
    /// As written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Maximum => "max",
            Reduction::Minimum => "min",
        }
    }

    /// The result over nothing.
    pub fn of_nothing(self) -> f64 {
        match self {
            Reduction::Sum => 0.0,
            // Finite, so that a difference of two of them is a number: see softmax's expansion.
            Reduction::Maximum => f64::from(f32::MIN),
            Reduction::Minimum => f64::from(f32::MAX),
        }
    }
}

/// Where along an axis a value is read.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Subscript {
    /// A sum of indices times whole numbers, plus a whole number, plus a time axis's last position where `from_last` names
    /// one.
    Affine {
        /// Indices, ascending, and what each is multiplied by, never 0.
        terms: Vec<(IndexId, i64)>,
        /// What is added.
        constant: i64,
        /// The time axis whose last position is added, if any.
        from_last: Option<TimeId>,
    },
    /// A computed number, rounded towards zero.
    Computed(Box<Term>),
}

impl Subscript {
    /// At an index.
    pub fn index(index: IndexId) -> Subscript {
        Subscript::shifted(index, 0)
    }

    /// At an index plus a number.
    pub fn shifted(index: IndexId, constant: i64) -> Subscript {
        Subscript::Affine { terms: vec![(index, 1)], constant, from_last: None }
    }

    /// At a place that is the same for all indices.
    pub fn constant(constant: i64) -> Subscript {
        Subscript::Affine { terms: Vec::new(), constant, from_last: None }
    }

    /// The index and the number added to it, if it is no more than that.
    pub fn as_shifted(&self) -> Option<(IndexId, i64)> {
        match self {
            Subscript::Affine { terms, constant, from_last: None } => match terms.as_slice() {
                [(index, 1)] => Some((*index, *constant)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The index, if it is that alone.
    pub fn as_index(&self) -> Option<IndexId> {
        self.as_shifted().and_then(|(index, constant)| (constant == 0).then_some(index))
    }
}

/// A comparison of two numbers.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub struct Condition {
    /// The left side.
    pub left: Term,
    /// How they compare.
    pub comparator: Comparator,
    /// The right side.
    pub right: Term,
}

/// A number at every combination of an equation's indices.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Term {
    /// The same number everywhere.
    Number(f64),
    /// An index's own position.
    Index(IndexId),
    /// How many positions the sequence has.
    Length(TimeId),
    /// Another value, at a subscript for each of its axes.
    Read(ValueId, Vec<Subscript>),
    /// A function of one number.
    Unary(Unary, Box<Term>),
    /// A function of two.
    Binary(Binary, Box<Term>, Box<Term>),
    /// The first where all conditions hold, else the second.
    Select(Vec<Condition>, Box<Term>, Box<Term>),
    /// Many values become one: over all indices named, where all conditions hold.
    Reduce {
        /// How.
        reduction: Reduction,
        /// Over what.
        over: Vec<IndexId>,
        /// Where; elsewhere a value is absent.
        domain: Vec<Condition>,
        /// Of what.
        body: Box<Term>,
    },
    /// `exp(body) / sum(exp(body))` at an index's own position, summed over all of them; 0 where absent.
    Softmax {
        /// The index it runs over.
        over: IndexId,
        /// Where; elsewhere a value is absent.
        domain: Vec<Condition>,
        /// Of what.
        body: Box<Term>,
    },
    /// Parts one after the other along an index: each up to where the next begins.
    Pieces(IndexId, Vec<(usize, Term)>),
}

impl Term {
    /// A function of two numbers.
    pub fn binary(operation: Binary, left: Term, right: Term) -> Term {
        Term::Binary(operation, Box::new(left), Box::new(right))
    }

    /// A function of one number.
    pub fn unary(operation: Unary, value: Term) -> Term {
        Term::Unary(operation, Box::new(value))
    }

    /// Calls `visit` on every term directly inside this one, those of conditions and computed subscripts too.
    pub fn for_each_child<'a>(&'a self, visit: &mut dyn FnMut(&'a Term)) {
        fn conditions<'a>(conditions: &'a [Condition], visit: &mut dyn FnMut(&'a Term)) {
            for condition in conditions {
                visit(&condition.left);
                visit(&condition.right);
            }
        }
        match self {
            Term::Number(_) | Term::Index(_) | Term::Length(_) => {}
            Term::Read(_, subscripts) => {
                for subscript in subscripts {
                    if let Subscript::Computed(term) = subscript {
                        visit(term);
                    }
                }
            }
            Term::Unary(_, value) => visit(value),
            Term::Binary(_, left, right) => {
                visit(left);
                visit(right);
            }
            Term::Select(when, left, right) => {
                conditions(when, visit);
                visit(left);
                visit(right);
            }
            Term::Reduce { domain, body, .. } | Term::Softmax { domain, body, .. } => {
                conditions(domain, visit);
                visit(body);
            }
            Term::Pieces(_, pieces) => pieces.iter().for_each(|(_, piece)| visit(piece)),
        }
    }

    /// The same term with every term directly inside replaced by what `map` makes of it, and every index by `index`.
    pub fn map_children(&self, index: &mut dyn FnMut(IndexId) -> IndexId, map: &mut dyn FnMut(&Term) -> Term) -> Term {
        fn conditions(list: &[Condition], map: &mut dyn FnMut(&Term) -> Term) -> Vec<Condition> {
            list.iter()
                .map(|condition| Condition {
                    left: map(&condition.left),
                    comparator: condition.comparator,
                    right: map(&condition.right),
                })
                .collect()
        }
        match self {
            Term::Number(number) => Term::Number(*number),
            Term::Index(id) => Term::Index(index(*id)),
            Term::Length(time) => Term::Length(*time),
            Term::Read(value, subscripts) => Term::Read(
                *value,
                subscripts
                    .iter()
                    .map(|subscript| match subscript {
                        Subscript::Affine { terms, constant, from_last } => {
                            let mut terms: Vec<_> = terms.iter().map(|(id, times)| (index(*id), *times)).collect();
                            terms.sort();
                            Subscript::Affine { terms, constant: *constant, from_last: *from_last }
                        }
                        Subscript::Computed(term) => Subscript::Computed(Box::new(map(term))),
                    })
                    .collect(),
            ),
            Term::Unary(operation, value) => Term::Unary(*operation, Box::new(map(value))),
            Term::Binary(operation, left, right) => Term::binary(*operation, map(left), map(right)),
            Term::Select(when, left, right) => {
                Term::Select(conditions(when, map), Box::new(map(left)), Box::new(map(right)))
            }
            Term::Reduce { reduction, over, domain, body } => Term::Reduce {
                reduction: *reduction,
                over: over.iter().map(|id| index(*id)).collect(),
                domain: conditions(domain, map),
                body: Box::new(map(body)),
            },
            Term::Softmax { over, domain, body } => {
                Term::Softmax { over: index(*over), domain: conditions(domain, map), body: Box::new(map(body)) }
            }
            Term::Pieces(id, pieces) => {
                Term::Pieces(index(*id), pieces.iter().map(|(from, piece)| (*from, map(piece))).collect())
            }
        }
    }

    /// The same term with other indices.
    pub fn rename(&self, index: &mut dyn FnMut(IndexId) -> IndexId) -> Term {
        // Children first need the closure too: reborrow it through a cell-free recursion.
        fn go(term: &Term, index: &mut dyn FnMut(IndexId) -> IndexId) -> Term {
            let mut children = Vec::new();
            term.for_each_child(&mut |child| children.push(child));
            let mut renamed: std::collections::VecDeque<Term> =
                children.into_iter().map(|child| go(child, index)).collect();
            term.map_children(index, &mut |_| renamed.pop_front().expect("children come in the same order"))
        }
        go(self, index)
    }

    /// Calls `visit` on this term and every one inside, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Term)) {
        visit(self);
        self.for_each_child(&mut |child| child.walk(visit));
    }

    /// Every value that is read, with its subscripts.
    pub fn for_each_read<'a>(&'a self, visit: &mut dyn FnMut(ValueId, &'a [Subscript])) {
        self.walk(&mut |term| {
            if let Term::Read(value, subscripts) = term {
                visit(*value, subscripts);
            }
        });
    }

    /// Whether it depends on an index.
    pub fn mentions(&self, index: IndexId) -> bool {
        let mut found = false;
        self.walk(&mut |term| match term {
            Term::Index(id) | Term::Pieces(id, _) => found |= *id == index,
            Term::Softmax { over, .. } => found |= *over == index,
            Term::Read(_, subscripts) => {
                for subscript in subscripts {
                    if let Subscript::Affine { terms, .. } = subscript {
                        found |= terms.iter().any(|(id, _)| *id == index);
                    }
                }
            }
            Term::Number(_)
            | Term::Length(_)
            | Term::Unary(..)
            | Term::Binary(..)
            | Term::Select(..)
            | Term::Reduce { .. } => {}
        });
        found
    }
}
