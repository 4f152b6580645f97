//! What the tests share: [`sources`], `.seq` texts of the repository, and [`goldens`], cases computed by other frameworks.

pub mod goldens;
pub mod sources;
