//! Runs a program on the CPU: weights packed once, buffers shared by what does not live at the same time, kernels on one
//! thread or several.

use crate::batch::Batch;
use crate::link::Linked;
use crate::memory::Memory;
use crate::rows::{Rows, Step};
use crate::tiles::{AlignedFloats, Tiles, pack, packed_length};
use rayon::prelude::*;
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{Body, Buffer, BufferId, Kernel, PackedPart, Part, Program, Role, Steps, TrackId};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::ValueId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// A program ready to run: machine code and weights.
pub struct Executable {
    program: Program,
    linked: Linked,
    /// For each buffer that does not change: its numbers.
    fixed: Vec<Option<AlignedFloats>>,
    zeros: AlignedFloats,
    threads: rayon::ThreadPool,
    fingerprint: u64,
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
    /// A device can't, or failed.
    Device {
        /// What was needed, and what there is.
        message: String,
        /// What to do.
        help: String,
    },
}

/// The rows of a batch of whole sequences.
///
/// # Errors
/// A batch that is not one of this program, or a sequence that is longer than the model allows.
pub(crate) fn rows_of(program: &Program, batch: &Batch) -> Result<Rows, RunError> {
    let fits = |lengths: &Vec<usize>| lengths.len() == batch.sequences;
    if batch.lengths.len() != program.times.len() || !batch.lengths.iter().all(fits) {
        return Err(RunError::Batch("it does not give the length of each sequence along each time axis".to_string()));
    }
    for limit in &program.limits {
        let lengths = &batch.lengths[limit.time.0 as usize];
        if let Some((sequence, length)) = lengths.iter().enumerate().find(|(_, length)| **length > limit.most) {
            let limit = Box::new(limit.clone());
            return Err(RunError::TooLong { sequence: (sequence, *length), limit });
        }
    }
    let steps: Vec<Vec<Step>> = batch
        .lengths
        .iter()
        .map(|lengths| lengths.iter().map(|length| Step { before: 0, after: *length, last: true }).collect())
        .collect();
    // A model without time axes has sequences all the same.
    Ok(Rows::new(program, batch.sequences, &steps, &|_, _| 0))
}

/// The numbers of an input's buffer.
///
/// # Errors
/// They are too many or too few.
pub(crate) fn input_of<'b>(buffer: &Buffer, batch: &'b Batch, rows: &Rows) -> Result<&'b [f32], RunError> {
    let Role::Input(id) = &buffer.role else { return Ok(&[]) };
    let given = batch.inputs.get(id).map_or(&[][..], Vec::as_slice);
    let wanted = rows.of(&buffer.space) * buffer.row;
    if given.len() == wanted {
        return Ok(given);
    }
    Err(RunError::Batch(format!("`{}` has {} numbers, wanted are {wanted}", buffer.name, given.len())))
}

