//! What looks at other positions, but for recurrences and attention: lookups, convolutions, shifts, whole sequences, running
//! sums, fixed positions, weights along an axis of known length.

use super::pointwise::bounded;
use super::{Builder, CONTEXT, Estimate, Kind, POSITIONS, Time, Value, WEIGHT, list, number};

impl Builder {
    pub(super) fn lookup(&mut self) -> Option<()> {
        let name = self.name();
        let table = self.name();
        let first = self.axis();
        let mut features = vec![first];
        if self.random.below(4) == 0 {
            features.push(self.axis_where(|axis, _| axis != first)?);
        }
        let axes = list(&features);
        let estimate = Estimate::exact(WEIGHT);
        let (text, value) = match self.random.below(5) {
            0..2 => {
                let text = format!("embedding {table}: [vocab, {axes}]\n{name} = {table}[tokens]");
                (text, Value { name, time: Some(Time::T), features, estimate })
            }
            2 => {
                let time = self.times[self.random.below(self.times.len())];
                let text =
                    format!("embedding {table}: [places = {CONTEXT}, {axes}]\n{name}[t: {}] = {table}[t]", time.name());
                (text, Value { name, time: Some(time), features, estimate })
            }
            3 => {
                // A table that is computed for each sequence, or each position.
                let x = self.pick(|value| value.features.len() == 1 && value.time.is_some())?;
                let time = x.time?;
                let text = match self.random.below(3) {
                    0 if time == Time::T => format!("{name}[t: T] = {}[t, tokens[t]]", x.name),
                    1 if time == Time::T => format!("{name}[t: T] = {}[t - tokens[t]]", x.name),
                    _ => format!("{name}[t: {}] = {}[floor(t / 2)]", time.name(), x.name),
                };
                let features = if text.contains("t, tokens") { Vec::new() } else { x.features.clone() };
                (text, Value { name, features, ..x })
            }
            _ => {
                let x = self.pick(|value| value.time == Some(Time::T) && value.features == [first])?;
                let text =
                    format!("embedding {table}: [vocab, {}]\n{name} = {table}[tokens] + {}", list(&[first]), x.name);
                (text, Value { name, estimate: x.estimate.plus(estimate), ..x })
            }
        };
        self.add(&[Kind::Lookup], text, vec![value])
    }

