//! A packed matrix of weights, in whichever form: what the tile [`Tile::Weights`](seqwright_compiler::tile::Tile::Weights)
//! is given the address of.
//!
//! Panels lie one after the other, each of the tiles' width in columns. In one, the depth runs outermost:
//!
//! - f32: a row of the panel's numbers for each step along the depth.
//! - bf16: likewise; the first column of each half stands in the lower half of a word, that of the other in the upper one, so
//!   that a shift and a mask make two vectors of floats.
//! - blocks: for each block of the depth the columns' scales, their minimums if they have any, and codes. Eight steps along
//!   the depth are two words of 32 bits for each column, with the steps of `ORDER`, lowest byte first: so the four bytes of
//!   a word are what one instruction multiplies and adds, and a mask and a shift make pairs of neighbours of 16 bits of it.
//!   Codes of 8 bits: the first words of all columns, then the second ones; to a code 128 is added, so that none is below 0.
//!   Codes of 4 bits: one word for each column, with the first word's in the lower half of each byte.
//!
//! A packed matrix takes the bytes that its blocks have in a file, but columns are filled up to whole panels.

use super::aligned::AlignedFloats;
use super::kept::{BLOCK, Block, Form};
use super::operand::ORDER;
use half::{bf16, f16};

/// `weights(m, from, to, k, a, lda, weights, c, ldc)`: see [`Weights`].
pub type WeightsTile =
    unsafe extern "C" fn(usize, usize, usize, usize, *const f32, usize, *const Weights, *mut f32, usize);

/// The product tile, for weights that are f32.
pub type ProductTile =
    unsafe extern "C" fn(usize, usize, usize, *const f32, usize, *const f32, usize, *mut f32, usize, usize);

/// What machine code knows of a packed matrix: how to multiply with it.
///
/// # Safety
///
/// A tile must be called on a processor that has its instructions; `a` be readable for `m` rows of `k`; the matrix have
/// been packed for `k` and the tile's width and form, and have panels up to column `to`; `from` begin a panel, and `c` be
/// writable for columns `from..to` of `m` rows, and overlap neither.
#[derive(Debug)]
#[repr(C)]
pub struct Weights {
    /// Its columns times rows of `a`.
    multiply: WeightsTile,
    /// Where `multiply` is [`f32_product`]: the tile that does it.
    product: Option<ProductTile>,
    /// The first panel.
    panels: *const u8,
    /// Bytes from one to the next.
    panel_bytes: usize,
    /// Columns of one.
    width: usize,
}

impl Weights {
    /// Where a panel begins.
    #[inline(always)]
    pub fn panel(&self, number: usize) -> *const u8 {
        self.panels.wrapping_add(number * self.panel_bytes)
    }
}

/// Where later columns come first, so many panels are multiplied with in their order all the same: as many as a single row takes
/// at once.
const PANELS_BACKWARD: usize = 4;

/// The tile that kernels call: the matrix knows how. `p` runs over `p_from..p_to` of the depth; where rows are rounded first, all
/// of it is multiplied in the last part.
///
/// # Safety
///
/// As for [`Weights`].
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn multiply(
    m: usize,
    from: usize,
    to: usize,
    backward: usize,
    k: usize,
    p_from: usize,
    p_to: usize,
    a: *const f32,
    lda: usize,
    weights: *const Weights,
    c: *mut f32,
    ldc: usize,
) {
    // A thread's part may be empty.
    if from >= to {
        return;
    }
    // SAFETY: the caller's promises; of a part of the depth, `a` and each panel begin so much later.
    unsafe {
        if backward != 0 {
            let run = PANELS_BACKWARD * (*weights).width;
            for number in (0..(to - from).div_ceil(run)).rev() {
                let from = from + number * run;
                multiply(m, from, to.min(from + run), 0, k, p_from, p_to, a, lda, weights, c, ldc);
            }
            return;
        }
        match (*weights).product {
            Some(product) if p_to - p_from < k => {
                let panel = (*weights).panel(from / (*weights).width).cast::<f32>().add(p_from * (*weights).width);
                let accumulate = usize::from(p_from > 0);
                product(m, to - from, p_to - p_from, a.add(p_from), lda, panel, k, c.add(from), ldc, accumulate);
            }
            _ if p_to < k => {}
            _ => ((*weights).multiply)(m, from, to, k, a, lda, weights, c, ldc),
        }
    }
}

