//! A model as it grows: its inputs, which step comes next, and what steps have in common.

use super::estimate::Estimate;
use super::{Axis, Kind, Model, Step, Time, Value, names_of, needed, words};
use crate::random::Random;
use std::collections::BTreeSet;

/// A model as it grows.
pub(super) struct Builder {
    pub(super) random: Random,
    pub(super) seed: u64,
    pub(super) sizes: Vec<usize>,
    pub(super) inputs: Vec<String>,
    pub(super) times: Vec<Time>,
    pub(super) values: Vec<Value>,
    /// Inputs that may be compared.
    pub(super) exact: Vec<Value>,
    pub(super) steps: Vec<Step>,
    pub(super) names: usize,
}

impl Builder {
    pub(super) fn new(seed: u64) -> Builder {
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
        } else if self.random.below(3) == 0 {
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

    pub(super) fn build(mut self) -> Model {
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
        match self.random.below(53) {
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
            33 => self.mixing(),
            34..37 => self.repeated(),
            37..40 => self.defined(),
            40..43 => self.nested(),
            43..46 => self.library_block(),
            46..50 => self.strided(),
            50 => self.constant(),
            51 => self.experts(),
            _ => self.rotary(),
        }
    }

    /// A new name.
    pub(super) fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    /// A value for which something holds, a late one rather than an early one.
    pub(super) fn pick(&mut self, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let all: Vec<&Value> = self.values.iter().filter(|value| fits(value)).collect();
        let count = all.len();
        if count == 0 {
            return None;
        }
        let place = self.random.below(count).max(self.random.below(count));
        Some(all[place].clone())
    }

    pub(super) fn axis(&mut self) -> Axis {
        self.random.below(self.sizes.len())
    }

    /// An axis for which something holds.
    pub(super) fn axis_where(&mut self, fits: impl Fn(Axis, usize) -> bool) -> Option<Axis> {
        let all: Vec<Axis> = (0..self.sizes.len()).filter(|axis| fits(*axis, self.sizes[*axis])).collect();
        if all.is_empty() { None } else { Some(all[self.random.below(all.len())]) }
    }

    /// A new axis of a size.
    pub(super) fn new_axis(&mut self, size: usize) -> Axis {
        self.sizes.push(size);
        self.sizes.len() - 1
    }

    /// Entries of features together.
    pub(super) fn count(&self, features: &[Axis]) -> usize {
        features.iter().map(|axis| self.sizes[*axis]).product()
    }

    /// The left side of an equation along a time axis, with or without its index; always with it where there are several axes.
    pub(super) fn left(&mut self, name: &str, time: Option<Time>) -> String {
        match time {
            Some(time) if self.times.len() > 1 || self.random.below(2) == 0 => format!("{name}[t: {}]", time.name()),
            _ => name.to_string(),
        }
    }

    /// Adds a step that gives values, unless one of them would be too far off or too many numbers.
    pub(super) fn add(&mut self, kinds: &[Kind], text: String, gives: Vec<Value>) -> Option<()> {
        self.add_defined(kinds, Vec::new(), text, gives)
    }

    /// The same with definitions that the step uses.
    pub(super) fn add_defined(
        &mut self,
        kinds: &[Kind],
        definitions: Vec<String>,
        text: String,
        gives: Vec<Value>,
    ) -> Option<()> {
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
        self.steps.push(Step { definitions, text, gives: own, reads, kinds: kinds.to_vec() });
        self.values.extend(gives);
        Some(())
    }

    /// Makes a value of the last step a result too, that no other step reads: one over pairs of positions.
    pub(super) fn also_gives(&mut self, kind: Kind, name: String) {
        if let Some(step) = self.steps.last_mut() {
            step.gives.push(name);
            step.kinds.push(kind);
        }
    }
}
