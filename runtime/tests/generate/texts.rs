//! What comes, and where it ends.

use super::case::{BEGIN, Case};
use std::fs;

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
