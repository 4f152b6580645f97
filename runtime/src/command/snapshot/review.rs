//! `seqc snapshot --review`: new texts are accepted, rejected or left for later.
//!
//! New texts are written to `.snap.new` files first. In a Cargo project `cargo insta review` takes them from there, where it is
//! installed. Elsewhere each is asked about in the terminal; what is left for later stays beside its snapshot.

use super::tell_unreferenced;
use crate::command::Stop;
use crate::command::terminal::Terminal;
use crate::session::Failure;
use crate::snapshot::{Found, Standing, Text};
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What becomes of a new text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accept,
    Reject,
    Skip,
}

/// Has all that is new or changed reviewed; whether that went well.
pub(super) fn review(all: &[(&Path, Standing)], terminal: &mut Terminal) -> Result<bool, Stop> {
    for (_, standing) in all {
        tell_unreferenced(standing, terminal);
        standing.settle()?;
    }
    let pending: Vec<(&Standing, &(Text, Found))> =
        all.iter().flat_map(|(_, standing)| standing.pending().map(move |one| (standing, one))).collect();
    if pending.is_empty() {
        terminal.ok("there is nothing to review");
        return Ok(true);
    }
    let project = project(&pending).filter(|_| has_cargo_insta());
    if project.is_none() && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let why = "there is no terminal to ask in: `seqc snapshot` without `--review` accepts everything, `--check` shows \
                   what changed";
        return Err(Failure::Other(why.to_string()).into());
    }
    for (standing, (text, _)) in &pending {
        standing.suggest(text)?;
    }
    match project {
        Some(folder) => hand_over(&folder),
        None => {
            let mut input = io::stdin().lock();
            let (mut accepted, mut rejected, mut left) = (0, 0, 0);
            for (place, (standing, (text, found))) in pending.iter().enumerate() {
                terminal.say(&format!("{}/{}  {}", place + 1, pending.len(), shown(text, found)));
                match ask(&mut input, &mut |question| terminal.say(question))? {
                    Answer::Accept => {
                        standing.accept(text)?;
                        accepted += 1;
                    }
                    Answer::Reject => {
                        standing.reject(text)?;
                        rejected += 1;
                    }
                    Answer::Skip => left += 1,
                }
            }
            let left = if left > 0 { format!(", {left} left as `.snap.new`") } else { String::new() };
            terminal.note(&format!("{accepted} accepted, {rejected} rejected{left}"));
            Ok(true)
        }
    }
}

/// What is asked about: all of a new text, the lines of another that changed.
fn shown(text: &Text, found: &Found) -> String {
    match found {
        Found::New => format!("{} is new:\n{}\n", text.path.display(), text.text.trim_end()),
        Found::Changed(_) | Found::Same => found.told(text),
    }
}

/// Asks until there is an answer; where the input ends, everything is left for later.
fn ask(input: &mut dyn BufRead, say: &mut dyn FnMut(&str)) -> Result<Answer, Failure> {
    loop {
        say("accept, reject or skip? [a/r/s] ");
        let mut line = String::new();
        let read = input.read_line(&mut line);
        if read.map_err(|why| Failure::Other(format!("cannot read standard input: {why}")))? == 0 {
            say("\n");
            return Ok(Answer::Skip);
        }
        match line.trim().to_lowercase().as_str() {
            "a" | "accept" => return Ok(Answer::Accept),
            "r" | "reject" => return Ok(Answer::Reject),
            "s" | "skip" => return Ok(Answer::Skip),
            _ => {}
        }
    }
}

/// The folder of the Cargo project that has all these snapshots: what `cargo insta` looks through.
fn project(pending: &[(&Standing, &(Text, Found))]) -> Option<PathBuf> {
    let of = |path: &Path| {
        let folder = std::path::absolute(path).ok()?;
        folder.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file()).map(Path::to_path_buf)
    };
    let mut folders = pending.iter().map(|(_, (text, _))| of(&text.path));
    let first = folders.next()??;
    folders.all(|folder| folder.as_ref() == Some(&first)).then_some(first)
}

fn has_cargo_insta() -> bool {
    let mut command = Command::new("cargo");
    command.args(["insta", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn hand_over(folder: &Path) -> Result<bool, Stop> {
    let status = Command::new("cargo").args(["insta", "review"]).current_dir(folder).status();
    let status = status.map_err(|why| Failure::Other(format!("cannot start `cargo insta review`: {why}")))?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> (Answer, String) {
        let mut asked = String::new();
        let answer = ask(&mut text.as_bytes(), &mut |question| asked.push_str(question)).expect("it can be read");
        (answer, asked)
    }

    #[test]
    fn answers_are_words_or_their_first_letters() {
        let question = "accept, reject or skip? [a/r/s] ";
        assert_eq!(answered("a\n"), (Answer::Accept, question.to_string()));
        assert_eq!(answered("Reject\n"), (Answer::Reject, question.to_string()));
        assert_eq!(answered("maybe\n\ns\n"), (Answer::Skip, question.repeat(3)));
        assert_eq!(answered("what"), (Answer::Skip, format!("{question}{question}\n")));
    }
}
