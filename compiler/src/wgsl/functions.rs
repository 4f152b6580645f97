//! Functions of numbers that WGSL has only roughly or not at all: `exp`, `tanh`, `sin` and others may be far off by its
//! rules, `erf` is missing. They spell the steps of [`constants`](crate::tile::constants), as the tiles of the CPU do.
//!
//! A multiply-add may be fused here or not: what a reduction takes away is a number of few digits, whose whole multiples
//! are exact, and a small rest.
//!
//! Beside those: `log` by `2 atanh((m - 1) / (m + 1))`, the mantissa `m` within a factor of √2 of 1; `sin` and `cos` by Cody
//! and Waite's reduction in three steps, good to angles of 10^5, and the least-maximum polynomials of Cephes (Moshier);
//! `power` with the exponent's part of the logarithm in two halves, so that its product with the power is exact.

use crate::tile::constants::{
    ERF_HIGHEST, ERF_SLOPE, ERF_TAIL, EXP_HIGHEST, EXP_LOWEST, EXP_TAIL, LOG2_E, TANH_HIGHEST,
};
use std::collections::BTreeSet;

/// `ln 2` to ten bits, and the rest.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// A function that a shader may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Function {
    TwoTo,
    ExpCore,
    Exp,
    Expm1,
    Tanh,
    Sigmoid,
    Erf,
    Log,
    Sin,
    Cos,
    Power,
    Inside,
}

impl Function {
    /// What it calls.
    fn needs(self) -> &'static [Function] {
        match self {
            Function::TwoTo | Function::ExpCore | Function::Log | Function::Inside => &[],
            Function::Sin | Function::Cos => &[],
            Function::Exp | Function::Expm1 => &[Function::TwoTo, Function::ExpCore],
            Function::Tanh | Function::Erf => &[Function::TwoTo, Function::ExpCore, Function::Expm1],
            Function::Sigmoid | Function::Power => &[Function::TwoTo, Function::ExpCore, Function::Exp],
        }
    }

    fn text(self) -> String {
        match self {
            Function::TwoTo => "// 2^n, for n from -126 to 127\n\
                fn two_to(n: i32) -> f32 {\n  return bitcast<f32>((n + 127) << 23u);\n}"
                .to_string(),
            Function::ExpCore => format!(
                "// exp(r) - 1, for |r| up to ln(2) / 2\nfn exp_core(r: f32) -> f32 {{\n  return fma(r * r, {}, r);\n}}",
                horner("r", &EXP_TAIL)
            ),
            Function::Exp => format!(
                "fn exp32(value: f32) -> f32 {{\n  let x = clamp(value, {EXP_LOWEST:?}, {EXP_HIGHEST:?});\n  \
                 let n = round(x * {LOG2_E:?});\n  let r = fma(-n, {LN2_LOW:?}, fma(-n, {LN2_HIGH:?}, x));\n  \
                 let low = i32(n) >> 1u;\n  let result = (1.0 + exp_core(r)) * two_to(low) * two_to(i32(n) - low);\n  \
                 return select(value, result, value == value);\n}}"
            ),
            Function::Expm1 => format!(
                "// exp(x) - 1, for |x| up to about 20\nfn expm1(x: f32) -> f32 {{\n  let n = round(x * {LOG2_E:?});\n  \
                 let r = fma(-n, {LN2_LOW:?}, fma(-n, {LN2_HIGH:?}, x));\n  let power_of_two = two_to(i32(n));\n  \
                 return fma(power_of_two, exp_core(r), power_of_two - 1.0);\n}}"
            ),
            Function::Tanh => format!(
                "fn tanh32(x: f32) -> f32 {{\n  let e = expm1(min(2.0 * abs(x), {TANH_HIGHEST:?}));\n  \
                 let result = select(e / (e + 2.0), x, x != x);\n  return select(result, -result, x < 0.0);\n}}"
            ),
            Function::Sigmoid => "fn sigmoid(x: f32) -> f32 {\n  return 1.0 / (1.0 + exp32(-x));\n}".to_string(),
            Function::Erf => format!(
                "fn erf(value: f32) -> f32 {{\n  let x = min(abs(value), {ERF_HIGHEST:?});\n  \
                 let h = fma(x, {ERF_SLOPE:?}, x * {});\n  let result = select(-expm1(-h), value, value != value);\n  \
                 return select(result, -result, value < 0.0);\n}}",
                horner("x", &ERF_TAIL)
            ),
            Function::Log => format!(
                "fn log32(x: f32) -> f32 {{\n  let bits = bitcast<i32>(x);\n  \
                 var exponent = ((bits >> 23u) & 255) - 127;\n  \
                 var mantissa = bitcast<f32>((bits & 0x007fffff) | 0x3f800000);\n  \
                 if mantissa > 1.4142135 {{\n    mantissa *= 0.5;\n    exponent += 1;\n  }}\n  \
                 let s = (mantissa - 1.0) / (mantissa + 1.0);\n  let z = s * s;\n  \
                 let tail = 2.0 * s * z * {};\n  let e = f32(exponent);\n  \
                 let result = fma(e, {LN2_HIGH:?}, 2.0 * s + fma(e, {LN2_LOW:?}, tail));\n  \
                 if x > 0.0 && x < run.infinity {{\n    return result;\n  }}\n  \
                 return select(select(run.infinity - run.infinity, -run.infinity, x == 0.0), x, x > 0.0 || x != x);\n}}",
                horner("z", &[1.0 / 3.0, 0.2, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0])
            ),
            Function::Sin => format!("fn sin32(x: f32) -> f32 {{\n{}", quadrant(0)),
            Function::Cos => format!("fn cos32(x: f32) -> f32 {{\n{}", quadrant(1)),
            Function::Power => format!(
                "fn power(base: f32, exponent: f32) -> f32 {{\n  \
                 if exponent == 0.0 || base == 1.0 {{\n    return 1.0;\n  }}\n  let bits = bitcast<i32>(abs(base));\n  \
                 var whole = (bits >> 23u) - 127;\n  var mantissa = bitcast<f32>((bits & 0x007fffff) | 0x3f800000);\n  \
                 if mantissa > 1.4142135 {{\n    mantissa *= 0.5;\n    whole += 1;\n  }}\n  \
                 let s = (mantissa - 1.0) / (mantissa + 1.0);\n  let z = s * s;\n  \
                 let fraction = {LOG2_E:?} * fma(2.0 * s * z, {}, 2.0 * s);\n  \
                 let high = bitcast<f32>(bitcast<u32>(exponent) & 0xfffff000u);\n  let e = f32(whole);\n  \
                 let n = clamp(round(e * exponent + exponent * fraction), -160.0, 160.0);\n  \
                 let rest = fma(exponent, fraction, fma(exponent - high, e, fma(high, e, -n)));\n  \
                 let low = i32(n) >> 1u;\n  \
                 var result = exp32(clamp(rest, -128.0, 128.0) * 0.6931472) * two_to(low) * two_to(i32(n) - low);\n  \
                 if base == 0.0 {{\n    result = select(run.infinity, 0.0, exponent > 0.0);\n  }}\n  \
                 if base < 0.0 {{\n    let is_whole = floor(exponent) == exponent;\n    \
                 let is_odd = floor(exponent * 0.5) * 2.0 != exponent;\n    \
                 result = select(run.infinity - run.infinity, select(result, -result, is_odd), is_whole);\n  }}\n  \
                 return select(result, base + exponent, base != base || exponent != exponent);\n}}",
                horner("z", &[1.0 / 3.0, 0.2, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0])
            ),
            Function::Inside => {
                "fn inside(place: i32, count: i32) -> bool {\n  return 0 <= place && place < count;\n}".to_string()
            }
        }
    }
}

