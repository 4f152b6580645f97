//! Weights that products keep in fewer bits than 32: how far results may be off, that chunks are what the whole is, and that
//! a file's blocks are its numbers.

use half::f16;
use seqwright::batch::{Batch, padded};
use seqwright::matrix::Kept;
use seqwright::session::{Backend, Checked, Request, Runner, check, weights, weights_as};
use seqwright::tiles::{ActivationPrecision, Instructions, Precision, WeightPrecision};
use seqwright::weights::{Checkpoint, Loaded};
use seqwright_compiler::table::{FileFormat, assemble, bindings};
use seqwright_tests::gguf::{Gguf, file};
use seqwright_tests::goldens::{CASES, Case, case, example, floats, shown};
use seqwright_tests::law::{Law, causal_results};
use seqwright_tests::random::{Random, random_inputs};
use std::collections::BTreeMap;

/// How far results may be off, in what rounding lost of the weights; both relative, as roots of mean squares. A product's
/// error is about that of its weights; errors of a few layers add up as roots of squares, and what sets near scores apart
/// (attention), or divides by a spread (norms), makes them a few times as large.
const AMPLIFIED: f64 = 10.0;

/// What rounding rows to 8 bits loses, as a root of mean squares relative to theirs: 1/√12 of a step of 1/127 of the largest of
/// 32, which is some 2.5 times that root.
const EIGHT_BITS: f64 = 6e-3;

/// Weights in blocks, and rows of 8 bits.
fn by_bytes(weights: WeightPrecision) -> Precision {
    Precision { weights, activations: ActivationPrecision::Eight }
}

const BF16: Precision = Precision { weights: WeightPrecision::Bf16, ..Precision::F32 };
const Q8: Precision = Precision { weights: WeightPrecision::Q8, ..Precision::F32 };
const Q4: Precision = Precision { weights: WeightPrecision::Q4, ..Precision::F32 };
const FILE: Precision = Precision { weights: WeightPrecision::File, ..Precision::F32 };

/// What float32 itself loses, relative to a result, in the golden cases: see `goldens.rs` for single numbers.
const FLOAT32: f64 = 1e-6;

#[test]
fn golden_cases_agree_with_the_reference_as_far_as_their_bits_do() {
    for precision in [BF16, Q8, Q4, by_bytes(WeightPrecision::Q8), by_bytes(WeightPrecision::Q4)] {
        let rows = match precision.activations {
            ActivationPrecision::Sixteen => FLOAT32,
            ActivationPrecision::Eight => EIGHT_BITS,
        };
        let (mut largest, mut faults) = ((0.0, ""), Vec::new());
        for name in CASES {
            let case = case(name);
            let loaded = Loaded { precision, ..case.loaded() };
            let mut all = Vec::new();
            for instructions in Instructions::available() {
                let runner = shown(Runner::new(&case.checked, &loaded, Backend::Cpu(instructions, 2)));
                let error = relative_error(&case, &runner);
                let kept = runner.kept().expect("the processor runs it").clone();
                // A case without weights, or with ones that lose nothing, is off by as much as float32 is.
                let times = (error - FLOAT32).max(0.0) / kept.error.hypot(rows);
                if times.is_nan() || times > AMPLIFIED {
                    let version = instructions.name();
                    faults.push(format!("{name} as {precision}, {version}: {error:.1e}, {:.1e}", kept.error));
                }
                largest = if times > largest.0 { (times, name) } else { largest };
                // Sizes depend on the tiles' widths, what is lost does not.
                all.push((kept.forms, kept.error.to_bits()));
            }
            assert!(all.iter().all(|kept| *kept == all[0]), "{name}");
        }
        println!("{precision}: {:.1} times what the weights and rows lost in {}", largest.0, largest.1);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        // Were they floats after all, nothing would be off.
        assert!(largest.0 > 0.1, "as {precision} off by {} at most", largest.0);
    }
}

/// The root of the mean square of the differences from all expected numbers, relative to theirs.
fn relative_error(case: &Case, runner: &Runner) -> f64 {
    let batch = case.batch();
    let results = shown(runner.run(&batch));
    let (mut error, mut size) = (0.0, 0.0);
    for ((name, id), rows) in runner.outputs().iter().zip(&results) {
        let got = floats(&padded(&runner.model().value(*id).axes, &batch, rows));
        for (got, wanted) in got.iter().zip(floats(&case.io.outputs[name])) {
            error += f64::from(got - wanted) * f64::from(got - wanted);
            size += f64::from(wanted) * f64::from(wanted);
        }
    }
    (error / size).sqrt()
}

