//! NumPy's archives: stored and deflated, in both orders of axes, damaged, and made to fill the memory.

use seqwright::weights::{Checkpoint, Values, WeightError};
use seqwright_tests::gguf::file;
use seqwright_tests::numpy::{archive, array};
use seqwright_tests::random::Random;
use std::time::{Duration, Instant};

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn small(deflated: bool) -> Vec<u8> {
    archive(
        deflated,
        &[
            ("w.npy", array("<f4", false, "(2, 3)", &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))),
            ("ids.npy", array("<i8", false, "(2,)", &[7_i64.to_le_bytes(), (-1_i64).to_le_bytes()].concat())),
            ("mask.npy", array("|b1", false, "()", &[1])),
        ],
    )
}

fn open(bytes: &[u8]) -> Result<Checkpoint, WeightError> {
    let (_folder, path) = file("m.npz", bytes);
    Checkpoint::open(&path)
}

fn mistake(bytes: &[u8]) -> String {
    let error = open(bytes).expect_err("a damaged file was opened");
    let text = error.to_string();
    assert!(text.starts_with("cannot read ") && text.contains("m.npz: ") && text.len() < 600, "{text}");
    assert!(error.help().is_some(), "no hint: {text}");
    text
}

fn survives(bytes: &[u8]) {
    let start = Instant::now();
    if let Ok(checkpoint) = open(bytes) {
        for name in checkpoint.names() {
            let _ = checkpoint.tensor(name).expect("it is named").elements().map(|elements| elements.to_vec());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
}

#[test]
fn stored_and_deflated_arrays_are_read() {
    for deflated in [false, true] {
        let checkpoint = open(&small(deflated)).unwrap();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["ids", "mask", "w"]);
        let view = checkpoint.tensor("w").unwrap();
        assert_eq!((view.shape(), view.numbers().unwrap().to_vec()), (&[2, 3][..], vec![1., 2., 3., 4., 5., 6.]));
        let ids = checkpoint.tensor("ids").unwrap().to_tensor().unwrap();
        assert_eq!(ids.values(), &Values::Integers(vec![7, -1]));
        let mask = checkpoint.tensor("mask").unwrap();
        assert_eq!((mask.shape(), mask.elements().unwrap().get(0)), (&[][..], 1.0));
        assert!(checkpoint.config().is_none());
    }
}

#[test]
fn every_type_of_numbers_is_read() {
    for (kind, bytes, wanted) in [
        ("<f2", vec![0x00, 0x3c], 1.0),
        ("<f8", (-0.25_f64).to_le_bytes().to_vec(), -0.25),
        ("=f4", 1.5_f32.to_le_bytes().to_vec(), 1.5),
        ("<i4", (-3_i32).to_le_bytes().to_vec(), -3.0),
        ("<i8", 9_i64.to_le_bytes().to_vec(), 9.0),
        ("|u1", vec![200], 200.0),
        ("|i1", vec![200], -56.0),
        ("|b1", vec![1], 1.0),
    ] {
        let bytes = archive(false, &[("a.npy", array(kind, false, "(1,)", &bytes))]);
        let checkpoint = open(&bytes).unwrap();
        assert_eq!(checkpoint.tensor("a").unwrap().elements().unwrap().to_vec(), [wanted], "{kind}");
    }
}

#[test]
fn arrays_whose_first_axis_runs_fastest_are_turned() {
    // Element [i, j, k] is 100 i + 10 j + k.
    let mut numbers = Vec::new();
    for k in 0..4 {
        for j in 0..3 {
            for i in 0..2 {
                numbers.push((100 * i + 10 * j + k) as f32);
            }
        }
    }
    let bytes = archive(true, &[("a.npy", array("<f4", true, "(2, 3, 4)", &floats(&numbers)))]);
    let checkpoint = open(&bytes).unwrap();
    let view = checkpoint.tensor("a").unwrap();
    assert_eq!(view.shape(), [2, 3, 4]);
    let found = view.elements().unwrap().to_vec();
    for (place, number) in found.iter().enumerate() {
        let wanted = 100 * (place / 12) + 10 * (place / 4 % 3) + place % 4;
        assert_eq!(*number, wanted as f32, "{place}");
    }
    let empty = archive(false, &[("a.npy", array("<f4", true, "(0, 3)", &[]))]);
    assert!(open(&empty).unwrap().tensor("a").unwrap().elements().unwrap().is_empty());
}

#[test]
fn every_cut_is_an_error() {
    for deflated in [false, true] {
        let whole = small(deflated);
        for length in 0..whole.len() {
            mistake(&whole[..length]);
        }
    }
}

#[test]
fn every_changed_byte_ends_well() {
    for deflated in [false, true] {
        let whole = small(deflated);
        for place in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff, whole[place] ^ 1] {
                let mut changed = whole.clone();
                changed[place] = value;
                survives(&changed);
            }
        }
    }
}

