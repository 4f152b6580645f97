//! What survives of a change in a state: against differences of two runs, closed forms, and what is known of cells.

use seqwright::session::OneSequence;
use seqwright_compiler::check::recurrence::{Group, Scan};
use seqwright_compiler::check::{Missing, check};
use seqwright_compiler::graph::{self, Change, Graph, Sequence, interpret, respond};
use seqwright_compiler::model::ValueKind;
use seqwright_compiler::recurrence::memory::{Along, Effort, Memory, memory};
use seqwright_compiler::term::ValueId;
use seqwright_tests::goldens::{case, shown};
use seqwright_tests::random::Random;
use seqwright_tests::sources::read;
use std::collections::BTreeMap;

const HIDDEN: usize = 5;
const LENGTH: usize = 12;
/// The position of a change.
const AT: usize = 4;
/// How many positions it is followed.
const STEPS: usize = 6;
const EFFORT: Effort = Effort { steps: STEPS, starts: 1, exact: 32, directions: 8 };

/// A model whose states have a value before the first position from outside, so that a run can go on from a changed one.
const RNN: &str = "model M(x: [T, input], start: [hidden]; input = 3, hidden = 5) -> h {
  state h: [hidden] = start
  h = tanh(affine(x, h[t-1]; hidden))
}
";
const GRU: &str = "model M(x: [T, input], start: [hidden]; input = 3, hidden = 5) -> h {
  state h: [hidden] = start
  gate reset  = sigmoid(affine(x, h[t-1]; hidden))
  gate update = sigmoid(affine(x, h[t-1]; hidden))
  recurrent   = affine(h[t-1]; hidden)
  candidate   = tanh(affine(x; hidden) + reset * recurrent)
  h = (1 - update) * candidate + update * h[t-1]
}
";
const LSTM: &str = "model M(x: [T, input], start: [hidden], begin: [hidden]; input = 3, hidden = 5) -> h {
  state h: [hidden] = start
  state c: [hidden] = begin
  gate enter     = sigmoid(affine(x, h[t-1]; hidden))
  gate forget    = sigmoid(affine(x, h[t-1]; hidden))
  gate output    = sigmoid(affine(x, h[t-1]; hidden))
  gate candidate = tanh(affine(x, h[t-1]; hidden))
  c = forget * c[t-1] + enter * candidate
  h = output * tanh(c)
}
";

type Values = BTreeMap<ValueId, Vec<f64>>;
/// From a run, a step and a direction to the values before the first position of a run that goes on.
type Starts<'a> = dyn Fn(&Values, f64, &[f64]) -> Vec<(ValueId, Vec<f64>)> + 'a;

/// A model's graph, and random numbers for a sequence of it.
struct Case {
    graph: Graph,
    values: Values,
}

impl Case {
    fn new(text: &str) -> Case {
        let (_, program, mistakes) = read("m.seq", text);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let model = check(&program, None, &BTreeMap::new(), Missing::Refuse).unwrap_or_else(|why| panic!("{why:?}"));
        let graph = graph::build(&model, &model.results);
        let mut random = Random(7);
        let mut values = Values::new();
        for (id, value) in model.inputs().chain(model.weights()) {
            let count: usize = value.axes.iter().map(|axis| axis.size().unwrap_or(LENGTH)).product();
            values.insert(id, (0..count).map(|_| f64::from(random.number()) * 0.8).collect());
        }
        Case { graph, values }
    }

    fn id(&self, path: &str) -> ValueId {
        self.graph.model.names[path]
    }

    /// Every value of a run.
    fn run(&self, values: &Values, length: usize) -> Values {
        interpret(&self.graph, &sequence(values, length))
    }

    fn scan(&self) -> &Scan {
        let scan = self.graph.groups.iter().find_map(|group| match group {
            Group::Scan(scan) => Some(scan),
            Group::One(_) => None,
        });
        scan.expect("it has a recurrence")
    }

    fn memory(&self, effort: Effort) -> Vec<Memory> {
        let mut random = Random(11);
        memory(&self.graph, &sequence(&self.values, LENGTH), effort, &mut || 2.0 * random.fraction() - 1.0)
    }

    /// What is left of a change, by the derivative, and by the difference of two runs that go on from changed states.
    fn compare(&self, state: &str, starts: &Starts) {
        const STEP: f64 = 1e-5;
        let direction = [0.3, -1.0, 0.5, 0.8, -0.2];
        let known = self.run(&self.values, LENGTH);
        let change = Change { scan: self.scan(), value: self.id(state), step: AT, directions: &[direction.to_vec()] };
        let found = respond(&self.graph, &sequence(&self.values, LENGTH), &known, &change, STEPS).swap_remove(0);
        assert_eq!(found.len(), STEPS + 1);
        let ahead = |by: f64| {
            let mut values = self.values.clone();
            let x = self.id("x");
            values.insert(x, self.values[&x][3 * (AT + 1)..].to_vec());
            values.extend(starts(&known, by, &direction));
            self.run(&values, LENGTH - AT - 1)[&self.id(state)].clone()
        };
        let (more, less) = (ahead(STEP), ahead(-STEP));
        for (n, found) in found.iter().enumerate().skip(1) {
            for (entry, found) in found.iter().enumerate() {
                let place = (n - 1) * HIDDEN + entry;
                let wanted = (more[place] - less[place]) / (2.0 * STEP);
                assert!((found - wanted).abs() < 1e-8, "{state}, {n} later: {found} instead of {wanted}");
            }
        }
    }
}

