//! Recurrences: with products, gates and several states, affine ones, further back than one position, in both directions. All
//! forget, so that an error does not grow from position to position.

use super::{Axis, Builder, Estimate, Kind, MOST_SIZE, Time, Value, WEIGHT, list, number};

impl Builder {
    /// The declaration of states along a time axis, with a value before the first position.
    fn states(&mut self, names: &[&str], time: Time, features: &[Axis]) -> String {
        let along = if self.times.len() > 1 { vec![time.name().to_string()] } else { Vec::new() };
        let axes: Vec<String> = along.into_iter().chain(super::names_of(features)).collect();
        let (weight, start) = match self.random.below(5) {
            0 => (String::new(), "0.5".to_string()),
            1 if !features.is_empty() => {
                let weight = self.name();
                (format!("weight {weight}: [{}]\n", list(features)), weight)
            }
            _ => (String::new(), "0".to_string()),
        };
        format!("{weight}state {}: [{}] = {start}\n", names.join(", "), axes.join(", "))
    }

    /// A direction: the sign of a step back, and the kinds it adds.
    fn direction(&mut self, kinds: &mut Vec<Kind>) -> char {
        if self.random.below(3) == 0 {
            kinds.push(Kind::Backward);
            '+'
        } else {
            '-'
        }
    }

    /// A value to run a recurrence over, and its time axis.
    fn moving(&mut self, fits: impl Fn(&Value) -> bool) -> Option<(Value, Time)> {
        let x = self.pick(|value| value.time.is_some() && fits(value))?;
        let time = x.time?;
        Some((x, time))
    }

    pub(super) fn recurrence(&mut self) -> Option<()> {
        match self.random.below(5) {
            0 => self.simple(),
            1 => self.long_short(),
            2 => self.reset(),
            3 => self.lagged(),
            _ => self.pointwise_recurrence(),
        }
    }

    /// So large may a product of the state be that an error fades.
    fn fading(&self, size: usize) -> f64 {
        (0.7 / (WEIGHT * (size as f64).sqrt())).min(1.0)
    }

    /// `tanh` of a product of the input and the state, perhaps with a norm between, or a read of the state before.
    fn simple(&mut self) -> Option<()> {
        let (x, time) = self.moving(|value| !value.features.is_empty())?;
        let size = self.axis_where(|_, size| size <= 32)?;
        let mut kinds = vec![Kind::Recurrence];
        let sign = self.direction(&mut kinds);
        let factor = number(self.fading(self.sizes[size]));
        let (h, total) = (self.name(), self.name());
        let mut text = self.states(&[&h], time, &[size]);
        let axis = list(&[size]);
        match self.random.below(3) {
            0 => {
                text += &format!("{total} = affine({}, {h}[t{sign}1]; {axis})\n", x.name);
                text += &format!("{h} = tanh({factor} * {total} / sqrt(1 + mean over {axis} ({total} * {total})))");
            }
            1 => {
                // The state before is a value of its own, and one of several states.
                text += &format!("{total} = sigmoid(linear({h}[t{sign}1]; {axis}))\n");
                let before = self.name();
                text += &format!("{before} = affine({}; {axis})\n", x.name);
                text += &format!("{h} = tanh({factor} * {before} + 0.5 * {total} * {h}[t{sign}1])");
            }
            _ => text += &format!("{h} = tanh({factor} * affine({}, {h}[t{sign}1]; {axis}))", x.name),
        }
        let inside = self.weighed(x.estimate, self.count(&x.features));
        let estimate = Estimate { size: 1.0, error: (inside.error + 2.0) * 3.0 };
        let mut gives = vec![Value { name: h.clone(), time: Some(time), features: vec![size], estimate }];
        if self.random.below(3) == 0 {
            let earlier = self.name();
            text += &format!("\n{earlier} = {h}[t{sign}1] * 0.5 + {h}");
            gives.push(Value { name: earlier, estimate: estimate.scaled(1.2), ..gives[0].clone() });
        }
        self.add(&kinds, text, gives)
    }

