//! What the tests share: [`sources`], `.seq` texts of the repository; [`goldens`], cases computed by other frameworks; and
//! [`random`], weights and batches.

pub mod goldens;
pub mod random;
pub mod sources;
