//! Strips' machine code against what their steps mean, number by number.

use super::Random;
use crate::tiles::Tiles;
use cranelift_codegen::ir::AbiParam;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};
use seqwright_compiler::strip::avx512::{Convention, encode};
use seqwright_compiler::strip::{Step, Strip};
use seqwright_compiler::syntax::tree::Comparator;
use seqwright_compiler::term::{Binary, Unary};

/// What stands where a strip must not write.
const UNTOUCHED: f32 = 12345.0;

const COMPARATORS: [Comparator; 6] = [
    Comparator::Less,
    Comparator::LessEqual,
    Comparator::Greater,
    Comparator::GreaterEqual,
    Comparator::Equal,
    Comparator::NotEqual,
];

const UNARY: [Unary; 4] = [Unary::Negate, Unary::Abs, Unary::Sqrt, Unary::Floor];

const BINARY: [Binary; 7] = [
    Binary::Add,
    Binary::Subtract,
    Binary::Multiply,
    Binary::Divide,
    Binary::Remainder,
    Binary::Minimum,
    Binary::Maximum,
];

/// What a step gives.
fn meant(step: &Step, before: &[f32], runs: &[Vec<f32>], sames: &[f32], place: usize) -> f32 {
    match step {
        Step::Read(run) => runs[*run][place],
        Step::Same(number) => sames[*number],
        Step::Constant(number) => *number,
        Step::Unary(operation, of) => match operation {
            Unary::Negate => -before[*of],
            Unary::Abs => before[*of].abs(),
            Unary::Sqrt => before[*of].sqrt(),
            Unary::Floor => before[*of].floor(),
            other => panic!("strips have no {other:?}"),
        },
        Step::Binary(operation, left, right) => {
            let (left, right) = (before[*left], before[*right]);
            match operation {
                Binary::Add => left + right,
                Binary::Subtract => left - right,
                Binary::Multiply => left * right,
                Binary::Divide => left / right,
                Binary::Remainder => left - right * (left / right).floor(),
                Binary::Minimum if left.is_nan() || right.is_nan() => f32::NAN,
                Binary::Minimum => left.min(right),
                Binary::Maximum if left.is_nan() || right.is_nan() => f32::NAN,
                Binary::Maximum => left.max(right),
                Binary::Power => panic!("strips have no powers"),
            }
        }
        Step::Choose(comparisons, left, right) => {
            let holds = |(comparator, one, other): &(Comparator, usize, usize)| {
                comparator.holds(f64::from(before[*one]), f64::from(before[*other]))
            };
            before[if comparisons.iter().all(holds) { *left } else { *right }]
        }
    }
}

/// Runs a strip's machine code along a run of so many numbers, and gives that and one more.
fn run(strip: &Strip, runs: &[Vec<f32>], sames: &[f32], count: usize) -> Option<Vec<f32>> {
    let code = encode(strip, Convention::SystemV)?;
    let isa = cranelift_native::builder().expect("this processor is known");
    let flags = cranelift_codegen::settings::Flags::new(cranelift_codegen::settings::builder());
    let isa = isa.finish(flags).expect("its settings are");
    let mut module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
    let mut signature = module.make_signature();
    signature.params.resize(2, AbiParam::new(module.target_config().pointer_type()));
    let id = module.declare_function("strip", Linkage::Local, &signature).expect("it is declared once");
    module.define_function_bytes(id, 64, &code.bytes, &[]).expect("it is defined once");
    module.finalize_definitions().expect("it links");
    let mut written = vec![UNTOUCHED; count + 1];
    let mut given = vec![0u8; strip.bytes()];
    given[..8].copy_from_slice(&(written.as_mut_ptr() as usize).to_ne_bytes());
    for (number, numbers) in runs.iter().enumerate() {
        given[Strip::place_of_read(number)..][..8].copy_from_slice(&(numbers.as_ptr() as usize).to_ne_bytes());
    }
    for (number, same) in sames.iter().enumerate() {
        given[strip.place_of_same(number)..][..4].copy_from_slice(&same.to_ne_bytes());
    }
    let address = module.get_finalized_function(id);
    // SAFETY: a strip has this signature and this convention; the runs have so many numbers.
    unsafe {
        let function = std::mem::transmute::<*const u8, unsafe extern "sysv64" fn(*const u8, usize)>(address);
        function(given.as_ptr(), count);
        module.free_memory();
    }
    Some(written)
}

fn same(one: f32, other: f32) -> bool {
    one == other || one.is_nan() && other.is_nan()
}

