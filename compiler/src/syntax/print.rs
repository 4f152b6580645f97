//! Writes a syntax tree as text that parses to the same tree.

use super::tree::*;
use std::fmt::Write;

/// The whole file.
pub fn print(file: &File) -> String {
    let mut text = String::new();
    for item in &file.uses {
        let target = &item.target.text;
        let quote = if item.is_path { "\"" } else { "" };
        line(&mut text, 0, format_args!("use {quote}{target}{quote}"));
    }
    for axis in &file.axes {
        let labels: Vec<String> = axis.labels.iter().map(|label| format!("\"{label}\"")).collect();
        line(&mut text, 0, format_args!("axis {} of {}", axis.name.text, labels.join(", ")));
    }
    for function in &file.functions {
        let body = expression(&function.body);
        line(&mut text, 0, format_args!("function {}({}) = {body}", function.name.text, names(&function.parameters)));
    }
    for item in &file.definitions {
        definition(&mut text, item);
    }
    for table in &file.checkpoints {
        let format = table.format.as_ref().map_or(String::new(), |format| format!(" of {}", format.text));
        line(&mut text, 0, format_args!("checkpoint {}{format} {{", table.model.text));
        table.entries.iter().for_each(|item| entry(&mut text, 1, item));
        line(&mut text, 0, format_args!("}}"));
    }
    text
}

fn line(text: &mut String, depth: usize, content: std::fmt::Arguments) {
    let _ = writeln!(text, "{:1$}{content}", "", depth * 2);
}

fn names(names: &[Name]) -> String {
    names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(", ")
}

fn definition(text: &mut String, item: &Definition) {
    let kind = match item.kind {
        Kind::Cell => "cell",
        Kind::Attention => "attention",
        Kind::Norm => "norm",
        Kind::Block => "block",
        Kind::Model => "model",
    };
    let parameters: Vec<String> = item
        .parameters
        .iter()
        .map(|parameter| {
            let axes = parameter.axes.as_ref().map_or(String::new(), |axes| format!(": [{}]", sizes(&axes.entries)));
            let of = parameter.of.as_ref().map_or(String::new(), |of| format!(" of {}", expression(of)));
            format!("{}{axes}{of}", parameter.name.text)
        })
        .collect();
    let after = if item.sizes.is_empty() { String::new() } else { format!("; {}", sizes(&item.sizes)) };
    let results = if item.results.is_empty() { String::new() } else { format!(" -> {}", names(&item.results)) };
    line(text, 0, format_args!("{kind} {}({}{after}){results} {{", item.name.text, parameters.join(", ")));
    item.body.iter().for_each(|item| statement(text, 1, item));
    line(text, 0, format_args!("}}"));
}

fn sizes(sizes: &[Size]) -> String {
    let sizes: Vec<String> = sizes
        .iter()
        .map(|size| match &size.value {
            Some(value) => format!("{} = {}", size.name.text, expression(value)),
            None => size.name.text.clone(),
        })
        .collect();
    sizes.join(", ")
}

fn indices(indices: &[Index]) -> String {
    let indices: Vec<String> = indices
        .iter()
        .map(|index| match &index.axis {
            Some(axis) => format!("{}: {}", index.name.text, axis.text),
            None => index.name.text.clone(),
        })
        .collect();
    indices.join(", ")
}

fn statement(text: &mut String, depth: usize, item: &Statement) {
    match item {
        Statement::State { names: states, axes, before } => {
            let before = before.as_ref().map_or(String::new(), |before| format!(" = {}", expression(before)));
            line(text, depth, format_args!("state {}: [{}]{before}", names(states), sizes(&axes.entries)));
        }
        Statement::Weight { names: weights, axes } => {
            line(text, depth, format_args!("weight {}: [{}]", names(weights), sizes(&axes.entries)));
        }
        Statement::Constant { name, axes, literal: numbers } => {
            let axes = sizes(&axes.entries);
            line(text, depth, format_args!("constant {}: [{axes}] = {}", name.text, literal(numbers)));
        }
        Statement::Parallel(paths) => {
            let paths: Vec<String> = paths
                .iter()
                .map(|path| path.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join("."))
                .collect();
            line(text, depth, format_args!("assert parallel {}", paths.join(", ")));
        }
        Statement::Repeat { counter, from, to, body } => {
            let (from, to) = (expression(from), expression(to));
            line(text, depth, format_args!("repeat {} in {from}..{to} {{", counter.text));
            body.iter().for_each(|item| statement(text, depth + 1, item));
            line(text, depth, format_args!("}}"));
        }
        Statement::Equation(equation) => {
            let left = match equation.indices.as_slice() {
                [] => String::new(),
                all => format!("[{}]", indices(all)),
            };
            line(text, depth, format_args!("{}{left} = {}", equation.name.text, clause(&equation.clause)));
        }
    }
}

fn literal(literal_: &Literal) -> String {
    match &literal_.kind {
        LiteralKind::Number(number) => format!("{number}"),
        LiteralKind::List(list) => format!("[{}]", list.iter().map(literal).collect::<Vec<_>>().join(", ")),
    }
}

