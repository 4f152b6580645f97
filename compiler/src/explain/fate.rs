//! What became of each equation of the file: which kernel computes it, what it was merged with, hoisted out of or put into.
//!
//! The history that building and passes wrote is followed from an equation, and from every part that was taken out of it, to
//! the kernels. Nothing is told from names: a part belongs to the equation that the history says it was taken out of.

use crate::fuse::{ClusterKind, Fused, same_operand};
use crate::graph::{Event, Graph};
use crate::model::{Model, ValueKind};
use crate::term::ValueId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What became of an equation, or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// A loop of a kernel computes it.
    Loop {
        /// The kernel, by its place among all that are run.
        kernel: usize,
        /// Whether it is a part of a recurrence's equation that stands outside the time loop.
        hoisted: bool,
    },
    /// It is a product with a weight, or has one.
    Product {
        /// The kernel, by its place among all that are run.
        kernel: usize,
        /// What is multiplied.
        operand: String,
        /// The equations whose products with the same operand are one with it.
        with: Vec<String>,
        /// Whether it stands outside the time loop of the recurrence that its equation is part of.
        hoisted: bool,
    },
    /// It is an attention: one pass that never stores these.
    Attention {
        /// The kernel, by its place among all that are run.
        kernel: usize,
        /// What is computed inside.
        over: Vec<String>,
    },
    /// It is computed inside an attention, and never stored.
    Inside {
        /// The attention.
        attention: String,
    },
    /// It was put into equations that read it.
    PutInto {
        /// Those.
        readers: Vec<String>,
    },
    /// It computes the same as another, which is computed instead; or a part of it does.
    SameAs {
        /// The other.
        other: String,
        /// Whether all of it is the same.
        whole: bool,
    },
    /// It is no more than another name of this.
    Renamed {
        /// The other.
        to: String,
    },
    /// It is a softmax that is stored, and so computed as a largest score, exponentials, their sum and a quotient.
    TakenApart,
    /// Nothing that is asked for needs it.
    Dropped,
}

/// The equations of a file, and what belongs to each.
pub(super) struct Lineage {
    /// For each equation and part, the equation of the file that it belongs to.
    roots: HashMap<String, String>,
    /// The other way round; first the equation itself.
    pub parts: HashMap<String, Vec<String>>,
    /// The equations of the file, in its order.
    pub equations: Vec<(ValueId, String)>,
}

impl Lineage {
    /// Of a checked model, as the history goes on.
    pub fn new(model: &Model, history: &[Event]) -> Lineage {
        let is_equation = |id: ValueId| matches!(model.value(id).kind, ValueKind::Equation(_));
        let all = || model.ids().filter(|(id, _)| is_equation(*id));
        let named: HashSet<&str> = all().map(|(_, value)| value.path.as_str()).collect();
        let mut lineage = Lineage { roots: HashMap::new(), parts: HashMap::new(), equations: Vec::new() };
        for (id, value) in all() {
            // What a definition is given stands in no equation's place: it has a line of its own.
            match model.inside.get(&id).filter(|path| named.contains(path.as_str()) && **path != value.path) {
                Some(of) => {
                    lineage.roots.insert(value.path.clone(), of.clone());
                }
                None => {
                    lineage.roots.insert(value.path.clone(), value.path.clone());
                    lineage.equations.push((id, value.path.clone()));
                }
            }
        }
        for event in history {
            if let Event::TakenOut { part, of } | Event::Hoisted { part, of } = event {
                let root = lineage.root(of);
                lineage.roots.insert(part.clone(), root);
            }
        }
        let inside = all().map(|(_, value)| value.path.clone());
        let taken = history.iter().filter_map(|event| match event {
            Event::TakenOut { part, .. } | Event::Hoisted { part, .. } => Some(part.clone()),
            Event::Renamed { .. }
            | Event::Merged { .. }
            | Event::Inlined { .. }
            | Event::Stayed { .. }
            | Event::TakenApart { .. }
            | Event::Dropped { .. } => None,
        });
        for path in inside.chain(taken) {
            lineage.parts.entry(lineage.root(&path)).or_default().push(path);
        }
        for (path, parts) in &mut lineage.parts {
            parts.sort_by_key(|part| part != path);
        }
        lineage
    }

