//! What a checkpoint says of its use, besides its sizes: which tokens end a text, with which one a decoder starts, how long a
//! text may become, and how a conversation is written.
//!
//! In: an open checkpoint, and its tokenizer where it has one. Out: [`Conventions`], of which anything may be missing. The
//! places are those of published checkpoints: `generation_config.json`, `config.json`, `tokenizer_config.json`,
//! `chat_template.jinja` and `chat_template.json` of a folder, as Hugging Face writes them; of a GGUF file its metadata,
//! whose keys (`tokenizer.ggml.eos_token_id`) are paths in the checkpoint's configuration. A file of another folder is never
//! read.

use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, WeightError, read_json, read_regular};
use seqwright_compiler::table::FileFormat;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a checkpoint says of its use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conventions {
    /// Tokens that end a text.
    pub ends: BTreeSet<u32>,
    /// The token that a decoder, or a text without a beginning, starts with.
    pub start: Option<u32>,
    /// How many tokens are usually written at most.
    pub most: Option<usize>,
    /// The longest sequence that the model was made for.
    pub context: Option<Context>,
    /// The chat template and where it stands.
    pub template: Option<(String, PathBuf)>,
    /// Texts of special tokens that templates speak of: `bos_token`, `eos_token` and so on.
    pub special: BTreeMap<String, String>,
}

/// How many tokens a sequence may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// So many, its prompt included.
    pub most: usize,
    /// What says so.
    pub said_by: String,
}

/// Where `config.json` says how long a sequence may be; the first that is there counts.
const LENGTHS: [&str; 5] = ["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length"];
/// Tokens that end a text, by their names in a GGUF file.
const GGUF_ENDS: [&str; 3] = ["eos_token_id", "eot_token_id", "eom_token_id"];
/// Special tokens that templates speak of.
const SPECIAL: [&str; 4] = ["bos_token", "eos_token", "unk_token", "pad_token"];
/// The longest template that is read, in bytes.
const LONGEST_TEMPLATE: u64 = 1 << 20;

impl Conventions {
    /// Reads what a checkpoint says.
    ///
    /// # Errors
    /// A file that is there but can't be read.
    pub fn of(checkpoint: &Checkpoint, tokenizer: Option<&Tokenizer>) -> Result<Conventions, WeightError> {
        let mut all = Conventions::default();
        let config = checkpoint.config().unwrap_or(&Value::Null);
        match checkpoint.format() {
            FileFormat::Gguf => {
                let file = checkpoint.names().next().and_then(|name| checkpoint.file_of(name));
                all.of_gguf(config, file.unwrap_or(checkpoint.folder()), tokenizer);
            }
            FileFormat::Safetensors | FileFormat::Npz => all.of_folder(config, checkpoint.folder(), tokenizer)?,
        }
        Ok(all)
    }

    fn of_gguf(&mut self, config: &Value, file: &Path, tokenizer: Option<&Tokenizer>) {
        let ggml = |name: &str| at(config, &["tokenizer", "ggml", name]);
        self.ends.extend(GGUF_ENDS.iter().filter_map(|name| token(ggml(name)?)));
        let architecture = at(config, &["general", "architecture"]).and_then(Value::as_str).unwrap_or("");
        let own = |name: &str| at(config, &[architecture, name]);
        self.start = own("decoder_start_token_id").or(ggml("bos_token_id")).and_then(token);
        self.context = own("context_length")
            .and_then(Value::as_u64)
            .map(|most| Context { most: most as usize, said_by: format!("`{architecture}.context_length`") });
        if let Some(template) = at(config, &["tokenizer", "chat_template"]).and_then(Value::as_str) {
            self.template = Some((template.to_string(), file.to_path_buf()));
        }
        // Ids there, texts in templates.
        let ids = [("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("unk_token", "unknown_token_id")];
        for (name, id) in ids.into_iter().chain([("pad_token", "padding_token_id")]) {
            let text = ggml(id).and_then(token).and_then(|id| tokenizer?.token(id));
            self.special.extend(text.map(|text| (name.to_string(), text)));
        }
    }

    fn of_folder(&mut self, config: &Value, folder: &Path, tokenizer: Option<&Tokenizer>) -> Result<(), WeightError> {
        let optional = |name: &str| -> Result<Value, WeightError> {
            let path = folder.join(name);
            if path.exists() { read_json(&path) } else { Ok(Value::Null) }
        };
        let (generation, about_tokens) = (optional("generation_config.json")?, optional("tokenizer_config.json")?);
        for said in [&generation, config] {
            match said.get("eos_token_id") {
                Some(Value::Array(several)) => self.ends.extend(several.iter().filter_map(token)),
                Some(one) => self.ends.extend(token(one)),
                None => {}
            }
        }
        self.most = generation.get("max_new_tokens").and_then(Value::as_u64).map(|most| most as usize);
        let starts = ["decoder_start_token_id", "bos_token_id"];
        let starts = starts.iter().flat_map(|name| [&generation, config].map(|said| said.get(name)));
        self.start = starts.flatten().find_map(token);
        self.context = LENGTHS.iter().find_map(|name| {
            let most = config.get(name)?.as_u64()?;
            Some(Context { most: most as usize, said_by: format!("`{name}` in config.json") })
        });
        for name in SPECIAL {
            // Some publishers write the token alone, some what there is to say of it.
            let text = about_tokens.get(name).and_then(|said| said.as_str().or_else(|| said.get("content")?.as_str()));
            self.special.extend(text.map(|text| (name.to_string(), text.to_string())));
        }
        let end = self.special.get("eos_token").and_then(|text| tokenizer?.id(text));
        self.ends.extend(end);
        self.template = template_of_folder(folder, &about_tokens, optional("chat_template.json")?)?;
        Ok(())
    }
}

/// The chat template of a folder: the newest way of keeping it first.
fn template_of_folder(
    folder: &Path,
    about_tokens: &Value,
    own_file: Value,
) -> Result<Option<(String, PathBuf)>, WeightError> {
    let path = folder.join("chat_template.jinja");
    if path.exists() {
        let bytes = read_regular(&path, LONGEST_TEMPLATE).map_err(|why| WeightError::reading(&path, why))?;
        let Some(bytes) = bytes else {
            return Err(WeightError::reading(&path, format!("a chat template has {LONGEST_TEMPLATE} bytes at most")));
        };
        let text = String::from_utf8(bytes).map_err(|why| {
            WeightError::reading(&path, format!("byte {} is not UTF-8 text", why.utf8_error().valid_up_to()))
        })?;
        return Ok(Some((text, path)));
    }
    for (said, name) in [(&own_file, "chat_template.json"), (about_tokens, "tokenizer_config.json")] {
        let found = match said.get("chat_template") {
            Some(Value::String(text)) => Some(text.as_str()),
            // Several, by name.
            Some(Value::Array(several)) => {
                let default = several.iter().find(|one| one.get("name").and_then(Value::as_str) == Some("default"));
                default.or(several.first()).and_then(|one| one.get("template")?.as_str())
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => None,
        };
        if let Some(text) = found {
            return Ok(Some((text.to_string(), folder.join(name))));
        }
    }
    Ok(None)
}

fn token(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

#[cfg(test)]
#[path = "conventions_tests.rs"]
mod tests;
