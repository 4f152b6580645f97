//! What survives, as tables, as JSON, and as a page with curves.

use super::Found;
use crate::command::explain::Look;
use crate::command::explain::table::{Column, line, titles, widths, wrapped};
use crate::report::curve::{self, Curve};
use crate::report::{Figure, Page, Section};
use seqwright_compiler::recurrence::memory::{Along, Memory};
use serde_json::{Value, json};

/// From nothing left to all of it, or more.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// 1, 2, 4, … up to so many.
fn shown(steps: usize) -> Vec<usize> {
    (0..usize::BITS).map(|power| 1usize << power).take_while(|step| *step <= steps).collect()
}

fn steps(found: &Found) -> usize {
    found.states.iter().map(|state| state.typical.len().saturating_sub(1)).max().unwrap_or(0)
}

/// A part of a change: three digits, or its power of ten where it is small.
fn left(part: f64) -> String {
    match part {
        0.0 => "0".to_string(),
        part if (1e-3..1e3).contains(&part) => format!("{part:.3}"),
        part => format!("{part:.0e}"),
    }
}

fn positions(count: f64) -> String {
    match count {
        count if count.is_infinite() => "never".to_string(),
        count if count >= 100.0 => format!("{count:.0}"),
        count => format!("{count:.1}"),
    }
}

fn halved(memory: &Memory) -> String {
    let last = memory.typical.len().saturating_sub(1);
    match memory.halved() {
        None => format!("more than {last}"),
        // Between two positions there is nothing.
        Some(count) if count < 1.0 => "less than 1".to_string(),
        Some(count) => positions(count),
    }
}

/// Along what changes were made, in a sentence.
fn along(memory: &Memory) -> String {
    let starts = match memory.starts {
        1 => "at one position".to_string(),
        count => format!("at {count} positions"),
    };
    match memory.along {
        Along::Diagonal => format!("`{}`: every direction, {starts}; no entry acts on another.", memory.state),
        Along::Every => format!("`{}`: every direction, {starts}.", memory.state),
        Along::Random(count) => {
            format!(
                "`{}`: estimated from {count} random directions {starts}, as it has {} entries.",
                memory.state, memory.entries
            )
        }
    }
}

/// The tables.
pub fn text(found: &Found, look: &Look) -> String {
    let Look { heading, dim, .. } = look;
    let steps = shown(steps(found));
    let mut text = format!("{heading}{}{heading:#}\n", found.model);
    text.push_str(&wrapped(&found.what, "", 2, look.width, *dim));
    let mut part = |title: &str, of: &dyn Fn(&Memory) -> Option<Vec<f64>>, ends: bool| {
        let states: Vec<(&Memory, Vec<f64>)> =
            found.states.iter().filter_map(|state| Some((state, of(state)?))).collect();
        if states.is_empty() {
            return;
        }
        text.push('\n');
        text.push_str(&wrapped(title, "", 2, look.width, *dim));
        let names: Vec<String> = steps.iter().map(|step| step.to_string()).collect();
        // Titles live as long as the program does: they are made of those below.
        let head = ["state", "entries"].map(str::to_string).into_iter().chain(names).chain(["".to_string()]);
        let head: Vec<String> = head.chain(ends.then(|| "halved after".to_string())).collect();
        let row = |(state, numbers): &(&Memory, Vec<f64>)| {
            let at = |step: &usize| numbers.get(*step).copied();
            let cells = steps.iter().map(|step| at(step).map_or("-".to_string(), left));
            let level = |part: f64| LEVELS[((part.min(1.0) * 8.0) as usize).min(7)];
            let line: String = std::iter::once(&0).chain(&steps).filter_map(at).map(level).collect();
            let own = [state.state.clone(), state.entries.to_string()].into_iter().chain(cells).chain([line]);
            own.chain(ends.then(|| halved(state))).collect::<Vec<String>>()
        };
        let rows: Vec<Vec<String>> = [head].into_iter().chain(states.iter().map(row)).collect();
        // The first row stands for the titles, which depend on how far changes are followed.
        let columns: Vec<Column> =
            (0..rows[0].len()).map(|place| Column { title: "", ends: place > 0 && place <= steps.len() + 1 }).collect();
        let widths = widths(&columns, &rows);
        for (place, row) in rows.iter().enumerate() {
            let written = line(&columns, &widths, row, 2, usize::MAX);
            text.push_str(&if place == 0 { format!("{dim}{written}{dim:#}") } else { written });
        }
    };
    part(
        "What is left of a change in a state so many positions later, typically: the root of the mean square over all directions of a change.",
        &|state| Some(state.typical.clone()),
        true,
    );
    part("The most that is left of any change.", &|state| state.largest.clone(), false);
    text.push_str(&factors(found, look));
    text.push('\n');
    found.states.iter().for_each(|state| text.push_str(&wrapped(&along(state), "", 2, look.width, *dim)));
    text
}