#[test]
fn random_damage_ends_well() {
    let mut random = Random(12);
    for deflated in [false, true] {
        let whole = small(deflated);
        for _ in 0..2000 {
            let mut damaged = whole.clone();
            for _ in 0..=random.below(4) {
                let place = random.below(damaged.len());
                match random.below(4) {
                    0 => damaged[place] = random.below(256) as u8,
                    1 => {
                        let number = [u64::MAX, 1 << 63, 1 << 32, 7, 0][random.below(5)];
                        let end = (place + [2, 4, 8][random.below(3)]).min(damaged.len());
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
}

#[test]
fn changed_numbers_are_noticed() {
    let mut bytes = small(false);
    let place = bytes.windows(4).position(|four| four == 2.0_f32.to_le_bytes()).unwrap();
    bytes[place] ^= 1;
    assert!(mistake(&bytes).contains("the array `w`: it cannot be unpacked"));
}

#[test]
fn an_archive_that_would_fill_the_memory_is_refused_before_it_does() {
    let zeros = array("<f4", false, "(20000000,)", &vec![0; 80_000_000]);
    let bytes = archive(true, &[("a.npy", zeros)]);
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    let text = mistake(&bytes);
    assert!(text.contains("would unpack to 80000128 bytes, and the most that is unpacked is 67108864"), "{text}");
}

#[test]
fn arrays_that_lie_are_told_with_their_name() {
    let one = |bytes: Vec<u8>| archive(false, &[("a.npy", bytes)]);
    for (bytes, wanted) in [
        (
            one(array("<f4", false, "(3,)", &[0; 8])),
            "the array `a`: with elements of type F32 and the shape [3] it takes 12 bytes of data, but has 8",
        ),
        (one(array("<f4", false, "(1,)", &[0; 8])), "it takes 4 bytes of data, but has 8"),
        (one(array("<f4", false, "(9999999999, 9999999999, 0)", &[])), "more than memory can hold"),
        (one(array("|O", false, "(1,)", &[0; 8])), "the array `a`: its elements are Python's objects"),
        (one(array(">f4", false, "(1,)", &[0; 4])), "big-endian"),
        (one(b"no array".to_vec()), "the array `a`: it is not in NumPy's format"),
        (one(Vec::new()), "it is not in NumPy's format"),
        (archive(false, &[("a/data.pkl", vec![1])]), "it has the file `a/data.pkl`, which is no array"),
        (b"not an archive".to_vec(), "it is not a whole archive"),
        (Vec::new(), "it is empty"),
    ] {
        let found = mistake(&bytes);
        assert!(found.contains(wanted), "{found}\nlacks: {wanted}");
    }
    let torch = open(&archive(false, &[("a/data.pkl", vec![1])])).unwrap_err();
    assert!(torch.help().unwrap().contains("PyTorch"));
}

#[test]
fn two_arrays_of_one_name_are_refused() {
    let one = array("<f4", false, "(1,)", &floats(&[1.0]));
    let mut bytes = archive(false, &[("a.npy", one.clone()), ("b.npy", one)]);
    while let Some(place) = bytes.windows(5).position(|five| five == b"b.npy") {
        bytes[place] = b'a';
    }
    assert!(mistake(&bytes).contains("two files of one name"));
}
