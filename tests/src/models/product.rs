//! Products: with one or several weights, of one or several values, one operand for several of them, over some axes alone.

use super::{Axis, Builder, Estimate, Kind, MOST_SIZE, Value, WEIGHT, list, number};

impl Builder {
    /// A factor that brings a size back to order one, as text to be put before a product, and what it leaves.
    pub(super) fn tamed(&mut self, estimate: Estimate) -> (String, Estimate) {
        if estimate.size <= MOST_SIZE / 2.0 {
            return (String::new(), estimate);
        }
        let factor = (1.0 / estimate.size * 100.0).ceil() / 100.0;
        (format!("{} * ", number(factor)), estimate.scaled(factor))
    }

    /// What a product with a weight over so many entries gives.
    pub(super) fn weighed(&self, estimate: Estimate, depth: usize) -> Estimate {
        let sum = Estimate { size: estimate.size * WEIGHT, error: estimate.error * WEIGHT }.summed(depth);
        Estimate { size: sum.size.hypot(0.3), ..sum }
    }

    /// Axes that a product gives: mostly one.
    fn results(&mut self) -> Option<Vec<Axis>> {
        let first = self.axis();
        if self.random.below(5) > 0 {
            return Some(vec![first]);
        }
        let second = self.axis_where(|axis, _| axis != first)?;
        (self.count(&[first, second]) <= 128).then(|| vec![first, second])
    }

    pub(super) fn product(&mut self) -> Option<()> {
        match self.random.below(6) {
            0 => self.shared_operand(),
            1 => self.several_operands(),
            2 => self.product_over(),
            3 => self.product_with_weight(),
            _ => {
                let x = self.pick(|value| !value.features.is_empty())?;
                let (text, value) = self.one_product(&x)?;
                self.add(&[Kind::Product], text, vec![value])
            }
        }
    }

    /// An equation with one product, and perhaps more after it.
    fn one_product(&mut self, x: &Value) -> Option<(String, Value)> {
        let features = self.results()?;
        let depth = self.count(&x.features);
        let call = ["affine", "linear"][self.random.below(2)];
        let (factor, estimate) = self.tamed(self.weighed(x.estimate, depth));
        let before = if self.random.below(6) == 0 { format!("tanh({})", x.name) } else { x.name.clone() };
        // An operand that is no name is fine where it is the only one.
        let product = format!("{factor}{call}({before}; {})", list(&features));
        let (product, estimate) = match self.random.below(3) {
            0 => self.function(product, estimate),
            1 => match self.pick(|value| value.time == x.time && value.features == features) {
                Some(other) => (format!("{product} + {}", other.name), estimate.plus(other.estimate)),
                None => (product, estimate),
            },
            _ => (product, estimate),
        };
        let name = self.name();
        let left = self.left(&name, x.time);
        Some((format!("{left} = {product}"), Value { name, time: x.time, features, estimate }))
    }

    fn shared_operand(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let mut texts = Vec::new();
        let mut values = Vec::new();
        for _ in 0..2 + self.random.below(2) {
            let (text, value) = self.one_product(&x)?;
            texts.push(text);
            values.push(value);
        }
        self.add(&[Kind::SharedOperand, Kind::Product], texts.join("\n"), values)
    }

    fn several_operands(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let fits = |value: &Value| {
            !value.features.is_empty() && value.name != x.name && (value.time == x.time || value.time.is_none())
        };
        let y = self.pick(fits)?;
        let mut all = vec![x.clone(), y.clone()];
        if let Some(z) = self.pick(|value| fits(value) && value.name != y.name)
            && self.random.below(3) == 0
        {
            all.push(z);
        }
        let features = self.results()?;
        let parts = all.iter().map(|value| self.weighed(value.estimate, self.count(&value.features)));
        let estimate = parts.reduce(Estimate::plus)?;
        let (factor, estimate) = self.tamed(estimate);
        let names: Vec<&str> = all.iter().map(|value| value.name.as_str()).collect();
        let call = ["affine", "linear"][self.random.below(2)];
        let product = format!("{factor}{call}({}; {})", names.join(", "), list(&features));
        let (product, estimate) =
            if self.random.below(2) == 0 { self.function(product, estimate) } else { (product, estimate) };
        let name = self.name();
        let left = self.left(&name, x.time);
        let value = Value { name, time: x.time, features, estimate };
        self.add(&[Kind::SeveralOperands], format!("{left} = {product}"), vec![value])
    }

