//! Fused equations to kernels.
//!
//! A value gets a buffer if another kernel reads it, or the same one at another row, or somebody asked for it; else it is a
//! short-lived array of its kernel. In the buffer it has a row for each position, unless only the next ones read it
//! ([`turns`]). A product's columns are those of all products with its operand, side by side; its
//! operand is used where it lies if its numbers lie there in order, and gathered first if not.

mod affine;
mod attention;
mod memory;
mod merge;
mod product;
mod stored;
mod turns;

use super::index::{Indices, Layout, dense, features, is_global, whole_range};
use super::scalar::Context;
use super::{
    Access, Argument, Body, Buffer, BufferId, Call, Keep, Kernel, Limit, Loop, Offset, Output, Part, Place, Program,
    Range, Role, Row, SCAN_BLOCK, Scalar, Scratch, Space, Stage, Steps, Track, TrackId,
};
use crate::fuse::{Cluster, ClusterKind, Fused, Rows};
use crate::graph::Graph;
use crate::model::{Equation, ValueKind};
use crate::term::{Axis, Condition, IndexId, Reduction, Term, TimeId, ValueId, bounds};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Rows of a block where a kernel has a product: enough to read the weights seldom, few enough to stay in the cache.
const PRODUCT_BLOCK: usize = 96;

/// The program of a fused graph.
pub fn lower(fused: &Fused) -> Program {
    let graph = &fused.graph;
    let mut lowering = Lowering {
        fused,
        graph,
        stored: stored::stored(fused),
        readers: stored::readers(fused),
        turns: turns::turns(fused),
        program: Program {
            name: graph.model.name.clone(),
            times: graph.model.times.clone(),
            lengths: graph.model.lengths.clone(),
            tracks: Vec::new(),
            chunks: fused.plan.as_ref().map(|plan| plan.time),
            buffers: Vec::new(),
            kernels: Vec::new(),
            calls: Vec::new(),
            chains: Vec::new(),
            limits: Vec::new(),
            outputs: Vec::new(),
        },
        home_of: HashMap::new(),
        packed: HashMap::new(),
        known: HashMap::new(),
    };
    for time in 0..graph.model.times.len() {
        lowering.track(Track::new_positions(TimeId(time as u32), 0));
    }
    for (id, value) in graph.model.ids() {
        if matches!(value.kind, ValueKind::Input { .. }) {
            lowering.home(id);
        }
    }
    for cluster in &fused.clusters {
        lowering.cluster(cluster);
    }
    for (name, value) in &graph.outputs {
        let buffer = lowering.home(*value).buffer;
        lowering.program.outputs.push(Output { name: name.clone(), value: *value, buffer });
    }
    let mut program = lowering.program;
    program.chains = super::chain::chains(&program);
    memory::share_memory(&mut program);
    program
}

struct Lowering<'a> {
    fused: &'a Fused,
    graph: &'a Graph,
    stored: HashSet<ValueId>,
    /// The kernels that read each value, by their places.
    readers: HashMap<ValueId, BTreeSet<usize>>,
    turns: HashMap<ValueId, usize>,
    program: Program,
    home_of: HashMap<ValueId, Home>,
    packed: HashMap<String, BufferId>,
    known: HashMap<String, usize>,
}

/// Where a value lies in its buffer's rows, which may have others beside it.
#[derive(Clone)]
struct Home {
    buffer: BufferId,
    base: usize,
    strides: Vec<usize>,
}

/// A kernel in the making.
struct Making {
    rows: Rows,
    arguments: Vec<(BufferId, Argument)>,
    scratch: Vec<Scratch>,
    layouts: HashMap<ValueId, Layout>,
    stages: Vec<Stage>,
    is_scan: bool,
    /// The axis along which a scan in blocks can be shared out.
    slices: Option<Axis>,
    /// How far from a position the one before it is, in a scan in blocks.
    before: Option<i64>,
}

impl Making {
    fn argument(&mut self, program: &Program, buffer: BufferId, written: bool) -> usize {
        if let Some(place) = self.arguments.iter().position(|(known, _)| *known == buffer) {
            self.arguments[place].1.written |= written;
            return place;
        }
        let Buffer { name, space, row, .. } = program.buffer(buffer).clone();
        self.arguments.push((buffer, Argument { name, space, row, written }));
        self.arguments.len() - 1
    }

    fn scratch(&mut self, name: &str, row: usize) -> usize {
        self.scratch.push(Scratch { name: name.to_string(), row });
        self.scratch.len() - 1
    }

    /// One more stage, with as few indices as can be, and four neighbours at once where that can be.
    fn push_loop(&mut self, stage: Loop) {
        let mut stage = merge::merged(stage);
        stage.lanes = lanes(&stage, self);
        self.stages.push(Stage::Loop(Box::new(stage)));
    }
}

