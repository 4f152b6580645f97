//! What works at one position: functions and arithmetic, reductions, norms, softmax, other entries, joining.

use super::{Axis, Builder, Estimate, Kind, MOST_SIZE, Time, Value, WEIGHT, list, number, words};

impl Builder {
    /// A function of an expression.
    pub(super) fn function(&mut self, of: String, from: Estimate) -> (String, Estimate) {
        let size = from.size;
        let call = |name: &str| format!("{name}({of})");
        let least = size.min(1.0);
        match self.random.below(25) {
            0 => (call("tanh"), from.through(1.0, least)),
            1 => (call("sigmoid"), from.through(0.25, 1.0)),
            2 => (call("erf"), from.through(1.1, least)),
            3 => (call("sin"), from.through(1.0, least)),
            4 => (call("cos"), from.through(1.0, 1.0)),
            5 => (call("abs"), from),
            6 => (call("relu"), from),
            7 => (call("silu"), from.through(1.1, size)),
            8 => (call("gelu"), from.through(1.1, size)),
            9 => (call("gelu_tanh"), from.through(1.1, size)),
            10 => (call("elu"), from.through(1.0, size)),
            11 => (call("softplus"), from.through(1.0, size + 0.7)),
            12 => (call("softsign"), from.through(1.0, least)),
            13 => (call("log_sigmoid"), from.through(1.0, size + 0.7)),
            14 => (format!("square({of})"), from.through(4.0 * size, size * size)),
            15 => (format!("exp(min({of}, 1))"), from.through(2.8, 2.7)),
            16 => (format!("log(1 + square({of}))"), from.through(1.0, size)),
            17 => (format!("sqrt(0.2 + abs({of}))"), from.through(1.2, (size + 0.2).sqrt())),
            18 => (format!("(0.5 + abs({of})) ^ 0.7"), from.through(1.0, (0.5 + size).powf(0.7))),
            19 => (format!("max(min({of}, 0.8), -0.6)"), Estimate { size: size.min(0.8), ..from }),
            20 => (format!("-({of})"), from),
            21 => (format!("2 ^ min({of}, 1)"), from.through(1.4, 2.0)),
            22 => (format!("log_add_exp({of}, 0.3)"), from.through(1.0, size + 0.7)),
            // An equation has no more than one product with weights.
            23 if !of.contains('[') && !of.contains("affine") && !of.contains("linear") => {
                (format!("({of}) / (1 + abs({of}))"), from.through(1.0, least))
            }
            _ => (format!("({of}) ^ 3"), from.through(9.0 * size * size, size * size * size)),
        }
    }

    /// An expression at the positions of a time axis with features among these, of a value and others.
    pub(super) fn expression(&mut self, x: &Value, depth: usize, declared: &mut String) -> (String, Estimate) {
        if depth == 0 {
            return self.leaf(x, declared);
        }
        let (left, one) = self.expression(x, depth - 1, declared);
        match self.random.below(8) {
            0..3 => self.function(left, one),
            3 | 4 => {
                let (right, two) = self.leaf(x, declared);
                let sign = ["+", "-"][self.random.below(2)];
                (format!("{left} {sign} ({right})"), one.plus(two))
            }
            5 => {
                let (right, two) = self.leaf(x, declared);
                (format!("({left}) * ({right})"), one.times(two))
            }
            6 => {
                let (right, two) = self.leaf(x, declared);
                match self.random.below(3) {
                    0 => (format!("max({left}, {right})"), one.plus(two)),
                    1 => (format!("min({left}, {right})"), one.plus(two)),
                    _ => (format!("({left}) / (1 + abs({right}))"), one.times(Estimate { size: 1.0, ..two })),
                }
            }
            _ => {
                let (right, two) = self.leaf(x, declared);
                match self.condition(x.time, &x.features) {
                    Some(condition) => (format!("select({condition}, {left}, {right})"), one.plus(two)),
                    None => (left, one),
                }
            }
        }
    }

    fn leaf(&mut self, x: &Value, declared: &mut String) -> (String, Estimate) {
        match self.random.below(8) {
            0 | 1 => {
                let fits = |value: &Value| {
                    (value.time == x.time || value.time.is_none()) && meets(&value.features, &x.features)
                };
                let other = self.pick(fits).unwrap_or(x.clone());
                (other.name, other.estimate)
            }
            2 => {
                let value = 0.1 + self.random.fraction();
                (number(value), Estimate::exact(value))
            }
            3 if !x.features.is_empty() => {
                let weight = self.name();
                let count = 1 + self.random.below(x.features.len());
                declared.push_str(&format!("weight {weight}: [{}]\n", list(&x.features[..count])));
                (weight, Estimate::exact(WEIGHT))
            }
            4 if x.time.is_some() => match self.random.below(3) {
                0 => ("cos(0.25 * t)".to_string(), Estimate { size: 1.0, error: 10.0 }),
                1 => ("t % 3".to_string(), Estimate::exact(1.5)),
                _ => ("1 / (1 + t)".to_string(), Estimate { size: 1.0, error: 1.0 }),
            },
            _ => (x.name.clone(), x.estimate),
        }
    }

