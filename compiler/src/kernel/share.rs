//! Sharing one kernel's stages out over threads that all work on the same rows: who computes what, and where they wait for
//! each other.
//!
//! ```text
//! operand h' = h[position - 1]                     each its own, all of it
//! product gates[4 x 256] = h' . weights            thread 0 columns 0..128 of each 256, thread 1 the others
//! c[here; e] = … gates[e] … gates[e + 256] …       the same entries: what they read they wrote, no waiting
//! h[here; e] = … c[here; e] …                      likewise; the next step reads all of h: one barrier a step
//! ```
//!
//! In comes a kernel; out comes for each stage how it is [`Split`], and whether all wait before it. Steps of a scan, and blocks
//! of rows, always begin with all there, so that only what happens within one has to be looked at:
//!
//! - A loop is cut along its first index, a product along its columns: in segments as long as that index's range, if what
//!   reads it reads a segment's entries alone. An entry's sum is computed by one thread, in the order it always has: results
//!   are the same bits for any number of threads.
//! - What is small beside the products and not read entry by entry is computed by each thread for itself.
//! - A stage waits if it touches what another thread may have written since all last waited, or writes what another may
//!   have read.
//!
//! Where a step has rows for all threads, the sequences of a batch, loops are shared out by rows instead, each of which is read by
//! itself alone: of a norm nothing is left to one thread or computed by all, and runs are whole. The products' columns are cut
//! as before.
//!
//! At a step's beginning all that a thread needs of the others are their entries of the state. Those of the first thread are enough to
//! begin the product with, in the order in which its sums run anyway: so that one waits for nobody there, the others for it
//! alone, and for the rest nobody waits long ([`Sharing::early`]).
//!
//! Between two kernels nobody waits either, if what both touch is each thread's own: see [`following`](super::following).

use super::{
    Access, Argument, Body, Bound, Kernel, Loop, Offset, Place, Product, Program, Range, Row, Scalar, Space, Stage,
    Steps,
};

/// Cuts lie at multiples of so many numbers: whole panels of packed weights on every processor, and no cache line of two
/// threads.
const GRANULE: usize = 64;

/// What is so many times smaller than the kernel's products is computed by each thread rather than waited for.
const SMALL: usize = 32;

/// A product of so many weights for each row at most is begun early: of more a wait is a small part, and what comes from beyond
/// the second cache takes longer in parts than in one.
const EARLY: usize = 1 << 19;

/// With so many rows of a step for each thread these are shared out: one more or less is little to wait for.
pub const STEP_ROWS_EACH: usize = 4;

/// How a kernel's stages are shared out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// As the kernel's stages.
    pub stages: Vec<Shared>,
    /// The same for steps of a scan that have rows for all threads.
    pub by_rows: Option<Vec<Shared>>,
    /// Whether all wait for each other between steps of a scan, or blocks of rows.
    pub between: bool,
    /// How a step can begin as soon as the first thread has left the last one, if it can: where no step's rows are shared out, as
    /// then the first thread has all entries of some rows, and none of others.
    pub early: Option<Early>,
}

/// What of a scan's step can be done before all have left the last one: its first stage gathers what the second multiplies with
/// weights, and the first thread's entries of it can be gathered, and multiplied, before the others' are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    /// The axis of the product's depth.
    pub cut: Cut,
    /// So many of the product's columns, which are whole segments, are multiplied in two parts for that: the others are when all
    /// is there, in one, which takes less long.
    pub columns: usize,
}

/// How a stage is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Who computes what.
    pub split: Split,
    /// Whether all wait for each other before it.
    pub barrier: bool,
}

/// Who computes what of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Each thread all of it, in memory of its own.
    Own,
    /// One thread all of it.
    One,
    /// Each thread some entries: of a loop's first index, or of each segment of a product's columns.
    Entries(Cut),
    /// Each thread some rows.
    Rows,
}

impl Split {
    /// The axis that is cut, if one is.
    pub fn cut(self) -> Option<Cut> {
        match self {
            Split::Entries(cut) => Some(cut),
            Split::Own | Split::One | Split::Rows => None,
        }
    }
}

