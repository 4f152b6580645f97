//! What each call of a program costs, and the different kernels of a program with what a run of each does.

use super::cost::costs;
use super::fate::{Lineage, kind_name};
use super::formula::Formula;
use super::traffic::{Moved, Traffic, moved};
use super::{Call, Kernel, Stages};
use crate::fuse::Fused;
use crate::kernel::Program;
use crate::model::Model;
use crate::term::ValueId;

/// What each call of a program costs, in the order in which they are run. `fused` is what the program was lowered from.
pub fn calls(model: &Model, fused: &Fused, program: &Program) -> Vec<Call> {
    calls_of(fused, program, &Lineage::new(model, &fused.graph.history), &costs(fused))
}

fn calls_of(fused: &Fused, program: &Program, lineage: &Lineage, costs: &[Vec<(ValueId, Formula)>]) -> Vec<Call> {
    let known = &fused.graph.model.lengths;
    let one = |(place, (cluster, call)): (usize, (&crate::fuse::Cluster, &crate::kernel::Call))| {
        let mut equations: Vec<String> = Vec::new();
        for id in &cluster.values {
            let path = lineage.root(&fused.graph.value(*id).path);
            if !equations.contains(&path) {
                equations.push(path);
            }
        }
        let Moved { shared, read, written } = moved(program, &program.kernels[call.kernel]);
        Call {
            kernel: call.kernel,
            kind: kind_name(&cluster.kind),
            time: cluster.rows.time,
            part: cluster.rows.part,
            equations,
            operations: Formula::sum(costs[place].iter().map(|(_, cost)| cost)),
            moved: Moved { shared: shared.known(known), read: read.known(known), written: written.known(known) },
        }
    };
    fused.clusters.iter().zip(&program.calls).enumerate().map(one).collect()
}

/// The kernels in the order in which they are first run; those that do the same are one.
pub(super) fn kernels(stages: &Stages, lineage: &Lineage, costs: &[Vec<(ValueId, Formula)>]) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for call in calls_of(&stages.fused, &stages.program, lineage, costs) {
        if let Some(known) = kernels.iter_mut().find(|known| known.number == call.kernel) {
            known.calls += 1;
            known.equations.extend(call.equations);
            continue;
        }
        kernels.push(Kernel {
            number: call.kernel,
            kind: call.kind,
            time: call.time,
            calls: 1,
            equations: call.equations,
            operations: call.operations,
            traffic: Traffic::from(call.moved),
        });
    }
    kernels
}
