//! A tokenizer from a GGUF file's vocabulary, as the `tokenizers` crate has it.
//!
//! In: a [`Vocabulary`]. Out: the tokenizer that the model's publisher trained, token for token.
//!
//! | model in the file | what it is |
//! | --- | --- |
//! | `gpt2` | pairs of bytes (Sennrich et al. 2016; Radford et al. 2019): texts are cut into words, each byte of a word is a letter, and pairs of letters are merged in the order of the file |
//! | `llama` | SentencePiece (Kudo and Richardson 2018) with pairs: blanks are letters, and the pair whose token has the highest score is merged first; what has no letter is written in bytes |
//!
//! What it can't do: WordPiece (`bert`), unigrams (`t5`) and the others, and ways to cut words that
//! are not listed here.

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, BpeBuilder, Merges, Vocab};
use tokenizers::normalizers::{NFC, Prepend, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

use super::vocabulary::{Checked, Kind, Vocabulary, short};

/// The longest token that pairs are looked for in, in bytes: SentencePiece makes them of a few letters.
const LONGEST_PIECE: usize = 256;

/// The blank as SentencePiece writes it.
const BLANK: &str = "▁";

/// GPT-2's words (Radford et al. 2019).
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Llama 3's words: up to three digits, and line breaks kept with signs.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Qwen 2's words: the same with single digits.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A single digit.
const DIGIT: &str = r"\p{N}";

/// What llama.cpp cuts by where a file names no way to cut: signs, GPT-2's words but for the last
/// blanks, numbers, and three digits each.
const DEFAULT: [&str; 4] = [
    r"[\p{P}\$\+<=>\^~\|]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"\p{N}+",
    r"[0-9][0-9][0-9]",
];

/// How a text is cut into words.
struct Words {
    /// Each cuts what those before it have left, matches and what lies between them.
    patterns: &'static [&'static str],
    /// Whether a word that is a token is that token, whatever the merges make of it.
    whole_words: bool,
    /// Whether a text begins with a special token where the file doesn't say.
    add_beginning: bool,
    /// Whether letters with accents are put together first.
    compose: bool,
}

impl Words {
    const fn by(patterns: &'static [&'static str]) -> Words {
        Words { patterns, whole_words: false, add_beginning: false, compose: false }
    }
}

/// The ways to cut words, by the names that files have for them.
fn words(pre: Option<&str>) -> Result<Words, String> {
    Ok(match pre.unwrap_or("default") {
        "default" => Words::by(&DEFAULT),
        "gpt-2" | "phi-2" | "mpt" | "olmo" | "jina-es" | "jina-de" => Words::by(&[GPT2]),
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" => Words::by(&[DIGIT, GPT2]),
        "llama-bpe" | "llama3" | "llama-v3" => Words { whole_words: true, add_beginning: true, ..Words::by(&[LLAMA3]) },
        "qwen2" => Words { compose: true, ..Words::by(&[QWEN2]) },
        other => {
            return Err(format!(
                "it cuts words by `{}`, and Seqwright knows default, gpt-2, smollm, llama-bpe and qwen2",
                other.escape_debug().take(40).collect::<String>()
            ));
        }
    })
}

/// The tokenizer of a vocabulary. An error goes on from "its tokenizer: ".
pub(super) fn build(vocabulary: &Vocabulary<'_>) -> Result<Tokenizer, String> {
    match vocabulary.model {
        "gpt2" => byte_pairs(vocabulary),
        "llama" => sentence_pieces(vocabulary),
        other => Err(format!(
            "it is of the kind `{}`, and Seqwright reads gpt2 (byte-level pairs) and llama (SentencePiece)",
            other.escape_debug().take(40).collect::<String>()
        )),
    }
}

fn byte_pairs(vocabulary: &Vocabulary<'_>) -> Result<Tokenizer, String> {
    let checked = vocabulary.check()?;
    let words = words(vocabulary.pre)?;
    let merges = vocabulary.merges.as_ref().ok_or("it has no list of merges")?;
    let merges = merges.iter().enumerate().map(|merge| pair(merge, &checked)).collect::<Result<_, _>>()?;
    let model = model(&checked, merges).ignore_merges(words.whole_words).build().map_err(|error| error.to_string())?;
    let mut tokenizer = Tokenizer::new(model);
    let mut cuts: Vec<PreTokenizerWrapper> = Vec::new();
    for pattern in words.patterns {
        let pattern = SplitPattern::Regex((*pattern).to_string());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(|error| error.to_string())?;
        cuts.push(split.into());
    }
    cuts.push(ByteLevel::new(false, true, false).into());
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(cuts)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    if words.compose {
        tokenizer.with_normalizer(Some(NFC)).map_err(|error| error.to_string())?;
    }
    add_special(&mut tokenizer, &checked)?;
    put_around(&mut tokenizer, vocabulary, &checked, words.add_beginning)?;
    Ok(tokenizer)
}

/// The two tokens of a merge, both of which and whose joint are in the vocabulary.
fn pair((number, merge): (usize, &&str), checked: &Checked<'_>) -> Result<(String, String), String> {
    // A blank in front is a letter of the first token.
    let first = merge.chars().next().map_or(0, char::len_utf8);
    let split = merge.get(first..).and_then(|rest| rest.find(' '));
    let Some((left, right)) = split.map(|place| (&merge[..first + place], &merge[first + place + 1..])) else {
        return Err(format!("its merge {number}, {}, is not two tokens with a blank between them", short(merge)));
    };
    for token in [left, right, &[left, right].concat()] {
        if !checked.ids.contains_key(token) {
            let shown = short(token);
            return Err(format!("its merge {number}, {}, needs the token {shown}, which it lacks", short(merge)));
        }
    }
    Ok((left.to_string(), right.to_string()))
}

