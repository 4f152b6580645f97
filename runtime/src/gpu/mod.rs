//! Runs programs on a GPU through wgpu: the same kernels as machine code, spelt as compute shaders.
//!
//! | file | what it does |
//! | --- | --- |
//! | `adapter.rs` | which adapters there are, and the one that is meant |
//! | `device.rs` | an open device, and waiting for it |
//! | `execute.rs` | a program on it: pipelines and weights once, then one submission for each run |
//! | `keeper.rs` | sequences that come chunk by chunk: their states stay on the device |
//! | `buffers.rs` | memory of runs, kept from one to the next |
//! | `error.rs` | what can be wrong with all that, and what to do |
//!
//! Nothing here needs threads or files, and what takes time is `async`: where there is no waiting (in a browser), futures
//! are woken by the device. On other systems they are ready when they return, so that `block_on` costs nothing.

mod adapter;
mod buffers;
mod device;
mod error;
mod execute;
mod keeper;

pub use adapter::{Adapter, adapters, choose};
pub use device::{Choice, Device, Storage};
pub use error::GpuError;
pub use execute::{Counts, Executable};
pub(crate) use keeper::Keeper;