/// An axis that is cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cut {
    /// Its entries.
    pub entries: usize,
    /// How many numbers one of them is.
    pub stride: usize,
}

impl Cut {
    /// Parts begin at multiples of so many entries, a power of two.
    pub fn granule(self) -> usize {
        (1..=GRANULE).find(|entries| (entries * self.stride).is_multiple_of(GRANULE)).unwrap_or(GRANULE)
    }

    /// Numbers of all entries.
    pub fn numbers(self) -> usize {
        self.entries * self.stride
    }
}

/// How the stages of the kernel of that number are shared out; none for one of which threads have rows, heads, or entries of a
/// scan in blocks instead. Without products, rows are shared out if all that is done with them can be cut, and a scan is not.
pub fn sharing(program: &Program, number: usize) -> Option<Sharing> {
    let shares = Shares::of(program, number)?;
    let is_scan = matches!(shares.kernel.body, Body::Scan { .. });
    let by_rows = is_scan.then(|| shares.waits(&shares.by_rows()));
    let all: Vec<Touch> = shares.touches();
    let meet = |one: &Touch| all.iter().any(|other| one.meets(other, program, shares.kernel));
    let early = if is_scan { shares.early() } else { None };
    Some(Sharing { stages: shares.waits(&shares.splits), by_rows, between: is_scan || all.iter().any(meet), early })
}

/// A kernel's stages, and how they are split.
pub(super) struct Shares<'p> {
    program: &'p Program,
    kernel: &'p Kernel,
    stages: &'p [Stage],
    splits: Vec<Split>,
}