fn sentence_pieces(vocabulary: &Vocabulary<'_>) -> Result<Tokenizer, String> {
    let checked = vocabulary.check()?;
    if vocabulary.remove_extra_blanks == Some(true) {
        return Err("it reads several blanks as one, which Seqwright does not".to_string());
    }
    let merges = pairs_by_score(vocabulary, &checked)?;
    let mut model = model(&checked, merges).byte_fallback(true).fuse_unk(true);
    if let Some(unknown) = checked.token(vocabulary.unknown) {
        model = model.unk_token(unknown.to_string());
    }
    let mut tokenizer = Tokenizer::new(model.build().map_err(|error| error.to_string())?);
    let blank_first = vocabulary.add_space_prefix.unwrap_or(true);
    let replace = |from: &str, to: &str| Replace::new(from, to).map_err(|error| error.to_string());
    let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
    if blank_first {
        normalizers.push(Prepend::new(BLANK.to_string()).into());
    }
    normalizers.push(replace(" ", BLANK)?.into());
    tokenizer.with_normalizer(Some(Normalizers::new(normalizers))).map_err(|error| error.to_string())?;
    let mut decoders = vec![replace(BLANK, " ")?.into(), ByteFallback::new().into(), Fuse::new().into()];
    if blank_first {
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    tokenizer.with_decoder(Some(Decoders::new(decoders)));
    add_special(&mut tokenizer, &checked)?;
    put_around(&mut tokenizer, vocabulary, &checked, true)?;
    Ok(tokenizer)
}

/// Every way to make a token of two others, that with the highest score first. Of the ways to make
/// one token, those come first whose left parts have the smaller ids.
fn pairs_by_score(vocabulary: &Vocabulary<'_>, checked: &Checked<'_>) -> Result<Merges, String> {
    let scores = vocabulary.scores.as_ref().ok_or("it has no list of scores")?;
    let text = |id: usize| matches!(checked.kinds[id], Kind::Normal | Kind::UserDefined);
    let mut ranked = Vec::new();
    for (id, token) in checked.tokens.iter().enumerate().filter(|(id, _)| text(*id)) {
        if scores[id].is_nan() {
            return Err(format!("the score of its token {id}, {}, is no number", short(token)));
        }
        if token.len() > LONGEST_PIECE {
            return Err(format!(
                "its token {id}, {}, is {} bytes long, and the most is {LONGEST_PIECE}",
                short(token),
                token.len()
            ));
        }
        for (place, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(place);
            if let (Some(one), Some(other)) = (checked.ids.get(left), checked.ids.get(right))
                && text(*one as usize)
                && text(*other as usize)
            {
                ranked.push((scores[id], *one, *other));
            }
        }
    }
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then((one.1, one.2).cmp(&(other.1, other.2))));
    let token = |id: u32| checked.tokens[id as usize].to_string();
    Ok(ranked.into_iter().map(|(_, one, other)| (token(one), token(other))).collect())
}

fn model(checked: &Checked<'_>, merges: Merges) -> BpeBuilder {
    let vocab: Vocab = checked.ids.iter().map(|(token, id)| ((*token).to_string(), *id)).collect();
    BPE::builder().vocab_and_merges(vocab, merges)
}

/// Tokens that are found in a text before anything else; those that are no text are left out when
/// ids become a text again.
fn add_special(tokenizer: &mut Tokenizer, checked: &Checked<'_>) -> Result<(), String> {
    let tokens = checked.tokens.iter().zip(&checked.kinds).filter_map(|(token, kind)| {
        let special = match kind {
            Kind::Control | Kind::Unknown => true,
            Kind::UserDefined => false,
            Kind::Normal | Kind::Unused | Kind::Byte => return None,
        };
        Some(AddedToken::from((*token).to_string(), special).normalized(false))
    });
    tokenizer.add_tokens(tokens).map_err(|error| error.to_string())?;
    Ok(())
}

/// The special tokens that every text begins and ends with.
fn put_around(
    tokenizer: &mut Tokenizer,
    vocabulary: &Vocabulary<'_>,
    checked: &Checked<'_>,
    add_beginning: bool,
) -> Result<(), String> {
    let wanted = |add: Option<bool>, usual: bool, id: Option<i64>, what: &str| match (add, id) {
        (Some(true), None) => Err(format!("it puts a token at the {what} of texts and does not say which")),
        (add, id) if add.unwrap_or(usual) => Ok(checked.token(id).zip(id)),
        (_, _) => Ok(None),
    };
    let first = wanted(vocabulary.add_beginning, add_beginning, vocabulary.beginning, "beginning")?;
    let last = wanted(vocabulary.add_end, false, vocabulary.end, "end")?;
    if first.is_none() && last.is_none() {
        return Ok(());
    }
    let special = |token: &str| serde_json::json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let text = serde_json::json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let mut single: Vec<serde_json::Value> = Vec::new();
    single.extend(first.map(|(token, _)| special(token)));
    single.push(text);
    single.extend(last.map(|(token, _)| special(token)));
    let tokens: serde_json::Map<String, serde_json::Value> = first
        .into_iter()
        .chain(last)
        .map(|(token, id)| (token.to_string(), serde_json::json!({ "id": token, "ids": [id], "tokens": [token] })))
        .collect();
    let template = serde_json::json!({ "single": single, "pair": [], "special_tokens": tokens });
    let template: TemplateProcessing = serde_json::from_value(template).map_err(|error| error.to_string())?;
    tokenizer.with_post_processor(Some(template));
    Ok(())
}
