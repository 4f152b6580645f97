use super::*;
use crate::weights::testing::file_in_folder;

/// One token for each byte; 256 and 257 are special.
const BYTES: &str = include_str!("../../tests/tokenizers/bytes.json");

fn bytes() -> Tokenizer {
    let (_folder, path) = file_in_folder("tokenizer.json", BYTES.as_bytes());
    Tokenizer::open(&path).unwrap()
}

/// What is shown at each token of a text, and at its end.
fn shown(text: &[u8], stops: &[&str]) -> (Vec<String>, Option<String>) {
    let tokenizer = bytes();
    let stops: Vec<String> = stops.iter().map(|stop| stop.to_string()).collect();
    let mut all = Text::new(&tokenizer, &stops, &[256, 65]);
    let mut shown: Vec<String> = text.iter().map(|byte| all.push(u32::from(*byte)).unwrap()).collect();
    shown.push(all.finish());
    assert_eq!(shown.concat(), all.shown());
    (shown, all.stopped().map(str::to_string))
}

#[test]
fn letters_come_when_all_of_their_bytes_are_there() {
    let (parts, _) = shown("aé€😀".as_bytes(), &[]);
    assert_eq!(parts, ["a", "", "é", "", "", "€", "", "", "", "😀", ""]);
    // Half a letter at the end, and bytes that begin none.
    let (parts, _) = shown(b"a\xc3", &[]);
    assert_eq!(parts, ["a", "", "\u{fffd}"]);
    let (parts, _) = shown(b"\xffa", &[]);
    assert_eq!(parts, ["", "\u{fffd}a", ""]);
    let (parts, _) = shown(&[0xff; 20], &[]);
    assert_eq!(parts.concat(), "\u{fffd}".repeat(20));
    assert!(parts.iter().filter(|part| !part.is_empty()).count() > 1, "{parts:?}");
}

#[test]
fn a_text_ends_before_the_first_stop() {
    let (parts, stopped) = shown(b"one two three", &["two", "ree"]);
    assert_eq!(parts.concat(), "one ");
    assert_eq!(stopped.as_deref(), Some("two"));
    // What may begin one is held back, and shown when it is not.
    let (parts, stopped) = shown(b"a##b##", &["###"]);
    assert_eq!(parts, ["a", "", "", "##b", "", "", "##"]);
    assert_eq!(stopped, None);
    let (parts, stopped) = shown(b"aaab", &["aab"]);
    assert_eq!((parts.concat().as_str(), stopped.as_deref()), ("a", Some("aab")));
    // Of several at one place any is right; the first letter decides otherwise.
    let (parts, stopped) = shown("x😀y".as_bytes(), &["😀"]);
    assert_eq!((parts.concat().as_str(), stopped.as_deref()), ("x", Some("😀")));
}

#[test]
fn special_tokens_are_no_text_and_unknown_ones_are_errors() {
    let tokenizer = bytes();
    let mut text = Text::new(&tokenizer, &[], &[]);
    assert_eq!(text.push(97).unwrap(), "a");
    assert_eq!(text.push(257).unwrap(), "");
    assert_eq!(text.push(98).unwrap(), "b");
    assert!(text.push(258).unwrap_err().contains("no token with the id 258"));
}
