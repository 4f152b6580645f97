//! Where the tensors of a GGUF file lie, held against the file's length and against each other.
//!
//! In: the file from behind its metadata on. Out: a place for each tensor, known to lie inside the
//! file, to be as long as its shape and format say, and to share no byte with another. The tensors
//! must lie one after the other with no more between them than the alignment asks for, and fill the
//! file, as its writers lay them out: a type or a shape that is not the true one leaves a gap or an
//! overlap.
//!
//! The file counts dimensions from the innermost one on; a [`Place`] has them outermost first.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::cursor::Cursor;
use crate::weights::error::{bytes_in_words, quoted};
use crate::weights::format::{BlockFormat, Format};
use crate::weights::tensor::Place;

/// More tensors than any file has.
const MOST_TENSORS: u64 = 1 << 20;

/// The most dimensions that the format allows.
const MOST_DIMENSIONS: u32 = 4;

/// One tensor as the file describes it.
struct Description<'file> {
    name: &'file str,
    format: Format,
    shape: Vec<usize>,
    /// From the beginning of the data.
    start: u64,
    length: u64,
}

/// Reads so many descriptions, and gives the places of their tensors.
pub(super) fn read(
    file: &[u8],
    cursor: &mut Cursor<'_>,
    count: u64,
    alignment: u64,
) -> Result<BTreeMap<String, Place>, String> {
    if count > MOST_TENSORS {
        return Err(format!("it claims to have {count} tensors, and the most is {MOST_TENSORS}"));
    }
    let mut tensors = Vec::new();
    for number in 1..=count {
        tensors.push(description(cursor, number, count, alignment)?);
    }
    let data = (cursor.place() as u64).next_multiple_of(alignment);
    check_cover(&mut tensors, data, file.len() as u64, alignment)?;
    let mut places = BTreeMap::new();
    for Description { name, format, shape, start, length } in tensors {
        // Both ends were found to be at most the length of the file, so they fit a usize.
        let start = (data + start) as usize;
        let place = Place { format, shape, bytes: start..start + length as usize };
        if places.insert(name.to_string(), place).is_some() {
            return Err(format!("the tensor {} comes twice", quoted(name)));
        }
    }
    Ok(places)
}

fn description<'file>(
    cursor: &mut Cursor<'file>,
    number: u64,
    count: u64,
    alignment: u64,
) -> Result<Description<'file>, String> {
    let place = cursor.place();
    let name = cursor.name(&format_args!("the name of its tensor {number} of {count}"))?;
    let what = format!("the description of the tensor {}", quoted(name));
    let dimensions = cursor.u32(&what)?;
    if dimensions > MOST_DIMENSIONS {
        return Err(format!(
            "{what} (at byte {place}) claims {dimensions} dimensions, and the most is {MOST_DIMENSIONS}"
        ));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(cursor.u64(&what)?);
    }
    let kind = cursor.u32(&what)?;
    let start = cursor.u64(&what)?;
    let format = format_of(kind).map_err(|found| {
        format!("{what} (at byte {place}) gives it elements of {found}, which Seqwright does not read")
    })?;
    let too_large = || format!("{what} (at byte {place}) gives it the shape {shape:?}, more than memory can hold");
    let sizes = shape.iter().rev().map(|&size| usize::try_from(size)).collect::<Result<Vec<_>, _>>();
    let sizes = sizes.map_err(|_| too_large())?;
    // Without the zeros, of which a product would forget how large the others are.
    let without_zeros = sizes.iter().copied().filter(|size| *size != 0).try_fold(1_usize, usize::checked_mul);
    without_zeros.and_then(|count| count.checked_mul(format.bits_of_block())).ok_or_else(too_large)?;
    let block = format.elements_in_block();
    let innermost = sizes.last().copied().unwrap_or(1);
    if !innermost.is_multiple_of(block) {
        return Err(format!(
            "{what} (at byte {place}) gives it rows of {innermost}, which are no whole blocks of {block} elements, as \
             {format} has them"
        ));
    }
    if !start.is_multiple_of(alignment) {
        return Err(format!(
            "{what} (at byte {place}) puts it at byte {start} of the data, which is no multiple of {alignment}, the \
             file's alignment"
        ));
    }
    let bits = format.bits_of(sizes.iter().product()).ok_or_else(too_large)?;
    Ok(Description { name, format, shape: sizes, start, length: bits as u64 / 8 })
}

