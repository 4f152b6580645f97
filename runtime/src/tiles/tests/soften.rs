//! The tile that makes an attention's scores weights, against the same in double precision.

use super::{Callable, Random, with_every_choice};
use seqwright_compiler::kernel::KEY_BLOCK;
use seqwright_compiler::tile::Tile;
use seqwright_compiler::tile::constants::SLACK;
use std::mem::transmute;

type SoftenTile = unsafe extern "C" fn(usize, usize, *mut f32, usize, *mut f32, *mut f32, *mut f32, usize, usize);

/// Numbers from one row of scores to the next.
const ROW: usize = KEY_BLOCK + 3;

/// Relative to what is compared: the error of a sum of 64 exponentials.
const TOLERANCE: f64 = 2e-6;

/// That of one exponential: a unit in the last place, and the exponent's, whose factor is rounded.
fn tolerance(exponent: f64) -> f64 {
    f64::from(f32::EPSILON) * (1.0 + 0.5 * exponent.abs())
}

struct State {
    scores: Vec<f32>,
    reference: Vec<f32>,
    total: Vec<f32>,
    mix: Vec<f32>,
}

fn soften(callable: &Callable, keys: usize, state: &mut State, width: usize, scale: f32) {
    let rows = state.reference.len();
    assert!(state.scores.len() == rows * ROW && state.total.len() == rows && state.mix.len() == rows * width);
    // SAFETY: the tile's version is for this processor, and all is as large as it needs.
    unsafe {
        let tile: SoftenTile = transmute(callable.address(Tile::Soften));
        let [scores, reference, total, mix] =
            [&mut state.scores, &mut state.reference, &mut state.total, &mut state.mix]
                .map(|numbers| numbers.as_mut_ptr());
        tile(rows, keys, scores, ROW, reference, total, mix, width, scale.to_bits() as usize);
    }
}

fn is_near(got: f32, wanted: f64, tolerance: f64) -> bool {
    (f64::from(got) - wanted).abs() <= tolerance * wanted.abs().max(1e-30)
}

#[test]
fn scores_become_weights() {
    with_every_choice(|callable| {
        let mut random = Random(7);
        for (rows, width, scale) in [(1, 1, 1.0), (3, 64, 0.125), (5, 37, 0.3), (2, 0, 3.0)] {
            let mut state = State {
                scores: vec![0.0; rows * ROW],
                reference: vec![f32::MIN; rows],
                total: vec![0.0; rows],
                mix: random.numbers(rows * width),
            };
            // Block after block, of which the second is seen in part and the third not at all; the last are a little larger, and far.
            for (seen, more) in [(KEY_BLOCK, 0.0), (20, 0.0), (0, 0.0), (KEY_BLOCK, 0.5), (KEY_BLOCK, 20.0)] {
                for (place, score) in state.scores.iter_mut().enumerate() {
                    *score = if place % ROW < seen { 9.0 * random.number() + more * SLACK / scale } else { f32::MIN };
                }
                let before = (state.scores.clone(), state.reference.clone(), state.total.clone(), state.mix.clone());
                soften(callable, seen, &mut state, width, scale);
                for row in 0..rows {
                    let scores = &before.0[row * ROW..row * ROW + KEY_BLOCK];
                    let largest = scores.iter().copied().fold(f32::MIN, f32::max);
                    let moves = largest > before.1[row] + SLACK / scale;
                    let reference = if moves { largest } else { before.1[row] };
                    assert_eq!(state.reference[row], reference, "{}", callable.name());
                    assert!(moves || more < 1.0);
                    let exponent = |score: f32| f64::from(scale) * f64::from(score - reference);
                    let sum: f64 = scores.iter().map(|score| exponent(*score).exp()).sum();
                    let rescale = exponent(before.1[row]).exp();
                    let total = f64::from(before.2[row]) * rescale + sum;
                    let got = state.total[row];
                    assert!(is_near(got, total, TOLERANCE), "{}: {got} {total}", callable.name());
                    for (got, score) in state.scores[row * ROW..].iter().zip(scores).take(seen) {
                        let exponent = exponent(*score);
                        let near = is_near(*got, exponent.exp(), tolerance(exponent));
                        assert!(near, "{}: {got} of {score}", callable.name());
                    }
                    if before.1[row] == f32::MIN {
                        // Nothing was mixed yet.
                        state.mix[row * width..][..width].copy_from_slice(&before.3[row * width..][..width]);
                        continue;
                    }
                    for (got, old) in state.mix[row * width..].iter().zip(&before.3[row * width..][..width]) {
                        let near = is_near(*got, f64::from(*old) * rescale, TOLERANCE);
                        assert!(near, "{}: {got} of {old}", callable.name());
                    }
                }
            }
        }
    });
}

#[test]
fn where_nothing_was_seen_yet_all_weights_are_zero() {
    with_every_choice(|callable| {
        let mut state =
            State { scores: vec![f32::MIN; ROW], reference: vec![f32::MIN], total: vec![0.0], mix: vec![0.0; 8] };
        soften(callable, KEY_BLOCK, &mut state, 8, 0.001);
        assert_eq!((state.reference[0], state.total[0]), (f32::MIN, 0.0), "{}", callable.name());
        assert!(state.scores[..KEY_BLOCK].iter().chain(&state.mix).all(|number| *number == 0.0), "{}", callable.name());
    });
}

/// A key that is not seen weighs nothing however small the scale is, and the largest score weighs 1 however large.
#[test]
fn any_scale_will_do() {
    with_every_choice(|callable| {
        for scale in [f32::MIN_POSITIVE, 1e-37, 1e37, f32::MAX] {
            let mut scores = vec![f32::MIN; ROW];
            scores[..2].copy_from_slice(&[-1.0, 2.0]);
            let mut state = State { scores, reference: vec![f32::MIN], total: vec![0.0], mix: vec![] };
            soften(callable, KEY_BLOCK, &mut state, 0, scale);
            let lower = (-3.0 * f64::from(scale)).exp() as f32;
            assert_eq!(state.scores[..3], [lower, 1.0, 0.0], "{} with {scale}", callable.name());
            assert_eq!(state.total[0], 1.0 + lower, "{} with {scale}", callable.name());
        }
    });
}

#[test]
fn what_is_not_a_number_stays_so() {
    with_every_choice(|callable| {
        let mut state = State { scores: vec![0.5; ROW], reference: vec![f32::MIN], total: vec![0.0], mix: vec![] };
        state.scores[17] = f32::NAN;
        soften(callable, KEY_BLOCK, &mut state, 0, 1.0);
        assert!(state.total[0].is_nan() && state.scores[17].is_nan(), "{}", callable.name());
    });
}
