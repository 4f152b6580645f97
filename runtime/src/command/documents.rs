//! `seqc completions` and `seqc man`: what a shell and a reader of manuals need, made of the same arguments and help.

use super::Stop;
use super::arguments::{Arguments, CompletionsArguments, ManArguments};
use super::terminal::Terminal;
use crate::session::Failure;
use crate::weights::write_file;
use clap::CommandFactory;
use std::path::Path;

/// Prints a shell's script of completions.
pub(super) fn completions(arguments: &CompletionsArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "seqc", &mut script);
    terminal.print(&String::from_utf8_lossy(&script))
}

/// Writes a page for `seqc` and one for each of its commands into a folder.
pub(super) fn man(arguments: &ManArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let folder = &arguments.folder;
    let cannot = |path: &Path, why: std::io::Error| Failure::Other(format!("cannot write {}: {why}", path.display()));
    std::fs::create_dir_all(folder).map_err(|why| cannot(folder, why))?;
    let command = Arguments::command();
    let mut pages = vec![("seqc".to_string(), command.clone())];
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("seqc-{}", sub.get_name());
        pages.push((name.clone(), sub.clone().display_name(&name).bin_name(name.replacen('-', " ", 1))));
    }
    let count = pages.len();
    for (name, command) in pages {
        let mut page = Vec::new();
        let path = folder.join(format!("{name}.1"));
        clap_mangen::Man::new(command).render(&mut page).map_err(|why| cannot(&path, why))?;
        write_file(&path, &page).map_err(Failure::File)?;
    }
    terminal.note(&format!("{count} pages are in {0}; read one with `man -l {0}/seqc.1`", folder.display()));
    Ok(())
}
