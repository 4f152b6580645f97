//! Expressions, literals, and lists in brackets as [`Doc`]s; one function a rule of the grammar.

use super::document::{Doc, STEP, group};
use super::tokens::Tokens;
use crate::syntax::parse::Rule;
use pest::iterators::Pair;

/// `a, b, c`: each item with its comma.
pub fn list<'p>(
    tokens: &mut Tokens,
    pairs: impl IntoIterator<Item = Pair<'p, Rule>>,
    one: impl Fn(&mut Tokens, Pair<'p, Rule>) -> Vec<Doc>,
) -> Vec<Doc> {
    let mut items = Vec::new();
    for pair in pairs {
        let mut item = one(tokens, pair);
        tokens.sign_if_next(&mut item, ",");
        items.push(group(item));
    }
    items
}

/// One token.
pub fn token(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    tokens.pair(&mut parts, &pair);
    parts
}

/// A list in brackets, as many on a line as fit.
pub fn bracketed<'p>(
    tokens: &mut Tokens,
    (open, close): (&str, &str),
    pairs: impl IntoIterator<Item = Pair<'p, Rule>>,
    one: impl Fn(&mut Tokens, Pair<'p, Rule>) -> Vec<Doc>,
) -> Doc {
    let mut parts = Vec::new();
    tokens.sign(&mut parts, open);
    let items = list(tokens, pairs, one);
    if !items.is_empty() {
        parts.push(Doc::Nest(STEP, vec![Doc::Line(""), Doc::Fill(items)]));
        parts.push(Doc::Line(""));
    }
    tokens.sign(&mut parts, close);
    group(parts)
}

/// `[T, dim = 4]`.
pub fn axes(tokens: &mut Tokens, pair: Pair<Rule>) -> Doc {
    bracketed(tokens, ("[", "]"), pair.into_inner(), size)
}

/// `heads` or `hidden = 4 * dim`.
pub fn size(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::expression => {
                parts.push(Doc::Space(1));
                tokens.sign(&mut parts, "=");
                parts.push(Doc::Space(1));
                parts.extend(expression(tokens, part));
            }
            _ => tokens.pair(&mut parts, &part),
        }
    }
    parts
}

/// `i` or `k: half`.
pub fn index(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    for name in pair.into_inner() {
        if tokens.sign_if_next(&mut parts, ":") {
            parts.push(Doc::Space(1));
        }
        tokens.pair(&mut parts, &name);
    }
    parts
}

/// `lstm.c`.
pub fn path(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    for name in pair.into_inner() {
        tokens.sign_if_next(&mut parts, ".");
        tokens.pair(&mut parts, &name);
    }
    parts
}

/// What is in the brackets of a call or a definition: values, and sizes behind a `;`.
pub fn in_brackets<'p>(
    tokens: &mut Tokens,
    values: Option<Pair<'p, Rule>>,
    sizes: Option<Pair<'p, Rule>>,
    fill: bool,
    one: impl Fn(&mut Tokens, Pair<'p, Rule>) -> Vec<Doc>,
) -> Doc {
    let mut parts = Vec::new();
    tokens.sign(&mut parts, "(");
    let mut inside = vec![Doc::Line("")];
    if let Some(values) = values {
        let items = list(tokens, values.into_inner(), one);
        inside.push(if fill { Doc::Fill(items) } else { group(separate(items)) });
    }
    let before = inside.len();
    if tokens.sign_if_next(&mut inside, ";") && sizes.is_some() {
        inside.push(Doc::Line(" "));
    }
    if let Some(sizes) = sizes {
        inside.push(Doc::Fill(list(tokens, sizes.into_inner(), size)));
    }
    if before > 1 || inside.len() > before {
        parts.push(Doc::Nest(STEP, inside));
        parts.push(Doc::Line(""));
    }
    tokens.sign(&mut parts, ")");
    group(parts)
}

fn separate(items: Vec<Doc>) -> Vec<Doc> {
    let mut parts = Vec::new();
    for item in items {
        if !parts.is_empty() {
            parts.push(Doc::Line(" "));
        }
        parts.push(item);
    }
    parts
}

/// A value and the condition under which it exists; the condition is set off by `blanks`.
pub fn clause(tokens: &mut Tokens, pair: Pair<Rule>, blanks: &'static str) -> (Vec<Doc>, Option<Doc>) {
    let mut inner = pair.into_inner();
    let value = inner.next().map_or(Vec::new(), |pair| condition(tokens, pair));
    let Some(word) = inner.next() else { return (value, None) };
    let mut parts = vec![Doc::Line(blanks)];
    tokens.pair(&mut parts, &word);
    parts.push(Doc::Space(1));
    let conditions = inner.next().map_or(Vec::new(), |pair| condition(tokens, pair));
    parts.push(group(vec![Doc::Nest(STEP, conditions)]));
    (value, Some(Doc::Nest(2 * STEP, parts)))
}

/// A clause among others.
fn clause_inside(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let (mut parts, condition) = clause(tokens, pair, " ");
    parts.extend(condition);
    vec![group(parts)]
}

fn condition(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::and_word => {
                parts.push(Doc::Line(" "));
                tokens.pair(&mut parts, &part);
                parts.push(Doc::Space(1));
            }
            _ => parts.extend(comparison(tokens, part)),
        }
    }
    parts
}

fn comparison(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::comparator => {
                parts.push(Doc::Space(1));
                tokens.pair(&mut parts, &part);
                parts.push(Doc::Space(1));
            }
            _ => parts.extend(expression(tokens, part)),
        }
    }
    parts
}

