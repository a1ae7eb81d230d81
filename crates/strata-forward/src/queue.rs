//! What waits to be sent: bounded by bytes, and of too much the oldest is dropped, as the newest is
//! what somebody looks for.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// A request of OTLP, or several put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) body: Vec<u8>,
    /// Spans or log records in it.
    pub(crate) items: u64,
    /// When it came, by the monotonic clock.
    pub(crate) since: Duration,
}

/// Parcels in the order in which they came.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    more: Notify,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    parcels: VecDeque<Parcel>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), more: Notify::new(), bytes_max }
    }

    /// Put one at the end; the number of items that had to be dropped for it, its own where it is
    /// larger than the whole queue.
    pub(crate) fn put(&self, parcel: Parcel) -> u64 {
        if parcel.body.len() > self.bytes_max {
            return parcel.items;
        }
        let mut dropped = 0;
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.bytes += parcel.body.len();
            state.parcels.push_back(parcel);
            while state.bytes > self.bytes_max
                && let Some(oldest) = state.parcels.pop_front()
            {
                state.bytes -= oldest.body.len();
                dropped += oldest.items;
            }
        }
        self.more.notify_one();
        dropped
    }

    /// Wait for parcels and take the first, with those after it that fit into so many bytes.
    pub(crate) async fn take(&self, bytes: usize) -> Vec<Parcel> {
        loop {
            let taken = self.take_now(bytes);
            if !taken.is_empty() {
                return taken;
            }
            // A note that came between is kept, so that nothing is slept through.
            self.more.notified().await;
        }
    }

    /// The same, without waiting.
    pub(crate) fn take_now(&self, bytes: usize) -> Vec<Parcel> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut size) = (Vec::new(), 0);
        while let Some(first) = state.parcels.front() {
            size += first.body.len();
            if !taken.is_empty() && size > bytes {
                break;
            }
            if let Some(parcel) = state.parcels.pop_front() {
                state.bytes -= parcel.body.len();
                taken.push(parcel);
            }
        }
        taken
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(items: u64, bytes: usize) -> Parcel {
        Parcel { body: vec![0; bytes], items, since: Duration::ZERO }
    }

    #[test]
    fn of_too_much_the_oldest_goes() {
        let queue = Queue::new(100);
        assert_eq!((queue.put(parcel(1, 60)), queue.put(parcel(2, 40))), (0, 0));
        assert_eq!(queue.put(parcel(3, 50)), 1);
        assert_eq!(queue.bytes(), 90);
        assert_eq!(
            queue.put(parcel(4, 101)),
            4,
            "what is larger than the queue drops nothing else"
        );
        let items = |taken: Vec<Parcel>| taken.into_iter().map(|one| one.items).collect::<Vec<_>>();
        assert_eq!(items(queue.take_now(80)), [2]);
        assert_eq!(items(queue.take_now(10)), [3], "the first is taken however large it is");
        assert_eq!((queue.take_now(10), queue.bytes()), (Vec::new(), 0));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let queue = std::sync::Arc::new(Queue::new(100));
        let other = std::sync::Arc::clone(&queue);
        let taker = tokio::spawn(async move { other.take(100).await });
        tokio::task::yield_now().await;
        queue.put(parcel(1, 10));
        assert_eq!(taker.await.unwrap().len(), 1);
    }
}