impl Lowering<'_> {
    pub(super) fn equation(&self, id: ValueId) -> &Equation {
        self.graph.equation(id).expect("kernels compute equations")
    }

    /// The number of a track.
    fn track(&mut self, track: Track) -> TrackId {
        let tracks = &mut self.program.tracks;
        let place = tracks.iter().position(|known| *known == track).unwrap_or_else(|| {
            tracks.push(track);
            tracks.len() - 1
        });
        TrackId(place as u32)
    }

    /// The positions that a kernel runs over; none for one over sequences.
    pub(super) fn track_of(&mut self, rows: Rows) -> Option<TrackId> {
        rows.time.map(|time| self.track(Track::new_positions(time, rows.lag)))
    }

    /// The rows of a value's memory.
    pub(super) fn space(&mut self, id: ValueId) -> Space {
        if is_global(self.graph, id) {
            return Space::Global;
        }
        let (lag, keep, chunks) = match &self.fused.plan {
            None => (0, Keep::New, false),
            Some(plan) => (plan.lag(id), plan.keep(id), true),
        };
        let times: Vec<TimeId> = self.graph.value(id).axes.iter().filter_map(Axis::time).collect();
        let turns = self.turns.get(&id).copied();
        let tracks = times.iter().enumerate().map(|(place, time)| match (place, chunks) {
            (0, _) => {
                let track = Track { time: *time, lag, keep, turns: None };
                // What stays in one place grows there.
                if track.stays() { track } else { Track { turns, ..track } }
            }
            // The other positions of pairs: all that there are.
            (_, true) => Track { time: *time, lag: 0, keep: Keep::All, turns: None },
            (_, false) => Track::new_positions(*time, 0),
        });
        let tracks: Vec<Track> = tracks.collect();
        Space::Tracks(tracks.into_iter().map(|track| self.track(track)).collect())
    }

    /// Whether a chunk program keeps a value where it is: what is computed once for a sequence, and many positions.
    fn is_kept(&self, id: ValueId, space: &Space) -> bool {
        let (Some(plan), Space::Tracks(tracks)) = (&self.fused.plan, space) else { return false };
        match tracks.as_slice() {
            [] => plan.part(id) == Part::Once,
            [first, ..] => self.program.track(*first).stays(),
        }
    }

    /// Where a value lies: in a buffer of its own, unless it was put beside others.
    pub(super) fn home(&mut self, id: ValueId) -> Home {
        if let Some(home) = self.home_of.get(&id) {
            return home.clone();
        }
        let value = self.graph.value(id);
        let space = self.space(id);
        let role = match &value.kind {
            ValueKind::Input { .. } => Role::Input(id),
            ValueKind::Weight { .. } => Role::Weight(id),
            ValueKind::Constant(_) => Role::Constant(id),
            ValueKind::Equation(_) if self.is_kept(id, &space) => Role::Kept,
            ValueKind::Equation(_) => Role::Computed { slot: 0, chained: None },
        };
        let sizes = features(self.graph, id);
        self.program.buffers.push(Buffer { name: value.path.clone(), space, row: sizes.iter().product(), role });
        let buffer = BufferId(self.program.buffers.len() as u32 - 1);
        let home = Home { buffer, base: 0, strides: dense(&sizes) };
        self.home_of.insert(id, home.clone());
        home
    }

    /// Where a value lies for the kernel that is made.
    pub(super) fn layout(&mut self, making: &mut Making, id: ValueId, written: bool) -> Layout {
        if let Some(layout) = making.layouts.get(&id) {
            return layout.clone();
        }
        let Home { buffer, base, strides } = self.home(id);
        let place = Place::Argument(making.argument(&self.program, buffer, written));
        Layout { place, base, strides }
    }

    fn cluster(&mut self, cluster: &Cluster) {
        let mut making = Making {
            rows: cluster.rows,
            arguments: Vec::new(),
            scratch: Vec::new(),
            layouts: HashMap::new(),
            stages: Vec::new(),
            is_scan: matches!(cluster.kind, ClusterKind::Scan { .. }),
            slices: match &cluster.kind {
                ClusterKind::Scan { blocks: Some(blocks), .. } => blocks.slices.clone(),
                ClusterKind::Scan { blocks: None, .. } | ClusterKind::Rows | ClusterKind::Attention => None,
            },
            before: match &cluster.kind {
                ClusterKind::Scan { blocks: Some(_), backward } => Some(if *backward { 1 } else { -1 }),
                ClusterKind::Scan { blocks: None, .. } | ClusterKind::Rows | ClusterKind::Attention => None,
            },
        };
        let body = match &cluster.kind {
            ClusterKind::Attention => {
                let id = cluster.values[0];
                Body::Attention(Box::new(self.attention(&mut making, id, &self.fused.attention[&id])))
            }
            ClusterKind::Rows | ClusterKind::Scan { .. } => {
                let mut done: HashSet<ValueId> = HashSet::new();
                for id in &cluster.values {
                    match self.fused.products.get(id) {
                        Some(_) if done.contains(id) => {}
                        Some(parts) => {
                            let same: Vec<ValueId> = cluster
                                .values
                                .iter()
                                .copied()
                                .filter(|other| {
                                    self.fused.products.get(other).is_some_and(|theirs| {
                                        crate::fuse::same_operand(self.graph, *id, parts, *other, theirs)
                                    })
                                })
                                .collect();
                            self.product(&mut making, parts, &same);
                            done.extend(same);
                        }
                        None => self.loops(&mut making, *id),
                    }
                }
                let stages = std::mem::take(&mut making.stages);
                match &cluster.kind {
                    ClusterKind::Scan { backward, blocks } => {
                        let steps = match blocks {
                            None => Steps::Positions,
                            Some(blocks) => {
                                Steps::Blocks { block: SCAN_BLOCK, slices: blocks.slices.as_ref().and_then(Axis::size) }
                            }
                        };
                        Body::Scan { backward: *backward, steps, stages }
                    }
                    ClusterKind::Rows | ClusterKind::Attention => {
                        let product = stages.iter().any(|stage| matches!(stage, Stage::Product(_)));
                        Body::Rows { block: if product { PRODUCT_BLOCK } else { 1 }, stages }
                    }
                }
            }
        };
        let name = self.graph.value(cluster.values[cluster.values.len() - 1]).path.clone();
        let (buffers, arguments) = making.arguments.into_iter().unzip();
        let rows = self.track_of(cluster.rows);
        let kernel = Kernel { name: name.clone(), rows, arguments, scratch: making.scratch, body };
        let key = super::print::without_names(&kernel);
        let number = match self.known.get(&key) {
            Some(number) => *number,
            None => {
                self.program.kernels.push(kernel);
                self.known.insert(key, self.program.kernels.len() - 1);
                self.program.kernels.len() - 1
            }
        };
        self.program.calls.push(Call { kernel: number, arguments: buffers, name, part: cluster.rows.part });
    }

    /// Lowers with the context of one equation.
    pub(super) fn with<R>(
        &mut self,
        making: &mut Making,
        indices: Indices,
        ranges: Vec<Range>,
        dot: Option<ValueId>,
        run: impl FnOnce(&mut Context) -> R,
    ) -> R {
        let (graph, plan, rows) = (self.graph, self.fused.plan.as_ref(), making.rows);
        let mut limits: Vec<Limit> = std::mem::take(&mut self.program.limits);
        let mut layout = |value: ValueId| self.layout(making, value, false);
        let mut context = Context { graph, plan, rows, indices, ranges, layout: &mut layout, dot, limits: &mut limits };
        let result = run(&mut context);
        self.program.limits = limits;
        result
    }

    /// A pointwise equation, a reduction that is no product, or pieces.
    pub(super) fn loops(&mut self, making: &mut Making, id: ValueId) {
        let equation = self.equation(id).clone();
        let axes = self.graph.value(id).axes.clone();
        let row = axes.iter().position(|axis| axis.time().is_some()).map(|place| IndexId(place as u32));
        let mut order: Vec<IndexId> = Vec::new();
        for is_time in [true, false] {
            order.extend(
                (0..axes.len())
                    .filter(|place| axes[*place].time().is_some() == is_time)
                    .map(|place| IndexId(place as u32))
                    .filter(|index| Some(*index) != row),
            );
        }
        let results = order.len();
        let (reduction, over, mut domain, body) = match &equation.term {
            Term::Reduce { reduction, over, domain, body } => {
                (Some(*reduction), over.clone(), domain.clone(), (**body).clone())
            }
            other => (None, Vec::new(), equation.domain.clone(), other.clone()),
        };
        order.extend(&over);
        let mut indices = Indices { row, ..Indices::default() };
        indices.loops.extend(order.iter().enumerate().map(|(number, index)| (*index, number)));
        let mut ranges: Vec<Range> = order.iter().map(|index| whole_range(&equation, *index)).collect();
        cut_ranges(&mut ranges, &over, &mut domain, &indices);
        let target_layout = self.target(making, id);
        let mut target = self.target_access(id, &target_layout, &indices);
        let times = axes.iter().filter(|axis| axis.time().is_some()).count();
        target.rows = match target.place {
            Place::Argument(_) => (0..times)
                .map(|place| {
                    if place == 0 {
                        Row::Here
                    } else {
                        Row::At(Offset { indices: vec![(place - 1, 1)], ..Offset::default() })
                    }
                })
                .collect(),
            Place::Scratch(_) => Vec::new(),
        };
        let slice = making
            .slices
            .as_ref()
            .and_then(|slices| order[..results].iter().position(|index| axes[index.0 as usize] == *slices));
        let pieces: Vec<(Vec<Range>, Term)> = match &body {
            Term::Pieces(along, pieces) => {
                let number = indices.loops[along];
                (0..pieces.len())
                    .map(|place| {
                        let mut ranges = ranges.clone();
                        ranges[number].from[0].fixed = pieces[place].0 as i64;
                        if let Some((next, _)) = pieces.get(place + 1) {
                            ranges[number].to[0].fixed = *next as i64;
                        }
                        (ranges, pieces[place].1.clone())
                    })
                    .collect()
            }
            _ => vec![(ranges, body)],
        };
        for (ranges, body) in pieces {
            let (body, domain) = self.with(making, indices.clone(), ranges.clone(), None, |context| {
                let body = context.scalar(&body);
                let domain = domain.iter().map(|condition| context.comparison(condition)).collect();
                (body, domain)
            });
            let recurrence = self.recurrence(making, id, &indices, &ranges);
            let name = self.graph.value(id).path.clone();
            let target = target.clone();
            let lanes = None;
            making.push_loop(Loop { name, ranges, results, reduction, domain, body, target, lanes, slice, recurrence });
        }
    }

    /// Where a value goes: its buffer, or a short-lived array.
    fn target(&mut self, making: &mut Making, id: ValueId) -> Layout {
        if self.stored.contains(&id) {
            return self.layout(making, id, true);
        }
        let sizes = features(self.graph, id);
        let name = self.graph.value(id).path.clone();
        let place = Place::Scratch(making.scratch(&name, sizes.iter().product()));
        let layout = Layout { place, base: 0, strides: dense(&sizes) };
        making.layouts.insert(id, layout.clone());
        layout
    }

    pub(super) fn target_access(&self, id: ValueId, layout: &Layout, indices: &Indices) -> Access {
        let axes = &self.graph.value(id).axes;
        let features = (0..axes.len()).filter(|place| axes[*place].time().is_none());
        let mut offset = Offset { fixed: layout.base as i64, ..Offset::default() };
        for (feature, place) in features.enumerate() {
            let number = indices.loops[&IndexId(place as u32)];
            offset.indices.push((number, layout.strides[feature] as i64));
        }
        offset.indices.sort();
        Access { place: layout.place, rows: Vec::new(), offset, outside: None }
    }
}

