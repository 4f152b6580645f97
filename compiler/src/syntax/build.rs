//! From the parser's pairs to the syntax tree; one function a rule, named after it.
//!
//! The grammar guarantees each pair's children, so that taking the next one can't fail: [`Inner::next`] says so once.

use super::parse::Rule;
use super::tree::*;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use pest::iterators::{Pair, Pairs};

/// Operators in one equation beyond this are refused: every walk of the tree recurses through them.
const MOST_OPERATORS: usize = 400;

/// Where pairs lie: the file, and where in it the parsed part begins.
#[derive(Clone, Copy)]
struct Place {
    file: FileId,
    offset: usize,
}

impl Place {
    fn span(self, pair: &Pair<Rule>) -> Span {
        let span = pair.as_span();
        // A rule that ends in an optional part takes the blanks before that part with it.
        let length = pair.as_str().trim_end().len();
        Span { file: self.file, start: self.offset + span.start(), end: self.offset + span.start() + length }
    }

    fn name(self, pair: Pair<Rule>) -> Name {
        Name { text: pair.as_str().trim_end().to_string(), span: self.span(&pair) }
    }

    fn names(self, pair: Pair<Rule>) -> Vec<Name> {
        pair.into_inner().map(|name| self.name(name)).collect()
    }

    /// A text without its quotes.
    fn text(self, pair: Pair<Rule>) -> Name {
        let span = self.span(&pair);
        Name { text: pair.as_str().trim_matches('"').to_string(), span }
    }
}

/// A pair's children in turn.
struct Inner<'i>(std::iter::Peekable<Pairs<'i, Rule>>);

impl<'i> Inner<'i> {
    fn of(pair: Pair<'i, Rule>) -> Inner<'i> {
        Inner(pair.into_inner().peekable())
    }

    fn next(&mut self) -> Pair<'i, Rule> {
        self.0.next().expect("the grammar gives this rule the child that is asked for")
    }

    fn take(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        self.0.next_if(|pair| pair.as_rule() == rule)
    }

    fn skip(&mut self, rule: Rule) -> bool {
        self.take(rule).is_some()
    }
}

/// Adds the items among `pairs`, which lie `offset` bytes into the file, to the tree.
pub fn file(pairs: Pairs<Rule>, file: FileId, offset: usize, tree: &mut File, diagnostics: &mut Vec<Diagnostic>) {
    let at = Place { file, offset };
    for pair in pairs.flat_map(|pair| pair.into_inner()) {
        if let Some(diagnostic) = too_long(at, &pair) {
            diagnostics.push(diagnostic);
            continue;
        }
        match pair.as_rule() {
            Rule::use_files => {
                for target in pair.into_inner().filter(|pair| pair.as_rule() == Rule::use_name) {
                    let target = Inner::of(target).next();
                    let is_path = target.as_rule() == Rule::text;
                    let target = if is_path { at.text(target) } else { at.name(target) };
                    tree.uses.push(Use { target, is_path });
                }
            }
            Rule::axis => {
                let mut inner = Inner::of(pair);
                inner.skip(Rule::axis_word);
                let name = at.name(inner.next());
                inner.skip(Rule::of_word);
                let labels = inner.0.map(|text| at.text(text).text).collect();
                tree.axes.push(LabelledAxis { name, labels });
            }
            Rule::function => {
                let mut inner = Inner::of(pair);
                inner.skip(Rule::function_word);
                let name = at.name(inner.next());
                let mut parameters = Vec::new();
                while let Some(parameter) = inner.take(Rule::name) {
                    parameters.push(at.name(parameter));
                }
                tree.functions.push(Function { name, parameters, body: expression(at, inner.next()) });
            }
            Rule::definition => tree.definitions.push(definition(at, pair)),
            Rule::checkpoint => {
                let mut inner = Inner::of(pair);
                inner.skip(Rule::checkpoint_word);
                let model = at.name(inner.next());
                let format = inner.skip(Rule::of_word).then(|| at.name(inner.next()));
                let entries = inner.0.map(|pair| entry(at, pair)).collect();
                tree.checkpoints.push(Checkpoint { model, format, entries });
            }
            _ => {}
        }
    }
}

/// Refuses an equation with more operators than a walk of its tree may recurse through.
fn too_long(at: Place, pair: &Pair<Rule>) -> Option<Diagnostic> {
    for equation in pair.clone().into_inner().flatten().filter(|pair| pair.as_rule() == Rule::clause) {
        let operators = equation.clone().into_inner().flatten().filter(|pair| pair.as_rule() == Rule::operand).count();
        if operators > MOST_OPERATORS {
            return Some(
                Diagnostic::new(
                    Code::Nesting,
                    at.span(&equation),
                    format!("an equation has {operators} operands, more than {MOST_OPERATORS}"),
                )
                .help("give parts of it names, in equations of their own"),
            );
        }
    }
    None
}

