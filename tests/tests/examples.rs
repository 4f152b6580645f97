//! The examples: each is a correct program, is printed as it was meant, and survives being damaged.

use seqwright_compiler::check::Missing;
use seqwright_compiler::source::FileId;
use seqwright_compiler::syntax::parse;
use seqwright_compiler::syntax::print::print;
use seqwright_tests::sources::{diagnose, files_in, rendered};
use std::time::{Duration, Instant};

/// Examples and library: everything that comes with the compiler.
fn all_files() -> Vec<(String, String)> {
    let mut files = files_in("examples");
    assert!(files.len() >= 16, "found {} examples", files.len());
    files.extend(files_in("compiler/library"));
    files
}

#[test]
fn every_file_checks_without_a_mistake() {
    for (name, text) in all_files() {
        let (sources, diagnostics) = diagnose(&name, &text, Missing::Invent);
        assert!(diagnostics.is_empty(), "{}", rendered(&sources, &diagnostics));
    }
}

#[test]
fn every_file_prints_as_text_that_means_the_same() {
    for (name, text) in all_files() {
        let (tree, diagnostics) = parse(FileId(0), &text);
        assert!(diagnostics.is_empty(), "{name}");
        let printed = print(&tree);
        let (again, diagnostics) = parse(FileId(0), &printed);
        assert!(diagnostics.is_empty(), "{name} prints as\n{printed}");
        assert_eq!(printed, print(&again), "{name}");
    }
}

/// Checks a text that nobody meant: a diagnostic or none, but neither a panic nor minutes of work.
fn survives(text: &str) {
    let start = Instant::now();
    let (sources, diagnostics) = diagnose("damaged.seq", text, Missing::Invent);
    let _ = rendered(&sources, &diagnostics);
    let spent = start.elapsed();
    assert!(spent < Duration::from_secs(10), "{spent:?} for\n{text}");
}

#[test]
fn brackets_a_hundred_thousand_deep_are_a_diagnostic() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("-", ""), ("2 ^ ", ""), ("f(", ")"), ("x[", "]")] {
        let text = format!("cell C(x) {{\n  y = {}x{}\n}}\n", open.repeat(100_000), close.repeat(100_000));
        let (_, diagnostics) = diagnose("deep.seq", &text, Missing::Invent);
        assert!(!diagnostics.is_empty(), "{open}");
    }
}

#[test]
fn a_repeat_that_begins_beyond_all_numbers_is_read() {
    let far = "9".repeat(30);
    survives(&format!("cell C(x) {{ repeat r in {far}..{far} {{ y = x }} z = x }}"));
}

#[test]
fn a_line_of_a_megabyte_is_read() {
    let sum = "x + ".repeat(250_000);
    survives(&format!("cell C(x) {{ y = {sum}x }}"));
    survives(&format!("// {}", "a".repeat(1_000_000)));
    survives(&"x".repeat(1_000_000));
    survives(&format!("axis word of {}\"a\"", "\"a\", ".repeat(150_000)));
    survives(&"\"".repeat(1_000_000));
    let equations: String = (0..20_000).map(|place| format!("y{place} = tanh(x) ")).collect();
    survives(&format!("cell C(x) {{ {equations} }}"));
}

/// Marsaglia's xorshift (Journal of Statistical Software 8(14), 2003): the same damage in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

#[test]
fn random_letters_are_a_diagnostic() {
    let mut random = Random(0x5e9_0001);
    for _ in 0..1000 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.below(256) as u8).collect();
        survives(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn damaged_examples_are_diagnostics_or_programs() {
    const PIECES: [&str; 40] = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ";",
        ",",
        ":",
        "=",
        "->",
        "..",
        "*",
        "^",
        "-",
        "+",
        "/",
        "%",
        "<=",
        "where ",
        "over ",
        "backward ",
        "repeat ",
        "state ",
        "weight ",
        "of ",
        "and ",
        "0",
        "1e308",
        "1e999",
        "t",
        "T",
        "last",
        "x",
        "h[t-1]",
        "[t+1]",
        "\"",
        "// ",
        "é",
        "softmax over j (",
    ];
    let files = all_files();
    let mut random = Random(0x5e9_0002);
    for _ in 0..3000 {
        let (_, text) = &files[random.below(files.len())];
        let mut damaged: Vec<char> = text.chars().collect();
        for _ in 0..=random.below(3) {
            let place = random.below(damaged.len());
            let length = random.below(12).min(damaged.len() - place);
            match random.below(4) {
                0 => drop(damaged.drain(place..place + length)),
                1 => {
                    let piece = PIECES[random.below(PIECES.len())];
                    damaged.splice(place..place, piece.chars());
                }
                2 => {
                    let from = random.below(damaged.len());
                    let to = (from + length).min(damaged.len());
                    let copy: Vec<char> = damaged[from..to].to_vec();
                    damaged.splice(place..place, copy);
                }
                _ => {
                    let other = random.below(damaged.len());
                    damaged.swap(place, other);
                }
            }
        }
        survives(&damaged.into_iter().collect::<String>());
    }
}
