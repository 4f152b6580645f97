//! A vocabulary as a GGUF file has it, and what must hold for it to be one.
//!
//! In: lists of tokens, their kinds and scores, merges, and the ids of special tokens, each as the
//! file says it. Out: [`Checked`], in which every token stands once and every id is one of a token,
//! or a sentence that names the entry that can't be.

use std::collections::HashMap;

/// The longest part of a token that a message repeats, in letters.
const LONGEST_QUOTE: usize = 40;

/// What a file says about a tokenizer. What is `None` is not in the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vocabulary<'file> {
    /// How texts become tokens: `gpt2` (byte-level pairs), `llama` (SentencePiece), …
    pub model: &'file str,
    /// How texts are cut into words first.
    pub pre: Option<&'file str>,
    /// The tokens; a token's place is its id.
    pub tokens: Option<Vec<&'file str>>,
    /// A score for each token.
    pub scores: Option<Vec<f64>>,
    /// The kind of each token.
    pub types: Option<Vec<i64>>,
    /// Pairs of tokens that become one, with a blank between them, the first one to do first.
    pub merges: Option<Vec<&'file str>>,
    /// The id of the token that texts begin with.
    pub beginning: Option<i64>,
    /// The id of the token that texts end with.
    pub end: Option<i64>,
    /// The id of the token that stands for what no other token does.
    pub unknown: Option<i64>,
    /// The id of the token that fills up batches.
    pub padding: Option<i64>,
    /// Whether a text begins with that token.
    pub add_beginning: Option<bool>,
    /// Whether a text ends with that token.
    pub add_end: Option<bool>,
    /// Whether a text is read as if a blank stood before it.
    pub add_space_prefix: Option<bool>,
    /// Whether several blanks are read as one.
    pub remove_extra_blanks: Option<bool>,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A piece of text.
    Normal,
    /// It stands for what no other token does.
    Unknown,
    /// A sign to the model, no text.
    Control,
    /// A piece of text that is found before anything else.
    UserDefined,
    /// Nothing.
    Unused,
    /// A single byte.
    Byte,
}

/// A vocabulary in which every token stands once.
pub(crate) struct Checked<'file> {
    /// The tokens by id.
    pub tokens: Vec<&'file str>,
    /// Their kinds.
    pub kinds: Vec<Kind>,
    /// Their ids.
    pub ids: HashMap<&'file str, u32>,
}

impl<'file> Vocabulary<'file> {
    /// Looks at the tokens, their kinds, and the ids of special ones.
    pub fn check(&self) -> Result<Checked<'file>, String> {
        let tokens = self.tokens.clone().ok_or("it has no list of tokens")?;
        if tokens.is_empty() {
            return Err("its list of tokens is empty".to_string());
        }
        let count = u32::try_from(tokens.len()).map_err(|_| format!("it has {} tokens", tokens.len()))?;
        let mut ids = HashMap::new();
        for (id, token) in (0..count).zip(&tokens) {
            if let Some(before) = ids.insert(*token, id) {
                return Err(format!("the token {} stands twice in it, with the ids {before} and {id}", short(token)));
            }
        }
        if let Some(scores) = &self.scores
            && scores.len() != tokens.len()
        {
            return Err(format!("it has {} tokens and {} scores", tokens.len(), scores.len()));
        }
        let kinds = match &self.types {
            None => vec![Kind::Normal; tokens.len()],
            Some(types) if types.len() != tokens.len() => {
                return Err(format!("it has {} tokens and {} kinds of tokens", tokens.len(), types.len()));
            }
            Some(types) => types.iter().enumerate().map(kind).collect::<Result<_, _>>()?,
        };
        for (id, what) in [
            (self.beginning, "beginning of texts"),
            (self.end, "end of texts"),
            (self.unknown, "unknown"),
            (self.padding, "padding"),
        ] {
            if let Some(id) = id
                && !(0..i64::from(count)).contains(&id)
            {
                return Err(format!("its token for {what} has the id {id}, and it has {count} tokens"));
            }
        }
        Ok(Checked { tokens, kinds, ids })
    }
}

fn kind((id, number): (usize, &i64)) -> Result<Kind, String> {
    match number {
        // 0 is what files have that do not say.
        0 | 1 => Ok(Kind::Normal),
        2 => Ok(Kind::Unknown),
        3 => Ok(Kind::Control),
        4 => Ok(Kind::UserDefined),
        5 => Ok(Kind::Unused),
        6 => Ok(Kind::Byte),
        other => Err(format!("its token {id} is of the unknown kind {other}")),
    }
}

impl<'file> Checked<'file> {
    /// The token of an id that a [`Vocabulary`] names; ids were looked at.
    pub fn token(&self, id: Option<i64>) -> Option<&'file str> {
        self.tokens.get(usize::try_from(id?).ok()?).copied()
    }
}

/// A token in backquotes, as a message shows it.
pub(crate) fn short(token: &str) -> String {
    let mut shown: String = token.chars().take(LONGEST_QUOTE).flat_map(char::escape_debug).collect();
    if token.chars().nth(LONGEST_QUOTE).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
