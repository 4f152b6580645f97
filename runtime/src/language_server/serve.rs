//! The life of a server: it is initialized, texts are opened, changed and closed, requests are answered, until it is shut down.
//!
//! Texts are looked at when nothing more waits to be read, so that fast typing does not pile up work. A request that can't be
//! understood gets an error, and one in which this program fails gets one too: nothing but the end of the input, or the request to
//! leave, ends the server.

use super::analysis::Analysis;
use super::documents::Documents;
use super::positions::{Columns, offset, range};
use super::transport::{Received, read};
use super::{completion, definition, diagnostics, hints, hover, rename};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    CompletionParams, DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DocumentFormattingParams, GotoDefinitionParams, HoverParams, InlayHintParams, Position, RenameParams,
    TextDocumentPositionParams, TextEdit, Uri,
};
use seqwright_compiler::source::{FileId, Span};
use seqwright_compiler::syntax::format::format;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// Serves until the end of the input or the request to leave; whether it was shut down before that, as it should be.
///
/// # Errors
/// An output that can't be written.
pub fn serve(mut input: impl BufRead + Send + 'static, output: impl Write) -> io::Result<bool> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        while let Ok(Some(received)) = read(&mut input) {
            if sender.send(received).is_err() {
                break;
            }
        }
    });
    let mut server = Server {
        output,
        columns: Columns::Utf16,
        state: State::New,
        documents: Documents::default(),
        known: BTreeMap::new(),
        changed: BTreeSet::new(),
    };
    server.run(&receiver)?;
    Ok(server.state == State::ShutDown)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Ready,
    ShutDown,
}

/// Why a request gets no result.
struct Refused(ErrorCode, String);

struct Server<Output> {
    output: Output,
    columns: Columns,
    state: State,
    documents: Documents,
    /// What is known of texts, by their addresses; nothing of those that changed.
    known: BTreeMap<String, Rc<Analysis>>,
    /// The texts whose mistakes are to be told.
    changed: BTreeSet<String>,
}

impl<Output: Write> Server<Output> {
    fn run(&mut self, receiver: &Receiver<Received>) -> io::Result<()> {
        loop {
            let received = match receiver.try_recv() {
                Ok(received) => received,
                Err(_) => {
                    self.tell_mistakes()?;
                    match receiver.recv() {
                        Ok(received) => received,
                        Err(_) => return Ok(()),
                    }
                }
            };
            match received {
                Received::Message(Message::Request(request)) => self.request(request)?,
                Received::Message(Message::Notification(notification)) if notification.method == "exit" => {
                    return Ok(());
                }
                Received::Message(Message::Notification(notification)) => self.notification(notification),
                // Nothing is asked of the editor.
                Received::Message(Message::Response(_)) => {}
                Received::Malformed(why) => self.malformed(&why)?,
            }
        }
    }

    fn send(&mut self, message: Message) -> io::Result<()> {
        message.write(&mut self.output)
    }

