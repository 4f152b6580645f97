//! `seqc snapshot`: what the compiler makes of models, as texts beside their files.
//!
//! What a snapshot is and how it compares is said in [`crate::snapshot`]; here it is told about, and asked about (`review.rs`).
//! A file with mistakes is reported, and the others are gone on with.

mod review;

use super::arguments::SnapshotArguments;
use super::terminal::Terminal;
use super::{Stop, prepare};
use crate::session::Failure;
use crate::snapshot::{Asked, Found, Standing, standing, texts};
use crate::weights::Checkpoint;
use std::path::Path;

/// Writes snapshots, checks them, or has them reviewed.
pub(super) fn snapshot(arguments: &SnapshotArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let mut asked = Asked {
        stages: Vec::new(),
        model: arguments.model.clone(),
        sizes: prepare::parameters(&arguments.set)?,
        outputs: arguments.output.clone(),
    };
    for stage in &arguments.stage {
        asked = asked.stage(*stage);
    }
    let checkpoint = prepare::open(arguments.checkpoint.as_deref())?;
    let (mut all, mut all_well) = (Vec::new(), true);
    for file in &arguments.files {
        match of_file(file, &asked, checkpoint.as_ref()) {
            Ok(found) => all.push((file.as_path(), found)),
            Err(failure) => {
                terminal.failure(&failure);
                all_well = false;
            }
        }
    }
    all_well &= match (arguments.check, arguments.review) {
        (true, _) => check(&all, terminal)?,
        (false, true) => review::review(&all, terminal)?,
        (false, false) => write(&all, terminal)?,
    };
    if all_well { Ok(()) } else { Err(Stop::Said) }
}

fn of_file(file: &Path, asked: &Asked, checkpoint: Option<&Checkpoint>) -> Result<Standing, Failure> {
    standing(texts(file, asked, checkpoint)?)
}

/// Shows what changed; whether nothing did.
fn check(all: &[(&Path, Standing)], terminal: &mut Terminal) -> Result<bool, Stop> {
    let mut all_well = true;
    for (file, standing) in all {
        let mut told: String = standing.pending().map(|(text, found)| found.told(text)).collect();
        for path in &standing.unreferenced {
            told.push_str(&format!("{} is no longer asked for\n", path.display()));
        }
        match told.is_empty() {
            true => in_order(file, standing, terminal),
            false => terminal.print(&told)?,
        }
        all_well &= told.is_empty();
    }
    if !all_well {
        terminal.note("without `--check` they are written; with `--review` each is asked about");
    }
    Ok(all_well)
}

/// Writes what is new and what changed.
fn write(all: &[(&Path, Standing)], terminal: &mut Terminal) -> Result<bool, Stop> {
    for (file, standing) in all {
        standing.settle()?;
        let mut written = String::new();
        for (text, found) in standing.pending() {
            standing.accept(text)?;
            let what = if *found == Found::New { "new" } else { "changed" };
            written.push_str(&format!("{what:<8} {}\n", text.path.display()));
        }
        match written.is_empty() {
            true => in_order(file, standing, terminal),
            false => terminal.print(&written)?,
        }
        tell_unreferenced(standing, terminal);
    }
    Ok(true)
}

fn in_order(file: &Path, standing: &Standing, terminal: &mut Terminal) {
    let noun = if standing.snapshots.len() == 1 { "snapshot" } else { "snapshots" };
    terminal.ok(&format!("{} ({} {noun})", file.display(), standing.snapshots.len()));
}

fn tell_unreferenced(standing: &Standing, terminal: &mut Terminal) {
    for path in &standing.unreferenced {
        terminal.note(&format!("{} is no longer asked for: delete it, or ask for it", path.display()));
    }
}
