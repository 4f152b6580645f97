//! What the library of tokenizers makes of a file that it does not expect: an error, not the end of the process.
//!
//! A tokenizer's file says much that is only looked at when it is used, and the library takes some of it for granted: that a merge's
//! second half is as long as its prefix, that a template's tokens are there. Where it stops then, that is caught here, its report
//! kept off the terminal, and told as what it is: a file that can't be a tokenizer.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside the library, and its reports are not shown.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Calls the library; what it stops with is an error.
///
/// What is passed in by reference is either not changed or not used again after an error.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |report| {
            if !INSIDE.get() {
                others(report);
            }
        }));
    });
    let outside = INSIDE.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    INSIDE.set(outside);
    result.unwrap_or_else(|why| {
        let said = why.downcast_ref::<String>().map(String::as_str).or_else(|| why.downcast_ref::<&str>().copied());
        // Of what may be long, as it may quote the file, the beginning.
        let said: String =
            said.unwrap_or("it does not say why").chars().take(120).flat_map(char::escape_debug).collect();
        Err(format!("the tokenizer contradicts itself: {said}"))
    })
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn what_stops_is_an_error() {
        assert_eq!(guarded(|| Ok(7)), Ok(7));
        assert_eq!(guarded::<u8>(|| Err("no".to_string())), Err("no".to_string()));
        let stopped = guarded::<u8>(|| panic!("a merge of {}", "nothing\n"));
        assert_eq!(stopped, Err("the tokenizer contradicts itself: a merge of nothing\\n".to_string()));
    }
}
