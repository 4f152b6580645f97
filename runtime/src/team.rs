//! A team of threads that work on one thing at a time, and wait for each other spinning.
//!
//! A step of a small recurrent cell takes some ten microseconds and every thread is needed in each: pools for work of any
//! kind take as long to hand it out (rayon's, 1.3 µs from inside and 8 to 10 from outside; 0.4 here, on a 2-core machine), and
//! promise no kernel that its threads run at the same time, without which they can't wait for each other inside it.
//!
//! Threads that have nothing to do spin for a while, then sleep; they never do so while work is under way. Where there are
//! fewer processors than threads, those that wait give way after some turns.

use crate::apart::Apart;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep, yield_now};
use std::time::Duration;

/// Turns of waiting before other threads are let to the processor.
const PATIENCE: usize = 1 << 10;
/// How often a thread without work gives way before it sleeps: after some milliseconds.
const SLEEPY: usize = 128;
/// How long one sleeps at a time that waits for others at work: little beside what it has waited for.
const NAP: Duration = Duration::from_micros(50);

/// Threads that wait for work.
pub(crate) struct Team {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// One piece of work at a time.
    busy: Apart<Mutex<()>>,
}

thread_local! {
    /// Whether the thread does a team's work.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Ends a thread's work, even where it panics.
struct AtWork;

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.set(false);
    }
}

type Work<'w> = dyn Fn(usize) + Sync + 'w;

/// What threads share. What others watch has cache lines of its own: a write takes them from all who read there.
struct Shared {
    order: Apart<Order>,
    /// For each thread but the first, how many pieces of work it is done with.
    done: Box<[Apart<AtomicUsize>]>,
    panicked: AtomicBool,
    leave: AtomicBool,
    /// Where threads wait for each other while they work.
    barrier: Barrier,
    /// How many threads sleep, which changes only with the lock held, and what wakes them.
    asleep: Apart<AtomicUsize>,
    lock: Mutex<()>,
    wake: Condvar,
}

/// What is to be done.
#[derive(Default)]
struct Order {
    /// How many pieces of work there were.
    pieces: AtomicUsize,
    /// The last of them.
    work: UnsafeCell<Option<&'static Work<'static>>>,
}

// SAFETY: `work` is written by the one that holds `Team::busy` while no thread reads it: before `pieces` grows, and after
// all are done.
unsafe impl Sync for Shared {}
// SAFETY: as above; the work itself can be called from any thread.
unsafe impl Send for Shared {}

impl Team {
    /// A team of so many threads, of which the one that calls [`Team::run`] is the first.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(members: usize) -> Result<Team, String> {
        let shared = Arc::new(Shared {
            order: Apart::default(),
            done: (1..members).map(|_| Apart::default()).collect(),
            panicked: AtomicBool::new(false),
            leave: AtomicBool::new(false),
            barrier: Barrier::new(members),
            asleep: Apart::default(),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let mut team = Team { shared: shared.clone(), threads: Vec::new(), busy: Apart::default() };
        for member in 1..members {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name(format!("seqwright {member}"));
            let thread = thread.spawn(move || shared.serve(member));
            team.threads.push(thread.map_err(|why| format!("there is no thread of {members} to be had: {why}"))?);
        }
        Ok(team)
    }

    /// How many threads work at once: one where a thread of a team asks that is at work.
    pub fn members(&self) -> usize {
        if AT_WORK.get() { 1 } else { self.threads.len() + 1 }
    }

    /// How many threads do different things at once while this one does its own: a team's, where it is at work, else one.
    pub fn apart(&self) -> u32 {
        if AT_WORK.get() { self.threads.len() as u32 + 1 } else { 1 }
    }

    /// Has every thread do `work`, called with its number, all at the same time.
    pub fn run(&self, work: &Work) {
        if self.members() == 1 {
            return work(0);
        }
        let work: &Work = &|member| {
            AT_WORK.set(true);
            let _work = AtWork;
            work(member);
        };
        let _busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes, and none of the threads uses it after all are done, which is waited for below
        // even where the work panics.
        let work: &'static Work<'static> = unsafe { std::mem::transmute::<&Work, &'static Work<'static>>(work) };
        let Order { pieces, work: place } = &*shared.order;
        // SAFETY: as at `impl Sync`.
        unsafe { *place.get() = Some(work) };
        let number = pieces.load(Ordering::Relaxed).wrapping_add(1);
        pieces.store(number, Ordering::Release);
        // A thread that falls asleep at this very moment may neither see the piece nor be seen: whoever waits for it, here or inside
        // the work, looks again. One order for all would take each piece of work half a microsecond.
        shared.wake_sleepers();
        let own = catch_unwind(AssertUnwindSafe(|| work(0)));
        if own.is_err() {
            shared.barrier.give_up();
        }
        for done in &shared.done {
            wait_until(|| done.load(Ordering::Acquire) == number, || shared.wake_sleepers());
        }
        let other = shared.panicked.load(Ordering::Relaxed);
        if own.is_err() || other {
            shared.panicked.store(false, Ordering::Relaxed);
            shared.barrier.mend();
        }
        match own {
            Err(panic) => resume_unwind(panic),
            Ok(()) if other => panic!("a thread of the team panicked"),
            Ok(()) => {}
        }
    }

    /// A thread's place at the barrier of the team's own. All have to wait there equally often in a piece of work.
    pub fn place(&self, member: usize) -> BarrierPlace<'_> {
        BarrierPlace { shared: &self.shared, member }
    }

