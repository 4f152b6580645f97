//! From a file to results: the whole way, one step after the other, each of which can be looked at.

use crate::batch::{Batch, InputError};
use crate::execute::{Executable, Observer, RunError};
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::stream::{Chunk, Engine, NewRows, Stream};
use crate::tiles::{Instructions, Tiles};
use crate::weights::{BindError, Checkpoint, Loaded, WeightError, config_setting, load};
use anstyle::{AnsiColor, Style};
use seqwright_compiler::check::program::Program as Files;
use seqwright_compiler::check::{self, Missing};
use seqwright_compiler::diagnostic::{Diagnostic, nearest, render};
use seqwright_compiler::fuse::{Fused, fuse, fuse_chunks};
use seqwright_compiler::graph::{self, Graph, Sequence, interpret};
use seqwright_compiler::kernel::{self, Program};
use seqwright_compiler::model::{Model, Value, ValueKind};
use seqwright_compiler::source::{Sources, Span};
use seqwright_compiler::stream::{Refusal, Why, plan, stream_axis};
use seqwright_compiler::syntax::tree::Kind;
use seqwright_compiler::table::{self, Table};
use seqwright_compiler::term::{TimeId, ValueId};
use seqwright_compiler::{pass, syntax};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What a model is compiled with.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The file.
    pub file: PathBuf,
    /// Which of its models; its last one where none is named.
    pub model: Option<String>,
    /// Parameters given by the user: they come before those of a checkpoint.
    pub parameters: BTreeMap<String, f64>,
    /// What is asked for; the model's own results where nothing is named.
    pub outputs: Option<Vec<String>>,
}

/// Why something could not be done.
#[derive(Debug)]
pub enum Failure {
    /// Mistakes in files, and the files.
    Mistakes(Vec<Diagnostic>, Sources),
    /// Mistakes in what a model is given.
    Inputs(Vec<InputError>, Sources),
    /// A checkpoint that can't be read, or does not fit.
    Weights(Vec<BindError>, Sources),
    /// A file of weights or values that can't be read.
    File(WeightError),
    /// A device that can't, or failed.
    Device {
        /// What was needed, and what there is.
        message: String,
        /// What to do.
        help: String,
    },
    /// Anything else, in a sentence.
    Other(String),
}

impl Failure {
    /// The failure as text for a terminal, ending in a line break.
    pub fn render(&self, color: bool) -> String {
        let plain = |message: &str, help: Option<&str>| {
            let (error, advice, bold) = match color {
                true => (
                    AnsiColor::BrightRed.on_default().bold(),
                    AnsiColor::BrightCyan.on_default().bold(),
                    Style::new().bold(),
                ),
                false => (Style::new(), Style::new(), Style::new()),
            };
            let help = help.map_or(String::new(), |help| format!("{advice}help{advice:#}: {help}\n"));
            format!("{error}error{error:#}{bold}: {message}{bold:#}\n{help}")
        };
        match self {
            Failure::Mistakes(all, sources) => {
                all.iter().map(|diagnostic| render(diagnostic, sources, color)).collect::<Vec<_>>().join("\n")
            }
            Failure::Inputs(all, sources) => all
                .iter()
                .map(|error| {
                    let place = error.span.map_or(String::new(), |span| place(span, sources));
                    plain(&format!("{}{place}", error.message), error.help.as_deref())
                })
                .collect(),
            Failure::Weights(all, sources) => all
                .iter()
                .map(|error| match error.diagnostic() {
                    Some(diagnostic) => render(diagnostic, sources, color),
                    None => plain(&error.to_string(), error.help()),
                })
                .collect::<Vec<_>>()
                .join("\n"),
            Failure::File(error) => plain(&error.to_string(), error.help()),
            Failure::Device { message, help } => plain(message, Some(help)),
            Failure::Other(message) => plain(message, None),
        }
    }
}

fn place(span: Span, sources: &Sources) -> String {
    format!(" (declared at {}:{})", sources.get(span.file).name, sources.line(span))
}