    /// An answer to something that has no number to answer to.
    fn malformed(&mut self, why: &str) -> io::Result<()> {
        let error = json!({ "code": ErrorCode::ParseError as i32, "message": why });
        let text = json!({ "jsonrpc": "2.0", "id": null, "error": error }).to_string();
        write!(self.output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        self.output.flush()
    }

    fn request(&mut self, request: Request) -> io::Result<()> {
        let id: RequestId = request.id.clone();
        let answered = catch_unwind(AssertUnwindSafe(|| self.answer(request)));
        let response = match answered {
            Ok(Ok(result)) => Response::new_ok(id, result),
            Ok(Err(Refused(code, why))) => Response::new_err(id, code as i32, why),
            Err(_) => {
                let why = "seqc failed in this request: that is a mistake of seqc, and not of the file".to_string();
                Response::new_err(id, ErrorCode::InternalError as i32, why)
            }
        };
        self.send(Message::Response(response))
    }

    fn answer(&mut self, request: Request) -> Result<Value, Refused> {
        let Request { method, params, .. } = request;
        match (self.state, method.as_str()) {
            (State::New, "initialize") => return Ok(self.initialize(&params)),
            (State::New, _) => {
                return Err(Refused(ErrorCode::ServerNotInitialized, "expected `initialize` first".to_string()));
            }
            (State::ShutDown, _) => {
                return Err(Refused(ErrorCode::InvalidRequest, "the server is shut down".to_string()));
            }
            (State::Ready, "initialize") => {
                return Err(Refused(ErrorCode::InvalidRequest, "the server is initialized already".to_string()));
            }
            (State::Ready, "shutdown") => {
                self.state = State::ShutDown;
                return Ok(Value::Null);
            }
            (State::Ready, _) => {}
        }
        match method.as_str() {
            "textDocument/formatting" => {
                self.formatting(&parsed::<DocumentFormattingParams>(params)?.text_document.uri)
            }
            "textDocument/hover" => self.hover(&parsed::<HoverParams>(params)?.text_document_position_params),
            "textDocument/definition" => {
                self.definition(&parsed::<GotoDefinitionParams>(params)?.text_document_position_params)
            }
            "textDocument/completion" => self.completion(&parsed::<CompletionParams>(params)?.text_document_position),
            "textDocument/prepareRename" => self.prepare_rename(&parsed(params)?),
            "textDocument/rename" => self.rename(&parsed(params)?),
            "textDocument/inlayHint" => self.hints(&parsed(params)?),
            other => Err(Refused(ErrorCode::MethodNotFound, format!("`{other}` is nothing that this server answers"))),
        }
    }

    fn initialize(&mut self, params: &Value) -> Value {
        self.state = State::Ready;
        let offered = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
        let has_bytes = offered.is_some_and(|all| all.iter().any(|one| one == "utf-8"));
        self.columns = if has_bytes { Columns::Utf8 } else { Columns::Utf16 };
        json!({
            "capabilities": {
                "positionEncoding": if has_bytes { "utf-8" } else { "utf-16" },
                // Texts come whole.
                "textDocumentSync": { "openClose": true, "change": 1 },
                "documentFormattingProvider": true,
                "hoverProvider": true,
                "definitionProvider": true,
                "completionProvider": { "triggerCharacters": ["."] },
                "renameProvider": { "prepareProvider": true },
                "inlayHintProvider": true,
            },
            "serverInfo": { "name": "seqc", "version": env!("CARGO_PKG_VERSION") },
        })
    }

    /// Notes what happened to a text. What can't be understood is passed over: nobody waits for an answer.
    fn notification(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        match (self.state, method.as_str()) {
            (State::Ready, "textDocument/didOpen") => {
                if let Ok(params) = serde_json::from_value::<DidOpenTextDocumentParams>(params) {
                    let document = params.text_document;
                    self.documents.open(document.uri, document.text, document.version);
                    self.all_changed();
                }
            }
            (State::Ready, "textDocument/didChange") => {
                let Ok(mut params) = serde_json::from_value::<DidChangeTextDocumentParams>(params) else { return };
                // Each change is a whole text: the last one counts.
                let Some(last) = params.content_changes.pop().filter(|change| change.range.is_none()) else { return };
                self.documents.change(&params.text_document.uri, last.text, params.text_document.version);
                self.all_changed();
            }
            (State::Ready, "textDocument/didClose") => {
                if let Ok(params) = serde_json::from_value::<DidCloseTextDocumentParams>(params) {
                    let uri = params.text_document.uri;
                    self.documents.close(&uri);
                    self.changed.insert(uri.as_str().to_string());
                    self.all_changed();
                }
            }
            (_, _) => {}
        }
    }

    /// A text that changed may be used by any other.
    fn all_changed(&mut self) {
        self.known.clear();
        self.changed.extend(self.documents.all().map(|document| document.uri.as_str().to_string()));
    }

    fn tell_mistakes(&mut self) -> io::Result<()> {
        for address in std::mem::take(&mut self.changed) {
            let found = self.documents.all().find(|document| document.uri.as_str() == address);
            let params = match found.map(|document| (document.uri.clone(), document.version)) {
                Some((uri, version)) => {
                    let told = catch_unwind(AssertUnwindSafe(|| {
                        let analysis = self.analysis(&uri)?;
                        Some(diagnostics::diagnostics(&analysis, &self.documents, self.columns))
                    }));
                    json!({ "uri": address, "version": version, "diagnostics": told.ok().flatten().unwrap_or_default() })
                }
                None => json!({ "uri": address, "diagnostics": [] }),
            };
            self.send(Message::Notification(Notification::new("textDocument/publishDiagnostics".to_string(), params)))?;
        }
        Ok(())
    }

    fn analysis(&mut self, uri: &Uri) -> Option<Rc<Analysis>> {
        let document = self.documents.get(uri)?;
        let known = self.known.entry(uri.as_str().to_string());
        Some(known.or_insert_with(|| Rc::new(Analysis::new(&document.path, &document.text, &self.documents))).clone())
    }

    /// What is known of a text, and the byte that a position means.
    fn at(&mut self, uri: &Uri, position: Position) -> Result<(Rc<Analysis>, usize), Refused> {
        let analysis = self.analysis(uri).ok_or_else(|| not_open(uri))?;
        let place = offset(analysis.text(), position, self.columns);
        Ok((analysis, place))
    }

    fn formatting(&mut self, uri: &Uri) -> Result<Value, Refused> {
        let document = self.documents.get(uri).ok_or_else(|| not_open(uri))?;
        // A text with mistakes has no style yet; those are told anyway.
        let Ok(formatted) = format(FileId(0), &document.text) else { return Ok(Value::Null) };
        let edits: Vec<TextEdit> = edit(&document.text, &formatted, self.columns).into_iter().collect();
        Ok(json!(edits))
    }

    fn hover(&mut self, params: &TextDocumentPositionParams) -> Result<Value, Refused> {
        let (analysis, place) = self.at(&params.text_document.uri, params.position)?;
        let found = analysis.reference_at(place).and_then(|word| Some((hover::hover(&analysis, word)?, word)));
        Ok(found.map_or(Value::Null, |(text, word)| {
            json!({
                "contents": { "kind": "markdown", "value": text },
                "range": range(analysis.text(), word.span, self.columns),
            })
        }))
    }

    fn definition(&mut self, params: &TextDocumentPositionParams) -> Result<Value, Refused> {
        let (analysis, place) = self.at(&params.text_document.uri, params.position)?;
        Ok(json!(definition::definition(&analysis, place, &self.documents, self.columns)))
    }

    fn completion(&mut self, params: &TextDocumentPositionParams) -> Result<Value, Refused> {
        let uri = &params.text_document.uri;
        let document = self.documents.get(uri).ok_or_else(|| not_open(uri))?;
        let place = offset(&document.text, params.position, self.columns);
        Ok(json!(completion::completion(&document.path, &document.text, place, &self.documents)))
    }

    fn prepare_rename(&mut self, params: &TextDocumentPositionParams) -> Result<Value, Refused> {
        let (analysis, place) = self.at(&params.text_document.uri, params.position)?;
        let word = rename::word(&analysis, place).map_err(|why| Refused(ErrorCode::RequestFailed, why))?;
        Ok(
            json!({ "range": range(analysis.text(), word.span, self.columns), "placeholder": analysis.sources.text(word.span) }),
        )
    }

    fn rename(&mut self, params: &RenameParams) -> Result<Value, Refused> {
        let at = &params.text_document_position;
        let (analysis, place) = self.at(&at.text_document.uri, at.position)?;
        let edits = rename::rename(&analysis, place, &params.new_name, &self.documents, self.columns);
        let edits = edits.map_err(|why| Refused(ErrorCode::RequestFailed, why))?;
        let changes: serde_json::Map<String, Value> =
            edits.into_iter().map(|(uri, edits)| (uri.as_str().to_string(), json!(edits))).collect();
        Ok(json!({ "changes": changes }))
    }

    fn hints(&mut self, params: &InlayHintParams) -> Result<Value, Refused> {
        let (analysis, start) = self.at(&params.text_document.uri, params.range.start)?;
        let end = offset(analysis.text(), params.range.end, self.columns);
        Ok(json!(hints::hints(&analysis, start..end.max(start), self.columns)))
    }
}

fn parsed<Params: DeserializeOwned>(params: Value) -> Result<Params, Refused> {
    serde_json::from_value(params).map_err(|why| Refused(ErrorCode::InvalidParams, why.to_string()))
}

fn not_open(uri: &Uri) -> Refused {
    Refused(ErrorCode::InvalidParams, format!("{} is not open", uri.as_str()))
}

/// One change of lines that makes a text into another; nothing where they are the same.
fn edit(old: &str, new: &str, columns: Columns) -> Option<TextEdit> {
    if old == new {
        return None;
    }
    let lines = |text: &str| text.split_inclusive('\n').map(str::len).collect::<Vec<_>>();
    let same = old.split_inclusive('\n').zip(new.split_inclusive('\n')).take_while(|(old, new)| old == new).count();
    let start: usize = lines(old)[..same].iter().sum();
    let most = old.len().min(new.len()) - start;
    let tails =
        old.split_inclusive('\n').rev().zip(new.split_inclusive('\n').rev()).take_while(|(old, new)| old == new);
    let mut behind = 0;
    for (line, _) in tails {
        if behind + line.len() > most {
            break;
        }
        behind += line.len();
    }
    let span = Span { file: FileId(0), start, end: old.len() - behind };
    Some(TextEdit { range: range(old, span, columns), new_text: new[start..new.len() - behind].to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_makes_one_text_into_the_other() {
        for (old, new) in
            [("a\nb\nc\n", "a\nB\nc\n"), ("a\na\n", "a\n"), ("", "a\n"), ("a", "a\n"), ("x\na\n", "a\n"), ("a\n", "")]
        {
            let edit = edit(old, new, Columns::Utf8).expect("they differ");
            let (start, end) =
                (offset(old, edit.range.start, Columns::Utf8), offset(old, edit.range.end, Columns::Utf8));
            assert_eq!(format!("{}{}{}", &old[..start], edit.new_text, &old[end..]), new, "{old:?}");
        }
        assert_eq!(edit("a\n", "a\n", Columns::Utf16), None);
    }
}
