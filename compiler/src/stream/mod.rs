//! The chunk program's plan: what a causal model keeps between chunks.
//!
//! A model's definition knows nothing of chunks. From how far its equations look back ([`looks`]) follows which values must
//! be kept, and how many positions of each ([`plan()`]): recurrent values, keys and values of attention, the last inputs of a
//! convolution. A value that looks ahead by a known number of positions is computed so many positions later (its *lag*);
//! where nothing bounds how far it looks, there is no step program, and the [`Refusal`] says which equation is to blame.
//! The whole sequence is one chunk from the initial state, one token a chunk of one.

mod field;
mod last;
mod plan;
mod reach;
mod refusal;
mod window;

pub use field::{Field, fields};
pub use last::at_last;
pub use plan::{Keep, Part, Plan, plan, stream_axis};
pub use reach::{Look, View, looks, sums};
pub use refusal::{Refusal, Why};
pub use window::Window;
