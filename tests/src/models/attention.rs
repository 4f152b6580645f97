//! Attention: within an axis and across two, with heads and groups of them, with conditions on which keys are seen, scores by
//! content and by distance.

use super::{Axis, Builder, Estimate, Kind, Time, VOCAB, Value, WEIGHT, list, number};

impl Builder {
    pub(super) fn attention(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && !value.features.is_empty())?;
        let others = self.pick(|value| value.time.is_some() && !value.features.is_empty() && value.time != x.time);
        let from = match others {
            Some(other) if self.random.below(2) == 0 => other,
            _ => x.clone(),
        };
        let (queries, keys) = (x.time?, from.time?);
        let mut kinds = vec![if queries == keys { Kind::Attention } else { Kind::CrossAttention }];
        // Heads, and groups of them that share keys and values.
        let depth = self.axis_where(|_, size| (2..=17).contains(&size)).unwrap_or(0);
        let heads = self.axis_where(|axis, size| axis != depth && size <= 4);
        let heads: Vec<Axis> = heads.into_iter().filter(|_| self.random.below(3) > 0).collect();
        let group = self.axis_where(|axis, size| axis != depth && !heads.contains(&axis) && size <= 4);
        let group: Vec<Axis> = group.into_iter().filter(|_| self.random.below(4) == 0).collect();
        if !group.is_empty() {
            kinds.push(Kind::GroupedAttention);
        }
        let width = if group.is_empty() && self.random.below(2) == 0 {
            self.axis_where(|axis, size| !heads.contains(&axis) && size <= 33)?
        } else {
            depth
        };
        let [q, k, v, score, weight, mix] = std::array::from_fn(|_| self.name());
        let mut text = String::new();
        let all = |parts: &[&[Axis]]| list(&parts.concat());
        let product = |builder: &mut Builder, value: &Value| {
            builder.tamed(builder.weighed(value.estimate, builder.count(&value.features)))
        };
        let (q_factor, q_estimate) = product(self, &x);
        let (k_factor, k_estimate) = product(self, &from);
        let q_axes = all(&[&heads, &group, &[depth]]);
        text += &format!("{q} = {q_factor}affine({}; {q_axes})\n", x.name);
        // Keys and values are sometimes there already.
        text += &format!("{k} = {k_factor}linear({}; {})\n", from.name, all(&[&heads, &[depth]]));
        let ready = heads.is_empty() && group.is_empty() && from.features == [width] && self.random.below(2) == 0;
        let (v, v_estimate) = if ready {
            (from.name.clone(), from.estimate)
        } else {
            text += &format!("{v} = {k_factor}affine({}; {})\n", from.name, all(&[&heads, &[width]]));
            (v, k_estimate)
        };
        let scale = 1.0 / (self.sizes[depth] as f64).sqrt();
        let mut value = format!("{} * dot over {} ({q}[i], {k}[j])", number(scale.max(0.05)), list(&[depth]));
        let mut estimate = q_estimate.times(k_estimate).summed(self.sizes[depth]).scaled(scale);
        let same = queries == keys;
        match self.random.below(6) {
            0 if same => value += " - 0.1 * abs(i - j)",
            1 if same && !heads.is_empty() => {
                let slope = self.name();
                text += &format!("weight {slope}: [{}]\n", list(&heads));
                value += &format!(" + 0.1 * {slope} * min(i - j, 5)");
                estimate.size += 0.2;
            }
            2 if same && heads.is_empty() && group.is_empty() => {
                let near = self.name();
                text += &format!("weight {near}: [near = 7]\n");
                value += &format!(" + {near}[max(min(j - i, 3), -3) + 3]");
                estimate.size += WEIGHT;
            }
            3 => {
                value = format!("2 * tanh(({value}) / 2)");
                estimate.size = estimate.size.min(2.0);
            }
            _ => {}
        }
        let conditions = self.seen(queries, keys);
        if !conditions.is_empty() {
            kinds.push(Kind::MaskedAttention);
        }
        let place = if same { "i, j".to_string() } else { format!("i: {}, j: {}", queries.name(), keys.name()) };
        let row = if same { "i".to_string() } else { format!("i: {}", queries.name()) };
        text += &format!("{score}[{place}] = {value}{conditions}\n");
        text += &format!("{weight}[{place}] = softmax over j ({score}[i, j])\n");
        let mixed = if group.is_empty() && heads.is_empty() || group.is_empty() {
            format!("{weight}[i, j] * {v}[j]")
        } else {
            format!("outer({weight}[i, j], {v}[j])")
        };
        text += &format!("{mix}[{row}] = sum over j ({mixed})");
        let estimate_of_scores = estimate;
        // A change of the scores moves weight from one value to another.
        let moved = (estimate.error + 2.0 * estimate.size) * v_estimate.size * 0.5;
        let averaged = v_estimate.averaged(super::POSITIONS);
        let estimate = Estimate { size: averaged.size, error: averaged.error.hypot(moved) };
        let mut features = [heads, group].concat();
        features.push(width);
        let result = Value { name: mix, time: Some(queries), features, estimate };
        let scores = estimate_of_scores;
        self.add(&kinds, text, vec![result])?;
        if scores.fits() && self.random.below(3) == 0 {
            let pairs = if self.random.below(2) == 0 { score } else { weight };
            self.also_gives(Kind::Pairs, pairs);
        }
        Some(())
    }

    /// Entries in two parts, turned together by an angle that grows with the position (RoFormer: Su et al. 2021).
    pub(super) fn rotary(&mut self) -> Option<()> {
        let x = self.pick(|value| value.time.is_some() && !value.features.is_empty())?;
        let time = x.time?;
        let half = self.axis_where(|_, size| size <= 9)?;
        let part = self.new_axis(2);
        let [q, angle, turned] = std::array::from_fn(|_| self.name());
        let (p, h, along) = (list(&[part]), list(&[half]), time.name());
        let (factor, estimate) = self.tamed(self.weighed(x.estimate, self.count(&x.features)));
        let pairs = self.random.below(2) == 0;
        // In halves, or as neighbours.
        let (axes, indices, own, other) = if pairs {
            (format!("{h}, {p}"), format!("f: {h}, p: {p}"), "f, p", "f, 1 - p")
        } else {
            (format!("{p}, {h}"), format!("p: {p}, f: {h}"), "p, f", "1 - p, f")
        };
        let text = format!(
            "{q} = {factor}linear({x}; {axes})\n{angle}[t: {along}, f: {h}] = 0.05 * t * 3 ^ (-f / {h})\n\
             {turned}[t: {along}, {indices}] = {q}[t, {own}] * cos({angle}[t, f]) + (2 * p - 1) * {q}[t, {other}] * sin({angle}[t, f])",
            x = x.name
        );
        let estimate = estimate.times(Estimate { size: 1.0, error: 8.0 }).plus(estimate);
        let features = if pairs { vec![half, part] } else { vec![part, half] };
        self.add(&[Kind::Rotary], text, vec![Value { name: turned, time: Some(time), features, estimate }])
    }

    /// Which keys are seen.
    pub(super) fn seen(&mut self, queries: Time, keys: Time) -> String {
        let n = 1 + self.random.below(9);
        let mut all: Vec<String> = Vec::new();
        for _ in 0..self.random.below(3) {
            let condition = match self.random.below(14) {
                0..4 => "j <= i".to_string(),
                4 | 5 => format!("i - j < {n}"),
                6 => format!("0 <= i - j < {n}"),
                7 => format!("abs(i - j) <= {n}"),
                8 => format!("(i - j) % {} == 0", 1 + n % 3),
                9 => format!("floor(i / {n}) == floor(j / {n})"),
                10 => format!("j <= max(i, {n})"),
                11 => "j < i".to_string(),
                12 => format!("j >= i and j < i + {n}"),
                _ if keys == Time::T => format!("tokens[j] != {}", self.random.below(VOCAB)),
                _ => format!("i + j < {}", 3 * n),
            };
            if queries == keys || condition.contains("tokens") || self.random.below(3) == 0 {
                all.push(condition);
            }
        }
        if all.is_empty() { String::new() } else { format!(" where {}", all.join(" and ")) }
    }
}
