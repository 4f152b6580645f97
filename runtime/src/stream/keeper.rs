//! What keeps the numbers of a stream's sequences between runs: this machine's memory, or a device's.
//!
//! A stream decides which rows are kept and where; a keeper has them, and runs the program with them. Rows that stay lie in
//! regions of a buffer's own; the last few positions of a value, and what is computed once, are copied to a sequence's place.

use super::layout::Move;
use super::memory::InMemory;
use super::{NewRows, StateError};
use crate::execute::{Executable, RunError};
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::rows::Rows;
use seqwright_compiler::kernel::{Buffer, BufferId, Keep, Program, Space, Track, TrackId};
use seqwright_compiler::term::ValueId;
use std::collections::BTreeMap;
use std::rc::Rc;

/// One run of a stream.
pub(crate) struct Turn<'t> {
    /// The sequences' places.
    pub places: &'t [usize],
    /// Whether each has not begun yet.
    pub begins: &'t [bool],
    /// Their rows.
    pub rows: &'t Rows,
    /// The new rows of each input.
    pub inputs: &'t BTreeMap<ValueId, &'t [f32]>,
}

impl Turn<'_> {
    /// The sequences that begin, as ranges.
    pub fn fresh(&self) -> Vec<(usize, usize)> {
        (0..self.begins.len()).filter(|place| self.begins[*place]).map(|place| (place, place + 1)).collect()
    }
}

/// Some of what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What is copied of a sequence, of one buffer.
    Copied(usize, BufferId),
    /// Numbers of a buffer whose rows stay: the first, and how many.
    Region(BufferId, usize, usize),
}

/// Something that runs a chunk program and keeps numbers.
pub(super) enum Keeper {
    Memory(InMemory),
    #[cfg(feature = "gpu")]
    Device(gpu::Keeper),
}

impl Keeper {
    pub fn new(executable: &Engine) -> Keeper {
        match executable {
            Engine::Cpu(executable) => Keeper::Memory(InMemory::new(Rc::clone(executable))),
            #[cfg(feature = "gpu")]
            Engine::Gpu(executable) => Keeper::Device(gpu::Keeper::new(Rc::clone(executable))),
        }
    }

    /// Moves regions to where they are from now on.
    ///
    /// # Errors
    /// Too little memory; nothing has moved then.
    pub fn relocate(&mut self, moves: &[Move]) -> Result<(), RunError> {
        match self {
            Keeper::Memory(memory) => memory.relocate(moves),
            #[cfg(feature = "gpu")]
            Keeper::Device(device) => device.relocate(moves),
        }
    }

    /// Runs the program; gives each output's new rows.
    ///
    /// # Errors
    /// Too little memory; what a device does not allow.
    pub fn run(&mut self, turn: &Turn) -> Result<Vec<NewRows>, RunError> {
        match self {
            Keeper::Memory(memory) => memory.run(turn),
            #[cfg(feature = "gpu")]
            Keeper::Device(device) => pollster::block_on(device.run(turn)),
        }
    }

    /// The numbers of some pieces; none of what is not there.
    ///
    /// # Errors
    /// A device that failed.
    pub fn read(&self, pieces: &[Piece]) -> Result<Vec<Vec<f32>>, StateError> {
        match self {
            Keeper::Memory(memory) => Ok(pieces.iter().map(|piece| memory.read(*piece)).collect()),
            #[cfg(feature = "gpu")]
            Keeper::Device(device) => pollster::block_on(device.read(pieces)).map_err(device_failed),
        }
    }

    /// Writes a piece. There is room for it.
    ///
    /// # Errors
    /// Too little memory on a device.
    pub fn write(&mut self, piece: Piece, numbers: &[f32]) -> Result<(), StateError> {
        match self {
            Keeper::Memory(memory) => memory.write(piece, numbers),
            #[cfg(feature = "gpu")]
            Keeper::Device(device) => device.write(piece, numbers).map_err(device_failed)?,
        }
        Ok(())
    }

    /// Forgets what is copied of a sequence.
    pub fn forget(&mut self, place: usize) {
        match self {
            Keeper::Memory(memory) => memory.forget(place),
            #[cfg(feature = "gpu")]
            Keeper::Device(device) => device.forget(place),
        }
    }

    /// Bytes that all sequences take.
    pub fn bytes(&self) -> usize {
        match self {
            Keeper::Memory(memory) => memory.bytes(),
            #[cfg(feature = "gpu")]
            Keeper::Device(device) => device.bytes(),
        }
    }
}

#[cfg(feature = "gpu")]
fn device_failed(error: gpu::GpuError) -> StateError {
    StateError::Device(error.to_string())
}

/// A compiled chunk program.
#[derive(Clone)]
pub enum Engine {
    /// Machine code.
    Cpu(Rc<Executable>),
    /// Shaders.
    #[cfg(feature = "gpu")]
    Gpu(Rc<gpu::Executable>),
}

impl Engine {
    /// The program.
    pub fn program(&self) -> &Program {
        match self {
            Engine::Cpu(executable) => executable.program(),
            #[cfg(feature = "gpu")]
            Engine::Gpu(executable) => executable.program(),
        }
    }

    /// A number that tells this program with these weights from others, on any engine.
    pub fn fingerprint(&self) -> u64 {
        match self {
            Engine::Cpu(executable) => executable.fingerprint(),
            #[cfg(feature = "gpu")]
            Engine::Gpu(executable) => executable.fingerprint(),
        }
    }
}

/// The track of a buffer whose last positions are copied, if it is one.
pub(crate) fn copied_track(program: &Program, buffer: &Buffer) -> Option<(TrackId, Track)> {
    let Space::Tracks(own) = &buffer.space else { return None };
    let first = *own.first()?;
    let track = program.track(first);
    (track.keep != Keep::New && !track.stays()).then_some((first, track))
}
