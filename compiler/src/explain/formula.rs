//! Counts as formulas in the lengths of time axes: `2 * 768 * 3072 * T`, `T * (T + 1) / 2`.
//!
//! A [`Formula`] is a sum of products, each of numbers known from the file and of lengths known only when a sequence is there.
//! It holds for every length, down to none. A [`Polynomial`] is the same multiplied out, for reading and for differences; it
//! holds from the length on at which a window fits into the sequence.

use crate::stream::Window;
use crate::term::TimeId;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A count that depends on the length of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Length {
    /// Its positions along an axis.
    Positions(TimeId),
    /// Pairs of its positions along an axis, of which the second lies so far from the first.
    Pairs {
        /// The axis.
        time: TimeId,
        /// How far.
        window: Window,
    },
}

/// `times * factor * … * length * …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// How often.
    pub times: u64,
    /// Sizes of axes, none of them 1.
    pub factors: Vec<u64>,
    /// Lengths of time axes.
    pub lengths: Vec<Length>,
}

/// A sum of products.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formula {
    /// The products, as they came.
    pub products: Vec<Product>,
    /// Whether it is an upper bound: a condition leaves out what it counts.
    pub at_most: bool,
}

impl Length {
    /// How many there are, for sequences of these lengths.
    fn evaluate(self, positions: &dyn Fn(TimeId) -> u64) -> u128 {
        match self {
            Length::Positions(time) => u128::from(positions(time)),
            Length::Pairs { time, window } => {
                let count = i128::from(positions(time));
                let low = window.low.map_or(1 - count, |low| i128::from(low).max(1 - count));
                let high = window.high.map_or(count - 1, |high| i128::from(high).min(count - 1));
                let pairs = if low > high { 0 } else { (high - low + 1) * count - distances(low, high) };
                u128::try_from(pairs).unwrap_or(0)
            }
        }
    }

    /// The same as a polynomial.
    fn polynomial(self) -> Polynomial {
        let (time, window) = match self {
            Length::Positions(time) => return Polynomial::of(&[(&[(time, 1)], 2)], BTreeMap::new()),
            Length::Pairs { time, window } => (time, window),
        };
        let from = |ends: &[i64]| {
            let least = ends.iter().map(|end| end.unsigned_abs()).max().unwrap_or(0);
            BTreeMap::from([(time, least)])
        };
        let half_open = |high: i64| {
            let (end, sign) = (i128::from(high), if high < 0 { 1 } else { -1 });
            let terms: [(&[(TimeId, u32)], i128); 3] =
                [(&[(time, 2)], 1), (&[(time, 1)], 2 * end + 1), (&[], sign * end * (end + 1))];
            Polynomial::of(&terms, from(&[high]))
        };
        match (window.low, window.high) {
            (None, None) => Polynomial::of(&[(&[(time, 2)], 2)], BTreeMap::new()),
            (Some(low), Some(high)) if low > high => Polynomial::default(),
            (Some(low), Some(high)) => {
                let (first, last) = (i128::from(low), i128::from(high));
                let terms: [(&[(TimeId, u32)], i128); 2] =
                    [(&[(time, 1)], 2 * (last - first + 1)), (&[], -2 * distances(first, last))];
                Polynomial::of(&terms, from(&[low, high]))
            }
            (None, Some(high)) => half_open(high),
            // As many pairs lie at least so far apart one way as at most so far the other way.
            (Some(low), None) => half_open(-low),
        }
    }
}

/// The sum of the distances from `low` to `high`.
fn distances(low: i128, high: i128) -> i128 {
    let up_to = |end: i128| end * (end + 1) / 2;
    match (low >= 0, high <= 0) {
        (true, _) => up_to(high) - up_to(low - 1),
        (_, true) => up_to(-low) - up_to(-high - 1),
        (false, false) => up_to(-low) + up_to(high),
    }
}

impl Formula {
    /// A product of sizes and lengths, so many times.
    pub fn product(times: u64, factors: impl IntoIterator<Item = usize>, lengths: Vec<Length>) -> Formula {
        let factors: Vec<u64> = factors.into_iter().map(|factor| factor as u64).filter(|factor| *factor != 1).collect();
        let none = times == 0 || factors.contains(&0);
        let products = if none { Vec::new() } else { vec![Product { times, factors, lengths }] };
        Formula { products, at_most: false }
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.products.is_empty()
    }

