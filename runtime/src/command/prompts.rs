//! From the arguments of `generate` to sequences to go on with.
//!
//! A prompt is a text or tokens. A model that reads one sequence of tokens and writes another is given the one, and starts the
//! other with the token that the checkpoint or the call names; its texts may be in other words than those it reads
//! (`target_tokenizer.json`). With a state, prompts are what comes next.

use super::Stop;
use super::arguments::{GenerateArguments, Tokens};
use super::inputs::{Given as Inputs, padded_tokens};
use super::prepare::Prepared;
use crate::generate::{Conventions, Generator, Given, Message, Start, Task, Template, split, token_axis};
use crate::session::Failure;
use crate::stream::State;
use crate::tokenizer::Tokenizer;
use seqwright_compiler::model::Model;
use seqwright_compiler::term::ValueId;
use std::io::Read;

/// The longest prompt that is read from standard input, in bytes.
const LONGEST: u64 = 16 << 20;

/// What to go on with, as it was given.
pub enum Prompts {
    /// Texts.
    Texts(Vec<String>),
    /// Tokens.
    Tokens(Vec<Vec<u32>>),
}

impl Prompts {
    /// The prompts of a call; one of them may come from standard input.
    pub fn of(arguments: &GenerateArguments) -> Result<Prompts, Stop> {
        if arguments.prompt.iter().filter(|text| *text == "-").count() > 1 {
            return Err(Stop::Usage("standard input can be one prompt, not several".to_string()));
        }
        if !arguments.stop.is_empty() && !arguments.tokens.is_empty() {
            return Err(Stop::Usage("`--stop` ends texts, and `--tokens` writes none".to_string()));
        }
        if arguments.save_state.is_some() && arguments.prompt.len() + arguments.tokens.len() > 1 {
            return Err(Stop::Usage("`--save-state` keeps one sequence: give one prompt".to_string()));
        }
        if !arguments.tokens.is_empty() {
            return Ok(Prompts::Tokens(arguments.tokens.iter().map(|Tokens(tokens)| tokens.clone()).collect()));
        }
        let read = |text: &String| if text == "-" { standard_input() } else { Ok(text.clone()) };
        Ok(Prompts::Texts(arguments.prompt.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// The texts, if there are any.
    pub fn texts(&self) -> Option<&[String]> {
        match self {
            Prompts::Texts(texts) if !texts.is_empty() => Some(texts),
            Prompts::Texts(_) | Prompts::Tokens(_) => None,
        }
    }

    /// What each is called where several are shown.
    pub fn headings(&self, starts: &[Start]) -> Vec<String> {
        let join = |tokens: &[u32]| tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        match self {
            Prompts::Texts(texts) if !texts.is_empty() => texts.iter().map(|text| text.trim().to_string()).collect(),
            Prompts::Tokens(all) if !all.is_empty() => all.iter().map(|tokens| join(tokens)).collect(),
            Prompts::Texts(_) | Prompts::Tokens(_) => starts.iter().map(|start| join(&start.prompt)).collect(),
        }
    }

    /// What the model is given for them.
    pub fn sequences(
        &self,
        arguments: &GenerateArguments,
        prepared: &Prepared,
        task: &Task,
        tokenizers: Option<&Tokenizers>,
        conventions: &Conventions,
    ) -> Result<Sequences, Stop> {
        let model = &prepared.checked.model;
        let mut given = Inputs::default();
        for input in &arguments.input {
            given.read(input)?;
        }
        let state = arguments.state.as_deref().map(State::load).transpose().map_err(Failure::File)?;
        let reads = if state.is_some() { None } else { source(model, task, &given)? };
        let tokens = match (self, tokenizers) {
            (Prompts::Tokens(tokens), _) => tokens.clone(),
            (Prompts::Texts(texts), Some(tokenizers)) => {
                let tokenizer = if reads.is_some() { tokenizers.reads } else { tokenizers.writes() };
                // What goes on needs no token that begins a text.
                encode(arguments, texts, tokenizer, conventions, state.is_some())?
            }
            (Prompts::Texts(_), None) => Vec::new(),
        };
        if let Some(state) = state {
            if !given.tensors.is_empty() || arguments.start.is_some() {
                return Err(Stop::Usage("a state has all inputs: leave `--input` and `--start` out".to_string()));
            }
            let tokens = if tokens.is_empty() { vec![Vec::new()] } else { tokens };
            return Ok(Sequences::Going(Box::new(state), tokens));
        }
        let start: Option<Vec<u32>> =
            arguments.start.as_ref().map(|Tokens(start)| start.clone()).or(conventions.start.map(|start| vec![start]));
        let written = match reads {
            Some(reads) => {
                let start = start.clone().ok_or_else(|| {
                    Failure::Other(
                        "the checkpoint does not say with which token its texts start: pass `--start ID`".to_string(),
                    )
                })?;
                let count = tokens.len();
                put(model, &mut given, reads, &tokens)?;
                vec![start; count]
            }
            None if arguments.start.is_some() && !tokens.is_empty() => {
                return Err(Stop::Usage(
                    "`--start` is for models that also read another sequence of tokens: begin the prompt with it"
                        .to_string(),
                ));
            }
            None if tokens.is_empty() && (arguments.start.is_some() || !given.tensors.is_empty()) => {
                let count = given.tensors.values().next().and_then(|tensor| tensor.shape().first().copied());
                vec![Vec::new(); count.unwrap_or(1)]
            }
            None => tokens,
        };
        if written.is_empty() {
            let said = "there is nothing to go on with: pass `--prompt`, `--tokens` or `--state`";
            return Err(Stop::Usage(said.to_string()));
        }
        // A text without a beginning begins as texts do.
        let begun = |prompt: Vec<u32>| if prompt.is_empty() { start.clone().unwrap_or_default() } else { prompt };
        let written: Vec<Vec<u32>> = written.into_iter().map(begun).collect();
        if let Some(number) = written.iter().position(Vec::is_empty) {
            return Err(Stop::Failed(Failure::Other(format!(
                "prompt {} has no tokens, and the checkpoint does not say with which one a text starts",
                number + 1
            ))));
        }
        put(model, &mut given, task.tokens, &written)?;
        let batch = given.batch(&prepared.checked)?;
        Ok(Sequences::New(split(model, task, &batch)))
    }
}

/// Sequences that are not begun yet.
pub enum Sequences {
    /// From their beginning.
    New(Vec<(Given, Vec<u32>)>),
    /// All from one state, each with the tokens that come next.
    Going(Box<State>, Vec<Vec<u32>>),
}

impl Sequences {
    /// Begins each.
    pub fn begin(self, generator: &mut Generator) -> Result<Vec<Start>, Failure> {
        match self {
            Sequences::New(all) => {
                Ok(all.into_iter().map(|(given, prompt)| Start { place: generator.begin(given), prompt }).collect())
            }
            Sequences::Going(state, all) => {
                let begin = |prompt: Vec<u32>| Ok(Start { place: generator.begin_with(&state)?, prompt });
                all.into_iter().map(begin).collect()
            }
        }
    }
}

/// Texts to tokens and back.
pub struct Tokenizers<'p> {
    /// Of what the model reads besides.
    reads: &'p Tokenizer,
    /// Of what it writes, where that is another.
    writes: Option<Tokenizer>,
}

impl<'p> Tokenizers<'p> {
    /// Those that are needed for texts; none where tokens go in and come out.
    pub fn of(
        arguments: &GenerateArguments,
        prepared: &'p Prepared,
        task: &Task,
    ) -> Result<Option<Tokenizers<'p>>, Failure> {
        if !arguments.tokens.is_empty() {
            return Ok(None);
        }
        let reads = match prepared.tokenizer() {
            Ok(tokenizer) => tokenizer,
            // What goes on from a state or an image needs no text.
            Err(_) if arguments.prompt.is_empty() && arguments.stop.is_empty() => return Ok(None),
            Err(Failure::Other(why)) => {
                return Err(Failure::Other(format!("{why}; or give tokens: `--tokens 1,2,3`")));
            }
            Err(failure) => return Err(failure),
        };
        let model = &prepared.checked.model;
        let reads_another = model.inputs().any(|(id, _)| id != task.tokens && token_axis(model, id).is_some());
        let path = prepared.checkpoint.as_ref().map(|checkpoint| checkpoint.folder().join("target_tokenizer.json"));
        let path = path.filter(|path| reads_another && path.exists());
        let writes = path.map(|path| Tokenizer::open(&path)).transpose().map_err(Failure::Other)?;
        Ok(Some(Tokenizers { reads, writes }))
    }

    /// That of what is written.
    pub fn writes(&self) -> &Tokenizer {
        self.writes.as_ref().unwrap_or(self.reads)
    }
}

fn standard_input() -> Result<String, Stop> {
    let other = |why: String| Stop::Failed(Failure::Other(format!("cannot read standard input: {why}")));
    let mut bytes = Vec::new();
    std::io::stdin().take(LONGEST + 1).read_to_end(&mut bytes).map_err(|why| other(why.to_string()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(other(format!("a prompt has {LONGEST} bytes at most")));
    }
    String::from_utf8(bytes).map_err(|why| other(format!("byte {} is not UTF-8 text", why.utf8_error().valid_up_to())))
}

/// The tokens of texts, of conversations where those are asked for.
fn encode(
    arguments: &GenerateArguments,
    texts: &[String],
    tokenizer: &Tokenizer,
    conventions: &Conventions,
    goes_on: bool,
) -> Result<Vec<Vec<u32>>, Failure> {
    let template = match (&conventions.template, arguments.chat) {
        (_, false) => None,
        (Some((source, file)), true) => Some(Template::new(source, file, &conventions.special)),
        (None, true) => {
            return Err(Failure::Other(
                "the checkpoint has no chat template: leave `--chat` out, or write the prompt as the model expects it"
                    .to_string(),
            ));
        }
    };
    let message = |role: &str, content: &String| Message { role: role.to_string(), content: content.clone() };
    let one = |text: &String| {
        let ids = match &template {
            None if goes_on => tokenizer.encode_alone(text),
            None => tokenizer.encode(text),
            Some(template) => {
                let system = arguments.system.iter().map(|text| message("system", text));
                let messages: Vec<Message> = system.chain([message("user", text)]).collect();
                template.render(&messages).and_then(|prompt| tokenizer.encode_alone(&prompt))
            }
        };
        ids.map(|ids| ids.into_iter().map(|id| id as u32).collect()).map_err(Failure::Other)
    };
    texts.iter().map(one).collect()
}

/// Gives tokens to an input.
fn put(model: &Model, given: &mut Inputs, id: ValueId, tokens: &[Vec<u32>]) -> Result<(), Stop> {
    let value = model.value(id);
    let time = token_axis(model, id).expect("it was chosen for its axis");
    let (tensor, lengths) = padded_tokens(tokens).map_err(Failure::Other)?;
    given.lengths.insert(model.times[time.0 as usize].clone(), lengths);
    match given.tensors.insert(value.path.clone(), tensor) {
        None => Ok(()),
        Some(_) => {
            Err(Stop::Usage(format!("`{}` is what is written: give it with `--prompt` or `--tokens`", value.path)))
        }
    }
}

/// The input that prompts are, where the model reads one sequence of tokens and writes another.
fn source(model: &Model, task: &Task, given: &Inputs) -> Result<Option<ValueId>, Failure> {
    let others = model.inputs().filter(|(id, value)| {
        *id != task.tokens && token_axis(model, *id).is_some() && !given.tensors.contains_key(&value.path)
    });
    match others.collect::<Vec<_>>().as_slice() {
        [] => Ok(None),
        [(id, _)] => Ok(Some(*id)),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, value)| value.path.as_str()).collect();
            Err(Failure::Other(format!(
                "prompts could be several inputs of `{}`: {}; give all but one with `--input`",
                model.name,
                names.join(", ")
            )))
        }
    }
}
