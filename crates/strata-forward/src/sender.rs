//! The way of one signal: taken out of its queue, put together, sent, tried again.

use std::time::Duration;

use strata_model::Clock;
use tokio::sync::watch;

use crate::client::{Sending, Tried};
use crate::lane::Lane;
use crate::queue::Parcel;

/// Parcels are put together up to this size: collectors take 4 MiB and more.
const TOGETHER_BYTES: usize = 1 << 20;
/// Waits between tries: doubled from the first to the longest, half of it by chance so that many
/// senders do not come back together.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_LONGEST: Duration = Duration::from_secs(30);
/// A receiver may ask for a longer wait, up to this.
const WAIT_ASKED_MAX: Duration = Duration::from_mins(5);

/// Send what comes until told to stop; then what is left, once.
pub(crate) async fn run(
    lane: &Lane,
    client: &Sending,
    clock: &dyn Clock,
    give_up_after: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let parcels = tokio::select! {
            biased;
            () = ended(&mut stopped) => break,
            parcels = lane.queue.take(TOGETHER_BYTES) => parcels,
        };
        let mut way = Way { lane, client, clock, give_up_after, stopped: &mut stopped };
        way.deliver(parcels).await;
    }
    loop {
        let parcels = lane.queue.take_now(TOGETHER_BYTES);
        if parcels.is_empty() {
            return;
        }
        if !last(lane, client, parcels).await {
            // Whoever does not answer now will not for the rest either.
            let rest = lane.queue.take_now(usize::MAX);
            return lane.dropped("stopped", rest.iter().map(|one| one.items).sum());
        }
    }
}

/// When told to stop; a forwarder that is gone tells it too.
async fn ended(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// What a delivery goes by.
struct Way<'a> {
    lane: &'a Lane,
    client: &'a Sending,
    clock: &'a dyn Clock,
    give_up_after: Duration,
    stopped: &'a mut watch::Receiver<bool>,
}

impl Way<'_> {
    /// Send until it is taken, refused, too old, or the end has come. What is refused together is sent
    /// one by one, since one that is bad must not take others with it.
    async fn deliver(&mut self, parcels: Vec<Parcel>) {
        let refused = self.until_settled(parcels).await;
        let mut refused = refused.into_iter();
        while let Some(one) = refused.next() {
            if *self.stopped.borrow() {
                let rest = std::iter::once(one).chain(refused).collect();
                last(self.lane, self.client, rest).await;
                return;
            }
            // Alone it is settled for good.
            self.until_settled(vec![one]).await;
        }
    }

    /// Gives back what was refused together.
    async fn until_settled(&mut self, parcels: Vec<Parcel>) -> Vec<Parcel> {
        let items = parcels.iter().map(|one| one.items).sum();
        let since = parcels.first().map_or(Duration::ZERO, |one| one.since);
        let mut wait = WAIT_FIRST;
        loop {
            let after = match attempt(self.lane, self.client, &parcels).await {
                Tried::Again { after, words } => {
                    self.lane.tried("failed", Some(words));
                    after
                }
                Tried::Refused { .. } if parcels.len() > 1 => return parcels,
                Tried::Taken { .. } | Tried::Refused { .. } => return Vec::new(),
            };
            if self.clock.monotonic().saturating_sub(since) >= self.give_up_after {
                self.lane.dropped("gave_up", items);
                return Vec::new();
            }
            let pause = match after {
                // Who is busy and asks for no wait at all is not asked again at once.
                Some(asked) => asked.clamp(wait / 2, WAIT_ASKED_MAX),
                None => wait / 2 + wait.mul_f64(fastrand::f64() / 2.0),
            };
            wait = (wait * 2).min(WAIT_LONGEST);
            tokio::select! {
                biased;
                () = ended(self.stopped) => {
                    last(self.lane, self.client, parcels).await;
                    return Vec::new();
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// The last try, of each alone where they are refused together: what is not settled by it is lost. False
/// where the receiver did not answer.
async fn last(lane: &Lane, client: &Sending, parcels: Vec<Parcel>) -> bool {
    let lost = |parcels: &[Parcel], words: String| {
        lane.tried("failed", Some(words));
        lane.dropped("stopped", parcels.iter().map(|one| one.items).sum());
    };
    match attempt(lane, client, &parcels).await {
        Tried::Again { words, .. } => {
            lost(&parcels, words);
            return false;
        }
        Tried::Refused { .. } if parcels.len() > 1 => {}
        Tried::Taken { .. } | Tried::Refused { .. } => return true,
    }
    for (at, one) in parcels.iter().enumerate() {
        if let Tried::Again { words, .. } = attempt(lane, client, std::slice::from_ref(one)).await {
            lost(parcels.get(at..).unwrap_or_default(), words);
            return false;
        }
    }
    true
}

/// One try with all of them. What is settled is counted; several that are refused together are not.
async fn attempt(lane: &Lane, client: &Sending, parcels: &[Parcel]) -> Tried {
    // Messages of protobuf put one behind the other are one message with the lists of all.
    let body: Vec<u8> = parcels.iter().flat_map(|one| one.body.iter().copied()).collect();
    let items = parcels.iter().map(|one| one.items).sum::<u64>();
    let tried = client.send(lane.signal, &lane.url, body).await;
    match &tried {
        Tried::Again { .. } => {}
        Tried::Taken { rejected, words } => {
            let rejected = (*rejected).min(items);
            lane.sent(items - rejected);
            lane.dropped("rejected", rejected);
            let words = format!("{} rejected {rejected} of {items}: {words}", lane.url);
            lane.tried("ok", (rejected > 0).then_some(words));
        }
        Tried::Refused { words } => {
            if parcels.len() < 2 {
                lane.dropped("refused", items);
            }
            lane.tried("refused", Some(words.clone()));
        }
    }
    tried
}
