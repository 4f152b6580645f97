//! Writes terms as text: the form that the model, graph and fused stages print.

use super::{Binary, Condition, IndexId, Subscript, Term, TimeId, Unary, ValueId};

/// How a term's numbers are named where it is printed.
pub trait Names {
    /// A value's name.
    fn value(&self, value: ValueId) -> String;
    /// An index's name.
    fn index(&self, index: IndexId) -> String;
    /// A time axis's name.
    fn time(&self, time: TimeId) -> String;
}

/// A number in its shortest exact form.
pub fn print_number(number: f64) -> String {
    if number == f64::from(f32::MIN) {
        return "lowest".to_string();
    }
    if number == f64::from(f32::MAX) {
        return "highest".to_string();
    }
    if number != 0.0 && !(1e-4..1e16).contains(&number.abs()) { format!("{number:e}") } else { format!("{number}") }
}

/// Conditions joined by `and`.
pub fn print_conditions(conditions: &[Condition], names: &dyn Names) -> String {
    conditions.iter().map(|condition| print_condition(condition, names)).collect::<Vec<_>>().join(" and ")
}

/// One condition.
pub fn print_condition(condition: &Condition, names: &dyn Names) -> String {
    let left = print_term(&condition.left, names);
    format!("{left} {} {}", condition.comparator.symbol(), print_term(&condition.right, names))
}

fn print_subscript(subscript: &Subscript, names: &dyn Names) -> String {
    match subscript {
        Subscript::Computed(term) => print_term(term, names),
        Subscript::Affine { terms, constant, from_last } => {
            let mut text = String::new();
            if from_last.is_some() {
                text.push_str("last");
            }
            for (index, times) in terms {
                let name = names.index(*index);
                let part = if times.abs() == 1 { name } else { format!("{} * {name}", times.abs()) };
                match (text.is_empty(), *times < 0) {
                    (true, false) => text.push_str(&part),
                    (true, true) => text.push_str(&format!("-{part}")),
                    (false, negative) => text.push_str(&format!(" {} {part}", if negative { '-' } else { '+' })),
                }
            }
            match (text.is_empty(), *constant) {
                (true, constant) => format!("{constant}"),
                (false, 0) => text,
                (false, constant) => {
                    format!("{text} {} {}", if constant < 0 { '-' } else { '+' }, constant.abs())
                }
            }
        }
    }
}

/// How tightly a term's outermost operation binds, as in a file.
fn strength(term: &Term) -> u8 {
    match term {
        Term::Binary(Binary::Add | Binary::Subtract, ..) => 1,
        Term::Binary(Binary::Multiply | Binary::Divide | Binary::Remainder, ..) => 2,
        Term::Unary(Unary::Negate, _) => 3,
        Term::Binary(Binary::Power, ..) => 4,
        Term::Number(number) if *number < 0.0 => 3,
        Term::Number(_)
        | Term::Index(_)
        | Term::Length(_)
        | Term::Read(..)
        | Term::Unary(..)
        | Term::Binary(Binary::Minimum | Binary::Maximum, ..)
        | Term::Select(..)
        | Term::Reduce { .. }
        | Term::Softmax { .. }
        | Term::Pieces(..) => 5,
    }
}

/// A term, with the parentheses it needs and no others.
pub fn print_term(term: &Term, names: &dyn Names) -> String {
    let at_least = |term: &Term, least: u8| {
        let text = print_term(term, names);
        if strength(term) < least { format!("({text})") } else { text }
    };
    let infix = |symbol: &str, left: &Term, right: &Term| {
        let own = strength(term);
        let (left_least, right_least) = if symbol == "^" { (own + 1, 3) } else { (own, own + 1) };
        format!("{} {symbol} {}", at_least(left, left_least), at_least(right, right_least))
    };
    match term {
        Term::Number(number) => print_number(*number),
        Term::Index(index) => names.index(*index),
        Term::Length(time) => format!("length({})", names.time(*time)),
        Term::Read(value, subscripts) if subscripts.is_empty() => names.value(*value),
        Term::Read(value, subscripts) => {
            let subscripts: Vec<String> = subscripts.iter().map(|item| print_subscript(item, names)).collect();
            format!("{}[{}]", names.value(*value), subscripts.join(", "))
        }
        Term::Unary(Unary::Negate, value) => format!("-{}", at_least(value, 3)),
        Term::Unary(operation, value) => format!("{}({})", operation.name(), print_term(value, names)),
        Term::Binary(operation, left, right) => match operation {
            Binary::Add => infix("+", left, right),
            Binary::Subtract => infix("-", left, right),
            Binary::Multiply => infix("*", left, right),
            Binary::Divide => infix("/", left, right),
            Binary::Remainder => infix("%", left, right),
            Binary::Power => infix("^", left, right),
            Binary::Minimum => format!("min({}, {})", print_term(left, names), print_term(right, names)),
            Binary::Maximum => format!("max({}, {})", print_term(left, names), print_term(right, names)),
        },
        Term::Select(when, left, right) => format!(
            "select({}, {}, {})",
            print_conditions(when, names),
            print_term(left, names),
            print_term(right, names)
        ),
        Term::Reduce { reduction, over, domain, body } => {
            let over: Vec<String> = over.iter().map(|index| names.index(*index)).collect();
            format!("{} over {} ({})", reduction.name(), over.join(", "), print_where(body, domain, names))
        }
        Term::Softmax { over, domain, body } => {
            format!("softmax over {} ({})", names.index(*over), print_where(body, domain, names))
        }
        Term::Pieces(index, pieces) => {
            let pieces: Vec<String> =
                pieces.iter().map(|(from, piece)| format!("{from}: {}", print_term(piece, names))).collect();
            format!("pieces over {} ({})", names.index(*index), pieces.join(", "))
        }
    }
}

fn print_where(body: &Term, domain: &[Condition], names: &dyn Names) -> String {
    let body = print_term(body, names);
    if domain.is_empty() { body } else { format!("{body} where {}", print_conditions(domain, names)) }
}