/// A checked model and the files it came from.
#[derive(Debug)]
pub struct Checked {
    /// Every file that was read.
    pub sources: Sources,
    /// What stands in them.
    pub files: Files,
    /// The model.
    pub model: Model,
    /// What is asked for.
    pub outputs: Vec<(String, ValueId)>,
}

/// Reads a file and those it uses. The syntax trees come back even where there are mistakes.
///
/// # Errors
/// A file that can't be read.
pub fn read(file: &Path) -> Result<(Sources, Files, Vec<Diagnostic>), Failure> {
    let text = read_text(file).map_err(Failure::Other)?;
    let mut sources = Sources::default();
    let loader = |user: &str, used: &str| {
        let folder = Path::new(user).parent().unwrap_or(Path::new(""));
        let path = folder.join(used);
        let text = read_text(&path)?;
        Ok((path.display().to_string(), text))
    };
    let (files, diagnostics) = check::program::read(&mut sources, &loader, &file.display().to_string(), &text);
    Ok((sources, files, diagnostics))
}

/// The largest .seq file that is read, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

fn read_text(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let bytes = std::fs::metadata(file).map_err(|why| format!("cannot read {shown}: {why}"))?;
    if bytes.is_dir() {
        return Err(format!("cannot read {shown}: it is a folder"));
    }
    if bytes.len() > LARGEST_FILE {
        return Err(format!(
            "cannot read {shown}: it has {} bytes, a .seq file has {LARGEST_FILE} at most",
            bytes.len()
        ));
    }
    let bytes = std::fs::read(file).map_err(|why| format!("cannot read {shown}: {why}"))?;
    String::from_utf8(bytes)
        .map_err(|why| format!("cannot read {shown}: byte {} is not UTF-8 text", why.utf8_error().valid_up_to()))
}

/// Checks a model, with the sizes of a checkpoint's `config.json` where one is given.
///
/// # Errors
/// Every mistake in the files.
pub fn check(request: &Request, checkpoint: Option<&Checkpoint>) -> Result<Checked, Failure> {
    let (sources, files, diagnostics) = read(&request.file)?;
    if !diagnostics.is_empty() {
        return Err(Failure::Mistakes(diagnostics, sources));
    }
    let definitions = &files.files[files.root].tree.definitions;
    let name = match &request.model {
        Some(name) => Some(name.clone()),
        None => definitions.iter().rev().find(|item| item.kind == Kind::Model).map(|item| item.name.text.clone()),
    };
    let mut parameters = BTreeMap::new();
    if let (Some(checkpoint), Some(name)) = (checkpoint, &name) {
        let config = |path: &[&str]| config_setting(checkpoint, path);
        match table::settings(&files, name, checkpoint.format(), &request.parameters, &config) {
            Ok(settings) => parameters = settings,
            Err(diagnostics) => return Err(Failure::Mistakes(diagnostics, sources)),
        }
    }
    parameters.extend(request.parameters.clone());
    let model = match check::check(&files, name.as_deref(), &parameters, Missing::Refuse) {
        Ok(model) => model,
        Err(diagnostics) => return Err(Failure::Mistakes(diagnostics, sources)),
    };
    let outputs = match &request.outputs {
        None => model.results.clone(),
        Some(names) => {
            let mut outputs = Vec::new();
            for name in names {
                match model.names.get(name) {
                    Some(value) => outputs.push((name.clone(), *value)),
                    None => {
                        let near = nearest(name, model.names.keys().map(String::as_str));
                        let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                        return Err(Failure::Other(format!("the model `{}` has no value `{name}`{near}", model.name)));
                    }
                }
            }
            outputs
        }
    };
    Ok(Checked { sources, files, model, outputs })
}

/// Every stage between a checked model and kernels.
#[derive(Clone, Debug)]
pub struct Stages {
    /// The equations taken apart.
    pub graph: Graph,
    /// The same after the passes, and which equations become one kernel.
    pub fused: Fused,
    /// The kernels.
    pub program: Program,
}

