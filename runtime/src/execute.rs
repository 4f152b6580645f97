//! Runs a program on the CPU: weights packed once, buffers shared by what does not live at the same time, kernels on one
//! thread or several.

mod chains;
mod groups;
mod plan;
mod scratch;
mod shares;
mod table;
mod turns;
mod walk;

use self::plan::Plans;
use self::shares::Effort;
use self::table::Table;
use crate::apart::Apart;
use crate::batch::Batch;
use crate::fingerprint::fingerprint;
use crate::link::Linked;
use crate::matrix::{Kept, packed};
use crate::memory::{self, Memory, Results, Spare};
use crate::rows::{Rows, Step};
use crate::stream::copied_track;
use crate::team::Team;
use crate::tiles::{AlignedFloats, PackedWeights, Precision, Tiles};
use crate::weights::{Given, Numbers};
use seqwright_compiler::kernel::{Body, Buffer, BufferId, Program, Role, following};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::term::ValueId;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

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
    /// For each call, since which one its threads need not wait for each other.
    following: Vec<usize>,
    has_attention: bool,
    stretches: Vec<Stretch>,
    fingerprint: u64,
    observer: OnceLock<Observer>,
    // What a run writes is apart from what its threads read.
    spare: Apart<Spare>,
    plans: Apart<Plans>,
    /// The results that are written where they are handed out.
    handed_out: Vec<BufferId>,
    /// Whether a batch can be run group by group of its sequences.
    by_groups: bool,
    last_rows: Apart<Mutex<Option<LastRows>>>,
}

/// Chains of calls that threads go through without a look at what is kept of a sequence.
struct Stretch {
    /// Which chains.
    chains: Range<usize>,
    /// The buffers that they write of which positions are kept, if they are one chain.
    copied: Vec<BufferId>,
}

impl Stretch {
    /// Those of a program.
    fn all(program: &Program) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (number, chain) in program.chains.iter().enumerate() {
            let calls = program.calls[chain.calls.clone()].iter();
            let arguments = calls.flat_map(|call| call.arguments.iter().zip(&program.kernels[call.kernel].arguments));
            let written = arguments.filter(|(_, argument)| argument.written).map(|(buffer, _)| *buffer);
            let is_copied = |id: &BufferId| {
                let buffer = program.buffer(*id);
                matches!(buffer.role, Role::Computed { .. }) && copied_track(program, buffer).is_some()
            };
            let copied: Vec<BufferId> = written.filter(is_copied).collect();
            match stretches.last_mut() {
                Some(last) if last.copied.is_empty() && copied.is_empty() => last.chains.end = number + 1,
                Some(_) | None => stretches.push(Stretch { chains: number..number + 1, copied }),
            }
        }
        stretches
    }
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
    /// As blocks, some of whose rows are numbers.
    Table(Table),
    /// As products take them.
    Packed(PackedWeights),
}

