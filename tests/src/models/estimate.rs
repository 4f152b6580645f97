//! How large a value's numbers are and how far float32 may be from the truth, as a random model grows: a step whose result
//! would be too far off is not taken.

/// How large a value's numbers are, and how far they may be off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// The order of the larger ones.
    pub(super) size: f64,
    /// Their usual error, in half units of the last place of 1 (2^-24).
    pub(super) error: f64,
}

/// A step is not taken if its result may be further off, usually: a fifth of what the comparison allows (`tolerance.rs`), as the largest of
/// some ten thousand errors is several times the usual one.
pub(super) const MOST_ERROR: f64 = 30.0;

/// Numbers that are larger are scaled or squashed.
pub(super) const MOST_SIZE: f64 = 4.0;

impl Estimate {
    /// As given: rounded once.
    pub(super) fn exact(size: f64) -> Estimate {
        Estimate { size, error: 0.0 }
    }

    /// After a function no steeper than this, of this size.
    pub(super) fn through(self, steepness: f64, size: f64) -> Estimate {
        Estimate { size, error: self.error * steepness + size }
    }

    /// A sum, with factors before its parts.
    pub(super) fn plus(self, other: Estimate) -> Estimate {
        let size = self.size.hypot(other.size);
        Estimate { size, error: self.error.hypot(other.error) + size }
    }

    pub(super) fn times(self, other: Estimate) -> Estimate {
        let size = self.size * other.size;
        Estimate { size, error: (self.error * other.size).hypot(other.error * self.size) + size }
    }

    pub(super) fn scaled(self, factor: f64) -> Estimate {
        Estimate { size: self.size * factor, error: self.error * factor + self.size * factor }
    }

    /// A sum of so many of these with random weights of random sign, or none.
    pub(super) fn summed(self, count: usize) -> Estimate {
        let root = (count as f64).sqrt();
        Estimate { size: self.size * root, error: self.error * root + self.size * root * (1.0 + root / 4.0) }
    }

    /// A weighted mean of so many.
    pub(super) fn averaged(self, count: usize) -> Estimate {
        Estimate { size: self.size, error: self.error + self.size * (1.0 + (count as f64).sqrt() / 4.0) }
    }

    pub(super) fn fits(self) -> bool {
        self.error <= MOST_ERROR && self.size <= 2.0 * MOST_SIZE
    }
}
