//! Runs a program on the CPU: weights packed once, buffers shared by what does not live at the same time, kernels on one
//! thread or several.

use crate::batch::Batch;
use crate::fingerprint::fingerprint;
use crate::link::{KernelFunction, Linked};
use crate::matrix::{Kept, packed};
use crate::memory::{self, Memory, Spare};
use crate::rows::{Rows, Step};
use crate::team::{Barrier, Team};
use crate::tiles::{AlignedFloats, PackedWeights, Precision, Tiles};
use crate::weights::{Given, Numbers};
use seqwright_compiler::clif::context;
use seqwright_compiler::kernel::{
    Body, Buffer, BufferId, KEY_BLOCK, Kernel, Part, Program, Role, Steps, TrackId, sharing,
};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::ValueId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A program ready to run: machine code and weights.
pub struct Executable {
    program: Program,
    linked: Linked,
    /// For each buffer that does not change: its numbers.
    fixed: Vec<Option<Fixed>>,
    kept: Kept,
    zeros: AlignedFloats,
    team: Team,
    /// For each kernel, what tells how it is shared out.
    efforts: Vec<Effort>,
    fingerprint: u64,
    observer: OnceLock<Observer>,
    spare: Spare,
    /// The results that are written where they are handed out.
    handed_out: Vec<BufferId>,
    last_rows: Mutex<Option<LastRows>>,
}

/// The rows of the last batch: the next one is often as long.
struct LastRows {
    lengths: Vec<Vec<usize>>,
    rows: Arc<Rows>,
}

/// A buffer that does not change.
enum Fixed {
    /// As kernels read them.
    Numbers(AlignedFloats),
    /// The same, in the file that they came from.
    Mapped(Numbers),
    /// As products take them.
    Packed(PackedWeights),
}

/// Told after each call of a kernel: the call's number in the program, and how long it took.
pub type Observer = Box<dyn Fn(usize, Duration) + Send + Sync>;

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
pub(crate) fn rows_of<N>(program: &Program, batch: &Batch<N>) -> Result<Rows, RunError> {
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
pub(crate) fn input_of<'b>(buffer: &Buffer, batch: &Batch<&'b [f32]>, rows: &Rows) -> Result<&'b [f32], RunError> {
    let Role::Input(id) = &buffer.role else { return Ok(&[]) };
    let given = batch.inputs.get(id).copied().unwrap_or_default();
    let wanted = rows.of(&buffer.space) * buffer.row;
    if given.len() == wanted {
        return Ok(given);
    }
    Err(RunError::Batch(format!("`{}` has {} numbers, wanted are {wanted}", buffer.name, given.len())))
}

impl Executable {
    /// Compiles a program for this processor, with these weights (row-major in their axes' order), which products keep in a
    /// precision.
    ///
    /// # Errors
    /// What linking refuses; a weight that is not given.
    pub fn new(
        program: Program,
        model: &Model,
        weights: &BTreeMap<ValueId, Given>,
        precision: Precision,
        tiles: &Tiles,
        threads: usize,
    ) -> Result<Executable, String> {
        let linked = Linked::compile(&program, tiles)?;
        let weight = |id: &ValueId| {
            weights.get(id).copied().ok_or_else(|| format!("the weight `{}` is not given", model.value(*id).path))
        };
        let team = Team::new(threads.max(1))?;
        let product = linked.product();
        let made = |buffer: &Buffer| -> Result<Option<Fixed>, String> {
            Ok(match &buffer.role {
                Role::Input(_) | Role::Computed { .. } | Role::Kept => None,
                Role::Weight(id) => Some(match weight(id)? {
                    Given::Numbers(numbers) if numbers.is_mapped() && !numbers.is_empty() => {
                        Fixed::Mapped(numbers.clone())
                    }
                    Given::Numbers(numbers) => Fixed::Numbers(aligned(numbers)),
                    Given::Blocks(blocks) => Fixed::Numbers(aligned(&blocks.expand())),
                }),
                Role::Packed(parts) => {
                    let given = parts.iter().map(|part| weight(&part.weight)).collect::<Result<Vec<_>, _>>()?;
                    Some(Fixed::Packed(packed(parts, &given, precision, tiles, product)))
                }
                Role::Constant(id) => match &model.value(*id).kind {
                    ValueKind::Constant(numbers) => {
                        let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
                        Some(Fixed::Numbers(aligned(&numbers)))
                    }
                    ValueKind::Input { .. } | ValueKind::Weight { .. } | ValueKind::Equation(_) => None,
                },
            })
        };
        // A slot for each buffer, filled by whichever thread comes first.
        let slots: Vec<OnceLock<_>> = program.buffers.iter().map(|_| OnceLock::new()).collect();
        team.each(slots.len(), &|number| {
            slots[number].get_or_init(|| made(&program.buffers[number]));
        });
        let mut kept = Kept::default();
        let mut fixed = Vec::new();
        for ((number, buffer), slot) in (0..).zip(&program.buffers).zip(slots) {
            let made = slot.into_inner().expect("every slot was filled")?;
            if let Some(Fixed::Packed(matrix)) = &made {
                kept.add(BufferId(number), &buffer.name, buffer.row, matrix);
            }
            fixed.push(made);
        }
        let longest = program.buffers.iter().map(|buffer| buffer.row).max().unwrap_or(1);
        let efforts = program.kernels.iter().map(|kernel| Effort {
            row: kernel.effort(),
            together: sharing(&program, kernel).is_some(),
            heads: kernel.heads().unwrap_or(1),
        });
        let efforts = efforts.collect();
        let fingerprint = fingerprint(&program, weights, precision);
        let zeros = AlignedFloats::zeroed(longest.max(1));
        let (observer, spare, last_rows) = (OnceLock::new(), Spare::default(), Mutex::default());
        let handed_out = memory::handed_out(&program);
        Ok(Executable {
            program,
            linked,
            fixed,
            kept,
            zeros,
            team,
            efforts,
            fingerprint,
            observer,
            spare,
            handed_out,
            last_rows,
        })
    }

