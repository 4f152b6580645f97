//! `seqc emit`: prints what a model becomes on its way to machine code.

use super::Stop;
use super::arguments::{EmitArguments, Stage};
use super::prepare;
use super::terminal::Terminal;
use crate::link;
use crate::session::{self, Failure};
use seqwright_compiler::wgsl;

/// Prints one stage.
pub fn emit(arguments: &EmitArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &arguments.output)?;
    if arguments.stage == Stage::Syntax {
        let (sources, files, mistakes) = session::read(&request.file)?;
        if !mistakes.is_empty() {
            return Err(Failure::Mistakes(mistakes, sources).into());
        }
        return terminal.print(&session::print_syntax(&files));
    }
    let checkpoint = prepare::open(arguments.checkpoint.as_deref())?;
    let checked = session::check(&request, checkpoint.as_ref())?;
    let stages = || session::lower(&checked);
    let text = match arguments.stage {
        Stage::Syntax => String::new(),
        Stage::Model => checked.model.print(),
        Stage::Graph => stages().graph.print(),
        Stage::Fused => stages().fused.print(),
        Stage::Kernels => stages().program.print(),
        Stage::Clif => link::intermediate(&stages().program).map_err(Failure::Other)?,
        Stage::Wgsl => wgsl::print(&stages().program, &wgsl::Target::default()),
        Stage::Asm => link::assembly(&stages().program).map_err(Failure::Other)?,
    };
    terminal.print(&text)
}
