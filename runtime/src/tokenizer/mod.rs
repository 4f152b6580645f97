//! Text to token ids and back, by a published `tokenizer.json` or the vocabulary of a GGUF file.
//!
//! In: the path of a `tokenizer.json` or a vocabulary, texts, token ids. Out: one list of ids
//! per text, with the special tokens that the model was trained with (`[CLS]` and `[SEP]`, say) and as long as the text:
//! padding and truncation that the file asks for are switched off, because batches here are
//! ragged and a maximum is the model's to say ([`Tokenizer::limited_to`]).
//!
//! The work is the `tokenizers` crate's, behind the cargo feature of that name. Without it the
//! same functions exist and [`Tokenizer::open`] says what to build. Pairs of texts, chat
//! templates and offsets into the text are not its part.
//!
//! | file | what it does |
//! | --- | --- |
//! | `vocabulary.rs` | what a GGUF file says about a tokenizer, and whether it can be |
//! | `gguf.rs` | the tokenizer of a vocabulary |
//! | `granted.rs` | what the library takes for granted of a `tokenizer.json` |
//! | `guard.rs` | where the library stops all the same |

#[cfg(feature = "tokenizers")]
mod gguf;
#[cfg(feature = "tokenizers")]
mod granted;
#[cfg(feature = "tokenizers")]
mod guard;
// What a file says is read without the tokenizers too; only they look at it.
#[cfg_attr(not(feature = "tokenizers"), allow(dead_code))]
mod vocabulary;

use std::path::Path;

pub(crate) use self::vocabulary::Vocabulary;
#[cfg(feature = "tokenizers")]
use {self::guard::guarded, crate::weights::read_regular};

/// A tokenizer, ready to use from any thread.
#[derive(Debug)]
pub struct Tokenizer {
    inner: Inner,
}

impl Tokenizer {
    /// Reads the `tokenizer.json` at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not a tokenizer, and in a build without the feature
    /// `tokenizers`.
    pub fn open(path: &Path) -> Result<Tokenizer, String> {
        Ok(Tokenizer { inner: Inner::open(path)? })
    }

    /// The tokenizer of a GGUF file's vocabulary.
    ///
    /// # Errors
    ///
    /// When the vocabulary can't be one, when it is of a kind that is not read, and in a build
    /// without the feature `tokenizers`; the text says what is wrong, not in which file.
    pub(crate) fn from_vocabulary(vocabulary: &Vocabulary<'_>) -> Result<Tokenizer, String> {
        Ok(Tokenizer { inner: Inner::from_vocabulary(vocabulary)? })
    }

    /// The same tokenizer with texts cut off at so many tokens, special tokens included; `None`
    /// for no limit, as after [`Tokenizer::open`].
    ///
    /// # Errors
    ///
    /// When the maximum leaves no room beside the special tokens.
    pub fn limited_to(mut self, maximum_tokens: Option<usize>) -> Result<Tokenizer, String> {
        self.inner.limit_to(maximum_tokens)?;
        Ok(self)
    }

    /// The ids of `text`, special tokens included.
    ///
    /// # Errors
    ///
    /// When the tokenizer has no token for a part of the text and none for unknown parts.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>, String> {
        self.inner.encode(text)
    }

    /// The ids of `text` alone: special tokens that stand in it, and no others.
    ///
    /// # Errors
    ///
    /// As for [`Tokenizer::encode`].
    pub fn encode_alone(&self, text: &str) -> Result<Vec<i64>, String> {
        self.inner.encode_alone(text)
    }

    /// The id of a token, if the vocabulary has it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.id(token)
    }

    /// The token with this id, as the vocabulary has it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.token(id)
    }

    /// The text of `ids`, special tokens left out.
    ///
    /// # Errors
    ///
    /// When an id is not in the vocabulary.
    pub fn decode(&self, ids: &[i64]) -> Result<String, String> {
        self.inner.decode(ids)
    }
}

/// The largest `tokenizer.json` that is read, in bytes: several times the largest that is published.
#[cfg(feature = "tokenizers")]
const LARGEST: u64 = 200_000_000;

#[cfg(feature = "tokenizers")]
#[derive(Debug)]
struct Inner {
    tokenizer: tokenizers::Tokenizer,
}

/// The beginning of what the library says, which may quote a whole file.
#[cfg(feature = "tokenizers")]
fn short_problem(said: &str) -> String {
    let mut short: String =
        said.chars().take(200).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if said.chars().nth(200).is_some() {
        short.push('…');
    }
    short
}

