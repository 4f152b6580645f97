//! Positions as lines of JSON.
//!
//! A line is an object with a value for each input that comes along: one position, in the shape of the input's other axes, or
//! a list of positions. `{"reset": true}` ends the sequence and begins another. Each position's results are a line.

use super::super::Stop;
use super::super::json::nested;
use super::super::terminal::Terminal;
use super::check_tokens;
use super::live::{Live, Position};
use crate::batch::match_shape;
use crate::session::Failure;
use seqwright_compiler::model::print_axes;
use seqwright_compiler::term::{Axis, ValueId};
use serde_json::{Map, Value};
use std::io::{BufRead, Read};

/// The longest line that is read, in bytes.
const LONGEST: u64 = 16 << 20;
/// What begins a sequence anew.
const RESET: &str = "reset";

/// Runs the model on lines until they end, nobody reads results any more, or something is wrong with one.
pub fn run(live: &mut Live, mut input: impl BufRead, terminal: &mut Terminal) -> Result<(), Stop> {
    let mut bytes = Vec::new();
    for number in 1.. {
        let wrong = |why: String| Stop::Failed(Failure::Other(format!("line {number} of standard input: {why}")));
        bytes.clear();
        let count = input.by_ref().take(LONGEST + 1).read_until(b'\n', &mut bytes);
        if count.map_err(|why| wrong(why.to_string()))? == 0 || terminal.is_closed() {
            break;
        }
        if bytes.len() as u64 > LONGEST {
            return Err(wrong(format!("it has more than {LONGEST} bytes: give fewer positions in a line")));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let line: Value = serde_json::from_slice(&bytes).map_err(|why| wrong(format!("it is no JSON: {why}")))?;
        let Value::Object(line) = line else {
            return Err(wrong("wanted is an object with a value for each input, `{\"x\": [1, 2]}`".to_string()));
        };
        if is_reset(live, &line) {
            let rest = live.reset()?;
            print(live, &rest, terminal)?;
            continue;
        }
        let (count, inputs) = positions(live, &line).map_err(wrong)?;
        live.take(count, &inputs, &mut |live, positions| print(live, positions, terminal))
            .map_err(|stop| placed(stop, number))?;
    }
    Ok(())
}

/// Prints positions, a line each.
pub fn print(live: &Live, positions: &[Position], terminal: &mut Terminal) -> Result<(), Stop> {
    for position in positions {
        let parts = live.names().zip(position);
        let line: Map<String, Value> =
            parts.map(|(name, part)| (name.to_string(), nested(&part.sizes, &part.numbers))).collect();
        terminal.print(&format!("{}\n", Value::Object(line)))?;
    }
    Ok(())
}

/// A sequence that becomes too long does so at a line.
fn placed(stop: Stop, number: usize) -> Stop {
    match stop {
        Stop::Failed(Failure::Inputs(mut errors, sources)) => {
            for error in &mut errors {
                error.message = format!("line {number} of standard input: {}", error.message);
            }
            Stop::Failed(Failure::Inputs(errors, sources))
        }
        other => other,
    }
}

fn is_reset(live: &Live, line: &Map<String, Value>) -> bool {
    let is_input = live.along().iter().any(|id| live.model().value(*id).path == RESET);
    line.len() == 1 && line.get(RESET) == Some(&Value::Bool(true)) && !is_input
}

/// How many positions a line has, and the numbers of each input.
fn positions(live: &Live, line: &Map<String, Value>) -> Result<(usize, Vec<Vec<f32>>), String> {
    let model = live.model();
    let names: Vec<&str> = live.along().iter().map(|id| model.value(*id).path.as_str()).collect();
    if let Some(name) = line.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(match model.inputs().any(|(_, value)| value.path == *name) {
            true => format!("the input `{name}` does not come position by position: give it with `--input`"),
            false => format!("the model has no input `{name}`; those that come along are {}", names.join(", ")),
        });
    }
    let mut count: Option<(usize, &str)> = None;
    let mut inputs = Vec::new();
    for (id, name) in live.along().iter().zip(&names) {
        let value = line.get(*name).ok_or_else(|| format!("the input `{name}` is not given"))?;
        let (own, numbers) = input(live, *id, value)?;
        check_tokens(model, *id, &numbers)?;
        match count {
            Some((known, other)) if known != own => {
                return Err(format!("`{name}` has {own} positions, `{other}` has {known}"));
            }
            Some(_) | None => count = Some((own, name)),
        }
        inputs.push(numbers);
    }
    Ok((count.map_or(0, |(count, _)| count), inputs))
}

/// How many positions a value has, and their numbers.
fn input(live: &Live, id: ValueId, value: &Value) -> Result<(usize, Vec<f32>), String> {
    let model = live.model();
    let known = model.value(id);
    let (mut shape, mut numbers) = (Vec::new(), Vec::new());
    gather(value, 0, &mut shape, &mut numbers).map_err(|why| format!("`{}` {why}", known.path))?;
    let rest: Vec<Axis> = known.axes.iter().filter(|axis| axis.time().is_none()).cloned().collect();
    if shape == [0] {
        return Ok((0, numbers));
    }
    if match_shape(&rest, &shape).is_some() {
        return Ok((1, numbers));
    }
    match shape.split_first() {
        Some((count, inner)) if match_shape(&rest, inner).is_some() => Ok((*count, numbers)),
        Some(_) | None => Err(format!(
            "`{}` has the shape {shape:?}: wanted is one position of {}, or a list of them",
            known.path,
            if rest.is_empty() { "one number".to_string() } else { print_axes(&rest, &model.times) }
        )),
    }
}

/// The shape and the numbers of nested lists.
fn gather(value: &Value, depth: usize, shape: &mut Vec<usize>, numbers: &mut Vec<f32>) -> Result<(), &'static str> {
    const UNEVEN: &str = "has lists of different lengths side by side";
    match value {
        Value::Number(number) => {
            if shape.len() != depth {
                return Err(UNEVEN);
            }
            numbers.push(number.as_f64().unwrap_or(f64::NAN) as f32);
            Ok(())
        }
        Value::Array(list) => {
            // The first list of a depth tells how long all others are; numbers stand below all of them.
            if shape.len() == depth && numbers.is_empty() {
                shape.push(list.len());
            } else if shape.get(depth) != Some(&list.len()) {
                return Err(UNEVEN);
            }
            list.iter().try_for_each(|inner| gather(inner, depth + 1, shape, numbers))
        }
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => Err("has something that is no number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Result<(Vec<usize>, Vec<f32>), &'static str> {
        let (mut shape, mut numbers) = (Vec::new(), Vec::new());
        gather(&serde_json::from_str(text).unwrap(), 0, &mut shape, &mut numbers)?;
        Ok((shape, numbers))
    }

    #[test]
    fn nested_lists_have_a_shape() {
        assert_eq!(shape("3"), Ok((vec![], vec![3.0])));
        assert_eq!(shape("[]"), Ok((vec![0], vec![])));
        assert_eq!(shape("[[1, 2], [3, 4], [5, 6]]"), Ok((vec![3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])));
        for uneven in ["[1, [2]]", "[[1], 2]", "[[1], [2, 3]]", "[[1], [[2]]]", "[[[1]], [2]]", "[[], [1]]", "[[], 1]"]
        {
            assert!(shape(uneven).is_err(), "{uneven}: {:?}", shape(uneven));
        }
        for other in ["null", "[true]", "\"1\"", "[{}]"] {
            assert_eq!(shape(other), Err("has something that is no number"), "{other}");
        }
    }
}
