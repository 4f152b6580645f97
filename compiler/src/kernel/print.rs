//! Kernels as text.

use super::{
    Access, Attention, Body, Bound, BufferId, Call, Comparison, Depth, Keep, Kernel, Loop, Offset, Part, Place,
    Product, Program, Range, Role, Row, Scalar, Space, Stage, Steps, Track, TrackId,
};
use crate::term::{Binary, TimeId, Unary, print_number};
use std::fmt::Write;

impl Program {
    /// The whole program: its buffers, kernels and calls.
    pub fn print(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "program {}", self.name);
        for (name, length) in self.times.iter().zip(&self.lengths) {
            if let Some(length) = length {
                let _ = writeln!(text, "always {length} positions of {name}");
            }
        }
        for limit in &self.limits {
            let _ = writeln!(text, "at most {} positions of {} ({})", limit.most, self.time(limit.time), limit.value);
        }
        for (place, buffer) in self.buffers.iter().enumerate() {
            let role = match &buffer.role {
                Role::Input(_) => "input".to_string(),
                Role::Weight(_) => "weight".to_string(),
                Role::Packed(_) => "packed weights".to_string(),
                Role::Constant(_) => "constant".to_string(),
                Role::Computed { slot, chained: None } => format!("slot {slot}, or within a chain"),
                Role::Computed { slot, chained: Some(chained) } if slot == chained => format!("slot {slot}"),
                Role::Computed { slot, chained: Some(chained) } => format!("slot {slot}, or {chained} beside chains"),
                Role::Kept => "kept".to_string(),
            };
            let rows = self.space(&buffer.space);
            let _ = writeln!(text, "buffer {place} {} {rows}{} {role}", buffer.name, buffer.row);
        }
        for (place, kernel) in self.kernels.iter().enumerate() {
            let _ = writeln!(text, "\n{}", self.print_kernel(place, kernel));
        }
        let _ = writeln!(text);
        for chain in &self.chains {
            let calls = &self.calls[chain.calls.clone()];
            let several = calls.len() > 1;
            if several {
                let _ = writeln!(text, "chain of {} calls, {} numbers of a row between them", calls.len(), chain.row);
            }
            for call in calls {
                let name = |buffer: &BufferId| match chain.inner.get(buffer) {
                    Some(place) => format!("{} at {place}", buffer.0),
                    None => buffer.0.to_string(),
                };
                let arguments: Vec<String> = call.arguments.iter().map(name).collect();
                let part = match call.part {
                    Part::New => "",
                    Part::Once => "once ",
                    Part::SoFar => "so far ",
                };
                let indent = if several { "  " } else { "" };
                let Call { kernel, name, .. } = call;
                let _ = writeln!(text, "{indent}{part}call kernel {kernel} ({}) // {name}", arguments.join(", "));
            }
        }
        for output in &self.outputs {
            let _ = writeln!(text, "output {} = buffer {}", output.name, output.buffer.0);
        }
        text
    }

    fn time(&self, time: TimeId) -> &str {
        &self.times[time.0 as usize]
    }

    /// A track as text: `T`, `T 2 later`, `T and the last 3`, `T and all before`, `T, 2 rows in turn`.
    fn track_name(&self, track: TrackId) -> String {
        let Track { time, lag, keep, turns } = self.track(track);
        let lag = if lag == 0 { String::new() } else { format!(" {lag} later") };
        let keep = match keep {
            Keep::New => String::new(),
            Keep::Last(count) => format!(" and the last {count}"),
            Keep::All => " and all before".to_string(),
        };
        let turns = turns.map_or(String::new(), |turns| format!(", {turns} rows in turn"));
        format!("{}{lag}{keep}{turns}", self.time(time))
    }

    fn space(&self, space: &Space) -> String {
        match space {
            Space::Global => String::new(),
            Space::Tracks(tracks) if tracks.is_empty() => "sequences x ".to_string(),
            Space::Tracks(tracks) => tracks.iter().map(|track| format!("{} x ", self.track_name(*track))).collect(),
        }
    }

    /// One kernel.
    pub fn print_kernel(&self, place: usize, kernel: &Kernel) -> String {
        let mut text = String::new();
        let printer = Printer { program: self, kernel };
        let rows = match kernel.rows {
            Some(track) => format!("positions of {}", self.track_name(track)),
            None => "sequences".to_string(),
        };
        let how = match &kernel.body {
            Body::Rows { block, .. } => format!("blocks of {block} {rows}"),
            Body::Scan { backward, steps, .. } => {
                let backward = if *backward { "backward " } else { "" };
                let steps = match steps {
                    Steps::Positions => String::new(),
                    Steps::Blocks { block, slices } => {
                        let apart = slices.map_or(String::new(), |slices| format!(", {slices} entries apart"));
                        format!(" in blocks of {block}{apart}")
                    }
                };
                format!("{backward}scan over {rows}{steps}")
            }
            Body::Attention(_) => format!("attention over {rows}"),
        };
        let _ = writeln!(text, "kernel {place} {}: {how}", kernel.name);
        for (number, argument) in kernel.arguments.iter().enumerate() {
            let written = if argument.written { " written" } else { "" };
            let space = self.space(&argument.space);
            let _ = writeln!(text, "  argument {number} {} {space}{}{written}", argument.name, argument.row);
        }
        for (number, scratch) in kernel.scratch.iter().enumerate() {
            let _ = writeln!(text, "  scratch {number} {} {}", scratch.name, scratch.row);
        }
        match &kernel.body {
            Body::Rows { stages, .. } | Body::Scan { stages, .. } => {
                for stage in stages {
                    match stage {
                        Stage::Loop(stage) => printer.print_loop(&mut text, stage),
                        Stage::Product(product) => printer.print_product(&mut text, product),
                    }
                }
            }
            Body::Attention(attention) => printer.print_attention(&mut text, attention),
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// A loop stage of a kernel.
    pub(crate) fn print_stage(&self, kernel: &Kernel, stage: &Loop) -> String {
        let mut text = String::new();
        Printer { program: self, kernel }.print_loop(&mut text, stage);
        text
    }

    /// A product of a kernel.
    pub(crate) fn print_product(&self, kernel: &Kernel, product: &Product) -> String {
        let mut text = String::new();
        Printer { program: self, kernel }.print_product(&mut text, product);
        text
    }

    /// The attention of a kernel.
    pub(crate) fn print_attention(&self, kernel: &Kernel, attention: &Attention) -> String {
        let mut text = String::new();
        Printer { program: self, kernel }.print_attention(&mut text, attention);
        text
    }
}

/// A kernel's structure without the names that differ between calls.
pub(super) fn without_names(kernel: &Kernel) -> String {
    let mut bare = kernel.clone();
    bare.name.clear();
    bare.arguments.iter_mut().for_each(|argument| argument.name.clear());
    bare.scratch.iter_mut().for_each(|scratch| scratch.name.clear());
    let clear = |ranges: &mut Vec<Range>| ranges.iter_mut().for_each(|range| range.name.clear());
    match &mut bare.body {
        Body::Rows { stages, .. } | Body::Scan { stages, .. } => {
            for stage in stages {
                match stage {
                    Stage::Loop(stage) => {
                        stage.name.clear();
                        clear(&mut stage.ranges);
                    }
                    Stage::Product(product) => product.name.clear(),
                }
            }
        }
        Body::Attention(attention) => {
            attention.name.clear();
            clear(&mut attention.heads);
            attention.keys.name.clear();
        }
    }
    format!("{bare:?}")
}

struct Printer<'a> {
    program: &'a Program,
    kernel: &'a Kernel,
}

