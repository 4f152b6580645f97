//! How far equations look: a table of small models, and the law that an input outside of what a value sees can change as it
//! will.

use seqwright::session::{Checked, Request, check as check_file};
use seqwright_compiler::check::{Missing, check};
use seqwright_compiler::explain::{Equation, Stages, explain};
use seqwright_compiler::graph::{Graph, Sequence, build, interpret};
use seqwright_compiler::model::{Model, ValueKind};
use seqwright_compiler::stream::{Field, Window, fields};
use seqwright_compiler::term::{Axis, Extent, TimeId, ValueId};
use seqwright_tests::goldens::{shown, small};
use seqwright_tests::random::Random;
use seqwright_tests::sources::{files_in, read, rendered, repository};
use std::collections::BTreeMap;

/// A model of one sequence `x: [T, d = 3]`, or as it says, and for its equations what they look at and see along `T`.
struct Case {
    model: &'static str,
    reach: &'static [(&'static str, &'static str, &'static str)],
}

const CASES: &[Case] = &[
    Case { model: "y = x * 2", reach: &[("y", "0..0", "0..0")] },
    Case { model: "y = x[t-3] + x", reach: &[("y", "-3..0", "-3..0")] },
    Case { model: "y = x[t+2]", reach: &[("y", "2..2", "2..2")] },
    Case { model: "a = x[t-2] + x[t+1]  y = a[t-3] * a", reach: &[("a", "-2..1", "-2..1"), ("y", "-3..0", "-5..1")] },
    // A short convolution, and one that steps over positions.
    Case {
        model: "constant w: [tap = 4] = [1, 2, 3, 4]  y = sum over k: tap (w[k] * x[t + k - 3])",
        reach: &[("y", "-3..0", "-3..0")],
    },
    Case {
        model: "constant w: [tap = 3] = [1, 2, 3]  y = sum over k: tap (w[k] * x[t - 2 * k + 1])",
        reach: &[("y", "-3..1", "-3..1")],
    },
    // Twice as far each time: no distance is the same for all positions.
    Case { model: "y[t, d] = x[2 * t, d]", reach: &[("y", "all", "all")] },
    Case { model: "y[t, d] = x[0, d] + x[t, d]", reach: &[("y", "..0", "..0")] },
    Case { model: "y[t, d] = x[2, d] + x[t, d]", reach: &[("y", "..2", "..2")] },
    Case { model: "y[t, d] = x[last, d] + x[t, d]", reach: &[("y", "all", "all")] },
    // Places that are computed: sums, and the lesser and greater of two, are followed.
    Case { model: "y[t, d] = x[max(t - 3, 0), d]", reach: &[("y", "-3..0", "-3..0")] },
    Case { model: "y[t, d] = x[min(t + 1, t - 2), d]", reach: &[("y", "-2..-2", "-2..-2")] },
    Case { model: "y[t, d] = x[min(t, 5), d]", reach: &[("y", "..0", "..0")] },
    Case { model: "y[t, d] = x[floor(t - 0.5), d]", reach: &[("y", "-1..0", "-1..0")] },
    Case { model: "y[t, d] = x[t / 2, d]", reach: &[("y", "all", "all")] },
    Case { model: "y[t, d] = x[x[t, 0], d]", reach: &[("y", "all", "all")] },
    // Attention: what a `where` rules out, on the scores or on the softmax.
    Case {
        model: "s[i, j] = dot(x[i], x[j])  w[i, j] = softmax over j (s[i, j])  y[i] = sum over j (w[i, j] * x[j])",
        reach: &[("s", "all", "all"), ("w", "0..0", "all"), ("y", "all", "all")],
    },
    Case {
        model: "s[i, j] = dot(x[i], x[j]) where j <= i  w[i, j] = softmax over j (s[i, j])  \
                y[i] = sum over j (w[i, j] * x[j])",
        reach: &[("s", "..0", "..0"), ("w", "0..0", "..0"), ("y", "..0", "..0")],
    },
    Case {
        model: "s[i, j] = dot(x[i], x[j])  w[i, j] = softmax over j (s[i, j] where j <= i and i - j < 4)  \
                y[i] = sum over j (w[i, j] * x[j])",
        reach: &[("s", "-3..0", "-3..0"), ("w", "0..0", "-3..0"), ("y", "-3..0", "-3..0")],
    },
    Case {
        model: "s[i, j] = dot(x[i], x[j]) where j <= i + 2 and i - j < 2  w[i, j] = softmax over j (s[i, j])  \
                y[i] = sum over j (w[i, j] * x[j])",
        reach: &[("y", "-1..2", "-1..2")],
    },
    // Strictly before: the first position sees nothing.
    Case {
        model: "s[i, j] = dot(x[i], x[j]) where j < i  w[i, j] = softmax over j (s[i, j])  \
                y[i] = sum over j (w[i, j] * x[j])",
        reach: &[("w", "0..0", "..0"), ("y", "..0", "..0")],
    },
    // Of what is summed, only one position's place is known.
    Case { model: "y[i: T, d] = sum over j: T (x[j, d] where j <= i)", reach: &[("y", "..0", "..0")] },
    Case {
        model: "y[i: T, d] = max over j: T (x[j, d] where i - j < 3 and j < i)",
        reach: &[("y", "-2..-1", "-2..-1")],
    },
    Case { model: "y[i: T, d] = sum over j: T (x[j, d] where j < 4)", reach: &[("y", "..3", "..3")] },
    // A select looks at one side where it chooses it, and at the other anywhere.
    Case { model: "y[i: T, d] = sum over j: T (select(j <= i, x[j, d], 0) * x[i, d])", reach: &[("y", "..0", "..0")] },
    // Values over no positions: all, or so many of the last.
    Case { model: "y = mean over T (x)", reach: &[("y", "all", "all")] },
    Case { model: "y[d] = x[last, d]", reach: &[("y", "last 0", "last 0")] },
    Case {
        model: "a = x[t-2] + x  y[d] = a[last - 1, d]",
        reach: &[("a", "-2..0", "-2..0"), ("y", "last 1", "last 3")],
    },
    Case { model: "y[d] = x[0, d]", reach: &[("y", "all", "all")] },
    Case { model: "a = mean over T (x)  y = x - a", reach: &[("a", "all", "all"), ("y", "0..0", "all")] },
    Case { model: "y = x - mean over T (x)", reach: &[("y", "all", "all")] },
    // A softmax over the positions themselves takes all of them.
    Case { model: "y = softmax over T (x)", reach: &[("y", "all", "all")] },
    Case {
        model: "w[t] = softmax over t (x[t, 0])  y = sum over T (w * x)",
        reach: &[("w", "all", "all"), ("y", "all", "all")],
    },
    Case { model: "w[t] = softmax over t (x[t, 0])  y = w * x", reach: &[("w", "all", "all"), ("y", "0..0", "all")] },
    // Recurrences, and what is computed around them.
    Case { model: "state h: [d] = 0  h = tanh(x + h[t-1])", reach: &[("h", "-1..0", "..0")] },
    Case { model: "state h: [d] = 0  h = tanh(x[t-1] + h[t-2])", reach: &[("h", "-2..-1", "..-1")] },
    Case { model: "state h: [d] = 0  h = tanh(x[t+2] + h[t-1])", reach: &[("h", "-1..2", "..2")] },
    Case { model: "state h: [d] = 0  h = tanh(x + h[t+1])", reach: &[("h", "0..1", "0..")] },
    Case {
        model: "state h, c: [d] = 0  c = c[t-1] * 0.5 + h[t-1]  h = tanh(c + x[t+1])  y = h[t-4]",
        reach: &[("c", "-1..-1", "..0"), ("h", "0..1", "..1"), ("y", "-4..-4", "..-3")],
    },
    // What depends on no input sees nothing.
    Case { model: "p[t, f: d] = sin(t * f)  y = x + p", reach: &[("p", "", ""), ("y", "0..0", "0..0")] },
    Case { model: "y[t, d] = x[t, d] * t / length(T)", reach: &[("y", "0..0", "0..0")] },
];

