//! Random valid models as `.seq` texts: a seed goes in, the same model comes out in every run.
//!
//! A model grows step by step. A step takes values that are there, writes equations of one [`Kind`] (a product, a recurrence,
//! an attention, …), and adds what they give. What nothing reads becomes a result, so that every step counts.
//!
//! Values are estimated as they grow (`Estimate`): how large numbers are, and how far float32 may be from the truth. A step
//! whose result would be too far off is not taken, so that a backend that disagrees with the interpreter is wrong, not
//! imprecise. For the same reason nothing is compared or rounded but what is exact: inputs, positions and tokens.
//!
//! [`Model::narrowed`] is the same model with one result and only the equations that lead to it: a small fixture where a large
//! model disagrees.

mod attention;
mod pointwise;
mod product;
mod recurrence;
mod sequence;

use crate::random::Random;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What a step adds to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `affine`, `linear` or `dot` with one weight.
    Product,
    /// Several products of one operand.
    SharedOperand,
    /// A product of several values.
    SeveralOperands,
    /// A product over one of several axes.
    ProductOver,
    /// Functions and arithmetic.
    Elementwise,
    /// Sum, mean, max or min over features.
    Reduction,
    /// A norm of the library, or written out.
    Norm,
    /// A softmax over features.
    Softmax,
    /// `dot` or `outer` of two values.
    TwoValues,
    /// Joining, stacking and flattening.
    Join,
    /// Other entries of an axis.
    Entries,
    /// A table looked up by token, position or a computed place.
    Lookup,
    /// A recurrence with a product at each step.
    Recurrence,
    /// One with gates and several states.
    Gated,
    /// One that is no function of its last position alone.
    Lagged,
    /// One without products that is not affine.
    Nonlinear,
    /// One that is affine in its state, element by element.
    Affine,
    /// One from the last position to the first.
    Backward,
    /// A cell of the library.
    Cell,
    /// An attention along one axis.
    Attention,
    /// One whose queries come along another axis than its keys.
    CrossAttention,
    /// One with a condition on which keys are seen.
    MaskedAttention,
    /// One with several heads that share keys.
    GroupedAttention,
    /// A convolution over positions.
    Convolution,
    /// Earlier and later positions.
    Shift,
    /// One number for a whole sequence.
    SequenceWide,
    /// The last positions, or others that are fixed.
    FixedPosition,
    /// Sums over a range of positions that follows the current one.
    Running,
    /// Weights along an axis of known length.
    Mixing,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 29] = [
        Kind::Product,
        Kind::SharedOperand,
        Kind::SeveralOperands,
        Kind::ProductOver,
        Kind::Elementwise,
        Kind::Reduction,
        Kind::Norm,
        Kind::Softmax,
        Kind::TwoValues,
        Kind::Join,
        Kind::Entries,
        Kind::Lookup,
        Kind::Recurrence,
        Kind::Gated,
        Kind::Lagged,
        Kind::Nonlinear,
        Kind::Affine,
        Kind::Backward,
        Kind::Cell,
        Kind::Attention,
        Kind::CrossAttention,
        Kind::MaskedAttention,
        Kind::GroupedAttention,
        Kind::Convolution,
        Kind::Shift,
        Kind::SequenceWide,
        Kind::FixedPosition,
        Kind::Running,
        Kind::Mixing,
    ];
}

/// How large a value's numbers are, and how far they may be off.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    /// The order of the larger ones.
    size: f64,
    /// Their usual error, in half units of the last place of 1 (2^-24).
    error: f64,
}

/// A step is not taken if its result may be further off, usually: a dozenth of what the comparison allows, as the largest of
/// some ten thousand errors is several times the usual one.
const MOST_ERROR: f64 = 30.0;

/// Numbers that are larger are scaled or squashed.
const MOST_SIZE: f64 = 4.0;

impl Estimate {
    /// As given: rounded once.
    fn exact(size: f64) -> Estimate {
        Estimate { size, error: 0.0 }
    }

    /// After a function no steeper than this, of this size.
    fn through(self, steepness: f64, size: f64) -> Estimate {
        Estimate { size, error: self.error * steepness + size }
    }

