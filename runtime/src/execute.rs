//! Runs a program on the CPU: weights packed once, buffers shared by what does not live at the same time, kernels on one
//! thread or several.

use crate::batch::Batch;
use crate::link::Linked;
use crate::tiles::{AlignedFloats, Tiles, pack, packed_length};
use rayon::prelude::*;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{Body, BufferId, Kernel, PackedPart, Program, Role, Space};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::ValueId;
use std::collections::BTreeMap;

/// A program ready to run: machine code and weights.
pub struct Executable {
    program: Program,
    linked: Linked,
    /// For each buffer that does not change: its numbers.
    fixed: Vec<Option<AlignedFloats>>,
    zeros: AlignedFloats,
    threads: rayon::ThreadPool,
}

/// Why a batch is not run.
#[derive(Clone, Debug)]
pub enum RunError {
    /// A sequence is longer than the model's tables of positions.
    TooLong {
        /// Which sequence, and how long it is.
        sequence: (usize, usize),
        /// The limit, and the value that sets it.
        limit: Box<seqwright_compiler::kernel::Limit>,
    },
    /// The run's buffers would need more memory than there is.
    Memory {
        /// Bytes that are needed.
        needed: usize,
        /// Bytes that there are.
        available: usize,
    },
    /// The batch is not one of this program: its lengths or an input's numbers are too many or too few.
    Batch(String),
}

/// Bytes of memory that a run may take where the system does not say how many there are.
const MEMORY_WHERE_UNKNOWN: usize = 1 << 36;

/// Bytes of memory that the system can still give.
fn memory_available() -> usize {
    let lines = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = lines.lines().find_map(|line| {
        let kilobytes = line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB")?.trim();
        kilobytes.parse::<usize>().ok()?.checked_mul(1024)
    });
    available.unwrap_or(MEMORY_WHERE_UNKNOWN)
}

