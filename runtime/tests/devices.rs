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
        for option in ["--gpu-weights", "--cooperative-matrices"] {
            let (_, error, ok) = call(&["run", EXAMPLE, "--backend", backend, option, "f16"], false);
            assert!(!ok && error.contains("add `--backend gpu`"), "{error}");
        }
    }
}

/// Shaders are printed for what is asked for, on any machine; other stages know nothing of it.
#[test]
fn shaders_are_emitted_for_what_is_asked_for() {
    const LSTM: &str = "../examples/lstm.seq";
    let sizes = ["--set", "input=12", "--set", "hidden=20"];
    let emit =
        |stage: &str, words: &[&str]| call(&[&["emit", LSTM, "--stage", stage][..], &sizes, words].concat(), false);
    let (usual, error, ok) = emit("wgsl", &[]);
    assert!(ok && !usual.contains("enable"), "{error}");
    for (words, wanted) in [
        (&["--gpu-weights", "f16"][..], &["enable f16;", "array<f16>"][..]),
        (&["--cooperative-matrices", "f32"], &["enable wgpu_cooperative_matrix;", "coop_mat8x8<f32, A>"]),
        (&["--cooperative-matrices", "f16"], &["enable f16;", "coop_mat16x16<f16, A>", "coop_mat16x16<f32, C>"]),
    ] {
        let (text, error, ok) = emit("wgsl", words);
        assert!(ok, "{error}");
        assert!(wanted.iter().all(|wanted| text.contains(wanted)), "{text}");
        let (_, error, ok) = emit("kernels", words);
        assert!(!ok && error.contains("add `--stage wgsl`"), "{error}");
    }
    let norm = ["emit", "../examples/gpt2.seq", "--checkpoint", "../tests/goldens/gpt2", "--stage", "wgsl"];
    let (text, error, ok) = call(&[&norm[..], &["--subgroups"]].concat(), false);
    assert!(ok && text.contains("subgroupAdd"), "{error}");
    assert!(!call(&norm, false).0.contains("subgroupAdd"));
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
    // Cooperative matrices are used where they are, and never quietly left out.
    let of_f32 =
        listed.contains("8x8x8 of f32 with sums of f32") || listed.contains("16x16x16 of f32 with sums of f32");
    for backend in ["gpu", "auto"] {
        let words = ["run", EXAMPLE, "--backend", backend, "--cooperative-matrices", "f32", "--stats"];
        let (_, error, ok) = call(&words, false);
        assert_eq!(ok, of_f32, "{error}");
        match ok {
            true => assert!(error.contains("cooperative matrices of f32"), "{error}"),
            false => assert!(error.contains(&name) && error.contains("leave `--cooperative-matrices` out"), "{error}"),
        }
    }
    let (_, error, ok) = call(&["run", EXAMPLE, "--backend", "gpu", "--adapter", "no such thing"], false);
    assert!(!ok && error.contains(&name) && error.contains("seqc devices"), "{error}");
}