/// Takes a checked model all the way to kernels.
pub fn lower(checked: &Checked) -> Stages {
    let graph = graph::build(&checked.model, &checked.outputs);
    let fused = fuse(pass::optimise(graph.clone()));
    let program = kernel::lower(&fused);
    Stages { graph, fused, program }
}

/// Takes a checked model to the kernels of its chunk program.
///
/// # Errors
/// The equation that keeps it from running chunk by chunk.
pub fn lower_chunks(checked: &Checked) -> Result<Stages, Failure> {
    let graph = graph::build(&checked.model, &checked.outputs);
    match stream_axis(&graph) {
        Some(time) => chunks_of(checked, graph, time),
        None => {
            let reader = graph.outputs.first().map_or(ValueId(0), |(_, id)| *id);
            Err(refusal(checked, &Refusal { reader, why: Why::NoAxis }, &graph, None))
        }
    }
}

fn chunks_of(checked: &Checked, graph: Graph, time: TimeId) -> Result<Stages, Failure> {
    // Found out before the passes, so that it speaks of the file's own equations.
    plan(&graph, time).map_err(|why| refusal(checked, &why, &graph, Some(time)))?;
    let fused = fuse_chunks(pass::optimise(graph.clone()), time)
        .map_err(|(why, optimised)| refusal(checked, &why, &optimised, Some(time)))?;
    let program = kernel::lower(&fused);
    Ok(Stages { graph, fused, program })
}

fn refusal(checked: &Checked, why: &Refusal, graph: &Graph, time: Option<TimeId>) -> Failure {
    Failure::Mistakes(vec![why.diagnostic(graph, time)], checked.sources.clone())
}

/// Reads a model's weights from a checkpoint by its table.
///
/// # Errors
/// Everything about the table or the checkpoint that does not fit.
pub fn weights(checked: &Checked, checkpoint: Option<&Checkpoint>) -> Result<Loaded, Failure> {
    let Some(checkpoint) = checkpoint else {
        let missing: Vec<&str> = checked.model.weights().map(|(_, value)| value.path.as_str()).collect();
        if missing.is_empty() {
            return Ok(Loaded::default());
        }
        return Err(Failure::Other(format!(
            "the model `{}` has weights ({}{}) and no checkpoint is given: pass `--checkpoint DIR`",
            checked.model.name,
            missing[..missing.len().min(3)].join(", "),
            if missing.len() > 3 { ", …" } else { "" }
        )));
    };
    let table: Table = table::bindings(&checked.files, &checked.model, checkpoint.format())
        .map_err(|diagnostics| Failure::Mistakes(diagnostics, checked.sources.clone()))?;
    load(&checked.model, &table, checkpoint).map_err(|errors| Failure::Weights(errors, checked.sources.clone()))
}

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Machine code, with the tiles for these instructions, on so many threads.
    Cpu(Instructions, usize),
    /// Compute shaders on an adapter.
    #[cfg(feature = "gpu")]
    Gpu(gpu::Choice),
    /// The float64 interpreter of the unfused graph: slow, and what every operation means.
    Interpreter,
}

/// A model ready to run.
pub struct Runner {
    model: Model,
    sources: Sources,
    outputs: Vec<(String, ValueId)>,
    way: Way,
}

enum Way {
    Cpu(Box<Executable>),
    #[cfg(feature = "gpu")]
    Gpu(Box<gpu::Executable>),
    Interpreter {
        graph: Box<Graph>,
        weights: BTreeMap<ValueId, Vec<f64>>,
        limits: Vec<kernel::Limit>,
    },
}