/// The format of that number in the file, or what a number that is not read means.
fn format_of(kind: u32) -> Result<Format, String> {
    Ok(match kind {
        0 => Format::Plain(Dtype::F32),
        1 => Format::Plain(Dtype::F16),
        2 => Format::Blocks(BlockFormat::Q4_0),
        3 => Format::Blocks(BlockFormat::Q4_1),
        6 => Format::Blocks(BlockFormat::Q5_0),
        8 => Format::Blocks(BlockFormat::Q8_0),
        12 => Format::Blocks(BlockFormat::Q4_K),
        14 => Format::Blocks(BlockFormat::Q6_K),
        24 => Format::Plain(Dtype::I8),
        25 => Format::Plain(Dtype::I16),
        26 => Format::Plain(Dtype::I32),
        27 => Format::Plain(Dtype::I64),
        28 => Format::Plain(Dtype::F64),
        30 => Format::Plain(Dtype::BF16),
        other => {
            let name = match other {
                7 => "Q5_1",
                9 => "Q8_1",
                10 => "Q2_K",
                11 => "Q3_K",
                13 => "Q5_K",
                15 => "Q8_K",
                16 => "IQ2_XXS",
                17 => "IQ2_XS",
                18 => "IQ3_XXS",
                19 => "IQ1_S",
                20 => "IQ4_NL",
                21 => "IQ3_S",
                22 => "IQ2_S",
                23 => "IQ4_XS",
                29 => "IQ1_M",
                34 => "TQ1_0",
                35 => "TQ2_0",
                39 => "MXFP4",
                _ => return Err(format!("the unknown type {other}")),
            };
            return Err(format!("type {name}"));
        }
    })
}

/// Checks that the tensors lie one after the other, and fill the file from `data` on.
fn check_cover(tensors: &mut [Description<'_>], data: u64, file: u64, alignment: u64) -> Result<(), String> {
    // A stable sort, so that of two tensors in one place the first one in the file is first.
    tensors.sort_by_key(|tensor| (tensor.start, tensor.length));
    let mut end = 0_u64;
    let mut previous = None;
    for Description { name, start, length, .. } in &*tensors {
        let wanted = end.next_multiple_of(alignment);
        if let Some(previous) = previous
            && *start < end
        {
            return Err(format!(
                "the tensors {} and {} overlap at byte {start} of its data",
                quoted(previous),
                quoted(name)
            ));
        }
        if *start > wanted {
            return Err(format!(
                "the bytes {wanted} to {start} of its data, before the tensor {}, belong to no tensor",
                quoted(name)
            ));
        }
        let reach = start.checked_add(*length).and_then(|end| end.checked_add(data));
        end = match reach {
            Some(reach) if reach <= file => start + length,
            Some(_) | None => {
                return Err(format!(
                    "it ends inside its tensors: the tensor {} should have {} from byte {start} of the data on, which \
                     is {} long",
                    quoted(name),
                    bytes_in_words(*length),
                    bytes_in_words(file.saturating_sub(data))
                ));
            }
        };
        previous = Some(name);
    }
    // Some writers fill the last tensor up to the alignment as well.
    let filled = (data + end).next_multiple_of(alignment);
    if file > filled {
        return Err(format!(
            "its tensors end at byte {end} of its data, which is {} long",
            bytes_in_words(file - data)
        ));
    }
    Ok(())
}