impl<'p> Shares<'p> {
    /// Those of the kernel of that number.
    pub fn of(program: &'p Program, number: usize) -> Option<Shares<'p>> {
        let kernel = &program.kernels[number];
        let stages = match &kernel.body {
            Body::Rows { stages, .. } | Body::Scan { steps: Steps::Positions, stages, .. } => stages,
            Body::Scan { steps: Steps::Blocks { .. }, .. } | Body::Attention(_) => return None,
        };
        let work: usize = stages.iter().filter_map(Stage::product).map(Product::multiplications).sum();
        // From the last to the first: how a stage is cut depends on who reads it.
        let mut splits: Vec<Split> = vec![Split::One; stages.len()];
        for place in (0..stages.len()).rev() {
            splits[place] = match &stages[place] {
                Stage::Loop(stage) => split_of_loop(stage, &stages[place + 1..], &splits[place + 1..], work),
                Stage::Product(product) => {
                    let mut cuts: Vec<Cut> =
                        readers(product.target, &stages[place + 1..], &splits[place + 1..]).flatten().collect();
                    if let Place::Argument(argument) = product.target {
                        cuts.extend(later_cuts(program, number, argument));
                    }
                    Split::Entries(cut_of_product(product, cuts))
                }
            };
        }
        let all_cut = matches!(kernel.body, Body::Rows { .. }) && splits.iter().all(|split| split.cut().is_some());
        (work > 0 || all_cut).then_some(Shares { program, kernel, stages, splits })
    }

    /// Whether an array is each thread's own: every thread fills it.
    fn has_own(&self, place: Place) -> bool {
        let mut writers = self.stages.iter().zip(&self.splits).filter(|(stage, _)| stage.target() == place);
        matches!(place, Place::Scratch(_)) && writers.all(|(_, split)| *split == Split::Own)
    }

    /// What a stage touches of memory that threads share, split in one way.
    fn touches_of(&self, stage: &Stage, split: Split) -> Vec<Touch> {
        let mut touches = touches(stage, split);
        touches.retain(|touch| !self.has_own(touch.place));
        touches
    }

    /// What all stages touch.
    pub fn touches(&self) -> Vec<Touch> {
        self.stages.iter().zip(&self.splits).flat_map(|(stage, split)| self.touches_of(stage, *split)).collect()
    }

    /// Where all wait for each other, the stages split in one way.
    fn waits(&self, splits: &[Split]) -> Vec<Shared> {
        let mut since: Vec<Touch> = Vec::new();
        let of_one = |(stage, split): (&Stage, &Split)| {
            let own = self.touches_of(stage, *split);
            let meets = |touch: &Touch| since.iter().any(|before| before.meets(touch, self.program, self.kernel));
            let barrier = own.iter().any(meets);
            if barrier {
                since.clear();
            }
            since.extend(own);
            Shared { split: *split, barrier }
        };
        self.stages.iter().zip(splits).map(of_one).collect()
    }

    /// How a step can begin early.
    fn early(&self) -> Option<Early> {
        let [Stage::Loop(gather), Stage::Product(product), ..] = self.stages else { return None };
        let cut = Cut { entries: product.depth, stride: 1 };
        let gathers_entries = gather.reduction.is_none()
            && gather.ranges.len() == 1
            && (product.operand, product.rows) == (gather.target.place, 1)
            && self.has_own(product.operand)
            && gather.target.offset.fixed == 0
            && cut_of_loop(gather) == Some(cut);
        let touches = self.touches();
        let writers = |place: Place| touches.iter().filter(move |touch| touch.place == place && touch.written);
        // What each thread writes of the states is what the others read of them; a step before, whatever comes in this one.
        let is_early = |access: &Access| {
            access.outside.is_none_or(|argument| writers(Place::Argument(argument)).count() == 0)
                && writers(access.place).all(|touch| {
                    touch.own == Some(Split::Entries(cut))
                        && later(access).is_some_and(|later| later != 0)
                        && is_confined(&access.offset, gather, cut)
                })
        };
        let mut all_early = true;
        reads(gather, &mut |access| all_early &= is_early(access));
        // Another thread may be in the last step still.
        let has_own_sums =
            touches.iter().filter(|touch| touch.place == product.target).all(|touch| touch.own == Some(self.splits[1]));
        let segment = self.splits[1].cut()?.numbers();
        let columns = (product.columns / segment).div_ceil(2) * segment;
        let is_worth = product.multiplications() <= EARLY;
        (is_worth && gathers_entries && all_early && has_own_sums).then_some(Early { cut, columns })
    }

    /// The stages shared out by rows, but for products, and for what each thread computes in memory of its own for those.
    fn by_rows(&self) -> Vec<Split> {
        let mut by_rows = self.splits.clone();
        // Of what is each thread's own, that of which it needs all rows.
        let mut whole: Vec<Place> = Vec::new();
        for (stage, split) in self.stages.iter().zip(&mut by_rows).rev() {
            match stage {
                Stage::Product(product) => whole.push(product.operand),
                Stage::Loop(stage) if whole.contains(&stage.target.place) && self.has_own(stage.target.place) => {
                    reads(stage, &mut |access| whole.push(access.place));
                }
                Stage::Loop(_) => *split = Split::Rows,
            }
        }
        by_rows
    }
}

/// How loops of other kernels could be cut that read an argument of this one's calls; one that can't is left out.
fn later_cuts(program: &Program, kernel: usize, argument: usize) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for buffer in program.calls.iter().filter(|call| call.kernel == kernel).map(|call| call.arguments[argument]) {
        for call in program.calls.iter().filter(|call| call.kernel != kernel && call.arguments.contains(&buffer)) {
            let (Body::Rows { stages, .. } | Body::Scan { stages, .. }) = &program.kernels[call.kernel].body else {
                continue;
            };
            for stage in stages.iter().filter_map(Stage::looped) {
                let Some(cut) = cut_of_loop(stage) else { continue };
                reads(stage, &mut |access| {
                    let is_it = matches!(access.place, Place::Argument(number) if call.arguments[number] == buffer);
                    if is_it && is_confined(&access.offset, stage, cut) && !cuts.contains(&cut) {
                        cuts.push(cut);
                    }
                });
            }
        }
    }
    cuts
}

impl Kernel {
    /// About how long a row takes, in nanoseconds of a processor that computes an element of a loop in one, and in a product
    /// multiplies 32 times; of an attention, for each key that a query sees.
    pub fn effort(&self) -> usize {
        match &self.body {
            Body::Rows { stages, .. } | Body::Scan { stages, .. } => stages
                .iter()
                .map(|stage| match stage {
                    Stage::Loop(stage) => turns(stage),
                    Stage::Product(product) => product.multiplications() / 32,
                })
                .fold(0, usize::saturating_add),
            Body::Attention(attention) => {
                let heads = attention.heads.iter().map(|range| entries(range).unwrap_or(1));
                let each = (attention.numbers() + attention.width).div_ceil(32);
                heads.fold(each, usize::saturating_mul)
            }
        }
    }

