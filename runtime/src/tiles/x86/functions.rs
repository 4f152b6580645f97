//! The function tiles, spelt with the names of vector operations that the including module defines. The algorithms are
//! told, and their constants stand, in `seqwright_compiler::tile::constants`.
//!
//! The last vector of a run is loaded and stored under a mask and takes the same steps, so that a number's result does
//! not depend on where in the run it stands.

/// Defines `exp`, `tanh`, `sigmoid` and `erf` for the instruction set `$features`.
macro_rules! function_tiles {
    ($features:tt) => {
        use seqwright_compiler::tile::constants::*;

        /// The polynomial of these coefficients, lowest power first.
        #[target_feature(enable = $features)]
        #[inline]
        fn polynomial<const TERMS: usize>(coefficients: [f32; TERMS], x: Floats) -> Floats {
            let mut sum = splat(coefficients[TERMS - 1]);
            for power in (0..TERMS - 1).rev() {
                sum = multiply_add(sum, x, splat(coefficients[power]));
            }
            sum
        }

        /// `(core(r), t)`: the exponential of the reduced argument less one, and the sum that holds `n` in its bits.
        #[target_feature(enable = $features)]
        #[inline]
        fn reduced(x: Floats) -> (Floats, Floats) {
            let t = multiply_add(x, splat(LOG2_E), splat(ROUND));
            let n = subtract(t, splat(ROUND));
            let r = multiply_add(n, splat(-LN2_HIGH), x);
            let r = multiply_add(n, splat(-LN2_LOW), r);
            (multiply_add(multiply(r, r), polynomial(EXP_TAIL, r), r), t)
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn exp_lanes(x: Floats) -> Floats {
            // The bound stands first: these instructions give the second operand where one is not a number.
            let x = larger(splat(EXP_LOWEST), smaller(splat(EXP_HIGHEST), x));
            let (core, t) = reduced(x);
            let n = subtract_integers(to_bits(t), splat_integer(ROUND.to_bits() as i32));
            let half = shift_right::<1>(n);
            let bias = splat_integer(127);
            let first = from_bits(shift_left::<23>(add_integers(half, bias)));
            let second = from_bits(shift_left::<23>(add_integers(subtract_integers(n, half), bias)));
            multiply(multiply(add(core, splat(1.0)), first), second)
        }

        /// `exp(x) - 1` where `|x|` is at most about 20.
        #[target_feature(enable = $features)]
        #[inline]
        fn expm1_lanes(x: Floats) -> Floats {
            let (core, t) = reduced(x);
            // The low bits of `t` become the exponent; the others are shifted out but for the bias, put in first.
            let bits = subtract_integers(to_bits(t), splat_integer(ROUND.to_bits() as i32 - 127));
            let power = from_bits(shift_left::<23>(bits));
            multiply_add(power, core, subtract(power, splat(1.0)))
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn tanh_lanes(x: Floats) -> Floats {
            let sign = and(x, splat(-0.0));
            let size = and_not(splat(-0.0), x);
            let e = expm1_lanes(smaller(splat(TANH_HIGHEST), add(size, size)));
            or(divide(e, add(e, splat(2.0))), sign)
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn sigmoid_lanes(x: Floats) -> Floats {
            let one = splat(1.0);
            divide(one, add(one, exp_lanes(exclusive_or(x, splat(-0.0)))))
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn erf_lanes(x: Floats) -> Floats {
            let sign = and(x, splat(-0.0));
            let size = smaller(splat(ERF_HIGHEST), and_not(splat(-0.0), x));
            let tail = multiply(size, polynomial(ERF_TAIL, size));
            let h = multiply_add(size, splat(ERF_SLOPE), tail);
            let e = expm1_lanes(exclusive_or(h, splat(-0.0)));
            or(and_not(splat(-0.0), e), sign)
        }

        function_tiles!(@run $features, exp, exp_lanes, "Each of the run's values becomes its exponential.");
        function_tiles!(@run $features, tanh, tanh_lanes, "Each of the run's values becomes its hyperbolic tangent.");
        function_tiles!(@run $features, sigmoid, sigmoid_lanes, "Each of the run's values becomes `1 / (1 + exp(-x))`.");
        function_tiles!(@run $features, erf, erf_lanes, "Each of the run's values becomes its error function.");
    };
    (@run $features:tt, $name:ident, $lanes:ident, $text:literal) => {
        #[doc = $text]
        ///
        /// # Safety
        ///
        /// The processor must have the instructions, and `values` be writable for `count` numbers.
        #[target_feature(enable = $features)]
        pub unsafe extern "C" fn $name(values: *mut f32, count: usize) {
            let mut done = 0;
            // SAFETY: `done + LANES` numbers, or in the last step `count` of them, are of the run.
            unsafe {
                while count - done >= LANES {
                    let place = values.add(done);
                    store(place, $lanes(load(place)));
                    done += LANES;
                }
                if done < count {
                    let place = values.add(done);
                    store_first(place, $lanes(load_first(place, count - done)), count - done);
                }
            }
        }
    };
}
