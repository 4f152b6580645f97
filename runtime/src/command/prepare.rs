//! From arguments to a model that is ready to run, with the time that each step takes.

use super::arguments::{BackendArguments, BackendName, GivenArguments, ModelArguments};
use super::terminal::{Terminal, Waiting};
use super::{Stop, devices, random};
use crate::session::{self, Backend, Checked, Failure, Request, Runner};
use crate::tiles::{Instructions, Precision};
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, Loaded};
use seqwright_compiler::model::Model;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long the steps took, in order.
#[derive(Debug, Default)]
pub struct Steps {
    /// Names and times.
    pub all: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Does a step.
    pub fn take<T>(&mut self, name: &'static str, step: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let made = step();
        self.all.push((name, start.elapsed()));
        made
    }
}

/// A checked model and its weights.
pub struct Prepared {
    /// The checkpoint, where one is given.
    pub checkpoint: Option<Checkpoint>,
    /// The model.
    pub checked: Checked,
    /// Its weights.
    pub loaded: Loaded,
    tokenizer: OnceLock<Result<Option<Tokenizer>, String>>,
}

/// Whether a command will need the checkpoint's tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// It has texts: the tokenizer is read while the weights are, which takes as long.
    Given,
    /// It has none, or does not know yet.
    None,
}

impl Prepared {
    fn new(checkpoint: Option<Checkpoint>, checked: Checked, loaded: Loaded) -> Prepared {
        Prepared { checkpoint, checked, loaded, tokenizer: OnceLock::new() }
    }

    /// The checkpoint's tokenizer.
    ///
    /// # Errors
    /// There is no checkpoint or it has none; one that can't be read.
    pub fn tokenizer(&self) -> Result<&Tokenizer, Failure> {
        let other = |why: String| Failure::Other(why);
        let Some(checkpoint) = &self.checkpoint else {
            return Err(other("texts need a tokenizer: pass `--checkpoint` with a model that has one".to_string()));
        };
        let tokenizer =
            self.tokenizer.get_or_init(|| checkpoint.tokenizer()).as_ref().map_err(|why| other(why.clone()))?;
        tokenizer.as_ref().ok_or_else(|| other(format!("{} has no tokenizer", checkpoint.folder().display())))
    }
}

/// The values of `--set`, each once.
pub fn parameters(set: &[(String, f64)]) -> Result<BTreeMap<String, f64>, Stop> {
    let mut all = BTreeMap::new();
    for (name, value) in set {
        if all.insert(name.clone(), *value).is_some() {
            return Err(Stop::Usage(format!("the parameter `{name}` is set twice")));
        }
    }
    Ok(all)
}

/// What the session is asked for.
pub fn request(model: &ModelArguments, outputs: &[String]) -> Result<Request, Stop> {
    if let Some((place, name)) = outputs.iter().enumerate().find(|(place, name)| outputs[..*place].contains(name)) {
        let _ = place;
        return Err(Stop::Usage(format!("the output `{name}` is asked for twice")));
    }
    Ok(Request {
        file: model.file.clone(),
        model: model.model.clone(),
        parameters: parameters(&model.set)?,
        outputs: (!outputs.is_empty()).then(|| outputs.to_vec()),
    })
}

/// Opens a checkpoint, if there is one.
pub fn open(path: Option<&Path>) -> Result<Option<Checkpoint>, Failure> {
    path.map(|path| Checkpoint::open(path).map_err(Failure::File)).transpose()
}

/// Checks the model and reads its weights, for products in a precision.
pub fn prepare(
    request: &Request,
    checkpoint: Option<&Path>,
    precision: Precision,
    texts: Texts,
    steps: &mut Steps,
    terminal: &mut Terminal,
) -> Result<Prepared, Failure> {
    let shown = checkpoint.unwrap_or(Path::new("")).display().to_string();
    // A mistake in the model is told before one in the weights, unless those are needed to look for it.
    if checkpoint.is_none() {
        let checked = steps.take("check", || session::check(request, None))?;
        let loaded = session::weights_as(&checked, None, precision)?;
        return Ok(Prepared::new(None, checked, loaded));
    }
    let (_, _, mistakes) = session::read(&request.file)?;
    let opened = match mistakes.is_empty() {
        true => steps.take("open", || open(checkpoint))?,
        // The check below tells them.
        false => None,
    };
    let tokenizer = OnceLock::new();
    let (checked, loaded) = std::thread::scope(|scope| {
        if let (Some(opened), Texts::Given) = (&opened, texts) {
            scope.spawn(|| tokenizer.get_or_init(|| opened.tokenizer()));
        }
        let checked = steps.take("check", || session::check(request, opened.as_ref()))?;
        let _waiting = Waiting::new(format!("loading {shown}"));
        let loaded = steps.take("load", || session::weights_as(&checked, opened.as_ref(), precision))?;
        Ok::<_, Failure>((checked, loaded))
    })?;
    for note in &loaded.notes {
        terminal.note(note);
    }
    Ok(Prepared { tokenizer, ..Prepared::new(opened, checked, loaded) })
}

