//! Why two equations are not computed by one kernel, or how they are.
//!
//! The answers are those of the decisions themselves: the history says why inlining left an equation where it was, and
//! gathering is asked again, with the kernels as they were when the later equation's turn came ([`Fused::verdict`]).

use super::Stages;
use super::fate::Lineage;
use crate::check::recurrence::{Group, reads};
use crate::fuse::{Apart, ClusterKind, Fused, Joins, Rows};
use crate::graph::{Event, Stays};
use crate::kernel::Part;
use crate::term::{Term, ValueId, print_term};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The two equations.
    pub equations: (String, String),
    /// Whether one kernel computes them, or one of them is part of the other.
    pub together: bool,
    /// How, or why not, in sentences.
    pub reasons: Vec<String>,
}

/// A chain of equations that each wait for the next is followed so far.
const LONGEST_CHAIN: usize = 6;

/// Why two equations of the file are together or apart, in the program for whole sequences. None where one of the paths is no
/// equation's.
pub fn why(stages: &Stages, first: &str, second: &str) -> Option<Answer> {
    let lineage = Lineage::new(&stages.model, &stages.fused.graph.history);
    let known = |path: &str| lineage.parts.contains_key(&lineage.root(path)).then(|| lineage.root(path));
    let (first, second) = (known(first)?, known(second)?);
    let asked = Asked::new(stages, &lineage);
    let (together, reasons) = asked.answer(&first, &second);
    Some(Answer { equations: (first, second), together, reasons })
}

struct Asked<'a> {
    stages: &'a Stages,
    fused: &'a Fused,
    lineage: &'a Lineage,
    numbers: HashMap<&'a str, ValueId>,
    /// The kernel of each computed value, by its place among all that are run.
    placed: HashMap<ValueId, usize>,
}

