//! The report: values as heat maps, the model's equations as a graph, its kernels as bars.

use super::super::inputs::Ready;
use super::super::profile::Times;
use super::super::show;
use super::{Panel, Side, Traced, panels};
use crate::numbers::Format;
use crate::report::colours::Scale;
use crate::report::heat_map::{self, HeatMap};
use crate::report::{Figure, Page, Section, graph, kernels};
use seqwright_compiler::model::Model;
use seqwright_compiler::term::print_number;

/// The most heat maps of a value.
const MOST_MAPS: usize = 12;
/// The most cells of a page: a browser draws so many at once.
const MOST_CELLS: usize = 60_000;

/// What a report shows.
pub struct Shown<'a> {
    /// The model.
    pub model: &'a Model,
    /// What it ran on.
    pub ready: &'a Ready,
    /// The traced values.
    pub traced: &'a [Traced],
    /// What its reader should know.
    pub notes: &'a [String],
    /// The times of kernels, where they are known.
    pub times: Option<&'a Times>,
}

/// The page.
pub fn page(shown: &Shown, backend: &str) -> Page {
    let (model, batch) = (shown.model, &shown.ready.batch);
    let lengths = model.times.iter().zip(&batch.lengths).map(|(time, lengths)| match lengths.first() {
        Some(first) => format!("{time} = {first}"),
        None => time.clone(),
    });
    let sequences = match batch.sequences {
        1 => "One sequence".to_string(),
        count => format!("The first of {count} sequences"),
    };
    let what: Vec<String> = [sequences].into_iter().chain(lengths).collect();
    let mut facts = vec![format!("{}; {backend}", what.join(", "))];
    for (time, tokens) in &shown.ready.tokens {
        facts.extend(tokens.first().map(|tokens| format!("{time}: {}", tokens.join(" "))));
    }
    let parameters: Vec<String> =
        model.parameters.iter().map(|(name, value)| format!("{name} = {}", print_number(*value))).collect();
    if !parameters.is_empty() {
        facts.push(parameters.join(", "));
    }
    let mut cells = 0;
    let mut sections = Vec::new();
    let mut left_out = Vec::new();
    for value in shown.traced {
        match section(shown, value, &mut cells) {
            Some(section) => sections.push(section),
            None => left_out.push(value.path.as_str()),
        }
    }
    if !left_out.is_empty() {
        let said = format!("The page has no room for `{}`: name fewer values with `--value`.", left_out.join("`, `"));
        sections.push(Section { title: "Left out".to_string(), notes: vec![said], ..Section::default() });
    }
    sections.push(equations(shown));
    sections.push(times(shown.times));
    let notes = shown.notes.iter().map(|note| format!("Note: {note}.")).collect();
    Page { title: model.name.clone(), facts, notes, sections }
}

/// A value's heat maps; nothing where the page has no room for one.
fn section(shown: &Shown, value: &Traced, cells: &mut usize) -> Option<Section> {
    let model = shown.model;
    let part = value.parts.first()?;
    let times = model.value(value.id).axes.iter().filter(|axis| axis.time().is_some()).count();
    let maps: Vec<HeatMap> = panels(model, value.id, part, &|time| shown.ready.tokens_of(model, time, 0))
        .into_iter()
        // Time goes from left to right.
        .map(|panel| if times == 1 { turned(panel) } else { heat_map_of(panel) })
        .collect();
    // All on one scale: they are to be compared.
    let (scale, format) = (Scale::of(&part.numbers), Format::of(&part.numbers));
    let mut section = Section {
        title: value.path.clone(),
        detail: show::sizes(model, value.id, &part.sizes),
        legend: heat_map::legend(scale, format, &value.path),
        ..Section::default()
    };
    let of_a_map = |map: &HeatMap| {
        map.rows.names.len().min(heat_map::MOST_CELLS) * map.columns.names.len().min(heat_map::MOST_CELLS)
    };
    for map in maps.iter().take(MOST_MAPS) {
        if *cells + of_a_map(map) > MOST_CELLS {
            break;
        }
        *cells += of_a_map(map);
        section.figures.push(Figure { caption: map.title.clone(), svg: heat_map::svg(map, scale, format) });
    }
    if section.figures.is_empty() {
        return None;
    }
    section.notes.extend(heat_map::left_out(&maps[0]));
    // Two of them fit on a line.
    section.is_small = maps.len() == 1 && maps[0].columns.names.len() <= 18;
    if section.figures.len() < maps.len() {
        section.notes.push(format!("The first {} of {} matrices are shown.", section.figures.len(), maps.len()));
    }
    Some(section)
}

fn side(side: Option<Side>) -> heat_map::Side {
    let none = || heat_map::Side { axis: String::new(), names: vec![String::new()] };
    side.map_or_else(none, |side| heat_map::Side { axis: side.axis, names: side.names })
}

fn heat_map_of(panel: Panel) -> HeatMap {
    HeatMap { title: panel.place, rows: side(panel.rows), columns: side(panel.columns), numbers: panel.numbers }
}

/// A matrix with its rows as columns.
fn turned(panel: Panel) -> HeatMap {
    let map = heat_map_of(panel);
    let (rows, columns) = (map.rows.names.len(), map.columns.names.len());
    let numbers = (0..columns).flat_map(|column| (0..rows).map(move |row| (row, column)));
    let numbers = numbers.map(|(row, column)| map.numbers[row * columns + column]).collect();
    HeatMap { title: map.title, rows: map.columns, columns: map.rows, numbers }
}

fn equations(shown: &Shown) -> Section {
    let graph = graph::graph(shown.model);
    let calls = shown.times.map_or(&[][..], |times| times.calls.as_slice());
    let seconds = |path: &str| {
        let own = calls.iter().filter(|call| call.equations.iter().any(|equation| equation == path));
        let all: Vec<f64> = own.map(|call| call.seconds).collect();
        (!all.is_empty()).then(|| all.iter().sum())
    };
    let scale = kernels::scale(calls);
    let mut notes = vec![
        "A box is an equation with its shape, one with a thick line a state; a dashed line reads an earlier position."
            .to_string(),
    ];
    notes.extend(graph.notes.iter().cloned());
    if shown.times.is_some() {
        notes.push("The colour at a box's left is the time of the kernels that compute it, in milliseconds; equations of one kernel share it. A box without one is a part of a kernel that gives another, or another's name.".to_string());
    }
    Section {
        title: "Equations".to_string(),
        notes,
        legend: if calls.is_empty() { String::new() } else { heat_map::legend(scale, Format::Decimals(3), "times") },
        figures: vec![Figure { caption: String::new(), svg: graph.svg(&seconds, scale) }],
        ..Section::default()
    }
}

fn times(times: Option<&Times>) -> Section {
    let title = "Kernels".to_string();
    let Some(times) = times else {
        let notes = vec!["Kernels are timed one by one on the processor only (`--backend cpu`).".to_string()];
        return Section { title, notes, ..Section::default() };
    };
    let mut notes = vec![
        "Of the model's own results, without what is traced: the time of all calls of a kernel in a run, and its share of all."
            .to_string(),
    ];
    if times.kernels.len() > kernels::MOST {
        notes.push(format!("The {} that take longest of {} are shown.", kernels::MOST, times.kernels.len()));
    }
    let figures = vec![Figure { caption: String::new(), svg: kernels::svg(&times.kernels) }];
    Section { title, notes, figures, ..Section::default() }
}
