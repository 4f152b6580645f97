//! Every stage between a checked model and kernels, for whole sequences or for chunks of them.

use super::{Checked, Failure};
use seqwright_compiler::fuse::{Fused, fuse, fuse_chunks};
use seqwright_compiler::graph::{self, Graph};
use seqwright_compiler::kernel::{self, Program};
use seqwright_compiler::pass;
use seqwright_compiler::stream::{Refusal, Why, plan, stream_axis};
use seqwright_compiler::term::{TimeId, ValueId};

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

pub(super) fn chunks_of(checked: &Checked, graph: Graph, time: TimeId) -> Result<Stages, Failure> {
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
