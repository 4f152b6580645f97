//! What the compiler made of a model, as a value: for each equation of the file what became of it, how far it looks, what it
//! costs; the kernels and what they move; what is kept between chunks; and why there is no step program, where there is none.
//!
//! | file | what it finds |
//! | --- | --- |
//! | `equations.rs`, `fate.rs` | what became of equations, from the history that passes write; how far they look |
//! | `kernels.rs`, `cost.rs`, `traffic.rs` | kernels and calls, floating-point operations, and numbers moved |
//! | `recurrences.rs` | recurrences and their kinds |
//! | `step.rs`, `state.rs` | the chunk program, and what it keeps |
//! | `formula.rs` | counts in the lengths of time axes |
//! | `layers.rs` | layers that are alike |
//! | `why.rs` | why two equations are not one kernel |
//!
//! Nothing here decides anything: what is told was decided by the passes, by fusion and by the chunk program's plan, and is
//! read off what they leave.

mod cost;
mod equations;
mod fate;
mod formula;
mod kernels;
mod layers;
mod recurrences;
mod state;
mod step;
mod traffic;
mod why;

pub use fate::Fate;
pub use formula::{Formula, Length, Polynomial, Product, with_commas};
pub use kernels::calls;
pub use layers::{Before, Group, Line, groups};
pub use state::{BYTES, COUNT_BYTES, Kept, What};
pub use traffic::{Moved, Traffic, traffic};
pub use why::{Answer, why};

use crate::diagnostic::Diagnostic;
use crate::fuse::{Fused, fuse, fuse_chunks};
use crate::graph::{self, Graph};
use crate::kernel::{self, Program};
use crate::model::{Model, print_axes};
use crate::source::Span;
use crate::stream::{Field, Part, Plan, Refusal, Why, plan, stream_axis};
use crate::term::{TimeId, ValueId};
use fate::Lineage;
use std::collections::HashMap;

/// A model on its whole way down.
pub struct Stages {
    /// The checked model.
    pub model: Model,
    /// Its equations taken apart.
    pub graph: Graph,
    /// Kernels of the program for whole sequences, as equations.
    pub fused: Fused,
    /// The same as loops and addresses.
    pub program: Program,
    /// The chunk program, or why there is none.
    pub chunks: Result<Chunks, Box<Diagnostic>>,
}

/// A model's chunk program.
pub struct Chunks {
    /// The axis along which chunks come.
    pub time: TimeId,
    /// When each of the graph's values is computed, and what is kept of it.
    pub plan: Plan,
    /// Its kernels, as equations.
    pub fused: Fused,
    /// The same as loops and addresses.
    pub program: Program,
}

impl Stages {
    /// Takes a checked model down to kernels, both ways.
    pub fn new(model: &Model, outputs: &[(String, ValueId)]) -> Stages {
        let graph = graph::build(model, outputs);
        let optimised = crate::pass::optimise(graph.clone());
        let chunks = chunks(&graph, &optimised);
        let fused = fuse(optimised);
        let program = kernel::lower(&fused);
        Stages { model: model.clone(), graph, fused, program, chunks }
    }
}

/// The chunk program; it is refused before the passes where it can be, so that the refusal speaks of the file's equations.
fn chunks(graph: &Graph, optimised: &Graph) -> Result<Chunks, Box<Diagnostic>> {
    let Some(time) = stream_axis(graph) else {
        let reader = graph.outputs.first().map_or(ValueId(0), |(_, id)| *id);
        return Err(Box::new(Refusal { reader, why: Why::NoAxis }.diagnostic(graph, None)));
    };
    let plan = plan(graph, time).map_err(|refusal| refusal.diagnostic(graph, Some(time)))?;
    let fused = fuse_chunks(optimised.clone(), time)
        .map_err(|(refusal, optimised)| refusal.diagnostic(&optimised, Some(time)))?;
    let program = kernel::lower(&fused);
    Ok(Chunks { time, plan, fused, program })
}

/// What became of a model.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Its name.
    pub model: String,
    /// Its parameters and their values.
    pub parameters: Vec<(String, f64)>,
    /// The names of its time axes.
    pub times: Vec<String>,
    /// What it takes: names and axes.
    pub inputs: Vec<(String, String)>,
    /// What is asked for.
    pub outputs: Vec<String>,
    /// Its equations, in the order of the file, layer by layer.
    pub equations: Vec<Equation>,
    /// The different kernels of the program for whole sequences.
    pub kernels: Vec<Kernel>,
    /// Its recurrences.
    pub recurrences: Vec<Recurrence>,
    /// The chunk program, or why there is none.
    pub step: Result<Step, NoStep>,
    /// Its weights: paths and numbers.
    pub weights: Vec<(String, usize)>,
    /// Floating-point operations for a whole sequence.
    pub operations: Formula,
    /// Numbers read and written for a whole sequence.
    pub traffic: Traffic,
}

/// What became of an equation.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    /// Its path from the model.
    pub path: String,
    /// Where the file defines it.
    pub span: Span,
    /// The equation over indices.
    pub text: String,
    /// Its axes: `[T, hidden = 20]`.
    pub axes: String,
    /// Whether it is a state.
    pub is_state: bool,
    /// The names by which it is asked for.
    pub outputs: Vec<String>,
    /// What became of it and its parts.
    pub fates: Vec<Fate>,
    /// The kernels that compute it or a part of it, as `seqc emit --stage kernels` numbers them.
    pub kernels: Vec<usize>,
    /// For each time axis that it depends on, what its own subscripts reach.
    pub looks: Vec<(TimeId, Field)>,
    /// For each time axis that it depends on, what it sees of the inputs.
    pub sees: Vec<(TimeId, Field)>,
    /// In the chunk program, how many positions later than the inputs it comes.
    pub lag: usize,
    /// In the chunk program, when it is computed; none where nothing needs it, or there is no such program.
    pub part: Option<Part>,
    /// Floating-point operations.
    pub operations: Formula,
    /// The weights that it reads, and how many numbers they have.
    pub weights: Vec<Weight>,
}

