//! What an entry looks up in the run's tables: its row, position and sequence, and the rows and lengths that sequence has. Only
//! what something asked for is looked up, under one name.

use super::kernel::Spelling;
use crate::kernel::{Table, Tables, Track, TrackId};
use crate::stream::Keep;
use crate::term::TimeId;
use std::collections::BTreeSet;

/// Something of a row or its sequence that is looked up before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Sequence,
    Position,
    Length(TimeId),
    Track(TrackId, Table),
    Pairs(TrackId, TrackId),
}

impl Spelling<'_> {
    /// Asks for something to be looked up; gives its name.
    pub fn need(&mut self, need: Need) -> String {
        self.needs.insert(need);
        match need {
            Need::Sequence => "sequence".to_string(),
            Need::Position => "position".to_string(),
            Need::Length(time) => format!("length_{}", self.time_name(time)),
            Need::Track(track, table) => format!("{}_{}", table_name(table), self.track_name(track)),
            Need::Pairs(one, two) => format!("first_{}_{}", self.track_name(one), self.track_name(two)),
        }
    }

    fn time_name(&self, time: TimeId) -> String {
        let name = &self.program.times[time.0 as usize];
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>() + &self.clash(time)
    }

    /// Names of axes may differ in signs alone.
    fn clash(&self, time: TimeId) -> String {
        let plain = |name: &String| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let own = plain(&self.program.times[time.0 as usize]);
        let before = self.program.times[..time.0 as usize].iter().filter(|other| plain(other) == own).count();
        if before == 0 && !own.is_empty() { String::new() } else { format!("_{before}") }
    }

    fn track_name(&self, track: TrackId) -> String {
        let Track { time, lag, keep, turns } = self.program.track(track);
        let lag = if lag == 0 { String::new() } else { format!("_{lag}_later") };
        let keep = match keep {
            Keep::New => String::new(),
            Keep::Last(count) => format!("_and_{count}"),
            Keep::All => "_and_all".to_string(),
        };
        let turns = turns.map_or(String::new(), |turns| format!("_in_{turns}"));
        format!("{}{lag}{keep}{turns}", self.time_name(time))
    }

    fn look_up(&mut self, name: String, number: usize, entry: &str) -> String {
        let name = name.to_uppercase();
        let line = format!("look_up({name}, {entry})");
        self.tables.insert(name, number);
        line
    }

    /// What was asked for so far of a row; afterwards nothing is.
    pub fn row_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let needs = std::mem::take(&mut self.needs);
        let of_sequence = needs.iter().any(|need| *need != Need::Position);
        match self.kernel.rows {
            None => {
                if of_sequence {
                    lines.push("let sequence = row;".to_string());
                }
                if needs.contains(&Need::Position) {
                    lines.push("let position = 0;".to_string());
                }
            }
            Some(track) => {
                let tables = Tables::of(self.program);
                let name = self.track_name(track);
                if of_sequence {
                    let number = tables.table(track, Table::Sequence);
                    let found = self.look_up(format!("sequence_{name}"), number, "row");
                    lines.push(format!("let sequence = {found};"));
                }
                if needs.contains(&Need::Position) {
                    let number = tables.table(track, Table::Position);
                    let found = self.look_up(format!("position_{name}"), number, "row");
                    lines.push(format!("let position = {found};"));
                }
            }
        }
        lines.extend(self.lines_of_sequence(&needs));
        lines
    }

    /// What was asked for so far of a sequence; afterwards nothing is. The position is someone else's.
    pub fn sequence_lines(&mut self) -> Vec<String> {
        let needs = std::mem::take(&mut self.needs);
        self.lines_of_sequence(&needs)
    }

    fn lines_of_sequence(&mut self, needs: &BTreeSet<Need>) -> Vec<String> {
        let tables = Tables::of(self.program);
        let mut lines = Vec::new();
        for need in needs {
            let number = match *need {
                Need::Sequence | Need::Position => continue,
                Need::Length(time) => tables.lengths(time),
                Need::Track(track, table) => tables.table(track, table),
                Need::Pairs(one, two) => tables.first_pairs(one, two),
            };
            let name = self.need(*need);
            let found = self.look_up(name.clone(), number, "sequence");
            lines.push(format!("let {name} = {found};"));
        }
        self.needs.clear();
        lines
    }
}

fn table_name(table: Table) -> &'static str {
    match table {
        Table::First => "first",
        Table::From => "from",
        Table::Count => "count",
        Table::Sequence => "sequence",
        Table::Position => "position",
    }
}
