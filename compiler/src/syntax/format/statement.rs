//! Items of a file, statements of a body and lines of a checkpoint table; one function a kind of line.

use super::block::{Statement, body};
use super::document::{Doc, STEP, group};
use super::expression::{
    axes, bracketed, clause, ends_in_bracket, expression, in_brackets, index, list, literal, path, token,
};
use super::tokens::Tokens;
use crate::syntax::parse::Rule;
use pest::iterators::{Pair, Pairs};

/// One statement, whatever it is.
pub fn statement(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    match pair.as_rule() {
        Rule::definition => definition(tokens, pair),
        Rule::repeat | Rule::layers | Rule::checkpoint => with_body(tokens, pair),
        Rule::equation => equation(tokens, pair),
        Rule::function => function(tokens, pair),
        Rule::setting => setting(tokens, pair),
        Rule::binding => binding(tokens, pair),
        Rule::state | Rule::weight | Rule::embedding | Rule::constant => declaration(tokens, pair),
        Rule::require => require(tokens, pair),
        _ => words(tokens, pair),
    }
}

fn line(left: Vec<Doc>, right: Vec<Doc>) -> Statement {
    Statement { left, right, body: None, comment: None }
}

/// Takes a pair of one token, and a blank behind it.
fn word(tokens: &mut Tokens, parts: &mut Vec<Doc>, pair: Pair<Rule>) {
    tokens.pair(parts, &pair);
    parts.push(Doc::Space(1));
}

/// Takes a list, broken where the line is full.
fn items<'p>(tokens: &mut Tokens, pairs: impl IntoIterator<Item = Pair<'p, Rule>>) -> Doc {
    Doc::Nest(
        2 * STEP,
        vec![Doc::Fill(list(tokens, pairs, |tokens, pair| match pair.as_rule() {
            Rule::path => path(tokens, pair),
            Rule::use_name => pair.into_inner().next().map_or(Vec::new(), |target| token(tokens, target)),
            _ => token(tokens, pair),
        }))],
    )
}

/// Takes `=` and what follows it.
fn assigned(tokens: &mut Tokens, parts: &mut Vec<Doc>, hug: bool, value: impl FnOnce(&mut Tokens) -> Vec<Doc>) {
    parts.push(Doc::Space(1));
    tokens.sign(parts, "=");
    let value = vec![group(value(tokens))];
    parts.push(Doc::Assigned { value, hug });
}

fn definition(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let mut right = Vec::new();
    let mut inner = pair.into_inner().peekable();
    if let Some(kind) = inner.next() {
        word(tokens, &mut right, kind);
    }
    if let Some(name) = inner.next() {
        tokens.pair(&mut right, &name);
    }
    let values = inner.next_if(|pair| pair.as_rule() == Rule::parameters);
    let sizes = inner.next_if(|pair| pair.as_rule() == Rule::sizes);
    right.push(in_brackets(tokens, values, sizes, true, parameter));
    if let Some(results) = inner.next_if(|pair| pair.as_rule() == Rule::results) {
        right.push(Doc::Space(1));
        tokens.sign(&mut right, "->");
        right.push(Doc::Space(1));
        right.push(items(tokens, results.into_inner()));
    }
    let (body, comment) = body(tokens, &mut right, inner.flat_map(|body| body.into_inner()));
    Statement { left: Vec::new(), right, body: Some(body), comment }
}

fn parameter(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::axes => {
                tokens.sign(&mut parts, ":");
                parts.push(Doc::Space(1));
                parts.push(axes(tokens, part));
            }
            Rule::of_word => {
                parts.push(Doc::Space(1));
                word(tokens, &mut parts, part);
            }
            Rule::expression => parts.extend(expression(tokens, part)),
            _ => tokens.pair(&mut parts, &part),
        }
    }
    parts
}