impl Executable {
    /// Compiles a program for this processor, with these weights (row-major in their axes' order).
    ///
    /// # Errors
    /// What linking refuses; a weight that is not given.
    pub fn new(
        program: Program,
        model: &Model,
        weights: &BTreeMap<ValueId, &[f32]>,
        tiles: &Tiles,
        threads: usize,
    ) -> Result<Executable, String> {
        let linked = Linked::compile(&program, tiles)?;
        let weight = |id: &ValueId| {
            weights.get(id).copied().ok_or_else(|| format!("the weight `{}` is not given", model.value(*id).path))
        };
        let mut fixed = Vec::new();
        for buffer in &program.buffers {
            fixed.push(match &buffer.role {
                Role::Input(_) | Role::Computed { .. } | Role::Kept => None,
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
        let fingerprint = fingerprint(&program, weights);
        let zeros = AlignedFloats::zeroed(longest.max(1));
        Ok(Executable { program, linked, fixed, zeros, threads, fingerprint })
    }

    /// A number that tells this program with these weights from others.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
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
        let rows = rows_of(&self.program, batch)?;
        let mut memory = Memory::new(&self.program, &rows)?;
        for (number, buffer) in self.program.buffers.iter().enumerate() {
            if let Role::Input(_) = &buffer.role {
                let given = input_of(buffer, batch, &rows)?;
                memory.give(BufferId(number as u32), aligned(given));
            }
        }
        self.calls(&rows, &mut memory, &[(0, batch.sequences)], &mut |_, _, _| {});
        let outputs = self.program.outputs.iter().map(|output| self.read(&memory, &rows, output.buffer));
        Ok(outputs.collect())
    }

    /// Runs every kernel. `fresh` are the sequences that begin; `around` is called before and after each call with the
    /// buffers that it writes.
    pub(crate) fn calls(
        &self,
        rows: &Rows,
        memory: &mut Memory,
        fresh: &[(usize, usize)],
        around: &mut dyn FnMut(When, BufferId, &mut Memory),
    ) {
        for call in &self.program.calls {
            let kernel = &self.program.kernels[call.kernel];
            let written: Vec<BufferId> = (call.arguments.iter().zip(&kernel.arguments))
                .filter(|(_, argument)| argument.written)
                .map(|(buffer, _)| *buffer)
                .collect();
            written.iter().for_each(|buffer| around(When::Before, *buffer, memory));
            let arguments: Vec<*mut f32> = call.arguments.iter().map(|buffer| self.address(memory, *buffer)).collect();
            match (kernel.rows, &kernel.body) {
                (Some(track), Body::Rows { .. } | Body::Attention(_)) => {
                    self.call(call.kernel, &arguments, rows, (0, rows.count(track)));
                }
                (Some(track), Body::Scan { steps: Steps::Blocks { slices: Some(slices), .. }, .. }) => {
                    let slices = self.slices(kernel, rows, track, *slices);
                    self.sliced(call.kernel, &arguments, rows, (0, rows.sequences), &slices);
                }
                (Some(_), Body::Scan { .. }) => self.call(call.kernel, &arguments, rows, (0, rows.sequences)),
                (None, _) => match call.part {
                    Part::Once => fresh.iter().for_each(|range| self.call(call.kernel, &arguments, rows, *range)),
                    Part::New | Part::SoFar => self.call(call.kernel, &arguments, rows, (0, rows.sequences)),
                },
            }
            written.iter().for_each(|buffer| around(When::After, *buffer, memory));
        }
    }

    /// How the entries of a scan's axis are shared out: as few slices as keep all threads at work, and one where there is
    /// little to do.
    fn slices(&self, kernel: &Kernel, rows: &Rows, track: TrackId, entries: usize) -> Vec<(usize, usize)> {
        let widest = kernel.arguments.iter().filter(|argument| argument.written).map(|argument| argument.row).max();
        let numbers = rows.count(track).saturating_mul(widest.unwrap_or(0));
        let threads = self.threads.current_num_threads();
        if numbers < SHARED_OUT || rows.sequences >= threads {
            return vec![(0, entries)];
        }
        let slice = entries.div_ceil(threads.div_ceil(rows.sequences.max(1))).next_multiple_of(SLICE).max(1);
        (0..entries).step_by(slice).map(|from| (from, (from + slice).min(entries))).collect()
    }

    /// Runs one kernel on some rows, shared out over the threads.
    fn call(&self, number: usize, arguments: &[*mut f32], rows: &Rows, range: (usize, usize)) {
        self.sliced(number, arguments, rows, range, &[(0, 0)]);
    }

    /// The same, each part of the rows for each slice.
    fn sliced(
        &self,
        number: usize,
        arguments: &[*mut f32],
        rows: &Rows,
        (first, end): (usize, usize),
        slices: &[(usize, usize)],
    ) {
        let kernel = &self.program.kernels[number];
        let count = end - first;
        let least = match &kernel.body {
            Body::Rows { block, .. } => (*block).max(1),
            Body::Attention(_) => 32,
            Body::Scan { .. } => 1,
        };
        let threads = self.threads.current_num_threads();
        // Parts are whole blocks, but smaller ones where there would be too few for all threads.
        let least = least.min(count.div_ceil(threads)).max(1);
        let part = count.div_ceil(threads).next_multiple_of(least).max(1);
        let ranges = (first..end).step_by(part).map(|begin| (begin, (begin + part).min(end)));
        let parts: Vec<Share> = ranges.flat_map(|range| slices.iter().map(move |slice| (range, *slice))).collect();
        let function = self.linked.function(number);
        let arguments = SharedArguments(arguments);
        let zeros = self.zeros.as_ptr() as usize;
        let words = rows.words();
        let run = |((begin, end), slice): &Share| {
            let floats = context::scratch_floats(kernel, end - begin);
            with_scratch(floats, |scratch| {
                let mut words = words.clone();
                words[context::SEQUENCES] = rows.sequences;
                words[context::SCRATCH] = scratch as usize;
                words[context::ZEROS] = zeros;
                (words[context::SLICE_FROM], words[context::SLICE_TO]) = *slice;
                let arguments = arguments.get();
                // SAFETY: the kernel was compiled for buffers of these rows (`Memory` makes each as large as its space and
                // row say), reads and writes only its rows in `begin..end` of those it writes (of a scan that is shared out,
                // its entries of them), and its scratch has the size asked for. Parts do not overlap.
                unsafe { function(words.as_ptr(), arguments.as_ptr(), *begin, *end) }
            });
        };
        if parts.len() <= 1 {
            parts.iter().for_each(run);
        } else {
            self.threads.install(|| parts.par_iter().for_each(run));
        }
    }

    fn address(&self, memory: &mut Memory, id: BufferId) -> *mut f32 {
        match &self.fixed[id.0 as usize] {
            // Kernels never write what does not change.
            Some(numbers) => numbers.as_ptr().cast_mut(),
            None => memory.address(id),
        }
    }

    /// The new rows of a buffer, sequence after sequence.
    pub(crate) fn read(&self, memory: &Memory, rows: &Rows, id: BufferId) -> Vec<f32> {
        let buffer = self.program.buffer(id);
        let all: &[f32] = match &self.fixed[id.0 as usize] {
            Some(numbers) => numbers,
            None => memory.numbers(id),
        };
        let mut read = Vec::new();
        for (first, count) in rows.new_rows(&buffer.space) {
            read.extend_from_slice(&all[first * buffer.row..(first + count) * buffer.row]);
        }
        read
    }
}

/// Numbers that a scan computes at least where it is shared out: below, waking a thread takes longer.
const SHARED_OUT: usize = 1 << 15;
/// Slices have a multiple of so many entries, so that threads do not share cache lines.
const SLICE: usize = 16;

/// What a thread computes: a range of rows, and a slice.
type Share = ((usize, usize), (usize, usize));

/// Gives a kernel memory for its short-lived arrays. It is a thread's own and used again: for one row a kernel would take
/// as long to have it zeroed as to fill it.
fn with_scratch(floats: usize, call: impl FnOnce(*mut f32)) {
    thread_local! {
        static SCRATCH: RefCell<AlignedFloats> = RefCell::new(AlignedFloats::zeroed(0));
    }
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < floats.max(1) {
            *scratch = AlignedFloats::zeroed(floats.max(1));
        }
        // A kernel reads nothing that it has not written: in tests it would not go unseen.
        if cfg!(debug_assertions) {
            scratch.fill(f32::NAN);
        }
        call(scratch.as_mut_ptr());
    });
}