    /// The equation of the file that a value belongs to; its own path for what is no equation.
    pub fn root(&self, path: &str) -> String {
        let mut at = path;
        // A part's equation can stand inside another.
        while let Some(next) = self.roots.get(at).filter(|next| *next != at) {
            at = next;
        }
        at.to_string()
    }
}

/// What became of every equation of the file.
pub(super) fn fates(lineage: &Lineage, graph: &Graph, fused: &Fused) -> HashMap<String, Vec<Fate>> {
    let trail = Trail::new(lineage, graph, fused);
    let all = lineage.equations.iter().map(|(_, path)| (path.clone(), trail.of_equation(path)));
    all.collect()
}

/// Where values ended.
struct Trail<'a> {
    lineage: &'a Lineage,
    fused: &'a Fused,
    /// Kernel and number of what is computed.
    placed: HashMap<&'a str, (usize, ValueId)>,
    /// The attention of what is computed inside one.
    inside: HashMap<&'a str, &'a str>,
    /// For each equation, where others that read it have it instead.
    instead: HashMap<&'a str, &'a Event>,
    into: HashMap<&'a str, Vec<&'a str>>,
    /// Softmax that no attention takes in.
    apart: HashSet<&'a str>,
    /// Values that the file's equations compute from position to position, before any pass.
    in_loop: HashSet<&'a str>,
}