    /// Two states and gates (an LSTM, perhaps with peepholes or coupled gates).
    fn long_short(&mut self) -> Option<()> {
        let (x, time) = self.moving(|value| !value.features.is_empty())?;
        let size = self.axis_where(|_, size| size <= 32)?;
        let mut kinds = vec![Kind::Gated, Kind::Recurrence];
        let sign = self.direction(&mut kinds);
        let factor = number(self.fading(self.sizes[size]));
        let [h, c, i, f, o, g] = std::array::from_fn(|_| self.name());
        let mut text = self.states(&[&h, &c], time, &[size]);
        let axis = list(&[size]);
        let product = |x: &str| format!("{factor} * affine({x}, {h}[t{sign}1]; {axis})");
        text += &format!("{i} = sigmoid({})\n", product(&x.name));
        let coupled = self.random.below(3) == 0;
        if !coupled {
            let peephole = self.random.below(3) == 0;
            let more = if peephole { format!(" + 0.3 * {c}[t{sign}1]") } else { String::new() };
            text += &format!("{f} = sigmoid({}{more})\n", product(&x.name));
        }
        text += &format!("{o} = sigmoid({})\n{g} = tanh({})\n", product(&x.name), product(&x.name));
        let forget = if coupled { format!("(1 - {i})") } else { format!("0.9 * {f}") };
        text += &format!("{c} = {forget} * {c}[t{sign}1] + {i} * {g}\n{h} = {o} * tanh({c})");
        let inside = self.weighed(x.estimate, self.count(&x.features));
        let estimate = Estimate { size: 1.0, error: (inside.error + 2.0) * 2.5 };
        let value = |name: String| Value { name, time: Some(time), features: vec![size], estimate };
        self.add(&kinds, text, vec![value(h), value(c)])
    }

    /// A product of the state that is gated before it is used (a GRU).
    fn reset(&mut self) -> Option<()> {
        let (x, time) = self.moving(|value| !value.features.is_empty())?;
        let size = self.axis_where(|_, size| size <= 32)?;
        let mut kinds = vec![Kind::Gated, Kind::Recurrence];
        let sign = self.direction(&mut kinds);
        let factor = number(self.fading(self.sizes[size]));
        let [h, r, z, u, n] = std::array::from_fn(|_| self.name());
        let mut text = self.states(&[&h], time, &[size]);
        let (axis, x_name) = (list(&[size]), &x.name);
        text += &format!("{r} = sigmoid({factor} * affine({x_name}, {h}[t{sign}1]; {axis}))\n");
        text += &format!("{z} = sigmoid({factor} * affine({x_name}, {h}[t{sign}1]; {axis}))\n");
        if self.random.below(2) == 0 {
            text += &format!("{u} = affine({h}[t{sign}1]; {axis})\n");
            text += &format!("{n} = tanh({factor} * (linear({x_name}; {axis}) + {r} * {u}))\n");
        } else {
            // The state is gated before the product: one product after another in each step.
            text += &format!("{u} = {r} * {h}[t{sign}1]\n{n} = tanh({factor} * affine({x_name}, {u}; {axis}))\n");
        }
        text += &format!("{h} = (1 - {z}) * {n} + {z} * {h}[t{sign}1]");
        let inside = self.weighed(x.estimate, self.count(&x.features));
        let estimate = Estimate { size: 1.0, error: (inside.error + 2.0) * 3.0 };
        self.add(&kinds, text, vec![Value { name: h, time: Some(time), features: vec![size], estimate }])
    }