    /// Adds another.
    pub fn add(&mut self, other: &Formula) {
        for product in &other.products {
            let same = |known: &&mut Product| known.factors == product.factors && known.lengths == product.lengths;
            match self.products.iter_mut().find(same) {
                Some(known) => known.times = known.times.saturating_add(product.times),
                None => self.products.push(product.clone()),
            }
        }
        self.at_most |= other.at_most;
    }

    /// The sum of several.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Formula>) -> Formula {
        let mut sum = Formula::default();
        all.into_iter().for_each(|formula| sum.add(formula));
        sum
    }

    /// So many times as much.
    pub fn times(mut self, count: u64) -> Formula {
        self.products.iter_mut().for_each(|product| product.times = product.times.saturating_mul(count));
        self.products.retain(|product| product.times > 0);
        self
    }

    /// The same with numbers in the place of lengths that the file says.
    pub fn known(&self, lengths: &[Option<usize>]) -> Formula {
        let mut all = Formula { products: Vec::new(), at_most: self.at_most };
        for product in &self.products {
            let mut own = Product { lengths: Vec::new(), ..product.clone() };
            for length in &product.lengths {
                let (Length::Positions(time) | Length::Pairs { time, .. }) = length;
                match lengths.get(time.0 as usize).copied().flatten() {
                    Some(known) => {
                        let count = length.evaluate(&|_| known as u64);
                        own.factors.push(u64::try_from(count).unwrap_or(u64::MAX));
                    }
                    None => own.lengths.push(*length),
                }
            }
            own.factors.retain(|factor| *factor != 1);
            if !own.factors.contains(&0) {
                all.add(&Formula { products: vec![own], at_most: false });
            }
        }
        all
    }

    /// Its number for sequences of these lengths.
    pub fn evaluate(&self, positions: &dyn Fn(TimeId) -> u64) -> u128 {
        let value = |product: &Product| {
            let factors = product.factors.iter().map(|factor| u128::from(*factor));
            let lengths = product.lengths.iter().map(|length| length.evaluate(positions));
            factors.chain(lengths).fold(u128::from(product.times), u128::saturating_mul)
        };
        self.products.iter().map(value).fold(0, u128::saturating_add)
    }

    /// The same multiplied out.
    pub fn polynomial(&self) -> Polynomial {
        let mut sum = Polynomial::default();
        for product in &self.products {
            let number = product
                .factors
                .iter()
                .fold(i128::from(product.times), |all, factor| all.saturating_mul(i128::from(*factor)));
            let start = Polynomial::of(&[(&[], 2 * number)], BTreeMap::new());
            let whole = product.lengths.iter().fold(start, |all, length| all.multiply(&length.polynomial()));
            sum = sum.plus(&whole, 1);
        }
        sum
    }

    /// The sum as it came: `2 * 20 * 12 * T + 20 * T`.
    pub fn print(&self, times: &[String]) -> String {
        let products: Vec<String> = self.products.iter().map(|product| product.print(times)).collect();
        if products.is_empty() { "0".to_string() } else { products.join(" + ") }
    }
}

impl Product {
    fn print(&self, times: &[String]) -> String {
        let mut parts: Vec<String> = Vec::new();
        let alone = self.times == 1 && self.factors.is_empty() && self.lengths.len() == 1;
        if self.times != 1 || (self.factors.is_empty() && self.lengths.is_empty()) {
            parts.push(self.times.to_string());
        }
        parts.extend(self.factors.iter().map(u64::to_string));
        for (place, length) in
            self.lengths.iter().enumerate().filter(|(place, own)| !self.lengths[..*place].contains(own))
        {
            let count = self.lengths[place..].iter().filter(|own| *own == length).count();
            parts.push(match length {
                Length::Positions(time) if count > 1 => format!("{}^{count}", times[time.0 as usize]),
                Length::Positions(time) => times[time.0 as usize].clone(),
                Length::Pairs { time, window } => {
                    let name = &times[time.0 as usize];
                    match (window.low, window.high) {
                        (None, None) => format!("{name}^2"),
                        (None, Some(0)) | (Some(0), None) => format!("{name} * ({name} + 1) / 2"),
                        (None, Some(-1)) | (Some(1), None) => format!("{name} * ({name} - 1) / 2"),
                        _ if alone => length.polynomial().print(times),
                        _ => format!("({})", length.polynomial().print(times)),
                    }
                }
            });
        }
        parts.join(" * ")
    }
}

/// A sum of powers of lengths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polynomial {
    /// Twice the coefficient of each product of powers: pairs of positions have halves.
    halves: BTreeMap<Vec<(TimeId, u32)>, i128>,
    /// The length from which on it holds, where that is not every one.
    pub from: BTreeMap<TimeId, u64>,
}

