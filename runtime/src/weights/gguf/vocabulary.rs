//! What a GGUF file's metadata say about a tokenizer: the keys `tokenizer.ggml.…`.
//!
//! In: keys and values. Out: a [`Vocabulary`] whose lists lie in the file. Here each entry is only
//! of the right kind; whether they make sense together is the tokenizer's to find.

use std::collections::BTreeMap;

use super::metadata::{List, Value};
use crate::tokenizer::Vocabulary;
use crate::weights::error::quoted;

/// Reads the vocabulary; nothing where no tokenizer is named. An error goes on from "cannot read FILE: ".
pub(super) fn read<'file>(
    file: &'file [u8],
    metadata: &BTreeMap<String, Value>,
) -> Result<Option<Vocabulary<'file>>, String> {
    let keys = Keys { file, metadata };
    let Some(model) = keys.text("model")? else { return Ok(None) };
    Ok(Some(Vocabulary {
        model,
        pre: keys.text("pre")?,
        tokens: keys.texts("tokens")?,
        scores: keys.numbers("scores")?,
        types: keys.integers("token_type")?,
        merges: keys.texts("merges")?,
        beginning: keys.integer("bos_token_id")?,
        end: keys.integer("eos_token_id")?,
        unknown: keys.integer("unknown_token_id")?,
        padding: keys.integer("padding_token_id")?,
        add_beginning: keys.bool("add_bos_token")?,
        add_end: keys.bool("add_eos_token")?,
        add_space_prefix: keys.bool("add_space_prefix")?,
        remove_extra_blanks: keys.bool("remove_extra_whitespaces")?,
    }))
}

struct Keys<'file, 'metadata> {
    file: &'file [u8],
    metadata: &'metadata BTreeMap<String, Value>,
}

impl<'file> Keys<'file, '_> {
    /// The value of a key, by `take`, which refuses those of another kind than `wanted`.
    fn get<T>(&self, name: &str, wanted: &str, take: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>, String> {
        let key = format!("tokenizer.ggml.{name}");
        let Some(value) = self.metadata.get(&key) else { return Ok(None) };
        let found = take(value).ok_or_else(|| format!("the value of the key {} should be {wanted}", quoted(&key)))?;
        Ok(Some(found))
    }

    fn text_of(&self, value: &Value) -> Option<&'file str> {
        match value {
            // Looked at again: whoever changes a mapped file may do so behind the first look.
            Value::Text(range) => std::str::from_utf8(self.file.get(range.clone())?).ok(),
            Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) | Value::Bool(_) | Value::List(_) => None,
        }
    }

    fn text(&self, name: &str) -> Result<Option<&'file str>, String> {
        self.get(name, "a text", |value| self.text_of(value))
    }

    fn bool(&self, name: &str) -> Result<Option<bool>, String> {
        self.get(name, "true or false", |value| if let Value::Bool(value) = value { Some(*value) } else { None })
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        self.get(name, "a whole number", integer)
    }

    /// A list, each of its entries by `take`; `None` in place of the list where there is no such key.
    fn list<T>(&self, name: &str, wanted: &str, take: impl Fn(&Value) -> Option<T>) -> Result<Option<Vec<T>>, String> {
        self.get(name, wanted, |value| {
            let Value::List(list @ List { count, .. }) = value else { return None };
            let all: Vec<T> = list.values(self.file).map_while(|value| take(&value)).collect();
            (all.len() == *count).then_some(all)
        })
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<&'file str>>, String> {
        self.list(name, "a list of texts", |value| self.text_of(value))
    }

    fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        self.list(name, "a list of whole numbers", integer)
    }

    fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, String> {
        self.list(name, "a list of numbers", |value| match value {
            Value::Float(number) => Some(*number),
            Value::Unsigned(number) => Some(*number as f64),
            Value::Signed(number) => Some(*number as f64),
            Value::Bool(_) | Value::Text(_) | Value::List(_) => None,
        })
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Unsigned(number) => i64::try_from(*number).ok(),
        Value::Signed(number) => Some(*number),
        Value::Float(_) | Value::Bool(_) | Value::Text(_) | Value::List(_) => None,
    }
}
