//! A profile as a table, and as JSON.

use super::runs::median;
use super::{Profile, Row};
use crate::command::explain::Look;
use crate::command::explain::table::{Column, line, titles, widths, wrapped};
use crate::command::explain::words;
use serde_json::{Value, json};

const COLUMNS: [Column; 10] = [
    Column { title: "kernel", ends: true },
    Column { title: "calls", ends: true },
    Column { title: "runs as", ends: false },
    Column { title: "ms", ends: true },
    Column { title: "of all", ends: true },
    Column { title: "MFLOP", ends: true },
    Column { title: "MB", ends: true },
    Column { title: "GFLOP/s", ends: true },
    Column { title: "GB/s", ends: true },
    Column { title: "of the limit", ends: false },
];

/// The table: kernels with the longest first, or calls in order.
pub fn text(profile: &Profile, calls: bool, look: &Look) -> String {
    let Look { heading, dim, .. } = look;
    let machine = &profile.machine;
    let reads = machine.limits.levels.iter().map(|level| format!("{} {:.0}", level.name, level.reads));
    let mut text = format!("{heading}{}{heading:#}\n", profile.model);
    let runs = profile.runs.whole.len();
    let head = [
        format!("{}; {}; {}", profile.what, profile.backend, words::counted(runs, "run")),
        format!(
            "{}: {:.0} GFLOP/s, reads in GB/s: {}",
            machine.name,
            machine.limits.arithmetic,
            reads.collect::<Vec<_>>().join(", ")
        ),
    ];
    head.iter().for_each(|said| text.push_str(&wrapped(said, "", 2, look.width, *dim)));
    text.push('\n');
    let whole = profile.runs.typical();
    let shown = if calls { &profile.calls } else { &profile.kernels };
    let mut lines: Vec<Vec<String>> = shown.iter().map(|row| cells(row, whole)).collect();
    if let Some(inside) = profile.kernels.iter().map(|row| row.seconds).sum::<Option<f64>>() {
        lines.push(outside((whole - inside).max(0.0), whole));
    }
    lines.push(total(profile, whole));
    let widths = widths(&COLUMNS, &lines);
    text.push_str(&titles(&COLUMNS, &widths, 2, *dim));
    for (place, cells) in lines.iter().enumerate() {
        let written = line(&COLUMNS, &widths, cells, 2, look.width);
        match shown.get(place) {
            Some(row) => {
                text.push_str(&written);
                let names = if row.calls > 1 { words::generic(&row.equations) } else { row.equations.clone() };
                text.push_str(&wrapped(&names.join(", "), "", 4 + widths[0], look.width, *dim));
            }
            None => text.push_str(&format!("{heading}{written}{heading:#}")),
        }
    }
    text
}

fn cells(row: &Row, whole: f64) -> Vec<String> {
    // Without a time, there is at least the limit itself.
    let bound = match row.seconds {
        Some(seconds) => format!("{:3.0} %, {}", 100.0 * share(row.limit, seconds), row.bound.name()),
        None => format!("{:.3} ms, {}", row.limit * 1e3, row.bound.name()),
    };
    let mut cells = vec![row.kernel.to_string(), row.calls.to_string(), row.kind.to_string()];
    cells.extend(numbers(row.seconds, whole, row.operations, row.bytes));
    cells.push(bound);
    cells
}

/// What a run takes beside its kernels.
fn outside(seconds: f64, whole: f64) -> Vec<String> {
    let mut cells = vec![String::new(), String::new(), "between them".to_string()];
    cells.extend(numbers(Some(seconds), whole, 0.0, 0.0));
    cells[5..].iter_mut().for_each(String::clear);
    cells.push(String::new());
    cells
}

fn total(profile: &Profile, whole: f64) -> Vec<String> {
    let sum = |of: fn(&Row) -> f64| profile.kernels.iter().map(of).sum::<f64>();
    let calls: usize = profile.kernels.iter().map(|row| row.calls).sum();
    let mut cells = vec![String::new(), calls.to_string(), "all".to_string()];
    cells.extend(numbers(Some(whole), whole, sum(|row| row.operations), sum(|row| row.bytes)));
    cells.push(format!("{:3.0} %", 100.0 * share(sum(|row| row.limit), whole)));
    cells
}

fn numbers(seconds: Option<f64>, whole: f64, operations: f64, bytes: f64) -> [String; 6] {
    let timed = |of: &dyn Fn(f64) -> String| seconds.map_or("-".to_string(), of);
    [
        timed(&|seconds| format!("{:.3}", seconds * 1e3)),
        timed(&|seconds| format!("{:.1} %", 100.0 * share(seconds, whole))),
        format!("{:.2}", operations / 1e6),
        format!("{:.2}", bytes / 1e6),
        timed(&|seconds| format!("{:.1}", share(operations / 1e9, seconds))),
        timed(&|seconds| format!("{:.1}", share(bytes / 1e9, seconds))),
    ]
}

/// A part of something; nothing is no part.
fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

/// The parts of the document.
pub fn parts<'a>(profile: &Profile) -> Vec<(&'a str, Value)> {
    let row = |row: &Row| {
        json!({
            "kernel": row.kernel,
            "kind": row.kind,
            "calls": row.calls,
            "equations": row.equations,
            "seconds": row.seconds,
            "operations": row.operations,
            "bytes": row.bytes,
            "limit_seconds": row.limit,
            "of_the_limit": row.seconds.map(|seconds| share(row.limit, seconds)),
            "bound": row.bound.name(),
        })
    };
    let machine = &profile.machine;
    let mut limits = machine.limits.document();
    limits["name"] = json!(machine.name);
    limits["threads"] = json!(machine.threads);
    vec![
        ("model", json!(profile.model)),
        ("what", json!(profile.what)),
        ("backend", json!(profile.backend)),
        ("machine", limits),
        ("runs", json!(profile.runs.whole.len())),
        (
            "seconds",
            json!({ "median": profile.runs.typical(), "shortest": profile.runs.shortest(), "all": profile.runs.whole }),
        ),
        (
            "processor_seconds",
            json!({ "median": median(profile.runs.processor.clone()), "all": profile.runs.processor }),
        ),
        ("limit_seconds", json!(profile.kernels.iter().map(|row| row.limit).sum::<f64>())),
        ("kernels", profile.kernels.iter().map(row).collect()),
        ("calls", profile.calls.iter().map(row).collect()),
    ]
}
