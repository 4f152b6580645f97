//! Text that knows where it may be broken, and its layout in lines of bounded width.
//!
//! In: [`Doc`]s, in the way of Wadler's "A prettier printer" (2003): a group stands on one line if it fits, otherwise each of
//! its own places to break becomes a line break, and the groups inside are asked in turn. Out: [`Row`]s, with the comment
//! that ends each beside its text. A comment ends its line, so that a group with one inside never stands on one line.

/// Lines are not longer than so many letters where they can be broken.
pub const WIDTH: usize = 120;
/// How far what stands in brackets or behind a sign goes in.
pub const STEP: usize = 2;

/// A piece of text, or a place where it may be broken.
#[derive(Clone, Debug)]
pub enum Doc {
    /// A token.
    Text(String),
    /// So many blanks between two tokens that stay on one line.
    Space(usize),
    /// Blanks between two tokens, or a line break where the group is broken.
    Line(&'static str),
    /// A comment behind a token, or on a line of its own.
    Comment {
        /// With its slashes.
        text: String,
        /// Whether it has a line of its own.
        own: bool,
    },
    /// What stands on one line if it fits; `broken` says that it never does.
    Group {
        /// Its parts.
        parts: Vec<Doc>,
        /// Whether its places to break are line breaks in any case.
        broken: bool,
    },
    /// What goes in by so many columns where it is broken.
    Nest(usize, Vec<Doc>),
    /// Items of a list, as many on each line as fit.
    Fill(Vec<Doc>),
    /// What follows `=`: on the same line, or on the next; `hug` says that it may be broken where it stands, for its
    /// brackets close at the end.
    Assigned {
        /// The right side.
        value: Vec<Doc>,
        /// Whether it is broken inside its brackets rather than in front.
        hug: bool,
    },
}

/// A group of parts.
pub fn group(parts: Vec<Doc>) -> Doc {
    Doc::Group { parts, broken: false }
}

/// One line: its text with its indentation, and the comment behind it.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Tokens, or a comment that has the line to itself.
    pub code: String,
    /// The comment behind them.
    pub comment: Option<String>,
}

/// Takes the comment behind the last token out, if there is one.
pub fn take_last_comment(parts: &mut Vec<Doc>) -> Option<String> {
    // A list of nothing has no token: the last one stands before it.
    while matches!(parts.last(), Some(Doc::Nest(_, inside) | Doc::Fill(inside)) if inside.is_empty()) {
        parts.pop();
    }
    match parts.last_mut()? {
        Doc::Comment { own: false, .. } => match parts.pop() {
            Some(Doc::Comment { text, .. }) => Some(text),
            _ => None,
        },
        Doc::Group { parts, .. } | Doc::Nest(_, parts) | Doc::Fill(parts) | Doc::Assigned { value: parts, .. } => {
            take_last_comment(parts)
        }
        Doc::Text(_) | Doc::Space(_) | Doc::Line(_) | Doc::Comment { own: true, .. } => None,
    }
}

