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
        deliver(lane, client, clock, give_up_after, &mut stopped, parcels).await;
    }
    loop {
        let parcels = lane.queue.take_now(TOGETHER_BYTES);
        if parcels.is_empty() {
            return;
        }
        let items = parcels.iter().map(|one| one.items).sum();
        if !once(lane, client, parcels).await {
            lane.dropped("stopped", items);
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

/// Send until it is taken, refused, too old, or the end has come.
async fn deliver(
    lane: &Lane,
    client: &Sending,
    clock: &dyn Clock,
    give_up_after: Duration,
    stopped: &mut watch::Receiver<bool>,
    parcels: Vec<Parcel>,
) {
    let items = parcels.iter().map(|one| one.items).sum();
    let since = parcels.first().map_or(Duration::ZERO, |one| one.since);
    let mut wait = WAIT_FIRST;
    loop {
        let Tried::Again { after, words } = attempt(lane, client, &parcels).await else { return };
        lane.tried("failed", Some(words));
        if clock.monotonic().saturating_sub(since) >= give_up_after {
            return lane.dropped("gave_up", items);
        }
        let pause = match after {
            Some(asked) => asked.min(WAIT_ASKED_MAX),
            None => wait / 2 + wait.mul_f64(fastrand::f64() / 2.0),
        };
        wait = (wait * 2).min(WAIT_LONGEST);
        tokio::select! {
            biased;
            () = ended(stopped) => {
                if !once(lane, client, parcels).await {
                    lane.dropped("stopped", items);
                }
                return;
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The last try: whether it settled what became of the parcels.
async fn once(lane: &Lane, client: &Sending, parcels: Vec<Parcel>) -> bool {
    match attempt(lane, client, &parcels).await {
        Tried::Again { words, .. } => {
            lane.tried("failed", Some(words));
            false
        }
        Tried::Taken { .. } | Tried::Refused { .. } => true,
    }
}

/// One try with all of them; where they are refused together each alone, since one that is bad must
/// not take others with it. What is settled is counted.
async fn attempt(lane: &Lane, client: &Sending, parcels: &[Parcel]) -> Tried {
    // Messages of protobuf put one behind the other are one message with the lists of all.
    let body: Vec<u8> = parcels.iter().flat_map(|one| one.body.iter().copied()).collect();
    let items = parcels.iter().map(|one| one.items).sum::<u64>();
    let tried = client.send(&lane.url, body).await;
    match &tried {
        Tried::Again { .. } => {}
        Tried::Taken { rejected, words } => {
            let rejected = (*rejected).min(items);
            lane.sent(items - rejected);
            lane.dropped("rejected", rejected);
            let words = format!("{} rejected {rejected} of {items}: {words}", lane.url);
            lane.tried("ok", (rejected > 0).then_some(words));
        }
        Tried::Refused { words } if parcels.len() < 2 => {
            lane.dropped("refused", items);
            lane.tried("refused", Some(words.clone()));
        }
        Tried::Refused { words } => {
            lane.tried("refused", Some(words.clone()));
            for one in parcels {
                alone(lane, client, one).await;
            }
        }
    }
    tried
}

/// One of several that were refused together.
async fn alone(lane: &Lane, client: &Sending, parcel: &Parcel) {
    let one = std::slice::from_ref(parcel);
    if let Tried::Again { words, .. } = Box::pin(attempt(lane, client, one)).await {
        // Back to the end of the queue: the others do not wait for it.
        lane.tried("failed", Some(words));
        lane.dropped("queue_full", lane.queue.put(parcel.clone()));
    }
}
