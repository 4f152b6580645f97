//! A buffer of `f32` that starts on a cache line, for packed weights and for kernels' memory.
//!
//! It comes zeroed from the allocator, so that pages of a large one are only touched when they are written.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

/// The size of a cache line, and of the widest vector.
const ALIGNMENT: usize = 64;

/// A fixed number of `f32`, the first of them at an address that is a multiple of 64.
pub struct AlignedFloats {
    start: NonNull<f32>,
    length: usize,
}

impl AlignedFloats {
    /// `length` zeros.
    ///
    /// # Panics
    ///
    /// If they would be larger than the address space.
    pub fn zeroed(length: usize) -> AlignedFloats {
        let layout = layout(length);
        if length == 0 {
            return AlignedFloats { start: NonNull::<Line>::dangling().cast(), length };
        }
        // SAFETY: the layout's size is not zero. All bits zero are the number 0.0, so the memory is initialised.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start.cast::<f32>()) {
            Some(start) => AlignedFloats { start, length },
            None => handle_alloc_error(layout),
        }
    }

    /// A copy of some numbers.
    pub fn copied(numbers: &[f32]) -> AlignedFloats {
        let length = numbers.len();
        if length == 0 {
            return AlignedFloats::zeroed(0);
        }
        let layout = layout(length);
        // SAFETY: the layout's size is not zero; all of the memory is written before anything reads it.
        unsafe {
            match NonNull::new(alloc(layout).cast::<f32>()) {
                Some(start) => {
                    start.as_ptr().copy_from_nonoverlapping(numbers.as_ptr(), length);
                    AlignedFloats { start, length }
                }
                None => handle_alloc_error(layout),
            }
        }
    }
}

/// Only for its alignment, which an empty buffer's address has too.
#[repr(align(64))]
struct Line;

fn layout(length: usize) -> Layout {
    Layout::array::<f32>(length)
        .and_then(|layout| layout.align_to(ALIGNMENT))
        .expect("a buffer larger than the address space")
}

impl Drop for AlignedFloats {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: it was allocated in `zeroed` with the same layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout(self.length)) }
        }
    }
}

impl Deref for AlignedFloats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `start` points to `length` initialised numbers that belong to `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for AlignedFloats {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Clone for AlignedFloats {
    fn clone(&self) -> AlignedFloats {
        let mut copy = AlignedFloats::zeroed(self.length);
        copy.copy_from_slice(self);
        copy
    }
}

impl fmt::Debug for AlignedFloats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AlignedFloats of {}", self.length)
    }
}

// SAFETY: it owns its memory as a `Box` does.
unsafe impl Send for AlignedFloats {}
// SAFETY: shared references only read.
unsafe impl Sync for AlignedFloats {}
