//! GGUF files: what llama.cpp's own package wrote, configurations from metadata, and files that are damaged or lie.

use seqwright::weights::{Checkpoint, GgufFile, WeightError};
use seqwright_tests::gguf::{Gguf, file, kind, list, text};
use seqwright_tests::random::Random;
use seqwright_tests::sources::repository;
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

/// A file with a value of many kinds, a small vocabulary, and tensors of several formats.
fn small() -> Gguf {
    Gguf::default()
        .text("general.architecture", "small")
        .number("small.block_count", 2)
        .float("small.epsilon", 1e-5)
        .key(
            "small.deep",
            kind::LIST,
            list(kind::LIST, 2, &[list(kind::U8, 2, &[1, 2]), list(kind::U8, 0, &[])].concat()),
        )
        .integers("small.heads", &[4, -2])
        .text("tokenizer.chat_template", "{{ text }}")
        .text("tokenizer.chat_template.tool_use", "{{ tool }}")
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "gpt-2")
        .texts("tokenizer.ggml.tokens", &["<end>", "a", "b", "ab", "Ġ"])
        .integers("tokenizer.ggml.token_type", &[3, 1, 1, 1, 1])
        .texts("tokenizer.ggml.merges", &["a b"])
        .number("tokenizer.ggml.eos_token_id", 0)
        .matrix("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .tensor("q", &[32, 2], 8, vec![3; 68])
        .tensor("h", &[3], 1, vec![0; 6])
}

fn open(bytes: &[u8]) -> Result<Checkpoint, WeightError> {
    let (_folder, path) = file("m.gguf", bytes);
    // The mapping stays when the file is gone.
    Checkpoint::open(&path)
}

fn mistake(bytes: &[u8]) -> String {
    let error = open(bytes).expect_err("a damaged file was opened");
    let text = error.to_string();
    assert!(text.starts_with("cannot read ") && text.contains("m.gguf: "), "{text}");
    assert!(error.help().is_some(), "no hint: {text}");
    assert!(text.len() < 600, "{text}");
    text
}

/// Everything that can be asked of a file, which may be wrong but must end.
fn survives(bytes: &[u8]) {
    let start = Instant::now();
    if let Ok(checkpoint) = open(bytes) {
        for name in checkpoint.names() {
            let view = checkpoint.tensor(name).expect("it is named");
            let _ = view.elements().map(|elements| elements.to_vec());
        }
        if let Ok(Some(tokenizer)) = checkpoint.tokenizer() {
            let _ = tokenizer.encode("ab <end> a").map(|ids| tokenizer.decode(&ids));
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
}

#[test]
fn every_format_expands_to_what_its_makers_expand_it_to() {
    let folder = repository().join("tests/fixtures/gguf");
    let packed = Checkpoint::open(&folder.join("blocks.gguf")).expect("a whole file");
    let plain = Checkpoint::open(&folder.join("blocks.npz")).expect("a whole file");
    let names: Vec<&str> = packed.names().collect();
    assert_eq!(names, ["BF16", "F16", "F32", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q6_K", "Q8_0"]);
    assert_eq!(names, plain.names().collect::<Vec<_>>());
    for name in names {
        let (one, other) = (packed.tensor(name).unwrap(), plain.tensor(name).unwrap());
        assert_eq!(one.format().to_string(), name);
        assert_eq!(one.shape(), other.shape());
        let (one, other) = (one.elements().unwrap(), other.elements().unwrap());
        let bits = |numbers: Vec<f32>| -> Vec<u32> { numbers.into_iter().map(f32::to_bits).collect() };
        assert!(bits(one.to_vec()) == bits(other.to_vec()), "{name}");
        let one_by_one = (0..one.len()).map(|index| one.get(index)).collect();
        assert!(bits(one_by_one) == bits(one.to_vec()), "{name}");
    }
}

#[test]
fn metadata_are_a_configuration_nested_by_their_dots() {
    for version in [2, 3] {
        let checkpoint = open(&Gguf { version, ..small() }.bytes()).unwrap();
        let wanted = json!({
            "general": {"architecture": "small"},
            "small": {"block_count": 2, "deep": {"length": 2}, "epsilon": f64::from(1e-5_f32), "heads": [4, -2]},
            "tokenizer": {
                "chat_template": "{{ text }}",
                "chat_template.tool_use": "{{ tool }}",
                "ggml": {
                    "eos_token_id": 0, "merges": ["a b"], "model": "gpt2", "pre": "gpt-2",
                    "token_type": [3, 1, 1, 1, 1], "tokens": ["<end>", "a", "b", "ab", "Ġ"]
                }
            }
        });
        assert_eq!(checkpoint.config(), Some(&wanted));
        let view = checkpoint.tensor("w").unwrap();
        assert_eq!((view.shape(), view.elements().unwrap().to_vec()), (&[2, 3][..], vec![1., 2., 3., 4., 5., 6.]));
        assert_eq!(checkpoint.tensor("q").unwrap().shape(), [2, 32]);
    }
}

#[test]
fn long_lists_and_strange_keys_stay_out_of_the_configuration() {
    let many = vec!["x"; 513];
    let deep = ".".repeat(60_000);
    let bytes = Gguf::default()
        .texts("a.tokens", &many)
        .key("a.nan", kind::F32, f32::NAN.to_le_bytes())
        .number(&deep, 1)
        .number("b..c", 2)
        .key("large", kind::U64, u64::MAX.to_le_bytes())
        .bytes();
    let checkpoint = open(&bytes).unwrap();
    let config = checkpoint.config().unwrap();
    assert_eq!(config["a"], json!({"nan": null, "tokens": {"length": 513}}));
    assert_eq!(config["b"], json!({"": {"c": 2}}));
    assert_eq!(config["large"], json!(u64::MAX));
}

#[test]
fn a_folder_with_one_gguf_file_is_that_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), "not looked at").unwrap();
    fs::write(folder.path().join("one.gguf"), small().bytes()).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.config().unwrap()["small"]["block_count"], 2);
    assert!(checkpoint.file_of("w").unwrap().ends_with("one.gguf"));
    // Without an ending that says so, its first bytes do.
    let blob = folder.path().join("blob");
    fs::copy(folder.path().join("one.gguf"), &blob).unwrap();
    assert!(Checkpoint::open(&blob).is_ok());
    fs::copy(&blob, folder.path().join("two.GGUF")).unwrap();
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("the folder has 2 files of weights, and one model has one"), "{error}");
    assert!(error.help().unwrap().contains("one.gguf"));
}