impl Printer<'_> {
    fn print_loop(&self, text: &mut String, stage: &Loop) {
        let names: Vec<&str> = stage.ranges.iter().map(|range| range.name.as_str()).collect();
        let mut depth = 2;
        for (place, range) in stage.ranges.iter().enumerate() {
            let what = match (stage.reduction, place >= stage.results) {
                (Some(reduction), true) => format!("{} over", reduction.name()),
                _ => "for".to_string(),
            };
            let lanes = if stage.lanes == Some(place) { " by 4" } else { "" };
            let slice = if stage.slice == Some(place) { ", some of it" } else { "" };
            let _ = writeln!(text, "{:depth$}{what} {}{lanes}{slice}", "", self.range(range));
            depth += 2;
        }
        let body = self.scalar(&stage.body, &names);
        let domain = match stage.domain.as_slice() {
            [] => String::new(),
            all => format!(" where {}", self.comparisons(all, &names)),
        };
        let _ = writeln!(text, "{:depth$}{} = {body}{domain}", "", self.access(&stage.target, &names));
    }

    fn print_product(&self, text: &mut String, product: &Product) {
        let rows = if product.rows == 1 { String::new() } else { format!("{} x ", product.rows) };
        let _ = writeln!(
            text,
            "  product {}[{rows}{}] = {}[{rows}{}] . {}[{} x {}]",
            self.place(product.target),
            product.columns,
            self.place(product.operand),
            product.depth,
            self.place(Place::Argument(product.weights)),
            product.depth,
            product.columns,
        );
    }

    fn print_attention(&self, text: &mut String, attention: &Attention) {
        let mut names: Vec<&str> = attention.heads.iter().map(|range| range.name.as_str()).collect();
        names.push(attention.keys.name.as_str());
        let mut depth = 2;
        for range in &attention.heads {
            let _ = writeln!(text, "{:depth$}for {}", "", self.range(range));
            depth += 2;
        }
        let along = |step: usize, count: usize| {
            if step == 1 { format!("{count}") } else { format!("{count} by {step}") }
        };
        let (query, key) = (self.access(&attention.query, &names), self.access(&attention.key, &names));
        let value = self.access(&attention.value, &names);
        let _ = writeln!(text, "{:depth$}over {}", "", self.range(&attention.keys));
        let domain = match attention.domain.as_slice() {
            [] => String::new(),
            all => format!(" where {}", self.comparisons(all, &names)),
        };
        let axes = |step: fn(&Depth) -> usize| {
            let axes: Vec<String> = attention.depth.iter().map(|axis| along(step(axis), axis.size)).collect();
            axes.join(", ")
        };
        let (of_query, of_key) = (axes(|axis| axis.query_step), axes(|axis| axis.key_step));
        let _ = writeln!(text, "{:depth$}  dot = {query}[{of_query}] . {key}[{of_key}]", "");
        let _ = writeln!(
            text,
            "{:depth$}  weight = softmax({}{domain})",
            "",
            self.scalar(&attention.scaled_score(), &names)
        );
        let _ =
            writeln!(text, "{:depth$}  mix += weight * {value}[{}]", "", along(attention.value_step, attention.width));
        let target = self.access(&attention.target, &names);
        let _ = writeln!(text, "{:depth$}{target}[{}] = mix", "", along(attention.target_step, attention.width));
    }

    fn place(&self, place: Place) -> String {
        match place {
            Place::Argument(number) => self.kernel.arguments[number].name.clone(),
            Place::Scratch(number) => self.kernel.scratch[number].name.clone(),
        }
    }

    fn bound(&self, bound: &Bound) -> String {
        let mut parts = Vec::new();
        match bound.position {
            0 => {}
            1 => parts.push("position".to_string()),
            times => parts.push(format!("{times} * position")),
        }
        parts.extend(bound.length.map(|time| format!("length({})", self.program.time(time))));
        if bound.fixed != 0 || parts.is_empty() {
            parts.push(bound.fixed.to_string());
        }
        parts.join(" + ").replace("+ -", "- ")
    }

    fn range(&self, range: &Range) -> String {
        let side = |bounds: &[Bound], name: &str| match bounds {
            [one] => self.bound(one),
            many => {
                let all: Vec<String> = many.iter().map(|bound| self.bound(bound)).collect();
                format!("{name}({})", all.join(", "))
            }
        };
        format!("{} in {}..{}", range.name, side(&range.from, "max"), side(&range.to, "min"))
    }

    fn offset(&self, offset: &Offset, names: &[&str]) -> String {
        let mut parts: Vec<String> = Vec::new();
        let times = |times: i64, name: &str| if times == 1 { name.to_string() } else { format!("{times} * {name}") };
        if offset.position != 0 {
            parts.push(times(offset.position, "position"));
        }
        for (time, by) in &offset.last {
            parts.push(times(*by, &format!("last({})", self.program.time(*time))));
        }
        for part in &offset.computed {
            parts.push(times(part.stride, &format!("whole({})", self.scalar(&part.number, names))));
        }
        for (index, by) in &offset.indices {
            parts.push(times(*by, names.get(*index).copied().unwrap_or("?")));
        }
        if offset.fixed != 0 || parts.is_empty() {
            parts.push(offset.fixed.to_string());
        }
        parts.join(" + ").replace("+ -", "- ")
    }

    fn access(&self, access: &Access, names: &[&str]) -> String {
        let rows: Vec<String> = access
            .rows
            .iter()
            .map(|row| match row {
                Row::Here => "here".to_string(),
                Row::At(offset) => self.offset(offset, names),
            })
            .collect();
        let rows = if rows.is_empty() { String::new() } else { format!("{}; ", rows.join(", ")) };
        let outside =
            access.outside.map_or(String::new(), |number| format!(" else {}", self.place(Place::Argument(number))));
        format!("{}[{rows}{}{outside}]", self.place(access.place), self.offset(&access.offset, names))
    }

    fn comparisons(&self, all: &[Comparison], names: &[&str]) -> String {
        let all: Vec<String> = all
            .iter()
            .map(|comparison| {
                let (left, right) = (self.scalar(&comparison.left, names), self.scalar(&comparison.right, names));
                format!("{left} {} {right}", comparison.comparator.symbol())
            })
            .collect();
        all.join(" and ")
    }

    fn scalar(&self, scalar: &Scalar, names: &[&str]) -> String {
        fn strength(scalar: &Scalar) -> u8 {
            match scalar {
                Scalar::Binary(Binary::Add | Binary::Subtract, ..) => 1,
                Scalar::Binary(Binary::Multiply | Binary::Divide | Binary::Remainder, ..) => 2,
                Scalar::Unary(Unary::Negate, _) => 3,
                Scalar::Binary(Binary::Power, ..) => 4,
                Scalar::Number(_)
                | Scalar::Index(_)
                | Scalar::Position
                | Scalar::Length(_)
                | Scalar::Read(_)
                | Scalar::Dot
                | Scalar::Unary(..)
                | Scalar::Binary(Binary::Minimum | Binary::Maximum, ..)
                | Scalar::Select(..) => 5,
            }
        }
        let at_least = |inner: &Scalar, least: u8| {
            let text = self.scalar(inner, names);
            if strength(inner) < least { format!("({text})") } else { text }
        };
        match scalar {
            Scalar::Number(number) => print_number(f64::from(*number)),
            Scalar::Index(index) => names.get(*index).copied().unwrap_or("?").to_string(),
            Scalar::Position => "position".to_string(),
            Scalar::Length(time) => format!("length({})", self.program.time(*time)),
            Scalar::Read(access) => self.access(access, names),
            Scalar::Dot => "dot".to_string(),
            Scalar::Unary(Unary::Negate, value) => format!("-{}", at_least(value, 3)),
            Scalar::Unary(operation, value) => format!("{}({})", operation.name(), self.scalar(value, names)),
            Scalar::Binary(operation, left, right) => {
                let own = strength(scalar);
                let infix = |symbol: &str| format!("{} {symbol} {}", at_least(left, own), at_least(right, own + 1));
                match operation {
                    Binary::Add => infix("+"),
                    Binary::Subtract => infix("-"),
                    Binary::Multiply => infix("*"),
                    Binary::Divide => infix("/"),
                    Binary::Remainder => infix("%"),
                    Binary::Power => infix("^"),
                    Binary::Minimum => format!("min({}, {})", self.scalar(left, names), self.scalar(right, names)),
                    Binary::Maximum => format!("max({}, {})", self.scalar(left, names), self.scalar(right, names)),
                }
            }
            Scalar::Select(conditions, left, right) => format!(
                "select({}, {}, {})",
                self.comparisons(conditions, names),
                self.scalar(left, names),
                self.scalar(right, names)
            ),
        }
    }
}
