//! The Llama example on the same weights in several files: as Hugging Face stores them, with the words' table read twice
//! as well, and as a GGUF file has them; and on files that mean another model.

use seqwright::batch::Batch;
use seqwright::session::{Backend, Checked, Failure, Request, Runner, check, weights};
use seqwright::tiles::Instructions;
use seqwright::weights::{Checkpoint, Io, Tensor, Values, export, load, write_safetensors};
use seqwright_compiler::table::{FileFormat, bindings};
use seqwright_tests::gguf::Gguf;
use seqwright_tests::goldens::{example, floats, shown};
use seqwright_tests::sources::repository;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The golden case's sizes.
const HEADS: usize = 6;
const SHARED: usize = 2;
const HALF: usize = 4;

fn golden() -> PathBuf {
    repository().join("tests/goldens/llama")
}

fn tensors() -> BTreeMap<String, Tensor> {
    let checkpoint = Checkpoint::open(&golden()).expect("the golden checkpoint is whole");
    let read = |name: &str| checkpoint.tensor(name).expect("it is named").to_tensor().expect("it is F32");
    checkpoint.names().map(|name| (name.to_string(), read(name))).collect()
}

/// Rows as GGUF files have them: the two entries of a head that are turned together are neighbours.
fn neighbours(tensor: &Tensor, heads: usize) -> Tensor {
    let numbers = floats(tensor);
    let width = tensor.shape()[1];
    let mut moved = Vec::new();
    for head in 0..heads {
        for half in 0..HALF {
            for part in 0..2 {
                let row = (head * 2 + part) * HALF + half;
                moved.extend_from_slice(&numbers[row * width..(row + 1) * width]);
            }
        }
    }
    Tensor::new(tensor.shape().to_vec(), Values::Floats(moved)).expect("the same numbers")
}

fn gguf_name(name: &str) -> String {
    let mut name = name.to_string();
    for (from, to) in [
        ("model.embed_tokens", "token_embd"),
        ("model.layers.", "blk."),
        ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
    ] {
        name = name.replace(from, to);
    }
    name
}

/// The golden case as a GGUF file.
fn gguf(tensors: &BTreeMap<String, Tensor>) -> Gguf {
    let mut file = Gguf::default()
        .text("general.architecture", "llama")
        .number("llama.block_count", 2)
        .number("llama.embedding_length", 48)
        .number("llama.feed_forward_length", 88)
        .number("llama.attention.head_count", HEADS as u32)
        .number("llama.attention.head_count_kv", SHARED as u32)
        .number("llama.rope.dimension_count", 2 * HALF as u32)
        .number("llama.vocab_size", 97)
        .float("llama.rope.freq_base", 10000.0)
        .float("llama.attention.layer_norm_rms_epsilon", 1e-6);
    for (name, tensor) in tensors {
        let moved = match name {
            name if name.contains("q_proj") => neighbours(tensor, HEADS),
            name if name.contains("k_proj") => neighbours(tensor, SHARED),
            _ => tensor.clone(),
        };
        file = file.matrix(&gguf_name(name), moved.shape(), &floats(&moved));
    }
    file
}

fn write(folder: &Path, tensors: &BTreeMap<String, Tensor>, config: &str) {
    write_safetensors(&folder.join("model.safetensors"), tensors).expect("it can be written");
    fs::write(folder.join("config.json"), config).expect("it can be written");
}

fn config() -> String {
    fs::read_to_string(golden().join("config.json")).expect("the golden case has one")
}

fn checked(path: &Path) -> Result<(Checked, Checkpoint), Failure> {
    let checkpoint = Checkpoint::open(path).map_err(Failure::File)?;
    let request = Request { file: example("llama"), ..Request::default() };
    Ok((check(&request, Some(&checkpoint))?, checkpoint))
}

