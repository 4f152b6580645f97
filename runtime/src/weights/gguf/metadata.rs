//! The keys and values of a GGUF file: what its publisher says about the model.
//!
//! In: the file from behind its counts on. Out: values by key. Texts and lists stay in the file and
//! are kept as the ranges that they lie in, found to be whole, so that a vocabulary of any size
//! costs nothing until it is asked for.
//!
//! A list of lists can't be read, only passed over: no published key has one.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;

use super::cursor::Cursor;
use crate::weights::error::quoted;

/// More keys than any file has: published ones have fewer than a hundred.
pub(super) const MOST_KEYS: u64 = 4096;

/// How deep lists may lie in lists.
const DEEPEST: usize = 4;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    /// Its letters in the file, known to be UTF-8.
    Text(Range<usize>),
    List(List),
}

/// A list of values of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List {
    pub kind: Kind,
    pub count: usize,
    /// Its elements as they lie in the file, known to be whole.
    pub bytes: Range<usize>,
}

/// The kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    List,
    U64,
    I64,
    F64,
}

impl Kind {
    fn of_number(number: u32) -> Option<Kind> {
        const ALL: [Kind; 13] = [
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bool,
            Kind::Text,
            Kind::List,
            Kind::U64,
            Kind::I64,
            Kind::F64,
        ];
        ALL.get(number as usize).copied()
    }

    /// How many bytes a value takes, where all of this kind take the same.
    fn size(self) -> Option<usize> {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => Some(1),
            Kind::U16 | Kind::I16 => Some(2),
            Kind::U32 | Kind::I32 | Kind::F32 => Some(4),
            Kind::U64 | Kind::I64 | Kind::F64 => Some(8),
            Kind::Text | Kind::List => None,
        }
    }

    /// A number of this kind that lies in the file as these bytes; `None` for texts and lists.
    fn number(self, bytes: &[u8]) -> Option<Value> {
        Some(match self {
            Kind::U8 => Value::Unsigned(bytes.first().copied()?.into()),
            Kind::I8 => Value::Signed(bytes.first()?.cast_signed().into()),
            Kind::Bool => Value::Bool(*bytes.first()? != 0),
            Kind::U16 => Value::Unsigned(u16::from_le_bytes(bytes.try_into().ok()?).into()),
            Kind::I16 => Value::Signed(i16::from_le_bytes(bytes.try_into().ok()?).into()),
            Kind::U32 => Value::Unsigned(u32::from_le_bytes(bytes.try_into().ok()?).into()),
            Kind::I32 => Value::Signed(i32::from_le_bytes(bytes.try_into().ok()?).into()),
            Kind::F32 => Value::Float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
            Kind::U64 => Value::Unsigned(u64::from_le_bytes(bytes.try_into().ok()?)),
            Kind::I64 => Value::Signed(i64::from_le_bytes(bytes.try_into().ok()?)),
            Kind::F64 => Value::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
            Kind::Text | Kind::List => return None,
        })
    }
}

impl List {
    /// Its elements in the file; nothing for a list of lists.
    pub fn values<'file>(&self, file: &'file [u8]) -> impl Iterator<Item = Value> + use<'file> {
        let (kind, end, mut at) = (self.kind, self.bytes.end, self.bytes.start);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            if let Some(size) = kind.size() {
                let value = kind.number(file.get(at..at + size)?);
                at += size;
                return value;
            }
            if kind == Kind::List {
                return None;
            }
            let length = file.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)?;
            let start = at + 8;
            at = start + usize::try_from(length).ok()?;
            Some(Value::Text(start..at))
        })
    }
}

/// Reads so many keys with their values.
pub(super) fn read(file: &[u8], cursor: &mut Cursor<'_>, count: u64) -> Result<BTreeMap<String, Value>, String> {
    if count > MOST_KEYS {
        return Err(format!("it claims to have {count} keys of metadata, and the most is {MOST_KEYS}"));
    }
    let mut all = BTreeMap::new();
    for number in 1..=count {
        let key = cursor.name(&format_args!("the name of its key {number} of {count}"))?;
        let what = format!("the value of the key {}", quoted(key));
        let place = cursor.place();
        let kind = kind(cursor, place, &what)?;
        let value = value(file, cursor, kind, &what, 0)?;
        if all.insert(key.to_string(), value).is_some() {
            return Err(format!("the key {} comes twice, again at byte {place}", quoted(key)));
        }
    }
    Ok(all)
}

fn kind(cursor: &mut Cursor<'_>, place: usize, what: &dyn Display) -> Result<Kind, String> {
    let number = cursor.u32(what)?;
    Kind::of_number(number).ok_or_else(|| format!("{what} is of the unknown kind {number} (at byte {place})"))
}

fn value(file: &[u8], cursor: &mut Cursor<'_>, kind: Kind, what: &dyn Display, depth: usize) -> Result<Value, String> {
    match kind {
        Kind::Text => Ok(Value::Text(cursor.text(what)?)),
        Kind::List => list(file, cursor, what, depth + 1).map(Value::List),
        Kind::U8
        | Kind::I8
        | Kind::U16
        | Kind::I16
        | Kind::U32
        | Kind::I32
        | Kind::F32
        | Kind::Bool
        | Kind::U64
        | Kind::I64
        | Kind::F64 => {
            let range = cursor.range(kind.size().unwrap_or(0) as u64, what)?;
            check_bools(file, kind, &range, what)?;
            kind.number(&file[range]).ok_or_else(|| format!("{what} is no number"))
        }
    }
}

fn list(file: &[u8], cursor: &mut Cursor<'_>, what: &dyn Display, depth: usize) -> Result<List, String> {
    let place = cursor.place();
    if depth > DEEPEST {
        return Err(format!("{what} has lists in lists more than {DEEPEST} deep (at byte {place})"));
    }
    let kind = kind(cursor, place, what)?;
    let count = cursor.u64(what)?;
    // What an element takes at least: a text has a length, a list a kind and a count.
    let least = kind.size().unwrap_or(if kind == Kind::List { 12 } else { 8 }) as u64;
    let room = cursor.left() as u64 / least;
    if count > room {
        return Err(format!(
            "{what} claims to be a list of {count} (at byte {place}), but there is room for {room} at most before the \
             file ends"
        ));
    }
    let start = cursor.place();
    match kind.size() {
        Some(size) => {
            let range = cursor.range(count * size as u64, what)?;
            check_bools(file, kind, &range, what)?;
        }
        None => {
            for _ in 0..count {
                value(file, cursor, kind, what, depth)?;
            }
        }
    }
    // The room was counted in a usize.
    Ok(List { kind, count: count as usize, bytes: start..cursor.place() })
}

fn check_bools(file: &[u8], kind: Kind, range: &Range<usize>, what: &dyn Display) -> Result<(), String> {
    let wrong = |byte: &u8| *byte > 1;
    match file[range.clone()].iter().position(wrong) {
        Some(place) if kind == Kind::Bool => Err(format!(
            "{what} should be true or false, 1 or 0, but is {} (at byte {})",
            file[range.start + place],
            range.start + place
        )),
        Some(_) | None => Ok(()),
    }
}