    fn product_over(&mut self) -> Option<()> {
        let x = self.pick(|value| value.features.len() > 1)?;
        let over = x.features[self.random.below(x.features.len())];
        let mut features: Vec<Axis> = x.features.iter().copied().filter(|axis| *axis != over).collect();
        let given = self.axis_where(|axis, _| !features.contains(&axis))?;
        features.push(given);
        let (factor, estimate) = self.tamed(self.weighed(x.estimate, self.sizes[over]));
        let name = self.name();
        let left = self.left(&name, x.time);
        let text = format!("{left} = {factor}linear over {} ({}; {})", list(&[over]), x.name, list(&[given]));
        self.add(&[Kind::ProductOver], text, vec![Value { name, time: x.time, features, estimate }])
    }

    /// `dot` with a declared weight, which may have an axis that the value has, too.
    fn product_with_weight(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let over = x.features[self.random.below(x.features.len())];
        let other = self.axis_where(|axis, _| axis != over)?;
        let mut features: Vec<Axis> = x.features.iter().copied().filter(|axis| *axis != over).collect();
        if !features.contains(&other) {
            features.push(other);
        }
        let (factor, estimate) = self.tamed(self.weighed(x.estimate, self.sizes[over]));
        let (name, weight) = (self.name(), self.name());
        let left = self.left(&name, x.time);
        let axes = if self.random.below(2) == 0 { [over, other] } else { [other, over] };
        let text = format!(
            "weight {weight}: [{}]\n{left} = {factor}dot over {} ({}, {weight})",
            list(&axes),
            list(&[over]),
            x.name
        );
        self.add(&[Kind::Product], text, vec![Value { name, time: x.time, features, estimate }])
    }

    /// A product with numbers that stand in the file.
    pub(super) fn constant(&mut self) -> Option<()> {
        let x = self.pick(|value| !value.features.is_empty())?;
        let over = x.features[self.random.below(x.features.len())];
        let size = self.sizes[over];
        if size > 9 {
            return None;
        }
        let [name, numbers] = std::array::from_fn(|_| self.name());
        let mut row = |count: usize| {
            let all: Vec<String> = (0..count).map(|_| number(self.random.fraction() - 0.5)).collect();
            format!("[{}]", all.join(", "))
        };
        let axis = list(&[over]);
        let (text, features) = if size.is_multiple_of(2) {
            (
                format!("constant {numbers}: [{axis}] = {}\n{name} = {} * {numbers}", row(size), x.name),
                x.features.clone(),
            )
        } else {
            let rows: Vec<String> = (0..3).map(|_| row(size)).collect();
            let out = self.new_axis(3);
            let text = format!(
                "constant {numbers}: [{}, {axis}] = [{}]\n{name} = dot over {axis} ({}, {numbers})",
                list(&[out]),
                rows.join(", "),
                x.name
            );
            let mut features: Vec<Axis> = x.features.iter().copied().filter(|axis| *axis != over).collect();
            features.push(out);
            (text, features)
        };
        let estimate = self.weighed(x.estimate, size);
        self.add(&[Kind::Constant], text, vec![Value { name, time: x.time, features, estimate }])
    }

    /// Experts, each with weights of its own, weighed by a softmax (Jacobs et al. 1991).
    pub(super) fn experts(&mut self) -> Option<()> {
        let x = self.pick(|value| value.features.len() == 1)?;
        let dim = x.features[0];
        let experts = self.axis_where(|axis, size| axis != dim && size <= 4)?;
        let out = self.axis_where(|axis, size| axis != dim && axis != experts && size <= 9)?;
        let [weight, share, each, name] = std::array::from_fn(|_| self.name());
        let (of_experts, axis) = (list(&[experts]), list(&[dim]));
        let (factor, inside) = self.tamed(self.weighed(x.estimate, self.sizes[dim]));
        let text = format!(
            "weight {weight}: [{of_experts}, {}, {axis}]\n{share} = softmax over {of_experts} ({factor}linear({x}; {of_experts}))\n\
             {each} = {factor}dot over {axis} ({weight}, {x})\n{name} = sum over {of_experts} ({share} * {each})",
            list(&[out]),
            x = x.name
        );
        let estimate = Estimate { size: inside.size, error: inside.error * (1.0 + inside.size) + 2.0 };
        self.add(&[Kind::Experts], text, vec![Value { name, time: x.time, features: vec![out], estimate }])
    }
}
