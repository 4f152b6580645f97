//! Tokenizers from the vocabularies of GGUF files: small ones made by hand, one of SentencePiece's own package, and
//! vocabularies that can't be.

use seqwright::tokenizer::Tokenizer;
use seqwright::weights::Checkpoint;
use seqwright_tests::gguf::{Gguf, file};
use seqwright_tests::random::Random;
use seqwright_tests::sources::repository;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

fn tokenizer(file_to_be: &Gguf) -> Result<Tokenizer, String> {
    let (_folder, path) = file("m.gguf", &file_to_be.bytes());
    let checkpoint = Checkpoint::open(&path).unwrap_or_else(|error| panic!("{error}"));
    checkpoint.tokenizer().map(|tokenizer| tokenizer.expect("the file has a vocabulary"))
}

/// Byte-level pairs: every letter of the texts below, a few pairs, and special tokens.
const TOKENS: [&str; 24] = [
    "<end>", "<user>", "a", "b", "c", "1", "2", "3", "Ġ", "Ċ", "'", "s", "!", "ab", "abc", "Ġab", "12", "123", "'s",
    "ĊĊ", "!!", "ĠĠ", "!Ċ", "!!!",
];

const MERGES: [&str; 10] = ["a b", "ab c", "Ġ ab", "1 2", "12 3", "' s", "Ċ Ċ", "! !", "Ġ Ġ", "! Ċ"];

fn pairs(pre: Option<&str>) -> Gguf {
    let mut kinds = [1; TOKENS.len()];
    (kinds[0], kinds[1]) = (3, 4);
    let file = Gguf::default()
        .text("tokenizer.ggml.model", "gpt2")
        .texts("tokenizer.ggml.tokens", &TOKENS)
        .integers("tokenizer.ggml.token_type", &kinds)
        .texts("tokenizer.ggml.merges", &MERGES)
        .number("tokenizer.ggml.bos_token_id", 0)
        .number("tokenizer.ggml.eos_token_id", 0);
    match pre {
        Some(pre) => file.text("tokenizer.ggml.pre", pre),
        None => file,
    }
}

fn pieces(pre: Option<&str>, text: &str) -> Vec<&'static str> {
    let ids = tokenizer(&pairs(pre)).unwrap().encode(text).unwrap();
    ids.into_iter().map(|id| TOKENS[usize::try_from(id).unwrap()]).collect()
}

#[test]
fn words_are_cut_as_the_file_says() {
    let text = "abc's 123 ab!!!\n";
    // GPT-2: numbers whole, signs whole, a line break by itself.
    let wanted = ["abc", "'s", "Ġ", "123", "Ġab", "!!", "!", "Ċ"];
    assert_eq!(pieces(Some("gpt-2"), text), wanted);
    // Each digit by itself.
    let wanted = ["abc", "'s", "Ġ", "1", "2", "3", "Ġab", "!!", "!", "Ċ"];
    assert_eq!(pieces(Some("smollm"), text), wanted);
    // Llama 3: a begin in front, numbers of up to three digits without the blank, line breaks with signs, and a word
    // that is a token whole, though no merges lead there.
    let wanted = ["<end>", "abc", "'s", "Ġ", "123", "Ġab", "!!", "!Ċ"];
    assert_eq!(pieces(Some("llama-bpe"), text), wanted);
    assert_eq!(pieces(Some("llama-bpe"), "!!!"), ["<end>", "!!!"]);
    assert_eq!(pieces(Some("gpt-2"), "!!!"), ["!!", "!"]);
    assert_eq!(pieces(Some("qwen2"), text), ["abc", "'s", "Ġ", "1", "2", "3", "Ġab", "!!", "!Ċ"]);
    // Without a name: signs first, so that the apostrophe is cut off.
    for pre in [None, Some("default")] {
        assert_eq!(pieces(pre, text), ["abc", "'", "s", "Ġ", "123", "Ġab", "!!", "!", "Ċ"]);
    }
    assert_eq!(pieces(Some("gpt-2"), "ab  ab"), ["ab", "Ġ", "Ġab"]);
    assert_eq!(pieces(Some("gpt-2"), "ab\n\nab"), ["ab", "Ċ", "Ċ", "ab"]);
    assert_eq!(pieces(Some("llama-bpe"), "ab\n\nab"), ["<end>", "ab", "ĊĊ", "ab"]);
}

#[test]
fn special_tokens_are_found_first_and_control_tokens_are_no_text() {
    let tokenizer = tokenizer(&pairs(Some("gpt-2"))).unwrap();
    let ids = tokenizer.encode("ab<end><user>c").unwrap();
    assert_eq!(ids, [13, 0, 1, 4]);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "ab<user>c");
    assert_eq!(tokenizer.decode(&tokenizer.encode("abc's 123 ab!!!\n").unwrap()).unwrap(), "abc's 123 ab!!!\n");
}

