//! Syntax trees to a checked model: names, axes, instances of definitions, weights' names.
//!
//! - [`program`] gathers the files that are used;
//! - `instance` puts a definition's equations into the model, with its values and sizes bound;
//! - `body` takes statements in turn, `expression`, `builtin` and `subscript` what stands in them;
//! - [`recurrence`] finds the values that depend on earlier positions of themselves, and refuses what no order computes.
//!
//! Every mistake becomes a diagnostic; an equation with one leaves its name broken, and readers of a broken name say nothing
//! more, so that each mistake is told once.

mod binding;
mod body;
mod builtin;
mod contraction;
mod expression;
mod index;
mod instance;
mod joining;
pub mod program;
pub mod recurrence;
mod reduction;
mod scope;
mod size;
mod subscript;
mod time;

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::model::Model;
use crate::recurrence::kind;
use crate::source::Span;
use crate::syntax::tree::Kind;
use program::{ItemKind, Program};
use std::collections::{BTreeMap, HashMap};

/// More values than this are refused: a repeat with an absurd count, or definitions that multiply.
const MOST_VALUES: usize = 50_000;
/// A check looks at no more statements and expressions than this, each time that it writes them out: definitions and functions
/// that use another one twice, which uses a third one twice, multiply without making many values.
const MOST_STEPS: usize = 1_000_000;
/// As many steps is a mistake that was told before.
const STEPS_OF_A_MISTAKE: usize = 100;
/// A value has no more time axes than this: one for each position, or one for each pair of positions.
const MOST_TIMES: usize = 2;
/// A value with more numbers at a position than this is refused: no machine holds it, and addresses stay whole numbers.
const MOST_NUMBERS: u64 = 1 << 40;
/// Definitions inside definitions deeper than this are refused.
const DEEPEST_INSTANCE: usize = 64;

/// A mistake that is already reported.
#[derive(Debug)]
struct Failed;

/// What checking a part gives: it, or nothing where a mistake was reported.
type Checked<T> = Result<T, Failed>;

/// What a check is asked to do with sizes that nobody gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They are mistakes.
    Refuse,
    /// Any will do: only names and axes are of interest.
    Invent,
}

/// State of one check.
struct Checker<'p> {
    program: &'p Program,
    model: Model,
    diagnostics: Vec<Diagnostic>,
    missing: Missing,
    invented: usize,
    depth: usize,
    /// Statements and expressions so far.
    steps: usize,
    /// The definitions and functions that are being put into the model, outermost first.
    open: Vec<(usize, ItemKind)>,
    /// Where the definitions that are being put into the model are used, outermost first.
    calls: Vec<Span>,
    /// States that no equation has given a value yet, and where they were declared.
    pending: BTreeMap<crate::term::ValueId, Span>,
    /// The weights so far, and where they were made.
    weights: HashMap<String, Span>,
    /// The time axes whose length the file says, by name and length.
    known_times: HashMap<(String, usize), crate::term::TimeId>,
}

impl Checker<'_> {
    /// Counts a statement or expression, and refuses those beyond what any model needs.
    fn step(&mut self, span: Span) -> Checked<()> {
        self.steps += 1;
        if self.steps <= MOST_STEPS && self.model.values.len() <= MOST_VALUES {
            return Ok(());
        }
        // What is too large is told once, wherever it shows.
        if self.steps > MOST_STEPS + 1 || self.diagnostics.iter().any(|known| known.code == Code::TooLarge) {
            return Err(Failed);
        }
        let (message, help) = if self.model.values.len() > MOST_VALUES {
            let message = format!("the model has more than {MOST_VALUES} values");
            (message, "a repeat counts too far, or definitions multiply")
        } else {
            let message = format!("the model takes more than {MOST_STEPS} steps to write out");
            (
                message,
                "a repeat counts too far, or definitions or functions multiply: each uses another one several times",
            )
        };
        Err(self.report(Diagnostic::new(Code::TooLarge, span, message).help(help)))
    }

    fn report(&mut self, mut diagnostic: Diagnostic) -> Failed {
        // A mistake that shows inside a definition of another file is as likely one of its use here.
        let file = diagnostic.primary.span.file;
        if let Some(call) = self.calls.iter().rev().find(|call| call.file != file)
            && diagnostic.secondary.iter().all(|label| label.span.file == file)
        {
            diagnostic = diagnostic.also(*call, "where it is used");
        }
        // The same mistake in a definition that is used many times is one mistake.
        let same = |other: &Diagnostic| other.code == diagnostic.code && other.primary.span == diagnostic.primary.span;
        if self.diagnostics.iter().any(same) {
            // Finding out what it might have been takes longer than most steps.
            self.steps += STEPS_OF_A_MISTAKE;
        } else {
            self.diagnostics.push(diagnostic);
        }
        Failed
    }
}