/// Around a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    Before,
    After,
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

/// Numbers of each weight that its fingerprint looks at.
const LOOKED_AT: usize = 64;

/// A hash of a program's text and of numbers of each weight.
pub(crate) fn fingerprint(program: &Program, weights: &BTreeMap<ValueId, &[f32]>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    program.print().hash(&mut hasher);
    for numbers in weights.values() {
        let step = (numbers.len() / LOOKED_AT).max(1);
        numbers.iter().step_by(step).for_each(|number| number.to_bits().hash(&mut hasher));
    }
    hasher.finish()
}

pub(crate) fn aligned(numbers: &[f32]) -> AlignedFloats {
    let mut all = AlignedFloats::zeroed(numbers.len().max(1));
    all[..numbers.len()].copy_from_slice(numbers);
    all
}

/// Weights side by side, packed for the product tile.
fn packed(parts: &[PackedPart], sources: &[&[f32]], panel_width: usize) -> AlignedFloats {
    let (columns, depth, element) = packed_elements(parts, sources);
    debug_assert!(packed_length(panel_width, columns, depth) >= columns * depth);
    pack(panel_width, columns, depth, element)
}

/// Weights side by side as one matrix: its columns, its depth, and the number in a column and row.
pub(crate) fn packed_elements(
    parts: &[PackedPart],
    sources: &[&[f32]],
) -> (usize, usize, impl Fn(usize, usize) -> f32) {
    let depth = parts.first().map_or(0, |part| part.depth);
    let columns: usize = parts.iter().map(|part| part.columns).sum();
    let mut column_of: Vec<(usize, usize)> = Vec::with_capacity(columns);
    let mut depth_of: Vec<Vec<usize>> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        column_of.extend(offsets(&part.column_axes).into_iter().map(|offset| (number, offset)));
        depth_of.push(offsets(&part.depth_axes));
    }
    (columns, depth, move |column, row| {
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
