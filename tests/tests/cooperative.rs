//! Products by cooperative matrices. Few adapters have them, so that what stands around the operations is run with what those
//! mean, spelt out in the shader; and each shader is written as SPIR-V, which must have the operations themselves.

#![cfg(feature = "gpu")]

use naga::back::spv;
use naga::front::wgsl;
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use seqwright::gpu::{Device, Storage};
use seqwright::session::{Backend, Checked, Request, Runner, check, lower};
use seqwright_compiler::wgsl::{Cooperative, CooperativeSize, Target, emit};
use seqwright_tests::backends::{adapter, device};
use seqwright_tests::goldens::{CASES, case, example, shown, small};
use seqwright_tests::random::{Random, random_inputs};
use seqwright_tests::tolerance::{HALF, loosest_of_all};

/// What is multiplied, by matrices of which size.
const KINDS: [(CooperativeSize, bool); 4] = [
    (CooperativeSize::Eight, false),
    (CooperativeSize::Sixteen, false),
    (CooperativeSize::Eight, true),
    (CooperativeSize::Sixteen, true),
];

fn checked(name: &str, sizes: &[(&str, f64)]) -> Checked {
    let parameters = sizes.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    shown(check(&Request { file: example(name), parameters, ..Request::default() }, None))
}

/// A device for shaders with the operations' meaning; none where there is none, or it has no subgroups or too little memory.
fn spelt_out((size, half): (CooperativeSize, bool)) -> Option<Device> {
    let subgroup = adapter()?.largest_subgroup() as usize;
    let mut device = device(if half { Storage::F16 } else { Storage::F32 })?;
    let own = Cooperative { size, half, subgroup, spelt_out: true };
    if !device.target.subgroups || device.target.workgroup_bytes < own.workgroup_bytes() {
        return None;
    }
    // Weights stay f32: only what is multiplied is rounded.
    device.target.f16 = false;
    device.target.cooperative = Some(own);
    Some(device)
}

/// Whether a model has a product in tiles.
fn is_used(checked: &Checked, target: &Target) -> bool {
    let program = lower(checked).program;
    (0..program.kernels.len()).any(|kernel| emit(&program, kernel, target).text.contains("= multiply_add("))
}

#[test]
fn golden_cases_are_as_near_by_what_cooperative_matrices_mean() {
    let mut seen = 0;
    for name in CASES {
        let case = case(name);
        let Some(device) = spelt_out(KINDS[0]) else { return };
        seen += usize::from(is_used(&case.checked, &device.target));
        let runner = shown(Runner::on_device(&case.checked, &case.loaded(), device));
        for (output, operation, error) in case.errors(&runner, &case.batch()) {
            assert!(error <= operation.tolerance(), "{name}, {output}, {operation:?}: off by {error:e}");
        }
    }
    assert!(seen >= 15, "only {seen} cases have products");
}

/// Sizes that are no multiples of a matrix or a tile, and more rows than a tile; columns in order, in fours (gates) and in pairs
/// (rotary positions).
#[test]
fn edges_are_zeros_and_columns_go_where_they_belong() {
    let models = [
        ("lstm", &[("input", 33.0), ("hidden", 67.0)][..]),
        ("attention", &[("dim", 70.0), ("heads", 2.0)]),
        (
            "gpt2",
            &[("vocab", 11.0), ("context", 80.0), ("dim", 20.0), ("layers", 1.0), ("heads", 2.0), ("inner", 75.0)],
        ),
        (
            "llama",
            &[
                ("vocab", 13.0),
                ("dim", 36.0),
                ("layers", 1.0),
                ("kv", 3.0),
                ("group", 2.0),
                ("half", 3.0),
                ("inner", 69.0),
            ],
        ),
    ];
    for (name, sizes) in models {
        let checked = checked(name, sizes);
        let (loaded, batch) = random_inputs(&checked, &[1, 70, 9], &mut Random(5));
        let wanted = shown(shown(Runner::new(&checked, &loaded, Backend::Interpreter)).run(&batch));
        // A driver takes its time for what is spelt out: one model sees all kinds.
        for kind in KINDS.into_iter().take(if name == "llama" { KINDS.len() } else { 1 }) {
            let Some(device) = spelt_out(kind) else { return };
            assert!(is_used(&checked, &device.target), "{name} has no product");
            let got = shown(shown(Runner::on_device(&checked, &loaded, device)).run(&batch));
            let tolerance = if kind.1 { HALF } else { loosest_of_all(&checked).tolerance() };
            let mut largest = 0f32;
            for (got, wanted) in got.iter().flatten().zip(wanted.iter().flatten()) {
                let error = (got - wanted).abs() / wanted.abs().max(1.0);
                assert!(error <= tolerance, "{name}, {kind:?}: {got} instead of {wanted}");
                largest = largest.max(error);
            }
            // Were factors not rounded to f16 after all, nothing would be off so far.
            assert_eq!(largest > 1e-5, kind.1, "{name}, {kind:?}: off by {largest:e} at most");
        }
    }
}