/// The number of letters on one line; nothing where a comment or a broken group makes one line impossible.
pub fn flat_width(parts: &[Doc]) -> Option<usize> {
    parts.iter().try_fold(0, |sum, part| {
        Some(
            sum + match part {
                Doc::Text(text) => letters(text),
                Doc::Space(count) => *count,
                Doc::Line(blanks) => blanks.len(),
                Doc::Comment { .. } | Doc::Group { broken: true, .. } => return None,
                Doc::Group { parts, broken: false } | Doc::Nest(_, parts) => flat_width(parts)?,
                Doc::Fill(items) => flat_width(items)? + items.len().saturating_sub(1),
                Doc::Assigned { value, .. } => 1 + flat_width(value)?,
            },
        )
    })
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

/// Lays parts out from a column on.
pub fn lay_out(parts: &[Doc], indent: usize) -> Vec<Row> {
    let mut writer = Writer { rows: Vec::new(), row: Row::default(), pending: false };
    writer.row.code = " ".repeat(indent);
    let mut stack: Vec<Entry> = parts.iter().rev().map(|part| Entry::Part(indent, true, part)).collect();
    while let Some(entry) = stack.pop() {
        match entry {
            Entry::Part(indent, broken, part) => writer.part(indent, broken, part, &mut stack),
            Entry::Items(indent, items) => {
                if let Some((item, rest)) = items.split_first() {
                    let following = if rest.is_empty() { stack.as_slice() } else { &[] };
                    if writer.column() + 1 < WIDTH && fits(&[item], following, WIDTH - writer.column() - 1) {
                        writer.blanks(1);
                    } else {
                        writer.line_break(indent);
                    }
                    if !rest.is_empty() {
                        stack.push(Entry::Items(indent, rest));
                    }
                    stack.push(Entry::Part(indent, false, item));
                    writer.ask_again(&mut stack);
                }
            }
        }
    }
    writer.finish()
}

/// What is still to be written: the indentation that holds for it, and whether the group around it is broken.
#[derive(Clone, Copy)]
enum Entry<'d> {
    Part(usize, bool, &'d Doc),
    /// The items of a list behind the first.
    Items(usize, &'d [Doc]),
}

struct Writer {
    rows: Vec<Row>,
    row: Row,
    /// A comment ends the line: what comes next begins another.
    pending: bool,
}

impl Writer {
    fn part<'d>(&mut self, indent: usize, broken: bool, part: &'d Doc, stack: &mut Vec<Entry<'d>>) {
        let push = |parts: &'d [Doc], indent: usize, broken: bool, stack: &mut Vec<Entry<'d>>| {
            stack.extend(parts.iter().rev().map(|part| Entry::Part(indent, broken, part)));
        };
        match part {
            Doc::Text(text) => self.text(indent, text),
            Doc::Space(count) => self.blanks(*count),
            Doc::Line(_) if broken => self.line_break(indent),
            Doc::Line(blanks) => self.blanks(blanks.len()),
            Doc::Comment { text, own } => self.comment(indent, text, *own),
            Doc::Nest(step, parts) => push(parts, indent + step, broken, stack),
            Doc::Group { parts, broken: always } => {
                let broken = broken && (*always || !self.has_room(parts, stack));
                push(parts, indent, broken, stack);
            }
            Doc::Fill(items) if broken => {
                if let Some((first, rest)) = items.split_first() {
                    if !rest.is_empty() {
                        stack.push(Entry::Items(indent, rest));
                    }
                    stack.push(Entry::Part(indent, false, first));
                    self.ask_again(stack);
                }
            }
            Doc::Fill(items) => {
                for (place, item) in items.iter().enumerate().rev() {
                    stack.push(Entry::Part(indent, false, item));
                    if place > 0 {
                        stack.push(Entry::Part(indent, false, &BLANK));
                    }
                }
            }
            Doc::Assigned { value, hug } => {
                let one_line = !broken || (!self.pending && self.has_room_behind_blank(value, stack));
                let next_line = || {
                    let all: Vec<&Doc> = value.iter().collect();
                    fits(&all, stack, WIDTH.saturating_sub(indent + STEP))
                };
                if one_line {
                    self.blanks(1);
                    push(value, indent, false, stack);
                } else if self.pending || next_line() || !hug {
                    self.line_break(indent + STEP);
                    push(value, indent + STEP, true, stack);
                } else {
                    self.blanks(1);
                    push(value, indent, true, stack);
                }
            }
        }
    }

    /// An item of a list that was put on one line is laid out as a group where it does not fit.
    fn ask_again(&self, stack: &mut [Entry]) {
        if let Some(Entry::Part(_, broken, item)) = stack.last_mut() {
            *broken = !fits(&[item], &[], WIDTH.saturating_sub(self.column()));
        }
    }

    fn column(&self) -> usize {
        letters(&self.row.code)
    }

    fn has_room(&self, parts: &[Doc], stack: &[Entry]) -> bool {
        let all: Vec<&Doc> = parts.iter().collect();
        self.column() <= WIDTH && fits(&all, stack, WIDTH - self.column())
    }

    fn has_room_behind_blank(&self, parts: &[Doc], stack: &[Entry]) -> bool {
        let all: Vec<&Doc> = parts.iter().collect();
        self.column() < WIDTH && fits(&all, stack, WIDTH - self.column() - 1)
    }

    fn text(&mut self, indent: usize, text: &str) {
        if self.pending {
            self.line_break(indent);
        }
        self.row.code.push_str(text);
    }

    fn blanks(&mut self, count: usize) {
        if !self.pending {
            self.row.code.extend(std::iter::repeat_n(' ', count));
        }
    }

    fn line_break(&mut self, indent: usize) {
        self.pending = false;
        let mut row = std::mem::take(&mut self.row);
        row.code.truncate(row.code.trim_end().len());
        self.rows.push(row);
        self.row.code = " ".repeat(indent);
    }

    fn comment(&mut self, indent: usize, text: &str, own: bool) {
        if !own && !self.pending {
            self.row.comment = Some(text.to_string());
        } else {
            if self.pending || !self.row.code.trim().is_empty() {
                self.line_break(indent);
            }
            self.row.code.push_str(text);
        }
        self.pending = true;
    }

    fn finish(mut self) -> Vec<Row> {
        self.line_break(0);
        self.rows
    }
}

const BLANK: Doc = Doc::Space(1);

/// Whether `first` fits on one line in `room` letters, with what follows it up to the next place where that may be broken.
fn fits(first: &[&Doc], following: &[Entry], room: usize) -> bool {
    let mut left = room;
    let mut stack: Vec<(&Doc, bool)> = first.iter().rev().map(|part| (*part, true)).collect();
    let mut following = following.iter().rev();
    let mut behind = false;
    loop {
        let (part, flat) = match stack.pop() {
            Some(next) => next,
            None => match following.next() {
                None | Some(Entry::Items(..)) => return true,
                Some(Entry::Part(_, broken, part)) => {
                    behind = true;
                    (*part, !broken)
                }
            },
        };
        let width = match part {
            Doc::Text(text) => letters(text),
            Doc::Space(count) => *count,
            Doc::Line(_) | Doc::Assigned { .. } if !flat => return true,
            Doc::Line(blanks) => blanks.len(),
            Doc::Comment { .. } => return behind,
            Doc::Group { broken: true, .. } if !behind => return false,
            Doc::Group { parts, .. } | Doc::Nest(_, parts) => {
                stack.extend(parts.iter().rev().map(|part| (part, flat)));
                0
            }
            Doc::Fill(items) => {
                stack.extend(items.iter().rev().map(|item| (item, flat)));
                if flat { items.len().saturating_sub(1) } else { 0 }
            }
            Doc::Assigned { value, .. } => {
                stack.extend(value.iter().rev().map(|part| (part, flat)));
                1
            }
        };
        match left.checked_sub(width) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
}
