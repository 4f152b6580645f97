//! `seqc run --stream` from outside: models in a pipe, without weights, so that every number is known.

use seqwright::weights::{Tensor, Values, write_safetensors};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The sum so far, of two features, each with a gain that is no sequence.
const SUM: &str = "model Sum(x: [T, dim], gain: [dim]; dim = 2) -> h {
  state h: [dim] = 0
  h = h[t-1] + x * gain
}
";
/// Two positions late; and another result, that is not.
const DELAY: &str = "model Delay(x: [T]) -> y, z {
  y = x[t+2] + 10 * x
  z = x + 0.5
}
";
const MEAN: &str = "model Mean(x: [T]) -> average, largest, twice {
  average = mean over T (x)
  largest = max over T (x)
  twice   = 2 * x
}
";
const TOKENS: &str = "model Tokens(tokens: [T] of vocab, x: [T, half = 2, part = 3]; vocab = 5) -> y {
  y = tokens[t-1] + x
}
";
const GROWING: &str = "model Growing(x: [T]; context = 4) -> product {
  constant place: [context] = [0, 0, 0, 0]
  product[i: T, j: T] = (x[i] * x[j] + place[i]) where j <= i
}
";

struct Done {
    code: Option<i32>,
    output: Vec<u8>,
    errors: String,
}

impl Done {
    #[track_caller]
    fn ends(self, code: i32, said: &str) -> Done {
        let output = String::from_utf8_lossy(&self.output);
        assert_eq!(self.code, Some(code), "{output}{}", self.errors);
        assert!(self.errors.contains(said), "{said} is not in\n{}", self.errors);
        self
    }

    #[track_caller]
    fn gives(self, lines: &[&str]) -> Done {
        let output = String::from_utf8_lossy(&self.output).to_string();
        assert_eq!(output.lines().collect::<Vec<_>>(), lines, "{}", self.errors);
        self
    }

    fn floats(&self) -> Vec<f32> {
        let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
        self.output.chunks(4).map(number).collect()
    }
}

struct Case {
    folder: TempDir,
}

