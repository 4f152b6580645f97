//! Runs programs on a GPU through wgpu: the same kernels as machine code, spelt as compute shaders.
//!
//! | file | what it does |
//! | --- | --- |
//! | `adapter.rs` | which adapters there are, and the one that is meant |
//! | `device.rs` | an open device, and waiting for it |
//! | `compile.rs` | a program on it: pipelines and weights, once |
//! | `execute.rs` | its runs: what is dispatched, in one submission |
//! | `record.rs` | a run as commands |
//! | `keeper.rs` | sequences that come chunk by chunk: their states stay on the device |
//! | `clock.rs` | how long calls take, by the device's own clock |
//! | `buffers.rs` | memory of runs, kept from one to the next |
//! | `error.rs` | what can be wrong with all that, and what to do |
//!
//! Nothing here needs threads or files, and what takes time is `async`: where there is no waiting (in a browser), futures
//! are woken by the device. On other systems they are ready when they return, so that `block_on` costs nothing.

mod adapter;
mod buffers;
mod clock;
mod compile;
mod device;
mod error;
mod execute;
mod keeper;
mod record;

pub use adapter::{Adapter, Matrices, adapters, choose};
pub use compile::{Counts, Executable};
pub use device::{Choice, Device, Factors, Storage};
pub use error::GpuError;

pub(crate) use clock::Clock;
pub(crate) use keeper::Keeper;
