//! The backends that are there, and how far from the interpreter's each one's numbers may be.
//!
//! Every suite of agreement runs on all of them. Where there is no GPU and no driver that does without, the suites say so in
//! a line, and pass; with SEQWRIGHT_REQUIRE_GPU set that is a failure.

use seqwright::session::Backend;
use seqwright::tiles::Instructions;

/// A backend under test.
#[derive(Clone, Debug)]
pub struct Tested {
    /// For messages.
    pub name: String,
    /// The backend.
    pub backend: Backend,
    /// How far golden numbers may be off.
    pub golden: f32,
    /// How far other results may be off, relative beyond one.
    pub relative: f32,
}

/// The interpreter computes in float64 from float32 weights and gives float32: what is left is the rounding of the
/// expected numbers themselves, on values of order one.
const INTERPRETER: f32 = 2e-6;
/// Float32 sums of up to a few hundred products on values of order one, through a few layers.
const GOLDEN: f32 = 1e-5;
/// Float32 arithmetic of a few operations on numbers of order one.
const RELATIVE: f32 = 2e-5;

/// Damaged programs may amplify: recurrences whose numbers grow, differences of what nearly cancels. A wrong address or
/// range is off by the order of the numbers themselves, far more than this.
pub const DAMAGED_TOLERANCE: f32 = 1e-3;

/// The interpreter.
pub fn interpreter() -> Tested {
    let name = "interpreter".to_string();
    Tested { name, backend: Backend::Interpreter, golden: INTERPRETER, relative: RELATIVE }
}

/// Machine code with each version of the tiles that this processor has, on one thread and on two.
pub fn processors() -> Vec<Tested> {
    let each = |instructions: Instructions| {
        [1, 2].map(|threads| Tested {
            name: format!("machine code with {} on {threads} thread(s)", instructions.name()),
            backend: Backend::Cpu(instructions, threads),
            golden: GOLDEN,
            relative: RELATIVE,
        })
    };
    Instructions::available().into_iter().flat_map(each).collect()
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
    let adapters = pollster::block_on(seqwright::gpu::adapters());
    let Some(adapter) = adapters.first() else {
        let why = "there is no adapter: install mesa-vulkan-drivers, or a GPU's own driver";
        assert!(std::env::var_os("SEQWRIGHT_REQUIRE_GPU").is_none(), "{why}");
        eprintln!("SKIPPED on a GPU: {why}");
        return Vec::new();
    };
    let name = format!("shaders on {}", adapter.name);
    vec![Tested { name, backend: Backend::Gpu(0), golden: GOLDEN, relative: RELATIVE }]
}

/// Shaders are left out of this build.
///
/// # Panics
/// SEQWRIGHT_REQUIRE_GPU is set.
#[cfg(not(feature = "gpu"))]
pub fn gpus() -> Vec<Tested> {
    let why = "the tests were built without the feature `gpu`";
    assert!(std::env::var_os("SEQWRIGHT_REQUIRE_GPU").is_none(), "{why}");
    eprintln!("SKIPPED on a GPU: {why}");
    Vec::new()
}
