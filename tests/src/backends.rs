//! The backends that are there. How far their numbers may be from the interpreter's is the same for all (`tolerance.rs`).
//!
//! Every suite of agreement runs on all of them. Where there is no GPU and no driver that does without, the suites say so in
//! a line, and pass; with SEQWRIGHT_REQUIRE_GPU set that is a failure.

#[cfg(feature = "gpu")]
use seqwright::gpu::{Adapter, Choice, Device, Storage};
use seqwright::session::Backend;
use seqwright::tiles::Instructions;
use std::io::Write;

/// A backend under test.
#[derive(Clone, Debug)]
pub struct Tested {
    /// For messages.
    pub name: String,
    /// The backend.
    pub backend: Backend,
}

/// The interpreter.
pub fn interpreter() -> Tested {
    let name = "interpreter".to_string();
    Tested { name, backend: Backend::Interpreter }
}

/// Machine code with each version of the tiles that this processor has, on one thread and on two.
pub fn processors() -> Vec<Tested> {
    let each = |instructions: Instructions| {
        [1, 2].map(|threads| Tested {
            name: format!("machine code with {} on {threads} thread(s)", instructions.name()),
            backend: Backend::Cpu(instructions, threads),
        })
    };
    Instructions::available().into_iter().flat_map(each).collect()
}

/// Machine code with each version of the tiles on two threads, and shaders.
pub fn everywhere() -> Vec<Backend> {
    let machine_code = Instructions::available().into_iter().map(|instructions| Backend::Cpu(instructions, 2));
    machine_code.chain(gpus().into_iter().map(|tested| tested.backend)).collect()
}

/// The likeliest adapter, if there is one.
///
/// # Panics
/// There is none, and SEQWRIGHT_REQUIRE_GPU is set.
#[cfg(feature = "gpu")]
pub fn adapter() -> Option<Adapter> {
    let adapters = pollster::block_on(seqwright::gpu::adapters());
    if adapters.is_empty() {
        let why = "there is no adapter: install mesa-vulkan-drivers, or a GPU's own driver";
        assert!(std::env::var_os("SEQWRIGHT_REQUIRE_GPU").is_none(), "{why}");
        skipped(&format!("on a GPU: {why}"));
    }
    adapters.into_iter().next()
}

/// The likeliest adapter's device; none without an adapter, and where it does not store weights so.
///
/// # Panics
/// As [`adapter`]; an adapter gives no device.
#[cfg(feature = "gpu")]
pub fn device(weights: Storage) -> Option<Device> {
    let adapter = adapter()?;
    if weights == Storage::F16 && !adapter.features().contains(&"f16") {
        skipped(&format!("with weights as f16: {} has none", adapter.name));
        return None;
    }
    Some(
        pollster::block_on(Device::open(&adapter, Choice { weights, ..Choice::default() }))
            .unwrap_or_else(|why| panic!("{why}")),
    )
}

/// Shaders on the likeliest adapter, if there is one.
///
/// A device may flush the least numbers to zero, and fuse multiplications with additions or not: the tolerances are those of
/// machine code all the same.
///
/// # Panics
/// There is none, and SEQWRIGHT_REQUIRE_GPU is set.
#[cfg(feature = "gpu")]
pub fn gpus() -> Vec<Tested> {
    let Some(adapter) = adapter() else { return Vec::new() };
    let name = format!("shaders on {}", adapter.name);
    vec![Tested { name, backend: Backend::Gpu(Choice::default()) }]
}

/// Shaders are left out of this build.
///
/// # Panics
/// SEQWRIGHT_REQUIRE_GPU is set.
#[cfg(not(feature = "gpu"))]
pub fn gpus() -> Vec<Tested> {
    let why = "the tests were built without the feature `gpu`";
    assert!(std::env::var_os("SEQWRIGHT_REQUIRE_GPU").is_none(), "{why}");
    skipped(&format!("on a GPU: {why}"));
    Vec::new()
}

/// Says in a line, once for each process, what is skipped. Not by `eprintln!`, which the test runner keeps to itself when a test
/// passes.
fn skipped(what: &str) {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        let _ = std::io::stderr().write_all(format!("skipped {what}\n").as_bytes());
    });
}
