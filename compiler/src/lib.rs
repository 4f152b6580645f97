//! The pure half of Seqwright. `tile` names the runtime functions that emitted code calls.
#![forbid(unsafe_code)]

pub mod clif;
pub mod tile;
