//! A model as a picture: its equations with their shapes, what each reads, layers that are alike once.
//!
//! A box is an equation or an input; a line goes from what is read to what reads it, dashed where it is an earlier position
//! that is read. Boxes stand in frames, one for each definition that the model uses. Weights are not drawn: a tooltip has the
//! whole equation.

use super::colours::Scale;
use super::layout::{Block, INSIDE, Layout, TITLE, layout};
use super::svg::{escaped, hex, length, short, width};
use seqwright_compiler::check::recurrence::{Group, groups, reads};
use seqwright_compiler::model::{Model, ValueKind, print_axes};
use seqwright_compiler::term::ValueId;
use std::collections::{BTreeMap, BTreeSet};

/// The height of a box.
const HEIGHT: f32 = 36.0;
/// The most letters of a line in a box.
const LONGEST: usize = 34;
/// The most boxes: more are no picture.
const MOST: usize = 160;

/// A box.
#[derive(Clone, Debug)]
struct Node {
    path: String,
    /// Inside its frame.
    label: String,
    axes: String,
    equation: String,
    is_state: bool,
}

/// A line: from what is read to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    reader: usize,
    read: usize,
    /// Whether an earlier position is read.
    back: bool,
}

/// The equations of a model as boxes and lines.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// The title of each frame, and its boxes; no title for boxes outside of frames.
    frames: Vec<(String, Vec<usize>)>,
    /// What is left out, in a sentence each.
    pub notes: Vec<String>,
}

