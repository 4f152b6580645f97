//! Programs, by all that can be done with them before they run.

use crate::limits::{Bound, within};
use seqwright_compiler::check::Missing;
use seqwright_compiler::check::check;
use seqwright_compiler::explain::Stages;
use seqwright_compiler::source::FileId;
use seqwright_compiler::syntax::format::format;
use seqwright_compiler::syntax::{parse, print};
use seqwright_compiler::wgsl;
use seqwright_tests::sources::{diagnose, read, rendered};
use std::collections::BTreeMap;

/// More values than this are not taken on to kernels by a target: a model of many is slow to lower, and nothing else.
const MOST_LOWERED: usize = 400;

/// Parses a text, and prints what stands in it.
///
/// # Panics
/// A fault.
pub fn parsed(text: &str) {
    within(Bound::PROGRAM, text.as_bytes(), || {
        let (tree, mistakes) = parse(FileId(0), text);
        let inside = |place: usize| place <= text.len();
        for mistake in &mistakes {
            assert!(inside(mistake.primary.span.start) && inside(mistake.primary.span.end), "{mistake:?}");
        }
        print::print(&tree)
    });
}

/// Checks a text; what means something is taken on to kernels and shaders, which naga validates.
///
/// # Panics
/// A fault.
pub fn checked(text: &str) -> bool {
    within(Bound::PROGRAM, text.as_bytes(), || {
        let (sources, mistakes) = diagnose("program.seq", text, Missing::Invent);
        let told = rendered(&sources, &mistakes);
        assert_eq!(mistakes.is_empty(), told.is_empty(), "{told}");
        let (_, program, unread) = read("program.seq", text);
        if !unread.is_empty() {
            return false;
        }
        let Ok(model) = check(&program, None, &BTreeMap::new(), Missing::Refuse) else { return false };
        let numbers: usize =
            model.values.iter().flat_map(|value| &value.axes).filter_map(|axis| axis.size()).max().unwrap_or(0);
        if model.values.len() <= MOST_LOWERED && numbers <= 1 << 20 {
            let stages = Stages::new(&model, &model.results);
            let _ = wgsl::print(&stages.program, &wgsl::Target::default());
        }
        true
    })
}

/// Formats a text: it is refused exactly where it does not parse; else nothing but blanks changes, it means the same, and
/// formatting again changes nothing.
///
/// # Panics
/// A fault.
pub fn formatted(text: &str) -> bool {
    within(Bound::PROGRAM, text.as_bytes(), || {
        let parses = parse(FileId(0), text).1.is_empty();
        let Ok(once) = format(FileId(0), text) else {
            assert!(!parses, "a text that parses is not formatted");
            return false;
        };
        let bare = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
        let tree = |text: &str| print::print(&parse(FileId(0), text).0);
        assert!(parses && bare(&once) == bare(text), "more than blanks changed:\n{once}");
        assert_eq!(tree(&once), tree(text), "it means something else:\n{once}");
        assert_eq!(format(FileId(0), &once).as_deref(), Ok(once.as_str()), "formatting again changes it");
        true
    })
}
