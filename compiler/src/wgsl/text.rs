//! WGSL as text: lines that know how deep they stand, and expressions that know when they need parentheses.

/// Lines of a shader.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub lines: String,
    depth: usize,
}

impl Text {
    /// A line.
    pub fn line(&mut self, line: impl AsRef<str>) {
        if line.as_ref().is_empty() {
            self.lines.push('\n');
        }
        for line in line.as_ref().lines() {
            if !line.is_empty() {
                self.lines.extend(std::iter::repeat_n("  ", self.depth));
                self.lines.push_str(line);
            }
            self.lines.push('\n');
        }
    }

    /// `head { … }`.
    pub fn block(&mut self, head: impl AsRef<str>, body: impl FnOnce(&mut Text)) {
        let head = head.as_ref();
        self.line(if head.is_empty() { "{".to_string() } else { format!("{head} {{") });
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }

    /// `for (var index = from; index < to; index += by) { … }`.
    pub fn count(&mut self, index: &str, from: &str, to: &Expression, by: usize, body: impl FnOnce(&mut Text)) {
        let to = to.at_least(Strength::Sum);
        self.block(format!("for (var {index} = {from}; {index} < {to}; {index} += {by})"), body);
    }

    /// Lines that were made before, as deep as this stands.
    pub fn append(&mut self, other: &Text) {
        self.line(&other.lines);
    }
}

/// How strongly an expression's parts hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// `a && b`
    And,
    /// `a < b`
    Comparison,
    /// `a + b`
    Sum,
    /// `a * b`
    Product,
    /// `-a`
    Prefix,
    /// A name, a number, a call, an element.
    Atom,
}

/// An expression, and how strongly its parts hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    pub text: String,
    pub strength: Strength,
}

/// A shader's whole numbers have 32 bits: a position that is further away lies outside just as well.
const FARTHEST: i64 = i32::MAX as i64;

impl Expression {
    /// A name, a call, or an element.
    pub fn atom(text: impl Into<String>) -> Expression {
        Expression { text: text.into(), strength: Strength::Atom }
    }

    /// A whole number, which is as far away as can be at most.
    pub fn whole(number: i64) -> Expression {
        let number = number.clamp(-FARTHEST, FARTHEST);
        let strength = if number < 0 { Strength::Prefix } else { Strength::Atom };
        Expression { text: number.to_string(), strength }
    }

    /// Its number, if it is one.
    pub fn as_whole(&self) -> Option<i64> {
        self.text.parse().ok()
    }

    /// Its text where parts must hold together at least so strongly.
    pub fn at_least(&self, least: Strength) -> String {
        if self.strength < least { format!("({})", self.text) } else { self.text.clone() }
    }

    /// `self + other`, without what adds nothing.
    pub fn plus(&self, other: &Expression) -> Expression {
        match (self.as_whole(), other.as_whole()) {
            (Some(one), Some(two)) => Expression::whole(one.saturating_add(two)),
            (Some(0), _) => other.clone(),
            (_, Some(0)) => self.clone(),
            (_, Some(number)) if number < 0 => self.infix("-", &Expression::whole(-number), Strength::Sum),
            (Some(number), _) if number < 0 => other.infix("-", &Expression::whole(-number), Strength::Sum),
            // A sum of whole numbers wraps alike in any order: no parentheses.
            _ => Expression { text: format!("{} + {}", self.text, other.text), strength: Strength::Sum },
        }
    }

    /// `self - other`, without what takes nothing away.
    pub fn minus(&self, other: &Expression) -> Expression {
        match (self.as_whole(), other.as_whole()) {
            (Some(one), Some(two)) => Expression::whole(one.saturating_sub(two)),
            (_, Some(number)) => self.plus(&Expression::whole(number.saturating_neg())),
            _ => self.infix("-", other, Strength::Sum),
        }
    }

    /// `number * self`.
    pub fn times(&self, number: i64) -> Expression {
        match (self.as_whole(), number) {
            (Some(own), _) => Expression::whole(own.saturating_mul(number)),
            (None, 0) => Expression::whole(0),
            (None, 1) => self.clone(),
            (None, -1) => {
                Expression { text: format!("-{}", self.at_least(Strength::Prefix)), strength: Strength::Prefix }
            }
            // An odd factor, so that no product of a position but 0 comes around to where something lies.
            (None, _) => Expression {
                text: format!("{} * {}", number.clamp(-FARTHEST, FARTHEST), self.at_least(Strength::Prefix)),
                strength: Strength::Product,
            },
        }
    }

    /// `left symbol right` of operations that go from left to right.
    pub fn infix(&self, symbol: &str, right: &Expression, strength: Strength) -> Expression {
        let stronger = match strength {
            Strength::And => Strength::And,
            Strength::Comparison => Strength::Sum,
            Strength::Sum => Strength::Product,
            Strength::Product | Strength::Prefix | Strength::Atom => Strength::Prefix,
        };
        let least = if strength == Strength::Comparison { Strength::Sum } else { strength };
        Expression { text: format!("{} {symbol} {}", self.at_least(least), right.at_least(stronger)), strength }
    }
}

/// A number as WGSL writes it; what is no finite number is made of the run's infinity, for which there is no literal.
pub(super) fn float(number: f32) -> Expression {
    if number.is_nan() {
        return Expression::atom("(run.infinity - run.infinity)");
    }
    let text = match number.is_infinite() {
        true => "run.infinity".to_string(),
        false => format!("{:?}{}", number.abs(), if number.abs() > 1e30 { "f" } else { "" }),
    };
    match number.is_sign_negative() {
        true => Expression { text: format!("-{text}"), strength: Strength::Prefix },
        false => Expression::atom(text),
    }
}