#[test]
fn every_cut_is_an_error() {
    let whole = small().bytes();
    assert!(open(&whole).is_ok());
    for length in 0..whole.len() {
        mistake(&whole[..length]);
    }
    // What fills up the last tensor may be there or not, and nothing more.
    let mut longer = whole;
    let end = longer.len();
    while !longer.len().is_multiple_of(32) {
        longer.push(0);
        assert!(open(&longer).is_ok());
    }
    longer.push(0);
    let text = mistake(&longer);
    assert!(text.contains("its tensors end at byte"), "{end}: {text}");
}

#[test]
fn every_changed_byte_of_the_head_ends_well() {
    let (whole, head) = (small().bytes(), small().head().len());
    for place in 0..head {
        for value in [0, 1, 2, 9, 0x20, 0x7f, 0x80, 0xff, whole[place] ^ 1, whole[place] ^ 0x10] {
            let mut changed = whole.clone();
            changed[place] = value;
            survives(&changed);
        }
    }
}

#[test]
fn random_damage_ends_well() {
    let mut random = Random(11);
    let whole = small().bytes();
    let head = small().head().len();
    for _ in 0..4000 {
        let mut damaged = whole.clone();
        for _ in 0..=random.below(4) {
            let place = random.below(head);
            match random.below(4) {
                0 => damaged[place] = random.below(256) as u8,
                // Whole numbers that lie: large, near the largest, and small ones.
                1 => {
                    let number = [u64::MAX, 1 << 63, 1 << 32, 7, 0, head as u64][random.below(6)];
                    let end = (place + 8).min(head);
                    damaged[place..end].copy_from_slice(&number.to_le_bytes()[..end - place]);
                }
                2 => {
                    damaged.remove(place);
                }
                _ => damaged.insert(place, random.below(256) as u8),
            }
        }
        survives(&damaged);
    }
}

