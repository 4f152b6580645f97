//! Tensors: views of mapped bytes whose elements become numbers when read, and owned ones.
//!
//! In: a format, a shape, and bytes that the caller has found to fit them. Out: elements as `f32`
//! ([`TensorView::elements`]), or an owned [`Tensor`] of `f32` or `i64`. Elements are in row-major
//! order, the last dimension running fastest. Blocks of elements (GGUF) are expanded when read.
//!
//! It cannot read the 4-, 6- and 8-bit floating-point types, nor complex numbers: a view of such
//! a tensor exists, and asking for its elements is an error. Strides and slices are not its part.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::Dtype;

use super::error::{WeightError, quoted};
use super::format::{BlockFormat, Format, LARGEST_BLOCK};
use super::numbers::{Bytes, Numbers};

/// Where one tensor lies in a file's bytes, or in those that were made of it, known to fit them.
#[derive(Debug)]
pub(super) struct Place {
    /// How its elements lie.
    pub format: Format,
    /// Its shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// Its bytes, as many as format and shape say.
    pub bytes: Range<usize>,
}

/// A tensor in a mapped file: its bytes as they lie there, nothing converted yet.
#[derive(Debug, Clone, Copy)]
pub struct TensorView<'file> {
    file: &'file Path,
    name: &'file str,
    format: Format,
    shape: &'file [usize],
    bytes: &'file [u8],
    /// The mapped file that the bytes lie in, and where.
    map: Option<(&'file Arc<Mmap>, usize)>,
}

