//! Products of many rows by cooperative matrices: small matrices that the invocations of a subgroup hold and multiply together.
//!
//! ```text
//! a tile of 64 by 64           8 subgroups, 4 below each other by 2 beside each other
//! ┌───────┬───────┐
//! │ 0     │ 1     │            each has 2 by 4 matrices of 8 by 8 sums
//! ├───────┼───────┤
//! │ 2     │ 3     │            16 of the depth lie in workgroup memory, as in `product.rs`:
//! ├───────┼───────┤            for each 8 of them a subgroup loads 2 matrices of the operand and 4 of the weights,
//! │ 4     │ 5     │            and multiplies each with each
//! ├───────┼───────┤
//! │ 6     │ 7     │            at the end sums go through workgroup memory, so that each invocation has some of them
//! └───────┴───────┘            by number, for what follows from the product
//! ```
//!
//! Numbers come through workgroup memory, with zeros past the edges, and so no matrix is ever part outside. `coopLoadT` and
//! `coopStoreT` take rows one after the other; without the `T`, naga's operations take columns.
//!
//! The extension is naga's own (`wgpu_cooperative_matrix`), an experiment of wgpu, and adapters that have it are few. What its
//! operations mean is therefore spelt out here, too, element by element: so all that stands around the operations can be run on
//! any adapter with subgroups.

use super::columns::Columns;
use super::kernel::Spelling;
use super::product::{DEPTH, INVOCATIONS, leaders};
use super::shader::TILE;
use super::text::{Expression, Text};
use crate::kernel::Product;

/// Cooperative matrices that products of many rows are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooperative {
    /// Rows, columns and depth of a product of two matrices.
    pub size: CooperativeSize,
    /// Whether factors are f16; they are rounded to it then. Sums are f32.
    pub half: bool,
    /// Invocations of a subgroup at most; just as many where operations are spelt out.
    pub subgroup: usize,
    /// Whether operations are spelt out: slow, and needs no adapter that has them.
    pub spelt_out: bool,
}

/// Sizes that naga has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CooperativeSize {
    /// 8 by 8.
    Eight,
    /// 16 by 16.
    Sixteen,
}

impl CooperativeSize {
    /// Rows, and columns.
    pub fn number(self) -> usize {
        match self {
            CooperativeSize::Eight => 8,
            CooperativeSize::Sixteen => 16,
        }
    }
}

impl Cooperative {
    /// Bytes of workgroup memory that a tile takes.
    pub fn workgroup_bytes(&self) -> usize {
        let factor = if self.half { 2 } else { 4 };
        2 * DEPTH * TILE * factor + TILE * TILE * 4
    }

    /// How subgroups share a tile.
    fn shares(&self) -> Shares {
        let side = TILE / self.size.number();
        // There are as many subgroups at least, as none is larger.
        let subgroups = (INVOCATIONS / self.subgroup.clamp(1, INVOCATIONS)).min(side * side).ilog2();
        let (down, across) = (1 << subgroups.div_ceil(2), 1 << (subgroups / 2));
        Shares { down, across, rows: side / down, columns: side / across }
    }
}

/// How the matrices of a tile are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    /// Subgroups below each other.
    down: usize,
    /// Subgroups beside each other.
    across: usize,
    /// Matrices of each below each other.
    rows: usize,
    /// Matrices of each beside each other.
    columns: usize,
}

