//! A bound on the time and the memory that reading an input takes.
//!
//! Every allocation of this crate's tests is counted, for each thread by itself, so that targets may run beside each other. What
//! takes too long is not waited for: a watchdog prints the input and ends the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The longest that any input of a few thousand bytes may take, in a build without optimisation on a busy machine.
pub const LONGEST: Duration = Duration::from_secs(20);

/// How much memory reading an input may take.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Bytes that it may take whatever the input.
    pub always: usize,
    /// Bytes for each byte of the input.
    pub each: usize,
}

impl Bound {
    /// Checking a program, and taking it to kernels: a model has 50,000 values at most, of two to three thousand bytes each with
    /// their names, axes and terms.
    pub const PROGRAM: Bound = Bound { always: 256 << 20, each: 4096 };
}

/// An allocator that counts what a thread has, and the most that it had.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // While a thread ends its counters are gone, and nothing is measured.
    let _ = HELD.try_with(|held| {
        let now = held.get() + bytes;
        held.set(now);
        let _ = MOST.try_with(|most| most.set(most.get().max(now)));
    });
}

// SAFETY: every call is passed on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there at once while numbers are moved.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// What is being read, by which target, and since when; for the watchdog.
static RUNNING: Mutex<Vec<(u64, Instant, String)>> = Mutex::new(Vec::new());

fn watch() {
    static WATCHDOG: std::sync::Once = std::sync::Once::new();
    WATCHDOG.call_once(|| {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let running = RUNNING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if let Some((_, _, input)) = running.iter().find(|(_, since, _)| since.elapsed() > 2 * LONGEST) {
                    eprintln!("it has taken {:?} and is not at its end:\n{input}", 2 * LONGEST);
                    std::process::abort();
                }
            }
        });
    });
}

/// Does something with an input, and gives its result.
///
/// # Panics
/// It takes longer than [`LONGEST`] or more memory than the bound allows, and when it panics itself.
pub fn within<T>(bound: Bound, input: &[u8], work: impl FnOnce() -> T) -> T {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    watch();
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let start = Instant::now();
    let shown = shown(input);
    RUNNING.lock().expect("no reader of it panics").push((number, start, shown.clone()));
    let before = HELD.get();
    MOST.set(before);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let most = (MOST.get() - before).max(0) as usize;
    RUNNING.lock().expect("no reader of it panics").retain(|(other, ..)| *other != number);
    let taken = start.elapsed();
    let result = result.unwrap_or_else(|why| {
        let said = why.downcast_ref::<String>().map(String::as_str).or_else(|| why.downcast_ref::<&str>().copied());
        panic!("it panicked, {}, on\n{shown}", said.unwrap_or("without saying why"))
    });
    assert!(taken <= LONGEST, "it took {taken:?} for\n{shown}");
    let allowed = bound.always + bound.each * input.len();
    assert!(most <= allowed, "it took {most} bytes of memory, and {allowed} are allowed, for\n{shown}");
    result
}

/// An input as text where it is some, and as bytes that can be put into a test.
fn shown(input: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(input)
        && !text.contains(|letter: char| letter.is_control() && letter != '\n')
    {
        return text.to_string();
    }
    let mut all = String::new();
    for byte in input.iter().take(4096) {
        let _ = write!(all, "{}", std::ascii::escape_default(*byte));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_much_is_told() {
        let bound = Bound { always: 1 << 16, each: 100 };
        assert_eq!(within(bound, b"small", || vec![1_u8; 1000].len()), 1000);
        let fails = |work: fn() -> usize| std::panic::catch_unwind(|| within(bound, b"12345", work)).is_err();
        assert!(fails(|| vec![1_u8; (1 << 16) + 501].len()));
        assert!(!fails(|| vec![1_u8; (1 << 16) + 400].len()));
        assert!(fails(|| {
            let mut all = Vec::new();
            (0..1 << 17).for_each(|number| all.push(number as u8));
            all.len()
        }));
        assert!(fails(|| panic!("no")));
    }
}
