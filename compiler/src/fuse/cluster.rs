//! Gathers equations into kernels.
//!
//! Values are taken in order; each joins the last kernel that computes something it reads, if it runs over the same rows and
//! reads that kernel's values at its own row only, or begins a new one. A product also joins an earlier kernel whose product
//! has the same operand: the gates of a cell, or queries, keys and values, become one product.

use super::blocks::{self, Blocks};
use super::{AttentionParts, ProductParts};
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

/// Why a value is not computed by a kernel that was there when its turn came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Apart {
    /// It is an attention, which is a kernel of its own.
    Attention,
    /// It is part of a recurrence, which is a kernel of its own.
    Recurrence,
    /// The kernel is an attention, and takes nothing else in.
    AfterAttention,
    /// The kernel is a recurrence that goes from position to position, and takes nothing else in.
    AfterRecurrence,
    /// The kernel is a recurrence in blocks, and the value does not go through it entry by entry.
    OtherEntry,
    /// The kernel runs over other rows, or at another time.
    Rows {
        /// What the value's kernel has to run over.
        own: Rows,
        /// What the kernel runs over.
        kernel: Rows,
    },
    /// It reads this value, which a later kernel computes.
    Later(ValueId),
    /// It reads nothing that the kernel computes.
    Unrelated,
    /// It reads a value of the kernel at another row than its own.
    OtherRow(ValueId),
    /// It is a product, and the kernel has one already, with another operand.
    SecondProduct(ValueId),
    /// It reduces over a row, and comes after the kernel's product.
    ReductionAfter(ValueId),
}

/// How a value joins a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joins {
    /// It is a product with the same operand as this one: they become one.
    SameOperand(ValueId),
    /// It reads what the kernel computes.
    Reads,
}

/// The kernels of a graph, in order.
pub(super) fn gather(parts: Parts) -> Vec<Cluster> {
    let mut gathering = Gathering::new(parts);
    parts.graph.groups.iter().for_each(|group| gathering.place(group));
    let mut clusters = gathering.clusters;
    blocks::take_in(parts, &mut clusters);
    sequences_early(parts.graph, clusters)
}

/// Kernels that run over sequences stand as soon as what they read is there: they make little of much, whose memory is then
/// free for others.
fn sequences_early(graph: &Graph, clusters: Vec<Cluster>) -> Vec<Cluster> {
    let mut order: Vec<Cluster> = Vec::new();
    for cluster in clusters {
        let mut place = order.len();
        if cluster.rows.time.is_none() {
            let sources: HashSet<ValueId> =
                cluster.values.iter().flat_map(|id| reads(&graph.value(*id).kind)).collect();
            let last = order.iter().rposition(|earlier| earlier.values.iter().any(|value| sources.contains(value)));
            place = last.map_or(0, |last| last + 1);
            // Behind those that were as early.
            while order.get(place).is_some_and(|other| other.rows.time.is_none()) {
                place += 1;
            }
        }
        order.insert(place, cluster);
    }
    order
}

/// Why a value was not put where another is computed, or how it was: asked as it was decided, when the value's turn came.
/// None where either is computed by no kernel.
pub(super) fn verdict(parts: Parts, first: ValueId, second: ValueId) -> Option<Result<Joins, Apart>> {
    let mut gathering = Gathering::new(parts);
    for group in &parts.graph.groups {
        let has_second = match group {
            Group::One(id) => *id == second,
            Group::Scan(scan) => scan.values.contains(&second),
        };
        if has_second {
            let place = *gathering.place_of.get(&first)?;
            if gathering.inside.contains(&second) {
                return None;
            }
            return Some(match group {
                Group::One(_) => gathering.verdict(second, place),
                Group::Scan(_) => Err(Apart::Recurrence),
            });
        }
        gathering.place(group);
    }
    None
}

/// What the decision needs.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub graph: &'a Graph,
    pub products: &'a HashMap<ValueId, ProductParts>,
    pub attention: &'a HashMap<ValueId, AttentionParts>,
    pub plan: Option<&'a Plan>,
}

/// The kernels so far.
struct Gathering<'a> {
    parts: Parts<'a>,
    /// What is computed only inside an attention.
    inside: HashSet<ValueId>,
    clusters: Vec<Cluster>,
    place_of: HashMap<ValueId, usize>,
}

