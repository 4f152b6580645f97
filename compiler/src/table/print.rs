//! The resolved table as text, repeats unrolled: what each tensor is made of, and its shape.

use super::{Binding, Formula, Table};
use crate::model::Model;
use std::fmt::Write;

impl Table {
    /// The table as text, in the words that it is written in.
    pub fn print(&self, model: &Model) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "checkpoint {} {{", self.model);
        for prefix in &self.prefixes {
            let optional = if prefix.optional { " optional" } else { "" };
            let _ = writeln!(text, "  prefix \"{}\"{optional}", prefix.text);
        }
        for binding in &self.bindings {
            let sources = print_sources(binding);
            let formula = print_formula(&binding.formula, model);
            let axes: Vec<String> = binding.matrix.axes().iter().map(usize::to_string).collect();
            let _ = writeln!(text, "  {sources} = {formula}  // [{}]", axes.join(", "));
        }
        for pattern in &self.ignored {
            let _ = writeln!(text, "  ignore \"{pattern}\"");
        }
        text + "}\n"
    }
}

fn print_sources(binding: &Binding) -> String {
    let count = binding.matrix.rows();
    let sources: Vec<String> = binding
        .sources
        .iter()
        .map(|source| {
            let names: Vec<String> = source.names.iter().map(|name| format!("\"{name}\"")).collect();
            let rows = source.first_row.map_or(String::new(), |_| {
                let rows = source.rows(count);
                format!("[{} .. {}]", rows.start, rows.end)
            });
            names.join(" | ") + &rows
        })
        .collect();
    sources.join(" + ")
}

fn print_formula(formula: &Formula, model: &Model) -> String {
    match formula {
        Formula::Weight(id) => model.value(*id).path.clone(),
        Formula::Stack(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| print_formula(part, model)).collect();
            format!("stack({})", parts.join(", "))
        }
        Formula::Transpose(part) => format!("transpose({})", print_formula(part, model)),
        Formula::Reorder(id, axes) => format!("reorder({}; {})", model.value(*id).path, axes.join(", ")),
    }
}
