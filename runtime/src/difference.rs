//! The lines in which two texts differ, for people to read.

use std::fmt::Write;

/// Beyond so many pairs of lines a change is shown whole: everything old, then everything new.
const MOST_PAIRS: usize = 4_000_000;

/// Each line that is only in `old`, with a `-` and its number there, and each that is only in `new`, with a `+` and its number
/// there; nothing for texts that are the same.
pub fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - before;
    let after = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[before..old.len() - after], &new[before..new.len() - after]);
    let kept = longest_common(old, new);
    let mut text = String::new();
    let (mut i, mut j) = (0, 0);
    for (next_i, next_j) in kept.into_iter().chain([(old.len(), new.len())]) {
        for (place, line) in old.iter().enumerate().take(next_i).skip(i) {
            let _ = writeln!(text, "{:>5} -{}", before + place + 1, shown(line));
        }
        for (place, line) in new.iter().enumerate().take(next_j).skip(j) {
            let _ = writeln!(text, "{:>5} +{}", before + place + 1, shown(line));
        }
        (i, j) = (next_i + 1, next_j + 1);
    }
    text
}

/// A line with what nobody sees at its end made visible.
fn shown(line: &str) -> String {
    let bare = line.trim_end();
    let end: String = line[bare.len()..].chars().map(|letter| if letter == '\r' { '␍' } else { '·' }).collect();
    format!("{bare}{end}")
}

/// The places of a longest common subsequence.
fn longest_common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        return Vec::new();
    }
    let width = new.len() + 1;
    let mut lengths = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            lengths[i * width + j] = match old[i] == new[j] {
                true => lengths[(i + 1) * width + j + 1] + 1,
                false => lengths[(i + 1) * width + j].max(lengths[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j, mut kept) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            kept.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn lines_that_changed_are_shown_with_their_numbers() {
        assert_eq!(difference("a\nb\nc\n", "a\nB\nc\nd\n"), "    2 -b\n    2 +B\n    4 +d\n");
        assert_eq!(difference("a \n", "a\n"), "    1 -a·\n    1 +a\n");
        assert_eq!(difference("a\n", "a\n"), "");
        assert_eq!(difference("a\na\n", "a\n"), "    2 -a\n");
    }
}
