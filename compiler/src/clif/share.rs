//! Stages as threads with the same rows share them: each thread's part of an axis that is cut, and where it waits for the
//! others. How a stage is shared out was decided before ([`crate::kernel::sharing`]).

use super::context;
use super::kernel::Spelling;
use crate::kernel::{Body, Cut, Place, STEP_ROWS_EACH, Split};
use crate::tile::Tile;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Spelling<'_, '_> {
    /// This thread's part of each axis that is cut.
    pub fn cut_all(&mut self) {
        let stages = self.sharing.iter().flat_map(|sharing| &sharing.stages);
        let early = self.sharing.iter().filter_map(|sharing| Some(sharing.early?.cut));
        let cuts: Vec<Cut> = stages.filter_map(|stage| stage.split.cut()).chain(early).collect();
        for cut in cuts {
            if !self.cuts.contains_key(&cut) {
                let entries = self.emitter.size(cut.entries);
                let part = self.part_of(entries, cut.granule());
                self.cuts.insert(cut, part);
            }
        }
    }

    /// Has a step's rows, so many, be shared out if they are enough for that.
    pub fn share_rows(&mut self, count: Value) {
        if self.sharing.as_ref().is_some_and(|sharing| sharing.by_rows.is_some()) {
            self.by_rows = Some(self.are_enough(count));
        }
    }

    /// Whether so many rows of a step are shared out.
    fn are_enough(&mut self, count: Value) -> Value {
        let each = self.emitter.size(STEP_ROWS_EACH);
        let members = self.context_word(context::MEMBERS);
        let enough = self.emitter.ins().imul(members, each);
        self.emitter.compare(IntCC::SignedGreaterThanOrEqual, count, enough)
    }

    /// Has steps begin early where they can, if no step's rows are shared out: there are at most so many.
    pub fn begin_early(&mut self, most: Value) {
        if self.sharing.as_ref().is_some_and(|sharing| sharing.early.is_some()) {
            self.all_wait = Some(self.are_enough(most));
        }
    }

    /// This thread's part of so many entries, of whole granules (a power of two) but the last.
    pub fn part_of(&mut self, entries: Value, granule: usize) -> (Value, Value) {
        let member = self.context_word(context::MEMBER);
        let next = self.emitter.add_size(member, 1);
        (self.part_begins(entries, granule, member), self.part_begins(entries, granule, next))
    }

    /// Where a thread's part begins.
    fn part_begins(&mut self, entries: Value, granule: usize, member: Value) -> Value {
        let members = self.context_word(context::MEMBERS);
        let share = self.emitter.ins().imul(entries, member);
        let begin = self.emitter.ins().udiv(share, members);
        let begin = self.emitter.add_size(begin, granule - 1);
        let pointer = self.emitter.pointer;
        let whole = self.emitter.ins().iconst(pointer, !(granule as i64 - 1));
        let begin = self.emitter.ins().band(begin, whole);
        self.least(begin, entries)
    }

    /// How many entries of a step's first product are there when those were waited for that it begins with: all where these are
    /// all, and in the first step.
    pub fn early_entries(&mut self, cut: Cut, is_first: Value) -> Value {
        let (entries, one) = (self.emitter.size(cut.entries), self.emitter.size(1));
        let early = self.part_begins(entries, cut.granule(), one);
        let are_all = match self.all_wait {
            None => is_first,
            Some(all_wait) => self.emitter.ins().bor(all_wait, is_first),
        };
        self.emitter.ins().select(are_all, entries, early)
    }

    /// The entries of the loop being spelt along its first axis, where those are not all: of the axis along which it is cut this
    /// thread's, but all where rows are shared out.
    pub fn part(&mut self) -> Option<(Value, Value)> {
        if let Some(entries) = self.entries {
            return Some(entries);
        }
        let cut = self.cut?;
        let (from, to) = self.cuts[&cut];
        let Some(by_rows) = self.by_rows else { return Some((from, to)) };
        let (zero, entries) = (self.emitter.size(0), self.emitter.size(cut.entries));
        Some((self.emitter.ins().select(by_rows, zero, from), self.emitter.ins().select(by_rows, entries, to)))
    }

    /// This thread's rows of so many that a step of a scan has, for a stage.
    pub fn rows_of_stage(&mut self, number: usize, count: Value) -> (Value, Value) {
        let zero = self.emitter.size(0);
        let split = self.sharing.as_ref().and_then(|sharing| Some(sharing.by_rows.as_ref()?[number].split));
        match (split, self.by_rows) {
            (Some(Split::Rows), Some(by_rows)) => {
                let (from, to) = self.part_of(count, 1);
                (self.emitter.ins().select(by_rows, from, zero), self.emitter.ins().select(by_rows, to, count))
            }
            _ => (zero, count),
        }
    }

    /// Waits before a step, or a block of rows, where that is needed: not before the first, as no thread comes to a kernel before
    /// it may. For the first thread alone where a step begins early.
    pub fn wait_unless_first(&mut self, number: Value, first: Value) {
        let Some(sharing) = &self.sharing else { return };
        if !sharing.between {
            return;
        }
        self.unless_first(number, first, |spelling| {
            let members = spelling.context_word(context::MEMBERS);
            let threads = match spelling.all_wait {
                None => members,
                Some(all_wait) => {
                    let one = spelling.emitter.size(1);
                    spelling.emitter.ins().select(all_wait, members, one)
                }
            };
            spelling.wait_for(true, threads);
        });
    }

    /// Waits for those that were not waited for before the step.
    pub fn wait_for_the_others(&mut self, number: Value, first: Value) {
        self.unless_first(number, first, |spelling| {
            let members = spelling.context_word(context::MEMBERS);
            spelling.wait_for(false, members);
        });
    }

    fn unless_first(&mut self, number: Value, first: Value, spell: impl FnOnce(&mut Self)) {
        let is_first = self.emitter.compare(IntCC::Equal, number, first);
        self.unless(is_first, spell);
    }

    /// Waits for the threads that share the rows.
    fn wait(&mut self) {
        let members = self.context_word(context::MEMBERS);
        self.wait_for(true, members);
    }

    /// Waits for the first so many of them; comes, or came before.
    fn wait_for(&mut self, comes: bool, threads: Value) {
        let barrier = self.context_word(context::BARRIER);
        let comes = self.emitter.size(usize::from(comes));
        self.tile(Tile::Barrier, &[barrier, comes, threads]);
    }

    /// Spells a stage as it is shared out.
    pub fn shared(&mut self, number: usize, spell: impl FnOnce(&mut Self)) {
        let Some(sharing) = &self.sharing else { return spell(self) };
        let shared = sharing.stages[number];
        let barriers =
            (shared.barrier, sharing.by_rows.as_ref().map_or(shared.barrier, |by_rows| by_rows[number].barrier));
        match (barriers, self.by_rows) {
            ((false, false), _) => {}
            ((true, false), Some(by_rows)) => self.unless(by_rows, Self::wait),
            ((false, true), Some(by_rows)) => {
                let otherwise = self.emitter.ins().bxor_imm_u(by_rows, 1);
                self.unless(otherwise, Self::wait);
            }
            _ => self.wait(),
        }
        match shared.split {
            Split::Own | Split::Rows => spell(self),
            Split::Entries(cut) => {
                self.cut = Some(cut);
                spell(self);
                self.cut = None;
            }
            Split::One => {
                let member = self.context_word(context::MEMBER);
                let zero = self.emitter.size(0);
                let other = self.emitter.compare(IntCC::NotEqual, member, zero);
                let idle = match self.by_rows {
                    None => other,
                    Some(by_rows) => self.emitter.ins().band_not(other, by_rows),
                };
                self.unless(idle, spell);
            }
        }
    }

    /// Spells what is done unless a condition holds.
    pub fn unless(&mut self, holds: Value, spell: impl FnOnce(&mut Self)) {
        let (inside, after) = (self.emitter.block(&[]), self.emitter.block(&[]));
        self.emitter.ins().brif(holds, after, &[], inside, &[]);
        self.emitter.enter(inside);
        spell(self);
        self.emitter.ins().jump(after, &[]);
        self.emitter.enter(after);
    }

    /// Whether threads that share the rows share a short-lived array too: if each writes a part of it.
    pub fn is_shared(&self, scratch: usize) -> bool {
        let (Body::Rows { stages, .. } | Body::Scan { stages, .. }, Some(sharing)) = (&self.kernel.body, &self.sharing)
        else {
            return false;
        };
        let mut splits = stages.iter().zip(&sharing.stages);
        splits.any(|(stage, shared)| stage.target() == Place::Scratch(scratch) && shared.split != Split::Own)
    }
}
