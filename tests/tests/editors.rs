//! What editors colour: the words in their grammars are those of the language's own grammar, and no others.

use seqwright_tests::sources::repository;
use serde_json::Value;
use std::collections::BTreeSet;

fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Every word that `grammar/seq.pest` has in quotes.
fn words_of_the_grammar() -> BTreeSet<String> {
    let text = text("grammar/seq.pest");
    let code = text.lines().map(|line| line.split("//").next().unwrap_or(""));
    let quoted = code.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_word = |word: &&str| word.len() > 1 && word.chars().all(|letter| letter.is_ascii_lowercase());
    quoted.filter(is_word).map(str::to_string).collect()
}

/// The words in a pattern: runs of small letters that are no escape.
fn words_in(pattern: &str, words: &mut BTreeSet<String>) {
    let mut word = String::new();
    let mut letters = pattern.chars().chain([' ']);
    while let Some(letter) = letters.next() {
        if letter.is_ascii_lowercase() {
            word.push(letter);
            continue;
        }
        if word.len() > 1 {
            words.insert(word.clone());
        }
        word.clear();
        if letter == '\\' {
            letters.next();
        }
    }
}

fn patterns(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(all) => {
            for (key, value) in all {
                match value {
                    Value::String(pattern) if key == "match" => found.push(pattern.clone()),
                    other => patterns(other, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| patterns(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_textmate_grammar_has_the_words_of_the_language() {
    let document: Value =
        serde_json::from_str(&text("editors/vscode/syntaxes/seq.tmLanguage.json")).expect("it is JSON");
    let mut all = Vec::new();
    patterns(&document["repository"], &mut all);
    let mut words = BTreeSet::new();
    all.iter().for_each(|pattern| words_in(pattern, &mut words));
    // The comment that asks for snapshots is no part of the grammar.
    assert!(words.remove("snapshot"), "{words:?}");
    assert_eq!(words, words_of_the_grammar());
}

#[test]
fn the_vim_syntax_has_the_words_of_the_language() {
    let mut words = BTreeSet::new();
    for line in text("editors/vim/syntax/seq.vim").lines() {
        let pattern =
            line.strip_prefix("syntax keyword seqKind ").or_else(|| line.strip_prefix("syntax keyword seqWord "));
        let pattern = pattern.or_else(|| line.strip_prefix("syntax match seqStatement "));
        words_in(&pattern.unwrap_or("").replace("\\zs", "").replace("\\ze", ""), &mut words);
    }
    assert_eq!(words, words_of_the_grammar());
}

#[test]
fn the_extension_names_files_that_are_there() {
    let package: Value = serde_json::from_str(&text("editors/vscode/package.json")).expect("it is JSON");
    let contributes = &package["contributes"];
    for file in [&package["main"], &contributes["languages"][0]["configuration"], &contributes["grammars"][0]["path"]] {
        let file = file.as_str().expect("a path").trim_start_matches("./");
        assert!(repository().join("editors/vscode").join(file).is_file(), "{file}");
    }
    serde_json::from_str::<Value>(&text("editors/vscode/language-configuration.json")).expect("it is JSON");
}