impl Spelling<'_> {
    /// The entry point for many rows.
    pub fn cooperative_tiles(
        &mut self,
        text: &mut Text,
        suffix: &str,
        product: &Product,
        order: &Columns,
        own: &Cooperative,
    ) {
        let shares = own.shares();
        let size = own.size.number();
        let kind = if own.half { "f16" } else { "f32" };
        let spelt = Operations { own };
        self.declare(format!("var<workgroup> left: array<{kind}, {}>;", TILE * DEPTH));
        self.declare(format!("var<workgroup> right: array<{kind}, {}>;", DEPTH * TILE));
        self.declare(format!("var<workgroup> sums: array<f32, {}>;", TILE * TILE));
        if own.spelt_out {
            self.declare(spelt.meaning());
        }
        self.extensions.extend(own.half.then_some("f16"));
        self.extensions.extend((!own.spelt_out).then_some("wgpu_cooperative_matrix"));
        let name = |like: String| self.names.free(&like, &[]);
        let lefts: Vec<String> = (0..shares.rows).map(|row| name(format!("left_{row}"))).collect();
        let rights: Vec<String> = (0..shares.columns).map(|column| name(format!("right_{column}"))).collect();
        let sums: Vec<Vec<String>> = (0..shares.rows)
            .map(|row| (0..shares.columns).map(|column| name(format!("sum_{row}_{column}"))).collect())
            .collect();
        let end = Expression::atom("run.end").times(product.rows as i64).text;
        let below = |place: &str, behind: usize| Expression::atom(place).plus(&Expression::whole(behind as i64));
        self.entry(text, &format!("product{suffix}"), INVOCATIONS, |text, spelling| {
            spelling.tile_lines(text, product);
            let subgroups = shares.down * shares.across;
            text.line(format!(
                "// {subgroups} subgroups have {} by {} matrices of the tile each; more of them do what the last one does",
                shares.rows, shares.columns
            ));
            if own.spelt_out {
                text.line("own_element = i32(own_place);");
            }
            text.line(format!("let share = min(i32(own_subgroup), {});", subgroups - 1));
            let along = |place: &str, each: usize| Expression::atom(place).times((each * size) as i64).text;
            let (down, across) = match shares.across {
                1 => ("share".to_string(), "0".to_string()),
                across => (format!("(share / {across})"), format!("(share % {across})")),
            };
            text.line(format!("let own_row = {};", along(&down, shares.rows)));
            text.line(format!("let own_column = {};", along(&across, shares.columns)));
            for sum in sums.iter().flatten() {
                text.line(format!("var {sum}: {};", spelt.kind("C")));
            }
            text.count("depth", "0", &Expression::whole(product.depth as i64), DEPTH, |text| {
                let places = (format!("left[{DEPTH} * row + part]"), format!("right[{TILE} * part + column]"));
                spelling.stage_tile(text, suffix, product, order, &places, own.half);
                text.line("workgroupBarrier();");
                text.count("part", "0", &Expression::whole(DEPTH as i64), size, |text| {
                    for (row, left) in lefts.iter().enumerate() {
                        let place = below("own_row", row * size).times(DEPTH as i64).plus(&Expression::atom("part"));
                        text.line(format!("let {left} = {};", spelt.load("left", "A", &place.text, DEPTH)));
                    }
                    for (column, right) in rights.iter().enumerate() {
                        let place = Expression::atom("part").times(TILE as i64).plus(&below("own_column", column * size));
                        text.line(format!("let {right} = {};", spelt.load("right", "B", &place.text, TILE)));
                    }
                    for (left, sums) in lefts.iter().zip(&sums) {
                        for (right, sum) in rights.iter().zip(sums) {
                            text.line(format!("{sum} = {};", spelt.multiply_add(left, right, sum)));
                        }
                    }
                });
                text.line("workgroupBarrier();");
            });
            text.block(format!("if own_subgroup < {subgroups}"), |text| {
                for (row, sums) in sums.iter().enumerate() {
                    for (column, sum) in sums.iter().enumerate() {
                        let place = below("own_row", row * size).times(TILE as i64);
                        let place = place.plus(&below("own_column", column * size));
                        text.line(spelt.store(sum, &place.text));
                    }
                }
            });
            text.line("workgroupBarrier();");
            let parts = order.parts;
            let bundles = TILE / parts;
            text.count("number", "lane", &Expression::whole((TILE * bundles) as i64), INVOCATIONS, |text| {
                text.line(format!("let matrix_row = first_row + number / {bundles};"));
                text.line(match parts {
                    1 => format!("let leader = first_column + number % {bundles};"),
                    _ => format!("let leader = first_column / {parts} + number % {bundles};"),
                });
                let most = leaders(order, product.columns);
                text.block(format!("if matrix_row < {end} && leader < {most}"), |text| {
                    let sum = |part: usize| match (parts, part) {
                        (1, _) => "sums[number]".to_string(),
                        (_, 0) => format!("sums[{parts} * number]"),
                        (_, part) => format!("sums[{parts} * number + {part}]"),
                    };
                    let sums: Vec<String> = (0..parts).map(sum).collect();
                    text.line(format!("finish{suffix}(matrix_row, leader, {});", sums.join(", ")));
                });
            });
        });
    }

    /// A declaration of the module, once.
    pub fn declare(&mut self, lines: String) {
        if !self.extra.contains(&lines) {
            self.extra.push(lines);
        }
    }
}

