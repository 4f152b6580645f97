//! What is said of the command line and its files: one style, kinds of mistakes, completions, manual pages.

use super::{Case, seqc};
use std::fs;

#[test]
fn fmt_writes_files_in_the_one_style() {
    let case = Case::new("model M(x:[T,n];n=3){ // sizes\n y=x*2 }\n");
    let file = case.folder.path().join("m.seq").display().to_string();
    let wanted = "model M(x: [T, n]; n = 3) {  // sizes\n  y = x * 2\n}\n";
    let shown = seqc(&["fmt", "--check", &file]).ends(1, "");
    assert!(shown.output.contains("+model M(x: [T, n]; n = 3) {"), "{}", shown.output);
    seqc(&["fmt", &file]).ends(0, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), wanted);
    seqc(&["fmt", "--check", &file]).ends(0, "");
    let wrong = "model M( {\n";
    fs::write(&file, wrong).unwrap();
    seqc(&["fmt", &file]).ends(1, "E0101");
    assert_eq!(fs::read_to_string(&file).unwrap(), wrong);
    seqc(&["fmt", &file, "-"]).ends(2, "standard input");
}

#[test]
fn a_kind_of_mistake_is_explained() {
    let case = Case::new("cell Twice(x; size) {\n  h = affine(x; size)\n  h = tanh(h)\n}\n");
    let file = case.folder.path().join("m.seq").display().to_string();
    seqc(&["check", &file]).ends(1, "For more about this kind of mistake, try `seqc explain E0202`.");
    let shown = seqc(&["explain", "E0202"]).ends(0, "");
    assert!(shown.output.starts_with("E0202: A name that is given twice"), "{}", shown.output);
    seqc(&["explain", "E0999"]).ends(1, "no mistake has the number E0999; there are E0101, ");
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let shown = seqc(&["completions", shell]).ends(0, "");
        assert!(["generate", "checkpoint", "explain"].iter().all(|word| shown.output.contains(word)), "{shell}");
    }
    let case = Case::new("");
    let folder = case.folder.path().join("man");
    seqc(&["man", &folder.display().to_string()]).ends(0, "pages are in");
    let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert!(page("seqc.1").contains("SUBCOMMANDS") && page("seqc-run.1").contains("seqc run"));
    assert!(page("seqc-explain.1").contains("why"));
}