const FACTORS: [Column; 5] = [
    Column { title: "state", ends: false },
    Column { title: "its factor", ends: false },
    Column { title: "mean", ends: true },
    Column { title: "half-life", ends: true },
    Column { title: "of its entries, in positions", ends: false },
];

/// The shortest, the middle and the longest of half-lives.
fn range(half_lives: &[f64]) -> [f64; 3] {
    let at = |place: usize| half_lives.get(place).copied().unwrap_or(f64::NAN);
    [at(0), at(half_lives.len() / 2), at(half_lives.len().saturating_sub(1))]
}

fn factors(found: &Found, look: &Look) -> String {
    let row = |state: &Memory| {
        let factor = state.factor.as_ref()?;
        let [shortest, middle, longest] = range(&factor.half_lives);
        Some(vec![
            state.state.clone(),
            factor.text.clone(),
            left(factor.mean),
            positions(middle),
            format!("{} to {}", positions(shortest), positions(longest)),
        ])
    };
    let rows: Vec<Vec<String>> = found.states.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let said = "What a state's own earlier position is multiplied by in its equation, and after how many positions that alone leaves half: the middle of its entries.";
    let mut text = format!("\n{}", wrapped(said, "", 2, look.width, look.dim));
    let widths = widths(&FACTORS, &rows);
    text.push_str(&titles(&FACTORS, &widths, 2, look.dim));
    rows.iter().for_each(|row| text.push_str(&line(&FACTORS, &widths, row, 2, usize::MAX)));
    text
}

/// The parts of the document.
pub fn parts<'a>(found: &Found) -> Vec<(&'a str, Value)> {
    let finite = |number: f64| number.is_finite().then_some(number);
    let state = |memory: &Memory| {
        let factor = memory.factor.as_ref().map(|factor| {
            let half_lives: Vec<Option<f64>> = factor.half_lives.iter().map(|number| finite(*number)).collect();
            json!({ "term": factor.text, "mean": finite(factor.mean), "half_lives": half_lives })
        });
        let directions = match memory.along {
            Along::Diagonal | Along::Every => None,
            Along::Random(count) => Some(count),
        };
        json!({
            "state": memory.state,
            "entries": memory.entries,
            "random_directions": directions,
            "starts": memory.starts,
            "typical": memory.typical,
            "largest": memory.largest,
            "halved_after": memory.halved(),
            "factor": factor,
        })
    };
    vec![
        ("model", json!(found.model)),
        ("what", json!(found.what)),
        ("notes", json!(found.notes)),
        ("states", found.states.iter().map(state).collect()),
    ]
}

/// The page.
pub fn page(found: &Found) -> Page {
    let curves = |of: &dyn Fn(&Memory) -> Option<&Vec<f64>>| -> Vec<Curve> {
        let one = |state: &Memory| Some(Curve { name: state.state.clone(), points: of(state)?.clone() });
        found.states.iter().filter_map(one).collect()
    };
    let section = |title: &str, said: &str, curves: Vec<Curve>| Section {
        title: title.to_string(),
        notes: [said.to_string()].into_iter().chain(curve::left_out(&curves)).collect(),
        figures: vec![Figure { caption: String::new(), svg: curve::svg(&curves) }],
        ..Section::default()
    };
    let mut sections = vec![section(
        "What is left of a change, typically",
        "The root of the mean square over all directions of a change in a state, so many positions later.",
        curves(&|state| Some(&state.typical)),
    )];
    sections[0].notes.extend(found.states.iter().map(along));
    let largest = curves(&|state| state.largest.as_ref());
    if !largest.is_empty() {
        sections.push(section("The most that is left of any change", "The spectral norm of the same.", largest));
    }
    let halved = found
        .states
        .iter()
        .map(|state| format!("`{}`: half is left after {} positions, typically.", state.state, halved(state)));
    let factors = found.states.iter().filter_map(|state| {
        let factor = state.factor.as_ref()?;
        let [shortest, middle, longest] = range(&factor.half_lives);
        Some(format!(
            "`{}`: its own earlier position is multiplied by `{}`, on average {}; that alone leaves half after {} positions ({} to {} over its entries).",
            state.state,
            factor.text,
            left(factor.mean),
            positions(middle),
            positions(shortest),
            positions(longest)
        ))
    });
    let notes = halved.chain(factors).collect();
    sections.push(Section { title: "Half-lives".to_string(), notes, ..Section::default() });
    let notes = found.notes.iter().map(|note| format!("Note: {note}.")).collect();
    Page { title: format!("What {} remembers", found.model), facts: vec![found.what.clone()], notes, sections }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_double() {
        assert_eq!(shown(9), [1, 2, 4, 8]);
        assert_eq!(shown(0), Vec::<usize>::new());
    }

    #[test]
    fn parts_are_short() {
        assert_eq!([0.0, 0.25, 1.0, 1e-7, 2500.0].map(left), ["0", "0.250", "1.000", "1e-7", "2e3"]);
    }
}