impl Case {
    fn new(model: &str) -> Case {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("m.seq"), model).unwrap();
        let gain = Tensor::new(vec![1, 2], Values::Floats(vec![1.0, 10.0])).unwrap();
        let tensors = BTreeMap::from([("in.gain".to_string(), gain)]);
        write_safetensors(&folder.path().join("gain.safetensors"), &tensors).unwrap();
        Case { folder }
    }

    fn word(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
        command.args(["run", &self.word("m.seq"), "--stream"]).args(more).env_remove("CLICOLOR_FORCE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn call(&self, more: &[&str], input: impl AsRef<[u8]>) -> Done {
        let mut child = self.command(more).spawn().unwrap();
        let mut to = child.stdin.take().unwrap();
        let input = input.as_ref().to_vec();
        // A call that fails may not read all of it.
        let writer = std::thread::spawn(move || drop(to.write_all(&input)));
        let done = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Done { code: done.status.code(), output: done.stdout, errors: String::from_utf8(done.stderr).unwrap() }
    }
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn a_position_s_results_are_out_before_the_next_comes() {
    let case = Case::new(SUM);
    let mut child = case.command(&["--io", &case.word("gain.safetensors")]).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    for (line, wanted) in [
        ("{\"x\": [1, 2]}", "{\"h\":[1.0,20.0]}"),
        ("{\"x\": [0.5, 0]}", "{\"h\":[1.5,20.0]}"),
        ("{\"x\": [-1, 1]}", "{\"h\":[0.5,30.0]}"),
    ] {
        writeln!(to, "{line}").unwrap();
        let mut found = String::new();
        from.read_line(&mut found).unwrap();
        assert_eq!(found.trim_end(), wanted);
    }
    drop(to);
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_line_has_one_position_or_several_and_sequences_begin_anew() {
    let case = Case::new(SUM);
    let gain = format!("gain={}", case.word("gain.safetensors"));
    let input = "{\"x\": [[1, 1], [2, 2]]}\n\n  \n{\"x\": []}\n{\"x\": [3, 3]}\n{\"reset\": true}\n{\"x\": [[1, 2]]}";
    let wanted = ["{\"h\":[1.0,10.0]}", "{\"h\":[3.0,30.0]}", "{\"h\":[6.0,60.0]}", "{\"h\":[1.0,20.0]}"];
    case.call(&["--input", &gain], input).gives(&wanted).ends(0, "");
    case.call(&["--input", &gain], "").gives(&[]).ends(0, "");
    case.call(&["--input", &gain, "--stats", "--threads", "1"], input).ends(0, "positions 4\n").ends(0, "stream ");
    // More than are run at once.
    let many: Vec<String> = (0..1000).map(|_| "[1, 0]".to_string()).collect();
    let done = case.call(&["--input", &gain], format!("{{\"x\": [{}]}}", many.join(","))).ends(0, "");
    let output = String::from_utf8(done.output).unwrap();
    assert_eq!(output.lines().last(), Some("{\"h\":[1000.0,0.0]}"));
    assert_eq!(output.lines().count(), 1000);
}

#[test]
fn raw_numbers_go_in_and_come_out() {
    let case = Case::new(SUM);
    let gain = format!("gain={}", case.word("gain.safetensors"));
    let raw = ["--format", "f32", "--input", &gain];
    let done = case.call(&raw, bytes(&[1.0, 1.0, 2.0, 2.0, 0.5, 0.25])).ends(0, "");
    assert_eq!(done.floats(), [1.0, 10.0, 3.0, 30.0, 3.5, 32.5]);
    let many: Vec<f32> = (0..100_000).map(|place| (place % 2) as f32).collect();
    let found = case.call(&raw, bytes(&many)).ends(0, "").floats();
    assert_eq!((found.len(), found[99_998], found[99_999]), (100_000, 0.0, 500_000.0));
    let done = case
        .call(&raw, &bytes(&[1.0, 1.0, 2.0])[..11])
        .ends(1, "standard input: it ends inside of position 1: 3 of 8 bytes are there");
    assert_eq!(done.floats(), [1.0, 10.0]);
    assert!(case.call(&raw, "").ends(0, "").output.is_empty());
    // Of several inputs and results the numbers lie side by side.
    let case = Case::new(TOKENS);
    let input = [3.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
    let found = case.call(&["--format", "f32"], bytes(&input)).ends(0, "").floats();
    assert_eq!(found, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0]);
    let input = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let done = case
        .call(&["--format", "f32"], bytes(&input))
        .ends(1, "standard input: position 1: `tokens` has 5: wanted are whole numbers from 0 to 4");
    assert_eq!(done.floats().len(), 6);
}

#[test]
fn what_looks_ahead_comes_later_and_the_rest_at_the_end() {
    let case = Case::new(DELAY);
    let wanted =
        ["{\"y\":13.0,\"z\":1.5}", "{\"y\":24.0,\"z\":2.5}", "{\"y\":30.0,\"z\":3.5}", "{\"y\":40.0,\"z\":4.5}"];
    case.call(&[], "{\"x\": 1}\n{\"x\": 2}\n{\"x\": 3}\n{\"x\": 4}\n").gives(&wanted).ends(0, "");
    case.call(&[], "{\"x\": [1, 2, 3, 4]}\n").gives(&wanted).ends(0, "");
    let done = case.call(&["--format", "f32"], bytes(&[1.0, 2.0, 3.0, 4.0])).ends(0, "");
    assert_eq!(done.floats(), [13.0, 1.5, 24.0, 2.5, 30.0, 3.5, 40.0, 4.5]);
    // A sequence that ends early, and one after it.
    let done = case.call(&[], "{\"x\": 1}\n{\"reset\": true}\n{\"x\": 2}\n");
    done.gives(&["{\"y\":10.0,\"z\":1.5}", "{\"y\":20.0,\"z\":2.5}"]).ends(0, "");
    // Before anything came there is nothing to catch up with.
    case.call(&[], "{\"reset\": true}\n{\"reset\": true}\n").gives(&[]).ends(0, "");
    // A line that is wrong ends it, and all that was there comes.
    case.call(&[], "{\"x\": [1, 2, 3, 4]}\noops\n{\"x\": 9}\n")
        .gives(&wanted)
        .ends(1, "line 2 of standard input: it is no JSON");
}

#[test]
fn a_sequence_goes_on_from_its_state() {
    let case = Case::new(DELAY);
    let state = case.word("state");
    let y = ["--output", "y"];
    let save = [&y[..], &["--save-state", &state]].concat();
    case.call(&save, "{\"x\": [1, 2, 3]}\n").gives(&["{\"y\":13.0}"]).ends(0, "");
    let go_on = [&y[..], &["--state", &state]].concat();
    for _ in 0..2 {
        let wanted = ["{\"y\":24.0}", "{\"y\":30.0}", "{\"y\":40.0}"];
        case.call(&go_on, "{\"x\": 4}\n").gives(&wanted).ends(0, "");
    }
    // Other results are another program, which keeps other things.
    case.call(&["--state", &state], "{\"x\": 4}\n").ends(1, "with other equations, sizes or weights");
    // `z` is there before `y`, and would be lost.
    let done = case.call(&["--save-state", &state], "{\"x\": [1, 2, 3]}\n").gives(&["{\"y\":13.0,\"z\":1.5}"]);
    done.ends(1, "there are results of `z` that wait for others of their positions");
    let case = Case::new(SUM);
    let (state, io) = (case.word("state"), case.word("gain.safetensors"));
    case.call(&["--io", &io, "--save-state", &state], "{\"x\": [1, 1]}\n").ends(0, "");
    // The gain was given when the sequence began.
    case.call(&["--state", &state], "{\"x\": [1, 1]}\n").gives(&["{\"h\":[2.0,20.0]}"]).ends(0, "");
    fs::write(case.folder.path().join("state"), "no state").unwrap();
    case.call(&["--state", &state], "").ends(1, "it is no state");
}

#[test]
fn results_of_the_sequence_so_far_stand_in_every_line() {
    let case = Case::new(MEAN);
    let wanted = [
        "{\"average\":1.0,\"largest\":1.0,\"twice\":2.0}",
        "{\"average\":2.0,\"largest\":3.0,\"twice\":6.0}",
        "{\"average\":3.0,\"largest\":5.0,\"twice\":10.0}",
    ];
    case.call(&[], "{\"x\": [1, 3]}\n{\"x\": 5}\n").gives(&wanted).ends(0, "");
    let found = case.call(&["--format", "f32", "--output", "average"], bytes(&[1.0, 3.0, 5.0])).ends(0, "").floats();
    assert_eq!(found, [1.0, 2.0, 3.0]);
    let case = Case::new(GROWING);
    let wanted = ["{\"product\":[4.0]}", "{\"product\":[6.0,9.0]}", "{\"product\":[2.0,3.0,1.0]}"];
    case.call(&[], "{\"x\": 2}\n{\"x\": 3}\n{\"x\": 1}\n").gives(&wanted).ends(0, "");
}

#[test]
fn lines_that_are_wrong_are_told_with_their_number() {
    let case = Case::new(TOKENS);
    let good = "{\"tokens\": 1, \"x\": [[1, 2, 3], [4, 5, 6]]}\n";
    let results = "{\"y\":[[1.0,2.0,3.0],[4.0,5.0,6.0]]}";
    // Features in one list, and a list of one position.
    case.call(&[], "{\"tokens\": 1, \"x\": [1, 2, 3, 4, 5, 6]}\n").gives(&[results]).ends(0, "");
    case.call(&[], "{\"tokens\": [1], \"x\": [[[1, 2, 3], [4, 5, 6]]]}\n").gives(&[results]).ends(0, "");
    for (line, said) in [
        ("{\"tokens\": 1", "it is no JSON"),
        ("[1]", "wanted is an object with a value for each input"),
        ("{\"tokens\": 1}", "the input `x` is not given"),
        ("{}", "the input `tokens` is not given"),
        (
            "{\"tokens\": 1, \"x\": [[1, 2, 3], [4, 5, 6]], \"z\": 1}",
            "the model has no input `z`; those that come along are tokens, x",
        ),
        ("{\"tokens\": 5, \"x\": [1, 2, 3, 4, 5, 6]}", "`tokens` has 5: wanted are whole numbers from 0 to 4"),
        ("{\"tokens\": 0.5, \"x\": [1, 2, 3, 4, 5, 6]}", "`tokens` has 0.5: wanted are whole numbers"),
        ("{\"tokens\": [1, 2], \"x\": [1, 2, 3, 4, 5, 6]}", "`x` has 1 positions, `tokens` has 2"),
        (
            "{\"tokens\": 1, \"x\": [1, 2, 3]}",
            "`x` has the shape [3]: wanted is one position of [half = 2, part = 3], or a list of them",
        ),
        ("{\"tokens\": 1, \"x\": [[1, 2], [3]]}", "`x` has lists of different lengths side by side"),
        ("{\"tokens\": \"1\", \"x\": [1, 2, 3, 4, 5, 6]}", "`tokens` has something that is no number"),
        ("{\"reset\": false}", "the model has no input `reset`"),
        (&"[".repeat(100_000), "it is no JSON"),
        ("\u{fffd}", "it is no JSON"),
    ] {
        let done = case.call(&[], format!("{good}\n{line}\n{good}")).gives(&[results]);
        done.ends(1, &format!("error: line 3 of standard input: {said}"));
    }
    let long = format!("{good}{{\"tokens\": [{}", "1,".repeat(9 << 20));
    case.call(&[], long).gives(&[results]).ends(1, "line 2 of standard input: it has more than 16777216 bytes");
    let case = Case::new(GROWING);
    let done = case.call(&[], "{\"x\": [1, 1]}\n{\"x\": [1, 1]}\n{\"x\": 1}\n");
    let done = done.ends(1, "line 3 of standard input: sequence 0 has 5 positions of T, `place` allows 4 at most");
    assert_eq!(String::from_utf8(done.output).unwrap().lines().count(), 4);
}

#[test]
fn calls_and_models_that_do_not_stream_are_told() {
    let case = Case::new(SUM);
    let io = case.word("gain.safetensors");
    for (more, said) in [
        (vec!["--json"], "cannot be used with"),
        (vec!["--text", "a"], "cannot be used with"),
        (vec!["--save", "file"], "cannot be used with"),
        (vec!["--backend", "interpreter"], "the interpreter computes whole sequences alone"),
        (vec!["--input", &format!("x={io}:in.gain")], "the input `x` comes from standard input"),
        (vec!["--format", "mp3"], "invalid value 'mp3'"),
    ] {
        case.call(&more, "").ends(2, said);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
    let done = command.args(["run", &case.word("m.seq"), "--state", "s"]).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("--stream"));
    case.call(&[], "{\"x\": [1, 2]}\n").ends(1, "the input `gain` is not given");
    case.call(&["--io", &io], "{\"x\": [1, 2], \"gain\": [1, 2]}\n")
        .ends(1, "the input `gain` does not come position by position");
    for (model, said) in [
        ("model M(x: [T]) -> y {\n  y = x - mean over T (x)\n}\n", "error[E0901]: no step program"),
        ("model M(x: [T]) -> y {\n  y[i: T] = x[last - i]\n}\n", "error[E0901]: no step program"),
        ("model M(x: [dim]; dim = 2) -> y {\n  y = 2 * x\n}\n", "neither the results nor the inputs have a time axis"),
        ("model M(x: [dim]; dim = 2) -> y {\n  y = outer(x, x)\n}\n", "error"),
        (
            "model M(x: [T], z: [S]) -> y, twice {\n  y = x + mean over S (z)\n  twice = 2 * z\n}\n",
            "`twice` does not come along T: ask for it without `--stream`",
        ),
    ] {
        let case = Case::new(model);
        let z = Tensor::new(vec![1, 2], Values::Floats(vec![1.0, 3.0])).unwrap();
        let file = case.folder.path().join("z.safetensors");
        write_safetensors(&file, &BTreeMap::from([("in.z".to_string(), z)])).unwrap();
        case.call(&["--io", &file.display().to_string()], "").ends(1, said);
    }
}

#[test]
fn what_is_another_sequence_is_given_whole() {
    let case = Case::new(
        "model M(x: [T], z: [S]) -> y, share {\n  y = x + mean over S (z)\n  share[t: T, s: S] = x[t] * z[s]\n}\n",
    );
    let z = Tensor::new(vec![1, 2], Values::Floats(vec![1.0, 3.0])).unwrap();
    let file = case.folder.path().join("z.safetensors");
    write_safetensors(&file, &BTreeMap::from([("z".to_string(), z)])).unwrap();
    let (input, state) = (format!("z={}", file.display()), case.word("state"));
    let wanted = ["{\"y\":3.0,\"share\":[1.0,3.0]}", "{\"y\":4.0,\"share\":[2.0,6.0]}"];
    case.call(&["--input", &input, "--save-state", &state], "{\"x\": 1}\n{\"x\": 2}\n").gives(&wanted).ends(0, "");
    let wanted = ["{\"y\":3.0,\"share\":[1.0,3.0]}", "{\"y\":3.0,\"share\":[1.0,3.0]}"];
    case.call(&["--input", &input], "{\"x\": 1}\n{\"reset\": true}\n{\"x\": 1}\n").gives(&wanted).ends(0, "");
    case.call(&["--state", &state], "{\"x\": 2}\n").gives(&["{\"y\":4.0,\"share\":[2.0,6.0]}"]).ends(0, "");
    let anew = "{\"x\": 2}\n{\"reset\": true}\n{\"x\": 2}\n";
    let wanted = "{\"y\":4.0,\"share\":[2.0,6.0]}";
    case.call(&["--state", &state], anew).gives(&[wanted]).ends(1, "is given `z` as well: pass `--input z=FILE`");
    case.call(&["--state", &state, "--input", &input], anew).gives(&[wanted, wanted]).ends(0, "");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let case = Case::new(DELAY);
    for format in ["json", "f32"] {
        let mut child = case.command(&["--format", format]).spawn().unwrap();
        drop(child.stdout.take());
        let mut to = child.stdin.take().unwrap();
        let line = if format == "json" { b"{\"x\": 1}\n".to_vec() } else { bytes(&[1.0]) };
        let writer = std::thread::spawn(move || (0..100_000).all(|_| to.write_all(&line).is_ok()));
        let done = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""), "{format}");
    }
}
