//! Gathers equations into kernels.
//!
//! Values are taken in order; each joins the last kernel that computes something it reads, if it runs over the same rows and
//! reads that kernel's values at its own row only, or begins a new one. A product also joins an earlier kernel whose product
//! has the same operand: the gates of a cell, or queries, keys and values, become one product.

use super::blocks::{self, Blocks};
use super::{Found, ProductParts};
use crate::check::recurrence::{Group, reads};
use crate::graph::Graph;
use crate::stream::{Part, Plan};
use crate::term::{IndexId, Subscript, Term, TimeId, ValueId};
use std::collections::{HashMap, HashSet};

/// Equations that become one kernel.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// How it runs.
    pub kind: ClusterKind,
    /// What it runs over.
    pub rows: Rows,
    /// Its equations, in order.
    pub values: Vec<ValueId>,
}

/// What a kernel runs over, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Positions of a time axis, or sequences.
    pub time: Option<TimeId>,
    /// How many positions later than the inputs.
    pub lag: usize,
    /// In a chunk program, when.
    pub part: Part,
}

/// The rows that compute a value: positions of its first time axis.
pub fn rows_of(graph: &Graph, plan: Option<&Plan>, id: ValueId) -> Rows {
    let time = graph.value(id).axes.iter().find_map(crate::term::Axis::time);
    match plan {
        None => Rows { time, lag: 0, part: Part::New },
        Some(plan) => Rows { time, lag: plan.lag(id), part: plan.part(id) },
    }
}

/// How a kernel runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterKind {
    /// All rows alike.
    Rows,
    /// Position after position.
    Scan {
        /// Whether from the last to the first.
        backward: bool,
        /// Whether in blocks of positions, and how those can be shared out.
        blocks: Option<Blocks>,
    },
    /// One attention.
    Attention,
}

/// The kernels of a graph, in order.
pub(super) fn gather(found: &Found, plan: Option<&Plan>) -> Vec<Cluster> {
    let Found { graph, attention, .. } = found;
    // What is computed only inside an attention.
    let mut inside: HashSet<ValueId> = HashSet::new();
    for parts in attention.values() {
        inside.insert(parts.weight);
        inside.insert(parts.dot);
    }
    let mut needed: HashSet<ValueId> = graph.outputs.iter().map(|(_, value)| *value).collect();
    for id in graph.order() {
        if !inside.contains(&id) && !attention.contains_key(&id) {
            needed.extend(reads(&graph.value(id).kind));
        }
    }
    inside.retain(|value| !needed.contains(value));

    let mut clusters: Vec<Cluster> = Vec::new();
    let mut place_of: HashMap<ValueId, usize> = HashMap::new();
    for group in &graph.groups {
        match group {
            Group::One(id) if graph.equation(*id).is_none() || inside.contains(id) => {}
            Group::One(id) => {
                let rows = rows_of(graph, plan, *id);
                let place = join(found, rows, &inside, &clusters, &place_of, *id);
                let place = place.unwrap_or_else(|| {
                    let kind = if attention.contains_key(id) { ClusterKind::Attention } else { ClusterKind::Rows };
                    clusters.push(Cluster { kind, rows, values: Vec::new() });
                    clusters.len() - 1
                });
                clusters[place].values.push(*id);
                place_of.insert(*id, place);
            }
            Group::Scan(scan) => {
                let kind = ClusterKind::Scan { backward: scan.backward, blocks: blocks::blocks(graph, scan) };
                let rows = Rows { time: Some(scan.time), ..rows_of(graph, plan, scan.values[0]) };
                clusters.push(Cluster { kind, rows, values: scan.values.clone() });
                place_of.extend(scan.values.iter().map(|value| (*value, clusters.len() - 1)));
            }
        }
    }
    blocks::take_in(found, &mut clusters);
    clusters
}

