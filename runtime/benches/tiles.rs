//! The tiles, each version that this processor has: `cargo bench -p seqwright --bench tiles`. An item is a multiplication with
//! its addition for products, a number for functions, a score for attention's weights.
//!
//! The first word of an argument is the version; `m x n x k` are rows, columns and depth.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use seqwright::tiles::emitted::EmittedTiles;
use seqwright::tiles::weights::{ProductTile, Source, multiply};
use seqwright::tiles::{ActivationPrecision, AlignedFloats, Form, Instructions, PackedWeights, Tiles, pack};
use seqwright_compiler::kernel::KEY_BLOCK;
use seqwright_compiler::tile::Tile;
use std::fmt;
use std::mem::transmute;

fn main() {
    divan::main();
}

type FunctionTile = unsafe extern "C" fn(*mut f32, usize);
type SoftenTile = unsafe extern "C" fn(usize, usize, *mut f32, usize, *mut f32, *mut f32, *mut f32, usize, usize);
type PackTile = unsafe extern "C" fn(usize, usize, *const f32, usize, usize, *mut f32);

/// Rows, columns and depth: a step of a cell of width 256, and of 1024; a prompt of MiniLM, of GPT-2; a batch.
const SIZES: [[usize; 3]; 6] =
    [[1, 1024, 256], [1, 4096, 1024], [16, 1152, 384], [64, 1536, 384], [64, 3072, 768], [512, 2048, 512]];

/// Bytes of weights that are gone through before the same come again: more than a second cache has.
const APART: usize = 1 << 26;

/// A version of the tiles, and a size.
#[derive(Clone, Copy)]
struct Case<S> {
    instructions: Instructions,
    size: S,
}

impl fmt::Display for Case<[usize; 3]> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [m, n, k] = self.size;
        write!(to, "{} {m} x {n} x {k}", self.instructions.name())
    }
}

impl fmt::Display for Case<(Form, ActivationPrecision, [usize; 3])> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (form, activations, [m, n, k]) = self.size;
        let (form, bits) = (form.name(), activations.bits());
        write!(to, "{} {form} by {bits} bits {m} x {n} x {k}", self.instructions.name())
    }
}

impl fmt::Display for Case<Tile> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.instructions.name(), self.size.name())
    }
}

fn cases<S: Copy>(sizes: &[S]) -> Vec<Case<S>> {
    let all = Instructions::available().into_iter();
    all.flat_map(|instructions| sizes.iter().map(move |size| Case { instructions, size: *size })).collect()
}

/// The tiles of a version, and those that are compiled.
fn tiles(instructions: Instructions) -> (Tiles, EmittedTiles) {
    let tiles = Tiles::new(instructions).expect("the version is available");
    (tiles, EmittedTiles::compile().expect("the emitted tiles compile"))
}

fn address((tiles, emitted): &(Tiles, EmittedTiles), tile: Tile) -> *const u8 {
    tiles.address(tile).or_else(|| emitted.address(tile)).expect("a tile has some version")
}

fn numbers(count: usize) -> AlignedFloats {
    let mut numbers = AlignedFloats::zeroed(count);
    numbers.iter_mut().enumerate().for_each(|(place, number)| *number = (place % 17) as f32 / 17.0 - 0.5);
    numbers
}

/// Products with weights that are read from where many layers' weights lie.
#[divan::bench(args = cases(&SIZES))]
fn product(bencher: Bencher, case: Case<[usize; 3]>) {
    let all = tiles(case.instructions);
    let [m, n, k] = case.size;
    let width = all.0.panel_width;
    // SAFETY: every version of the tile has this signature.
    let product = unsafe { transmute::<*const u8, ProductTile>(address(&all, Tile::Product)) };
    let layers: Vec<AlignedFloats> =
        (0..(APART / (4 * n * k)).max(1)).map(|_| pack(width, n, k, |column, p| (column + p) as f32)).collect();
    let (a, mut c) = (numbers(m * k), numbers(m * n));
    let mut layer = 0;
    bencher.counter(ItemsCount::new(m * n * k)).bench_local(|| {
        layer = (layer + 1) % layers.len();
        // SAFETY: the matrices have these sizes.
        unsafe { product(m, n, k, a.as_ptr(), k, layers[layer].as_ptr(), k, c.as_mut_ptr(), n, 0) }
    });
}

/// Products with weights in fewer bits.
#[divan::bench(args = cases(&forms()))]
fn kept(bencher: Bencher, case: Case<(Form, ActivationPrecision, [usize; 3])>) {
    let all = tiles(case.instructions);
    let (form, activations, [m, n, k]) = case.size;
    let number = |column: usize, p: usize| ((column * 7 + p * 3) % 11) as f32 - 5.0;
    let source = Source { number: &number, block: &|_, _| None };
    let weights = PackedWeights::pack(form, all.0.panel_width, all.0.weights(form, activations), [n, k], &source);
    let (a, mut c) = (numbers(m * k), numbers(m * n));
    bencher.counter(ItemsCount::new(m * n * k)).bench_local(|| {
        // SAFETY: the matrices have these sizes.
        unsafe { multiply(m, 0, n, 0, k, 0, k, a.as_ptr(), k, weights.head(), c.as_mut_ptr(), n) }
    });
}

