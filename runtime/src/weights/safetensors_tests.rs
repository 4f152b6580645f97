//! Tests of `safetensors.rs`: good files of every element type, and every way to damage one.

use std::fs;

use super::*;
use crate::weights::testing::{cached_model, file_bytes, file_in_folder};

const TWO_TENSORS: &str = concat!(
    r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#,
    r#""b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}"#
);

fn error_of(bytes: &[u8]) -> WeightError {
    let (_folder, path) = file_in_folder("m.safetensors", bytes);
    let error = SafetensorsFile::open(&path).expect_err("a damaged file was opened");
    let text = error.to_string();
    assert!(text.starts_with("cannot read ") && text.contains("m.safetensors: "), "{text}");
    assert!(error.help().is_some(), "no hint: {text}");
    error
}

#[test]
fn opens_a_good_file_and_finds_its_tensors() {
    let data = [0, 0, 128, 63, 0, 0, 0, 192, 7, 8, 9];
    let (_folder, path) = file_in_folder("m.safetensors", &file_bytes(TWO_TENSORS, &data));
    let file = SafetensorsFile::open(&path).unwrap();
    assert_eq!(file.path(), path);
    assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b"]);
    let a = file.tensor("a").unwrap();
    assert_eq!((a.format(), a.shape()), (Format::Plain(::safetensors::Dtype::F32), &[2][..]));
    assert_eq!(a.elements().unwrap().to_vec(), [1.0, -2.0]);
    let b = file.tensor("b").unwrap();
    assert_eq!(b.elements().unwrap().to_vec(), [7.0, 8.0, 9.0]);
    assert!(file.tensor("c").is_none());
}

#[test]
fn tensors_may_come_in_any_order_and_be_empty() {
    let header = concat!(
        r#"{"z":{"dtype":"U8","shape":[0,4],"data_offsets":[2,2]},"#,
        r#""y":{"dtype":"U8","shape":[],"data_offsets":[2,3]},"#,
        r#""x":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}}"#
    );
    let (_folder, path) = file_in_folder("m.safetensors", &file_bytes(header, &[1, 2, 3]));
    let file = SafetensorsFile::open(&path).unwrap();
    assert_eq!(file.tensor("x").unwrap().elements().unwrap().to_vec(), [1.0, 2.0]);
    assert_eq!(file.tensor("y").unwrap().elements().unwrap().to_vec(), [3.0]);
    assert!(file.tensor("z").unwrap().elements().unwrap().to_vec().is_empty());
    let (_folder, path) = file_in_folder("m.safetensors", &file_bytes("{}", &[]));
    assert_eq!(SafetensorsFile::open(&path).unwrap().names().count(), 0);
}

#[test]
fn every_truncation_and_every_extension_is_an_error() {
    let whole = file_bytes(TWO_TENSORS, &[0; 11]);
    for length in 0..whole.len() {
        error_of(&whole[..length]);
    }
    let mut longer = whole;
    longer.push(0);
    let text = error_of(&longer).to_string();
    assert!(text.contains("tensors end at byte 11 of its data, which is 12 bytes long"), "{text}");
}

#[test]
fn no_changed_byte_is_a_panic() {
    let whole = file_bytes(TWO_TENSORS, &[0; 11]);
    let folder = tempfile::tempdir().unwrap();
    for position in 0..whole.len() - 11 {
        for value in [0, b'"', b'9', b'{', b'}', b'[', b',', 0x7f, 0xff] {
            let mut changed = whole.clone();
            changed[position] = value;
            let path = folder.path().join("m.safetensors");
            fs::write(&path, changed).unwrap();
            // Some changes make another good file (a new name); the others must be errors.
            if let Ok(file) = SafetensorsFile::open(&path) {
                for name in file.names() {
                    file.tensor(name).unwrap().elements().unwrap().to_vec();
                }
            }
        }
    }
}