#[cfg(feature = "tokenizers")]
impl Inner {
    fn open(path: &Path) -> Result<Inner, String> {
        let cannot = |problem: String| format!("cannot read {}: {problem}", path.display());
        let bytes = read_regular(path, LARGEST).map_err(|error| cannot(error.to_string()))?;
        let bytes = bytes.ok_or_else(|| cannot(format!("a tokenizer has {LARGEST} bytes at most")))?;
        let wrong = |said: String| cannot(format!("it is not a tokenizer.json: {}", short_problem(&said)));
        granted::check(&bytes).map_err(wrong)?;
        let tokenizer = guarded(|| {
            let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes)
                .map_err(|error| format!("it is not a tokenizer.json: {}", short_problem(&error.to_string())))?;
            tokenizer.with_padding(None);
            tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
            Ok(tokenizer)
        });
        Ok(Inner { tokenizer: tokenizer.map_err(cannot)? })
    }

    fn from_vocabulary(vocabulary: &Vocabulary<'_>) -> Result<Inner, String> {
        Ok(Inner { tokenizer: guarded(|| gguf::build(vocabulary))? })
    }

    fn limit_to(&mut self, maximum_tokens: Option<usize>) -> Result<(), String> {
        // Switched off first, so that the empty text below shows all special tokens.
        self.tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
        let Some(maximum) = maximum_tokens else {
            return Ok(());
        };
        // The crate subtracts the special tokens from the maximum without looking.
        let special_tokens = self.encode("")?.len();
        if maximum <= special_tokens {
            return Err(format!(
                "a maximum of {maximum} tokens leaves no room for text beside {special_tokens} \
                 special tokens"
            ));
        }
        let parameters = tokenizers::TruncationParams { max_length: maximum, ..Default::default() };
        self.tokenizer.with_truncation(Some(parameters)).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn encode(&self, text: &str) -> Result<Vec<i64>, String> {
        self.encode_with(text, true)
    }

    fn encode_alone(&self, text: &str) -> Result<Vec<i64>, String> {
        self.encode_with(text, false)
    }

    fn encode_with(&self, text: &str, special: bool) -> Result<Vec<i64>, String> {
        let cannot = |error: String| format!("cannot tokenize the text: {error}");
        let encode = || self.tokenizer.encode_fast(text, special).map_err(|error| error.to_string());
        let encoding = guarded(encode).map_err(cannot)?;
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }

    fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    fn token(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    fn decode(&self, ids: &[i64]) -> Result<String, String> {
        // The crate would leave out ids that it doesn't know.
        let known = |&id: &i64| {
            let known = u32::try_from(id).ok().filter(|&id| self.tokenizer.id_to_token(id).is_some());
            known.ok_or_else(|| format!("there is no token with the id {id}"))
        };
        let ids = ids.iter().map(known).collect::<Result<Vec<u32>, String>>()?;
        let decode = || self.tokenizer.decode(&ids, true).map_err(|error| error.to_string());
        guarded(decode).map_err(|error| format!("cannot turn the tokens into text: {error}"))
    }
}

/// In a build without tokenizers there is none to have: the type has no values.
#[cfg(not(feature = "tokenizers"))]
#[derive(Debug)]
enum Inner {}

#[cfg(not(feature = "tokenizers"))]
impl Inner {
    fn open(path: &Path) -> Result<Inner, String> {
        Err(format!("cannot read {}: this build has no tokenizers: build with `--features tokenizers`", path.display()))
    }

    fn from_vocabulary(_vocabulary: &Vocabulary<'_>) -> Result<Inner, String> {
        Err("this build has no tokenizers: build with `--features tokenizers`".to_string())
    }

    fn limit_to(&mut self, _maximum_tokens: Option<usize>) -> Result<(), String> {
        match *self {}
    }

    fn encode(&self, _text: &str) -> Result<Vec<i64>, String> {
        match *self {}
    }

    fn encode_alone(&self, _text: &str) -> Result<Vec<i64>, String> {
        match *self {}
    }

    fn id(&self, _token: &str) -> Option<u32> {
        match *self {}
    }

    fn token(&self, _id: u32) -> Option<String> {
        match *self {}
    }

    fn decode(&self, _ids: &[i64]) -> Result<String, String> {
        match *self {}
    }
}

#[cfg(all(test, not(feature = "tokenizers")))]
mod tests_without_the_feature {
    use super::*;

    #[test]
    fn opening_says_what_to_build() {
        let message = Tokenizer::open(Path::new("tokenizer.json")).unwrap_err();
        assert!(message.contains("build with `--features tokenizers`"), "{message}");
    }
}

#[cfg(all(test, feature = "tokenizers"))]
mod tests {
    use super::*;
    use crate::weights::testing::{cached_model, file_in_folder};

    /// A tokenizer of four words that pads and truncates to three tokens if it is let.
    const SMALL: &str = r###"{"version":"1.0",
        "truncation":{"max_length":3,"strategy":"LongestFirst","stride":0},
        "padding":{"strategy":{"Fixed":3},"direction":"Right","pad_to_multiple_of":null,
            "pad_id":0,"pad_type_id":0,"pad_token":"[PAD]"},
        "added_tokens":[
            {"id":1,"special":true,"content":"[CLS]","single_word":false,"lstrip":false,
                "rstrip":false,"normalized":false},
            {"id":2,"special":true,"content":"[SEP]","single_word":false,"lstrip":false,
                "rstrip":false,"normalized":false}],
        "normalizer":{"type":"Lowercase"},
        "pre_tokenizer":{"type":"Whitespace"},
        "post_processor":{"type":"TemplateProcessing",
            "single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},
                {"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}}],
            "pair":[],
            "special_tokens":{"[CLS]":{"id":"[CLS]","ids":[1],"tokens":["[CLS]"]},
                "[SEP]":{"id":"[SEP]","ids":[2],"tokens":["[SEP]"]}}},
        "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
        "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
            "max_input_chars_per_word":100,
            "vocab":{"[PAD]":0,"[CLS]":1,"[SEP]":2,"[UNK]":3,"one":4,"two":5,"##s":6}}}"###;

    fn small() -> Tokenizer {
        let (_folder, path) = file_in_folder("tokenizer.json", SMALL.as_bytes());
        Tokenizer::open(&path).unwrap()
    }

    #[test]
    fn texts_keep_their_length() {
        let tokenizer = small();
        assert_eq!(tokenizer.encode("").unwrap(), [1, 2]);
        assert_eq!(tokenizer.encode("One ones two three").unwrap(), [1, 4, 4, 6, 5, 3, 2]);
        assert_eq!(tokenizer.decode(&[1, 4, 6, 5, 2]).unwrap(), "ones two");
    }

    #[test]
    fn a_maximum_counts_the_special_tokens() {
        let tokenizer = small().limited_to(Some(4)).unwrap();
        assert_eq!(tokenizer.encode("one two one two").unwrap(), [1, 4, 5, 2]);
        assert_eq!(tokenizer.encode("one").unwrap(), [1, 4, 2]);
        let tokenizer = tokenizer.limited_to(Some(3)).unwrap().limited_to(None).unwrap();
        assert_eq!(tokenizer.encode("one two one").unwrap(), [1, 4, 5, 4, 2]);
        for maximum in 0..3 {
            let message = small().limited_to(Some(maximum)).unwrap_err();
            assert!(message.contains("leaves no room for text beside 2"), "{message}");
        }
    }

    #[test]
    fn unknown_ids_and_bad_files_are_errors() {
        for id in [-1, 7, i64::MAX] {
            let message = small().decode(&[4, id]).unwrap_err();
            assert_eq!(message, format!("there is no token with the id {id}"));
        }
        let message = Tokenizer::open(Path::new("no/tokenizer.json")).unwrap_err();
        assert!(message.starts_with("cannot read no/tokenizer.json: "), "{message}");
        for length in [0, 1, SMALL.len() / 2, SMALL.len() - 1] {
            let (_folder, path) = file_in_folder("tokenizer.json", &SMALL.as_bytes()[..length]);
            let message = Tokenizer::open(&path).unwrap_err();
            assert!(message.contains("it is not a tokenizer.json: "), "{message}");
        }
    }

    #[test]
    fn minilm_gives_the_published_ids() {
        let Some(folder) = cached_model("minilm") else {
            return;
        };
        let tokenizer = Tokenizer::open(&folder.join("tokenizer.json")).unwrap();
        let ids = tokenizer.encode("A man is eating food.").unwrap();
        assert_eq!(ids, [101, 1037, 2158, 2003, 5983, 2833, 1012, 102]);
        assert_eq!(tokenizer.decode(&ids).unwrap(), "a man is eating food.");
        let long = "food ".repeat(1000);
        assert_eq!(tokenizer.encode(&long).unwrap().len(), 1002);
        let tokenizer = tokenizer.limited_to(Some(256)).unwrap();
        let ids = tokenizer.encode(&long).unwrap();
        assert_eq!((ids.len(), ids[0], ids[255]), (256, 101, 102));
    }
}
