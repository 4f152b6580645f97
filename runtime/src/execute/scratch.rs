//! Memory of each thread's own for what kernels compute on the way. It is used again: for one row a kernel would take as long to
//! have it zeroed as to fill it.

use crate::tiles::AlignedFloats;
use std::cell::RefCell;
use std::thread::LocalKey;

thread_local! {
    static SCRATCH: RefCell<AlignedFloats> = RefCell::new(AlignedFloats::zeroed(0));
    static INNER: RefCell<AlignedFloats> = RefCell::new(AlignedFloats::zeroed(0));
    static SHARED: RefCell<AlignedFloats> = RefCell::new(AlignedFloats::zeroed(0));
}

/// Gives a kernel memory for its short-lived arrays.
pub(super) fn with_scratch(floats: usize, call: impl FnOnce(*mut f32)) {
    with(&SCRATCH, floats, call);
}

/// Gives a chain of kernels memory for what lives within it.
pub(super) fn with_inner(floats: usize, call: impl FnOnce(*mut f32)) {
    with(&INNER, floats, call);
}

/// Gives all threads of a run memory of either kind that they share; it is that of the thread which calls.
pub(super) fn with_shared(floats: usize, call: impl FnOnce(*mut f32)) {
    with(&SHARED, floats, call);
}

fn with(memory: &'static LocalKey<RefCell<AlignedFloats>>, floats: usize, call: impl FnOnce(*mut f32)) {
    memory.with_borrow_mut(|memory| {
        if memory.len() < floats.max(1) {
            *memory = AlignedFloats::zeroed(floats.max(1));
        }
        // A kernel reads nothing that it has not written: in tests it would not go unseen.
        if cfg!(debug_assertions) {
            memory.fill(f32::NAN);
        }
        call(memory.as_mut_ptr());
    });
}