fn checked(text: &str) -> Model {
    let (sources, program, diagnostics) = read("case.seq", text);
    assert!(diagnostics.is_empty(), "{}", rendered(&sources, &diagnostics));
    check(&program, None, &BTreeMap::new(), Missing::Refuse)
        .unwrap_or_else(|diagnostics| panic!("{text}\n{}", rendered(&sources, &diagnostics)))
}

fn written(field: Option<&(TimeId, Field)>) -> String {
    let end = |end: Option<i64>| end.map_or(String::new(), |end| end.to_string());
    match field {
        None | Some((_, Field::Nothing)) => String::new(),
        Some((_, Field::Around(Window { low: None, high: None }) | Field::All)) => "all".to_string(),
        Some((_, Field::Around(window))) => format!("{}..{}", end(window.low), end(window.high)),
        Some((_, Field::Last(back))) => format!("last {back}"),
    }
}

#[test]
fn equations_look_as_far_as_their_subscripts_say() {
    for case in CASES {
        let model = checked(&format!("model Case(x: [T, d]; d = 3) {{ {} }}", case.model));
        let explained = explain(&Stages::new(&model, &model.results));
        for (path, looks, sees) in case.reach {
            let found = explained.equations.iter().find(|equation| equation.path == *path);
            let found: &Equation = found.unwrap_or_else(|| panic!("`{}` has no {path}", case.model));
            assert_eq!(written(found.looks.first()), *looks, "`{}`: what {path} looks at", case.model);
            assert_eq!(written(found.sees.first()), *sees, "`{}`: what {path} sees", case.model);
        }
    }
}

