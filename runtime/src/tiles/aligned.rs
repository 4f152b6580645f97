//! A buffer of `f32` that starts on a cache line, for packed weights and for kernels' memory.
//!
//! It comes zeroed from the allocator, so that pages of a large one are only touched when they are written. Those are asked to
//! be large ones: packing a model's weights into pages of 4 KiB takes as long to get the pages as to pack, and each page that is
//! read needs its address looked up.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
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
    /// What was allocated, if anything: room for the numbers wherever the first multiple of 64 lies. An allocator that is asked
    /// for such an address itself has no zeroed memory at it, and writes all of it.
    allocated: Option<NonNull<u8>>,
}

impl AlignedFloats {
    /// `length` zeros.
    ///
    /// # Panics
    ///
    /// If they would be larger than the address space.
    pub fn zeroed(length: usize) -> AlignedFloats {
        let numbers = AlignedFloats::sparse(length);
        if length > 0 {
            want_large_pages(numbers.start, length);
        }
        numbers
    }

    /// The same in pages as small as there are, for numbers most of which are never touched.
    ///
    /// # Panics
    ///
    /// As [`zeroed`](AlignedFloats::zeroed).
    pub fn sparse(length: usize) -> AlignedFloats {
        if length == 0 {
            return AlignedFloats { start: NonNull::<Line>::dangling().cast(), length, allocated: None };
        }
        let layout = layout(length);
        // SAFETY: the layout's size is not zero. All bits zero are the number 0.0, so the memory is initialised.
        let Some(allocated) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
        let start: NonNull<f32> = allocated.cast();
        // SAFETY: the layout has room for the numbers from the next such multiple on.
        let start = unsafe { start.byte_add(allocated.align_offset(alignment(length))) };
        AlignedFloats { start, length, allocated: Some(allocated) }
    }

    /// A copy of some numbers.
    pub fn copied(numbers: &[f32]) -> AlignedFloats {
        let mut copy = AlignedFloats::zeroed(numbers.len());
        copy.copy_from_slice(numbers);
        copy
    }
}

/// Bytes of a large page.
const LARGE_PAGE: usize = 1 << 21;

/// Where so many numbers begin: what fills large pages begins with one. A matrix of which a part lies in small pages, wherever
/// there were some, is read more slowly there: it falls on itself in the second cache.
fn alignment(length: usize) -> usize {
    if length >= LARGE_PAGE / size_of::<f32>() { LARGE_PAGE } else { ALIGNMENT }
}

/// Asks for large pages where some fit in whole. The system may have none; nothing else changes.
fn want_large_pages(start: NonNull<f32>, length: usize) {
    let first = start.as_ptr().addr().next_multiple_of(LARGE_PAGE);
    let end = (start.as_ptr().addr() + 4 * length) / LARGE_PAGE * LARGE_PAGE;
    if end > first {
        #[cfg(target_os = "linux")]
        // SAFETY: the pages lie inside memory that was just allocated; advice changes none of it.
        unsafe {
            let pages = start.as_ptr().with_addr(first);
            libc::madvise(pages.cast(), end - first, libc::MADV_HUGEPAGE);
        }
    }
}

/// Only for its alignment, which an empty buffer's address has too.
#[repr(align(64))]
struct Line;

/// Room for so many numbers where they begin, wherever the memory does.
fn layout(length: usize) -> Layout {
    let room = length.checked_add((alignment(length) - align_of::<f32>()) / size_of::<f32>());
    room.and_then(|room| Layout::array::<f32>(room).ok()).expect("a buffer larger than the address space")
}

impl Drop for AlignedFloats {
    fn drop(&mut self) {
        if let Some(allocated) = self.allocated {
            // SAFETY: it was allocated in `zeroed` with the same layout.
            unsafe { dealloc(allocated.as_ptr(), layout(self.length)) }
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
