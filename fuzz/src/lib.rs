//! Damaged and random inputs for everything that Seqwright reads: programs, weights, tokenizers, states.
//!
//! A target takes bytes. The first of them choose a whole file of [`seeds`] and what is done to it ([`damage`]); what comes out is
//! read under a bound on time and memory ([`limits`]), and everything that can be asked of it is ([`formats`], [`programs`]).
//! It ends in an error that names the file, or in a value; anything else is a fault.
//!
//! `cargo test -p seqwright-fuzz` runs each target for a few seconds and every cut and every changed field of one small file of
//! each format; `scripts/fuzz.sh HOURS` runs the targets as long as that.

pub mod damage;
pub mod formats;
pub mod limits;
pub mod programs;
pub mod seeds;
