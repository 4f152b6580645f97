//! `seqc generate` from outside, with models whose next token is looked up in a table that the tests write.
#![cfg(feature = "tokenizers")]

use seqwright::weights::{Tensor, Values, write_safetensors};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The next token depends on the last one alone, and there are so many positions.
const CHAIN: &str = "model Chain(tokens: [T] of vocab; vocab = 258, letters = 258, context = 40) -> logits {
  embedding next: [vocab, letters]
  embedding place: [context, letters]
  logits = next[tokens] + place[t]
}
";
/// The same, without an end to its positions, and with a state: how often each token came.
const COUNT: &str = "model Count(tokens: [T] of vocab; vocab = 258, letters = 258) -> logits {
  embedding next: [vocab, letters]
  embedding own: [vocab, letters]
  state seen: [letters] = 0
  seen   = seen[t-1] + own[tokens]
  logits = next[tokens] - seen
}
";
/// What is written begins with what the letters of another sequence say together.
const READER: &str = "model Reader(source: [S] of vocab, target: [T] of vocab; vocab = 258, letters = 258) -> logits {
  embedding next: [vocab, letters]
  embedding after: [vocab, letters]
  total[l: letters] = max over s: S (next[source[s], l])
  logits[t: T, l: letters] = total[l] + after[target[t], l]
}
";
const BEGIN: u32 = 256;
const END: u32 = 257;

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
    fn gives(self, output: &str) -> Done {
        let done = self.ends(0, "");
        assert_eq!(done.output, output, "{}", done.errors);
        done
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|why| panic!("{why}: {}", self.output))
    }
}

/// Letters that follow each other: of each the number for the next.
fn table(follows: &[(u32, u32, f32)]) -> Tensor {
    let mut numbers = vec![0.0; 258 * 258];
    for (one, next, number) in follows {
        numbers[*one as usize * 258 + *next as usize] = *number;
    }
    Tensor::new(vec![258, 258], Values::Floats(numbers)).unwrap()
}

fn zeros(rows: usize) -> Tensor {
    Tensor::new(vec![rows, 258], Values::Floats(vec![0.0; rows * 258])).unwrap()
}

/// Each byte of a text after the one before.
fn chain(text: &str) -> Vec<(u32, u32, f32)> {
    text.as_bytes().windows(2).map(|pair| (u32::from(pair[0]), u32::from(pair[1]), 5.0)).collect()
}

/// A folder with a model, its weights and a tokenizer.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new(model: &str, tensors: Vec<(&str, Tensor)>) -> Case {
        let case = Case { folder: tempfile::tempdir().unwrap() };
        let tensors: BTreeMap<String, Tensor> =
            tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect();
        write_safetensors(&case.folder.path().join("model.safetensors"), &tensors).unwrap();
        case.write("m.seq", model);
        case.write("tokenizer.json", include_str!("tokenizers/bytes.json"));
        case.write("config.json", &format!("{{\"eos_token_id\": {END}, \"bos_token_id\": {BEGIN}}}"));
        case
    }

    /// After `a` comes `béc`, and the end; after `x` comes `yx` for ever.
    fn chain() -> Case {
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

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn word(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
        let own = ["generate", &self.word("m.seq"), "--checkpoint", &self.word("")].map(str::to_string);
        command.args(own).args(more).env_remove("CLICOLOR_FORCE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn call(&self, more: &[&str]) -> Done {
        self.call_with(more, b"")
    }

    fn call_with(&self, more: &[&str], input: &[u8]) -> Done {
        let mut child = self.command(more).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let done = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: done.status.code(), output: text(done.stdout), errors: text(done.stderr) }
    }
}