    /// How the weights that products multiply with are kept.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// A number that tells this program with these weights from others.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Has every call of a kernel observed from now on. There is one observer at most: a later one is not told anything.
    pub fn observe(&self, observer: Observer) {
        let _ = self.observer.set(observer);
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Runs a batch; gives the rows of each output, in the program's order.
    ///
    /// # Errors
    /// A sequence that is longer than the model allows, a batch that is not one of this program, or too little memory.
    pub fn run(&self, batch: &Batch<&[f32]>) -> Result<Vec<Vec<f32>>, RunError> {
        let rows = self.rows(batch)?;
        let mut memory = self.memory(&rows)?;
        for (number, buffer) in self.program.buffers.iter().enumerate() {
            if let Role::Input(_) = &buffer.role {
                memory.lend(BufferId(number as u32), input_of(buffer, batch, &rows)?);
            }
        }
        self.calls(&rows, &mut memory, &[(0, batch.sequences)], &mut |_, _, _| {});
        let outputs = self.outputs(&mut memory, &rows);
        self.spare.keep(memory);
        Ok(outputs)
    }

    /// The rows of a batch.
    fn rows(&self, batch: &Batch<&[f32]>) -> Result<Arc<Rows>, RunError> {
        let mut last = self.last_rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(LastRows { lengths, rows }) = &*last
            && (rows.sequences, lengths) == (batch.sequences, &batch.lengths)
        {
            return Ok(Arc::clone(rows));
        }
        let rows = Arc::new(rows_of(&self.program, batch)?);
        *last = Some(LastRows { lengths: batch.lengths.clone(), rows: Arc::clone(&rows) });
        Ok(rows)
    }

    /// Memory of earlier runs.
    pub(crate) fn spare(&self) -> &Spare {
        &self.spare
    }

    /// Memory for a run.
    ///
    /// # Errors
    /// More than the system can give.
    pub(crate) fn memory<'g>(&self, rows: &Rows) -> Result<Memory<'g>, RunError> {
        Memory::new(&self.program, rows, &self.spare, &self.handed_out)
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
        for (place, call) in self.program.calls.iter().enumerate() {
            let start = self.observer.get().map(|observer| (observer, Instant::now()));
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
                    let arguments = SharedArguments(&arguments);
                    self.parts(call.kernel, &arguments, rows, (0, rows.sequences), &slices);
                }
                (Some(_), Body::Scan { .. }) => self.call(call.kernel, &arguments, rows, (0, rows.sequences)),
                (None, _) => match call.part {
                    Part::Once => fresh.iter().for_each(|range| self.call(call.kernel, &arguments, rows, *range)),
                    Part::New | Part::SoFar => self.call(call.kernel, &arguments, rows, (0, rows.sequences)),
                },
            }
            written.iter().for_each(|buffer| around(When::After, *buffer, memory));
            if let Some((observer, start)) = start {
                observer(place, start.elapsed());
            }
        }
    }

    /// How the entries of a scan's axis are shared out: as few slices as keep all threads at work, and one where there is
    /// little to do.
    fn slices(&self, kernel: &Kernel, rows: &Rows, track: TrackId, entries: usize) -> Vec<(usize, usize)> {
        let widest = kernel.arguments.iter().filter(|argument| argument.written).map(|argument| argument.row).max();
        let numbers = rows.count(track).saturating_mul(widest.unwrap_or(0));
        let threads = self.team.members();
        if numbers < SHARED_OUT || rows.sequences >= threads {
            return vec![(0, entries)];
        }
        let slice = entries.div_ceil(threads.div_ceil(rows.sequences.max(1))).next_multiple_of(SLICE).max(1);
        (0..entries).step_by(slice).map(|from| (from, (from + slice).min(entries))).collect()
    }

    /// Runs one kernel on some rows, shared out over the threads.
    fn call(&self, number: usize, arguments: &[*mut f32], rows: &Rows, range: (usize, usize)) {
        let arguments = SharedArguments(arguments);
        if !self.goes_together(number, rows, range) {
            return self.parts(number, &arguments, rows, range, &[(0, 0)]);
        }
        let floats = context::scratch_floats(&self.program.kernels[number], range.1 - range.0);
        let (function, words, members) = (self.linked.function(number), self.words(rows), self.team.members());
        let barrier = Barrier::new(members);
        // What the threads share lies between the first one's own arrays.
        with_scratch(floats, |shared| {
            let shared = shared as usize;
            self.team.run(&|member| {
                let run = |scratch: *mut f32| {
                    let mut words = words.clone();
                    words[context::SCRATCH] = scratch as usize;
                    words[context::SHARED] = shared;
                    words[context::MEMBER] = member;
                    words[context::MEMBERS] = members;
                    let place = barrier.place(member);
                    words[context::BARRIER] = &raw const place as usize;
                    enter(function, &words, &arguments, range);
                };
                if member == 0 { run(shared as *mut f32) } else { with_scratch(floats, run) }
            });
        });
    }

    /// Whether all threads work on the same rows: where those are too few for each to have some, or the weights so many that
    /// each is better off with some of them.
    fn goes_together(&self, number: usize, rows: &Rows, (first, end): (usize, usize)) -> bool {
        let (kernel, effort) = (&self.program.kernels[number], &self.efforts[number]);
        let (members, count) = (self.team.members(), end - first);
        let whole = self.effort(number, rows, count);
        match &kernel.body {
            _ if members == 1 || whole / members < WORTH_SHARING => false,
            Body::Rows { .. } => effort.together && count < members * ROWS_EACH,
            Body::Scan { .. } => effort.together && (count < members || whole / members >= WORTH_WAITING),
            // Later queries see more keys: heads are shared out evenly, rows are not.
            Body::Attention(_) => {
                effort.heads >= members && (effort.heads.is_multiple_of(members) || rows.sequences < 2)
            }
        }
    }

    /// About how many nanoseconds a kernel takes for so many rows.
    fn effort(&self, number: usize, rows: &Rows, count: usize) -> usize {
        let blocks = match &self.program.kernels[number].body {
            Body::Rows { .. } | Body::Scan { .. } => 1,
            // Where later queries see more keys it is less than this, by half at most.
            Body::Attention(attention) => rows.length(attention.over).div_ceil(KEY_BLOCK).max(1),
        };
        self.efforts[number].row.saturating_mul(count).saturating_mul(blocks)
    }

    /// Runs one kernel in parts that have rows of their own, each part for each slice.
    fn parts(
        &self,
        number: usize,
        arguments: &SharedArguments,
        rows: &Rows,
        (first, end): (usize, usize),
        slices: &[(usize, usize)],
    ) {
        let (kernel, effort) = (&self.program.kernels[number], &self.efforts[number]);
        let (members, count) = (self.team.members(), end - first);
        let block = match &kernel.body {
            Body::Rows { block, .. } => (*block).max(1),
            Body::Attention(attention) => context::query_block(attention),
            // A product takes the sequences of a step together.
            Body::Scan { .. } if effort.together => count.div_ceil(members),
            Body::Scan { .. } => 1,
        };
        let alone = slices.len() == 1 && self.effort(number, rows, count) < WORTH_SHARING;
        // A block each where there are many, so that whoever is done first takes the next; else as many as threads. All are as
        // large as each other, and a kernel cuts its part into blocks that are: the last would be waited for otherwise.
        let pieces = match alone {
            true => count.min(1),
            false if count >= 4 * members * block => count.div_ceil(block),
            false => count.min(members),
        };
        let ranges = (0..pieces).map(|piece| (first + piece * count / pieces, first + (piece + 1) * count / pieces));
        let parts: Vec<Share> = ranges.flat_map(|range| slices.iter().map(move |slice| (range, *slice))).collect();
        let (function, words) = (self.linked.function(number), self.words(rows));
        self.team.each(parts.len(), &|place| {
            let ((begin, end), slice) = parts[place];
            with_scratch(context::scratch_floats(kernel, end - begin), |scratch| {
                let mut words = words.clone();
                words[context::SCRATCH] = scratch as usize;
                words[context::SHARED] = scratch as usize;
                (words[context::SLICE_FROM], words[context::SLICE_TO]) = slice;
                enter(function, &words, arguments, (begin, end));
            });
        });
    }

    /// What a kernel that has its rows alone is called with, but for its scratch memory.
    fn words(&self, rows: &Rows) -> Vec<usize> {
        let mut words = rows.words();
        words[context::SEQUENCES] = rows.sequences;
        words[context::ZEROS] = self.zeros.as_ptr() as usize;
        words[context::MEMBERS] = 1;
        words
    }

    fn address(&self, memory: &mut Memory, id: BufferId) -> *mut f32 {
        match &self.fixed[id.0 as usize] {
            // Kernels never write what does not change.
            Some(Fixed::Numbers(numbers)) => numbers.as_ptr().cast_mut(),
            Some(Fixed::Mapped(numbers)) => numbers.as_ptr().cast_mut(),
            Some(Fixed::Packed(weights)) => weights.head().cast_mut().cast(),
            None => memory.address(id),
        }
    }

    /// The new rows of each output after all calls, in the program's order.
    pub(crate) fn outputs(&self, memory: &mut Memory, rows: &Rows) -> Vec<Vec<f32>> {
        let outputs = &self.program.outputs;
        let mut read: Vec<Vec<f32>> = Vec::with_capacity(outputs.len());
        for (place, output) in outputs.iter().enumerate() {
            // One that is given twice was handed out before.
            let same = outputs[..place].iter().position(|earlier| earlier.buffer == output.buffer);
            read.push(match same {
                Some(same) => read[same].clone(),
                // SAFETY: every kernel has run.
                None => match unsafe { memory.hand_out(output.buffer) } {
                    Some(numbers) => numbers,
                    None => self.read(memory, rows, output.buffer),
                },
            });
        }
        read
    }

    /// The new rows of a buffer, sequence after sequence.
    fn read(&self, memory: &Memory, rows: &Rows, id: BufferId) -> Vec<f32> {
        let buffer = self.program.buffer(id);
        let all: &[f32] = match &self.fixed[id.0 as usize] {
            Some(Fixed::Numbers(numbers)) => numbers,
            Some(Fixed::Mapped(numbers)) => numbers,
            Some(Fixed::Packed(_)) => unreachable!("a packed matrix is no value"),
            None => memory.numbers(id),
        };
        let new = rows.new_rows(&buffer.space);
        let mut read = Vec::with_capacity(new.iter().map(|(_, count)| count * buffer.row).sum());
        for (first, count) in new {
            read.extend_from_slice(&all[first * buffer.row..(first + count) * buffer.row]);
        }
        read
    }
}

