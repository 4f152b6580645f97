//! `seqc emit`: prints what a model becomes on its way to machine code.

use super::Stop;
use super::arguments::{EmitArguments, FloatsName, Stage};
use super::prepare;
use super::terminal::Terminal;
use crate::link;
use crate::session::{self, Failure};
use seqwright_compiler::wgsl::{self, Cooperative, CooperativeSize, Target};

/// Prints one stage.
pub fn emit(arguments: &EmitArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &arguments.output)?;
    let target = target(arguments);
    if arguments.stage != Stage::Wgsl && target != Target::default() {
        return Err(Stop::Usage(
            "`--gpu-weights`, `--cooperative-matrices` and `--subgroups` change shaders: add `--stage wgsl`"
                .to_string(),
        ));
    }
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
        Stage::Wgsl => wgsl::print(&stages().program, &target),
        Stage::Asm => link::assembly(&stages().program).map_err(Failure::Other)?,
    };
    terminal.print(&text)
}

/// What shaders are for: what every GPU has, and what is asked for.
fn target(arguments: &EmitArguments) -> Target {
    let cooperative = arguments.shaders.cooperative_matrices.map(|factors| Cooperative {
        size: match factors {
            FloatsName::F32 => CooperativeSize::Eight,
            FloatsName::F16 => CooperativeSize::Sixteen,
        },
        half: factors == FloatsName::F16,
        subgroup: 32,
        spelt_out: false,
    });
    let usual = Target::default();
    Target {
        subgroups: arguments.subgroups || cooperative.is_some(),
        f16: arguments.shaders.gpu_weights == Some(FloatsName::F16),
        workgroup_bytes: cooperative.map_or(0, |own| own.workgroup_bytes()).max(usual.workgroup_bytes),
        cooperative,
        ..usual
    }
}
