//! A few threads that help the caller with the parts of one call.
//!
//! The caller works too, takes parts until none is left, and waits for those that others have taken. So nothing is late if the
//! helpers are: they only take what is still there when they wake up, some five to twenty microseconds after they were called.
//! Between calls they sleep. Where the processors have other work, helpers come too late, or take a part and are then held up with
//! it: after some such calls nobody is called for a while. One call is helped with at a time; one that comes meanwhile, from another thread, works alone.
//!
//! `VARVE_NATIVE_THREADS` says how many threads work on a call, the caller's included: by default as many as there are
//! processors for this process, at most four; 1 for none but the caller's. They are started when they are first wanted.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const THREADS_MAX: usize = 4;
/// So often the caller looks for the last parts of others before it sleeps: some microseconds.
const SPINS_MAX: usize = 2000;

/// A caller that waited longer for a part of another's would have been done with it.
const WAIT_MAX: Duration = Duration::from_micros(200);
/// After so many calls in a row without help worth its name, so many are not helped with.
const MISSES_MAX: usize = 4;
const RESTED_CALLS: usize = 100;

/// Does `work` for each item, in no order and maybe on several threads at once.
pub fn for_each<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) {
    let pool = if items.len() < 2 { None } else { pool() };
    let Some(pool) = pool else {
        items.iter_mut().for_each(work);
        return;
    };
    let first = Items(items.as_mut_ptr());
    pool.run(items.len(), &|index| {
        // SAFETY: `index` is below the number of items, and is given out once, so no other reference to the item exists.
        work(unsafe { &mut *first.at(index) })
    });
}

/// How many threads would work on a call together, the caller's included. Whoever asks is about to call.
pub fn threads() -> usize {
    pool().map_or(1, Pool::threads)
}

struct Items<T>(*mut T);

impl<T> Items<T> {
    fn at(&self, index: usize) -> *mut T {
        self.0.wrapping_add(index)
    }
}

// SAFETY: each item is reached by one thread only, and may be sent there.
unsafe impl<T: Send> Sync for Items<T> {}

struct Job {
    /// Of the caller's stack: alive while it is in `State::job` or somebody is inside.
    work: *const (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
    panicked: AtomicBool,
    /// Whether anybody else did a part.
    helped: AtomicBool,
}

impl Job {
    fn work_off(&self, helps: bool) {
        // SAFETY: the caller waits until nobody is inside before `work` ends.
        let work = unsafe { &*self.work };
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.count {
                return;
            }
            if helps {
                self.helped.store(true, Ordering::Relaxed);
            }
            work(index);
        }
    }
}

struct State {
    job: Option<*const Job>,
    /// Counts jobs, so that a helper takes part in each once.
    number: u64,
}

// SAFETY: the job is only looked at while its caller waits for it, and is made of what threads may share.
unsafe impl Send for State {}

struct Pool {
    /// Those that could be started.
    helpers: AtomicUsize,
    /// Held by whoever is helped.
    turn: Mutex<()>,
    state: Mutex<State>,
    called: Condvar,
    left: Condvar,
    /// Helpers inside the job; changed under `state`.
    inside: AtomicUsize,
    /// Calls in a row that nobody helped with in time, and calls for which nobody is to be called.
    misses: AtomicUsize,
    resting: AtomicUsize,
}

impl Pool {
    fn threads(&self) -> usize {
        let resting = self.resting.load(Ordering::Relaxed);
        if resting == 0 {
            return self.helpers.load(Ordering::Relaxed) + 1;
        }
        self.resting.store(resting - 1, Ordering::Relaxed);
        1
    }

    fn note(&self, was_helped: bool) {
        if was_helped {
            self.misses.store(0, Ordering::Relaxed);
        } else if self.misses.fetch_add(1, Ordering::Relaxed) + 1 >= MISSES_MAX {
            self.misses.store(0, Ordering::Relaxed);
            self.resting.store(RESTED_CALLS, Ordering::Relaxed);
        }
    }

