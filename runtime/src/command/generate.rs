//! `seqc generate`: goes on with texts or tokens, token by token.
//!
//! In: prompts, and how tokens are chosen. Out: what follows them, on standard output as it comes; why each ended where that
//! may surprise, and how fast it was, on standard error. With several prompts the first one is shown as it comes, and the
//! next when it has ended, under headings.

use super::arguments::GenerateArguments;
use super::continuations::{Continuations, document, speed, why};
use super::prepare::{self, Steps, Texts};
use super::prompts::{Prompts, Tokenizers};
use super::terminal::{Terminal, Waiting};
use super::{Stop, json};
use crate::generate::{Context, Conventions, Ended, Generator, Sampling, Settings, Start, Task, Text, Written, write};
use crate::matrix::Kept;
use crate::session::Failure;
use signal_hook::consts::SIGINT;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many tokens are written where nobody says it.
const USUAL_MOST: usize = 512;

/// Generates.
pub fn generate(arguments: &GenerateArguments, terminal: &mut Terminal) -> Result<(), Stop> {
    let request = prepare::request(&arguments.model, &[])?;
    let backend = prepare::backend(&arguments.backend, terminal)?;
    let (sampling, seed) = sampling(arguments);
    let prompts = Prompts::of(arguments)?;
    let mut steps = Steps::default();
    let prepared = prepare::prepare(
        &request,
        arguments.checkpoint.as_deref(),
        arguments.backend.precision(),
        if arguments.tokens.is_empty() { Texts::Given } else { Texts::None },
        &mut steps,
        terminal,
    )?;
    let task = Task::of(&prepared.checked, arguments.output.as_deref())?;
    let tokenizers = Tokenizers::of(arguments, &prepared, &task)?;
    let writes = tokenizers.as_ref().map(Tokenizers::writes);
    let conventions = match &prepared.checkpoint {
        Some(checkpoint) => Conventions::of(checkpoint, writes).map_err(Failure::File)?,
        None => Conventions::default(),
    };
    // All that can be wrong with the prompts is told before the model is compiled, which may take long.
    let sequences = prompts.sequences(arguments, &prepared, &task, tokenizers.as_ref(), &conventions)?;
    let mut generator = {
        let _waiting = Waiting::new(format!("compiling {}", prepared.checked.model.name));
        Generator::new(&prepared.checked, &prepared.loaded, arguments.output.as_deref(), backend)?
    };
    let kept = generator.kept().and_then(Kept::note);
    kept.iter().for_each(|note| terminal.note(note));
    let starts = sequences.begin(&mut generator)?;
    let headings = prompts.headings(&starts);
    let interrupted = interruptions()?;
    let settings = Settings {
        sampling,
        seed,
        most: arguments.max_tokens.or(conventions.most).unwrap_or(USUAL_MOST),
        ends: conventions.ends.clone(),
        context: context(&generator, &conventions),
        interrupted: &|| interrupted.load(Ordering::Relaxed),
    };
    let mut texts: Vec<Text> = match writes {
        None => Vec::new(),
        Some(tokenizer) => starts.iter().map(|start| Text::new(tokenizer, &arguments.stop, &start.prompt)).collect(),
    };
    let reading = if starts.len() == 1 { "reading the prompt" } else { "reading the prompts" };
    let mut waiting = Some(Waiting::new(reading.to_string()));
    let mut shown = Continuations::new(&headings, writes.is_none());
    let mut failed = None;
    let written = write(&mut generator, &starts, &settings, &mut texts, &mut |event| {
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
    });
    drop(waiting.take());
    if let Some(stop) = failed {
        return Err(stop);
    }
    let written = written?;
    let mut notes = prepared.loaded.notes.clone();
    notes.extend(kept);
    let told = notes.len();
    notes.extend(written.continuations.iter().enumerate().filter_map(|(number, one)| {
        let prompt = if starts.len() == 1 { String::new() } else { format!("prompt {}: ", number + 1) };
        Some(format!("{prompt}{}", why(&one.ended)?))
    }));
    if let Some(path) = &arguments.save_state {
        save(&mut generator, &starts[0], &written, path)?;
    }
    let seed = (settings.sampling.temperature > 0.0).then_some(seed);
    if arguments.json {
        let texts: Option<Vec<&str>> = writes.map(|_| texts.iter().map(Text::shown).collect());
        let parts = document(&starts, prompts.texts(), texts.as_deref(), &written, seed);
        let named = [("model", serde_json::json!(prepared.checked.model.name))];
        let noted = [("notes", serde_json::json!(notes))];
        terminal.print(&json::document("generate", true, named.into_iter().chain(parts).chain(noted)))?;
    }
    if !terminal.is_closed() {
        notes[told..].iter().for_each(|note| terminal.note(note));
        terminal.say(&speed(&written.speed, seed));
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

/// Keeps the sequence with all its tokens.
fn save(generator: &mut Generator, start: &Start, written: &Written, path: &Path) -> Result<(), Failure> {
    let room = generator.limit().is_none_or(|(most, _)| generator.position(start.place) < most);
    // The last one has not been read: nobody asked what comes behind it.
    if let (Some(last), true) = (written.continuations[0].tokens.last(), room) {
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