/// Checks one model of a program with the parameters given.
///
/// # Errors
/// Every mistake found, in the order of their places.
pub fn check(
    program: &Program,
    model: Option<&str>,
    parameters: &BTreeMap<String, f64>,
    missing: Missing,
) -> Result<Model, Vec<Diagnostic>> {
    let definition = find_model(program, model)?;
    let mut checker = Checker {
        program,
        model: Model::default(),
        diagnostics: Vec::new(),
        missing,
        invented: 0,
        depth: 0,
        steps: 0,
        open: Vec::new(),
        calls: Vec::new(),
        pending: BTreeMap::new(),
        weights: HashMap::new(),
        known_times: HashMap::new(),
    };
    let done = checker.instantiate_model(definition, parameters);
    if done.is_ok() && checker.diagnostics.is_empty() {
        checker.diagnostics = whole_model(&checker.model);
    }
    if done.is_ok() && checker.diagnostics.is_empty() && missing == Missing::Refuse {
        checker.diagnostics = too_large(&checker.model);
    }
    finish(checker)
}

/// The names of all that can be called without being defined.
pub fn builtins() -> impl Iterator<Item = &'static str> {
    builtin::names()
}

/// Checks every definition of the program's own file on its own, with sizes and inputs invented where it takes some.
pub fn check_all(program: &Program) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    // One budget for all of them: where it is spent, the first that it was spent on is told.
    let mut steps = 0;
    for place in 0..program.files[program.root].tree.definitions.len() {
        for diagnostic in alone(program, place, &mut steps).1 {
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
    }
    diagnostics.sort_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code));
    diagnostics.dedup_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code));
    diagnostics
}

/// Checks one definition of the program's own file on its own. Its sizes are invented: only the names of axes are of interest in
/// the model, which has all values that could be made where there are mistakes.
pub fn check_alone(program: &Program, place: usize) -> (Model, Vec<Diagnostic>) {
    alone(program, place, &mut 0)
}

/// The same, counting on from some steps.
fn alone(program: &Program, place: usize, steps: &mut usize) -> (Model, Vec<Diagnostic>) {
    let mut checker = Checker {
        program,
        model: Model::default(),
        diagnostics: Vec::new(),
        missing: Missing::Invent,
        invented: 0,
        depth: 0,
        steps: *steps,
        open: Vec::new(),
        calls: Vec::new(),
        pending: BTreeMap::new(),
        weights: HashMap::new(),
        known_times: HashMap::new(),
    };
    let done = checker.instantiate_alone(program.root, place);
    if done.is_ok() && checker.diagnostics.is_empty() {
        checker.diagnostics = whole_model(&checker.model);
    }
    *steps = checker.steps;
    (checker.model, checker.diagnostics)
}

/// What can be told of a model only when it is whole: recurrences that no order computes, and values that no buffer holds.
fn whole_model(model: &Model) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = match recurrence::groups(model) {
        Err(diagnostics) => return diagnostics,
        Ok(groups) => not_parallel(model, &groups),
    };
    // Taken apart, an equation's own parts are values too.
    for value in &crate::graph::build(model, &[]).model.values {
        let times = value.axes.iter().filter(|axis| axis.time().is_some()).count();
        if times > MOST_TIMES && !diagnostics.iter().any(|known| known.primary.span == value.span) {
            let shown = crate::model::print_axes(&value.axes, &model.times);
            diagnostics.push(
                Diagnostic::new(Code::Unsupported, value.span, format!("a value over {times} time axes: {shown}"))
                    .label(format!("more than {MOST_TIMES}"))
                    .help("reduce over one of them first: `sum over j (…)`, in the equation that makes it"),
            );
        }
    }
    diagnostics
}