impl Runner {
    /// Compiles a checked model for a backend.
    ///
    /// # Errors
    /// What linking refuses.
    pub fn new(checked: &Checked, loaded: &Loaded, backend: Backend) -> Result<Runner, Failure> {
        let stages = lower(checked);
        let way = match backend {
            Backend::Cpu(instructions, threads) => {
                Way::Cpu(Box::new(executable(checked, loaded, stages, instructions, threads)?))
            }
            #[cfg(feature = "gpu")]
            Backend::Gpu(choice) => {
                Way::Gpu(Box::new(on_gpu(checked, loaded, stages, open(choice).map_err(gpu_failure(checked))?)?))
            }
            Backend::Interpreter => Way::Interpreter {
                graph: Box::new(stages.graph),
                weights: loaded
                    .values
                    .iter()
                    .map(|(id, values)| (*id, values.iter().map(|value| f64::from(*value)).collect()))
                    .collect(),
                limits: stages.program.limits,
            },
        };
        Ok(Runner::of(checked, way))
    }

    /// Compiles a checked model for a device that is open, whose target may have been made smaller.
    ///
    /// # Errors
    /// What the device does not allow.
    #[cfg(feature = "gpu")]
    pub fn on_device(checked: &Checked, loaded: &Loaded, device: gpu::Device) -> Result<Runner, Failure> {
        let executable = on_gpu(checked, loaded, lower(checked), device)?;
        Ok(Runner::of(checked, Way::Gpu(Box::new(executable))))
    }

    fn of(checked: &Checked, way: Way) -> Runner {
        Runner { model: checked.model.clone(), sources: checked.sources.clone(), outputs: checked.outputs.clone(), way }
    }

    /// The checked model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What a run gives: names and values.
    pub fn outputs(&self) -> &[(String, ValueId)] {
        &self.outputs
    }

    /// What was done on a GPU, if that is what runs the model.
    #[cfg(feature = "gpu")]
    pub fn gpu(&self) -> Option<&gpu::Executable> {
        match &self.way {
            Way::Gpu(executable) => Some(executable),
            Way::Cpu(_) | Way::Interpreter { .. } => None,
        }
    }

    /// Has every call of a kernel observed, if the processor runs the model: false where something else does.
    pub fn observe(&self, observer: Observer) -> bool {
        match &self.way {
            Way::Cpu(executable) => {
                executable.observe(observer);
                true
            }
            #[cfg(feature = "gpu")]
            Way::Gpu(_) => false,
            Way::Interpreter { .. } => false,
        }
    }

    /// Runs a batch: the rows of each output.
    ///
    /// # Errors
    /// A sequence longer than the model allows.
    pub fn run(&self, batch: &Batch) -> Result<Vec<Vec<f32>>, Failure> {
        match &self.way {
            Way::Cpu(executable) => {
                let own = self.program_batch(executable.program(), batch);
                executable.run(&own).map_err(|error| run_failure(error, &self.model, &self.sources))
            }
            #[cfg(feature = "gpu")]
            Way::Gpu(executable) => {
                let own = self.program_batch(executable.program(), batch);
                pollster::block_on(executable.run(&own)).map_err(|error| run_failure(error, &self.model, &self.sources))
            }
            Way::Interpreter { graph, weights, limits } => {
                for limit in limits {
                    let lengths = &batch.lengths[limit.time.0 as usize];
                    if let Some(found) = lengths.iter().copied().enumerate().find(|(_, length)| *length > limit.most) {
                        return Err(too_long(&self.model, &self.sources, found, limit));
                    }
                }
                Ok(self.interpret(graph, weights, batch))
            }
        }
    }

    /// A batch by the numbers that a program has for its inputs.
    fn program_batch(&self, program: &Program, batch: &Batch) -> Batch {
        let pairs = program_inputs(program, &self.model);
        Batch { sequences: batch.sequences, lengths: batch.lengths.clone(), inputs: moved(&pairs, &batch.inputs) }
    }