/// What tells how a kernel is shared out.
struct Effort {
    /// About how many nanoseconds a row takes; in an attention, for each block of keys.
    row: usize,
    /// Whether threads can work on the same rows.
    together: bool,
    /// The heads of an attention, else one.
    heads: usize,
}

/// Nanoseconds that each thread must have to do, or handing it out takes longer.
const WORTH_SHARING: usize = 500;
/// Nanoseconds of a step, likewise, for waiting in each to cost little.
const WORTH_WAITING: usize = 4000;
/// With so many rows for each thread, products are about as fast as they get.
const ROWS_EACH: usize = 8;
/// Numbers that a scan computes at least where it is shared out: below, waking a thread takes longer.
const SHARED_OUT: usize = 1 << 15;
/// Slices have a multiple of so many entries, so that threads do not share cache lines.
const SLICE: usize = 16;

/// What a thread computes: a range of rows, and a slice.
type Share = ((usize, usize), (usize, usize));

fn enter(function: KernelFunction, words: &[usize], arguments: &SharedArguments, (begin, end): (usize, usize)) {
    // SAFETY: the kernel was compiled for buffers of these rows (`Memory` makes each as large as its space and row say), reads
    // and writes only its rows in `begin..end` of those it writes (of a scan that is shared out, its entries of them), and its
    // scratch has the size asked for. Parts do not overlap; where threads have the same rows, the kernel has each write its own
    // entries, and wait before it reads those of others.
    unsafe { function(words.as_ptr(), arguments.get().as_ptr(), begin, end) }
}

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

pub(crate) fn aligned(numbers: &[f32]) -> AlignedFloats {
    // One number at least, so that there is an address.
    if numbers.is_empty() { AlignedFloats::zeroed(1) } else { AlignedFloats::copied(numbers) }
}
