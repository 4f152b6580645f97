//! Scans step by step: one workgroup for each sequence, or an invocation for each entry, and where a step finds its row.

use super::kernel::Spelling;
use super::lookups::Need;
use super::loops::Share;
use super::phases::Plan;
use super::text::{Expression, Text};
use crate::kernel::{Stage, Table};

/// Entries of an axis that a workgroup computes of a scan whose work is shared out.
pub(super) const ENTRIES: usize = 64;

impl Spelling<'_> {
    /// Which row a scan comes to in a step: the lines that say so, and those that are needed for it before the steps.
    pub fn step_lines(&mut self, backward: bool) -> Vec<String> {
        let track = self.kernel.rows.expect("a scan runs over positions");
        let count = self.count_of(track);
        let first = self.need(Need::Track(track, Table::First));
        let place = if backward { format!("{count} - 1 - step") } else { "step".to_string() };
        let whole = self.program.chunks.is_none();
        let from = if whole { String::new() } else { format!("{} + ", self.need(Need::Track(track, Table::From))) };
        let mut lines = Vec::new();
        if self.needs.contains(&Need::Position) {
            lines.push(format!("let position = {from}{place};"));
        }
        lines.push(format!("let row = {first} + {place};"));
        lines
    }

    /// The lines by which a dispatch of one step finds its row, or leaves.
    pub fn step_head(&mut self, backward: bool, leave: &str) -> Vec<String> {
        let track = self.kernel.rows.expect("a scan runs over positions");
        let lines = self.step_lines(backward);
        let count = self.count_of(track);
        let mut head = self.sequence_lines();
        head.push("let step = run.step;".to_string());
        head.push(format!("if step >= {count} {{\n  {leave}\n}}"));
        head.extend(lines);
        head
    }

    /// The steps of a sequence by one workgroup: all, or as many as are one dispatch.
    pub fn scan_of_sequence(&mut self, text: &mut Text, stages: &[Stage], backward: bool, plan: &Plan) {
        let mut body = Text::default();
        stages.iter().for_each(|stage| self.stage_by_lanes(&mut body, stage, true));
        let lines = self.step_lines(backward);
        let count = self.count_of(self.kernel.rows.expect("a scan runs over positions"));
        let before = self.sequence_lines();
        let lanes = self.lanes;
        self.entry(text, "scan", lanes, |text, spelling| {
            spelling.item(text);
            before.iter().for_each(|line| text.line(line));
            text.count("step", "run.step", &end_of_steps(plan, &count), 1, |text| {
                lines.iter().for_each(|line| text.line(line));
                text.append(&body);
            });
        });
    }

    /// The same, each entry by one invocation.
    pub fn scan_of_entries(&mut self, text: &mut Text, stages: &[Stage], backward: bool, entries: usize, plan: &Plan) {
        let mut body = Text::default();
        for stage in stages {
            let Stage::Loop(stage) = stage else { unreachable!("a scan in blocks has no products") };
            self.loop_stage(&mut body, stage, Share::Entry { entries, neighbours: 1 });
        }
        let lines = self.step_lines(backward);
        let count = self.count_of(self.kernel.rows.expect("a scan runs over positions"));
        let before = self.sequence_lines();
        self.entry(text, "scan", ENTRIES, |text, _| {
            text.line(format!("let entry = {ENTRIES} * i32(group.x) + lane;"));
            text.line("let sequence = run.begin + i32(group.y);");
            text.line(format!("if entry >= {entries} {{\n  return;\n}}"));
            before.iter().for_each(|line| text.line(line));
            text.count("step", "run.step", &end_of_steps(plan, &count), 1, |text| {
                lines.iter().for_each(|line| text.line(line));
                text.append(&body);
            });
        });
    }
}

/// One past the last step of a dispatch.
fn end_of_steps(plan: &Plan, count: &str) -> Expression {
    let steps = plan.steps.expect("a scan has steps");
    Expression::atom(format!("min(run.step + {steps}, {count})"))
}