    /// A condition on what is exact, at a position with such features.
    pub(super) fn condition(&mut self, time: Option<Time>, features: &[Axis]) -> Option<String> {
        let sign = ["<", "<=", ">", ">=", "!=", "=="][self.random.below(6)];
        match self.random.below(3) {
            0 if time == Some(Time::T) => Some(format!("tokens {sign} {}", self.random.below(4))),
            1 if time.is_some() => Some(format!("t % {} {sign} 1", 2 + self.random.below(3))),
            _ => {
                let fits = |value: &&Value| value.time == time && meets(&value.features, features);
                let exact = self.exact.iter().find(fits)?;
                let sign = [">", "<="][self.random.below(2)];
                Some(format!("{} {sign} {}", exact.name, number(0.3 * self.random.fraction())))
            }
        }
    }

    pub(super) fn elementwise(&mut self) -> Option<()> {
        let x = self.pick(|_| true)?;
        let depth = 1 + self.random.below(4);
        let mut declared = String::new();
        let (mut text, mut estimate) = self.expression(&x, depth, &mut declared);
        if estimate.size > MOST_SIZE {
            text = format!("tanh({text})");
            estimate = estimate.through(1.0, 1.0);
        }
        // So that the result has the features of `x`, whatever came of it.
        if !words(&text).any(|word| word == x.name) {
            text = format!("{} * ({text})", x.name);
            estimate = estimate.times(x.estimate);
        }
        let name = self.name();
        let left = self.left(&name, x.time);
        let condition = if self.random.below(6) == 0 { self.condition(x.time, &x.features) } else { None };
        let condition = condition.map_or(String::new(), |condition| format!(" where {condition}"));
        let value = Value { name, estimate, ..x };
        self.add(&[Kind::Elementwise], format!("{declared}{left} = {text}{condition}"), vec![value])
    }

    pub(super) fn reduction(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let all = x.features.len() > 1 && self.random.below(3) == 0;
        let over = if all { x.features.clone() } else { vec![x.features[self.random.below(x.features.len())]] };
        let count = self.count(&over);
        let mut declared = String::new();
        let depth = self.random.below(3);
        let (mut body, mut inside) = self.expression(&x, depth, &mut declared);
        if !words(&body).any(|word| word == x.name) {
            body = format!("{} + 0.5 * ({body})", x.name);
            inside = inside.plus(x.estimate);
        }
        let (call, estimate) = match self.random.below(4) {
            0 => ("sum", inside.summed(count)),
            1 => ("mean", inside.averaged(count)),
            2 => ("max", Estimate { size: 1.5 * inside.size, ..inside }),
            _ => ("min", Estimate { size: 1.5 * inside.size, ..inside }),
        };
        let condition = if self.random.below(3) == 0 { self.condition(x.time, &x.features) } else { None };
        let condition = condition.map_or(String::new(), |condition| format!(" where {condition}"));
        let (factor, estimate) = self.tamed(estimate);
        let name = self.name();
        let left = self.left(&name, x.time);
        let reduction = format!("{call} over {} ({body}{condition})", list(&over));
        let text = format!("{declared}{left} = {factor}{}", bounded(&reduction));
        let features = x.features.iter().copied().filter(|axis| !over.contains(axis)).collect();
        self.add(&[Kind::Reduction], text, vec![Value { name, time: x.time, features, estimate }])
    }

    pub(super) fn norm(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let over = x.features[self.random.below(x.features.len())];
        let axis = list(&[over]);
        // What is left where all entries are nearly the same is divided by this.
        let epsilon = 0.1;
        let steep = (1.0 / x.estimate.size.max(0.4)).min(3.0);
        let estimate = x.estimate.averaged(self.sizes[over]).through(2.0 * steep, 1.5);
        let name = self.name();
        let left = self.left(&name, x.time);
        let call = if x.features.len() == 1 { String::new() } else { format!(" over {axis}") };
        let text = match self.random.below(3) {
            0 => format!("{name} = LayerNorm{call} ({}; epsilon = {epsilon})", x.name),
            1 => format!("{name} = RMSNorm{call} ({}; epsilon = {epsilon})", x.name),
            _ => {
                let (mean, gain) = (self.name(), self.name());
                let average = self.left(&mean, x.time);
                format!(
                    "weight {gain}: [{axis}]\n{average} = mean over {axis} ({x})\n\
                     {left} = ({x} - {mean}) / sqrt(mean over {axis} (({x} - {mean}) * ({x} - {mean})) + {epsilon}) * {gain}",
                    x = x.name
                )
            }
        };
        self.add(&[Kind::Norm], text, vec![Value { name, estimate, ..x }])
    }

