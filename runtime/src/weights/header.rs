//! The JSON header of a safetensors file.
//!
//! In: the header's bytes, whose length the caller has bounded. Out: one [`HeaderEntry`] per
//! tensor in the order of the file, or a text that says what is wrong and where. Here a header is
//! only read as a document: whether offsets and shapes make sense together and with the file is
//! `safetensors.rs`'s part.
//!
//! The `safetensors` crate has a parser of its own, but it keeps the last of two tensors of one
//! name, keeps any number of dimensions, and names no tensor in its errors. So the document is
//! walked here, with the crate's [`Dtype`] as the list of element types, and with memory that
//! stays within a small multiple of the header's length.

use std::fmt;

use safetensors::Dtype;
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{quoted, shortened};

/// More dimensions than any tensor has; a longer shape is damage, or an attempt to fill memory.
const MOST_DIMENSIONS: usize = 64;

/// The key under which a header may keep free text about the file; never a tensor.
const METADATA_KEY: &str = "__metadata__";

/// One tensor as the header describes it, nothing about it checked but its form.
#[derive(Debug)]
pub(super) struct HeaderEntry {
    /// The tensor's name.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its shape, outermost dimension first; empty for a single number.
    pub shape: Vec<u64>,
    /// Where its bytes start, counted from the end of the header.
    pub start: u64,
    /// Where its bytes end (exclusive), counted from the end of the header.
    pub end: u64,
}

/// Reads a header. The error goes on from "cannot read FILE: ".
pub(super) fn read_header(bytes: &[u8]) -> Result<Vec<HeaderEntry>, String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("its header is not UTF-8 text (at byte {} of the header)", error.valid_up_to()))?;
    let mut current = None;
    let mut document = serde_json::Deserializer::from_str(text);
    let entries = HeaderSeed { current: &mut current }
        .deserialize(&mut document)
        .and_then(|entries| document.end().map(|()| entries));
    entries.map_err(|error| {
        // Malformed JSON and JSON of the wrong form are told apart: the first is damage.
        let kind = if error.is_data() { "its header is wrong" } else { "its header is not JSON" };
        match current {
            Some(name) => {
                format!("{kind}: tensor {}: {}", quoted(&name), shortened(&error.to_string()))
            }
            None => format!("{kind}: {}", shortened(&error.to_string())),
        }
    })
}

/// Reads the outer object; leaves in `current` the name of the tensor being read when it fails.
struct HeaderSeed<'state> {
    current: &'state mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for HeaderSeed<'_> {
    type Value = Vec<HeaderEntry>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeaderSeed<'_> {
    type Value = Vec<HeaderEntry>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with one entry per tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        let mut has_metadata = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA_KEY {
                if has_metadata {
                    return Err(comes_twice(METADATA_KEY));
                }
                has_metadata = true;
                map.next_value::<Metadata>()?;
                continue;
            }
            *self.current = Some(name.clone());
            let description = map.next_value::<Description>()?;
            *self.current = None;
            entries.push(HeaderEntry {
                name,
                dtype: description.dtype,
                shape: description.shape,
                start: description.start,
                end: description.end,
            });
        }
        match name_that_comes_twice(&entries) {
            Some(name) => Err(comes_twice(name)),
            None => Ok(entries),
        }
    }
}

fn comes_twice<E: Error>(name: &str) -> E {
    E::custom(format!("the name {} comes twice", quoted(name)))
}

/// Some name that two entries have. Sorting borrows the names, where a set would copy them all.
fn name_that_comes_twice(entries: &[HeaderEntry]) -> Option<&str> {
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// The free text of a header: an object of texts, read only to see that it is one.
struct Metadata;

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Metadata)
    }
}