#[test]
fn every_wrong_layout_is_named() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"t":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let two = |first: &str, second: &str| {
        format!(
            r#"{{"t":{{"dtype":"U8","shape":[4],"data_offsets":{first}}},
                "u":{{"dtype":"U8","shape":[4],"data_offsets":{second}}}}}"#
        )
    };
    let max = u64::MAX;
    let cases = [
        (one("F32", "[2]", "[8,0]"), "tensor `t` ends at byte 0, before its start at byte 8"),
        (one("F32", "[2]", "[8,16]"), "`t` should end at byte 16 of the data, but the file has on"),
        (one("F32", "[2]", &format!("[0,{max}]")), "but the file has only 8 bytes of data"),
        (one("F32", "[3]", "[0,8]"), "type F32 and shape [3] takes 12 bytes, but its offsets give"),
        (one("F16", "[2]", "[0,8]"), "takes 4 bytes, but its offsets give it 8"),
        (one("F4", "[3]", "[0,8]"), "takes 12 bits, but its offsets give it 8"),
        (one("U8", "[4294967296,4294967296]", "[0,8]"), "more than memory can hold"),
        (one("F32", &format!("[{max}]"), "[0,8]"), "more than memory can hold"),
        (one("F32", &format!("[0,{max},{max}]"), "[0,0]"), "more than memory can hold"),
        (one("F32", "[1]", "[4,8]"), "bytes 0 to 4 of its data, before tensor `t`, belong to no"),
        (one("F32", "[1]", "[0,4]"), "its tensors end at byte 4 of its data, which is 8 bytes long"),
        (two("[0,4]", "[0,4]"), "tensors `t` and `u` overlap at byte 0"),
        (two("[0,4]", "[3,7]"), "tensors `t` and `u` overlap at byte 3"),
        ("{}".to_string(), "its tensors end at byte 0 of its data, which is 8 bytes long"),
        (one("F33", "[2]", "[0,8]"), "its dtype `F33` is not a known one"),
        (r#"{"t":1"#.to_string(), "tensor `t`"),
    ];
    for (header, expected) in cases {
        let text = error_of(&file_bytes(&header, &[0; 8])).to_string();
        assert!(text.contains(expected), "{header}\n{text}\nlacks: {expected}");
    }
}

#[test]
fn offsets_that_add_up_to_an_overflow_are_an_error() {
    // Eight tensors of nearly 2^61 bytes: each is possible, their sum is not.
    let size = (1_u64 << 61) - 1;
    let entries = (0..8_u64).map(|index| {
        let (start, end) = (index * size, (index + 1) * size);
        format!(r#""{index}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{start},{end}]}}"#)
    });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    error_of(&file_bytes(&header, &[0; 8]));
}

#[test]
fn absurd_header_lengths_are_errors() {
    for (length, expected) in [
        (u64::MAX, "not a safetensors file"),
        (LONGEST_HEADER + 1, "and the most is 100000000"),
        (LONGEST_HEADER, "it ends inside its header"),
        (3, "the header should be 3 bytes, but only 2 follow"),
        (0, "its header is not JSON"),
    ] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"{}");
        let text = error_of(&bytes).to_string();
        assert!(text.contains(expected), "{length}: {text}");
    }
}

#[test]
fn what_is_no_safetensors_file_gets_a_fitting_hint() {
    for (bytes, expected) in [
        (&b"version https://git-lfs example\noid sha256:00"[..], "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"PK\x03\x04 and so on", "PyTorch"),
        (b"GGUF and so on", "`.gguf`"),
        (b"", "download it again"),
    ] {
        let help = error_of(bytes).help().unwrap().to_string();
        assert!(help.contains(expected), "{help}");
    }
}

#[test]
fn missing_files_folders_and_broken_links_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| SafetensorsFile::open(&folder.path().join(name)).unwrap_err();
    assert!(open("none.safetensors").to_string().ends_with("there is no such file"));
    assert!(open("").to_string().ends_with("expected a file, but it is a folder"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("gone", folder.path().join("link")).unwrap();
        assert!(open("link").to_string().ends_with("it is a link to a file that does not exist"));
    }
}

#[test]
fn the_published_crate_agrees_on_a_real_checkpoint() {
    let Some(folder) = cached_model("minilm") else {
        return;
    };
    let path = folder.join("model.safetensors");
    let file = SafetensorsFile::open(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let reference = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.names().count(), reference.len());
    for (name, expected) in reference.iter() {
        let found = file.tensor(name).unwrap();
        assert_eq!((found.format(), found.shape()), (Format::Plain(expected.dtype()), expected.shape()));
        assert!(found.bytes() == expected.data(), "{name} differs");
    }
}
