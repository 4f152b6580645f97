//! `seqc lsp`: what editors ask about `.seq` files, by the Language Server Protocol (3.17), over standard input and output.
//!
//! In: messages. Out: answers, and every mistake of a file each time it changes. Nothing is decided here about the language:
//! mistakes are the checker's, shapes, reach and costs those of `seqc explain`, the style that of `seqc fmt`.
//!
//! | file | what it does |
//! | --- | --- |
//! | `transport.rs` | messages as bytes; what is no message ends nothing |
//! | `serve.rs` | the life of a server, and which answer a request gets |
//! | `documents.rs` | the texts that are open, and files by their addresses |
//! | `positions.rs` | bytes of a text as lines and columns of an editor |
//! | `analysis.rs` | what is known of a file: its mistakes, its names, its models |
//! | `diagnostics.rs` | mistakes as editors show them |
//! | `hover.rs`, `hints.rs` | shapes, reach and costs of values |
//! | `definition.rs`, `rename.rs`, `completion.rs` | where names are given and used |
//! | `library.rs` | files of the library, as files that an editor can open |

mod analysis;
mod completion;
mod definition;
mod diagnostics;
mod documents;
mod hints;
mod hover;
mod library;
mod positions;
mod rename;
mod serve;
mod transport;

pub use serve::serve;
