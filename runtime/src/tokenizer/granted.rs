//! What the library of tokenizers takes for granted of a `tokenizer.json`, looked at before it is given the file.
//!
//! - Where words are made of pairs and all but a word's first piece have a prefix (`##`), the library joins a pair by cutting the
//!   prefix's bytes off the second token, without looking whether it has them, and calls what is left text. A token that is
//!   shorter, or in which a letter goes across that place, would make it read what is none.
//! - A table of letters (`precompiled_charsmap`, of SentencePiece) says how long it is, and the library asks for as much memory
//!   before it reads it: four billion numbers, if a damaged file says so.

use serde::Deserialize;
use serde_json::Value;

/// As much of a file as says whether there is a prefix, and how letters are changed.
#[derive(Deserialize)]
struct File {
    model: Option<Model>,
    normalizer: Option<Value>,
}

#[derive(Deserialize)]
struct Model {
    continuing_subword_prefix: Option<String>,
}

/// As much as the merges.
#[derive(Deserialize)]
struct FileWithMerges {
    model: Merges,
}

#[derive(Deserialize)]
struct Merges {
    /// Each as `"a b"` or as `["a", "b"]`.
    merges: Option<Vec<Value>>,
}

/// Refuses a file that would not be what the library takes it for.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    file.normalizer.as_ref().map_or(Ok(()), check_tables)?;
    check_merges(bytes, &file.model.and_then(|model| model.continuing_subword_prefix).unwrap_or_default())
}

/// Refuses a table that is shorter than it says, wherever it stands in what changes letters.
fn check_tables(normalizer: &Value) -> Result<(), String> {
    match normalizer {
        // As deep as the text was nested, which its reader bounds.
        Value::Object(entries) => entries.iter().try_for_each(|(name, value)| match value {
            Value::String(table) if name == "precompiled_charsmap" => check_table(table),
            _ => check_tables(value),
        }),
        Value::Array(all) => all.iter().try_for_each(check_tables),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// A table in base64: four bytes that say how long the first part is, and that part.
fn check_table(table: &str) -> Result<(), String> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Option<Vec<u8>> = table.bytes().take(6).map(digit).collect();
    // What is no base64 the library refuses itself.
    let Some([a, b, c, d, e, f]) = digits.as_deref().and_then(|digits| <[u8; 6]>::try_from(digits).ok()) else {
        return Ok(());
    };
    let claimed = u32::from_le_bytes([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d, e << 2 | f >> 4]) as usize;
    let most = table.len() / 4 * 3;
    if claimed > most {
        return Err(format!("its table of letters claims {claimed} bytes, and has {most} at most"));
    }
    Ok(())
}

/// Refuses a file in which the second token of a merge does not begin with the prefix of continued words.
fn check_merges(bytes: &[u8], prefix: &str) -> Result<(), String> {
    if prefix.is_empty() {
        return Ok(());
    }
    let file: FileWithMerges = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    for (number, merge) in file.model.merges.unwrap_or_default().iter().enumerate() {
        let second = match merge {
            Value::String(pair) => pair.split(' ').nth(1),
            Value::Array(pair) => pair.get(1).and_then(Value::as_str),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        };
        if !second.is_some_and(|second| second.starts_with(prefix)) {
            let (merge, prefix) = (super::vocabulary::short(&merge.to_string()), super::vocabulary::short(prefix));
            return Err(format!("its merge {number}, {merge}, has no second token that begins with {prefix}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn merges_that_lack_the_prefix_are_refused() {
        let file = |prefix: &str, merges: &str| {
            format!(r#"{{"model":{{"type":"BPE","continuing_subword_prefix":{prefix},"merges":{merges}}}}}"#)
        };
        for (prefix, merges) in [
            ("null", r#"["a b"]"#),
            (r#""""#, r#"["a b"]"#),
            (r###""##""###, r###"["a ##b",["a","##b"]]"###),
            (r###""##""###, "null"),
        ] {
            assert_eq!(check(file(prefix, merges).as_bytes()), Ok(()), "{prefix} {merges}");
        }
        for merges in [r#"["a b"]"#, r#"[["a","é"]]"#, r#"[["a","中"]]"#, r#"["a"]"#, r#"[["a"]]"#, "[7]"] {
            let said = check(file(r###""##""###, merges).as_bytes()).unwrap_err();
            assert!(said.starts_with("its merge 0, ") && said.ends_with("begins with `##`"), "{said}");
        }
        assert!(check(b"{\"model\":").unwrap_err().contains("EOF"));
        assert_eq!(check(b"{}"), Ok(()));
    }

    #[test]
    fn tables_shorter_than_they_say_are_refused() {
        let file = |table: &str| {
            format!(
                r#"{{"normalizer":{{"type":"Sequence","normalizers":[{{"type":"Precompiled","precompiled_charsmap":"{table}"}}]}}}}"#
            )
        };
        // 16 bytes, 16 of them; and nearly none of very many.
        assert_eq!(check(file("EAAAAAAAAAAAAAAAAAAAAAAAAAA=").as_bytes()), Ok(()));
        assert_eq!(check(file("no base64").as_bytes()), Ok(()));
        assert_eq!(check(file("").as_bytes()), Ok(()));
        let said = check(file("SpecialToken").as_bytes()).unwrap_err();
        assert_eq!(said, "its table of letters claims 2308740938 bytes, and has 9 at most");
    }
}
