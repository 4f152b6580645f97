//! The equations of a file: what became of each, how far it looks, what it costs.

use super::fate::{self, Fate, Lineage};
use super::formula::Formula;
use super::{Equation, Stages, Weight, cost};
use crate::graph::Graph;
use crate::model::{ValueKind, print_axes};
use crate::stream::{Field, View, Window, fields, looks};
use crate::term::{TimeId, ValueId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Every equation, in the file's order.
pub(super) fn equations(stages: &Stages, lineage: &Lineage, costs: &HashMap<String, Formula>) -> Vec<Equation> {
    let Stages { model, graph, fused, program, chunks } = stages;
    let mut fates = fate::fates(lineage, graph, fused);
    let reaches: Vec<Reaches> =
        (0..model.times.len()).map(|time| Reaches::new(graph, lineage, TimeId(time as u32))).collect();
    let weights = fate::weights_of(lineage, graph);
    let mut readers: BTreeMap<ValueId, usize> = BTreeMap::new();
    weights.values().flatten().for_each(|weight| *readers.entry(*weight).or_insert(0) += 1);
    let needed = graph.needed();
    let number = |place: usize| program.calls[place].kernel;
    let of_equation = |(id, path): &(ValueId, String)| {
        let value = model.value(*id);
        let ValueKind::Equation(own) = &value.kind else { return None };
        let fates = fates.remove(path).unwrap_or_default();
        let kernels: BTreeSet<usize> = fate::kernels(&fates).into_iter().map(number).collect();
        let reach = |of: fn(&Reaches) -> &HashMap<String, Field>| -> Vec<(TimeId, Field)> {
            let all = reaches.iter().filter_map(|reaches| Some((reaches.time, *of(reaches).get(path)?)));
            all.filter(|(_, field)| *field != Field::Nothing).collect()
        };
        let outputs = graph.outputs.iter().filter(|(_, output)| output == id).map(|(name, _)| name.clone());
        let own_weights = weights.get(path).into_iter().flatten();
        let own_weights = own_weights.map(|weight| Weight {
            path: model.value(*weight).path.clone(),
            numbers: cost::row_numbers(&model.value(*weight).axes),
            shared: readers[weight] > 1,
        });
        Some(Equation {
            path: path.clone(),
            span: value.span,
            text: model.print_equation(value, own),
            axes: print_axes(&value.axes, &model.times),
            is_state: own.is_state,
            outputs: outputs.collect(),
            fates: fates.into_iter().map(|fate| numbered(fate, &number)).collect(),
            kernels: kernels.into_iter().collect(),
            looks: reach(|reaches| &reaches.looks),
            sees: reach(|reaches| &reaches.sees),
            lag: chunks.as_ref().map_or(0, |chunks| chunks.plan.lag(*id)),
            part: chunks.as_ref().ok().filter(|_| needed.contains(id)).map(|chunks| chunks.plan.part(*id)),
            operations: costs.get(path).cloned().unwrap_or_default(),
            weights: own_weights.collect(),
        })
    };
    lineage.equations.iter().filter_map(of_equation).collect()
}

/// A fate with a kernel's number in place of its place among all that are run.
fn numbered(fate: Fate, number: &dyn Fn(usize) -> usize) -> Fate {
    match fate {
        Fate::Loop { kernel, hoisted } => Fate::Loop { kernel: number(kernel), hoisted },
        Fate::Product { kernel, operand, with, hoisted } => {
            Fate::Product { kernel: number(kernel), operand, with, hoisted }
        }
        Fate::Attention { kernel, over } => Fate::Attention { kernel: number(kernel), over },
        other @ (Fate::Inside { .. }
        | Fate::PutInto { .. }
        | Fate::SameAs { .. }
        | Fate::Renamed { .. }
        | Fate::TakenApart
        | Fate::Dropped) => other,
    }
}

/// How far the equations of a file reach along one time axis.
struct Reaches {
    time: TimeId,
    looks: HashMap<String, Field>,
    sees: HashMap<String, Field>,
}

impl Reaches {
    fn new(graph: &Graph, lineage: &Lineage, time: TimeId) -> Reaches {
        let has_row = |id: ValueId| graph.value(id).axes.iter().any(|axis| axis.time() == Some(time));
        let mut reaches = Reaches { time, looks: HashMap::new(), sees: HashMap::new() };
        let by_path: HashMap<&str, bool> =
            graph.model.ids().map(|(id, value)| (value.path.as_str(), has_row(id))).collect();
        // A part without positions sees the whole; the equation that it is part of looks there from each of its own.
        let of_whole = |root: &str, field: Field| match field {
            Field::Last(_) | Field::All if by_path.get(root) == Some(&true) => Field::Around(Window::ALL),
            Field::Nothing | Field::Around(_) | Field::Last(_) | Field::All => field,
        };
        for look in looks(graph, time) {
            let root = lineage.root(&graph.value(look.reader).path);
            let field = match look.view {
                View::Around(window) => Field::Around(window),
                View::FromLast(Some(back)) => Field::Last(back),
                View::FromLast(None) => Field::All,
            };
            let field = of_whole(&root, field);
            let known = reaches.looks.entry(root).or_insert(Field::Nothing);
            *known = known.join(field);
        }
        let fields = fields(graph, time);
        for (id, value) in graph.model.ids() {
            // Parts are seen through the equation itself.
            if graph.equation(id).is_some() && lineage.root(&value.path) == value.path {
                reaches.sees.insert(value.path.clone(), fields[id.0 as usize]);
            }
        }
        reaches
    }
}
