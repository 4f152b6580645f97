//! What kernels read and write, as formulas in the lengths of time axes.
//!
//! Counted are numbers in memory outside of a kernel, each once however often it is read: what would go through the memory bus
//! if the processor's caches held all that a kernel works on. What a kernel reads of its own results is not read again. Of a
//! table from which rows are looked up only those rows count, one for each look; of everything else all that addresses reach.

use super::formula::{Formula, Length};
use crate::kernel::{
    Access, Argument, Attention, Body, Kernel, Loop, Place, Program, Range, Row, Scalar, Space, Stage, Track,
};
use std::collections::BTreeMap;

/// What one run of a kernel moves, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// What it reads.
    pub read: Formula,
    /// What it writes.
    pub written: Formula,
}

/// What one run of a kernel moves, in numbers, with what all sequences of a batch share apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// What it reads once, however many sequences there are: weights and constants.
    pub shared: Formula,
    /// What else it reads, for each sequence.
    pub read: Formula,
    /// What it writes, for each sequence.
    pub written: Formula,
}

impl From<Moved> for Traffic {
    /// As if for one sequence alone.
    fn from(Moved { mut shared, read, written }: Moved) -> Traffic {
        shared.add(&read);
        Traffic { read: shared, written }
    }
}

/// What a kernel moves when it is run on whole sequences, for each sequence; weights as if for it alone.
pub fn traffic(program: &Program, kernel: &Kernel) -> Traffic {
    moved(program, kernel).into()
}

/// The same, with what sequences share apart.
pub fn moved(program: &Program, kernel: &Kernel) -> Moved {
    let mut touched = Touched { program, kernel, of: BTreeMap::new() };
    match &kernel.body {
        Body::Rows { stages, .. } | Body::Scan { stages, .. } => stages.iter().for_each(|stage| touched.stage(stage)),
        Body::Attention(attention) => touched.attention(attention),
    }
    let mut moved = Moved::default();
    for (argument, touches) in &touched.of {
        let own = &kernel.arguments[*argument];
        let numbers = numbers(program, own, touches);
        // What each position looks up in a table is its own.
        let shared = matches!(own.space, Space::Global) && touches.iter().all(|touch| touch.looks.is_empty());
        match (own.written, shared) {
            (true, _) => moved.written.add(&numbers),
            (false, true) => moved.shared.add(&numbers),
            (false, false) => moved.read.add(&numbers),
        }
    }
    moved
}

/// What one address reaches in an argument, over all rows and loops of a kernel.
#[derive(Clone, Debug, PartialEq)]
struct Touch {
    /// The address and the loops that it varies with, as far as they tell two apart.
    access: Option<(Access, Vec<Range>)>,
    /// Numbers of a row.
    inside: usize,
    /// Which rows: all, or one for each sequence.
    all_rows: bool,
    /// For what has one row alone, how often another part of it is looked up.
    looks: Vec<Length>,
    /// Whether the place is computed from numbers, so that the same can be looked up twice.
    computed: bool,
}

struct Touched<'p> {
    program: &'p Program,
    kernel: &'p Kernel,
    of: BTreeMap<usize, Vec<Touch>>,
}

/// The numbers that some addresses reach together.
fn numbers(program: &Program, argument: &Argument, touches: &[Touch]) -> Formula {
    let tracks: Vec<Track> = match &argument.space {
        Space::Tracks(tracks) => tracks.iter().map(|track| program.track(*track)).collect(),
        Space::Global => Vec::new(),
    };
    // Positions that take turns in a few rows are no more than those.
    let turns: usize = tracks.iter().filter_map(|track| track.turns).product();
    let long = tracks.iter().filter(|track| track.turns.is_none());
    let long: Vec<Length> = long.map(|track| Length::Positions(track.time)).collect();
    let mut sum = Formula::default();
    let (looked, plain): (Vec<&Touch>, Vec<&Touch>) = touches.iter().partition(|touch| !touch.looks.is_empty());
    for touch in looked {
        let mut each = Formula::product(1, [touch.inside], touch.looks.clone());
        each.at_most = touch.computed;
        sum.add(&each);
    }
    if !plain.is_empty() {
        let all = plain.iter().any(|touch| touch.all_rows);
        let inside = if all { of_a_row(argument, &plain) } else { of_few_rows(argument, &plain) };
        let mut whole = match all {
            true => Formula::product(1, [turns, inside], long),
            false => Formula::product(1, [inside], Vec::new()),
        };
        whole.at_most = (all && turns > 1) || plain.iter().any(|touch| touch.computed || touch.all_rows != all);
        sum.add(&whole);
    }
    sum
}

/// The numbers of a row that some addresses reach together.
fn of_a_row(argument: &Argument, touches: &[&Touch]) -> usize {
    let inside: usize = touches.iter().map(|touch| touch.inside).sum();
    inside.min(argument.row)
}

/// The same where each address has one row, not all the same.
fn of_few_rows(argument: &Argument, touches: &[&Touch]) -> usize {
    let rows = |touch: &Touch| touch.access.as_ref().map(|(access, _)| access.rows.clone());
    let mut groups: Vec<Vec<&Touch>> = Vec::new();
    for touch in touches {
        match groups.iter_mut().find(|group| rows(group[0]) == rows(touch)) {
            Some(group) => group.push(touch),
            None => groups.push(vec![touch]),
        }
    }
    groups.iter().map(|group| of_a_row(argument, group)).sum()
}

