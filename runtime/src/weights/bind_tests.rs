//! Tests of `bind.rs`: small files and the golden checkpoints, loaded, exported and loaded again.

use std::path::PathBuf;

use seqwright_compiler::check::program::{Program, read};
use seqwright_compiler::check::{Missing, check};
use seqwright_compiler::source::Sources;
use seqwright_compiler::table::{bindings, settings};

use super::super::testing::{file_bytes, file_in_folder};
use super::*;

const LSTM: &str = r#"use cells
model M(x: [T, input]; input, size) { y = LSTM(x; size) }
checkpoint M {
  input = config.input_size
  size  = config.hidden_size
  "weight_ih_l0" = stack(y.input.x, y.forget.x, y.candidate.x, y.output.x)
  "weight_hh_l0" = stack(y.input.h, y.forget.h, y.candidate.h, y.output.h)
  "bias_ih_l0" + "bias_hh_l0" = stack(y.input.bias, y.forget.bias, y.candidate.bias, y.output.bias)
}"#;

const GRU: &str = r#"use cells
model M(x: [T, input]; input, size) { y = GRU(x; size) }
checkpoint M {
  input = config.input_size
  size  = config.hidden_size
  "weight_ih_l0" = stack(y.reset.x, y.update.x, y.candidate)
  "weight_hh_l0" = stack(y.reset.h, y.update.h, y.recurrent)
  "bias_ih_l0"[0 .. 2 * size] + "bias_hh_l0"[0 .. 2 * size] = stack(y.reset.bias, y.update.bias)
  "bias_ih_l0"[2 * size ..] = y.candidate.bias
  "bias_hh_l0"[2 * size ..] = y.recurrent.bias
}"#;

const GPT2: &str = r#"use blocks, norms
model GPT2(tokens: [T] of vocab; layers = 12, dim = 768, heads = 12, vocab = 50257, context = 1024,
           hidden = 4 * dim) {
  embedding wte: [vocab, dim]
  embedding wpe: [context, dim]
  x = wte[tokens] + wpe[t]
  repeat layer in 0..layers { x = DecoderBlock(x; heads, hidden) }
  norm   = LayerNorm(x)
  logits = dot(norm, wte)
}
checkpoint GPT2 {
  require config.activation_function is "gelu_new"
  layers  = config.n_layer
  dim     = config.n_embd
  heads   = config.n_head
  vocab   = config.vocab_size
  context = config.n_positions
  hidden  = config.n_inner or 4 * config.n_embd
  prefix "transformer." optional
  "wte.weight" = wte
  "wpe.weight" = wpe
  repeat layer {
    "h.{layer}.ln_1.weight"        = norm1.scale
    "h.{layer}.ln_1.bias"          = norm1.shift
    "h.{layer}.attn.c_attn.weight" = transpose(stack(attention.q, attention.k, attention.v))
    "h.{layer}.attn.c_attn.bias"   = stack(attention.q.bias, attention.k.bias, attention.v.bias)
    "h.{layer}.attn.c_proj.weight" = transpose(attention.out)
    "h.{layer}.attn.c_proj.bias"   = attention.out.bias
    "h.{layer}.ln_2.weight"        = norm2.scale
    "h.{layer}.ln_2.bias"          = norm2.shift
    "h.{layer}.mlp.c_fc.weight"    = transpose(up)
    "h.{layer}.mlp.c_fc.bias"      = up.bias
    "h.{layer}.mlp.c_proj.weight"  = transpose(down)
    "h.{layer}.mlp.c_proj.bias"    = down.bias
  }
  "ln_f.weight" = norm.scale
  "ln_f.bias"   = norm.shift
  ignore "*.attn.bias", "*.attn.masked_bias", "lm_head.weight"
}"#;

fn program(text: &str) -> Program {
    let (program, faults) = read(&mut Sources::default(), &|_, _| Err("no".into()), "m.seq", text);
    assert!(faults.is_empty(), "{faults:?}");
    program
}