/// A weight that an equation reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Its path.
    pub path: String,
    /// How many numbers it has.
    pub numbers: usize,
    /// Whether other equations read it too.
    pub shared: bool,
}

/// A kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Its number, as `seqc emit --stage kernels` has it.
    pub number: usize,
    /// How it runs: `rows`, `scan`, `attention`, ….
    pub kind: &'static str,
    /// The axis whose positions it runs over; none for sequences.
    pub time: Option<TimeId>,
    /// How often it is run, on other buffers each time.
    pub calls: usize,
    /// The equations that its runs compute, in whole or in part.
    pub equations: Vec<String>,
    /// Floating-point operations of a run.
    pub operations: Formula,
    /// Numbers that a run reads and writes.
    pub traffic: Traffic,
}

/// A recurrence.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    /// Along which axis.
    pub time: TimeId,
    /// Whether from the last position to the first.
    pub backward: bool,
    /// Its equations that are states.
    pub states: Vec<String>,
    /// Its other equations.
    pub others: Vec<String>,
    /// What is read at earlier positions (later ones, if it runs backward), and by whom.
    pub reads: Vec<(String, Vec<String>)>,
    /// What kind it is, in words.
    pub kind: &'static str,
    /// What keeps it from being affine element by element: the equation, where it stands, and what it does.
    pub cause: Option<(String, Span, String)>,
    /// Whether it runs in blocks of positions, not one after the other.
    pub blocks: bool,
    /// Its kernel's number.
    pub kernel: usize,
}

/// What a call of a program costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its kernel's number, as `seqc emit --stage kernels` has it.
    pub kernel: usize,
    /// How it runs: `rows`, `scan`, `attention`, ….
    pub kind: &'static str,
    /// The axis whose positions it runs over; none for sequences.
    pub time: Option<TimeId>,
    /// When a chunk program runs it.
    pub part: Part,
    /// The equations that it computes, in whole or in part.
    pub equations: Vec<String>,
    /// Floating-point operations for a whole sequence.
    pub operations: Formula,
    /// Numbers that it moves for a whole sequence.
    pub moved: Moved,
}

/// The chunk program.
#[derive(Clone, Debug)]
pub struct Step {
    /// The axis along which chunks come.
    pub time: TimeId,
    /// How many positions later than the inputs the results come.
    pub lag: usize,
    /// How many different kernels it has, and how many are run for a chunk.
    pub kernels: (usize, usize),
    /// What is kept of a sequence.
    pub kept: Vec<Kept>,
    /// The axes of which it is kept how many positions came.
    pub counts: Vec<TimeId>,
    /// Bytes of all that is kept.
    pub bytes: Formula,
    /// Floating-point operations for what is computed once, before the first position.
    pub once: Formula,
    /// Floating-point operations for one more position, as the last of that many.
    pub position: Polynomial,
}

/// Why there is no chunk program.
#[derive(Clone, Debug)]
pub struct NoStep {
    /// The equation that keeps the model from running so, and what it does.
    pub diagnostic: Diagnostic,
    /// Results that would have one if they alone were asked for.
    pub alone: Vec<String>,
}

/// Explains a model.
pub fn explain(stages: &Stages) -> Explanation {
    let Stages { model, graph, fused, chunks, .. } = stages;
    let lineage = Lineage::new(model, &fused.graph.history);
    let costs = cost::costs(fused);
    let mut cost_of: HashMap<String, Formula> = HashMap::new();
    for (id, cost) in costs.iter().flatten() {
        cost_of.entry(lineage.root(&fused.graph.value(*id).path)).or_default().add(cost);
    }
    let kernels = kernels::kernels(stages, &lineage, &costs);
    let run = |of: fn(&Kernel) -> &Formula| {
        Formula::sum(&kernels.iter().map(|kernel| of(kernel).clone().times(kernel.calls as u64)).collect::<Vec<_>>())
    };
    let weights: Vec<(String, usize)> =
        model.weights().map(|(_, value)| (value.path.clone(), cost::row_numbers(&value.axes))).collect();
    let inputs = model.inputs().map(|(_, value)| (value.path.clone(), print_axes(&value.axes, &model.times)));
    Explanation {
        model: model.name.clone(),
        parameters: model.parameters.clone(),
        times: model.times.clone(),
        inputs: inputs.collect(),
        outputs: graph.outputs.iter().map(|(name, _)| name.clone()).collect(),
        equations: equations::equations(stages, &lineage, &cost_of),
        recurrences: recurrences::recurrences(stages, &lineage),
        step: match chunks {
            Ok(chunks) => Ok(step::step(graph, chunks, &lineage)),
            Err(diagnostic) => Err(NoStep { diagnostic: (**diagnostic).clone(), alone: step::alone(graph) }),
        },
        weights,
        operations: run(|kernel| &kernel.operations),
        traffic: Traffic { read: run(|kernel| &kernel.traffic.read), written: run(|kernel| &kernel.traffic.written) },
        kernels,
    }
}
