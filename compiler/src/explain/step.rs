//! The chunk program: what it keeps, and what a position more costs.

use super::fate::Lineage;
use super::formula::Formula;
use super::state::{COUNT_BYTES, kept};
use super::{Chunks, Step, cost};
use crate::graph::Graph;
use crate::stream::{Part, plan, stream_axis};
use crate::term::{TimeId, ValueId};

/// The chunk program.
pub(super) fn step(graph: &Graph, chunks: &Chunks, lineage: &Lineage) -> Step {
    let Chunks { time, plan, fused, program } = chunks;
    let kept = kept(lineage, fused, program);
    let costs = cost::costs(fused);
    let of = |part: Part| {
        let own = fused.clusters.iter().zip(&costs).filter(|(cluster, _)| cluster.rows.part == part);
        Formula::sum(own.flat_map(|(_, costs)| costs.iter().map(|(_, cost)| cost)))
    };
    let position = of(Part::New).polynomial().last_of(*time).plus(&of(Part::SoFar).polynomial(), 1);
    let counts: Vec<TimeId> = (0..graph.model.times.len() as u32).map(TimeId).collect();
    let mut bytes = Formula::sum(kept.iter().map(|kept| &kept.bytes));
    bytes.add(&Formula::product(COUNT_BYTES, [counts.len()], Vec::new()));
    Step {
        time: *time,
        lag: graph.outputs.iter().map(|(_, id)| plan.lag(*id)).max().unwrap_or(0),
        kernels: (program.kernels.len(), program.calls.len()),
        counts,
        bytes,
        kept,
        once: of(Part::Once),
        position,
    }
}

/// The outputs that would have a chunk program by themselves, where all together have none.
pub(super) fn alone(graph: &Graph) -> Vec<String> {
    if graph.outputs.len() < 2 {
        return Vec::new();
    }
    let has_step = |output: &(String, ValueId)| {
        let one = Graph { outputs: vec![output.clone()], ..graph.clone() };
        stream_axis(&one).is_some_and(|time| plan(&one, time).is_ok())
    };
    graph.outputs.iter().filter(|output| has_step(output)).map(|(name, _)| name.clone()).collect()
}
