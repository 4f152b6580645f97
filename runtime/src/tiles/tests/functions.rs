//! The function tiles. An `ulp` is the distance of the neighbours of the right result in single precision.

use seqwright_compiler::tile::Tile;

use super::{Callable, Random, with_every_choice};

/// The error function: its Taylor series where that converges without cancellation, else its continued fraction.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size.is_nan() {
        return x;
    }
    let result = if size < 2.5 {
        // erf(x) = 2 / sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (1 * 3 * .. * (2n+1)), all terms of one sign.
        let (mut term, mut sum, mut odd) = (size, size, 1.0);
        while term > 1e-20 * sum {
            odd += 2.0;
            term *= 2.0 * size * size / odd;
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-size * size).exp() * sum
    } else if size < 10.0 {
        // erfc(x) = exp(-x^2) / sqrt(pi) / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ..)))).
        let fraction = (1..=120).rev().fold(size, |below, number| size + f64::from(number) / 2.0 / below);
        1.0 - (-size * size).exp() / (fraction * std::f64::consts::PI.sqrt())
    } else {
        1.0
    };
    result.copysign(x)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// How far `got` is from `wanted`, in units of the last place of a `f32` of its size.
fn ulps(got: f32, wanted: f64) -> f64 {
    let nearest = wanted as f32;
    if got == nearest || (got.is_nan() && wanted.is_nan()) {
        return 0.0;
    }
    // The neighbour overflows to infinity at the end of the range; the distance below is the same there.
    let size = nearest.abs().min(f32::MAX);
    let ulp = f64::from(size) - f64::from(size.next_down().max(0.0));
    let got = if got.is_infinite() { f64::from(f32::MAX).copysign(got.into()) } else { f64::from(got) };
    (got - wanted).abs() / ulp.max(f64::from(f32::from_bits(1)))
}

/// Numbers of all sizes and both signs, dense around 1, with the special ones.
fn arguments() -> Vec<f32> {
    let mut random = Random(7);
    let mut arguments = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::MIN_POSITIVE,
        f32::from_bits(1),
        -f32::from_bits(1),
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        88.722_83,
        88.722_84,
        88.8,
        89.5,
        -87.33,
        -87.34,
        -88.8,
        -103.2,
        -103.9,
        -104.0,
        -105.0,
    ];
    arguments.extend((0..40_000).map(|_| f32::from_bits(random.bits() as u32)));
    for scale in [1e-5, 0.01, 0.3, 1.0, 2.0, 4.0, 10.0, 30.0, 110.0] {
        arguments.extend((0..20_000).map(|_| scale * random.number()));
    }
    // All over the exponents around 0.
    for exponent in -140..7 {
        arguments.extend((0..100).map(|_| random.number() * f32::powi(2.0, exponent)));
    }
    arguments
}

/// The tile's largest error over the arguments in which `wanted` is at least `least`, in ulps.
fn largest_error(callable: &Callable, tile: Tile, function: fn(f64) -> f64, least: f64) -> f64 {
    let arguments = arguments();
    let mut results = arguments.clone();
    callable.apply(tile, &mut results);
    let mut largest = 0.0;
    for (&x, &got) in arguments.iter().zip(&results) {
        let wanted = function(x.into());
        assert_eq!(got.is_nan(), wanted.is_nan(), "{} {tile:?} of {x}", callable.name());
        let error = ulps(got, wanted);
        if wanted.abs() < least {
            assert!((f64::from(got) - wanted).abs() < least, "{} {tile:?} of {x} is {got}", callable.name());
        } else if error > largest {
            largest = error;
        }
    }
    println!("{} {tile:?}: {largest:.3} ulps", callable.name());
    largest
}

#[test]
fn exponentials_are_right() {
    with_every_choice(|callable| {
        assert!(largest_error(callable, Tile::Exp, f64::exp, 0.0) < 1.5);
        let mut values = [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 100.0, -200.0, 89.0];
        callable.apply(Tile::Exp, &mut values);
        assert_eq!(values, [f32::INFINITY, 0.0, 1.0, 1.0, f32::INFINITY, 0.0, f32::INFINITY]);
    });
}

#[test]
fn hyperbolic_tangents_are_right() {
    with_every_choice(|callable| {
        assert!(largest_error(callable, Tile::Tanh, f64::tanh, 0.0) < 4.0);
        let mut values = [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 50.0, 1e-5];
        callable.apply(Tile::Tanh, &mut values);
        assert_eq!(values.map(f32::to_bits), [1.0, -1.0, 0.0, -0.0, 1.0, 1e-5f32].map(f32::to_bits));
    });
}

#[test]
fn sigmoids_are_right() {
    with_every_choice(|callable| {
        // Results too small for a normal number may be 0.
        assert!(largest_error(callable, Tile::Sigmoid, sigmoid, f32::MIN_POSITIVE.into()) < 4.0);
        let mut values = [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 40.0];
        callable.apply(Tile::Sigmoid, &mut values);
        assert_eq!(values, [1.0, 0.0, 0.5, 0.5, 1.0]);
    });
}

#[test]
fn error_functions_are_right() {
    // From tables.
    for (x, wanted) in [(0.5, 0.520_499_877_813_046_5), (1.0, 0.842_700_792_949_714_9), (3.0, 0.999_977_909_503_001_4)]
    {
        assert!((erf(x) - wanted).abs() < 1e-15);
    }
    with_every_choice(|callable| {
        assert!(largest_error(callable, Tile::Erf, erf, 0.0) < 4.0);
        let mut values = [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 5.0, -5.0];
        callable.apply(Tile::Erf, &mut values);
        assert_eq!(values.map(f32::to_bits), [1.0, -1.0, 0.0, -0.0, 1.0, -1.0f32].map(f32::to_bits));
    });
}

/// A number's result must not depend on its place in the run or the run's length, and nothing beside it be written.
#[test]
fn places_do_not_matter() {
    with_every_choice(|callable| {
        let mut random = Random(8);
        for tile in [Tile::Exp, Tile::Tanh, Tile::Sigmoid, Tile::Erf] {
            let arguments: Vec<f32> = random.numbers(80).iter().map(|number| number * 5.0).collect();
            let alone: Vec<u32> = arguments
                .iter()
                .map(|&x| {
                    let mut run = [x];
                    callable.apply(tile, &mut run);
                    run[0].to_bits()
                })
                .collect();
            for length in 0..=70 {
                for start in 0..3 {
                    let mut run = arguments.clone();
                    callable.apply(tile, &mut run[start..start + length]);
                    for (place, &got) in run.iter().enumerate() {
                        let inside = (start..start + length).contains(&place);
                        let wanted = if inside { alone[place] } else { arguments[place].to_bits() };
                        assert_eq!(got.to_bits(), wanted, "{} {tile:?}, run of {length}", callable.name());
                    }
                }
            }
        }
    });
}

#[test]
fn plain_functions() {
    with_every_choice(|callable| {
        let arguments = [0.25, 1.0, 2.5, 7.0];
        for (tile, function) in [(Tile::Log, f32::ln as fn(f32) -> f32), (Tile::Sin, f32::sin), (Tile::Cos, f32::cos)] {
            let mut values = arguments;
            callable.apply(tile, &mut values);
            assert_eq!(values, arguments.map(function));
        }
        let mut values = arguments;
        callable.power(&mut values, &[2.0, 3.0, 0.0, 0.5]);
        assert_eq!(values, [0.0625, 1.0, 1.0, 7f32.powf(0.5)]);
    });
}
