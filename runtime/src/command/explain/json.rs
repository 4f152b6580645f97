//! An explanation as JSON. Paths of layers are all told; formulas come as text and as what they are made of.

use seqwright_compiler::explain::{
    Answer, BYTES, Equation, Explanation, Fate, Formula, Kept, NoStep, Polynomial, Step, Traffic, What,
};
use seqwright_compiler::source::{Sources, Span};
use seqwright_compiler::stream::{Field, Part};
use seqwright_compiler::term::TimeId;
use serde_json::{Map, Value, json};

/// A model's explanation, as the parts of a document.
pub fn explanation<'a>(explained: &Explanation, sources: &Sources) -> Vec<(&'a str, Value)> {
    let times = explained.times.as_slice();
    let of = Of { times, sources };
    let kernels = explained.kernels.iter().map(|kernel| {
        json!({
            "number": kernel.number,
            "kind": kernel.kind,
            "time": kernel.time.map(|time| of.time(time)),
            "runs": kernel.calls,
            "equations": kernel.equations,
            "operations": of.formula(&kernel.operations),
            "bytes": of.traffic(&kernel.traffic),
        })
    });
    let recurrences = explained.recurrences.iter().map(|recurrence| {
        let reads = recurrence.reads.iter().map(|(read, readers)| json!({ "read": read, "by": readers }));
        json!({
            "time": of.time(recurrence.time),
            "backward": recurrence.backward,
            "states": recurrence.states,
            "others": recurrence.others,
            "reads": reads.collect::<Vec<_>>(),
            "kind": recurrence.kind,
            "cause": recurrence.cause.as_ref().map(|(equation, span, text)| {
                json!({ "equation": equation, "does": text, "place": of.place(*span) })
            }),
            "blocks": recurrence.blocks,
            "kernel": recurrence.kernel,
        })
    });
    let numbers: usize = explained.weights.iter().map(|(_, numbers)| numbers).sum();
    let weights = explained.weights.iter().map(|(path, numbers)| json!({ "path": path, "numbers": numbers }));
    let parameters: Map<String, Value> =
        explained.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let (step, no_step) = match &explained.step {
        Ok(step) => (of.step(step), Value::Null),
        Err(refused) => (Value::Null, of.no_step(refused)),
    };
    vec![
        ("model", json!(explained.model)),
        ("parameters", Value::Object(parameters)),
        ("times", json!(times)),
        ("outputs", json!(explained.outputs)),
        ("equations", explained.equations.iter().map(|equation| of.equation(equation)).collect()),
        ("kernels", kernels.collect()),
        ("recurrences", recurrences.collect()),
        ("step", step),
        ("no_step", no_step),
        ("weights", json!({ "numbers": numbers, "bytes": numbers as u64 * BYTES, "all": weights.collect::<Vec<_>>() })),
        ("operations", of.formula(&explained.operations)),
        ("bytes", of.traffic(&explained.traffic)),
    ]
}

/// Why two equations are one kernel or not.
pub fn answer<'a>(model: &str, answer: &Answer) -> Vec<(&'a str, Value)> {
    let (first, second) = &answer.equations;
    vec![
        ("model", json!(model)),
        ("equations", json!([first, second])),
        ("together", json!(answer.together)),
        ("reasons", json!(answer.reasons)),
    ]
}

/// What parts of a document need to know.
struct Of<'a> {
    times: &'a [String],
    sources: &'a Sources,
}