#[test]
fn heads_that_lie_are_told_with_their_place() {
    let start = |version: u32, tensors: u64, keys: u64| {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(version.to_le_bytes());
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(keys.to_le_bytes());
        bytes
    };
    let name = "\u{1b}[31m".repeat(5000);
    let key = |kind: u32, value: &[u8]| Gguf::default().key("k", kind, value).bytes();
    let tensor =
        |sizes: &[u64], kind: u32, bytes: usize| Gguf::default().tensor("t", sizes, kind, vec![0; bytes]).bytes();
    let mut nested = list(kind::U8, 1, &[1]);
    for _ in 0..100_000 {
        nested = [&kind::LIST.to_le_bytes()[..], &1_u64.to_le_bytes(), &nested].concat();
        if nested.len() > 1_000_000 {
            break;
        }
    }
    for (bytes, wanted) in [
        (start(3, u64::MAX, 0), "claims to have 18446744073709551615 tensors, and the most is 1048576"),
        (start(3, 0, u64::MAX), "claims to have 18446744073709551615 keys of metadata, and the most is 4096"),
        (start(3, 1, 0), "ends inside the name of its tensor 1 of 1: at byte 24 there should be 8 bytes, but only 0"),
        (start(1, 0, 0), "version 1, and Seqwright reads versions 2 and 3"),
        (start(4, 0, 0), "unknown version 4"),
        (start(3_u32.swap_bytes(), 0, 0), "big-endian"),
        (b"GGML and more".to_vec(), "it begins with `GGML`, not with `GGUF`"),
        (key(13, &[]), "the value of the key `k` is of the unknown kind 13 (at byte 33)"),
        (key(kind::BOOL, &[2]), "should be true or false, 1 or 0, but is 2 (at byte 37)"),
        (key(kind::LIST, &list(kind::BOOL, 2, &[0, 3])), "but is 3 (at byte 50)"),
        (key(kind::TEXT, &[9, 0, 0, 0, 0, 0, 0, 0, b'a']), "should be 9 bytes, but only 1 follow"),
        (key(kind::TEXT, &u64::MAX.to_le_bytes()), "should be 18446744073709551615 bytes"),
        (key(kind::TEXT, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]), "is not UTF-8 text (at byte 45 of the file)"),
        (
            key(kind::LIST, &list(kind::U64, u64::MAX / 4, &[])),
            "claims to be a list of 4611686018427387903 (at byte 37)",
        ),
        (key(kind::LIST, &list(kind::TEXT, 1 << 40, &[0; 64])), "room for 8 at most"),
        (key(kind::LIST, &nested), "has lists in lists more than 4 deep"),
        (Gguf::default().number("k", 1).number("k", 1).bytes(), "the key `k` comes twice"),
        (Gguf::default().number("", 1).bytes(), "the name of its key 1 of 1 at byte 24 is empty"),
        (Gguf::default().number(&"k".repeat(70_000), 1).bytes(), "is 70000 bytes long, and the most is 65535"),
        (Gguf::default().number("split.count", 3).bytes(), "one of the 3 parts of a model"),
        (Gguf::default().number("general.alignment", 0).bytes(), "should be a power of two"),
        (Gguf::default().number("general.alignment", 24).bytes(), "should be a power of two"),
        (Gguf::default().text("general.alignment", "32").bytes(), "should be a power of two"),
        (tensor(&[1, 1, 1, 1, 1], 0, 4), "claims 5 dimensions, and the most is 4"),
        (tensor(&[2], 99, 8), "gives it elements of the unknown type 99"),
        (tensor(&[256], 13, 176), "gives it elements of type Q5_K, which Seqwright does not read"),
        (tensor(&[33], 2, 18), "rows of 33, which are no whole blocks of 32 elements, as Q4_0 has them"),
        (tensor(&[16, 2], 2, 18), "rows of 16, which are no whole blocks"),
        (tensor(&[u64::MAX, 2], 0, 8), "more than memory can hold"),
        (tensor(&[1 << 32, 1 << 32, 0], 0, 0), "more than memory can hold"),
        (tensor(&[3], 0, 8), "the tensor `t` should have 12 bytes from byte 0 of the data on, which is 8 bytes long"),
        (tensor(&[2], 0, 40), "its tensors end at byte 8 of its data, which is 40 bytes long"),
        (tensor(&[1 << 40], 0, 8), "it ends inside its tensors"),
        (Gguf::default().matrix("t", &[1], &[0.0]).matrix("t", &[1], &[0.0]).bytes(), "the tensor `t` comes twice"),
        (
            Gguf { alignment: 8, ..Gguf::default() }.matrix("a", &[2], &[0.; 2]).matrix("b", &[2], &[0.; 2]).bytes(),
            "puts it at byte 8 of the data, which is no multiple of 32",
        ),
        (Gguf::default().matrix(&name, &[3], &[0.0; 2]).bytes(), "\\u{1b}[31m"),
        (Vec::new(), "it is empty"),
    ] {
        let found = mistake(&bytes);
        assert!(found.contains(wanted), "{found}\nlacks: {wanted}");
    }
}

#[test]
fn tensors_that_overlap_or_leave_gaps_are_told() {
    let whole = Gguf::default().matrix("a", &[4], &[1.0; 4]).matrix("b", &[4], &[2.0; 4]);
    let head = whole.head().len();
    let moved = |place: u64| {
        let mut bytes = whole.bytes();
        bytes[head - 8..head].copy_from_slice(&place.to_le_bytes());
        bytes
    };
    assert!(open(&moved(32)).is_ok());
    assert!(mistake(&moved(0)).contains("the tensors `a` and `b` overlap at byte 0 of its data"));
    assert!(mistake(&moved(64)).contains("the bytes 32 to 64 of its data, before the tensor `b`, belong to no tensor"));
    assert!(mistake(&moved(16)).contains("no multiple of 32"));
    assert!(mistake(&moved(u64::MAX - 31)).contains("belong to no tensor"));
    // A type that is not the true one is too short or too long for its place.
    let mut bytes = whole.bytes();
    bytes[head - 12] = 28;
    assert!(mistake(&bytes).contains("it ends inside its tensors: the tensor `b`"));
}

#[test]
fn a_file_of_another_kind_is_told_as_what_it_is() {
    for (bytes, wanted) in [
        (&b"<!DOCTYPE html><html></html>"[..], "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"PK\x03\x04....", "PyTorch"),
    ] {
        let help = open(bytes).unwrap_err().help().unwrap().to_string();
        assert!(help.contains(wanted), "{help}");
    }
    let (_folder, path) = file("m.gguf", &text("x"));
    assert!(GgufFile::open(&path).is_err());
}