impl<'de> Visitor<'de> for Metadata {
    type Value = Metadata;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{METADATA_KEY}` to be an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
        while map.next_entry::<String, String>()?.is_some() {}
        Ok(Metadata)
    }
}

/// What the header says about one tensor.
struct Description {
    dtype: Dtype,
    shape: Vec<u64>,
    start: u64,
    end: u64,
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DescriptionVisitor)
    }
}

struct DescriptionVisitor;

impl<'de> Visitor<'de> for DescriptionVisitor {
    type Value = Description;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `dtype`, `shape` and `data_offsets`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Description, A::Error> {
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        while let Some(field) = map.next_key::<String>()? {
            let already_there = match field.as_str() {
                "dtype" => {
                    let name = map.next_value::<String>()?;
                    dtype.replace(dtype_named::<A::Error>(&name)?).is_some()
                }
                "shape" => {
                    let numbers = map.next_value::<Numbers<MOST_DIMENSIONS>>()?;
                    shape.replace(numbers.0).is_some()
                }
                "data_offsets" => {
                    let numbers = map.next_value::<Numbers<2>>()?;
                    offsets.replace(numbers.0).is_some()
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if already_there {
                return Err(A::Error::custom(format!("`{field}` comes twice")));
            }
        }
        let missing = |field| A::Error::custom(format!("it has no `{field}`"));
        let dtype = dtype.ok_or_else(|| missing("dtype"))?;
        let shape = shape.ok_or_else(|| missing("shape"))?;
        match offsets.ok_or_else(|| missing("data_offsets"))?[..] {
            [start, end] => Ok(Description { dtype, shape, start, end }),
            _ => Err(A::Error::custom("`data_offsets` must be two numbers")),
        }
    }
}

/// The element type called `name`.
fn dtype_named<E: Error>(name: &str) -> Result<Dtype, E> {
    let known = Dtype::deserialize(StrDeserializer::<serde::de::value::Error>::new(name));
    known.map_err(|_| E::custom(format!("its dtype {} is not a known one", quoted(name))))
}

/// A list of at most `MOST` whole numbers, none below zero.
struct Numbers<const MOST: usize>(Vec<u64>);

impl<'de, const MOST: usize> Deserialize<'de> for Numbers<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(NumbersVisitor::<MOST>)
    }
}

struct NumbersVisitor<const MOST: usize>;

impl<'de, const MOST: usize> Visitor<'de> for NumbersVisitor<MOST> {
    type Value = Numbers<MOST>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of at most {MOST} whole numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut numbers = Vec::new();
        while let Some(number) = list.next_element::<u64>()? {
            if numbers.len() == MOST {
                return Err(A::Error::custom(format!("a list is longer than {MOST} numbers")));
            }
            numbers.push(number);
        }
        Ok(Numbers(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_entries_in_order_and_skips_metadata_and_unknown_fields() {
        let text = r#"{"__metadata__":{"format":"pt"},
            "b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24],"later":[{"x":null}]},
            "a":{"data_offsets":[24,25],"shape":[],"dtype":"BOOL"}}   "#;
        let entries = read_header(text.as_bytes()).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].name.as_str(), entries[0].dtype), ("b", Dtype::F32));
        assert_eq!((&entries[0].shape[..], entries[0].start, entries[0].end), (&[2, 3][..], 0, 24));
        assert_eq!((entries[1].name.as_str(), entries[1].dtype), ("a", Dtype::BOOL));
        assert!(entries[1].shape.is_empty());
    }

    #[test]
    fn every_wrong_form_is_named() {
        const SOUND: &str = r#""t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
        let tensor = |fields: &str| format!(r#"{{"t":{{{fields}}}}}"#);
        let cases = [
            (String::new(), "not JSON: EOF"),
            ("{".into(), "not JSON: EOF"),
            ("{}}".into(), "not JSON: trailing"),
            ("[]".into(), "wrong: invalid type: sequence, expected an object with one entry per"),
            (r#"{"__metadata__":{"a":1}}"#.into(), "expected a string"),
            (r#"{"__metadata__":3}"#.into(), "`__metadata__` to be an object of texts"),
            (r#"{"t":7}"#.into(), "tensor `t`: invalid type: integer `7`"),
            (tensor(r#""shape":[1],"data_offsets":[0,4]"#), "tensor `t`: it has no `dtype`"),
            (tensor(r#""dtype":"F32","data_offsets":[0,4]"#), "it has no `shape`"),
            (tensor(r#""dtype":"F32","shape":[1]"#), "it has no `data_offsets`"),
            (tensor(r#""dtype":"F33""#), "tensor `t`: its dtype `F33` is not a known one"),
            (tensor(r#""dtype":32"#), "expected a string"),
            (tensor(r#""shape":[-1]"#), "integer `-1`"),
            (tensor(r#""shape":[1.5]"#), "floating point `1.5`"),
            (tensor(r#""shape":[99999999999999999999]"#), "expected u64"),
            (tensor(r#""shape":"2x2""#), "expected a list of at most 64 whole numbers"),
            (tensor(r#""shape":[1],"shape":[1]"#), "`shape` comes twice"),
            (tensor(r#""dtype":"F32","shape":[1],"data_offsets":[0]"#), "`data_offsets` must be two numbers"),
            (tensor(r#""data_offsets":[0,4,8]"#), "a list is longer than 2 numbers"),
            (format!("{{{SOUND},{SOUND}}}"), "the name `t` comes twice"),
            (r#"{"__metadata__":{},"__metadata__":{}}"#.into(), "the name `__metadata__` comes twice"),
        ];
        for (text, expected) in cases {
            let message = read_header(text.as_bytes()).unwrap_err();
            assert!(message.contains(expected), "{text}\n{message}\nlacks: {expected}");
        }
        let message = read_header(b"{\"a\xff").unwrap_err();
        assert!(message.contains("not UTF-8 text (at byte 3"), "{message}");
    }

    #[test]
    fn huge_or_deep_headers_end_in_short_errors() {
        let long_shape = format!(r#"{{"t":{{"shape":[{}0]}}}}"#, "0,".repeat(1_000_000));
        let deep = format!(r#"{{"t":{{"more":{}"#, "[".repeat(1_000_000));
        let long_name = format!(r#"{{"{}":7}}"#, "n".repeat(1_000_000));
        let long_dtype = format!(r#"{{"t":{{"dtype":"{}"}}}}"#, "n".repeat(1_000_000));
        let long_text = format!(r#"{{"t":"{}"}}"#, "n".repeat(1_000_000));
        for text in [long_shape, deep, long_name, long_dtype, long_text] {
            let message = read_header(text.as_bytes()).unwrap_err();
            assert!(message.len() < 500, "{} characters", message.len());
        }
    }
}