/// Along each of two axes by itself.
#[test]
fn two_axes_are_told_apart() {
    let text = std::fs::read_to_string(repository().join("tests/fixtures/explain/axes.seq")).expect("it is there");
    let model = checked(&text);
    let explained = explain(&Stages::new(&model, &model.results));
    let sees = |path: &str| -> Vec<String> {
        let equation =
            explained.equations.iter().find(|equation| equation.path == path).expect("the equation is there");
        let along = |time: u32| equation.sees.iter().find(|(own, _)| *own == TimeId(time));
        [0, 1].map(|time| written(along(time))).to_vec()
    };
    assert_eq!(sees("memory"), ["0..0", ""]);
    assert_eq!(sees("average"), ["all", ""]);
    assert_eq!(sees("read"), ["all", "0..0"]);
    assert_eq!(sees("sum"), ["", "-3..0"]);
    assert_eq!(sees("y"), ["all", "-5..0"]);
}

/// One sequence of numbers for a model: weights and inputs.
struct Numbers {
    lengths: Vec<usize>,
    values: BTreeMap<ValueId, Vec<f64>>,
}

impl Numbers {
    fn random(model: &Model, lengths: &[usize], random: &mut Random) -> Numbers {
        let lengths: Vec<usize> = (0..model.times.len())
            .map(|time| model.length(TimeId(time as u32)).unwrap_or(lengths[time % lengths.len()]))
            .collect();
        let size = |axis: &Axis| match axis.extent {
            Extent::Fixed(size) => size,
            Extent::Time(time) => lengths[time.0 as usize],
        };
        let mut values = BTreeMap::new();
        for (id, value) in model.ids() {
            let count: usize = value.axes.iter().map(size).product();
            let numbers: Vec<f64> = match value.kind {
                ValueKind::Input { below: Some(below) } => (0..count).map(|_| random.below(below) as f64).collect(),
                ValueKind::Input { below: None } | ValueKind::Weight { .. } => {
                    (0..count).map(|_| f64::from(random.number())).collect()
                }
                ValueKind::Constant(_) | ValueKind::Equation(_) => continue,
            };
            values.insert(id, numbers);
        }
        Numbers { lengths, values }
    }

    fn run(&self, graph: &Graph) -> BTreeMap<ValueId, Vec<f64>> {
        let values = self.values.iter().map(|(id, numbers)| (*id, numbers.as_slice())).collect();
        interpret(graph, &Sequence { lengths: self.lengths.clone(), values })
    }

    /// The entries of a value at each position of one of its axes.
    fn at<'n>(&self, axes: &[Axis], place: usize, numbers: &'n [f64]) -> Vec<Vec<&'n f64>> {
        let size = |axis: &Axis| match axis.extent {
            Extent::Fixed(size) => size,
            Extent::Time(time) => self.lengths[time.0 as usize],
        };
        let inner: usize = axes[place + 1..].iter().map(size).product();
        let count = size(&axes[place]);
        let mut rows = vec![Vec::new(); count];
        for (number, entry) in numbers.iter().enumerate() {
            rows[number / inner % count].push(entry);
        }
        rows
    }
}

