//! Whole sequences, in batches: a model ready to run on a backend.

use super::compile::{executable, moved, program_inputs};
#[cfg(feature = "gpu")]
use super::compile::{gpu_failure, on_gpu, open};
use super::failure::run_failure;
use super::interpret::{exact_weights, interpret_batch, refuse_too_long};
use super::{Backend, Checked, Failure, lower};
use crate::batch::Batch;
use crate::execute::{Executable, Observer};
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::matrix::Kept;
use crate::weights::Loaded;
use seqwright_compiler::graph::Graph;
use seqwright_compiler::kernel::{self, Program};
use seqwright_compiler::model::Model;
use seqwright_compiler::source::Sources;
use seqwright_compiler::term::{TimeId, ValueId};
use std::collections::BTreeMap;

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
                weights: exact_weights(loaded)?,
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

    /// Has every call of a kernel observed: false where nothing can be, by the interpreter or a GPU without a clock.
    pub fn observe(&self, observer: Observer) -> bool {
        match &self.way {
            Way::Cpu(executable) => {
                executable.observe(observer);
                true
            }
            #[cfg(feature = "gpu")]
            Way::Gpu(executable) => executable.observe(observer),
            Way::Interpreter { .. } => false,
        }
    }

    /// How products keep the weights that they multiply with, where the processor runs the model.
    pub fn kept(&self) -> Option<&Kept> {
        match &self.way {
            Way::Cpu(executable) => Some(executable.kept()),
            #[cfg(feature = "gpu")]
            Way::Gpu(_) => None,
            Way::Interpreter { .. } => None,
        }
    }

    /// By the number of a program's buffer, how many bytes fewer its weights take than in 32-bit floats.
    pub fn fewer_bytes(&self) -> BTreeMap<u32, usize> {
        match &self.way {
            Way::Cpu(executable) => executable.kept().fewer.clone(),
            #[cfg(feature = "gpu")]
            Way::Gpu(executable) => executable.fewer_bytes(),
            Way::Interpreter { .. } => BTreeMap::new(),
        }
    }

    /// What was done on a GPU, if that is what runs the model.
    #[cfg(feature = "gpu")]
    pub fn gpu(&self) -> Option<&gpu::Executable> {
        match &self.way {
            Way::Gpu(executable) => Some(executable),
            Way::Cpu(_) | Way::Interpreter { .. } => None,
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
                refuse_too_long(&self.model, &self.sources, limits, batch)?;
                Ok(interpret_batch(&self.model, graph, weights, batch))
            }
        }
    }

    /// Gives results back: later runs write theirs to the same memory where it fits, which saves the system to make it anew.
    /// A prompt's logits would take as long as a layer.
    pub fn give_back(&self, results: Vec<Vec<f32>>) {
        if let Way::Cpu(executable) = &self.way {
            executable.spare().give_back(results);
        }
    }

    /// A batch by the numbers that a program has for its inputs.
    fn program_batch<'b>(&self, program: &Program, batch: &'b Batch) -> Batch<&'b [f32]> {
        let pairs = program_inputs(program, &self.model);
        Batch { sequences: batch.sequences, lengths: batch.lengths.clone(), inputs: moved(&pairs, &batch.inputs) }
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
