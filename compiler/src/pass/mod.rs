//! Passes over the graph, each from graph to graph, in the order in which [`PIPELINE`] reads aloud.

mod affine;
mod alias;
mod apart;
mod common_subexpressions;
mod dead;
mod ends;
mod hoist;
mod inline;
mod parts;
mod simplify;

pub(crate) use inline::{has_run_function, rewrite_reads};

use crate::graph::{Graph, verify};

/// One pass.
pub struct Pass {
    /// Its name, as `seqc emit` prints it.
    pub name: &'static str,
    run: fn(Graph) -> Graph,
}

/// Every pass in turn. Simplification comes again after hoisting and inlining, which bring constants together; equal
/// equations are merged before inlining, which would hide that they are equal, and after functions of fewer indices are apart,
/// which are equal in all layers. Affine recurrences come to their normal form
/// before hoisting, which takes factor and addend out. Ends come after inlining, which would put them back.
pub const PIPELINE: [Pass; 12] = [
    Pass { name: "dead code", run: dead::run },
    Pass { name: "simplification", run: simplify::run },
    Pass { name: "aliases", run: alias::run },
    Pass { name: "functions apart", run: apart::run },
    Pass { name: "common subexpressions", run: common_subexpressions::run },
    Pass { name: "affine recurrences", run: affine::run },
    Pass { name: "hoisting", run: hoist::run },
    Pass { name: "inlining", run: inline::run },
    Pass { name: "simplification", run: simplify::run },
    Pass { name: "aliases", run: alias::run },
    Pass { name: "ends", run: ends::run },
    Pass { name: "dead code", run: dead::run },
];

/// Runs every pass; in debug builds and tests the graph is verified after each.
pub fn optimise(mut graph: Graph) -> Graph {
    check(&graph, "building");
    for pass in &PIPELINE {
        graph = (pass.run)(graph);
        check(&graph, pass.name);
    }
    graph
}

/// Verifies a graph in debug builds and tests.
pub(crate) fn check(graph: &Graph, after: &str) {
    if cfg!(debug_assertions)
        && let Err(why) = verify(graph)
    {
        panic!("after {after}: {why}\n{}", graph.print());
    }
}