fn sequence(values: &Values, length: usize) -> Sequence<'_> {
    let values = values.iter().map(|(id, numbers)| (*id, numbers.as_slice())).collect();
    Sequence { lengths: vec![length], values }
}

/// A value's numbers at the position of the change.
fn there(numbers: &[f64]) -> &[f64] {
    &numbers[AT * HIDDEN..(AT + 1) * HIDDEN]
}

fn moved(numbers: &[f64], by: f64, direction: &[f64]) -> Vec<f64> {
    numbers.iter().zip(direction).map(|(number, along)| number + by * along).collect()
}

#[test]
fn derivatives_are_those_of_differences() {
    for text in [RNN, GRU] {
        let case = Case::new(text);
        let (h, start) = (case.id("h"), case.id("start"));
        case.compare("h", &|known, by, direction| vec![(start, moved(there(&known[&h]), by, direction))]);
    }
    let case = Case::new(LSTM);
    let (h, c, output) = (case.id("h"), case.id("c"), case.id("output"));
    let (start, begin) = (case.id("start"), case.id("begin"));
    case.compare("h", &|known, by, direction| {
        vec![(start, moved(there(&known[&h]), by, direction)), (begin, there(&known[&c]).to_vec())]
    });
    // A changed memory shows in the output of the same position.
    case.compare("c", &|known, by, direction| {
        let changed = moved(there(&known[&c]), by, direction);
        let out = changed.iter().zip(there(&known[&output])).map(|(c, output)| output * c.tanh()).collect();
        vec![(start, out), (begin, changed)]
    });
}

#[test]
fn a_linear_recurrence_fades_by_powers_of_its_matrix() {
    let text =
        "model M(x: [T, hidden]; hidden = 2) -> h {\n  state h: [hidden] = 0\n  h = x + linear(h[t-1]; hidden)\n}\n";
    let mut case = Case::new(text);
    let (weight, _) = case.graph.model.weights().next().map(|(id, value)| (id, value.path.clone())).expect("a matrix");
    // Nine tenths of a turn: nothing is left but 0.9^n, in whatever direction.
    let (sine, cosine) = 0.4f64.sin_cos();
    case.values.insert(weight, [cosine, -sine, sine, cosine].map(|number| 0.9 * number).to_vec());
    let found = case.memory(EFFORT).swap_remove(0);
    assert_eq!(found.along, Along::Every);
    for n in 0..=STEPS {
        let wanted = 0.9f64.powi(n as i32);
        assert!((found.typical[n] - wanted).abs() < 1e-12, "{:?}", found.typical);
        assert!((found.largest.as_ref().expect("all directions")[n] - wanted).abs() < 1e-9);
    }
    // One that mixes unevenly: [[1/2, 1], [0, 1/4]].
    case.values.insert(weight, vec![0.5, 1.0, 0.0, 0.25]);
    let found = case.memory(EFFORT).swap_remove(0);
    let second = [0.25f64, 0.75, 0.0, 0.0625];
    let frobenius = second.iter().map(|number| number * number).sum::<f64>().sqrt();
    assert!((found.typical[2] - frobenius / 2f64.sqrt()).abs() < 1e-12);
    // The larger eigenvalue of JᵀJ of a matrix of two by two, from its trace and determinant.
    let (trace, determinant) = (frobenius * frobenius, (0.25f64 * 0.0625).powi(2));
    let largest = ((trace + (trace * trace - 4.0 * determinant).sqrt()) / 2.0).sqrt();
    assert!((found.largest.expect("all directions")[2] - largest).abs() < 1e-9);
    assert_eq!(found.factor, None, "no entry is multiplied by one number alone");
}

