//! The sizes of a processor's caches, and what each has room for.

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

    /// By name, nearest first: the bytes of each cache that are one's own where so many threads work.
    pub fn shares(&self, threads: usize) -> [(&'static str, usize); 3] {
        [("L1", self.first), ("L2", self.second), ("L3", self.third / threads.max(1))]
    }

    /// By name, nearest first: the bytes that so many threads find room for together. Memory has room for all.
    pub fn rooms(&self, threads: usize) -> Vec<(String, f64)> {
        let room = |(name, share): (&str, usize)| (name.to_string(), FILLED * (share * threads.max(1)) as f64);
        self.shares(threads).into_iter().map(room).chain([("memory".to_string(), f64::INFINITY)]).collect()
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
    fn caches_of_several_threads_have_room_for_more() {
        let caches = Caches { first: 32 << 10, second: 1 << 20, third: 16 << 20 };
        let of = |bytes: f64, threads: usize| {
            let rooms = caches.rooms(threads);
            rooms.into_iter().find(|(_, room)| bytes <= *room).map(|(name, _)| name).unwrap()
        };
        assert_eq!(of(16e3, 1), "L1");
        assert_eq!(of(40e3, 1), "L2");
        assert_eq!(of(40e3, 2), "L1");
        assert_eq!(of(1.5e6, 1), "L3");
        assert_eq!(of(1.5e6, 2), "L2");
        // The third cache is all threads' together.
        assert_eq!(of(14e6, 2), "L3");
        assert_eq!(of(17e6, 2), "memory");
    }
}
