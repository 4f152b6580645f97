//! JSON files of a checkpoint, and the index of one split over several safetensors files.
//!
//! In: `config.json` or `model.safetensors.index.json`. Out: a parsed value, or which shard each
//! tensor is in. A shard is a file name and nothing else: a name that leads out of the folder is
//! refused, since an index comes from whoever published the model. Shards are opened elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::{Component, Path};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::error::{DOWNLOAD_AGAIN, WeightError, quoted, shortened};
use super::regular::open_regular_file;

/// The longest JSON file that is read, in bytes: far above any published index.
const LONGEST_JSON: u64 = 100_000_000;

/// What an index says: the shard that each tensor is in, by the tensor's name.
#[derive(Debug, PartialEq)]
pub(super) struct ShardIndex {
    pub shard_of_tensor: BTreeMap<String, String>,
}

impl ShardIndex {
    /// Reads the index at `path`.
    pub(super) fn open(path: &Path) -> Result<ShardIndex, WeightError> {
        let index = read_json::<ShardIndex>(path)?;
        for (tensor, shard) in &index.shard_of_tensor {
            if !is_plain_file_name(shard) {
                let problem = format!(
                    "it puts tensor {} into {}, which is not the name of a file in the same folder",
                    quoted(tensor),
                    quoted(shard)
                );
                return Err(WeightError::reading(path, problem)
                    .with_help("do not trust this checkpoint: get it from its publisher again"));
            }
        }
        Ok(index)
    }

    /// The file names of all shards, each once, sorted.
    pub(super) fn shards(&self) -> BTreeSet<&str> {
        self.shard_of_tensor.values().map(String::as_str).collect()
    }
}

/// Reads a JSON file; an error gives the line and column.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, WeightError> {
    let (file, length) = open_regular_file(path)?;
    if length > LONGEST_JSON {
        let problem = format!("it is {length} bytes long, and the most is {LONGEST_JSON}");
        return Err(WeightError::reading(path, problem));
    }
    let mut bytes = Vec::new();
    // The limit once more, for a file that grows meanwhile.
    file.take(LONGEST_JSON).read_to_end(&mut bytes).map_err(|error| WeightError::reading(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let kind = if error.is_data() { "it is not as expected" } else { "it is not valid JSON" };
        WeightError::reading(path, format!("{kind}: {}", shortened(&error.to_string()))).with_help(if error.is_data() {
            "check what wrote it"
        } else {
            DOWNLOAD_AGAIN
        })
    })
}

/// Whether `name` can only mean a file in the folder that it is looked up in.
fn is_plain_file_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    // The part is compared with the whole name because `components` drops a closing "/" or "/.".
    // Backslashes and colons lead elsewhere on Windows, and a checkpoint means the same anywhere.
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
        && !name.contains(['\\', ':', '\0'])
}

impl<'de> Deserialize<'de> for ShardIndex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(IndexVisitor)
    }
}

struct IndexVisitor;

impl<'de> Visitor<'de> for IndexVisitor {
    type Value = ShardIndex;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with a `weight_map`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ShardIndex, A::Error> {
        let mut weight_map = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "weight_map" {
                map.next_value::<IgnoredAny>()?;
            } else if weight_map.replace(map.next_value::<WeightMap>()?).is_some() {
                return Err(A::Error::custom("`weight_map` comes twice"));
            }
        }
        let weight_map = weight_map.ok_or_else(|| A::Error::custom("it has no `weight_map`"))?;
        Ok(ShardIndex { shard_of_tensor: weight_map.0 })
    }
}

/// The object from tensor names to shards. `serde_json` would keep the last of two equal names.
struct WeightMap(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WeightMapVisitor)
    }
}

struct WeightMapVisitor;

impl<'de> Visitor<'de> for WeightMapVisitor {
    type Value = WeightMap;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("`weight_map` to be an object from tensor names to file names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WeightMap, A::Error> {
        let mut shard_of_tensor = BTreeMap::new();
        while let Some((tensor, shard)) = map.next_entry::<String, String>()? {
            if shard_of_tensor.contains_key(&tensor) {
                let problem = format!("the tensor {} comes twice", quoted(&tensor));
                return Err(A::Error::custom(problem));
            }
            shard_of_tensor.insert(tensor, shard);
        }
        Ok(WeightMap(shard_of_tensor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::testing::file_in_folder;

    fn open(text: &str) -> Result<ShardIndex, WeightError> {
        let (_folder, path) = file_in_folder("model.safetensors.index.json", text.as_bytes());
        ShardIndex::open(&path)
    }

    #[test]
    fn reads_a_published_index() {
        let index = open(
            r#"{"metadata":{"total_size":8},
                "weight_map":{"b":"two.safetensors","a":"one.safetensors","c":"one.safetensors"}}"#,
        )
        .unwrap();
        assert_eq!(index.shards().into_iter().collect::<Vec<_>>(), ["one.safetensors", "two.safetensors"]);
        assert_eq!(index.shard_of_tensor["b"], "two.safetensors");
    }

    #[test]
    fn names_that_lead_out_of_the_folder_are_refused() {
        for shard in ["../x", "/x", "a/b", "..", ".", "", "a/", "a/.", "./a", "a\\\\b", "C:x", "a\\u0000b"] {
            let error = open(&format!(r#"{{"weight_map":{{"t":"{shard}"}}}}"#)).unwrap_err();
            assert!(error.to_string().contains("not the name of a file in the same folder"));
        }
        assert!(open(r#"{"weight_map":{"t":"model-00001-of-00002.safetensors"}}"#).is_ok());
    }

    #[test]
    fn a_broken_index_is_an_error_with_its_place() {
        for (text, expected) in [
            ("", "not valid JSON: EOF while parsing a value at line 1 column 0"),
            ("{\n\"weight_map\": {,", "not valid JSON: key must be a string at line 2 column 16"),
            ("[]", "not as expected: invalid type: sequence"),
            ("{}", "it has no `weight_map`"),
            (r#"{"weight_map":[]}"#, "`weight_map` to be an object from"),
            (r#"{"weight_map":{"t":1}}"#, "invalid type: integer `1`, expected a string"),
            (r#"{"weight_map":{"t":"a","t":"b"}}"#, "the tensor `t` comes twice"),
            (r#"{"weight_map":{},"weight_map":{}}"#, "`weight_map` comes twice"),
        ] {
            let message = open(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}\n{message}");
        }
    }
}
