//! Machine code against the interpreter, on programs that between them use all that the language can say, with random
//! inputs and weights, ragged batches, one and two threads, and every version of the tiles.
//!
//! Adding a case is adding a file to `fixtures/programs`.

use seqwright::batch::Batch;
use seqwright::session::{Backend, Request, Runner, check};
use seqwright::tiles::Instructions;
use seqwright::weights::Loaded;
use seqwright_compiler::model::ValueKind;
use seqwright_compiler::term::Axis;
use seqwright_tests::goldens::shown;
use seqwright_tests::sources::{files_in, repository};

/// Float32 arithmetic of a few operations on numbers of order one; relative beyond one.
const TOLERANCE: f32 = 2e-5;

/// Numbers that are the same in every run (a linear congruential generator, constants of Knuth's MMIX).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal: the sum of four.
    fn number(&mut self) -> f32 {
        ((0..4).map(|_| self.next()).sum::<f64>() - 2.0) as f32
    }
}

#[test]
fn machine_code_computes_what_the_interpreter_says() {
    let mut programs = 0;
    for (name, _) in files_in("tests/fixtures/programs") {
        programs += 1;
        let file = repository().join("tests/fixtures/programs").join(&name);
        let checked = shown(check(&Request { file, ..Request::default() }, None));
        let model = &checked.model;
        let mut random = Random(name.len() as u64 + 17);
        let mut loaded = Loaded::default();
        for (id, value) in model.weights() {
            let count: usize = value.axes.iter().filter_map(Axis::size).product();
            loaded.values.insert(id, (0..count).map(|_| random.number() * 0.5).collect());
        }
        let mut batch = Batch { sequences: 5, ..Batch::default() };
        // Lengths of one, of blocks of keys and rows and one more, and others.
        for shift in 0..model.times.len() {
            let mut lengths = vec![1, 7, 33, 2, 70];
            lengths.rotate_left(shift);
            batch.lengths.push(lengths.into_iter().map(|length| if name == "tokens.seq" { length.min(40) } else { length }).collect());
        }
        for (id, value) in model.inputs() {
            let row: usize = value.axes.iter().filter_map(Axis::size).product();
            let rows: usize = (0..batch.sequences).map(|sequence| batch.rows_of(&value.axes, sequence)).sum();
            let below = match value.kind {
                ValueKind::Input { below } => below,
                ValueKind::Weight { .. } | ValueKind::Constant(_) | ValueKind::Equation(_) => None,
            };
            let mut number = || match below {
                Some(below) => (random.next() * below as f64).floor() as f32,
                None => random.number(),
            };
            batch.inputs.insert(id, (0..rows * row).map(|_| number()).collect());
        }
        let wanted = shown(shown(Runner::new(&checked, &loaded, Backend::Interpreter)).run(&batch));
        for instructions in Instructions::available() {
            for threads in [1, 2] {
                let runner = shown(Runner::new(&checked, &loaded, Backend::Cpu(instructions, threads)));
                let got = shown(runner.run(&batch));
                for (((output, _), got), wanted) in runner.outputs().iter().zip(&got).zip(&wanted) {
                    assert_eq!(got.len(), wanted.len(), "{name}, {output}");
                    for (place, (got, wanted)) in got.iter().zip(wanted).enumerate() {
                        let error = (got - wanted).abs() / wanted.abs().max(1.0);
                        assert!(
                            error <= TOLERANCE,
                            "{name}, {output}[{place}]: {got} instead of {wanted} with {} on {threads} thread(s)",
                            instructions.name()
                        );
                    }
                }
            }
        }
    }
    assert!(programs >= 14, "only {programs} programs were found");
}
