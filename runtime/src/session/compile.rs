//! Kernels for a backend: weights come from a checkpoint, weights and inputs get the numbers that a program has for them.

#[cfg(feature = "gpu")]
use super::failure::run_failure;
use super::{Checked, Failure, Stages};
use crate::execute::Executable;
#[cfg(feature = "gpu")]
use crate::execute::RunError;
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::tiles::{Instructions, Precision, Tiles, WeightPrecision};
use crate::weights::{Checkpoint, Given, Loaded, load_as};
use seqwright_compiler::kernel::{self, Program};
use seqwright_compiler::model::{Model, Value};
use seqwright_compiler::table::{self, Table};
use seqwright_compiler::term::ValueId;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Machine code, with the tiles for these instructions, on so many threads.
    Cpu(Instructions, usize),
    /// Compute shaders on an adapter.
    #[cfg(feature = "gpu")]
    Gpu(gpu::Choice),
    /// The float64 interpreter of the unfused graph: slow, and what every operation means.
    Interpreter,
}

/// Reads a model's weights from a checkpoint by its table.
///
/// # Errors
/// Everything about the table or the checkpoint that does not fit.
pub fn weights(checked: &Checked, checkpoint: Option<&Checkpoint>) -> Result<Loaded, Failure> {
    weights_as(checked, checkpoint, Precision::F32)
}

/// The same for products that multiply in a precision.
///
/// # Errors
/// As for [`weights`].
pub fn weights_as(checked: &Checked, checkpoint: Option<&Checkpoint>, precision: Precision) -> Result<Loaded, Failure> {
    let Some(checkpoint) = checkpoint else {
        let missing: Vec<&str> = checked.model.weights().map(|(_, value)| value.path.as_str()).collect();
        if missing.is_empty() {
            return Ok(Loaded { precision, ..Loaded::default() });
        }
        return Err(Failure::Other(format!(
            "the model `{}` has weights ({}{}) and no checkpoint is given: pass `--checkpoint DIR`",
            checked.model.name,
            missing[..missing.len().min(3)].join(", "),
            if missing.len() > 3 { ", …" } else { "" }
        )));
    };
    let table: Table = table::bindings(&checked.files, &checked.model, checkpoint.format())
        .map_err(|diagnostics| Failure::Mistakes(diagnostics, checked.sources.clone()))?;
    load_as(&checked.model, &table, checkpoint, precision)
        .map_err(|errors| Failure::Weights(errors, checked.sources.clone()))
}

/// Compiles a model's kernels for this processor.
pub(super) fn executable(
    checked: &Checked,
    loaded: &Loaded,
    stages: Stages,
    instructions: Instructions,
    threads: usize,
) -> Result<Executable, Failure> {
    let tiles = Tiles::new(instructions)
        .ok_or_else(|| Failure::Other(format!("this processor has no {}", instructions.name())))?;
    let model = &stages.fused.graph.model;
    let weights = program_weights(checked, loaded, model);
    Executable::new(stages.program, model, &weights, loaded.precision, &tiles, threads).map_err(Failure::Other)
}

/// Opens the device of an adapter.
#[cfg(feature = "gpu")]
pub(super) fn open(choice: gpu::Choice) -> Result<gpu::Device, RunError> {
    let adapters = pollster::block_on(gpu::adapters());
    let number = gpu::choose(&adapters, Some(&choice.adapter.to_string()))?;
    Ok(pollster::block_on(gpu::Device::open(&adapters[number], choice))?)
}

#[cfg(feature = "gpu")]
pub(super) fn gpu_failure(checked: &Checked) -> impl Fn(RunError) -> Failure {
    |error| run_failure(error, &checked.model, &checked.sources)
}

/// Compiles a model's kernels for a device.
#[cfg(feature = "gpu")]
pub(super) fn on_gpu(
    checked: &Checked,
    loaded: &Loaded,
    stages: Stages,
    device: gpu::Device,
) -> Result<gpu::Executable, Failure> {
    let model = &stages.fused.graph.model;
    let loaded = floats(loaded, "a GPU")?;
    let weights = program_weights(checked, &loaded, model);
    let numbers = |(id, given)| match given {
        Given::Numbers(numbers) => Some((id, numbers)),
        Given::Blocks(_) => None,
    };
    let weights = weights.into_iter().filter_map(numbers).collect();
    pollster::block_on(gpu::Executable::new(device, stages.program, model, &weights)).map_err(gpu_failure(checked))
}

/// Weights as floats, for what multiplies with nothing else: blocks of a file are expanded.
///
/// # Errors
/// They were to be rounded.
pub(super) fn floats<'l>(loaded: &'l Loaded, what: &str) -> Result<Cow<'l, Loaded>, Failure> {
    match loaded.precision.weights {
        WeightPrecision::F32 | WeightPrecision::File => Ok(loaded.expanded()),
        WeightPrecision::Bf16 | WeightPrecision::Q8 | WeightPrecision::Q4 => Err(Failure::Other(format!(
            "{what} multiplies with 32-bit weights, not with {}: leave `--weights` out, or run on the processor",
            loaded.precision.weights.name()
        ))),
    }
}

/// A model's weights by the numbers that a program has for them: passes number values anew, paths stay.
fn program_weights<'l>(checked: &Checked, loaded: &'l Loaded, model: &Model) -> BTreeMap<ValueId, Given<'l>> {
    let by_path: BTreeMap<&str, Given<'l>> =
        loaded.given().map(|(id, given)| (checked.model.value(id).path.as_str(), given)).collect();
    let found = |(id, value): (ValueId, &Value)| Some((id, *by_path.get(value.path.as_str())?));
    model.weights().filter_map(found).collect()
}

/// For each input that a program has, the model's number for it and its own.
pub(super) fn program_inputs(program: &Program, model: &Model) -> Vec<(ValueId, ValueId)> {
    let mut pairs = Vec::new();
    for (id, value) in model.inputs() {
        let own = program.buffers.iter().find_map(|buffer| match buffer.role {
            kernel::Role::Input(own) if buffer.name == value.path => Some(own),
            _ => None,
        });
        pairs.extend(own.map(|own| (id, own)));
    }
    pairs
}

/// A model's inputs by the numbers that a program has for them.
pub(super) fn moved<'i>(
    pairs: &[(ValueId, ValueId)],
    inputs: &'i BTreeMap<ValueId, Vec<f32>>,
) -> BTreeMap<ValueId, &'i [f32]> {
    pairs.iter().filter_map(|(id, own)| Some((*own, inputs.get(id)?.as_slice()))).collect()
}
