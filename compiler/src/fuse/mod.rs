//! Fusion: which equations become one kernel. Everything that two backends share is decided here and in lowering.
//!
//! - [`attention`](find_attention) finds softmax over products whose scores need never be stored;
//! - [`product`](find_product) finds products with weights;
//! - a softmax that is left is taken apart into maximum, exponential, sum and quotient;
//! - equations over the same rows are gathered: each kernel has at most one product (of all weights that meet the same
//!   operand: gates, or queries, keys and values), with what leads to its operand before it and what follows from its result
//!   after it. A reduction over a row begins a kernel, so that a norm stands before the product that reads it.

mod attention;
mod cluster;
mod product;
mod softmax;

pub use attention::{AttentionParts, find_attention};
pub use cluster::{Cluster, ClusterKind, reads_here, same_operand};
pub use product::{ProductParts, find_product};

use crate::graph::Graph;
use crate::term::ValueId;
use std::collections::HashMap;
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
}

/// Decides which equations become one kernel.
pub fn fuse(graph: Graph) -> Fused {
    let attention = attention::find_all(&graph);
    let graph = softmax::take_apart(graph, &attention);
    crate::pass::check(&graph, "taking softmax apart");
    let attention = attention::find_all(&graph);
    let products: HashMap<ValueId, ProductParts> =
        graph.order().into_iter().filter_map(|id| Some((id, find_product(&graph, id)?))).collect();
    let clusters = cluster::gather(&graph, &products, &attention);
    Fused { graph, clusters, products, attention }
}

impl Fused {
    /// The kernels and what each computes, as text.
    pub fn print(&self) -> String {
        let mut text = String::new();
        for (place, cluster) in self.clusters.iter().enumerate() {
            let time = match cluster.time {
                Some(time) => format!("positions of {}", self.graph.model.times[time.0 as usize]),
                None => "sequences".to_string(),
            };
            let kind = match &cluster.kind {
                ClusterKind::Rows => format!("over {time}"),
                ClusterKind::Scan { backward: false } => format!("scan over {time}"),
                ClusterKind::Scan { backward: true } => format!("backward scan over {time}"),
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