/// `repeat layer in 0..layers {`, `repeat layer {` of a table, and `checkpoint GPT2 of gguf {`.
fn with_body(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let mut right = Vec::new();
    let is_repeat = pair.as_rule() == Rule::repeat;
    let mut bounds = 0;
    let mut inner = pair.into_inner().peekable();
    let in_head = |rule: Rule| {
        matches!(
            rule,
            Rule::repeat_word | Rule::checkpoint_word | Rule::of_word | Rule::in_word | Rule::name | Rule::expression
        )
    };
    while let Some(part) = inner.next_if(|part| in_head(part.as_rule())) {
        if part.as_rule() == Rule::expression {
            if bounds == 1 {
                tokens.sign(&mut right, "..");
            } else {
                right.push(Doc::Space(1));
            }
            bounds += 1;
            right.extend(expression(tokens, part));
        } else {
            if !right.is_empty() {
                right.push(Doc::Space(1));
            }
            tokens.pair(&mut right, &part);
        }
    }
    let inside: Vec<Pair<Rule>> =
        if is_repeat { inner.flat_map(|body| body.into_inner()).collect() } else { inner.collect() };
    let (body, comment) = body(tokens, &mut right, inside);
    Statement { left: Vec::new(), right, body: Some(body), comment }
}

fn equation(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::gate_word => word(tokens, &mut left, part),
            Rule::indices => left.push(bracketed(tokens, ("[", "]"), part.into_inner(), index)),
            Rule::clause => {
                let mut condition = None;
                let hug = is_one_operand(&part);
                assigned(tokens, &mut right, hug, |tokens| {
                    let (value, found) = clause(tokens, part, "  ");
                    condition = found;
                    value
                });
                right.extend(condition);
            }
            _ => tokens.pair(&mut left, &part),
        }
    }
    line(left, right)
}

/// Whether a clause's value is one operand that ends in a bracket.
fn is_one_operand(clause: &Pair<Rule>) -> bool {
    let mut value = clause.clone().into_inner().next();
    for _ in 0..2 {
        // A condition of one comparison of one expression is that expression.
        value = value.and_then(|pair| {
            let mut inner = pair.into_inner();
            inner.next().filter(|_| inner.next().is_none())
        });
    }
    value.is_some_and(|value| ends_in_bracket(&value))
}

fn function(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut inner = pair.into_inner().peekable();
    if let Some(first) = inner.next() {
        word(tokens, &mut left, first);
    }
    if let Some(name) = inner.next() {
        tokens.pair(&mut left, &name);
    }
    let mut parameters = Vec::new();
    while let Some(name) = inner.next_if(|pair| pair.as_rule() == Rule::name) {
        parameters.push(name);
    }
    left.push(bracketed(tokens, ("(", ")"), parameters, token));
    if let Some(value) = inner.next() {
        assigned(tokens, &mut right, ends_in_bracket(&value), |tokens| expression(tokens, value));
    }
    line(left, right)
}

/// `state`, `weight`, `embedding` and `constant`.
fn declaration(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let mut right = Vec::new();
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::names => right.push(items(tokens, part.into_inner())),
            Rule::name => tokens.pair(&mut right, &part),
            Rule::axes => {
                tokens.sign(&mut right, ":");
                right.push(Doc::Space(1));
                right.push(axes(tokens, part));
            }
            Rule::expression => {
                assigned(tokens, &mut right, ends_in_bracket(&part), |tokens| expression(tokens, part));
            }
            Rule::literal => assigned(tokens, &mut right, true, |tokens| literal(tokens, part)),
            _ => word(tokens, &mut right, part),
        }
    }
    line(Vec::new(), right)
}

fn setting(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut inner = pair.into_inner();
    if let Some(name) = inner.next() {
        tokens.pair(&mut left, &name);
    }
    if let Some(first) = inner.next() {
        assigned(tokens, &mut right, ends_in_bracket(&first), |tokens| expression(tokens, first));
    }
    right.push(alternatives(tokens, inner));
    line(left, right)
}

