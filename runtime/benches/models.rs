//! Whole models on one thread and on all: what `seqc profile` takes apart. `cargo bench -p seqwright --bench models`.
//!
//! Weights and inputs are any small numbers; times do not hang on them.

use divan::Bencher;
use seqwright::batch::Batch;
use seqwright::session::{Backend, Request, Runner, check};
use seqwright::tiles::Instructions;
use seqwright::weights::Loaded;
use seqwright_compiler::model::Model;
use seqwright_compiler::term::Axis;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

fn main() {
    divan::main();
}

/// A file beside this package, its parameters, and how many sequences of how many positions.
#[derive(Clone, Copy)]
struct Row {
    file: &'static str,
    parameters: &'static [(&'static str, f64)],
    sequences: usize,
    length: usize,
    threads: usize,
}

const ROWS: [Row; 6] = [
    row("examples/lstm.seq", &[("input", 256.0), ("hidden", 256.0)], 1, 128),
    row("examples/lstm.seq", &[("input", 512.0), ("hidden", 512.0)], 32, 128),
    row("examples/gru.seq", &[("input", 256.0), ("hidden", 256.0)], 1, 128),
    row("examples/cell_peephole_layernorm_lstm.seq", &[("input", 256.0), ("hidden", 256.0), ("epsilon", 1e-5)], 1, 128),
    row("tests/peers/attention.seq", &[("heads", 12.0), ("width", 64.0)], 1, 128),
    row("tests/peers/attention.seq", &[("heads", 12.0), ("width", 64.0)], 1, 512),
];

const fn row(file: &'static str, parameters: &'static [(&'static str, f64)], sequences: usize, length: usize) -> Row {
    Row { file, parameters, sequences, length, threads: 1 }
}

impl fmt::Display for Row {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Path::new(self.file).file_stem().unwrap_or_default().to_string_lossy();
        let Row { sequences, length, threads, .. } = self;
        let (_, width) = self.parameters[1];
        write!(to, "{name} {sequences} x {length}, width {width}, {threads} threads")
    }
}

fn rows() -> Vec<Row> {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if all > 1 { vec![1, all] } else { vec![1] };
    ROWS.iter().flat_map(|row| threads.iter().map(|threads| Row { threads: *threads, ..*row })).collect()
}

/// Small numbers for everything that a model is given.
fn given(model: &Model, row: Row) -> (Loaded, Batch) {
    let numbers = |count: usize| (0..count).map(|place| (place % 23) as f32 / 230.0 - 0.05).collect::<Vec<_>>();
    let size = |axes: &[Axis]| axes.iter().filter_map(Axis::size).product::<usize>();
    let mut loaded = Loaded::default();
    loaded.values.extend(model.weights().map(|(id, value)| (id, numbers(size(&value.axes)).into())));
    let lengths = model.times.iter().map(|_| vec![row.length; row.sequences]).collect();
    let mut batch = Batch { sequences: row.sequences, lengths, inputs: BTreeMap::new() };
    let inputs: Vec<_> = (model.inputs())
        .map(|(id, value)| {
            let rows: usize = (0..row.sequences).map(|sequence| batch.rows_of(&value.axes, sequence)).sum();
            (id, numbers(rows * size(&value.axes)))
        })
        .collect();
    batch.inputs.extend(inputs);
    (loaded, batch)
}

#[divan::bench(args = rows(), max_time = 2)]
fn run(bencher: Bencher, row: Row) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(row.file);
    let parameters = row.parameters.iter().map(|(name, number)| (name.to_string(), *number)).collect();
    let request = Request { file, model: None, parameters, outputs: None };
    let checked = check(&request, None).unwrap_or_else(|_| panic!("{} checks", row.file));
    let (loaded, batch) = given(&checked.model, row);
    let backend = Backend::Cpu(Instructions::best(), row.threads);
    let runner = Runner::new(&checked, &loaded, backend).unwrap_or_else(|_| panic!("{} compiles", row.file));
    bencher.bench_local(|| runner.give_back(runner.run(&batch).unwrap_or_else(|_| panic!("{} runs", row.file))));
}
