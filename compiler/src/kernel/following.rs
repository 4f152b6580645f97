//! Where threads that share one kernel's rows can go on to the next without waiting for each other: where what both kernels
//! touch, and one writes, is each thread's own entries in both.
//!
//! ```text
//! product gates[4 x 256] = x . weights     thread 0 columns 0..128 of each 256, thread 1 the others
//! c[here; e] = … gates[e] …                the same entries of the state: what they read they wrote
//! c_n[e] = c[last; e]                      likewise
//! ```
//!
//! So a single step of a cell is one way through all of its kernels for each thread. In: a program whose buffers have places.
//! Out: for each call the first of those before it, after which all may be begun unwaited for.

use super::share::{Shares, Touch};
use super::{BufferId, Call, Place, Program, Role};

/// So many calls are looked back at, at most: each is compared with all of them.
const MOST: usize = 16;

/// For each call the first before it from which on no call's threads have to be waited for by this one's, where threads share the
/// rows of them all, and no scan's [by rows](super::Sharing::by_rows); its own number where it waits for the call before it.
pub fn following(program: &Program) -> Vec<usize> {
    let touches = |number| Shares::of(program, number).map(|shares| shares.touches());
    let touched: Vec<Option<Vec<Touch>>> = (0..program.kernels.len()).map(touches).collect();
    let meet = |one: &Call, two: &Call| match (&touched[one.kernel], &touched[two.kernel]) {
        (Some(first), Some(second)) => {
            first.iter().any(|touch| second.iter().any(|other| meets(program, (one, touch), (two, other))))
        }
        _ => true,
    };
    let first = |place: usize| {
        let call = &program.calls[place];
        let before = (place.saturating_sub(MOST)..place).rev();
        before.take_while(|earlier| !meet(&program.calls[*earlier], call)).last().unwrap_or(place)
    };
    (0..program.calls.len()).map(first).collect()
}

/// Whether a thread in one call may write what another touches in the next.
fn meets(program: &Program, (one, first): (&Call, &Touch), (two, second): (&Call, &Touch)) -> bool {
    if !(first.written || second.written) {
        return false;
    }
    match (first.place, second.place) {
        // All kernels' short-lived arrays lie in the same place.
        (Place::Scratch(_), Place::Scratch(_)) => true,
        (Place::Argument(first_number), Place::Argument(second_number)) => {
            match (one.arguments[first_number], two.arguments[second_number]) {
                (buffer, other) if buffer == other => first.own.is_none() || first.own != second.own,
                (buffer, other) => share_memory(program, buffer, other),
            }
        }
        (Place::Argument(_), Place::Scratch(_)) | (Place::Scratch(_), Place::Argument(_)) => false,
    }
}

/// Whether two buffers may lie in the same memory.
fn share_memory(program: &Program, one: BufferId, two: BufferId) -> bool {
    match (&program.buffer(one).role, &program.buffer(two).role) {
        // What lives within a chain has places there of its own, or shares them.
        (Role::Computed { chained: one, .. }, Role::Computed { chained: two, .. }) => one == two,
        _ => false,
    }
}
