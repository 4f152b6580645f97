//! Parses a file: bounds its nesting first, then runs the grammar, and after a mistake goes on item by item.

use super::build;
use super::tree::File;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::Pairs;
use pest_derive::Parser;

/// The parser that pest derives from the grammar.
#[derive(Parser)]
#[grammar = "../grammar/seq.pest"]
struct SeqParser;

/// Deeper brackets than this are refused before the grammar sees them, which recurses once a level or more.
const DEEPEST_NESTING: usize = 64;
/// Signs in a row beyond this are refused likewise.
const MOST_SIGNS: usize = 64;

/// The tree of a file's text, and every item's first mistake.
pub fn parse(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    let mut tree = File::default();
    if let Some(diagnostic) = too_deep(file, text) {
        return (tree, vec![diagnostic]);
    }
    match SeqParser::parse(Rule::file, text) {
        Ok(pairs) => {
            let mut diagnostics = Vec::new();
            build::file(pairs, file, 0, &mut tree, &mut diagnostics);
            (tree, diagnostics)
        }
        Err(_) => item_by_item(file, text),
    }
}

/// A file's pairs as the grammar gives them, of a file without a mistake.
///
/// # Errors
/// Every item's first mistake.
pub(super) fn pairs(file: FileId, text: &str) -> Result<Pairs<'_, Rule>, Vec<Diagnostic>> {
    let (_, diagnostics) = parse(file, text);
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    SeqParser::parse(Rule::file, text).map_err(|error| vec![syntax_error(file, text, 0, error)])
}

/// Parses one item after the other, and after a mistake goes on where the next line begins with an item's keyword.
fn item_by_item(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    let mut tree = File::default();
    let mut diagnostics = Vec::new();
    let mut place = 0;
    while place < text.len() && !only_blank(&text[place..]) {
        match SeqParser::parse(Rule::first_item, &text[place..]) {
            Ok(pairs) => {
                let length = pairs.as_str().len();
                build::file(pairs, file, place, &mut tree, &mut diagnostics);
                place += length.max(1);
                while !text.is_char_boundary(place) {
                    place += 1;
                }
                // What follows an item must begin one: otherwise the mistake stands here.
                continue;
            }
            Err(error) => {
                diagnostics.push(syntax_error(file, text, place, error));
                match next_item(text, place) {
                    Some(next) => place = next,
                    None => break,
                }
            }
        }
    }
    (tree, diagnostics)
}

/// Whether only what the grammar takes for blanks and comments is left.
fn only_blank(text: &str) -> bool {
    text.split('\n').all(|line| {
        let line = line.trim_matches([' ', '\t', '\r']);
        line.is_empty() || line.starts_with("//")
    })
}

/// The start of the next line after `place` that begins with a word that begins items.
fn next_item(text: &str, place: usize) -> Option<usize> {
    const BEGINNINGS: [&str; 9] =
        ["use ", "axis ", "function ", "cell ", "attention ", "norm ", "block ", "model ", "checkpoint "];
    let mut start = place + text[place..].find(|letter: char| !letter.is_whitespace()).unwrap_or(0);
    while let Some(line) = text[start..].find('\n') {
        start += line + 1;
        if BEGINNINGS.iter().any(|word| text[start..].starts_with(word)) {
            return Some(start);
        }
    }
    None
}

/// What pest found, in words.
fn syntax_error(file: FileId, text: &str, place: usize, error: pest::error::Error<Rule>) -> Diagnostic {
    let start = place
        + match error.location {
            InputLocation::Pos(position) => position,
            InputLocation::Span((start, _)) => start,
        };
    let left_open = not_closed_in_line(text, start);
    let open = left_open.map(|_| (start, "`]`")).or_else(|| unclosed(text, place, start));
    let (start, certain) = match (open, without_axes(text, start)) {
        (_, Some(behind)) => (behind, Some("`:` and axes")),
        (Some((_, close)), None) if left_open.is_some() => (left_open.unwrap_or(start), Some(close)),
        // The grammar takes an arrow in brackets for a minus.
        (Some((_, close)), None) if text[..start].ends_with('-') && text[start..].starts_with('>') => {
            (start - 1, Some(close))
        }
        (_, None) => (start, None),
    };
    let found = if text[start..].starts_with("->") { "->" } else { found_at(text, start) };
    let span = Span { file, start, end: start + found.trim_end_matches(['\r', '\n']).len() };
    let expected = match &error.variant {
        _ if certain.is_some() => certain.into_iter().collect(),
        ErrorVariant::ParsingError { positives, .. } => {
            let mut words: Vec<&str> = positives.iter().map(|rule| words_for(*rule)).collect();
            // The grammar's signs have no names: where an expression may end, the bracket around it may close.
            if let (Some((_, close)), true) = (open, words.contains(&"an operator")) {
                words.push(close);
            }
            words.sort_unstable();
            words.dedup();
            words
        }
        ErrorVariant::CustomError { .. } => Vec::new(),
    };
    let found = match found {
        "" => "the end of the file".to_string(),
        "\n" | "\r" => "the end of the line".to_string(),
        found => format!("`{found}`"),
    };
    let message = match expected.as_slice() {
        [] => format!("{found} can't stand here"),
        [one] => format!("expected {one}, found {found}"),
        [all @ .., last] => format!("expected {} or {last}, found {found}", all.join(", ")),
    };
    let mut diagnostic = Diagnostic::new(Code::Syntax, span, message).label("not expected here");
    if let Some((bracket, _)) = open.filter(|(_, close)| expected.contains(close)) {
        diagnostic = diagnostic.also(Span { file, start: bracket, end: bracket + 1 }, "this is still open");
    }
    let help = match certain {
        Some("`:` and axes") => Some("every value says its axes: `h: [size]`, and `[]` is a single number".to_string()),
        Some(_) => None,
        None => advice(text, start, &expected),
    };
    if let Some(help) = help {
        diagnostic = diagnostic.help(help);
    }
    diagnostic
}

