//! A GGUF file's metadata as a configuration, the way `config.json` is one.
//!
//! In: keys and values. Out: a JSON object that is nested by the dots of the keys:
//! `llama.block_count` is `{"llama": {"block_count": …}}`.
//!
//! - A key that goes on where another one ends (`tokenizer.chat_template` has a value, and
//!   `tokenizer.chat_template.tool_use` one more) stays whole from there on:
//!   `{"tokenizer": {"chat_template": …, "chat_template.tool_use": …}}`.
//! - What is long (a vocabulary, say) is not copied: `{"length": 49152}` stands in its place, and
//!   so for lists of lists.
//! - Numbers that JSON doesn't have, infinite ones and those that are none, are `null`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::metadata::{Kind, List, Value};

/// The longest list that is copied: longer than a list with an entry for each layer.
const LONGEST_LIST: usize = 512;

/// The longest text that is copied, in bytes: longer than any chat template.
const LONGEST_TEXT: usize = 1 << 20;

/// How many dots of a key nest; the last part is whatever is left. Objects in objects without end
/// would overflow the stack of whoever walks them.
const DEEPEST: usize = 16;

/// The configuration that these values are.
pub(super) fn config(file: &[u8], metadata: &BTreeMap<String, Value>) -> Json {
    let mut whole = Map::new();
    // In the order of the alphabet a key comes before those that go on from it.
    for (key, value) in metadata {
        insert(&mut whole, key, json(file, value), 0);
    }
    Json::Object(whole)
}

fn insert(object: &mut Map<String, Json>, key: &str, value: Json, depth: usize) {
    if depth < DEEPEST
        && let Some((first, rest)) = key.split_once('.')
        && let Json::Object(inner) = object.entry(first).or_insert_with(|| Json::Object(Map::new()))
    {
        insert(inner, rest, value, depth + 1);
    } else {
        object.insert(key.to_string(), value);
    }
}

fn json(file: &[u8], value: &Value) -> Json {
    match value {
        Value::Unsigned(number) => (*number).into(),
        Value::Signed(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Bool(value) => (*value).into(),
        Value::Text(range) if range.len() > LONGEST_TEXT => json!({ "length": range.len() }),
        Value::Text(range) => String::from_utf8_lossy(&file[range.clone()]).into(),
        Value::List(List { kind: Kind::List, count, .. }) => json!({ "length": count }),
        // Texts are short or the list is not: all of a list's bytes together are.
        Value::List(list) if list.count > LONGEST_LIST || list.bytes.len() > LONGEST_TEXT => {
            json!({ "length": list.count })
        }
        Value::List(list) => list.values(file).map(|value| json(file, &value)).collect(),
    }
}
