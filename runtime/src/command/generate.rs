//! `seqc generate`: goes on with texts or tokens, token by token.
//!
//! In: prompts, and how tokens are chosen. Out: what follows them, on standard output as it comes; why each ended where that
//! may surprise, and how fast it was, on standard error. With several prompts the first one is shown as it comes, and the
//! next when it has ended, under headings.

use super::arguments::GenerateArguments;
use super::continuations::{Continuations, document, speed, why};
use super::inputs::{Given, padded_tokens};
use super::prepare::{self, Prepared, Steps};
use super::terminal::{Terminal, Waiting};
use super::{Stop, json};
use crate::generate::{
    Context, Conventions, Ended, Generator, Message, Sampling, Settings, Start, Task, Template, Text, Written, split,
    token_axis, write,
};
use crate::session::Failure;
use crate::stream::State;
use crate::tokenizer::Tokenizer;
use seqwright_compiler::model::Model;
use seqwright_compiler::term::ValueId;
use signal_hook::consts::SIGINT;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The longest prompt that is read from standard input, in bytes.
const LONGEST_PROMPT: u64 = 16 << 20;

/// Generates.
pub fn generate(arguments: &GenerateArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &[])?;
    let backend = prepare::backend(&arguments.backend)?;
    let (sampling, seed) = sampling(arguments);
    let texts = texts(arguments)?;
    let mut steps = Steps::default();
    let prepared = prepare::prepare(&request, arguments.checkpoint.as_deref(), &mut steps, terminal)?;
    let task = Task::of(&prepared.checked, arguments.output.as_deref())?;
    let tokenizer = tokenizer(arguments, &prepared)?;
    let conventions = match &prepared.checkpoint {
        Some(checkpoint) => Conventions::of(checkpoint, tokenizer.as_ref()).map_err(Failure::File)?,
        None => Conventions::default(),
    };
    let prompts = match &tokenizer {
        None => arguments.tokens.iter().map(|tokens| tokens.0.clone()).collect(),
        Some(tokenizer) => encode(arguments, &texts, tokenizer, &conventions)?,
    };
    let mut generator = {
        let _waiting = Waiting::new(format!("compiling {}", prepared.checked.model.name));
        Generator::new(&prepared.checked, &prepared.loaded, arguments.output.as_deref(), backend)?
    };
    let starts = match &arguments.state {
        Some(path) => with_state(&mut generator, &State::load(path).map_err(Failure::File)?, &prompts)?,
        None => begin(arguments, &prepared, &task, &conventions, &mut generator, prompts)?,
    };
    if arguments.save_state.is_some() && starts.len() != 1 {
        return Err(Stop::Usage("`--save-state` keeps one sequence: give one prompt".to_string()));
    }
    let interrupted = interruptions()?;
    let settings = Settings {
        sampling,
        seed,
        most: arguments.max_tokens,
        ends: conventions.ends.clone(),
        context: context(&generator, &conventions),
        interrupted: &|| interrupted.load(Ordering::Relaxed),
    };
    let headings: Vec<String> = if texts.is_empty() {
        starts.iter().map(|start| join(&start.prompt)).collect()
    } else {
        texts.iter().map(|text| text.trim().to_string()).collect()
    };
    let mut kept: Vec<Text> = match &tokenizer {
        None => Vec::new(),
        Some(tokenizer) => starts.iter().map(|start| Text::new(tokenizer, &arguments.stop, &start.prompt)).collect(),
    };
    let mut waiting =
        Some(Waiting::new(format!("reading {}", if starts.len() == 1 { "the prompt" } else { "prompts" })));
    let mut shown = Continuations::new(&headings, tokenizer.is_none());
    let mut failed = None;
    let written = write(&mut generator, &starts, &settings, &mut kept, &mut |event| {
        drop(waiting.take());
        let flow = if arguments.json { Ok(()) } else { shown.take(&event, terminal) };
        match flow {
            Ok(()) if terminal.is_closed() => ControlFlow::Break(()),
            Ok(()) => ControlFlow::Continue(()),
            Err(stop) => {
                failed = Some(stop);
                ControlFlow::Break(())
            }
        }
    })?;
    drop(waiting.take());
    if let Some(stop) = failed {
        return Err(stop);
    }
    let mut notes = prepared.loaded.notes.clone();
    notes.extend(written.continuations.iter().enumerate().filter_map(|(number, one)| {
        let prompt = if starts.len() == 1 { String::new() } else { format!("prompt {}: ", number + 1) };
        Some(format!("{prompt}{}", why(&one.ended)?))
    }));
    if let Some(path) = &arguments.save_state {
        save(&mut generator, &starts[0], &written, path)?;
    }
    let drawn = settings.sampling.temperature > 0.0;
    if arguments.json {
        let texts: Option<Vec<&str>> = tokenizer.as_ref().map(|_| kept.iter().map(Text::shown).collect());
        let prompts = (!headings.is_empty() && !texts_are_tokens(arguments)).then_some(headings.as_slice());
        let parts = document(&starts, prompts, texts.as_deref(), &written, drawn.then_some(seed));
        let named = [("model", serde_json::json!(prepared.checked.model.name))];
        let noted = [("notes", serde_json::json!(notes))];
        terminal.print(&json::document("generate", true, named.into_iter().chain(parts).chain(noted)))?;
    }
    if !terminal.is_closed() {
        notes[prepared.loaded.notes.len()..].iter().for_each(|note| terminal.note(note));
        terminal.say(&speed(&written.speed, drawn.then_some(seed)));
    }
    let stopped =
        interrupted.load(Ordering::Relaxed) && written.continuations.iter().any(|one| one.ended == Ended::Interrupted);
    if stopped { Err(Stop::Interrupted) } else { Ok(()) }
}

