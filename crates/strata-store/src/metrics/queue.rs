//! The bounded way from any thread to the one that writes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strata_model::{Batch, Receipt, SinkError};
use tokio::sync::oneshot;

use super::error::StoreError;

/// Bytes taken out at once: one commit, so that a full queue does not become one huge record.
const TAKE_BYTES: usize = 8 << 20;

/// Answers one `append`.
pub(crate) type Reply = oneshot::Sender<Result<Receipt, SinkError>>;

/// Something else the writer is asked to do.
pub(crate) enum Order {
    Seal(oneshot::Sender<Result<(), StoreError>>),
    Close(oneshot::Sender<Result<(), StoreError>>),
    /// End without sealing; what was taken is in the log.
    Abandon,
}

#[derive(Default)]
struct State {
    offered: VecDeque<Batch>,
    awaited: VecDeque<(Batch, Reply)>,
    orders: VecDeque<Order>,
    bytes: usize,
    closed: bool,
}

/// What [`Queue::take`] found.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) offered: Vec<Batch>,
    pub(crate) awaited: Vec<(Batch, Reply)>,
    pub(crate) orders: Vec<Order>,
}

/// Batches and orders that wait for the writer.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    limit: usize,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), limit }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queue without an answer; returns whose samples were dropped for it, itself included, and
    /// how many.
    pub(crate) fn offer(&self, batch: Batch) -> Vec<(Arc<str>, u64)> {
        let mut state = self.lock();
        let bytes = batch.bytes();
        let lost = |batch: &Batch| (Arc::clone(&batch.source), batch.sample_count() as u64);
        if state.closed {
            return vec![lost(&batch)];
        }
        let mut dropped = Vec::new();
        while state.bytes + bytes > self.limit
            && let Some(oldest) = state.offered.pop_front()
        {
            state.bytes -= oldest.bytes();
            dropped.push(lost(&oldest));
        }
        if state.bytes > 0 && state.bytes + bytes > self.limit {
            dropped.push(lost(&batch));
            return dropped;
        }
        state.bytes += bytes;
        state.offered.push_back(batch);
        drop(state);
        self.wake.notify_one();
        dropped
    }

    /// Queue with an answer.
    pub(crate) fn append(&self, batch: Batch, reply: Reply) -> Result<(), SinkError> {
        let mut state = self.lock();
        if state.closed {
            return Err(SinkError::Closed);
        }
        let bytes = batch.bytes();
        // One batch larger than the whole queue is taken when nothing else waits: its sender has
        // bounded it already.
        if state.bytes > 0 && state.bytes + bytes > self.limit {
            return Err(SinkError::Overloaded { queued_bytes: state.bytes });
        }
        state.bytes += bytes;
        state.awaited.push_back((batch, reply));
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Queue an order behind nothing; `false` when the writer has gone.
    pub(crate) fn order(&self, order: Order) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.closed |= matches!(order, Order::Close(_) | Order::Abandon);
        state.orders.push_back(order);
        drop(state);
        self.wake.notify_one();
        true
    }

    /// Wait until there is work or the timeout passes, and take a commit's worth. Batches stay
    /// queued while `hold` is set; those that wait for an answer are handed out to be refused.
    pub(crate) fn take(&self, timeout: Duration, hold: bool) -> Work {
        let mut state = self.lock();
        let idle = |state: &State| {
            state.orders.is_empty()
                && state.awaited.is_empty()
                && (hold || state.offered.is_empty())
        };
        if idle(&state) {
            let waited = self.wake.wait_timeout_while(state, timeout, |state| idle(state));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut work = Work::default();
        let mut taken = 0;
        while taken < TAKE_BYTES
            && let Some((batch, reply)) = state.awaited.pop_front()
        {
            taken += batch.bytes();
            work.awaited.push((batch, reply));
        }
        while !hold
            && taken < TAKE_BYTES
            && let Some(batch) = state.offered.pop_front()
        {
            taken += batch.bytes();
            work.offered.push(batch);
        }
        state.bytes = state.bytes.saturating_sub(taken);
        // Orders follow the batches that were queued before them.
        if state.awaited.is_empty() && (hold || state.offered.is_empty()) {
            work.orders.extend(state.orders.drain(..));
        }
        work
    }

    /// Take no more, and hand out everything that waits.
    pub(crate) fn shut(&self) -> Work {
        let mut state = self.lock();
        let state = std::mem::replace(&mut *state, State { closed: true, ..State::default() });
        Work {
            offered: state.offered.into(),
            awaited: state.awaited.into(),
            orders: state.orders.into(),
        }
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }
}
