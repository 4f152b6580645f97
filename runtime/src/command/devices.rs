//! `seqc devices`: the GPUs that there are; and the one that `--adapter` means.

use super::Stop;
#[cfg(feature = "gpu")]
use super::arguments::FloatsName;
use super::arguments::{DevicesArguments, ShaderArguments};
#[cfg(feature = "gpu")]
use super::json;
use super::terminal::Terminal;
use crate::session::{Backend, Failure};

#[cfg(feature = "gpu")]
use crate::gpu::{Adapter, Choice, Factors, GpuError, Matrices, Storage, adapters, choose as choose_adapter};

/// Lists adapters.
#[cfg(feature = "gpu")]
pub fn devices(arguments: &DevicesArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let found = pollster::block_on(adapters());
    if arguments.json {
        let all: Vec<serde_json::Value> = found.iter().map(document).collect();
        return terminal.print(&json::document("devices", true, [("devices", serde_json::Value::Array(all))]));
    }
    if found.is_empty() {
        return Err(failure(&GpuError::NoAdapter { wanted: None, found: Vec::new() }).into());
    }
    let mut text = String::new();
    for (number, adapter) in found.iter().enumerate() {
        text.push_str(&format!(
            "{number}  {} ({}, {}, {})\n   up to {} MiB in one buffer that shaders read, {} buffers in one shader, {} KiB of \
             workgroup memory, {} invocations\n   {}\n{}",
            adapter.name,
            adapter.kind,
            adapter.interface,
            adapter.driver,
            adapter.largest_binding() >> 20,
            adapter.bindings(),
            adapter.workgroup_bytes() >> 10,
            adapter.invocations(),
            match adapter.features().as_slice() {
                [] => "no features that kernels use".to_string(),
                features => format!("has {}", features.join(", ")),
            },
            match adapter.matrices().as_slice() {
                [] => String::new(),
                matrices => format!("   cooperative matrices: {}\n", in_words(matrices).join(", ")),
            },
        ));
    }
    terminal.print(&text)
}

#[cfg(feature = "gpu")]
fn in_words(matrices: &[Matrices]) -> Vec<String> {
    matrices.iter().map(Matrices::to_string).collect()
}

#[cfg(feature = "gpu")]
fn document(adapter: &Adapter) -> serde_json::Value {
    serde_json::json!({
        "name": adapter.name,
        "kind": adapter.kind,
        "interface": adapter.interface,
        "driver": adapter.driver,
        "largest_binding": adapter.largest_binding(),
        "largest_buffer": adapter.largest_buffer(),
        "bindings": adapter.bindings(),
        "workgroup_bytes": adapter.workgroup_bytes(),
        "invocations": adapter.invocations(),
        "features": adapter.features(),
        "cooperative_matrices": in_words(&adapter.matrices()),
    })
}

/// The adapter that is meant.
#[cfg(feature = "gpu")]
pub fn choose(wanted: Option<&str>, shaders: &ShaderArguments) -> Result<Backend, Failure> {
    let weights = match shaders.gpu_weights {
        None | Some(FloatsName::F32) => Storage::F32,
        Some(FloatsName::F16) => Storage::F16,
    };
    let cooperative = shaders.cooperative_matrices.map(|factors| match factors {
        FloatsName::F32 => Factors::F32,
        FloatsName::F16 => Factors::F16,
    });
    let found = pollster::block_on(adapters());
    let adapter = choose_adapter(&found, wanted).map_err(|error| failure(&error))?;
    Ok(Backend::Gpu(Choice { adapter, weights, cooperative }))
}

/// An adapter's name.
#[cfg(feature = "gpu")]
pub fn name(choice: Choice) -> String {
    let found = pollster::block_on(adapters());
    let weights = match choice.weights {
        Storage::F32 => "",
        Storage::F16 => ", weights as f16",
    };
    let matrices = match choice.cooperative {
        None => "",
        Some(Factors::F32) => ", cooperative matrices of f32",
        Some(Factors::F16) => ", cooperative matrices of f16",
    };
    let named = |adapter: &Adapter| format!("gpu, {} ({}){weights}{matrices}", adapter.name, adapter.interface);
    found.get(choice.adapter).map_or("gpu".to_string(), named)
}

#[cfg(feature = "gpu")]
pub fn failure(error: &GpuError) -> Failure {
    Failure::Device { message: error.to_string(), help: error.help().to_string() }
}

#[cfg(not(feature = "gpu"))]
pub fn devices(_: &DevicesArguments, _: &mut Terminal) -> Result<(), Stop> {
    Err(without().into())
}

#[cfg(not(feature = "gpu"))]
pub fn choose(_: Option<&str>, _: &ShaderArguments) -> Result<Backend, Failure> {
    Err(without())
}

#[cfg(not(feature = "gpu"))]
fn without() -> Failure {
    Failure::Device {
        message: "this seqc was built without GPUs".to_string(),
        help: "build it with `--features gpu`, or run with `--backend cpu`".to_string(),
    }
}