#[test]
fn a_text_comes_up_to_its_end() {
    let case = Case::chain();
    let done = case.call(&["--prompt", "a"]).gives("béc\n");
    assert!(done.errors.starts_with("prompt    2 tokens, "), "{}", done.errors);
    assert!(done.errors.contains("\ngenerated 5 tokens, ") && done.errors.ends_with(" tokens/s\n"), "{}", done.errors);
    case.call_with(&["--prompt", "-"], b"a").gives("béc\n");
    case.call(&["--prompt", "a", "--max-tokens", "0"]).gives("\n").ends(0, "note: stopped after 0 tokens");
    // Half a letter is what was written.
    case.call(&["--prompt", "a", "--max-tokens", "2"]).gives("b\u{fffd}\n").ends(0, "note: stopped after 2 tokens");
    case.call(&["--prompt", "a", "--max-tokens", "3"]).gives("bé\n");
    case.call(&["--prompt", "a", "--stop", "c"]).gives("bé\n");
    // A stop that is made of several tokens, and one that does not come.
    case.call(&["--prompt", "a", "--stop", "xyz", "--stop", "éc"]).gives("b\n");
    case.call(&["--prompt", "a", "--backend", "interpreter"]).gives("béc\n");
    case.call(&["--prompt", "a", "--threads", "1", "--instructions", "emitted"]).gives("béc\n");
    // An empty prompt begins with the token that begins texts.
    case.call(&["--prompt", ""]).gives("h\n");
    case.call(&["--prompt", "-5a"]).gives("béc\n");
}

#[test]
fn tokens_go_in_and_come_out() {
    let case = Case::chain();
    case.call(&["--tokens", "97"]).gives("98,195,169,99,257\n");
    case.call(&["--tokens", "256, 1,97", "--tokens", "98"])
        .gives("── 1: 256,1,97 ──\n98,195,169,99,257\n\n── 2: 98 ──\n195,169,99,257\n");
    case.call(&["--tokens", "258"]).ends(1, "wanted are whole numbers from 0 to 257");
    // Without a tokenizer there are tokens alone.
    fs::remove_file(case.folder.path().join("tokenizer.json")).unwrap();
    case.call(&["--tokens", "97", "--max-tokens", "1"]).gives("98\n");
    case.call(&["--prompt", "a"]).ends(1, "has no tokenizer; or give tokens: `--tokens 1,2,3`");
}