    pub(super) fn softmax(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let over = x.features[self.random.below(x.features.len())];
        let (factor, inside) = self.tamed(x.estimate);
        let estimate = inside.averaged(self.sizes[over]).through(0.7, 1.0);
        let condition = if self.random.below(3) == 0 { self.condition(x.time, &x.features) } else { None };
        let condition = condition.map_or(String::new(), |condition| format!(" where {condition}"));
        let name = self.name();
        let left = self.left(&name, x.time);
        let text = format!("{left} = softmax over {} ({factor}{}{condition})", list(&[over]), x.name);
        self.add(&[Kind::Softmax], text, vec![Value { name, estimate, ..x }])
    }

    /// A product of two values, summed over an axis or over none.
    pub(super) fn two_values(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let outer = self.random.below(2) == 0;
        let over = x.features[self.random.below(x.features.len())];
        let y = self.pick(|value| {
            let shared = value.features.iter().filter(|axis| x.features.contains(axis)).count();
            let fits = if outer { shared == 0 && !value.features.is_empty() } else { value.features.contains(&over) };
            fits && (value.time == x.time || value.time.is_none())
        })?;
        let mut features = x.features.clone();
        features.extend(y.features.iter().filter(|axis| !x.features.contains(axis)));
        let mut estimate = x.estimate.times(y.estimate);
        let call = if outer {
            format!("outer({}, {})", x.name, y.name)
        } else {
            features.retain(|axis| *axis != over);
            estimate = estimate.summed(self.sizes[over]);
            format!("dot over {} ({}, {})", list(&[over]), x.name, y.name)
        };
        let (factor, estimate) = self.tamed(estimate);
        let name = self.name();
        let left = self.left(&name, x.time);
        let value = Value { name, time: x.time, features, estimate };
        self.add(&[Kind::TwoValues], format!("{left} = {factor}{call}"), vec![value])
    }

    pub(super) fn join(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let name = self.name();
        let (call, features, estimate) = match self.random.below(3) {
            0 if x.features.len() == 1 => {
                let y = self.pick(|value| value.time == x.time && value.features.len() == 1)?;
                let both = self.new_axis(self.count(&x.features) + self.count(&y.features));
                let estimate = if x.estimate.error > y.estimate.error { x.estimate } else { y.estimate };
                let size = x.estimate.size.max(y.estimate.size);
                (
                    format!("concat({}, {}; {})", x.name, y.name, list(&[both])),
                    vec![both],
                    Estimate { size, ..estimate },
                )
            }
            1 => {
                let which = self.new_axis(2);
                let mut features = vec![which];
                features.extend(&x.features);
                let text = format!("stack({}, tanh({}); {})", x.name, x.name, list(&[which]));
                (text, features, x.estimate.through(1.0, x.estimate.size))
            }
            _ if x.features.len() > 1 => {
                let all = self.new_axis(self.count(&x.features));
                (format!("flatten({}; {})", x.name, list(&[all])), vec![all], x.estimate)
            }
            _ => return None,
        };
        self.add(&[Kind::Join], format!("{name} = {call}"), vec![Value { name, time: x.time, features, estimate }])
    }

    /// Other entries than its own: before, from the end, and a fixed one.
    pub(super) fn entries(&mut self) -> Option<()> {
        let x = self.pick(|value| value.features.len() == 1 && value.time.is_some())?;
        let (time, axis, size) = (x.time?, x.features[0], self.sizes[x.features[0]]);
        let name = self.name();
        let place = match self.random.below(4) {
            0 => "k - 1".to_string(),
            1 => format!("{} - k", size - 1),
            2 => format!("(k + 1) % {size}"),
            _ => {
                let (place, value) = (self.random.below(size), x.name.clone());
                let text = format!("{name}[t: {}] = {value}[t, {place}]", time.name());
                return self.add(&[Kind::Entries], text, vec![Value { name, features: vec![], ..x }]);
            }
        };
        let text = format!("{name}[t: {}, k: {}] = {}[t, {place}]", time.name(), list(&[axis]), x.name);
        self.add(&[Kind::Entries], text, vec![Value { name, ..x }])
    }
}

/// Whether a value with some features meets one with others, and every other value that does so, too: it has the first of them.
fn meets(own: &[Axis], features: &[Axis]) -> bool {
    features.get(..own.len()).is_some_and(|first| own.iter().all(|axis| first.contains(axis)))
}

/// The largest and the smallest of nothing are beyond all numbers: they are bounded, as any value may be absent where it is read.
pub(super) fn bounded(reduction: &str) -> String {
    if reduction.starts_with("max") {
        format!("max({reduction}, -2)")
    } else if reduction.starts_with("min") {
        format!("min({reduction}, 2)")
    } else {
        reduction.to_string()
    }
}