impl<'file> TensorView<'file> {
    /// The tensor at a place of `bytes`.
    pub(super) fn new(
        file: &'file Path,
        name: &'file str,
        place: &'file Place,
        bytes: &'file [u8],
    ) -> TensorView<'file> {
        let (format, bytes) = (place.format, &bytes[place.bytes.clone()]);
        debug_assert_eq!(format.bits_of(place.shape.iter().product()), Some(bytes.len() * 8));
        TensorView { file, name, format, shape: &place.shape, bytes, map: None }
    }

    /// The same, where the bytes are those of a mapped file.
    pub(super) fn in_map(self, map: &'file Arc<Mmap>) -> TensorView<'file> {
        let start = self.bytes.as_ptr().addr() - map.as_ptr().addr();
        TensorView { map: Some((map, start)), ..self }
    }

    /// Some of its elements where they lie, if they are floats of a mapped file that can be read there.
    pub(super) fn mapped(&self, elements: Range<usize>) -> Option<Numbers> {
        let (map, start) = self.map.filter(|_| self.format == Format::Plain(Dtype::F32))?;
        let place = |element: usize| element.checked_mul(4)?.checked_add(start);
        Numbers::mapped(map, place(elements.start)?..place(elements.end)?)
    }

    /// Some of its bytes where they lie, if that is a mapped file.
    pub(super) fn mapped_bytes(&self, bytes: Range<usize>) -> Option<Bytes> {
        let (map, start) = self.map?;
        Bytes::mapped(map, start.checked_add(bytes.start)?..start.checked_add(bytes.end)?)
    }

    /// Has the system map all of the tensor's pages at once, where they lie in a mapped file: one by one, as they are read, takes
    /// longer than to read them. It may not be able to; nothing else changes.
    pub(super) fn fetch(&self) {
        #[cfg(target_os = "linux")]
        if let Some((map, start)) = self.map {
            let _ = map.advise_range(memmap2::Advice::PopulateRead, start, self.bytes.len());
        }
    }

    /// Gives the memory of the tensor's pages back, where they lie in a mapped file.
    pub(super) fn let_go(&self) {
        if let Some(bytes) = self.mapped_bytes(0..self.bytes.len()) {
            bytes.let_go();
        }
    }

    /// The tensor's name in its file.
    pub fn name(&self) -> &'file str {
        self.name
    }

    /// How the elements lie in the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The shape, outermost dimension first; empty for a single number.
    pub fn shape(&self) -> &'file [usize] {
        self.shape
    }

    /// The elements as they lie in the file, little-endian.
    pub fn bytes(&self) -> &'file [u8] {
        self.bytes
    }

    /// The elements as `f32`, converted one by one as they are read.
    ///
    /// F64 and integers are rounded to the nearest `f32`; BOOL gives 0 and 1; blocks give the
    /// numbers that they stand for. An F32 tensor that lies aligned in its file is read in place,
    /// and one that does not is copied by this call.
    ///
    /// # Errors
    ///
    /// When the element type is one that Seqwright cannot read.
    pub fn elements(&self) -> Result<Elements<'file>, WeightError> {
        let dtype = match self.format {
            Format::Plain(dtype) => dtype,
            Format::Blocks(format) => {
                let kind = Kind::Blocks(format, self.bytes);
                return Ok(Elements { kind, length: self.shape.iter().product() });
            }
        };
        let kind = match dtype {
            Dtype::F32 => Kind::F32(floats_of(self.bytes)),
            Dtype::F16 => Kind::F16(self.bytes),
            Dtype::BF16 => Kind::Bf16(self.bytes),
            Dtype::F64 => Kind::F64(self.bytes),
            Dtype::I64 => Kind::I64(self.bytes),
            Dtype::I32 => Kind::I32(self.bytes),
            Dtype::I16 => Kind::I16(self.bytes),
            Dtype::I8 => Kind::I8(self.bytes),
            Dtype::U64 => Kind::U64(self.bytes),
            Dtype::U32 => Kind::U32(self.bytes),
            Dtype::U16 => Kind::U16(self.bytes),
            Dtype::U8 => Kind::U8(self.bytes),
            Dtype::BOOL => Kind::Bool(self.bytes),
            _ => return Err(self.unreadable()),
        };
        Ok(Elements { kind, length: self.shape.iter().product() })
    }

    /// All elements as `f32`: in place where they lie so in the file.
    ///
    /// # Errors
    ///
    /// When the element type is one that Seqwright cannot read.
    pub fn numbers(&self) -> Result<Cow<'file, [f32]>, WeightError> {
        let elements = self.elements()?;
        Ok(match elements.kind {
            Kind::F32(floats) => floats,
            _ => Cow::Owned(elements.to_vec()),
        })
    }

    /// The whole tensor, owned: floating-point types as `f32`, integers and BOOL as `i64`.
    ///
    /// # Errors
    ///
    /// When the element type is one that Seqwright cannot read, and when a U64 element is larger
    /// than an `i64` holds.
    pub fn to_tensor(&self) -> Result<Tensor, WeightError> {
        let values = match self.elements()?.kind {
            Kind::F32(floats) => Values::Floats(floats.into_owned()),
            Kind::I64(bytes) => Values::Integers(all(bytes, i64::from_le_bytes)),
            Kind::I32(bytes) => Values::Integers(all(bytes, |b| i32::from_le_bytes(b).into())),
            Kind::I16(bytes) => Values::Integers(all(bytes, |b| i16::from_le_bytes(b).into())),
            Kind::I8(bytes) => Values::Integers(all(bytes, |b| i8::from_le_bytes(b).into())),
            Kind::U32(bytes) => Values::Integers(all(bytes, |b| u32::from_le_bytes(b).into())),
            Kind::U16(bytes) => Values::Integers(all(bytes, |b| u16::from_le_bytes(b).into())),
            Kind::U8(bytes) => Values::Integers(bytes.iter().map(|&byte| byte.into()).collect()),
            Kind::Bool(bytes) => Values::Integers(bytes.iter().map(|&byte| i64::from(byte != 0)).collect()),
            Kind::U64(bytes) => {
                let numbers = all(bytes, u64::from_le_bytes).into_iter().map(i64::try_from);
                Values::Integers(numbers.collect::<Result<_, _>>().map_err(|_| {
                    let name = quoted(self.name);
                    let problem = format!("tensor {name} has a number larger than an i64 holds");
                    WeightError::reading(self.file, problem)
                })?)
            }
            Kind::F16(_) | Kind::Bf16(_) | Kind::F64(_) | Kind::Blocks(..) => Values::Floats(self.elements()?.to_vec()),
        };
        Ok(Tensor { shape: self.shape.to_vec(), values })
    }

    fn unreadable(&self) -> WeightError {
        let name = quoted(self.name);
        let problem = format!("tensor {name} has elements of type {}", self.format);
        WeightError::reading(self.file, problem).with_help(
            "seqwright reads F64, F32, F16, BF16, integers, BOOL and, in GGUF files, blocks: convert \
             the checkpoint to one of these",
        )
    }
}

/// The elements of a tensor as `f32`, by their row-major index.
#[derive(Debug)]
pub struct Elements<'file> {
    kind: Kind<'file>,
    length: usize,
}

