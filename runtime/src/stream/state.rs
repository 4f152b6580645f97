//! What is kept of one sequence, as a value: saved, loaded, put back, cut.
//!
//! On disk a state is a safetensors file: a tensor `[positions, numbers]` for each value that is kept, and in its metadata
//! which model it is of, how many positions came, and the position of each tensor's first row.

use crate::weights::{WeightError, read_regular, shortened};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use seqwright_compiler::kernel::{Buffer, Keep, Program, Role, Space};
use seqwright_compiler::term::TimeId;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

/// What is kept of one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The model's name.
    pub name: String,
    /// The fingerprint of the model and its weights.
    pub model: u64,
    /// How many positions came along each time axis.
    pub given: BTreeMap<String, usize>,
    /// Whether a chunk came, be it empty.
    pub begun: bool,
    /// Whether the last position came.
    pub ended: bool,
    /// What is kept, by the values' paths.
    pub values: BTreeMap<String, Kept>,
}

/// Rows of a value that are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The position of the first.
    pub from: usize,
    /// Numbers in a row.
    pub row: usize,
    /// The rows, one after the other.
    pub numbers: Vec<f32>,
}

impl Kept {
    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.numbers.len() / self.row.max(1)
    }
}

/// Why a state can't be used.
#[derive(Clone, Debug, PartialEq)]
pub enum StateError {
    /// There is no sequence in that place.
    NoSequence(usize),
    /// It is of a model of another name.
    OtherModel {
        /// The state's.
        found: String,
        /// The program's.
        wanted: String,
    },
    /// It is of a model of that name, but with other equations, sizes or weights.
    OtherWeights(String),
    /// It does not have what the program keeps.
    Damaged(String),
    /// A value of which earlier positions are given up, so that the state can't go back.
    GivenUp {
        /// The value's path.
        value: String,
        /// How many positions of it are kept.
        kept: usize,
        /// The position to which it should go back.
        positions: usize,
    },
    /// It should go back to a position that has not come.
    Ahead {
        /// The position.
        positions: usize,
        /// How many came.
        given: usize,
    },
    /// There is too little memory for it.
    Memory,
    /// The device that has it failed.
    Device(String),
}

impl fmt::Display for StateError {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            StateError::NoSequence(place) => write!(to, "there is no sequence in place {place}"),
            StateError::OtherModel { found, wanted } => {
                write!(to, "the state is one of the model `{found}`, not of `{wanted}`")
            }
            StateError::OtherWeights(name) => write!(
                to,
                "the state is one of a model `{name}` with other equations, sizes or weights than this one's"
            ),
            StateError::Damaged(why) => write!(to, "the state is damaged: {why}"),
            StateError::GivenUp { value, kept, positions } => write!(
                to,
                "the state can't go back to {positions} positions: of `{value}` only the last {kept} are kept"
            ),
            StateError::Ahead { positions, given } => {
                write!(to, "the state can't go on to {positions} positions: {given} came")
            }
            StateError::Device(why) => write!(to, "{why}"),
            StateError::Memory => write!(to, "there is too little memory for another sequence"),
        }
    }
}

impl std::error::Error for StateError {}

/// What stands in the metadata besides tensors' first positions.
const MODEL: &str = "model";
const FINGERPRINT: &str = "fingerprint";
const BEGUN: &str = "begun";
const ENDED: &str = "ended";
const GIVEN: &str = "positions of ";
const FROM: &str = "first position of ";
/// The largest state file that is read, in bytes.
const LARGEST: u64 = 1 << 36;
/// More positions than this come of no sequence.
const MOST_POSITIONS: usize = u32::MAX as usize;

impl State {
    /// Writes the state to a file.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), WeightError> {
        let mut metadata: HashMap<String, String> = HashMap::from([
            (MODEL.to_string(), self.name.clone()),
            (FINGERPRINT.to_string(), format!("{:016x}", self.model)),
            (BEGUN.to_string(), self.begun.to_string()),
            (ENDED.to_string(), self.ended.to_string()),
        ]);
        metadata.extend(self.given.iter().map(|(time, count)| (format!("{GIVEN}{time}"), count.to_string())));
        metadata.extend(self.values.iter().map(|(name, kept)| (format!("{FROM}{name}"), kept.from.to_string())));
        let views = self.values.iter().map(|(name, kept)| {
            let bytes: &[u8] = bytemuck::cast_slice(&kept.numbers);
            TensorView::new(Dtype::F32, vec![kept.count(), kept.row], bytes).map(|view| (name.clone(), view))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(|why| WeightError::writing(path, why))?;
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|why| WeightError::writing(path, why))?;
        crate::weights::write_file(path, &bytes)
    }

    /// Reads a state from a file.
    ///
    /// # Errors
    /// The file can't be read, or is no state.
    pub fn load(path: &Path) -> Result<State, WeightError> {
        let reading = |why: String| WeightError::reading(path, why);
        let bytes = read_regular(path, LARGEST).map_err(|why| reading(why.to_string()))?;
        let bytes = bytes.ok_or_else(|| reading(format!("a state has {LARGEST} bytes at most")))?;
        State::from_bytes(&bytes).map_err(|why| reading(format!("it is no state: {}", shortened(&why))))
    }

