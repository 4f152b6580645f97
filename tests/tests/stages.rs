//! Every printed stage of every example, as a snapshot. Sizes are small, so that they can be read in review.

use seqwright::link::assembly;
use seqwright::session::{Checked, Request, check, lower, print_syntax};
use seqwright_compiler::clif;
use seqwright_compiler::strip::Strip;
use seqwright_compiler::strip::avx512::Code;
use seqwright_tests::goldens::{example, shown, small as checked};

/// Stacks are printed one layer deep but for the stage that shows how layers share kernels.
fn each(stage: &str, print: impl Fn(&Checked) -> String) {
    let mut seen = 0;
    for entry in
        std::fs::read_dir(seqwright_tests::sources::repository().join("examples")).expect("the examples are there")
    {
        let path = entry.expect("a file that can be listed").path();
        if path.extension().is_some_and(|extension| extension == "seq") {
            let name = path.file_stem().expect("a file has a name").to_string_lossy().to_string();
            let text = print(&checked(&name));
            insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => format!("../snapshots/{stage}")}, {
                insta::assert_snapshot!(name, text);
            });
            seen += 1;
        }
    }
    assert!(seen >= 16, "only {seen} examples were found");
}

#[test]
fn syntax() {
    each("syntax", |checked| print_syntax(&checked.files));
}

#[test]
fn model() {
    each("model", |checked| checked.model.print());
}

#[test]
fn graph() {
    each("graph", |checked| lower(checked).graph.print());
}

#[test]
fn fused() {
    each("fused", |checked| lower(checked).fused.print());
}

#[test]
fn kernels() {
    each("kernels", |checked| lower(checked).program.print());
}

/// A target without vectors wider than Cranelift's.
fn narrow() -> clif::Target {
    let (call_conv, pointer) = (cranelift_codegen::isa::CallConv::SystemV, cranelift_codegen::ir::types::I64);
    clif::Target { call_conv, pointer, wide: false }
}

/// What strips a norm and the activation after it become, where there are wider vectors: their steps, and their machine code.
#[test]
fn strips() {
    let sizes = [("vocab", 100.0), ("context", 32.0), ("dim", 64.0), ("layers", 1.0), ("heads", 2.0), ("inner", 128.0)];
    let parameters = sizes.iter().map(|(name, size)| (name.to_string(), *size)).collect();
    let request = Request { file: example("gpt2"), parameters, ..Request::default() };
    let program = lower(&shown(check(&request, None))).program;
    let place = program.calls.iter().position(|call| call.name.contains("down'1")).expect("the activation has a call");
    let kernel = program.calls[place].kernel;
    let emitted = clif::emit(&program, kernel, clif::Target { wide: true, ..narrow() });
    let strip = |(number, (strip, code)): (usize, &(Strip, Code))| {
        format!("strip {number}, number by number\n{}as machine code\n{}", strip.print(), code.text)
    };
    let strips: Vec<String> = emitted.strips.iter().enumerate().map(strip).collect();
    insta::assert_snapshot!(format!(
        "{}\n{}",
        program.print_kernel(kernel, &program.kernels[kernel]),
        strips.join("\n")
    ));
}

/// The IR of whole examples is long: of each, the shortest kernel is kept under review, and of an LSTM all.
#[test]
fn clif_ir() {
    each("clif", |checked| {
        let program = lower(checked).program;
        let emit = |kernel| clif::emit(&program, kernel, narrow()).function.display().to_string();
        let all: Vec<String> = (0..program.kernels.len()).map(emit).collect();
        if checked.model.name == "LSTMNetwork" {
            all.join("\n")
        } else {
            all.into_iter().min_by_key(String::len).unwrap_or_default()
        }
    });
}

/// Shaders likewise. Each that is emitted, whether it is kept or not, is parsed and validated by naga.
#[test]
fn wgsl() {
    use seqwright_compiler::wgsl::{Target, emit};
    let target = Target::default();
    each("wgsl", |checked| {
        let program = lower(checked).program;
        let all: Vec<String> =
            (0..program.kernels.len()).map(|kernel| emit(&program, kernel, &target).print()).collect();
        if checked.model.name == "LSTMNetwork" {
            all.join("\n")
        } else {
            all.into_iter().min_by_key(String::len).unwrap_or_default()
        }
    });
}

/// Recurrences that are affine in their state: of one axis; of two, whose factor and addend are computed where they are read; and
/// of three, with one factor for each head.
#[test]
fn scans_over_many_positions() {
    use seqwright_compiler::kernel::Body;
    use seqwright_compiler::wgsl::{Target, emit};
    for name in ["cell_mingru", "mamba", "retention"] {
        let program = lower(&checked(name)).program;
        let scan = program.kernels.iter().position(|kernel| matches!(kernel.body, Body::Scan { .. }));
        let text = emit(&program, scan.expect("it has a recurrence"), &Target::default()).print();
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../snapshots/wgsl"}, {
            insta::assert_snapshot!(format!("{name}_scan"), text);
        });
    }
}