impl Of<'_> {
    fn time(&self, time: TimeId) -> &str {
        &self.times[time.0 as usize]
    }

    fn place(&self, span: Span) -> Value {
        json!({ "file": self.sources.get(span.file).name, "line": self.sources.line(span) })
    }

    fn equation(&self, equation: &Equation) -> Value {
        let weights = equation
            .weights
            .iter()
            .map(|weight| json!({ "path": weight.path, "numbers": weight.numbers, "shared": weight.shared }));
        let numbers: usize = equation.weights.iter().map(|weight| weight.numbers).sum();
        json!({
            "path": equation.path,
            "place": self.place(equation.span),
            "axes": equation.axes,
            "text": equation.text,
            "state": equation.is_state,
            "outputs": equation.outputs,
            "fates": equation.fates.iter().map(fate).collect::<Vec<_>>(),
            "kernels": equation.kernels,
            "looks": self.fields(&equation.looks),
            "sees": self.fields(&equation.sees),
            "lag": equation.lag,
            "computed": equation.part.map(|part| match part {
                Part::Once => "once",
                Part::New => "at each position",
                Part::SoFar => "after each chunk",
            }),
            "operations": self.formula(&equation.operations),
            "weights": { "numbers": numbers, "bytes": numbers as u64 * BYTES, "all": weights.collect::<Vec<_>>() },
        })
    }

    /// By time axis; an end without bound is `null`.
    fn fields(&self, all: &[(TimeId, Field)]) -> Value {
        let one = |(time, field): &(TimeId, Field)| {
            let shown = match field {
                Field::Nothing => Value::Null,
                Field::Around(window) => json!({
                    "from": "its own position",
                    "back": window.low.map(|low| -low),
                    "ahead": window.high,
                }),
                Field::Last(back) => json!({ "from": "the last position", "back": back, "ahead": 0 }),
                Field::All => json!({ "from": "the last position", "back": null, "ahead": 0 }),
            };
            (self.time(*time).to_string(), shown)
        };
        Value::Object(all.iter().map(one).collect())
    }

    fn formula(&self, formula: &Formula) -> Value {
        let mut all = self.polynomial(&formula.polynomial());
        if let Some(all) = all.as_object_mut() {
            all.insert("text".to_string(), json!(formula.print(self.times)));
            all.insert("at_most".to_string(), json!(formula.at_most));
        }
        all
    }

    fn polynomial(&self, polynomial: &Polynomial) -> Value {
        let terms = polynomial.terms().map(|(powers, half)| {
            let powers = powers.iter().map(|(time, power)| (self.time(*time).to_string(), json!(power)));
            json!({ "times": half as f64 / 2.0, "powers": powers.collect::<Map<_, _>>() })
        });
        let from = polynomial.from.iter().map(|(time, least)| (self.time(*time).to_string(), json!(least)));
        json!({
            "text": polynomial.print(self.times),
            "terms": terms.collect::<Vec<_>>(),
            "from": from.collect::<Map<_, _>>(),
        })
    }

    fn traffic(&self, traffic: &Traffic) -> Value {
        json!({
            "read": self.formula(&traffic.read.clone().times(BYTES)),
            "written": self.formula(&traffic.written.clone().times(BYTES)),
        })
    }

    fn step(&self, step: &Step) -> Value {
        json!({
            "time": self.time(step.time),
            "lag": step.lag,
            "kernels": step.kernels.0,
            "runs": step.kernels.1,
            "state": step.kept.iter().map(|kept| self.kept(kept)).collect::<Vec<_>>(),
            "counts": step.counts.iter().map(|time| self.time(*time)).collect::<Vec<_>>(),
            "bytes": self.formula(&step.bytes),
            "operations_once": self.formula(&step.once),
            "operations_of_a_position": self.polynomial(&step.position),
        })
    }

    fn kept(&self, kept: &Kept) -> Value {
        let (what, positions) = match kept.what {
            What::Recurrent(count) => ("recurrent value", Some(count)),
            What::Grows => ("every position so far", None),
            What::Ring { positions, .. } => ("ring", Some(positions)),
            What::Last(count) => ("last positions", Some(count)),
            What::Once => ("computed once", None),
            What::Given => ("given once", None),
        };
        json!({
            "path": kept.path,
            "equation": kept.equation,
            "what": what,
            "positions": positions,
            "numbers": kept.numbers,
            "bytes": self.formula(&kept.bytes),
            "readers": kept.readers,
        })
    }

    fn no_step(&self, refused: &NoStep) -> Value {
        let diagnostic = &refused.diagnostic;
        json!({
            "code": diagnostic.code.number(),
            "message": diagnostic.message,
            "label": diagnostic.primary.text,
            "place": self.place(diagnostic.primary.span),
            "help": diagnostic.help,
            "with_one": refused.alone,
        })
    }
}

fn fate(fate: &Fate) -> Value {
    match fate {
        Fate::Loop { kernel, hoisted } => json!({ "became": "loop", "kernel": kernel, "hoisted": hoisted }),
        Fate::Product { kernel, operand, with, hoisted } => json!({
            "became": "product", "kernel": kernel, "operand": operand, "with": with, "hoisted": hoisted,
        }),
        Fate::Attention { kernel, over } => json!({ "became": "attention", "kernel": kernel, "never_stored": over }),
        Fate::Inside { attention } => json!({ "became": "inside an attention", "attention": attention }),
        Fate::PutInto { readers } => json!({ "became": "put into others", "readers": readers }),
        Fate::SameAs { other, whole } => json!({ "became": "same as another", "other": other, "whole": whole }),
        Fate::Renamed { to } => json!({ "became": "another name", "of": to }),
        Fate::TakenApart => json!({ "became": "softmax taken apart" }),
        Fate::Dropped => json!({ "became": "dropped" }),
    }
}
