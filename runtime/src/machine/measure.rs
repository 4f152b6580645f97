//! Measures what a machine can do: multiply-adds that stay in registers, and sums over buffers that fit each level of memory.
//!
//! Each thread works on a buffer of its own, all of them at the same time; what they do together counts. Of several short
//! trials the best counts: whatever else runs can only slow one down.

use super::{Caches, Level, Limits};
use crate::tiles::AlignedFloats;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How long a trial takes at least.
const TRIAL: Duration = Duration::from_millis(12);
/// How many trials there are.
const TRIALS: usize = 8;
/// What is read of a level without a cache: so many times the largest cache.
const BEYOND: usize = 3;
/// And no more bytes than this, whatever the caches.
const MOST: usize = 512 << 20;

/// Measures all limits.
pub(super) fn limits(caches: &Caches, threads: usize) -> Limits {
    let arithmetic = best(threads, || (), &|()| multiply_adds() as f64);
    // Half of a cache: all of it would be there only if nothing else ran.
    let halves = caches.shares(threads).map(|(_, share)| share / 2);
    let beyond = (caches.third.saturating_mul(BEYOND) / threads).min(MOST / threads);
    let reads = halves.into_iter().chain([beyond]).map(|bytes| {
        let filled = || {
            let mut numbers = AlignedFloats::zeroed((bytes / 4).max(CHUNK).next_multiple_of(CHUNK));
            // Pages that were never written are all the same one.
            numbers.fill(1.0);
            numbers
        };
        best(threads, filled, &|numbers: &AlignedFloats| {
            black_box(sum(numbers));
            4.0 * numbers.len() as f64
        })
    });
    let level = |((name, room), reads): ((String, f64), f64)| Level { name, room, reads };
    Limits { arithmetic, levels: caches.rooms(threads).into_iter().zip(reads).map(level).collect() }
}

/// In 10⁹ a second, the most that all threads did together in a trial. `work` says how much it did.
fn best<T>(threads: usize, made: impl Fn() -> T + Sync, work: &(dyn Fn(&T) -> f64 + Sync)) -> f64 {
    let barrier = Barrier::new(threads);
    let trial = || {
        let own = made();
        work(&own);
        let rates = (0..TRIALS).map(|_| {
            barrier.wait();
            let (start, mut done) = (Instant::now(), 0.0);
            while start.elapsed() < TRIAL {
                done += work(&own);
            }
            done / start.elapsed().as_secs_f64() / 1e9
        });
        rates.collect::<Vec<f64>>()
    };
    let all: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(trial)).collect();
        workers.into_iter().map(|worker| worker.join().expect("measuring does not panic")).collect()
    });
    (0..TRIALS).map(|trial| all.iter().map(|rates| rates[trial]).sum()).fold(0.0, f64::max)
}

/// Numbers that a turn of the reading loop takes: eight of the widest vectors.
const CHUNK: usize = 128;
/// Turns of the arithmetic loop.
const TURNS: usize = 20_000;

/// Does multiply-adds and says how many operations they were.
fn multiply_adds() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has these instructions.
            return unsafe { x86::multiply_adds_512() };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has these instructions.
            return unsafe { x86::multiply_adds_256() };
        }
    }
    let mut sums = [[0.0f32; 4]; 12];
    let (factor, addend) = (black_box(0.999f32), black_box(0.001f32));
    for _ in 0..TURNS {
        for number in sums.iter_mut().flatten() {
            // Where the processor's own multiply-add is not known to be there, a call would take its place.
            *number = match cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
                true => number.mul_add(factor, addend),
                false => *number * factor + addend,
            };
        }
    }
    black_box(sums);
    2 * TURNS * 48
}

/// Reads all numbers.
fn sum(numbers: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has these instructions.
            return unsafe { x86::sum_512(numbers) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has these instructions.
            return unsafe { x86::sum_256(numbers) };
        }
    }
    let mut sums = [0.0f32; CHUNK / 4];
    for chunk in numbers.chunks_exact(CHUNK / 4) {
        sums.iter_mut().zip(chunk).for_each(|(sum, number)| *sum += number);
    }
    sums.iter().sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CHUNK, TURNS};
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Sums that are computed side by side: as many as multiply-adds are under way at once, and registers hold.
    const SIDE_BY_SIDE: usize = 12;

    #[target_feature(enable = "avx512f")]
    pub(super) fn multiply_adds_512() -> usize {
        let mut sums = [_mm512_setzero_ps(); SIDE_BY_SIDE];
        let (factor, addend) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        for _ in 0..TURNS {
            sums.iter_mut().for_each(|sum| *sum = _mm512_fmadd_ps(*sum, factor, addend));
        }
        black_box(sums);
        2 * 16 * SIDE_BY_SIDE * TURNS
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn multiply_adds_256() -> usize {
        let mut sums = [_mm256_setzero_ps(); SIDE_BY_SIDE];
        let (factor, addend) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
        for _ in 0..TURNS {
            sums.iter_mut().for_each(|sum| *sum = _mm256_fmadd_ps(*sum, factor, addend));
        }
        black_box(sums);
        2 * 8 * SIDE_BY_SIDE * TURNS
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn sum_512(numbers: &[f32]) -> f32 {
        let mut sums = [_mm512_setzero_ps(); CHUNK / 16];
        for chunk in numbers.chunks_exact(CHUNK) {
            for (place, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the chunk has room for eight vectors.
                *sum = _mm512_add_ps(*sum, unsafe { _mm512_loadu_ps(chunk.as_ptr().add(16 * place)) });
            }
        }
        sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn sum_256(numbers: &[f32]) -> f32 {
        let mut sums = [_mm256_setzero_ps(); CHUNK / 16];
        for chunk in numbers.chunks_exact(CHUNK / 2) {
            for (place, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the chunk has room for eight vectors.
                *sum = _mm256_add_ps(*sum, unsafe { _mm256_loadu_ps(chunk.as_ptr().add(8 * place)) });
            }
        }
        let mut lanes = [0.0f32; 8];
        let all = sums.into_iter().reduce(|one, other| _mm256_add_ps(one, other)).unwrap_or(_mm256_setzero_ps());
        // SAFETY: the array has room for a vector.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), all) };
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_read() {
        let mut numbers = AlignedFloats::zeroed(3 * CHUNK);
        numbers.iter_mut().enumerate().for_each(|(place, number)| *number = place as f32);
        let wanted = (3 * CHUNK * (3 * CHUNK - 1) / 2) as f32;
        assert_eq!(sum(&numbers), wanted);
    }
}