    /// Does `work` for every number below `count`, each once, on whichever thread comes first.
    pub fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        if count <= 1 || self.members() == 1 {
            return (0..count).for_each(work);
        }
        let next = AtomicUsize::new(0);
        self.run(&|_| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                work(number);
            }
        });
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.leave.store(true, Ordering::SeqCst);
        self.shared.order.pieces.fetch_add(1, Ordering::SeqCst);
        drop(self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A thread catches what its work throws.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// What a thread does until the team is gone.
    fn serve(&self, member: usize) {
        let mut seen = 0usize;
        loop {
            self.await_piece(seen);
            seen = seen.wrapping_add(1);
            if self.leave.load(Ordering::SeqCst) {
                return;
            }
            // SAFETY: it was written before `pieces` grew, and stays until this thread is done.
            let work = unsafe { *self.order.work.get() };
            if catch_unwind(AssertUnwindSafe(|| work.inspect(|work| work(member)))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
                self.barrier.give_up();
            }
            self.done[member - 1].store(seen, Ordering::Release);
        }
    }

    /// Waits for the piece of work after so many.
    fn await_piece(&self, seen: usize) {
        let pieces = &self.order.pieces;
        for turn in 0..PATIENCE * SLEEPY {
            if pieces.load(Ordering::Acquire) != seen {
                return;
            }
            std::hint::spin_loop();
            if turn % PATIENCE == PATIENCE - 1 {
                yield_now();
            }
        }
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while pieces.load(Ordering::SeqCst) == seen {
            lock = self.wake.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    /// Wakes those that sleep.
    fn wake_sleepers(&self) {
        if self.asleep.load(Ordering::Relaxed) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }
}

/// Spins until something holds, and does something else once in a while. What is waited for longer is looked after now and then.
fn wait_until(mut holds: impl FnMut() -> bool, mut meanwhile: impl FnMut()) {
    let mut rounds = 0;
    loop {
        for _ in 0..PATIENCE {
            if holds() {
                return;
            }
            std::hint::spin_loop();
        }
        meanwhile();
        rounds += 1;
        if rounds > SLEEPY { sleep(NAP) } else { yield_now() }
    }
}

/// Where the threads of a team wait for each other inside a kernel.
///
/// Each says in a cache line of its own how often it has come, and reads those of all others: a wait is one line's way from a
/// processor to another, where a count that all add to makes two or three.
struct Barrier {
    come: Box<[Apart<AtomicUsize>]>,
    /// Whether one will not come.
    given_up: AtomicBool,
}

impl Barrier {
    fn new(members: usize) -> Barrier {
        Barrier { come: (0..members).map(|_| Apart::default()).collect(), given_up: AtomicBool::new(false) }
    }

    /// Has those that wait wait no longer: one has panicked.
    fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Makes it as it was. Nobody waits at it.
    fn mend(&self) {
        self.given_up.store(false, Ordering::Relaxed);
        self.come.iter().for_each(|line| line.store(0, Ordering::Relaxed));
    }
}

/// A member's place at a barrier.
pub(crate) struct BarrierPlace<'t> {
    shared: &'t Shared,
    member: usize,
}

impl BarrierPlace<'_> {
    /// Returns when all have come.
    ///
    /// # Panics
    ///
    /// One will not, as it has panicked.
    pub fn wait(&self) {
        self.come();
        self.wait_for(usize::MAX);
    }

    /// Comes, and waits for nobody.
    fn come(&self) {
        let own = &*self.shared.barrier.come[self.member];
        own.store(own.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// Returns when the first so many have come as often as this one.
    ///
    /// # Panics
    ///
    /// As above.
    fn wait_for(&self, threads: usize) {
        let Barrier { come, given_up } = &self.shared.barrier;
        let round = come[self.member].load(Ordering::Relaxed);
        for other in come.iter().take(threads) {
            // Another may have come once more already; not twice, as all come before one does.
            let has_come = || other.load(Ordering::Acquire).wrapping_sub(round) <= 1;
            wait_until(has_come, || {
                assert!(!given_up.load(Ordering::Relaxed), "another thread panicked");
                self.shared.wake_sleepers();
            });
        }
    }
}

/// [`Tile::Barrier`](seqwright_compiler::tile::Tile::Barrier).
///
/// # Safety
/// `place` is null, or points to a member's place at a barrier to which every member comes as often.
pub(crate) unsafe extern "C" fn barrier(place: *const BarrierPlace, comes: usize, threads: usize) {
    // SAFETY: the caller's promise.
    if let Some(place) = unsafe { place.as_ref() } {
        if comes != 0 {
            place.come();
        }
        place.wait_for(threads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_does_its_part_again_and_again() {
        let team = Team::new(3).unwrap();
        let sums = [const { AtomicUsize::new(0) }; 3];
        for round in 0..1000 {
            team.run(&|member| {
                sums[member].fetch_add(round, Ordering::Relaxed);
                // The first to come wait for those that are still asleep.
                team.place(member).wait();
            });
            // Sleeping threads wake.
            if round % 400 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        assert_eq!(sums.map(|sum| sum.into_inner()), [999 * 500; 3]);
    }

    #[test]
    fn each_number_is_done_once() {
        let team = Team::new(2).unwrap();
        let done = [const { AtomicUsize::new(0) }; 100];
        team.each(100, &|number| {
            done[number].fetch_add(1, Ordering::Relaxed);
        });
        assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn nobody_passes_a_barrier_before_all_have_come() {
        let team = Team::new(3).unwrap();
        let come = AtomicUsize::new(0);
        team.run(&|member| {
            let place = team.place(member);
            for round in 1..=2000 {
                come.fetch_add(1, Ordering::Relaxed);
                place.wait();
                assert!(come.load(Ordering::Relaxed) >= 3 * round);
                place.wait();
                assert!(come.load(Ordering::Relaxed) <= 3 * (round + 1));
            }
        });
        assert_eq!(come.into_inner(), 6000);
    }

    #[test]
    fn threads_wait_for_the_first_and_then_for_the_others() {
        let team = Team::new(3).unwrap();
        let come = [const { AtomicUsize::new(0) }; 3];
        team.run(&|member| {
            let place = team.place(member);
            for round in 1..=2000 {
                come[member].fetch_add(1, Ordering::Relaxed);
                place.come();
                place.wait_for(1);
                assert!(come[0].load(Ordering::Relaxed) >= round);
                place.wait_for(3);
                assert!(come.iter().all(|count| (round..=round + 1).contains(&count.load(Ordering::Relaxed))));
            }
        });
    }

    #[test]
    fn a_panic_comes_to_the_caller_and_the_team_goes_on() {
        let team = Team::new(2).unwrap();
        for panics in 0..2 {
            let work = |member: usize| assert_ne!(member, panics, "on purpose");
            assert!(catch_unwind(AssertUnwindSafe(|| team.run(&work))).is_err());
        }
        // Nor does one wait for a thread that will not come.
        let work = |member: usize| {
            team.place(member).wait();
            assert_ne!(member, 1, "on purpose");
            team.place(member).wait();
        };
        assert!(catch_unwind(AssertUnwindSafe(|| team.run(&work))).is_err());
        let count = AtomicUsize::new(0);
        team.run(&|member| {
            team.place(member).wait();
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 2);
    }
}