    fn from_bytes(bytes: &[u8]) -> Result<State, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|why| why.to_string())?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|why| why.to_string())?;
        let metadata = header.metadata().clone().ok_or("it has no metadata")?;
        let entry = |name: &str| metadata.get(name).ok_or_else(|| format!("its metadata has no `{name}`"));
        let number = |name: &str| -> Result<usize, String> {
            entry(name)?.parse().map_err(|_| format!("`{name}` is no whole number in its metadata"))
        };
        let truth = |name: &str| -> Result<bool, String> {
            entry(name)?.parse().map_err(|_| format!("`{name}` is neither true nor false in its metadata"))
        };
        let model = u64::from_str_radix(entry(FINGERPRINT)?, 16).map_err(|_| "its fingerprint is no number")?;
        let mut given = BTreeMap::new();
        for name in metadata.keys() {
            if let Some(time) = name.strip_prefix(GIVEN) {
                given.insert(time.to_string(), number(name)?);
            }
        }
        let mut values = BTreeMap::new();
        for (name, view) in tensors.iter() {
            let ([_, row], Dtype::F32) = (view.shape(), view.dtype()) else {
                return Err(format!("`{name}` is not rows of 32-bit floats"));
            };
            let numbers =
                view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            let from = number(&format!("{FROM}{name}"))?;
            values.insert(name.to_string(), Kept { from, row: *row, numbers: numbers.collect() });
        }
        let (begun, ended) = (truth(BEGUN)?, truth(ENDED)?);
        Ok(State { name: entry(MODEL)?.clone(), model, given, begun, ended, values })
    }

    /// Whether it is a state of this program.
    pub(super) fn check(&self, program: &Program, fingerprint: u64) -> Result<(), StateError> {
        if self.name != program.name {
            return Err(StateError::OtherModel { found: self.name.clone(), wanted: program.name.clone() });
        }
        if self.model != fingerprint {
            return Err(StateError::OtherWeights(self.name.clone()));
        }
        let damaged = |why: String| Err(StateError::Damaged(why));
        if let Some((time, given)) = self.given.iter().find(|(_, given)| **given > MOST_POSITIONS) {
            return damaged(format!("{given} positions of {time} are more than a sequence can have"));
        }
        let mut wanted = 0;
        for buffer in &program.buffers {
            let Some(rows) = self.rows_kept(program, buffer) else { continue };
            let Some(kept) = self.values.get(&buffer.name) else {
                return damaged(format!("it has no `{}`", buffer.name));
            };
            wanted += 1;
            if kept.row != buffer.row || kept.numbers.len() != rows.1 * buffer.row || kept.from != rows.0 {
                return damaged(format!("`{}` has not the rows that {:?} positions leave", buffer.name, self.given));
            }
        }
        if wanted != self.values.len() {
            return damaged("it has values that the model does not keep".to_string());
        }
        for (time, given) in &self.given {
            let Some(place) = program.times.iter().position(|known| known == time) else {
                return damaged(format!("the model has no time axis {time}"));
            };
            let limit = program.limits.iter().find(|limit| limit.time.0 as usize == place && *given > limit.most);
            if let Some(limit) = limit {
                return damaged(format!("{given} positions of {time}, `{}` allows {}", limit.value, limit.most));
            }
        }
        Ok(())
    }

    /// The first position and the number of rows that are kept of a buffer; none for one that is not kept.
    fn rows_kept(&self, program: &Program, buffer: &Buffer) -> Option<(usize, usize)> {
        let Space::Tracks(tracks) = &buffer.space else { return None };
        let kept = match &buffer.role {
            Role::Input(_) | Role::Kept => true,
            Role::Computed { .. } => !tracks.is_empty(),
            Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => false,
        };
        if !kept {
            return None;
        }
        let Some(first) = tracks.first() else { return self.begun.then_some((0, 1)) };
        let track = program.track(*first);
        let given = self.given.get(&program.times[track.time.0 as usize]).copied().unwrap_or(0);
        let end =
            if self.ended || program.chunks != Some(track.time) { given } else { given.saturating_sub(track.lag) };
        let from = match track.keep {
            Keep::New => return None,
            Keep::Last(count) => end.saturating_sub(count),
            Keep::All => 0,
        };
        Some((from, end - from))
    }

    /// Takes the state back to so many positions.
    ///
    /// # Errors
    /// A value of which earlier positions are given up; the state is as it was then.
    pub fn truncate(&mut self, program: &Program, time: TimeId, positions: usize) -> Result<(), StateError> {
        let name = &program.times[time.0 as usize];
        let given = self.given.get(name).copied().unwrap_or(0);
        if positions > given {
            return Err(StateError::Ahead { positions, given });
        }
        if positions == given {
            return Ok(());
        }
        let mut cut = BTreeMap::new();
        for buffer in &program.buffers {
            let Space::Tracks(tracks) = &buffer.space else { continue };
            let Some(first) = tracks.first().map(|first| program.track(*first)) else { continue };
            let Some(kept) = self.values.get(&buffer.name).filter(|_| first.time == time) else { continue };
            let end = positions.saturating_sub(first.lag);
            let from = match first.keep {
                Keep::New => continue,
                Keep::All => 0,
                Keep::Last(count) => end.saturating_sub(count),
            };
            if kept.from > from {
                let value = buffer.name.clone();
                return Err(StateError::GivenUp { value, kept: kept.count(), positions });
            }
            let rows = (from - kept.from) * kept.row..(end - kept.from) * kept.row;
            let Some(numbers) = kept.numbers.get(rows) else {
                return Err(StateError::Damaged(format!("`{}` has only {} rows", buffer.name, kept.count())));
            };
            cut.insert(buffer.name.clone(), Kept { from, row: kept.row, numbers: numbers.to_vec() });
        }
        self.values.extend(cut);
        self.given.insert(name.clone(), positions);
        self.ended = false;
        Ok(())
    }
}