/// How tokens are chosen, and what random numbers begin with.
fn sampling(arguments: &GenerateArguments) -> (Sampling, u64) {
    let narrowed = arguments.top_k.is_some() || arguments.top_p.is_some() || arguments.min_p.is_some();
    let sampling = Sampling {
        temperature: arguments.temperature.unwrap_or(if narrowed { 1.0 } else { 0.0 }),
        top_k: arguments.top_k.map(|count| count as usize),
        top_p: arguments.top_p,
        min_p: arguments.min_p,
        repetition_penalty: arguments.repetition_penalty,
    };
    let clock = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        // Short enough to be typed again.
        (since.as_nanos() / 1000 % 1_000_000_007) as u64
    };
    (sampling, arguments.seed.unwrap_or_else(clock))
}

/// The prompts that are texts; one of them may come from standard input.
fn texts(arguments: &GenerateArguments) -> Result<Vec<String>, Stop> {
    if arguments.prompt.iter().filter(|text| *text == "-").count() > 1 {
        return Err(Stop::Usage("standard input can be one prompt, not several".to_string()));
    }
    if !arguments.stop.is_empty() && !arguments.tokens.is_empty() {
        return Err(Stop::Usage("`--stop` ends texts, and `--tokens` writes none".to_string()));
    }
    let read = |text: &String| -> Result<String, Stop> {
        if text != "-" {
            return Ok(text.clone());
        }
        let other = |why: String| Stop::Failed(Failure::Other(format!("cannot read standard input: {why}")));
        let mut bytes = Vec::new();
        std::io::stdin().take(LONGEST_PROMPT + 1).read_to_end(&mut bytes).map_err(|why| other(why.to_string()))?;
        if bytes.len() as u64 > LONGEST_PROMPT {
            return Err(other(format!("a prompt has {LONGEST_PROMPT} bytes at most")));
        }
        String::from_utf8(bytes)
            .map_err(|why| other(format!("byte {} is not UTF-8 text", why.utf8_error().valid_up_to())))
    };
    arguments.prompt.iter().map(read).collect()
}

/// Whether prompts were given as tokens.
fn texts_are_tokens(arguments: &GenerateArguments) -> bool {
    arguments.prompt.is_empty()
}

/// The tokenizer, where texts are wanted.
fn tokenizer(arguments: &GenerateArguments, prepared: &Prepared) -> Result<Option<Tokenizer>, Failure> {
    if !arguments.tokens.is_empty() {
        return Ok(None);
    }
    match prepare::tokenizer(prepared.checkpoint.as_ref()) {
        Ok(tokenizer) => Ok(Some(tokenizer)),
        // What goes on from a state or an image needs no text.
        Err(_) if arguments.prompt.is_empty() && arguments.stop.is_empty() => Ok(None),
        Err(failure) => Err(match failure {
            Failure::Other(why) => Failure::Other(format!("{why}; or give tokens: `--tokens 1,2,3`")),
            other => other,
        }),
    }
}

