//! Things that take time to make, kept for a while: however many ask, each is made once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strata_model::Clock;
use strata_view::{PageError, PageErrorCode};
use tokio::sync::watch;

/// Things in the making at once. It goes on when who asked goes away, so it needs a bound of its own.
const MAKING_MAX: usize = 64;

type Made<T> = Result<Arc<T>, PageError>;
/// Empty while it is being made; then with when it was there.
type Coming<T> = watch::Receiver<Option<(Made<T>, Duration)>>;

/// How long a thing is given to those who ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keep {
    /// At least, counted from when its making began.
    pub(crate) least: Duration,
    /// Once it is there it is kept as long again as it took to make, up to this: else those who look
    /// at it all the time would keep the machine busy with nothing else.
    pub(crate) most: Duration,
}

impl Keep {
    fn holds(self, begun: Duration, done: Duration, now: Duration) -> bool {
        let again = done.saturating_sub(begun).min(self.most);
        now.saturating_sub(begun) < self.least || now.saturating_sub(done) < again
    }
}

/// When the making began, and what comes of it.
struct Slot<T> {
    begun: Duration,
    coming: Coming<T>,
}

fn busy() -> PageError {
    PageError {
        code: PageErrorCode::Busy,
        message: format!("{MAKING_MAX} pages are being made already"),
        hint: "ask again in a few seconds".to_owned(),
    }
}

impl<T> Slot<T> {
    fn is_ready(&self) -> bool {
        self.coming.borrow().is_some()
    }

    fn is_good(&self, keep: Keep, now: Duration) -> bool {
        match &*self.coming.borrow() {
            // Being made, unless its maker is gone.
            None => self.coming.has_changed().is_ok(),
            Some((made, done)) => made.is_ok() && keep.holds(self.begun, *done, now),
        }
    }
}

/// Things made on request, by name.
pub(crate) struct Kept<T> {
    keep: Keep,
    /// Things kept at most, those in the making not counted.
    room: usize,
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<String, Slot<T>>>,
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(crate) fn new(keep: Keep, room: usize, clock: Arc<dyn Clock>) -> Self {
        Self { keep, room, clock, slots: Mutex::default() }
    }

    /// The thing as it was a moment ago; made anew when there is none. The making goes on when who
    /// asked goes away, so that one who types fast does not begin it with each key. A failure is
    /// told to those who wait for it and not kept.
    pub(crate) async fn get<F>(&self, name: &str, make: impl FnOnce() -> F + Send) -> Made<T>
    where
        F: Future<Output = Result<T, PageError>> + Send + 'static,
    {
        let mut coming = self.coming(name, make)?;
        match coming.wait_for(Option::is_some).await.as_deref() {
            Ok(Some((made, _))) => made.clone(),
            Ok(None) | Err(_) => Err(super::pages::internal("what was asked for broke")),
        }
    }

    fn coming<F>(&self, name: &str, make: impl FnOnce() -> F) -> Result<Coming<T>, PageError>
    where
        F: Future<Output = Result<T, PageError>> + Send + 'static,
    {
        let begun = self.clock.monotonic();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| slot.is_good(self.keep, begun));
        if let Some(slot) = slots.get(name) {
            return Ok(slot.coming.clone());
        }
        let ready = slots.values().filter(|slot| slot.is_ready()).count();
        if slots.len() - ready >= MAKING_MAX {
            return Err(busy());
        }
        let (sender, coming) = watch::channel(None);
        let (making, clock) = (make(), Arc::clone(&self.clock));
        tokio::spawn(async move {
            let made = making.await.map(Arc::new);
            sender.send_replace(Some((made, clock.monotonic())));
        });
        if ready >= self.room {
            // With so many readers of so many things, the oldest is made anew first.
            let ready = slots.iter().filter(|(_, slot)| slot.is_ready());
            let oldest = ready.min_by_key(|(_, slot)| slot.begun).map(|(name, _)| name.clone());
            oldest.map(|name| slots.remove(&name));
        }
        slots.insert(name.to_owned(), Slot { begun, coming: coming.clone() });
        Ok(coming)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use strata_model::clock::FixedClock;
    use tokio::sync::Notify;