    /// A sum, with factors before its parts.
    fn plus(self, other: Estimate) -> Estimate {
        let size = self.size.hypot(other.size);
        Estimate { size, error: self.error.hypot(other.error) + size }
    }

    fn times(self, other: Estimate) -> Estimate {
        let size = self.size * other.size;
        Estimate { size, error: (self.error * other.size).hypot(other.error * self.size) + size }
    }

    fn scaled(self, factor: f64) -> Estimate {
        Estimate { size: self.size * factor, error: self.error * factor + self.size * factor }
    }

    /// A sum of so many of these with random weights of random sign, or none.
    fn summed(self, count: usize) -> Estimate {
        let root = (count as f64).sqrt();
        Estimate { size: self.size * root, error: self.error * root + self.size * root * (1.0 + root / 4.0) }
    }

    /// A weighted mean of so many.
    fn averaged(self, count: usize) -> Estimate {
        Estimate { size: self.size, error: self.error + self.size * (1.0 + (count as f64).sqrt() / 4.0) }
    }

    fn fits(self) -> bool {
        self.error <= MOST_ERROR && self.size <= 2.0 * MOST_SIZE
    }
}

/// The order of random weights: numbers between -1 and 1, mostly near 0.
const WEIGHT: f64 = 0.35;

/// A time axis of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    T,
    S,
    /// Of known length.
    P,
}

/// Positions that sums are estimated over.
const POSITIONS: usize = 70;

impl Time {
    fn name(self) -> &'static str {
        match self {
            Time::T => "T",
            Time::S => "S",
            Time::P => "P",
        }
    }
}

/// An axis of features, by its place among the model's.
type Axis = usize;

#[derive(Clone, Debug)]
struct Value {
    name: String,
    time: Option<Time>,
    /// In no order.
    features: Vec<Axis>,
    estimate: Estimate,
}

/// Equations that belong together.
#[derive(Clone, Debug)]
struct Step {
    text: String,
    gives: Vec<String>,
    reads: BTreeSet<String>,
    kinds: Vec<Kind>,
}

/// A random model.
#[derive(Clone, Debug)]
pub struct Model {
    seed: u64,
    sizes: Vec<usize>,
    inputs: Vec<String>,
    steps: Vec<Step>,
    outputs: Vec<String>,
}

impl Model {
    /// The model of a seed.
    pub fn random(seed: u64) -> Model {
        Builder::new(seed).build()
    }

    /// What it is made of.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.steps.iter().flat_map(|step| step.kinds.iter().copied())
    }

    /// Its text.
    pub fn text(&self) -> String {
        let mut text = format!("// Random model {}.\n", self.seed);
        if self.steps.iter().any(|step| step.kinds.contains(&Kind::Cell) || step.text.contains("Norm")) {
            text.push_str("use cells, norms\n\n");
        }
        let mut parameters: Vec<String> = Vec::new();
        let whole = self.steps.iter().map(|step| step.text.as_str()).chain(self.inputs.iter().map(String::as_str));
        let words: BTreeSet<String> = whole.flat_map(words).collect();
        for (axis, size) in self.sizes.iter().enumerate().filter(|(axis, _)| words.contains(&axis_name(*axis))) {
            parameters.push(format!("{} = {size}", axis_name(axis)));
        }
        parameters.push(format!("vocab = {VOCAB}"));
        if words.contains("P") {
            parameters.push(format!("P = {}", 3 + self.seed % 5));
        }
        let (inputs, parameters, outputs) = (self.inputs.join(", "), parameters.join(", "), self.outputs.join(", "));
        let _ = writeln!(text, "model Random({inputs}; {parameters}) -> {outputs} {{");
        for line in self.steps.iter().flat_map(|step| step.text.lines()) {
            let _ = writeln!(text, "  {line}");
        }
        text.push_str("}\n");
        text
    }

    /// The model with one result, and what that is made of, for each value in the order of their equations.
    pub fn narrowed(&self) -> impl Iterator<Item = Model> {
        self.steps.iter().flat_map(|step| &step.gives).map(|output| {
            let mut wanted = BTreeSet::from([output.clone()]);
            let mut steps = Vec::new();
            for step in self.steps.iter().rev() {
                if step.gives.iter().any(|name| wanted.contains(name)) {
                    wanted.extend(step.reads.iter().cloned());
                    steps.push(step.clone());
                }
            }
            steps.reverse();
            let inputs = needed(&self.inputs, &steps);
            Model { inputs, steps, outputs: vec![output.clone()], ..self.clone() }
        })
    }
}