/// What is lost is what is said: less with more bits, and nothing where nothing is rounded.
#[test]
fn what_rounding_loses_is_counted() {
    let case = case("gpt2");
    let kept = |precision| {
        let loaded = Loaded { precision, ..case.loaded() };
        let runner = shown(Runner::new(&case.checked, &loaded, Backend::Cpu(Instructions::best(), 1)));
        runner.kept().expect("the processor runs it").clone()
    };
    assert_eq!((kept(Precision::F32).error, kept(Precision::F32).note()), (0.0, None));
    assert_eq!((kept(FILE).error, kept(FILE).note()), (0.0, None));
    // Roots of mean squares: rounding to nearest is off by 1/√12 of a step; a step of bf16 is 2^-7 to 2^-8 of a number, of 8
    // bits 1/127 of the largest of 32, of 4 bits 1/15 of the range: of numbers that are about normal, about four times the
    // root of their mean square.
    for (precision, least, most) in [(BF16, 1e-3, 2.3e-3), (Q8, 2e-3, 1e-2), (Q4, 3e-2, 1.2e-1)] {
        let kept = kept(precision);
        assert!(kept.error > least && kept.error < most, "{precision:?}: {}", kept.error);
        let (_, worst) = kept.worst.clone().expect("something was rounded");
        assert!(worst >= kept.error, "{precision:?}");
        assert!(kept.note().is_some_and(|note| note.contains("rounding them is off by")), "{precision:?}");
    }
}

#[test]
fn chunks_are_what_the_whole_is_in_every_precision() {
    let names: [(&str, &[Precision]); 4] = [
        ("lstm", &[BF16, Q8, Q4, by_bytes(WeightPrecision::Q8)]),
        ("gpt2", &[BF16, Q8, Q4, by_bytes(WeightPrecision::Q8)]),
        ("llama", &[Q8, by_bytes(WeightPrecision::Q4)]),
        ("mamba", &[Q4]),
    ];
    for (name, precisions) in names {
        for precision in precisions {
            let mut case = case(name);
            let batch = case.batch();
            causal_results(&mut case.checked);
            assert!(!case.checked.outputs.is_empty(), "{name}");
            let loaded = Loaded { precision: *precision, ..case.loaded() };
            let name = format!("{name} as {precision}");
            Law { name, checked: case.checked, loaded, batch }.holds(&mut Random(7));
        }
    }
}

/// A small language model whose matrices a GGUF file has in blocks.
struct InBlocks {
    checked: Checked,
    checkpoint: Checkpoint,
    batch: Batch,
}

/// Formats of blocks by the numbers that GGUF files have for them, their bytes, and whether they have a minimum.
const FORMATS: [(u32, usize, bool); 4] = [(2, 18, false), (3, 20, true), (6, 22, false), (8, 34, false)];

/// With blocks of the formats in turn, from tensor to tensor, or of one alone.
fn in_blocks(formats: &[(u32, usize, bool)], random: &mut Random) -> InBlocks {
    let sizes = [("vocab", 40.0), ("dim", 64.0), ("layers", 2.0), ("kv", 2.0), ("group", 2.0), ("half", 8.0)];
    let mut parameters: BTreeMap<String, f64> = sizes.iter().map(|(name, size)| (name.to_string(), *size)).collect();
    parameters.extend([("inner".to_string(), 96.0), ("base".to_string(), 1e4), ("epsilon".to_string(), 1e-6)]);
    let request = Request { file: example("llama"), parameters, ..Request::default() };
    let checked = shown(check(&request, None));
    let (loaded, batch) = random_inputs(&checked, &[9, 1, 40], random);
    let table = bindings(&checked.files, &checked.model, FileFormat::Gguf).expect("the table is whole");
    let tensors = assemble(&table, &checked.model, &loaded.values, None).expect("the weights are whole");
    let mut file_to_be = Gguf::default().text("general.architecture", "llama");
    for (number, (name, tensor)) in tensors.into_iter().enumerate() {
        file_to_be = if let [rows, columns] = tensor.shape[..] {
            let (kind, bytes, minimum) = formats[number % formats.len()];
            let mut all = Vec::new();
            for _ in 0..rows * columns / 32 {
                let scale = f16::from_f32(0.002 + 0.01 * random.fraction() as f32);
                all.extend(scale.to_le_bytes());
                if minimum {
                    all.extend(f16::from_f32(-7.0 * scale.to_f32()).to_le_bytes());
                }
                let rest = bytes - if minimum { 4 } else { 2 };
                all.extend((0..rest).map(|_| (random.below(256) as u8).cast_signed() / 2).map(i8::cast_unsigned));
            }
            file_to_be.tensor(&name, &[columns as u64, rows as u64], kind, all)
        } else {
            file_to_be.matrix(&name, &tensor.shape, &tensor.elements)
        };
    }
    let (_folder, path) = file("small.gguf", &file_to_be.bytes());
    let checkpoint = shown(Checkpoint::open(&path).map_err(seqwright::session::Failure::File));
    InBlocks { checked, checkpoint, batch }
}

