//! Counting by hand what formulas tell: every operation of an equation, every address of a kernel, one after the other.

use seqwright_compiler::fuse::Fused;
use seqwright_compiler::kernel::{
    Access, Body, Bound, Comparison, Kernel, Loop, Offset, Place, Program, Range, Row, Scalar, Space, Stage,
};
use seqwright_compiler::model::Equation;
use seqwright_compiler::term::{Binary, Condition, Extent, IndexId, Term, Unary, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// Floating-point operations of all kernels for a sequence of these lengths.
pub fn operations_of(fused: &Fused, lengths: &[usize]) -> u128 {
    let mut all = 0;
    for id in fused.clusters.iter().flat_map(|cluster| &cluster.values) {
        let equation = |id: ValueId| fused.graph.equation(id).expect("kernels compute equations");
        let axes = |id: ValueId| fused.graph.value(id).axes.len();
        let Some(parts) = fused.attention.get(id) else {
            all += of_equation(equation(*id), axes(*id), lengths);
            continue;
        };
        // Whatever an attention computes, it computes for the pairs that its softmax sees.
        let softmax = equation(parts.weight);
        let Term::Softmax { domain, body, .. } = &softmax.term else { panic!("an attention has a softmax") };
        let mut pairs = 0u128;
        each(softmax, &indices(axes(parts.weight)), lengths, &mut |place| {
            pairs += u128::from(holds(domain, place, lengths));
        });
        let size =
            |equation: &Equation, index: IndexId| equation.indices[index.0 as usize].axis.size().unwrap_or(1) as u128;
        let (mix, dot) = (equation(*id), equation(parts.dot));
        let depth: u128 = parts.depth.iter().map(|index| size(dot, *index)).product();
        let width = parts.width.map_or(1, |index| size(mix, index));
        let mut results = 0u128;
        each(mix, &indices(axes(*id)), lengths, &mut |_| results += 1);
        all += pairs * (2 * depth + 2 * width + of_term(body) + 4) + results;
    }
    all
}

fn indices(count: usize) -> Vec<IndexId> {
    (0..count as u32).map(IndexId).collect()
}

/// One equation, at every combination of its indices.
fn of_equation(equation: &Equation, axes: usize, lengths: &[usize]) -> u128 {
    let mut all = 0;
    match &equation.term {
        Term::Reduce { over, domain, body, .. } => {
            let indices: Vec<IndexId> = indices(axes).into_iter().chain(over.iter().copied()).collect();
            each(equation, &indices, lengths, &mut |place| {
                all += u128::from(holds(domain, place, lengths)) * (of_term(body) + 1);
            });
        }
        Term::Softmax { domain, body, .. } => each(equation, &indices(axes), lengths, &mut |place| {
            all += u128::from(holds(domain, place, lengths)) * (of_term(body) + 4);
        }),
        Term::Pieces(along, pieces) => each(equation, &indices(axes), lengths, &mut |place| {
            let at = place[along.0 as usize];
            let piece = pieces.iter().rev().find(|(from, _)| *from as i64 <= at);
            all += piece.map_or(0, |(_, piece)| of_term(piece));
        }),
        pointwise => each(equation, &indices(axes), lengths, &mut |place| {
            all += u128::from(holds(&equation.domain, place, lengths)) * of_term(pointwise);
        }),
    }
    all
}

/// Operations of a term, but for those that find places and test conditions.
fn of_term(term: &Term) -> u128 {
    let mut all = 0;
    match term {
        Term::Read(..) => return 0,
        Term::Select(_, left, right) => return of_term(left) + of_term(right),
        Term::Unary(..) | Term::Binary(..) => all += 1,
        Term::Number(_) | Term::Index(_) | Term::Length(_) => {}
        Term::Reduce { .. } | Term::Softmax { .. } | Term::Pieces(..) => panic!("these stand at the top"),
    }
    term.for_each_child(&mut |child| all += of_term(child));
    all
}

fn each(equation: &Equation, over: &[IndexId], lengths: &[usize], visit: &mut dyn FnMut(&[i64])) {
    fn go(equation: &Equation, over: &[IndexId], lengths: &[usize], place: &mut [i64], visit: &mut dyn FnMut(&[i64])) {
        let Some((first, rest)) = over.split_first() else { return visit(place) };
        let extent = match equation.indices[first.0 as usize].axis.extent {
            Extent::Fixed(size) => size,
            Extent::Time(time) => lengths[time.0 as usize],
        };
        for entry in 0..extent {
            place[first.0 as usize] = entry as i64;
            go(equation, rest, lengths, place, visit);
        }
    }
    go(equation, over, lengths, &mut vec![0; equation.indices.len()], visit);
}

/// Whether conditions hold; one that depends on what is computed is taken to hold.
fn holds(conditions: &[Condition], place: &[i64], lengths: &[usize]) -> bool {
    conditions.iter().all(|condition| {
        match (number(&condition.left, place, lengths), number(&condition.right, place, lengths)) {
            (Some(left), Some(right)) => condition.comparator.holds(left, right),
            _ => true,
        }
    })
}

fn number(term: &Term, place: &[i64], lengths: &[usize]) -> Option<f64> {
    let inside = |term: &Term| number(term, place, lengths);
    Some(match term {
        Term::Number(number) => *number,
        Term::Index(index) => place[index.0 as usize] as f64,
        Term::Length(time) => lengths[time.0 as usize] as f64,
        Term::Unary(Unary::Negate, value) => -inside(value)?,
        Term::Binary(operation, left, right) => {
            let (left, right) = (inside(left)?, inside(right)?);
            match operation {
                Binary::Add => left + right,
                Binary::Subtract => left - right,
                Binary::Multiply => left * right,
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// Whether an address is another one for each entry of a loop.
fn varies(access: &Access, index: usize) -> bool {
    let rows = access.rows.iter().any(|row| match row {
        Row::Here => false,
        Row::At(offset) => offset.varies_with(index),
    });
    rows || access.offset.varies_with(index)
}

/// A number in memory: which argument, row and place in it.
type Address = (usize, Vec<i64>, i64);

/// How many numbers outside of itself a kernel reads and writes, each once; what it writes is not read.
pub fn bytes_of(program: &Program, kernel: &Kernel, lengths: &[usize]) -> (u128, u128) {
    let (all, looked_up, texts) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    let mut touched = Touched { program, kernel, lengths, all, looked_up, texts };
    let rows = kernel.rows.map_or(1, |track| lengths[program.track(track).time.0 as usize]);
    for position in 0..rows as i64 {
        match &kernel.body {
            Body::Rows { stages, .. } | Body::Scan { stages, .. } => {
                for stage in stages {
                    match stage {
                        Stage::Loop(of) => touched.of_loop(of, position),
                        Stage::Product(product) => {
                            touched.row(product.operand, position);
                            touched.row(Place::Argument(product.weights), position);
                            touched.row(product.target, position);
                        }
                    }
                }
            }
            Body::Attention(attention) => {
                let mut ranges = attention.heads.clone();
                ranges.push(attention.keys.clone());
                let mut deep = vec![0i64];
                let mut deep_keys = vec![0i64];
                for axis in &attention.depth {
                    let spread = |from: &[i64], step: usize| {
                        (0..axis.size)
                            .flat_map(|n| from.iter().map(move |at| at + (n * step) as i64))
                            .collect::<Vec<_>>()
                    };
                    (deep, deep_keys) = (spread(&deep, axis.query_step), spread(&deep_keys, axis.key_step));
                }
                let along = |step: usize| (0..attention.width).map(|n| (n * step) as i64).collect::<Vec<_>>();
                let (values, targets) = (along(attention.value_step), along(attention.target_step));
                // Query and result are there for every head, whatever keys are seen.
                touched.ranges(&attention.heads, position, &mut |touched, place| {
                    touched.access(&attention.query, position, place, &deep);
                    touched.access(&attention.target, position, place, &targets);
                });
                touched.ranges(&ranges, position, &mut |touched, place| {
                    touched.access(&attention.key, position, place, &deep_keys);
                    touched.access(&attention.value, position, place, &values);
                    touched.scalar(&attention.score, position, place);
                    touched.comparisons(&attention.domain, position, place);
                });
            }
        }
    }
    let (mut read, mut written) = (0, 0);
    for (argument, ..) in &touched.all {
        if kernel.arguments[*argument].written { written += 1 } else { read += 1 }
    }
    let mut lookups: BTreeMap<usize, u128> = BTreeMap::new();
    for Lookup { argument, numbers, .. } in &touched.looked_up {
        *lookups.entry(*argument).or_insert(0) += *numbers as u128;
    }
    for (argument, count) in &lookups {
        // What a kernel writes itself is not counted as read, wherever it looks.
        if kernel.arguments[*argument].written {
            continue;
        }
        let reached = touched.all.iter().filter(|(own, ..)| own == argument).count() as u128;
        let row = kernel.arguments[*argument].row as u128;
        let whole = match &kernel.arguments[*argument].space {
            Space::Global => u128::MAX,
            Space::Tracks(tracks) => {
                tracks.iter().fold(row, |all, track| all * lengths[program.track(*track).time.0 as usize] as u128)
            }
        };
        read += count.saturating_add(reached).min(whole) - reached;
    }
    (read, written)
}

struct Touched<'a> {
    program: &'a Program,
    kernel: &'a Kernel,
    lengths: &'a [usize],
    all: BTreeSet<Address>,
    /// Places of arguments that are computed from numbers: the same address at the same place is the same number.
    looked_up: BTreeSet<Lookup>,
    /// Addresses as texts, once for each that was seen.
    texts: BTreeMap<*const Access, String>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Lookup {
    argument: usize,
    address: String,
    position: i64,
    place: Vec<i64>,
    numbers: usize,
}

impl Touched<'_> {
    /// The kernel's own row of some memory, or all of it where it has but one.
    fn row(&mut self, place: Place, position: i64) {
        let Place::Argument(argument) = place else { return };
        let own = &self.kernel.arguments[argument];
        let rows = match &own.space {
            Space::Global => Vec::new(),
            Space::Tracks(tracks) => {
                tracks.iter().map(|track| self.program.track(*track).row(position as usize) as i64).collect()
            }
        };
        self.all.extend((0..own.row as i64).map(|at| (argument, rows.clone(), at)));
    }

    fn of_loop(&mut self, of: &Loop, position: i64) {
        // A reduction over nothing has a result all the same.
        self.ranges(&of.ranges[..of.results], position, &mut |touched, place| {
            touched.access(&of.target, position, place, &[0]);
        });
        self.ranges(&of.ranges, position, &mut |touched, place| {
            touched.scalar(&of.body, position, place);
            touched.comparisons(&of.domain, position, place);
        });
    }

    fn comparisons(&mut self, all: &[Comparison], position: i64, place: &[i64]) {
        for comparison in all {
            self.scalar(&comparison.left, position, place);
            self.scalar(&comparison.right, position, place);
        }
    }

    fn scalar(&mut self, scalar: &Scalar, position: i64, place: &[i64]) {
        let mut reads = Vec::new();
        scalar.walk(&mut |inner| {
            if let Scalar::Read(access) = inner {
                reads.push(access.as_ref());
            }
        });
        reads.into_iter().for_each(|access| self.access(access, position, place, &[0]));
    }

    fn access(&mut self, access: &Access, position: i64, place: &[i64], steps: &[i64]) {
        let Place::Argument(argument) = access.place else { return };
        let own = &self.kernel.arguments[argument];
        let mut rows = Vec::new();
        let tracks = match &own.space {
            Space::Global => [].as_slice(),
            Space::Tracks(tracks) => tracks.as_slice(),
        };
        for (row, track) in access.rows.iter().zip(tracks) {
            let at = match row {
                Row::Here => position,
                Row::At(offset) if !offset.computed.is_empty() => {
                    return self.look_up(argument, access, position, place, steps.len());
                }
                Row::At(offset) => self.offset(offset, position, place),
            };
            if at < 0 || at >= self.lengths[self.program.track(*track).time.0 as usize] as i64 {
                if let Some(outside) = access.outside {
                    self.row(Place::Argument(outside), position);
                }
                return;
            }
            rows.push(self.program.track(*track).row(at as usize) as i64);
        }
        if !access.offset.computed.is_empty() {
            return self.look_up(argument, access, position, place, steps.len());
        }
        let at = self.offset(&access.offset, position, place);
        // What lies outside of a value's features is guarded, and not read.
        let inside = |at: &i64| *at >= 0 && *at < own.row as i64;
        self.all.extend(steps.iter().map(|step| at + step).filter(inside).map(|at| (argument, rows.clone(), at)));
    }

    fn look_up(&mut self, argument: usize, access: &Access, position: i64, place: &[i64], numbers: usize) {
        let address = self.texts.entry(std::ptr::from_ref(access)).or_insert_with(|| format!("{access:?}")).clone();
        let place = place.iter().enumerate().filter(|(index, _)| varies(access, *index)).map(|(_, at)| *at).collect();
        self.looked_up.insert(Lookup { argument, address, position, place, numbers });
    }

    fn offset(&self, offset: &Offset, position: i64, place: &[i64]) -> i64 {
        let last = offset.last.iter().map(|(time, times)| (self.lengths[time.0 as usize] as i64 - 1) * times);
        let indices = offset.indices.iter().map(|(index, times)| place[*index] * times);
        offset.fixed + offset.position * position + last.sum::<i64>() + indices.sum::<i64>()
    }

    fn ranges(&mut self, ranges: &[Range], position: i64, visit: &mut dyn FnMut(&mut Self, &[i64])) {
        let end = |touched: &Self, bound: &Bound| {
            let length = bound.length.map_or(0, |time| touched.lengths[time.0 as usize] as i64);
            bound.fixed + bound.position * position + length
        };
        let mut places: Vec<Vec<i64>> = vec![Vec::new()];
        for range in ranges {
            let from = range.from.iter().map(|bound| end(self, bound)).max().unwrap_or(0);
            let to = range.to.iter().map(|bound| end(self, bound)).min().unwrap_or(0);
            let longer = |place: &Vec<i64>| (from..to).map(|at| [place.as_slice(), &[at]].concat()).collect::<Vec<_>>();
            places = places.iter().flat_map(longer).collect();
        }
        places.iter().for_each(|place| visit(self, place));
    }
}