/// Recurrences that are asserted to be parallel, and are not.
fn not_parallel(model: &Model, groups: &[recurrence::Group]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (value, span) in &model.parallel {
        let scan = groups.iter().find_map(|group| match group {
            recurrence::Group::Scan(scan) if scan.values.contains(value) => Some(scan),
            recurrence::Group::Scan(_) | recurrence::Group::One(_) => None,
        });
        // What depends on no earlier position of itself is computed for all positions at once anyway.
        let Some((kind, cause)) = scan.map(|scan| kind(model, scan)).and_then(|kind| Some((kind, kind.cause()?)))
        else {
            continue;
        };
        let path = &model.value(*value).path;
        let blamed = model.value(cause.value);
        let message = format!("`{path}` is computed position by position: its recurrence is {}", kind.name());
        diagnostics.push(
            Diagnostic::new(Code::NotParallel, *span, message)
                .label("asserted to be parallel")
                .also(blamed.span, format!("`{}` {}", blamed.path, cause.text(model)))
                .help("a recurrence is parallel where each element of the state is `a * h[t-1] + b`, with `a` and `b` free of the state"),
        );
    }
    diagnostics
}

/// Values with more numbers at a position than any machine holds.
fn too_large(model: &Model) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for value in &model.values {
        let sizes = value.axes.iter().filter_map(crate::term::Axis::size);
        let numbers = sizes.fold(1u64, |all, size| all.saturating_mul(size as u64));
        if numbers > MOST_NUMBERS && !diagnostics.iter().any(|known| known.primary.span == value.span) {
            let shown = crate::model::print_axes(&value.axes, &model.times);
            diagnostics.push(
                Diagnostic::new(Code::TooLarge, value.span, format!("`{}` has too many numbers: {shown}", value.path))
                    .label("no machine holds it")
                    .help("is a parameter larger than it was meant to be?"),
            );
        }
    }
    diagnostics
}

fn finish(mut checker: Checker) -> Result<Model, Vec<Diagnostic>> {
    if checker.diagnostics.is_empty() {
        Ok(checker.model)
    } else {
        checker.diagnostics.sort_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code));
        Err(checker.diagnostics)
    }
}

/// The model that is meant: the one of that name, or the file's only or last one.
fn find_model(program: &Program, wanted: Option<&str>) -> Result<(usize, usize), Vec<Diagnostic>> {
    let file = &program.files[program.root];
    let models = || file.tree.definitions.iter().enumerate().filter(|(_, item)| item.kind == Kind::Model);
    let whole = Span { file: file.id, start: 0, end: 0 };
    match wanted {
        None => models().next_back().map(|(place, _)| (program.root, place)).ok_or_else(|| {
            vec![
                Diagnostic::new(Code::UnknownName, whole, "the file has no `model`")
                    .help("a program starts from a model: `model Name(x: [T, input]; input, hidden) { … }`"),
            ]
        }),
        Some(name) => match program.item(program.root, name) {
            Some(item) if matches!(item.kind, ItemKind::Definition(_)) => match item.kind {
                ItemKind::Definition(place) => Ok((item.file, place)),
                ItemKind::Function(_) | ItemKind::Axis(_) => unreachable!("the guard admits definitions alone"),
            },
            _ => {
                let near = nearest(name, models().map(|(_, item)| item.name.text.as_str()));
                let mut diagnostic =
                    Diagnostic::new(Code::UnknownName, whole, format!("the file has no model `{name}`"));
                if let Some(near) = near {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
                Err(vec![diagnostic])
            }
        },
    }
}