    /// The heads of an attention, which threads can share out; none elsewhere.
    pub fn heads(&self) -> Option<usize> {
        let Body::Attention(attention) = &self.body else { return None };
        entries(attention.heads.get(attention.cut())?)
    }
}

impl Stage {
    fn product(&self) -> Option<&Product> {
        match self {
            Stage::Product(product) => Some(product),
            Stage::Loop(_) => None,
        }
    }

    fn looped(&self) -> Option<&Loop> {
        match self {
            Stage::Loop(stage) => Some(stage),
            Stage::Product(_) => None,
        }
    }

    /// Where its result goes.
    pub(crate) fn target(&self) -> Place {
        match self {
            Stage::Loop(stage) => stage.target.place,
            Stage::Product(product) => product.target,
        }
    }
}

impl Product {
    /// Multiplications for each row.
    pub fn multiplications(&self) -> usize {
        self.rows.saturating_mul(self.depth).saturating_mul(self.columns)
    }
}

/// How many entries a range has, where that is the same for every row and the first is 0.
pub(crate) fn entries(range: &Range) -> Option<usize> {
    match (range.from.as_slice(), range.to.as_slice()) {
        ([] | [Bound { fixed: 0, position: 0, length: None }], [Bound { fixed, position: 0, length: None }]) => {
            usize::try_from(*fixed).ok()
        }
        _ => None,
    }
}

/// How a loop can be cut along its first index.
fn cut_of_loop(stage: &Loop) -> Option<Cut> {
    if stage.results == 0 {
        return None;
    }
    let entries = entries(stage.ranges.first()?)?;
    let stride = usize::try_from(stage.target.offset.times(0)).ok().filter(|stride| *stride > 0)?;
    let cut = Cut { entries, stride };
    is_confined(&stage.target.offset, stage, cut).then_some(cut)
}

/// Whether an address stays among a thread's own entries of a cut, in whichever segment.
fn is_confined(offset: &Offset, stage: &Loop, cut: Cut) -> bool {
    let Offset { fixed, position, indices, last, computed } = offset;
    if *position != 0 || !last.is_empty() || !computed.is_empty() || offset.times(0) != cut.stride as i64 {
        return false;
    }
    let mut inside = fixed.rem_euclid(cut.numbers() as i64);
    for (index, times) in indices.iter().filter(|(index, _)| *index != 0) {
        let Some(entries) = stage.ranges.get(*index).and_then(entries).filter(|_| *times >= 0) else { return false };
        inside += times * (entries as i64 - 1).max(0);
    }
    inside < cut.stride as i64
}

fn split_of_loop(stage: &Loop, later: &[Stage], splits: &[Split], work: usize) -> Split {
    let cut = cut_of_loop(stage);
    if matches!(stage.target.place, Place::Argument(_)) {
        return cut.map_or(Split::One, Split::Entries);
    }
    let by_entry = cut.filter(|cut| readers(stage.target.place, later, splits).all(|reader| reader == Some(*cut)));
    match (by_entry, cut) {
        (Some(cut), _) => Split::Entries(cut),
        (None, Some(cut)) if turns(stage).saturating_mul(SMALL) > work => Split::Entries(cut),
        (None, _) => Split::Own,
    }
}

/// How often a loop's body is computed for a row; an axis of unknown length counts as a hundred.
fn turns(stage: &Loop) -> usize {
    stage.ranges.iter().map(|range| entries(range).unwrap_or(100)).fold(1, usize::saturating_mul)
}

/// A product's columns are cut as those who read it are, if they are alike.
fn cut_of_product(product: &Product, mut cuts: Vec<Cut>) -> Cut {
    cuts.dedup();
    let whole = Cut { entries: product.columns, stride: 1 };
    match cuts.as_slice() {
        [cut] if product.columns.is_multiple_of(cut.numbers()) && cut.numbers().is_multiple_of(GRANULE) => *cut,
        _ => whole,
    }
}