#[test]
fn several_prompts_are_one_batch_and_each_is_as_alone() {
    let case = Case::chain();
    let prompts = ["--prompt", "a", "--prompt", "rrr\nrr", "--prompt", "xyx", "--prompt", "ab"];
    let done =
        case.call(&[&prompts[..], &["--max-tokens", "5"]].concat()).ends(0, "note: prompt 3: stopped after 5 tokens");
    assert!(done.output.starts_with("── 1: a ──\nbéc\n\n── 2: rrr\u{fffd}rr ──\n"), "{}", done.output);
    assert!(done.output.ends_with("\n── 3: xyx ──\nyxyxy\n\n── 4: ab ──\néc\n"), "{}", done.output);
    // Drawn at random: a prompt's text depends on the seed and its place, not on what the others are.
    let drawn = |prompts: &[&str]| {
        let prompts: Vec<&str> = prompts.iter().flat_map(|prompt| ["--prompt", prompt]).collect();
        let more = ["--temperature", "1", "--seed", "11", "--json", "--max-tokens", "12"];
        let document = case.call(&[&prompts[..], &more].concat()).ends(0, "").json();
        let texts = document["sequences"].as_array().unwrap().iter();
        texts.map(|one| one["text"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let together = drawn(&["rr", "r", "nmnmnmnmnmnmn"]);
    assert_eq!(drawn(&["rr"])[0], together[0]);
    assert_eq!(drawn(&["xyxyxyx", "r"])[1], together[1]);
    assert_eq!(drawn(&["a", "b", "nmnmnmnmnmnmn"])[2], together[2]);
    assert_ne!(together[0], together[1]);
}

#[test]
fn tokens_are_drawn_as_asked_for() {
    let case = Case::chain();
    let drawn = |more: &[&str]| case.call(&[&["--prompt", "r"], more].concat()).ends(0, "").output;
    let greedy = drawn(&[]);
    assert_eq!(greedy, drawn(&[]));
    assert_eq!(greedy, drawn(&["--temperature", "0", "--top-k", "3", "--seed", "1"]));
    assert_eq!(greedy, drawn(&["--top-k", "1"]));
    assert_eq!(greedy, drawn(&["--top-p", "0"]));
    assert_eq!(greedy, drawn(&["--min-p", "1"]));
    assert_eq!(greedy, drawn(&["--temperature", "0.0001", "--seed", "1"]));
    let seeded = drawn(&["--temperature", "1", "--seed", "1"]);
    assert_eq!(seeded, drawn(&["--temperature", "1", "--seed", "1"]));
    assert_eq!(seeded, drawn(&["--temperature", "1", "--seed", "1", "--threads", "1"]));
    assert_ne!(seeded, drawn(&["--temperature", "1", "--seed", "2"]));
    // `z` is the most probable, then `y`, then `x`; `xy` and `yx` follow each other.
    let two = drawn(&["--top-k", "2", "--seed", "4"]);
    assert!(two.chars().all(|letter| "xyz\n".contains(letter)), "{two}");
    // Once each has been there, another one comes.
    let penalised = drawn(&["--repetition-penalty", "100", "--max-tokens", "3"]);
    assert_ne!(penalised[..1], penalised[1..2], "{penalised}");
    // A seed that nobody named is told, and gives the same again.
    let done = case.call(&["--prompt", "r", "--temperature", "1"]).ends(0, "\nseed      ");
    let seed = done.errors.lines().find_map(|line| line.strip_prefix("seed      ")).unwrap();
    assert_eq!(done.output, drawn(&["--temperature", "1", "--seed", seed]));
    assert!(!case.call(&["--prompt", "a"]).errors.contains("seed"));
}

#[test]
fn a_text_as_long_as_the_model_knows_stops_and_says_so() {
    let case = Case::chain();
    let done =
        case.call(&["--prompt", "x"]).ends(0, "note: stopped: `place` allows 40 tokens, those of the prompt included");
    assert_eq!(done.output.trim_end().len(), 38);
    // The whole of it, and a prompt that is too long by itself.
    case.call(&["--prompt", &"x".repeat(39)]).gives("\n").ends(0, "note: stopped: `place` allows 40 tokens");
    case.call(&["--prompt", &"x".repeat(40)]).ends(1, "prompt 1 has 41 tokens, `place` allows 40");
    // What the checkpoint says.
    case.write("config.json", "{\"max_position_embeddings\": 10}");
    let said = "note: stopped: `max_position_embeddings` in config.json allows 10 tokens";
    assert_eq!(case.call(&["--prompt", "x"]).ends(0, said).output, "yxyxyxyx\n");
}

#[test]
fn a_conversation_follows_the_checkpoint_s_template() {
    let case = Case::chain();
    case.call(&["--prompt", "a", "--chat"]).ends(1, "the checkpoint has no chat template");
    case.write(
        "chat_template.jinja",
        "{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{{ messages[-1].content[-1] }}",
    );
    case.write("tokenizer_config.json", "{\"bos_token\": \"<|begin|>\"}");
    let one = case.call(&["--prompt", "a", "--chat", "--system", "be brief", "--json"]).ends(0, "").json();
    let tokens: Vec<u32> = serde_json::from_value(one["sequences"][0]["prompt_tokens"].clone()).unwrap();
    // The template has the token that begins a text: no other is put before it.
    let wanted: Vec<u32> = [BEGIN].into_iter().chain("system:be brief;user:a;a".bytes().map(u32::from)).collect();
    assert_eq!(tokens, wanted);
    assert_eq!(one["sequences"][0]["text"], "béc");
    case.write("chat_template.jinja", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}");
    case.call(&["--prompt", "a", "--chat"]).ends(1, "was stopped: it takes more than 2000000 steps");
    // Lists of themselves take no fuel, only time.
    let doubled =
        "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l }}";
    case.write("chat_template.jinja", doubled);
    case.call(&["--prompt", "a", "--chat"]).ends(1, "was stopped: it takes more than 10 seconds");
    case.write("chat_template.jinja", "{{ raise_exception('nothing for me') }}");
    case.call(&["--prompt", "a", "--chat"]).ends(1, "refuses the conversation: nothing for me");
}

#[test]
fn a_sequence_goes_on_from_its_state() {
    let mut follows = chain("abcdefghijklmnopqrstuvwxyza");
    follows.extend(chain("zyxwvutsrqponmlkjihgfedcbaz").into_iter().map(|(one, two, _)| (one, two, 4.0)));
    let own: Vec<(u32, u32, f32)> = (0..256).map(|letter| (letter, letter, 0.75)).collect();
    let case = Case::new(COUNT, vec![("next", table(&follows)), ("own", table(&own))]);
    let whole = case.call(&["--prompt", "m", "--max-tokens", "60"]).ends(0, "").output;
    let state = case.word("state");
    let first = case.call(&["--prompt", "m", "--max-tokens", "25", "--save-state", &state]).ends(0, "").output;
    // Once more from the middle, twice, and with a letter in between.
    for _ in 0..2 {
        let second = case.call(&["--state", &state, "--max-tokens", "35"]).ends(0, "").output;
        assert_eq!(format!("{}{second}", first.trim_end()), whole);
    }
    let all = format!("m{}q", first.trim_end());
    let other = case.call(&["--state", &state, "--prompt", "q", "--max-tokens", "9"]).ends(0, "").output;
    assert_eq!(other, case.call(&["--prompt", &all, "--max-tokens", "9"]).ends(0, "").output);
    // Two continuations of one state.
    let two =
        case.call(&["--state", &state, "--prompt", "q", "--prompt", "mm", "--max-tokens", "9"]).ends(0, "").output;
    assert!(two.starts_with(&format!("── 1: q ──\n{other}\n── 2: mm ──\n")), "{two}");
    // From state to state.
    let more = case.word("more");
    case.call(&["--state", &state, "--max-tokens", "10", "--save-state", &more]).ends(0, "");
    let third = case.call(&["--state", &more, "--max-tokens", "25"]).ends(0, "").output;
    assert!(whole.ends_with(&third) && third.len() == 26, "{third}");
    let other = Case::chain();
    other.call(&["--state", &state]).ends(1, "the state is one of the model `Count`, not of `Chain`");
    case.call(&["--state", "no/such"]).ends(1, "cannot read no/such");
    case.call(&["--state", &state, "--prompt", "q", "--backend", "interpreter"])
        .ends(1, "the interpreter keeps no state");
    case.call(&["--prompt", "q", "--prompt", "m", "--save-state", &more]).ends(2, "`--save-state` keeps one sequence");
}

#[test]
fn one_sequence_is_read_and_another_written() {
    let mut after = chain("bcdefg");
    after.push((BEGIN, u32::from(b'a'), 1.0));
    let next = vec![(u32::from(b'x'), END, 3.0), (u32::from(b'y'), u32::from(b'b'), 3.0)];
    let case = Case::new(READER, vec![("next", table(&next)), ("after", table(&after))]);
    case.call(&["--prompt", "y", "--max-tokens", "4"]).gives("bcde\n");
    case.call(&["--prompt", "x"]).gives("\n");
    case.call(&["--prompt", "yy", "--prompt", "xzz", "--max-tokens", "2"]).gives("── 1: yy ──\nbc\n\n── 2: xzz ──\n\n");
    case.call(&["--tokens", "121", "--start", "98", "--max-tokens", "2"]).gives("99,100\n");
    case.call(&["--tokens", "121", "--start", "98", "--max-tokens", "2", "--backend", "interpreter"]).gives("99,100\n");
    // What is read may come from a file.
    let source = Tensor::new(vec![1, 2], Values::Integers(vec![121, 121])).unwrap();
    let file = case.folder.path().join("source.safetensors");
    write_safetensors(&file, &BTreeMap::from([("in.source".to_string(), source)])).unwrap();
    let input = format!("source={}", file.display());
    case.call(&["--input", &input, "--start", "98", "--max-tokens", "2"]).gives("cd\n");
    case.call(&["--input", &input, "--tokens", "99", "--max-tokens", "2"]).gives("100,101\n");
    case.write("config.json", "{}");
    case.call(&["--tokens", "121"]).ends(1, "does not say with which token its texts start: pass `--start ID`");
}

#[test]
fn the_document_has_everything() {
    let case = Case::chain();
    let one = case.call(&["--prompt", "a", "--prompt", "x", "--max-tokens", "7", "--json"]).ends(0, "").json();
    assert_eq!((&one["version"], &one["command"], &one["ok"]), (&json!(1), &json!("generate"), &json!(true)));
    assert_eq!((&one["model"], &one["seed"]), (&json!("Chain"), &Value::Null));
    let (first, second) = (&one["sequences"][0], &one["sequences"][1]);
    assert_eq!(first["prompt"], "a");
    assert_eq!(first["prompt_tokens"], json!([256, 97]));
    assert_eq!((&first["text"], &first["tokens"]), (&json!("béc"), &json!([98, 195, 169, 99, 257])));
    assert_eq!(first["ended"], json!({ "why": "end token", "token": 257 }));
    assert_eq!(second["ended"], json!({ "why": "max tokens", "most": 7 }));
    assert_eq!((&one["speed"]["prompt_tokens"], &one["speed"]["tokens"]), (&json!(4), &json!(12)));
    assert_eq!(one["notes"].as_array().unwrap().len(), 1);
    let one = case
        .call(&["--prompt", "a", "--stop", "é", "--temperature", "0.1", "--seed", "3", "--json"])
        .ends(0, "")
        .json();
    assert_eq!((&one["seed"], &one["sequences"][0]["ended"]), (&json!(3), &json!({ "why": "stop", "text": "é" })));
    let one = case.call(&["--tokens", "120", "--json"]).ends(0, "").json();
    assert_eq!(one["sequences"][0]["ended"], json!({ "why": "context", "most": 40, "said_by": "`place`" }));
    assert_eq!((&one["sequences"][0]["prompt"], &one["sequences"][0]["text"]), (&Value::Null, &Value::Null));
    let one = case.call(&["--tokens", "999", "--json"]).ends(1, "").json();
    assert_eq!(one["ok"], false);
}

#[test]
fn wrong_calls_end_with_2_and_models_that_generate_nothing_with_1() {
    let case = Case::chain();
    for (call, said) in [
        (vec![], "there is nothing to go on with"),
        (vec!["--prompt", "a", "--tokens", "1"], "cannot be used with"),
        (vec!["--prompt", "-", "--prompt", "-"], "standard input can be one prompt"),
        (vec!["--tokens", "1,b"], "`b` is no token"),
        (vec!["--tokens", "1", "--stop", "x"], "`--stop` ends texts"),
        (vec!["--tokens", "1", "--chat"], "cannot be used with"),
        (vec!["--prompt", "a", "--stop", ""], "an empty text comes everywhere"),
        (vec!["--prompt", "a", "--top-k", "0"], "0 is not in 1.."),
        (vec!["--prompt", "a", "--top-p", "1.5"], "it is from 0 to 1"),
        (vec!["--prompt", "a", "--min-p", "-1"], "it is from 0 to 1"),
        (vec!["--prompt", "a", "--temperature", "-1"], "it is 0 or more"),
        (vec!["--prompt", "a", "--temperature", "hot"], "`hot` is no number"),
        (vec!["--prompt", "a", "--repetition-penalty", "0"], "it is above 0"),
        (vec!["--prompt", "a", "--system", "b"], "--chat"),
        (vec!["--prompt", "a", "--chat", "--state", "s"], "cannot be used with"),
        (vec!["--prompt", "a", "--start", "1"], "`--start` is for models that also read"),
    ] {
        case.call(&call).ends(2, said);
    }
    case.call_with(&["--prompt", "-"], b"\xff").ends(1, "cannot read standard input: byte 0 is not UTF-8 text");
    case.call(&["--prompt", "a", "--output", "nxt"]).ends(1, "has no value `nxt`; did you mean `next`?");
    case.call(&["--prompt", "a", "--output", "next"]).ends(1, "`next` has no number for each entry");
    for (model, said) in [
        ("model M(x: [T]) -> y {\n  y = x\n}\n", "it has no input of a vocabulary with positions"),
        (
            "model M(tokens: [T] of vocab; vocab = 5) -> y {\n  y = tokens * 2\n}\n",
            "`y` has no number for each entry of an input's vocabulary",
        ),
        (
            "model M(tokens: [T] of vocab, x: [T]; vocab = 5, letters = 5) -> y {\n  constant e: [letters] = [1, 2, 3, 4, 5]\n  y = outer(x + tokens, e)\n}\n",
            "the input `x` also comes along T, and nothing says how it goes on",
        ),
        (
            "model M(tokens: [T] of vocab; vocab = 5, letters = 5) -> y {\n  constant e: [letters] = [1, 2, 3, 4, 5]\n  n = mean over T (tokens)\n  y[t: T, l: letters] = tokens[t] * e[l] + n\n}\n",
            "error[E0901]: no step program",
        ),
        (
            "model M(tokens: [T] of vocab; vocab = 5, letters = 5) -> y {\n  constant e: [letters] = [1, 2, 3, 4, 5]\n  n = tokens[t+2]\n  y = outer(n, e)\n}\n",
            "`y` comes 2 positions later than its tokens",
        ),
    ] {
        case.write("other.seq", model);
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
        let done = command.args(["generate", &case.word("other.seq"), "--tokens", "1"]).output().unwrap();
        let errors = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.code() == Some(1) && errors.contains(said), "{said} is not in\n{errors}");
    }
}

#[test]
fn numbers_that_are_none_end_it() {
    let mut follows = chain("ab");
    follows.push((u32::from(b'b'), 7, f32::NAN));
    let case = Case::new(CHAIN, vec![("next", table(&follows)), ("place", zeros(40))]);
    let done =
        case.call(&["--prompt", "a"]).ends(1, "after 3 tokens the model's numbers for the next one are not numbers");
    assert_eq!(done.output, "b");
}

#[test]
fn continuations_are_verified_token_by_token() {
    let case = Case::chain();
    let verify = |tensors: Vec<(&str, &[usize], &[i64])>, more: &[&str]| {
        let tensors: BTreeMap<String, Tensor> = tensors
            .into_iter()
            .map(|(name, shape, numbers)| {
                (name.to_string(), Tensor::new(shape.to_vec(), Values::Integers(numbers.to_vec())).unwrap())
            })
            .collect();
        write_safetensors(&case.folder.path().join("io.safetensors"), &tensors).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
        command.args(["verify", &case.word("m.seq"), "--checkpoint", &case.word("")]).args(more);
        let done = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: done.status.code(), output: text(done.stdout), errors: text(done.stderr) }
    };
    let (right, wrong) = ([97, 98, 195, 120, 121, 120], [97, 98, 196, 120, 121, 1]);
    for backend in ["cpu", "interpreter"] {
        let more = ["--backend", backend];
        let done = verify(vec![("out.greedy", &[2, 3], &right)], &more).ends(0, "");
        assert_eq!(
            done.output,
            "value   shape   absolute  relative  largest at\ngreedy  [2, 3]         -         -              ok\n"
        );
        verify(vec![("in.prompt", &[2, 2], &[97, 98, 120, 121]), ("out.greedy", &[2, 3], &right)], &more).ends(0, "");
        let done = verify(vec![("out.greedy", &[2, 3], &wrong)], &more).ends(1, "");
        let said = "greedy: sequence 0 differs first at position 2: the token is 195 (its number is 5), expected is 196 (its number is 0)
greedy: sequence 1 differs first at position 2: the token is 120 (its number is 5), expected is 1 (its number is 0)
";
        assert!(done.output.contains(" FAILED\n") && done.output.ends_with(said), "{}", done.output);
    }
    let document = verify(vec![("out.greedy", &[2, 3], &wrong)], &["--json"]).ends(1, "").json();
    let greedy = &document["outputs"][0];
    assert_eq!((&greedy["name"], &greedy["ok"], &greedy["compared"]), (&json!("greedy"), &json!(false), &json!(4)));
    let first = json!({ "sequence": 0, "position": 2, "expected": 196, "found": 195, "expected_logit": 0.0, "found_logit": 5.0 });
    assert_eq!(greedy["differences"][0], first);
    let done = verify(vec![("out.greedy", &[1, 2], &[97, 700])], &[]).ends(1, "");
    assert!(done.output.contains("expected is 700 (there is no such token)"), "{}", done.output);
    // Both kinds of expectations at once, and a prompt that is all there is.
    verify(
        vec![("in.tokens", &[1, 1], &[97]), ("out.tokens", &[1, 1], &[97]), ("out.greedy", &[1, 2], &[97, 98])],
        &[],
    )
    .ends(0, "");
    let done = verify(vec![("in.prompt", &[1, 2], &[97, 98]), ("out.greedy", &[1, 2], &[97, 98])], &[]).ends(1, "");
    assert!(done.output.ends_with("greedy: there is no token to compare\n"), "{}", done.output);
    for (tensors, said) in [
        (
            vec![("in.prompt", &[1, 1][..], &[98][..]), ("out.greedy", &[1, 2], &[97, 98])],
            "does not begin with the tokens of `in.prompt`",
        ),
        (
            vec![("in.prompt", &[2, 1], &[97, 97]), ("out.greedy", &[1, 2], &[97, 98])],
            "`in.prompt` has the shape [2, 1]",
        ),
        (
            vec![("in.prompt", &[1, 3], &[97, 97, 97]), ("out.greedy", &[1, 2], &[97, 98])],
            "`in.prompt` has the shape [1, 3]",
        ),
        (
            vec![("out.greedy", &[2], &[97, 98])],
            "`out.greedy` has the shape [2] or no whole numbers: wanted is a row of tokens",
        ),
        (vec![("out.greedy", &[1, 2], &[997, 98])], "wanted are whole numbers from 0 to 257"),
    ] {
        let shapes: Vec<(&str, Vec<usize>, Vec<i64>)> =
            tensors.into_iter().map(|(name, shape, numbers)| (name, shape.to_vec(), numbers.to_vec())).collect();
        let borrowed = shapes.iter().map(|(name, shape, numbers)| (*name, shape.as_slice(), numbers.as_slice()));
        verify(borrowed.collect(), &[]).ends(1, said);
    }
    let long: Vec<i64> = (0..60).map(|place| 120 + place % 2).collect();
    verify(vec![("out.greedy", &[1, 60], &long)], &[]).ends(1, "sequence 0 has 41 positions of T, `place` allows 40");
}

/// What Hugging Face and PyTorch generate with small models of their kinds.
#[test]
fn golden_continuations_are_verified() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in ["gpt2", "llama", "transformer_translation"] {
        for backend in ["cpu", "interpreter"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
            command.arg("verify").arg(root.join("examples").join(name).with_extension("seq"));
            command.arg("--checkpoint").arg(root.join("tests/goldens").join(name));
            let done = command.args(["--backend", backend]).output().unwrap();
            let output = String::from_utf8(done.stdout).unwrap();
            assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]), "{name}: {output}");
            let verified = |line: &str| line.starts_with("greedy ") && line.ends_with(" ok");
            assert!(output.lines().any(verified), "{name}: {output}");
        }
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let case = Case::chain();
    let mut child = case.command(&["--prompt", "x", "--prompt", "x", "--max-tokens", "1000000"]).spawn().unwrap();
    drop((child.stdin.take(), child.stdout.take()));
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn an_interruption_ends_with_what_was_written() {
    let case = Case::chain();
    case.write("m.seq", &CHAIN.replace("+ place[t]", "+ place[0]"));
    let state = case.word("state");
    let more = ["--prompt", "x", "--max-tokens", "100000000", "--save-state", &state];
    let mut child = case.command(&more).spawn().unwrap();
    drop(child.stdin.take());
    let mut first = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let done = child.wait_with_output().unwrap();
    let errors = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(130), "{errors}");
    assert!(errors.contains("note: interrupted\n") && errors.contains("generated "), "{errors}");
    assert!(done.stdout.ends_with(b"\n") && &first == b"yxyx");
    assert!(Path::new(&state).exists());
    case.call(&["--state", &state, "--max-tokens", "3"]).ends(0, "");
}
