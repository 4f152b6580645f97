//! An explanation as text: tables, and notes below their lines.

use super::table::{Column, line, titles, widths, wrapped};
use super::words;
use crate::numbers::{left, right, width};
use anstyle::Style;
use seqwright_compiler::explain::{
    Answer, BYTES, Before, COUNT_BYTES, Equation, Explanation, Formula, Group, Line, NoStep, Step, groups, with_commas,
};
use seqwright_compiler::source::{Sources, Span};
use seqwright_compiler::stream::Part;
use seqwright_compiler::term::{TimeId, print_number};

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Headings.
    pub heading: Style,
    /// Names of equations.
    pub name: Style,
    /// What is of less interest.
    pub dim: Style,
}

impl Look {
    /// Without colours.
    pub fn plain(width: usize) -> Look {
        Look { width, heading: Style::new(), name: Style::new(), dim: Style::new() }
    }
}

/// Which layers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Those that are alike once.
    Alike,
    /// All.
    All,
    /// One, and nothing else.
    Layer(usize),
}

/// A model's explanation.
pub fn text(explained: &Explanation, sources: &Sources, shown: Shown, look: &Look) -> String {
    let mut page = Page { text: String::new(), explained, sources, look: *look };
    page.head();
    page.equations(shown);
    if !matches!(shown, Shown::Layer(_)) {
        page.kernels();
        page.recurrences();
        match &explained.step {
            Ok(step) => page.step(step),
            Err(refused) => page.no_step(refused),
        }
        page.total();
    }
    page.text
}

/// Why two equations are one kernel or not.
pub fn answer(answer: &Answer, look: &Look) -> String {
    let Look { heading, .. } = look;
    let (first, second) = &answer.equations;
    let verdict = if answer.together { "together" } else { "apart" };
    let mut text = format!("{heading}{first}{heading:#} and {heading}{second}{heading:#} are {verdict}\n");
    for reason in &answer.reasons {
        text.push_str(&wrapped(reason, "", 2, look.width, Style::new()));
    }
    text
}

/// The most columns of an equation's name; a longer one has a line of its own.
const LONGEST_NAME: usize = 32;
/// The fewest columns for operations.
const FEWEST_FOR_OPERATIONS: usize = 24;

