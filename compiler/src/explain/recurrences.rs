//! The recurrences of a model: their states, what they read at earlier positions, their kinds, and how they run.

use super::fate::Lineage;
use super::{Recurrence, Stages};
use crate::check::recurrence::{Group, Scan};
use crate::fuse::ClusterKind;
use crate::recurrence::kind;
use crate::term::{Subscript, Term, print_term};
use std::collections::{HashMap, HashSet};

/// Every recurrence that the outputs need, as the file writes it.
pub(super) fn recurrences(stages: &Stages, lineage: &Lineage) -> Vec<Recurrence> {
    let graph = &stages.graph;
    let needed = graph.needed();
    let is_state = |id| graph.equation(id).is_some_and(|equation| equation.is_state);
    let states: HashSet<&str> =
        graph.model.ids().filter(|(id, _)| is_state(*id)).map(|(_, value)| value.path.as_str()).collect();
    let scans = graph.groups.iter().filter_map(|group| match group {
        Group::Scan(scan) if scan.values.iter().any(|id| needed.contains(id)) => Some(scan),
        Group::Scan(_) | Group::One(_) => None,
    });
    let mut placed: HashMap<&str, usize> = HashMap::new();
    for (place, cluster) in stages.fused.clusters.iter().enumerate() {
        if matches!(cluster.kind, ClusterKind::Scan { .. }) {
            let paths = cluster.values.iter().map(|id| stages.fused.graph.value(*id).path.as_str());
            placed.extend(paths.map(|path| (path, place)));
        }
    }
    scans.filter_map(|scan| recurrence(stages, lineage, &states, &placed, scan)).collect()
}

fn recurrence(
    stages: &Stages,
    lineage: &Lineage,
    is_state: &HashSet<&str>,
    placed: &HashMap<&str, usize>,
    scan: &Scan,
) -> Option<Recurrence> {
    let Stages { graph, fused, program, .. } = stages;
    let path = |id| graph.value(id).path.as_str();
    let (mut states, mut others) = (Vec::new(), Vec::new());
    for id in &scan.values {
        let root = lineage.root(path(*id));
        let list: &mut Vec<String> = if is_state.contains(root.as_str()) { &mut states } else { &mut others };
        if !list.contains(&root) {
            list.push(root);
        }
    }
    let found = kind(&graph.model, scan);
    let cause = found.cause().map(|cause| {
        let value = graph.value(cause.value);
        (lineage.root(&value.path), value.span, cause.text(&graph.model))
    });
    // Members may have been put into each other; what is left of them is one kernel.
    let place = scan.values.iter().find_map(|id| placed.get(path(*id)).copied())?;
    let blocks = match &fused.clusters[place].kind {
        ClusterKind::Scan { blocks, .. } => blocks.is_some(),
        ClusterKind::Rows | ClusterKind::Attention => false,
    };
    Some(Recurrence {
        time: scan.time,
        backward: scan.backward,
        states,
        others,
        reads: reads(stages, lineage, scan),
        kind: found.name(),
        cause,
        blocks,
        kernel: program.calls[place].kernel,
    })
}

/// What members read of each other at other positions, and which of them do.
fn reads(stages: &Stages, lineage: &Lineage, scan: &Scan) -> Vec<(String, Vec<String>)> {
    let graph = &stages.graph;
    let mut reads: Vec<(String, Vec<String>)> = Vec::new();
    for id in &scan.values {
        let Some(equation) = graph.equation(*id) else { continue };
        let reader = lineage.root(&graph.value(*id).path);
        let names = graph.model.names_in(equation);
        equation.term.for_each_read(&mut |read, subscripts| {
            let moved = |subscript: &Subscript| subscript.as_shifted().is_some_and(|(_, shift)| shift != 0);
            let mut along = graph.value(read).axes.iter().zip(subscripts);
            let elsewhere = along.any(|(axis, at)| axis.time() == Some(scan.time) && moved(at));
            if !elsewhere || !scan.values.contains(&read) {
                return;
            }
            let text = print_term(&Term::Read(read, subscripts.to_vec()), &names);
            match reads.iter_mut().find(|(known, _)| *known == text) {
                Some((_, readers)) if readers.contains(&reader) => {}
                Some((_, readers)) => readers.push(reader.clone()),
                None => reads.push((text, vec![reader.clone()])),
            }
        });
    }
    reads
}
