//! Snapshots as users keep them, beside models of the examples: what they look like, and that they do not change unnoticed.

use seqwright::snapshot::{Asked, Stage};

#[test]
fn a_model_without_weights() {
    seqwright::assert_kernels!("../examples/six_words.seq");
}

#[test]
fn a_cell() {
    let asked = Asked::default().stage(Stage::Explain).stage(Stage::Kernels);
    seqwright::assert_kernels!("../examples/lstm.seq", asked.set("input", 12.0).set("hidden", 20.0));
}

/// Whatever may be written, a model with a mistake fails, and says which.
#[test]
fn a_mistake_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("m.seq"), "model M(x: [T]) -> y {\n  y = tahn(x)\n}\n").expect("a file");
    let path = folder.path().to_path_buf();
    let failed = std::panic::catch_unwind(|| seqwright::snapshot::assert(&path, "m.seq", &Asked::default()));
    let told = failed.expect_err("it has a mistake");
    let told = told.downcast_ref::<String>().expect("a message");
    assert!(told.contains("did you mean `tanh`?"), "{told}");
}