/// The elements as they lie in the file; every slice holds whole elements, little-endian.
#[derive(Debug)]
enum Kind<'file> {
    F32(Cow<'file, [f32]>),
    F16(&'file [u8]),
    Bf16(&'file [u8]),
    F64(&'file [u8]),
    I64(&'file [u8]),
    I32(&'file [u8]),
    I16(&'file [u8]),
    I8(&'file [u8]),
    U64(&'file [u8]),
    U32(&'file [u8]),
    U16(&'file [u8]),
    U8(&'file [u8]),
    Bool(&'file [u8]),
    Blocks(BlockFormat, &'file [u8]),
}

impl Elements<'_> {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none, as in a tensor with a dimension of size zero.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The element at `index`.
    ///
    /// # Panics
    ///
    /// When `index` is not below [`Elements::len`].
    #[inline]
    pub fn get(&self, index: usize) -> f32 {
        match &self.kind {
            Kind::F32(floats) => floats[index],
            Kind::F16(bytes) => f16::from_le_bytes(element(bytes, index)).to_f32(),
            Kind::Bf16(bytes) => bf16::from_le_bytes(element(bytes, index)).to_f32(),
            Kind::F64(bytes) => f64::from_le_bytes(element(bytes, index)) as f32,
            Kind::I64(bytes) => i64::from_le_bytes(element(bytes, index)) as f32,
            Kind::I32(bytes) => i32::from_le_bytes(element(bytes, index)) as f32,
            Kind::I16(bytes) => i16::from_le_bytes(element(bytes, index)).into(),
            Kind::I8(bytes) => i8::from_le_bytes(element(bytes, index)).into(),
            Kind::U64(bytes) => u64::from_le_bytes(element(bytes, index)) as f32,
            Kind::U32(bytes) => u32::from_le_bytes(element(bytes, index)) as f32,
            Kind::U16(bytes) => u16::from_le_bytes(element(bytes, index)).into(),
            Kind::U8(bytes) => bytes[index].into(),
            Kind::Bool(bytes) => f32::from(u8::from(bytes[index] != 0)),
            Kind::Blocks(format, bytes) => {
                // The whole block for one element: who wants them all asks for them all.
                let mut block = [0.0; LARGEST_BLOCK];
                let block = &mut block[..format.elements()];
                format.expand(&bytes[index / block.len() * format.bytes()..][..format.bytes()], block);
                block[index % block.len()]
            }
        }
    }

    /// All elements as a slice, without a copy; `None` unless the tensor is F32.
    pub fn as_slice(&self) -> Option<&[f32]> {
        match &self.kind {
            Kind::F32(floats) => Some(floats),
            _ => None,
        }
    }

    /// All elements in order.
    pub fn to_vec(&self) -> Vec<f32> {
        match &self.kind {
            Kind::F32(floats) => floats.to_vec(),
            Kind::Blocks(format, bytes) => {
                let mut all = vec![0.0; self.length];
                let blocks = bytes.chunks_exact(format.bytes());
                blocks.zip(all.chunks_exact_mut(format.elements())).for_each(|(from, to)| format.expand(from, to));
                all
            }
            _ => (0..self.length).map(|index| self.get(index)).collect(),
        }
    }
}

/// The bytes of the element at `index`, each element being `SIZE` bytes.
#[inline]
fn element<const SIZE: usize>(bytes: &[u8], index: usize) -> [u8; SIZE] {
    bytes.as_chunks::<SIZE>().0[index]
}

/// All elements of `SIZE` bytes, each through `convert`.
fn all<const SIZE: usize, T>(bytes: &[u8], convert: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
    bytes.as_chunks::<SIZE>().0.iter().map(|&chunk| convert(chunk)).collect()
}

/// F32 elements in place where the machine can read them so, and copied otherwise.
fn floats_of(bytes: &[u8]) -> Cow<'_, [f32]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(floats) if cfg!(target_endian = "little") => Cow::Borrowed(floats),
        // A header whose length is no multiple of four leaves its tensors unaligned.
        _ => Cow::Owned(all(bytes, f32::from_le_bytes)),
    }
}

/// An owned tensor, as io files hold them.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    values: Values,
}

/// The elements of a [`Tensor`], row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Real numbers.
    Floats(Vec<f32>),
    /// Whole numbers: token ids, positions, masks.
    Integers(Vec<i64>),
}

impl Values {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Floats(floats) => floats.len(),
            Values::Integers(integers) => integers.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Tensor {
    /// A tensor of this shape (outermost dimension first) with these elements.
    ///
    /// # Errors
    ///
    /// When there are not exactly as many elements as the shape says.
    pub fn new(shape: Vec<usize>, values: Values) -> Result<Tensor, String> {
        let count = shape.iter().copied().try_fold(1_usize, usize::checked_mul);
        if count != Some(values.len()) {
            return Err(format!("a tensor of shape {shape:?} cannot have {} elements", values.len()));
        }
        Ok(Tensor { shape, values })
    }

    /// The shape, outermost dimension first; empty for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The shape and the elements, taken apart.
    pub fn into_parts(self) -> (Vec<usize>, Values) {
        (self.shape, self.values)
    }
}

#[cfg(test)]
#[path = "tensor_tests.rs"]
mod tests;
