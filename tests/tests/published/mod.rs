//! Published models against what their own packages say (`fixtures/models`), a module each. `scripts/fetch-models.sh` fetches
//! them.

mod annalog;
mod g2p;
mod hama;
mod silero_vad;
mod smollm2;

use seqwright::session::{Checked, lower_chunks};
use seqwright_compiler::kernel::Part;
use seqwright_tests::goldens::shown;

/// How many calls of the chunk program run once for a sequence, and the names of those that come with each chunk.
fn parts(checked: &Checked) -> (usize, Vec<String>) {
    let program = shown(lower_chunks(checked)).program;
    let (once, later): (Vec<_>, Vec<_>) = program.calls.iter().partition(|call| call.part == Part::Once);
    (once.len(), later.iter().map(|call| call.name.clone()).collect())
}
