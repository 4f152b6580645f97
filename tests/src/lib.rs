//! Fixtures.

pub mod sources;
