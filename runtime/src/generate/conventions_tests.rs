use super::*;
use crate::weights::testing::file_bytes;
use std::fs;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> (TempDir, Checkpoint) {
    let folder = tempfile::tempdir().unwrap();
    let entry = r#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    fs::write(folder.path().join("model.safetensors"), file_bytes(entry, &[1])).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    (folder, checkpoint)
}

fn of(files: &[(&str, &str)]) -> Conventions {
    let (_folder, checkpoint) = folder(files);
    let mut found = Conventions::of(&checkpoint, None).unwrap();
    // The folder has another name each time.
    if let Some((_, file)) = &mut found.template {
        *file = file.file_name().unwrap().into();
    }
    found
}

#[test]
fn ends_are_those_of_every_file_that_names_some() {
    let found = of(&[
        ("config.json", r#"{"eos_token_id": 2, "bos_token_id": 1, "max_position_embeddings": 128}"#),
        ("generation_config.json", r#"{"eos_token_id": [2, 7], "decoder_start_token_id": 5, "max_new_tokens": 9}"#),
    ]);
    assert_eq!(found.ends, BTreeSet::from([2, 7]));
    assert_eq!((found.start, found.most), (Some(5), Some(9)));
    let context = Context { most: 128, said_by: "`max_position_embeddings` in config.json".to_string() };
    assert_eq!(found.context, Some(context));
    assert_eq!(of(&[]), Conventions::default());
    // What is null or no token is as if it were not there.
    let odd = r#"{"eos_token_id": null, "bos_token_id": "x", "n_positions": -1}"#;
    assert_eq!(of(&[("config.json", odd)]), Conventions::default());
}

#[test]
fn templates_stand_in_one_of_three_files() {
    let about = r#"{"chat_template": "three", "bos_token": "<s>", "eos_token": {"content": "</s>"}}"#;
    let files = [
        ("chat_template.jinja", "one"),
        ("chat_template.json", r#"{"chat_template": "two"}"#),
        ("tokenizer_config.json", about),
    ];
    for (first, wanted) in ["one", "two", "three"].into_iter().enumerate() {
        let found = of(&files[first..]);
        assert_eq!(found.template, Some((wanted.to_string(), files[first].0.into())));
        assert_eq!(found.special["bos_token"], "<s>");
        assert_eq!(found.special["eos_token"], "</s>");
    }
    let several = r#"{"chat_template": [{"name": "tools", "template": "a"}, {"name": "default", "template": "b"}]}"#;
    assert_eq!(of(&[("tokenizer_config.json", several)]).template.unwrap().0, "b");
}

#[test]
fn a_gguf_file_says_it_in_its_metadata() {
    let metadata = r#"{"general": {"architecture": "llama"}, "llama": {"context_length": 2048},
        "tokenizer": {"chat_template": "hello", "ggml": {"eos_token_id": 2, "eot_token_id": 9, "bos_token_id": 1}}}"#;
    let mut found = Conventions::default();
    found.of_gguf(&serde_json::from_str(metadata).unwrap(), Path::new("model.gguf"), None);
    assert_eq!(found.ends, BTreeSet::from([2, 9]));
    assert_eq!((found.start, found.context.map(|context| context.most)), (Some(1), Some(2048)));
    assert_eq!(found.template, Some(("hello".to_string(), "model.gguf".into())));
}

#[test]
fn a_file_that_is_there_and_damaged_is_an_error() {
    for name in ["generation_config.json", "tokenizer_config.json", "chat_template.json"] {
        let (_folder, checkpoint) = folder(&[(name, "{\"eos_token_id\": ")]);
        let error = Conventions::of(&checkpoint, None).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    let (folder, checkpoint) = folder(&[]);
    fs::write(folder.path().join("chat_template.jinja"), b"\xff").unwrap();
    assert!(Conventions::of(&checkpoint, None).unwrap_err().to_string().contains("chat_template.jinja"));
    fs::write(folder.path().join("chat_template.jinja"), " ".repeat(2 << 20)).unwrap();
    assert!(Conventions::of(&checkpoint, None).unwrap_err().to_string().contains("1048576 bytes at most"));
}