/// Products in tiles by cooperative matrices: of an attention, whose keys, queries and values are one product of f32; of rotary
/// positions, whose columns are computed in pairs, of f16.
#[test]
fn products_by_cooperative_matrices() {
    use seqwright_compiler::wgsl::{Cooperative, CooperativeSize, Target, emit};
    for (name, size, half) in [("attention", CooperativeSize::Eight, false), ("llama", CooperativeSize::Sixteen, true)]
    {
        let cooperative = Some(Cooperative { size, half, subgroup: 32, spelt_out: false });
        let target = Target { subgroups: true, workgroup_bytes: 32768, cooperative, ..Target::default() };
        let program = lower(&checked(name)).program;
        let all = (0..program.kernels.len()).map(|kernel| emit(&program, kernel, &target).print());
        let text = all.into_iter().find(|text| text.contains("coopMultiplyAdd")).expect("it has a product");
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../snapshots/wgsl"}, {
            insta::assert_snapshot!(format!("{name}_cooperative"), text);
        });
        // Those of other examples are valid too.
        let used = shaders(&target).iter().filter(|text| text.contains("coopMultiplyAdd")).count();
        assert!(used >= 20, "only {used} examples have a product");
    }
}

/// The shaders of every example for a target; each that is emitted is parsed and validated by naga.
fn shaders(target: &seqwright_compiler::wgsl::Target) -> Vec<String> {
    let folder = std::fs::read_dir(seqwright_tests::sources::repository().join("examples"));
    let paths = folder.expect("the examples are there").map(|entry| entry.expect("a file that can be listed").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "seq"));
    let names = paths.map(|path| path.file_stem().expect("a file has a name").to_string_lossy().to_string());
    names.map(|name| seqwright_compiler::wgsl::print(&lower(&checked(&name)).program, target)).collect()
}

/// Where adapters have subgroups and room for many buffers, shaders are others, and valid too.
#[test]
fn shaders_of_a_larger_target_are_valid() {
    use seqwright_compiler::wgsl::Target;
    let target = Target { workgroup_bytes: 32768, buffers: 32, subgroups: true, ..Target::default() };
    let seen = shaders(&target).iter().filter(|text| text.contains("subgroupAdd")).count();
    assert!(seen >= 5, "only {seen} examples reduce anything over lanes");
}

/// Where weights are stored as f16, and where they lie in several buffers, shaders are valid too.
#[test]
fn shaders_that_read_weights_otherwise_are_valid() {
    use seqwright_compiler::wgsl::Target;
    for (f16, largest_binding) in [(true, 128 << 20), (false, 128), (true, 128)] {
        let target = Target { f16, largest_binding, buffers: 500, ..Target::default() };
        let all = shaders(&target);
        let halves = all.iter().filter(|text| text.contains("weights: array<f16>")).count();
        let split = all.iter().filter(|text| text.contains("fn weights_at(place: i32) -> f32 {")).count();
        assert!(halves >= if f16 && largest_binding > 128 { 20 } else { 0 }, "{halves} examples with f16");
        assert!(split >= if largest_binding == 128 { 20 } else { 0 }, "{split} examples with several buffers");
        assert!(f16 || all.iter().all(|text| !text.contains("f16")));
    }
}

/// Machine code for one processor, whichever this is, as far as it is of that family: x86-64 with AVX2 and FMA. Of each
/// example the shortest kernel, as above.
#[test]
#[cfg(target_arch = "x86_64")]
fn asm() {
    use cranelift_codegen::settings::{self, Configurable};
    use seqwright::link::assembly_of;
    let mut flags = settings::builder();
    for (name, value) in [("opt_level", "speed"), ("is_pic", "false")] {
        flags.set(name, value).expect("a setting of Cranelift");
    }
    let mut isa = cranelift_codegen::isa::lookup_by_name("x86_64-unknown-linux-gnu").expect("this family is built in");
    for feature in [
        "has_sse3",
        "has_ssse3",
        "has_sse41",
        "has_sse42",
        "has_popcnt",
        "has_avx",
        "has_avx2",
        "has_fma",
        "has_bmi1",
        "has_bmi2",
    ] {
        isa.enable(feature).expect("a feature of x86-64");
    }
    let isa = isa.finish(settings::Flags::new(flags)).expect("a processor with these features");
    each("asm", |checked| {
        let program = lower(checked).program;
        let all =
            (0..program.kernels.len()).map(|kernel| assembly_of(&program, kernel, &*isa, false).expect("it compiles"));
        all.min_by_key(String::len).unwrap_or_default()
    });
}

/// Machine code for this processor is printed for every kernel.
#[test]
fn assembly_is_printed() {
    let program = lower(&checked("lstm")).program;
    let text = assembly(&program).expect("this processor is known");
    assert_eq!(text.matches("kernel ").count(), program.kernels.len());
    assert!(text.contains("ret"), "{text}");
}

#[test]
fn the_same_source_gives_the_same_text() {
    for name in ["lstm_stacked", "bert"] {
        let one = lower(&checked(name));
        let two = lower(&checked(name));
        assert_eq!(one.fused.print(), two.fused.print());
        assert_eq!(one.program.print(), two.program.print());
    }
}