/// Where `:` and axes are missing behind a name that a line declares, if a mistake was found at that name.
fn without_axes(text: &str, start: usize) -> Option<usize> {
    let line_start = text[..start].rfind('\n').map_or(0, |place| place + 1);
    let keyword = text[line_start..start].trim();
    let name = found_at(text, start);
    let declares = ["state", "weight", "embedding", "constant"].contains(&keyword);
    let is_name = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    let behind = &text[start + name.len()..];
    let next = start + name.len() + (behind.len() - behind.trim_start_matches([' ', '\t']).len());
    (declares && is_name && !text[next..].starts_with(':')).then_some(next)
}

/// Where the names and numbers between brackets that open at a place end, if they do not end with a bracket: the grammar
/// knows no more than that something is wrong with these brackets.
fn not_closed_in_line(text: &str, start: usize) -> Option<usize> {
    let inside = text[start..].strip_prefix('[')?;
    let is_inside = |letter: char| letter.is_alphanumeric() || "_, \t*-+.".contains(letter);
    let length = inside.find(|letter: char| !is_inside(letter)).unwrap_or(inside.len());
    // Brackets within are looked at by themselves.
    if inside[length..].starts_with([']', '[']) {
        return None;
    }
    // Blanks at its end are not what is wrong.
    let length = inside[..length].trim_end().len();
    let blanks = inside[length..].len() - inside[length..].trim_start_matches([' ', '\t']).len();
    Some(start + 1 + length + blanks)
}

