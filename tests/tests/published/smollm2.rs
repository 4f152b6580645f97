//! A Llama-type language model in a GGUF file (SmolLM2-135M-Instruct): its tokens, and its perplexity.

use seqwright::batch::Batch;
use seqwright::matrix::Kept;
use seqwright::session::{Backend, Request, Runner, check, weights_as};
use seqwright::tiles::{ActivationPrecision, Instructions, Precision, WeightPrecision};
use seqwright::weights::{Checkpoint, Tensor, Values};
use seqwright_tests::backends::gpus;
use seqwright_tests::goldens::{example, shown};
use seqwright_tests::published::{fixture, folder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// How far the perplexity may be from that of float64: what the issue asks for. Float32 sums of at most 1536 products, through
/// thirty layers, change the logits by a few thousandths of one, so that the true distance is far below.
const TOLERANCE: f64 = 0.01;

fn trusted() -> Value {
    let text = fs::read_to_string(fixture("smollm2/trusted.json")).expect("the fixture is there");
    serde_json::from_str(&text).expect("the fixture is JSON")
}

fn ids(value: &Value) -> Vec<i64> {
    value.as_array().expect("a list").iter().map(|id| id.as_i64().expect("a token")).collect()
}

#[test]
fn texts_have_the_tokens_of_its_publisher() {
    let Some(folder) = folder("smollm2") else { return };
    let checkpoint = Checkpoint::open(&folder).expect("the checkpoint is whole");
    let tokenizer = checkpoint.tokenizer().expect("the vocabulary is whole").expect("it is in the file");
    let trusted = trusted();
    let text = fs::read_to_string(fixture("smollm2/text.txt")).expect("the fixture is there");
    assert_eq!(tokenizer.encode(&text).unwrap(), ids(&trusted["ids"]));
    assert_eq!(tokenizer.decode(&ids(&trusted["ids"])).unwrap(), text);
    for case in trusted["words"].as_array().expect("a list") {
        let text = case["text"].as_str().expect("a text");
        assert_eq!(tokenizer.encode(text).unwrap(), ids(&case["ids"]), "{text}");
    }
    assert_eq!(tokenizer.encode("2024").unwrap().len(), 4, "each digit is a token");
}

#[test]
fn its_configuration_is_what_the_file_says() {
    let Some(folder) = folder("smollm2") else { return };
    let checkpoint = Checkpoint::open(&folder).expect("the checkpoint is whole");
    let config = checkpoint.config().expect("a GGUF file has metadata");
    assert_eq!(config["general"]["architecture"], "llama");
    assert_eq!(config["llama"]["block_count"], 30);
    assert_eq!(config["llama"]["attention"]["head_count_kv"], 3);
    assert_eq!(config["tokenizer"]["ggml"]["eos_token_id"], 2);
    assert_eq!(config["tokenizer"]["ggml"]["tokens"]["length"], 49152);
    assert!(config["tokenizer"]["chat_template"].as_str().is_some_and(|text| text.contains("<|im_start|>")));
    let formats = |name: &str| checkpoint.tensor(name).expect("a tensor").format().to_string();
    assert_eq!(formats("token_embd.weight"), "Q8_0");
    assert_eq!(formats("blk.7.attn_q.weight"), "Q4_1");
    assert_eq!(checkpoint.tensor("blk.0.ffn_down.weight").expect("a tensor").shape(), [576, 1536]);
}

/// How far the perplexity may be from that with the file's blocks expanded: all that is rounded is what they are multiplied
/// with, to 16 bits.
const SAME: f64 = 1e-4;
/// The same with rows of 8 bits: a code is off by up to 2^-8 of the largest of 32, a sixteenth of what blocks of 4 bits are; seen is 0.0013.
const ROWS_OF_BYTES: f64 = 0.005;
/// Blocks of 4 bits instead of 8 in the words' table and the last product: what that loses is some hundredths.
const FOUR_BITS: f64 = 0.1;

#[test]
fn its_perplexity_is_that_of_float64() {
    let processor = Backend::Cpu(Instructions::best(), 2);
    let perplexity = |precision| perplexity(precision, processor, usize::MAX);
    let Some(expanded) = perplexity(Precision::F32) else { return };
    let wanted = trusted()["perplexity"].as_f64().expect("a number");
    assert!((expanded / wanted - 1.0).abs() < TOLERANCE, "{expanded} instead of {wanted}");
    let Some(kept) = perplexity(WeightPrecision::File.into()) else { return };
    assert!((kept / expanded - 1.0).abs() < SAME, "{kept} with the file's blocks instead of {expanded}");
    assert!(kept.to_bits() != expanded.to_bits(), "something was rounded");
    let bytes = Precision { weights: WeightPrecision::File, activations: ActivationPrecision::Eight };
    let Some(bytes) = perplexity(bytes) else { return };
    assert!((bytes / expanded - 1.0).abs() < ROWS_OF_BYTES, "{bytes} with rows of 8 bits instead of {expanded}");
    assert!((bytes / expanded - 1.0).abs() > SAME, "{bytes}: rows were rounded");
    let Some(rounded) = perplexity(WeightPrecision::Q4.into()) else { return };
    assert!((rounded / expanded - 1.0).abs() < FOUR_BITS, "{rounded} with four bits instead of {expanded}");
    assert!((rounded / expanded - 1.0).abs() > SAME, "{rounded}: the last product was rounded");
}

/// Tokens of the text that a GPU is asked for: a driver that does without one takes a second for some ten.
const ON_A_GPU: usize = 24;

#[test]
fn its_perplexity_is_the_same_on_a_gpu() {
    for tested in gpus() {
        let Some(found) = perplexity(Precision::F32, tested.backend, ON_A_GPU) else { return };
        let wanted = perplexity(Precision::F32, Backend::Cpu(Instructions::best(), 2), ON_A_GPU).expect("it is there");
        assert!((found / wanted - 1.0).abs() < SAME, "{}: {found} instead of {wanted}", tested.name);
    }
}

/// The perplexity of a text's first tokens; nothing where the model is not there.
fn perplexity(precision: Precision, backend: Backend, most: usize) -> Option<f64> {
    let folder = folder("smollm2")?;
    let mut ids = ids(&trusted()["ids"]);
    ids.truncate(most);
    let checkpoint = Checkpoint::open(&folder).expect("the checkpoint is whole");
    let request = Request { file: example("llama"), ..Request::default() };
    let checked = shown(check(&request, Some(&checkpoint)));
    let loaded = shown(weights_as(&checked, Some(&checkpoint), precision));
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
    let tokens = Tensor::new(vec![1, ids.len()], Values::Integers(ids.clone())).expect("a row");
    let inputs = BTreeMap::from([("tokens".to_string(), tokens)]);
    let batch = Batch::from_tensors(&checked.model, &inputs, &BTreeMap::new());
    let batch = batch.unwrap_or_else(|errors| panic!("{errors:?}"));
    let runner = shown(Runner::new(&checked, &loaded, backend));
    let logits = shown(runner.run(&batch)).remove(0);
    let kept = runner.kept();
    if precision.weights == WeightPrecision::File {
        let kept = kept.expect("the processor runs it");
        // 106 million in 4 bits and the words' table, 28 million in 8, in what the file has of them.
        assert!(!kept.forms.contains_key("f32") && kept.bytes < 93 << 20 && kept.error == 0.0, "{kept:?}");
    }
    let found = mean_unlikelihood(&logits, &ids).exp();
    println!("{precision} {found:.4} {:?}", kept.and_then(Kept::note));
    Some(found)
}

/// The mean of how unlikely each token was after those before it.
fn mean_unlikelihood(logits: &[f32], ids: &[i64]) -> f64 {
    let vocabulary = logits.len() / ids.len();
    let unlikely = logits.chunks(vocabulary).zip(&ids[1..]).map(|(row, next)| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|logit| f64::from(logit - largest).exp()).sum();
        sum.ln() - f64::from(row[*next as usize] - largest)
    });
    unlikely.sum::<f64>() / (ids.len() - 1) as f64
}
