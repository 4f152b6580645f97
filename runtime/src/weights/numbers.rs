//! A weight's numbers, or the bytes of its blocks: its own, or where they lie in a mapped file.
//!
//! Most weights of a published model are a stretch of its file as they are. They are read there by whoever needs them: packed
//! into a product's panels, or looked up in by kernels; a copy would take longer than many a model runs, and as much memory.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use bytemuck::Pod;
use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;

/// Numbers that are read as a slice.
pub type Numbers = Stretch<f32>;

/// Bytes, likewise.
pub type Bytes = Stretch<u8>;

/// What is read as a slice.
#[derive(Clone)]
pub struct Stretch<T>(Kept<T>);

#[derive(Clone)]
enum Kept<T> {
    Own(Vec<T>),
    /// Bytes of a file that were found to be whole elements, aligned, in this processor's order.
    Mapped(Arc<Mmap>, Range<usize>),
}

impl<T: Pod> Stretch<T> {
    /// What some bytes of a file are, if it can be read there.
    pub(super) fn mapped(map: &Arc<Mmap>, bytes: Range<usize>) -> Option<Stretch<T>> {
        let in_order = cfg!(target_endian = "little") || size_of::<T>() == 1;
        let readable = in_order && bytemuck::try_cast_slice::<u8, T>(map.get(bytes.clone())?).is_ok();
        readable.then(|| Stretch(Kept::Mapped(Arc::clone(map), bytes)))
    }

    /// Whether it lies in a file: another one of it is no copy.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Kept::Mapped(..))
    }

    /// Gives the memory back that elements take which lie in a file: they are read from there again by whoever needs them once more.
    pub fn let_go(&self) {
        #[cfg(unix)]
        if let Kept::Mapped(map, bytes) = &self.0 {
            // SAFETY: the map is of a file and is only read, so that its bytes are the same when they are mapped again.
            let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, bytes.start, bytes.len()) };
        }
    }

    /// The elements to be changed: copied first, where they lie in a file.
    pub fn to_mut(&mut self) -> &mut Vec<T> {
        if let Kept::Mapped(..) = self.0 {
            self.0 = Kept::Own(self.to_vec());
        }
        match &mut self.0 {
            Kept::Own(elements) => elements,
            Kept::Mapped(..) => unreachable!("they were copied"),
        }
    }
}

impl<T: Pod> Deref for Stretch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Kept::Own(elements) => elements,
            Kept::Mapped(map, bytes) => bytemuck::cast_slice(&map[bytes.clone()]),
        }
    }
}

impl<T> From<Vec<T>> for Stretch<T> {
    fn from(elements: Vec<T>) -> Stretch<T> {
        Stretch(Kept::Own(elements))
    }
}

impl<T> FromIterator<T> for Stretch<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Stretch<T> {
        Vec::from_iter(elements).into()
    }
}

impl<T: Pod + PartialEq> PartialEq for Stretch<T> {
    fn eq(&self, other: &Stretch<T>) -> bool {
        **self == **other
    }
}

impl<T: Pod + Eq> Eq for Stretch<T> {}

impl<T: Pod + fmt::Debug> fmt::Debug for Stretch<T> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(to)
    }
}
