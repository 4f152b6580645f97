//! The command line from outside: exit codes, and what is said on standard output and standard error.

mod documents;

use seqwright::weights::{Tensor, Values, write_npy, write_npz, write_safetensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const AFFINE: &str = "model Affine(x: [T, input]; input, hidden) -> y {\n  y = affine(x; hidden)\n}\n";
const WORDS: &str = "model Words(tokens: [T] of vocab; vocab, context, dim) -> y {
  embedding word: [vocab, dim]
  embedding place: [context, dim]
  y = word[tokens] + place[t]
}
";
const AFFINE_SIZES: [&str; 4] = ["--set", "input=2", "--set", "hidden=3"];
const WORDS_SIZES: [&str; 6] = ["--set", "vocab=5", "--set", "context=4", "--set", "dim=2"];

/// What a call gave.
struct Done {
    code: Option<i32>,
    output: String,
    errors: String,
}

impl Done {
    #[track_caller]
    fn ends(self, code: i32, said: &str) -> Done {
        assert_eq!(self.code, Some(code), "{}{}", self.output, self.errors);
        assert!(self.errors.contains(said), "{said} is not in\n{}", self.errors);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|why| panic!("{why}: {}", self.output))
    }
}

fn seqc<Word: AsRef<std::ffi::OsStr>>(words: &[Word]) -> Done {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("seqc");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    command.env_remove("CLICOLOR_FORCE").env_remove("COLORTERM").current_dir(root);
    let done = command.args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: done.status.code(), output: text(done.stdout), errors: text(done.stderr) }
}

