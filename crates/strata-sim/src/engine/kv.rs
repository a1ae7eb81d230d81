//! The blocks of a KV cache: pinned by running requests, cached for reuse, or free.
//!
//! As in vLLM's prefix caching, what can be reused is always the beginning of a sequence, so the
//! cache is kept by *chains*: the system prompt of a tenant, and the private rest of a conversation.
//! A chain that nobody runs stays until its blocks are needed; the chain that was left longest ago
//! goes first, from its end.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

/// Tokens of a block; vLLM's default on NVIDIA.
pub(crate) const BLOCK: u64 = 16;

/// What names a chain.
pub(crate) type ChainKey = u64;

#[derive(Debug, Clone, Copy)]
struct Chain {
    blocks: u64,
    /// Requests that run on it; only a system prompt has more than one.
    users: u64,
    /// Its place in the order of leaving, while nobody runs on it.
    stamp: u64,
    born: f64,
    left: f64,
}

/// Blocks of a chain that were thrown away for others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Eviction {
    pub(crate) blocks: u64,
    /// Seconds from filling to eviction, and from the last use to eviction.
    pub(crate) lifetime: f64,
    pub(crate) idle: f64,
}

/// The cache of one engine.
#[derive(Debug, Default)]
pub(crate) struct KvCache {
    capacity: u64,
    pinned: u64,
    cached: u64,
    caching: bool,
    chains: FxHashMap<ChainKey, Chain>,
    /// Chains that nobody runs on, the one that was left first in front.
    unused: BTreeMap<u64, ChainKey>,
    next_stamp: u64,
    /// Since they were last taken.
    pub(crate) evictions: Vec<Eviction>,
    /// Times between leaving a chain and running on it again.
    pub(crate) reuse_gaps: Vec<f64>,
}

