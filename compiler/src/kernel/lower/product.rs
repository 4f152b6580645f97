//! Products with weights: one stage for all that meet the same operand, which is gathered first unless its numbers lie in
//! order where they are.

use super::super::TrackId;
use super::super::index::{Indices, Layout, dense, features, whole_range};
use super::super::{
    Access, Buffer, BufferId, Loop, Offset, PackedPart, Place, Product, Range, Role, Row, Scalar, Space, Stage,
};
use super::{Home, Lowering, Making};
use crate::fuse::ProductParts;
use crate::term::{IndexId, Subscript, Term, ValueId};

impl Lowering<'_> {
    /// All products with one operand.
    pub(super) fn product(&mut self, making: &mut Making, parts: &ProductParts, same: &[ValueId]) {
        let first = same[0];
        let equation = self.equation(first).clone();
        let size = |index: &IndexId| equation.indices[index.0 as usize].axis.size().unwrap_or(1);
        let rows: usize = parts.shared.iter().map(size).product();
        let depth: usize = parts.depth.iter().map(size).product();
        let operand = self.operand(making, first, parts);
        let mut packed = Vec::new();
        let mut widths = Vec::new();
        for id in same {
            let part = self.packed_part(*id, &self.fused.products[id]);
            widths.push(part.columns);
            packed.push(part);
        }
        let columns: usize = widths.iter().sum();
        let name = match same {
            [only] => self.graph.value(*only).path.clone(),
            _ => format!("{} and {} more", self.graph.value(first).path, same.len() - 1),
        };
        let key = format!("{packed:?}");
        let weights = match self.packed.get(&key) {
            Some(buffer) => *buffer,
            None => {
                let row = packed.iter().map(|part| part.columns * part.depth).sum();
                let paths: Vec<&str> = packed.iter().map(|part| self.graph.value(part.weight).path.as_str()).collect();
                self.program.buffers.push(Buffer {
                    name: format!("packed {}", paths.join(", ")),
                    space: Space::Global,
                    row,
                    role: Role::Packed(packed),
                });
                let buffer = BufferId(self.program.buffers.len() as u32 - 1);
                self.packed.insert(key, buffer);
                buffer
            }
        };
        let weights = making.argument(&self.program, weights, false);
        // Results that are all wanted elsewhere, in the same kernels, go there directly, where rows lie one after the other.
        let target = if same.iter().all(|id| self.can_be_target(making, *id, same)) {
            let buffer = self.buffer_for(same, &name, rows * columns);
            Place::Argument(making.argument(&self.program, buffer, true))
        } else {
            Place::Scratch(making.scratch(&name, rows * columns))
        };
        making.stages.push(Stage::Product(Product { name, operand, rows, depth, weights, columns, target }));
        let mut base = 0;
        for (id, width) in same.iter().zip(widths) {
            let theirs = &self.fused.products[id];
            let own = self.equation(*id).clone();
            let size = |index: &IndexId| own.indices[index.0 as usize].axis.size().unwrap_or(1);
            let shared: Vec<usize> = theirs.shared.iter().map(size).collect();
            let inner: Vec<usize> = theirs.columns.iter().map(size).collect();
            let mut strides: Vec<usize> = dense(&shared).into_iter().map(|stride| stride * columns).collect();
            strides.extend(dense(&inner));
            let layout = Layout { place: target, base, strides };
            base += width;
            match target {
                Place::Argument(argument) => {
                    let Layout { base, strides, .. } = layout;
                    self.home_of.insert(*id, Home { buffer: making.arguments[argument].0, base, strides });
                }
                Place::Scratch(_) if self.stored.contains(id) => self.copy(making, *id, layout),
                Place::Scratch(_) => _ = making.layouts.insert(*id, layout),
            }
        }
    }

    /// Whether a product can go where other kernels read it: its memory has the kernel's rows, and where it is beside others
    /// nobody asks for it alone, keeps it or reads it elsewhere than them.
    fn can_be_target(&mut self, making: &Making, id: ValueId, same: &[ValueId]) -> bool {
        let space = self.space(id);
        let asked_for = self.graph.outputs.iter().any(|(_, output)| *output == id);
        let alone = asked_for || self.is_kept(id, &space) || self.readers.get(&id) != self.readers.get(&same[0]);
        !making.is_scan && self.stored.contains(&id) && self.has_own_rows(making, id) && (same.len() == 1 || !alone)
    }

    /// A buffer for products side by side, of so many numbers in a row.
    fn buffer_for(&mut self, same: &[ValueId], name: &str, row: usize) -> BufferId {
        if let [only] = same {
            return self.home(*only).buffer;
        }
        let (name, space, role) = (name.to_string(), self.space(same[0]), Role::Computed { slot: 0, chained: None });
        self.program.buffers.push(Buffer { name, space, row, role });
        BufferId(self.program.buffers.len() as u32 - 1)
    }

    /// Whether a value's memory has the kernel's rows, one after the other, and no others.
    fn has_own_rows(&mut self, making: &Making, id: ValueId) -> bool {
        let own: Vec<TrackId> = self.track_of(making.rows).into_iter().collect();
        self.space(id) == Space::Tracks(own)
    }

    /// Copies a product's columns to their own buffer, where the kernel's other stages read them too.
    pub(super) fn copy(&mut self, making: &mut Making, id: ValueId, from: Layout) {
        let equation = self.equation(id).clone();
        let axes = self.graph.value(id).axes.clone();
        let row = axes.iter().position(|axis| axis.time().is_some()).map(|place| IndexId(place as u32));
        let order: Vec<IndexId> = (0..axes.len() as u32).map(IndexId).filter(|index| Some(*index) != row).collect();
        let mut indices = Indices { row, ..Indices::default() };
        indices.loops.extend(order.iter().enumerate().map(|(number, index)| (*index, number)));
        let ranges: Vec<Range> = order.iter().map(|index| whole_range(&equation, *index)).collect();
        let source = self.target_access(id, &from, &indices);
        let layout = self.layout(making, id, true);
        let mut target = self.target_access(id, &layout, &indices);
        target.rows = row.map(|_| Row::Here).into_iter().collect();
        let name = self.graph.value(id).path.clone();
        let body = Scalar::Read(Box::new(source));
        making.push_loop(Loop::pointwise(name, ranges, body, target));
    }

    /// A product's left operand: where it lies, if its vectors lie there one after the other, or gathered.
    pub(super) fn operand(&mut self, making: &mut Making, id: ValueId, parts: &ProductParts) -> Place {
        let equation = self.equation(id).clone();
        let (value, subscripts) = &parts.operand;
        let row = self.graph.value(id).axes.iter().position(|axis| axis.time().is_some());
        let row = row.map(|place| IndexId(place as u32));
        let order: Vec<IndexId> = parts.shared.iter().chain(&parts.depth).copied().collect();
        let plain: Option<Vec<IndexId>> = subscripts.iter().map(Subscript::as_index).collect();
        let in_order = plain.is_some_and(|read| {
            let wanted: Vec<IndexId> = row.into_iter().chain(order.iter().copied()).collect();
            read == wanted
        });
        let same_rows = self.graph.value(*value).axes.iter().filter(|axis| axis.time().is_some()).count()
            == usize::from(row.is_some());
        if in_order && same_rows {
            let layout = self.layout(making, *value, false);
            let is_dense = layout.base == 0 && layout.strides == dense(&features(self.graph, *value));
            let alone = match layout.place {
                Place::Scratch(scratch) => {
                    making.scratch[scratch].row == features(self.graph, *value).iter().product::<usize>()
                }
                Place::Argument(argument) => {
                    making.arguments[argument].1.row == features(self.graph, *value).iter().product::<usize>()
                        && !making.is_scan
                        && self.has_own_rows(making, *value)
                }
            };
            if is_dense && alone {
                return layout.place;
            }
        }
        let mut indices = Indices { row, ..Indices::default() };
        indices.loops.extend(order.iter().enumerate().map(|(number, index)| (*index, number)));
        let ranges: Vec<Range> = order.iter().map(|index| whole_range(&equation, *index)).collect();
        let sizes: Vec<usize> =
            order.iter().map(|index| equation.indices[index.0 as usize].axis.size().unwrap_or(1)).collect();
        let term = Term::Read(*value, subscripts.clone());
        let body = self.with(making, indices, ranges.clone(), None, |context| context.scalar(&term));
        let name = format!("operand {}", self.graph.value(*value).path);
        let place = Place::Scratch(making.scratch(&name, sizes.iter().product()));
        let offset = Offset {
            indices: dense(&sizes).into_iter().enumerate().map(|(number, stride)| (number, stride as i64)).collect(),
            ..Offset::default()
        };
        let target = Access { place, rows: Vec::new(), offset, outside: None };
        making.push_loop(Loop::pointwise(name, ranges, body, target));
        place
    }

    pub(super) fn packed_part(&self, id: ValueId, parts: &ProductParts) -> PackedPart {
        let equation = self.equation(id);
        let sizes = features(self.graph, parts.weight);
        let strides = dense(&sizes);
        let axes = |indices: &[IndexId]| -> Vec<(usize, usize)> {
            indices
                .iter()
                .map(|index| {
                    let place = parts.weight_indices.iter().position(|known| known == index).unwrap_or(0);
                    (equation.indices[index.0 as usize].axis.size().unwrap_or(1), strides[place])
                })
                .collect()
        };
        let (column_axes, depth_axes) = (axes(&parts.columns), axes(&parts.depth));
        let count = |axes: &[(usize, usize)]| axes.iter().map(|(size, _)| size).product();
        PackedPart {
            weight: parts.weight,
            columns: count(&column_axes),
            depth: count(&depth_axes),
            column_axes,
            depth_axes,
        }
    }
}
