//! The sizes of a processor's caches, and which of them has room for what.

/// A level of memory, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A core's first cache.
    L1,
    /// Its second.
    L2,
    /// The third, which cores share.
    L3,
    /// No cache.
    Memory,
}

impl Level {
    /// All of them, nearest first.
    pub const ALL: [Level; 4] = [Level::L1, Level::L2, Level::L3, Level::Memory];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Level::L1 => "L1",
            Level::L2 => "L2",
            Level::L3 => "L3",
            Level::Memory => "memory",
        }
    }
}

/// Sizes of caches in bytes: the first and second of a core, the third of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caches {
    /// A core's first cache for data.
    pub first: usize,
    /// A core's second cache; as large as the first where there is none.
    pub second: usize,
    /// The third cache; as large as the second where there is none.
    pub third: usize,
}

/// Where the system does not say: what common processors have at least.
const USUAL: Caches = Caches { first: 32 << 10, second: 512 << 10, third: 8 << 20 };

/// How much of a cache can be filled before what else runs pushes it out.
const FILLED: f64 = 0.9;

impl Caches {
    /// Those of this machine's first core.
    pub fn of_this_machine() -> Caches {
        let mut caches = Caches { first: 0, second: 0, third: 0 };
        for number in 0..8 {
            let read = |name: &str| {
                let path = format!("/sys/devices/system/cpu/cpu0/cache/index{number}/{name}");
                std::fs::read_to_string(path).map(|text| text.trim().to_string()).unwrap_or_default()
            };
            if read("type") == "Instruction" {
                continue;
            }
            let size = bytes(&read("size")).unwrap_or(0);
            match read("level").as_str() {
                "1" => caches.first = size,
                "2" => caches.second = size,
                "3" => caches.third = size,
                _ => {}
            }
        }
        if caches.first == 0 {
            return USUAL;
        }
        caches.second = caches.second.max(caches.first);
        caches.third = caches.third.max(caches.second);
        caches
    }

    /// The size of a level's share for each of so many threads.
    pub fn share(&self, level: Level, threads: usize) -> usize {
        match level {
            Level::L1 => self.first,
            Level::L2 => self.second,
            Level::L3 => self.third / threads.max(1),
            Level::Memory => usize::MAX,
        }
    }

    /// The nearest level that has room for so many bytes, shared out over threads.
    pub fn level_of(&self, bytes: f64, threads: usize) -> Level {
        let each = bytes / threads.max(1) as f64;
        let fits = |level: &Level| each <= FILLED * self.share(*level, threads) as f64;
        Level::ALL.into_iter().find(fits).unwrap_or(Level::Memory)
    }
}

/// `512K` in bytes.
fn bytes(text: &str) -> Option<usize> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_shl(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(bytes("512K"), Some(512 << 10));
        assert_eq!(bytes("32M"), Some(32 << 20));
        assert_eq!(bytes("64"), Some(64));
        assert_eq!(bytes(""), None);
        assert_eq!(bytes("12 parsecs"), None);
    }

    #[test]
    fn what_fits_is_shared_out() {
        let caches = Caches { first: 32 << 10, second: 1 << 20, third: 16 << 20 };
        assert_eq!(caches.level_of(16e3, 1), Level::L1);
        assert_eq!(caches.level_of(40e3, 1), Level::L2);
        assert_eq!(caches.level_of(40e3, 2), Level::L1);
        assert_eq!(caches.level_of(1.5e6, 1), Level::L3);
        assert_eq!(caches.level_of(1.5e6, 2), Level::L2);
        // The third cache is all threads' together.
        assert_eq!(caches.level_of(14e6, 2), Level::L3);
        assert_eq!(caches.level_of(17e6, 2), Level::Memory);
    }
}