/// The extension's operations, or calls of what they mean.
struct Operations<'o> {
    own: &'o Cooperative,
}

impl Operations<'_> {
    /// The type of a matrix in a role: `A` and `B` are factors, `C` is a sum.
    fn kind(&self, role: &str) -> String {
        let size = self.own.size.number();
        let number = if self.own.half && role != "C" { "f16" } else { "f32" };
        if self.own.spelt_out { "Matrix".to_string() } else { format!("coop_mat{size}x{size}<{number}, {role}>") }
    }

    fn load(&self, from: &str, role: &str, place: &str, stride: usize) -> String {
        match self.own.spelt_out {
            true => place.to_string(),
            false => format!("coopLoadT<{}>(&{from}[{place}], {stride}u)", self.kind(role)),
        }
    }

    fn multiply_add(&self, left: &str, right: &str, sum: &str) -> String {
        let function = if self.own.spelt_out { "multiply_add" } else { "coopMultiplyAdd" };
        format!("{function}({left}, {right}, {sum})")
    }

    fn store(&self, sum: &str, place: &str) -> String {
        match self.own.spelt_out {
            true => format!("store({sum}, {place});"),
            false => format!("coopStoreT({sum}, &sums[{place}], {TILE}u);"),
        }
    }

    /// What the operations mean. Factors are read where they lie, and each invocation of a subgroup has some elements of a sum.
    fn meaning(&self) -> String {
        let size = self.own.size.number();
        let all = size * size;
        let (subgroup, own) = (self.own.subgroup, all.div_ceil(self.own.subgroup));
        let number = |element: String| if self.own.half { format!("f32({element})") } else { element };
        let left = number(format!("left[left_matrix + {DEPTH} * (element / {size}) + k]"));
        let right = number(format!("right[right_matrix + {TILE} * k + element % {size}]"));
        let each = |line: &dyn Fn(usize) -> String| (0..own).map(line).collect::<Vec<_>>().join("\n");
        let guard = if all.is_multiple_of(subgroup) { String::new() } else { format!("if element < {all} {{ ") };
        let end = if guard.is_empty() { "" } else { " }" };
        format!(
            "\n// what cooperative matrices do: factors are places, and an invocation has every {subgroup}th element of a sum\n\
             alias Matrix = array<f32, {own}>;\nvar<private> own_element: i32;\n\n\
             fn element_of_product(left_matrix: i32, right_matrix: i32, element: i32, before: f32) -> f32 {{\n  \
             var total = before;\n  for (var k = 0; k < {size}; k += 1) {{\n    \
             total = fma({left}, {right}, total);\n  }}\n  return total;\n}}\n\n\
             fn multiply_add(left_matrix: i32, right_matrix: i32, sum: Matrix) -> Matrix {{\n  return Matrix(\n{}\n  );\n}}\n\n\
             fn store_element(element: i32, number: f32, place: i32) {{\n  \
             {guard}sums[place + {TILE} * (element / {size}) + element % {size}] = number;{end}\n}}\n\n\
             fn store(sum: Matrix, place: i32) {{\n{}\n}}",
            each(&|own| format!(
                "    element_of_product(left_matrix, right_matrix, own_element + {}, sum[{own}]),",
                own * subgroup
            )),
            each(&|own| format!("  store_element(own_element + {}, sum[{own}], place);", own * subgroup)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the size of subgroups, each matrix of a tile is one subgroup's, and there are as many subgroups.
    #[test]
    fn each_matrix_of_a_tile_is_one_subgroups() {
        for size in [CooperativeSize::Eight, CooperativeSize::Sixteen] {
            for subgroup in [1, 4, 8, 16, 32, 64, 128, 256, 1024] {
                let own = Cooperative { size, half: false, subgroup, spelt_out: false };
                let shares = own.shares();
                let Shares { down, across, rows, columns } = shares;
                assert!(down * across <= (INVOCATIONS / subgroup).max(1), "{subgroup}: {shares:?}");
                let side = TILE / size.number();
                let mut owners = vec![0; side * side];
                for share in 0..down * across {
                    let (first_row, first_column) = (share / across * rows, share % across * columns);
                    for row in first_row..first_row + rows {
                        for column in first_column..first_column + columns {
                            owners[row * side + column] += 1;
                        }
                    }
                }
                assert!(owners.iter().all(|owners| *owners == 1), "{subgroup}: {shares:?}");
            }
        }
    }
}
