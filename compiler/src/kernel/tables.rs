//! The tables that a run makes and kernels look up: which row is which position of which sequence. Every backend has them
//! in this order; each says where it keeps them.

use super::{Program, TrackId};
use crate::term::TimeId;

/// The numbers of a program's tables.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    times: usize,
    tracks: usize,
}

/// A table of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// For each sequence, the row of the first position that has one, and at the end one past the last row of all.
    First,
    /// For each sequence, that position.
    From,
    /// For each sequence, how many positions have rows, in turn or each its own.
    Count,
    /// For each row its sequence; only where kernels run over it.
    Sequence,
    /// For each row its position; only where kernels run over it.
    Position,
}

const OF_A_TRACK: usize = 5;

impl Tables {
    /// The tables of a program.
    pub fn of(program: &Program) -> Tables {
        Tables { times: program.times.len(), tracks: program.tracks.len() }
    }

    /// For a time axis, each sequence's length so far.
    pub fn lengths(self, time: TimeId) -> usize {
        time.0 as usize
    }

    /// A table of a track.
    pub fn table(self, track: TrackId, table: Table) -> usize {
        self.times + OF_A_TRACK * track.0 as usize + table as usize
    }

    /// For a pair of tracks, the first row of each sequence in a buffer over both.
    pub fn first_pairs(self, one: TrackId, two: TrackId) -> usize {
        self.times + OF_A_TRACK * self.tracks + one.0 as usize * self.tracks + two.0 as usize
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.times + OF_A_TRACK * self.tracks + self.tracks * self.tracks
    }
}