impl Polynomial {
    fn of(terms: &[(&[(TimeId, u32)], i128)], mut from: BTreeMap<TimeId, u64>) -> Polynomial {
        let halves = terms.iter().filter(|(_, half)| *half != 0).map(|(powers, half)| (powers.to_vec(), *half));
        from.retain(|_, least| *least > 0);
        Polynomial { halves: halves.collect(), from }
    }

    /// Its terms: powers of lengths, and twice what they are multiplied by.
    pub fn terms(&self) -> impl Iterator<Item = (&[(TimeId, u32)], i128)> {
        // The highest powers first.
        let mut all: Vec<_> = self.halves.iter().map(|(powers, half)| (powers.as_slice(), *half)).collect();
        let degree = |powers: &[(TimeId, u32)]| powers.iter().map(|(_, power)| *power).sum::<u32>();
        all.sort_by_key(|(powers, _)| (std::cmp::Reverse(degree(powers)), powers.to_vec()));
        all.into_iter()
    }

    /// Adds another, so many times.
    pub fn plus(&self, other: &Polynomial, times: i128) -> Polynomial {
        let mut sum = self.clone();
        for (powers, half) in &other.halves {
            let known = sum.halves.entry(powers.clone()).or_insert(0);
            *known = known.saturating_add(half.saturating_mul(times));
        }
        sum.halves.retain(|_, half| *half != 0);
        sum.holds_from(&other.from)
    }

    fn multiply(&self, other: &Polynomial) -> Polynomial {
        let mut all = Polynomial { from: self.from.clone(), ..Polynomial::default() };
        for (one, left) in &self.halves {
            for (two, right) in &other.halves {
                let mut powers: BTreeMap<TimeId, u32> = one.iter().copied().collect();
                two.iter().for_each(|(time, power)| *powers.entry(*time).or_insert(0) += power);
                let product = left.saturating_mul(*right);
                // Two halves make a quarter: a product of two counts of pairs, which no equation has.
                debug_assert_eq!(product % 2, 0, "at most one factor has halves");
                let known = all.halves.entry(powers.into_iter().collect()).or_insert(0);
                *known = known.saturating_add(product / 2);
            }
        }
        all.halves.retain(|_, half| *half != 0);
        all.holds_from(&other.from)
    }

    fn holds_from(mut self, other: &BTreeMap<TimeId, u64>) -> Polynomial {
        for (time, least) in other {
            let known = self.from.entry(*time).or_insert(0);
            *known = (*known).max(*least);
        }
        self
    }

    /// What one position more along an axis adds to what there was, when it is the last of that many.
    pub fn last_of(&self, time: TimeId) -> Polynomial {
        let mut before = Polynomial { from: self.from.clone(), ..Polynomial::default() };
        for (powers, half) in &self.halves {
            let power = powers.iter().find(|(own, _)| *own == time).map_or(0, |(_, power)| *power);
            // (T - 1)^power, by the binomial theorem.
            let mut binomial = 1i128;
            for lower in 0..=power {
                let sign = if lower % 2 == 0 { 1 } else { -1 };
                let mut own: BTreeMap<TimeId, u32> = powers.iter().copied().collect();
                own.insert(time, power - lower);
                own.retain(|_, power| *power > 0);
                let known = before.halves.entry(own.into_iter().collect()).or_insert(0);
                *known = known.saturating_add(half.saturating_mul(sign * binomial));
                binomial = binomial * i128::from(power - lower) / i128::from(lower + 1);
            }
        }
        before.from.values_mut().for_each(|least| *least += 1);
        self.plus(&before, -1)
    }

    /// Its number for sequences of these lengths, from those on from which it holds.
    pub fn evaluate(&self, positions: &dyn Fn(TimeId) -> u64) -> i128 {
        let value = |(powers, half): (&Vec<(TimeId, u32)>, &i128)| {
            powers.iter().fold(*half, |all, (time, power)| all.saturating_mul(i128::from(positions(*time)).pow(*power)))
        };
        self.halves.iter().map(value).fold(0i128, i128::saturating_add) / 2
    }

