//! Placement and actors on a clock and a network made up by chance, with everything going wrong that can (design, section 9).
//!
//! `TRILBY_SEED` runs one seed and prints what happens; `TRILBY_SEEDS` is how many are run otherwise.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // All of it is tests.
mod app;
mod checks;
mod connection;
mod network;
mod random;
mod replica;
mod sidecar;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use world::Results;

const SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods)] // A failing seed is run again by hand.
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one seed in a runtime of its own, whose clock stands still while there is something to do.
fn run(seed: u64, shows: bool) -> Results {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(world::run(seed, shows))
}

#[test]
fn whatever_happens_no_actor_is_served_twice_and_all_comes_right() {
    if let Some(seed) = number("TRILBY_SEED") {
        let results = run(seed, true);
        assert!(results.wrong.is_empty(), "seed {seed}: {:#?}", results.wrong);
        return;
    }
    let seeds = number("TRILBY_SEEDS").unwrap_or(SEEDS);
    let (next, wrong) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let sums = Arc::new(Mutex::new((0, 0)));
    let work = || {
        let (next, wrong, sums) = (Arc::clone(&next), Arc::clone(&wrong), Arc::clone(&sums));
        thread::spawn(move || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return;
                }
                let results = run(seed, false);
                let mut sums = sums.lock().unwrap();
                sums.0 += results.answered;
                sums.1 += results.failed;
                if !results.wrong.is_empty() {
                    wrong.lock().unwrap().push((seed, results.wrong));
                }
            }
        })
    };
    let threads: Vec<_> = (0..thread::available_parallelism().map_or(1, usize::from)).map(|_| work()).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let (answered, failed) = *sums.lock().unwrap();
    println!("{seeds} seeds, {answered} calls answered, {failed} failed");
    let wrong = wrong.lock().unwrap();
    let first: Vec<_> = wrong.iter().take(5).collect();
    assert!(wrong.is_empty(), "{} of {seeds} seeds fail; run one again by TRILBY_SEED: {first:#?}", wrong.len());
    assert!(answered > 10 * failed, "{failed} calls failed, {answered} did not");
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in 0..3 {
        assert_eq!(run(seed, false).digest, run(seed, false).digest, "seed {seed}");
    }
}
