//! The language server through its protocol: a process that is talked to as an editor does.
#![cfg(feature = "lsp")]

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

const CELL: &str = "cell Gate(x; size) {
  state h: [size] = 0
  open = sigmoid(affine(x; size))  // how much goes through
  h    = open * tanh(x + h[t-1])
}
";
const MODEL: &str = "use cells
use \"gate.seq\"

// Reads é from both ends.
model Tagger(x: [T, input]; input = 3, hidden = 4) -> both, pair {
  lstm = LSTM(x; size = hidden)
  y    = Gate(lstm; size = hidden)
  both = lstm.c + y
  pair[i, j] = dot(y[i], lstm[j])  where j <= i
}
";

/// An editor with a folder of files.
struct Editor {
    server: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    folder: TempDir,
    number: i64,
    /// Notifications that came while an answer was waited for.
    told: Vec<Value>,
}

impl Editor {
    fn start(encodings: Value) -> Editor {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("gate.seq"), CELL).expect("a file");
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seqc"));
        command.arg("lsp").env("XDG_CACHE_HOME", folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().expect("it starts");
        let input = server.stdin.take().expect("an input");
        let output = BufReader::new(server.stdout.take().expect("an output"));
        let mut editor = Editor { server, input, output, folder, number: 0, told: Vec::new() };
        let params = json!({ "capabilities": { "general": { "positionEncodings": encodings } } });
        let answer = editor.ask("initialize", params);
        assert_eq!(answer["result"]["serverInfo"]["name"], "seqc");
        editor.tell("initialized", json!({}));
        editor
    }

    fn open(text: &str) -> Editor {
        let mut editor = Editor::start(json!(["utf-16"]));
        editor.show("m.seq", text);
        editor
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}", self.folder.path().join(name).display())
    }

    fn show(&mut self, name: &str, text: &str) {
        let document = json!({ "uri": self.uri(name), "languageId": "seq", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&mut self, name: &str, text: &str) {
        let document = json!({ "uri": self.uri(name), "version": 2 });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    fn write(&mut self, message: &str) {
        write!(self.input, "Content-Length: {}\r\n\r\n{message}", message.len()).expect("it listens");
        self.input.flush().expect("it listens");
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("it answers");
            match line.trim_end().split_once(": ") {
                Some((_, value)) => length = value.parse().expect("a length"),
                None => break,
            }
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).expect("a whole answer");
        serde_json::from_slice(&bytes).expect("an answer is JSON")
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let number = self.number;
        self.write(&json!({ "jsonrpc": "2.0", "id": number, "method": method, "params": params }).to_string());
        loop {
            let message = self.read();
            if message["id"] == json!(number) {
                return message;
            }
            self.told.push(message);
        }
    }

    /// A request about the first place in a text where a marked word stands: `y = ‸lstm`.
    fn at(&mut self, request: &str, text: &str, marked: &str, more: Value) -> Value {
        let before = marked.find('‸').expect("a mark");
        let place = text.find(&marked.replace('‸', "")).expect("the text has it") + before;
        let line = text[..place].matches('\n').count();
        let start = text[..place].rfind('\n').map_or(0, |end| end + 1);
        let column = text[start..place].encode_utf16().count();
        let mut params =
            json!({ "textDocument": { "uri": self.uri("m.seq") }, "position": { "line": line, "character": column } });
        params.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        self.ask(&format!("textDocument/{request}"), params)
    }

    /// The mistakes that were told last of a file.
    fn mistakes(&mut self, name: &str) -> Vec<Value> {
        let uri = self.uri(name);
        loop {
            let is_of = |message: &Value| {
                message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == json!(uri)
            };
            if let Some(place) = self.told.iter().position(is_of) {
                let told = self.told.remove(place);
                return told["params"]["diagnostics"].as_array().cloned().unwrap_or_default();
            }
            let message = self.read();
            self.told.push(message);
        }
    }

    #[track_caller]
    fn leave(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null)["result"], Value::Null);
        self.tell("exit", Value::Null);
        assert!(self.server.wait().expect("it ends").success());
    }
}