impl<'a> Gathering<'a> {
    fn new(parts: Parts<'a>) -> Gathering<'a> {
        let Parts { graph, attention, .. } = parts;
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
        Gathering { parts, inside, clusters: Vec::new(), place_of: HashMap::new() }
    }

    /// Puts a group's values into kernels.
    fn place(&mut self, group: &Group) {
        let Parts { graph, attention, plan, .. } = self.parts;
        match group {
            Group::One(id) if graph.equation(*id).is_none() || self.inside.contains(id) => {}
            Group::One(id) => {
                let place = self.join(*id).unwrap_or_else(|| {
                    let kind = if attention.contains_key(id) { ClusterKind::Attention } else { ClusterKind::Rows };
                    self.clusters.push(Cluster { kind, rows: rows_of(graph, plan, *id), values: Vec::new() });
                    self.clusters.len() - 1
                });
                self.clusters[place].values.push(*id);
                self.place_of.insert(*id, place);
            }
            Group::Scan(scan) => {
                let kind = ClusterKind::Scan { backward: scan.backward, blocks: blocks::blocks(graph, scan) };
                let rows = Rows { time: Some(scan.time), ..rows_of(graph, plan, scan.values[0]) };
                self.clusters.push(Cluster { kind, rows, values: scan.values.clone() });
                let place = self.clusters.len() - 1;
                self.place_of.extend(scan.values.iter().map(|value| (*value, place)));
            }
        }
    }

    /// The kernel that a value joins, if it joins one.
    fn join(&self, id: ValueId) -> Option<usize> {
        let last = self.last_source(id).map(|(place, _)| place);
        if self.parts.products.contains_key(&id) {
            let same = |place: &usize| matches!(self.verdict(id, *place), Ok(Joins::SameOperand(_)));
            if let Some(place) = (last.unwrap_or(0)..self.clusters.len()).find(same) {
                return Some(place);
            }
        }
        last.filter(|place| self.verdict(id, *place).is_ok())
    }

    /// The last kernel that computes something a value reads, and what that is.
    fn last_source(&self, id: ValueId) -> Option<(usize, ValueId)> {
        let graph = self.parts.graph;
        let mut sources = reads(&graph.value(id).kind);
        // What an attention computes inside comes with what that reads.
        while let Some(place) = sources.iter().position(|source| self.inside.contains(source)) {
            let source = sources.remove(place);
            sources.extend(reads(&graph.value(source).kind));
        }
        sources
            .into_iter()
            .filter_map(|source| Some((*self.place_of.get(&source)?, source)))
            .max_by_key(|(place, _)| *place)
    }

    /// The product of a kernel, if it has one.
    fn product_of(&self, place: usize) -> Option<ValueId> {
        self.clusters[place].values.iter().copied().find(|member| self.parts.products.contains_key(member))
    }

    /// Whether a value can be computed by a kernel, and why not.
    fn verdict(&self, id: ValueId, place: usize) -> Result<Joins, Apart> {
        let Parts { graph, products, attention, plan } = self.parts;
        let cluster = &self.clusters[place];
        let (own, last) = (rows_of(graph, plan, id), self.last_source(id));
        if attention.contains_key(&id) {
            return Err(Apart::Attention);
        }
        match &cluster.kind {
            ClusterKind::Rows => {}
            ClusterKind::Scan { blocks: Some(blocks), .. } if blocks::can_join(self.parts, cluster, blocks, id) => {}
            ClusterKind::Scan { blocks: Some(_), .. } => return Err(Apart::OtherEntry),
            ClusterKind::Scan { blocks: None, .. } => return Err(Apart::AfterRecurrence),
            ClusterKind::Attention => return Err(Apart::AfterAttention),
        }
        if cluster.rows != own {
            return Err(Apart::Rows { own, kernel: cluster.rows });
        }
        if let Some((_, read)) = last.filter(|(last, _)| *last > place) {
            return Err(Apart::Later(read));
        }
        let joins = match (products.get(&id), self.product_of(place)) {
            (Some(parts), Some(other)) if same_operand(graph, id, parts, other, &products[&other]) => {
                Joins::SameOperand(other)
            }
            (Some(_), Some(other)) => return Err(Apart::SecondProduct(other)),
            (Some(_) | None, _) if last.is_none_or(|(last, _)| last != place) => return Err(Apart::Unrelated),
            (None, Some(product)) if is_reduction(graph, id) => return Err(Apart::ReductionAfter(product)),
            (Some(_) | None, _) => Joins::Reads,
        };
        match cluster.values.iter().find(|member| !reads_here(graph, id, **member)) {
            Some(member) => Err(Apart::OtherRow(*member)),
            None => Ok(joins),
        }
    }
}

fn is_reduction(graph: &Graph, id: ValueId) -> bool {
    graph.equation(id).is_some_and(|equation| matches!(equation.term, Term::Reduce { .. }))
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