    /// `58 * T^2 + 106 * T`; thousands stand apart.
    pub fn print(&self, times: &[String]) -> String {
        let mut text = String::new();
        for (powers, half) in self.terms() {
            let negative = half < 0;
            let _ = match (text.is_empty(), negative) {
                (true, false) => Ok(()),
                (true, true) => write!(text, "-"),
                (false, false) => write!(text, " + "),
                (false, true) => write!(text, " - "),
            };
            let half = half.unsigned_abs();
            let number = match (half % 2, half / 2) {
                (0, whole) => with_commas(whole),
                (_, whole) => format!("{}.5", with_commas(whole)),
            };
            let powers: Vec<String> = powers
                .iter()
                .map(|(time, power)| match power {
                    1 => times[time.0 as usize].clone(),
                    _ => format!("{}^{power}", times[time.0 as usize]),
                })
                .collect();
            let _ = match (half, powers.as_slice()) {
                (_, []) => write!(text, "{number}"),
                (2, powers) => write!(text, "{}", powers.join(" * ")),
                (_, powers) => write!(text, "{number} * {}", powers.join(" * ")),
            };
        }
        if text.is_empty() { "0".to_string() } else { text }
    }
}

/// `1234567` as `1,234,567`.
pub fn with_commas(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: TimeId = TimeId(0);

    fn pairs(low: Option<i64>, high: Option<i64>) -> Length {
        Length::Pairs { time: T, window: Window { low, high } }
    }

    #[test]
    fn pairs_are_counted_one_by_one() {
        let ends = [None, Some(-3), Some(-1), Some(0), Some(2)];
        for low in ends {
            for high in ends {
                let formula = Formula::product(3, [5], vec![pairs(low, high)]);
                let polynomial = formula.polynomial();
                for length in 0..9i64 {
                    let inside = |d: i64| low.is_none_or(|low| low <= d) && high.is_none_or(|high| d <= high);
                    let all = (0..length).flat_map(|i| (0..length).map(move |j| j - i));
                    let counted = 15 * all.filter(|d| inside(*d)).count() as u128;
                    let at = |_: TimeId| length as u64;
                    assert_eq!(formula.evaluate(&at), counted, "{low:?} {high:?} at {length}");
                    if polynomial.from.get(&T).is_none_or(|least| *least <= length as u64) {
                        assert_eq!(polynomial.evaluate(&at), counted as i128, "{low:?} {high:?} at {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_position_adds_the_difference() {
        let mut formula = Formula::product(2, [7, 3], vec![Length::Positions(T)]);
        formula.add(&Formula::product(4, [3], vec![pairs(None, Some(0))]));
        formula.add(&Formula::product(5, [2], vec![pairs(Some(-3), Some(0))]));
        let (whole, last) = (formula.polynomial(), formula.polynomial().last_of(T));
        for length in 5..9u64 {
            let difference = whole.evaluate(&|_| length) - whole.evaluate(&|_| length - 1);
            assert_eq!(last.evaluate(&|_| length), difference);
            assert_eq!(whole.evaluate(&|_| length), formula.evaluate(&|_| length) as i128);
        }
    }

    #[test]
    fn formulas_are_written_as_they_came() {
        let names = ["T".to_string(), "S".to_string()];
        let mut formula = Formula::product(2, [768, 3072], vec![Length::Positions(T)]);
        formula.add(&Formula::product(1, [3072], vec![Length::Positions(T)]));
        assert_eq!(formula.print(&names), "2 * 768 * 3072 * T + 3072 * T");
        assert_eq!(formula.polynomial().print(&names), "4,721,664 * T");
        let causal = Formula::product(2, [64], vec![pairs(None, Some(0))]);
        assert_eq!(causal.print(&names), "2 * 64 * T * (T + 1) / 2");
        assert_eq!(causal.polynomial().print(&names), "64 * T^2 + 64 * T");
        let window = Formula::product(1, [], vec![pairs(Some(-3), Some(0))]);
        assert_eq!(window.print(&names), "4 * T - 6");
        assert_eq!(window.clone().times(2).print(&names), "2 * (4 * T - 6)");
        assert_eq!(window.polynomial().from, BTreeMap::from([(T, 3)]));
        let both = Formula::product(4, [8], vec![Length::Positions(T), Length::Positions(TimeId(1))]);
        assert_eq!(both.print(&names), "4 * 8 * T * S");
        assert_eq!(both.polynomial().print(&names), "32 * T * S");
        assert_eq!(both.known(&[None, Some(7)]).print(&names), "4 * 8 * 7 * T");
        assert_eq!(causal.known(&[Some(3), None]).print(&names), "2 * 64 * 6");
        assert_eq!(Formula::default().print(&names), "0");
        assert_eq!(with_commas(1_234_567), "1,234,567");
    }
}
