//! Products: in tiles where there are many rows, each row alone where there are few, and inside a workgroup's own step.
//!
//! A tile is 64 rows by 64 columns: 256 invocations hold 4 by 4 sums each, and 16 of the depth at a time lie in workgroup
//! memory. With few rows a workgroup reads 64 columns of the weights, four invocations for each column, every fourth row of
//! the depth. Weights are row-major, as deep as the operand is long, so that neighbouring invocations read neighbours.

use super::kernel::Spelling;
use super::numbers::At;
use super::phases::places;
use super::shader::{Entry, FEW_COLUMNS, FEW_ROWS, Grid, Phase, TILE};
use super::text::{Expression, Strength, Text};
use crate::kernel::{Body, Loop, Place, Product};

/// Depth that a tile takes at a time.
const DEPTH: usize = 16;
/// Invocations of a tile.
const INVOCATIONS: usize = 256;

impl Spelling<'_> {
    /// A product as a dispatch, with the loops that need one of its numbers each.
    pub fn product(&mut self, text: &mut Text, suffix: &str, product: &Product, after: &[&Loop]) -> Phase {
        self.finish(text, suffix, product, after);
        self.tiles(text, suffix, product);
        self.few(text, suffix, product);
        let (vectors, columns) = (product.rows, product.columns);
        let few = Grid::Tiles { vectors, rows: 1, columns, width: FEW_COLUMNS };
        let tiles = Grid::Tiles { vectors, rows: TILE, columns, width: TILE };
        Phase {
            entries: vec![
                Entry { name: format!("product_few{suffix}"), grid: few, most: Some(FEW_ROWS / vectors.min(FEW_ROWS)) },
                Entry { name: format!("product{suffix}"), grid: tiles, most: None },
            ],
        }
    }

    fn product_comment(&self, text: &mut Text, product: &Product) {
        let printed = self.program.print_product(self.kernel, product);
        printed.lines().for_each(|line| text.line(format!("// {}", line.trim_start())));
    }

    /// What is done with one of the product's numbers.
    fn finish(&mut self, text: &mut Text, suffix: &str, product: &Product, after: &[&Loop]) {
        let mut body = Text::default();
        if self.is_kept(product.target) {
            let (array, _) = self.array(product.target);
            let place = Expression::atom("matrix_row").times(product.columns as i64).plus(&Expression::atom("column"));
            body.line(format!("{array}[{}] = product;", place.text));
        }
        let Place::Scratch(target) = product.target else {
            debug_assert!(after.is_empty(), "a product that goes to a buffer is not read where it is made");
            return self.finish_with(text, suffix, product, &body, false);
        };
        for stage in after {
            let found = places(stage, product).expect("it was found to need one number for each of its own");
            self.comment(&mut body, stage);
            self.held = super::kernel::Held::default();
            let mut at = At { product: Some(target), ..At::default() };
            for range in &stage.ranges {
                let name = self.names.free(&range.name, &at.indices);
                at.indices.push(name);
            }
            let mut inside = |text: &mut Text| {
                for (name, (from, size, stride)) in at.indices.iter().zip(&found.indices) {
                    let mut index = Expression::atom("place").minus(&Expression::whole(found.first as i64));
                    if *stride > 1 {
                        index = index.infix("/", &Expression::whole(*stride as i64), Strength::Product);
                    }
                    if stride * size < found.count {
                        index = index.infix("%", &Expression::whole(*size as i64), Strength::Product);
                    }
                    let index = if *size == 1 { Expression::whole(0) } else { index };
                    text.line(format!("let {name} = {};", index.plus(&Expression::whole(*from)).text));
                }
                self.one_element(text, stage, &at);
            };
            let all = product.rows * product.columns;
            let end = found.first + found.count;
            match (found.first, end == all) {
                (0, true) => body.block("", &mut inside),
                (0, false) => body.block(format!("if place < {end}"), &mut inside),
                (first, true) => body.block(format!("if place >= {first}"), &mut inside),
                (first, false) => body.block(format!("if place >= {first} && place < {end}"), &mut inside),
            }
        }
        self.finish_with(text, suffix, product, &body, !after.is_empty());
    }

    fn finish_with(&mut self, text: &mut Text, suffix: &str, product: &Product, body: &Text, rows: bool) {
        let backward = match &self.kernel.body {
            Body::Scan { backward, .. } => Some(*backward),
            Body::Rows { .. } | Body::Attention(_) => None,
        };
        text.line("");
        self.product_comment(text, product);
        text.block(format!("fn finish{suffix}(matrix_row: i32, column: i32, product: f32)"), |text| {
            if rows {
                let vectors = product.rows;
                let row = if backward.is_some() { "sequence" } else { "row" };
                match vectors {
                    1 => text.line(format!("let {row} = matrix_row;\nlet place = column;")),
                    _ => {
                        text.line(format!("let {row} = matrix_row / {vectors};"));
                        text.line(format!("let place = {} * (matrix_row % {vectors}) + column;", product.columns));
                    }
                }
                let lines = match backward {
                    None => self.row_lines(),
                    Some(backward) => self.step_head(backward, "return;"),
                };
                lines.iter().for_each(|line| text.line(line));
            }
            text.append(body);
        });
    }

    fn tiles(&mut self, text: &mut Text, suffix: &str, product: &Product) {
        let (depth, columns) = (product.depth, product.columns);
        let (operand, _) = self.array(product.operand);
        let weights = self.arguments[product.weights].clone();
        let quads = TILE / 4;
        for side in ["left", "right"] {
            let line = format!("var<workgroup> {side}: array<vec4f, {}>;", DEPTH * quads);
            if !self.extra.contains(&line) {
                self.extra.push(line);
            }
        }
        let end = Expression::atom("run.end").times(product.rows as i64).text;
        let begin = Expression::atom("run.begin").times(product.rows as i64).text;
        self.entry(text, &format!("product{suffix}"), INVOCATIONS, |text, _| {
            text.line(format!("let first_column = {TILE} * i32(group.x);"));
            text.line(format!("let first_row = {begin} + {TILE} * i32(group.y);"));
            text.line("// the invocation's own four rows and four columns of the tile");
            text.line(format!("let own_row = lane / {quads};\nlet own_column = lane % {quads};"));
            text.line("var sums: array<vec4f, 4>;");
            text.count("depth", "0", &Expression::whole(depth as i64), DEPTH, |text| {
                let by = Expression::whole((DEPTH * TILE) as i64);
                text.count("number", "lane", &by, INVOCATIONS, |text| {
                    text.line(format!("let row = number / {DEPTH};\nlet part = number % {DEPTH};"));
                    text.line(format!("let matrix_row = first_row + row;\nlet own_depth = depth + part;"));
                    text.line(format!("let own = {operand}[{depth} * matrix_row + own_depth];"));
                    text.line(format!(
                        "left[{quads} * part + row / 4][row % 4] = \
                         select(0.0, own, matrix_row < {end} && own_depth < {depth});"
                    ));
                });
                text.count("number", "lane", &by, INVOCATIONS, |text| {
                    text.line(format!("let part = number / {TILE};\nlet column = number % {TILE};"));
                    text.line("let own_depth = depth + part;");
                    text.line(format!("let own = {weights}[{columns} * own_depth + first_column + column];"));
                    text.line(format!(
                        "right[{quads} * part + column / 4][column % 4] = \
                         select(0.0, own, first_column + column < {columns} && own_depth < {depth});"
                    ));
                });
                text.line("workgroupBarrier();");
                text.count("part", "0", &Expression::whole(DEPTH as i64), 1, |text| {
                    text.line(format!("let l = left[{quads} * part + own_row];"));
                    text.line(format!("let r = right[{quads} * part + own_column];"));
                    for (number, axis) in ["x", "y", "z", "w"].iter().enumerate() {
                        text.line(format!("sums[{number}] = fma(vec4f(l.{axis}), r, sums[{number}]);"));
                    }
                });
                text.line("workgroupBarrier();");
            });
            text.count("r", "0", &Expression::whole(4), 1, |text| {
                text.line("let matrix_row = first_row + 4 * own_row + r;");
                text.count("c", "0", &Expression::whole(4), 1, |text| {
                    text.line("let column = first_column + 4 * own_column + c;");
                    text.block(format!("if matrix_row < {end} && column < {columns}"), |text| {
                        text.line(format!("finish{suffix}(matrix_row, column, sums[r][c]);"));
                    });
                });
            });
        });
    }

    fn few(&mut self, text: &mut Text, suffix: &str, product: &Product) {
        let (depth, columns) = (product.depth, product.columns);
        let (operand, _) = self.array(product.operand);
        let weights = self.arguments[product.weights].clone();
        let parts = INVOCATIONS / FEW_COLUMNS;
        let line = format!("var<workgroup> partial: array<f32, {INVOCATIONS}>;");
        if !self.extra.contains(&line) {
            self.extra.push(line);
        }
        let begin = Expression::atom("run.begin").times(product.rows as i64).text;
        self.entry(text, &format!("product_few{suffix}"), INVOCATIONS, |text, _| {
            text.line(format!("let column = {FEW_COLUMNS} * i32(group.x) + lane % {FEW_COLUMNS};"));
            text.line(format!("let matrix_row = {begin} + i32(group.y);"));
            text.line("var sum = 0.0;");
            text.block(format!("if column < {columns}"), |text| {
                text.count("k", &format!("lane / {FEW_COLUMNS}"), &Expression::whole(depth as i64), parts, |text| {
                    text.line(format!(
                        "sum = fma({operand}[{depth} * matrix_row + k], {weights}[{columns} * k + column], sum);"
                    ));
                });
            });
            text.line("partial[lane] = sum;\nworkgroupBarrier();");
            text.block(format!("if lane < {FEW_COLUMNS} && column < {columns}"), |text| {
                let all: Vec<String> = (0..parts)
                    .map(|part| match part {
                        0 => "partial[lane]".to_string(),
                        part => format!("partial[lane + {}]", part * FEW_COLUMNS),
                    })
                    .collect();
                text.line(format!("finish{suffix}(matrix_row, column, {});", all.join(" + ")));
            });
        });
    }

    /// A product by all lanes of a workgroup, from and to arrays of its own row.
    pub fn product_by_lanes(&mut self, text: &mut Text, product: &Product) {
        let Product { rows, depth, columns, .. } = *product;
        self.product_comment(text, product);
        let element = |spelling: &Self, place: Place, offset: &Expression| match place {
            Place::Scratch(number) => spelling.scratch_element(number, offset),
            Place::Argument(number) => {
                let start = Expression::atom("row").times(spelling.kernel.arguments[number].row as i64);
                Expression::atom(format!("{}[{}]", spelling.arguments[number], start.plus(offset).text))
            }
        };
        let all = Expression::whole((rows * columns) as i64);
        let lanes = self.lanes;
        text.count("place", "lane", &all, lanes, |text| {
            let (column, vector) = match rows {
                1 => (Expression::atom("place"), Expression::whole(0)),
                _ => {
                    text.line(format!("let column = place % {columns};\nlet vector = place / {columns};"));
                    (Expression::atom("column"), Expression::atom("vector"))
                }
            };
            text.line("var sum = 0.0;");
            let k = Expression::atom("k");
            text.count("k", "0", &Expression::whole(depth as i64), 1, |text| {
                let left = element(self, product.operand, &vector.times(depth as i64).plus(&k));
                let right = k.times(columns as i64).plus(&column);
                text.line(format!(
                    "sum = fma({}, {}[{}], sum);",
                    left.text, self.arguments[product.weights], right.text
                ));
            });
            let target = element(self, product.target, &Expression::atom("place"));
            text.line(format!("{} = sum;", target.text));
        });
    }
}
