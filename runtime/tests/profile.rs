//! `seqc profile`: what it counts is what `seqc explain` says, and every kernel has a time. No time is held against another.

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(format!("{name}.seq"))
}

/// Runs `seqc` with a cache folder of its own.
fn seqc(cache: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("seqc").expect("the command line is built");
    command.env("XDG_CACHE_HOME", cache).args(arguments).output().expect("it runs")
}

fn document(output: std::process::Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints a document")
}

/// A polynomial of a document at a length of its only axis.
fn at(polynomial: &Value, length: f64) -> f64 {
    let terms = polynomial["terms"].as_array().expect("a polynomial has terms");
    let term = |term: &Value| {
        let powers = term["powers"].as_object().expect("a term has powers");
        let power: f64 = powers.values().filter_map(Value::as_f64).sum();
        term["times"].as_f64().unwrap_or(0.0) * length.powf(power)
    };
    terms.iter().map(term).sum()
}

fn operations(rows: &Value) -> f64 {
    rows.as_array().expect("a list").iter().filter_map(|row| row["operations"].as_f64()).sum()
}

#[test]
fn counts_are_those_of_explain_without_any_checkpoint() {
    let cache = tempfile::tempdir().expect("a folder");
    let file = example("lstm");
    let file = file.to_str().expect("a path");
    let sizes = ["--set", "input=12", "--set", "hidden=20"];
    let explained = document(seqc(cache.path(), &[&["explain", file, "--json"][..], &sizes].concat()));

    let whole = ["profile", file, "--json", "--repeat", "3", "--length", "9", "--sequences", "2", "--threads", "1"];
    let found = document(seqc(cache.path(), &[&whole[..], &sizes].concat()));
    assert_eq!(operations(&found["kernels"]), 2.0 * at(&explained["operations"], 9.0));
    assert_eq!(operations(&found["calls"]), operations(&found["kernels"]));
    let runs = |kernel: &Value| kernel["runs"].as_u64().unwrap_or(0) as usize;
    let runs: usize = explained["kernels"].as_array().unwrap().iter().map(runs).sum();
    assert_eq!(found["calls"].as_array().map(Vec::len), Some(runs));
    assert_eq!(found["runs"], 3);
    let seconds: Vec<f64> =
        found["kernels"].as_array().unwrap().iter().map(|row| row["seconds"].as_f64().unwrap()).collect();
    assert!(seconds.iter().all(|seconds| *seconds > 0.0), "{seconds:?}");
    assert!(seconds.is_sorted_by(|one, other| one >= other), "{seconds:?}");

    let step = ["profile", file, "--json", "--repeat", "4", "--length", "9", "--step", "--threads", "1"];
    let found = document(seqc(cache.path(), &[&step[..], &sizes].concat()));
    assert_eq!(operations(&found["kernels"]), at(&explained["step"]["operations_of_a_position"], 10.0));
    assert_eq!(found["what"], "one position more after 1 sequence of 9 positions of T");
}

#[test]
fn what_a_machine_can_do_is_measured_once() {
    let cache = tempfile::tempdir().expect("a folder");
    let file = example("six_words");
    let call = ["profile", file.to_str().expect("a path"), "--repeat", "1", "--threads", "1"];
    let kept = cache.path().join("seqwright/machines.json");
    let first = seqc(cache.path(), &call);
    let text = String::from_utf8_lossy(&first.stdout);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert!(text.contains("of the limit") && text.contains("between them"), "{text}");
    let written = std::fs::read_to_string(&kept).expect("limits are kept");
    seqc(cache.path(), &call);
    assert_eq!(std::fs::read_to_string(&kept).expect("they still are"), written);
    // A file that is no longer whole is made anew.
    std::fs::write(&kept, "{ \"half\": ").expect("it can be written");
    assert!(seqc(cache.path(), &call).status.success());
    assert!(serde_json::from_str::<Value>(&std::fs::read_to_string(&kept).unwrap()).is_ok());
}

#[test]
fn a_length_of_no_axis_is_refused() {
    let cache = tempfile::tempdir().expect("a folder");
    let file = example("lstm");
    let sizes = ["--set", "input=12", "--set", "hidden=20", "--length", "S=4"];
    let refused = seqc(cache.path(), &[&["profile", file.to_str().unwrap()][..], &sizes].concat());
    let said = String::from_utf8_lossy(&refused.stderr).to_string();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("no axis of positions `S`") && said.contains("it has T"), "{said}");
}

/// On a GPU the same kernels are timed by its own clock, and held against what it can do.
#[test]
#[cfg(feature = "gpu")]
fn kernels_of_a_gpu_are_timed_by_its_own_clock() {
    let cache = tempfile::tempdir().expect("a folder");
    let devices = seqc(cache.path(), &["devices", "--json"]);
    if !devices.status.success() {
        assert!(std::env::var_os("SEQWRIGHT_REQUIRE_GPU").is_none(), "there is no adapter");
        eprintln!("SKIPPED: there is no adapter");
        return;
    }
    let devices = document(devices);
    let features = devices["devices"][0]["features"].as_array().expect("it is listed with features");
    let has_clock = features.contains(&Value::from("timestamps"));
    let file = example("lstm");
    let file = file.to_str().expect("a path");
    let sizes = ["--set", "input=12", "--set", "hidden=20", "--length", "9"];
    for more in [&["--repeat", "3"][..], &["--repeat", "3", "--step"]] {
        let call = |backend: &str| {
            let words = ["profile", file, "--json", "--threads", "1", "--backend", backend];
            document(seqc(cache.path(), &[&words[..], &sizes, more].concat()))
        };
        let [cpu, gpu] = ["cpu", "gpu"].map(call);
        assert_eq!(operations(&gpu["kernels"]), operations(&cpu["kernels"]));
        assert_eq!(gpu["calls"].as_array().map(Vec::len), cpu["calls"].as_array().map(Vec::len));
        for row in gpu["calls"].as_array().expect("calls are listed") {
            assert_eq!(row["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), has_clock, "{row}");
            assert!(row["limit_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{row}");
        }
        assert!(gpu["seconds"]["median"].as_f64().is_some_and(|seconds| seconds > 0.0));
        assert!(gpu["machine"]["gflops"].as_f64().is_some_and(|speed| speed > 0.0));
        assert!(gpu["machine"]["gigabytes_read"]["memory"].as_f64().is_some_and(|speed| speed > 0.0));
    }
    // Weights of half the size are half the bytes.
    if features.contains(&Value::from("f16")) {
        let bytes = |weights: &str| {
            let words = ["profile", file, "--json", "--backend", "gpu", "--repeat", "1", "--gpu-weights", weights];
            let found = document(seqc(cache.path(), &[&words[..], &sizes].concat()));
            found["kernels"].as_array().unwrap().iter().filter_map(|row| row["bytes"].as_f64()).sum::<f64>()
        };
        assert!(bytes("f16") < 0.75 * bytes("f32"), "{} {}", bytes("f16"), bytes("f32"));
    }
    let interpreter = seqc(cache.path(), &["profile", file, "--backend", "interpreter"]);
    let said = String::from_utf8_lossy(&interpreter.stderr).to_string();
    assert!(!interpreter.status.success() && said.contains("no kernels to time"), "{said}");
}
