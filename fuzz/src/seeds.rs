//! Whole files of each kind, small ones: what damage begins with.

use safetensors::tensor::{Dtype, TensorView};
use seqwright::stream::{Kept, State};
use seqwright_tests::gguf::{Gguf, kind};
use seqwright_tests::models::Model;
use seqwright_tests::numpy::{archive, array};
use seqwright_tests::sources::files_in;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Programs: those of the repository, and random models.
pub fn programs() -> Vec<Vec<u8>> {
    let folders =
        ["examples", "compiler/library", "tests/fixtures/programs", "tests/fixtures/errors", "tests/fixtures/stacks"];
    let mut all: Vec<Vec<u8>> = folders.into_iter().flat_map(files_in).map(|(_, text)| text.into_bytes()).collect();
    all.extend((0..40).map(|seed| Model::random(seed).text().into_bytes()));
    all
}

fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Tensors of several types and shapes, with metadata.
pub fn safetensors() -> Vec<u8> {
    let floats = bytes_of(&[1.0, 2.0, -3.0, 4.5, 5.0, 6.0]);
    let tensors = [
        ("w", Dtype::F32, vec![2, 3], floats.as_slice()),
        ("b", Dtype::BF16, vec![2], &[0x80, 0x3f, 0, 0x40]),
        ("n", Dtype::I64, vec![1], &[7, 0, 0, 0, 0, 0, 0, 0]),
        ("e", Dtype::F32, vec![0, 4], &[]),
    ];
    let views = tensors.map(|(name, kind, shape, bytes)| {
        (name, TensorView::new(kind, shape, bytes).expect("the bytes are as many as the shape says"))
    });
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    ::safetensors::serialize(views, Some(metadata)).expect("these tensors can be written")
}

/// The index of a checkpoint whose shards are [`safetensors()`], by two names.
pub fn index() -> Vec<u8> {
    br#"{"metadata": {"total_size": 36}, "weight_map": {"w": "model-1.safetensors", "b": "model-2.safetensors"}}"#
        .to_vec()
}

/// The `config.json` of an example.
pub fn config() -> Vec<u8> {
    br#"{"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
  "vocab_size": 11, "intermediate_size": 5, "max_position_embeddings": 40, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
  "hidden_act": "silu", "tie_word_embeddings": true, "rope_scaling": null, "eos_token_id": [1, 2], "bos_token_id": 0}"#
        .to_vec()
}

/// A file with values of many kinds, a vocabulary of byte pairs, and tensors in several formats.
pub fn gguf() -> Gguf {
    Gguf::default()
        .text("general.architecture", "small")
        .number("small.block_count", 2)
        .float("small.epsilon", 1e-5)
        .integers("small.heads", &[4, -2])
        .key("small.large", kind::U64, u64::MAX.to_le_bytes())
        .key("small.yes", kind::BOOL, [1])
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "gpt-2")
        .texts("tokenizer.ggml.tokens", &["<end>", "a", "b", "ab", "Ġ", "é"])
        .integers("tokenizer.ggml.token_type", &[3, 1, 1, 1, 1, 1])
        .texts("tokenizer.ggml.merges", &["a b"])
        .number("tokenizer.ggml.eos_token_id", 0)
        .matrix("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .tensor("q", &[32, 2], 8, vec![3; 68])
        .tensor("k", &[256], 14, vec![5; 210])
        .tensor("h", &[3], 1, vec![0; 6])
}

/// The same with a vocabulary of SentencePiece.
pub fn gguf_pieces() -> Gguf {
    Gguf::default()
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &["<unk>", "<s>", "▁", "a", "b", "▁a", "ab", "<0x41>", "<0xC3>"])
        .floats("tokenizer.ggml.scores", &[0.0, 0.0, -1.0, -2.0, -3.0, -0.5, -0.25, 0.0, 0.0])
        .integers("tokenizer.ggml.token_type", &[2, 3, 1, 1, 1, 1, 1, 6, 6])
        .number("tokenizer.ggml.unknown_token_id", 0)
        .number("tokenizer.ggml.bos_token_id", 1)
        .key("tokenizer.ggml.add_space_prefix", kind::BOOL, [1])
}

