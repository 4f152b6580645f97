//! A table that rows are looked up in, kept as the blocks of a file: a row becomes numbers when an input first names it.
//!
//! A vocabulary of some ten thousand rows is as large as many layers, and a text names a few hundred of them.

use crate::tiles::AlignedFloats;
use crate::weights::Blocks;
use seqwright_compiler::kernel::Lookup;
use seqwright_compiler::term::ValueId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Such a table.
pub(super) struct Table {
    lookup: Lookup,
    blocks: Blocks,
    /// Where the first row begins, in memory that is kept with it and reached through this alone.
    start: *mut f32,
    _memory: AlignedFloats,
    /// Which rows are there.
    there: Mutex<Vec<bool>>,
}

// SAFETY: a row is written once, with the lock held, before any kernel runs that reads it; none reads another that is not there.
unsafe impl Sync for Table {}
// SAFETY: the memory is the table's own.
unsafe impl Send for Table {}

impl Table {
    /// A weight's table, if its rows are whole blocks.
    pub fn new(lookup: &Lookup, blocks: &Blocks) -> Option<Table> {
        let rows = lookup.rows > 0 && lookup.rows * lookup.row == blocks.len();
        let whole = rows && lookup.row.is_multiple_of(blocks.format.elements());
        whole.then(|| {
            let mut memory = AlignedFloats::sparse(blocks.len());
            Table {
                lookup: lookup.clone(),
                blocks: blocks.clone(),
                start: memory.as_mut_ptr(),
                _memory: memory,
                there: Mutex::new(vec![false; lookup.rows]),
            }
        })
    }

    /// Where kernels read.
    pub fn address(&self) -> *const f32 {
        self.start
    }

    /// Has the rows that some inputs name be there.
    pub fn look_up(&self, inputs: &BTreeMap<ValueId, &[f32]>) {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        let named = self.lookup.inputs.iter().filter_map(|input| inputs.get(input)).copied().flatten();
        // As kernels find a row: rounded towards zero, what is no number to zero, and moved to one that there is.
        for row in named.map(|number| (*number as usize).min(self.lookup.rows.saturating_sub(1))) {
            if !std::mem::replace(&mut there[row], true) {
                let from = row * self.lookup.row;
                // SAFETY: nobody reads the row, as it was not there, and nobody else writes it.
                let numbers = unsafe { std::slice::from_raw_parts_mut(self.start.add(from), self.lookup.row) };
                self.blocks.expand_from(from, numbers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::BlockFormat;
    use std::collections::BTreeSet;

    const INPUT: ValueId = ValueId(3);

    /// Blocks of 8 bits with a scale of 1: in row `r`, all numbers are `r`.
    fn blocks(rows: usize, row: usize) -> Blocks {
        let one = 0x3c00u16.to_le_bytes();
        let block = |row: usize| one.into_iter().chain([row as u8; 32]);
        Blocks {
            format: BlockFormat::Q8_0,
            bytes: (0..rows * row / 32).flat_map(|number| block(number * 32 / row)).collect(),
        }
    }

    fn lookup(rows: usize, row: usize) -> Lookup {
        Lookup { rows, row, inputs: BTreeSet::from([INPUT]) }
    }

    #[test]
    fn only_rows_that_are_named_become_numbers() {
        let table = Table::new(&lookup(6, 64), &blocks(6, 64)).unwrap();
        let rows = || -> Vec<f32> {
            // SAFETY: the table has six rows of 64 numbers.
            let all = unsafe { std::slice::from_raw_parts(table.address(), 6 * 64) };
            all.chunks(64)
                .inspect(|row| assert!(row.iter().all(|number| *number == row[0])))
                .map(|row| row[0])
                .collect()
        };
        table.look_up(&BTreeMap::from([(INPUT, &[4.0, 1.9, 4.0][..]), (ValueId(9), &[3.0][..])]));
        assert_eq!(rows(), [0.0, 1.0, 0.0, 0.0, 4.0, 0.0]);
        // What is no row is moved to one, as kernels do.
        table.look_up(&BTreeMap::from([(INPUT, &[1e9, f32::NAN, -7.0][..])]));
        assert_eq!(rows(), [0.0, 1.0, 0.0, 0.0, 4.0, 5.0]);
        assert_eq!(*table.there.lock().unwrap(), [true, true, false, false, true, true]);
    }

    #[test]
    fn rows_that_are_no_whole_blocks_are_no_table() {
        assert!(Table::new(&lookup(2, 48), &blocks(1, 96)).is_none());
        assert!(Table::new(&lookup(7, 64), &blocks(6, 64)).is_none());
    }
}