fn definition(at: Place, pair: Pair<Rule>) -> Definition {
    let span = at.span(&pair);
    let mut inner = Inner::of(pair);
    let kind = match inner.next().as_str() {
        "cell" => Kind::Cell,
        "attention" => Kind::Attention,
        "norm" => Kind::Norm,
        "block" => Kind::Block,
        _ => Kind::Model,
    };
    let name = at.name(inner.next());
    let parameters = inner
        .take(Rule::parameters)
        .map_or(Vec::new(), |pair| pair.into_inner().map(|pair| parameter(at, pair)).collect());
    let sizes = inner.take(Rule::sizes).map_or(Vec::new(), |pair| sizes(at, pair));
    let results = inner.take(Rule::results).map_or(Vec::new(), |pair| at.names(pair));
    let body = body(at, inner.next());
    Definition { kind, name, parameters, sizes, results, body, span }
}

fn parameter(at: Place, pair: Pair<Rule>) -> Parameter {
    let mut inner = Inner::of(pair);
    let name = at.name(inner.next());
    let axes = inner.take(Rule::axes).map(|pair| axes(at, pair));
    let of = inner.skip(Rule::of_word).then(|| expression(at, inner.next()));
    Parameter { name, axes, of }
}

fn axes(at: Place, pair: Pair<Rule>) -> Axes {
    let span = at.span(&pair);
    Axes { entries: sizes(at, pair), span }
}

fn sizes(at: Place, pair: Pair<Rule>) -> Vec<Size> {
    pair.into_inner().map(|pair| size(at, pair)).collect()
}

fn size(at: Place, pair: Pair<Rule>) -> Size {
    let mut inner = Inner::of(pair);
    let name = at.name(inner.next());
    let value = inner.take(Rule::expression).map(|pair| expression(at, pair));
    Size { name, value }
}

fn body(at: Place, pair: Pair<Rule>) -> Vec<Statement> {
    pair.into_inner().map(|pair| statement(at, pair)).collect()
}

fn statement(at: Place, pair: Pair<Rule>) -> Statement {
    let rule = pair.as_rule();
    let mut inner = Inner::of(pair);
    match rule {
        Rule::state => {
            inner.skip(Rule::state_word);
            let names = at.names(inner.next());
            let axes = axes(at, inner.next());
            let before = inner.take(Rule::expression).map(|pair| expression(at, pair));
            Statement::State { names, axes, before }
        }
        Rule::weight | Rule::embedding => {
            inner.next();
            let names = at.names(inner.next());
            Statement::Weight { names, axes: axes(at, inner.next()) }
        }
        Rule::constant => {
            inner.skip(Rule::constant_word);
            let name = at.name(inner.next());
            let axes = axes(at, inner.next());
            Statement::Constant { name, axes, literal: literal(at, inner.next()) }
        }
        Rule::assertion => {
            inner.skip(Rule::assert_word);
            inner.skip(Rule::parallel_word);
            let mut paths = Vec::new();
            while let Some(pair) = inner.take(Rule::path) {
                paths.push(at.names(pair));
            }
            Statement::Parallel(paths)
        }
        Rule::repeat => {
            inner.skip(Rule::repeat_word);
            let counter = at.name(inner.next());
            inner.skip(Rule::in_word);
            let from = expression(at, inner.next());
            let to = expression(at, inner.next());
            Statement::Repeat { counter, from, to, body: body(at, inner.next()) }
        }
        _ => {
            inner.skip(Rule::gate_word);
            let name = at.name(inner.next());
            let indices = inner
                .take(Rule::indices)
                .map_or(Vec::new(), |pair| pair.into_inner().map(|pair| index(at, pair)).collect());
            Statement::Equation(Equation { name, indices, clause: clause(at, inner.next()) })
        }
    }
}

fn index(at: Place, pair: Pair<Rule>) -> Index {
    let mut inner = Inner::of(pair);
    let name = at.name(inner.next());
    Index { name, axis: inner.take(Rule::name).map(|pair| at.name(pair)) }
}

fn literal(at: Place, pair: Pair<Rule>) -> Literal {
    let span = at.span(&pair);
    let children: Vec<Pair<Rule>> = pair.clone().into_inner().collect();
    let kind = match children.first().map(Pair::as_rule) {
        Some(Rule::number_signed) => LiteralKind::Number(number(children[0].as_str())),
        _ => LiteralKind::List(children.into_iter().map(|pair| literal(at, pair)).collect()),
    };
    Literal { kind, span }
}

