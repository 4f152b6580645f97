//! Conversations to prompts, by a checkpoint's own chat template.
//!
//! Templates are Jinja as Hugging Face's tokenizers render it: blocks are trimmed, `raise_exception` and `strftime_now` are
//! there, and so are `break` and `continue`, Python's methods of texts and lists, and `tojson` without escapes for HTML. A
//! template comes from whoever published the checkpoint: it reads no file, and has only so much fuel, of which every step
//! and every 64 bytes that it makes take one. Not all that it can do takes fuel (a list made of itself again and again), so it
//! also has only so much time; what is left then ends with the process. So it takes bounded time and memory whatever stands
//! in it.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Steps of a template, or each 64 bytes that it makes.
const FUEL: u64 = 2_000_000;
/// How long it may take: seldom more than a few milliseconds.
const TIME: Duration = Duration::from_secs(10);
/// The stack of the thread that renders, in bytes; the depth of a template is limited long before it is full.
const STACK: usize = 16 << 20;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// A chat template.
pub struct Template<'a> {
    source: String,
    /// Where it stands, for messages.
    file: &'a Path,
    special: &'a BTreeMap<String, String>,
}

impl<'a> Template<'a> {
    /// A template, and the texts of the special tokens that it speaks of.
    pub fn new(source: &str, file: &'a Path, special: &'a BTreeMap<String, String>) -> Template<'a> {
        Template { source: without_training_marks(source), file, special }
    }

    /// The prompt to which the answer follows.
    ///
    /// # Errors
    /// A template that is wrong, refuses the conversation, or takes too long.
    pub fn render(&self, messages: &[Message]) -> Result<String, String> {
        let (source, special, messages) = (self.source.clone(), self.special.clone(), messages.to_vec());
        let (to, from) = mpsc::sync_channel(1);
        let work = move || drop(to.send(render(&source, &special, &messages)));
        let thread = std::thread::Builder::new().name("chat template".to_string()).stack_size(STACK);
        thread.spawn(work).map_err(|why| format!("cannot render the chat template: {why}"))?;
        match from.recv_timeout(TIME) {
            Ok(rendered) => rendered.map_err(|why| self.explain(&why)),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(format!(
                "the chat template in {} was stopped: it takes more than {} seconds",
                self.file.display(),
                TIME.as_secs()
            )),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(format!("the chat template in {} can't be rendered", self.file.display()))
            }
        }
    }

    fn explain(&self, why: &Error) -> String {
        let file = self.file.display();
        let mut cause = why;
        // The error that matters is the innermost: outer ones say where it was called.
        while let Some(inner) = std::error::Error::source(cause).and_then(|inner| inner.downcast_ref::<Error>()) {
            cause = inner;
        }
        if let Some(message) = cause.detail().and_then(|detail| detail.strip_prefix(REFUSAL)) {
            return format!("the chat template in {file} refuses the conversation: {message}");
        }
        if cause.kind() == ErrorKind::OutOfFuel {
            return format!("the chat template in {file} was stopped: it takes more than {FUEL} steps");
        }
        let line = cause.line().map_or(String::new(), |line| format!(", line {line}"));
        let detail = cause.detail().map_or(String::new(), |detail| format!(": {detail}"));
        format!("the chat template in {file} can't be rendered{line}: {}{detail}", cause.kind())
    }
}

/// The prompt that a template makes of a conversation.
fn render(source: &str, special: &BTreeMap<String, String>, messages: &[Message]) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, format!("{REFUSAL}{message}")))
    });
    environment.add_function("strftime_now", strftime_now);
    environment.add_filter("tojson", to_json);
    let template = environment.template_from_named_str("chat template", source)?;
    let message =
        |message: &Message| Value::from_pairs([("role", message.role.as_str()), ("content", message.content.as_str())]);
    template.render(context! {
        messages => messages.iter().map(message).collect::<Vec<_>>(),
        add_generation_prompt => true,
        tools => (),
        documents => (),
        ..Value::from_pairs(special.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    })
}

/// What an exception of the template's own begins with.
const REFUSAL: &str = "\u{1}";

/// Without the tags around what an assistant said, which are there for training: what stands between them stays.
fn without_training_marks(source: &str) -> String {
    let mut text = String::new();
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}").map(|length| length + 2) else { break };
        let tag = &rest[start..start + length];
        let inner = tag[2..length - 2].trim_matches(['-', '+']).trim();
        text.push_str(&rest[..start]);
        if inner == "generation" || inner == "endgeneration" {
            // A comment in its place treats the blanks around it alike.
            let mark =
                |sign: Option<char>| sign.filter(|sign| matches!(sign, '-' | '+')).map_or(String::new(), String::from);
            let (first, last) = (tag[2..].chars().next(), tag[..length - 2].chars().next_back());
            text.push_str(&format!("{{#{} {}#}}", mark(first), mark(last)));
        } else {
            text.push_str(tag);
        }
        rest = &rest[start + length..];
    }
    text.push_str(rest);
    text
}

/// The time now, as C's `strftime` writes it.
fn strftime_now(format: &str) -> Result<String, Error> {
    jiff::fmt::strtime::format(format, &jiff::Zoned::now())
        .map_err(|why| Error::new(ErrorKind::InvalidOperation, format!("strftime_now(\"{format}\"): {why}")))
}

/// JSON as Python's `json.dumps` writes it: a blank behind each comma and colon, and no letter escaped that need not be.
fn to_json(value: Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Others that Python knows: taken, and nothing in a prompt depends on them.
    let _: (Option<bool>, Option<bool>) = (options.get("ensure_ascii")?, options.get("sort_keys")?);
    options.assert_all_used()?;
    let mut bytes = Vec::new();
    let written = match indent {
        Some(spaces) => {
            let spaces = " ".repeat(spaces.min(16));
            let format = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, format))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Spaced)),
    };
    written.map_err(|why| Error::new(ErrorKind::InvalidOperation, why.to_string()))?;
    Ok(Value::from_safe_string(String::from_utf8(bytes).unwrap_or_default()))
}

/// One line, with a blank behind each comma and colon.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, to: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, to: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, to: &mut W) -> std::io::Result<()> {
        to.write_all(b": ")
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
