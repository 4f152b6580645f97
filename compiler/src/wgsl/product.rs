//! Products: in tiles where there are many rows, each row alone where there are few, and inside a workgroup's own step.
//!
//! A tile is 64 rows by 64 columns: 256 invocations hold 4 by 4 sums each, and 16 of the depth at a time lie in workgroup
//! memory; a bundle of columns is among the four of one invocation. With few rows a workgroup reads 64 columns of the weights, four invocations for each column, every fourth row of
//! the depth. By cooperative matrices the same tiles are computed otherwise (`cooperative.rs`). Weights are row-major, as deep as the operand is long, so that neighbouring invocations read neighbours.

use super::columns::{Columns, Places, columns, places};
use super::kernel::Spelling;
use super::numbers::At;
use super::shader::{Entry, FEW_COLUMNS, FEW_ROWS, Grid, Phase, TILE};
use super::text::{Expression, Strength, Text};
use crate::kernel::{Body, Loop, Place, Product};

/// Depth that a tile takes at a time.
pub(super) const DEPTH: usize = 16;
/// Invocations of a tile.
pub(super) const INVOCATIONS: usize = 256;

impl Spelling<'_> {
    /// A product as a dispatch, with the loops that need a few of its numbers each.
    pub fn product(&mut self, text: &mut Text, suffix: &str, product: &Product, after: &[&Loop]) -> Phase {
        let columns = columns(product, after).expect("these loops were found to fit");
        self.finish(text, suffix, product, after, &columns);
        if !columns.in_order {
            column_of(text, suffix, &columns);
        }
        match self.cooperative {
            Some(own) => self.cooperative_tiles(text, suffix, product, &columns, &own),
            None => self.tiles(text, suffix, product, &columns),
        }
        self.few(text, suffix, product, &columns);
        let vectors = product.rows;
        let columns = match (columns.in_order, columns.groups.last()) {
            (false, Some(last)) => (last.start + last.places.count()) * columns.parts,
            _ => product.columns,
        };
        let few = Grid::Tiles { vectors, rows: 1, columns, width: FEW_COLUMNS };
        let tiles = Grid::Tiles { vectors, rows: TILE, columns, width: TILE };
        let each = matches!(self.kernel.body, Body::Scan { .. }).then_some(1);
        let any = |name: &str, grid: Grid| Entry::any(format!("{name}{suffix}"), grid, each);
        Phase {
            entries: vec![
                Entry { most: Some(FEW_ROWS / vectors.min(FEW_ROWS)), ..any("product_few", few) },
                any("product", tiles),
            ],
        }
    }

    fn product_comment(&self, text: &mut Text, product: &Product) {
        let printed = self.program.print_product(self.kernel, product);
        printed.lines().for_each(|line| text.line(format!("// {}", line.trim_start())));
    }

    /// What is done with a bundle of the product's numbers.
    fn finish(&mut self, text: &mut Text, suffix: &str, product: &Product, after: &[&Loop], columns: &Columns) {
        let mut body = Text::default();
        if self.is_kept(product.target) {
            let (array, _) = self.array(product.target);
            let place = Expression::atom("matrix_row").times(product.columns as i64).plus(&Expression::atom("leader"));
            body.line(format!("{array}[{}] = product;", place.text));
        }
        let Place::Scratch(target) = product.target else {
            debug_assert!(after.is_empty(), "a product that goes to a buffer is not read where it is made");
            return self.finish_with(text, suffix, product, &body, (columns, false));
        };
        for group in &columns.groups {
            // Leaders of columns in their own order are columns.
            let start = if columns.in_order { group.places.first() } else { group.start as i64 };
            let end = start + group.places.count() as i64;
            for stage in group.loops.iter().map(|number| after[*number]) {
                let places = places(stage, product).expect("it was found to need these numbers");
                self.comment(&mut body, stage);
                self.held = super::kernel::Held::default();
                // A group may have fewer numbers than the largest bundle, whose variables these are.
                let offsets = places.parts.iter().map(|part| places.fixed + part);
                let variables = offsets.zip(numbers(columns.parts)).collect();
                let mut at = At { product: Some((target, variables)), ..At::default() };
                for range in &stage.ranges {
                    let name = self.names.free(&range.name, &at.indices);
                    at.indices.push(name);
                }
                let indices = index_lines(&at.indices, &places, start);
                let head = match start {
                    0 => format!("if place < {end}"),
                    start => format!("if place >= {start} && place < {end}"),
                };
                body.block(head, |text| {
                    indices.iter().for_each(|line| text.line(line));
                    self.one_element(text, stage, &at);
                });
            }
        }
        self.finish_with(text, suffix, product, &body, (columns, !after.is_empty()));
    }

    fn finish_with(
        &mut self,
        text: &mut Text,
        suffix: &str,
        product: &Product,
        body: &Text,
        (columns, rows): (&Columns, bool),
    ) {
        let backward = match &self.kernel.body {
            Body::Scan { backward, .. } => Some(*backward),
            Body::Rows { .. } | Body::Attention(_) => None,
        };
        text.line("");
        self.product_comment(text, product);
        let numbers: Vec<String> = numbers(columns.parts).iter().map(|name| format!("{name}: f32")).collect();
        let head = format!("fn finish{suffix}(matrix_row: i32, leader: i32, {})", numbers.join(", "));
        text.block(head, |text| {
            if rows {
                let vectors = product.rows;
                let row = if backward.is_some() { "sequence" } else { "row" };
                match vectors {
                    1 => text.line(format!("let {row} = matrix_row;\nlet place = leader;")),
                    _ => {
                        text.line(format!("let {row} = matrix_row / {vectors};"));
                        text.line(format!("let place = {} * (matrix_row % {vectors}) + leader;", product.columns));
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

    /// Which rows and columns a workgroup's tile begins with.
    pub fn tile_lines(&self, text: &mut Text, product: &Product) {
        let begin = Expression::atom("run.begin").times(product.rows as i64).text;
        text.line(format!("let first_column = {TILE} * i32(group.x);"));
        text.line(format!("let first_row = {begin} + {TILE} * i32(group.y);"));
    }

    /// Brings a tile's part of the depth to workgroup memory: the operand's by row and part, the weights' by part and column,
    /// as f16 where these are half; zeros past the edges.
    pub fn stage_tile(
        &self,
        text: &mut Text,
        suffix: &str,
        product: &Product,
        order: &Columns,
        (left, right): &(String, String),
        half: bool,
    ) {
        let (depth, columns) = (product.depth, product.columns);
        let (operand, _) = self.array(product.operand);
        let own = Expression::atom("own_depth").times(columns as i64).plus(&Expression::atom("own_column"));
        let weight = self.argument_element(product.weights, &own).text;
        let end = Expression::atom("run.end").times(product.rows as i64).text;
        let by = Expression::whole((DEPTH * TILE) as i64);
        let store = |text: &mut Text, place: &str, inside: String| {
            let number = format!("select(0.0, own, {inside})");
            let number = if half { format!("f16({number})") } else { number };
            text.line(format!("{place} = {number};"));
        };
        text.count("number", "lane", &by, INVOCATIONS, |text| {
            text.line(format!("let row = number / {DEPTH};\nlet part = number % {DEPTH};"));
            text.line("let matrix_row = first_row + row;\nlet own_depth = depth + part;");
            text.line(format!("let own = {operand}[{depth} * matrix_row + own_depth];"));
            store(text, left, format!("matrix_row < {end} && own_depth < {depth}"));
        });
        text.count("number", "lane", &by, INVOCATIONS, |text| {
            text.line(format!("let part = number / {TILE};\nlet column = number % {TILE};"));
            text.line("let own_depth = depth + part;");
            let (own, inside) = own_column(order, suffix, "column", columns);
            text.line(format!("let own_column = {own};"));
            text.line(format!("let own = {weight};"));
            store(text, right, format!("{inside} && own_depth < {depth}"));
        });
    }

    fn tiles(&mut self, text: &mut Text, suffix: &str, product: &Product, order: &Columns) {
        let (depth, columns, parts) = (product.depth, product.columns, order.parts);
        let quads = TILE / 4;
        for side in ["left", "right"] {
            self.declare(format!("var<workgroup> {side}: array<vec4f, {}>;", DEPTH * quads));
        }
        let end = Expression::atom("run.end").times(product.rows as i64).text;
        self.entry(text, &format!("product{suffix}"), INVOCATIONS, |text, spelling| {
            spelling.tile_lines(text, product);
            text.line("// the invocation's own four rows and four columns of the tile");
            text.line(format!("let own_row = lane / {quads};\nlet own_column = lane % {quads};"));
            text.line("var sums: array<vec4f, 4>;");
            text.count("depth", "0", &Expression::whole(depth as i64), DEPTH, |text| {
                let places = (
                    format!("left[{quads} * part + row / 4][row % 4]"),
                    format!("right[{quads} * part + column / 4][column % 4]"),
                );
                spelling.stage_tile(text, suffix, product, order, &places, false);
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
                text.count("c", "0", &Expression::whole(4), parts, |text| {
                    text.line(match parts {
                        1 => "let leader = first_column + 4 * own_column + c;".to_string(),
                        _ => format!("let leader = (first_column + 4 * own_column + c) / {parts};"),
                    });
                    let most = leaders(order, columns);
                    text.block(format!("if matrix_row < {end} && leader < {most}"), |text| {
                        let sums: Vec<String> = (0..parts)
                            .map(|part| match part {
                                0 => "sums[r][c]".to_string(),
                                part => format!("sums[r][c + {part}]"),
                            })
                            .collect();
                        text.line(format!("finish{suffix}(matrix_row, leader, {});", sums.join(", ")));
                    });
                });
            });
        });
    }

    fn few(&mut self, text: &mut Text, suffix: &str, product: &Product, order: &Columns) {
        let (depth, columns, parts) = (product.depth, product.columns, order.parts);
        let (operand, _) = self.array(product.operand);
        let own = Expression::atom("k").times(columns as i64).plus(&Expression::atom("own_column"));
        let weight = self.argument_element(product.weights, &own).text;
        let shares = INVOCATIONS / FEW_COLUMNS;
        self.declare(format!("var<workgroup> partial: array<f32, {INVOCATIONS}>;"));
        let begin = Expression::atom("run.begin").times(product.rows as i64).text;
        self.entry(text, &format!("product_few{suffix}"), INVOCATIONS, |text, _| {
            text.line(format!("let first_column = {FEW_COLUMNS} * i32(group.x);"));
            text.line(format!("let matrix_row = {begin} + i32(group.y);"));
            let (own, inside) = own_column(order, suffix, &format!("lane % {FEW_COLUMNS}"), columns);
            text.line(format!("let own_column = {own};"));
            text.line("var sum = 0.0;");
            text.block(format!("if {inside}"), |text| {
                text.count("k", &format!("lane / {FEW_COLUMNS}"), &Expression::whole(depth as i64), shares, |text| {
                    text.line(format!("sum = fma({operand}[{depth} * matrix_row + k], {weight}, sum);"));
                });
            });
            text.line("partial[lane] = sum;\nworkgroupBarrier();");
            text.line(match parts {
                1 => "let leader = first_column + lane;".to_string(),
                _ => format!("let leader = (first_column + lane) / {parts};"),
            });
            let is_first = if parts == 1 { String::new() } else { format!(" && lane % {parts} == 0") };
            let most = leaders(order, columns);
            text.block(format!("if lane < {FEW_COLUMNS}{is_first} && leader < {most}"), |text| {
                let sums = (0..parts).map(|part| {
                    let of_share = |share: usize| match part + share * FEW_COLUMNS {
                        0 => "partial[lane]".to_string(),
                        behind => format!("partial[lane + {behind}]"),
                    };
                    (0..shares).map(of_share).collect::<Vec<_>>().join(" + ")
                });
                let sums: Vec<String> = sums.collect();
                text.line(format!("finish{suffix}(matrix_row, leader, {});", sums.join(", ")));
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
                let right = self.argument_element(product.weights, &right);
                text.line(format!("sum = fma({}, {}, sum);", left.text, right.text));
            });
            let target = element(self, product.target, &Expression::atom("place"));
            text.line(format!("{} = sum;", target.text));
        });
    }
}

/// The names of a bundle's numbers.
fn numbers(parts: usize) -> Vec<String> {
    match parts {
        1 => vec!["product".to_string()],
        parts => (0..parts).map(|part| format!("product_{part}")).collect(),
    }
}

/// How many bundles there are.
pub(super) fn leaders(order: &Columns, columns: usize) -> usize {
    match (order.in_order, order.groups.last()) {
        (false, Some(last)) => last.start + last.places.count(),
        _ => columns,
    }
}

/// The column at a place of the workgroup's, and whether there is one.
fn own_column(order: &Columns, suffix: &str, place: &str, columns: usize) -> (String, String) {
    match (order.in_order, order.parts) {
        (true, _) => (format!("first_column + {place}"), format!("own_column < {columns}")),
        (false, 1) => (format!("column_of{suffix}(first_column + {place}, 0)"), "own_column >= 0".to_string()),
        (false, parts) => {
            let all = if place.contains(' ') { format!("({place})") } else { place.to_string() };
            let leader = format!("(first_column + {place}) / {parts}");
            (format!("column_of{suffix}({leader}, {all} % {parts})"), "own_column >= 0".to_string())
        }
    }
}

/// The function that tells a bundle's columns: -1 where it has none.
fn column_of(text: &mut Text, suffix: &str, columns: &Columns) {
    text.line("");
    text.line("// a bundle's columns: -1 where it has fewer than others");
    text.block(format!("fn column_of{suffix}(leader: i32, part: i32) -> i32"), |text| {
        for group in &columns.groups {
            let (start, count) = (group.start as i64, group.places.count() as i64);
            text.block(format!("if leader >= {start} && leader < {}", start + count), |text| {
                let own = Expression::atom("leader").minus(&Expression::whole(start));
                let mut sum = Expression::whole(group.places.first());
                let mut apart = 1;
                for (_, size, stride) in group.places.radix() {
                    let index = digit(&own, apart, size, count as usize);
                    sum = index.times(stride as i64).plus(&sum);
                    apart *= size;
                }
                let behind = &group.places.parts;
                if behind.len() < columns.parts {
                    text.line(format!("if part >= {} {{\n  return -1;\n}}", behind.len()));
                }
                match behind.as_slice() {
                    [_] => text.line(format!("return {};", sum.text)),
                    [_, step] => {
                        let part = Expression::atom("part").times(*step);
                        text.line(format!("return {};", sum.plus(&part).text));
                    }
                    parts => {
                        let list: Vec<String> = parts.iter().map(i64::to_string).collect();
                        text.line(format!("var behind = array<i32, {}>({});", parts.len(), list.join(", ")));
                        text.line(format!("return {};", sum.plus(&Expression::atom("behind[part]")).text));
                    }
                }
            });
        }
        text.line("return -1;");
    });
}

/// The lines that tell a loop's indices from the bundle's number, where its first one has the number `start`.
fn index_lines(names: &[String], places: &Places, start: i64) -> Vec<String> {
    let own = Expression::atom("place").minus(&Expression::whole(start));
    let mut digits: Vec<Expression> = vec![Expression::whole(0); names.len()];
    let mut apart = 1;
    for (number, size, _) in places.radix() {
        digits[number] = digit(&own, apart, size, places.count());
        apart *= size;
    }
    let lines = names.iter().zip(&digits).zip(&places.indices);
    lines
        .map(|((name, digit), (from, ..))| format!("let {name} = {};", digit.plus(&Expression::whole(*from)).text))
        .collect()
}

/// One of the digits of a number below `all`: `apart` is the product of the sizes of those behind it.
fn digit(number: &Expression, apart: usize, size: usize, all: usize) -> Expression {
    let mut digit = number.clone();
    if apart > 1 {
        digit = digit.infix("/", &Expression::whole(apart as i64), Strength::Product);
    }
    if apart * size < all {
        digit = digit.infix("%", &Expression::whole(size as i64), Strength::Product);
    }
    digit
}
