//! The head of an array in NumPy's format (.npy), and writing whole arrays in it.
//!
//! In: the bytes of a .npy file. Out: what its elements are, its shape, the order of its axes in
//! memory, and where its data begin; or a text that says what is wrong.
//!
//! The head is a Python dictionary as text. Published parsers read any literal of Python, nested as
//! deep as the text is long; here it is what NumPy writes for an array of numbers and nothing else.
//! What it can't do: records, texts, complex numbers, dates, and Python's objects (which need code
//! to be run); big-endian numbers.

use safetensors::Dtype;

use std::path::Path;

use super::error::{WeightError, shortened};
use super::io::write_file;
use super::tensor::{Tensor, Values};

pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The longest head that is read, in bytes: far above any array of numbers.
const LONGEST_HEAD: usize = 65_535;

/// More dimensions than any array has.
const MOST_DIMENSIONS: usize = 64;

/// What stands before an array's data.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    pub dtype: Dtype,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// Whether the first axis runs fastest, not the last.
    pub first_axis_fastest: bool,
    /// Where the data begin.
    pub data: usize,
}

/// An array as a .npy file: version 1.0 of the format, rows first, floats of 32 bits or whole numbers of 64.
pub(super) fn npy_bytes(tensor: &Tensor) -> Vec<u8> {
    let (kind, data): (&str, Vec<u8>) = match tensor.values() {
        Values::Floats(numbers) => ("<f4", numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
        Values::Integers(numbers) => ("<i8", numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
    };
    let sizes: String = tensor.shape().iter().map(|size| format!("{size}, ")).collect();
    let mut head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    // Data begin at a multiple of 64 bytes, behind spaces and a line break.
    let before = MAGIC.len() + 4;
    head.push_str(&" ".repeat(63 - (before + head.len()) % 64));
    head.push('\n');
    // A tensor has few axes: its head is far shorter than two bytes can say.
    let length = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let parts: [&[u8]; 5] = [MAGIC, &[1, 0], &length.to_le_bytes(), head.as_bytes(), &data];
    parts.concat()
}

/// Writes an array to a .npy file.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_npy(path: &Path, tensor: &Tensor) -> Result<(), WeightError> {
    write_file(path, &npy_bytes(tensor))
}

/// Reads the head. An error goes on from "the array NAME: ".
pub(super) fn read_head(bytes: &[u8]) -> Result<Head, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is not in NumPy's format")?;
    let (length, rest) = match rest {
        [1, _, low, high, rest @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [1..=3, ..] | [] => return Err("it ends inside its head".to_string()),
        [version, ..] => return Err(format!("its format is of the unknown version {version}")),
    };
    if length > LONGEST_HEAD {
        return Err(format!("its head claims to be {length} bytes long, and the most is {LONGEST_HEAD}"));
    }
    let text = rest.get(..length).ok_or_else(|| {
        format!("it ends inside its head, which should be {length} bytes and of which {} are there", rest.len())
    })?;
    let data = bytes.len() - rest.len() + length;
    let text = std::str::from_utf8(text).map_err(|_| "its head is not UTF-8 text")?;
    let mut reader = Reader { text, rest: text };
    let (mut kind, mut order, mut shape) = (None, None, None);
    reader.expect('{')?;
    while !reader.accept('}') {
        let key = reader.quoted()?;
        reader.expect(':')?;
        let again = match key {
            "descr" => kind.replace(reader.element_type()?).is_some(),
            "fortran_order" => order.replace(reader.bool()?).is_some(),
            "shape" => shape.replace(reader.sizes()?).is_some(),
            other => return Err(format!("its head has the unknown entry `{}`", shortened(other))),
        };
        if again {
            return Err(format!("its head has the entry `{key}` twice"));
        }
        if !reader.accept(',') {
            reader.expect('}')?;
            break;
        }
    }
    if !reader.rest.trim().is_empty() {
        return Err(reader.wanted("nothing more"));
    }
    let missing = |name| format!("its head has no entry `{name}`");
    Ok(Head {
        dtype: kind.ok_or_else(|| missing("descr"))?,
        first_axis_fastest: order.ok_or_else(|| missing("fortran_order"))?,
        shape: shape.ok_or_else(|| missing("shape"))?,
        data,
    })
}

/// What is left of a head's text.
struct Reader<'text> {
    text: &'text str,
    rest: &'text str,
}

impl<'text> Reader<'text> {
    fn wanted(&self, what: &str) -> String {
        let place = self.text.len() - self.rest.len();
        format!("its head should have {what} at its byte {place}: {}", shortened(self.text.trim()))
    }

    fn accept(&mut self, letter: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(letter);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, letter: char) -> Result<(), String> {
        if self.accept(letter) { Ok(()) } else { Err(self.wanted(&format!("`{letter}`"))) }
    }