/// A quarter turn in three numbers, each of few enough digits that whole multiples are exact.
const QUARTER: [f32; 3] = [1.570_312_5, 4.837_513e-4, 7.549_79e-8];

/// Sine, or cosine a quarter turn later.
fn quadrant(later: i32) -> String {
    let [high, middle, low] = QUARTER;
    let later = if later == 0 { String::new() } else { format!(" + {later}") };
    format!(
        "  let n = round(x * 0.63661975);\n  let r = fma(-n, {low:?}, fma(-n, {middle:?}, fma(-n, {high:?}, x)));\n  \
         let z = r * r;\n  let sine = fma(r * z, {}, r);\n  let cosine = fma(z * z, {}, fma(-0.5, z, 1.0));\n  \
         let quarter = i32(n){later};\n  let result = select(sine, cosine, (quarter & 1) == 1);\n  \
         return select(result, -result, (quarter & 2) == 2);\n}}",
        horner("z", &[-1.666_665_5e-1, 8.332_161e-3, -1.951_529_6e-4]),
        horner("z", &[4.166_664_6e-2, -1.388_731_6e-3, 2.443_315_7e-5]),
    )
}

/// A polynomial, lowest power first, by Horner's rule.
fn horner(variable: &str, coefficients: &[f32]) -> String {
    let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
    rest.iter().rev().fold(format!("{last:?}"), |inner, number| format!("fma({variable}, {inner}, {number:?})"))
}

/// The text of functions and of all that they call.
pub(super) fn spell(wanted: &BTreeSet<Function>) -> Vec<String> {
    let mut all = wanted.clone();
    all.extend(wanted.iter().flat_map(|function| function.needs()));
    all.into_iter().map(Function::text).collect()
}
