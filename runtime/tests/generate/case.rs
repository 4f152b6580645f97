//! Models whose next token is looked up in a table, in a folder as a checkpoint has it, and calls of `seqc generate` with them.

use seqwright::weights::{Tensor, Values, write_safetensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The next token depends on the last one alone, and there are so many positions.
pub const CHAIN: &str = "model Chain(tokens: [T] of vocab; vocab = 258, letters = 258, context = 40) -> logits {
  embedding next: [vocab, letters]
  embedding place: [context, letters]
  logits = next[tokens] + place[t]
}
";
/// The same, without an end to its positions, and with a state: how often each token came.
pub const COUNT: &str = "model Count(tokens: [T] of vocab; vocab = 258, letters = 258) -> logits {
  embedding next: [vocab, letters]
  embedding own: [vocab, letters]
  state seen: [letters] = 0
  seen   = seen[t-1] + own[tokens]
  logits = next[tokens] - seen
}
";
/// What is written begins with what the letters of another sequence say together.
pub const READER: &str =
    "model Reader(source: [S] of vocab, target: [T] of vocab; vocab = 258, letters = 258) -> logits {
  embedding next: [vocab, letters]
  embedding after: [vocab, letters]
  total[l: letters] = max over s: S (next[source[s], l])
  logits[t: T, l: letters] = total[l] + after[target[t], l]
}
";
pub const BEGIN: u32 = 256;
pub const END: u32 = 257;

pub struct Done {
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl Done {
    #[track_caller]
    pub fn ends(self, code: i32, said: &str) -> Done {
        assert_eq!(self.code, Some(code), "{}{}", self.output, self.errors);
        assert!(self.errors.contains(said), "{said} is not in\n{}", self.errors);
        self
    }

    #[track_caller]
    pub fn gives(self, output: &str) -> Done {
        let done = self.ends(0, "");
        assert_eq!(done.output, output, "{}", done.errors);
        done
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|why| panic!("{why}: {}", self.output))
    }
}

/// Letters that follow each other: of each the number for the next.
pub fn table(follows: &[(u32, u32, f32)]) -> Tensor {
    let mut numbers = vec![0.0; 258 * 258];
    for (one, next, number) in follows {
        numbers[*one as usize * 258 + *next as usize] = *number;
    }
    Tensor::new(vec![258, 258], Values::Floats(numbers)).unwrap()
}

pub fn zeros(rows: usize) -> Tensor {
    Tensor::new(vec![rows, 258], Values::Floats(vec![0.0; rows * 258])).unwrap()
}

/// Each byte of a text after the one before.
pub fn chain(text: &str) -> Vec<(u32, u32, f32)> {
    text.as_bytes().windows(2).map(|pair| (u32::from(pair[0]), u32::from(pair[1]), 5.0)).collect()
}

/// A folder with a model, its weights and a tokenizer.
pub struct Case {
    pub folder: TempDir,
}

impl Case {
    pub fn new(model: &str, tensors: Vec<(&str, Tensor)>) -> Case {
        let case = Case { folder: tempfile::tempdir().unwrap() };
        let tensors: BTreeMap<String, Tensor> =
            tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect();
        write_safetensors(&case.folder.path().join("model.safetensors"), &tensors).unwrap();
        case.write("m.seq", model);
        case.write("tokenizer.json", include_str!("../tokenizers/bytes.json"));
        case.write("config.json", &format!("{{\"eos_token_id\": {END}, \"bos_token_id\": {BEGIN}}}"));
        case
    }

    /// After `a` comes `béc`, and the end; after `x` comes `yx` for ever.
    pub fn chain() -> Case {
        let mut follows = chain("abéc");
        follows.extend([(u32::from(b'c'), END, 5.0), (BEGIN, u32::from(b'h'), 5.0), (u32::from(b'h'), END, 5.0)]);
        follows.extend(chain("xyx"));
        // After `r` any letter is as probable as its place in the alphabet is high.
        follows.extend((b'k'..=b'z').map(|letter| (u32::from(b'r'), u32::from(letter), f32::from(letter) / 10.0)));
        follows.extend(
            (b'k'..=b'z')
                .flat_map(|one| (b'k'..=b'z').map(move |two| (u32::from(one), u32::from(two), f32::from(two) / 10.0)))
                .filter(|(one, _, _)| *one != u32::from(b'x') && *one != u32::from(b'y')),
        );
        Case::new(CHAIN, vec![("next", table(&follows)), ("place", zeros(40))])
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub fn word(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
        let own = ["generate", &self.word("m.seq"), "--checkpoint", &self.word("")].map(str::to_string);
        command.args(own).args(more).env_remove("CLICOLOR_FORCE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn call(&self, more: &[&str]) -> Done {
        self.call_with(more, b"")
    }

    pub fn call_with(&self, more: &[&str], input: &[u8]) -> Done {
        let mut child = self.command(more).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let done = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: done.status.code(), output: text(done.stdout), errors: text(done.stderr) }
    }
}