/// A folder with a model, weights for it, and inputs.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new(model: &str) -> Case {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("m.seq"), model).unwrap();
        Case { folder }
    }

    fn affine() -> Case {
        let case = Case::new(AFFINE);
        let weight = floats(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        case.save("model.safetensors", vec![("y", weight), ("y.bias", floats(&[3], &[0.5, 0.0, -0.5]))]);
        let expected = floats(&[1, 2, 3], &[3.5, 7.0, 10.5, 1.5, 3.0, 4.5]);
        case.save("io.safetensors", vec![("in.x", floats(&[1, 2, 2], &[1.0, 1.0, 1.0, 0.0])), ("out.y", expected)]);
        case
    }

    fn words() -> Case {
        let case = Case::new(WORDS);
        case.save(
            "model.safetensors",
            vec![("word", floats(&[5, 2], &[1.0; 10])), ("place", floats(&[4, 2], &[2.0; 8]))],
        );
        case
    }

    fn save(&self, name: &str, tensors: Vec<(&str, Tensor)>) -> String {
        let tensors: BTreeMap<String, Tensor> =
            tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect();
        write_safetensors(&self.path(name), &tensors).unwrap();
        self.word(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn word(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Calls with the model's file, the folder as its checkpoint, and more.
    fn call(&self, command: &str, sizes: &[&str], more: &[&str]) -> Done {
        let (file, checkpoint) = (self.word("m.seq"), self.word(""));
        let own = [command, file.as_str(), "--checkpoint", checkpoint.as_str()];
        seqc(&own.into_iter().chain(sizes.iter().copied()).chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// Runs the model of words on tokens of this shape.
    fn run_words(&self, shape: &[usize], tokens: &[i64], lengths: Option<&[i64]>) -> Done {
        let mut tensors = vec![("in.tokens", integers(shape, tokens))];
        tensors.extend(lengths.map(|lengths| ("in.lengths", integers(&[lengths.len()], lengths))));
        let io = self.save("given.safetensors", tensors);
        self.call("run", &WORDS_SIZES, &["--io", &io])
    }
}

fn floats(shape: &[usize], numbers: &[f32]) -> Tensor {
    Tensor::new(shape.to_vec(), Values::Floats(numbers.to_vec())).unwrap()
}

fn integers(shape: &[usize], numbers: &[i64]) -> Tensor {
    Tensor::new(shape.to_vec(), Values::Integers(numbers.to_vec())).unwrap()
}

#[test]
fn a_wrong_call_ends_with_2_and_says_what_is_wrong() {
    let words = "examples/six_words.seq";
    for (call, said) in [
        (vec!["walk"], "unrecognized subcommand 'walk'"),
        (vec!["run"], "<FILE>"),
        (vec!["run", words, "--set", "hidden"], "wanted is a parameter and its value"),
        (vec!["run", words, "--set", "hidden=many"], "`many` is no number"),
        (vec!["run", words, "--set", "hidden=inf"], "`inf` is no finite number"),
        (vec!["run", words, "--set", "a=1", "--set", "a=2"], "the parameter `a` is set twice"),
        (vec!["run", words, "--output", "mix", "--output", "mix"], "the output `mix` is asked for twice"),
        (vec!["run", words, "--input", "x"], "wanted is NAME=FILE or NAME=FILE:TENSOR"),
        (vec!["run", words, "--input", "x=a", "--input", "x=b"], "the input `x` is given twice"),
        (vec!["run", words, "--threads", "0"], "0 is not in 1..=1024"),
        (
            vec!["run", words, "--backend", "interpreter", "--instructions", "avx2"],
            "the interpreter uses no instructions",
        ),
        (vec!["emit", words], "--stage <STAGE>"),
        (
            vec!["emit", words, "--stage", "wasm"],
            "[possible values: syntax, model, graph, fused, kernels, clif, asm, wgsl]",
        ),
        (vec!["verify", words], "--checkpoint <DIR>"),
        (vec!["verify", words, "--checkpoint", "x", "--tolerance=-1"], "a tolerance is 0 or more"),
    ] {
        let done = seqc(&call).ends(2, said);
        assert_eq!(done.output, "");
    }
    assert_eq!(seqc::<&str>(&[]).code, Some(2));
}

#[test]
fn help_and_version_are_results() {
    let version = seqc(&["--version"]).ends(0, "").output;
    let backends = if cfg!(feature = "gpu") { "cpu, gpu, interpreter" } else { "cpu, interpreter" };
    assert!(
        version.contains(&format!("backends: {backends}\ninstructions: ")) && version.contains("emitted"),
        "{version}"
    );
    for command in ["check", "emit", "run", "verify"] {
        let help = seqc(&[command, "--help"]).ends(0, "").output;
        assert!(help.contains("Examples:\n  seqc "), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 112), "{help}");
    }
}

#[test]
fn six_words_are_shown_with_their_labels() {
    for backend in ["cpu", "interpreter"] {
        let done = seqc(&["run", "examples/six_words.seq", "--backend", backend, "--output", "weight"]).ends(0, "");
        let wanted = "weight[i: word = 6, j: word = 6]
             Gitchan        is    hungry       all       the      time
  Gitchan   ▓ 0.1922  ░ 0.1490  ▓ 0.1842    0.1369    0.1284  █ 0.2092
";
        assert!(done.output.starts_with(wanted), "{}", done.output);
        assert!(done.output.ends_with("  0.1231 ░▒▓█ 0.2167\n"), "{}", done.output);
        assert!(done.output.lines().all(|line| line.chars().count() <= 80));
        assert_eq!(done.errors, "");
    }
    let colored = seqc(&["run", "examples/six_words.seq", "--color", "always"]).ends(0, "").output;
    assert!(colored.contains("\u{1b}[48;5;") && !colored.contains('░'), "{colored}");
}

#[test]
fn files_that_cannot_be_read_or_are_broken_end_with_1() {
    let case = Case::new("model M(x: [T]) -> y {\n  y = simgoid(x)\n}\n");
    let file = case.word("m.seq");
    for command in [vec!["check"], vec!["run"], vec!["emit", "--stage", "kernels"]] {
        let call = |file: &str| seqc(&[command.clone(), vec![file]].concat());
        call("no/such.seq").ends(1, "error: cannot read no/such.seq: ");
        call("examples").ends(1, "error: cannot read examples: it is a folder");
        assert_eq!(call(&file).ends(1, "did you mean `sigmoid`?").output, "");
    }
    fs::write(case.path("m.seq"), b"model \xff").unwrap();
    seqc(&["check", &file]).ends(1, "byte 6 is not UTF-8 text");
}

#[test]
fn check_tells_all_mistakes_of_all_files() {
    let case = Case::new("model M(x: [T, dim]; dim) -> y {\n  y = simgoid(x)\n  z = cosh(x)\n}\n");
    let file = case.word("m.seq");
    let done = seqc(&["check", &file, "examples/gru.seq", "--json"]).ends(1, "ok: examples/gru.seq (1 definition)\n");
    assert!(done.errors.contains("simgoid") && done.errors.contains("cosh"), "{}", done.errors);
    let document = done.json();
    assert_eq!(
        (&document["version"], &document["command"], &document["ok"]),
        (&1.into(), &"check".into(), &false.into())
    );
    let first = &document["files"][0]["diagnostics"][0];
    assert_eq!((&first["line"], &first["column"], &first["file"]), (&2.into(), &7.into(), &file.as_str().into()));
    assert!(first["code"].as_str().unwrap().starts_with('E') && first["help"].is_string(), "{first}");
    seqc(&["check", "examples/gru.seq", "--set", "hiden=3"]).ends(1, "no model has a parameter `hiden`");
    seqc(&["check", "examples/gru.seq", "--model", "LSTM"]).ends(1, "there is no model `LSTM`");
    // Heads that don't divide are a mistake of these parameters alone.
    let attention = ["check", "examples/attention.seq"];
    seqc(&attention).ends(0, "ok: ");
    seqc(&[&attention[..], &["--set", "dim=10", "--set", "heads=3"]].concat()).ends(1, "E0405");
}

#[test]
fn deep_nesting_is_a_diagnostic() {
    for (open, close) in [("(", ")"), ("[", "]"), ("-", ""), ("{", "}")] {
        let (open, close) = (open.repeat(100_000), close.repeat(100_000));
        let case = Case::new(&format!("model M(x: [T, dim]; dim) -> y {{\n  y = {open}x{close}\n}}\n"));
        seqc(&["check", &case.word("m.seq")]).ends(1, "error[E0");
        seqc(&["emit", &case.word("m.seq"), "--stage", "syntax"]).ends(1, "error[E0");
    }
    let sum = "x + ".repeat(2000);
    let case = Case::new(&format!("model M(x: [T, dim]; dim) -> y {{\n  y = {sum}x\n}}\n"));
    let code = seqc(&["emit", &case.word("m.seq"), "--stage", "asm", "--set", "dim=4"]).code;
    assert!(code == Some(0) || code == Some(1), "{code:?}");
}

#[test]
fn a_model_runs_on_files_and_is_verified() {
    let case = Case::affine();
    let io = case.word("io.safetensors");
    let done = case.call("run", &AFFINE_SIZES, &["--io", &io]).ends(0, "");
    assert!(done.output.starts_with("y[t: T = 2, hidden = 3]\n"), "{}", done.output);
    assert!(done.output.contains("10.500"), "{}", done.output);
    let input = format!("x={io}:in.x");
    let saved = case.word("saved.safetensors");
    let more = ["--input", &input, "--json", "--stats", "--save", &saved, "--threads", "1"];
    let document = case.call("run", &AFFINE_SIZES, &more).ends(0, "compile ").json();
    let wanted: Value = serde_json::from_str("[[[3.5,7.0,10.5],[1.5,3.0,4.5]]]").unwrap();
    assert_eq!(document["outputs"][0]["values"], wanted);
    assert!(document["seconds"]["run"].is_number());
    case.call("run", &AFFINE_SIZES, &["--input", &format!("x={io}:x")]).ends(1, "has no tensor `x`");
    for more in [vec![], vec!["--io", &saved], vec!["--backend", "interpreter"]] {
        let done = case.call("verify", &AFFINE_SIZES, &more).ends(0, "");
        assert!(done.output.contains(" ok\n"), "{}", done.output);
    }
}

#[test]
fn inputs_are_read_from_files_of_numpy() {
    let case = Case::affine();
    let x = floats(&[1, 2, 2], &[1.0, 2.0, 0.5, 1.0]);
    let other = floats(&[1, 2, 2], &[0.0; 4]);
    write_npy(&case.path("x.npy"), &x).unwrap();
    // Where nothing is said, the array of the input's name; and a file without an ending is known by its first bytes.
    let arrays = [("x", &x), ("y", &other)].map(|(name, tensor)| (name.to_string(), tensor.clone()));
    write_npz(&case.path("both.npz"), &arrays.into()).unwrap();
    fs::copy(case.path("x.npy"), case.path("bare")).unwrap();
    fs::write(case.path("cut.npy"), &fs::read(case.path("x.npy")).unwrap()[..100]).unwrap();
    let values = |given: &str| {
        let given = format!("x={}", case.word(given));
        let document = case.call("run", &AFFINE_SIZES, &["--input", &given, "--json"]).ends(0, "").json();
        document["outputs"][0]["values"].clone()
    };
    let wanted = values("x.npy");
    assert_eq!(wanted.as_array().map(Vec::len), Some(1));
    assert_eq!(values("both.npz"), wanted);
    assert_eq!(values("both.npz:x"), wanted);
    assert_eq!(values("bare"), wanted);
    assert_ne!(values("both.npz:y"), wanted);
    let cut = format!("x={}", case.word("cut.npy"));
    case.call("run", &AFFINE_SIZES, &["--input", &cut]).ends(1, "the array `cut`");
}

#[test]
fn verify_fails_on_other_numbers_names_and_shapes() {
    let case = Case::affine();
    let x = || floats(&[1, 2, 2], &[1.0, 1.0, 1.0, 0.0]);
    let with = |name: &str, expected: Tensor| {
        case.save("io.safetensors", vec![("in.x", x()), (name, expected)]);
        case.call("verify", &AFFINE_SIZES, &["--json"])
    };
    let done = with("out.y", floats(&[1, 2, 3], &[3.5, 7.0, 10.5, 1.5, 3.0, 4.501])).ends(1, "");
    let found = done.json();
    assert_eq!((&found["ok"], &found["outputs"][0]["difference"]["wrong"]), (&false.into(), &1.into()));
    assert_eq!(found["outputs"][0]["difference"]["largest"]["at"], serde_json::json!([0, 1, 2]));
    let loose = case.call("verify", &AFFINE_SIZES, &["--tolerance", "1e-3"]).ends(0, "");
    assert!(loose.output.contains("[0, 1, 2]   ok\n"), "{}", loose.output);
    let nan = with("out.y", floats(&[1, 2, 3], &[3.5, 7.0, 10.5, f32::NAN, 3.0, 4.5])).ends(1, "").json();
    assert_eq!(nan["outputs"][0]["difference"]["wrong"], 1);
    with("out.y", floats(&[1, 3, 2], &[0.0; 6])).ends(1, "");
    let text = case.call("verify", &AFFINE_SIZES, &[]).ends(1, "").output;
    assert!(text.contains("FAILED\ny: the shape [1, 3, 2] is no batch of [T, "), "{text}");
    with("out.z", floats(&[1], &[0.0])).ends(1, "`out.z` is expected, and the model `Affine` has no value `z`");
    with("out.greedy", integers(&[1], &[0])).ends(1, "the model `Affine` generates no tokens");
    case.save("io.safetensors", vec![("in.x", x())]);
    case.call("verify", &AFFINE_SIZES, &[]).ends(1, "expects nothing");
    case.save(
        "io.safetensors",
        vec![("in.x", x()), ("in.prompt", integers(&[1], &[0])), ("out.y", floats(&[1, 6], &[0.0; 6]))],
    );
    case.call("verify", &AFFINE_SIZES, &[])
        .ends(1, "note: `in.prompt` is left out: no `out.greedy` says how it goes on");
}

#[test]
fn checkpoints_that_are_missing_damaged_or_of_another_model_end_with_1() {
    let case = Case::affine();
    let file = case.word("m.seq");
    seqc(&[&["run", &file][..], &AFFINE_SIZES[..]].concat()).ends(1, "no checkpoint is given: pass `--checkpoint DIR`");
    seqc(&["run", &file, "--checkpoint", "no/such"]).ends(1, "cannot read no/such: there is no such file or folder");
    let weights = case.path("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    for length in [0, 4, 20, bytes.len() - 1] {
        fs::write(&weights, &bytes[..length]).unwrap();
        case.call("run", &AFFINE_SIZES, &[]).ends(1, "error: cannot read ");
    }
    let bias = || ("y.bias", floats(&[3], &[0.0; 3]));
    case.save("model.safetensors", vec![("y", floats(&[3, 4], &[0.0; 12])), bias()]);
    let document = case.call("run", &AFFINE_SIZES, &["--json"]).ends(1, "[3, 4]").json();
    assert_eq!(document["ok"], false);
    assert!(document["errors"][0]["message"].is_string(), "{document}");
    let extra = ("extra", floats(&[1], &[0.0]));
    case.save("model.safetensors", vec![("y", floats(&[3, 2], &[0.0; 6])), bias(), extra]);
    case.call("run", &AFFINE_SIZES, &[]).ends(1, "extra");
}

#[test]
fn inputs_that_the_model_does_not_take_end_with_1() {
    let case = Case::words();
    case.run_words(&[2, 3], &[0, 1, 4, 0, 0, 0], Some(&[3, 1])).ends(0, "");
    case.run_words(&[1, 2], &[0, 5], None).ends(1, "wanted are whole numbers from 0 to 4");
    case.run_words(&[1, 2], &[0, -1], None).ends(1, "wanted are whole numbers from 0 to 4");
    case.run_words(&[1, 0], &[], None).ends(1, "sequence 0 is empty");
    case.run_words(&[2, 1], &[0, 0], Some(&[1, 0])).ends(1, "sequence 1 is empty");
    case.run_words(&[2, 1], &[0, 0], Some(&[1, -1])).ends(1, "wanted is one length for each sequence");
    case.run_words(&[1, 5], &[0; 5], None).ends(1, "sequence 0 has 5 positions of T, `place` allows 4 at most");
    case.call("run", &WORDS_SIZES, &[]).ends(1, "the input `tokens` is not given");
    case.call("run", &WORDS_SIZES, &["--text", "words"]).ends(1, "has no tokenizer");
    Case::affine().call("run", &AFFINE_SIZES, &["--text", "words"]).ends(1, "takes no texts");
}

#[test]
fn numbers_that_are_none_run_and_are_told() {
    let case = Case::affine();
    let weight = floats(&[3, 2], &[1.0, f32::NAN, 3.0, 4.0, f32::INFINITY, 6.0]);
    case.save("model.safetensors", vec![("y", weight), ("y.bias", floats(&[3], &[0.0; 3]))]);
    let io = case.word("io.safetensors");
    let done =
        case.call("run", &AFFINE_SIZES, &["--io", &io]).ends(0, "note: the weights have 2 values that are infinite");
    assert!(done.errors.contains("note: `y` has 6 numbers, of which "), "{}", done.errors);
    assert!(done.output.contains("! ") && done.output.contains("NaN"), "{}", done.output);
    let document = case.call("run", &AFFINE_SIZES, &["--io", &io, "--json"]).ends(0, "").json();
    assert!(document["outputs"][0]["not_finite"].as_u64().unwrap() > 0);
    assert_eq!(document["notes"].as_array().unwrap().len(), 2);
    case.call("verify", &AFFINE_SIZES, &[]).ends(1, "");
}

#[test]
fn parameters_of_the_call_come_before_those_of_the_checkpoint() {
    let case = Case::affine();
    fs::write(case.path("m.seq"), format!("{AFFINE}checkpoint Affine {{\n  input = config.in\n  hidden = config.out\n  \"y\" = y\n  \"y.bias\" = y.bias\n}}\n")).unwrap();
    fs::write(case.path("config.json"), r#"{"in": 2}"#).unwrap();
    case.call("verify", &[], &[]).ends(1, "the checkpoint's configuration has no `config.out`");
    case.call("verify", &["--set", "hidden=3"], &[]).ends(0, "");
}

#[test]
fn every_stage_is_printed() {
    for stage in ["syntax", "model", "graph", "fused", "kernels", "clif", "asm"] {
        let done =
            seqc(&["emit", "examples/gru.seq", "--stage", stage, "--set", "input=3", "--set", "hidden=4"]).ends(0, "");
        assert!(done.output.len() > 100, "{stage}: {}", done.output);
    }
    let clif = seqc(&["emit", "examples/six_words.seq", "--stage", "clif", "--output", "weight"]).ends(0, "").output;
    assert!(clif.contains(" tile_exp\n") && clif.contains("; kernel 0 "), "{clif}");
    seqc(&["emit", "examples/six_words.seq", "--stage", "graph", "--output", "wieght"])
        .ends(1, "did you mean `weight`?");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
    command.args(["run", "examples/six_words.seq"]).current_dir(&root).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_written_end_with_1() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
    let done = command.args(["run", "examples/six_words.seq"]).current_dir(root).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).starts_with("error: cannot write results: "));
}

#[test]
fn a_time_axis_of_known_length_is_shown_and_never_given() {
    let case = Case::new("model Known(x: [P, dim]; dim = 2, P = 3) -> y {\n  y = x[last] + length(P)\n}\n");
    let checked = seqc(&["check", &case.word("m.seq")]);
    checked.ends(0, "1 definition, P = 3");
    let run = |tensors: Vec<(&str, Tensor)>| {
        let io = case.save("given.safetensors", tensors);
        seqc(&["run", &case.word("m.seq"), "--io", &io, "--json"])
    };
    let done = run(vec![("in.x", floats(&[2, 3, 2], &[1.0; 12]))]).ends(0, "");
    assert!(done.output.contains("4.0"), "{}", done.output);
    run(vec![("in.x", floats(&[2, 2, 2], &[1.0; 8]))]).ends(1, "`x` has 2 positions of P, which the model has 3 of");
    let lengths = integers(&[2], &[3, 2]);
    run(vec![("in.x", floats(&[2, 3, 2], &[1.0; 12])), ("in.lengths", lengths)])
        .ends(1, "no axis of the model has a length that sequences bring along");
    let lengths = integers(&[2], &[3, 2]);
    run(vec![("in.x", floats(&[2, 3, 2], &[1.0; 12])), ("in.lengths.P", lengths)]).ends(1, "no axis of positions `P`");
}

#[test]
fn a_model_is_explained_as_text_and_as_json() {
    let lstm = ["explain", "examples/lstm.seq", "--checkpoint", "tests/goldens/lstm"];
    let with = |more: &[&str]| seqc(&lstm.into_iter().chain(more.iter().copied()).collect::<Vec<_>>());
    let text = with(&[]).ends(0, "").output;
    assert!(text.contains("products with `x` hoisted out of the time loop (kernel 0)"), "{text}");
    assert!(text.contains("runs position by position") && text.contains("chunk program"), "{text}");
    let document = with(&["--json"]).ends(0, "").json();
    assert_eq!(
        (&document["version"], &document["command"], &document["ok"]),
        (&Value::from(1), &Value::from("explain"), &Value::from(true))
    );
    assert_eq!(document["step"]["bytes"]["text"], "8 * 20 + 8");
    assert_eq!(document["weights"]["numbers"], 2640);
    assert_eq!(document["no_step"], Value::Null);
    let gate = document["equations"].as_array().unwrap().iter().find(|equation| equation["path"] == "lstm.forget");
    let gate = gate.unwrap();
    assert_eq!((&gate["sees"]["T"]["back"], &gate["sees"]["T"]["ahead"]), (&Value::Null, &Value::from(0)));
    assert_eq!(gate["kernels"], serde_json::json!([0, 1]));
    assert_eq!(gate["operations"]["terms"], serde_json::json!([{ "times": 1280.0, "powers": { "T": 1 } }]));
    // What is asked for decides what is there.
    let alone = with(&["--output", "lstm.c", "--json"]).ends(0, "").json();
    assert_eq!(alone["outputs"], serde_json::json!(["lstm.c"]));
}

#[test]
fn a_model_without_a_chunk_program_is_explained() {
    let bert = ["explain", "examples/bert.seq", "--checkpoint", "tests/goldens/bert"];
    let text = seqc(&bert).ends(0, "").output;
    assert!(text.contains("no step program\n  `layer.0.attention.score` looks ahead along T, with no bound"), "{text}");
    assert!(text.contains("(library/attention.seq:"), "{text}");
    let document = seqc(&[&bert[..], &["--json"]].concat()).ends(0, "").json();
    assert_eq!((&document["no_step"]["code"], &document["step"]), (&Value::from("E0901"), &Value::Null));
    assert_eq!(document["no_step"]["place"]["file"], "library/attention.seq");
}

#[test]
fn why_two_equations_are_apart_is_told() {
    let gpt2 = ["explain", "examples/gpt2.seq", "--checkpoint", "tests/goldens/gpt2"];
    let with = |more: &[&str]| seqc(&gpt2.into_iter().chain(more.iter().copied()).collect::<Vec<_>>());
    let text = with(&["--why", "layer.0.attention.out", "layer.0.norm2.average"]).ends(0, "").output;
    assert!(text.starts_with("layer.0.attention.out and layer.0.norm2.average are apart\n"), "{text}");
    let document = with(&["--why", "layer.0.attention.q", "layer.0.attention.k", "--json"]).ends(0, "").json();
    assert_eq!(document["together"], true);
    with(&["--why", "layer.0.attention.p", "x"]).ends(1, "did you mean `layer.0.attention.k`?");
    with(&["--why", "wte", "x"]).ends(1, "inputs, weights and constants are computed by no kernel");
    with(&["--why", "x"]).ends(2, "2 values required");
    with(&["--layer", "9"]).ends(1, "the model `GPT2` has no layer 9");
    let layer = with(&["--layer", "1"]).ends(0, "").output;
    assert!(layer.contains("layer.1\n") && !layer.contains("layer.0\n"), "{layer}");
}

#[test]
fn what_cannot_be_explained_is_told() {
    seqc(&["explain", "nowhere.seq"]).ends(1, "cannot read nowhere.seq");
    seqc(&["explain", "examples/lstm.seq"]).ends(1, "E0406");
    seqc(&["explain"]).ends(2, "<FILE>");
    let document = seqc(&["explain", "examples/lstm.seq", "--json"]).ends(1, "").json();
    assert_eq!((&document["ok"], &document["errors"][0]["code"]), (&Value::from(false), &Value::from("E0406")));
}