/// The logits of the golden case's inputs.
fn logits(path: &Path) -> Vec<f32> {
    let (checked, checkpoint) = shown(checked(path));
    let loaded = shown(weights(&checked, Some(&checkpoint)));
    let mut io = Io::open(&golden().join("io.safetensors")).expect("the golden inputs are whole");
    io.inputs.retain(|name, _| name == "tokens");
    let batch = Batch::from_tensors(&checked.model, &io.inputs, &BTreeMap::new());
    let batch = batch.unwrap_or_else(|errors| panic!("{errors:?}"));
    let runner = shown(Runner::new(&checked, &loaded, Backend::Cpu(Instructions::best(), 1)));
    shown(runner.run(&batch)).remove(0)
}

fn same(one: &[f32], other: &[f32]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.to_bits() == other.to_bits())
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    seqwright_tests::gguf::file("llama.gguf", bytes)
}

#[test]
fn a_gguf_file_gives_the_logits_of_the_same_weights() {
    let (_folder, path) = file(&gguf(&tensors()).bytes());
    let (found, wanted) = (logits(&path), logits(&golden()));
    // The file's epsilon is a float32, the other's is not: 1e-6 is 9.99999997e-7 there.
    let far = found.iter().zip(&wanted).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
    assert!(found.len() == wanted.len() && far < 1e-6, "{far}");
}

#[test]
fn a_table_of_sixteen_bits_gives_nearly_the_same() {
    let mut file_to_be = gguf(&tensors());
    for tensor in &mut file_to_be.tensors {
        if tensor.name == "token_embd.weight" {
            let numbers =
                tensor.bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
            tensor.bytes = numbers.flat_map(|number| half(number).to_le_bytes()).collect();
            tensor.kind = 1;
        }
    }
    let (_folder, path) = file(&file_to_be.bytes());
    let (found, wanted) = (logits(&path), logits(&golden()));
    let far = found.iter().zip(&wanted).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
    assert!(far > 0.0 && far < 0.01, "{far}");
}

/// An F16's bits, of a number that is small and not tiny; rounded towards zero.
fn half(number: f32) -> u16 {
    let bits = number.to_bits();
    let exponent = (bits >> 23 & 255) as i32 - 127 + 15;
    let sign = (bits >> 16 & 0x8000) as u16;
    if exponent <= 0 { sign } else { sign | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16 }
}