impl Executable {
    /// Compiles a program for this processor, with these weights (row-major in their axes' order).
    ///
    /// # Errors
    /// What linking refuses; a weight that is not given.
    pub fn new(
        program: Program,
        model: &Model,
        weights: &BTreeMap<ValueId, Vec<f32>>,
        tiles: &Tiles,
        threads: usize,
    ) -> Result<Executable, String> {
        let linked = Linked::compile(&program, tiles)?;
        let weight = |id: &ValueId| {
            weights.get(id).ok_or_else(|| format!("the weight `{}` is not given", model.value(*id).path))
        };
        let mut fixed = Vec::new();
        for buffer in &program.buffers {
            fixed.push(match &buffer.role {
                Role::Input(_) | Role::Computed { .. } => None,
                Role::Weight(id) => Some(aligned(weight(id)?)),
                Role::Packed(parts) => {
                    let sources = parts.iter().map(|part| weight(&part.weight)).collect::<Result<Vec<_>, _>>()?;
                    Some(packed(parts, &sources, tiles.panel_width))
                }
                Role::Constant(id) => match &model.value(*id).kind {
                    ValueKind::Constant(numbers) => {
                        Some(aligned(&numbers.iter().map(|number| *number as f32).collect::<Vec<_>>()))
                    }
                    ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Equation(_) => None,
                },
            });
        }
        let longest = program.buffers.iter().map(|buffer| buffer.row).max().unwrap_or(1);
        let threads =
            rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build().map_err(|why| why.to_string())?;
        Ok(Executable { program, linked, fixed, zeros: AlignedFloats::zeroed(longest.max(1)), threads })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Runs a batch; gives the rows of each output, in the program's order.
    ///
    /// # Errors
    /// A sequence that is longer than the model allows, a batch that is not one of this program, or too little memory.
    pub fn run(&self, batch: &Batch) -> Result<Vec<Vec<f32>>, RunError> {
        let fits = |lengths: &Vec<usize>| lengths.len() == batch.sequences;
        if batch.lengths.len() != self.program.times.len() || !batch.lengths.iter().all(fits) {
            return Err(RunError::Batch(
                "it does not give the length of each sequence along each time axis".to_string(),
            ));
        }
        for limit in &self.program.limits {
            let lengths = &batch.lengths[limit.time.0 as usize];
            if let Some((sequence, length)) = lengths.iter().enumerate().find(|(_, length)| **length > limit.most) {
                let limit = Box::new(limit.clone());
                return Err(RunError::TooLong { sequence: (sequence, *length), limit });
            }
        }
        let rows = Rows::new(&self.program, batch);
        for buffer in &self.program.buffers {
            if let Role::Input(id) = &buffer.role {
                let wanted = rows.of(&buffer.space, batch.sequences) * buffer.row;
                let found = batch.inputs.get(id).map_or(0, Vec::len);
                if found != wanted {
                    return Err(RunError::Batch(format!("`{}` has {found} numbers, wanted are {wanted}", buffer.name)));
                }
            }
        }
        let mut memory = Memory::new(self, batch, &rows)?;
        for call in &self.program.calls {
            let kernel = &self.program.kernels[call.kernel];
            let arguments: Vec<*mut f32> = call.arguments.iter().map(|buffer| memory.address(self, *buffer)).collect();
            self.call(call.kernel, kernel, &arguments, batch, &rows);
        }
        Ok(self.program.outputs.iter().map(|output| memory.read(self, output.buffer, &rows)).collect())
    }

    /// Runs one kernel on all its rows, shared out over the threads.
    fn call(&self, number: usize, kernel: &Kernel, arguments: &[*mut f32], batch: &Batch, rows: &Rows) {
        let count = match (&kernel.body, kernel.time) {
            (Body::Scan { .. }, _) | (_, None) => batch.sequences,
            (Body::Rows { .. } | Body::Attention(_), Some(time)) => rows.counts[time.0 as usize],
        };
        let least = match &kernel.body {
            Body::Rows { block, .. } => (*block).max(1),
            Body::Attention(_) => 32,
            Body::Scan { .. } => 1,
        };
        let threads = self.threads.current_num_threads();
        // Parts are whole blocks, but smaller ones where there would be too few for all threads.
        let least = least.min(count.div_ceil(threads)).max(1);
        let part = count.div_ceil(threads).next_multiple_of(least).max(1);
        let parts: Vec<(usize, usize)> =
            (0..count).step_by(part).map(|begin| (begin, (begin + part).min(count))).collect();
        let function = self.linked.function(number);
        let arguments = SharedArguments(arguments);
        let zeros = self.zeros.as_ptr() as usize;
        let run = |(begin, end): &(usize, usize)| {
            let floats = context::scratch_floats(kernel, end - begin);
            let mut scratch = AlignedFloats::zeroed(floats.max(1));
            let mut words = rows.words.clone();
            words[context::SEQUENCES] = batch.sequences;
            words[context::SCRATCH] = scratch.as_mut_ptr() as usize;
            words[context::ZEROS] = zeros;
            let arguments = arguments.get();
            // SAFETY: the kernel was compiled for buffers of these rows (`Memory` makes each as large as its space and row
            // say), reads and writes only its rows in `begin..end` of those it writes, and its scratch has the size asked
            // for. Parts do not overlap.
            unsafe { function(words.as_ptr(), arguments.as_ptr(), *begin, *end) }
        };
        if parts.len() <= 1 {
            parts.iter().for_each(run);
        } else {
            self.threads.install(|| parts.par_iter().for_each(run));
        }
    }
}

/// Addresses that several threads use for different rows.
struct SharedArguments<'a>(&'a [*mut f32]);

// SAFETY: kernels write disjoint rows of the buffers, as `Executable::call` says.
unsafe impl Sync for SharedArguments<'_> {}

impl SharedArguments<'_> {
    fn get(&self) -> &[*mut f32] {
        self.0
    }
}

fn aligned(numbers: &[f32]) -> AlignedFloats {
    let mut all = AlignedFloats::zeroed(numbers.len().max(1));
    all[..numbers.len()].copy_from_slice(numbers);
    all
}

/// Weights side by side, packed for the product tile.
fn packed(parts: &[PackedPart], sources: &[&Vec<f32>], panel_width: usize) -> AlignedFloats {
    let depth = parts.first().map_or(0, |part| part.depth);
    let columns: usize = parts.iter().map(|part| part.columns).sum();
    let mut column_of: Vec<(usize, usize)> = Vec::with_capacity(columns);
    let mut depth_of: Vec<Vec<usize>> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        column_of.extend(offsets(&part.column_axes).into_iter().map(|offset| (number, offset)));
        depth_of.push(offsets(&part.depth_axes));
    }
    debug_assert!(packed_length(panel_width, columns, depth) >= columns * depth);
    pack(panel_width, columns, depth, |column, row| {
        let (number, offset) = column_of[column];
        sources[number][offset + depth_of[number][row]]
    })
}

/// The offset of every combination of entries along some axes, the last running fastest.
fn offsets(axes: &[(usize, usize)]) -> Vec<usize> {
    axes.iter().fold(vec![0], |all, (size, stride)| {
        all.iter().flat_map(|offset| (0..*size).map(move |entry| offset + entry * stride)).collect()
    })
}

