//! Results and mistakes as JSON: one document a command, whose `version` changes when its form does.

use crate::batch::InputError;
use crate::numbers::shortest;
use crate::session::Failure;
use seqwright_compiler::diagnostic::Diagnostic;
use seqwright_compiler::source::{Sources, Span};
use serde_json::{Map, Value, json};

/// A whole document, ending in a line break.
pub fn document<'a>(command: &str, ok: bool, parts: impl IntoIterator<Item = (&'a str, Value)>) -> String {
    let mut all = Map::new();
    all.insert("version".to_string(), json!(1));
    all.insert("command".to_string(), json!(command));
    all.insert("ok".to_string(), json!(ok));
    all.extend(parts.into_iter().map(|(name, value)| (name.to_string(), value)));
    format!("{}\n", Value::Object(all))
}

/// A failure as a list of mistakes, each with `message` and what else is known of it.
pub fn failure(failure: &Failure) -> Value {
    let plain = |message: String, help: Option<&str>| json!({ "message": message, "help": help });
    let all = match failure {
        Failure::Mistakes(all, sources) => all.iter().map(|mistake| diagnostic(mistake, sources)).collect(),
        Failure::Inputs(all, sources) => all.iter().map(|error| input_error(error, sources)).collect(),
        Failure::Weights(all, sources) => all
            .iter()
            .map(|error| match error.diagnostic() {
                Some(mistake) => diagnostic(mistake, sources),
                None => plain(error.to_string(), error.help()),
            })
            .collect(),
        Failure::File(error) => vec![
            json!({ "message": error.to_string(), "file": error.file().display().to_string(), "help": error.help() }),
        ],
        Failure::Device { message, help } => vec![plain(message.clone(), Some(help))],
        Failure::Other(message) => vec![plain(message.clone(), None)],
    };
    Value::Array(all)
}

fn diagnostic(mistake: &Diagnostic, sources: &Sources) -> Value {
    let mut all = Map::new();
    all.insert("code".to_string(), json!(mistake.code.number()));
    all.insert("message".to_string(), json!(mistake.message));
    place(&mut all, mistake.primary.span, sources);
    all.insert("label".to_string(), json!(mistake.primary.text));
    all.insert("help".to_string(), json!(mistake.help));
    let others = mistake.secondary.iter().map(|label| {
        let mut other = Map::new();
        other.insert("message".to_string(), json!(label.text));
        place(&mut other, label.span, sources);
        Value::Object(other)
    });
    all.insert("also".to_string(), Value::Array(others.collect()));
    Value::Object(all)
}

fn input_error(error: &InputError, sources: &Sources) -> Value {
    let mut all = Map::new();
    all.insert("message".to_string(), json!(error.message));
    if let Some(span) = error.span {
        place(&mut all, span, sources);
    }
    all.insert("help".to_string(), json!(error.help));
    Value::Object(all)
}

/// Lines and columns count from 1, columns in characters.
fn place(all: &mut Map<String, Value>, span: Span, sources: &Sources) {
    let source = sources.get(span.file);
    let mut start = span.start.min(source.text.len());
    while !source.text.is_char_boundary(start) {
        start -= 1;
    }
    let line_start = source.text[..start].rfind('\n').map_or(0, |place| place + 1);
    all.insert("file".to_string(), json!(source.name));
    all.insert("line".to_string(), json!(sources.line(span)));
    all.insert("column".to_string(), json!(source.text[line_start..start].chars().count() + 1));
}

/// Numbers in the shape of their axes. What is not finite has no number in JSON: it is `null`.
pub fn nested(sizes: &[usize], numbers: &[f32]) -> Value {
    match sizes.split_first() {
        None => numbers.first().map_or(Value::Null, |number| json!(shortest(*number))),
        Some((size, rest)) => {
            let inner: usize = rest.iter().product();
            let part = |place: usize| nested(rest, &numbers[place * inner..(place + 1) * inner]);
            Value::Array((0..*size).map(part).collect())
        }
    }
}