/// The grammar's numbers are a subset of Rust's.
fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

fn clause(at: Place, pair: Pair<Rule>) -> Clause {
    let mut inner = Inner::of(pair);
    let pair = inner.next();
    let span = at.span(&pair);
    let (value, comparisons) = condition(at, pair);
    let value = match value {
        Some(value) => value,
        None => Expression { kind: ExpressionKind::Condition(comparisons), span },
    };
    let conditions = if inner.skip(Rule::where_word) {
        let pair = inner.next();
        let span = at.span(&pair);
        match condition(at, pair) {
            (None, comparisons) => comparisons,
            // A bare value as a condition: kept as `value == value`-less comparison list for the checker to refuse.
            (Some(value), _) => vec![Comparison {
                left: value.clone(),
                comparator: Comparator::NotEqual,
                right: Expression { kind: ExpressionKind::Condition(Vec::new()), span },
            }],
        }
    } else {
        Vec::new()
    };
    Clause { value, conditions }
}

/// Either one plain expression or comparisons; `a < b < c` is two.
fn condition(at: Place, pair: Pair<Rule>) -> (Option<Expression>, Vec<Comparison>) {
    let mut comparisons = Vec::new();
    let mut plain = Vec::new();
    for part in pair.into_inner().filter(|pair| pair.as_rule() == Rule::comparison) {
        let mut inner = Inner::of(part);
        let mut left = expression(at, inner.next());
        let mut compared = false;
        while let Some(sign) = inner.take(Rule::comparator) {
            let comparator = match sign.as_str() {
                "<" => Comparator::Less,
                "<=" => Comparator::LessEqual,
                ">" => Comparator::Greater,
                ">=" => Comparator::GreaterEqual,
                "==" => Comparator::Equal,
                _ => Comparator::NotEqual,
            };
            let right = expression(at, inner.next());
            comparisons.push(Comparison { left, comparator, right: right.clone() });
            left = right;
            compared = true;
        }
        if !compared {
            plain.push(left);
        }
    }
    if comparisons.is_empty() && plain.len() == 1 {
        return (plain.pop(), comparisons);
    }
    for value in plain {
        let span = value.span;
        comparisons.push(Comparison {
            left: value,
            comparator: Comparator::NotEqual,
            right: Expression { kind: ExpressionKind::Condition(Vec::new()), span },
        });
    }
    (None, comparisons)
}

/// How tightly an operator binds; `^` binds to the right, and tighter than a sign before it.
fn strength(operator: Operator) -> u8 {
    match operator {
        Operator::Add | Operator::Subtract => 1,
        Operator::Multiply | Operator::Divide | Operator::Remainder => 2,
        Operator::Power => 4,
    }
}

/// The strength of a sign: `-x * y` is `(-x) * y`, `-x ^ 2` is `-(x ^ 2)`.
const SIGN: u8 = 3;

fn expression(at: Place, pair: Pair<Rule>) -> Expression {
    let mut inner = Inner::of(pair);
    climb(at, &mut inner, 0)
}

/// Precedence climbing over the flat list of signs, operands and operators.
fn climb(at: Place, inner: &mut Inner, least: u8) -> Expression {
    let mut left = match inner.take(Rule::minus) {
        Some(sign) => {
            let start = at.span(&sign);
            let operand = climb(at, inner, SIGN);
            Expression { span: start.to(operand.span), kind: ExpressionKind::Negate(Box::new(operand)) }
        }
        None => operand(at, inner.next()),
    };
    while let Some(sign) = inner.0.peek() {
        let operator = match sign.as_rule() {
            Rule::plus => Operator::Add,
            Rule::subtract => Operator::Subtract,
            Rule::times => Operator::Multiply,
            Rule::divide => Operator::Divide,
            Rule::remainder => Operator::Remainder,
            Rule::power => Operator::Power,
            _ => break,
        };
        let strength = strength(operator);
        if strength < least {
            break;
        }
        inner.next();
        // The right side binds tighter, but a power takes another power on its right, and a sign.
        let right = climb(at, inner, if operator == Operator::Power { strength } else { strength + 1 });
        let span = left.span.to(right.span);
        left = Expression { kind: ExpressionKind::Binary(operator, Box::new(left), Box::new(right)), span };
    }
    left
}

