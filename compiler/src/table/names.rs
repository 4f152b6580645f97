//! Repeats unrolled: counters in texts, the iterations there are, and paths of weights.
//!
//! A path inside `repeat layer` leaves out the iteration: in iteration 3, `attention.q` is
//! `layer.3.attention.q`, and `encoder.q` may be `encoder.layer.3.q`, for a repeat inside a block. The
//! place may be told: `encoder.layer.q`; and `layer` alone is `layer.3` itself.

use super::number::{Mistake, path_text};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::model::Model;
use crate::source::Span;
use crate::syntax::tree::{Entry, Expression, ExpressionKind, Name};
use crate::term::ValueId;
use std::collections::{BTreeSet, HashMap};

/// A counter and the iteration that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    pub name: String,
    pub iteration: usize,
}

/// The weights of a model by path.
pub(super) struct Weights<'m> {
    model: &'m Model,
    by_path: HashMap<&'m str, ValueId>,
}

impl<'m> Weights<'m> {
    pub fn of(model: &'m Model) -> Weights<'m> {
        let by_path = model.weights().map(|(id, value)| (value.path.as_str(), id)).collect();
        Weights { model, by_path }
    }

    /// The weight that a path means inside these repeats, the outermost first: with the iterations
    /// of all of them, then without those of the innermost, and so on.
    pub fn find(&self, path: &str, counters: &[Counter]) -> Option<ValueId> {
        let segments: Vec<&str> = path.split('.').collect();
        (0..=counters.len()).rev().find_map(|count| self.place("", &segments, &counters[..count]))
    }

    /// The weight whose path begins with `so_far`, and then has the segments and iterations, each
    /// kind in order; iterations stand as far in front as they can.
    fn place(&self, so_far: &str, segments: &[&str], counters: &[Counter]) -> Option<ValueId> {
        let join = |part: &str| match so_far {
            "" => part.to_string(),
            _ => format!("{so_far}.{part}"),
        };
        if let [first, rest @ ..] = counters {
            let with = join(&format!("{}.{}", first.name, first.iteration));
            // A path may also say where the iteration stands: `encoder.layer.q`, or `layer` alone
            // where the repeat has a single equation.
            if segments.first() == Some(&first.name.as_str())
                && let Some(found) = self.place(&with, &segments[1..], rest)
            {
                return Some(found);
            }
            if let Some(found) = self.place(&with, segments, rest) {
                return Some(found);
            }
        }
        match segments {
            [] if counters.is_empty() => self.by_path.get(so_far).copied(),
            [] => None,
            [first, rest @ ..] => self.place(&join(first), rest, counters),
        }
    }

    /// The mistake of a path that no weight has.
    pub fn unknown(&self, path: &str, counters: &[Counter], span: Span) -> Diagnostic {
        let message = format!("the model has no weight `{path}`");
        let diagnostic = Diagnostic::new(Code::UnknownName, span, message);
        let mut known: Vec<String> = self.model.weights().map(|(_, value)| value.path.clone()).collect();
        for Counter { name, iteration } in counters {
            let own = format!("{name}.{iteration}.");
            for path in &mut known {
                if let Some(place) = path.find(&own) {
                    path.replace_range(place..place + own.len(), "");
                }
            }
        }
        let inside = format!("{path}.");
        let below: Vec<String> = known
            .iter()
            .filter(|weight| weight.starts_with(&inside))
            .take(6)
            .map(|weight| format!("`{weight}`"))
            .collect();
        if !below.is_empty() {
            return diagnostic.help(format!("its weights are {}", below.join(", ")));
        }
        match nearest(path, known.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("weights are named by their paths from the model"),
        }
    }

    /// The iterations of a repeat of the model inside those of `outer`. Where a block of the model
    /// repeats less often than another with the same counter, those count in which the table's lines
    /// name a weight.
    pub fn iterations(&self, counter: &str, outer: &[Counter], lines: &[Entry]) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        for value in &self.model.values {
            let mut segments = value.path.split('.');
            let inside = outer.iter().all(|known| {
                let iteration = known.iteration.to_string();
                segments.by_ref().any(|segment| segment == known.name) && segments.next() == Some(iteration.as_str())
            });
            while inside && let Some(segment) = segments.next() {
                if segment == counter {
                    all.extend(segments.next().and_then(|iteration| iteration.parse::<usize>().ok()));
                    break;
                }
            }
        }
        let named: Option<Vec<String>> = lines.iter().try_fold(Vec::new(), |mut paths, line| {
            match line {
                Entry::Binding { formula, .. } => weight_paths(formula, &mut paths),
                // A repeat inside has iterations of its own, so that its paths say nothing here.
                Entry::Layers { .. } => return None,
                Entry::Prefix { .. } | Entry::Ignore(_) | Entry::Require { .. } | Entry::Setting { .. } => {}
            }
            Some(paths)
        });
        let Some(paths) = named else { return all };
        let reached: BTreeSet<usize> = all
            .iter()
            .copied()
            .filter(|iteration| {
                let mut counters = outer.to_vec();
                counters.push(Counter { name: counter.to_string(), iteration: *iteration });
                paths.iter().any(|path| {
                    let segments: Vec<&str> = path.split('.').collect();
                    self.place("", &segments, &counters).is_some()
                })
            })
            .collect();
        if reached.is_empty() { all } else { reached }
    }
}

/// The paths of the weights in a formula.
fn weight_paths(formula: &Expression, paths: &mut Vec<String>) {
    match &formula.kind {
        ExpressionKind::Path(names) => paths.push(path_text(names)),
        ExpressionKind::Call(call) => {
            call.arguments.iter().for_each(|argument| weight_paths(&argument.value, paths));
        }
        ExpressionKind::Number(_)
        | ExpressionKind::Negate(_)
        | ExpressionKind::Binary(..)
        | ExpressionKind::Subscript(..)
        | ExpressionKind::Condition(_)
        | ExpressionKind::Where(_) => {}
    }
}

/// A text with every `{layer}` replaced by its iteration.
pub(super) fn expand(text: &Name, counters: &[Counter]) -> Result<String, Mistake> {
    let mut whole = String::new();
    let mut rest = text.text.as_str();
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        whole.push_str(before);
        let Some(close) = after.find('}') else {
            let message = "a `{` in a name is followed by a counter and `}`";
            return Err(Box::new(Diagnostic::new(Code::Table, text.span, message).label("this one is not")));
        };
        let name = after[1..close].trim();
        match counters.iter().rev().find(|counter| counter.name == name) {
            Some(counter) => whole.push_str(&counter.iteration.to_string()),
            None => {
                let message = format!("`{name}` is no counter here");
                let diagnostic = Diagnostic::new(Code::UnknownName, text.span, message);
                let known = counters.iter().map(|counter| counter.name.as_str());
                return Err(Box::new(match nearest(name, known) {
                    Some(near) => diagnostic.help(format!("did you mean `{{{near}}}`?")),
                    None => diagnostic.help(format!("it counts inside `repeat {name} {{ … }}`")),
                }));
            }
        }
        rest = &after[close + 1..];
    }
    whole.push_str(rest);
    Ok(whole)
}
