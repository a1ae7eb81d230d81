//! One thing that takes time to make, kept for a while: however many ask, it is made once.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strata_view::PageError;
use tokio::sync::watch;

type Made<T> = Result<Arc<T>, PageError>;
/// Empty while it is being made.
type Coming<T> = watch::Receiver<Option<Made<T>>>;

/// A thing made on request.
pub(crate) struct Kept<T> {
    keep: Duration,
    /// When the making began, and what comes of it.
    slot: Mutex<Option<(Duration, Coming<T>)>>,
}

impl<T: Send + Sync + 'static> Kept<T> {
    /// Keeps a thing this long, counted from when its making began.
    pub(crate) fn new(keep: Duration) -> Self {
        Self { keep, slot: Mutex::new(None) }
    }

    /// The thing as it was at most so long ago; made anew when there is none. The making goes on
    /// when who asked goes away, so that one who types fast does not begin it with each key. A
    /// failure is told to those who wait for it and not kept.
    pub(crate) async fn get<F>(&self, now: Duration, make: impl FnOnce() -> F + Send) -> Made<T>
    where
        F: Future<Output = Result<T, PageError>> + Send + 'static,
    {
        let mut coming = self.coming(now, make);
        match coming.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(made)) => made.clone(),
            Ok(None) | Err(_) => Err(super::pages::internal("what was asked for broke")),
        }
    }

    fn coming<F>(&self, now: Duration, make: impl FnOnce() -> F) -> Coming<T>
    where
        F: Future<Output = Result<T, PageError>> + Send + 'static,
    {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((begun, coming)) = &*slot {
            let good = match &*coming.borrow() {
                // Being made, unless its maker is gone.
                None => coming.has_changed().is_ok(),
                Some(made) => made.is_ok() && now.saturating_sub(*begun) < self.keep,
            };
            if good {
                return coming.clone();
            }
        }
        let (sender, coming) = watch::channel(None);
        let making = make();
        tokio::spawn(async move { sender.send_replace(Some(making.await.map(Arc::new))) });
        *slot = Some((now, coming.clone()));
        coming
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const KEEP: Duration = Duration::from_secs(5);

    async fn count(kept: &Kept<usize>, seconds: u64, made: &Arc<AtomicUsize>) -> usize {
        let made = Arc::clone(made);
        let make = || async move { Ok(made.fetch_add(1, Ordering::SeqCst) + 1) };
        *kept.get(Duration::from_secs(seconds), make).await.unwrap()
    }

    #[tokio::test]
    async fn a_thing_is_made_once_while_it_is_kept() {
        let (kept, made) = (Kept::new(KEEP), Arc::default());
        for second in 0..5 {
            assert_eq!(count(&kept, second, &made).await, 1, "second {second}");
        }
        assert_eq!(count(&kept, 5, &made).await, 2);
        assert_eq!(count(&kept, 9, &made).await, 2);
    }

    #[tokio::test]
    async fn who_asks_meanwhile_waits_for_the_same() {
        let kept = Arc::new(Kept::new(KEEP));
        let (go, made) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let ask = |seconds| {
            let (kept, go, made) = (Arc::clone(&kept), Arc::clone(&go), Arc::clone(&made));
            tokio::spawn(async move {
                let make = || async move {
                    go.notified().await;
                    Ok(made.fetch_add(1, Ordering::SeqCst) + 1)
                };
                *kept.get(Duration::from_secs(seconds), make).await.unwrap()
            })
        };
        let first = ask(0);
        tokio::task::yield_now().await;
        // Longer than a thing is kept: what is being made is waited for all the same.
        let others: Vec<_> = (0..20).map(|_| ask(60)).collect();
        tokio::task::yield_now().await;
        // Who began it goes away, as one who types the next letter.
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        go.notify_one();
        for other in others {
            assert_eq!(other.await.unwrap(), 1);
        }
    }

    #[tokio::test]
    async fn failures_are_told_and_not_kept() {
        let kept: Kept<usize> = Kept::new(KEEP);
        let fail = || async { Err(super::super::pages::internal("out of order")) };
        let error = kept.get(Duration::ZERO, fail).await.unwrap_err();
        assert_eq!(error.message, "out of order");
        let broke = || async { panic!("a fault of ours") };
        assert!(kept.get(Duration::ZERO, broke).await.is_err());
        assert_eq!(*kept.get(Duration::ZERO, || async { Ok(7) }).await.unwrap(), 7);
    }
}