/// A text with edits applied, whose columns are UTF-16.
fn edited(text: &str, edits: &Value) -> String {
    let place = |position: &Value| {
        let (line, column) =
            (position["line"].as_u64().unwrap_or(0) as usize, position["character"].as_u64().unwrap_or(0));
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut left = column as usize;
        let width = |letter: &char| {
            let fits = left >= letter.len_utf16();
            left = left.saturating_sub(letter.len_utf16());
            fits
        };
        start + text[start..].chars().take_while(width).map(char::len_utf8).sum::<usize>()
    };
    let mut edits: Vec<(usize, usize, &str)> = edits
        .as_array()
        .expect("a list of edits")
        .iter()
        .map(|edit| {
            let range = &edit["range"];
            (place(&range["start"]), place(&range["end"]), edit["newText"].as_str().unwrap_or(""))
        })
        .collect();
    edits.sort();
    let mut new = text.to_string();
    for (start, end, with) in edits.into_iter().rev() {
        new.replace_range(start..end, with);
    }
    new
}

#[test]
fn mistakes_are_told_while_a_text_changes() {
    let broken = MODEL.replace("LSTM(x;", "LSTN(x;").replace("lstm.c + y", "lstm.c + z");
    let mut editor = Editor::open(&broken);
    let mistakes = editor.mistakes("m.seq");
    assert_eq!(mistakes.len(), 2, "{mistakes:#?}");
    assert_eq!((&mistakes[0]["code"], &mistakes[0]["source"]), (&json!("E0201"), &json!("seqc")));
    assert_eq!(mistakes[0]["range"]["start"], json!({ "line": 5, "character": 9 }));
    assert!(mistakes[0]["message"].as_str().is_some_and(|text| text.ends_with("\nhelp: did you mean `LSTM`?")));

    // A definition that does not parse is no reason to be silent about another.
    editor.change("m.seq", &format!("{broken}\ncell Half(x; size) {{\n  h = = x\n}}\n"));
    let codes: Vec<Value> = editor.mistakes("m.seq").into_iter().map(|mistake| mistake["code"].clone()).collect();
    assert_eq!(codes, ["E0101", "E0201", "E0201"]);

    // Two places that disagree: one is related to the other.
    editor.change("m.seq", &MODEL.replace("lstm.c + y", "lstm.c + x"));
    let mistakes = editor.mistakes("m.seq");
    let related = &mistakes[0]["relatedInformation"][0]["location"]["uri"];
    assert_eq!((mistakes[0]["code"].as_str(), related), (Some("E0401"), &json!(editor.uri("m.seq"))));

    editor.change("m.seq", MODEL);
    assert_eq!(editor.mistakes("m.seq"), Vec::<Value>::new());
    // A file that is used counts as it is shown, saved or not.
    editor.show("gate.seq", &CELL.replace("tanh(", "tahn("));
    let mistakes = editor.mistakes("m.seq");
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert_eq!(mistakes[0]["relatedInformation"][0]["location"]["uri"], json!(editor.uri("gate.seq")));
    editor.leave();
}

#[test]
fn a_text_is_put_in_the_one_style() {
    let crooked = MODEL.replace("y    = Gate", "y=Gate").replace("  both", "      both");
    let mut editor = Editor::open(&crooked);
    let params =
        json!({ "textDocument": { "uri": editor.uri("m.seq") }, "options": { "tabSize": 2, "insertSpaces": true } });
    let answer = editor.ask("textDocument/formatting", params.clone());
    let whole = edited(&crooked, &answer["result"]);
    editor.change("m.seq", &whole);
    assert_eq!(editor.ask("textDocument/formatting", params.clone())["result"], json!([]));
    editor.change("m.seq", "model M( {");
    assert_eq!(editor.ask("textDocument/formatting", params)["result"], Value::Null);
    editor.leave();
}