#[test]
fn texts_begin_and_end_as_the_file_says() {
    use seqwright_tests::gguf::kind::BOOL;
    let with = |key: &str, value: u8| pairs(Some("gpt-2")).key(&format!("tokenizer.ggml.{key}"), BOOL, [value]);
    let ids = |file: &Gguf| tokenizer(file).unwrap().encode("ab").unwrap();
    assert_eq!(ids(&with("add_bos_token", 1)), [0, 13]);
    assert_eq!(ids(&with("add_eos_token", 1)), [13, 0]);
    assert_eq!(ids(&with("add_bos_token", 0)), [13]);
    let llama = pairs(Some("llama-bpe")).key("tokenizer.ggml.add_bos_token", BOOL, [0]);
    assert_eq!(ids(&llama), [13]);
    let mut unnamed = with("add_bos_token", 1);
    unnamed.keys.retain(|(name, ..)| name != "tokenizer.ggml.bos_token_id");
    assert!(tokenizer(&unnamed).unwrap_err().contains("puts a token at the beginning of texts and does not say which"));
}

/// `sentencepiece.json`: a vocabulary, and what its own package makes of texts.
#[test]
fn sentence_pieces_are_those_of_their_own_package() {
    use seqwright_tests::gguf::kind::BOOL;
    let text = fs::read_to_string(repository().join("tests/fixtures/gguf/sentencepiece.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    for (name, prefix) in [("prefixed", 1), ("plain", 0)] {
        let list = |key: &str| document[name][key].as_array().unwrap();
        let tokens: Vec<&str> = list("tokens").iter().map(|token| token.as_str().unwrap()).collect();
        let scores: Vec<f32> = list("scores").iter().map(|score| score.as_f64().unwrap() as f32).collect();
        let kinds: Vec<i32> = list("types").iter().map(|kind| kind.as_i64().unwrap() as i32).collect();
        let file = Gguf::default()
            .text("tokenizer.ggml.model", "llama")
            .texts("tokenizer.ggml.tokens", &tokens)
            .floats("tokenizer.ggml.scores", &scores)
            .integers("tokenizer.ggml.token_type", &kinds)
            .number("tokenizer.ggml.unknown_token_id", 0)
            .number("tokenizer.ggml.bos_token_id", 1)
            .key("tokenizer.ggml.add_space_prefix", BOOL, [prefix]);
        let tokenizer = tokenizer(&file).unwrap();
        for case in list("cases") {
            let text = case["text"].as_str().unwrap();
            let wanted: Vec<i64> = case["ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
            let ids = tokenizer.encode(text).unwrap();
            // The begin is not the package's.
            assert_eq!(ids[0], 1);
            assert_eq!(ids[1..], wanted, "{name}: {text}");
            assert_eq!(tokenizer.decode(&ids).unwrap(), case["decoded"].as_str().unwrap());
        }
    }
}

#[test]
fn impossible_vocabularies_are_told() {
    let without = |file: &Gguf, key: &str| {
        let mut file = file.clone();
        file.keys.retain(|(name, ..)| *name != format!("tokenizer.ggml.{key}"));
        file
    };
    let base = pairs(Some("gpt-2"));
    let merges = |merges: &[&str]| without(&base, "merges").texts("tokenizer.ggml.merges", merges);
    let tokens =
        |tokens: &[&str]| without(&without(&base, "tokens"), "token_type").texts("tokenizer.ggml.tokens", tokens);
    let id = |key: &str, id: i32| {
        let file = without(&base, key);
        file.key(&format!("tokenizer.ggml.{key}"), seqwright_tests::gguf::kind::I32, id.to_le_bytes())
    };
    let long = "x".repeat(300);
    let pieces = |scores: &[f32], tokens: &[&str]| {
        let file = Gguf::default().text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", tokens);
        file.floats("tokenizer.ggml.scores", scores)
    };
    for (file, wanted) in [
        (merges(&["a b", "a z"]), "its merge 1, `a z`, needs the token `z`, which it lacks"),
        (merges(&["b a"]), "its merge 0, `b a`, needs the token `ba`"),
        (merges(&["ab"]), "its merge 0, `ab`, is not two tokens with a blank between them"),
        (merges(&[""]), "its merge 0, ``, is not two tokens"),
        (merges(&[" "]), "is not two tokens"),
        (merges(&["a b c"]), "needs the token `b c`"),
        (tokens(&["a", "b", "a"]), "the token `a` stands twice in it, with the ids 0 and 2"),
        (tokens(&[]), "its list of tokens is empty"),
        (without(&base, "tokens"), "it has no list of tokens"),
        (without(&base, "merges"), "it has no list of merges"),
        (without(&base, "token_type").integers("tokenizer.ggml.token_type", &[1]), "24 tokens and 1 kinds of tokens"),
        (
            without(&base, "token_type").integers("tokenizer.ggml.token_type", &[9; 24]),
            "its token 0 is of the unknown kind 9",
        ),
        (base.clone().floats("tokenizer.ggml.scores", &[1.0]), "24 tokens and 1 scores"),
        (id("eos_token_id", 24), "its token for end of texts has the id 24, and it has 24 tokens"),
        (id("bos_token_id", -1), "its token for beginning of texts has the id -1"),
        (base.clone().number("tokenizer.ggml.padding_token_id", 99), "padding has the id 99"),
        (base.clone().number("tokenizer.ggml.unknown_token_id", u32::MAX), "unknown has the id 4294967295"),
        (
            without(&base, "model").text("tokenizer.ggml.model", "bert"),
            "it is of the kind `bert`, and Seqwright reads gpt2",
        ),
        (pairs(Some("viking")), "it cuts words by `viking`, and Seqwright knows default, gpt-2, smollm,"),
        (
            without(&base, "tokens").number("tokenizer.ggml.tokens", 1),
            "`tokenizer.ggml.tokens` should be a list of texts",
        ),
        (without(&base, "merges").integers("tokenizer.ggml.merges", &[1]), "should be a list of texts"),
        (id("eos_token_id", 0).text("tokenizer.ggml.add_bos_token", "yes"), "should be true or false"),
        (pieces(&[f32::NAN], &["a"]), "the score of its token 0, `a`, is no number"),
        (pieces(&[0.0], &[&long]), "is 300 bytes long, and the most is 256"),
        (without(&pieces(&[0.0], &["a"]), "scores"), "it has no list of scores"),
    ] {
        let found = tokenizer(&file).unwrap_err();
        assert!(found.starts_with("cannot read ") && found.contains("m.gguf: "), "{found}");
        assert!(found.contains(wanted), "{found}\nlacks: {wanted}");
        assert!(found.len() < 400, "{found}");
    }
}

#[test]
fn random_vocabularies_end_well() {
    let mut random = Random(5);
    let letters = ["a", "b", "Ġ", "", "<0x41>", "ab", "▁a", "\u{301}", "\0", " "];
    for round in 0..400 {
        let some = |random: &mut Random| {
            (0..random.below(3)).map(|_| letters[random.below(letters.len())]).collect::<String>()
        };
        let tokens: Vec<String> = (0..random.below(12)).map(|_| some(&mut random)).collect();
        let merges: Vec<String> =
            (0..random.below(6)).map(|_| format!("{} {}", some(&mut random), some(&mut random))).collect();
        let kinds: Vec<i32> = tokens.iter().map(|_| random.below(7) as i32).collect();
        let scores: Vec<f32> = tokens.iter().map(|_| random.number()).collect();
        let texts = |list: &[String]| -> Vec<String> { list.to_vec() };
        let (tokens, merges) = (texts(&tokens), texts(&merges));
        let of = |list: &'_ [String]| -> Vec<&'static str> { list.iter().map(|text| &*text.clone().leak()).collect() };
        let file = Gguf::default()
            .text("tokenizer.ggml.model", if round % 2 == 0 { "gpt2" } else { "llama" })
            .text("tokenizer.ggml.pre", ["default", "gpt-2", "smollm", "llama-bpe", "qwen2"][random.below(5)])
            .texts("tokenizer.ggml.tokens", &of(&tokens))
            .texts("tokenizer.ggml.merges", &of(&merges))
            .integers("tokenizer.ggml.token_type", &kinds)
            .floats("tokenizer.ggml.scores", &scores)
            .number("tokenizer.ggml.unknown_token_id", random.below(4) as u32)
            .number("tokenizer.ggml.bos_token_id", random.below(4) as u32);
        if let Ok(tokenizer) = tokenizer(&file)
            && let Ok(ids) = tokenizer.encode("ab  \u{301}z\0 Ġ▁")
        {
            let _ = tokenizer.decode(&ids);
        }
    }
}

#[test]
fn a_text_of_blanks_alone_takes_no_longer_than_another() {
    let tokenizer = tokenizer(&pairs(Some("gpt-2"))).unwrap();
    let start = Instant::now();
    let ids = tokenizer.encode(&" ".repeat(100_000)).unwrap();
    assert_eq!(ids.len(), 50_000);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
