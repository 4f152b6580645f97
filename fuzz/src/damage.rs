//! What is done to a whole file: a recipe of bytes says which of its parts are changed, cut, doubled or put in from another file.
//!
//! Bytes as a recipe, and not the file itself, because a random file is refused at its first byte. The same recipe does the same
//! in every run.

/// Whole numbers that lie about sizes and places.
pub const LIES: [u64; 14] = [
    0,
    1,
    2,
    7,
    0x7f,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Numbers as texts have them, that are too large, too small, none, or not whole.
const WRITTEN: [&str; 12] =
    ["0", "-1", "1", "2", "64", "4294967296", "18446744073709551616", "1e999", "-0.5", "null", "true", "\"\""];

/// A recipe that is read byte by byte, and gives zeros where it has come to its end.
pub struct Recipe<'bytes>(&'bytes [u8]);

impl<'bytes> Recipe<'bytes> {
    /// A recipe of these bytes.
    pub fn new(bytes: &'bytes [u8]) -> Recipe<'bytes> {
        Recipe(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below a bound, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = u32::from_le_bytes([self.byte(), self.byte(), self.byte(), 0]) as usize;
        number % bound
    }

    /// Whether there is nothing left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left.
    pub fn rest(&self) -> &'bytes [u8] {
        self.0
    }
}

/// A file out of several whole ones, damaged as a recipe says; a recipe that begins with 255 is the file itself.
pub fn damaged(recipe: &[u8], seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut recipe = Recipe::new(recipe);
    if recipe.byte() == 255 {
        return recipe.rest().to_vec();
    }
    let mut file = seeds[recipe.below(seeds.len())].clone();
    for _ in 0..16 {
        if recipe.is_over() {
            break;
        }
        change(&mut file, &mut recipe, seeds);
    }
    file
}

fn change(file: &mut Vec<u8>, recipe: &mut Recipe, seeds: &[Vec<u8>]) {
    let what = recipe.below(10);
    // Most of what can be wrong is in the first part of a file.
    let within = if recipe.byte().is_multiple_of(2) { file.len().min(512) } else { file.len() };
    let place = recipe.below(within + 1).min(file.len());
    match what {
        0 => file.truncate(place),
        1 if place < file.len() => file[place] = recipe.byte(),
        2 if place < file.len() => file[place] ^= 1 << recipe.below(8),
        3 => {
            let number = LIES[recipe.below(LIES.len())].to_le_bytes();
            let end = (place + [1, 2, 4, 8][recipe.below(4)]).min(file.len());
            file[place..end].copy_from_slice(&number[..end - place]);
        }
        4 => {
            let end = (place + 1 + recipe.below(16)).min(file.len());
            file.drain(place..end);
        }
        5 => {
            let end = (place + 1 + recipe.below(64)).min(file.len());
            let part = file[place..end].to_vec();
            let times = 1 + recipe.below(3);
            file.splice(place..place, part.repeat(times));
        }
        6 => file.insert(place, recipe.byte()),
        7 => {
            // A number in a text becomes another one.
            let from = file[place..].iter().position(u8::is_ascii_digit).map_or(place, |digit| place + digit);
            let count = file[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = WRITTEN[recipe.below(WRITTEN.len())];
            file.splice(from..from + count, number.bytes());
        }
        8 => {
            let other = &seeds[recipe.below(seeds.len())];
            let from = recipe.below(other.len() + 1).min(other.len());
            let end = (from + 1 + recipe.below(96)).min(other.len());
            file.splice(place..place, other[from..end].iter().copied());
        }
        _ => {
            // Two words change places, or one stands for another.
            let (one, two) = (word(file, place), word(file, recipe.below(file.len() + 1)));
            let text = file[two].to_vec();
            file.splice(one, text);
        }
    }
}

/// The word, or the sign, that stands at a place or after it.
fn word(file: &[u8], place: usize) -> std::ops::Range<usize> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let place = place.min(file.len());
    let from = file[place..].iter().position(|byte| !byte.is_ascii_whitespace()).map_or(file.len(), |at| place + at);
    let before = file[..from].iter().rev().take_while(|byte| is_letter(byte)).count();
    let after = file[from..].iter().take_while(|byte| is_letter(byte)).count();
    if after == 0 { from..(from + 1).min(file.len()) } else { from - before..from + after }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_does_the_same_every_time_and_changes_something() {
        let seeds = [b"model M(x: [T, d]; d = 4) { y = x }".to_vec(), vec![0; 64]];
        let mut changed = 0;
        for first in 0..255_u8 {
            let recipe: Vec<u8> =
                (0..40_u8).map(|place| first.wrapping_mul(31).wrapping_add(place.wrapping_mul(7)) ^ place).collect();
            let one = damaged(&recipe, &seeds);
            assert_eq!(one, damaged(&recipe, &seeds));
            changed += usize::from(!seeds.contains(&one));
        }
        assert!(changed > 200, "{changed}");
        assert_eq!(damaged(&[255, 1, 2], &seeds), [1, 2]);
        assert_eq!(damaged(&[], &seeds), seeds[0]);
    }
}
