//! The rows of a run: which row is which position of which sequence, in tables that kernels look up.

use seqwright_compiler::clif::context::FIRST_TABLE;
use seqwright_compiler::kernel::{Keep, Program, Space, Table, Tables, TrackId};
use seqwright_compiler::term::TimeId;

/// What comes of one sequence along one time axis in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Positions that came before.
    pub before: usize,
    /// Positions that came before, and new ones.
    pub after: usize,
    /// Whether nothing comes after: values that lag behind catch up.
    pub last: bool,
}

impl Step {
    /// The new positions of values that lag so far behind: the first, and one past the last.
    pub fn new_positions(self, lag: usize) -> (usize, usize) {
        let end = if self.last { self.after } else { self.after.saturating_sub(lag) };
        (self.before.saturating_sub(lag).min(end), end)
    }

    /// The first position that has a row.
    pub fn from(self, lag: usize, keep: Keep) -> usize {
        let (start, _) = self.new_positions(lag);
        match keep {
            Keep::New => start,
            Keep::Last(count) => start.saturating_sub(count),
            Keep::All => 0,
        }
    }
}

/// The rows of one sequence along one track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first row.
    pub first: usize,
    /// How many earlier positions there are, before new ones.
    pub kept: usize,
    /// How many new positions there are.
    pub new: usize,
}

/// The rows of all sequences.
pub struct Rows {
    /// How many sequences there are.
    pub sequences: usize,
    /// For each track, those of each sequence.
    tracks: Vec<Vec<Extent>>,
    /// For each track, how many rows a buffer over it has.
    counts: Vec<usize>,
    /// For each time axis, how many positions the longest sequence has so far.
    lengths: Vec<usize>,
    /// For each pair of tracks, how many rows a buffer over both has.
    pairs: Vec<usize>,
    /// What kernels look up, in the order of [`Tables`].
    tables: Vec<Vec<usize>>,
}

impl Rows {
    /// The rows of a run. `steps` are those of each time axis and sequence; `region` tells where rows begin that stay in
    /// their place.
    pub fn new(
        program: &Program,
        sequences: usize,
        steps: &[Vec<Step>],
        region: &dyn Fn(TrackId, usize) -> usize,
    ) -> Rows {
        let layout = Tables::of(program);
        let mut tables: Vec<Vec<usize>> = vec![Vec::new(); layout.count()];
        let mut keep = |place: usize, table: Vec<usize>| tables[place] = table;
        for (time, steps) in steps.iter().enumerate() {
            keep(layout.lengths(TimeId(time as u32)), steps.iter().map(|step| step.after).collect());
        }
        let (mut tracks, mut counts): (Vec<Vec<Extent>>, Vec<usize>) = (Vec::new(), Vec::new());
        for (number, track) in program.tracks.iter().enumerate() {
            let id = TrackId(number as u32);
            let (mut next, mut extents) = (0, Vec::new());
            let (mut sequence_of, mut position_of) = (Vec::new(), Vec::new());
            for (sequence, step) in steps[track.time.0 as usize].iter().enumerate() {
                let (start, end) = step.new_positions(track.lag);
                let (kept, new) = (start - step.from(track.lag, track.keep), end - start);
                let first = if track.stays() { region(id, sequence) } else { next };
                extents.push(Extent { first, kept, new });
                next += track.rows(kept + new);
                if track.keep == Keep::New {
                    sequence_of.extend(std::iter::repeat_n(sequence, new));
                    position_of.extend(start..end);
                }
            }
            keep(layout.table(id, Table::First), extents.iter().map(|extent| extent.first).collect());
            let from = steps[track.time.0 as usize].iter().map(|step| step.from(track.lag, track.keep));
            keep(layout.table(id, Table::From), from.collect());
            keep(layout.table(id, Table::Count), extents.iter().map(|extent| extent.kept + extent.new).collect());
            keep(layout.table(id, Table::Sequence), sequence_of);
            keep(layout.table(id, Table::Position), position_of);
            tracks.push(extents);
            counts.push(next);
        }
        let mut pairs = Vec::new();
        for (one, rows) in tracks.iter().enumerate() {
            for (two, columns) in tracks.iter().enumerate() {
                let (mut next, mut first) = (0, Vec::new());
                for (rows, columns) in rows.iter().zip(columns) {
                    first.push(next);
                    next += (rows.kept + rows.new) * (columns.kept + columns.new);
                }
                pairs.push(next);
                keep(layout.first_pairs(TrackId(one as u32), TrackId(two as u32)), first);
            }
        }
        let longest = |steps: &Vec<Step>| steps.iter().map(|step| step.after).max().unwrap_or(0);
        let lengths = steps.iter().map(longest).collect();
        Rows { sequences, tracks, counts, lengths, pairs, tables }
    }

    /// The words that machine code is called with; those before the tables' addresses are still to be set.
    pub fn words(&self) -> impl Iterator<Item = usize> {
        let addresses = self.tables.iter().map(|table| table.as_ptr() as usize);
        [0; FIRST_TABLE].into_iter().chain(addresses)
    }

    /// The tables as a shader has them: for each where it begins, then all of them.
    #[cfg(feature = "gpu")]
    pub fn flat(&self) -> Vec<i32> {
        let mut flat = Vec::new();
        let mut next = self.tables.len();
        for table in &self.tables {
            flat.push(next as i32);
            next += table.len();
        }
        flat.extend(self.tables.iter().flatten().map(|number| *number as i32));
        flat
    }

    /// How many rows the longest sequence has along a track.
    #[cfg(feature = "gpu")]
    pub fn longest(&self, track: TrackId) -> usize {
        self.extents(track).iter().map(|extent| extent.kept + extent.new).max().unwrap_or(0)
    }

    /// How many positions the longest sequence has so far along a time axis.
    pub fn length(&self, time: TimeId) -> usize {
        self.lengths[time.0 as usize]
    }

    /// The same along all.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The rows of each sequence along a track.
    pub fn extents(&self, track: TrackId) -> &[Extent] {
        &self.tracks[track.0 as usize]
    }

    /// How many rows a track has, unless they stay in their place: those that kernels over it run over.
    pub fn count(&self, track: TrackId) -> usize {
        self.counts[track.0 as usize]
    }

    /// The same of all tracks.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// How many rows a buffer has, unless they stay in their place.
    pub fn of(&self, space: &Space) -> usize {
        match space {
            Space::Global => 1,
            Space::Tracks(tracks) => match tracks.as_slice() {
                [] => self.sequences,
                [track] => self.count(*track),
                [one, two, ..] => self.pairs[one.0 as usize * self.tracks.len() + two.0 as usize],
            },
        }
    }

    /// The rows of a buffer's new positions, sequence by sequence: the first and how many.
    pub fn new_rows(&self, space: &Space) -> Vec<(usize, usize)> {
        match space {
            Space::Global => vec![(0, 1); self.sequences],
            Space::Tracks(tracks) => match tracks.as_slice() {
                [] => (0..self.sequences).map(|sequence| (sequence, 1)).collect(),
                [track] => self.extents(*track).iter().map(|extent| (extent.first + extent.kept, extent.new)).collect(),
                [one, two, ..] => {
                    let mut next = 0;
                    let sizes = self.extents(*one).iter().zip(self.extents(*two));
                    sizes
                        .map(|(rows, columns)| {
                            let columns = columns.kept + columns.new;
                            let (first, all) = (next, (rows.kept + rows.new) * columns);
                            next += all;
                            (first + rows.kept * columns, rows.new * columns)
                        })
                        .collect()
                }
            },
        }
    }
}
