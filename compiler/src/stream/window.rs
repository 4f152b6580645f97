//! Positions relative to a reader's own: from so many before to so many after.

/// From `low` to `high`, both included; none where there is no bound. Empty where `low` is above `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// The first position, relative to the reader's.
    pub low: Option<i64>,
    /// The last.
    pub high: Option<i64>,
}

impl Window {
    /// Everything.
    pub const ALL: Window = Window { low: None, high: None };
    /// Nothing.
    pub const NONE: Window = Window { low: Some(1), high: Some(0) };

    /// One position.
    pub fn at(position: i64) -> Window {
        Window { low: Some(position), high: Some(position) }
    }

    /// Whether no position is in it.
    pub fn is_empty(self) -> bool {
        matches!((self.low, self.high), (Some(low), Some(high)) if low > high)
    }

    /// What lies in both.
    pub fn and(self, other: Window) -> Window {
        let either = |one: Option<i64>, two: Option<i64>, choose: fn(i64, i64) -> i64| match (one, two) {
            (Some(one), Some(two)) => Some(choose(one, two)),
            (one, two) => one.or(two),
        };
        Window { low: either(self.low, other.low, i64::max), high: either(self.high, other.high, i64::min) }
    }

    /// From the first of either to the last of either.
    pub fn hull(self, other: Window) -> Window {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let both = |one: Option<i64>, two: Option<i64>, choose: fn(i64, i64) -> i64| Some(choose(one?, two?));
        Window { low: both(self.low, other.low, i64::min), high: both(self.high, other.high, i64::max) }
    }

    /// Every sum of a position of this and one of the other.
    pub fn plus(self, other: Window) -> Window {
        let sum = |one: Option<i64>, two: Option<i64>| one?.checked_add(two?);
        Window { low: sum(self.low, other.low), high: sum(self.high, other.high) }
    }

    /// Every position so many times.
    pub fn times(self, factor: i64) -> Window {
        let scaled = |end: Option<i64>| end.and_then(|end| end.checked_mul(factor));
        let (low, high) = (scaled(self.low), scaled(self.high));
        if factor < 0 { Window { low: high, high: low } } else { Window { low, high } }
    }

    /// How many positions back it reaches; none without bound.
    pub fn back(self) -> Option<usize> {
        self.low.map(|low| usize::try_from(-low).unwrap_or(0))
    }
}
