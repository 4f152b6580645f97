//! Random models ([`seqwright_tests::models`]) mean the same to machine code and shaders as to the interpreter, at every stage on
//! the way there, in a batch and alone; and they come chunk by chunk as they come whole.
//!
//! What a failure prints is a model that can be put into `fixtures/programs`: the smallest part of the random one that still
//! disagrees. `SEQWRIGHT_RANDOM=20000` tries more of them; `SEQWRIGHT_RANDOM=FROM..TO` those of some seeds.

use seqwright::session::{Backend, Checked, lower};
use seqwright_compiler::kernel::{Body, Stage, Steps};
use seqwright_compiler::term::Reduction;
use seqwright_tests::agreement::{batch_disagrees, checked, disagreement, stages_disagree};
use seqwright_tests::backends::{Tested, gpus, processors};
use seqwright_tests::law::{Law, causal_results};
use seqwright_tests::models::{Kind, Model};
use seqwright_tests::random::{Random, random_inputs};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// One position, fewer than a convolution looks back, a block of rows and one more, a block of keys and some more.
const LENGTHS: [usize; 4] = [1, 2, 33, 70];

/// The interpreter takes its time for the longest, so that it is in every fourth model.
fn lengths(seed: u64) -> &'static [usize] {
    if seed.is_multiple_of(4) { &LENGTHS } else { &LENGTHS[..3] }
}

/// Every so many models that can run chunk by chunk do.
const STREAMED: u64 = 15;

/// Every so many models are interpreted at each stage, and sequence by sequence on a backend.
const APART: u64 = 4;

#[test]
fn random_models_mean_the_same_to_machine_code() {
    let backends = processors();
    let half = backends.len() / 2;
    // Each version of the tiles and number of threads has its turn: two of them compile each model.
    let turn = |seed: u64| {
        let version = seed as usize % half;
        vec![backends[2 * version].clone(), backends[2 * ((version + 1) % half) + 1].clone()]
    };
    let seen = random_models(&seeds(2000), &turn);
    covers(&seen);
}

#[test]
fn random_models_mean_the_same_to_shaders() {
    let backends = gpus();
    if !backends.is_empty() {
        random_models(&seeds(300), &|_| backends.clone());
    }
}

#[test]
fn random_models_come_chunk_by_chunk() {
    let (seeds, streamed) = (seeds(2000), AtomicU64::new(0));
    each(&seeds, &|seed, file| {
        if !seed.is_multiple_of(STREAMED) {
            return;
        }
        let text = Model::random(seed).text();
        let mut checked = read(&text, file).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
        causal_results(&mut checked);
        if checked.outputs.is_empty() {
            return;
        }
        let mut random = Random(seed);
        let (loaded, batch) = random_inputs(&checked, &LENGTHS, &mut random);
        Law { name: text, checked, loaded, batch }.holds(&mut random);
        streamed.fetch_add(1, Ordering::Relaxed);
    });
    let (tried, streamed) = ((seeds.end - seeds.start) / STREAMED, streamed.into_inner());
    eprintln!("{streamed} random models of {tried} come chunk by chunk as they come whole");
    assert!(streamed >= tried / 4, "few of {tried} models can run chunk by chunk");
}

/// Seeds of the models: so many, or as many as asked for.
fn seeds(usual: u64) -> Range<u64> {
    let Ok(asked) = std::env::var("SEQWRIGHT_RANDOM") else { return 0..usual };
    let number =
        |text: &str| text.parse().unwrap_or_else(|_| panic!("SEQWRIGHT_RANDOM is COUNT or FROM..TO, not {asked}"));
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&asked),
    }
}

fn read(text: &str, file: &Path) -> Result<Checked, String> {
    std::fs::write(file, text).expect("the folder can be written");
    checked(file)
}

/// Does something for each seed, with a file of its own, on all processors.
fn each(seeds: &Range<u64>, work: &(dyn Fn(u64, &Path) + Sync)) {
    let folder = tempfile::tempdir().expect("a folder for the models");
    let next = AtomicU64::new(seeds.start);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, file) = (&next, folder.path().join(format!("random{worker}.seq")));
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    work(seed, &file);
                }
            });
        }
    });
}

/// How often each kind of step and of kernel was there.
type Seen = BTreeMap<String, usize>;

