//! The tiles: the small set of runtime functions that emitted code calls.
//!
//! Everything else a kernel does is emitted. A tile exists where hand-written vector code beats what a code generator
//! with 128-bit vectors can reach (see `ARCHITECTURE.md`). Each has a version emitted by Cranelift, for processors whose
//! vectors are 128 bits wide anyway and for tests, and versions written with the processor's intrinsics.
//!
//! All pointers but that to packed weights are to `f32`; all sizes and strides count `f32` elements and are passed as pointer-sized integers.

pub mod constants;

/// One runtime function. Emitted code refers to it by its number, `Tile as u32`, in the order of [`Tile::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tile {
    /// `product(m, n, k, a, lda, b, rows, c, ldc, accumulate)`: `c[i, j] = sum over p (a[i, p] * b[p, j])`, added to `c` where
    /// `accumulate` is not 0. `a` has rows `lda` apart, `c` rows `ldc` apart; `b` is packed in panels by [`Tile::Pack`], which have
    /// so many rows, `k` or more.
    /// The sum runs over `p` in order with one fused multiply-add each, whatever `m`, so that a row's result does not
    /// depend on the rows it was computed with.
    Product,
    /// `weights(m, from, to, backward, k, p_from, p_to, a, lda, weights, c, ldc)`: the product with a packed matrix of
    /// weights, of its columns `from..to` alone, which are also those of `c` that are written:
    /// `c[i, j] = sum over p (a[i, p] * weights[p, j])`. `from` begins a panel.
    /// Later columns are computed first where `backward` is not 0, which changes nothing of what they are. `p` runs over
    /// `p_from..p_to` of the depth `k`: a product may be called in such parts, one after the other from 0 to `k`, and is there
    /// after the last. `weights` is what the runtime gives for a matrix: it says how its numbers are kept, so that machine code
    /// does not depend on it. A row's result does not depend on the rows it was computed with.
    Weights,
    /// `barrier(barrier, comes, threads)`: waits until of all threads that share a kernel's rows the first so many have come here.
    /// This thread comes, unless `comes` is 0: then it came before, and waits for more. `barrier` is 0 for one that has them alone.
    Barrier,
    /// `fetch(from, numbers)`: asks for memory that is read soon. It may lie anywhere: nothing is read.
    Fetch,
    /// `pack(n, k, source, stride_n, stride_k, panels)`: packs the `k` by `n` matrix whose element `(p, j)` stands at
    /// `source[p * stride_k + j * stride_n]` into panels of the product tile's width: panel after panel, in each one
    /// row of that many columns after another; the last panel is filled up with zeros.
    Pack,
    /// `soften(rows, keys, scores, row, reference, total, mix, width, scale)`: of each row, `row` apart, the scores of so many keys
    /// become exponentials of `scale` times their differences from `reference`: the largest score that was seen first, and later
    /// one that is more than [`SLACK`](constants::SLACK) above it after scaling. Where it moves, what was kept of the blocks before
    /// moves too: `total`, to which the exponentials' sum is added, and `width` numbers of `mix`; those need not be any before a
    /// score was seen. `scale` is a number above zero, given as the bits of its `f32`. Keys that are not seen have the lowest
    /// number, whose exponential is zero; so must what follows the last key in a vector of
    /// [`KEYS_TOGETHER`](crate::kernel::KEYS_TOGETHER).
    Soften,
    /// `exp(values, count)`: each of the run's values becomes its exponential. So with the ones below.
    Exp,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The error function.
    Erf,
    /// Natural logarithm.
    Log,
    /// Sine of radians.
    Sin,
    /// Cosine of radians.
    Cos,
    /// `power(bases, exponents, count)`: each base becomes itself to the power of the exponent at the same place.
    Power,
}

impl Tile {
    /// Every tile, in the order of their numbers.
    pub const ALL: [Tile; 14] = [
        Tile::Product,
        Tile::Weights,
        Tile::Barrier,
        Tile::Fetch,
        Tile::Pack,
        Tile::Soften,
        Tile::Exp,
        Tile::Tanh,
        Tile::Sigmoid,
        Tile::Erf,
        Tile::Log,
        Tile::Sin,
        Tile::Cos,
        Tile::Power,
    ];

    /// Its name in printed code, and of the symbol that is linked.
    pub fn name(self) -> &'static str {
        match self {
            Tile::Product => "tile_product",
            Tile::Weights => "tile_weights",
            Tile::Barrier => "tile_barrier",
            Tile::Fetch => "tile_fetch",
            Tile::Pack => "tile_pack",
            Tile::Soften => "tile_soften",
            Tile::Exp => "tile_exp",
            Tile::Tanh => "tile_tanh",
            Tile::Sigmoid => "tile_sigmoid",
            Tile::Erf => "tile_erf",
            Tile::Log => "tile_log",
            Tile::Sin => "tile_sin",
            Tile::Cos => "tile_cos",
            Tile::Power => "tile_power",
        }
    }

    /// How many pointer-sized arguments it takes.
    pub fn arguments(self) -> usize {
        match self {
            Tile::Product => 10,
            Tile::Weights => 12,
            Tile::Pack => 6,
            Tile::Soften => 9,
            Tile::Barrier | Tile::Power => 3,
            Tile::Fetch | Tile::Exp | Tile::Tanh | Tile::Sigmoid | Tile::Erf | Tile::Log | Tile::Sin | Tile::Cos => 2,
        }
    }
}
