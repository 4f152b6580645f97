//! What kind of recurrence a group of values is, and what follows from it.
//!
//! A recurrence that is affine in its state, element by element, `h[t] = a[t] * h[t-1] + b[t]` with `a` and `b` free of `h`,
//! needs no loop around its functions and products: `a` and `b` are computed for many positions at once, and only the
//! multiplication and addition go from position to position. [`kind()`] tells it from others, with the reason;
//! [`affine_form`] gives `a` and `b`. It is told from equations alone, of a checked model and of a graph alike, so that
//! `assert parallel` says of a file what the passes and kernels then find. [`memory`] is how long a state
//! remembers.

mod affine;
mod kind;
pub mod memory;

pub use affine::{AffineForm, affine_form};
pub use kind::{Cause, Kind, Reason, kind};