/// The boxes and lines of the equations that lead to a model's results.
pub fn graph(model: &Model) -> Graph {
    let order = groups(model).unwrap_or_default();
    let mut needed: BTreeSet<ValueId> = BTreeSet::new();
    let mut open: Vec<ValueId> = model.results.iter().map(|(_, id)| *id).collect();
    while let Some(id) = open.pop() {
        if needed.insert(id) {
            open.extend(reads(&model.value(id).kind));
        }
    }
    let is_drawn = |id: ValueId| {
        needed.contains(&id)
            && !model.inside.contains_key(&id)
            && matches!(model.value(id).kind, ValueKind::Equation(_) | ValueKind::Input { .. })
    };
    // In the order in which they are computed; for each, its recurrence and its place there.
    let mut ids: Vec<(ValueId, Option<(usize, usize)>)> = Vec::new();
    for (number, group) in order.iter().enumerate() {
        match group {
            Group::One(id) => ids.push((*id, None)),
            Group::Scan(scan) => {
                ids.extend(scan.values.iter().enumerate().map(|(place, id)| (*id, Some((number, place)))));
            }
        }
    }
    ids.retain(|(id, _)| is_drawn(*id));
    let (kept, folded) = fold(model, &ids.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    let mut made = Graph::default();
    let mut number: BTreeMap<ValueId, usize> = BTreeMap::new();
    for (id, _) in ids.iter().filter(|(id, _)| kept.contains(id)).take(MOST) {
        number.insert(*id, made.nodes.len());
        let value = model.value(*id);
        let (frame, label) = frame_of(&value.path);
        let (equation, is_state) = match &value.kind {
            ValueKind::Equation(equation) => (model.print_equation(value, equation), equation.is_state),
            ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Constant(_) => {
                ("an input".to_string(), false)
            }
        };
        match made.frames.last_mut() {
            Some((last, boxes)) if *last == frame => boxes.push(made.nodes.len()),
            Some(_) | None => match made.frames.iter_mut().find(|(known, _)| *known == frame && !frame.is_empty()) {
                Some((_, boxes)) => boxes.push(made.nodes.len()),
                None => made.frames.push((frame, vec![made.nodes.len()])),
            },
        }
        made.nodes.push(Node {
            path: value.path.clone(),
            label,
            axes: print_axes(&value.axes, &model.times),
            equation,
            is_state,
        });
    }
    if kept.len() > MOST {
        made.notes.push(format!("The first {MOST} of {} equations are drawn.", kept.len()));
    }
    let scan: BTreeMap<ValueId, (usize, usize)> = ids.iter().filter_map(|(id, scan)| Some((*id, (*scan)?))).collect();
    let mut edges: BTreeSet<Edge> = BTreeSet::new();
    for (id, _) in &ids {
        for read in read_through(model, *id, &is_drawn) {
            let back = match (scan.get(id), scan.get(&read)) {
                (Some((one, reader)), Some((other, place))) => one == other && place >= reader,
                _ => false,
            };
            // A line between alike layers has no place where only one of them is drawn.
            let stands_for = |id: &ValueId| folded.get(id).copied().unwrap_or(*id);
            let between = folded.contains_key(id)
                && frame_of(&model.value(*id).path).0 != frame_of(&model.value(read).path).0
                && frame_of(&model.value(read).path).0.contains('.');
            if between {
                continue;
            }
            if let (Some(reader), Some(read)) = (number.get(&stands_for(id)), number.get(&stands_for(&read))) {
                edges.insert(Edge { reader: *reader, read: *read, back });
            }
        }
    }
    made.edges = edges.into_iter().collect();
    for (frame, boxes) in &mut made.frames {
        let others = folded_frames(model, &folded, boxes.first().map(|place| made.nodes[*place].path.as_str()));
        if let (Some(first), Some(last)) = (others.first(), others.last()) {
            let (first, last) = (first.clone(), last.clone());
            let which = if first == last { first } else { format!("{first}` to `{last}") };
            made.notes.push(format!(
                "`{which}` {} like `{frame}`; each reads what the one before gives.",
                if others.len() == 1 { "is" } else { "are" }
            ));
        }
    }
    made
}

/// The frames that one stands for, in order.
fn folded_frames(model: &Model, folded: &BTreeMap<ValueId, ValueId>, path: Option<&str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (other, own) in folded {
        if Some(model.value(*own).path.as_str()) == path {
            all.push(frame_of(&model.value(*other).path).0);
        }
    }
    all
}

/// The frame of an equation and its name there: the definition that the model uses, and with it the number of a repeat.
fn frame_of(path: &str) -> (String, String) {
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or(path);
    let second = parts.clone().next();
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match second {
        None => (String::new(), path.to_string()),
        Some(number) if is_number(number) => {
            let frame = format!("{first}.{number}");
            let label = path[frame.len()..].trim_start_matches('.').to_string();
            (frame.clone(), if label.is_empty() { frame } else { label })
        }
        Some(_) => (first.to_string(), path[first.len() + 1..].to_string()),
    }
}

/// The equations that are drawn, and for others that of an alike layer which stands for them.
fn fold(model: &Model, ids: &[ValueId]) -> (BTreeSet<ValueId>, BTreeMap<ValueId, ValueId>) {
    let mut layers: BTreeMap<String, Vec<(String, String, ValueId)>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for id in ids {
        let value = model.value(*id);
        let (frame, label) = frame_of(&value.path);
        if !layers.contains_key(&frame) {
            order.push(frame.clone());
        }
        let sizes: Vec<String> = value.axes.iter().map(|axis| format!("{axis:?}")).collect();
        layers.entry(frame).or_default().push((label, sizes.concat(), *id));
    }
    let mut kept: BTreeSet<ValueId> = ids.iter().copied().collect();
    let mut folded = BTreeMap::new();
    for (place, frame) in order.iter().enumerate() {
        let Some((name, _)) = frame.split_once('.') else { continue };
        let alike = |other: &&String| {
            other.split_once('.').is_some_and(|(other, _)| other == name)
                && layers[*other].len() == layers[frame].len()
                && layers[*other].iter().zip(&layers[frame]).all(|(one, other)| one.0 == other.0 && one.1 == other.1)
        };
        let Some(first) = order[..place].iter().find(alike) else { continue };
        for ((_, _, own), (_, _, other)) in layers[first].iter().zip(&layers[frame]) {
            kept.remove(other);
            folded.insert(*other, *own);
        }
    }
    (kept, folded)
}

/// The drawn values that one reads, itself or by values without a name of their own.
fn read_through(model: &Model, id: ValueId, is_drawn: &dyn Fn(ValueId) -> bool) -> BTreeSet<ValueId> {
    let (mut found, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), reads(&model.value(id).kind));
    while let Some(read) = open.pop() {
        if is_drawn(read) {
            found.insert(read);
        } else if seen.insert(read) {
            open.extend(reads(&model.value(read).kind));
        }
    }
    found
}

