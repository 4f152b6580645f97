//! Scalars, conditions and addresses as expressions.

use super::functions::Function;
use super::kernel::{Held, Spelling};
use super::lookups::Need;
use super::text::{Expression, Strength, float};
use crate::kernel::{Access, Bound, Comparison, Keep, Offset, Place, Range, Row, Scalar, Space, Table, Track, TrackId};
use crate::term::{Binary, Unary};

/// What a scalar is computed at.
#[derive(Clone, Debug, Default)]
pub(super) struct At {
    /// The names of the loop indices.
    pub indices: Vec<String>,
    /// A product whose numbers are variables here: its scratch array, and the offset and the variable of each.
    pub product: Option<(usize, Vec<(i64, String)>)>,
    /// Whether every position that is read lies inside the sequence.
    pub certain: bool,
    /// Scalars that variables hold.
    pub held: Vec<(Scalar, String)>,
}

impl Spelling<'_> {
    /// A scalar.
    pub fn number(&mut self, scalar: &Scalar, at: &At) -> Expression {
        if let Some((_, name)) = at.held.iter().find(|(held, _)| held == scalar) {
            return Expression::atom(name);
        }
        match scalar {
            Scalar::Number(number) => float(*number),
            Scalar::Index(index) => Expression::atom(format!("f32({})", at.indices[*index])),
            Scalar::Position => {
                self.need(Need::Position);
                Expression::atom(format!("f32({})", self.position))
            }
            Scalar::Length(time) => Expression::atom(format!("f32({})", self.need(Need::Length(*time)))),
            Scalar::Read(access) => self.read(access, at),
            Scalar::Dot => Expression::atom("dot"),
            Scalar::Unary(operation, value) => {
                let value = self.number(value, at);
                let mut call = |name: &str, function: Option<Function>| {
                    self.functions.extend(function);
                    Expression::atom(format!("{name}({})", value.text))
                };
                match operation {
                    Unary::Negate => {
                        Expression { text: format!("-{}", value.at_least(Strength::Atom)), strength: Strength::Prefix }
                    }
                    Unary::Sqrt => call("sqrt", None),
                    Unary::Abs => call("abs", None),
                    Unary::Floor => call("floor", None),
                    Unary::Exp => call("exp32", Some(Function::Exp)),
                    Unary::Log => call("log32", Some(Function::Log)),
                    Unary::Tanh => call("tanh32", Some(Function::Tanh)),
                    Unary::Sigmoid => call("sigmoid", Some(Function::Sigmoid)),
                    Unary::Erf => call("erf", Some(Function::Erf)),
                    Unary::Sin => call("sin32", Some(Function::Sin)),
                    Unary::Cos => call("cos32", Some(Function::Cos)),
                }
            }
            Scalar::Binary(operation, left, right) => {
                let (left, right) = (self.number(left, at), self.number(right, at));
                let call = |name: &str| Expression::atom(format!("{name}({}, {})", left.text, right.text));
                match operation {
                    Binary::Add => left.infix("+", &right, Strength::Sum),
                    Binary::Subtract => left.infix("-", &right, Strength::Sum),
                    Binary::Multiply => left.infix("*", &right, Strength::Product),
                    Binary::Divide => left.infix("/", &right, Strength::Product),
                    Binary::Remainder => {
                        let quotient = left.infix("/", &right, Strength::Product);
                        let whole = Expression::atom(format!("floor({})", quotient.text));
                        left.infix("-", &right.infix("*", &whole, Strength::Product), Strength::Sum)
                    }
                    Binary::Minimum => call("min"),
                    Binary::Maximum => call("max"),
                    Binary::Power => {
                        self.functions.insert(Function::Power);
                        call("power")
                    }
                }
            }
            Scalar::Select(conditions, left, right) => {
                let (left, right) = (self.number(left, at), self.number(right, at));
                self.choose(conditions, left, right, at)
            }
        }
    }

    /// The first number where all conditions hold, else the second.
    pub fn choose(&mut self, conditions: &[Comparison], left: Expression, right: Expression, at: &At) -> Expression {
        match self.all_hold(conditions, at) {
            None => left,
            Some(hold) => Expression::atom(format!("select({}, {}, {})", right.text, left.text, hold.text)),
        }
    }

    /// Whether all conditions hold; none for no conditions.
    pub fn all_hold(&mut self, conditions: &[Comparison], at: &At) -> Option<Expression> {
        let all = conditions.iter().map(|condition| {
            let (left, right) = (self.number(&condition.left, at), self.number(&condition.right, at));
            left.infix(condition.comparator.symbol(), &right, Strength::Comparison)
        });
        let all: Vec<Expression> = all.collect();
        all.into_iter().reduce(|before, condition| before.infix("&&", &condition, Strength::And))
    }

    /// A number in memory, or what stands in for it outside the sequence.
    pub fn read(&mut self, access: &Access, at: &At) -> Expression {
        if let (Place::Scratch(number), Some((product, variables))) = (access.place, &at.product)
            && number == *product
        {
            let found = variables.iter().find(|(offset, _)| *offset == access.offset.fixed);
            let (_, variable) = found.expect("every read of a product is one of its loop's parts");
            return Expression::atom(variable.clone());
        }
        let (element, inside) = self.element(access, at);
        let Some(inside) = inside.filter(|_| !at.certain) else { return element };
        let outside = match access.outside {
            None => Expression::atom("0.0"),
            Some(argument) => {
                let row = match &self.kernel.arguments[argument].space {
                    Space::Global => Expression::whole(0),
                    Space::Tracks(_) => {
                        let row = self.kernel.arguments[argument].row as i64;
                        Expression::atom(self.need(Need::Sequence)).times(row)
                    }
                };
                let offset = self.offset(&access.offset, at);
                self.argument_element(argument, &row.plus(&offset))
            }
        };
        Expression::atom(format!("select({}, {}, {})", outside.text, element.text, inside.text))
    }

    /// The element of an array at an address, and whether it lies inside the sequence, where that is not certain. Reading
    /// past an array's end gives some number of it, by WGSL's rules, and no more than that.
    pub fn element(&mut self, access: &Access, at: &At) -> (Expression, Option<Expression>) {
        let offset = self.offset(&access.offset, at);
        match access.place {
            Place::Scratch(number) => (self.scratch_element(number, &offset), None),
            Place::Argument(number) => {
                let (row, inside) = self.row(number, access, at);
                let start = row.times(self.kernel.arguments[number].row as i64);
                let place = start.plus(&offset);
                (self.argument_element(number, &place), inside)
            }
        }
    }

    /// The row of an argument, and whether it lies inside the sequence.
    fn row(&mut self, argument: usize, access: &Access, at: &At) -> (Expression, Option<Expression>) {
        let tracks = match &self.kernel.arguments[argument].space {
            Space::Global => return (Expression::whole(0), None),
            Space::Tracks(tracks) => tracks.clone(),
        };
        if let ([track], [Row::Here]) = (tracks.as_slice(), access.rows.as_slice())
            && self.kernel.rows == Some(*track)
        {
            return (Expression::atom("row"), None);
        }
        let mut inside: Option<Expression> = None;
        // For each track, how far after its first row.
        let mut places = Vec::new();
        for (row, track) in access.rows.iter().zip(&tracks) {
            let position = match row {
                Row::Here => {
                    self.need(Need::Position);
                    Expression::atom(self.position)
                }
                Row::At(offset) => self.offset(offset, at),
            };
            let place = match self.is_whole(*track) {
                true => position,
                false => position.minus(&Expression::atom(self.need(Need::Track(*track, Table::From)))),
            };
            if let (Row::At(_), false) = (row, at.certain) {
                self.functions.insert(Function::Inside);
                let count = self.count_of(*track);
                let holds = Expression::atom(format!("inside({}, {count})", place.text));
                inside = Some(match inside {
                    None => holds,
                    Some(before) => before.infix("&&", &holds, Strength::And),
                });
            }
            places.push(place);
        }
        let row = match (tracks.as_slice(), places.as_slice()) {
            ([], _) => Expression::atom(self.need(Need::Sequence)),
            ([track], [place]) => {
                let first = self.need(Need::Track(*track, Table::First));
                let row = match self.program.track(*track).turns {
                    None => place.clone(),
                    Some(1) => Expression::whole(0),
                    Some(turns) => Expression {
                        text: format!("({} & {})", place.at_least(Strength::Atom), turns - 1),
                        strength: Strength::Atom,
                    },
                };
                Expression::atom(first).plus(&row)
            }
            ([one, two, ..], [first_place, second_place, ..]) => {
                let first = self.need(Need::Pairs(*one, *two));
                let count = self.count_of(*two);
                let rows = Expression {
                    text: format!("{} * {count}", first_place.at_least(Strength::Product)),
                    strength: Strength::Product,
                };
                Expression::atom(first).plus(&rows).plus(second_place)
            }
            _ => unreachable!("an access has a position for each of its buffer's tracks"),
        };
        (row, inside)
    }

    /// Whether a track has every position of its axis, and no others: then places are positions.
    fn is_whole(&self, track: TrackId) -> bool {
        let Track { lag, keep, .. } = self.program.track(track);
        self.program.chunks.is_none() && lag == 0 && keep == Keep::New
    }

    /// How many positions of a track have rows.
    pub fn count_of(&mut self, track: TrackId) -> String {
        match self.is_whole(track) {
            true => self.need(Need::Length(self.program.track(track).time)),
            false => self.need(Need::Track(track, Table::Count)),
        }
    }

    /// An offset as a whole number.
    pub fn offset(&mut self, offset: &Offset, at: &At) -> Expression {
        let mut sum = Expression::whole(0);
        if offset.position != 0 {
            self.need(Need::Position);
            sum = Expression::atom(self.position).times(offset.position);
        }
        for (time, times) in &offset.last {
            let length = Expression::atom(self.need(Need::Length(*time)));
            sum = sum.plus(&length.minus(&Expression::whole(1)).times(*times));
        }
        for part in &offset.computed {
            let number = self.number(&part.number, at);
            let whole = match part.size {
                // A position that is no number lies outside.
                usize::MAX => format!("select(-1, i32({0}), {0} == {0})", number.text),
                size => format!("clamp(i32({}), 0, {})", number.text, size - 1),
            };
            sum = sum.plus(&Expression::atom(whole).times(part.stride));
        }
        for (index, times) in &offset.indices {
            sum = sum.plus(&Expression::atom(at.indices[*index].clone()).times(*times));
        }
        sum.plus(&Expression::whole(offset.fixed))
    }

    /// The ends of a range for a row.
    pub fn range(&mut self, range: &Range) -> (Expression, Expression) {
        let from = self.ends(&range.from, i64::max, "max");
        let to = self.ends(&range.to, i64::min, "min");
        (from, to)
    }

    fn ends(&mut self, bounds: &[Bound], best: fn(i64, i64) -> i64, name: &str) -> Expression {
        let is_fixed = |bound: &&Bound| bound.position == 0 && bound.length.is_none();
        let fixed = bounds.iter().filter(is_fixed).map(|bound| bound.fixed).reduce(best);
        let mut all: Vec<Expression> = fixed.into_iter().map(Expression::whole).collect();
        for bound in bounds.iter().filter(|bound| !is_fixed(bound)) {
            let mut sum = Expression::whole(0);
            if bound.position != 0 {
                self.need(Need::Position);
                sum = Expression::atom(self.position).times(bound.position);
            }
            if let Some(time) = bound.length {
                sum = sum.plus(&Expression::atom(self.need(Need::Length(time))));
            }
            // Half of all numbers at most, so that no sum with a position comes around.
            all.push(sum.plus(&Expression::whole(bound.fixed.clamp(-(1 << 30), 1 << 30))));
        }
        let all = all.into_iter().reduce(|one, two| Expression::atom(format!("{name}({}, {})", one.text, two.text)));
        all.unwrap_or(Expression::whole(0))
    }

    /// Variables for what a body computes more than once, inner ones first: their lines, and where the rest is computed.
    pub fn hold(&mut self, body: &Scalar, at: &At) -> (Vec<String>, At) {
        let mut found: Vec<(&Scalar, usize)> = Vec::new();
        occurrences(body, &mut found);
        let (mut at, mut lines) = (at.clone(), Vec::new());
        for (scalar, times) in found {
            let is_product = matches!(scalar, Scalar::Read(access)
                if at.product.as_ref().map(|(number, ..)| Place::Scratch(*number)) == Some(access.place));
            if times < 2 || is_product {
                continue;
            }
            let like = match scalar {
                Scalar::Read(access) => match access.place {
                    Place::Argument(number) => format!("own_{}", self.arguments[number]),
                    Place::Scratch(number) => format!("own_{}", self.scratch[number]),
                },
                _ => "part".to_string(),
            };
            let Held { names, .. } = &self.held;
            let name = self.names.free(&like, &[names.as_slice(), &at.indices].concat());
            let value = self.number(scalar, &at);
            lines.push(format!("let {name} = {};", value.text));
            self.held.names.push(name.clone());
            at.held.push((scalar.clone(), name));
        }
        (lines, at)
    }
}

/// How often each part of a scalar is computed that is worth a variable, inner ones first; parts of what is there again are
/// counted once.
fn occurrences<'a>(scalar: &'a Scalar, found: &mut Vec<(&'a Scalar, usize)>) {
    if let Some((_, times)) = found.iter_mut().find(|(known, _)| *known == scalar) {
        *times += 1;
        return;
    }
    match scalar {
        Scalar::Number(_) | Scalar::Index(_) | Scalar::Position | Scalar::Length(_) | Scalar::Dot => return,
        Scalar::Read(_) => {}
        Scalar::Unary(_, value) => occurrences(value, found),
        Scalar::Binary(_, left, right) => {
            occurrences(left, found);
            occurrences(right, found);
        }
        Scalar::Select(conditions, left, right) => {
            for condition in conditions {
                occurrences(&condition.left, found);
                occurrences(&condition.right, found);
            }
            occurrences(left, found);
            occurrences(right, found);
        }
    }
    found.push((scalar, 1));
}