impl<'a> Trail<'a> {
    fn new(lineage: &'a Lineage, graph: &'a Graph, fused: &'a Fused) -> Trail<'a> {
        let path = |id: ValueId| fused.graph.value(id).path.as_str();
        let clusters = fused.clusters.iter().enumerate();
        let placed: HashMap<&str, (usize, ValueId)> = clusters
            .flat_map(|(place, cluster)| cluster.values.iter().map(move |id| (path(*id), (place, *id))))
            .collect();
        let mut inside = HashMap::new();
        for (mix, parts) in &fused.attention {
            for id in [parts.weight, parts.dot] {
                inside.insert(path(id), path(*mix));
            }
        }
        let mut instead = HashMap::new();
        let mut into: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut apart = HashSet::new();
        for event in &fused.graph.history {
            match event {
                Event::Renamed { value, .. } | Event::Merged { value, .. } => {
                    instead.insert(value.as_str(), event);
                }
                Event::Inlined { value, into: reader } => into.entry(value).or_default().push(reader),
                Event::TakenApart { value } => {
                    apart.insert(value.as_str());
                }
                Event::TakenOut { .. } | Event::Hoisted { .. } | Event::Stayed { .. } | Event::Dropped { .. } => {}
            }
        }
        let in_loop = graph.groups.iter().flat_map(|group| match group {
            crate::check::recurrence::Group::One(_) => &[],
            crate::check::recurrence::Group::Scan(scan) => scan.values.as_slice(),
        });
        let in_loop = in_loop.map(|id| graph.value(*id).path.as_str()).collect();
        Trail { lineage, fused, placed, inside, instead, into, apart, in_loop }
    }

    /// What became of an equation and its parts.
    fn of_equation(&self, path: &str) -> Vec<Fate> {
        let no_parts = Vec::new();
        let parts = self.lineage.parts.get(path).unwrap_or(&no_parts);
        let in_loop = self.in_loop.contains(path);
        let mut fates: Vec<Fate> = Vec::new();
        for part in parts {
            let hoisted = in_loop && !self.in_loop.contains(part.as_str());
            for fate in self.of_part(path, part, hoisted) {
                if !fates.contains(&fate) {
                    fates.push(fate);
                }
            }
        }
        // A part that is dropped tells nothing, unless all are.
        if fates.iter().any(|fate| *fate != Fate::Dropped) {
            fates.retain(|fate| *fate != Fate::Dropped);
        }
        fates
    }

    fn of_part(&self, equation: &str, part: &str, hoisted: bool) -> Vec<Fate> {
        let mut fates = Vec::new();
        if self.apart.contains(part) {
            fates.push(Fate::TakenApart);
        }
        if let Some((kernel, id)) = self.placed.get(part) {
            fates.push(self.computed(equation, *kernel, *id, hoisted));
        }
        if let Some(mix) = self.inside.get(part) {
            fates.push(Fate::Inside { attention: self.lineage.root(mix) });
        }
        match self.instead.get(part) {
            Some(Event::Renamed { to, .. }) => {
                let to = self.lineage.root(to);
                // A part by another name is told by that part.
                if to != equation {
                    fates.push(Fate::Renamed { to });
                }
            }
            Some(Event::Merged { with, .. }) => {
                let other = self.lineage.root(with);
                if other != equation {
                    fates.push(Fate::SameAs { other, whole: part == equation });
                }
            }
            Some(_) | None => {}
        }
        if let Some(readers) = self.into.get(part) {
            let readers: BTreeSet<String> = readers.iter().map(|reader| self.lineage.root(reader)).collect();
            let readers: Vec<String> = readers.into_iter().filter(|reader| reader != equation).collect();
            if !readers.is_empty() {
                fates.push(Fate::PutInto { readers });
            }
        }
        let told = !fates.is_empty() || self.instead.contains_key(part) || self.into.contains_key(part);
        if !told {
            fates.push(Fate::Dropped);
        }
        fates
    }

    /// How a kernel computes a value.
    fn computed(&self, equation: &str, kernel: usize, id: ValueId, hoisted: bool) -> Fate {
        let graph = &self.fused.graph;
        let root = |id: ValueId| self.lineage.root(&graph.value(id).path);
        if let Some(parts) = self.fused.attention.get(&id) {
            let over: BTreeSet<String> = [parts.weight, parts.dot].into_iter().map(root).collect();
            return Fate::Attention { kernel, over: over.into_iter().filter(|path| path != equation).collect() };
        }
        let Some(parts) = self.fused.products.get(&id) else { return Fate::Loop { kernel, hoisted } };
        let others = self.fused.clusters[kernel].values.iter().filter(|other| **other != id);
        let same = others.filter(|other| {
            self.fused.products.get(other).is_some_and(|theirs| same_operand(graph, id, parts, **other, theirs))
        });
        let with: BTreeSet<String> = same.map(|other| root(*other)).filter(|path| path != equation).collect();
        let operand = graph.value(parts.operand.0);
        let operand = match operand.kind {
            ValueKind::Equation(_) => self.lineage.root(&operand.path),
            ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Constant(_) => operand.path.clone(),
        };
        Fate::Product { kernel, operand, with: with.into_iter().collect(), hoisted }
    }
}

/// How a kernel's rows are computed, in a word.
pub(super) fn kind_name(kind: &ClusterKind) -> &'static str {
    match kind {
        ClusterKind::Rows => "rows",
        ClusterKind::Scan { backward: false, blocks: None } => "scan",
        ClusterKind::Scan { backward: true, blocks: None } => "backward scan",
        ClusterKind::Scan { backward: false, blocks: Some(_) } => "scan in blocks",
        ClusterKind::Scan { backward: true, blocks: Some(_) } => "backward scan in blocks",
        ClusterKind::Attention => "attention",
    }
}

/// The kernels that the fates of an equation name.
pub(super) fn kernels(fates: &[Fate]) -> BTreeSet<usize> {
    fates
        .iter()
        .filter_map(|fate| match fate {
            Fate::Loop { kernel, .. } | Fate::Product { kernel, .. } | Fate::Attention { kernel, .. } => Some(*kernel),
            Fate::Inside { .. }
            | Fate::PutInto { .. }
            | Fate::SameAs { .. }
            | Fate::Renamed { .. }
            | Fate::TakenApart
            | Fate::Dropped => None,
        })
        .collect()
}

/// The weights that equations read, by the paths of those of the file.
pub(super) fn weights_of(lineage: &Lineage, graph: &Graph) -> BTreeMap<String, BTreeSet<ValueId>> {
    let mut all: BTreeMap<String, BTreeSet<ValueId>> = BTreeMap::new();
    for (_, value) in graph.model.ids() {
        for read in crate::check::recurrence::reads(&value.kind) {
            if matches!(graph.value(read).kind, ValueKind::Weight { .. }) {
                all.entry(lineage.root(&value.path)).or_default().insert(read);
            }
        }
    }
    all
}
