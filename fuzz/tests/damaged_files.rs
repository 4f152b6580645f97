//! Every cut and every changed field of one small file of each format: an error that names the file, or the values that were
//! there; never a panic, a hang, or more memory than stated.

use seqwright_fuzz::damage::LIES;
use seqwright_fuzz::formats::Format;

/// What a run tried, and how it ended.
#[derive(Debug, Default)]
struct Tried {
    cuts: usize,
    changes: usize,
    refused: usize,
    read: usize,
}

/// The bytes of a file that are not data: all of a text; of the others what describes them.
fn head(format: Format, bytes: &[u8]) -> usize {
    let length = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or(0) as usize;
    match format {
        Format::Safetensors | Format::State => 8 + length(0),
        Format::Npy => 64.min(bytes.len()),
        // The first tensor of both files lies at a multiple of 32 after the head; the last 300 bytes are data.
        Format::Gguf => bytes.len().saturating_sub(300).max(bytes.len() / 2),
        Format::Index | Format::Config | Format::Npz | Format::Tokenizer => bytes.len(),
    }
}

fn damage(format: Format) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut tried = Tried::default();
    for whole in format.seeds() {
        let values = format.read(folder.path(), &whole).unwrap_or_else(|said| panic!("{format:?}: {said}"));
        let mut outcome = |bytes: &[u8]| match format.read(folder.path(), bytes) {
            Ok(found) => {
                tried.read += 1;
                Some(found)
            }
            Err(_) => {
                tried.refused += 1;
                None
            }
        };
        let (mut cuts, mut changes) = (0, 0);
        for length in 0..whole.len() {
            cuts += 1;
            if let Some(found) = outcome(&whole[..length]) {
                assert_eq!(
                    found,
                    values,
                    "{format:?}, cut to {length} of {} bytes, is read as something else",
                    whole.len()
                );
            }
        }
        let head = head(format, &whole);
        let mut changed = whole.clone();
        for place in 0..head {
            let before = whole[place];
            for value in [0, b'"', b'9', 0x7f, 0xff, before ^ 1, before ^ 0x20] {
                changed[place] = value;
                outcome(&changed);
                changes += 1;
            }
            changed[place] = before;
            // Whole numbers of four and eight bytes, wherever one may lie.
            if matches!(format, Format::Safetensors | Format::Gguf | Format::State | Format::Npz) {
                let lie = LIES[place % LIES.len()].to_le_bytes();
                for width in [4, 8] {
                    let end = (place + width).min(whole.len());
                    changed[place..end].copy_from_slice(&lie[..end - place]);
                    outcome(&changed);
                    changed[place..end].copy_from_slice(&whole[place..end]);
                    changes += 1;
                }
            }
        }
        tried.cuts += cuts;
        tried.changes += changes;
    }
    eprintln!(
        "{format:?}: {} cuts and {} changes, {} refused and {} read",
        tried.cuts, tried.changes, tried.refused, tried.read
    );
    assert!(tried.refused > tried.cuts / 2, "{format:?}: {tried:?}");
}

#[test]
fn tensors() {
    for format in [Format::Safetensors, Format::Index, Format::Npy, Format::State] {
        damage(format);
    }
}

#[test]
fn gguf() {
    damage(Format::Gguf);
}

#[test]
fn archives() {
    damage(Format::Npz);
}

#[test]
fn configurations() {
    damage(Format::Config);
}

#[test]
fn tokenizers() {
    damage(Format::Tokenizer);
}