impl<'a> Asked<'a> {
    fn new(stages: &'a Stages, lineage: &'a Lineage) -> Asked<'a> {
        let fused = &stages.fused;
        let ids = fused.graph.model.ids().filter(|(id, _)| fused.graph.equation(*id).is_some());
        let numbers = ids.map(|(id, value)| (value.path.as_str(), id)).collect();
        let clusters = fused.clusters.iter().enumerate();
        let placed = clusters.flat_map(|(place, cluster)| cluster.values.iter().map(move |id| (*id, place))).collect();
        Asked { stages, fused, lineage, numbers, placed }
    }

    fn answer(&self, first: &str, second: &str) -> (bool, Vec<String>) {
        if first == second {
            return (true, vec![format!("`{first}` is one equation")]);
        }
        let mut reasons = self.same_value(first, second);
        if !reasons.is_empty() {
            return (true, reasons);
        }
        let dropped = [first, second].into_iter().filter(|path| self.ends(path, &mut HashSet::new()).is_empty());
        let dropped: Vec<String> =
            dropped.map(|path| format!("nothing that is asked for needs `{path}`: no kernel computes it")).collect();
        if !dropped.is_empty() {
            return (false, dropped);
        }
        let of = |path: &str| self.ends(path, &mut HashSet::new());
        let (ones, twos) = (of(first), of(second));
        let pairs: Vec<(ValueId, ValueId)> =
            ones.iter().flat_map(|one| twos.iter().map(move |two| (*one, *two))).collect();
        let shared: BTreeSet<usize> = pairs
            .iter()
            .filter(|(one, two)| self.placed[one] == self.placed[two])
            .map(|(one, _)| self.placed[one])
            .collect();
        if !shared.is_empty() {
            for place in shared {
                reasons.push(self.together(first, second, &pairs, place));
            }
            return (true, reasons);
        }
        reasons.extend(self.stayed(first, second));
        reasons.extend(self.apart(&pairs));
        (false, reasons)
    }

    fn root(&self, id: ValueId) -> String {
        self.lineage.root(&self.fused.graph.value(id).path)
    }

    /// A kernel's number, as the printed kernels have it.
    fn kernel(&self, place: usize) -> usize {
        self.stages.program.calls[place].kernel
    }

    /// What an equation and its parts are computed as: values of kernels. What was put into others, or is the same as another,
    /// is computed where those are.
    fn ends(&self, equation: &str, seen: &mut HashSet<String>) -> Vec<ValueId> {
        if !seen.insert(equation.to_string()) {
            return Vec::new();
        }
        let mut ends = Vec::new();
        let mut onward: Vec<String> = Vec::new();
        for part in self.lineage.parts.get(equation).into_iter().flatten() {
            if let Some(id) = self.numbers.get(part.as_str()) {
                ends.extend(self.placed.contains_key(id).then_some(*id));
                let taken = |parts: &crate::fuse::AttentionParts| parts.weight == *id || parts.dot == *id;
                let attention = self.fused.attention.iter().find(|(_, parts)| taken(parts));
                ends.extend(attention.map(|(mix, _)| *mix));
            }
            for event in &self.fused.graph.history {
                match event {
                    Event::Inlined { value, into: on }
                    | Event::Renamed { value, to: on }
                    | Event::Merged { value, with: on }
                        if value == part =>
                    {
                        onward.push(self.lineage.root(on));
                    }
                    Event::Inlined { .. }
                    | Event::Renamed { .. }
                    | Event::Merged { .. }
                    | Event::TakenOut { .. }
                    | Event::Hoisted { .. }
                    | Event::Stayed { .. }
                    | Event::TakenApart { .. }
                    | Event::Dropped { .. } => {}
                }
            }
        }
        // An equation with values of its own is where those are.
        if ends.is_empty() {
            ends.extend(onward.iter().flat_map(|path| self.ends(path, seen)));
        }
        ends.sort();
        ends.dedup();
        ends
    }

    /// Whether one of two equations became part of the other, or both are the same value.
    fn same_value(&self, first: &str, second: &str) -> Vec<String> {
        let mut reasons = BTreeSet::new();
        let root = |path: &str| self.lineage.root(path);
        let both = |one: &str, two: &str| {
            let (one, two) = (self.lineage.root(one), self.lineage.root(two));
            (one == first && two == second) || (one == second && two == first)
        };
        for event in &self.fused.graph.history {
            let reason = match event {
                Event::Inlined { value, into } if both(value, into) => {
                    format!("`{}` was put into `{}`, which reads it", root(value), root(into))
                }
                Event::Renamed { value, to } if both(value, to) => {
                    format!("`{}` is no more than another name of `{}`", root(value), root(to))
                }
                Event::Merged { value, with } if both(value, with) => {
                    format!("`{}` computes the same as `{}`, and is computed once", root(value), root(with))
                }
                Event::Inlined { .. }
                | Event::Renamed { .. }
                | Event::Merged { .. }
                | Event::TakenOut { .. }
                | Event::Hoisted { .. }
                | Event::Stayed { .. }
                | Event::TakenApart { .. }
                | Event::Dropped { .. } => continue,
            };
            reasons.insert(reason);
        }
        for (mix, parts) in &self.fused.attention {
            for id in [parts.weight, parts.dot].into_iter().filter(|id| !self.placed.contains_key(id)) {
                let (inner, outer) = (self.root(id), self.root(*mix));
                if both(&inner, &outer) {
                    let kernel = self.kernel(self.placed[mix]);
                    reasons.insert(format!(
                        "kernel {kernel} is the attention `{outer}`: one pass over the keys that computes `{inner}` inside and \
                         never stores it"
                    ));
                }
            }
        }
        reasons.into_iter().collect()
    }

    /// How a kernel came to compute both.
    fn together(&self, first: &str, second: &str, pairs: &[(ValueId, ValueId)], place: usize) -> String {
        let here = |id: &ValueId| self.placed[id] == place;
        let pairs = || pairs.iter().filter(|(one, two)| here(one) && here(two));
        let kernel = self.kernel(place);
        let cluster = &self.fused.clusters[place];
        let (same, taken) = (self.same_operand(pairs()), self.taken_in(pairs(), place));
        if let Some(operand) = same {
            return format!("kernel {kernel} computes both: they are one product with `{operand}`");
        }
        let time = cluster.rows.time.map_or("", |time| self.fused.graph.model.times[time.0 as usize].as_str());
        match &cluster.kind {
            ClusterKind::Attention => {
                format!("kernel {kernel} is the attention `{}`, which computes both", self.root(cluster.values[0]))
            }
            ClusterKind::Scan { blocks: Some(_), .. } if taken.is_some() => format!(
                "kernel {kernel} computes both: a recurrence in blocks along {time}, into which `{}` was taken, because \
                 nothing else reads it and it has more numbers than all it is made of",
                taken.unwrap_or_default()
            ),
            ClusterKind::Scan { blocks: Some(_), .. } => {
                format!("kernel {kernel} computes both: a recurrence in blocks along {time} and what follows from it")
            }
            ClusterKind::Scan { blocks: None, .. } => {
                format!("kernel {kernel} computes both: they are one recurrence along {time}")
            }
            ClusterKind::Rows => {
                let reader = |one: &str, two: &str| {
                    format!("kernel {kernel} computes both: `{two}` follows from `{one}` at its own row")
                };
                let follows = |one: &ValueId, two: &ValueId| self.reads(*two).contains(one);
                match pairs().find(|(one, two)| follows(one, two) || follows(two, one)) {
                    Some((one, two)) if follows(one, two) => reader(first, second),
                    Some(_) => reader(second, first),
                    None => format!("kernel {kernel} computes both, at the same rows"),
                }
            }
        }
    }

    fn reads(&self, id: ValueId) -> Vec<ValueId> {
        reads(&self.fused.graph.value(id).kind)
    }

    /// The operand of two products that became one.
    fn same_operand<'p>(&self, mut pairs: impl Iterator<Item = &'p (ValueId, ValueId)>) -> Option<String> {
        pairs.find_map(|(one, two)| {
            let (left, right) = (self.fused.products.get(one)?, self.fused.products.get(two)?);
            let same = crate::fuse::same_operand(&self.fused.graph, *one, left, *two, right);
            same.then(|| self.root(left.operand.0))
        })
    }

    /// A value that was taken into a recurrence in blocks, because it leads to it.
    fn taken_in<'p>(&self, mut pairs: impl Iterator<Item = &'p (ValueId, ValueId)>, place: usize) -> Option<String> {
        let state = |id: &ValueId| self.fused.graph.scan_of(*id).is_some();
        let members = &self.fused.clusters[place].values;
        let first = members.iter().position(state)?;
        pairs.find_map(|(one, two)| {
            let before = |id: &&ValueId| members[..first].contains(id);
            [one, two].into_iter().find(before).map(|id| self.root(*id))
        })
    }

    /// Why an equation that the other reads was not put into it.
    fn stayed(&self, first: &str, second: &str) -> Vec<String> {
        let mut reasons = Vec::new();
        for event in &self.fused.graph.history {
            let Event::Stayed { value, reader, why } = event else { continue };
            let (of, by) = (self.lineage.root(value), self.lineage.root(reader));
            if (of == first && by == second) || (of == second && by == first) {
                let reason = stays(&of, &by, *why);
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
        reasons
    }

    /// Why the kernel of one was not that of the other.
    fn apart(&self, pairs: &[(ValueId, ValueId)]) -> Vec<String> {
        let order: HashMap<ValueId, usize> =
            self.fused.graph.order().into_iter().enumerate().map(|(place, id)| (id, place)).collect();
        let ordered = pairs.iter().map(|(one, two)| if order[one] < order[two] { (*one, *two) } else { (*two, *one) });
        // The closest of all that belong to them: where one reads the other, or else those that come last and first.
        let mut ordered: Vec<(ValueId, ValueId)> = ordered.collect();
        ordered.sort_by_key(|(one, two)| (!self.reads(*two).contains(one), order[two] - order[one]));
        let Some((one, two)) = ordered.first().copied() else { return Vec::new() };
        let mut reasons: Vec<String> = Vec::new();
        let mut at = two;
        for _ in 0..LONGEST_CHAIN {
            match self.fused.verdict(one, at) {
                Some(Err(Apart::Later(read))) => {
                    // Parts of one equation follow each other.
                    if self.root(at) != self.root(read) {
                        reasons.push(self.later(one, at, read));
                    }
                    at = read;
                }
                Some(Err(apart)) => {
                    reasons.push(self.sentence(one, at, &apart));
                    return reasons;
                }
                // It would have fitted.
                Some(Ok(Joins::Reads | Joins::SameOperand(_))) | None => {
                    reasons.push(self.moved(one, at));
                    return reasons;
                }
            }
        }
        // They are far apart: what lies between them all says the same.
        reasons.truncate(1);
        reasons
    }

    fn later(&self, one: ValueId, reader: ValueId, read: ValueId) -> String {
        let (reader, path, first) = (self.root(reader), self.root(read), self.root(one));
        let (kernel, own) = (self.kernel(self.placed[&read]), self.kernel(self.placed[&one]));
        let when = if kernel == own { format!("a later run of kernel {kernel}") } else { format!("kernel {kernel}") };
        format!("`{reader}` reads `{path}`, which {when} computes after `{first}`, of kernel {own}")
    }

    /// Why two values that fitted together are apart all the same.
    fn moved(&self, one: ValueId, two: ValueId) -> String {
        let taken = |id: &ValueId| self.taken_in([(*id, *id)].iter(), self.placed[id]);
        match taken(&one).or(taken(&two)) {
            Some(path) => {
                format!("`{path}` was taken into the recurrence that it leads to, which alone reads it")
            }
            None => format!(
                "`{}` joined kernel {}, where a product with the same operand stands",
                self.root(two),
                self.kernel(self.placed[&two])
            ),
        }
    }

    fn sentence(&self, one: ValueId, two: ValueId, apart: &Apart) -> String {
        let graph = &self.fused.graph;
        let (first, second, kernel) = (self.root(one), self.root(two), self.kernel(self.placed[&one]));
        let axis = |rows: &Rows| rows.time.map(|time| graph.model.times[time.0 as usize].clone());
        match apart {
            Apart::Attention => format!(
                "`{second}` is an attention, which is a kernel of its own: it visits the keys block by block and never stores \
                 the scores"
            ),
            Apart::Recurrence => {
                let scan = graph.groups.iter().find_map(|group| match group {
                    Group::Scan(scan) if scan.values.contains(&two) => Some(scan.time),
                    Group::Scan(_) | Group::One(_) => None,
                });
                let time = scan.map_or("time", |time| graph.model.times[time.0 as usize].as_str());
                format!(
                    "`{second}` is part of a recurrence along {time}, which is a kernel of its own; `{first}` is computed for \
                     all positions at once"
                )
            }
            Apart::AfterAttention => {
                format!("kernel {kernel} is the attention `{first}`, and takes in nothing that follows")
            }
            Apart::AfterRecurrence => format!(
                "kernel {kernel} goes from position to position to compute `{first}`, and takes in nothing that follows"
            ),
            Apart::OtherEntry => format!(
                "kernel {kernel} is a recurrence in blocks, which is shared out over the entries of its state; `{second}` is a \
                 product, or reads other entries than its own"
            ),
            Apart::Rows { own, kernel: theirs } => {
                format!(
                    "`{first}` is computed {}, `{second}` {}",
                    rows_in_words(theirs, axis),
                    rows_in_words(own, axis)
                )
            }
            // The caller follows the chain.
            Apart::Later(read) => format!("`{second}` reads `{}`, which is computed later", self.root(*read)),
            Apart::Unrelated => {
                format!(
                    "`{second}` reads nothing that kernel {kernel} computes, and is no product with the same operand"
                )
            }
            Apart::OtherRow(member) => format!(
                "`{second}` reads {} at another row than its own: all of it has to be there first",
                self.read_as_text(two, *member)
            ),
            Apart::SecondProduct(product) => format!(
                "kernel {kernel} has a product already, that of `{}` with `{}`, and `{second}` is one with `{}`: a kernel has \
                 one, whose weights are read for a block of rows at a time",
                self.root(*product),
                self.root(self.fused.products[product].operand.0),
                self.fused.products.get(&two).map_or_else(String::new, |parts| self.root(parts.operand.0)),
            ),
            Apart::ReductionAfter(product) => format!(
                "`{second}` reduces over a row and so begins a kernel, after the product of `{}` in kernel {kernel}: it stands \
                 before the product that follows it",
                self.root(*product)
            ),
        }
    }

    /// Where an equation reads a value: `` `k[j, heads]` ``.
    fn read_as_text(&self, reader: ValueId, read: ValueId) -> String {
        let graph = &self.fused.graph;
        let Some(equation) = graph.equation(reader) else { return format!("`{}`", self.root(read)) };
        let names = graph.model.names_in(equation);
        let mut found = None;
        equation.term.for_each_read(&mut |value, subscripts| {
            if value == read && found.is_none() {
                found = Some(print_term(&Term::Read(value, subscripts.to_vec()), &names));
            }
        });
        format!("`{}`", found.unwrap_or_else(|| self.root(read)))
    }
}

fn rows_in_words(rows: &Rows, axis: impl Fn(&Rows) -> Option<String>) -> String {
    let each = match axis(rows) {
        Some(time) => format!("at each position of {time}"),
        None => "once for each sequence".to_string(),
    };
    let when = match rows.part {
        Part::Once => ", before the first position",
        Part::New => "",
        Part::SoFar => ", for the sequence so far",
    };
    let later = if rows.lag == 0 { String::new() } else { format!(", {} later", rows.lag) };
    format!("{each}{when}{later}")
}

/// Why an equation was not put into one that reads it.
fn stays(value: &str, reader: &str, why: Stays) -> String {
    let because = match why {
        Stays::NotPointwise => "it sums, takes a maximum or a softmax, or joins pieces".to_string(),
        Stays::Output => "it is asked for".to_string(),
        Stays::BeforeFirst => "it is a state's value before the first position".to_string(),
        Stays::State => "it is a state".to_string(),
        Stays::Absent => "it is absent at places where the reader is not".to_string(),
        Stays::OutsideRecurrence => {
            "it does not depend on the state, and is computed for all positions before the recurrence".to_string()
        }
        Stays::OtherPlace => "it is read at another position or entry than the reader's own".to_string(),
        Stays::Costly { reads, operations } => {
            format!("it is read {reads} times and costs {operations} reads and operations, too many to be repeated")
        }
        Stays::TooLarge => "the equation would become too large".to_string(),
        Stays::Repeated => "it would be computed again for each entry of an axis that it does not have".to_string(),
        Stays::RunFunction => {
            "it has a function that is computed on whole runs of numbers, and the reader reduces".to_string()
        }
        Stays::Place => {
            "it has a function that is computed on whole runs, and says where something is read".to_string()
        }
    };
    format!("`{value}` was not put into `{reader}`: {because}")
}
