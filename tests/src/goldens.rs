//! The golden cases, and running examples on them.
//!
//! `goldens/NAME` has a checkpoint as its framework names it, inputs and expected outputs, computed in float64 by PyTorch
//! and Hugging Face code (see its README); `examples/NAME.seq` is the model.

use seqwright::batch::{Batch, padded};
use seqwright::session::{Backend, Checked, Failure, Request, Runner, check, weights};
use seqwright::weights::{Checkpoint, Io, Loaded, Tensor, Values};
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::sources::repository;
use crate::tolerance::{Operation, loosest};

/// Golden cases that this version runs.
pub const CASES: [&str; 25] = [
    "rnn_tanh",
    "lstm",
    "gru",
    "lstm_stacked",
    "lstm_bidirectional",
    "gru_bidirectional_stacked",
    "attention",
    "attention_causal",
    "attention_alibi_window_grouped",
    "cell_peephole_layernorm_lstm",
    "cell_mingru",
    "bert",
    "gpt2",
    "llama",
    "transformer_translation",
    "vit",
    "vit-wide",
    "mamba",
    "distilbert",
    "roberta",
    "gpt_neox",
    "t5",
    "cell_slstm",
    "retention",
    "convolution_gru",
];

/// An example's file. A case `NAME-KIND` is another of `examples/NAME.seq`.
pub fn example(name: &str) -> PathBuf {
    let name = name.split('-').next().unwrap_or(name);
    repository().join("examples").join(format!("{name}.seq"))
}

/// A golden case: the checked model with its checkpoint's sizes, the checkpoint, and what goes in and comes out.
pub struct Case {
    /// The model, with every expected output asked for.
    pub checked: Checked,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Inputs and expected outputs.
    pub io: Io,
    /// Lengths of ragged batches.
    pub lengths: BTreeMap<String, Vec<usize>>,
}

/// Reads a golden case.
pub fn case(name: &str) -> Case {
    let folder = repository().join("tests/goldens").join(name);
    let checkpoint = Checkpoint::open(&folder).expect("the golden checkpoint is whole");
    let mut io = Io::open(&folder.join("io.safetensors")).expect("the golden inputs are whole");
    // A continuation by the arg max is no value of the model: generation has tests of its own.
    io.outputs.remove("greedy");
    io.inputs.remove("prompt");
    let outputs = io.outputs.keys().cloned().collect();
    let request = Request { file: example(name), outputs: Some(outputs), ..Request::default() };
    let checked = shown(check(&request, Some(&checkpoint)));
    let mut lengths = BTreeMap::new();
    if let Some(tensor) = io.inputs.remove("lengths") {
        lengths.insert(checked.model.times[0].clone(), integers(&tensor));
    }
    Case { checked, checkpoint, io, lengths }
}

/// An example with the sizes of its golden case, or small ones.
pub fn small(name: &str) -> Checked {
    if CASES.contains(&name) {
        return case(name).checked;
    }
    let small = |sizes: &[(&str, f64)]| sizes.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    let parameters: BTreeMap<String, f64> = match name {
        "minilm" => small(&[
            ("layers", 1.0),
            ("dim", 8.0),
            ("heads", 2.0),
            ("inner", 16.0),
            ("vocab", 50.0),
            ("context", 32.0),
            ("segments", 2.0),
        ]),
        "g2p" => small(&[("letters", 10.0), ("sounds", 12.0), ("dim", 8.0), ("size", 8.0)]),
        "annalog" | "hama" | "hama_stepwise" => small(&[
            ("layers", 1.0),
            ("dim", 8.0),
            ("heads", 2.0),
            ("hidden", 16.0),
            ("vocab", 20.0),
            ("context", 32.0),
        ]),
        _ => BTreeMap::new(),
    };
    shown(check(&Request { file: example(name), parameters, ..Request::default() }, None))
}

/// A result, or the failure as a user sees it.
pub fn shown<T>(result: Result<T, Failure>) -> T {
    result.unwrap_or_else(|failure| panic!("{}", failure.render(false)))
}

/// A tensor's whole numbers.
pub fn integers(tensor: &Tensor) -> Vec<usize> {
    match tensor.values() {
        Values::Integers(numbers) => numbers.iter().map(|number| *number as usize).collect(),
        Values::Floats(numbers) => numbers.iter().map(|number| *number as usize).collect(),
    }
}

/// A tensor's numbers.
pub fn floats(tensor: &Tensor) -> Vec<f32> {
    match tensor.values() {
        Values::Integers(numbers) => numbers.iter().map(|number| *number as f32).collect(),
        Values::Floats(numbers) => numbers.clone(),
    }
}

impl Case {
    /// The inputs as a batch.
    pub fn batch(&self) -> Batch {
        let batch = Batch::from_tensors(&self.checked.model, &self.io.inputs, &self.lengths);
        batch.unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    /// The model on a backend.
    pub fn runner(&self, backend: Backend) -> Runner {
        shown(Runner::new(&self.checked, &self.loaded(), backend))
    }

    /// Its weights.
    pub fn loaded(&self) -> Loaded {
        shown(weights(&self.checked, Some(&self.checkpoint)))
    }

    /// The largest difference from the expected numbers, over all outputs.
    pub fn largest_error(&self, runner: &Runner, batch: &Batch) -> f32 {
        self.errors(runner, batch).into_iter().map(|(_, _, error)| error).fold(0.0, f32::max)
    }

    /// For each output the loosest operation that leads to it, and the largest difference from the expected numbers.
    pub fn errors(&self, runner: &Runner, batch: &Batch) -> Vec<(String, Operation, f32)> {
        let results = shown(runner.run(batch));
        let mut errors = Vec::new();
        for ((name, id), rows) in runner.outputs().iter().zip(&results) {
            let got = floats(&padded(&runner.model().value(*id).axes, batch, rows));
            let wanted = floats(&self.io.outputs[name]);
            assert_eq!(got.len(), wanted.len(), "{name}");
            let mut largest = 0f32;
            for (got, wanted) in got.iter().zip(&wanted) {
                // Not a number is an error of any size.
                let error = (got - wanted).abs();
                largest = if error.is_nan() { f32::INFINITY } else { largest.max(error) };
            }
            errors.push((name.clone(), loosest(runner.model(), *id), largest));
        }
        errors
    }
}