    fn quoted(&mut self) -> Result<&'text str, String> {
        let rest = self.rest.trim_start();
        let quote = rest.chars().next().filter(|first| matches!(first, '\'' | '"'));
        let Some((inside, after)) = quote.and_then(|quote| rest[1..].split_once(quote)) else {
            return Err(self.wanted("a text in quotes"));
        };
        self.rest = after;
        Ok(inside)
    }

    fn bool(&mut self) -> Result<bool, String> {
        let rest = self.rest.trim_start();
        let found = [("True", true), ("False", false)]
            .into_iter()
            .find_map(|(word, value)| rest.strip_prefix(word).map(|after| (value, after)));
        let (value, after) = found.ok_or_else(|| self.wanted("`True` or `False`"))?;
        self.rest = after;
        Ok(value)
    }

    /// `(3, 4)`, `(3,)` or `()`.
    fn sizes(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut sizes = Vec::new();
        while !self.accept(')') {
            if sizes.len() == MOST_DIMENSIONS {
                return Err(format!("it has more than {MOST_DIMENSIONS} dimensions"));
            }
            let rest = self.rest.trim_start();
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let size = rest[..end].parse().map_err(|_| self.wanted("a size"))?;
            sizes.push(size);
            // Python 2 writes an `L` behind whole numbers.
            self.rest = rest[end..].strip_prefix('L').unwrap_or(&rest[end..]);
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }

    fn element_type(&mut self) -> Result<Dtype, String> {
        if self.rest.trim_start().starts_with('[') {
            return Err("its elements are records, and Seqwright reads numbers".to_string());
        }
        let name = self.quoted()?;
        let (order, kind) = match name.chars().next() {
            Some(order @ ('<' | '>' | '|' | '=')) => (order, &name[1..]),
            Some(_) | None => ('|', name),
        };
        let dtype = match kind {
            "f2" => Dtype::F16,
            "f4" => Dtype::F32,
            "f8" => Dtype::F64,
            "i1" => Dtype::I8,
            "i2" => Dtype::I16,
            "i4" => Dtype::I32,
            "i8" => Dtype::I64,
            "u1" => Dtype::U8,
            "u2" => Dtype::U16,
            "u4" => Dtype::U32,
            "u8" => Dtype::U64,
            "b1" | "?" => Dtype::BOOL,
            "O" => return Err("its elements are Python's objects, and reading those would run code".to_string()),
            _ => return Err(format!("its elements are of type `{}`, and Seqwright reads numbers", shortened(name))),
        };
        if order == '>' && dtype.bitsize() > 8 {
            return Err(format!("its numbers are big-endian (`{name}`), and Seqwright reads little-endian ones"));
        }
        Ok(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(version: u8, text: &str) -> Vec<u8> {
        let mut all = MAGIC.to_vec();
        all.extend([version, 0]);
        match version {
            1 => all.extend((text.len() as u16).to_le_bytes()),
            _ => all.extend((text.len() as u32).to_le_bytes()),
        }
        all.extend(text.as_bytes());
        all
    }

    fn read(text: &str) -> Result<Head, String> {
        read_head(&bytes(1, text))
    }

    #[test]
    fn heads_are_read_as_numpy_writes_them() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }            \n";
        let wanted = Head { dtype: Dtype::F32, shape: vec![3, 4], first_axis_fastest: false, data: 10 + text.len() };
        assert_eq!(read(text).unwrap(), wanted);
        for version in [2, 3] {
            let wanted = Head { data: 12 + text.len(), shape: wanted.shape.clone(), ..wanted };
            assert_eq!(read_head(&bytes(version, text)).unwrap(), wanted);
        }
        let found = read("{\"shape\":(7L,),\"fortran_order\":True,\"descr\":\"|b1\"}").unwrap();
        assert_eq!((found.dtype, found.shape, found.first_axis_fastest), (Dtype::BOOL, vec![7], true));
        let found = read("{'descr': '>i1', 'fortran_order': False, 'shape': ()}").unwrap();
        assert_eq!((found.dtype, found.shape), (Dtype::I8, vec![]));
    }

    #[test]
    fn every_wrong_form_is_named() {
        let head = |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}");
        for (text, wanted) in [
            (String::new(), "should have `{` at its byte 0"),
            ("{'descr'}".into(), "should have `:`"),
            ("{descr: '<f4'}".into(), "a text in quotes"),
            ("{'descr': '<f4}".into(), "a text in quotes"),
            ("{'descr': '<f4', 'descr': '<f4'}".into(), "the entry `descr` twice"),
            ("{'more': 1}".into(), "the unknown entry `more`"),
            ("{'descr': '<f4', 'fortran_order': 1".into(), "`True` or `False`"),
            ("{'descr': '<f4', 'fortran_order': True}".into(), "no entry `shape`"),
            ("{}".into(), "no entry `descr`"),
            (head("'<f4'", "(3 4)"), "should have `)`"),
            (head("'<f4'", "(-3,)"), "a size"),
            (head("'<f4'", "(99999999999999999999,)"), "a size"),
            (head("'<f4'", &format!("({})", "1,".repeat(65))), "more than 64 dimensions"),
            (head("'<f4'", "((((((1"), "a size"),
            (head("'<f4'", "()") + "}", "nothing more"),
            (head("[('a', '<f4')]", "()"), "records"),
            (head("'|O'", "()"), "Python's objects"),
            (head("'<U5'", "()"), "of type `<U5`"),
            (head("'<c8'", "()"), "of type `<c8`"),
            (head("'>f4'", "()"), "big-endian"),
        ] {
            let found = read(&text).unwrap_err();
            assert!(found.contains(wanted), "{text}\n{found}\nlacks: {wanted}");
            assert!(found.len() < 400, "{found}");
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_of_a_head_is_an_error_or_a_head() {
        let whole = bytes(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }\n");
        for length in 0..whole.len() {
            assert!(read_head(&whole[..length]).is_err(), "{length}");
        }
        for place in 0..whole.len() {
            for value in 0..=255 {
                let mut changed = whole.clone();
                changed[place] = value;
                let _ = read_head(&changed);
            }
        }
        let long = bytes(2, &"(".repeat(LONGEST_HEAD + 1));
        assert!(read_head(&long).unwrap_err().contains("the most is 65535"));
    }
}