    /// One sequence after the other: a model describes one.
    fn interpret(&self, graph: &Graph, weights: &BTreeMap<ValueId, Vec<f64>>, batch: &Batch) -> Vec<Vec<f32>> {
        let mut results = vec![Vec::new(); graph.outputs.len()];
        let mut starts: BTreeMap<ValueId, usize> = BTreeMap::new();
        for sequence in 0..batch.sequences {
            let lengths = (0..batch.lengths.len()).map(|time| batch.lengths[time][sequence]).collect();
            let mut inputs: BTreeMap<ValueId, Vec<f64>> = BTreeMap::new();
            for (id, rows) in &batch.inputs {
                let axes = &self.model.value(*id).axes;
                let row: usize = axes.iter().filter_map(seqwright_compiler::term::Axis::size).product();
                let count = batch.rows_of(axes, sequence) * row;
                let start = starts.entry(*id).or_insert(0);
                let own: Vec<f64> = rows[*start..*start + count].iter().map(|number| f64::from(*number)).collect();
                *start += count;
                inputs.insert(*id, axis_order(&self.model, *id, batch, sequence, &own));
            }
            let values = inputs.iter().chain(weights).map(|(id, numbers)| (*id, numbers.as_slice())).collect();
            let made = interpret(graph, &Sequence { lengths, values });
            for (place, (_, id)) in graph.outputs.iter().enumerate() {
                let numbers: Vec<f64> = match made.get(id) {
                    Some(numbers) => numbers.clone(),
                    None => match &graph.value(*id).kind {
                        ValueKind::Constant(numbers) => numbers.clone(),
                        ValueKind::Weight { .. } => weights.get(id).cloned().unwrap_or_default(),
                        ValueKind::Input { .. } | ValueKind::Equation(_) => inputs.get(id).cloned().unwrap_or_default(),
                    },
                };
                let rows = row_order(&self.model, *id, batch, sequence, &numbers);
                results[place].extend(rows.into_iter().map(|number| number as f32));
            }
        }
        results
    }

    /// The longest sequences that the model's tables of positions allow.
    pub fn limits(&self) -> &[kernel::Limit] {
        match &self.way {
            Way::Cpu(executable) => &executable.program().limits,
            #[cfg(feature = "gpu")]
            Way::Gpu(executable) => &executable.program().limits,
            Way::Interpreter { limits, .. } => limits,
        }
    }

    /// The model's time axes by name.
    pub fn times(&self) -> impl Iterator<Item = (TimeId, &str)> {
        self.model.times.iter().enumerate().map(|(place, name)| (TimeId(place as u32), name.as_str()))
    }
}

/// Compiles a model's kernels for this processor.
fn executable(
    checked: &Checked,
    loaded: &Loaded,
    stages: Stages,
    instructions: Instructions,
    threads: usize,
) -> Result<Executable, Failure> {
    let tiles = Tiles::new(instructions)
        .ok_or_else(|| Failure::Other(format!("this processor has no {}", instructions.name())))?;
    let model = &stages.fused.graph.model;
    let weights = program_weights(checked, loaded, model);
    Executable::new(stages.program, model, &weights, &tiles, threads).map_err(Failure::Other)
}

/// Opens the device of an adapter.
#[cfg(feature = "gpu")]
fn open(choice: gpu::Choice) -> Result<gpu::Device, RunError> {
    let adapters = pollster::block_on(gpu::adapters());
    let number = gpu::choose(&adapters, Some(&choice.adapter.to_string()))?;
    Ok(pollster::block_on(gpu::Device::open(&adapters[number], choice.weights))?)
}

#[cfg(feature = "gpu")]
fn gpu_failure(checked: &Checked) -> impl Fn(RunError) -> Failure {
    |error| run_failure(error, &checked.model, &checked.sources)
}

/// Compiles a model's kernels for a device.
#[cfg(feature = "gpu")]
fn on_gpu(checked: &Checked, loaded: &Loaded, stages: Stages, device: gpu::Device) -> Result<gpu::Executable, Failure> {
    let model = &stages.fused.graph.model;
    let weights = program_weights(checked, loaded, model);
    pollster::block_on(gpu::Executable::new(device, stages.program, model, &weights)).map_err(gpu_failure(checked))
}

