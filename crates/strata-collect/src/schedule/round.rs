//! One round of one source, contained: it may fail, panic, or never come back.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use strata_model::text::format_duration;
use strata_model::{Fault, FaultCode, SourceKind, SourceState};
use tokio::task::JoinHandle;

use crate::collector::{CollectError, Collector, Harvest};

/// A round that ended, with its collector for the next one.
pub(crate) struct Ended {
    pub(crate) collector: Box<dyn Collector>,
    pub(crate) outcome: Result<Harvest, CollectError>,
}

/// Start a round on its own task. Native sources read files of the kernel, which can block for as
/// long as a dead NFS server likes, so they get a thread of the blocking pool instead.
pub(crate) fn launch(
    mut collector: Box<dyn Collector>,
    at_ms: i64,
    limit: Duration,
) -> JoinHandle<Ended> {
    if collector.kind() == SourceKind::Native {
        let runtime = tokio::runtime::Handle::current();
        return tokio::task::spawn_blocking(move || {
            let outcome = runtime.block_on(run(collector.as_mut(), at_ms, limit));
            Ended { collector, outcome }
        });
    }
    tokio::spawn(async move {
        let outcome = run(collector.as_mut(), at_ms, limit).await;
        Ended { collector, outcome }
    })
}

async fn run(
    collector: &mut dyn Collector,
    at_ms: i64,
    limit: Duration,
) -> Result<Harvest, CollectError> {
    match tokio::time::timeout(limit, contain(collector, at_ms)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(timed_out(limit)),
    }
}

/// Collect, and make an error of a panic. The collector is used again afterwards: its data may be
/// from an unfinished round, which is a lesser evil than losing the source.
async fn contain(collector: &mut dyn Collector, at_ms: i64) -> Result<Harvest, CollectError> {
    let mut round = Box::pin(async move { collector.collect(at_ms).await });
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| round.as_mut().poll(context))) {
        Ok(poll) => poll,
        Err(payload) => Poll::Ready(Err(panicked(payload.as_ref()))),
    })
    .await
}

pub(crate) fn timed_out(limit: Duration) -> CollectError {
    CollectError {
        fault: Fault::new(
            FaultCode::Timeout,
            format!("no answer within {}", format_duration(limit)),
        ),
        state: SourceState::Failing,
        hint: "find out why the source is slow, or give it a longer timeout".to_owned(),
    }
}

pub(crate) fn still_hanging(rounds: u64) -> CollectError {
    CollectError {
        fault: Fault::new(
            FaultCode::Timeout,
            format!("an earlier read has not come back for {rounds} rounds"),
        ),
        state: SourceState::Failing,
        hint: "the kernel does not answer a read: look for a dead NFS server or a hung driver"
            .to_owned(),
    }
}

fn panicked(payload: &(dyn Any + Send)) -> CollectError {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    CollectError {
        fault: Fault::new(FaultCode::Panicked, format!("the collector panicked: {message}")),
        state: SourceState::Failing,
        hint: "this is a bug of Stratascope: please report it with the message".to_owned(),
    }
}