/// An array of NumPy's: its head and its data.
pub fn npy() -> Vec<u8> {
    array("<f4", false, "(2, 3)", &bytes_of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
}

/// An archive of arrays in both orders.
pub fn npz(deflated: bool) -> Vec<u8> {
    let turned = array("<i2", true, "(2, 2)", &[1, 0, 2, 0, 3, 0, 4, 0]);
    archive(deflated, &[("w.npy", npy()), ("turned.npy", turned)])
}

/// A tokenizer's file around a model of its kind.
fn tokenizer(normalizer: &str, cut: &str, finish: &str, decoder: &str, model: &str) -> Vec<u8> {
    format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{{"id": 1, "special": true,
 "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}}], "normalizer": {normalizer},
 "pre_tokenizer": {cut}, "post_processor": {finish}, "decoder": {decoder}, "model": {model}}}"#
    )
    // A table of 256 empty entries, and `abc`.
    .replace("CHARSMAP", &format!("AAQA{}AABhYmMA", "AAAA".repeat(341)))
    .into_bytes()
}

/// Tokenizers of each kind of model, with many of the parts around it.
pub fn tokenizers() -> Vec<Vec<u8>> {
    let finish = r#"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
 {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
 "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}}"#;
    vec![
        tokenizer(
            r#"{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}"#,
            r#"{"type": "BertPreTokenizer"}"#,
            finish,
            r###"{"type": "WordPiece", "prefix": "##", "cleanup": true}"###,
            r###"{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
 "vocab": {"[PAD]": 0, "[CLS]": 1, "[UNK]": 2, "one": 3, "two": 4, "##s": 5}}"###,
        ),
        tokenizer(
            r#"{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}]}"#,
            r#"{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\p{N}"}, "behavior": "Isolated", "invert": false},
 {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]}"#,
            r#"{"type": "RobertaProcessing", "sep": ["[CLS]", 1], "cls": ["[CLS]", 1], "trim_offsets": true, "add_prefix_space": false}"#,
            r#"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"#,
            r#"{"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
 "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": {"a": 0, "[CLS]": 1, "b": 2, "ab": 3, "Ġ": 4}, "merges": [["a", "b"]]}"#,
        ),
        tokenizer(
            r#"{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}"#,
            "null",
            "null",
            r#"{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
 {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}"#,
            r#"{"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": "▁", "end_of_word_suffix": null,
 "fuse_unk": true, "byte_fallback": true, "vocab": {"<unk>": 0, "[CLS]": 1, "a": 2, "▁b": 3, "ab": 4, "<0x41>": 5}, "merges": ["a ▁b"]}"#,
        ),
        tokenizer(
            r#"{"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}, {"type": "Strip", "strip_left": true, "strip_right": true},
 {"type": "Precompiled", "precompiled_charsmap": "CHARSMAP"}]}"#,
            r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}"#,
            finish,
            r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}"#,
            r#"{"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["[CLS]", 0.0], ["▁", -1.5], ["a", -2.0], ["▁ab", -0.5], ["b", -3.0]], "byte_fallback": false}"#,
        ),
        tokenizer(
            r#"{"type": "Lowercase"}"#,
            r#"{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"},
 {"type": "Digits", "individual_digits": true}, {"type": "FixedLength", "length": 3}]}"#,
            r#"{"type": "BertProcessing", "sep": ["[CLS]", 1], "cls": ["[CLS]", 1]}"#,
            r#"{"type": "CTC", "pad_token": "a", "word_delimiter_token": "|", "cleanup": true}"#,
            r#"{"type": "WordLevel", "vocab": {"one": 0, "[CLS]": 1, "two": 2, "[UNK]": 3}, "unk_token": "[UNK]"}"#,
        ),
    ]
}

/// What is kept of a sequence of a model with two values, as a file.
pub fn state(folder: &Path, name: &str, model: u64) -> Vec<u8> {
    let kept = |from: usize, numbers: &[f32]| Kept { from, row: 2, numbers: numbers.to_vec() };
    let state = State {
        name: name.to_string(),
        model,
        given: BTreeMap::from([("T".to_string(), 3)]),
        begun: true,
        ended: false,
        values: BTreeMap::from([
            ("h".to_string(), kept(2, &[0.5, -0.25])),
            ("x".to_string(), kept(1, &[1.0, 2.0, 3.0, 4.0])),
        ]),
    };
    let path = folder.join("state.safetensors");
    state.save(&path).expect("a state in a temporary folder");
    std::fs::read(&path).expect("the state that was written")
}
