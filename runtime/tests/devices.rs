//! `seqc devices`, `--backend gpu` and `auto`, `--adapter`: on machines with a GPU, with a driver that does without, and with
//! neither.

use assert_cmd::Command;

const EXAMPLE: &str = "../examples/six_words.seq";

/// What a call prints on standard output and error, and whether it went well; `without` hides every Vulkan driver.
fn call(words: &[&str], without: bool) -> (String, String, bool) {
    let mut command = Command::cargo_bin("seqc").expect("the command is built");
    command.args(["--color", "never"]).args(words);
    if without {
        command.env("VK_DRIVER_FILES", "/nowhere").env("VK_ICD_FILENAMES", "/nowhere");
    }
    let done = command.output().expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command prints text");
    (text(done.stdout), text(done.stderr), done.status.success())
}

#[test]
fn an_adapter_is_a_gpus() {
    let (_, error, ok) = call(&["run", EXAMPLE, "--adapter", "0"], false);
    assert!(!ok && error.contains("add `--backend gpu`"), "{error}");
    let (_, error, ok) = call(&["run", EXAMPLE, "--backend", "gpu", "--instructions", "emitted"], false);
    assert!(!ok && error.contains("`--instructions` are the processor's"), "{error}");
    for backend in ["cpu", "interpreter"] {
        let (_, error, ok) = call(&["run", EXAMPLE, "--backend", backend, "--gpu-weights", "f16"], false);
        assert!(!ok && error.contains("add `--backend gpu`"), "{error}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_gpu_it_is_said_what_to_do() {
    for words in [&["devices"][..], &["run", EXAMPLE, "--backend", "gpu"]] {
        let (_, error, ok) = call(words, true);
        assert!(!ok && error.contains("help: ") && error.contains("--backend cpu"), "{error}");
        let why = if cfg!(feature = "gpu") { "no GPU was found" } else { "built without GPUs" };
        assert!(error.contains(why), "{error}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn auto_falls_back_to_the_processor_and_says_so() {
    let (wanted, _, _) = call(&["run", EXAMPLE], false);
    let (got, error, ok) = call(&["run", EXAMPLE, "--backend", "auto"], true);
    assert!(ok && error.contains("running on the processor: "), "{error}");
    assert_eq!(got, wanted);
}

/// Where there is an adapter, it is listed, chosen by number and by name, and what was done on it is counted.
#[test]
#[cfg(feature = "gpu")]
fn an_adapter_is_listed_and_chosen() {
    let (listed, _, ok) = call(&["devices", "--json"], false);
    if !ok {
        assert!(std::env::var_os("SEQWRIGHT_REQUIRE_GPU").is_none(), "there is no adapter");
        eprintln!("SKIPPED: there is no adapter");
        return;
    }
    let document: serde_json::Value = serde_json::from_str(&listed).expect("the command prints JSON");
    let name = document["devices"][0]["name"].as_str().expect("an adapter has a name").to_string();
    for adapter in ["0", &name] {
        let words = ["run", EXAMPLE, "--backend", "gpu", "--adapter", adapter, "--stats", "--json"];
        let (printed, error, ok) = call(&words, false);
        assert!(ok, "{error}");
        let document: serde_json::Value = serde_json::from_str(&printed).expect("the command prints JSON");
        assert_eq!(document["gpu"]["adapter"], name.as_str());
        assert_eq!(document["gpu"]["submissions"], 1);
    }
    let (_, error, ok) = call(&["run", EXAMPLE, "--backend", "gpu", "--gpu-weights", "f16", "--stats"], false);
    let features = listed.contains("\"f16\"");
    assert_eq!(ok, features, "{error}");
    assert!(error.contains(if ok { "weights as f16" } else { "SHADER_F16" }), "{error}");
    let (_, error, ok) = call(&["run", EXAMPLE, "--backend", "gpu", "--adapter", "no such thing"], false);
    assert!(!ok && error.contains(&name) && error.contains("seqc devices"), "{error}");
}