/// The rows of a batch, as kernels look them up.
struct Rows {
    counts: Vec<usize>,
    pairs: Vec<usize>,
    words: Vec<usize>,
    /// What the words point to.
    _tables: Vec<Vec<usize>>,
}

impl Rows {
    fn new(program: &Program, batch: &Batch) -> Rows {
        let times = program.times.len();
        let mut words = vec![0; context::words(times)];
        let mut tables: Vec<Vec<usize>> = Vec::new();
        let mut keep = |words: &mut Vec<usize>, place: usize, table: Vec<usize>| {
            words[place] = table.as_ptr() as usize;
            tables.push(table);
        };
        let mut counts = Vec::new();
        let mut pairs = vec![0; times * times];
        for time in 0..times {
            let mut first = vec![0];
            let (mut sequence_of, mut position_of) = (Vec::new(), Vec::new());
            for (sequence, length) in batch.lengths[time].iter().enumerate() {
                first.push(first[sequence] + length);
                sequence_of.extend(std::iter::repeat_n(sequence, *length));
                position_of.extend(0..*length);
            }
            counts.push(first[batch.sequences]);
            keep(&mut words, context::first_rows(time), first);
            keep(&mut words, context::sequence_of_row(time), sequence_of);
            keep(&mut words, context::position_of_row(time), position_of);
            for other in 0..times {
                let mut first = vec![0];
                for sequence in 0..batch.sequences {
                    let rows = batch.lengths[time][sequence] * batch.lengths[other][sequence];
                    first.push(first[sequence] + rows);
                }
                pairs[time * times + other] = first[batch.sequences];
                keep(&mut words, context::first_pairs(times, time, other), first);
            }
        }
        Rows { counts, pairs, words, _tables: tables }
    }

    fn of(&self, space: &Space, sequences: usize) -> usize {
        match space {
            Space::Global => 1,
            Space::Times(times) => match times.as_slice() {
                [] => sequences,
                [time] => self.counts[time.0 as usize],
                [one, two, ..] => self.pairs[one.0 as usize * self.counts.len() + two.0 as usize],
            },
        }
    }
}

/// The buffers of one run.
struct Memory {
    slots: Vec<AlignedFloats>,
    inputs: BTreeMap<ValueId, AlignedFloats>,
    sequences: usize,
}

impl Memory {
    fn new(executable: &Executable, batch: &Batch, rows: &Rows) -> Result<Memory, RunError> {
        let mut sizes: Vec<usize> = Vec::new();
        for buffer in &executable.program.buffers {
            if let Role::Computed { slot } = buffer.role {
                if sizes.len() <= slot {
                    sizes.resize(slot + 1, 0);
                }
                let floats = rows.of(&buffer.space, batch.sequences).saturating_mul(buffer.row);
                sizes[slot] = sizes[slot].max(floats);
            }
        }
        let needed = sizes.iter().fold(0usize, |all, floats| all.saturating_add(floats.saturating_mul(4)));
        let available = memory_available();
        if needed > available {
            return Err(RunError::Memory { needed, available });
        }
        let inputs = batch.inputs.iter().map(|(id, rows)| (*id, aligned(rows))).collect();
        let slots = sizes.into_iter().map(|size| AlignedFloats::zeroed(size.max(1))).collect();
        Ok(Memory { slots, inputs, sequences: batch.sequences })
    }

    fn address(&mut self, executable: &Executable, id: BufferId) -> *mut f32 {
        let buffer = executable.program.buffer(id);
        match &buffer.role {
            Role::Computed { slot } => self.slots[*slot].as_mut_ptr(),
            Role::Input(value) => self.inputs.get_mut(value).map_or(std::ptr::null_mut(), |rows| rows.as_mut_ptr()),
            // Kernels never write what does not change.
            Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => {
                executable.fixed[id.0 as usize].as_ref().map_or(std::ptr::null_mut(), |rows| rows.as_ptr().cast_mut())
            }
        }
    }

    fn read(&self, executable: &Executable, id: BufferId, rows: &Rows) -> Vec<f32> {
        let buffer = executable.program.buffer(id);
        let count = rows.of(&buffer.space, self.sequences) * buffer.row;
        let all: &[f32] = match &buffer.role {
            Role::Computed { slot } => &self.slots[*slot],
            Role::Input(value) => self.inputs.get(value).map_or(&[], |rows| rows),
            Role::Weight(_) | Role::Packed(_) | Role::Constant(_) => {
                executable.fixed[id.0 as usize].as_ref().map_or(&[], |rows| rows)
            }
        };
        match buffer.space {
            // The same for every sequence.
            Space::Global => all[..count].repeat(self.sequences),
            Space::Times(_) => all[..count].to_vec(),
        }
    }
}