impl Graph {
    /// The picture. `seconds` is the time of the kernels that compute an equation, and `scale` what colours mean in milliseconds.
    pub fn svg(&self, seconds: &dyn Fn(&str) -> Option<f64>, scale: Scale) -> String {
        let name = |node: &Node| short(&node.label, LONGEST);
        let axes = |node: &Node| short(&node.axes, LONGEST);
        let widths: Vec<f32> =
            self.nodes.iter().map(|node| width(&name(node)).max(width(&axes(node))) * 1.08 + 24.0).collect();
        let blocks: Vec<Block> = self
            .frames
            .iter()
            .map(|(frame, boxes)| Block { framed: !frame.is_empty(), boxes: boxes.clone() })
            .collect();
        let forward: Vec<(usize, usize)> =
            self.edges.iter().filter(|edge| !edge.back).map(|edge| (edge.reader, edge.read)).collect();
        let made = layout(&widths, HEIGHT, &blocks, &forward);
        let (wide, high) = made.size;
        let mut text = format!(
            "<svg role=\"img\" aria-label=\"equations and what they read\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto\"><path class=\"tip\" d=\"M0 1 L7 4 L0 7 z\"/></marker></defs>\n",
            w = length(wide),
            h = length(high)
        );
        for ((title, _), frame) in self.frames.iter().zip(&made.frames) {
            let Some((left, upper, wide, high)) = frame else { continue };
            text.push_str(&format!(
                "<rect class=\"group\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\"/>\
                 <text class=\"strong\" x=\"{}\" y=\"{}\">{}</text>\n",
                length(*left),
                length(*upper),
                length(*wide),
                length(*high),
                length(left + INSIDE),
                length(upper + TITLE),
                escaped(title)
            ));
        }
        self.edges.iter().for_each(|edge| text.push_str(&line(*edge, &widths, &made)));
        for (place, node) in self.nodes.iter().enumerate() {
            let (at, wide) = (made.places[place], widths[place]);
            let time = seconds(&node.path).map(|seconds| seconds * 1e3);
            let said = time.map_or(String::new(), |time| format!("\n{time:.3} ms in its kernels"));
            let colour = time.and_then(|time| scale.part(time as f32)).map_or(String::new(), |part| {
                format!(
                    "<rect x=\"{}\" y=\"{}\" width=\"6\" height=\"{}\" rx=\"2\" fill=\"{}\"/>",
                    length(at.x - wide / 2.0 + 3.0),
                    length(at.y + 4.0),
                    length(HEIGHT - 8.0),
                    hex(scale.colour(part))
                )
            });
            let style = if node.is_state { " stroke-width=\"2\"" } else { "" };
            text.push_str(&format!(
                "<g><title>{}{said}</title><rect class=\"node\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"5\"{style}/>{colour}\
                 <text class=\"strong\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
                 <text class=\"quiet\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text></g>\n",
                escaped(&node.equation),
                length(at.x - wide / 2.0),
                length(at.y),
                length(wide),
                length(HEIGHT),
                length(at.y + 15.0),
                escaped(&name(node)),
                length(at.y + 29.0),
                escaped(&axes(node)),
                x = length(at.x + 3.0),
            ));
        }
        text.push_str("</svg>\n");
        text
    }
}

/// A line from below what is read to above its reader; by the right side where the reader does not stand below.
fn line(edge: Edge, widths: &[f32], made: &Layout) -> String {
    let (from, to) = (made.places[edge.read], made.places[edge.reader]);
    let class = if edge.back { "edge back" } else { "edge" };
    let (start, end) = (from.y + HEIGHT, to.y - 1.0);
    // A line straight down past other boxes would hide behind them: it bends around the widest.
    let is_between = |place: &usize| {
        let at = made.places[*place];
        let is_below = at.y > from.y && at.y < to.y;
        is_below && (from.x - to.x).abs() < 60.0 && (at.x - from.x).abs() < widths[*place] / 2.0
    };
    let between = (0..widths.len()).filter(is_between).map(|place| made.places[place].x + widths[place] / 2.0);
    let passed = between.fold(0.0, f32::max);
    let path = if !edge.back && passed > 0.0 {
        let right = passed + 14.0;
        // A curve comes three quarters of the way to where it is pulled.
        let (one, other) = (from.x + (right - from.x) / 0.75, to.x + (right - to.x) / 0.75);
        format!("M{} {start} C{one} {} {other} {} {} {end}", from.x, start + 24.0, end - 24.0, to.x)
    } else if !edge.back && end > start {
        let bend = ((end - start) / 2.0).min(60.0);
        format!("M{} {} C{} {} {} {} {} {}", from.x, start, from.x, start + bend, to.x, end - bend, to.x, end)
    } else {
        let (left, right) = (from.x + widths[edge.read] / 2.0, to.x + widths[edge.reader] / 2.0 + 1.0);
        let (upper, lower) = (from.y + HEIGHT * 0.35, to.y + HEIGHT * if edge.read == edge.reader { 0.7 } else { 0.5 });
        let out = left.max(right) + if edge.read == edge.reader { 22.0 } else { 34.0 };
        format!("M{left} {upper} C{out} {upper} {out} {lower} {right} {lower}")
    };
    format!("<path class=\"{class}\" marker-end=\"url(#tip)\" d=\"{path}\"/>\n")
}
