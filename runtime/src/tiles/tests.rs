//! One suite of tests, done for every choice of instructions that the processor has. The references are in double
//! precision.

mod functions;
mod product;
mod soften;
#[cfg(target_arch = "x86_64")]
mod strips;
mod weights;

use std::mem::transmute;

use seqwright_compiler::tile::Tile;

use super::emitted::EmittedTiles;
use super::{Instructions, Tiles};

type ProductTile =
    unsafe extern "C" fn(usize, usize, usize, *const f32, usize, *const f32, usize, *mut f32, usize, usize);
type PackTile = unsafe extern "C" fn(usize, usize, *const f32, usize, usize, *mut f32);
type FunctionTile = unsafe extern "C" fn(*mut f32, usize);
type PowerTile = unsafe extern "C" fn(*mut f32, *const f32, usize);

/// A choice's tiles as something to call, every one of them.
struct Callable {
    tiles: Tiles,
    emitted: EmittedTiles,
}

impl Callable {
    fn address(&self, tile: Tile) -> *const u8 {
        self.tiles.address(tile).or_else(|| self.emitted.address(tile)).expect("a tile has some version")
    }

    fn name(&self) -> &'static str {
        self.tiles.instructions.name()
    }

    /// The result of the product tile for `a`, `m` rows that are `lda` apart, and the first `k` rows of `b`, already
    /// packed, in `c`.
    #[allow(clippy::too_many_arguments)]
    fn product(
        &self,
        [m, n, k]: [usize; 3],
        a: &[f32],
        lda: usize,
        b: &[f32],
        c: &mut [f32],
        ldc: usize,
        accumulate: bool,
    ) {
        assert!(m == 0 || k == 0 || a.len() >= (m - 1) * lda + k);
        assert!(m == 0 || n == 0 || c.len() >= (m - 1) * ldc + n);
        let columns = n.next_multiple_of(self.tiles.panel_width);
        let rows = b.len().checked_div(columns).unwrap_or(k);
        assert_eq!(b.len(), super::packed_length(self.tiles.panel_width, n, rows));
        assert!(rows >= k);
        // SAFETY: the tile's version is for this processor, and the slices are as large as it needs.
        unsafe {
            let product: ProductTile = transmute(self.address(Tile::Product));
            product(m, n, k, a.as_ptr(), lda, b.as_ptr(), rows, c.as_mut_ptr(), ldc, accumulate.into());
        }
    }

    /// The matrix packed by the tile.
    fn pack(&self, n: usize, k: usize, source: &[f32], stride_n: usize, stride_k: usize) -> Vec<f32> {
        assert!(n == 0 || k == 0 || source.len() > (n - 1) * stride_n + (k - 1) * stride_k);
        let mut packed = vec![f32::NAN; super::packed_length(self.tiles.panel_width, n, k)];
        // SAFETY: the source has the matrix's last element, and the packed matrix has its length.
        unsafe {
            let pack: PackTile = transmute(self.address(Tile::Pack));
            pack(n, k, source.as_ptr(), stride_n, stride_k, packed.as_mut_ptr());
        }
        packed
    }

    /// Applies a function tile to a run.
    fn apply(&self, tile: Tile, values: &mut [f32]) {
        assert_eq!(tile.arguments(), 2);
        // SAFETY: the tile's version is for this processor, and the run is as long as is said.
        unsafe {
            let function: FunctionTile = transmute(self.address(tile));
            function(values.as_mut_ptr(), values.len());
        }
    }

    /// Applies the power tile to runs of the same length.
    fn power(&self, bases: &mut [f32], exponents: &[f32]) {
        assert_eq!(bases.len(), exponents.len());
        // SAFETY: both runs are as long as is said.
        unsafe {
            let power: PowerTile = transmute(self.address(Tile::Power));
            power(bases.as_mut_ptr(), exponents.as_ptr(), bases.len());
        }
    }
}

/// Does `test` with the tiles of each choice, and without the instruction that not all processors have.
fn with_every_choice(test: impl Fn(&Callable)) {
    for instructions in Instructions::available() {
        let tiles = Tiles::new(instructions).expect("available instructions have tiles");
        for adds_products in [false, true] {
            if tiles.adds_products || !adds_products {
                let emitted = EmittedTiles::compile().expect("the emitted tiles compile");
                test(&Callable { tiles: Tiles { adds_products, ..tiles }, emitted });
            }
        }
    }
}

/// Random numbers: Steele, Lea and Flood's SplitMix64 (2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A whole number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// A number from -1 to 1.
    fn number(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }
}

#[test]
fn choices_and_tiles() {
    let available = Instructions::available();
    assert_eq!(available.last(), Some(&Instructions::Emitted));
    assert_eq!(available[0], Tiles::best().instructions);
    with_every_choice(|callable| {
        let width = callable.tiles.panel_width;
        assert!(width.is_power_of_two() && width >= 8, "{}", callable.name());
        for tile in Tile::ALL {
            assert!(!callable.address(tile).is_null());
        }
    });
}
