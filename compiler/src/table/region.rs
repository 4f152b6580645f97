//! A weight's place in a matrix, and copying it in and out.
//!
//! A matrix lies row by row, as tensors do. Every weight in it is a rectangle, whose rows run over
//! some of the weight's axes and whose columns over the others, in any order: upright, turned, or with
//! axes exchanged. So reading a checkpoint and writing one are copies of rectangles.

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The weight.
    pub weight: ValueId,
    /// The matrix's row that the region begins in.
    pub row: usize,
    /// The matrix's column that it begins in.
    pub column: usize,
    /// What its rows run over, outermost first.
    pub rows: Vec<Strided>,
    /// What its columns run over, outermost first.
    pub columns: Vec<Strided>,
}

/// Axes of a weight that are run over as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strided {
    /// How many entries there are.
    pub size: usize,
    /// How far apart in the weight neighbouring ones are.
    pub stride: usize,
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

/// Axes with those that follow each other in the weight as well made one, and those of one entry left out.
pub(super) fn merged(axes: impl IntoIterator<Item = Strided>) -> Vec<Strided> {
    let mut all: Vec<Strided> = Vec::new();
    for axis in axes {
        match all.last_mut() {
            _ if axis.size == 1 => {}
            Some(outer) if outer.stride == axis.stride.saturating_mul(axis.size) => {
                *outer = Strided { size: outer.size.saturating_mul(axis.size), stride: axis.stride };
            }
            Some(_) | None => all.push(axis),
        }
    }
    all
}

/// The places in the weight of everything that these axes run over, in order.
fn places(axes: &[Strided]) -> Vec<usize> {
    axes.iter().fold(vec![0], |outer, axis| {
        outer.iter().flat_map(|place| (0..axis.size).map(move |entry| place + entry * axis.stride)).collect()
    })
}

fn count(axes: &[Strided]) -> usize {
    axes.iter().fold(1, |product, axis| product.saturating_mul(axis.size))
}

impl Region {
    /// Copies the region out of a matrix of `width` columns into the weight, or adds it to what the
    /// weight has.
    pub fn read(&self, matrix: &[f32], width: usize, weight: &mut [f32], add: bool) {
        let put = |to: &mut f32, from: f32| *to = if add { *to + from } else { from };
        match self.runs(width) {
            Some(runs) => {
                for (in_matrix, in_weight, length) in runs {
                    let from = &matrix[in_matrix..in_matrix + length];
                    let to = &mut weight[in_weight..in_weight + length];
                    if add {
                        to.iter_mut().zip(from).for_each(|(to, from)| put(to, *from));
                    } else {
                        to.copy_from_slice(from);
                    }
                }
            }
            None => self.for_squares(width, |in_matrix, in_weight| put(&mut weight[in_weight], matrix[in_matrix])),
        }
    }

    /// Copies the weight into the region of a matrix of `width` columns.
    pub fn write(&self, weight: &[f32], matrix: &mut [f32], width: usize) {
        match self.runs(width) {
            Some(runs) => {
                for (in_matrix, in_weight, length) in runs {
                    matrix[in_matrix..in_matrix + length].copy_from_slice(&weight[in_weight..in_weight + length]);
                }
            }
            None => self.for_squares(width, |in_matrix, in_weight| matrix[in_matrix] = weight[in_weight]),
        }
    }

    /// The region as stretches without gaps on both sides, if its columns lie so: place in the matrix,
    /// place in the weight, length. It is a single one where the region is as wide as the matrix and its
    /// rows follow each other in the weight.
    pub fn runs(&self, width: usize) -> Option<impl Iterator<Item = (usize, usize, usize)> + use<>> {
        let columns = count(&self.columns);
        if !matches!(self.columns.as_slice(), [] | [Strided { stride: 1, .. }]) || columns == 1 && width > 1 {
            return None;
        }
        let whole = columns == width && matches!(self.rows.as_slice(), [] | [_]);
        let whole = whole && self.rows.iter().all(|rows| rows.stride == columns);
        let (starts, length) =
            if whole { (vec![0], count(&self.rows) * columns) } else { (places(&self.rows), columns) };
        let first = self.row * width + self.column;
        Some(starts.into_iter().enumerate().map(move |(row, place)| (first + row * width, place, length)))
    }

