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
        let cuts: Vec<Cut> = stages.filter_map(|stage| stage.split.cut()).collect();
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
            let each = self.emitter.size(STEP_ROWS_EACH);
            let members = self.context_word(context::MEMBERS);
            let enough = self.emitter.ins().imul(members, each);
            self.by_rows = Some(self.emitter.compare(IntCC::SignedGreaterThanOrEqual, count, enough));
        }
    }

    /// This thread's part of so many entries, of whole granules (a power of two) but the last.
    pub fn part_of(&mut self, entries: Value, granule: usize) -> (Value, Value) {
        let (member, members) = (self.context_word(context::MEMBER), self.context_word(context::MEMBERS));
        let next = self.emitter.add_size(member, 1);
        let [from, to] = [member, next].map(|member| {
            let share = self.emitter.ins().imul(entries, member);
            let begin = self.emitter.ins().udiv(share, members);
            let begin = self.emitter.add_size(begin, granule - 1);
            let pointer = self.emitter.pointer;
            let whole = self.emitter.ins().iconst(pointer, !(granule as i64 - 1));
            let begin = self.emitter.ins().band(begin, whole);
            self.least(begin, entries)
        });
        (from, to)
    }

    /// This thread's entries of the axis along which the loop being spelt is cut: all of them where rows are shared out.
    pub fn part(&mut self) -> Option<(Value, Value)> {
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
    /// it may.
    pub fn wait_unless_first(&mut self, number: Value, first: Value) {
        if self.sharing.as_ref().is_some_and(|sharing| sharing.between) {
            let is_first = self.emitter.compare(IntCC::Equal, number, first);
            self.unless(is_first, Self::wait);
        }
    }

    /// Waits for the threads that share the rows.
    fn wait(&mut self) {
        let barrier = self.context_word(context::BARRIER);
        self.tile(Tile::Barrier, &[barrier]);
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
    fn unless(&mut self, holds: Value, spell: impl FnOnce(&mut Self)) {
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