#[test]
fn blocks_of_a_file_are_kept_and_are_its_numbers() {
    let mut random = Random(5);
    let one_by_one = FORMATS.iter().map(std::slice::from_ref);
    for formats in one_by_one.chain([&FORMATS[..]]) {
        let InBlocks { checked, checkpoint, batch } = in_blocks(formats, &mut random);
        let kept = shown(weights_as(&checked, Some(&checkpoint), FILE));
        let expanded = shown(weights(&checked, Some(&checkpoint)));
        // Words, the last product, and seven matrices of each layer.
        assert_eq!(kept.blocks.len(), 2 + 2 * 7, "{formats:?}");
        assert!(expanded.blocks.is_empty());
        for (id, blocks) in &kept.blocks {
            assert_eq!(blocks.expand(), *expanded.values[id], "{}", checked.model.value(*id).path);
        }
        assert_eq!(kept.expanded().values, expanded.values);
        for instructions in Instructions::available() {
            let backend = Backend::Cpu(instructions, 2);
            let runner = shown(Runner::new(&checked, &kept, backend));
            assert_eq!(runner.kept().expect("the processor runs it").error, 0.0, "nothing was rounded");
            assert!(!runner.kept().expect("the processor runs it").forms.contains_key("f32"), "{formats:?}");
            let found = shown(runner.run(&batch));
            let wanted = shown(shown(Runner::new(&checked, &expanded, backend)).run(&batch));
            // Only what is multiplied with the weights is rounded: to 16 bits, 2^-16 of the largest of 32, of sums of about
            // a hundred products, through a few layers.
            for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
                assert!((found - wanted).abs() <= 1e-3 * wanted.abs().max(1.0), "{found} instead of {wanted}");
            }
            let rounded = Loaded { precision: by_bytes(WeightPrecision::File), ..kept.clone() };
            let runner = shown(Runner::new(&checked, &rounded, backend));
            let note = runner.kept().and_then(Kept::note).expect("rows are rounded");
            assert!(note.contains("is rounded to 8 bits"), "{note}");
            let found = shown(runner.run(&batch));
            let (mut error, mut size) = (0.0, 0.0);
            for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
                error += f64::from(found - wanted).powi(2);
                size += f64::from(*wanted).powi(2);
            }
            let error = (error / size).sqrt();
            assert!(error > 1e-4 && error < AMPLIFIED * EIGHT_BITS, "{error}");
        }
    }
}

#[test]
fn blocks_of_a_file_come_chunk_by_chunk() {
    let mut random = Random(6);
    let InBlocks { mut checked, checkpoint, batch } = in_blocks(&FORMATS, &mut random);
    let loaded = shown(weights_as(&checked, Some(&checkpoint), FILE));
    causal_results(&mut checked);
    Law { name: "a file's blocks".to_string(), checked, loaded, batch }.holds(&mut random);
}

/// Fewer bits than a file's blocks have are rounded to; blocks that have no more stay.
#[test]
fn blocks_stay_where_they_are_no_larger() {
    let mut random = Random(8);
    let InBlocks { checked, checkpoint, .. } = in_blocks(&FORMATS[3..], &mut random);
    let count = |precision| shown(weights_as(&checked, Some(&checkpoint), precision)).blocks.len();
    assert_eq!([Precision::F32, BF16, Q8, Q4].map(count), [0, 0, 16, 0]);
    let InBlocks { checked, checkpoint, .. } = in_blocks(&FORMATS[1..2], &mut random);
    let count = |precision| shown(weights_as(&checked, Some(&checkpoint), precision)).blocks.len();
    assert_eq!([Precision::F32, BF16, Q8, Q4].map(count), [0, 0, 16, 16]);
}

/// What multiplies with floats alone says so, and expands what loses nothing by it.
#[test]
fn the_interpreter_takes_floats() {
    let case = case("lstm");
    let loaded = Loaded { precision: Q8, ..case.loaded() };
    let failure = Runner::new(&case.checked, &loaded, Backend::Interpreter).err().expect("it is refused").render(false);
    assert!(failure.contains("not with q8") && failure.contains("--weights"), "{failure}");
    let InBlocks { checked, checkpoint, batch } = in_blocks(&FORMATS, &mut Random(9));
    let kept = shown(weights_as(&checked, Some(&checkpoint), FILE));
    let runs = |loaded: &Loaded| shown(shown(Runner::new(&checked, loaded, Backend::Interpreter)).run(&batch));
    assert_eq!(runs(&kept), runs(&shown(weights(&checked, Some(&checkpoint)))));
}
