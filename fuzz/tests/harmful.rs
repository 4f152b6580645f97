//! Programs written to do harm: by what they use, and by how little text becomes how much work.

use seqwright::session::{Request, check};
use seqwright_fuzz::limits::{Bound, within};
use std::fs;
use std::path::Path;

/// Checks a file of a folder under the bound; gives what a user would read where it is refused.
fn said(folder: &Path, name: &str) -> Result<(), String> {
    let file = folder.join(name);
    let text = fs::read(&file).expect("the file was written");
    within(Bound::PROGRAM, &text, || {
        check(&Request { file, ..Request::default() }, None).map(|_| ()).map_err(|failure| failure.render(false))
    })
}

const MODEL: &str = "model M(x: [T, d]; d = 4) {\n  y = x\n}\n";

#[test]
fn a_file_that_uses_itself_by_other_paths_is_read_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = folder.path().join("d");
    fs::create_dir(&own).expect("a folder in it");
    fs::write(own.join("a.seq"), format!("use \"../d/a.seq\", \"..//d/a.seq\", \"./a.seq\"\n{MODEL}")).expect("a file");
    assert_eq!(said(&own, "a.seq"), Ok(()));
}

#[test]
fn what_is_no_file_is_not_used() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for used in ["/dev/zero", "/proc/self/pagemap", "."] {
        fs::write(folder.path().join("a.seq"), format!("use \"{used}\"\n{MODEL}")).expect("a file");
        let refused = said(folder.path(), "a.seq").expect_err(used);
        assert!(refused.contains("E0103") && refused.contains(used), "{refused}");
    }
}

#[test]
fn more_files_than_a_program_has_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for number in 0..400 {
        let text = format!("use \"f{}.seq\"\nfunction f{number}(x) = x\n", number + 1);
        fs::write(folder.path().join(format!("f{number}.seq")), text).expect("a file");
    }
    fs::write(folder.path().join("f400.seq"), "function f400(x) = x\n").expect("a file");
    fs::write(folder.path().join("a.seq"), format!("use \"f0.seq\"\n{MODEL}")).expect("a file");
    let refused = said(folder.path(), "a.seq").expect_err("there are too many files");
    assert!(refused.contains("a program has 256 files at most"), "{refused}");
}

#[test]
fn little_text_does_not_become_much_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chain = |first: &str, next: &dyn Fn(usize) -> String, last: &str| {
        let middle: String = (1..40).map(next).collect();
        format!("{first}{middle}model M(x: [T, d]; d = 4) {{\n  y = {last}(x)\n}}\n")
    };
    let nested = |depth: usize| {
        let open: String = (0..depth).map(|level| format!("repeat r{level} in 0..1000000 {{\n")).collect();
        let close = "}\n".repeat(depth);
        format!("model M(x: [T, d]; d = 4) {{\n{open}{close}  y = x\n}}\n")
    };
    let programs = [
        chain("function f0(x) = x + x\n", &|n| format!("function f{n}(x) = f{0}(x) + f{0}(x)\n", n - 1), "f24"),
        chain("function f0(x) = x + x\n", &|n| format!("function f{n}(x) = f{0}(f{0}(x))\n", n - 1), "f28"),
        chain(
            "block b0(x) {\n y = x + 1\n}\n",
            &|n| format!("block b{n}(x) {{\n a = b{0}(x)\n b = b{0}(a)\n}}\n", n - 1),
            "b39",
        ),
        chain(
            "block b0(x) {\n y = x + 1\n}\n",
            &|n| format!("block b{n}(x) {{\n y = b{0}(x) + b{0}(x)\n}}\n", n - 1),
            "b39",
        ),
        // One mistake, come across a million times.
        chain(
            "function f0(x) = missing(x) + x\n",
            &|n| format!("function f{n}(x) = f{0}(x) + f{0}(x)\n", n - 1),
            "f24",
        ),
        chain("function f0(x) = x + gone\n", &|n| format!("function f{n}(x) = f{0}(x) + f{0}(x)\n", n - 1), "f24"),
        chain(
            "block b0(x) {\n y = Missing(x; size = 3)\n}\n",
            &|n| format!("block b{n}(x) {{\n y = b{0}(x) + b{0}(x)\n}}\n", n - 1),
            "b39",
        ),
        format!("function f(x) = f(x) + f(x)\n{MODEL}").replace("y = x", "y = f(x)"),
        format!("block b(x) {{\n  a = b(x)\n  c = b(x)\n}}\n{MODEL}").replace("y = x", "y = b(x)"),
        nested(1),
        nested(8),
        format!("model M(x: [T, d]; d = 4) {{\n  y = {}x{}\n}}\n", "(".repeat(5000), ")".repeat(5000)),
        format!("model M(x: [T, d]; d = 4) {{\n  y = {}x\n}}\n", "-".repeat(50_000)),
        format!("model M(x: [T, d]; d = 4) {{\n  y = x{}\n}}\n", " + x".repeat(20_000)),
    ];
    for program in programs {
        fs::write(folder.path().join("a.seq"), &program).expect("a file");
        assert!(said(folder.path(), "a.seq").is_err(), "{}", &program[..program.len().min(2000)]);
    }
}
