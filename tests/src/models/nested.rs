//! Recurrences that hold more than products and functions: attention asked anew at each step, sums in logarithms, running
//! exponents, memories of keys and values, and layers within a step.

use super::{Builder, Estimate, Kind, Time, Value, list, number};

impl Builder {
    pub(super) fn nested(&mut self) -> Option<()> {
        match self.random.below(6) {
            0..2 => self.asking(),
            2 => self.sums_in_logarithms(),
            3 => self.running_exponent(),
            _ => self.memory(),
        }
    }

    /// The axes of a state along a time axis.
    fn state_axes(&self, time: Time, features: &str) -> String {
        if self.times.len() > 1 { format!("[{}, {features}]", time.name()) } else { format!("[{features}]") }
    }

    /// A recurrence that asks positions of a sequence, another one or its own, from its state (Bahdanau, Cho and Bengio 2014).
    fn asking(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && !value.features.is_empty())?;
        let time = x.time?;
        let other = self.pick(|value| value.time.is_some() && value.time != x.time && !value.features.is_empty());
        let own = self.pick(|value| value.time == x.time && !value.features.is_empty() && value.name != x.name);
        let asked = if self.random.below(4) == 0 { own.or(other) } else { other.or(own) }?;
        let (along, keys) = (time.name(), asked.time?.name());
        let size = self.axis_where(|_, size| size <= 9)?;
        let width = self.axis_where(|axis, entries| axis != size && entries <= 9)?;
        let [h, voice, key, question, energy, share, context] = std::array::from_fn(|_| self.name());
        let (axis, wide) = (list(&[size]), list(&[width]));
        let sign = if self.random.below(4) == 0 { '+' } else { '-' };
        let condition = match self.random.below(4) {
            0 => " where s % 2 == 0".to_string(),
            1 if time == asked.time? => " where abs(t - s) < 5".to_string(),
            _ => String::new(),
        };
        let factor = number((0.5 / (0.35 * (self.sizes[size] as f64).sqrt())).min(0.7));
        let text = format!(
            "weight {voice}: [{wide}]\nstate {h}: {states} = 0\n{key} = linear({asked}; {wide})\n\
             {question} = linear({h}[t{sign}1]; {wide})\n\
             {energy}[t: {along}, s: {keys}] = 0.5 * dot({voice}, tanh({question}[t] + {key}[s])){condition}\n\
             {share}[t: {along}, s: {keys}] = softmax over s ({energy}[t, s])\n\
             {context}[t: {along}] = sum over s ({share}[t, s] * {asked}[s])\n\
             {h} = tanh({factor} * affine({x}, {context}, {h}[t{sign}1]; {axis}))",
            states = self.state_axes(time, &axis),
            asked = asked.name,
            x = x.name
        );
        let fed = self.weighed(x.estimate, self.count(&x.features));
        let read = self.weighed(asked.estimate.averaged(super::POSITIONS), self.count(&asked.features));
        let estimate = Estimate { size: 1.0, error: (fed.error.hypot(read.error) + 3.0) * 2.5 };
        let mut kinds = vec![Kind::AttentionInside, Kind::Recurrence];
        if sign == '+' {
            kinds.push(Kind::Backward);
        }
        self.add(&kinds, text, vec![Value { name: h, time: Some(time), features: vec![size], estimate }])
    }

    /// The forward algorithm of a hidden Markov model (Rabiner 1989), which here forgets.
    fn sums_in_logarithms(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && value.features.len() == 1)?;
        let (time, axis, size) = (x.time?, list(&x.features), self.sizes[x.features[0]]);
        let [next, alpha, most] = std::array::from_fn(|_| self.name());
        let along = time.name();
        let text = format!(
            "weight {next}: [{axis}, after{next} = {axis}]\nstate {alpha}: {states} = 0\n{most} = max over {axis} ({alpha}[t-1])\n\
             {alpha}[t: {along}, s: {axis}] = 0.5 * log(sum over r: {axis} (exp({alpha}[t-1, r] - {most}[t] + {next}[r, s]))) \
             + 0.5 * {most}[t] + {x}[t, s]",
            states = self.state_axes(time, &axis),
            x = x.name
        );
        let growth = 2.0 * x.estimate.size + (size as f64).ln();
        let estimate = Estimate { size: growth, error: 2.0 * x.estimate.error + 2.0 * growth };
        self.add(&[Kind::LogSum, Kind::Nonlinear], text, vec![Value { name: alpha, estimate, ..x }])
    }

    /// A cell whose gates are exponentials, kept small by the largest so far (xLSTM: Beck et al. 2024).
    fn running_exponent(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && !value.features.is_empty())?;
        let time = x.time?;
        let size = self.axis();
        let [c, n, m, input, forget, slow, h] = std::array::from_fn(|_| self.name());
        let axis = list(&[size]);
        let (factor, inside) = {
            let estimate = self.weighed(x.estimate, self.count(&x.features));
            self.tamed(estimate)
        };
        let text = format!(
            "state {c}, {n}, {m}: {states} = 0\n{input} = {factor}affine({x}; {axis})\n{forget} = {factor}affine({x}; {axis})\n\
             {slow} = log_sigmoid({forget}) + {m}[t-1]\n{m} = max({slow}, {input})\n\
             {c} = exp({slow} - {m}) * {c}[t-1] + exp({input} - {m}) * tanh({input})\n\
             {n} = exp({slow} - {m}) * {n}[t-1] + exp({input} - {m})\n{h} = {c} / {n}",
            states = self.state_axes(time, &axis),
            x = x.name
        );
        let estimate = Estimate { size: 1.0, error: 4.0 * inside.error + 6.0 };
        let value = Value { name: h, time: Some(time), features: vec![size], estimate };
        self.add(&[Kind::RunningExponent, Kind::Nonlinear], text, vec![value])
    }

    /// A memory of keys and values: one that fades (Katharopoulos et al. 2020), or one that is corrected by what it already
    /// gives for a key (the delta rule: Schlag, Irie and Schmidhuber 2021).
    fn memory(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && !value.features.is_empty())?;
        let time = x.time?;
        let keys = self.axis_where(|_, size| size <= 9)?;
        let values = self.axis_where(|axis, size| axis != keys && size <= 9)?;
        let [memory, key, value, question, known, mix] = std::array::from_fn(|_| self.name());
        let (of_keys, of_values) = (list(&[keys]), list(&[values]));
        let unit = number(0.7 / (self.sizes[keys] as f64).sqrt());
        let corrected = self.random.below(2) == 0;
        let mut text = format!(
            "state {memory}: {states} = 0\n{key} = {unit} * tanh(affine({x}; {of_keys}))\n\
             {value} = tanh(affine({x}; {of_values}))\n{question} = {unit} * tanh(linear({x}; {of_keys}))\n",
            states = self.state_axes(time, &list(&[keys, values])),
            x = x.name
        );
        let kind = if corrected {
            text += &format!("{known} = dot over {of_keys} ({key}, {memory}[t-1])\n");
            text += &format!("{memory} = 0.9 * {memory}[t-1] + 0.5 * outer({key}, {value} - {known})\n");
            Kind::Nonlinear
        } else {
            text += &format!("{memory} = 0.8 * {memory}[t-1] + 0.4 * outer({key}, {value})\n");
            Kind::Affine
        };
        text += &format!("{mix} = dot over {of_keys} ({question}, {memory})");
        let inside = self.weighed(x.estimate, self.count(&x.features));
        let estimate = Estimate { size: 1.0, error: 3.0 * inside.error + 6.0 };
        let read = Value { name: mix, time: Some(time), features: vec![values], estimate };
        self.add(&[Kind::Memory, kind], text, vec![read])
    }
}
