//! `seqc profile`: how long each kernel takes, what it computes and moves, and how that compares with what the machine can do.
//!
//! | file | what it does |
//! | --- | --- |
//! | `runs.rs` | runs, with every call of a kernel timed |
//! | `roofline.rs` | what a call costs, and how long the machine needs at least |
//! | `show.rs` | the table, and the JSON document |
//!
//! Operations and bytes are the compiler's counts ([`seqwright_compiler::explain::calls`]); `crate::machine` knows the machine.

mod roofline;
mod runs;
mod show;

use super::arguments::ProfileArguments;
#[cfg(feature = "gpu")]
use super::devices;
use super::inputs::Given;
use super::prepare::{self, Steps};
use super::terminal::Terminal;
use super::{Stop, explain::look, json};
use crate::batch::Batch;
use crate::machine::Machine;
use crate::report::kernels;
use crate::session::{Backend, Checked, Failure, Runner, Streamer};
use crate::weights::Loaded;
use roofline::{Bound, Run};
use runs::Runs;
use seqwright_compiler::explain::{self, Call, Stages};
use seqwright_compiler::kernel::{BufferId, Program};
use std::collections::BTreeMap;

/// Positions of a sequence where nobody says how many, and the model allows so many.
const POSITIONS: usize = 128;

/// How many runs the times in a report are medians of.
const RUNS_OF_A_REPORT: u32 = 9;

/// A kernel, or a call of one, with its time.
pub struct Row {
    /// Its kernel's number.
    kernel: usize,
    /// How it runs.
    kind: &'static str,
    /// What it computes.
    equations: Vec<String>,
    /// How often it is called.
    calls: usize,
    /// Its time in a run, the median of all runs, in seconds; none where only whole runs could be timed.
    seconds: Option<f64>,
    /// Floating-point operations.
    operations: f64,
    /// Bytes moved.
    bytes: f64,
    /// The time that the machine needs at least.
    limit: f64,
    /// What bounds it.
    bound: Bound,
}

/// All that was found.
pub struct Profile {
    /// The model's name.
    model: String,
    /// What was run, in words.
    what: String,
    /// The backend in words.
    backend: String,
    /// The machine.
    machine: Machine,
    /// The runs.
    runs: Runs,
    /// Each call, in order.
    calls: Vec<Row>,
    /// Each kernel, the longest first.
    kernels: Vec<Row>,
}

/// Times a model's kernels.
pub fn profile(arguments: &ProfileArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &arguments.output)?;
    let backend = prepare::backend(&arguments.backend, terminal)?;
    let machine = machine(backend, arguments.measure)?;
    if let Some(why) = &machine.unkept {
        terminal.note(&format!("what the machine can do is measured anew each time: {why}"));
    }
    let precision = arguments.backend.precision();
    let mut steps = Steps::default();
    let prepared = prepare::prepare_or_random(&request, &arguments.given, precision, &mut steps, terminal)?;
    let checked = &prepared.checked;
    let stages = Stages::new(&checked.model, &checked.outputs);
    let batch = Given::or_random(&arguments.given, &prepared, &stages.program.limits, POSITIONS)?.batch;
    let (costs, fewer, runs, run) = match arguments.step {
        false => {
            let runner = Runner::new(checked, &prepared.loaded, backend)?;
            let runs = runs::whole(&runner, &batch, stages.program.calls.len(), arguments.repeat)?;
            let fewer = fewer_bytes(&stages.program, &runner.fewer_bytes());
            (explain::calls(&stages.model, &stages.fused, &stages.program), fewer, runs, Run::Whole(&batch))
        }
        true => {
            let chunks = match &stages.chunks {
                Ok(chunks) => chunks,
                Err(why) => return Err(Failure::Mistakes(vec![(**why).clone()], checked.sources.clone()).into()),
            };
            let mut streamer = Streamer::along(chunks.time, checked, &prepared.loaded, backend)?;
            let runs = runs::steps(&mut streamer, &batch, chunks.program.calls.len(), arguments.repeat)?;
            let fewer = fewer_bytes(&chunks.program, &streamer.fewer_bytes());
            let costs = explain::calls(&stages.model, &chunks.fused, &chunks.program);
            (costs, fewer, runs, Run::Step(&batch, chunks.time))
        }
    };
    if runs.calls.is_empty() {
        terminal.note("only whole runs are timed: this adapter has no timestamps (`seqc devices` says which have)");
    }
    let calls = rows(&costs, &fewer, run, &runs, &machine);
    let profile = Profile {
        model: checked.model.name.clone(),
        what: what(&stages.model.times, &batch, arguments.step),
        backend: prepare::backend_name(backend),
        machine,
        kernels: kernels(&calls, &runs),
        runs,
        calls,
    };
    match arguments.json {
        true => terminal.print(&json::document("profile", true, show::parts(&profile))),
        false => terminal.print(&show::text(&profile, arguments.calls, &look(terminal))),
    }
}

/// The machine that a backend runs on.
fn machine(backend: Backend, anew: bool) -> Result<Machine, Stop> {
    match backend {
        Backend::Cpu(_, threads) => Ok(Machine::processor(threads, anew)),
        #[cfg(feature = "gpu")]
        Backend::Gpu(choice) => Machine::adapter(choice, anew).map_err(|error| devices::failure(&error).into()),
        Backend::Interpreter => {
            let why =
                "the interpreter computes equations and has no kernels to time: use `--backend cpu`, `gpu` or `auto`";
            Err(Stop::Usage(why.to_string()))
        }
    }
}