    /// States read further back than one position.
    fn lagged(&mut self) -> Option<()> {
        let (x, time) = self.moving(|_| true)?;
        let mut kinds = vec![Kind::Lagged];
        let sign = self.direction(&mut kinds);
        let lag = 2 + self.random.below(4);
        let (h, g) = (self.name(), self.name());
        let fed = x.estimate;
        let value = |name: String, estimate: Estimate| Value { name, estimate, ..x.clone() };
        let x_name = &x.name;
        let (text, gives) = match self.random.below(3) {
            0 => {
                let text = self.states(&[&h], time, &x.features)
                    + &format!("{h} = 0.5 * {x_name} + 0.4 * {h}[t{sign}1] - 0.3 * {h}[t{sign}{lag}]");
                (text, vec![value(h, fed.scaled(1.5).through(2.0, fed.size))])
            }
            1 => {
                let text = self.states(&[&h, &g], time, &x.features)
                    + &format!(
                        "{h} = tanh({x_name} + 0.4 * {g}[t{sign}{lag}])\n{g} = 0.5 * {h} - 0.3 * {g}[t{sign}1] + 0.2 * {h}[t{sign}1]"
                    );
                let estimate = fed.through(2.0, 1.0);
                (text, vec![value(h, estimate), value(g, estimate)])
            }
            _ => {
                let size = self.axis_where(|_, size| size <= 16)?;
                if x.features.is_empty() {
                    return None;
                }
                kinds.push(Kind::Recurrence);
                let (factor, axis) = (number(self.fading(self.sizes[size])), list(&[size]));
                let text = self.states(&[&h], time, &[size])
                    + &format!(
                        "{g} = affine({x_name}, {h}[t{sign}{lag}]; {axis})\n{h} = tanh({factor} * {g} + 0.2 * {h}[t{sign}1])"
                    );
                let inside = self.weighed(fed, self.count(&x.features));
                let estimate = Estimate { size: 1.0, error: (inside.error + 2.0) * 4.0 };
                (text, vec![Value { name: h, time: Some(time), features: vec![size], estimate }])
            }
        };
        self.add(&kinds, text, gives)
    }

    /// No product, and not affine.
    fn pointwise_recurrence(&mut self) -> Option<()> {
        let (x, time) = self.moving(|_| true)?;
        let mut kinds = vec![Kind::Nonlinear];
        let sign = self.direction(&mut kinds);
        let h = self.name();
        let x_name = &x.name;
        let states = self.states(&[&h], time, &x.features);
        let (equation, estimate) = match self.random.below(5) {
            0 => (format!("tanh({x_name} + 0.6 * {h}[t{sign}1])"), x.estimate.through(2.5, 1.0)),
            1 => (format!("max({x_name}, 0.9 * {h}[t{sign}1])"), x.estimate.through(1.0, 2.0 * x.estimate.size)),
            2 => (format!("sigmoid({x_name}) * cos({h}[t{sign}1]) * 0.7"), x.estimate.through(2.0, 0.7)),
            3 => (format!("select(t % 3 == 0, tanh({x_name}), 0.8 * {h}[t{sign}1])"), x.estimate.through(1.0, 1.0)),
            _ if !x.features.is_empty() => {
                // A sum over the state's entries.
                let axis = list(&x.features[..1]);
                (
                    format!("0.5 * tanh({x_name}) + 0.3 * softmax over {axis} ({h}[t{sign}1])"),
                    x.estimate.through(2.0, 1.0),
                )
            }
            _ => (format!("{x_name} / (1 + abs({h}[t{sign}1]))"), x.estimate.through(2.0, x.estimate.size)),
        };
        if estimate.size > MOST_SIZE {
            return None;
        }
        let left = self.left(&h, Some(time));
        let text = format!("{states}{left} = {equation}");
        self.add(&kinds, text, vec![Value { name: h, estimate, ..x }])
    }

