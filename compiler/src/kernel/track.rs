//! Tracks: which positions have rows, of a value that runs over time. A buffer's rows are those of its tracks ([`Space`]).

use crate::stream::Keep;
use crate::term::TimeId;

/// So many earlier positions at most are copied before each chunk and after it; more stay where they are.
pub const COPIED: usize = 32;

/// Positions of a time axis for which there are rows. A program for whole sequences has one track for each axis, of all its
/// positions; a chunk program has those of new positions, which kernels run over, and those that reach back to earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Track {
    /// The axis.
    pub time: TimeId,
    /// How many positions later than the inputs.
    pub lag: usize,
    /// Which earlier positions have rows before those of the new ones.
    pub keep: Keep,
    /// In how many rows the positions take turns, a power of two: that of number `n` among those above lies in row `n % turns`
    /// of its sequence. None where each has a row of its own.
    pub turns: Option<usize>,
}

/// A track, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u32);

/// The tracks that tell a buffer's rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// One row, whatever the batch: weights and constants.
    Global,
    /// A row for each sequence (no tracks), for each position (one), or for each pair of positions (two).
    Tracks(Vec<TrackId>),
}

impl Track {
    /// The new positions of an axis, each with a row of its own: what kernels run over.
    pub fn new_positions(time: TimeId, lag: usize) -> Track {
        Track { time, lag, keep: Keep::New, turns: None }
    }

    /// How many rows a sequence has with so many positions.
    pub fn rows(self, positions: usize) -> usize {
        self.turns.map_or(positions, |turns| positions.min(turns))
    }

    /// In which of them a position lies, counted from the first that has a row.
    pub fn row(self, place: usize) -> usize {
        self.turns.map_or(place, |turns| place % turns)
    }

    /// Whether its rows stay in one place from chunk to chunk.
    pub fn stays(self) -> bool {
        match self.keep {
            Keep::New => false,
            Keep::Last(count) => count > COPIED,
            Keep::All => true,
        }
    }
}
