//! Positions as raw numbers: 32-bit floats, the low byte first.
//!
//! A position is all numbers of the first input that comes along, then those of the second, and so on, in the order of the
//! file; so are its results. Whatever positions are there already run together, so that a pipe that is ahead is caught up
//! with.

use super::super::Stop;
use super::super::terminal::Terminal;
use super::check_tokens;
use super::live::{Live, Position};
use crate::session::Failure;
use seqwright_compiler::term::Axis;
use std::io::Read;

/// How many bytes are read at once at least, where a position has no more.
const AT_ONCE: usize = 1 << 16;

/// Runs the model on positions until they end, nobody reads results any more, or something is wrong with one.
pub fn run(live: &mut Live, mut input: impl Read, terminal: &mut Terminal) -> Result<(), Stop> {
    let wrong = |why: String| Stop::Failed(Failure::Other(format!("standard input: {why}")));
    let model = live.model();
    let rows: Vec<usize> =
        live.along().iter().map(|id| model.value(*id).axes.iter().filter_map(Axis::size).product()).collect();
    let all: usize = rows.iter().sum();
    let size = 4 * all;
    let mut bytes = vec![0; AT_ONCE.max(size)];
    let mut filled = 0;
    while !terminal.is_closed() {
        let count = match input.read(&mut bytes[filled..]) {
            Ok(count) => count,
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(why) => return Err(wrong(why.to_string())),
        };
        if count == 0 {
            break;
        }
        filled += count;
        let whole = filled / size;
        let numbers: Vec<f32> = bytes[..whole * size]
            .chunks_exact(4)
            .map(|number| f32::from_le_bytes([number[0], number[1], number[2], number[3]]))
            .collect();
        // The first positions run even where a later one is wrong.
        let mut good = whole;
        let mut fault = None;
        for (number, position) in numbers.chunks(all.max(1)).enumerate() {
            if let Err(why) = check(live, &rows, position) {
                (good, fault) = (number, Some(wrong(format!("position {}: {why}", live.count() + number))));
                break;
            }
        }
        if good > 0 {
            let inputs = columns(&rows, &numbers[..good * all]);
            live.take(good, &inputs, &mut |_, positions| print(positions, terminal))?;
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        bytes.copy_within(whole * size..filled, 0);
        filled -= whole * size;
    }
    match filled {
        0 => Ok(()),
        filled => {
            Err(wrong(format!("it ends inside of position {}: {filled} of {size} bytes are there", live.count())))
        }
    }
}

/// Writes positions.
pub fn print(positions: &[Position], terminal: &mut Terminal) -> Result<(), Stop> {
    let numbers = positions.iter().flatten().flat_map(|part| &part.numbers);
    let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
    if bytes.is_empty() { Ok(()) } else { terminal.write(&bytes) }
}

fn check(live: &Live, rows: &[usize], position: &[f32]) -> Result<(), String> {
    let mut rest = position;
    for (id, row) in live.along().iter().zip(rows) {
        let (own, others) = rest.split_at(*row);
        rest = others;
        check_tokens(live.model(), *id, own)?;
    }
    Ok(())
}

/// The numbers of each input, of positions that have all of them.
fn columns(rows: &[usize], numbers: &[f32]) -> Vec<Vec<f32>> {
    let all: usize = rows.iter().sum();
    let mut first = 0;
    let mut inputs = Vec::new();
    for row in rows {
        inputs.push(numbers.chunks(all).flat_map(|position| &position[first..first + row]).copied().collect());
        first += row;
    }
    inputs
}