    /// Affine in its state, element by element; often with what leads to it and follows from it.
    pub(super) fn affine_recurrence(&mut self) -> Option<()> {
        let (x, time) = self.moving(|_| true)?;
        let mut kinds = vec![Kind::Affine];
        let sign = self.direction(&mut kinds);
        let [h, a, y] = std::array::from_fn(|_| self.name());
        let x_name = &x.name;
        let gate =
            self.pick(|value| value.time == x.time && value.features.iter().all(|axis| x.features.contains(axis)));
        let gate = gate.unwrap_or(x.clone());
        let slow = Estimate { size: 1.0, error: 2.0 * gate.estimate.error + 2.0 };
        let faded = |estimate: Estimate| estimate.times(slow).through(3.0, estimate.size);
        match self.random.below(4) {
            0 => {
                let text = self.states(&[&h], time, &x.features)
                    + &format!("{a} = sigmoid({})\n{h} = {a} * {h}[t{sign}1] + (1 - {a}) * {x_name}", gate.name);
                self.add(&kinds, text, vec![Value { name: h, estimate: faded(x.estimate), ..x }])
            }
            1 => {
                let text = self.states(&[&h], time, &x.features)
                    + &format!("{h} = 0.7 * ({h}[t{sign}1] - {x_name}) / (1 + abs({})) + 0.2", gate.name);
                self.add(&kinds, text, vec![Value { name: h, estimate: faded(x.estimate), ..x }])
            }
            2 => {
                let left = self.left(&h, Some(time));
                let text = self.states(&[&h], time, &x.features)
                    + &format!(
                        "{left} = select(t % 4 == 1, 0, 0.9) * {h}[t{sign}1] + {x_name}\n{y} = {h} * {x_name} * 0.5"
                    );
                let estimate = x.estimate.scaled(2.0).through(2.0, 2.0 * x.estimate.size);
                let second = Value { name: y, estimate: estimate.times(x.estimate.scaled(0.5)), ..x.clone() };
                self.add(&kinds, text, vec![Value { name: h, estimate, ..x }, second])
            }
            _ => self.selective(&x, time, sign, &kinds),
        }
    }

    /// A state space: its state has an axis more than the input.
    fn selective(&mut self, x: &Value, time: Time, sign: char, kinds: &[Kind]) -> Option<()> {
        let [inner] = x.features[..] else { return None };
        let states = self.axis_where(|axis, size| axis != inner && size <= 9)?;
        let [h, delta, rate, into, out, a, y] = std::array::from_fn(|_| self.name());
        let features = if self.random.below(2) == 0 { [inner, states] } else { [states, inner] };
        let mut text = self.states(&[&h], time, &features);
        let (axis, x_name) = (list(&[states]), &x.name);
        text += &format!("weight {rate}: [{}]\n", list(&features));
        text += &format!(
            "{delta} = softplus({x_name})\n{into} = linear({x_name}; {axis})\n{out} = linear({x_name}; {axis})\n"
        );
        text += &format!("{a} = exp(-{delta} * exp({rate}))\n");
        text += &format!("{h} = {a} * {h}[t{sign}1] + 0.3 * outer(tanh({x_name}), tanh({into}))\n");
        text += &format!("{y} = dot over {axis} ({h}, tanh({out}))");
        let inside = self.weighed(x.estimate, self.count(&x.features));
        let estimate = Estimate { size: 0.5, error: inside.error.hypot(x.estimate.error) + 3.0 };
        let read = estimate.times(inside.through(1.0, 1.0)).summed(self.sizes[states]);
        let state = Value { name: h, time: Some(time), features: features.to_vec(), estimate };
        let mut gives = vec![Value { name: y, estimate: read, ..x.clone() }];
        if self.random.below(3) == 0 {
            gives.push(state);
        }
        self.add(kinds, text, gives)
    }

    /// A cell of the library, in one of both directions.
    pub(super) fn cell(&mut self) -> Option<()> {
        let (x, time) = self.moving(|value| value.features.len() == 1)?;
        let size = self.axis_where(|_, size| size <= 9)?;
        let cell = ["LSTM", "GRU", "MinGRU", "RNN", "MinLSTM", "SLSTM"][self.random.below(6)];
        let backward = if self.random.below(2) == 0 { "backward " } else { "" };
        let name = self.name();
        let text = format!("{name} = {backward}{cell}({}; size = {})", x.name, list(&[size]));
        let inside = self.weighed(x.estimate, self.count(&x.features));
        let size_of = if cell.starts_with("Min") { inside.size } else { 1.0 };
        let estimate = Estimate { size: size_of, error: (inside.error + 2.0) * 4.0 };
        let value = Value { name, time: Some(time), features: vec![size], estimate };
        self.add(&[Kind::Cell], text, vec![value])
    }
}
