//! `seqc generate` from outside, with models whose next token is looked up in a table that the tests write.
//!
//! | file | what it tests |
//! | --- | --- |
//! | `texts.rs` | what comes, and where it ends |
//! | `states.rs` | sequences that go on, and those that are read |
//! | `calls.rs` | documents, wrong calls, and what comes in between |
//! | `continuations.rs` | `seqc verify` of what was generated elsewhere |
#![cfg(feature = "tokenizers")]

mod calls;
mod case;
mod continuations;
mod states;
mod texts;