#[test]
fn a_value_has_its_shape_its_reach_and_its_cost() {
    let mut editor = Editor::open(MODEL);
    let mut said = |marked: &str| {
        let answer = editor.at("hover", MODEL, marked, json!({}));
        answer["result"]["contents"]["value"].as_str().unwrap_or("").to_string()
    };
    let both = said("‸both =");
    assert!(
        both.starts_with("```seq\nboth: [T, hidden = 4]\n```\n- looks here, sees ..0 (positions of T)\n"),
        "{both}"
    );
    assert!(both.contains("- 4 * T floating-point operations"), "{both}");
    let pair = said("‸pair[i");
    assert!(pair.contains("pair: [T, T]") && pair.contains("- 2 * 4 * T^2 floating-point operations\n"), "{pair}");
    // What an instance gives is told where it is called.
    assert!(
        said("‸y    =")
            .starts_with("```seq\nstate y.h: [T, hidden = 4]\n```\n- looks -1..0, sees ..0 (positions of T)\n")
    );
    assert!(said("LSTM(‸x;").starts_with("```seq\ninput x: [T, input = 3]\n```"));
    assert!(said("size = ‸hidden").contains("hidden = 4"));
    assert!(said("‸LSTM(x").starts_with("```seq\ncell LSTM(x; size)\n```\nHochreiter and Schmidhuber 1997"));
    assert_eq!(
        said("‸Tagger("),
        "```seq\nmodel Tagger(x: [T, input]; input = 3, hidden = 4) -> both, pair\n```\nReads é from both ends."
    );
    assert_eq!(said("‸where j"), "");

    // With a mistake, and without sizes, names of axes are known all the same.
    let broken = MODEL.replace("input = 3, hidden = 4", "input, hidden").replace("lstm.c + y", "lstm.c + z");
    editor.change("m.seq", &broken);
    let answer = editor.at("hover", &broken, "‸lstm =", json!({}));
    assert_eq!(answer["result"]["contents"]["value"], "```seq\nstate lstm.h: [T, hidden]\n```");
    editor.leave();
}

#[test]
fn definitions_are_found_in_other_files_and_in_the_library() {
    let mut editor = Editor::open(MODEL);
    let mut place = |marked: &str| {
        let found = editor.at("definition", MODEL, marked, json!({}))["result"].clone();
        let line = found["range"]["start"]["line"].as_u64();
        (found["uri"].as_str().unwrap_or("").to_string(), line)
    };
    let here = place("lstm‸.c");
    let library = place("‸LSTM(");
    let (gate, used, none) = (place("‸Gate("), place("\"ga‸te.seq"), place("‸where"));
    assert_eq!(here, (editor.uri("m.seq"), Some(5)));
    assert_eq!((gate, used), ((editor.uri("gate.seq"), Some(0)), (editor.uri("gate.seq"), Some(0))));
    assert_eq!(none.1, None);
    let path = library.0.strip_prefix("file://").expect("a file");
    assert!(path.ends_with("/cells.seq"), "{path}");
    let text = fs::read_to_string(path).expect("an editor can open it");
    assert!(text.lines().nth(library.1.unwrap_or(0) as usize).is_some_and(|line| line.starts_with("cell LSTM(")));
    assert!(fs::metadata(Path::new(path)).expect("it is there").permissions().readonly());
    editor.leave();
}

#[test]
fn names_are_completed_while_a_line_is_written() {
    let mut editor = Editor::open(MODEL);
    let mut labels = |text: &str, marked: &str| {
        editor.change("m.seq", text);
        let answer = editor.at("completion", text, marked, json!({}));
        let items = answer["result"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["label"].as_str().unwrap_or("").to_string()).collect::<Vec<_>>()
    };
    let has = |labels: &[String], wanted: &[&str]| {
        for wanted in wanted {
            assert!(labels.iter().any(|label| label == wanted), "{wanted} is not in {labels:?}");
        }
    };
    let open = MODEL.replace("lstm.c + y", "lst");
    has(&labels(&open, "both = lst‸"), &["lstm", "y", "hidden", "LSTM", "Gate", "tanh", "dot", "softplus"]);
    let behind = labels(&MODEL.replace("lstm.c + y", "lstm."), "both = lstm.‸");
    assert_eq!(behind, ["c", "candidate", "forget", "h", "input", "output", "x"]);
    let sizes = labels(&MODEL.replace("LSTM(x; size = hidden)", "LSTM(x; "), "LSTM(x; ‸");
    assert_eq!(sizes[0], "size");
    let start = labels(&MODEL.replace("  both", "  \n  both"), "hidden)\n  ‸\n");
    has(&start, &["state", "gate", "lstm"]);
    let files = labels(&MODEL.replace("use cells", "use "), "use ‸\n");
    has(&files, &["cells", "attention", "norms"]);
    let stages = labels(&MODEL.replace("// Reads", "// snapshot: "), "// snapshot: ‸");
    has(&stages, &["explain", "kernels"]);
    assert!(labels(MODEL, "// Reads‸").is_empty());
    has(&labels(&format!("{MODEL}\n"), "i\n}\n‸"), &["model", "cell", "use"]);
    editor.leave();
}