/// The same where random weights will do: those of the checkpoint that is named, random ones where none is.
pub fn prepare_or_random(
    request: &Request,
    given: &GivenArguments,
    precision: Precision,
    steps: &mut Steps,
    terminal: &mut Terminal,
) -> Result<Prepared, Failure> {
    match &given.checkpoint {
        Some(path) => {
            let texts = if given.text.is_empty() { Texts::None } else { Texts::Given };
            prepare(request, Some(path), precision, texts, steps, terminal)
        }
        None => {
            let checked = session::check(request, None)?;
            let loaded = Loaded { precision, ..random::weights(&checked.model) };
            Ok(Prepared::new(None, checked, loaded))
        }
    }
}

/// What of a model and its inputs is random, in a sentence; nothing where nothing is.
pub fn what_is_random(given: &GivenArguments, model: &Model) -> Option<String> {
    let weights = given.checkpoint.is_none() && model.weights().next().is_some();
    let inputs = !given.has_inputs() && model.inputs().next().is_some();
    match (weights, inputs) {
        (false, false) => None,
        (true, false) => Some("the weights are random: no `--checkpoint` is given".to_string()),
        (false, true) => Some("the inputs are random: no `--io`, `--input` or `--text` is given".to_string()),
        (true, true) => Some("weights and inputs are random: no `--checkpoint` and no inputs are given".to_string()),
    }
}

/// The backend that is asked for. Where any will do, it says which it is.
pub fn backend(arguments: &BackendArguments, terminal: &mut Terminal) -> Result<Backend, Stop> {
    let threads = arguments
        .threads
        .map(usize::from)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let on_gpu = matches!(arguments.backend, BackendName::Gpu | BackendName::Auto);
    if let (Some(_), false) = (&arguments.adapter, on_gpu) {
        return Err(Stop::Usage("`--adapter` chooses a GPU: add `--backend gpu`".to_string()));
    }
    if let (Some(_), false) = (arguments.shaders.gpu_weights, on_gpu) {
        return Err(Stop::Usage("`--gpu-weights` are those on a GPU: add `--backend gpu`".to_string()));
    }
    if let (Some(_), false) = (arguments.shaders.cooperative_matrices, on_gpu) {
        return Err(Stop::Usage("`--cooperative-matrices` are a GPU's: add `--backend gpu`".to_string()));
    }
    match (arguments.backend, arguments.instructions) {
        (BackendName::Cpu, None) => Ok(Backend::Cpu(Instructions::best(), threads)),
        (BackendName::Cpu, Some(name)) => Ok(Backend::Cpu(name.instructions(), threads)),
        (BackendName::Gpu, None) => Ok(devices::choose(arguments.adapter.as_deref(), &arguments.shaders)?),
        (BackendName::Auto, None) => match devices::choose(arguments.adapter.as_deref(), &arguments.shaders) {
            Ok(backend) => {
                terminal.note(&format!("running on {}", backend_name(backend)));
                Ok(backend)
            }
            Err(failure) => {
                let why = match failure {
                    Failure::Device { message, .. } | Failure::Other(message) => message,
                    other => return Err(other.into()),
                };
                terminal.note(&format!("running on the processor: {why}"));
                Ok(Backend::Cpu(Instructions::best(), threads))
            }
        },
        (BackendName::Interpreter, None) => Ok(Backend::Interpreter),
        (BackendName::Interpreter, Some(_)) => {
            Err(Stop::Usage("the interpreter uses no instructions: leave `--instructions` out".to_string()))
        }
        (BackendName::Gpu | BackendName::Auto, Some(_)) => {
            Err(Stop::Usage("`--instructions` are the processor's: add `--backend cpu`, or leave them out".to_string()))
        }
    }
}

/// Compiles the model.
pub fn compile(prepared: &Prepared, backend: Backend, steps: &mut Steps) -> Result<Runner, Failure> {
    let _waiting = Waiting::new(format!("compiling {}", prepared.checked.model.name));
    steps.take("compile", || Runner::new(&prepared.checked, &prepared.loaded, backend))
}

/// A backend in words.
pub fn backend_name(backend: Backend) -> String {
    match backend {
        Backend::Cpu(instructions, 1) => format!("cpu, {}, 1 thread", instructions.name()),
        Backend::Cpu(instructions, threads) => format!("cpu, {}, {threads} threads", instructions.name()),
        #[cfg(feature = "gpu")]
        Backend::Gpu(choice) => devices::name(choice),
        Backend::Interpreter => "interpreter".to_string(),
    }
}