/// The prompts' tokens.
fn encode(
    arguments: &GenerateArguments,
    texts: &[String],
    tokenizer: &Tokenizer,
    conventions: &Conventions,
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
            // What goes on needs no token that begins a text.
            None if arguments.state.is_some() => tokenizer.encode_alone(text),
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

/// Begins a sequence for each prompt.
fn begin(
    arguments: &GenerateArguments,
    prepared: &Prepared,
    task: &Task,
    conventions: &Conventions,
    generator: &mut Generator,
    prompts: Vec<Vec<u32>>,
) -> Result<Vec<Start>, Stop> {
    let model = &prepared.checked.model;
    let mut given = Given::default();
    for input in &arguments.input {
        given.read(input)?;
    }
    let start = arguments.start.as_ref().map(|tokens| tokens.0.clone()).or(conventions.start.map(|start| vec![start]));
    let mut written = prompts;
    let reads = source(model, task, &given)?;
    if let Some(reads) = reads {
        // What is given is read, and what is written starts anew.
        let start = start.clone().ok_or_else(|| {
            Failure::Other(
                "the checkpoint does not say with which token its texts start: pass `--start ID`".to_string(),
            )
        })?;
        let (tensor, lengths) = padded_tokens(&written).map_err(Failure::Other)?;
        let time = token_axis(model, reads).expect("it was chosen for its axis");
        given.lengths.insert(model.times[time.0 as usize].clone(), lengths);
        given.tensors.insert(model.value(reads).path.clone(), tensor);
        written = vec![start; written.len()];
    } else if let Some(start) = &arguments.start {
        if !written.is_empty() {
            return Err(Stop::Usage(
                "`--start` is for models that also read another sequence of tokens: begin the prompt with it"
                    .to_string(),
            ));
        }
        written = vec![start.0.clone(); given.tensors.values().next().map_or(1, |tensor| tensor.shape()[0])];
    }
    if written.is_empty() {
        return Err(Stop::Usage(
            "there is nothing to go on with: pass `--prompt`, `--tokens` or `--state`".to_string(),
        ));
    }
    for prompt in written.iter_mut().filter(|prompt| prompt.is_empty()) {
        // A text without a beginning.
        prompt.extend(start.iter().flatten());
    }
    if let Some(number) = written.iter().position(Vec::is_empty) {
        return Err(Stop::Failed(Failure::Other(format!(
            "prompt {} has no tokens, and the checkpoint does not say with which one a text starts",
            number + 1
        ))));
    }
    let (tensor, lengths) = padded_tokens(&written).map_err(Failure::Other)?;
    let name = &model.value(task.tokens).path;
    given.lengths.insert(model.times[task.time.0 as usize].clone(), lengths);
    if given.tensors.insert(name.clone(), tensor).is_some() {
        return Err(Stop::Usage(format!("`{name}` is what is written: give it with `--tokens`")));
    }
    let batch = given.batch(&prepared.checked)?;
    let starts = split(model, task, &batch).into_iter();
    Ok(starts.map(|(given, prompt)| Start { place: generator.begin(given), prompt }).collect())
}

/// The input that prompts are, where the model reads one sequence of tokens and writes another.
fn source(model: &Model, task: &Task, given: &Given) -> Result<Option<ValueId>, Failure> {
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

/// Goes on from a state, once for each prompt, or once without any.
fn with_state(generator: &mut Generator, state: &State, prompts: &[Vec<u32>]) -> Result<Vec<Start>, Failure> {
    let none = [Vec::new()];
    let prompts = if prompts.is_empty() { &none[..] } else { prompts };
    let one = |prompt: &Vec<u32>| Ok(Start { place: generator.begin_with(state)?, prompt: prompt.clone() });
    prompts.iter().map(one).collect()
}

/// Keeps the sequence with all its tokens.
fn save(generator: &mut Generator, start: &Start, written: &Written, path: &std::path::Path) -> Result<(), Failure> {
    let known = generator.limit().is_none_or(|(most, _)| generator.position(start.place) < most);
    // The last one has not been read: nobody asked what comes behind it.
    if let (Some(last), true) = (written.continuations[0].tokens.last(), known) {
        generator.feed(&[(start.place, &[*last])])?;
    }
    generator.state(start.place)?.save(path).map_err(Failure::File)
}

/// How long sequences may be: the tables of positions say so, or the checkpoint.
fn context(generator: &Generator, conventions: &Conventions) -> Option<Context> {
    let limit = generator.limit().map(|(most, value)| Context { most, said_by: format!("`{value}`") });
    limit.into_iter().chain(conventions.context.clone()).min_by_key(|context| context.most)
}

/// A sign that is set by Ctrl-C; the second time the program ends at once.
fn interruptions() -> Result<Arc<AtomicBool>, Failure> {
    let sign = Arc::new(AtomicBool::new(false));
    let registered = signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&sign))
        .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&sign)));
    registered.map_err(|why| Failure::Other(format!("cannot wait for Ctrl-C: {why}")))?;
    Ok(sign)
}

fn join(tokens: &[u32]) -> String {
    tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
