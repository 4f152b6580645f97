//! Writes a file in the one style. Only blanks and line ends change: every token and every comment stays, in its order.
//!
//! In: the text of a file without a syntax mistake. Out: its text with an equation to each line, two blanks for each `{` around
//! it, one blank around operators but none in `h[t-1]`, and one blank line at most where there were some. Lines longer than
//! `WIDTH` are broken in front of operators and inside brackets. The `=` of neighbouring equations stand
//! below each other where their left sides are about as long (`align.rs`), and so do comments behind neighbouring lines.
//!
//! What the writer of a file decides: blank lines, whether a body of one equation stands on one line, whether the rows of a
//! literal have lines of their own, and the text of comments.
//!
//! - `tokens.rs` takes token after token, with the comments between them;
//! - `statement.rs` and `expression.rs` make of them what can be broken, `document.rs` lays it out;
//! - `block.rs` puts statements and bodies one below the other.

mod align;
mod block;
mod document;
mod expression;
mod statement;
mod tokens;

use super::parse;
use crate::diagnostic::Diagnostic;
use crate::source::FileId;

/// A file's text in the one style.
///
/// # Errors
/// The mistakes of a text that is no `.seq` file.
pub fn format(file: FileId, text: &str) -> Result<String, Vec<Diagnostic>> {
    let pairs = parse::pairs(file, text)?;
    let mut tokens = tokens::Tokens::new(text);
    let items = pairs.flat_map(|pair| pair.into_inner()).filter(|pair| pair.as_rule() != parse::Rule::EOI);
    let entries = block::entries(&mut tokens, items);
    let mut rows = Vec::new();
    block::lay_out(&entries, 0, &mut rows);
    align::comments(&mut rows);
    let mut formatted = String::new();
    for row in rows {
        formatted.push_str(row.code.trim_end());
        if let Some(comment) = row.comment {
            formatted.push_str(&comment);
        }
        formatted.push('\n');
    }
    Ok(formatted)
}