/// A strip of random steps.
fn random_strip(random: &mut Random, reads: usize, sames: usize) -> Strip {
    let mut strip = Strip { reads, sames, ..Strip::default() };
    (0..reads).for_each(|number| strip.steps.push(Step::Read(number)));
    (0..sames).for_each(|number| strip.steps.push(Step::Same(number)));
    strip.steps.push(Step::Constant(random.number()));
    for _ in 0..1 + random.below(12) {
        let count = strip.steps.len();
        // Rather the last ones, so that much hangs on much.
        let mut any = || count - 1 - random.below(count).min(random.below(count));
        let (one, two, three, four) = (any(), any(), any(), any());
        strip.steps.push(match random.below(4) {
            0 => Step::Unary(UNARY[random.below(UNARY.len())], one),
            1 => {
                let comparator = |random: &mut Random| COMPARATORS[random.below(COMPARATORS.len())];
                let mut all = vec![(comparator(random), one, two)];
                if random.below(2) == 0 {
                    all.push((comparator(random), two, three));
                }
                Step::Choose(all, three, four)
            }
            _ => Step::Binary(BINARY[random.below(BINARY.len())], one, two),
        });
    }
    strip
}

#[test]
fn strips_are_what_their_steps_mean() {
    if !Tiles::best().has_strips() {
        eprintln!("skipped: this processor has no vectors for strips");
        return;
    }
    let mut random = Random(21);
    let odd = [0.0, -0.0, f32::NAN, f32::INFINITY, -f32::INFINITY, 1e30, 1e-30, 1e38, -3.0];
    let (mut encoded, mut looked_at) = (0, 0);
    for case in 0..600 {
        let (reads, sames) = (1 + random.below(4), random.below(3));
        let strip = random_strip(&mut random, reads, sames);
        let count = [0, 1, 15, 16, 17, 31, 32, 33, 64, 75][random.below(10)];
        // Every fourth number is an odd one.
        let mut number = || if random.below(4) == 0 { odd[random.below(odd.len())] } else { 10.0 * random.number() };
        let runs: Vec<Vec<f32>> = (0..reads).map(|_| (0..count).map(|_| number()).collect()).collect();
        let sames: Vec<f32> = (0..sames).map(|_| number()).collect();
        let Some(written) = run(&strip, &runs, &sames, count) else { continue };
        encoded += 1;
        for (place, got) in written[..count].iter().enumerate() {
            let mut steps: Vec<f32> = Vec::new();
            for step in &strip.steps {
                steps.push(meant(step, &steps, &runs, &sames, place));
            }
            let wanted = steps[steps.len() - 1];
            // A zero's sign is nobody's promise, and a quotient near 0 may be rounded otherwise: what hangs on them is not looked at.
            let unclear = strip.steps.iter().any(|step| match step {
                Step::Binary(Binary::Divide | Binary::Remainder, left, right) => {
                    steps[*right] == 0.0 || (steps[*left] / steps[*right]).abs() < 1e-30
                }
                _ => false,
            });
            looked_at += usize::from(!unclear);
            assert!(same(*got, wanted) || unclear, "case {case}: {got} is not {wanted}\n{}", strip.print());
        }
        assert_eq!(written[count], UNTOUCHED, "case {case}\n{}", strip.print());
    }
    assert!(encoded > 400 && looked_at > 5000, "{encoded} strips, {looked_at} numbers");
}

/// A quotient by what is the same throughout has the bits of a division.
#[test]
fn quotients_are_those_of_divisions() {
    if !Tiles::best().has_strips() {
        return;
    }
    let mut random = Random(22);
    let odd = [0.0, f32::NAN, f32::INFINITY, 1e30, 1e-30, 1e-42];
    for case in 0..400 {
        let divisor = match case % 4 {
            0 => odd[random.below(odd.len())],
            _ => random.number() * 2f32.powi(random.below(100) as i32 - 50),
        };
        let mut strip = Strip { reads: 1, sames: 1, ..Strip::default() };
        let read = strip.step(Step::Read(0));
        let by = match case % 2 {
            0 => strip.step(Step::Same(0)),
            _ => strip.step(Step::Constant(divisor)),
        };
        strip.step(Step::Binary(Binary::Divide, read, by));
        let mut number = |place: usize| match place % 8 {
            0 => odd[random.below(odd.len())],
            _ => random.number() * 2f32.powi(random.below(60) as i32 - 30),
        };
        let run_of: Vec<f32> = (0..70).map(&mut number).collect();
        let written = run(&strip, std::slice::from_ref(&run_of), &[divisor], 70).expect("it has few steps");
        for (got, number) in written.iter().zip(&run_of) {
            let wanted = number / divisor;
            // What is left of a number near 0 may be none, and its quotient the neighbour of the nearest.
            let near_zero = number.abs() < 1e-29 && (got - wanted).abs() <= 1.3e-7 * wanted.abs() + 1e-44;
            assert!(same(*got, wanted) || near_zero, "{number} / {divisor} is {got} instead of {wanted}");
        }
    }
}