/// Operations and what they need, by their numbers in SPIR-V's extension `SPV_KHR_cooperative_matrix`.
const CAPABILITY: u32 = 17;
const CONSTANT: u32 = 43;
const COOPERATIVE_MATRIX: u32 = 6022;
const LOAD: u32 = 4457;
const STORE: u32 = 4458;
const MULTIPLY_ADD: u32 = 4459;

/// The operands of each instruction of an operation.
fn operands(words: &[u32], operation: u32) -> Vec<&[u32]> {
    let (mut rest, mut found) = (&words[5..], Vec::new());
    while let Some(first) = rest.first() {
        let (own, others) = rest.split_at((first >> 16) as usize);
        found.extend((first & 0xffff == operation).then_some(&own[1..]));
        rest = others;
    }
    found
}

/// What a driver gets: for each tile's product as many loads, products and stores as its plan has, each of rows one after the other
/// (layout 0), as far apart as they lie in workgroup memory.
#[test]
fn shaders_with_cooperative_matrices_are_spir_v_with_them() {
    for (size, half) in KINDS {
        let own = Cooperative { size, half, subgroup: 32, spelt_out: false };
        let target = Target {
            subgroups: true,
            workgroup_bytes: own.workgroup_bytes(),
            cooperative: Some(own),
            ..Target::default()
        };
        let program = lower(&small("attention")).program;
        let mut seen = 0;
        for kernel in 0..program.kernels.len() {
            let text = emit(&program, kernel, &target).text;
            let tiles = text.matches("fn product").count() - text.matches("fn product_few").count();
            if tiles == 0 {
                assert!(!text.contains("coop"), "{text}");
                continue;
            }
            seen += tiles;
            let module = wgsl::parse_str(&text).expect("it was parsed as it was emitted");
            let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
            validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
            let info = validator.validate(&module).expect("it was validated as it was emitted");
            let options = spv::Options { lang_version: (1, 3), ..spv::Options::default() };
            let words = spv::write_vec(&module, &info, &options, None).unwrap_or_else(|why| panic!("{why}\n{text}"));
            let has = |operation| operands(&words, operation).len();
            assert!(operands(&words, CAPABILITY).contains(&&[COOPERATIVE_MATRIX][..]));
            // Eight subgroups share 64 matrices of 8 by 8, two rows of four each, or 16 of 16 by 16, a row of two each.
            let (rows, columns) = if size == CooperativeSize::Eight { (2, 4) } else { (1, 2) };
            let wanted = [rows + columns, rows * columns, rows * columns].map(|each| each * tiles);
            assert_eq!([LOAD, MULTIPLY_ADD, STORE].map(has), wanted, "{size:?}\n{text}");
            // Loads have a type, a result, a pointer, a layout and a stride; stores have a pointer and a matrix before these.
            let constant = |id: u32| operands(&words, CONSTANT).into_iter().find(|own| own[1] == id).map(|own| own[2]);
            let layouts = |operation, first: usize| -> Vec<Vec<Option<u32>>> {
                operands(&words, operation)
                    .iter()
                    .map(|own| own[first..].iter().map(|id| constant(*id)).collect())
                    .collect()
            };
            let of_rows = |apart: u32, count: usize| vec![vec![Some(0), Some(apart)]; count];
            let loads: Vec<_> = (0..tiles).flat_map(|_| [of_rows(16, rows), of_rows(64, columns)].concat()).collect();
            assert_eq!(layouts(LOAD, 3), loads, "{size:?}\n{text}");
            assert_eq!(layouts(STORE, 2), of_rows(64, rows * columns * tiles), "{size:?}\n{text}");
        }
        assert!(seen > 0, "the example has no product");
    }
}