/// A model's weights by the numbers that a program has for them: passes number values anew, paths stay.
fn program_weights<'l>(checked: &Checked, loaded: &'l Loaded, model: &Model) -> BTreeMap<ValueId, &'l [f32]> {
    let by_path: BTreeMap<&str, &'l Vec<f32>> =
        loaded.values.iter().map(|(id, values)| (checked.model.value(*id).path.as_str(), values)).collect();
    let found = |(id, value): (ValueId, &Value)| Some((id, by_path.get(value.path.as_str())?.as_slice()));
    model.weights().filter_map(found).collect()
}

/// For each input that a program has, the model's number for it and its own.
fn program_inputs(program: &Program, model: &Model) -> Vec<(ValueId, ValueId)> {
    let mut pairs = Vec::new();
    for (id, value) in model.inputs() {
        let own = program.buffers.iter().find_map(|buffer| match buffer.role {
            kernel::Role::Input(own) if buffer.name == value.path => Some(own),
            _ => None,
        });
        pairs.extend(own.map(|own| (id, own)));
    }
    pairs
}

/// A model's inputs by the numbers that a program has for them.
fn moved(pairs: &[(ValueId, ValueId)], inputs: &BTreeMap<ValueId, Vec<f32>>) -> BTreeMap<ValueId, Vec<f32>> {
    pairs.iter().filter_map(|(id, own)| Some((*own, inputs.get(id)?.clone()))).collect()
}

/// Why a run did not come about, in words.
fn run_failure(error: RunError, model: &Model, sources: &Sources) -> Failure {
    match error {
        RunError::TooLong { sequence, limit } => too_long(model, sources, sequence, &limit),
        RunError::Memory { needed, available } => Failure::Other(format!(
            "a run needs {} MiB of memory for its values, {} MiB are there: run fewer or shorter sequences at once",
            needed >> 20,
            available >> 20
        )),
        RunError::Batch(why) => Failure::Other(format!("the batch does not fit the model: {why}")),
        RunError::Device { message, help } => Failure::Device { message, help },
    }
}

fn too_long(model: &Model, sources: &Sources, (sequence, length): (usize, usize), limit: &kernel::Limit) -> Failure {
    let time = &model.times[limit.time.0 as usize];
    let error = InputError {
        message: format!(
            "sequence {sequence} has {length} positions of {time}, `{}` allows {} at most",
            limit.value, limit.most
        ),
        span: Some(limit.span),
        help: Some("shorten the sequence, or split it".to_string()),
    };
    Failure::Inputs(vec![error], sources.clone())
}

/// A model whose sequences come chunk by chunk.
pub struct Streamer {
    model: Model,
    sources: Sources,
    outputs: Vec<(String, ValueId)>,
    /// The model's number for each input, and the program's.
    inputs: Vec<(ValueId, ValueId)>,
    stream: Stream,
}

impl Streamer {
    /// Compiles a checked model's chunk program.
    ///
    /// # Errors
    /// The equation that keeps it from running chunk by chunk; what linking or a device refuses; the interpreter.
    pub fn new(checked: &Checked, loaded: &Loaded, backend: Backend) -> Result<Streamer, Failure> {
        Streamer::of(checked, loaded, lower_chunks(checked)?, backend)
    }

    /// The same for chunks along an axis that need not be that of the results.
    ///
    /// # Errors
    /// As for [`new`](Streamer::new).
    pub fn along(time: TimeId, checked: &Checked, loaded: &Loaded, backend: Backend) -> Result<Streamer, Failure> {
        let stages = chunks_of(checked, graph::build(&checked.model, &checked.outputs), time)?;
        Streamer::of(checked, loaded, stages, backend)
    }