fn operand(at: Place, pair: Pair<Rule>) -> Expression {
    let whole = at.span(&pair);
    let mut inner = Inner::of(pair);
    let first = inner.next();
    let span = at.span(&first);
    let kind = match first.as_rule() {
        Rule::number => ExpressionKind::Number(number(first.as_str())),
        Rule::path => ExpressionKind::Path(at.names(first)),
        Rule::call => ExpressionKind::Call(Box::new(call(at, first))),
        _ => {
            let mut clause = clause(at, Inner::of(first).next());
            if clause.conditions.is_empty() {
                clause.value.span = span;
                clause.value.kind
            } else {
                ExpressionKind::Where(Box::new(clause))
            }
        }
    };
    let mut value = Expression { kind, span };
    while let Some(subscripts) = inner.take(Rule::subscripts) {
        let end = at.span(&subscripts);
        let subscripts = subscripts.into_inner().map(|pair| expression(at, pair)).collect();
        value = Expression { span: whole.to(end), kind: ExpressionKind::Subscript(Box::new(value), subscripts) };
    }
    value
}

fn call(at: Place, pair: Pair<Rule>) -> Call {
    let mut inner = Inner::of(pair);
    let backward = inner.skip(Rule::backward);
    let name = at.name(inner.next());
    let over = inner.take(Rule::over).map_or(Vec::new(), |pair| {
        pair.into_inner().filter(|pair| pair.as_rule() == Rule::index).map(|pair| index(at, pair)).collect()
    });
    let arguments =
        inner.take(Rule::arguments).map_or(Vec::new(), |pair| pair.into_inner().map(|pair| clause(at, pair)).collect());
    let sizes = inner.take(Rule::sizes).map_or(Vec::new(), |pair| sizes(at, pair));
    Call { backward, name, over, arguments, sizes }
}

fn entry(at: Place, pair: Pair<Rule>) -> Entry {
    let rule = pair.as_rule();
    let mut inner = Inner::of(pair);
    match rule {
        Rule::prefix => {
            inner.skip(Rule::prefix_word);
            let text = at.text(inner.next());
            Entry::Prefix { text, optional: inner.skip(Rule::optional) }
        }
        Rule::ignore => {
            inner.skip(Rule::ignore_word);
            Entry::Ignore(inner.0.map(|pair| at.text(pair)).collect())
        }
        Rule::require => {
            inner.skip(Rule::require_word);
            let path = at.names(inner.next());
            let alternatives = inner.0.filter(|pair| pair.as_rule() == Rule::alternative);
            let alternatives = alternatives.map(|pair| alternative(at, Inner::of(pair).next())).collect();
            Entry::Require { path, alternatives }
        }
        Rule::layers => {
            inner.skip(Rule::repeat_word);
            let counter = at.name(inner.next());
            Entry::Layers { counter, entries: inner.0.map(|pair| entry(at, pair)).collect() }
        }
        Rule::setting => {
            let name = at.name(inner.next());
            let alternatives = inner.0.filter(|pair| pair.as_rule() == Rule::expression);
            Entry::Setting { name, alternatives: alternatives.map(|pair| expression(at, pair)).collect() }
        }
        _ => {
            let mut sources = Vec::new();
            while let Some(source) = inner.take(Rule::source) {
                sources.push(table_source(at, source));
            }
            Entry::Binding { sources, formula: expression(at, inner.next()) }
        }
    }
}

fn alternative(at: Place, pair: Pair<Rule>) -> Alternative {
    match pair.as_rule() {
        Rule::text => Alternative::Text(at.text(pair).text),
        Rule::number_signed => Alternative::Number(number(pair.as_str())),
        // A path's text has the comment behind it, its names have not.
        _ => {
            let span = at.span(&pair);
            let names = at.names(pair);
            let span = names.iter().map(|name| name.span).reduce(Span::to).unwrap_or(span);
            let text = names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".");
            Alternative::Word(Name { text, span })
        }
    }
}

fn table_source(at: Place, pair: Pair<Rule>) -> TableSource {
    let span = at.span(&pair);
    let mut inner = Inner::of(pair);
    let mut names = Vec::new();
    while let Some(text) = inner.take(Rule::text) {
        names.push(at.text(text));
    }
    let rows = inner.take(Rule::rows).map(|rows| {
        // `[a .. b]` with either side left out: which one is there is told by the dots' place.
        let dots = rows.as_str().find("..").unwrap_or(0) + rows.as_span().start();
        let (mut from, mut to) = (None, None);
        for side in rows.into_inner() {
            let slot = if side.as_span().start() < dots { &mut from } else { &mut to };
            *slot = Some(expression(at, side));
        }
        (from, to)
    });
    TableSource { names, rows, span }
}
