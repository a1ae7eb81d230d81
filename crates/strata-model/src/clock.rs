//! Time as a thing that is handed in, so that tests own it and pure code never asks for it.

use std::time::Duration;

/// Where the time comes from. The binary hands in the system's clock, tests a fixed one.
pub trait Clock: Send + Sync + 'static {
    /// Wall time in milliseconds since the Unix epoch. May jump in either direction.
    fn now_ms(&self) -> i64;
    /// Time since some fixed moment of this process. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// A clock that stands still until it is told otherwise, for tests and simulations.
#[derive(Debug, Default)]
pub struct FixedClock(std::sync::atomic::AtomicI64);

impl FixedClock {
    /// A clock that says `now_ms`.
    pub fn at(now_ms: i64) -> Self {
        Self(std::sync::atomic::AtomicI64::new(now_ms))
    }

    /// Move the clock to `now_ms`, forward or back.
    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now_ms().max(0) as u64)
    }
}
