//! The formatter: every `.seq` text of the repository, random models, and comments between any two tokens. Formatting changes
//! blanks and line ends alone, means the same, and formatting again changes nothing.

use seqwright_compiler::source::FileId;
use seqwright_compiler::syntax::format::format;
use seqwright_compiler::syntax::{parse, print};
use seqwright_tests::models::Model;
use seqwright_tests::sources::files_in;

const FOLDERS: [&str; 11] = [
    "examples",
    "compiler/library",
    "tests/fixtures/checkpoints",
    "tests/fixtures/errors",
    "tests/fixtures/explain",
    "tests/fixtures/fusion",
    "tests/fixtures/programs",
    "tests/fixtures/recurrences",
    "tests/fixtures/refusals",
    "tests/fixtures/stacks",
    "tests/fixtures/streaming",
];

fn bare(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}

fn tree(text: &str) -> String {
    print::print(&parse(FileId(0), text).0)
}

/// The formatted text, for which the law holds; nothing for a text that does not parse.
fn formatted(name: &str, text: &str) -> Option<String> {
    let once = format(FileId(0), text).ok()?;
    assert_eq!(bare(&once), bare(text), "{name}: more than blanks changed\n{text}");
    let twice = format(FileId(0), &once).unwrap_or_else(|why| panic!("{name}: {why:?}\n{once}"));
    assert_eq!(twice, once, "{name}: formatting again changes it\n{text}");
    assert_eq!(tree(&once), tree(text), "{name}: it means something else\n{once}");
    let long = once.split("\n\n\n").count() > 1 || once.lines().any(|line| line.ends_with(' '));
    assert!(!long, "{name}: blanks are left over\n{once}");
    Some(once)
}

#[test]
fn every_file_of_the_repository_keeps_its_meaning() {
    let mut seen = 0;
    for folder in FOLDERS {
        for (name, text) in files_in(folder) {
            let parses = parse(FileId(0), &text).1.is_empty();
            assert_eq!(formatted(&name, &text).is_some(), parses, "{name}");
            seen += usize::from(parses);
        }
    }
    assert!(seen >= 150, "only {seen} files parse");
}

/// What people read to learn the language has its style. Fixtures have mistakes, and texts that are to be formatted.
#[test]
fn examples_and_the_library_are_in_the_one_style() {
    for folder in ["examples", "compiler/library", "tests/peers"] {
        for (name, text) in files_in(folder) {
            assert_eq!(format(FileId(0), &text).ok().as_ref(), Some(&text), "`seqc fmt {folder}/{name}`");
        }
    }
}

#[test]
fn random_models_keep_their_meaning() {
    for seed in 0..2000 {
        let text = Model::random(seed).text();
        assert!(formatted(&format!("seed {seed}"), &text).is_some(), "seed {seed} does not parse\n{text}");
    }
}

#[test]
fn comments_between_any_two_tokens_are_kept() {
    let kind = |letter: char| (letter.is_alphanumeric() || letter == '_', letter.is_whitespace());
    let mut tried = 0;
    for (name, text) in files_in("examples") {
        let ends = text.char_indices().zip(text.chars().skip(1)).enumerate();
        for (number, ((place, letter), next)) in ends {
            let ends_token = !letter.is_whitespace() && (kind(letter) != kind(next) || kind(next) == (false, false));
            // Every seventh place of each file, and all kinds of comments in turn.
            if !ends_token || number % 7 != 0 {
                continue;
            }
            let comment = ["// one\n", "\n// two\n", " // three\n\n\n// four\n"][number % 3];
            let (before, after) = text.split_at(place + letter.len_utf8());
            let parsed = formatted(&format!("{name} at {place}"), &format!("{before}{comment}{after}"));
            tried += usize::from(parsed.is_some());
        }
    }
    assert!(tried >= 1000, "only {tried} texts with comments parse");
}

#[test]
fn the_style() {
    let text = "// head\nuse cells,norms\n\n\n\nmodel M ( x:[T,d] ; d=4,e = 2 )->y{ // behind\n\n a=x [ t - 1 ]*2\n  // own\n  \
                longer[ i,j ]=sum over k(a[i]*a[ k+1 , 2 * d])where i<j and j<=d // why\n y=-a^-2  }\n\ncheckpoint M{\n\"a\"|\"b\"[0..d]=y\n}";
    let wanted = "// head\nuse cells, norms\n\nmodel M(x: [T, d]; d = 4, e = 2) -> y {  // behind\n  a = x[t-1] * 2\n  // own\n  \
                  longer[i, j] = sum over k (a[i] * a[k+1, 2 * d])  where i < j and j <= d  // why\n  y = -a ^ -2\n}\n\n\
                  checkpoint M {\n  \"a\" | \"b\"[0 .. d] = y\n}\n";
    assert_eq!(formatted("style", text).as_deref(), Some(wanted));
}

#[test]
fn a_text_that_does_not_parse_is_refused() {
    assert!(format(FileId(0), "model M( {").is_err());
}

/// Whether a text parses is the grammar's to say, however its parser goes about it: what one of them took for a blank, a
/// formatter would lose.
#[test]
fn a_blank_that_the_grammar_does_not_know_is_a_mistake() {
    for blank in ['\u{b}', '\u{c}', '\u{85}', '\u{a0}', '\u{2028}'] {
        let text = format!("model M(x: [T, d]; d = 2) -> y {{\n  y[t] = x[t]\n}}{blank}");
        let (_, diagnostics) = parse(FileId(0), &text);
        assert_eq!(diagnostics.len(), 1, "{blank:?}");
        assert!(format(FileId(0), &text).is_err(), "{blank:?}");
    }
}
