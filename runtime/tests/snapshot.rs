//! `seqc snapshot`: what it writes, what `--check` finds, and that a text is the same wherever and however it is made.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const MODEL: &str = "// A cell and its sizes.
// snapshot: explain, kernels, clif, wgsl; input = 3, hidden = 4

use cells
use \"parts/gate.seq\"

model Tagger(x: [T, input]; input, hidden) -> y {
  lstm = LSTM(x; size = hidden)
  y    = Gate(lstm; size = hidden)
}
";
const GATE: &str = "cell Gate(x; size) {
  state h: [size] = 0
  open = sigmoid(affine(x; size))
  h    = open * tanh(x + h[t-1])
}
";
const STAGES: [&str; 4] = ["explain", "kernels", "clif", "wgsl"];

fn project() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("parts")).expect("a folder in it");
    fs::write(folder.path().join("parts/gate.seq"), GATE).expect("a file");
    fs::write(folder.path().join("m.seq"), MODEL).expect("a file");
    folder
}

fn seqc(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seqc"));
    command.current_dir(folder).arg("snapshot").args(words);
    command
}

#[track_caller]
fn ends(mut command: Command, code: i32) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (output, errors) = (text(stdout), text(stderr));
    assert_eq!(status.code(), Some(code), "{output}{errors}");
    (output, errors)
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

#[test]
fn snapshots_are_written_and_checked() {
    let project = project();
    let folder = project.path();
    let (output, errors) = ends(seqc(folder, &["--check", "m.seq"]), 1);
    assert!(output.starts_with("m.explain.snap is missing\nm.kernels.snap is missing\n"), "{output}");
    assert!(errors.starts_with("note: without `--check` they are written"), "{errors}");
    assert!(!folder.join("m.kernels.snap").exists(), "a check writes nothing");

    let (output, errors) = ends(seqc(folder, &["m.seq"]), 0);
    let wanted: String = STAGES.iter().map(|stage| format!("new      m.{stage}.snap\n")).collect();
    assert_eq!((output, errors.as_str()), (wanted, ""));
    let kernels = read(folder, "m.kernels.snap");
    assert!(
        kernels.starts_with("---\nsource: m.seq\nexpression: \"kernels; input = 3, hidden = 4\"\n---\n"),
        "{kernels}"
    );
    let well = (String::new(), "ok: m.seq (4 snapshots)\n".to_string());
    assert_eq!(ends(seqc(folder, &["m.seq"]), 0), well);
    assert_eq!(ends(seqc(folder, &["--check", "m.seq"]), 0), well);

    // An equation of the file that is used changes what the model's file becomes.
    fs::write(folder.join("parts/gate.seq"), GATE.replace("tanh", "exp")).expect("a file");
    let (output, _) = ends(seqc(folder, &["--check", "m.seq"]), 1);
    let changed = output.split_once("m.kernels.snap changed:\n").expect("the kernels changed").1;
    let changed = changed.split("m.clif").next().unwrap_or_default();
    assert!(changed.contains(" -") && changed.contains(" +") && changed.contains("exp("), "{changed}");
    assert_eq!(read(folder, "m.kernels.snap"), kernels);
    let (output, _) = ends(seqc(folder, &["m.seq"]), 0);
    assert!(output.contains("changed  m.kernels.snap\n"), "{output}");
    assert_eq!(ends(seqc(folder, &["--check", "m.seq"]), 0), well);
}

#[test]
fn what_is_no_longer_asked_for_is_told() {
    let project = project();
    let folder = project.path();
    ends(seqc(folder, &["m.seq"]), 0);
    fs::write(folder.join("m.seq"), MODEL.replace("explain, kernels, clif, wgsl", "kernels")).expect("a file");
    let (output, _) = ends(seqc(folder, &["--check", "m.seq"]), 1);
    assert!(output.contains("m.clif.snap is no longer asked for\n") && !output.contains("m.kernels.snap"), "{output}");
    let (_, errors) = ends(seqc(folder, &["m.seq"]), 0);
    assert!(errors.contains("note: m.wgsl.snap is no longer asked for: delete it"), "{errors}");
    // What an option asks for may stand beside what the comment asks for.
    fs::remove_file(folder.join("m.wgsl.snap")).expect("it was there");
    fs::remove_file(folder.join("m.explain.snap")).expect("it was there");
    ends(seqc(folder, &["--check", "m.seq", "--stage", "clif"]), 0);
}

#[test]
fn options_come_before_the_comment() {
    let project = project();
    let folder = project.path();
    let (output, _) = ends(seqc(folder, &["m.seq", "--stage", "fused", "--set", "hidden=7", "--output", "lstm"]), 0);
    assert_eq!(output, "new      m.fused.snap\n");
    let fused = read(folder, "m.fused.snap");
    assert!(fused.contains("expression: \"fused; input = 3, hidden = 7\"") && !fused.contains("y.open"), "{fused}");
    let (output, _) = ends(seqc(folder, &["m.seq", "--stage", "model", "--model", "Tagger"]), 0);
    assert_eq!(output, "new      m.Tagger.model.snap\n");
    fs::write(folder.join("m.seq"), MODEL.replace("// snapshot", "// once")).expect("a file");
    let (output, _) = ends(seqc(folder, &["m.seq", "--set", "hidden=7", "--set", "input=1"]), 0);
    assert_eq!(output, "new      m.kernels.snap\n");
}

