//! From a number to its colour, in terminals and in reports.
//!
//! Numbers that are all of one sign have the colours of viridis (Smith and van der Walt 2015): each step looks as large as any
//! other, and they grow lighter with the numbers, so that they can be told apart without seeing hues. Numbers of both signs
//! have those of RdBu (Harrower and Brewer, ColorBrewer 2003): white is zero, blue is less, red is more, as far as the largest
//! of either; people who don't see red from green tell them apart.

/// Viridis at even steps from 0 to 1.
const SEQUENTIAL: [[u8; 3]; 10] = [
    [68, 1, 84],
    [72, 40, 120],
    [62, 73, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [110, 206, 88],
    [181, 222, 43],
    [253, 231, 37],
];

/// RdBu at even steps from the least to the largest number, zero in the middle.
const DIVERGING: [[u8; 3]; 11] = [
    [5, 48, 97],
    [33, 102, 172],
    [67, 147, 195],
    [146, 197, 222],
    [209, 229, 240],
    [247, 247, 247],
    [253, 219, 199],
    [244, 165, 130],
    [214, 96, 77],
    [178, 24, 43],
    [103, 0, 31],
];

/// Which numbers have which colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// From the smallest finite number to the largest.
    Sequential {
        /// The smallest.
        low: f32,
        /// The largest.
        high: f32,
    },
    /// From minus a number to that number.
    Diverging {
        /// The number.
        most: f32,
    },
}

impl Scale {
    /// The scale for these numbers: about zero where they have both signs.
    pub fn of<'n>(numbers: impl IntoIterator<Item = &'n f32>) -> Scale {
        match Scale::sequential(numbers) {
            Scale::Sequential { low, high } if low < 0.0 && high > 0.0 => Scale::Diverging { most: high.max(-low) },
            scale => scale,
        }
    }

    /// The scale from the smallest of these numbers to the largest, whatever their signs.
    pub fn sequential<'n>(numbers: impl IntoIterator<Item = &'n f32>) -> Scale {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for number in numbers.into_iter().filter(|number| number.is_finite()) {
            low = low.min(*number);
            high = high.max(*number);
        }
        Scale::Sequential { low, high }
    }

    /// The numbers at its ends.
    pub fn ends(self) -> (f32, f32) {
        match self {
            Scale::Sequential { low, high } => (low, high),
            Scale::Diverging { most } => (-most, most),
        }
    }

    /// Where a number lies, from 0 to 1; nothing for one that is not finite. Where all are the same they lie in the middle.
    pub fn part(self, number: f32) -> Option<f32> {
        let (low, high) = self.ends();
        // Halves, because the difference of two large numbers may be infinite.
        let (low, high) = (low / 2.0, high / 2.0);
        let spread = high - low;
        number.is_finite().then(|| if spread > 0.0 { ((number / 2.0 - low) / spread).clamp(0.0, 1.0) } else { 0.5 })
    }

    /// The colour for a part of the scale, red, green and blue.
    pub fn colour(self, part: f32) -> [u8; 3] {
        let steps: &[[u8; 3]] = match self {
            Scale::Sequential { .. } => &SEQUENTIAL,
            Scale::Diverging { .. } => &DIVERGING,
        };
        let along = part.clamp(0.0, 1.0) * (steps.len() - 1) as f32;
        let step = (along as usize).min(steps.len() - 2);
        let rest = along - step as f32;
        [0, 1, 2].map(|channel| {
            let (from, to) = (f32::from(steps[step][channel]), f32::from(steps[step + 1][channel]));
            (from + (to - from) * rest).round() as u8
        })
    }
}

/// Whether black letters are easier to read on a colour than white ones.
pub fn is_light([red, green, blue]: [u8; 3]) -> bool {
    // Both have about the same contrast at this lightness.
    0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue) > 105.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_between_the_smallest_and_the_largest() {
        let scale = Scale::sequential(&[-1.0, f32::NAN, 3.0, f32::INFINITY]);
        assert_eq!((scale.part(-1.0), scale.part(1.0), scale.part(3.0)), (Some(0.0), Some(0.5), Some(1.0)));
        assert_eq!(scale.part(f32::NAN), None);
        let widest = Scale::sequential(&[f32::MIN, f32::MAX]);
        assert_eq!((widest.part(f32::MIN), widest.part(0.0), widest.part(f32::MAX)), (Some(0.0), Some(0.5), Some(1.0)));
        assert_eq!(Scale::sequential(&[2.0, 2.0]).part(2.0), Some(0.5));
    }

    #[test]
    fn zero_is_white_where_numbers_have_both_signs() {
        let scale = Scale::of(&[-1.0, 3.0]);
        assert_eq!(scale, Scale::Diverging { most: 3.0 });
        assert_eq!(scale.part(0.0).map(|part| scale.colour(part)), Some([247, 247, 247]));
        assert_eq!(Scale::of(&[0.0, 0.5]), Scale::Sequential { low: 0.0, high: 0.5 });
        assert_eq!([0.0, 1.0].map(|part| Scale::of(&[0.5]).colour(part)), [[68, 1, 84], [253, 231, 37]]);
    }
}
