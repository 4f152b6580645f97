//! Where names are given and used: every name of every `.seq` text of the repository can be called something else, and what it
//! meant it means still.

use seqwright_compiler::check::Missing;
use seqwright_compiler::references::{Reference, What, references};
use seqwright_compiler::source::Span;
use seqwright_tests::sources::{diagnose, files_in, read};
use std::collections::BTreeSet;

/// A name that no file has.
const OTHER: &str = "quite_another";

/// Every name would take a minute: one of so many is changed.
const STEP: usize = 23;

#[test]
fn names_are_changed_wherever_they_stand() {
    let (mut seen, mut changed, mut refused) = (0, 0, Vec::new());
    for folder in ["examples", "compiler/library", "tests/fixtures/programs", "tests/fixtures/stacks"] {
        for (name, text) in files_in(folder) {
            let (sources, program, _) = read(&name, &text);
            let all = references(&program, program.root);
            let before = diagnose(&name, &text, Missing::Invent).1.len();
            let own = program.files[program.root].id;
            // Time axes are one wherever they have one name, and `t` is the position along them.
            let is_free = |reference: &&Reference| {
                reference.target.file == own && reference.what != What::Time && sources.text(reference.target) != "t"
            };
            let targets: BTreeSet<Span> = all.iter().filter(is_free).map(|reference| reference.target).collect();
            for target in targets {
                seen += 1;
                if seen % STEP != 0 {
                    continue;
                }
                let old = sources.text(target);
                let mut new = text.clone();
                let words: Vec<&Reference> = all.iter().filter(|reference| reference.target == target).collect();
                for word in words.into_iter().rev() {
                    assert_eq!(sources.text(word.span), old, "{name}: another word");
                    new.replace_range(word.span.start..word.span.end, &word.renamed(old, OTHER));
                }
                changed += 1;
                let (_, told) = diagnose(&name, &new, Missing::Invent);
                if told.len() > before {
                    refused.push(format!("{name}:{} {old}: {}", sources.line(target), told[0].message));
                }
            }
        }
    }
    assert!(changed > 60, "only {changed} names were changed");
    assert_eq!(refused, Vec::<String>::new());
}
