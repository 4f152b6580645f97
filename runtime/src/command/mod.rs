//! The command line `seqc`: `new`, `check`, `fmt`, `emit`, `explain`, `snapshot`, `run`, `profile`, `trace`, `memory`,
//! `generate`, `verify` and `perplexity`.
//!
//! In: the process's arguments. Out: results on standard output, all else on standard error, and an exit code: 0 all
//! went well, 1 something did not, 2 the call was wrong, 130 somebody pressed Ctrl-C. It decides nothing about models: [`crate::session`] does the
//! work.
//!
//! | file | what it does |
//! | --- | --- |
//! | `arguments.rs` | commands, options and their help |
//! | `terminal.rs` | standard output and error, colours, signs of life |
//! | `prepare.rs` | from arguments to a model that is ready to run |
//! | `inputs.rs` | batches from files and texts |
//! | `random.rs` | weights and inputs where none are given |
//! | `check.rs`, `fmt.rs`, `emit.rs`, `explain/`, `run.rs`, `profile/`, `trace/`, `memory/`, `generate.rs`, `verify.rs` | one command each |
//! | `new/` | first models, and a README beside them |
//! | `snapshot/` | what `emit` and `explain` print, as texts beside a file |
//! | `stream.rs` | `run` on positions as they come |
//! | `prompts.rs` | from the arguments of `generate` to sequences to go on with |
//! | `devices.rs` | another: GPUs, and the one that is meant |
//! | `continuations.rs` | what was generated, as it is shown |
//! | `greedy.rs` | continuations by the arg max, for `verify` |
//! | `perplexity.rs` | how probable a text is to a language model |
//! | `show.rs` | results as text |
//! | `heat.rs` | tables of numbers with colours behind them |
//! | `lsp.rs` | the language server, on standard input and output |
//! | `documents.rs` | completions for shells, manual pages |
//! | `json.rs` | results and mistakes as JSON |

pub mod arguments;
mod check;
mod continuations;
mod devices;
mod documents;
mod emit;
pub mod explain;
mod fmt;
mod generate;
mod greedy;
mod heat;
mod inputs;
mod json;
mod lsp;
mod memory;
mod new;
mod perplexity;
mod prepare;
mod profile;
mod prompts;
mod random;
mod run;
mod show;
mod snapshot;
mod stream;
mod terminal;
mod trace;
mod verify;

use self::arguments::{Arguments, Command, When};
use self::terminal::Terminal;
use crate::session::Failure;
use clap::{ColorChoice, CommandFactory, FromArgMatches};
use std::ffi::OsString;

const OK: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// As a shell says it of a program that a signal ended: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

/// The stack of the thread that works, in bytes: checking descends as deep as a file nests, which the checker limits
/// long before this is full.
const STACK: usize = 256 << 20;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The call was wrong.
    Usage(String),
    /// Something could not be done.
    Failed(Failure),
    /// Something is not as it should be, and everything about it is said.
    Said,
    /// Somebody wanted no more.
    Interrupted,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

/// Does what the process's arguments ask for, and gives its exit code.
pub fn main() -> u8 {
    let worker = std::thread::Builder::new().name("seqc".to_string()).stack_size(STACK);
    match worker.spawn(|| with_arguments(std::env::args_os().collect())) {
        // A panic has already been told about, and is a mistake of this program.
        Ok(worker) => worker.join().unwrap_or(FAILED),
        Err(why) => {
            eprintln!("error: cannot start: {why}");
            FAILED
        }
    }
}

fn with_arguments(words: Vec<OsString>) -> u8 {
    let command = Arguments::command().color(match wanted_color(&words) {
        Some(When::Always) => ColorChoice::Always,
        Some(When::Never) => ColorChoice::Never,
        Some(When::Auto) | None => ColorChoice::Auto,
    });
    let parsed = command.try_get_matches_from(words).and_then(|found| Arguments::from_arg_matches(&found));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that was asked for is a result.
            let code = if error.use_stderr() { USAGE } else { OK };
            let _ = error.print();
            return code;
        }
    };
    let mut terminal = Terminal::new(arguments.color);
    let (name, json, done) = match &arguments.command {
        Command::Check(check) => ("check", check.json, check::check(check, &mut terminal)),
        Command::New(new) => ("new", false, new::new(new, &mut terminal)),
        Command::Lsp(_) => ("lsp", false, lsp::lsp()),
        Command::Fmt(fmt) => ("fmt", false, fmt::fmt(fmt, &mut terminal)),
        Command::Emit(emit) => ("emit", false, emit::emit(emit, &mut terminal)),
        Command::Explain(explain) => ("explain", explain.json, explain::explain(explain, &mut terminal)),
        Command::Snapshot(snapshot) => ("snapshot", false, snapshot::snapshot(snapshot, &mut terminal)),
        Command::Run(run) => ("run", run.json, run::run(run, &mut terminal)),
        Command::Profile(profile) => ("profile", profile.json, profile::profile(profile, &mut terminal)),
        Command::Trace(trace) => ("trace", trace.json, trace::trace(trace, &mut terminal)),
        Command::Memory(memory) => ("memory", memory.json, memory::tell(memory, &mut terminal)),
        Command::Generate(generate) => ("generate", generate.json, generate::generate(generate, &mut terminal)),
        Command::Devices(devices) => ("devices", devices.json, devices::devices(devices, &mut terminal)),
        Command::Completions(shell) => ("completions", false, documents::completions(shell, &mut terminal)),
        Command::Man(man) => ("man", false, documents::man(man, &mut terminal)),
        Command::Perplexity(text) => ("perplexity", text.json, perplexity::perplexity(text, &mut terminal)),
        Command::Verify(verify) => ("verify", verify.json, verify::verify(verify, &mut terminal)),
    };
    let code = match done {
        Ok(()) => OK,
        Err(Stop::Said) => FAILED,
        Err(Stop::Interrupted) => INTERRUPTED,
        Err(Stop::Usage(message)) => {
            terminal.usage(&message);
            USAGE
        }
        Err(Stop::Failed(failure)) => {
            terminal.failure(&failure);
            if json {
                let document = json::document(name, false, [("errors", json::failure(&failure))]);
                let _ = terminal.print(&document);
            }
            FAILED
        }
    };
    terminal.more_about_mistakes();
    code
}

/// The `--color` of arguments that are not parsed yet: their help and their errors have colours too.
fn wanted_color(words: &[OsString]) -> Option<When> {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let value = words.iter().enumerate().find_map(|(place, word)| match word.strip_prefix("--color") {
        Some("") => words.get(place + 1).copied(),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    })?;
    clap::ValueEnum::from_str(value, false).ok()
}
