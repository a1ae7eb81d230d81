//! Work on a large fleet spread over threads: putting together what was asked is a third of a page of
//! ten thousand GPUs, and nothing else runs by then.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism};

/// Threads at most, the caller's included; while devices are judged beside it, one more.
const LANES_MAX: usize = 4;
/// Series in the answers that repay a second thread.
const WORTH: usize = 5_000;

/// Threads worth having where the answers have so many series.
pub(crate) fn worth(series: usize) -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, NonZero::get));
    if series < WORTH { 1 } else { LANES_MAX.min(*CORES) }
}

/// What `work` makes of each item, in their order.
pub(crate) fn map<T: Sync, R: Send>(
    lanes: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut made = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return made };
            made.push((at, work(item)));
        }
    };
    let mut made = std::thread::scope(|scope| {
        // A thread that the system refuses is done without.
        let spawn = |_| Builder::new().spawn_scoped(scope, lane).ok();
        let others: Vec<_> = (1..lanes.min(items.len())).filter_map(spawn).collect();
        let mut made = lane();
        for other in others {
            made.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    });
    made.sort_unstable_by_key(|(at, _)| *at);
    made.into_iter().map(|(_, made)| made).collect()
}

/// Both, side by side where there is more than one lane.
pub(crate) fn both<A: Send, B>(
    lanes: usize,
    one: impl Fn() -> A + Sync,
    other: impl FnOnce() -> B,
) -> (A, B) {
    std::thread::scope(|scope| {
        let spawned = (lanes > 1).then(|| Builder::new().spawn_scoped(scope, &one).ok()).flatten();
        let other = other();
        let one =
            spawned.map_or_else(&one, |one| one.join().unwrap_or_else(|why| resume_unwind(why)));
        (one, other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_items() {
        let items: Vec<usize> = (0..1_000).collect();
        let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
        for lanes in [1, 2, 4] {
            assert_eq!(map(lanes, &items, |item| item * 2), doubled);
            assert_eq!(both(lanes, || 1, || 2), (1, 2));
        }
        assert!(map(4, &[], |item: &usize| *item).is_empty());
    }
}
