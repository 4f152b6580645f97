//! Equations that are written once and mean several values: layers that `repeat` writes out, and definitions of a model's own that
//! it uses more than once, each time with other values and sizes.

use super::{Axis, Builder, Estimate, Kind, Time, Value, list, number};

/// A layer by its number: how much of a value goes around it, so that errors do not grow with depth.
const AROUND: f64 = 0.5;

impl Builder {
    /// The same layer several times, one upon the other; perhaps with a value of each gathered.
    pub(super) fn repeated(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && value.features.len() == 1)?;
        let time = x.time?;
        let layers = 1 + self.random.below(3);
        let bound = self.new_axis(layers);
        let name = self.name();
        let counter = format!("layer{name}");
        let left = self.left(&name, Some(time));
        let mut text = format!("{left} = {}\nrepeat {counter} in 0..{} {{\n", x.name, list(&[bound]));
        let mut kinds = vec![Kind::Repeat];
        let mut estimate = x.estimate;
        let (layer, grown) = self.layer(&name, &x, &mut kinds);
        text += &layer;
        (0..layers).for_each(|_| estimate = grown(estimate));
        let mut gives = vec![Value { name: name.clone(), estimate, ..x.clone() }];
        if self.random.below(2) == 0 {
            let all = self.name();
            let place = ["last", "0"][self.random.below(2)];
            text += &format!("{all}[{counter}] = {name}[{place}]\n");
            kinds.push(Kind::Gathered);
            gives.push(Value { name: all, time: None, features: vec![bound, x.features[0]], estimate });
        }
        text += "}";
        self.add(&kinds, text, gives)
    }

    /// A layer's equations, of which the last gives a value anew, and what becomes of an estimate in it.
    fn layer(&mut self, name: &str, x: &Value, kinds: &mut Vec<Kind>) -> (String, Box<dyn Fn(Estimate) -> Estimate>) {
        let axis = list(&x.features);
        let size = self.sizes[x.features[0]];
        let time = x.time.unwrap_or(Time::T);
        let root = (size as f64).sqrt();
        let around = move |estimate: Estimate, inner: f64| {
            let size = estimate.size.clamp(1.0, 2.0);
            Estimate { size, error: AROUND * estimate.error + inner * estimate.error + 2.0 + root }
        };
        let inside = self.name();
        match self.random.below(6) {
            0 => {
                let text = format!(
                    "  {inside} = affine({name}; {axis})\n  {name} = {AROUND} * {name} + {AROUND} * tanh({inside})\n"
                );
                (text, Box::new(move |estimate| around(estimate, 0.2 * root)))
            }
            1 => {
                // A norm before, and a product to another axis and back.
                let (up, hidden) = (self.name(), list(&[self.axis()]));
                let text = format!(
                    "  {inside} = LayerNorm({name}; epsilon = 0.1)\n  {up} = tanh(affine({inside}; {hidden}))\n  \
                     {name} = {AROUND} * {name} + tanh(affine({up}; {axis}))\n"
                );
                (text, Box::new(move |estimate| around(estimate, 1.0)))
            }
            2 => {
                // Each layer has a state of its own, and the layers run alternately.
                kinds.push(Kind::Recurrence);
                let sign = if self.random.below(3) == 0 { '+' } else { '-' };
                let factor = number(0.7 / (0.35 * root).max(0.7));
                let along = if self.times.len() > 1 { format!("{}, ", time.name()) } else { String::new() };
                let text = format!(
                    "  state {inside}: [{along}{axis}] = 0\n  {inside} = tanh({factor} * affine({name}, {inside}[t{sign}1]; {axis}))\n  \
                     {name} = {AROUND} * {name} + {AROUND} * {inside}\n"
                );
                (text, Box::new(move |estimate| around(estimate, 1.5)))
            }
            3 => {
                kinds.push(Kind::Cell);
                let cell = ["MinGRU", "GRU", "LSTM"][self.random.below(3)];
                let backward = if self.random.below(3) == 0 { "backward " } else { "" };
                let text = format!(
                    "  {inside} = {backward}{cell}({name}; size = {axis})\n  {name} = {AROUND} * {name} + {AROUND} * {inside}\n"
                );
                (text, Box::new(move |estimate| around(estimate, 1.5)))
            }
            4 => {
                kinds.push(Kind::Convolution);
                let along = time.name();
                let text = format!(
                    "  weight {inside}: [taps{inside} = 3, {axis}]\n  \
                     {name}[t: {along}] = {AROUND} * {name}[t] + {AROUND} * tanh(sum over k: taps{inside} ({inside}[k] * {name}[t - k]))\n"
                );
                (text, Box::new(move |estimate| around(estimate, 0.5)))
            }
            _ => {
                kinds.push(Kind::Attention);
                let [q, k, score, weight] = std::array::from_fn(|_| self.name());
                let depth = list(&[self.axis_where(|_, size| size <= 9).unwrap_or(x.features[0])]);
                let along = time.name();
                let condition = ["", " where j <= i", " where i - j < 4"][self.random.below(3)];
                let scale = number(0.3 / root.max(1.0));
                let text = format!(
                    "  {q} = linear({name}; {depth})\n  {k} = linear({name}; {depth})\n  \
                     {score}[i: {along}, j: {along}] = {scale} * dot over {depth} ({q}[i], {k}[j]){condition}\n  \
                     {weight}[i: {along}, j: {along}] = softmax over j ({score}[i, j])\n  \
                     {inside}[i: {along}] = sum over j ({weight}[i, j] * {name}[j])\n  \
                     {name} = {AROUND} * {name} + {AROUND} * {inside}\n"
                );
                (text, Box::new(move |estimate| around(estimate, 1.2)))
            }
        }
    }

    /// A definition of the model's own, used two or three times.
    pub(super) fn defined(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && value.features.len() == 1)?;
        let y = self.pick(|value| value.time.is_some() && value.features.len() == 1).unwrap_or(x.clone());
        let own = format!("D{}", self.name());
        match self.random.below(5) {
            0 => self.own_function(own, &x, &y),
            1 => self.own_cell(own, &x, &y),
            2 => self.own_attention(own, &x, &y),
            _ => self.own_block(own, &x, &y),
        }
    }

    /// A function of two values.
    fn own_function(&mut self, own: String, x: &Value, y: &Value) -> Option<()> {
        let (body, _) = self.function("x".to_string(), Estimate::exact(1.0));
        let definition = format!("function {own}(x, slope) = tanh(slope * {body} + 0.2 * x)\n");
        let mut gives = Vec::new();
        let mut texts = Vec::new();
        for (value, slope) in [(x, "0.7"), (y, "0.4")] {
            let name = self.name();
            let left = self.left(&name, value.time);
            texts.push(format!("{left} = {own}(tanh({0}), {slope}) - 0.5 * {own}(0.5 * {0}, 0.3)", value.name));
            let estimate = value.estimate.through(6.0, 1.5);
            gives.push(Value { name, estimate, ..value.clone() });
        }
        self.add_defined(&[Kind::Definition], vec![definition], texts.join("\n"), gives)
    }

    /// A cell of two sizes, in both directions.
    fn own_cell(&mut self, own: String, x: &Value, y: &Value) -> Option<()> {
        let steps = 1 + self.random.below(2);
        let mut definition = format!(
            "cell {own}(x; size, slow = 0.5) {{\n  state h: [size] = 0.25\n  s = slow * h[t-1]\n  repeat step in 0..{steps} {{\n"
        );
        definition += "    carry = sigmoid(affine(x, s; size))\n    new = tanh(affine(x, s; size) / sqrt(size))\n";
        definition += "    s = 0.8 * carry * s + (1 - carry) * new\n  }\n  h = s\n}\n\n";
        let (mut gives, mut texts) = (Vec::new(), Vec::new());
        for (value, direction) in [(x, ""), (y, "backward "), (x, "")] {
            let size = self.axis_where(|_, size| size <= 17)?;
            let name = self.name();
            let slow = if self.random.below(2) == 0 { "" } else { ", slow = 0.25" };
            texts.push(format!("{name} = {direction}{own}({}; size = {}{slow})", value.name, list(&[size])));
            let inside = self.weighed(value.estimate, self.count(&value.features));
            let estimate = Estimate { size: 1.0, error: (inside.error + 2.0) * 2.5 };
            gives.push(Value { name, time: value.time, features: vec![size], estimate });
        }
        let kinds = [Kind::Definition, Kind::Highway, Kind::Recurrence, Kind::Backward];
        self.add_defined(&kinds, vec![definition], texts.join("\n"), gives)
    }

    /// An attention with a parameter for how far it looks, along one axis and across two.
    fn own_attention(&mut self, own: String, x: &Value, y: &Value) -> Option<()> {
        let condition =
            ["j <= i and i - j < window", "abs(i - j) < window", "i % window == j % window"][self.random.below(3)];
        let definition = format!(
            "attention {own}(x: [T, dim], memory: [S, source]; width, window) {{\n  q = linear(x; width)\n  \
             k = linear(memory; width)\n  score[i, j] = 0.2 * dot(q[i], k[j]) / sqrt(width)  where {condition}\n  \
             weight[i, j] = softmax over j (score[i, j])\n  mix[i] = sum over j (weight[i, j] * memory[j])\n}}\n\n"
        );
        let (mut gives, mut texts) = (Vec::new(), Vec::new());
        for (queries, keys, window) in [(x, y, 2), (x, x, 5)] {
            let width = self.axis_where(|_, size| size <= 17)?;
            let name = self.name();
            texts.push(format!(
                "{name} = {own}({}, {}; width = {}, window = {window})",
                queries.name,
                keys.name,
                list(&[width])
            ));
            let averaged = keys.estimate.averaged(super::POSITIONS);
            let scores = queries.estimate.error + keys.estimate.error + 6.0;
            let estimate = Estimate { error: averaged.error.hypot(scores * keys.estimate.size), ..averaged };
            gives.push(Value { name, time: queries.time, features: keys.features.clone(), estimate });
        }
        self.add_defined(&[Kind::Definition, Kind::Attention], vec![definition], texts.join("\n"), gives)
    }

    /// A block that uses another one, twice, on values with one feature or along one of several.
    fn own_block(&mut self, own: String, x: &Value, y: &Value) -> Option<()> {
        let inner = format!("{own}Inner");
        let (act, _) = self.function("up".to_string(), Estimate::exact(1.0));
        let mut definitions = vec![format!(
            "block {inner}(x: [dim]; hidden, scale = 1 / sqrt(hidden)) {{\n  up = affine(x; hidden)\n  \
             act = tanh({act})\n  out = 0.5 * x + 0.3 * scale * linear(act; dim)\n}}\n\n"
        )];
        let near = ["x[t-1]", "x[t+1]", "mean over T (x)", "x[last - t]"][self.random.below(4)];
        definitions.push(format!(
            "block {own}(x: [T, dim]; hidden = 2 * dim) {{\n  one = {inner}(x; hidden)\n  beside = {near}\n  \
             two = {inner}(beside; hidden = hidden + 1)\n  out = 0.5 * one - 0.5 * two\n}}\n\n"
        ));
        let (mut gives, mut texts) = (Vec::new(), Vec::new());
        let grown = |builder: &Builder, value: &Value, axis: Axis| {
            let root = (builder.sizes[axis] as f64).sqrt();
            let size = value.estimate.size.max(1.0);
            Estimate { size, error: value.estimate.error * 1.5 + 4.0 * size + root }
        };
        for (value, sizes) in [(x, String::new()), (y, format!("; hidden = {}", list(&[self.axis()])))] {
            let name = self.name();
            texts.push(format!("{name} = {own}({}{sizes})", value.name));
            let estimate = grown(self, value, value.features[0]);
            gives.push(Value { name, estimate, ..value.clone() });
        }
        if let Some(wide) = self.pick(|value| value.features.len() == 2) {
            let name = self.name();
            let over = wide.features[self.random.below(2)];
            texts.push(format!("{name} = {inner} over {} ({}; hidden = 3)", list(&[over]), wide.name));
            gives.push(Value { name, estimate: grown(self, &wide, over), ..wide });
        }
        self.add_defined(&[Kind::Definition], definitions, texts.join("\n"), gives)
    }
}