/// A program's last model with its parameters from the checkpoint, and the table.
fn bound(text: &str, checkpoint: &Checkpoint) -> (Model, Table) {
    let program = program(text);
    let name = text.split("model ").nth(1).unwrap().split('(').next().unwrap();
    let config = |path: &[&str]| config_setting(checkpoint, path);
    let parameters = settings(&program, name, checkpoint.format(), &BTreeMap::new(), &config).unwrap();
    let model = check(&program, None, &parameters, Missing::Refuse).unwrap();
    let table = bindings(&program, &model, checkpoint.format()).unwrap();
    (model, table)
}

fn golden(name: &str) -> Checkpoint {
    let goldens = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens");
    Checkpoint::open(&goldens.join(name)).unwrap()
}

fn weight<'a>(model: &Model, loaded: &'a Loaded, path: &str) -> &'a [f32] {
    let found = model.weights().find(|(_, value)| value.path == path);
    &loaded.values[&found.unwrap_or_else(|| panic!("no weight {path}")).0]
}

fn tensor(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.tensor(name).unwrap().elements().unwrap().to_vec()
}

/// Loads, exports with and without the checkpoint's names, and loads again: the weights are the same.
fn round_trip(text: &str, checkpoint: &Checkpoint) -> (Model, Loaded) {
    let (model, table) = bound(text, checkpoint);
    let loaded = load(&model, &table, checkpoint).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for like in [None, Some(checkpoint)] {
        let path = folder.path().join("out.safetensors");
        export(&model, &table, &loaded.values, like, &path).unwrap();
        let written = Checkpoint::open(&path).unwrap();
        if like.is_some() {
            assert_eq!(shapes_of(&written), shapes_of(checkpoint));
        }
        assert_eq!(load(&model, &table, &written).unwrap(), loaded);
    }
    (model, loaded)
}

#[test]
fn the_lstm_has_its_gates_in_the_order_of_torch() {
    let checkpoint = golden("lstm");
    let (model, loaded) = round_trip(LSTM, &checkpoint);
    let packed = tensor(&checkpoint, "weight_hh_l0");
    let gate = |number: usize| &packed[number * 400..(number + 1) * 400];
    for (number, name) in ["input", "forget", "candidate", "output"].iter().enumerate() {
        assert_eq!(weight(&model, &loaded, &format!("y.{name}.h")), gate(number), "{name}");
    }
    let (one, two) = (tensor(&checkpoint, "bias_ih_l0"), tensor(&checkpoint, "bias_hh_l0"));
    let sums: Vec<f32> = one.iter().zip(&two).map(|(one, two)| one + two).collect();
    assert_eq!(weight(&model, &loaded, "y.candidate.bias"), &sums[40..60]);
    assert!(loaded.notes.is_empty());
}

#[test]
fn the_gru_splits_its_biases() {
    let checkpoint = golden("gru");
    let (model, loaded) = round_trip(GRU, &checkpoint);
    let (one, two) = (tensor(&checkpoint, "bias_ih_l0"), tensor(&checkpoint, "bias_hh_l0"));
    assert_eq!(weight(&model, &loaded, "y.candidate.bias"), &one[40..]);
    assert_eq!(weight(&model, &loaded, "y.recurrent.bias"), &two[40..]);
    assert_eq!(weight(&model, &loaded, "y.update.bias")[3], one[23] + two[23]);
}

#[test]
fn gpt2_is_turned_and_taken_apart() {
    let checkpoint = golden("gpt2");
    let (model, loaded) = round_trip(GPT2, &checkpoint);
    let packed = tensor(&checkpoint, "transformer.h.2.attn.c_attn.weight");
    // Output 5 of `k` from input 7: the file has inputs as rows.
    let found = weight(&model, &loaded, "layer.2.attention.k")[5 * 48 + 7];
    assert_eq!(found, packed[7 * 144 + 48 + 5]);
    let wte = tensor(&checkpoint, "transformer.wte.weight");
    assert_eq!(weight(&model, &loaded, "wte"), wte);
}

#[test]
fn a_requirement_that_is_not_met_is_told() {
    let checkpoint = golden("gpt2");
    let program = program(&GPT2.replace("gelu_new", "gelu"));
    let faults =
        settings(&program, "GPT2", checkpoint.format(), &BTreeMap::new(), &|path| config_setting(&checkpoint, path))
            .unwrap_err();
    assert_eq!(
        faults[0].message,
        "this file's model computes `activation_function` \"gelu\"; the checkpoint asks for \"gelu_new\""
    );
}

