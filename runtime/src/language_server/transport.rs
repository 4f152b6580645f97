//! Messages as bytes: a head of lines, an empty one, and so many bytes of JSON.
//!
//! What is no message is told about and passed over: an editor's mistake, or a line that something else wrote, ends nothing.

use lsp_server::Message;
use std::io::{self, BufRead, Read};

/// Longer messages are refused: a whole library of models is shorter.
const LONGEST: usize = 64 << 20;

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    /// A message.
    Message(Message),
    /// Bytes that are none, and why not.
    Malformed(String),
}

/// The next message; nothing at the end of the input.
///
/// # Errors
/// An input that can't be read.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<Received>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        if input.take(LONGEST as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() && length.is_some() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Ok(Some(Received::Malformed(format!(
                "expected a head such as `Content-Length: 20`, found `{}`",
                short(line)
            ))));
        };
        if name.eq_ignore_ascii_case("Content-Length") {
            match value.trim().parse() {
                Ok(bytes @ 0..=LONGEST) => length = Some(bytes),
                _ => {
                    let why = format!("expected a length of {LONGEST} bytes at most, found `{}`", short(value.trim()));
                    return Ok(Some(Received::Malformed(why)));
                }
            }
        }
    }
    let mut text = vec![0; length.unwrap_or(0)];
    match input.read_exact(&mut text) {
        Ok(()) => {}
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(why) => return Err(why),
    }
    Ok(Some(match serde_json::from_slice(&text) {
        Ok(message) => Received::Message(message),
        Err(why) => Received::Malformed(format!("this is no message: {why}")),
    }))
}

/// The first letters of what was found.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_and_what_is_none_is_passed_over() {
        let message = |text: &str| format!("Content-Length: {}\r\n\r\n{text}", text.len());
        let good = message("{\"jsonrpc\": \"2.0\", \"method\": \"initialized\", \"params\": {}}");
        let bytes = format!(
            "{good}no head\n{good}{}{good}Content-Length: 99999999999999999999\r\n{good}{}{good}Content-Length: 50\r\n\r\n{{",
            message("{"),
            message("[\u{e9}]"),
        );
        let mut input = bytes.as_bytes();
        let mut seen = String::new();
        while let Some(received) = read(&mut input).expect("bytes can be read") {
            seen.push(if matches!(received, Received::Message(_)) { 'm' } else { '-' });
        }
        assert_eq!(seen, "m-m-m-m-m");
    }
}
