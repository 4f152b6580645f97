//! The constants of the function tiles, and the algorithms they belong to: every version of a tile, emitted or written
//! with intrinsics, spells the same steps with these numbers, in single precision with fused multiply-adds.
//!
//! `reduce(x)`: `t = x * LOG2_E + ROUND` leaves the nearest integer `n` to `x / ln 2` in the low bits of `t`;
//! `n = t - ROUND`; `r = x - n * LN2_HIGH - n * LN2_LOW` (Cody and Waite's reduction), so that `|r| <= ln 2 / 2`.
//!
//! `core(r) = exp(r) - 1 = r + r * r * EXP_TAIL(r)`.
//!
//! `exp(x)`: `x` clamped to `EXP_LOWEST ..= EXP_HIGHEST`, reduced, `(1 + core(r)) * 2^(n >> 1) * 2^(n - (n >> 1))`. The
//! two factors let results overflow to infinity and underflow gradually to zero.
//!
//! `expm1(x)`, for the ones below, `|x|` at most about 20: `2^n * core(r) + (2^n - 1)`. It keeps small values' digits.
//!
//! `weight(d)`, an attention's `exp(scale * d)`, the exponent at most `SLACK`: with `c = scale / ln 2`, `t = d * c + ROUND_BIASED`,
//! `n = t - ROUND_BIASED`, `r = d * c - n` without rounding between, so that `|r| <= 1/2`; `EXP2(r) * 2^n`, of which `t`'s low
//! bits, shifted, are the second factor. It is 0 where `scale * d` is below `WEIGHT_LOWEST`, so that no step meets a denormal
//! number, and where a key is not seen. `c`, rounded, moves the exponent by at most `2^-24` of itself.
//!
//! `tanh(x)`: `e = expm1(min(2 |x|, TANH_HIGHEST))`, then `e / (e + 2)` with the sign of `x`.
//!
//! `sigmoid(x) = 1 / (1 + exp(-x))`; it is 0 where `exp(-x)` overflows, below -88.7.
//!
//! `erf(x) = -expm1(-h(min(|x|, ERF_HIGHEST)))` with the sign of `x`, where `h(x) = -ln(erfc(x))` is smooth and is
//! approximated by `x * ERF_SLOPE + x * ERF_TAIL(x)`.
//!
//! The polynomials are our own least-maximum fits (Remez exchange with 40 digits): the coefficients were rounded to `f32`
//! one by one from the lowest power up, the rest being fitted anew after each.

/// `1.5 * 2^23`: added to a small number, it rounds that number to the nearest integer, kept in the sum's low bits.
pub const ROUND: f32 = 12_582_912.0;

/// The same and the bias of an exponent: what the low bits keep is one as it stands in a number.
pub const ROUND_BIASED: f32 = ROUND + 127.0;

/// `1 / ln 2`.
pub const LOG2_E: f32 = std::f32::consts::LOG2_E;

/// `ln 2` rounded to `f32`.
pub const LN2_HIGH: f32 = std::f32::consts::LN_2;

/// What `LN2_HIGH` lacks to `ln 2`.
pub const LN2_LOW: f32 = -1.904_654_2e-9;

/// `(exp(r) - 1 - r) / (r * r)` for `|r| <= ln 2 / 2`, lowest power first. The error of `core` relative to `exp(r) - 1`
/// is at most 1.41e-8.
pub const EXP_TAIL: [f32; 5] = [0.499_999_97, 0.166_665_39, 0.041_667_75, 0.008_367_088, 0.001_383_786_2];

/// `2^r` for `|r| <= 1/2`, lowest power first, with an error of at most 3.0e-9 of it.
pub const EXP2: [f32; 7] =
    [1.0, std::f32::consts::LN_2, 0.240_226_48, 0.055_503_6, 0.009_618_506, 0.001_339_080_6, 0.000_153_264_71];

/// Below it `exp` is less than half the least positive number, so 0.
pub const EXP_LOWEST: f32 = -104.5;

/// `exp(-87)` is 1.6e-38, just above the least normal number. Most processors take a hundred times as long for a denormal one,
/// and an attention's keys that are not seen would all be one on their way to zero.
pub const WEIGHT_LOWEST: f32 = -87.0;

/// How far, times the scale, a score may be above what weights are relative to before that is moved up to it: so far that it is
/// seldom moved, and weights, of which the largest is `exp(8)`, stay far from where numbers end.
pub const SLACK: f32 = 8.0;

/// The most of it before it is divided by the scale: far above any score, and nothing beside the lowest number.
pub const SLACK_MOST: f32 = 1e30;

/// Below it a difference is one of a key that is not seen, however small the scale: those have the lowest number.
pub const DIFFERENCE_LOWEST: f32 = f32::MIN / 2.0;

/// Above 88.73 `exp` exceeds the greatest number, so infinity.
pub const EXP_HIGHEST: f32 = 89.0;

/// `tanh(10)` is 1 to single precision.
pub const TANH_HIGHEST: f32 = 20.0;

/// `erf(4)` is 1 to single precision.
pub const ERF_HIGHEST: f32 = 4.0;

/// `2 / sqrt(pi)`, the slope of `erf` at 0.
pub const ERF_SLOPE: f32 = std::f32::consts::FRAC_2_SQRT_PI;

/// `-ln(erfc(x)) / x - ERF_SLOPE` for `0 <= x <= 4`, lowest power first. The error it leaves is at most 4.1e-9 of `erf`.
pub const ERF_TAIL: [f32; 9] = [
    -5.411_964_2e-8,
    0.636_619_4,
    0.102_777_645,
    -0.019_152_157,
    -0.000_162_260_23,
    0.001_668_973_2,
    -0.000_633_916_76,
    0.000_117_943_84,
    -9.289_81e-6,
];