/// The kernel that a value joins, if it joins one.
fn join(
    found: &Found,
    rows: Rows,
    inside: &HashSet<ValueId>,
    clusters: &[Cluster],
    place_of: &HashMap<ValueId, usize>,
    id: ValueId,
) -> Option<usize> {
    let Found { graph, products, attention } = found;
    if attention.contains_key(&id) {
        return None;
    }
    let mut last: Option<usize> = None;
    let mut sources = reads(&graph.value(id).kind);
    // What an attention computes inside comes with what that reads.
    while let Some(place) = sources.iter().position(|source| inside.contains(source)) {
        let source = sources.remove(place);
        sources.extend(reads(&graph.value(source).kind));
    }
    for source in sources {
        last = last.max(place_of.get(&source).copied());
    }
    let fits = |place: usize| {
        let cluster = &clusters[place];
        let takes = match &cluster.kind {
            ClusterKind::Rows => true,
            ClusterKind::Scan { blocks: Some(blocks), .. } => blocks::can_join(found, cluster, blocks, id),
            ClusterKind::Scan { blocks: None, .. } | ClusterKind::Attention => false,
        };
        takes && cluster.rows == rows && cluster.values.iter().all(|member| reads_here(graph, id, *member))
    };
    let product_of = |place: usize| clusters[place].values.iter().find(|member| products.contains_key(member));
    if let Some(parts) = products.get(&id) {
        let same = |place: &usize| {
            product_of(*place).is_some_and(|other| same_operand(graph, id, parts, *other, &products[other]))
                && fits(*place)
        };
        if let Some(place) = (last.unwrap_or(0)..clusters.len()).find(same) {
            return Some(place);
        }
        return last.filter(|place| fits(*place) && product_of(*place).is_none());
    }
    let is_reduction = matches!(graph.equation(id)?.term, Term::Reduce { .. });
    last.filter(|place| fits(*place) && !(is_reduction && product_of(*place).is_some()))
}

/// Whether a value reads another at its own row alone (or not at all).
pub fn reads_here(graph: &Graph, reader: ValueId, source: ValueId) -> bool {
    let Some(equation) = graph.equation(reader) else { return true };
    let row = graph.value(reader).axes.iter().position(|axis| axis.time().is_some());
    let source_row = graph.value(source).axes.iter().position(|axis| axis.time().is_some());
    let mut here = equation.before != Some(source);
    let mut look = |value: ValueId, subscripts: &[Subscript]| {
        if value == source {
            here &= match (row, source_row) {
                (Some(row), Some(place)) => subscripts[place].as_index() == Some(IndexId(row as u32)),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
        }
    };
    equation.term.for_each_read(&mut look);
    for condition in &equation.domain {
        condition.left.for_each_read(&mut look);
        condition.right.for_each_read(&mut look);
    }
    here
}

/// Whether two products multiply the same rows: the same value at the same place, summed over the same axes in the same
/// order.
pub fn same_operand(graph: &Graph, one: ValueId, left: &ProductParts, two: ValueId, right: &ProductParts) -> bool {
    let shape = |id: ValueId, parts: &ProductParts| -> Option<String> {
        let equation = graph.equation(id)?;
        let name = |index: IndexId| {
            let place = parts.depth.iter().position(|known| *known == index);
            let shared = parts.shared.iter().position(|known| *known == index);
            match (place, shared) {
                (Some(place), _) => format!("k{place}"),
                (None, Some(place)) => format!("m{place}"),
                (None, None) => format!("{:?}", equation.indices[index.0 as usize].axis),
            }
        };
        let subscripts: Vec<String> = parts
            .operand
            .1
            .iter()
            .map(|subscript| match subscript {
                Subscript::Affine { terms, constant, from_last } => {
                    let terms: Vec<String> =
                        terms.iter().map(|(index, times)| format!("{}*{times}", name(*index))).collect();
                    format!("{}+{constant}{from_last:?}", terms.join("+"))
                }
                // Computed places are not compared: such products stay apart.
                Subscript::Computed(_) => format!("computed by {id:?}"),
            })
            .collect();
        let depth: Vec<_> = parts.depth.iter().map(|index| &equation.indices[index.0 as usize].axis).collect();
        Some(format!("{:?} {subscripts:?} {depth:?} {:?}", parts.operand.0, parts.shared.len()))
    };
    shape(one, left) == shape(two, right)
}
