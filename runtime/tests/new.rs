//! `seqc new`: each kind of model checks, is explained and runs, in the one style; nothing is overwritten.

use std::fs;
use std::path::Path;
use std::process::Command;

const KINDS: [&str; 5] = ["cell", "tagger", "classifier", "language-model", "encoder"];

#[track_caller]
fn seqc(cache: &Path, folder: &Path, words: &[&str], code: i32) -> (String, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seqc"));
    let done = command.current_dir(folder).env("XDG_CACHE_HOME", cache).args(words).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (output, errors) = (text(done.stdout), text(done.stderr));
    assert_eq!(done.status.code(), Some(code), "seqc {words:?}\n{output}{errors}");
    (output, errors)
}

/// Every command that the README names does what it says, for every kind.
#[test]
fn every_kind_does_what_its_readme_says() {
    let folder = tempfile::tempdir().expect("a folder");
    // What the machine can do is measured once.
    let cache = tempfile::tempdir().expect("a folder");
    for kind in KINDS {
        let (told, errors) = seqc(cache.path(), folder.path(), &["new", kind, "--kind", kind], 0);
        assert_eq!(errors, "");
        assert!(told.contains(&format!("  cd {kind}\n  seqc check {kind}.seq\n")), "{told}");
        let own = folder.path().join(kind);
        let readme = fs::read_to_string(own.join("README.md")).expect("a README");
        assert!(readme.starts_with(&format!("# {kind}\n")) && !readme.contains('{'), "{readme}");
        let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("seqc ")).collect();
        assert_eq!(commands.len(), 7, "{readme}");
        for command in commands {
            let mut words: Vec<&str> = command.split(' ').collect();
            if words[0] == "profile" {
                words.extend(["--length", "8", "--repeat", "1", "--threads", "1"]);
            }
            let (output, errors) = seqc(cache.path(), &own, &words, 0);
            let noise = errors.lines().find(|line| !line.starts_with("ok: ") && !line.starts_with("note: "));
            assert!(noise.is_none() && !errors.contains("warning"), "{command}: {errors}");
            assert!(words[0] != "explain" || output.contains("kernels"), "{output}");
        }
    }
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    seqc(folder.path(), folder.path(), &["new"], 0);
    let model = folder.path().join("tagger/tagger.seq");
    fs::write(&model, "// mine\n").expect("a file");
    let (_, errors) = seqc(folder.path(), folder.path(), &["new", "tagger", "--kind", "cell"], 1);
    assert!(errors.starts_with("error: tagger is there already: take another name"), "{errors}");
    assert_eq!(fs::read_to_string(&model).expect("it is there"), "// mine\n");

    let (told, _) = seqc(folder.path(), folder.path(), &["new", "one.seq", "--kind", "cell"], 0);
    assert_eq!(told, "one.seq is there: `seqc check` and `seqc explain` read it\n");
    let (_, errors) = seqc(folder.path(), folder.path(), &["new", "one.seq"], 1);
    assert!(errors.contains("one.seq is there already"), "{errors}");
    seqc(folder.path(), folder.path(), &["new", "deep/in/folders", "--kind", "encoder"], 0);
    assert!(folder.path().join("deep/in/folders/folders.seq").is_file());
    for name in ["..", "/", "a b", "-x"] {
        let (_, errors) = seqc(folder.path(), folder.path(), &["new", "--", name], 2);
        assert!(errors.contains("expected a name of letters"), "{name}: {errors}");
    }
    let (_, errors) = seqc(folder.path(), folder.path(), &["new", "x", "--kind", "oracle"], 2);
    assert!(errors.contains("[possible values: cell, tagger, classifier, language-model, encoder]"), "{errors}");
}
