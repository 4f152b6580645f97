//! `seqc`: checks, compiles and runs `.seq` files. What it does is said in [`seqwright::command`]; this is only the process.
//!
//! Exit codes: 0 all went well, 1 something did not, 2 it was called wrongly.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(seqwright::command::main())
}