    use super::*;

    const KEEP: Keep = Keep { least: Duration::from_secs(5), most: Duration::from_secs(20) };

    /// A shelf of things, its clock, and how many were made.
    struct House {
        kept: Kept<usize>,
        clock: Arc<FixedClock>,
        made: Arc<AtomicUsize>,
    }

    impl House {
        fn new(room: usize) -> Arc<Self> {
            let clock = Arc::new(FixedClock::at(0));
            let kept = Kept::new(KEEP, room, Arc::clone(&clock) as Arc<dyn Clock>);
            Arc::new(Self { kept, clock, made: Arc::default() })
        }

        /// The number of the thing that is given at a time; its making takes so many seconds.
        async fn at(&self, name: &str, second: i64, takes: i64) -> usize {
            self.clock.set(second * 1000);
            let (made, clock) = (Arc::clone(&self.made), Arc::clone(&self.clock));
            let make = || async move {
                clock.set((second + takes) * 1000);
                Ok(made.fetch_add(1, Ordering::SeqCst) + 1)
            };
            *self.kept.get(name, make).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_thing_is_made_once_while_it_is_kept() {
        let house = House::new(8);
        for second in 0..5 {
            assert_eq!(house.at("a", second, 0).await, 1, "second {second}");
        }
        assert_eq!(house.at("a", 5, 0).await, 2);
        assert_eq!(house.at("b", 6, 0).await, 3);
        assert_eq!(house.at("a", 9, 0).await, 2);
    }

    #[tokio::test]
    async fn what_takes_long_is_kept_longer() {
        let house = House::new(8);
        assert_eq!(house.at("a", 0, 4).await, 1);
        assert_eq!(house.at("a", 7, 0).await, 1);
        assert_eq!(house.at("a", 8, 60).await, 2, "no longer than twice what it took");
        assert_eq!(house.at("a", 87, 0).await, 2, "it was there after a minute");
        assert_eq!(house.at("a", 88, 0).await, 3, "and no longer than the most after that");
    }

    #[tokio::test]
    async fn the_oldest_goes_where_there_is_no_room() {
        let house = House::new(2);
        for (second, name) in ["a", "b", "c"].into_iter().enumerate() {
            house.at(name, second as i64, 0).await;
        }
        assert_eq!(house.at("b", 3, 0).await, 2);
        assert_eq!(house.at("a", 3, 0).await, 4);
    }

    #[tokio::test]
    async fn who_asks_meanwhile_waits_for_the_same() {
        let house = House::new(8);
        let go = Arc::new(Notify::new());
        let ask = |second: i64| {
            let (house, go) = (Arc::clone(&house), Arc::clone(&go));
            tokio::spawn(async move {
                house.clock.set(second * 1000);
                let made = Arc::clone(&house.made);
                let make = || async move {
                    go.notified().await;
                    Ok(made.fetch_add(1, Ordering::SeqCst) + 1)
                };
                *house.kept.get("a", make).await.unwrap()
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
    async fn what_is_in_the_making_is_bounded() {
        let house = House::new(8);
        for number in 0..MAKING_MAX {
            let name = number.to_string();
            house.kept.coming(&name, std::future::pending).unwrap();
        }
        let error = house.kept.coming("one more", std::future::pending).unwrap_err();
        assert_eq!(error.code, PageErrorCode::Busy);
        assert!(house.kept.coming("3", std::future::pending).is_ok(), "waits for what comes");
    }

    #[tokio::test]
    async fn failures_are_told_and_not_kept() {
        let House { kept, .. } = Arc::into_inner(House::new(8)).unwrap();
        let fail = || async { Err(super::super::pages::internal("out of order")) };
        let error = kept.get("a", fail).await.unwrap_err();
        assert_eq!(error.message, "out of order");
        let broke = || async { panic!("a fault of ours") };
        assert!(kept.get("a", broke).await.is_err());
        assert_eq!(*kept.get("a", || async { Ok(7) }).await.unwrap(), 7);
    }
}
