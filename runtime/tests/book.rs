//! The book: every block of its chapters is a file that checks and is in the one style, or a command that prints what stands
//! below it.
//!
//! | block | what is tested |
//! | --- | --- |
//! | `seq` | it checks without a mistake; `seqc fmt` changes nothing |
//! | `seq NAME.seq` | likewise, and the chapter's commands find it as a file of that name |
//! | `sh` | it succeeds, and prints the `text` block that follows it, if one does |
//! | `sh fails` | it fails, and says so |
//! | `text` | what the command above prints: `…` stands for any part of a line, on a line of its own for any lines |
//!
//! Commands run one after the other in a folder of the chapter's own, where `examples`, `tests` and `scripts` are the
//! repository's, and `seqc` is the command that was built. `BOOK=write cargo test -p seqwright --test suite book::` writes what commands print into
//! chapters: read it before it is committed.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A block of a chapter.
#[derive(Debug)]
struct Block {
    /// The number of its first line, counted from 1.
    line: usize,
    /// What stands behind its three marks.
    info: String,
    text: String,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_path_buf()
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (place, line) in markdown.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block { line: place + 2, info: info.to_string(), text: String::new() });
            }
            (None, None) => {}
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
        }
    }
    assert!(open.is_none(), "the last block is not closed");
    blocks
}

/// Whether a line is what was wanted, where `…` stands for anything.
fn line_fits(wanted: &str, got: &str) -> bool {
    match wanted.split_once('…') {
        None => wanted == got,
        Some((before, after)) => got.strip_prefix(before).is_some_and(|rest| {
            let places = rest.char_indices().map(|(place, _)| place).chain([rest.len()]);
            places.into_iter().any(|place| line_fits(after, &rest[place..]))
        }),
    }
}

/// Whether lines are those that were wanted, where a line of `…` alone stands for any lines.
fn lines_fit(wanted: &[&str], got: &[&str]) -> bool {
    match wanted {
        [] => got.is_empty(),
        [any, rest @ ..] if any.trim() == "…" => (0..=got.len()).any(|skipped| lines_fit(rest, &got[skipped..])),
        [first, rest @ ..] => {
            got.split_first().is_some_and(|(own, others)| line_fits(first, own) && lines_fit(rest, others))
        }
    }
}

/// Runs a shell's commands in a folder; what they print, mistakes included, and whether they succeeded.
fn run(folder: &Path, commands: &str) -> (String, bool) {
    let seqc = PathBuf::from(env!("CARGO_BIN_EXE_seqc"));
    let path = std::env::var("PATH").unwrap_or_default();
    let done = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("exec 2>&1\n{commands}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", seqc.parent().expect("it lies in a folder").display()))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "110")
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .expect("there is a shell");
    let printed = String::from_utf8_lossy(&done.stdout);
    let lines: Vec<&str> =
        printed.lines().map(str::trim_end).filter(|line| !line.contains("XDG_RUNTIME_DIR")).collect();
    (lines.join("\n").trim_end().to_string(), done.status.success())
}

/// What is wrong with a chapter, and the chapter with what its commands print.
fn check(name: &str, markdown: &str) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for shared in ["examples", "tests", "scripts"] {
        std::os::unix::fs::symlink(repository().join(shared), folder.join(shared)).expect("a link can be made");
    }
    let (mut wrong, mut written) = (Vec::new(), markdown.to_string());
    let mut printed: Option<(usize, String)> = None;
    for (number, block) in blocks(markdown).iter().enumerate() {
        let at = format!("{name}:{}", block.line);
        let words: Vec<&str> = block.info.split(' ').collect();
        match words.as_slice() {
            ["seq", rest @ ..] => {
                let file = match rest {
                    [] => "block.seq",
                    [file] if file.ends_with(".seq") => file,
                    _ => panic!("{at}: a block is `seq`, or `seq NAME.seq`"),
                };
                std::fs::write(folder.join(file), &block.text).expect("it can be written");
                for command in [format!("seqc check {file}"), format!("seqc fmt --check {file}")] {
                    let (said, went) = run(folder, &command);
                    if !went {
                        wrong.push(format!("{at}: `{command}`\n{said}"));
                    }
                }
            }
            ["sh", rest @ ..] => {
                let (said, went) = run(folder, &block.text);
                if went == (rest == ["fails"]) {
                    wrong.push(format!("{at}: it {}\n{said}", if went { "succeeds" } else { "fails" }));
                }
                printed = Some((number, said));
            }
            ["text"] => {
                let Some((before, said)) = printed.take().filter(|(before, _)| before + 1 == number) else {
                    panic!("{at}: a block of text follows the command that prints it");
                };
                let wanted: Vec<&str> = block.text.lines().collect();
                if !lines_fit(&wanted, &said.lines().collect::<Vec<_>>()) {
                    wrong.push(format!("{at}: block {before} prints\n{said}\n--- and not\n{}", block.text));
                    written = written.replacen(&block.text, &format!("{said}\n"), 1);
                }
            }
            _ => panic!("{at}: a block is `seq`, `sh` or `text`, not `{}`", block.info),
        }
    }
    (wrong, written)
}

#[test]
fn every_block_of_the_book_does_what_it_says() {
    let folder = repository().join("docs/book/src");
    let contents = std::fs::read_to_string(folder.join("SUMMARY.md")).expect("the book has contents");
    let mut chapters: Vec<String> = std::fs::read_dir(&folder)
        .expect("the book has chapters")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .collect();
    chapters.sort();
    assert!(chapters.len() >= 8, "found {chapters:?}");
    let mut wrong = Vec::new();
    for name in &chapters {
        assert!(contents.contains(&format!("({name})")), "{name} is not in the contents");
        let markdown = std::fs::read_to_string(folder.join(name)).expect("a chapter can be read");
        let (own, written) = check(name, &markdown);
        if std::env::var_os("BOOK").is_some_and(|what| what == "write") {
            std::fs::write(folder.join(name), written).expect("it can be written");
        }
        wrong.extend(own);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_may_be_anything_is_marked() {
    assert!(line_fits("took … ms", "took 3.5 ms") && !line_fits("took … ms", "took 3.5 s") && line_fits("…", ""));
    assert!(lines_fit(&["a", "…", "z"], &["a", "z"]) && lines_fit(&["a", "…", "z"], &["a", "b", "c", "z"]));
    assert!(!lines_fit(&["a", "…", "z"], &["a", "b"]) && !lines_fit(&["a"], &["a", "b"]));
    let found = blocks("x\n```seq a.seq\nmodel\n```\n```text\n```\n");
    assert_eq!((found[0].line, found[0].info.as_str(), found[0].text.as_str()), (3, "seq a.seq", "model\n"));
    assert_eq!(found.len(), 2);
}
