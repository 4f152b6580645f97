//! Stages as threads with the same rows share them: each thread's part of an axis that is cut, and where it waits for the
//! others. How a stage is shared out was decided before ([`crate::kernel::sharing`]).

use super::context;
use super::kernel::Spelling;
use crate::kernel::{Body, Cut, Place, Split};
use crate::tile::Tile;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Spelling<'_, '_> {
    /// This thread's part of each axis that is cut.
    pub fn cut_all(&mut self) {
        let stages = self.sharing.iter().flat_map(|sharing| &sharing.stages);
        let cuts: Vec<Cut> = stages
            .filter_map(|stage| match stage.split {
                Split::Entries(cut) => Some(cut),
                Split::Own | Split::One => None,
            })
            .collect();
        for cut in cuts {
            if !self.cuts.contains_key(&cut) {
                let entries = self.emitter.size(cut.entries);
                let part = self.part_of(entries, cut.granule());
                self.cuts.insert(cut, part);
            }
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

    /// This thread's entries of the axis along which the stage being spelt is cut.
    pub fn part(&self) -> Option<(Value, Value)> {
        self.cut.map(|cut| self.cuts[&cut])
    }

    /// Waits for the threads that share the rows, if a kernel's can be shared.
    pub fn wait(&mut self) {
        if self.sharing.is_some() {
            let barrier = self.context_word(context::BARRIER);
            self.tile(Tile::Barrier, &[barrier]);
        }
    }

    /// Spells a stage as it is shared out.
    pub fn shared(&mut self, number: usize, spell: impl FnOnce(&mut Self)) {
        let Some(shared) = self.sharing.as_ref().map(|sharing| sharing.stages[number]) else { return spell(self) };
        if shared.barrier {
            self.wait();
        }
        match shared.split {
            Split::Own => spell(self),
            Split::Entries(cut) => {
                self.cut = Some(cut);
                spell(self);
                self.cut = None;
            }
            Split::One => {
                let member = self.context_word(context::MEMBER);
                let (inside, after) = (self.emitter.block(&[]), self.emitter.block(&[]));
                self.emitter.ins().brif(member, after, &[], inside, &[]);
                self.emitter.enter(inside);
                spell(self);
                self.emitter.ins().jump(after, &[]);
                self.emitter.enter(after);
            }
        }
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