    /// Every element's place in the matrix and in the weight, square after square.
    fn for_squares(&self, width: usize, mut each: impl FnMut(usize, usize)) {
        let (rows, columns) = (places(&self.rows), places(&self.columns));
        for top in (0..rows.len()).step_by(SQUARE) {
            for left in (0..columns.len()).step_by(SQUARE) {
                for (row, from_row) in rows.iter().enumerate().skip(top).take(SQUARE) {
                    for (column, from_column) in columns.iter().enumerate().skip(left).take(SQUARE) {
                        let in_matrix = (self.row + row) * width + self.column + column;
                        each(in_matrix, from_row + from_column);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(size: usize, stride: usize) -> Strided {
        Strided { size, stride }
    }

    fn region(rows: &[Strided], columns: &[Strided]) -> Region {
        Region { weight: ValueId(0), row: 1, column: 2, rows: rows.to_vec(), columns: columns.to_vec() }
    }

    #[test]
    fn regions_are_read_and_written_element_by_element() {
        for (rows, columns) in [
            // Upright, and turned.
            (vec![axis(2, 3)], vec![axis(3, 1)]),
            (vec![axis(70, 45)], vec![axis(45, 1)]),
            (vec![axis(70, 1)], vec![axis(45, 70)]),
            (vec![], vec![]),
            (vec![], vec![axis(4, 1)]),
            (vec![axis(5, 1)], vec![]),
            // The axes [2, 3, 4] as [2, 4, 3], as [4, 2] by 3, and as 3 by [4, 2].
            (vec![axis(2, 12), axis(4, 1)], vec![axis(3, 4)]),
            (vec![axis(4, 1), axis(2, 12)], vec![axis(3, 4)]),
            (vec![axis(3, 4)], vec![axis(4, 1), axis(2, 12)]),
            (vec![axis(3, 4), axis(2, 12)], vec![axis(4, 1)]),
        ] {
            let region = region(&rows, &columns);
            let (height, length) = (count(&rows), count(&columns));
            for width in [length + 2, length + 5] {
                let matrix: Vec<f32> = (0..(height + 2) * width).map(|place| place as f32).collect();
                let mut weight = vec![0.5; height * length];
                region.read(&matrix, width, &mut weight, false);
                let mut back = vec![-1.0; matrix.len()];
                region.write(&weight, &mut back, width);
                for (row, in_rows) in places(&rows).into_iter().enumerate() {
                    for (column, in_columns) in places(&columns).into_iter().enumerate() {
                        let in_matrix = (1 + row) * width + 2 + column;
                        assert_eq!(weight[in_rows + in_columns], matrix[in_matrix]);
                        assert_eq!(back[in_matrix], matrix[in_matrix]);
                    }
                }
                assert_eq!(back.iter().filter(|x| **x >= 0.0).count(), height * length);
                let once = weight.clone();
                region.read(&matrix, width, &mut weight, true);
                assert!(weight.iter().zip(&once).all(|(twice, once)| *twice == once * 2.0));
            }
        }
    }

    #[test]
    fn a_region_as_wide_as_its_matrix_is_one_stretch() {
        let upright = Region { column: 0, ..region(&[axis(4, 3)], &[axis(3, 1)]) };
        assert_eq!(upright.runs(3).unwrap().collect::<Vec<_>>(), [(3, 0, 12)]);
        assert_eq!(upright.runs(5).unwrap().count(), 4);
        let flat = Region { column: 0, ..region(&[axis(6, 1)], &[]) };
        assert_eq!(flat.runs(1).unwrap().collect::<Vec<_>>(), [(1, 0, 6)]);
    }

    #[test]
    fn axes_that_follow_each_other_are_one() {
        assert_eq!(merged([axis(2, 12), axis(3, 4), axis(1, 9), axis(4, 1)]), [axis(24, 1)]);
        assert_eq!(merged([axis(2, 12), axis(4, 1), axis(3, 4)]), [axis(2, 12), axis(4, 1), axis(3, 4)]);
        assert_eq!(merged([axis(1, 1)]), []);
    }
}
