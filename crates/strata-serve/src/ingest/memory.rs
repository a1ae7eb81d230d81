//! Memory for bodies, shared by all pushes: taken as the bytes come in, so that a client which
//! announces much and sends little holds little.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes are accounted in units of this size, so that the sum fits a semaphore.
const UNIT_BYTES: usize = 1024;

/// How long a body waits for memory before its sender is told to come back.
const WAIT: Duration = Duration::from_millis(500);

/// What all bodies together may use.
pub(crate) struct Pool {
    units: Semaphore,
    total: u32,
}

impl Pool {
    /// A pool of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let total = (bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        Self { units: Semaphore::new(total as usize), total }
    }

    /// A share that holds nothing yet.
    pub(crate) fn share(&self) -> Share<'_> {
        Share { pool: self, held: None }
    }
}

/// What one body uses; given back when dropped.
pub(crate) struct Share<'a> {
    pool: &'a Pool,
    held: Option<SemaphorePermit<'a>>,
}

impl Share<'_> {
    /// Hold at least `bytes`, or the whole pool when that is less. False when there was no room
    /// for it in time; two bodies that wait for each other both give up then.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> bool {
        let wanted = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let held = self.held.as_ref().map_or(0, SemaphorePermit::num_permits) as u32;
        let missing = wanted.min(self.pool.total).saturating_sub(held);
        if missing == 0 {
            return true;
        }
        let taken = tokio::time::timeout(WAIT, self.pool.units.acquire_many(missing)).await;
        let Ok(Ok(taken)) = taken else { return false };
        match &mut self.held {
            Some(held) => held.merge(taken),
            None => self.held = Some(taken),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_share_holds_what_it_asked_for_until_it_is_dropped() {
        let pool = Pool::new(10 * UNIT_BYTES);
        let mut first = pool.share();
        assert!(first.grow_to(0).await);
        assert!(first.grow_to(UNIT_BYTES + 1).await);
        assert_eq!(pool.units.available_permits(), 8);
        assert!(first.grow_to(UNIT_BYTES).await, "it never shrinks");
        assert_eq!(pool.units.available_permits(), 8);
        let mut second = pool.share();
        assert!(!second.grow_to(9 * UNIT_BYTES).await);
        assert!(second.grow_to(8 * UNIT_BYTES).await);
        drop(first);
        assert!(second.grow_to(usize::MAX).await, "the whole pool is enough for anything");
        assert_eq!(pool.units.available_permits(), 0);
        drop(second);
        assert_eq!(pool.units.available_permits(), 10);
    }
}