/// Whether an expression is one operand that ends in a bracket: such a one is broken inside the bracket.
pub fn ends_in_bracket(pair: &Pair<Rule>) -> bool {
    let mut operands = pair.clone().into_inner();
    match (operands.next(), operands.next()) {
        (Some(operand), None) if operand.as_rule() == Rule::operand => {
            let inner = operand.into_inner();
            inner.last().is_some_and(|last| !matches!(last.as_rule(), Rule::number | Rule::path))
        }
        _ => false,
    }
}

/// Sums are broken before their signs, then products before theirs.
pub fn expression(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    terms(tokens, pair, false)
}

fn terms(tokens: &mut Tokens, pair: Pair<Rule>, tight: bool) -> Vec<Doc> {
    let (mut sum, mut product) = (Vec::new(), Vec::new());
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::minus => tokens.pair(&mut product, &part),
            Rule::plus | Rule::subtract if tight => tokens.pair(&mut product, &part),
            Rule::plus | Rule::subtract => {
                sum.push(group(std::mem::take(&mut product)));
                sum.push(Doc::Line(" "));
                tokens.pair(&mut sum, &part);
                sum.push(Doc::Space(1));
            }
            Rule::times | Rule::divide | Rule::remainder => {
                product.push(Doc::Line(" "));
                tokens.pair(&mut product, &part);
                product.push(Doc::Space(1));
            }
            Rule::power => {
                product.push(Doc::Space(1));
                tokens.pair(&mut product, &part);
                product.push(Doc::Space(1));
            }
            _ => operand(tokens, part, &mut product),
        }
    }
    let all_one = sum.is_empty();
    sum.push(group(product));
    // One operand has no sign to go in behind.
    if all_one { sum } else { vec![group(vec![Doc::Nest(STEP, sum)])] }
}

/// What stands in a subscript: a shift of a position, `t-1`, without blanks.
fn subscript(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let parts: Vec<Pair<Rule>> = pair.clone().into_inner().collect();
    let only = |place: usize| {
        let mut inner = parts.get(place)?.clone().into_inner();
        let first = inner.next().filter(|_| inner.next().is_none())?;
        Some((first.as_rule(), first.into_inner().count()))
    };
    let is_shift = parts.len() == 3
        && matches!(parts[1].as_rule(), Rule::plus | Rule::subtract)
        && only(0) == Some((Rule::path, 1))
        && only(2) == Some((Rule::number, 0));
    terms(tokens, pair, is_shift)
}

fn operand(tokens: &mut Tokens, pair: Pair<Rule>, parts: &mut Vec<Doc>) {
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::subscripts => parts.push(bracketed(tokens, ("[", "]"), part.into_inner(), subscript)),
            Rule::path => parts.extend(path(tokens, part)),
            Rule::call => parts.extend(call(tokens, part)),
            Rule::parenthesis => {
                let mut inside = Vec::new();
                tokens.sign(&mut inside, "(");
                let clause = part.into_inner().next().map_or(Vec::new(), |pair| clause_inside(tokens, pair));
                inside.push(Doc::Nest(STEP, [vec![Doc::Line("")], clause].concat()));
                inside.push(Doc::Line(""));
                tokens.sign(&mut inside, ")");
                parts.push(group(inside));
            }
            _ => tokens.pair(parts, &part),
        }
    }
}

fn call(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    let (mut values, mut sizes) = (None, None);
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::backward => {
                tokens.pair(&mut parts, &part);
                parts.push(Doc::Space(1));
            }
            Rule::over => {
                parts.push(Doc::Space(1));
                let mut inner = part.into_inner();
                if let Some(word) = inner.next() {
                    tokens.pair(&mut parts, &word);
                }
                parts.push(Doc::Space(1));
                parts.push(Doc::Nest(STEP, vec![Doc::Fill(list(tokens, inner, index))]));
                parts.push(Doc::Space(1));
            }
            Rule::arguments => values = Some(part),
            Rule::sizes => sizes = Some(part),
            _ => tokens.pair(&mut parts, &part),
        }
    }
    parts.push(in_brackets(tokens, values, sizes, false, clause_inside));
    parts
}

/// Numbers in nested brackets: lists of lists have a line for each where the file has one, or where one line is too short.
pub fn literal(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let whole = pair.as_span();
    let children: Vec<Pair<Rule>> = pair.into_inner().collect();
    if let [number] = children.as_slice()
        && number.as_rule() == Rule::number_signed
    {
        let mut parts = Vec::new();
        tokens.pair(&mut parts, number);
        return parts;
    }
    let nested = children.iter().any(|child| child.as_str().starts_with('['));
    if !nested {
        return vec![bracketed(tokens, ("[", "]"), children, literal)];
    }
    let mut edges = vec![whole.start()];
    let mut broken = false;
    for child in &children {
        let span = child.as_span();
        broken |= edges.last().is_some_and(|edge| tokens.breaks_between(*edge, span.start()));
        edges.push(span.start() + child.as_str().trim_end().len());
    }
    let mut parts = Vec::new();
    tokens.sign(&mut parts, "[");
    let items = list(tokens, children, literal);
    parts.push(Doc::Nest(STEP, [vec![Doc::Line("")], separate(items)].concat()));
    parts.push(Doc::Line(""));
    tokens.sign(&mut parts, "]");
    vec![Doc::Group { parts, broken }]
}