    fn of(checked: &Checked, loaded: &Loaded, stages: Stages, backend: Backend) -> Result<Streamer, Failure> {
        let engine = match backend {
            Backend::Cpu(instructions, threads) => {
                Engine::Cpu(Rc::new(executable(checked, loaded, stages, instructions, threads)?))
            }
            #[cfg(feature = "gpu")]
            Backend::Gpu(choice) => {
                let device = open(choice).map_err(gpu_failure(checked))?;
                Engine::Gpu(Rc::new(on_gpu(checked, loaded, stages, device)?))
            }
            Backend::Interpreter => {
                return Err(Failure::Other("the interpreter computes whole sequences alone".to_string()));
            }
        };
        Ok(Streamer {
            inputs: program_inputs(engine.program(), &checked.model),
            model: checked.model.clone(),
            sources: checked.sources.clone(),
            outputs: checked.outputs.clone(),
            stream: Stream::new(engine),
        })
    }

    /// The checked model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What a chunk gives: names and values.
    pub fn outputs(&self) -> &[(String, ValueId)] {
        &self.outputs
    }

    /// The longest sequences that the model's tables of positions allow.
    pub fn limits(&self) -> &[kernel::Limit] {
        &self.stream.program().limits
    }

    /// The sequences.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// What was done on a GPU, if that is what runs the model.
    #[cfg(feature = "gpu")]
    pub fn gpu(&self) -> Option<&gpu::Executable> {
        match self.stream.engine() {
            Engine::Gpu(executable) => Some(executable),
            Engine::Cpu(_) => None,
        }
    }

    /// Has every call of a kernel observed, if the processor runs the model: false where something else does.
    pub fn observe(&self, observer: Observer) -> bool {
        match self.stream.engine() {
            Engine::Cpu(executable) => {
                executable.observe(observer);
                true
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => false,
        }
    }

    /// The axis along which chunks come.
    pub fn time(&self) -> TimeId {
        self.stream.program().chunks.expect("it was compiled to take chunks")
    }

    /// How many positions of a sequence came along the axis of chunks.
    pub fn position(&self, place: usize) -> usize {
        self.stream.position(place)
    }

    /// Runs the next positions of some sequences; inputs are named by the model's numbers.
    ///
    /// # Errors
    /// A chunk that does not fit, or a sequence that becomes longer than the model allows.
    pub fn run(&mut self, chunk: &Chunk) -> Result<Vec<NewRows>, Failure> {
        let own = Chunk {
            places: chunk.places.clone(),
            lengths: chunk.lengths.clone(),
            inputs: moved(&self.inputs, &chunk.inputs),
            last: chunk.last,
        };
        self.stream.run(&own).map_err(|error| run_failure(error, &self.model, &self.sources))
    }
}

/// One sequence's numbers from rows (time axes first) to the order of the axes.
fn axis_order(model: &Model, id: ValueId, batch: &Batch, sequence: usize, rows: &[f64]) -> Vec<f64> {
    let mut numbers = vec![0.0; rows.len()];
    places(model, id, batch, sequence, |row, place| numbers[place] = rows[row]);
    numbers
}

/// The other way round.
fn row_order(model: &Model, id: ValueId, batch: &Batch, sequence: usize, numbers: &[f64]) -> Vec<f64> {
    let mut rows = vec![0.0; numbers.len()];
    places(model, id, batch, sequence, |row, place| rows[row] = numbers[place]);
    rows
}

fn places(model: &Model, id: ValueId, batch: &Batch, sequence: usize, visit: impl FnMut(usize, usize)) {
    let axes = &model.value(id).axes;
    let one = Batch {
        sequences: 1,
        lengths: batch.lengths.iter().map(|lengths| vec![lengths[sequence]]).collect(),
        inputs: BTreeMap::new(),
    };
    let sizes: Vec<usize> = axes
        .iter()
        .map(|axis| axis.time().map_or(axis.size().unwrap_or(1), |time| one.lengths[time.0 as usize][0]))
        .collect();
    crate::batch::for_each_place(axes, &sizes, &one, visit);
}

/// The syntax trees of a file as text.
pub fn print_syntax(files: &Files) -> String {
    syntax::print::print(&files.files[files.root].tree)
}