/// The innermost round or square bracket that is open at `end`, counted from `start`, and what would close it.
fn unclosed(text: &str, start: usize, end: usize) -> Option<(usize, &'static str)> {
    let mut open: Vec<(usize, &'static str)> = Vec::new();
    let mut line_start = start;
    for line in text.get(start..end)?.split_inclusive('\n') {
        let code = line.split("//").next().unwrap_or("");
        for (place, letter) in code.char_indices() {
            match letter {
                '(' => open.push((line_start + place, "`)`")),
                '[' => open.push((line_start + place, "`]`")),
                '{' => open.push((line_start + place, "`}`")),
                ')' | ']' | '}' => drop(open.pop()),
                _ => {}
            }
        }
        line_start += line.len();
    }
    open.pop().filter(|(_, close)| *close != "`}`")
}

/// The word or sign at a place.
fn found_at(text: &str, start: usize) -> &str {
    let rest = text.get(start..).unwrap_or("");
    let word = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(rest.len());
    if word > 0 { &rest[..word] } else { &rest[..rest.chars().next().map_or(0, char::len_utf8)] }
}

/// A hint for mistakes that people bring from other languages.
fn advice(text: &str, start: usize, expected: &[&str]) -> Option<String> {
    let line_start = text[..start].rfind('\n').map_or(0, |place| place + 1);
    let line = text[line_start..].lines().next().unwrap_or("").trim();
    let found = found_at(text, start);
    match found {
        ";" if !line.contains('(') => Some("an equation ends with its line: no `;` is needed".to_string()),
        "#" => Some("a comment begins with `//`".to_string()),
        _ if ["for", "while"].iter().any(|word| line.starts_with(word)) => {
            Some("there are no loops over time: an equation holds at every position".to_string())
        }
        "let" | "def" | "fn" | "class" | "struct" => Some(
            "a file has `use`, `axis`, `function`, `cell`, `attention`, `norm`, `block`, `model` and `checkpoint`"
                .to_string(),
        ),
        "<" | ">" | "!" | "=" => {
            Some("a comparison stands after `where`, or is the first value of `select(a < b, x, y)`".to_string())
        }
        "*" if text[..start].ends_with('*') => Some("a power is written `^`".to_string()),
        "over" | "where" | "and" | "or" | "repeat" | "backward" if expected.contains(&"a name") => {
            Some(format!("`{found}` is a word of the language: is a name missing before it, or is it there twice?"))
        }
        _ => None,
    }
}

/// What a rule of the grammar is called in a message.
fn words_for(rule: Rule) -> &'static str {
    match rule {
        Rule::EOI => "the end of the file",
        Rule::name | Rule::names | Rule::segment => "a name",
        Rule::number | Rule::number_signed => "a number",
        Rule::text => "a text in quotes",
        Rule::plus | Rule::subtract | Rule::times | Rule::divide | Rule::remainder | Rule::power | Rule::operator => {
            "an operator"
        }
        Rule::comparator => "a comparison",
        Rule::expression
        | Rule::operand
        | Rule::minus
        | Rule::condition
        | Rule::comparison
        | Rule::clause
        | Rule::path
        | Rule::call
        | Rule::primary
        | Rule::arguments
        | Rule::parenthesis => "an expression",
        Rule::subscripts => "`[`",
        Rule::axes => "axes in brackets",
        Rule::body => "`{`",
        Rule::results => "`->`",
        Rule::sizes | Rule::size => "a size",
        Rule::parameters | Rule::parameter => "a value's name",
        Rule::literal => "numbers in brackets",
        Rule::index => "an index",
        Rule::indices => "`=`",
        Rule::over | Rule::over_word => "`over`",
        Rule::where_word => "`where`",
        Rule::and_word => "`and`",
        Rule::or_word => "`or`",
        Rule::of_word => "`of`",
        Rule::in_word => "`in`",
        Rule::is_word => "`is`",
        Rule::rows => "rows in brackets",
        Rule::optional | Rule::optional_word => "`optional`",
        Rule::kind
        | Rule::item
        | Rule::first_item
        | Rule::file
        | Rule::use_files
        | Rule::axis
        | Rule::function
        | Rule::definition
        | Rule::checkpoint
        | Rule::use_word
        | Rule::axis_word
        | Rule::function_word
        | Rule::checkpoint_word => {
            "`use`, `axis`, `function`, `cell`, `attention`, `norm`, `block`, `model` or `checkpoint`"
        }
        Rule::statement
        | Rule::state
        | Rule::weight
        | Rule::embedding
        | Rule::constant
        | Rule::assertion
        | Rule::repeat
        | Rule::equation
        | Rule::state_word
        | Rule::weight_word
        | Rule::embedding_word
        | Rule::constant_word
        | Rule::assert_word
        | Rule::parallel_word
        | Rule::gate_word
        | Rule::repeat_word => "an equation or `}`",
        Rule::entry
        | Rule::prefix
        | Rule::ignore
        | Rule::require
        | Rule::layers
        | Rule::setting
        | Rule::binding
        | Rule::source
        | Rule::prefix_word
        | Rule::ignore_word
        | Rule::require_word => "a line of the table or `}`",
        Rule::use_name => "a library file's name or a path in quotes",
        Rule::alternative => "a text, a number or `true`",
        Rule::backward | Rule::backward_word => "`backward`",
        Rule::following_name
        | Rule::blank
        | Rule::reserved
        | Rule::name_character
        | Rule::WHITESPACE
        | Rule::COMMENT => "a blank",
    }
}

/// Refuses brackets and signs nested deeper than any model needs: the grammar and every walk of the tree recurse.
fn too_deep(file: FileId, text: &str) -> Option<Diagnostic> {
    let mut depth = 0usize;
    let mut signs = 0usize;
    let mut in_comment = false;
    let mut in_text = false;
    let bytes = text.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => {
                in_comment = false;
                in_text = false;
                continue;
            }
            _ if in_comment => continue,
            b'"' => {
                in_text = !in_text;
                continue;
            }
            _ if in_text => continue,
            b'/' if bytes.get(place + 1) == Some(&b'/') => {
                in_comment = true;
                continue;
            }
            b'(' | b'[' | b'{' => {
                depth += 1;
                signs = 0;
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'^' => signs += 1,
            b' ' | b'\t' | b'\r' => {}
            _ => signs = if byte.is_ascii_digit() { signs } else { 0 },
        }
        if depth > DEEPEST_NESTING || signs > MOST_SIGNS {
            let span = Span { file, start: place, end: place + 1 };
            let message = if depth > DEEPEST_NESTING {
                format!("brackets are nested more than {DEEPEST_NESTING} deep")
            } else {
                format!("more than {MOST_SIGNS} signs stand in a row")
            };
            return Some(
                Diagnostic::new(Code::Nesting, span, message)
                    .label("too deep from here")
                    .help("give the inner parts names, in equations of their own"),
            );
        }
    }
    None
}
