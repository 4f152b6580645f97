//! The language reference and the README: every block of `.seq` text in them is a file that does what the text says.
//!
//! A block that begins with ```` ```seq ```` must be without a mistake; one that begins with ```` ```seq error E0401 ```` must
//! give that diagnostic, and no other; with E0901 its model is one without a mistake that has no chunk program. A block without
//! a `model` is checked definition by definition.

use seqwright_compiler::check::Missing;
use seqwright_compiler::diagnostic::Code;
use seqwright_tests::sources::{diagnose, rendered, repository, step_refusal};

struct Block {
    line: usize,
    error: Option<String>,
    text: String,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (place, line) in markdown.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) if info == "seq" || info.starts_with("seq ") => {
                let error = info.strip_prefix("seq error ").map(str::to_string);
                assert!(info == "seq" || error.is_some(), "line {}: a block is `seq` or `seq error E0000`", place + 1);
                open = Some(Block { line: place + 2, error, text: String::new() });
            }
            (None, _) => {}
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

#[test]
fn every_block_does_what_the_text_says() {
    let errors = check_blocks("grammar/reference.md", 60, Missing::Invent);
    assert!(errors >= 15, "found {errors} blocks with errors");
}

#[test]
fn every_kind_of_mistake_is_shown_and_mended() {
    let errors = check_blocks("grammar/mistakes.md", 50, Missing::Refuse);
    // What a checkpoint's files have wrong can't stand in a block.
    let of_checkpoints = [Code::Config, Code::Checkpoint];
    assert_eq!(errors, Code::ALL.len() - of_checkpoints.len());
}

#[test]
fn the_readmes_blocks_are_programs() {
    check_blocks("README.md", 3, Missing::Invent);
}

/// Checks every block of a file, of which there are at least so many, with parameters that have no value invented or refused;
/// gives the number of those that are errors.
fn check_blocks(file: &str, least: usize, missing: Missing) -> usize {
    let markdown = std::fs::read_to_string(repository().join(file)).expect("the file is there");
    let blocks = blocks(&markdown);
    assert!(blocks.len() >= least, "found {} blocks", blocks.len());
    let mut wrong = Vec::new();
    for block in &blocks {
        let name = format!("{file}:{}", block.line);
        let (sources, mut diagnostics) = diagnose(&name, &block.text, missing);
        if diagnostics.is_empty() && block.error.as_deref() == Some(Code::NoStep.number()) {
            diagnostics.extend(step_refusal(&name, &block.text, missing));
        }
        let mut found: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.number()).collect();
        found.dedup();
        let wanted: Vec<&str> = block.error.as_deref().into_iter().collect();
        if found != wanted {
            wrong.push(format!("{name}: wanted {wanted:?}\n{}", rendered(&sources, &diagnostics)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    blocks.iter().filter(|block| block.error.is_some()).count()
}
