//! Cache lines of one's own: where one thread writes, all others have to fetch the line anew, whatever else of it they read.

use std::ops::Deref;

/// Something in cache lines of its own, and in the pair of lines that processors fetch together.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