#[test]
fn without_a_tensor_of_its_own_the_last_product_reads_the_words_table() {
    let mut tied = tensors();
    tied.remove("lm_head.weight");
    let mut copied = tied.clone();
    copied.insert("lm_head.weight".to_string(), tied["model.embed_tokens.weight"].clone());
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(one.path(), &tied, &config().replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true"));
    write(other.path(), &copied, &config());
    let wanted = logits(other.path());
    assert!(same(&logits(one.path()), &wanted));
    let (_one, tied_file) = file(&gguf(&tied).bytes());
    let (_other, copied_file) = file(&gguf(&copied).bytes());
    assert!(same(&logits(&tied_file), &logits(&copied_file)));
}

#[test]
fn what_a_gguf_table_reads_it_writes() {
    let mut tied = tensors();
    tied.remove("lm_head.weight");
    for tensors in [tensors(), tied] {
        let (_folder, path) = file(&gguf(&tensors).bytes());
        let (checked, checkpoint) = shown(checked(&path));
        let table = bindings(&checked.files, &checked.model, FileFormat::Gguf).expect("the table is whole");
        let loaded = load(&checked.model, &table, &checkpoint).expect("the file fits");
        let folder = tempfile::tempdir().unwrap();
        let written = folder.path().join("out.safetensors");
        export(&checked.model, &table, &loaded.values, Some(&checkpoint), &written).expect("it can be written");
        let written = Checkpoint::open(&written).expect("it is whole");
        for name in checkpoint.names() {
            let (one, other) = (checkpoint.tensor(name).unwrap(), written.tensor(name).unwrap());
            assert_eq!(one.shape(), other.shape());
            assert!(same(&one.numbers().unwrap(), &other.numbers().unwrap()), "{name}");
        }
        // A weight that read another's tensor is written by a name of its own: it may have been trained apart.
        assert!(written.tensor("output.weight").is_some());
        assert_eq!(load(&checked.model, &table, &written).expect("it fits"), loaded);
    }
}

#[test]
fn files_that_mean_another_model_are_refused() {
    let tensors = tensors();
    let refused = |file_to_be: &Gguf| {
        let (_folder, path) = file(&file_to_be.bytes());
        let failure = checked(&path).and_then(|(checked, checkpoint)| weights(&checked, Some(&checkpoint)));
        failure.expect_err("it means another model").render(false)
    };
    let base = gguf(&tensors);
    let with = |change: &dyn Fn(Gguf) -> Gguf| refused(&change(base.clone()));
    let without = |key: &str| {
        let mut file_to_be = base.clone();
        file_to_be.keys.retain(|(name, ..)| name != key);
        file_to_be
    };
    let found = with(&|file| file.text("llama.rope.scaling.type", "linear"));
    assert!(
        found.contains("computes `llama.rope.scaling.type` \"none\" or null; the checkpoint asks for \"linear\""),
        "{found}"
    );
    let found = with(&|file| file.number("llama.expert_count", 8));
    assert!(found.contains("`llama.expert_count` 0 or null; the checkpoint asks for 8"), "{found}");
    let found = refused(&without("general.architecture").text("general.architecture", "qwen2"));
    assert!(found.contains("`general.architecture` \"llama\"; the checkpoint asks for \"qwen2\""), "{found}");
    let found = with(&|file| file.matrix("rope_freqs.weight", &[4], &[1.0; 4]));
    assert!(found.contains("nothing reads the tensor `rope_freqs.weight`"), "{found}");
    let found = with(&|file| file.matrix("blk.0.attn_q.bias", &[48], &[0.0; 48]));
    assert!(found.contains("nothing reads the tensor `blk.0.attn_q.bias`"), "{found}");
    let found = refused(&without("llama.rope.dimension_count").number("llama.rope.dimension_count", 4));
    assert!(found.contains("is [48, 48]; [24, 48] is wanted here"), "{found}");
    let found = refused(&without("llama.block_count"));
    assert!(found.contains("the checkpoint's configuration has no `config.llama.block_count`"), "{found}");
    let mut file_to_be = base.clone();
    file_to_be.tensors.retain(|tensor| tensor.name != "blk.1.ffn_up.weight");
    assert!(refused(&file_to_be).contains("the checkpoint has no tensor `blk.1.ffn_up.weight`"));
    // Hugging Face's folder.
    let refused = |from: &str, to: &str| {
        let folder = tempfile::tempdir().unwrap();
        assert!(config().contains(from), "{from}");
        write(folder.path(), &tensors, &config().replace(from, to));
        match checked(folder.path()) {
            Ok(_) => panic!("{to}"),
            Err(failure) => failure.render(false),
        }
    };
    let found = refused("\"rope_type\": \"default\"", "\"rope_type\": \"llama3\"");
    assert!(found.contains("the checkpoint asks for \"llama3\""), "{found}");
    assert!(
        refused("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"").contains("the checkpoint asks for \"gelu\"")
    );
}

#[test]
fn the_number_of_words_comes_from_the_vocabulary_where_the_file_does_not_say() {
    let mut file_to_be = gguf(&tensors());
    file_to_be.keys.retain(|(name, ..)| name != "llama.vocab_size");
    let words: Vec<String> = (0..97).map(|word| format!("w{word}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (_folder, path) = file(&file_to_be.texts("tokenizer.ggml.tokens", &words).bytes());
    let (checked, _) = shown(checked(&path));
    assert_eq!(checked.model.parameters.iter().find(|(name, _)| name == "vocab").map(|(_, value)| *value), Some(97.0));
}