/// Moves conditions that bound an index that is reduced over into its range.
fn cut_ranges(ranges: &mut [Range], over: &[IndexId], domain: &mut Vec<Condition>, indices: &Indices) {
    for index in over {
        cut_one(&mut ranges[indices.loops[index]], *index, domain, indices);
    }
}

fn cut_one(range: &mut Range, index: IndexId, domain: &mut Vec<Condition>, indices: &Indices) {
    domain.retain(|condition| match bounds(condition, index, indices.row) {
        Some((from, to)) => {
            range.from.extend(from);
            range.to.extend(to);
            false
        }
        None => true,
    });
}

/// The index along which four neighbours are computed at once: the last of the result's, or the last that is summed over,
/// along which every read is contiguous or the same.
fn lanes(stage: &Loop, making: &Making) -> Option<usize> {
    let row_of = |access: &Access| match access.place {
        Place::Argument(argument) => making.arguments[argument].1.row,
        Place::Scratch(scratch) => making.scratch[scratch].row,
    };
    let fits = |index: usize| {
        let mut fits = true;
        let mut look = |scalar: &Scalar| {
            scalar.walk(&mut |inner| {
                if let Scalar::Read(access) = inner {
                    fits &= matches!(access.stride(index, row_of(access)), Some(0 | 1));
                }
            });
        };
        look(&stage.body);
        for comparison in &stage.domain {
            look(&comparison.left);
            look(&comparison.right);
        }
        fits
    };
    let long = |index: usize| {
        let range = &stage.ranges[index];
        let (from, to) = (&range.from[0], &range.to[0]);
        to.length.is_some() || to.fixed - from.fixed >= 4
    };
    if stage.results > 0 {
        let last = stage.results - 1;
        if long(last) && fits(last) && stage.target.stride(last, row_of(&stage.target)) == Some(1) {
            return Some(last);
        }
    }
    let last = stage.ranges.len().checked_sub(1)?;
    let sums = stage.reduction == Some(Reduction::Sum) && last >= stage.results;
    (sums && long(last) && fits(last)).then_some(last)
}