/// The inputs that steps read, and one along each time axis that they name.
fn needed(inputs: &[String], steps: &[Step]) -> Vec<String> {
    let read: BTreeSet<&str> = steps.iter().flat_map(|step| step.reads.iter().map(String::as_str)).collect();
    let along: BTreeSet<String> = steps.iter().flat_map(|step| words(&step.text)).collect();
    let is_read = |input: &String| read.contains(input.split(':').next().unwrap_or_default());
    let mut all: Vec<String> = inputs.iter().filter(|input| is_read(input)).cloned().collect();
    for time in ["T", "S"] {
        let has = |input: &&String| words(input).any(|word| word == time);
        if along.contains(time) && !all.iter().any(|input| has(&input)) {
            all.extend(inputs.iter().find(has).cloned());
        }
    }
    if all.is_empty() {
        all.extend(inputs.first().cloned());
    }
    all
}

/// Names in a text.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').map(str::to_string)
}

fn axis_name(axis: Axis) -> String {
    format!("n{axis}")
}

/// Tokens of every model.
const VOCAB: usize = 6;

/// Positions that tables have.
const CONTEXT: usize = 80;

struct Builder {
    random: Random,
    seed: u64,
    sizes: Vec<usize>,
    inputs: Vec<String>,
    times: Vec<Time>,
    values: Vec<Value>,
    /// Inputs that may be compared.
    exact: Vec<Value>,
    steps: Vec<Step>,
    names: usize,
}

impl Builder {
    fn new(seed: u64) -> Builder {
        let mut random = Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (0..8).for_each(|_| _ = random.fraction());
        let mut builder = Builder {
            random,
            seed,
            sizes: Vec::new(),
            inputs: Vec::new(),
            times: vec![Time::T],
            values: Vec::new(),
            exact: Vec::new(),
            steps: Vec::new(),
            names: 0,
        };
        builder.inputs();
        builder
    }

    /// Sizes, and inputs along the axes.
    fn inputs(&mut self) {
        // Lanes and panels: one, odd ones, whole ones, one more; rarely more than a panel.
        for _ in 0..3 + self.random.below(2) {
            let size = match self.random.below(24) {
                0 => [64, 65, 96, 33][self.random.below(4)],
                1..4 => [16, 17, 31, 24][self.random.below(4)],
                4..7 => 1,
                _ => 2 + self.random.below(8),
            };
            self.sizes.push(size);
        }
        let x = self.input("x", Some(Time::T), vec![0]);
        self.exact.push(x.clone());
        self.values.push(x);
        self.inputs.push("tokens: [T] of vocab".to_string());
        if self.random.below(4) == 0 {
            let g = self.input("g", Some(Time::T), vec![]);
            self.exact.push(g.clone());
            self.values.push(g);
        }
        if self.random.below(6) == 0 {
            let both = self.input("xx", Some(Time::T), vec![1, 2]);
            self.values.push(both);
        }
        if self.random.below(8) == 0 {
            let whole = self.input("whole", None, vec![1]);
            self.values.push(whole);
        }
        if self.random.below(4) == 0 {
            self.times.push(Time::S);
            let feature = self.random.below(self.sizes.len());
            let z = self.input("z", Some(Time::S), vec![feature]);
            self.values.push(z);
        } else if self.random.below(6) == 0 {
            self.times.push(Time::P);
            let feature = self.random.below(self.sizes.len());
            let p = self.input("p", Some(Time::P), vec![feature]);
            self.values.push(p);
        }
    }

    fn input(&mut self, name: &str, time: Option<Time>, features: Vec<Axis>) -> Value {
        let axes: Vec<String> = time.iter().map(|time| time.name().to_string()).chain(names_of(&features)).collect();
        self.inputs.push(format!("{name}: [{}]", axes.join(", ")));
        Value { name: name.to_string(), time, features, estimate: Estimate::exact(0.8) }
    }