#[test]
fn a_name_is_changed_everywhere_or_not_at_all() {
    let mut editor = Editor::open(MODEL);
    let mut renamed = |marked: &str, name: &str| editor.at("rename", MODEL, marked, json!({ "newName": name }));
    let lstm = renamed("‸lstm =", "memory");
    let cell = renamed("‸Gate(", "Valve");
    let index = renamed("pair[‸i", "position");
    let refused = [
        (renamed("‸lstm =", "y"), "`lstm` can't be called `y`: `y` is given twice"),
        (renamed("‸i]", "j"), "`i` can't be called `j`"),
        (renamed("‸lstm =", "a b"), "expected a name of letters"),
        (renamed("‸lstm =", "where"), "expected a name of letters"),
        (renamed("‸LSTM(", "Memory"), "`LSTM` is a name of the library"),
        (renamed("‸where", "x"), "no name that could be changed"),
    ];
    for (answer, why) in refused {
        let message = answer["error"]["message"].as_str().unwrap_or("");
        assert!(message.contains(why), "{why} is not in {answer}");
    }
    let own = editor.uri("m.seq");
    assert_eq!(edited(MODEL, &lstm["result"]["changes"][&own]), MODEL.replace("lstm", "memory"));
    assert_eq!(lstm["result"]["changes"].as_object().map(|all| all.len()), Some(1));
    assert_eq!(edited(MODEL, &cell["result"]["changes"][&own]), MODEL.replace("Gate", "Valve"));
    assert_eq!(edited(CELL, &cell["result"]["changes"][&editor.uri("gate.seq")]), CELL.replace("Gate", "Valve"));
    let new = MODEL.replace("pair[i,", "pair[position,").replace("y[i]", "y[position]").replace("<= i", "<= position");
    assert_eq!(edited(MODEL, &index["result"]["changes"][&own]), new);
    // A size has its name in the comment for snapshots, too.
    let kept = MODEL.replace("// Reads", "// snapshot: kernels; hidden = 5\n// Reads");
    editor.change("m.seq", &kept);
    let width = editor.at("rename", &kept, "size = ‸hidden", json!({ "newName": "width" }));
    assert_eq!(edited(&kept, &width["result"]["changes"][&own]), kept.replace("hidden", "width"));
    editor.change("m.seq", MODEL);
    let word = editor.at("prepareRename", MODEL, "both = ‸lstm", json!({}));
    assert_eq!(word["result"]["placeholder"], "lstm");
    editor.leave();
}