/// `or 12 or config.heads`, broken before each `or`.
fn alternatives(tokens: &mut Tokens, pairs: Pairs<Rule>) -> Doc {
    let mut parts = Vec::new();
    for part in pairs {
        match part.as_rule() {
            Rule::or_word => {
                parts.push(Doc::Line(" "));
                word(tokens, &mut parts, part);
            }
            Rule::alternative => parts.extend(alternative(tokens, part)),
            _ => parts.extend(expression(tokens, part)),
        }
    }
    Doc::Nest(2 * STEP, parts)
}

fn alternative(tokens: &mut Tokens, pair: Pair<Rule>) -> Vec<Doc> {
    let mut parts = Vec::new();
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::path => parts.extend(path(tokens, part)),
            _ => tokens.pair(&mut parts, &part),
        }
    }
    parts
}

fn require(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let mut right = Vec::new();
    let mut inner = pair.into_inner();
    if let Some(first) = inner.next() {
        word(tokens, &mut right, first);
    }
    if let Some(what) = inner.next() {
        right.extend(path(tokens, what));
        right.push(Doc::Space(1));
    }
    if let Some(is) = inner.next() {
        word(tokens, &mut right, is);
    }
    right.push(alternatives(tokens, inner));
    line(Vec::new(), right)
}

fn binding(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::source => {
                let mut parts = Vec::new();
                if !left.is_empty() {
                    parts.push(Doc::Line(" "));
                    tokens.sign(&mut parts, "+");
                    parts.push(Doc::Space(1));
                }
                source(tokens, part, &mut parts);
                left.push(Doc::Nest(2 * STEP, parts));
            }
            _ => assigned(tokens, &mut right, ends_in_bracket(&part), |tokens| expression(tokens, part)),
        }
    }
    line(vec![group(left)], right)
}

/// `"a" | "b"[0 .. n]`.
fn source(tokens: &mut Tokens, pair: Pair<Rule>, parts: &mut Vec<Doc>) {
    let mut first = true;
    for part in pair.into_inner() {
        if part.as_rule() == Rule::rows {
            rows(tokens, part, parts);
            continue;
        }
        if !first {
            parts.push(Doc::Line(" "));
            tokens.sign(parts, "|");
            parts.push(Doc::Space(1));
        }
        first = false;
        tokens.pair(parts, &part);
    }
}

fn rows(tokens: &mut Tokens, pair: Pair<Rule>, parts: &mut Vec<Doc>) {
    tokens.sign(parts, "[");
    let mut inner = pair.into_inner();
    if !tokens.is_next("..")
        && let Some(from) = inner.next()
    {
        parts.extend(expression(tokens, from));
        parts.push(Doc::Space(1));
    }
    tokens.sign(parts, "..");
    if let Some(to) = inner.next() {
        parts.push(Doc::Space(1));
        parts.extend(expression(tokens, to));
    }
    tokens.sign(parts, "]");
}

/// `use`, `axis`, `assert`, `prefix` and `ignore`: words, then a list.
fn words(tokens: &mut Tokens, pair: Pair<Rule>) -> Statement {
    let mut right = Vec::new();
    let is_axis = pair.as_rule() == Rule::axis;
    let mut inner = pair.into_inner().peekable();
    let is_word = |rule: Rule| {
        matches!(
            rule,
            Rule::use_word
                | Rule::axis_word
                | Rule::of_word
                | Rule::assert_word
                | Rule::parallel_word
                | Rule::prefix_word
                | Rule::ignore_word
        )
    };
    while let Some(part) = inner.next_if(|part| is_word(part.as_rule()) || (is_axis && part.as_rule() == Rule::name)) {
        word(tokens, &mut right, part);
    }
    let mut listed = Vec::new();
    while let Some(part) = inner.next_if(|part| part.as_rule() != Rule::optional) {
        listed.push(part);
    }
    right.push(items(tokens, listed));
    if let Some(optional) = inner.next() {
        right.push(Doc::Space(1));
        tokens.pair(&mut right, &optional);
    }
    line(Vec::new(), right)
}
