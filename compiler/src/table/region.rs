//! A weight's place in a matrix, and copying it in and out.
//!
//! A matrix lies row by row, as tensors do. Every weight in it is a rectangle, upright or turned, so
//! that reading a checkpoint and writing one are copies of rectangles.

use crate::term::ValueId;

/// A matrix made of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// The sizes of the axes that make its rows.
    pub row_axes: Vec<usize>,
    /// The sizes of the axes that make its columns.
    pub column_axes: Vec<usize>,
    /// Its weights; together they fill it.
    pub regions: Vec<Region>,
}

/// A whole weight in a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The weight.
    pub weight: ValueId,
    /// The matrix's row that the region begins in.
    pub row: usize,
    /// The matrix's column that it begins in.
    pub column: usize,
    /// How many rows it takes.
    pub rows: usize,
    /// How many columns it takes.
    pub columns: usize,
    /// How far apart in the weight the elements of neighbouring rows are.
    pub row_stride: usize,
    /// How far apart in the weight the elements of neighbouring columns are.
    pub column_stride: usize,
}

/// A turned region is copied in squares of this side, so that both sides of the copy stay in cache.
const SQUARE: usize = 32;

impl Matrix {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        product(&self.row_axes)
    }

    /// How many columns it has.
    pub fn columns(&self) -> usize {
        product(&self.column_axes)
    }

    /// The sizes of all its axes.
    pub fn axes(&self) -> Vec<usize> {
        self.row_axes.iter().chain(&self.column_axes).copied().collect()
    }
}

/// A product that stays a number where it is too large for one.
pub(super) fn product(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |product, size| product.saturating_mul(*size))
}

impl Region {
    /// The places of every element: in the matrix, which has `width` columns, and in the weight.
    pub fn elements(&self, width: usize) -> impl Iterator<Item = (usize, usize)> {
        let region = *self;
        (0..region.rows).flat_map(move |row| {
            (0..region.columns).map(move |column| (region.in_matrix(row, column, width), region.in_weight(row, column)))
        })
    }

    /// Copies the region out of a matrix of `width` columns into the weight, or adds it to what the
    /// weight has.
    pub fn read(&self, matrix: &[f32], width: usize, weight: &mut [f32], add: bool) {
        let put = |to: &mut f32, from: f32| *to = if add { *to + from } else { from };
        if self.column_stride == 1 {
            for (in_matrix, in_weight, length) in self.runs(width) {
                let from = &matrix[in_matrix..in_matrix + length];
                let to = &mut weight[in_weight..in_weight + length];
                if add {
                    to.iter_mut().zip(from).for_each(|(to, from)| put(to, *from));
                } else {
                    to.copy_from_slice(from);
                }
            }
        } else {
            self.for_squares(width, |in_matrix, in_weight| put(&mut weight[in_weight], matrix[in_matrix]));
        }
    }

    /// Copies the weight into the region of a matrix of `width` columns.
    pub fn write(&self, weight: &[f32], matrix: &mut [f32], width: usize) {
        if self.column_stride == 1 {
            for (in_matrix, in_weight, length) in self.runs(width) {
                matrix[in_matrix..in_matrix + length].copy_from_slice(&weight[in_weight..in_weight + length]);
            }
        } else {
            self.for_squares(width, |in_matrix, in_weight| matrix[in_matrix] = weight[in_weight]);
        }
    }

    fn in_matrix(&self, row: usize, column: usize, width: usize) -> usize {
        (self.row + row) * width + self.column + column
    }

    fn in_weight(&self, row: usize, column: usize) -> usize {
        row * self.row_stride + column * self.column_stride
    }

    /// An upright region as stretches without gaps on both sides: place in the matrix, place in the
    /// weight, length. It is a single one where the region is as wide as the matrix.
    fn runs(&self, width: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let region = *self;
        let whole = region.columns == width && region.row_stride == region.columns;
        let (count, length) = if whole { (1, region.rows * region.columns) } else { (region.rows, region.columns) };
        (0..count).map(move |row| (region.in_matrix(row, 0, width), region.in_weight(row, 0), length))
    }

    fn for_squares(&self, width: usize, mut each: impl FnMut(usize, usize)) {
        for top in (0..self.rows).step_by(SQUARE) {
            for left in (0..self.columns).step_by(SQUARE) {
                for row in top..self.rows.min(top + SQUARE) {
                    for column in left..self.columns.min(left + SQUARE) {
                        each(self.in_matrix(row, column, width), self.in_weight(row, column));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(rows: usize, columns: usize, turned: bool) -> Region {
        let (row_stride, column_stride) = if turned { (1, rows) } else { (columns, 1) };
        Region { weight: ValueId(0), row: 1, column: 2, rows, columns, row_stride, column_stride }
    }

    #[test]
    fn regions_are_read_and_written_element_by_element() {
        for turned in [false, true] {
            for (rows, columns, width) in [(2, 3, 7), (70, 45, 50), (1, 1, 3), (5, 2, 4)] {
                let region = region(rows, columns, turned);
                let matrix: Vec<f32> = (0..(rows + 2) * width).map(|place| place as f32).collect();
                let mut weight = vec![0.5; rows * columns];
                region.read(&matrix, width, &mut weight, false);
                let mut back = vec![-1.0; matrix.len()];
                region.write(&weight, &mut back, width);
                for (in_matrix, in_weight) in region.elements(width) {
                    assert_eq!(weight[in_weight], matrix[in_matrix]);
                    assert_eq!(back[in_matrix], matrix[in_matrix]);
                }
                assert_eq!(back.iter().filter(|x| **x >= 0.0).count(), rows * columns);
                let once = weight.clone();
                region.read(&matrix, width, &mut weight, true);
                assert!(weight.iter().zip(&once).all(|(twice, once)| *twice == once * 2.0));
            }
        }
    }

    #[test]
    fn a_region_as_wide_as_its_matrix_is_one_stretch() {
        let upright = Region { column: 0, ..region(4, 3, false) };
        assert_eq!(upright.runs(3).collect::<Vec<_>>(), [(3, 0, 12)]);
        assert_eq!(upright.runs(5).count(), 4);
    }
}
