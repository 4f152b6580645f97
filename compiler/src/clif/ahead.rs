//! Asking ahead: what a step of a scan reads of other kernels' results lies a whole sequence further for each row, in no order
//! that a processor foresees. While one row is computed, the next one's is on its way.

use super::kernel::{Here, Spelling};
use super::numbers::At;
use crate::kernel::{Access, Loop, Place, Row, Scalar, Space};
use crate::tile::Tile;
use cranelift_codegen::ir::InstBuilder;

impl Spelling<'_, '_> {
    /// What [`Spelling::fetch`] asks for: runs along a stage's only index, at the row itself, of what the kernel does not write.
    pub fn far_reads<'s>(&self, stage: &'s Loop) -> Vec<&'s Access> {
        let mut found: Vec<&Access> = Vec::new();
        if stage.ranges.len() > 1 || stage.lanes != Some(0) {
            return found;
        }
        stage.body.walk(&mut |inner| {
            let Scalar::Read(access) = inner else { return };
            let Place::Argument(number) = access.place else { return };
            let argument = &self.kernel.arguments[number];
            let far = !argument.written && matches!(&argument.space, Space::Tracks(tracks) if !tracks.is_empty());
            if far && access.rows == [Row::Here] && access.offset.times(0) == 1 && !found.contains(&access.as_ref()) {
                found.push(access);
            }
        });
        found
    }

    /// Asks for these of a row.
    pub fn fetch(&mut self, stage: &Loop, reads: &[&Access], here: &Here) {
        let (from, to) = self.stage_range(stage, 0, here);
        let numbers = self.emitter.ins().isub(to, from);
        let zero = self.emitter.size(0);
        let numbers = self.emitter.ins().smax(numbers, zero);
        let at = At {
            here,
            indices: vec![from],
            lanes: None,
            fixed: Vec::new(),
            bases: Vec::new(),
            held: Vec::new(),
            dot: None,
        };
        for access in reads {
            let address = self.address(access, &at);
            self.tile(Tile::Fetch, &[address, numbers]);
        }
    }
}
