//! Fusion: which equations become one kernel. Everything that two backends share is decided here and in lowering.
//!
//! - [`attention`](find_attention) finds softmax over products whose scores need never be stored;
//! - [`product`](find_product) finds products with weights;
//! - a softmax that is left is taken apart into maximum, exponential, sum and quotient;
//! - sums run over no more positions than can count;
//! - equations over the same rows are gathered: each kernel has at most one product (of all weights that meet the same
//!   operand: gates, or queries, keys and values), with what leads to its operand before it and what follows from its result
//!   after it. A reduction over a row begins a kernel, so that a norm stands before the product that reads it.

mod attention;
mod blocks;
mod cluster;
mod product;
mod ranges;
mod softmax;

pub use attention::{AttentionParts, find_attention};
pub use blocks::Blocks;
pub use cluster::{Apart, Cluster, ClusterKind, Joins, Rows, reads_here, rows_of, same_operand};
pub use product::{ProductParts, find_product};

use crate::graph::Graph;
use crate::kernel::KEYS_TOGETHER;
use crate::stream::{Part, Plan, Refusal, plan};
use crate::term::{TimeId, ValueId};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// A graph and the kernels it becomes.
#[derive(Clone, Debug)]
pub struct Fused {
    /// The graph, with the softmax that no attention took apart taken apart.
    pub graph: Graph,
    /// The kernels, in order.
    pub clusters: Vec<Cluster>,
    /// Products with weights.
    pub products: HashMap<ValueId, ProductParts>,
    /// Attention.
    pub attention: HashMap<ValueId, AttentionParts>,
    /// What is kept between chunks; none for a program that takes whole sequences.
    pub plan: Option<Plan>,
}

/// Decides which equations become one kernel, for a program that takes whole sequences.
pub fn fuse(graph: Graph) -> Fused {
    let found = Found::in_graph(graph);
    let clusters = cluster::gather(found.parts(None));
    found.with(clusters, None)
}

/// The same for a program that takes a sequence chunk by chunk.
///
/// # Errors
/// The equation that keeps the model from running so.
pub fn fuse_chunks(graph: Graph, time: TimeId) -> Result<Fused, (Refusal, Box<Graph>)> {
    let found = Found::in_graph(graph);
    let mut plan = match plan(&found.graph, time) {
        Ok(plan) => plan,
        Err(refusal) => return Err((refusal, Box::new(found.graph))),
    };
    // An attention visits some keys together, so that its sums run in the same order however a sequence is cut.
    let visited: HashSet<ValueId> = found.attention.values().flat_map(|parts| [parts.keys.0, parts.value.0]).collect();
    visited.into_iter().for_each(|id| plan.keep_more(id, KEYS_TOGETHER - 1));
    let clusters = cluster::gather(found.parts(Some(&plan)));
    Ok(found.with(clusters, Some(plan)))
}

/// A graph, and what was recognised in it.
struct Found {
    graph: Graph,
    products: HashMap<ValueId, ProductParts>,
    attention: HashMap<ValueId, AttentionParts>,
}

impl Found {
    fn in_graph(graph: Graph) -> Found {
        let attention = attention::find_all(&graph);
        let graph = softmax::take_apart(graph, &attention);
        crate::pass::check(&graph, "taking softmax apart");
        let attention = attention::find_all(&graph);
        let graph = ranges::restrict(graph, &attention);
        crate::pass::check(&graph, "restricting sums");
        let products = graph.order().into_iter().filter_map(|id| Some((id, find_product(&graph, id)?))).collect();
        Found { graph, products, attention }
    }

    fn parts<'a>(&'a self, plan: Option<&'a Plan>) -> cluster::Parts<'a> {
        cluster::Parts { graph: &self.graph, products: &self.products, attention: &self.attention, plan }
    }

    fn with(self, clusters: Vec<Cluster>, plan: Option<Plan>) -> Fused {
        let Found { graph, products, attention } = self;
        Fused { graph, clusters, products, attention, plan }
    }
}

impl Fused {
    /// Why the second of two values was not put into the kernel of the first when its turn came; or how it was. None where
    /// the first is in no kernel by then, or the second in none at all.
    pub fn verdict(&self, first: ValueId, second: ValueId) -> Option<Result<Joins, Apart>> {
        let Fused { graph, products, attention, plan, .. } = self;
        let parts = cluster::Parts { graph, products, attention, plan: plan.as_ref() };
        cluster::verdict(parts, first, second)
    }

    /// The kernels and what each computes, as text.
    pub fn print(&self) -> String {
        let mut text = String::new();
        for (place, cluster) in self.clusters.iter().enumerate() {
            let time = match cluster.rows.time {
                Some(time) => format!("positions of {}", self.graph.model.times[time.0 as usize]),
                None => "sequences".to_string(),
            };
            let time = match cluster.rows {
                Rows { part: Part::Once, .. } => format!("{time}, once"),
                Rows { part: Part::SoFar, .. } => format!("{time}, so far"),
                Rows { lag: 0, .. } => time,
                Rows { lag, .. } => format!("{time}, {lag} later"),
            };
            let kind = match &cluster.kind {
                ClusterKind::Rows => format!("over {time}"),
                ClusterKind::Scan { backward, blocks } => {
                    let backward = if *backward { "backward " } else { "" };
                    let blocks = if blocks.is_some() { " in blocks" } else { "" };
                    format!("{backward}scan{blocks} over {time}")
                }
                ClusterKind::Attention => format!("attention over {time}"),
            };
            let _ = writeln!(text, "kernel {place} {kind} {{");
            for id in &cluster.values {
                if let Some(equation) = self.graph.equation(*id) {
                    let role = if self.products.contains_key(id) {
                        "product "
                    } else if self.attention.contains_key(id) {
                        "attention "
                    } else {
                        ""
                    };
                    let line = self.graph.model.print_equation(self.graph.value(*id), equation);
                    let _ = writeln!(text, "  {role}{line}");
                    if let Some(parts) = self.attention.get(id) {
                        for inner in [parts.weight, parts.dot] {
                            if let Some(equation) = self.graph.equation(inner) {
                                let line = self.graph.model.print_equation(self.graph.value(inner), equation);
                                let _ = writeln!(text, "    of {line}");
                            }
                        }
                    }
                }
            }
            let _ = writeln!(text, "}}");
        }
        text
    }
}