#[test]
fn axes_that_were_found_stand_behind_names() {
    let mut editor = Editor::open(MODEL);
    let whole = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let params = json!({ "textDocument": { "uri": editor.uri("m.seq") }, "range": whole });
    let hints = editor.ask("textDocument/inlayHint", params)["result"].as_array().cloned().unwrap_or_default();
    let shown: Vec<(u64, u64, &str)> = hints
        .iter()
        .map(|hint| {
            let at = &hint["position"];
            (
                at["line"].as_u64().unwrap_or(0),
                at["character"].as_u64().unwrap_or(0),
                hint["label"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(shown, [(5, 6, ": [T, hidden]"), (6, 3, ": [T, hidden]"), (7, 6, ": [T, hidden]"), (8, 12, ": [T, T]")]);
    editor.leave();
}

#[test]
fn nothing_but_its_end_ends_a_server() {
    let mut editor = Editor::start(json!(["utf-8", "utf-16"]));
    for message in ["{", "[]", "null", "{\"jsonrpc\": \"2.0\"}", "\u{1f600}"] {
        editor.write(message);
        let answer = editor.read();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32700)), "{message}");
    }
    editor.input.write_all(b"Content-Length: 999999999999999999\r\n\r\n").expect("it listens");
    assert_eq!(editor.read()["error"]["code"], -32700);
    editor.read();
    for (method, params, code) in [
        ("textDocument/hover", json!({}), -32602),
        ("textDocument/hover", json!([1, 2]), -32602),
        ("textDocument/nothing", json!({}), -32601),
        ("initialize", json!({}), -32600),
        ("textDocument/formatting", json!({ "textDocument": { "uri": "file:///none" }, "options": {} }), -32602),
    ] {
        assert_eq!(editor.ask(method, params)["error"]["code"], code, "{method}");
    }
    editor.tell("textDocument/didChange", json!({ "textDocument": 3 }));
    editor.tell("textDocument/didOpen", json!({}));
    editor.tell("$/cancelRequest", json!({ "id": 1 }));
    // Every prefix of a text, and positions anywhere in it.
    editor.show("m.seq", "");
    let letters: Vec<usize> = MODEL.char_indices().map(|(place, _)| place).step_by(17).collect();
    for place in letters {
        let text = &MODEL[..place];
        editor.change("m.seq", text);
        let position = json!({ "line": place % 11, "character": place % 40 });
        for request in ["hover", "definition", "completion"] {
            let params = json!({ "textDocument": { "uri": editor.uri("m.seq") }, "position": position });
            let answer = editor.ask(&format!("textDocument/{request}"), params);
            assert!(answer.get("error").is_none(), "{request} at {place}: {answer}");
        }
    }
    editor.leave();
}

#[test]
fn requests_come_after_the_beginning_and_before_the_end() {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seqc"));
    let mut server = command.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    drop(server.stdin.take());
    assert_eq!(server.wait().expect("it ends").code(), Some(1), "an editor that vanishes did not shut it down");
    let mut editor = Editor::start(json!(null));
    editor.ask("shutdown", Value::Null);
    let params = json!({ "textDocument": { "uri": "file:///a" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(editor.ask("textDocument/hover", params)["error"]["code"], -32600);
    editor.tell("exit", Value::Null);
    assert!(editor.server.wait().expect("it ends").success());
}

/// Every place of the examples is asked about, in memory: no request makes the server fail, and each gets its answer.
#[test]
fn every_place_of_every_example_is_answered() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut input = Vec::new();
    let mut number = 0;
    let mut send = |method: &str, params: Value, is_request: bool| {
        number += i64::from(is_request);
        let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if is_request {
            message["id"] = json!(number);
        }
        let text = message.to_string();
        input.extend(format!("Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes());
    };
    send("initialize", json!({ "capabilities": {} }), true);
    for name in ["llama", "silero_vad", "six_words"] {
        let text = fs::read_to_string(examples.join(format!("{name}.seq"))).expect("an example");
        let uri = format!("file:///{name}.seq");
        let document = json!({ "uri": uri, "languageId": "seq", "version": 1, "text": text });
        send("textDocument/didOpen", json!({ "textDocument": document }), false);
        for (line, letters) in text.lines().enumerate() {
            for column in (0..letters.len()).step_by(29) {
                let params =
                    json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": column } });
                for request in ["hover", "definition", "completion", "prepareRename"] {
                    send(&format!("textDocument/{request}"), params.clone(), true);
                }
            }
        }
        send("textDocument/didClose", json!({ "textDocument": { "uri": uri } }), false);
    }
    send("shutdown", Value::Null, true);
    send("exit", Value::Null, false);
    let mut output = Vec::new();
    assert!(seqwright::language_server::serve(std::io::Cursor::new(input), &mut output).expect("it can be written"));
    let text = String::from_utf8(output).expect("text");
    let bodies = text.split("Content-Length: ").filter_map(|part| Some(part.split_once("\r\n\r\n")?.1));
    let answers: Vec<Value> = bodies.map(|body| serde_json::from_str(body).expect("an answer is JSON")).collect();
    let ids: Vec<i64> = answers.iter().filter_map(|answer| answer["id"].as_i64()).collect();
    assert_eq!(ids, (1..=number).collect::<Vec<i64>>());
    let failed = answers.iter().find(|answer| answer["error"]["code"] == -32603);
    assert_eq!(failed, None);
    let found = answers.iter().filter(|answer| answer["result"]["contents"].is_object()).count();
    assert!(found > 40, "only {found} hovers say something");
}
