//! Terms to scalars: reads become addresses.

use super::index::{Indices, Layout, Part, is_global, part};
use super::{Access, Comparison, Computed, Limit, Offset, Place, Range, Row, Scalar};
use crate::fuse::{Rows, rows_of};
use crate::graph::Graph;
use crate::stream::Plan;
use crate::syntax::tree::Comparator;
use crate::term::{Condition, Subscript, Term, ValueId};

/// What lowering a term needs to know of the kernel around it.
pub(super) struct Context<'a> {
    pub graph: &'a Graph,
    /// What is kept between chunks, in a chunk program.
    pub plan: Option<&'a Plan>,
    /// What the kernel runs over.
    pub rows: Rows,
    pub indices: Indices,
    /// The ranges of the loops, where they are known, to tell what may lie outside.
    pub ranges: Vec<Range>,
    /// Where values lie; asks for an argument where one is needed.
    pub layout: &'a mut dyn FnMut(ValueId) -> Layout,
    /// The product of query and key, in an attention.
    pub dot: Option<ValueId>,
    pub limits: &'a mut Vec<Limit>,
}

impl Context<'_> {
    /// A term as a scalar. Reductions, softmax and pieces are not inside terms any more.
    pub fn scalar(&mut self, term: &Term) -> Scalar {
        match term {
            Term::Number(number) => Scalar::Number(*number as f32),
            Term::Index(index) => match self.indices.loops.get(index) {
                Some(number) => Scalar::Index(*number),
                None => Scalar::Position,
            },
            Term::Length(time) => Scalar::Length(*time),
            Term::Read(value, _) if self.dot == Some(*value) => Scalar::Dot,
            Term::Read(value, subscripts) => {
                let (access, inside) = self.access(*value, subscripts);
                let read = Scalar::Read(Box::new(access));
                if inside.is_empty() {
                    read
                } else {
                    Scalar::Select(inside, Box::new(read), Box::new(Scalar::Number(0.0)))
                }
            }
            Term::Unary(operation, value) => Scalar::Unary(*operation, Box::new(self.scalar(value))),
            Term::Binary(operation, left, right) => {
                Scalar::Binary(*operation, Box::new(self.scalar(left)), Box::new(self.scalar(right)))
            }
            Term::Select(conditions, left, right) => {
                let conditions = conditions.iter().map(|condition| self.comparison(condition)).collect();
                Scalar::Select(conditions, Box::new(self.scalar(left)), Box::new(self.scalar(right)))
            }
            Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..) => {
                unreachable!("the graph's verifier keeps these at the top of equations")
            }
        }
    }

    /// A condition as a comparison.
    pub fn comparison(&mut self, condition: &Condition) -> Comparison {
        Comparison {
            left: self.scalar(&condition.left),
            comparator: condition.comparator,
            right: self.scalar(&condition.right),
        }
    }

    /// A read's address, and the conditions under which it lies inside the value's features.
    pub fn access(&mut self, value: ValueId, subscripts: &[Subscript]) -> (Access, Vec<Comparison>) {
        let layout = (self.layout)(value);
        let axes = self.graph.value(value).axes.clone();
        let mut rows = Vec::new();
        let mut offset = Offset { fixed: layout.base as i64, ..Offset::default() };
        let mut inside = Vec::new();
        let mut feature = 0;
        let has_rows = !is_global(self.graph, value);
        let theirs = rows_of(self.graph, self.plan, value);
        for (axis, subscript) in axes.iter().zip(subscripts) {
            match axis.size() {
                None => {
                    let here = self.indices.row.is_some()
                        && subscript.as_index() == self.indices.row
                        && axis.time() == self.rows.time
                        && theirs.lag == self.rows.lag
                        && rows.is_empty();
                    rows.push(if here { Row::Here } else { Row::At(self.position(subscript)) });
                }
                Some(size) => {
                    let stride = layout.strides[feature] as i64;
                    feature += 1;
                    self.feature(&mut offset, &mut inside, value, subscript, size, stride);
                }
            }
        }
        if matches!(layout.place, Place::Scratch(_)) || !has_rows {
            rows.clear();
        }
        let moved = rows.iter().any(|row| matches!(row, Row::At(_)));
        let before = self.graph.equation(value).and_then(|equation| equation.before).filter(|_| moved);
        let outside = before.map(|before| match (self.layout)(before).place {
            Place::Argument(argument) => argument,
            Place::Scratch(_) => unreachable!("a value before the first position is computed by a kernel of its own"),
        });
        (Access { place: layout.place, rows, offset, outside }, inside)
    }

    fn position(&mut self, subscript: &Subscript) -> Offset {
        match part(subscript, &self.indices) {
            Part::Sum(offset) => offset,
            Part::Computed(term) => {
                let number = self.scalar(&term);
                Offset { computed: vec![Computed { number, size: usize::MAX, stride: 1 }], ..Offset::default() }
            }
        }
    }

    /// Adds a subscript along a feature axis to an offset, with what must hold for it to lie inside, if that is not certain.
    fn feature(
        &mut self,
        offset: &mut Offset,
        inside: &mut Vec<Comparison>,
        value: ValueId,
        subscript: &Subscript,
        size: usize,
        stride: i64,
    ) {
        let number = match part(subscript, &self.indices) {
            Part::Sum(sum) => {
                if self.certainly_inside(&sum, size, value) {
                    return offset.add(&sum, stride);
                }
                self.scalar(&subscript.number())
            }
            Part::Computed(term) => {
                let below = self.below(&term);
                let number = self.scalar(&term);
                if below.is_some_and(|below| below <= size) {
                    offset.computed.push(Computed { number, size, stride });
                    return;
                }
                number
            }
        };
        let comparison = |comparator, right: f64| Comparison {
            left: number.clone(),
            comparator,
            right: Scalar::Number(right as f32),
        };
        // A number that is rounded towards zero lies inside from above -1 to below the size.
        inside.push(comparison(Comparator::Greater, -1.0));
        inside.push(comparison(Comparator::Less, size as f64));
        offset.computed.push(Computed { number, size, stride });
    }

    /// Whether a sum stays inside `0..size`: by its ranges, or because sequences are refused that are longer.
    fn certainly_inside(&mut self, sum: &Offset, size: usize, value: ValueId) -> bool {
        if !sum.computed.is_empty() || !sum.last.is_empty() {
            return false;
        }
        if sum.position == 1
            && sum.indices.is_empty()
            && sum.fixed >= 0
            && let Some(time) = self.rows.time
        {
            let most = size.saturating_sub(sum.fixed as usize);
            let known = self.limits.iter().any(|limit| limit.time == time && limit.most <= most);
            let fits = self.graph.model.length(time).is_some_and(|length| length <= most);
            if !known && !fits {
                self.limits.push(Limit {
                    time,
                    most,
                    value: self.graph.value(value).path.clone(),
                    span: self.graph.value(value).span,
                });
            }
            return true;
        }
        if sum.position != 0 {
            return false;
        }
        let (mut low, mut high) = (sum.fixed, sum.fixed);
        for (index, times) in &sum.indices {
            let fixed = |bounds: &[super::Bound], best: fn(i64, i64) -> i64| {
                bounds
                    .iter()
                    .filter(|bound| bound.position == 0 && bound.length.is_none())
                    .map(|bound| bound.fixed)
                    .reduce(best)
            };
            let Some(range) = self.ranges.get(*index) else { return false };
            let (Some(from), Some(to)) = (fixed(&range.from, i64::max), fixed(&range.to, i64::min)) else {
                return false;
            };
            let ends = [from * times, (to - 1) * times];
            low += ends[0].min(ends[1]);
            high += ends[0].max(ends[1]);
        }
        low >= 0 && high < size as i64
    }

    /// One more than the largest whole number that a term can be, if it is a read of an input with a bound.
    fn below(&self, term: &Term) -> Option<usize> {
        match term {
            Term::Read(value, _) => match self.graph.value(*value).kind {
                crate::model::ValueKind::Input { below } => below,
                crate::model::ValueKind::Weight { .. }
                | crate::model::ValueKind::Constant(_)
                | crate::model::ValueKind::Equation(_) => None,
            },
            _ => None,
        }
    }
}
