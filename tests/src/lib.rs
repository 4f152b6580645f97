//! What the tests share: [`sources`], `.seq` texts of the repository; [`goldens`], cases computed by other frameworks;
//! [`backends`], what runs models; [`agreement`], the comparison with the interpreter; [`tolerance`], how far each operation may be
//! off; [`models`], random `.seq` texts; [`counting`], operations and addresses one by one; [`published`], models with their published
//! weights; [`greedy`], continuations token by token; [`law`], what holds of every chunk program; [`gguf`] and [`numpy`], files to be read;
//! [`random`], weights and batches; and [`sequences`], which those are cut into.

pub mod agreement;
pub mod backends;
pub mod counting;
pub mod gguf;
pub mod goldens;
pub mod greedy;
pub mod law;
pub mod models;
pub mod numpy;
pub mod published;
pub mod random;
pub mod sequences;
pub mod sources;
pub mod tolerance;