    fn build(mut self) -> Model {
        let steps = 2 + self.random.below(5);
        let mut tries = 0;
        while self.steps.len() < steps && tries < 60 {
            tries += 1;
            let _ = self.step();
        }
        let read: BTreeSet<String> = self.steps.iter().flat_map(|step| step.reads.iter().cloned()).collect();
        let given: Vec<String> = self.steps.iter().flat_map(|step| step.gives.iter().cloned()).collect();
        let mut outputs: Vec<String> = Vec::new();
        for name in &given {
            // Some results are read by others, too.
            if !read.contains(name) || self.random.below(6) == 0 {
                outputs.push(name.clone());
            }
        }
        let inputs = needed(&self.inputs, &self.steps);
        Model { seed: self.seed, sizes: self.sizes, inputs, steps: self.steps, outputs }
    }

    /// Tries a step; none where it does not fit what is there.
    fn step(&mut self) -> Option<()> {
        match self.random.below(34) {
            0..5 => self.product(),
            5..9 => self.elementwise(),
            9 => self.reduction(),
            10 | 11 => self.norm(),
            12 => self.softmax(),
            13 => self.two_values(),
            14 => self.join(),
            15 => self.entries(),
            16 | 17 => self.lookup(),
            18..22 => self.recurrence(),
            22 | 23 => self.affine_recurrence(),
            24 => self.cell(),
            25..28 => self.attention(),
            28 => self.convolution(),
            29 => self.shift(),
            30 => self.sequence_wide(),
            31 => self.fixed_position(),
            32 => self.running(),
            _ => self.mixing(),
        }
    }

    /// A new name.
    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    /// A value for which something holds, a late one rather than an early one.
    fn pick(&mut self, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let all: Vec<&Value> = self.values.iter().filter(|value| fits(value)).collect();
        let count = all.len();
        if count == 0 {
            return None;
        }
        let place = self.random.below(count).max(self.random.below(count));
        Some(all[place].clone())
    }

    fn axis(&mut self) -> Axis {
        self.random.below(self.sizes.len())
    }

    /// An axis for which something holds.
    fn axis_where(&mut self, fits: impl Fn(Axis, usize) -> bool) -> Option<Axis> {
        let all: Vec<Axis> = (0..self.sizes.len()).filter(|axis| fits(*axis, self.sizes[*axis])).collect();
        if all.is_empty() { None } else { Some(all[self.random.below(all.len())]) }
    }

    /// A new axis of a size.
    fn new_axis(&mut self, size: usize) -> Axis {
        self.sizes.push(size);
        self.sizes.len() - 1
    }

    /// Entries of features together.
    fn count(&self, features: &[Axis]) -> usize {
        features.iter().map(|axis| self.sizes[*axis]).product()
    }

    /// The left side of an equation along a time axis, with or without its index; always with it where there are several axes.
    fn left(&mut self, name: &str, time: Option<Time>) -> String {
        match time {
            Some(time) if self.times.len() > 1 || self.random.below(2) == 0 => format!("{name}[t: {}]", time.name()),
            _ => name.to_string(),
        }
    }

    /// Adds a step that gives values, unless one of them would be too far off or too many numbers.
    fn add(&mut self, kinds: &[Kind], text: String, gives: Vec<Value>) -> Option<()> {
        let fits = |value: &Value| value.estimate.fits() && self.count(&value.features) <= 256;
        if !gives.iter().all(fits) {
            return None;
        }
        let own: Vec<String> = gives.iter().map(|value| value.name.clone()).collect();
        let known: BTreeSet<String> = self.values.iter().map(|value| value.name.clone()).collect();
        let mut reads: BTreeSet<String> = words(&text).filter(|word| known.contains(word)).collect();
        if words(&text).any(|word| word == "tokens") {
            reads.insert("tokens".to_string());
        }
        self.steps.push(Step { text, gives: own, reads, kinds: kinds.to_vec() });
        self.values.extend(gives);
        Some(())
    }
}

/// Names of axes.
fn names_of(features: &[Axis]) -> impl Iterator<Item = String> {
    features.iter().map(|axis| axis_name(*axis))
}

/// A list of axes.
fn list(features: &[Axis]) -> String {
    names_of(features).collect::<Vec<_>>().join(", ")
}

/// A number as it stands in a file, with few digits.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