struct Page<'a> {
    text: String,
    explained: &'a Explanation,
    sources: &'a Sources,
    look: Look,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A title with a blank line before it, and what is said of it beside it.
    fn heading(&mut self, title: &str, rest: &str) {
        let Look { heading, dim, .. } = self.look;
        let rest = if rest.is_empty() { String::new() } else { format!("  {dim}{rest}{dim:#}") };
        self.line("");
        self.line(&format!("{heading}{title}{heading:#}{rest}"));
    }

    fn note(&mut self, note: &str, indent: usize) {
        let text = wrapped(note, "", indent, self.look.width, self.look.dim);
        self.text.push_str(&text);
    }

    fn plain(&mut self, text: &str, first: &str, indent: usize) {
        let text = wrapped(text, first, indent, self.look.width, Style::new());
        self.text.push_str(&text);
    }

    fn times(&self) -> &[String] {
        &self.explained.times
    }

    fn time(&self, time: TimeId) -> &str {
        &self.explained.times[time.0 as usize]
    }

    fn place(&self, span: Span) -> String {
        format!("{}:{}", self.sources.get(span.file).name, self.sources.line(span))
    }

    fn head(&mut self) {
        let Look { heading, .. } = self.look;
        self.line(&format!("{heading}{}{heading:#}", self.explained.model));
        let signature = words::signature(self.explained);
        self.plain(&signature, "", 2);
        let parameters: Vec<String> = self
            .explained
            .parameters
            .iter()
            .map(|(name, value)| format!("{name} = {}", print_number(*value)))
            .collect();
        if !parameters.is_empty() {
            self.note(&parameters.join(", "), 2);
        }
    }

    fn equations(&mut self, shown: Shown) {
        let explained = self.explained;
        let mut groups = groups(&explained.equations, shown == Shown::Alike);
        if let Shown::Layer(layer) = shown {
            groups.retain(|group| group.path.ends_with(&format!(".{layer}")));
        }
        let columns = self.columns(&groups);
        self.heading(&columns.titles(), "");
        for (place, group) in groups.iter().enumerate() {
            if !group.path.is_empty() {
                self.line(&format!("{0}{1}{0:#}", self.look.heading, words::layers(&group.path, group.count)));
            } else if place > 0 {
                self.line("");
            }
            for line in &group.lines {
                self.equation(&columns, line, &group.path);
            }
            if let Some(Before { path, count, sees_more }) = &group.as_before {
                let what = if *count == 1 { "equation is".to_string() } else { format!("{count} equations are") };
                let wider = if *sees_more { ", but for what they see" } else { "" };
                self.note(&format!("the other {what} as in {path}{wider}"), 2);
            }
        }
        let axis = match explained.times.as_slice() {
            [] => return,
            [only] => format!("along {only}"),
            _ => "along each time axis".to_string(),
        };
        self.line("");
        self.note(
            &format!(
                "looks: what an equation's own subscripts reach {axis}; sees: what of the inputs reaches it. here: its own \
                 position; -3..0: from three before to its own; ..0: from the first to its own; all: every one; last: the \
                 last one. Kernels have the numbers of `seqc emit --stage kernels`."
            ),
            2,
        );
    }

    /// The columns of the table of equations.
    fn columns(&self, groups: &[Group]) -> Columns {
        let lines = || groups.iter().flat_map(|group| &group.lines);
        let widest =
            |of: &dyn Fn(&Line) -> usize, title: &str| lines().map(of).chain([width(title)]).max().unwrap_or(0);
        let kernel = widest(&|line| width(&words::kernels(line.equation)), "kernel");
        let looks = widest(&|line| width(&words::fields(&line.equation.looks, self.times())), "looks");
        let sees = widest(&|line| width(&self.sees(line)), "sees");
        let weights = widest(&|line| width(&words::weights(line.equation)), "weights");
        let name = widest(&|line| width(&words::name(line)), "equation");
        // Names give way to formulas.
        let others = kernel + looks + sees + weights + 10;
        let room = self.look.width.saturating_sub(others + FEWEST_FOR_OPERATIONS);
        let name = name.min(room.clamp(12, LONGEST_NAME));
        let operations = self.look.width.saturating_sub(others + name).max(FEWEST_FOR_OPERATIONS);
        Columns { name, kernel, looks, sees, operations, weights }
    }

    /// What an equation sees, of the first layer and of the last of those that are alike.
    fn sees(&self, line: &Line) -> String {
        let seen = |equation: &Equation| words::fields(&equation.sees, self.times());
        let (one, two) = (seen(line.equation), seen(line.last));
        if one == two { one } else { format!("{one} to {two}") }
    }

    fn equation(&mut self, columns: &Columns, of: &Line, inside: &str) {
        let Look { name: style, .. } = self.look;
        let equation = of.equation;
        let name = words::name(of);
        let cells = format!(
            "{}  {}  {}  {}  {}",
            left(&words::kernels(equation), columns.kernel),
            left(&words::fields(&equation.looks, self.times()), columns.looks),
            left(&self.sees(of), columns.sees),
            left(&words::formula(&equation.operations, self.times(), columns.operations), columns.operations),
            right(&words::weights(equation), columns.weights),
        );
        if width(&name) > columns.name {
            self.line(&format!("{style}{name}{style:#}"));
            self.line(&format!("{}  {cells}", " ".repeat(columns.name)));
        } else {
            let padding = " ".repeat(columns.name - width(&name));
            self.line(&format!("{style}{name}{style:#}{padding}  {cells}"));
        }
        let notes = words::notes(equation, inside);
        if !notes.is_empty() {
            self.note(&notes.join("; "), 4);
        }
    }

    fn kernels(&mut self) {
        const COLUMNS: [Column; 5] = [
            Column { title: "kernel", ends: true },
            Column { title: "runs", ends: true },
            Column { title: "over", ends: false },
            Column { title: "operations a run", ends: false },
            Column { title: "bytes moved a run", ends: false },
        ];
        let explained = self.explained;
        let rows: Vec<Vec<String>> = explained
            .kernels
            .iter()
            .map(|kernel| {
                let time =
                    kernel.time.map_or("sequences".to_string(), |time| format!("positions of {}", self.time(time)));
                let over = if kernel.kind == "rows" { time } else { format!("{time}, {}", kernel.kind) };
                let moved = Formula::sum([&kernel.traffic.read, &kernel.traffic.written]).times(BYTES);
                let of = |formula: &Formula| words::multiplied(formula, self.times());
                let operations = of(&kernel.operations);
                vec![kernel.number.to_string(), kernel.calls.to_string(), over, operations, of(&moved)]
            })
            .collect();
        let runs: usize = explained.kernels.iter().map(|kernel| kernel.calls).sum();
        let kernels = words::counted(explained.kernels.len(), "kernel");
        self.heading("kernels", &format!("{kernels}, {} for a whole sequence", words::counted(runs, "run")));
        let widths = widths(&COLUMNS, &rows);
        self.text.push_str(&titles(&COLUMNS, &widths, 2, self.look.dim));
        for (kernel, row) in explained.kernels.iter().zip(&rows) {
            self.text.push_str(&line(&COLUMNS, &widths, row, 2, self.look.width));
            let names = if kernel.calls > 1 { words::generic(&kernel.equations) } else { kernel.equations.clone() };
            self.note(&names.join(", "), 4 + widths[0]);
        }
    }

    fn recurrences(&mut self) {
        let explained = self.explained;
        if explained.recurrences.is_empty() {
            return;
        }
        self.heading("recurrences", "");
        for (recurrence, count) in words::recurrences(&explained.recurrences) {
            let way = if recurrence.blocks { "in blocks of positions" } else { "position by position" };
            let from = if recurrence.backward { ", from the last" } else { "" };
            let (time, kernel) = (self.time(recurrence.time), recurrence.kernel);
            let times = if count > 1 { format!(", {count} times,") } else { String::new() };
            let text = format!(
                "{}{times} along {time}: {}; runs {way}{from} (kernel {kernel})",
                recurrence.states.join(", "),
                recurrence.kind
            );
            self.plain(&text, "", 2);
            if !recurrence.others.is_empty() {
                self.note(&format!("with {}", words::paths(&recurrence.others, "")), 4);
            }
            if let Some((equation, span, text)) = &recurrence.cause {
                self.note(&format!("`{equation}` {text} ({})", self.place(*span)), 4);
            }
            for (read, readers) in &recurrence.reads {
                self.note(&format!("`{read}` is read by {}", words::paths(readers, "")), 4);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let time = self.time(step.time).to_string();
        let (kernels, runs) = (words::counted(step.kernels.0, "kernel"), words::counted(step.kernels.1, "run"));
        let what = format!("takes any number of new positions of {time}: {kernels}, {runs}");
        self.heading("chunk program", &what);
        let late = match step.lag {
            0 => "the results of a position come with its inputs".to_string(),
            lag => format!("results come {} after their inputs", words::positions(lag)),
        };
        self.note(&late, 2);
        for (part, words) in [
            (Part::Once, "once for a sequence, before its first position, because nothing in them has a position of"),
            (Part::SoFar, "anew after each chunk, for all positions so far of"),
        ] {
            let own = words::computed(&self.explained.equations, part);
            if !own.is_empty() {
                self.note(&format!("{words} {time}: {}", own.join(", ")), 2);
            }
        }
        self.kept(step);
    }

    fn kept(&mut self, step: &Step) {
        const COLUMNS: [Column; 4] = [
            Column { title: "kept of a sequence", ends: false },
            Column { title: "as", ends: false },
            Column { title: "numbers", ends: true },
            Column { title: "bytes", ends: false },
        ];
        let all = words::alike(&step.kept);
        let mut rows: Vec<Vec<String>> = all
            .iter()
            .map(|own| {
                let bytes = words::formula(&own.bytes(), self.times(), usize::MAX);
                vec![own.path.clone(), words::kept(own.kept), with_commas(own.kept.numbers as u128), bytes]
            })
            .collect();
        for time in &step.counts {
            let path = format!("position of {}", self.time(*time));
            rows.push(vec![path, "how many came".to_string(), "1".to_string(), COUNT_BYTES.to_string()]);
        }
        let widths = widths(&COLUMNS, &rows);
        self.text.push_str(&titles(&COLUMNS, &widths, 2, self.look.dim));
        for (place, row) in rows.iter().enumerate() {
            let text = line(&COLUMNS, &widths, row, 2, self.look.width);
            let Look { name, .. } = self.look;
            let (own, rest) = text.split_at(2 + row[0].len());
            self.text.push_str(&format!("{name}{own}{name:#}{rest}"));
            if let Some(own) = all.get(place)
                && !own.readers().is_empty()
            {
                self.note(&format!("read by {}", words::paths(&own.readers(), "")), 6);
            }
        }
        self.plain(&format!("in all {} bytes for a sequence", words::multiplied(&step.bytes, self.times())), "", 2);
    }

    fn no_step(&mut self, refused: &NoStep) {
        let message = &refused.diagnostic.message;
        let (title, rest) = message.split_once(": ").unwrap_or((message.as_str(), ""));
        self.heading(title, "");
        self.plain(rest, "", 2);
        let label = &refused.diagnostic.primary;
        let place = self.place(label.span);
        self.plain(&format!("{} ({place})", label.text), "", 2);
        if let Some(help) = &refused.diagnostic.help {
            self.note(help, 2);
        }
        if !refused.alone.is_empty() {
            let all: Vec<String> = refused.alone.iter().map(|name| format!("`--output {name}`")).collect();
            self.note(&format!("with {} alone there is one", all.join(" or ")), 2);
        }
    }

    fn total(&mut self) {
        let explained = self.explained;
        self.heading("in all", "");
        let numbers: usize = explained.weights.iter().map(|(_, numbers)| numbers).sum();
        let bytes = with_commas(numbers as u128 * u128::from(BYTES));
        let mut rows = vec![("weights", format!("{} numbers, {bytes} bytes", with_commas(numbers as u128)))];
        let moved = Formula::sum([&explained.traffic.read, &explained.traffic.written]).times(BYTES);
        for (name, formula) in [("operations", &explained.operations), ("bytes moved", &moved)] {
            let from = words::holds_from(&formula.polynomial(), self.times());
            rows.push((name, format!("{} for a whole sequence{from}", words::multiplied(formula, self.times()))));
        }
        if let Ok(step) = &explained.step {
            let time = self.time(step.time);
            let (text, from) = (step.position.print(self.times()), words::holds_from(&step.position, self.times()));
            rows.push(("one more", format!("{text} operations for the last position of {time}{from}")));
            if !step.once.is_zero() {
                rows.push(("once", format!("{} operations", words::multiplied(&step.once, self.times()))));
            }
        }
        for (name, text) in rows {
            self.plain(&text, &format!("  {name}"), 15);
        }
        self.line("");
        self.note(
            "An operation is an addition, multiplication or function of one number, so that a multiply-add is two. Bytes moved \
             are what kernels read and write outside of themselves, each number once a run.",
            2,
        );
    }
}

/// The columns of the table of equations.
struct Columns {
    name: usize,
    kernel: usize,
    looks: usize,
    sees: usize,
    operations: usize,
    weights: usize,
}

impl Columns {
    fn titles(&self) -> String {
        format!(
            "{}  {}  {}  {}  {}  {}",
            left("equation", self.name),
            left("kernel", self.kernel),
            left("looks", self.looks),
            left("sees", self.sees),
            left("operations", self.operations),
            right("weights", self.weights)
        )
    }
}