/// Compares all models on the backends whose turn it is.
fn random_models(seeds: &Range<u64>, backends: &(dyn Fn(u64) -> Vec<Tested> + Sync)) -> Seen {
    let seen = Mutex::new(Seen::new());
    let wrong = Mutex::new(BTreeMap::new());
    each(seeds, &|seed, file| {
        let model = Model::random(seed);
        let backends = backends(seed);
        let found = |model: &Model| {
            let checked = read(&model.text(), file)?;
            let mut found = disagreement(&checked, lengths(seed), &mut Random(seed), true, &backends);
            if seed % APART == 1 {
                let lengths = [3, 1, 34, 7];
                found = found.or_else(|| stages_disagree(&checked, &lengths, &mut Random(seed)));
                // Bit for bit is the law of machine code.
                let tested = backends.iter().find(|tested| matches!(tested.backend, Backend::Cpu(..)));
                found = found.or_else(|| batch_disagrees(&checked, &lengths, &mut Random(seed), tested?));
            }
            found.map_or(Ok(checked), Err)
        };
        match found(&model) {
            Ok(checked) => {
                let kernels = kernels(&checked);
                let mut seen = seen.lock().expect("no other thread panicked");
                for kind in model.kinds().map(|kind| format!("{kind:?}")).chain(kernels) {
                    *seen.entry(kind).or_insert(0) += 1;
                }
            }
            Err(error) => {
                let smaller = model.narrowed().find_map(|part| found(&part).err().map(|error| (part.text(), error)));
                let (text, error) = smaller.unwrap_or((model.text(), error));
                wrong.lock().expect("no other thread panicked").insert(seed, format!("{error}:\n{text}"));
            }
        }
    });
    let wrong = wrong.into_inner().expect("no thread panicked");
    let texts: Vec<String> = wrong.iter().map(|(seed, text)| format!("seed {seed}, {text}")).collect();
    let (tried, names) = (seeds.end - seeds.start, backends(seeds.start));
    assert!(wrong.is_empty(), "{} of {tried} models:\n{}", wrong.len(), texts.join("\n"));
    let of =
        if names.iter().all(|tested| matches!(tested.backend, Backend::Cpu(..))) { "machine code" } else { "shaders" };
    eprintln!("{tried} random models mean the same to {of} as to the interpreter");
    seen.into_inner().expect("no thread panicked")
}

/// The kernels that a model becomes, in words.
fn kernels(checked: &Checked) -> Vec<String> {
    let mut all = Vec::new();
    let program = lower(checked).program;
    for kernel in &program.kernels {
        let of = match kernel.rows {
            Some(_) => "positions",
            None => "sequences",
        };
        let (kind, stages) = match &kernel.body {
            Body::Rows { stages, .. } => (format!("rows of {of}"), stages),
            Body::Scan { steps: Steps::Blocks { slices, .. }, backward, stages } => {
                all.push(format!("scan in blocks, shared out: {}", slices.is_some()));
                (format!("scan in blocks, backward: {backward}"), stages)
            }
            Body::Scan { steps: Steps::Positions, backward, stages } => (format!("scan, backward: {backward}"), stages),
            Body::Attention(attention) => {
                all.push(format!("attention, heads: {}", attention.heads.len().min(2)));
                all.push(format!(
                    "attention, bounds on keys: {}",
                    attention.keys.to.len() + attention.keys.from.len() > 2
                ));
                all.push(format!("attention, conditions: {}", !attention.domain.is_empty()));
                continue;
            }
        };
        let mut products = 0;
        for stage in stages {
            match stage {
                Stage::Product(_) => products += 1,
                Stage::Loop(of) => {
                    all.extend(of.reduction.map(|reduction: Reduction| format!("{reduction:?}")));
                    all.push(format!("loop with lanes: {}", of.lanes.is_some()));
                }
            }
        }
        all.push(format!("{kind}, products: {}", products.min(2)));
    }
    all
}

/// What a run of all models has to have seen, and how often at least.
fn covers(seen: &Seen) {
    let told: Vec<String> = seen.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    eprintln!("{}", told.join("\n"));
    if std::env::var_os("SEQWRIGHT_RANDOM").is_some() {
        return;
    }
    let kernels = [
        "rows of positions, products: 0",
        "rows of positions, products: 1",
        "rows of sequences, products: 0",
        "rows of sequences, products: 1",
        "scan, backward: false, products: 0",
        "scan, backward: true, products: 0",
        "scan, backward: false, products: 1",
        "scan, backward: true, products: 1",
        "scan, backward: false, products: 2",
        "scan, backward: true, products: 2",
        "scan in blocks, backward: false, products: 0",
        "scan in blocks, backward: true, products: 0",
        "scan in blocks, shared out: false",
        "scan in blocks, shared out: true",
        "attention, heads: 0",
        "attention, heads: 1",
        "attention, heads: 2",
        "attention, bounds on keys: false",
        "attention, bounds on keys: true",
        "attention, conditions: false",
        "attention, conditions: true",
        "loop with lanes: true",
        "loop with lanes: false",
    ];
    let steps = Kind::ALL.map(|kind| format!("{kind:?}"));
    for kind in steps.iter().map(String::as_str).chain(kernels) {
        let count = seen.get(kind).copied().unwrap_or(0);
        assert!(count >= 5, "{kind} was there {count} times:\n{}", told.join("\n"));
    }
}