/// The tile for f32: the product tile on some of the panels.
///
/// # Safety
///
/// As for [`Weights`]; its `product` is there.
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn f32_product(
    m: usize,
    from: usize,
    to: usize,
    k: usize,
    a: *const f32,
    lda: usize,
    weights: *const Weights,
    c: *mut f32,
    ldc: usize,
) {
    // SAFETY: `from` begins a panel; the columns from there on are those of a packed matrix too.
    unsafe {
        let weights = &*weights;
        let product = weights.product.expect("a matrix of floats is made with its tile");
        let panel = weights.panel(from / weights.width).cast();
        product(m, to - from, k, a, lda, panel, k, c.add(from), ldc, 0);
    }
}

/// The most memory for the codes of rows that are multiplied at once, in bytes: a part of the second cache.
const ROWS_BYTES: usize = 1 << 19;

/// How many rows are made whole numbers at once.
pub fn rows_at_once(k: usize) -> usize {
    (ROWS_BYTES / (2 * k.max(1))).clamp(8, 256)
}

/// A packed matrix.
#[derive(Debug)]
pub struct PackedWeights {
    form: Form,
    memory: AlignedFloats,
    bytes: usize,
    lost: Lost,
    head: Box<Weights>,
}

// SAFETY: the head points into memory that it is kept with, and nothing is ever written through it.
unsafe impl Send for PackedWeights {}
// SAFETY: likewise.
unsafe impl Sync for PackedWeights {}

/// Where the numbers of a matrix that is packed come from.
pub struct Source<'a> {
    /// The number in a column at a place along the depth.
    pub number: &'a dyn Fn(usize, usize) -> f32,
    /// In a column the block of that number, where a file has one; else its numbers are rounded.
    pub block: &'a dyn Fn(usize, usize) -> Option<Block>,
}

/// What rounding numbers lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lost {
    /// The sum of the squares of the differences.
    pub error: f64,
    /// The sum of the squares of the numbers.
    pub size: f64,
}

impl Lost {
    fn add(&mut self, number: f32, kept: f32) {
        let (number, kept) = (f64::from(number), f64::from(kept));
        self.error += (number - kept) * (number - kept);
        self.size += number * number;
    }

    /// The differences relative to the numbers, both as roots of mean squares.
    pub fn relative(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { (self.error / self.size).sqrt() }
    }
}

impl PackedWeights {
    /// A matrix of 32-bit floats that is packed already, of so many rows.
    pub fn floats(
        packed: AlignedFloats,
        width: usize,
        multiply: WeightsTile,
        product: ProductTile,
        k: usize,
    ) -> PackedWeights {
        let bytes = 4 * packed.len();
        PackedWeights::of(Form::F32, packed, bytes, width, 4 * width * k, (multiply, Some(product)), Lost::default())
    }

    /// Packs `n` columns of `k` numbers in a form other than f32 for tiles of some width.
    pub fn pack(form: Form, width: usize, multiply: WeightsTile, [n, k]: [usize; 2], source: &Source) -> PackedWeights {
        let steps = if form.has_blocks() { k.div_ceil(BLOCK) } else { k };
        let step = form.bytes() * width;
        let panel_bytes = steps * step;
        let bytes = n.div_ceil(width) * panel_bytes;
        let mut memory = AlignedFloats::zeroed(bytes.div_ceil(4).max(1));
        let all = bytemuck::cast_slice_mut::<f32, u8>(&mut memory);
        let mut lost = Lost::default();
        for (number, panel) in all[..bytes].chunks_exact_mut(panel_bytes.max(1)).enumerate() {
            let first = number * width;
            for column in 0..width.min(n - first) {
                for (place, to) in panel.chunks_exact_mut(step).enumerate() {
                    if form.has_blocks() {
                        let block = (source.block)(first + column, place).unwrap_or_else(|| {
                            let mut numbers = [0.0; BLOCK];
                            let count = BLOCK.min(k - place * BLOCK);
                            for (p, number) in numbers[..count].iter_mut().enumerate() {
                                *number = (source.number)(first + column, place * BLOCK + p);
                            }
                            let block = Block::nearest(form, &numbers[..count]);
                            let pairs = numbers[..count].iter().enumerate();
                            pairs.for_each(|(p, number)| lost.add(*number, block.number(p)));
                            block
                        });
                        put(form, width, to, column, &block);
                    } else {
                        let number = (source.number)(first + column, place);
                        let kept = bf16::from_f32(number);
                        lost.add(number, kept.to_f32());
                        let at = place_of_half(width, column);
                        to[at..at + 2].copy_from_slice(&kept.to_bits().to_ne_bytes());
                    }
                }
            }
        }
        PackedWeights::of(form, memory, bytes, width, panel_bytes, (multiply, None), lost)
    }