fn clause(item: &Clause) -> String {
    let value = expression(&item.value);
    if item.conditions.is_empty() { value } else { format!("{value} where {}", comparisons(&item.conditions)) }
}

fn comparisons(items: &[Comparison]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| format!("{} {} {}", expression(&item.left), item.comparator.symbol(), expression(&item.right)))
        .collect();
    items.join(" and ")
}

/// An expression with the parentheses that its tree needs.
pub fn expression(item: &Expression) -> String {
    fn strength(item: &Expression) -> u8 {
        match &item.kind {
            ExpressionKind::Condition(_) => 0,
            ExpressionKind::Binary(Operator::Add | Operator::Subtract, ..) => 1,
            ExpressionKind::Binary(Operator::Multiply | Operator::Divide | Operator::Remainder, ..) => 2,
            ExpressionKind::Negate(_) => 3,
            ExpressionKind::Binary(Operator::Power, ..) => 4,
            ExpressionKind::Number(_)
            | ExpressionKind::Path(_)
            | ExpressionKind::Subscript(..)
            | ExpressionKind::Call(_)
            | ExpressionKind::Where(_) => 5,
        }
    }
    fn at_least(item: &Expression, least: u8) -> String {
        let text = expression(item);
        if strength(item) < least { format!("({text})") } else { text }
    }
    match &item.kind {
        ExpressionKind::Number(number) => format!("{number}"),
        ExpressionKind::Path(path) => path.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join("."),
        ExpressionKind::Negate(value) => format!("-{}", at_least(value, 3)),
        ExpressionKind::Binary(operator, left, right) => {
            let own = strength(item);
            let (left_least, right_least) = if *operator == Operator::Power { (own + 1, 3) } else { (own, own + 1) };
            let symbol = match operator {
                Operator::Add => "+",
                Operator::Subtract => "-",
                Operator::Multiply => "*",
                Operator::Divide => "/",
                Operator::Remainder => "%",
                Operator::Power => "^",
            };
            format!("{} {symbol} {}", at_least(left, left_least), at_least(right, right_least))
        }
        ExpressionKind::Subscript(base, subscripts) => {
            let subscripts: Vec<String> = subscripts.iter().map(expression).collect();
            format!("{}[{}]", at_least(base, 5), subscripts.join(", "))
        }
        ExpressionKind::Call(call) => {
            let backward = if call.backward { "backward " } else { "" };
            let over = if call.over.is_empty() { String::new() } else { format!(" over {} ", indices(&call.over)) };
            let arguments: Vec<String> = call.arguments.iter().map(clause).collect();
            let after = if call.sizes.is_empty() { String::new() } else { format!("; {}", sizes(&call.sizes)) };
            format!("{backward}{}{over}({}{after})", call.name.text, arguments.join(", "))
        }
        ExpressionKind::Condition(items) => comparisons(items),
        ExpressionKind::Where(item) => format!("({})", clause(item)),
    }
}

fn entry(text: &mut String, depth: usize, item: &Entry) {
    let quoted = |names: &[Name], between: &str| {
        names.iter().map(|name| format!("\"{}\"", name.text)).collect::<Vec<_>>().join(between)
    };
    match item {
        Entry::Prefix { text: prefix, optional } => {
            let optional = if *optional { " optional" } else { "" };
            line(text, depth, format_args!("prefix \"{}\"{optional}", prefix.text));
        }
        Entry::Ignore(patterns) => line(text, depth, format_args!("ignore {}", quoted(patterns, ", "))),
        Entry::Require { path, alternatives } => {
            let path: Vec<&str> = path.iter().map(|name| name.text.as_str()).collect();
            let alternatives: Vec<String> = alternatives
                .iter()
                .map(|alternative| match alternative {
                    Alternative::Text(text) => format!("\"{text}\""),
                    Alternative::Number(number) => format!("{number}"),
                    Alternative::Word(word) => word.text.clone(),
                })
                .collect();
            line(text, depth, format_args!("require {} is {}", path.join("."), alternatives.join(" or ")));
        }
        Entry::Layers { counter, entries } => {
            line(text, depth, format_args!("repeat {} {{", counter.text));
            entries.iter().for_each(|item| entry(text, depth + 1, item));
            line(text, depth, format_args!("}}"));
        }
        Entry::Setting { name, alternatives } => {
            let alternatives: Vec<String> = alternatives.iter().map(expression).collect();
            line(text, depth, format_args!("{} = {}", name.text, alternatives.join(" or ")));
        }
        Entry::Binding { sources, formula } => {
            let sources: Vec<String> = sources
                .iter()
                .map(|source| {
                    let rows = source.rows.as_ref().map_or(String::new(), |(from, to)| {
                        let side = |side: &Option<Expression>| side.as_ref().map_or(String::new(), expression);
                        format!("[{} .. {}]", side(from), side(to))
                    });
                    format!("{}{rows}", quoted(&source.names, " | "))
                })
                .collect();
            line(text, depth, format_args!("{} = {}", sources.join(" + "), expression(formula)));
        }
    }
}
