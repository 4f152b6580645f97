//! Sequences that come chunk by chunk: a model's chunk program on a backend.

use super::compile::{executable, moved, program_inputs};
#[cfg(feature = "gpu")]
use super::compile::{gpu_failure, on_gpu, open};
use super::failure::run_failure;
use super::stages::chunks_of;
use super::{Backend, Checked, Failure, Stages, lower_chunks};
use crate::execute::Observer;
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::matrix::Kept;
use crate::stream::{Chunk, Engine, NewRows, Stream};
use crate::weights::Loaded;
use seqwright_compiler::model::Model;
use seqwright_compiler::source::Sources;
use seqwright_compiler::term::{TimeId, ValueId};
use seqwright_compiler::{graph, kernel};
use std::collections::BTreeMap;
use std::rc::Rc;

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

    /// Has every call of a kernel observed: false where nothing can be, by the interpreter or a GPU without a clock.
    pub fn observe(&self, observer: Observer) -> bool {
        match self.stream.engine() {
            Engine::Cpu(executable) => {
                executable.observe(observer);
                true
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(executable) => executable.observe(observer),
        }
    }

    /// How products keep the weights that they multiply with, where the processor runs the model.
    pub fn kept(&self) -> Option<&Kept> {
        match self.stream.engine() {
            Engine::Cpu(executable) => Some(executable.kept()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => None,
        }
    }

    /// By the number of a program's buffer, how many bytes fewer its weights take than in 32-bit floats.
    pub fn fewer_bytes(&self) -> BTreeMap<u32, usize> {
        match self.stream.engine() {
            Engine::Cpu(executable) => executable.kept().fewer.clone(),
            #[cfg(feature = "gpu")]
            Engine::Gpu(executable) => executable.fewer_bytes(),
        }
    }

    /// What was done on a GPU, if that is what runs the model.
    #[cfg(feature = "gpu")]
    pub fn gpu(&self) -> Option<&gpu::Executable> {
        match self.stream.engine() {
            Engine::Gpu(executable) => Some(executable),
            Engine::Cpu(_) => None,
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