impl KvCache {
    pub(crate) fn new(capacity: u64) -> Self {
        Self { capacity, caching: true, ..Self::default() }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    #[cfg(test)]
    pub(crate) fn pinned(&self) -> u64 {
        self.pinned
    }

    #[cfg(test)]
    pub(crate) fn cached(&self) -> u64 {
        self.cached
    }

    /// Share of the blocks that running requests hold: vLLM's `kv_cache_usage_perc`.
    pub(crate) fn usage(&self) -> f64 {
        if self.capacity == 0 { 0.0 } else { self.pinned as f64 / self.capacity as f64 }
    }

    /// Change the number of blocks. Cached ones go at once; pinned ones are for the engine to free
    /// while [`Self::is_over`].
    pub(crate) fn set_capacity(&mut self, capacity: u64, now: f64) {
        self.capacity = capacity;
        let over = (self.pinned + self.cached).saturating_sub(capacity);
        self.evict(over.min(self.cached), now);
    }

    /// Whether more is pinned than there is.
    pub(crate) fn is_over(&self) -> bool {
        self.pinned > self.capacity
    }

    pub(crate) fn is_caching(&self) -> bool {
        self.caching
    }

    /// Keep blocks for reuse, or not.
    pub(crate) fn set_caching(&mut self, caching: bool, now: f64) {
        self.caching = caching;
        if !caching {
            self.evict(self.cached, now);
        }
    }

    /// Pin `blocks` more, throwing cached ones away as needed; `false` when they do not fit.
    pub(crate) fn allocate(&mut self, blocks: u64, now: f64) -> bool {
        let room = self.capacity.saturating_sub(self.pinned);
        if blocks > room {
            return false;
        }
        let free = room.saturating_sub(self.cached);
        self.evict(blocks.saturating_sub(free), now);
        self.pinned += blocks;
        true
    }

    /// Give pinned blocks back for good.
    pub(crate) fn free(&mut self, blocks: u64) {
        self.pinned = self.pinned.saturating_sub(blocks);
    }

    /// Run on a shared chain of `blocks`: how many of them were there. The missing ones are
    /// allocated; `None`, and nothing is changed, when they do not fit.
    pub(crate) fn join(&mut self, key: ChainKey, blocks: u64, now: f64) -> Option<u64> {
        let there = self.wake(key, now);
        let missing = blocks.saturating_sub(there);
        if !self.allocate(missing, now) {
            self.sleep(key, now);
            return None;
        }
        let chain = self.chains.entry(key).or_insert(Chain {
            blocks: 0,
            users: 0,
            stamp: 0,
            born: now,
            left: now,
        });
        chain.blocks = chain.blocks.max(blocks);
        chain.users += 1;
        Some(there.min(blocks))
    }

    /// Leave a shared chain.
    pub(crate) fn part(&mut self, key: ChainKey, now: f64) {
        if let Some(chain) = self.chains.get_mut(&key) {
            chain.users = chain.users.saturating_sub(1);
        }
        self.sleep(key, now);
    }

    /// Take a private chain over: its blocks, at most `blocks`, are pinned and belong to the caller
    /// now; the rest of it is dropped.
    pub(crate) fn take(&mut self, key: ChainKey, blocks: u64, now: f64) -> u64 {
        let there = self.wake(key, now);
        self.chains.remove(&key);
        let kept = there.min(blocks);
        self.pinned -= there - kept;
        kept
    }

    /// Keep `blocks` of the caller's pinned blocks as a private chain for the next turn.
    pub(crate) fn leave(&mut self, key: ChainKey, blocks: u64, born: f64, now: f64) {
        if blocks == 0 {
            return;
        }
        if self.chains.contains_key(&key) {
            // A second request of the conversation left it first: the newer one counts.
            self.take(key, 0, now);
        }
        self.chains.insert(key, Chain { blocks, users: 0, stamp: 0, born, left: now });
        self.sleep(key, now);
    }

    /// Pin a chain that slept; its blocks, 0 when there is none.
    fn wake(&mut self, key: ChainKey, now: f64) -> u64 {
        let Some(chain) = self.chains.get_mut(&key) else { return 0 };
        if chain.users == 0 && self.unused.remove(&chain.stamp).is_some() {
            self.cached -= chain.blocks;
            self.pinned += chain.blocks;
            self.reuse_gaps.push(now - chain.left);
        }
        chain.blocks
    }

    /// Unpin a chain that nobody runs on.
    fn sleep(&mut self, key: ChainKey, now: f64) {
        let Some(chain) = self.chains.get_mut(&key) else { return };
        if chain.users > 0 {
            return;
        }
        if !self.caching {
            self.pinned -= chain.blocks;
            self.chains.remove(&key);
            return;
        }
        self.next_stamp += 1;
        chain.stamp = self.next_stamp;
        chain.left = now;
        self.pinned -= chain.blocks;
        self.cached += chain.blocks;
        self.unused.insert(chain.stamp, key);
    }

    /// Throw `blocks` cached blocks away.
    fn evict(&mut self, mut blocks: u64, now: f64) {
        while blocks > 0 {
            let Some((stamp, key)) = self.unused.first_key_value().map(|(a, b)| (*a, *b)) else {
                return;
            };
            let Some(chain) = self.chains.get_mut(&key) else { return };
            let gone = blocks.min(chain.blocks);
            let (lifetime, idle) = (now - chain.born, now - chain.left);
            self.evictions.push(Eviction { blocks: gone, lifetime, idle });
            chain.blocks -= gone;
            self.cached -= gone;
            blocks -= gone;
            if chain.blocks == 0 {
                self.chains.remove(&key);
                self.unused.remove(&stamp);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_chain_left_first_goes_first_and_from_its_end() {
        let mut cache = KvCache::new(10);
        for key in [1, 2] {
            assert!(cache.allocate(4, 0.0));
            cache.leave(key, 4, 0.0, key as f64);
        }
        assert_eq!((cache.pinned(), cache.cached()), (0, 8));
        assert!(cache.allocate(4, 9.0), "two free and two of chain 1");
        assert_eq!(cache.evictions, [Eviction { blocks: 2, lifetime: 9.0, idle: 8.0 }]);
        assert_eq!(cache.take(1, 9, 9.0), 2, "the beginning is left");
        assert_eq!(cache.take(2, 3, 9.0), 3, "no more than is asked for");
        assert_eq!((cache.pinned(), cache.cached()), (9, 0));
    }

    #[test]
    fn a_shared_chain_stays_while_somebody_runs_on_it() {
        let mut cache = KvCache::new(4);
        assert_eq!(cache.join(7, 3, 0.0), Some(0), "nothing was there");
        assert_eq!(cache.join(7, 3, 1.0), Some(3), "now all of it is");
        cache.part(7, 2.0);
        assert!(!cache.allocate(2, 2.0), "it is still pinned");
        cache.part(7, 3.0);
        assert!(cache.allocate(4, 4.0), "nobody needs it");
        assert_eq!(cache.join(7, 3, 5.0), None, "and now it does not fit");
        assert_eq!(cache.pinned(), 4);
    }

    proptest! {
        #[test]
        fn blocks_are_never_more_than_there_are(
            capacity in 1u64..200,
            steps in prop::collection::vec((0u8..6, 0u64..8, 0u64..60), 1..200),
        ) {
            let mut cache = KvCache::new(capacity);
            let (mut own, mut joined) = (0, Vec::new());
            for (now, (what, key, blocks)) in steps.into_iter().enumerate() {
                let now = now as f64;
                match what {
                    0 => own += if cache.allocate(blocks, now) { blocks } else { 0 },
                    1 => {
                        let back = blocks.min(own);
                        cache.free(back);
                        own -= back;
                    }
                    2 if cache.join(key, blocks, now).is_some() => joined.push(key),
                    3 => if let Some(key) = joined.pop() { cache.part(key, now) },
                    4 => own += cache.take(100 + key, blocks, now),
                    5 => {
                        // The chain of a conversation is left by its one request only.
                        own += cache.take(100 + key, u64::MAX, now);
                        let left = blocks.min(own);
                        cache.leave(100 + key, left, now, now);
                        own -= left;
                    }
                    _ => {}
                }
                prop_assert!(cache.pinned() + cache.cached() <= capacity);
                prop_assert!(own <= cache.pinned());
            }
        }
    }
}