/// The law for one model: changes what comes in at one position, and looks at who changed.
fn law(name: &str, model: &Model, outputs: &[(String, ValueId)], lengths: &[usize], random: &mut Random) -> usize {
    let graph = build(model, outputs);
    let needed = graph.needed();
    let mut compared = 0;
    for time in (0..model.times.len() as u32).map(TimeId) {
        let seen = fields(&graph, time);
        let numbers = Numbers::random(model, lengths, random);
        let before = numbers.run(&graph);
        let length = numbers.lengths[time.0 as usize];
        for changed in [0, length / 2, random.below(length), length - 1] {
            let mut other = Numbers { lengths: numbers.lengths.clone(), values: numbers.values.clone() };
            for (id, value) in model.inputs() {
                let along: Vec<usize> =
                    (0..value.axes.len()).filter(|place| value.axes[*place].time() == Some(time)).collect();
                let [place] = along.as_slice() else { continue };
                let positions = numbers.at(&value.axes, *place, &numbers.values[&id]);
                let own = other.values.get_mut(&id).expect("inputs have numbers");
                let start = numbers.values[&id].as_ptr();
                for entry in &positions[changed] {
                    // Where the entry stands, by its address among its fellows.
                    let at = (std::ptr::from_ref(*entry) as usize - start as usize) / size_of::<f64>();
                    own[at] = match value.kind {
                        ValueKind::Input { below: Some(below) } => ((own[at] as usize + 1) % below) as f64,
                        _ => own[at] + 1.0 + random.fraction(),
                    };
                }
            }
            let after = other.run(&graph);
            for (id, value) in graph.model.ids().filter(|(id, _)| needed.contains(id) && before.contains_key(id)) {
                let times = value.axes.iter().filter(|axis| axis.time() == Some(time)).count();
                let place = value.axes.iter().position(|axis| axis.time() == Some(time));
                let same = |one: &f64, two: &f64| one.to_bits() == two.to_bits();
                let field = seen[id.0 as usize];
                let told = format!("{name}: {} at {changed} of {length}, which sees {field:?}", value.path);
                match (place, field) {
                    // Pairs that nobody reads may see anything.
                    _ if times > 1 => continue,
                    (None, field) => {
                        let moved = !before[&id].iter().zip(&after[&id]).all(|(one, two)| same(one, two));
                        let may = match field {
                            Field::Nothing => false,
                            Field::Last(back) => changed + back + 1 >= length,
                            Field::All | Field::Around(_) => true,
                        };
                        assert!(may || !moved, "{told}");
                    }
                    (Some(place), field) => {
                        let (one, two) =
                            (numbers.at(&value.axes, place, &before[&id]), numbers.at(&value.axes, place, &after[&id]));
                        for position in 0..length {
                            let moved = !one[position].iter().zip(&two[position]).all(|(one, two)| same(one, two));
                            let distance = changed as i64 - position as i64;
                            let may = match field {
                                Field::Nothing => false,
                                Field::Around(Window { low, high }) => {
                                    low.is_none_or(|low| low <= distance) && high.is_none_or(|high| distance <= high)
                                }
                                Field::Last(_) | Field::All => true,
                            };
                            assert!(may || !moved, "{told}: position {position}");
                            compared += usize::from(!may);
                        }
                    }
                }
            }
        }
    }
    compared
}

#[test]
fn what_a_value_does_not_see_does_not_change_it() {
    let mut random = Random(11);
    let mut compared = 0;
    for case in CASES {
        let model = checked(&format!("model Case(x: [T, d]; d = 3) {{ {} }}", case.model));
        for length in [1, 2, 9] {
            compared += law(case.model, &model, &model.results, &[length], &mut random);
        }
    }
    for folder in ["tests/fixtures/programs", "tests/fixtures/streaming", "tests/fixtures/explain"] {
        for (name, _) in files_in(folder) {
            let file = repository().join(folder).join(&name);
            let Checked { model, outputs, .. } = shown(check_file(&Request { file, ..Request::default() }, None));
            compared += law(&name, &model, &outputs, &[8, 5], &mut random);
        }
    }
    for name in ["lstm_bidirectional", "cell_mingru", "attention_alibi_window_grouped", "llama", "annalog", "hama"] {
        let Checked { model, outputs, .. } = small(name);
        compared += law(name, &model, &outputs, &[7, 4], &mut random);
    }
    assert!(compared > 10_000, "only {compared} positions are out of sight");
}