/// For each stage that reads a place, its cut if it reads its own entries alone. A stage counts once for each read.
fn readers(place: Place, later: &[Stage], splits: &[Split]) -> impl Iterator<Item = Option<Cut>> {
    let mut found = Vec::new();
    for (stage, split) in later.iter().zip(splits) {
        match stage {
            Stage::Product(product) => {
                if product.operand == place {
                    found.push(None);
                }
            }
            Stage::Loop(stage) => reads(stage, &mut |access| {
                if access.place == place {
                    found.push(match split {
                        Split::Entries(cut) => is_confined(&access.offset, stage, *cut).then_some(*cut),
                        Split::Own | Split::One | Split::Rows => None,
                    });
                }
            }),
        }
    }
    found.into_iter()
}

/// Everything that a loop reads.
pub(super) fn reads<'s>(stage: &'s Loop, visit: &mut dyn FnMut(&'s Access)) {
    let mut look = |scalar: &'s Scalar| {
        scalar.walk(&mut |inner| {
            if let Scalar::Read(access) = inner {
                visit(access);
            }
        });
    };
    look(&stage.body);
    for comparison in &stage.domain {
        look(&comparison.left);
        look(&comparison.right);
    }
    stage.target.offset.computed.iter().for_each(|part| look(&part.number));
}

/// A read or write of memory that threads share.
pub(super) struct Touch {
    pub place: Place,
    pub written: bool,
    /// How each thread's part is told, where it touches that alone.
    pub own: Option<Split>,
    /// How many positions later than the row's own, where that is known.
    later: Option<i64>,
}

impl Touch {
    /// Whether one thread may write what another touches.
    fn meets(&self, other: &Touch, program: &Program, kernel: &Kernel) -> bool {
        if self.place != other.place || !(self.written || other.written) {
            return false;
        }
        if self.own.is_some() && self.own == other.own {
            return false;
        }
        let (Some(one), Some(two), Place::Argument(number)) = (self.later, other.later, self.place) else {
            return true;
        };
        if !matches!(kernel.body, Body::Scan { .. }) {
            return true;
        }
        match turns_of(program, &kernel.arguments[number]) {
            None => one == two,
            Some(turns) => (one - two) % turns as i64 == 0,
        }
    }
}

/// In how many rows an argument's positions take turns.
fn turns_of(program: &Program, argument: &Argument) -> Option<usize> {
    match &argument.space {
        Space::Global => None,
        Space::Tracks(tracks) => tracks.iter().filter_map(|track| program.track(*track).turns).min(),
    }
}

/// What a stage touches.
fn touches(stage: &Stage, split: Split) -> Vec<Touch> {
    match stage {
        Stage::Product(product) => vec![
            Touch { place: product.operand, written: false, own: None, later: Some(0) },
            Touch { place: product.target, written: true, own: Some(split), later: Some(0) },
        ],
        Stage::Loop(own) => {
            let touch = |access: &Access, written: bool| Touch {
                place: access.place,
                written,
                own: match split {
                    Split::Entries(cut) => is_confined(&access.offset, own, cut).then_some(split),
                    // A row has its sequence's rows to itself.
                    Split::Rows => Some(split),
                    Split::Own | Split::One => None,
                },
                later: later(access),
            };
            let mut found = vec![touch(&own.target, true)];
            reads(own, &mut |access| {
                found.push(touch(access, false));
                let outside = access.outside.map(Place::Argument);
                found.extend(outside.map(|place| Touch { place, written: false, own: None, later: None }));
            });
            found
        }
    }
}

/// How many positions later than its own a row lies that an address names.
fn later(access: &Access) -> Option<i64> {
    match access.rows.as_slice() {
        [] | [Row::Here] => Some(0),
        [Row::At(offset)] => {
            let Offset { fixed, position, indices, last, computed } = offset;
            (*position == 1 && indices.is_empty() && last.is_empty() && computed.is_empty()).then_some(*fixed)
        }
        [_, _, ..] => None,
    }
}
