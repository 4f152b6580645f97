//! The different kernels of a program, with what a run of each costs.

use super::fate::{Lineage, kind_name};
use super::formula::Formula;
use super::traffic::{Traffic, traffic};
use super::{Kernel, Stages};
use crate::term::ValueId;

/// The kernels in the order in which they are first run; those that do the same are one.
pub(super) fn kernels(stages: &Stages, lineage: &Lineage, costs: &[Vec<(ValueId, Formula)>]) -> Vec<Kernel> {
    let Stages { fused, program, .. } = stages;
    let mut kernels: Vec<Kernel> = Vec::new();
    for (place, (cluster, call)) in fused.clusters.iter().zip(&program.calls).enumerate() {
        let mut equations: Vec<String> = Vec::new();
        for id in &cluster.values {
            let path = lineage.root(&fused.graph.value(*id).path);
            if !equations.contains(&path) {
                equations.push(path);
            }
        }
        if let Some(known) = kernels.iter_mut().find(|known| known.number == call.kernel) {
            known.calls += 1;
            known.equations.extend(equations);
            continue;
        }
        kernels.push(Kernel {
            number: call.kernel,
            kind: kind_name(&cluster.kind),
            time: cluster.rows.time,
            calls: 1,
            equations,
            operations: Formula::sum(costs[place].iter().map(|(_, cost)| cost)),
            traffic: {
                let Traffic { read, written } = traffic(program, &program.kernels[call.kernel]);
                let known = &fused.graph.model.lengths;
                Traffic { read: read.known(known), written: written.known(known) }
            },
        });
    }
    kernels
}