    fn run(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let Ok(turn) = self.turn.try_lock() else {
            (0..count).for_each(work);
            return;
        };
        // SAFETY: only the lifetime is left out; `leave` below waits for all who have the pointer.
        let work: *const (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
        let job = Job {
            work,
            count,
            next: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            helped: AtomicBool::new(false),
        };
        {
            let mut state = locked(&self.state);
            state.job = Some(&job);
            state.number += 1;
        }
        self.called.notify_all();
        let mine = catch_unwind(AssertUnwindSafe(|| job.work_off(false)));
        let done = Instant::now();
        self.leave();
        self.note(job.helped.load(Ordering::Relaxed) && done.elapsed() < WAIT_MAX);
        // Before a panic goes on: it would poison the lock, and nobody would be helped any more.
        drop(turn);
        if let Err(panic) = mine {
            resume_unwind(panic);
        }
        assert!(!job.panicked.load(Ordering::Relaxed), "a helping thread panicked");
    }

    /// Nobody enters the job any more, and nobody is inside when it returns.
    fn leave(&self) {
        locked(&self.state).job = None;
        for _ in 0..SPINS_MAX {
            if self.inside.load(Ordering::Acquire) == 0 {
                return;
            }
            std::hint::spin_loop();
        }
        let mut state = locked(&self.state);
        while self.inside.load(Ordering::Acquire) > 0 {
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn help(&self) {
        let mut seen = 0;
        let mut state = locked(&self.state);
        loop {
            match state.job {
                Some(job) if state.number != seen => {
                    seen = state.number;
                    self.inside.fetch_add(1, Ordering::AcqRel);
                    drop(state);
                    // SAFETY: the job was there under the lock, and its caller waits until nobody is inside.
                    let job = unsafe { &*job };
                    if catch_unwind(AssertUnwindSafe(|| job.work_off(true))).is_err() {
                        job.panicked.store(true, Ordering::Relaxed);
                    }
                    state = locked(&self.state);
                    if self.inside.fetch_sub(1, Ordering::AcqRel) == 1 {
                        self.left.notify_all();
                    }
                }
                _ => state = self.called.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// No state is ever left half-changed, so a panic elsewhere is no reason to fail.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pool() -> Option<&'static Pool> {
    static POOL: OnceLock<Option<&'static Pool>> = OnceLock::new();
    *POOL.get_or_init(|| start(wanted_threads(std::env::var("VARVE_NATIVE_THREADS").ok()), spawn))
}

fn wanted_threads(setting: Option<String>) -> usize {
    // Where a library may be unloaded under its threads, there are none.
    if !cfg!(any(target_os = "linux", target_os = "macos")) {
        return 1;
    }
    let processors = thread::available_parallelism().map_or(1, usize::from);
    setting.and_then(|text| text.parse().ok()).unwrap_or(processors).clamp(1, THREADS_MAX)
}

/// None where the system gives no more threads.
fn spawn(name: String, pool: &'static Pool) -> bool {
    thread::Builder::new().name(name).spawn(move || pool.help()).is_ok()
}

/// The pool lives as long as the process, and so do its threads: the binding is never unloaded. None without a helper.
fn start(threads: usize, spawn: impl Fn(String, &'static Pool) -> bool) -> Option<&'static Pool> {
    if threads < 2 {
        return None;
    }
    let pool: &'static Pool = Box::leak(Box::new(Pool {
        helpers: AtomicUsize::new(0),
        turn: Mutex::new(()),
        state: Mutex::new(State { job: None, number: 0 }),
        called: Condvar::new(),
        left: Condvar::new(),
        inside: AtomicUsize::new(0),
        misses: AtomicUsize::new(0),
        resting: AtomicUsize::new(0),
    }));
    let helpers = (1..threads).take_while(|helper| spawn(format!("varve-kernels-{helper}"), pool)).count();
    pool.helpers.store(helpers, Ordering::Relaxed);
    (helpers > 0).then_some(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once_whoever_does_it() {
        let pool = start(4, spawn).expect("a pool of four");
        for round in 0..2000usize {
            let done: Vec<AtomicUsize> = (0..1 + round % 40).map(|_| AtomicUsize::new(0)).collect();
            pool.run(done.len(), &|index| {
                done[index].fetch_add(1, Ordering::Relaxed);
            });
            assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 1), "round {round}");
        }
    }

    #[test]
    fn callers_at_the_same_time_all_get_their_answers() {
        let pool = start(3, spawn).expect("a pool of three");
        thread::scope(|scope| {
            for caller in 0..4u64 {
                scope.spawn(move || {
                    for round in 0..500u64 {
                        let total = AtomicUsize::new(0);
                        pool.run(16, &|index| {
                            total.fetch_add(index + (caller + round) as usize, Ordering::Relaxed);
                        });
                        assert_eq!(total.load(Ordering::Relaxed), 120 + 16 * (caller + round) as usize);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_in_any_part_reaches_the_caller_and_the_pool_goes_on() {
        let pool = start(3, spawn).expect("a pool of three");
        for bad in 0..50 {
            let outcome = catch_unwind(AssertUnwindSafe(|| pool.run(50, &|index| assert_ne!(index, bad, "wanted"))));
            assert!(outcome.is_err(), "part {bad}");
            assert!(pool.turn.try_lock().is_ok(), "the next call is helped with again");
        }
    }

    #[test]
    fn parts_are_done_where_the_system_gives_fewer_threads_or_none() {
        assert!(start(4, |_, _| false).is_none());
        let pool = start(4, |name, pool| name.ends_with('1') && spawn(name, pool)).expect("a pool of two");
        assert_eq!(pool.threads(), 2);
        let total = AtomicUsize::new(0);
        pool.run(16, &|index| {
            total.fetch_add(index, Ordering::Relaxed);
        });
        assert_eq!(total.load(Ordering::Relaxed), 120);
    }

    #[test]
    fn helpers_that_come_too_late_are_left_alone_for_a_while() {
        let pool = start(2, spawn).expect("a pool of two");
        (0..MISSES_MAX - 1).for_each(|_| pool.note(false));
        pool.note(true);
        (0..MISSES_MAX - 1).for_each(|_| pool.note(false));
        assert_eq!(pool.threads(), 2);
        pool.note(false);
        assert!((0..RESTED_CALLS).all(|_| pool.threads() == 1));
        assert_eq!(pool.threads(), 2);
    }

    #[test]
    fn items_are_changed_in_place() {
        let mut items: Vec<usize> = (0..1000).collect();
        for_each(&mut items, |item| *item *= 2);
        assert!(items.iter().enumerate().all(|(index, &item)| item == 2 * index));
    }

    #[test]
    fn the_setting_counts_the_caller_too() {
        let set = |text: &str| wanted_threads(Some(text.to_owned()));
        assert_eq!([set("1"), set("2"), set("0"), set("9")], [1, 2, 1, THREADS_MAX]);
        assert_eq!(set("no number"), wanted_threads(None));
    }
}
