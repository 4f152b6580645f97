//! A weight's numbers: its own, or where they lie in a mapped file.
//!
//! Most weights of a published model are a stretch of its file as they are. They are read there by whoever needs them: packed
//! into a product's panels, or looked up in by kernels; a copy would take longer than many a model runs, and as much memory.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use memmap2::Mmap;

/// Numbers that are read as a slice.
#[derive(Clone)]
pub struct Numbers(Kept);

#[derive(Clone)]
enum Kept {
    Own(Vec<f32>),
    /// Bytes of a file that were found to be whole floats, aligned, in this processor's order.
    Mapped(Arc<Mmap>, Range<usize>),
}

impl Numbers {
    /// The numbers of some bytes of a file, if they can be read there.
    pub(super) fn mapped(map: &Arc<Mmap>, bytes: Range<usize>) -> Option<Numbers> {
        let readable =
            cfg!(target_endian = "little") && bytemuck::try_cast_slice::<u8, f32>(map.get(bytes.clone())?).is_ok();
        readable.then(|| Numbers(Kept::Mapped(Arc::clone(map), bytes)))
    }

    /// Whether they lie in a file: another one of them is no copy.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Kept::Mapped(..))
    }

    /// The numbers to be changed: copied first, where they lie in a file.
    pub fn to_mut(&mut self) -> &mut Vec<f32> {
        if let Kept::Mapped(..) = self.0 {
            self.0 = Kept::Own(self.to_vec());
        }
        match &mut self.0 {
            Kept::Own(numbers) => numbers,
            Kept::Mapped(..) => unreachable!("they were copied"),
        }
    }
}

impl Deref for Numbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Kept::Own(numbers) => numbers,
            Kept::Mapped(map, bytes) => bytemuck::cast_slice(&map[bytes.clone()]),
        }
    }
}

impl From<Vec<f32>> for Numbers {
    fn from(numbers: Vec<f32>) -> Numbers {
        Numbers(Kept::Own(numbers))
    }
}

impl FromIterator<f32> for Numbers {
    fn from_iter<I: IntoIterator<Item = f32>>(numbers: I) -> Numbers {
        Vec::from_iter(numbers).into()
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Numbers) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(to)
    }
}