    pub(super) fn convolution(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && !value.features.is_empty())?;
        let time = x.time?;
        let width = 1 + self.random.below(5);
        let (name, kernel) = (self.name(), self.name());
        let taps = format!("k{name}");
        let stretch = if self.random.below(3) == 0 { "2 * " } else { "" };
        // Back, ahead, or both.
        let place = match self.random.below(3) {
            0 => format!("t - {stretch}k"),
            1 => format!("t + {stretch}k - {}", width / 2),
            _ => format!("t + k - {}", width - 1),
        };
        let left = format!("{name}[t: {}]", time.name());
        let full = x.features.len() == 1 && self.random.below(2) == 0;
        let (text, features, estimate) = if full {
            let over = x.features[0];
            let out = self.axis_where(|axis, _| axis != over)?;
            let estimate = self.weighed(x.estimate, width * self.sizes[over]);
            let (factor, estimate) = self.tamed(estimate);
            let text = format!(
                "weight {kernel}: [{taps} = {width}, {}]\n\
                 {left} = {factor}sum over k: {taps} (dot({kernel}[k], {}[{place}]))",
                list(&[out, over]),
                x.name
            );
            (text, vec![out], estimate)
        } else {
            let estimate = self.weighed(x.estimate, width);
            let text = format!(
                "weight {kernel}: [{taps} = {width}, {}]\n{left} = sum over k: {taps} ({kernel}[k] * {}[{place}])",
                list(&x.features),
                x.name
            );
            (text, x.features.clone(), estimate)
        };
        self.add(&[Kind::Convolution], text, vec![Value { name, time: Some(time), features, estimate }])
    }

    pub(super) fn shift(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some())?;
        let time = x.time?;
        let name = self.name();
        let far = 1 + self.random.below(4);
        let x_name = &x.name;
        let sum = x.estimate.plus(x.estimate);
        let (right, estimate) = match self.random.below(7) {
            0 => (format!("{x_name}[t-{far}]"), x.estimate),
            1 => (format!("{x_name}[t+{far}]"), x.estimate),
            2 => (format!("{x_name}[t-{far}] - {x_name}[t]"), sum),
            3 => (format!("tanh({x_name}[t-1] + {x_name}[t+{far}])"), sum.through(1.0, 1.0)),
            4 => (format!("{x_name}[last - t]"), x.estimate),
            5 => (format!("{x_name}[t] * {x_name}[t-{far}]"), x.estimate.times(x.estimate)),
            _ => (format!("select(t < {far}, {x_name}[t], {x_name}[t-{far}])"), x.estimate),
        };
        let text = format!("{name}[t: {}] = {right}", time.name());
        self.add(&[Kind::Shift], text, vec![Value { name, estimate, ..x }])
    }

    pub(super) fn sequence_wide(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some())?;
        let time = x.time?;
        let (name, second) = (self.name(), self.name());
        let (x_name, along) = (&x.name, time.name());
        let wide = Value { name: name.clone(), time: None, ..x.clone() };
        let left = self.left(&second, Some(time));
        let averaged = x.estimate.averaged(POSITIONS);
        let condition = if self.random.below(3) == 0 { self.condition(x.time, &x.features) } else { None };
        let condition = condition.map_or(String::new(), |condition| format!(" where {condition}"));
        // A condition on positions needs an index; over the axis itself there is none.
        let condition = if condition.contains("t %") { String::new() } else { condition };
        let (text, gives) = match self.random.below(5) {
            0 => {
                let text = format!("{name} = mean over {along} ({x_name}{condition})");
                (text, vec![Value { estimate: averaged, ..wide }])
            }
            1 => {
                let call = ["max", "min"][self.random.below(2)];
                let estimate = Estimate { size: 2.0 * x.estimate.size, ..x.estimate };
                let reduction = bounded(&format!("{call} over {along} ({x_name}{condition})"));
                (format!("{name} = {reduction}"), vec![Value { estimate, ..wide }])
            }
            2 => {
                let estimate = x.estimate.summed(POSITIONS).scaled(0.1);
                (format!("{name} = 0.1 * sum over {along} ({x_name}{condition})"), vec![Value { estimate, ..wide }])
            }
            3 => {
                let text = format!("{name} = mean over {along} ({x_name}{condition})\n{left} = {x_name} - {name}");
                let value = Value { name: second, estimate: x.estimate.plus(averaged), ..x.clone() };
                (text, vec![Value { estimate: averaged, ..wide }, value])
            }
            _ => {
                let text = format!(
                    "{name} = softmax over {along} (tanh({x_name}){condition})\n{second} = sum over {along} ({name} * {x_name})"
                );
                let share = x.estimate.through(1.0, 1.0);
                let mixed = Estimate { error: averaged.error + share.error * x.estimate.size, ..averaged };
                let one = Value { name: name.clone(), estimate: share, ..x.clone() };
                (text, vec![one, Value { name: second, time: None, estimate: mixed, ..x.clone() }])
            }
        };
        self.add(&[Kind::SequenceWide], text, gives)
    }

    pub(super) fn fixed_position(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some())?;
        let name = self.name();
        let place = ["0", "last", "last - 1", "2"][self.random.below(4)];
        let text = format!("{name} = {}[{place}]", x.name);
        self.add(&[Kind::FixedPosition], text, vec![Value { name, time: None, ..x }])
    }

    pub(super) fn running(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some())?;
        let time = x.time?;
        let name = self.name();
        let condition = self.seen(time, time);
        let (call, estimate) = match self.random.below(4) {
            0 => ("0.1 * sum", x.estimate.summed(POSITIONS).scaled(0.1)),
            1 => ("max", Estimate { size: 2.0 * x.estimate.size, ..x.estimate }),
            2 => ("min", Estimate { size: 2.0 * x.estimate.size, ..x.estimate }),
            _ => ("mean", x.estimate.averaged(POSITIONS)),
        };
        let body = match self.random.below(3) {
            0 => format!("{}[j] / (1 + abs(i - j))", x.name),
            _ => format!("{}[j]", x.name),
        };
        let (i, along) = (format!("i: {0}", time.name()), time.name());
        let reduction = bounded(&format!("{call} over j: {along} ({body}{condition})"));
        let text = format!("{name}[{i}] = {reduction}");
        self.add(&[Kind::Running], text, vec![Value { name, estimate, ..x }])
    }

    /// Positions of an axis of known length, mixed by weights.
    pub(super) fn mixing(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time == Some(Time::P) && value.features.len() == 1)?;
        let (name, weight) = (self.name(), self.name());
        let inner = self.axis_where(|axis, _| axis != x.features[0])?;
        let axis = list(&x.features);
        let mixed = self.weighed(x.estimate, 7);
        let factor = number(0.5);
        let back = self.random.below(2) == 0;
        let mut text = format!("weight {weight}: [{}, places{name} = length(P)]\n", list(&[inner]));
        let whole = format!("sum over p: P ({weight}[h, p] * {}[p, {axis}])", x.name);
        let value = if back {
            let middle = self.name();
            text += &format!("{middle}[h: {}, {axis}] = tanh({whole})\n", list(&[inner]));
            text += &format!("{name}[p: P, {axis}] = {factor} * sum over h ({weight}[h, p] * {middle}[h, {axis}])");
            let estimate = self.weighed(mixed.through(1.0, 1.0), self.sizes[inner]).scaled(0.5);
            Value { name, estimate, ..x }
        } else {
            text += &format!("{name}[h: {}, {axis}] = {whole}", list(&[inner]));
            Value { name, time: None, features: vec![inner, x.features[0]], estimate: mixed }
        };
        self.add(&[Kind::Mixing], text, vec![value])
    }

    /// Half as many positions: sums, or the largest, of a few at every second one; and back to as many.
    pub(super) fn strided(&mut self) -> Option<()> {
        let along = if self.times.contains(&Time::N) && self.random.below(2) == 0 { Time::N } else { Time::P };
        let x = self.pick(|value| value.time == Some(along) && !value.features.is_empty())?;
        let (name, kernel) = (self.name(), self.name());
        if x.time == Some(Time::N) {
            let text = format!("{name}[p: P] = {}[floor(p / 2)]", x.name);
            return self.add(&[Kind::Stretched], text, vec![Value { name, time: Some(Time::P), ..x }]);
        }
        if !self.times.contains(&Time::N) {
            self.times.push(Time::N);
        }
        let width = 1 + self.random.below(4);
        let taps = format!("taps{kernel} = {width}");
        let place = format!("2 * n + k - {}", self.random.below(2));
        let estimate = self.weighed(x.estimate, width * self.count(&x.features));
        let (factor, estimate) = self.tamed(estimate);
        let (text, features) = match (self.random.below(3), &x.features[..]) {
            (0, _) => {
                let text = format!(
                    "weight {kernel}: [{taps}, {}]\n{name}[n: N] = max over k: taps{kernel} ({kernel}[k] * {}[{place}])",
                    list(&x.features),
                    x.name
                );
                (text, x.features.clone())
            }
            (1, [over]) => {
                let over = *over;
                let out = self.axis_where(|axis, _| axis != over)?;
                let (axis, given) = (list(&[over]), list(&[out]));
                let text = format!(
                    "weight {kernel}: [{given}, {axis}, {taps}]\n\
                     {name}[n: N, {given}] = {factor}sum over {axis}, k: taps{kernel} ({kernel}[{given}, {axis}, k] * {}[{place}, {axis}])",
                    x.name
                );
                (text, vec![out])
            }
            _ => {
                let text = format!(
                    "weight {kernel}: [{taps}, {}]\n{name}[n: N] = sum over k: taps{kernel} ({kernel}[k] * {}[{place}])",
                    list(&x.features),
                    x.name
                );
                (text, x.features.clone())
            }
        };
        self.add(&[Kind::Strided], text, vec![Value { name, time: Some(Time::N), features, estimate }])
    }
}