#[test]
fn a_recurrence_entry_by_entry_fades_by_products_of_its_factor() {
    let text = "model M(x: [T, input]; input = 3, hidden = 5) -> h {
  state h: [hidden] = 0
  gate keep = sigmoid(affine(x; hidden))
  candidate = affine(x; hidden)
  h = (1 - keep) * candidate + keep * h[t-1]
}
";
    let case = Case::new(text);
    let found = case.memory(EFFORT).swap_remove(0);
    assert_eq!(found.along, Along::Diagonal);
    let keep = &case.run(&case.values, LENGTH)[&case.id("keep")];
    // The one start is the first position.
    for n in 0..=STEPS {
        let product = |entry: usize| (1..=n).map(|at| keep[at * HIDDEN + entry]).product::<f64>();
        let squares: f64 = (0..HIDDEN).map(|entry| product(entry).powi(2)).sum();
        assert!((found.typical[n] - (squares / HIDDEN as f64).sqrt()).abs() < 1e-12);
        let largest = (0..HIDDEN).map(product).fold(0.0, f64::max);
        assert!((found.largest.as_ref().expect("all directions")[n] - largest).abs() < 1e-12);
    }
    let factor = found.factor.expect("it is affine");
    assert!(factor.text.starts_with("keep["), "{}", factor.text);
    assert!((factor.mean - keep.iter().sum::<f64>() / keep.len() as f64).abs() < 1e-12);
    let entry = |entry: usize| {
        let logarithms: f64 = (0..LENGTH).map(|at| keep[at * HIDDEN + entry].ln()).sum();
        0.5f64.ln() / (logarithms / LENGTH as f64)
    };
    let mut half_lives: Vec<f64> = (0..HIDDEN).map(entry).collect();
    half_lives.sort_by(f64::total_cmp);
    for (found, wanted) in factor.half_lives.iter().zip(&half_lives) {
        assert!((found - wanted).abs() < 1e-9);
    }
}

#[test]
fn random_directions_estimate_what_all_of_them_say() {
    let case = Case::new(LSTM);
    let exact = case.memory(EFFORT);
    let estimated = case.memory(Effort { exact: 2, directions: 200, ..EFFORT });
    for (exact, estimated) in exact.iter().zip(&estimated) {
        assert_eq!((exact.along, estimated.along), (Along::Every, Along::Random(200)));
        assert!(estimated.largest.is_none());
        for (exact, estimated) in exact.typical.iter().zip(&estimated.typical) {
            assert!((estimated / exact - 1.0).abs() < 0.2, "{estimated} instead of {exact}");
        }
    }
}

/// What a golden cell remembers of its golden inputs; `bias` is added to its weight of that name.
fn golden(name: &str, bias: Option<(&str, f32)>) -> Vec<Memory> {
    let case = case(name);
    let mut loaded = case.loaded();
    if let Some((path, more)) = bias {
        let (id, _) = case.checked.model.weights().find(|(_, value)| value.path == path).expect("there is such a bias");
        let raised = loaded.values[&id].iter().map(|number| number + more).collect();
        loaded.values.insert(id, raised);
    }
    let sequence = shown(OneSequence::first(&case.checked, &loaded, &[], &case.batch()));
    let graph = graph::build(&case.checked.model, &case.checked.outputs);
    let mut random = Random(3);
    let effort = Effort { steps: 8, starts: 2, exact: 32, directions: 8 };
    memory(&graph, &sequence.as_sequence(), effort, &mut || 2.0 * random.fraction() - 1.0)
}

/// The golden weights are random: their LSTM forgets as its gate of about a half says. Where the gate stays open, it holds
/// what an RNN of the same size loses in a few positions.
#[test]
fn an_rnn_forgets_in_a_few_steps_and_an_lstm_as_its_gate_says() {
    let rnn = golden("rnn_tanh", None).swap_remove(0);
    assert!(rnn.factor.is_none());
    assert!(rnn.halved().is_some_and(|after| after < 4.0), "{:?}", rnn.typical);
    let of_c = |all: Vec<Memory>| all.into_iter().find(|memory| memory.state == "lstm.c").expect("the state");
    let closed = of_c(golden("lstm", None));
    let factor = closed.factor.as_ref().expect("it is affine in itself");
    assert!(factor.text.starts_with("lstm.forget["), "{}", factor.text);
    let middle = factor.half_lives[factor.half_lives.len() / 2];
    assert!((0.4..0.6).contains(&factor.mean) && (0.5..2.0).contains(&middle), "{factor:?}");
    assert!(closed.halved().is_some_and(|after| after < 4.0), "{:?}", closed.typical);
    let open = of_c(golden("lstm", Some(("lstm.forget.bias", 4.0))));
    assert!(open.factor.as_ref().is_some_and(|factor| factor.mean > 0.95));
    assert!(open.halved().is_none() && open.typical[8] > 5.0 * rnn.typical[8], "{:?} {:?}", open.typical, rnn.typical);
}

/// Every recurrence of the examples says something finite, whatever it is made of.
#[test]
fn every_state_of_every_example_is_told_of() {
    for name in [
        "gru_bidirectional_stacked",
        "cell_peephole_layernorm_lstm",
        "cell_slstm",
        "convolution_gru",
        "retention",
        "mamba",
    ] {
        let found = golden(name, None);
        let is_state = |kind: &ValueKind| matches!(kind, ValueKind::Equation(equation) if equation.is_state);
        let states = case(name).checked.model.values.iter().filter(|value| is_state(&value.kind)).count();
        assert_eq!(found.len(), states, "{name}");
        for memory in found {
            assert!(
                memory.typical.iter().all(|left| left.is_finite()),
                "{name}, {}: {:?}",
                memory.state,
                memory.typical
            );
            assert!((memory.typical[0] - 1.0).abs() < 1e-12, "{name}, {}", memory.state);
            assert!(memory.typical.len() > 1);
        }
    }
}