impl Touched<'_> {
    fn touch(&mut self, argument: usize, touch: Touch) {
        let known = self.of.entry(argument).or_default();
        if !known.contains(&touch) {
            known.push(touch);
        }
    }

    /// A whole argument.
    fn whole(&mut self, place: Place) {
        if let Place::Argument(argument) = place {
            let inside = self.kernel.arguments[argument].row;
            let touch = Touch { access: None, inside, all_rows: true, looks: Vec::new(), computed: false };
            self.touch(argument, touch);
        }
    }

    fn stage(&mut self, stage: &Stage) {
        match stage {
            Stage::Product(product) => {
                self.whole(product.operand);
                self.whole(Place::Argument(product.weights));
                self.whole(product.target);
            }
            Stage::Loop(of) => self.of_loop(of),
        }
    }

    fn of_loop(&mut self, of: &Loop) {
        self.access(&of.target, &of.ranges, 1);
        self.scalar(&of.body, &of.ranges);
        for comparison in &of.domain {
            self.scalar(&comparison.left, &of.ranges);
            self.scalar(&comparison.right, &of.ranges);
        }
    }

    fn attention(&mut self, attention: &Attention) {
        let mut ranges = attention.heads.clone();
        ranges.push(attention.keys.clone());
        self.access(&attention.query, &ranges, attention.numbers());
        self.access(&attention.key, &ranges, attention.numbers());
        self.access(&attention.value, &ranges, attention.width);
        self.access(&attention.target, &ranges, attention.width);
        self.scalar(&attention.score, &ranges);
        for comparison in &attention.domain {
            self.scalar(&comparison.left, &ranges);
            self.scalar(&comparison.right, &ranges);
        }
    }

    fn scalar(&mut self, scalar: &Scalar, ranges: &[Range]) {
        let mut reads = Vec::new();
        scalar.walk(&mut |inner| {
            if let Scalar::Read(access) = inner {
                reads.push(access);
            }
        });
        reads.into_iter().for_each(|access| self.access(access, ranges, 1));
    }

    /// An address, with so many numbers at each place.
    fn access(&mut self, access: &Access, ranges: &[Range], width: usize) {
        if let Some(outside) = access.outside {
            self.whole(Place::Argument(outside));
        }
        let Place::Argument(argument) = access.place else { return };
        let mut inside = width;
        let mut looks = Vec::new();
        let varying = ranges.iter().enumerate().filter(|(index, _)| access.offset.varies_with(*index));
        let varying: Vec<Range> = varying.map(|(_, range)| range.clone()).collect();
        for range in &varying {
            match (entries(range), over(range)) {
                (_, Some(time)) => looks.push(Length::Positions(time)),
                (Some(count), None) => inside = inside.saturating_mul(count),
                (None, None) => {}
            }
        }
        let by_row =
            access.offset.position != 0 || access.offset.computed.iter().any(|part| self.differs(&part.number));
        if let (true, Some(track)) = (by_row, self.kernel.rows) {
            looks.insert(0, Length::Positions(self.program.track(track).time));
        }
        let computed = !access.offset.computed.is_empty();
        let one_row = matches!(self.kernel.arguments[argument].space, Space::Global);
        let all_rows = access.rows.iter().any(|row| match row {
            Row::Here => true,
            Row::At(offset) => offset.position != 0 || !offset.indices.is_empty() || !offset.computed.is_empty(),
        });
        if !one_row {
            // Whatever of a row is looked up, it is no more than the row.
            inside = if looks.is_empty() { inside } else { self.kernel.arguments[argument].row };
            looks.clear();
        }
        let touch = Touch { access: Some((access.clone(), varying)), inside, all_rows, looks, computed };
        self.touch(argument, touch);
    }

    /// Whether a number is another for each row.
    fn differs(&self, scalar: &Scalar) -> bool {
        let mut differs = false;
        scalar.walk(&mut |inner| match inner {
            Scalar::Position => differs = true,
            Scalar::Read(access) => match access.place {
                Place::Argument(argument) => {
                    differs |= !matches!(self.kernel.arguments[argument].space, Space::Global);
                }
                Place::Scratch(_) => differs = true,
            },
            Scalar::Number(_)
            | Scalar::Index(_)
            | Scalar::Length(_)
            | Scalar::Dot
            | Scalar::Unary(..)
            | Scalar::Binary(..)
            | Scalar::Select(..) => {}
        });
        differs
    }
}

/// How many entries a range has, if that is known from the file.
fn entries(range: &Range) -> Option<usize> {
    let known = |bounds: &[crate::kernel::Bound], best: fn(i64, i64) -> i64| {
        let fixed = bounds.iter().filter(|bound| bound.position == 0 && bound.length.is_none());
        fixed.map(|bound| bound.fixed).reduce(best)
    };
    let (from, to) = (known(&range.from, i64::max)?, known(&range.to, i64::min)?);
    usize::try_from(to - from).ok()
}

/// The time axis that a range runs over, if it is one.
fn over(range: &Range) -> Option<crate::term::TimeId> {
    range.to.iter().find_map(|bound| bound.length)
}