/// A file of F16 or F32 tensors, one after the other.
fn file(dtype: &str, tensors: &[(&str, &[usize], &[f32])]) -> (tempfile::TempDir, PathBuf) {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (name, shape, numbers) in tensors {
        let start = data.len();
        for number in *numbers {
            match dtype {
                "F16" => data.extend(half::f16::from_f32(*number).to_le_bytes()),
                _ => data.extend(number.to_le_bytes()),
            }
        }
        let end = data.len();
        entries.push(format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#));
    }
    file_in_folder("m.safetensors", &file_bytes(&format!("{{{}}}", entries.join(",")), &data))
}

const SMALL: &str = "model M(x: [T, dim]; dim = 2) { a = affine(x; size = 3) }
checkpoint M { \"w\" = transpose(a)  \"b\" = a.bias }";

const W: (&str, &[usize], &[f32]) = ("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);

#[test]
fn other_types_load_and_numbers_that_are_not_are_noted() {
    for dtype in ["F32", "F16"] {
        let numbers = [f32::NAN, 0.5, f32::NEG_INFINITY];
        let (_folder, path) = file(dtype, &[W, ("b", &[3], &numbers)]);
        let checkpoint = Checkpoint::open(&path).unwrap();
        let (model, table) = bound(SMALL, &checkpoint);
        let loaded = load(&model, &table, &checkpoint).unwrap();
        assert_eq!(weight(&model, &loaded, "a"), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(weight(&model, &loaded, "a.bias")[1..], numbers[1..]);
        let note = "the weights have 2 values that are infinite or not a number \
                    (first in tensor `b`)";
        assert_eq!(loaded.notes, [note]);
    }
}

#[test]
fn everything_that_does_not_fit_is_told_at_once() {
    let (_folder, path) = file("F32", &[("w", &[3, 2], W.2), ("c", &[3], &[0.0; 3])]);
    let checkpoint = Checkpoint::open(&path).unwrap();
    let (model, table) = bound(SMALL, &checkpoint);
    let errors = load(&model, &table, &checkpoint).unwrap_err();
    let messages: Vec<String> = errors.iter().map(BindError::to_string).collect();
    assert_eq!(
        messages,
        [
            "the checkpoint has no tensor `b`",
            "the tensor `w` is [3, 2]; [2, 3] is wanted here",
            "nothing reads the tensor `c` of the checkpoint",
        ]
    );
    let place = errors[1].diagnostic().unwrap().primary.span;
    assert_eq!(&SMALL[place.start..place.end], "\"w\"");
}

#[test]
fn tensors_that_cannot_be_read_or_made_are_told() {
    let header = r#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
                     "b":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[24,27]}}"#;
    let (folder, path) = file_in_folder("m.safetensors", &file_bytes(header, &[0; 27]));
    let checkpoint = Checkpoint::open(&path).unwrap();
    let (model, table) = bound(SMALL, &checkpoint);
    let errors = load(&model, &table, &checkpoint).unwrap_err();
    assert!(matches!(errors.as_slice(), [BindError::File(_)]), "{errors:?}");
    assert!(errors[0].help().is_some());
    let path = folder.path().join("out.safetensors");
    let errors = export(&model, &table, &BTreeMap::<_, Vec<f32>>::new(), None, &path).unwrap_err();
    assert_eq!(errors[0].to_string(), "the weight `a` has no value");
}

#[test]
fn a_model_without_a_table_reads_its_own_names() {
    let text = "model M(x: [T, dim]; dim = 2) { a = affine(x; heads = 3, size = 1) }";
    let (_folder, path) = file("F32", &[("a", &[3, 2], W.2), ("a.bias", &[3], &[0.0; 3])]);
    let checkpoint = Checkpoint::open(&path).unwrap();
    let (model, loaded) = round_trip(text, &checkpoint);
    assert_eq!(weight(&model, &loaded, "a"), W.2);
}