    fn of(
        form: Form,
        memory: AlignedFloats,
        bytes: usize,
        width: usize,
        panel_bytes: usize,
        (multiply, product): (WeightsTile, Option<ProductTile>),
        lost: Lost,
    ) -> PackedWeights {
        let head = Box::new(Weights { multiply, product, panels: memory.as_ptr().cast(), panel_bytes, width });
        PackedWeights { form, memory, bytes, lost, head }
    }

    /// What rounding its numbers lost.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// What machine code is given.
    pub fn head(&self) -> *const Weights {
        &*self.head
    }

    /// Its form.
    pub fn form(&self) -> Form {
        self.form
    }

    /// How many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number in a column at a place along the depth.
    pub fn number(&self, column: usize, p: usize) -> f32 {
        let width = self.head.width;
        let all = &bytemuck::cast_slice::<f32, u8>(&self.memory)[..self.bytes];
        let panel = &all[column / width * self.head.panel_bytes..][..self.head.panel_bytes];
        let column = column % width;
        let step = &panel[if self.form.has_blocks() { p / BLOCK } else { p } * self.form.bytes() * width..];
        match self.form {
            Form::F32 => f32::from_ne_bytes(four(step, 4 * column)),
            Form::Bf16 => bf16::from_bits(two(step, place_of_half(width, column))).to_f32(),
            Form::Eight | Form::EightWithMinimum | Form::Four => {
                let (scale, minimum) = halves(self.form, width, step, column);
                scale * code(self.form, width, step, column, p % BLOCK) as f32 + minimum
            }
        }
    }
}

/// What is added to codes of 8 bits, so that none is below 0. A tile takes it away again.
pub const BIAS: u8 = 128;

/// Where a panel's row has a column's 16 bits.
fn place_of_half(width: usize, column: usize) -> usize {
    let half = width / 2;
    4 * (column % half) + 2 * (column / half)
}

fn two(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

/// Where a panel's block has a code: the byte, and how far to shift it.
fn place_of(form: Form, width: usize, column: usize, p: usize) -> (usize, u32) {
    let codes = if form.has_minimum() { 4 * width } else { 2 * width };
    let (run, step) = (p / ORDER.len(), p % ORDER.len());
    let place = ORDER.iter().position(|other| *other == step).expect("every step is in the order");
    let (word, byte) = (place / 4, 4 * column + place % 4);
    match form {
        Form::Four => (codes + run * 4 * width + byte, 4 * word as u32),
        Form::Eight | Form::EightWithMinimum | Form::F32 | Form::Bf16 => {
            (codes + (2 * run + word) * 4 * width + byte, 0)
        }
    }
}

/// Puts a column's block into that of a panel.
fn put(form: Form, width: usize, panel: &mut [u8], column: usize, block: &Block) {
    panel[2 * column..][..2].copy_from_slice(&block.scale.to_bits().to_ne_bytes());
    if form.has_minimum() {
        panel[2 * (width + column)..][..2].copy_from_slice(&block.minimum.to_bits().to_ne_bytes());
    }
    for (p, code) in block.codes.iter().enumerate() {
        let (byte, shift) = place_of(form, width, column, p);
        match form {
            Form::Four => panel[byte] |= code.cast_unsigned() << shift,
            Form::Eight | Form::EightWithMinimum | Form::F32 | Form::Bf16 => {
                panel[byte] = code.cast_unsigned().wrapping_add(BIAS);
            }
        }
    }
}

/// A code of a panel's block.
pub(super) fn code(form: Form, width: usize, panel: &[u8], column: usize, p: usize) -> i32 {
    let (byte, shift) = place_of(form, width, column, p);
    match form {
        Form::Four => i32::from(panel[byte] >> shift & 15),
        Form::Eight | Form::EightWithMinimum | Form::F32 | Form::Bf16 => i32::from(panel[byte]) - i32::from(BIAS),
    }
}

/// A column's scale and minimum in a panel's block.
pub(super) fn halves(form: Form, width: usize, panel: &[u8], column: usize) -> (f32, f32) {
    let half = |place: usize| f16::from_bits(two(panel, 2 * place)).to_f32();
    (half(column), if form.has_minimum() { half(width + column) } else { 0.0 })
}