/// Told after each call of a kernel: the call's number in the program, and how long it took, of the run's own time. Where threads
/// make different calls at once, it is told from each of them, of its share.
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
    /// Compiles a program for this processor, with these weights (row-major in their axes' order); products multiply in a
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
        // Before what is packed gives its memory back.
        let fingerprint = fingerprint(&program, weights, precision);
        let linked = Linked::compile(&program, tiles)?;
        let weight = |id: &ValueId| {
            weights.get(id).copied().ok_or_else(|| format!("the weight `{}` is not given", model.value(*id).path))
        };
        let team = Team::new(threads.max(1))?;
        let product = linked.product();
        let lookups = program.lookups();
        let made = |number: usize| -> Result<Option<Fixed>, String> {
            let buffer = &program.buffers[number];
            Ok(match &buffer.role {
                Role::Input(_) | Role::Computed { .. } | Role::Kept => None,
                Role::Weight(id) => Some(match weight(id)? {
                    Given::Numbers(numbers) if numbers.is_mapped() && !numbers.is_empty() => {
                        Fixed::Mapped(numbers.clone())
                    }
                    Given::Numbers(numbers) => Fixed::Numbers(aligned(numbers)),
                    Given::Blocks(blocks) => {
                        let lookup = lookups.get(&BufferId(number as u32));
                        match lookup.and_then(|lookup| Table::new(lookup, blocks)) {
                            Some(table) => Fixed::Table(table),
                            None => {
                                let mut numbers = AlignedFloats::zeroed(blocks.len());
                                blocks.expand_to(&mut numbers);
                                Fixed::Numbers(numbers)
                            }
                        }
                    }
                }),
                Role::Packed(parts) => {
                    let given = parts.iter().map(|part| weight(&part.weight)).collect::<Result<Vec<_>, _>>()?;
                    let packed = packed(parts, &given, precision, tiles, product);
                    given.iter().for_each(Given::let_go);
                    Some(Fixed::Packed(packed))
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
        // A slot for each buffer, filled by whichever thread comes first. The largest come first: no thread waits for another that
        // has one of them left, and the file's part of it is given back while little is packed.
        let slots: Vec<OnceLock<_>> = program.buffers.iter().map(|_| OnceLock::new()).collect();
        let mut order: Vec<usize> = (0..slots.len()).collect();
        order.sort_by_key(|number| Reverse(program.buffers[*number].row));
        team.each(slots.len(), &|number| {
            slots[order[number]].get_or_init(|| made(order[number]));
        });
        let mut kept = Kept::of(precision.activations);
        let mut fixed = Vec::new();
        for ((number, buffer), slot) in (0..).zip(&program.buffers).zip(slots) {
            let made = slot.into_inner().expect("every slot was filled")?;
            if let Some(Fixed::Packed(matrix)) = &made {
                kept.add(BufferId(number), &buffer.name, buffer.row, matrix);
            }
            fixed.push(made);
        }
        let longest = program.buffers.iter().map(|buffer| buffer.row).max().unwrap_or(1);
        let (efforts, following, stretches) = (Effort::of(&program), following(&program), Stretch::all(&program));
        let zeros = AlignedFloats::zeroed(longest.max(1));
        let (observer, spare, plans, last_rows) =
            (OnceLock::new(), Apart::default(), Apart::default(), Apart::default());
        let has_attention = program.kernels.iter().any(|kernel| matches!(kernel.body, Body::Attention(_)));
        let handed_out = memory::handed_out(&program);
        let by_groups = groups::can_be_grouped(&program, &handed_out);
        Ok(Executable {
            program,
            linked,
            fixed,
            kept,
            zeros,
            team,
            efforts,
            following,
            has_attention,
            stretches,
            fingerprint,
            observer,
            spare,
            plans,
            handed_out,
            by_groups,
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
        self.look_up(&batch.inputs);
        if let Some(groups) = self.groups(&rows) {
            return self.run_groups(batch, &rows, &groups);
        }
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

    /// Has the rows of tables be there that a run's inputs name: to be called before it.
    pub(crate) fn look_up(&self, inputs: &BTreeMap<ValueId, &[f32]>) {
        for fixed in &self.fixed {
            if let Some(Fixed::Table(table)) = fixed {
                table.look_up(inputs);
            }
        }
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
        Memory::new(&self.program, rows, &self.spare, Results::Own(&self.handed_out))
    }

    /// Runs every kernel. `fresh` are the sequences that begin; `around` is called before and after each chain of calls
    /// that writes a buffer of which positions are kept, with that buffer.
    pub(crate) fn calls(
        &self,
        rows: &Rows,
        memory: &mut Memory,
        fresh: &[(usize, usize)],
        around: &mut dyn FnMut(When, BufferId, &mut Memory),
    ) {
        for Stretch { chains, copied } in &self.stretches {
            let chains = &self.program.chains[chains.clone()];
            copied.iter().for_each(|buffer| around(When::Before, *buffer, memory));
            self.walk(chains, &mut |buffer| self.address(memory, buffer), rows, fresh);
            copied.iter().for_each(|buffer| around(When::After, *buffer, memory));
        }
    }

    fn address(&self, memory: &mut Memory, id: BufferId) -> *mut f32 {
        match &self.fixed[id.0 as usize] {
            // Kernels never write what does not change.
            Some(Fixed::Numbers(numbers)) => numbers.as_ptr().cast_mut(),
            Some(Fixed::Mapped(numbers)) => numbers.as_ptr().cast_mut(),
            Some(Fixed::Table(table)) => table.address().cast_mut(),
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
            Some(Fixed::Packed(_) | Fixed::Table(_)) => unreachable!("neither a packed matrix nor a table is a result"),
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

/// Around a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    Before,
    After,
}

pub(crate) fn aligned(numbers: &[f32]) -> AlignedFloats {
    // One number at least, so that there is an address.
    if numbers.is_empty() { AlignedFloats::zeroed(1) } else { AlignedFloats::copied(numbers) }
}
