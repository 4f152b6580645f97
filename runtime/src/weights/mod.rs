//! Checkpoints and io files: what comes in from disk as tensors, and what goes back.
//!
//! In: a published model folder, or a single safetensors, GGUF or .npz file ([`Checkpoint`]), and io
//! files with a model's inputs and expected outputs ([`Io`]). Out: views into mapped files
//! ([`TensorView`]), owned tensors ([`Tensor`]), and files of results ([`write_safetensors`]).
//! Whatever is wrong with a file is a [`WeightError`] that names it and the place in it.
//!
//! Weights in blocks (Q4_0 and the like) are expanded to `f32` when they are read, or stay blocks where a product can
//! multiply with them ([`load_as`]). Only safetensors is written. Pickled and ONNX weights are not read.
//!
//! | file | what it does |
//! | --- | --- |
//! | `error.rs` | the one error type, and how names from files are quoted in it |
//! | `regular.rs` | files that are files, and bounds on what is read of them |
//! | `header.rs` | the JSON header of a safetensors file, as text |
//! | `safetensors.rs` | a mapped safetensors file whose every tensor is known to lie inside it |
//! | `gguf/` | a mapped GGUF file: the same, with metadata and a vocabulary |
//! | `npy.rs`, `npz.rs` | NumPy's arrays, and archives of them |
//! | `file.rs` | a file in any of these formats |
//! | `format.rs` | how elements lie in a file, and blocks that are expanded |
//! | `tensor.rs` | views, their elements as numbers, and owned tensors |
//! | `shards.rs` | the index of a checkpoint split over several files |
//! | `checkpoint.rs` | a model folder: configuration, tensors, tokenizer |
//! | `io.rs` | io files, and writing tensors |
//! | `numbers.rs` | a weight's numbers, its own or in a mapped file |
//! | `kept.rs` | weights whose blocks stay as they are |
//! | `bind.rs` | a model's weights by its checkpoint table, both ways |

mod bind;
mod checkpoint;
mod error;
mod file;
mod format;
mod gguf;
mod header;
mod io;
mod kept;
mod npy;
mod npz;
mod numbers;
mod regular;
mod safetensors;
mod shards;
mod tensor;
#[cfg(test)]
pub(crate) mod testing;

pub use self::bind::{BindError, Loaded, config_setting, export, load, load_as};
pub use self::checkpoint::Checkpoint;
pub use self::error::WeightError;
pub(crate) use self::error::shortened;
pub(crate) use self::file::WeightFile;
pub use self::format::{BlockFormat, Format};
pub use self::gguf::GgufFile;
pub(crate) use self::io::write_file;
pub use self::io::{Io, write_safetensors};
pub use self::kept::{Blocks, Given};
pub use self::npy::write_npy;
pub use self::npz::{NpzFile, write_npz};
pub use self::numbers::{Bytes, Numbers, Stretch};
pub(crate) use self::regular::read_regular;
pub use self::safetensors::SafetensorsFile;
pub(crate) use self::shards::read_json;
pub use self::tensor::{Elements, Tensor, TensorView, Values};
/// The element type that a safetensors header names for a tensor.
pub use ::safetensors::Dtype;