fn forms() -> Vec<(Form, ActivationPrecision, [usize; 3])> {
    use ActivationPrecision::{Eight, Sixteen};
    let forms = [
        (Form::Bf16, Sixteen),
        (Form::Eight, Sixteen),
        (Form::Eight, Eight),
        (Form::Four, Sixteen),
        (Form::Four, Eight),
    ];
    let sizes = [[1, 1536, 576], [128, 1536, 576]];
    forms.into_iter().flat_map(|(form, rows)| sizes.map(|size| (form, rows, size))).collect()
}

/// Functions over a run that stays in the nearest cache.
#[divan::bench(args = cases(&[Tile::Exp, Tile::Tanh, Tile::Sigmoid, Tile::Erf]))]
fn function(bencher: Bencher, case: Case<Tile>) {
    let all = tiles(case.instructions);
    // SAFETY: the function tiles have this signature.
    let function = unsafe { transmute::<*const u8, FunctionTile>(address(&all, case.size)) };
    let from = numbers(1024);
    let mut values = from.clone();
    bencher.counter(ItemsCount::new(1024_usize)).bench_local(|| {
        values.copy_from_slice(&from);
        // SAFETY: the run has so many numbers.
        unsafe { function(values.as_mut_ptr(), values.len()) }
    });
}

/// Products of a head of 64 with a block of keys, of so many queries: all is in the nearest caches. The scores are new, the mix
/// is added to.
#[divan::bench(args = [(44, 128, false), (44, 128, true), (16, 48, false), (16, 48, true)])]
fn attended(bencher: Bencher, (queries, keys, mixes): (usize, usize, bool)) {
    const WIDTH: usize = 64;
    const ROW: usize = KEY_BLOCK + 16;
    let all = tiles(Instructions::best());
    // SAFETY: every version of the tile has this signature.
    let product = unsafe { transmute::<*const u8, ProductTile>(address(&all, Tile::Product)) };
    let packed = pack(all.0.panel_width, KEY_BLOCK, KEY_BLOCK, |column, p| (column + p) as f32);
    let (a, mut c) = (numbers(queries * 768), numbers(queries * ROW));
    // The scores are what the second product reads.
    let (n, k, apart) = if mixes { (WIDTH, keys, ROW) } else { (keys, WIDTH, 768) };
    bencher.counter(ItemsCount::new(queries * keys * WIDTH)).bench_local(|| {
        // SAFETY: the matrices have these sizes or more.
        unsafe {
            product(queries, n, k, a.as_ptr(), apart, packed.as_ptr(), KEY_BLOCK, c.as_mut_ptr(), ROW, mixes.into())
        }
    });
}

/// A block of scores of 64 queries made weights; half of them are not seen in the second.
#[divan::bench(args = [false, true])]
fn soften(bencher: Bencher, half: bool) {
    const ROWS: usize = 64;
    const SCALE: f32 = 0.125;
    let all = tiles(Instructions::best());
    // SAFETY: every version of the tile has this signature.
    let soften = unsafe { transmute::<*const u8, SoftenTile>(address(&all, Tile::Soften)) };
    let mut from = numbers(ROWS * KEY_BLOCK);
    if half {
        let hidden = |place: usize| place % KEY_BLOCK > place / KEY_BLOCK;
        from.iter_mut().enumerate().filter(|(place, _)| hidden(*place)).for_each(|(_, score)| *score = f32::MIN);
    }
    let mut scores = from.clone();
    let (mut reference, mut total, mut mix) = (vec![1.0; ROWS], vec![1.0; ROWS], numbers(ROWS * 64));
    bencher.counter(ItemsCount::new(ROWS * KEY_BLOCK)).bench_local(|| {
        scores.copy_from_slice(&from);
        let (reference, total) = (reference.as_mut_ptr(), total.as_mut_ptr());
        // SAFETY: there are so many rows of scores, of both numbers, and of the mix.
        unsafe {
            soften(
                ROWS,
                KEY_BLOCK,
                scores.as_mut_ptr(),
                KEY_BLOCK,
                reference,
                total,
                mix.as_mut_ptr(),
                64,
                SCALE.to_bits() as usize,
            )
        }
    });
    black_box(&mix);
}

/// A block of keys packed, turned (keys), and as it lies (values).
#[divan::bench(args = [true, false])]
fn packing(bencher: Bencher, turned: bool) {
    let all = tiles(Instructions::best());
    // SAFETY: every version of the tile has this signature.
    let pack = unsafe { transmute::<*const u8, PackTile>(address(&all, Tile::Pack)) };
    let from = numbers(KEY_BLOCK * 768);
    let mut to = numbers(KEY_BLOCK * 64);
    let (columns, rows) = if turned { (768, 1) } else { (1, 768) };
    bencher.counter(ItemsCount::new(KEY_BLOCK * 64)).bench_local(|| {
        // SAFETY: the source has 64 rows of 768 numbers, of which 64 are packed.
        unsafe { pack(KEY_BLOCK, 64, from.as_ptr(), columns, rows, to.as_mut_ptr()) }
    });
}