/// The times of a program's calls and of its kernels, as a report draws them.
pub struct Times {
    /// Each call, in order.
    pub calls: Vec<kernels::Kernel>,
    /// Each kernel, the longest first.
    pub kernels: Vec<kernels::Kernel>,
}

/// How long the kernels take of what a checked model is asked for; nothing where none of them can be timed.
pub fn times(checked: &Checked, loaded: &Loaded, backend: Backend, batch: &Batch) -> Result<Option<Times>, Stop> {
    if let Backend::Interpreter = backend {
        return Ok(None);
    }
    let stages = Stages::new(&checked.model, &checked.outputs);
    let runner = Runner::new(checked, loaded, backend)?;
    let runs = runs::whole(&runner, batch, stages.program.calls.len(), Some(RUNS_OF_A_REPORT))?;
    if runs.calls.is_empty() {
        return Ok(None);
    }
    let costs = explain::calls(&stages.model, &stages.fused, &stages.program);
    let call = |(place, call): (usize, &Call)| kernels::Kernel {
        number: call.kernel,
        kind: call.kind.to_string(),
        calls: 1,
        equations: call.equations.clone(),
        seconds: runs.median(&[place]).unwrap_or(0.0),
    };
    let calls: Vec<kernels::Kernel> = costs.iter().enumerate().map(call).collect();
    let mut all: Vec<kernels::Kernel> = Vec::new();
    for call in &calls {
        match all.iter_mut().find(|known| known.number == call.number) {
            Some(known) => {
                known.calls += 1;
                known.seconds += call.seconds;
                known.equations.extend(call.equations.clone());
            }
            None => all.push(call.clone()),
        }
    }
    all.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    for kernel in all.iter_mut().filter(|kernel| kernel.calls > 1) {
        kernel.equations = super::explain::words::generic(&kernel.equations);
    }
    Ok(Some(Times { calls, kernels: all }))
}

/// For each call of a program, how many bytes fewer its weights take than 32-bit floats.
fn fewer_bytes(program: &Program, fewer: &BTreeMap<u32, usize>) -> Vec<f64> {
    let of = |id: &BufferId| fewer.get(&id.0).map_or(0.0, |bytes| *bytes as f64);
    program.calls.iter().map(|call| call.arguments.iter().map(of).sum()).collect()
}

/// Each call with its cost and time.
fn rows(costs: &[Call], fewer: &[f64], run: Run, runs: &Runs, machine: &Machine) -> Vec<Row> {
    let own: Vec<_> = costs.iter().zip(fewer).map(|(call, fewer)| roofline::cost(call, *fewer, run)).collect();
    let all: f64 = own.iter().map(|cost| cost.distinct + cost.others).sum();
    let row = |(place, (call, cost)): (usize, (&Call, &roofline::Cost))| {
        let (limit, bound) = cost.limit(all, machine);
        Row {
            kernel: call.kernel,
            kind: call.kind,
            equations: call.equations.clone(),
            calls: 1,
            seconds: runs.median(&[place]),
            operations: cost.operations,
            bytes: cost.bytes(),
            limit,
            bound,
        }
    };
    costs.iter().zip(&own).enumerate().map(row).collect()
}

/// Each kernel with the times of its calls in a run, the longest first. It is bound by what bounds most of its time.
fn kernels(calls: &[Row], runs: &Runs) -> Vec<Row> {
    let mut numbers: Vec<usize> = calls.iter().map(|call| call.kernel).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let of = |number: usize| {
        let places: Vec<usize> = (0..calls.len()).filter(|place| calls[*place].kernel == number).collect();
        let own = || places.iter().map(|place| &calls[*place]);
        let longest = own().max_by(|one, other| one.limit.total_cmp(&other.limit)).expect("a kernel is called");
        Row {
            kernel: number,
            kind: longest.kind,
            equations: own().flat_map(|call| call.equations.clone()).collect(),
            calls: places.len(),
            seconds: runs.median(&places),
            operations: own().map(|call| call.operations).sum(),
            bytes: own().map(|call| call.bytes).sum(),
            limit: own().map(|call| call.limit).sum(),
            bound: longest.bound.clone(),
        }
    };
    let mut kernels: Vec<Row> = numbers.into_iter().map(of).collect();
    // Where only whole runs were timed, those that need the longest at least come first.
    let length = |row: &Row| row.seconds.unwrap_or(row.limit);
    kernels.sort_by(|one, other| length(other).total_cmp(&length(one)));
    kernels
}

/// `2 sequences of 128 positions of T`.
fn what(times: &[String], batch: &Batch, step: bool) -> String {
    let sequences = match batch.sequences {
        1 => "1 sequence".to_string(),
        count => format!("{count} sequences"),
    };
    let of = |(name, lengths): (&String, &Vec<usize>)| match (lengths.iter().min(), lengths.iter().max()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most} positions of {name}"),
        (_, most) => format!("{} positions of {name}", most.unwrap_or(&0)),
    };
    let positions: Vec<String> = times.iter().zip(&batch.lengths).map(of).collect();
    let of = if positions.is_empty() { String::new() } else { format!(" of {}", positions.join(", ")) };
    if step { format!("one position more after {sequences}{of}") } else { format!("{sequences}{of}") }
}