#[test]
fn mistakes_in_the_comment_are_shown_with_a_caret() {
    let project = project();
    let folder = project.path();
    let broken = MODEL.replace("kernels, clif", "kernel, clif").replace("hidden = 4", "hiden = 4");
    fs::write(folder.join("m.seq"), broken).expect("a file");
    fs::write(folder.join("other.seq"), "model M(x: [T]) -> y {\n  y = tanh(x)\n}\n").expect("a file");
    let (output, errors) = ends(seqc(folder, &["m.seq", "other.seq"]), 1);
    assert!(errors.contains("error[E0201]: no stage is called `kernel`"), "{errors}");
    assert!(errors.contains("2 | // snapshot: explain, kernel, clif"), "{errors}");
    assert!(errors.contains("^^^^^^ unknown") && errors.contains("help: did you mean `kernels`?"), "{errors}");
    assert!(errors.contains("error[E0407]: `Tagger` has no parameter `hiden`"), "{errors}");
    assert_eq!(output, "new      other.kernels.snap\n");
    let mut check = Command::new(assert_cmd::cargo::cargo_bin!("seqc"));
    check.current_dir(folder).args(["check", "m.seq"]);
    let (_, errors) = ends(check, 1);
    assert!(errors.contains("`kernel`") && errors.contains("`hiden`"), "{errors}");
    let (_, errors) = ends(seqc(folder, &["m.seq", "--stage", "asm"]), 2);
    assert!(errors.contains("[possible values: explain, model, graph, fused, kernels, clif, wgsl]"), "{errors}");
}

/// From other working folders, by other paths, with other terminals, and with one processor.
#[test]
fn texts_are_the_same_wherever_they_are_made() {
    let (one, other) = (project(), project());
    ends(seqc(one.path(), &["m.seq"]), 0);
    let mut elsewhere = seqc(Path::new("/"), &[]);
    elsewhere.arg(other.path().join("parts/../m.seq")).env("COLUMNS", "40").env("CLICOLOR_FORCE", "1");
    ends(elsewhere, 0);
    let texts = |folder: &Path| STAGES.map(|stage| read(folder, &format!("m.{stage}.snap")));
    assert_eq!(texts(one.path()), texts(other.path()));
    for text in texts(one.path()) {
        let private = [one.path(), other.path()].iter().any(|folder| text.contains(&*folder.to_string_lossy()));
        assert!(!private && !text.contains("0x7f") && !text.contains('\u{1b}'), "{text}");
    }
    assert!(texts(one.path())[0].contains("parts/gate.seq:"), "files that are used are named from the model's folder");
    let mut inside = seqc(&one.path().join("parts"), &["--check", "../m.seq"]);
    inside.env("NO_COLOR", "1").env("LANG", "C");
    ends(inside, 0);
    if cfg!(target_os = "linux") && Command::new("taskset").arg("--version").output().is_ok() {
        let mut alone = Command::new("taskset");
        let seqc = assert_cmd::cargo::cargo_bin!("seqc");
        alone.current_dir(one.path()).args(["-c", "0"]).arg(seqc).args(["snapshot", "--check", "m.seq"]);
        ends(alone, 0);
    }
}

#[test]
fn a_review_without_a_terminal_says_what_to_do() {
    let project = project();
    let (_, errors) = ends(seqc(project.path(), &["--review", "m.seq"]), 1);
    assert!(errors.contains("there is no terminal to ask in: `seqc snapshot` without `--review`"), "{errors}");
    assert!(!project.path().join("m.kernels.snap.new").exists());
    ends(seqc(project.path(), &["m.seq"]), 0);
    let (_, errors) = ends(seqc(project.path(), &["--review", "m.seq"]), 0);
    assert!(errors.contains("ok: there is nothing to review"), "{errors}");
    ends(seqc(project.path(), &["--review", "--check", "m.seq"]), 2);
}

/// A `cargo insta` that accepts everything stands for the real one, which needs a terminal.
#[cfg(unix)]
#[test]
fn a_review_is_handed_over_where_cargo_insta_is() {
    use std::os::unix::fs::PermissionsExt;
    let project = project();
    let folder = project.path();
    let tools = tempfile::tempdir().expect("a folder");
    let cargo = tools.path().join("cargo");
    let script = "#!/bin/sh\n[ \"$1\" = insta ] || exit 9\n[ \"$2\" = --version ] && exit 0\n[ \"$2\" = review ] || exit 9\n\
                  for new in *.snap.new; do mv \"$new\" \"${new%.new}\"; done\n";
    fs::write(&cargo, script).expect("a script");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("it can be run");
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut outside = seqc(folder, &["--review", "m.seq"]);
    outside.env("PATH", &path);
    let (_, errors) = ends(outside, 1);
    assert!(errors.contains("there is no terminal"), "it is used in Cargo projects alone: {errors}");

    fs::write(folder.join("Cargo.toml"), "[package]\nname = \"p\"\n").expect("a file");
    let mut review = seqc(folder, &["--review", "m.seq"]);
    review.env("PATH", &path);
    ends(review, 0);
    ends(seqc(folder, &["--check", "m.seq"]), 0);
}
