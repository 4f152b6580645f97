//! Attention: a workgroup for each query and head, which goes over the keys it sees block by block.
//!
//! Each lane scores one key of a block; the largest score so far, the sum of exponentials and the mix of values are kept,
//! and scaled down when a block has a larger score (Milakov and Gimelshein, "Online normalizer calculation for softmax",
//! 2018). Scores are never stored beyond a block, and blocks that no query sees are not visited. Blocks begin at multiples
//! of their size from the sequence's start, as on the CPU, where they are larger.

use super::functions::Function;
use super::kernel::{Held, Spelling};
use super::numbers::At;
use super::text::{Expression, Strength, Text};
use crate::kernel::{Access, Attention, KEY_BLOCK, Scalar};
use crate::term::Reduction;

/// Invocations of a workgroup, and keys of a block.
const LANES: usize = 64;
const _: () = assert!(KEY_BLOCK.is_multiple_of(LANES));

/// What stands for the largest score where none was seen.
const LOWEST: &str = "-3e38f";

impl Spelling<'_> {
    /// The entry point; gives how many workgroups each row has.
    pub fn attention(&mut self, text: &mut Text, attention: &Attention) -> usize {
        self.lanes = LANES;
        self.held = Held::default();
        self.functions.insert(Function::Exp);
        let mut at = At { certain: true, ..At::default() };
        for range in &attention.heads {
            let name = self.names.free(&range.name, &at.indices);
            at.indices.push(name);
        }
        // Heads of a known number are workgroups of their own; the others, if any, are gone through by each.
        let mut fixed: Vec<(usize, i64, i64)> = Vec::new();
        let mut loops: Vec<(usize, Expression, Expression)> = Vec::new();
        for (number, range) in attention.heads.iter().enumerate() {
            let (from, to) = self.range(range);
            match (from.as_whole(), to.as_whole()) {
                (Some(from), Some(to)) => fixed.push((number, from, to - from)),
                _ => loops.push((number, from, to)),
            }
        }
        let heads: i64 = fixed.iter().map(|(_, _, size)| size).product();
        let depth = attention.numbers();
        self.extra.push(format!("var<workgroup> query: array<f32, {depth}>;"));
        self.extra.push(format!("var<workgroup> weight: array<f32, {LANES}>;"));
        let mut inner = Text::default();
        self.of_head(&mut inner, attention, &at);
        for (number, from, to) in loops.iter().rev() {
            let mut around = Text::default();
            around.count(&at.indices[*number], &from.text, to, 1, |text| text.append(&inner));
            inner = around;
        }
        let lines = self.row_lines();
        self.entry(text, "attention", LANES, |text, _| {
            let item = format!("i32(group.x + {}u * group.y)", super::shader::WORKGROUPS);
            match heads {
                1 => text.line(format!("let row = run.begin + {item};")),
                _ => {
                    text.line(format!("let place = {item};"));
                    text.line(format!("let row = run.begin + place / {heads};"));
                }
            }
            text.line("if row >= run.end {\n  return;\n}");
            let mut apart = 1;
            for (number, from, size) in fixed.iter().rev() {
                let mut index = Expression::atom("place");
                if apart > 1 {
                    index = index.infix("/", &Expression::whole(apart), Strength::Product);
                }
                index = index.infix("%", &Expression::whole(*size), Strength::Product);
                let index = if *size == 1 { Expression::whole(0) } else { index };
                text.line(format!("let {} = {};", at.indices[*number], index.plus(&Expression::whole(*from)).text));
                apart *= size;
            }
            lines.iter().for_each(|line| text.line(line));
            text.append(&inner);
        });
        heads as usize
    }

    /// One query of one head.
    fn of_head(&mut self, text: &mut Text, attention: &Attention, heads: &At) {
        let (depth, width) = (attention.numbers(), attention.width);
        let printed = self.program.print_attention(self.kernel, attention);
        printed.lines().for_each(|line| text.line(format!("// {}", line.trim_start())));
        let with_key = |name: &str| {
            let mut at = heads.clone();
            at.indices.push(name.to_string());
            at
        };
        text.count("number", "lane", &Expression::whole(depth as i64), LANES, |text| {
            let steps: Vec<(usize, usize)> = attention.depth.iter().map(|axis| (axis.size, axis.query_step)).collect();
            let own = self.along(&attention.query, heads, &steps_of("number", &steps));
            text.line(format!("query[number] = {};", own.text));
        });
        text.line("workgroupBarrier();");
        let (from, to) = self.range(&attention.keys);
        text.line(format!("let first = {};\nlet end = {};", from.text, to.text));
        text.line(format!("var highest = {LOWEST};\nvar total = 0.0;"));
        text.line(format!("var mix: array<f32, {}>;", width.div_ceil(LANES).max(1)));
        let to = Expression::atom("end");
        text.count("block", &format!("first & ~{}", LANES - 1), &to, LANES, |text| {
            text.line("let key = block + lane;");
            text.line(format!("var seen = key >= first && key < end;\nvar score = {LOWEST};"));
            text.block("if seen", |text| {
                let at = with_key("key");
                text.line("var dot = 0.0;");
                self.dot(text, attention, &at);
                let inside = At { certain: false, ..at.clone() };
                if let Some(condition) = self.all_hold(&attention.domain, &inside) {
                    text.line(format!("seen = {};", condition.text));
                }
                let scaled = attention.scaled_score();
                let score = self.number(&scaled, &inside);
                if scaled != Scalar::Dot || !attention.domain.is_empty() {
                    text.line(format!("score = select({LOWEST}, {}, seen);", score.text));
                } else {
                    text.line("score = dot;");
                }
            });
            let highest = self.of_all_lanes(Reduction::Maximum);
            let sum = self.of_all_lanes(Reduction::Sum);
            text.line(format!("let now = max(highest, {highest}(lane, score));"));
            text.line("let scale = exp32(highest - now);");
            text.line("let own = select(0.0, exp32(score - now), seen);");
            text.line("weight[lane] = own;");
            text.line(format!("total = fma(total, scale, {sum}(lane, own));"));
            text.line("highest = now;");
            text.line("let start = max(first - block, 0);");
            text.line(format!("let count = min({LANES}, end - block);"));
            self.each_number(text, width, |spelling, text, part, number| {
                text.line(format!("var sum = mix[{part}] * scale;"));
                text.count("place", "start", &Expression::atom("count"), 1, |text| {
                    let at = with_key("(block + place)");
                    let step = Expression::atom(number).times(attention.value_step as i64);
                    let value = spelling.along(&attention.value, &at, &step);
                    text.line(format!("sum = fma(weight[place], {}, sum);", value.text));
                });
                text.line(format!("mix[{part}] = sum;"));
            });
            text.line("workgroupBarrier();");
        });
        text.line("// a softmax over nothing is zero");
        text.line("let share = select(1.0 / total, 0.0, total == 0.0);");
        self.each_number(text, width, |spelling, text, part, number| {
            let step = Expression::atom(number).times(attention.target_step as i64);
            let target = spelling.along(&attention.target, heads, &step);
            text.line(format!("{} = mix[{part}] * share;", target.text));
        });
    }

    /// The lane's own numbers of a value.
    fn each_number(&mut self, text: &mut Text, width: usize, body: impl FnOnce(&mut Self, &mut Text, &str, &str)) {
        if width <= LANES {
            return text.block(format!("if lane < {width}"), |text| body(self, text, "0", "lane"));
        }
        let parts = Expression::whole(width.div_ceil(LANES) as i64);
        text.count("part", "0", &parts, 1, |text| {
            text.line(format!("let number = lane + {LANES} * part;"));
            text.block(format!("if number < {width}"), |text| body(self, text, "part", "number"));
        });
    }

    /// The product of query and key.
    fn dot(&mut self, text: &mut Text, attention: &Attention, at: &At) {
        let depth = Expression::whole(attention.numbers() as i64);
        text.count("number", "0", &depth, 1, |text| {
            let steps: Vec<(usize, usize)> = attention.depth.iter().map(|axis| (axis.size, axis.key_step)).collect();
            let key = self.along(&attention.key, at, &steps_of("number", &steps));
            text.line(format!("dot = fma(query[number], {}, dot);", key.text));
        });
    }

    /// An element so far behind the one at an address.
    fn along(&mut self, access: &Access, at: &At, step: &Expression) -> Expression {
        let mut moved = access.clone();
        // The step is one more index, which the address adds as it is.
        let mut at = at.clone();
        at.indices.push(step.at_least(Strength::Product));
        moved.offset.indices.push((at.indices.len() - 1, 1));
        self.element(&moved, &at).0
    }
}

/// How far behind the first a vector's number lies, whose axes have these sizes and steps.
fn steps_of(number: &str, axes: &[(usize, usize)]) -> Expression {
    let mut sum = Expression::whole(0);
    let mut apart: usize = axes.iter().map(|(size, _)| size).product();
    let all = apart;
    for (size, step) in axes {
        let mut index = Expression::atom(number);
        apart /= size;
        if apart > 1 {
            index = index.infix("/", &Expression::whole(apart as i64), Strength::Product);
        }
        if apart * size < all {
            index = index.infix("%", &Expression::whole(*size as i64), Strength::Product);
        }
        sum = sum.plus(&index.times(*step as i64));
    }
    sum
}
