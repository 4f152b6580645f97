//! WGSL: spelling kernels as compute shaders, for any GPU.
//!
//! In comes a kernel of a program, as for [`clif`](crate::clif); out comes a [`Shader`]: a module's text, its entry points,
//! and which workgroups of each are dispatched for so many rows. Emission needs no GPU; where the feature `validate` is on,
//! as in every `seqc`, each shader is parsed and validated as it is emitted.
//!
//! | file | what it spells |
//! | --- | --- |
//! | `phases.rs` | nothing: it plans which stages are a dispatch, and where short-lived arrays lie |
//! | `columns.rs` | nothing: it orders a product's columns for what uses them |
//! | `kernel.rs` | the module, its bindings and entry points |
//! | `lookups.rs` | what an entry looks up in the tables |
//! | `scan.rs` | scans step by step |
//! | `positions.rs` | scans over many positions at once |
//! | `loops.rs` | pointwise equations and reductions |
//! | `product.rs` | products in tiles, of few rows, inside a workgroup |
//! | `cooperative.rs` | products in tiles, by matrices that subgroups multiply |
//! | `attention.rs` | attention |
//! | `numbers.rs` | scalars, conditions, addresses |
//! | `weights.rs` | weights: 16-bit numbers, several buffers |
//! | `functions.rs` | `exp`, `tanh`, `erf`, … to single precision |
//! | `text.rs`, `names.rs` | lines, expressions, names |
//!
//! Binding 0 is the run (which rows, which step), 1 its tables ([`Tables`](crate::kernel::Tables): a word for each that says
//! where it begins, then the tables), then come the kernel's arguments and the short-lived arrays that outlive a dispatch.

mod attention;
mod columns;
mod cooperative;
mod functions;
mod kernel;
mod lookups;
mod loops;
mod names;
mod numbers;
mod phases;
mod positions;
mod product;
mod scan;
mod shader;
mod text;
#[cfg(feature = "validate")]
pub mod validate;
mod weights;

pub use cooperative::{Cooperative, CooperativeSize};
pub use kernel::emit;
pub use shader::{Entry, EntrySteps, Grid, Phase, Shader, Stored, Target, WORKGROUPS};
pub use weights::{Layout, layouts};

use crate::kernel::Program;

/// Every kernel of a program, and what is dispatched of each, as text.
pub fn print(program: &Program, target: &Target) -> String {
    let all = (0..program.kernels.len()).map(|kernel| emit(program, kernel, target).print());
    all.collect::<Vec<_>>().join("\n")
}

impl Shader {
    /// The module and, in comments behind it, what is dispatched.
    pub fn print(&self) -> String {
        let mut text = self.text.clone();
        text.push('\n');
        for phase in &self.phases {
            let ways = phase.entries.iter().map(|entry| {
                let what = if entry.steps.is_some() { "sequences" } else { "rows" };
                let most = entry.most.map(|most| format!("up to {most} {what}"));
                let least = entry.steps.filter(|own| own.least > 0).map(|own| format!("{} steps or more", own.least));
                let again = entry.steps.filter(|own| own.each > 1).map(|own| format!("again for every {}", own.each));
                let when: Vec<String> = most.into_iter().chain(least).chain(again).collect();
                let when = if when.is_empty() { String::new() } else { format!(" ({})", when.join(", ")) };
                format!("{}{when}: {}", entry.name, entry.grid)
            });
            text.push_str(&format!("// dispatch {}\n", ways.collect::<Vec<_>>().join("; ")));
        }
        let steps = self.phases.iter().flat_map(|phase| &phase.entries).filter_map(|entry| entry.steps);
        if steps.clone().any(|own| own.each == 1) {
            text.push_str("// and so on for each step\n");
        }
        text
    }
}
