//! Statements one below the other, and the bodies of those that have one.

use super::align::{self, Side};
use super::document::{self, Doc, Row, STEP, WIDTH, flat_width, group, take_last_comment};
use super::statement;
use super::tokens::Tokens;
use crate::syntax::parse::Rule;
use pest::iterators::Pair;

/// One line of a block, or several that belong together.
pub struct Entry {
    blank_before: bool,
    kind: EntryKind,
}

enum EntryKind {
    Comment(String),
    Statement(Statement),
}

/// A statement: what stands before its `=` where it is an equation, the rest, and its body.
pub struct Statement {
    /// The left side of an equation.
    pub left: Vec<Doc>,
    /// All else, up to the `{` of a body.
    pub right: Vec<Doc>,
    /// The body.
    pub body: Option<Body>,
    /// The comment behind it.
    pub comment: Option<String>,
}

/// What stands in braces.
pub struct Body {
    entries: Vec<Entry>,
    /// The comment behind the opening brace.
    comment: Option<String>,
    /// Whether the file has it on one line.
    one_line: bool,
}

/// The statements of a block, with the comments between them.
pub fn entries<'p>(tokens: &mut Tokens, pairs: impl IntoIterator<Item = Pair<'p, Rule>>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for pair in pairs {
        let blank_before = comments(tokens, &mut entries);
        let mut statement = statement::statement(tokens, pair);
        if statement.body.is_none() {
            statement.comment = take_last_comment(&mut statement.right);
        }
        entries.push(Entry { blank_before, kind: EntryKind::Statement(statement) });
    }
    comments(tokens, &mut entries);
    if let Some(first) = entries.first_mut() {
        first.blank_before = false;
    }
    entries
}

/// Takes the comments before the next statement; gives whether a blank line is before that.
fn comments(tokens: &mut Tokens, entries: &mut Vec<Entry>) -> bool {
    let gap = tokens.gap();
    for (blank_before, comment) in gap.comments {
        entries.push(Entry { blank_before, kind: EntryKind::Comment(comment) });
    }
    gap.blank
}

/// A body in braces; adds the `{` to the statement's parts, and gives the comment behind the `}` as well.
pub fn body<'p>(
    tokens: &mut Tokens,
    parts: &mut Vec<Doc>,
    pairs: impl IntoIterator<Item = Pair<'p, Rule>>,
) -> (Body, Option<String>) {
    parts.push(Doc::Space(1));
    tokens.sign(parts, "{");
    let open = tokens.place();
    let comment = take_last_comment(parts);
    let entries = entries(tokens, pairs);
    let one_line = comment.is_none() && !tokens.breaks_between(open, tokens.place());
    let mut close = Vec::new();
    tokens.sign(&mut close, "}");
    (Body { entries, comment, one_line }, take_last_comment(&mut close))
}

/// Lays a block out.
pub fn lay_out(entries: &[Entry], indent: usize, rows: &mut Vec<Row>) {
    let filled = filled(entries, indent);
    for (entry, filled) in entries.iter().zip(filled) {
        if entry.blank_before {
            rows.push(Row::default());
        }
        match &entry.kind {
            EntryKind::Comment(text) => {
                rows.push(Row { code: format!("{}{text}", " ".repeat(indent)), comment: None });
            }
            EntryKind::Statement(statement) => lay_out_statement(statement, filled, indent, rows),
        }
    }
}

/// How wide the left side of each equation is made.
fn filled(entries: &[Entry], indent: usize) -> Vec<usize> {
    let side = |entry: &Entry| match &entry.kind {
        EntryKind::Statement(statement) if !statement.left.is_empty() && !statement.right.is_empty() => {
            let width = flat_width(&statement.left).filter(|width| indent + width < WIDTH)?;
            let room = flat_width(&statement.right).and_then(|right| WIDTH.checked_sub(indent + right));
            // A line that is broken in any case is no reason.
            let most = room.filter(|room| width <= *room).unwrap_or(usize::MAX);
            Some(Side { width, most })
        }
        EntryKind::Statement(_) | EntryKind::Comment(_) => None,
    };
    let mut filled = Vec::with_capacity(entries.len());
    let mut run: Vec<Side> = Vec::new();
    for entry in entries {
        let side = side(entry);
        if entry.blank_before || side.is_none() {
            filled.extend(align::left_sides(&std::mem::take(&mut run)));
        }
        match side {
            Some(side) => run.push(side),
            None => filled.push(0),
        }
    }
    filled.extend(align::left_sides(&run));
    filled
}

fn lay_out_statement(statement: &Statement, filled: usize, indent: usize, rows: &mut Vec<Row>) {
    let blanks = flat_width(&statement.left).map_or(0, |width| filled.saturating_sub(width));
    let mut parts = statement.left.clone();
    parts.push(Doc::Space(blanks));
    parts.extend(statement.right.iter().cloned());
    let Some(body) = &statement.body else {
        rows.extend(document::lay_out(&[group(parts)], indent));
        if let Some(row) = rows.last_mut() {
            row.comment.clone_from(&statement.comment);
        }
        return;
    };
    if let Some(line) = on_one_line(statement) {
        let parts = [group(line)];
        if flat_width(&parts).is_some_and(|width| indent + width <= WIDTH) {
            rows.extend(document::lay_out(&parts, indent));
            if let Some(row) = rows.last_mut() {
                row.comment.clone_from(&statement.comment);
            }
            return;
        }
    }
    rows.extend(document::lay_out(&[group(parts)], indent));
    if let Some(row) = rows.last_mut() {
        row.comment.clone_from(&body.comment);
    }
    lay_out(&body.entries, indent + STEP, rows);
    rows.push(Row { code: format!("{}}}", " ".repeat(indent)), comment: statement.comment.clone() });
}

/// A statement whose body is empty, or stands on one line in the file and is one statement.
fn on_one_line(statement: &Statement) -> Option<Vec<Doc>> {
    let mut parts = [statement.left.clone(), statement.right.clone()].concat();
    let Some(body) = &statement.body else { return Some(parts) };
    if body.comment.is_some() {
        return None;
    }
    match body.entries.as_slice() {
        [] => {}
        [Entry { kind: EntryKind::Statement(inner), .. }] if body.one_line => {
            parts.push(Doc::Space(1));
            parts.extend(on_one_line(inner)?);
            parts.push(Doc::Space(1));
        }
        _ => return None,
    }
    parts.push(Doc::Text("}".to_string()));
    Some(parts)
}
